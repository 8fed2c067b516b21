//! A real Azurite, one for all tests of this process, a container for each.

use crate::channel;
use crate::home::free_port;
use rustls::pki_types::ServerName;
use sha2::{Digest as _, Sha256};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

/// Azurite's well-known account; no secret.
pub const ACCOUNT: &str = "devstoreaccount1";
pub const KEY: &str =
    "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==";
const VERSION: &str = "2021-12-02";

/// What a SAS must allow, as the README says it.
pub const PERMISSIONS: &str = "racwdl";
pub const NEVER: &str = "2099-01-01T00:00:00Z";
/// The last version that says how a SAS is signed.
const SAS_VERSION: &str = "2020-12-06";

/// One that runs; it ends with the process that started it, whose end closes its standard input.
pub struct Azurite {
    port: u16,
    /// The certificate with which it speaks TLS, PEM.
    certificate: Option<String>,
    _child: Child,
}

impl Azurite {
    /// The one of this process.
    pub fn get() -> &'static Self {
        static ONE: OnceLock<Azurite> = OnceLock::new();
        ONE.get_or_init(|| Self::start(&[], None))
    }

    /// Another one, which speaks TLS with the `cert.pem` and `key.pem` of this folder, and looks at what is in a bearer's token.
    pub fn of_identities(papers: &Path) -> Self {
        let at = |name: &str| papers.join(name).display().to_string();
        let certificate = std::fs::read_to_string(papers.join("cert.pem")).expect("a certificate");
        let options = [
            "--oauth",
            "basic",
            "--cert",
            &at("cert.pem"),
            "--key",
            &at("key.pem"),
        ];
        Self::start(&options, Some(certificate))
    }

    fn start(options: &[&str], certificate: Option<String>) -> Self {
        let program = program();
        let port = free_port();
        // The shell waits for our end, then ends Azurite.
        let script = "\"$@\" >&2 & child=$!; cat >/dev/null; kill $child";
        let child = Command::new("/bin/sh")
            .args(["-c", script, "sh"])
            .arg(&program)
            .args(["--inMemoryPersistence", "--disableTelemetry", "--silent"])
            .args(["--skipApiVersionCheck", "--blobHost", "127.0.0.1"])
            .args(["--blobPort", &port.to_string()])
            .args(options)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .expect("Azurite starts");
        let deadline = Instant::now() + Duration::from_secs(60);
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(
                Instant::now() < deadline,
                "{} does not listen",
                program.display()
            );
            std::thread::sleep(Duration::from_millis(50));
        }
        Self {
            port,
            certificate,
            _child: child,
        }
    }

    /// What server.toml calls `endpoint`.
    pub fn endpoint(&self) -> String {
        let scheme = if self.certificate.is_some() {
            "https"
        } else {
            "http"
        };
        format!("{scheme}://127.0.0.1:{}/{ACCOUNT}", self.port)
    }

    /// Makes a new container, by the REST call that `az storage container create` makes.
    pub fn new_container(&self) -> String {
        static NEXT: AtomicU32 = AtomicU32::new(1);
        let name = format!("cfg-{}", NEXT.fetch_add(1, Ordering::Relaxed));
        let date = "Thu, 01 Jan 2026 00:00:00 GMT";
        let date = http_date().unwrap_or_else(|| date.to_owned());
        let headers = format!("x-ms-date:{date}\nx-ms-version:{VERSION}\n");
        let resource = format!("/{ACCOUNT}/{ACCOUNT}/{name}\nrestype:container");
        // Twelve headers of the scheme, all empty in this call.
        let to_sign = format!("PUT{}{headers}{resource}", "\n".repeat(12));
        let signature = base64(&hmac(&from_base64(KEY), to_sign.as_bytes()));
        let request = format!(
            "PUT /{ACCOUNT}/{name}?restype=container HTTP/1.1\r\nhost: 127.0.0.1\r\n\
             x-ms-date: {date}\r\nx-ms-version: {VERSION}\r\ncontent-length: 0\r\n\
             authorization: SharedKey {ACCOUNT}:{signature}\r\nconnection: close\r\n\r\n"
        );
        let answer = self.answer(&request);
        assert!(answer.starts_with("HTTP/1.1 201"), "no container: {answer}");
        name
    }

    /// What it says to one request.
    fn answer(&self, request: &str) -> String {
        let stream = TcpStream::connect(("127.0.0.1", self.port)).expect("Azurite answers");
        let Some(certificate) = &self.certificate else {
            return exchanged(stream, request);
        };
        let mut config = channel::tls(certificate, None);
        config.alpn_protocols.clear();
        let name = ServerName::try_from("127.0.0.1").expect("a name");
        let client = rustls::ClientConnection::new(Arc::new(config), name).expect("a client");
        exchanged(rustls::StreamOwned::new(client, stream), request)
    }
}

