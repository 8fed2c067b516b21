//! `facts.azure`: the instance metadata of a machine of Azure.

use serde_json::Value;
use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

/// What Azure writes into the chassis of every machine, and nobody else. So elsewhere nobody is asked, and no time is lost.
const CHASSIS: &str = "7783-7084-3265-9085-8269-3286-77";

/// The metadata service, on the link alone: no proxy leads there.
const SERVICE: &str = "169.254.169.254:80";

/// Spoken in HTTP/1.0, so that the answer comes whole and ends with the connection.
const REQUEST: &str = "GET /metadata/instance?api-version=2021-02-01 HTTP/1.0\r\n\
                       Host: 169.254.169.254\r\nMetadata: true\r\n\r\n";

/// The most that is read of an answer, in bytes.
const LIMIT: usize = 1 << 20;

/// The most that is told of one, in characters.
const TOLD: usize = 80;

/// How long all of it may take. Every run asks, those of a machine that is kept from the service too.
#[derive(Clone, Copy)]
struct Patience {
    connection: Duration,
    whole: Duration,
}

const PATIENCE: Patience = Patience {
    connection: Duration::from_secs(2),
    whole: Duration::from_secs(5),
};

/// The `instance` document, or why it could not be had; none anywhere but on Azure.
pub fn read() -> Option<Result<Value, String>> {
    let chassis = std::fs::read_to_string("/sys/class/dmi/id/chassis_asset_tag");
    chassis.is_ok_and(|tag| tag.trim() == CHASSIS).then(|| {
        let service = SERVICE.parse().expect("a literal address");
        ask(service, PATIENCE)
    })
}

fn ask(service: SocketAddr, patience: Patience) -> Result<Value, String> {
    exchange(service, patience)
        .and_then(|answer| instance_of(&answer))
        .map_err(|why| format!("Azure's metadata service at {service}: {why}"))
}

fn exchange(service: SocketAddr, patience: Patience) -> Result<Vec<u8>, String> {
    let until = Instant::now() + patience.whole;
    let failed = |error: std::io::Error| match error.kind() {
        ErrorKind::TimedOut | ErrorKind::WouldBlock => {
            format!("no whole answer within {:?}", patience.whole)
        }
        _ => error.to_string(),
    };
    let mut stream = TcpStream::connect_timeout(&service, patience.connection)
        .map_err(|error| format!("no connection: {error}"))?;
    let left = || until.saturating_duration_since(Instant::now());
    // A timeout of nothing would be none at all.
    let wait = || Some(left().max(Duration::from_millis(1)));
    stream.set_write_timeout(wait()).map_err(failed)?;
    stream.write_all(REQUEST.as_bytes()).map_err(failed)?;
    let mut answer = Vec::new();
    let mut buffer = [0; 16 * 1024];
    loop {
        if left().is_zero() {
            return Err(failed(ErrorKind::TimedOut.into()));
        }
        stream.set_read_timeout(wait()).map_err(failed)?;
        match stream.read(&mut buffer) {
            Ok(0) => return Ok(answer),
            Ok(read) if answer.len() + read > LIMIT => {
                return Err("its answer is larger than 1 MiB".into());
            }
            Ok(read) => answer.extend_from_slice(&buffer[..read]),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(failed(error)),
        }
    }
}

fn instance_of(answer: &[u8]) -> Result<Value, String> {
    let end = answer
        .windows(4)
        .position(|four| four == b"\r\n\r\n")
        .ok_or("its answer is no HTTP")?;
    let head = String::from_utf8_lossy(&answer[..end]);
    let status = head.lines().next().unwrap_or_default();
    if status.split(' ').nth(1) != Some("200") {
        let told: String = status.chars().take(TOLD).collect();
        return Err(format!("it said \"{}\"", told.escape_debug()));
    }
    let mut instance = serde_json::from_slice(&answer[end + 4..])
        .map_err(|error| format!("its answer is no JSON: {error}"))?;
    if !matches!(instance, Value::Object(_)) {
        return Err("its answer is no JSON object".into());
    }
    if let Some(Value::Object(compute)) = instance.get_mut("compute") {
        // They are for the first boot and may hold a token; a fact is for everybody on the machine to read.
        compute.remove("userData");
        compute.remove("customData");
    }
    as_fact(&mut instance);
    Ok(instance)
}

