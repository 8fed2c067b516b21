//! Files that are fetched.

use super::*;
use std::io::Write as _;
use std::net::TcpListener;

/// Gives this once, and ends.
fn serve(body: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/file", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut asked = [0; 4096];
        assert_ne!(stream.read(&mut asked).unwrap(), 0);
        write!(stream, "HTTP/1.1 200 OK\r\n\r\n{body}").unwrap();
    });
    url
}

fn fetched(url: &str, wanted: &str) -> File {
    File {
        content: Some(Content::Url {
            url: url.into(),
            digest: Digest::of(wanted.as_bytes()),
        }),
        ..text_file("/srv/app", "")
    }
}

#[test]
fn what_is_fetched_takes_its_place_once_it_is_known() {
    let tree = Tree::new();
    tree.write(&fetched(&serve("one"), "one")).unwrap();
    assert_eq!(tree.read("/srv/app"), "one");
    // What is right is not fetched again, and what cannot be reached is not missed.
    tree.write(&fetched("http://127.0.0.1:1/", "one")).unwrap();

    for (url, told) in [
        (serve("evil"), "and"),
        ("http://127.0.0.1:1/gone".into(), "cannot be reached"),
    ] {
        let why = tree.write(&fetched(&url, "two")).unwrap_err().to_string();
        assert!(
            why.contains("/srv/app is left as it was") && why.contains(told),
            "{why}"
        );
        let secret = File {
            sensitive: true,
            ..fetched("http://127.0.0.1:1/token", "two")
        };
        let why = tree.write(&secret).unwrap_err().to_string();
        assert!(!why.contains("token"), "{why}");
    }
    assert_eq!(tree.read("/srv/app"), "one");
    assert_eq!(tree.names("/srv"), ["app"], "something was left behind");
}
