//! A server on the loopback, and what is fetched from it.

use super::*;
use std::io::BufRead as _;
use std::net::{SocketAddr, TcpListener};

/// A server that gives these answers, one a connection, and then tells what it was asked.
fn server(answers: &[String]) -> (SocketAddr, std::thread::JoinHandle<Vec<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let answers = answers.to_vec();
    let asked = std::thread::spawn(move || {
        let mut asked = Vec::new();
        for answer in answers {
            let (mut stream, _) = listener.accept().unwrap();
            let lines = BufReader::new(stream.try_clone().unwrap()).lines();
            let head: Vec<String> = lines
                .map_while(Result::ok)
                .take_while(|line| !line.is_empty())
                .collect();
            asked.push(head[0].clone());
            // A client that has had enough is its own affair.
            let _enough = stream.write_all(answer.as_bytes());
        }
        asked
    });
    (address, asked)
}

fn answer(status: &str, head: &str, body: &str) -> String {
    format!("HTTP/1.1 {status}\r\n{head}\r\n{body}")
}

fn fetched(url: &str, most: u64) -> Result<String, String> {
    let mut out = Vec::new();
    let done = fetch(url, most, &mut out).map_err(|error| error.to_string());
    done.map(|()| String::from_utf8(out).unwrap())
}

#[test]
fn what_is_there_comes_by_redirects_too() {
    let (address, asked) = server(&[
        answer("302 Found", "Location: /b/c?d\r\n", ""),
        answer("301 Moved", "Location: e\r\nContent-Length: 0\r\n", ""),
        answer(
            "200 OK",
            "Transfer-Encoding: chunked\r\n",
            "3\r\nabc\r\n0\r\n\r\n",
        ),
    ]);
    let url = format!("http://{address}/a#x");
    assert_eq!(fetched(&url, 3).as_deref(), Ok("abc"));
    let wanted = [
        "GET /a HTTP/1.1",
        "GET /b/c?d HTTP/1.1",
        "GET /b/e HTTP/1.1",
    ];
    assert_eq!(asked.join().unwrap(), wanted);
}

#[test]
fn what_is_not_there_whole_is_an_error() {
    let endless = answer("302 Found", "Location: /\r\n", "");
    for (answers, told) in [
        (
            vec![answer("404 Not Found", "", "")],
            "said \"HTTP/1.1 404 Not Found\"",
        ),
        (vec![answer("204 No Content", "", "")], "204"),
        (vec![answer("302 Found", "", "")], "302"),
        (
            vec![answer("302 Found", "Location: ftp://x/\r\n", "")],
            "no URL",
        ),
        (
            vec![answer("200 OK", "Content-Length: 9\r\n", "abc")],
            "broke off",
        ),
        (
            vec![answer("200 OK", "", "abcdefghijk")],
            "more than 10 bytes",
        ),
        (vec!["nonsense\r\n".into()], "not HTTP/1"),
        (vec![String::new()], "broke off"),
        (vec![endless; MOST_REDIRECTS + 1], "redirects"),
    ] {
        let (address, asked) = server(&answers);
        let why = fetched(&format!("http://{address}/"), 10).unwrap_err();
        assert!(why.contains(told), "{why} / {told}");
        asked.join().unwrap();
    }
}

#[test]
fn nobody_there_is_told_with_the_reason() {
    let why = fetched("http://127.0.0.1:1/x", 1).unwrap_err();
    assert!(
        why.contains("127.0.0.1:1") && why.contains("refused"),
        "{why}"
    );
}

#[test]
fn who_speaks_no_tls_is_no_https() {
    let (address, asked) = server(&[answer("200 OK", "", "abc")]);
    let why = fetched(&format!("https://{address}/"), 10).unwrap_err();
    assert!(why.contains("cannot be reached"), "{why}");
    // It waits for the end of a head that never came.
    drop(asked);
}

#[test]
fn the_time_is_over_for_a_head_that_never_ends_too() {
    for head in ["HTTP/1.1 200 OK\r\n", "HTTP/1.1 200 OK\r\n\r\n", ""] {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let dripping = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut sent = stream.write_all(head.as_bytes());
            while sent.is_ok() {
                std::thread::sleep(Duration::from_millis(20));
                sent = stream.write_all(b"x");
            }
        });
        let begun = Instant::now();
        let deadline = begun + Duration::from_millis(300);
        let url = format!("http://{address}/");
        let slow = fetch_until(deadline, &url, u64::MAX, &mut std::io::sink());
        assert!(matches!(slow, Err(DownloadError::Slow(_))), "{slow:?}");
        assert!(begun.elapsed() < Duration::from_secs(20), "{head:?}");
        dripping.join().unwrap();
    }
}

#[test]
fn the_time_is_over_where_nothing_is_said() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    for url in [format!("http://{address}/"), format!("https://{address}/")] {
        let begun = Instant::now();
        let deadline = begun + Duration::from_millis(300);
        let slow = fetch_until(deadline, &url, 1, &mut std::io::sink());
        assert!(matches!(slow, Err(DownloadError::Slow(_))), "{slow:?}");
        assert!(begun.elapsed() < Duration::from_secs(20), "{url}");
    }
}
