//! Keys and certificates: the fleet's CA, what it signs, and what it reads in a peer's certificate.

pub mod ca;
pub mod peer;
pub mod request;

/// What goes wrong with keys and certificates.
#[derive(Debug, thiserror::Error)]
pub enum PkiError {
    /// A file of the CA cannot be read or written.
    #[error("{path}")]
    File {
        /// Which.
        path: String,
        /// Why.
        source: std::io::Error,
    },
    /// A file of the CA is not what it should be.
    #[error("{path} is not a {what}")]
    Content {
        /// Which.
        path: String,
        /// What it should hold.
        what: &'static str,
    },
    /// The key is not that of the certificate.
    #[error("{0}: key and certificate do not belong together")]
    Pair(String),
    /// A certificate cannot be made.
    #[error("a certificate cannot be made")]
    Sign(#[from] rcgen::Error),
    /// A TLS configuration cannot be made.
    #[error("TLS cannot be set up")]
    Tls(#[from] rustls::Error),
}
