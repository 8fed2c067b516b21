//! What gives tokens on Azure, stood in for: a machine's metadata service, and the authority that takes the word of another.
//! The tokens are such as an Azurite judges: by everything but their signature.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rcgen::{CertificateParams, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

/// One that answers, in its own thread, as long as this process lives.
pub struct Authority {
    pub address: SocketAddr,
    script: Arc<Mutex<Script>>,
}

struct Script {
    asked: Vec<String>,
    /// How long a token lasts, in seconds; none for a word instead of a token.
    life: Option<i64>,
}

/// The word that is no token.
pub const NO_TOKEN: &str =
    r#"{"error":"invalid_request","error_description":"Identity not found"}"#;

impl Authority {
    /// Over plain HTTP, as metadata services speak.
    pub fn plain(at: &str) -> Self {
        Self::start(at, None)
    }

    /// Over TLS, with the papers of this folder.
    pub fn with_tls(papers: &Path) -> Self {
        let certificate = CertificateDer::from_pem_file(papers.join("cert.pem"));
        let key = PrivateKeyDer::from_pem_file(papers.join("key.pem")).expect("a key");
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("TLS")
            .with_no_client_auth()
            .with_single_cert(vec![certificate.expect("a certificate")], key)
            .expect("they belong together");
        Self::start("127.0.0.1:0", Some(Arc::new(config)))
    }

    fn start(at: &str, tls: Option<Arc<ServerConfig>>) -> Self {
        let listener = TcpListener::bind(at).expect("its address is free");
        let address = listener.local_addr().expect("an address");
        let script = Arc::new(Mutex::new(Script {
            asked: Vec::new(),
            life: Some(3600),
        }));
        let served = Arc::clone(&script);
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                // A caller that goes away is none of ours.
                drop(match &tls {
                    None => serve(stream, &served),
                    Some(config) => served_over_tls(stream, config, &served),
                });
            }
        });
        Self { address, script }
    }

    /// Every request until now, head and body, and none from now on.
    pub fn asked(&self) -> Vec<String> {
        std::mem::take(&mut lock(&self.script).asked)
    }

    /// From now on a token lasts so many seconds, or there is none.
    pub fn life(&self, life: Option<i64>) {
        lock(&self.script).life = life;
    }
}

/// A key and a certificate for 127.0.0.1 that says nothing but that, as `cert.pem` and `key.pem` in this folder.
pub fn papers(folder: &Path) {
    let key = KeyPair::generate().expect("a key");
    let params = CertificateParams::new(["127.0.0.1".to_owned()]).expect("a name");
    let certificate = params.self_signed(&key).expect("signed");
    std::fs::write(folder.join("cert.pem"), certificate.pem()).expect("written");
    std::fs::write(folder.join("key.pem"), key.serialize_pem()).expect("written");
}

/// What every token that was given has in it.
pub fn mark() -> String {
    encoded("{\"alg\":\"none\"}")
}

fn lock(script: &Mutex<Script>) -> std::sync::MutexGuard<'_, Script> {
    script.lock().unwrap_or_else(PoisonError::into_inner)
}

fn served_over_tls(
    stream: TcpStream,
    config: &Arc<ServerConfig>,
    script: &Mutex<Script>,
) -> std::io::Result<()> {
    let tls = rustls::ServerConnection::new(Arc::clone(config)).map_err(std::io::Error::other)?;
    serve(rustls::StreamOwned::new(tls, stream), script)
}

/// One request, one answer.
fn serve(stream: impl Read + Write, script: &Mutex<Script>) -> std::io::Result<()> {
    let mut stream = BufReader::new(stream);
    let mut request = String::new();
    let mut length = 0;
    while !request.ends_with("\r\n\r\n") {
        let begun = request.len();
        if stream.read_line(&mut request)? == 0 {
            return Ok(());
        }
        let line = request[begun..].to_ascii_lowercase();
        if let Some(value) = line.strip_prefix("content-length:") {
            length = value.trim().parse().map_err(std::io::Error::other)?;
        }
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body)?;
    request += &String::from_utf8_lossy(&body);
    let life = {
        let mut script = lock(script);
        script.asked.push(request);
        script.life
    };
    let (status, answer) = match life {
        Some(life) => ("200 OK", token(life)),
        None => ("400 Bad Request", NO_TOKEN.to_owned()),
    };
    let head = format!(
        "HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
        answer.len()
    );
    let stream = stream.get_mut();
    stream.write_all(head.as_bytes())?;
    stream.write_all(answer.as_bytes())?;
    stream.flush()
}

/// The answer of both: the one says when the token ends, the other how long it lasts.
fn token(life: i64) -> String {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let now = i64::try_from(now.expect("after 1970").as_secs()).expect("before long");
    let until = now + life;
    let claims = serde_json::json!({
        "aud": "https://storage.azure.com", "iss": "https://sts.windows.net/tenant/",
        "iat": now - 600, "nbf": now - 600, "exp": until,
    });
    let token = format!(
        "{}.{}.{}",
        mark(),
        encoded(&claims.to_string()),
        encoded("sig")
    );
    serde_json::json!({
        "token_type": "Bearer", "access_token": token, "expires_on": until.to_string(), "expires_in": life.max(0),
    })
    .to_string()
}

fn encoded(text: &str) -> String {
    URL_SAFE_NO_PAD.encode(text)
}