fn exchanged(mut stream: impl Read + Write, request: &str) -> String {
    stream.write_all(request.as_bytes()).expect("it reads");
    let mut answer = Vec::new();
    // Over TLS it ends without a word.
    drop(stream.read_to_end(&mut answer));
    String::from_utf8_lossy(&answer).into_owned()
}

/// A SAS of a container, as the portal makes it: encoded for a URL.
pub fn container_sas(container: &str, permissions: &str, expires: &str) -> String {
    // Between these: the start; an identifier, addresses, a protocol. After them: a snapshot, a scope, five headers of answers.
    let to_sign = format!(
        "{permissions}\n\n{expires}\n/blob/{ACCOUNT}/{container}\n\n\n\n{SAS_VERSION}\nc{}",
        "\n".repeat(7)
    );
    let signature = base64(&hmac(&from_base64(KEY), to_sign.as_bytes()));
    let encoded = |value: &str| {
        let value = value.replace(':', "%3A").replace('+', "%2B");
        value.replace('/', "%2F").replace('=', "%3D")
    };
    let (expires, signature) = (encoded(expires), encoded(&signature));
    format!("sv={SAS_VERSION}&sr=c&sp={permissions}&se={expires}&sig={signature}")
}

/// `azurite-blob`: as CFG_AZURITE says, on the PATH, or where tests/run installs it.
fn program() -> PathBuf {
    if let Some(program) = std::env::var_os("CFG_AZURITE") {
        return program.into();
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut places: Vec<PathBuf> = std::env::split_paths(&path).collect();
    let cache = std::env::var_os("CFG_TEST_CACHE").unwrap_or("/var/cache/cfg-tests".into());
    if let Ok(cached) = std::fs::read_dir(cache) {
        let found = cached.flatten().map(|entry| entry.path());
        places.extend(found.map(|path| path.join("node_modules/.bin")));
    }
    let programs = places.into_iter().map(|place| place.join("azurite-blob"));
    programs
        .into_iter()
        .find(|program| program.is_file())
        .expect("azurite-blob is not installed: tests/run installs it, or set CFG_AZURITE to it")
}

fn http_date() -> Option<String> {
    let output = Command::new("date")
        .env("LC_ALL", "C")
        .args(["-u", "+%a, %d %b %Y %H:%M:%S GMT"])
        .output();
    let text = String::from_utf8(output.ok()?.stdout).ok()?;
    Some(text.trim().to_owned())
}

fn hmac(key: &[u8], message: &[u8]) -> Vec<u8> {
    let mut block = [0u8; 64];
    block[..key.len()].copy_from_slice(key);
    let keyed = |pad: u8| {
        let mut hash = Sha256::new();
        hash.update(block.map(|byte| byte ^ pad));
        hash
    };
    let inner = keyed(0x36).chain_update(message).finalize();
    keyed(0x5c).chain_update(inner).finalize().to_vec()
}

fn base64(bytes: &[u8]) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(bytes)
}

fn from_base64(text: &str) -> Vec<u8> {
    use base64::Engine as _;
    let decoded = base64::engine::general_purpose::STANDARD.decode(text);
    decoded.expect("the well-known key is base64")
}
