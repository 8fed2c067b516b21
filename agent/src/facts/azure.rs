//! `facts.azure`: the instance metadata of a machine of Azure.

use super::FactError;
use serde_json::Value;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// What Azure writes into the chassis of every machine, and nobody else.
const CHASSIS: &str = "7783-7084-3265-9085-8269-3286-77";

/// The metadata service, on the link alone.
const SERVICE: &str = "169.254.169.254:80";

/// Spoken in HTTP/1.0, so that the answer comes whole and ends with the connection.
const REQUEST: &str = "GET /metadata/instance?api-version=2021-02-01 HTTP/1.0\r\n\
                       Host: 169.254.169.254\r\nMetadata: true\r\n\r\n";

/// The most that is read of an answer.
const LIMIT: u64 = 1 << 20;

/// The `instance` document; none anywhere but on Azure.
pub fn read() -> Result<Option<Value>, FactError> {
    let chassis = std::fs::read_to_string("/sys/class/dmi/id/chassis_asset_tag");
    if chassis.is_ok_and(|tag| tag.trim() == CHASSIS) {
        let service = SERVICE.parse().expect("a literal address");
        ask(service).map(Some)
    } else {
        Ok(None)
    }
}

fn ask(service: SocketAddr) -> Result<Value, FactError> {
    let answer = exchange(service)
        .map_err(|error| FactError::Azure(format!("the metadata service at {service}: {error}")))?;
    instance_of(&answer)
        .map_err(|why| FactError::Azure(format!("the metadata service at {service}: {why}")))
}

fn exchange(service: SocketAddr) -> std::io::Result<Vec<u8>> {
    let patience = Some(Duration::from_secs(5));
    let mut stream = TcpStream::connect_timeout(&service, Duration::from_secs(5))?;
    stream.set_read_timeout(patience)?;
    stream.set_write_timeout(patience)?;
    stream.write_all(REQUEST.as_bytes())?;
    let mut answer = Vec::new();
    stream.take(LIMIT).read_to_end(&mut answer)?;
    Ok(answer)
}

fn instance_of(answer: &[u8]) -> Result<Value, String> {
    let end = answer
        .windows(4)
        .position(|four| four == b"\r\n\r\n")
        .ok_or("no HTTP answer")?;
    let head = String::from_utf8_lossy(&answer[..end]);
    let status = head.lines().next().unwrap_or_default();
    if status.split(' ').nth(1) != Some("200") {
        return Err(format!("it said \"{status}\""));
    }
    serde_json::from_slice(&answer[end + 4..]).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    /// A service that gives this answer once, and what it was asked.
    fn service(answer: &'static str) -> (SocketAddr, std::thread::JoinHandle<String>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let asked = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut asked = vec![0; REQUEST.len()];
            stream.read_exact(&mut asked).unwrap();
            stream.write_all(answer.as_bytes()).unwrap();
            String::from_utf8(asked).unwrap()
        });
        (address, asked)
    }

    #[test]
    fn what_it_says_is_the_fact() {
        let (address, asked) =
            service("HTTP/1.0 200 OK\r\nServer: x\r\n\r\n{\"compute\": {\"zone\": \"1\"}}");
        assert_eq!(ask(address).unwrap()["compute"]["zone"], "1");
        assert!(asked.join().unwrap().contains("\r\nMetadata: true\r\n"));
    }

    #[test]
    fn an_answer_that_is_none_is_an_error() {
        for (answer, word) in [
            ("HTTP/1.0 404 Not Found\r\n\r\n", "404"),
            ("HTTP/1.0 200 OK\r\n\r\n{", "EOF"),
            ("nonsense", "no HTTP"),
        ] {
            let (address, asked) = service(answer);
            let why = ask(address).unwrap_err().to_string();
            assert!(why.contains(word), "{why}");
            asked.join().unwrap();
        }
    }
}
