//! A client of a test: TLS 1.3 as agents speak it, with whatever credentials the test gives it.

use hyper_util::rt::TokioIo;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tonic::transport::{Channel, Endpoint};

/// A certificate with its key, PEM.
#[derive(Clone)]
pub struct Identity {
    pub certificate: String,
    pub key: String,
}

/// How this client speaks TLS.
pub fn tls(ca: &str, identity: Option<&Identity>) -> ClientConfig {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut roots = RootCertStore::empty();
    let der = CertificateDer::from_pem_slice(ca.as_bytes()).expect("the CA is PEM");
    roots.add(der).expect("the CA is a certificate");
    let builder = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .expect("TLS 1.3")
        .with_root_certificates(roots);
    let mut config = match identity {
        None => builder.with_no_client_auth(),
        Some(identity) => {
            let certificate = CertificateDer::from_pem_slice(identity.certificate.as_bytes());
            let key = PrivateKeyDer::from_pem_slice(identity.key.as_bytes());
            builder
                .with_client_auth_cert(
                    vec![certificate.expect("the certificate is PEM")],
                    key.expect("the key is PEM"),
                )
                .expect("they belong together")
        }
    };
    config.alpn_protocols = vec![b"h2".to_vec()];
    config
}

/// A channel that dials at the first call.
pub fn open(address: SocketAddr, tls: ClientConfig) -> Channel {
    let connector = TlsConnector::from(Arc::new(tls));
    let dial = tower::service_fn(move |_: tonic::transport::Uri| {
        let connector = connector.clone();
        async move {
            let stream = TcpStream::connect(address).await?;
            stream.set_nodelay(true)?;
            let name = ServerName::from(address.ip());
            let stream = connector.connect(name, stream).await?;
            std::io::Result::Ok(TokioIo::new(stream))
        }
    });
    Endpoint::from_static("https://server").connect_with_connector_lazy(dial)
}
