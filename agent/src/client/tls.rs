//! TLS as the agent speaks it: 1.3 alone, and no authority but the fleet's own.

use super::identity::Identity;
use cfg_catalog::digest::Digest;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, OtherError, RootCertStore,
    SignatureScheme,
};
use std::io;
use std::sync::Arc;

/// Why no TLS could be set up.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A certificate or a key is not PEM.
    #[error("the {what} of the identity is not PEM: {why}")]
    Pem {
        /// Which.
        what: &'static str,
        /// Why.
        why: String,
    },
    /// rustls does not take it.
    #[error("TLS")]
    Rustls(#[from] rustls::Error),
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::aws_lc_rs::default_provider())
}

/// For enrolment, when only the hash of the CA's certificate is known.
///
/// # Errors
/// Where rustls has no TLS 1.3, which it has.
pub fn pinned(ca: Digest) -> Result<ClientConfig, TlsError> {
    let provider = provider();
    let mut config = ClientConfig::builder_with_provider(provider.clone())
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Pinned { ca, provider }))
        .with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec()];
    Ok(config)
}

/// For all else: the CA of the identity, and its certificate shown.
///
/// # Errors
/// Where the identity's certificates or key are unusable.
pub fn mutual(identity: &Identity) -> Result<ClientConfig, TlsError> {
    let mut roots = RootCertStore::empty();
    roots.add(certificate("CA certificate", &identity.ca)?)?;
    let chain = vec![certificate("certificate", &identity.certificate)?];
    let key =
        PrivateKeyDer::from_pem_slice(identity.key.as_bytes()).map_err(|error| TlsError::Pem {
            what: "key",
            why: error.to_string(),
        })?;
    let mut config = ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .with_root_certificates(roots)
        .with_client_auth_cert(chain, key)?;
    config.alpn_protocols = vec![b"h2".to_vec()];
    Ok(config)
}

/// The first certificate of a PEM text, as DER.
///
/// # Errors
/// Where there is none.
pub fn certificate(what: &'static str, pem: &str) -> Result<CertificateDer<'static>, TlsError> {
    CertificateDer::from_pem_slice(pem.as_bytes()).map_err(|error| TlsError::Pem {
        what,
        why: error.to_string(),
    })
}

/// Trusts whatever the CA of this hash has issued for the name that was called; the server sends that CA in its chain.
#[derive(Debug)]
struct Pinned {
    ca: Digest,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Pinned {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let ca = std::iter::once(end_entity)
            .chain(intermediates)
            .find(|shown| Digest::of(shown) == self.ca)
            .ok_or_else(|| {
                let why = io::Error::other(format!(
                    "its certificate authority is not the one whose SHA-256 is {}; compare --server and --ca-sha256 \
                     with what `cfg-server init` or `cfg-server operator-token` prints there",
                    self.ca
                ));
                CertificateError::Other(OtherError(Arc::new(why)))
            })?;
        let mut roots = RootCertStore::empty();
        roots.add(ca.clone().into_owned())?;
        WebPkiServerVerifier::builder_with_provider(Arc::new(roots), self.provider.clone())
            .build()
            .map_err(|error| rustls::Error::General(error.to_string()))?
            .verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _certificate: &CertificateDer<'_>,
        _signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Err(rustls::Error::General("TLS 1.2 is not spoken".into()))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls13_signature(
            message,
            certificate,
            signature,
            &self.provider.signature_verification_algorithms,
        )
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider
            .signature_verification_algorithms
            .supported_schemes()
    }
}