/// A fact is there or it is not; and a number that is no TOML integer, as those of `facts.local` are, keeps its digits as text.
fn as_fact(value: &mut Value) {
    match value {
        Value::Object(members) => {
            members.retain(|_, member| !member.is_null());
            members.values_mut().for_each(as_fact);
        }
        Value::Array(items) => {
            items.retain(|item| !item.is_null());
            items.iter_mut().for_each(as_fact);
        }
        Value::Number(number) if number.is_u64() && !number.is_i64() => {
            *value = number.to_string().into();
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    /// As long as nobody means to wait.
    const LONG: Patience = Patience {
        connection: Duration::from_secs(60),
        whole: Duration::from_secs(60),
    };

    /// A service that answers once, by writing this again and again as often as it says, and gives what it was asked.
    fn service(
        answer: impl AsRef<[u8]> + Send + 'static,
        times: usize,
        pause: Duration,
    ) -> (SocketAddr, std::thread::JoinHandle<String>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let asked = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut asked = vec![0; REQUEST.len()];
            stream.read_exact(&mut asked).unwrap();
            for _ in 0..times {
                // Whoever asked may have had enough.
                if stream.write_all(answer.as_ref()).is_err() {
                    break;
                }
                std::thread::sleep(pause);
            }
            String::from_utf8(asked).unwrap()
        });
        (address, asked)
    }

    fn said(answer: &str) -> Result<Value, String> {
        let (address, asked) = service(answer.to_owned(), 1, Duration::ZERO);
        let said = ask(address, LONG);
        asked.join().unwrap();
        said
    }

    #[test]
    fn what_it_says_is_the_fact() {
        let (address, asked) = service(
            "HTTP/1.0 200 OK\r\nServer: x\r\n\r\n{\"compute\": {\"zone\": \"1\"}}",
            1,
            Duration::ZERO,
        );
        assert_eq!(ask(address, LONG).unwrap()["compute"]["zone"], "1");
        assert!(asked.join().unwrap().contains("\r\nMetadata: true\r\n"));
    }

    #[test]
    fn what_is_for_the_first_boot_and_what_is_nothing_is_no_fact() {
        let instance = said(
            "HTTP/1.0 200 OK\r\n\r\n{\"compute\": {\"userData\": \"c2VjcmV0\", \"customData\": \"x\", \"name\": \"vm\", \
             \"plan\": null, \"tagsList\": [null, {\"name\": \"userData\", \"value\": null}]}}",
        );
        let tags = serde_json::json!([{"name": "userData"}]);
        let compute = serde_json::json!({"name": "vm", "tagsList": tags});
        assert_eq!(instance.unwrap(), serde_json::json!({"compute": compute}));
    }

    #[test]
    fn numbers_that_toml_does_not_know_are_text() {
        let instance = said(
            "HTTP/1.0 200 OK\r\n\r\n{\"a\": [18446744073709551615, 9223372036854775807, -1, 0.5], \"b\": 9223372036854775808}",
        );
        let numbers = serde_json::json!(["18446744073709551615", i64::MAX, -1, 0.5]);
        let instance = instance.unwrap();
        assert_eq!(
            instance,
            serde_json::json!({"a": numbers, "b": "9223372036854775808"})
        );
        assert!(toml::to_string(&instance).is_ok());
    }

    #[test]
    fn an_answer_that_is_none_is_an_error() {
        for (answer, word) in [
            (
                "HTTP/1.0 404 Not Found\r\n\r\n",
                "\"HTTP/1.0 404 Not Found\"",
            ),
            (
                "HTTP/1.0 302 Found\r\nLocation: http://127.0.0.1/x\r\n\r\n{}",
                "302 Found",
            ),
            (
                "HTTP/1.0 500 \u{1b}[2J\r\n\r\n",
                "\"HTTP/1.0 500 \\u{1b}[2J\"",
            ),
            ("HTTP/1.0 200 OK\r\n\r\n{", "no JSON: EOF"),
            ("HTTP/1.0 200 OK\r\n\r\n[1]", "no JSON object"),
            ("HTTP/1.0 200 OK\r\n\r\nnull", "no JSON object"),
            ("nonsense", "no HTTP"),
            ("", "no HTTP"),
        ] {
            let why = said(answer).unwrap_err();
            assert!(why.contains(word), "{why}");
        }
        let long = said(&format!("HTTP/1.0 500 {}\r\n\r\n", "x".repeat(1000))).unwrap_err();
        assert!(long.len() < 200, "{long}");
    }

    #[test]
    fn an_answer_without_an_end_is_an_error() {
        let (address, asked) = service(vec![b' '; LIMIT / 4], usize::MAX, Duration::ZERO);
        let why = ask(address, LONG).unwrap_err();
        assert!(why.contains("larger than 1 MiB"), "{why}");
        asked.join().unwrap();
        // Each piece of it comes soon enough, and the whole never does.
        let patience = Patience {
            whole: Duration::from_millis(300),
            ..LONG
        };
        let (address, asked) = service("x", usize::MAX, Duration::from_millis(10));
        let why = ask(address, patience).unwrap_err();
        assert!(why.contains("no whole answer within 300ms"), "{why}");
        asked.join().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let why = ask(listener.local_addr().unwrap(), patience).unwrap_err();
        assert!(why.contains("no whole answer within 300ms"), "{why}");
    }
}
