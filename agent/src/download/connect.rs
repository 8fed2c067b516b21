//! A connection to a server, over a proxy where one is named, and TLS by the authorities that this machine trusts.

use super::DownloadError;
use super::timely::Timely;
use super::url::Url;
use crate::address;
use crate::proxy;
use crate::untimely;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use std::io::{Read, Result, Write};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

/// More than any proxy's answer has.
const MOST_ANSWER: usize = 16 * 1024;

/// Where Debian keeps the certificates of the authorities that a machine trusts.
const AUTHORITIES: &str = "/etc/ssl/certs/ca-certificates.crt";

/// What can be read and written.
pub trait Duplex: Read + Write {}
impl<T: Read + Write> Duplex for T {}

/// A connection, over TLS or not.
pub type Stream = Box<dyn Duplex>;

/// A connection on which a request can be written.
pub struct Connection {
    /// Itself.
    pub stream: Stream,
    /// The request names the whole URL: a proxy reads it.
    pub absolute: bool,
}

/// Connects to the server of a URL, until then.
pub fn to(url: &Url, deadline: Instant) -> std::result::Result<Connection, DownloadError> {
    let proxy = proxy::of(url.https, &url.host).map_err(|why| DownloadError::Away {
        peer: "the proxy".into(),
        why,
    })?;
    let (host, port) = match &proxy {
        Some(proxy) => (proxy.host.as_str(), proxy.port),
        None => (url.host.as_str(), url.port),
    };
    let away = |why: String| DownloadError::Away {
        peer: match &proxy {
            Some(_) => format!("the proxy {host}:{port}"),
            None => format!("{host}:{port}"),
        },
        why,
    };
    let mut stream = dial(host, port, deadline).map_err(&away)?;
    if !url.https {
        return Ok(Connection {
            stream: Box::new(stream),
            absolute: proxy.is_some(),
        });
    }
    if proxy.is_some() {
        tunnel(&mut stream, url).map_err(|error| away(error.to_string()))?;
    }
    let secured = secure(stream, &url.host).map_err(|why| DownloadError::Away {
        peer: url.authority(),
        why,
    })?;
    Ok(Connection {
        stream: Box::new(secured),
        absolute: false,
    })
}

fn dial(host: &str, port: u16, deadline: Instant) -> std::result::Result<Timely, String> {
    let addresses = address::look_up(host, port).map_err(|error| error.to_string())?;
    let mut last = String::new();
    for address in addresses {
        match Timely::connect(&address, deadline) {
            Ok(stream) => return Ok(stream),
            Err(error) => last = format!("{address}: {error}"),
        }
    }
    Err(last)
}

/// Has a proxy connect to the server.
fn tunnel(stream: &mut Timely, url: &Url) -> Result<()> {
    let target = match url.host.contains(':') {
        true => format!("[{}]:{}", url.host, url.port),
        false => format!("{}:{}", url.host, url.port),
    };
    let request = format!("CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n\r\n");
    stream.write_all(request.as_bytes())?;
    // Not a byte more: what comes after is the server's.
    let mut answer = Vec::new();
    while !answer.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte)?;
        answer.push(byte[0]);
        if answer.len() > MOST_ANSWER {
            return Err(std::io::Error::other("its answer is too long"));
        }
    }
    let answer = String::from_utf8_lossy(&answer);
    let status = answer.lines().next().unwrap_or_default();
    match status.split(' ').nth(1) {
        Some("200") => Ok(()),
        _ => Err(std::io::Error::other(format!("it said \"{status}\""))),
    }
}

fn secure(
    stream: Timely,
    host: &str,
) -> std::result::Result<StreamOwned<ClientConnection, Timely>, String> {
    let name = ServerName::try_from(host.to_owned()).map_err(|error| error.to_string())?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?
        .with_root_certificates(authorities()?)
        .with_no_client_auth();
    let connection =
        ClientConnection::new(Arc::new(config), name).map_err(|error| error.to_string())?;
    let mut stream = StreamOwned::new(connection, stream);
    // Here, and not at the first read, so that what is wrong with a certificate is told as that.
    while stream.conn.is_handshaking() {
        let shaken = stream.conn.complete_io(&mut stream.sock);
        shaken.map_err(|error| untimely::told(&error).unwrap_or_else(|| error.to_string()))?;
    }
    Ok(stream)
}

/// The authorities that this machine trusts; as with OpenSSL, `SSL_CERT_FILE` names others.
fn authorities() -> std::result::Result<RootCertStore, String> {
    let file = std::env::var_os("SSL_CERT_FILE").filter(|file| !file.is_empty());
    let file = file.map_or_else(|| AUTHORITIES.into(), PathBuf::from);
    let bad = |why: String| {
        format!(
            "the authorities in {} cannot be read ({why}); the package ca-certificates brings them",
            file.display()
        )
    };
    let certificates =
        CertificateDer::pem_file_iter(&file).map_err(|error| bad(error.to_string()))?;
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(certificates.filter_map(std::result::Result::ok));
    match roots.is_empty() {
        true => Err(bad("there is none in it".into())),
        false => Ok(roots),
    }
}
