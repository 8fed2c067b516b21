//! Strangers who want to wear the server down: it stays small, says so in few words, and lets in who should come in.

use crate::channel;
use crate::logged;
use crate::place::{Kind, Place};
use crate::world::World;
use rcgen::KeyPair;
use rustls::pki_types::ServerName;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

async fn world() -> (Place, World) {
    let place = Place::new(Kind::Directory);
    let world = World::begin(&place).await;
    (place, world)
}

async fn tcp(world: &World) -> TcpStream {
    let address = world.running.enrol_address;
    TcpStream::connect(address).await.expect("connected")
}

/// Through the guests' TLS, to speak this.
async fn tls(world: &World, protocol: &[u8]) -> TlsStream<TcpStream> {
    let mut config = channel::tls(&world.ca, None);
    config.alpn_protocols = vec![protocol.to_vec()];
    let connector = tokio_rustls::TlsConnector::from(Arc::new(config));
    let name = ServerName::from(world.running.enrol_address.ip());
    let stream = connector.connect(name, tcp(world).await).await;
    stream.expect("a handshake")
}

/// That the server ends this connection within so many seconds.
async fn ended<S: AsyncRead + AsyncWrite + Unpin>(what: &str, stream: &mut S, seconds: u64) {
    let begun = Instant::now();
    let read = async {
        let mut rest = Vec::new();
        let _ = stream.read_to_end(&mut rest).await;
    };
    let read = tokio::time::timeout(Duration::from_secs(seconds), read).await;
    assert!(
        read.is_ok(),
        "{what}: it stays open for {:?}",
        begun.elapsed()
    );
}

async fn still_lets_in(world: &World, name: &str) {
    let token = world.desk.token("web", 1, 600).await;
    let key = KeyPair::generate().expect("a key");
    let begun = Instant::now();
    world.enrol(&token, name, &key).await.expect("it enrols");
    assert!(
        begun.elapsed() < Duration::from_secs(3),
        "{:?}",
        begun.elapsed()
    );
}

#[tokio::test]
async fn what_is_no_tls() {
    let (_place, world) = world().await;
    let long = [0x16; 70_000];
    let sent: [&[u8]; 4] = [
        b"GET / HTTP/1.1\r\nhost: cfg\r\n\r\n",
        b"SSH-2.0-OpenSSH_9.2\r\n",
        // A record that says it is longer than records may be.
        b"\x16\x03\x01\xff\xff",
        &long,
    ];
    for bytes in sent {
        for address in [world.running.enrol_address, world.running.address] {
            let mut stream = TcpStream::connect(address).await.expect("connected");
            let _ = stream.write_all(bytes).await;
            ended("garbage", &mut stream, 12).await;
        }
    }
    logged::expect(&["WARN", "refused 127.0.0.1:", "it does not speak TLS 1.3"]).await;
    still_lets_in(&world, "after-garbage-1").await;
}

#[tokio::test]
async fn what_is_no_http() {
    let (_place, world) = world().await;
    let preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    let settings = [0, 0, 0, 4, 0, 0, 0, 0, 0];
    // A header that is continued, and continued, without an end.
    let mut flood = [&preface[..], &settings, &[0, 0, 1, 1, 0, 0, 0, 0, 1, 0x82]].concat();
    for _ in 0..4000 {
        flood.extend([0, 0, 100, 9, 0, 0, 0, 0, 1]);
        flood.extend([b'x'; 100]);
    }
    let oversized = [
        &preface[..],
        &settings,
        &[0xff, 0xff, 0xff, 0, 0, 0, 0, 0, 1],
    ]
    .concat();
    let unknown = [
        &preface[..],
        &settings,
        &[0, 0, 4, 3, 0, 0, 0, 0, 9, 0, 0, 0, 8],
    ]
    .concat();
    let headers = [&b"GET /cfg HTTP/1.1\r\nx: "[..], &[b'a'; 200_000]].concat();
    for (what, protocol, bytes) in [
        ("a flood of headers", "h2", &flood[..]),
        ("a frame that is too large", "h2", &oversized),
        ("a reset of what is not there", "h2", &unknown),
        (
            "no preface",
            "h2",
            b"\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0",
        ),
        ("no words", "http/1.1", b"\0\0\0\0\r\n\r\n"),
        ("endless headers", "http/1.1", &headers),
    ] {
        let mut stream = tls(&world, protocol.as_bytes()).await;
        let _ = stream.write_all(bytes).await;
        let _ = stream.flush().await;
        ended(what, &mut stream, 12).await;
    }
    still_lets_in(&world, "after-nonsense-1").await;
}

#[tokio::test]
async fn who_asks_nothing_goes() {
    let (_place, world) = world().await;
    let mut silent = tls(&world, b"h2").await;
    let mut silent_too = tls(&world, b"http/1.1").await;
    // A header, a letter a second.
    let mut slow = tls(&world, b"http/1.1").await;
    let drip = async {
        for byte in b"GET /cfg HTTP/1.1\r\n".iter().cycle() {
            if slow.write_all(&[*byte]).await.is_err() || slow.flush().await.is_err() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
    };
    let drip = tokio::time::timeout(Duration::from_secs(25), drip);
    let (_, _, dripped) = tokio::join!(
        ended("h2", &mut silent, 15),
        ended("http/1.1", &mut silent_too, 15),
        drip
    );
    assert!(dripped.is_ok(), "it may drip for ever");
    logged::expect(&["WARN", "refused 127.0.0.1:", "without asking anything"]).await;
}

#[tokio::test]
async fn a_message_that_says_it_is_huge() {
    let (_place, world) = world().await;
    let mut stream = tls(&world, b"http/1.1").await;
    let head = "POST /cfg.v1.Enrolment/Enroll HTTP/1.1\r\nhost: cfg\r\ncontent-type: application/grpc\r\n\
                te: trailers\r\ncontent-length: 99999999999\r\n\r\n";
    stream.write_all(head.as_bytes()).await.expect("written");
    // gRPC's own length: four gigabytes.
    let begun = stream.write_all(b"\0\xff\xff\xff\xff").await;
    begun.expect("written");
    stream.flush().await.expect("written");
    let mut answer = vec![0; 4096];
    let read = tokio::time::timeout(Duration::from_secs(5), stream.read(&mut answer)).await;
    let length = read.expect("an answer at once").expect("an answer");
    let answer = String::from_utf8_lossy(&answer[..length]).to_lowercase();
    // OUT_OF_RANGE.
    assert!(answer.contains("grpc-status: 11"), "{answer}");
    still_lets_in(&world, "after-huge-1").await;
}

#[tokio::test]
async fn the_log_is_not_theirs_to_fill() {
    let (_place, world) = world().await;
    let key = KeyPair::generate().expect("a key");
    for at in 0..60 {
        let name = format!("flooder-{at}");
        world
            .enrol("cfg-0", &name, &key)
            .await
            .expect_err("refused");
    }
    let lines = logged::count("node flooder-");
    assert_eq!(lines, 20);
    // Of others the log still tells.
    let machine = world.machine("web", "heard-1").await;
    machine.fetch("nothing").await.expect_err("refused");
    logged::expect(&["WARN", "refused node heard-1", "not yours to read"]).await;
}
