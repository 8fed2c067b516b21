//! A new certificate, with a new key, when two thirds of the old one's life are over.

use super::channel::CallError;
use super::identity::{self, Identity, IdentityError};
use super::server::Server;
use super::tls::TlsError;
use std::path::Path;
use std::time::SystemTime;

/// Why there is no new certificate. The old one stands.
#[derive(Debug, thiserror::Error)]
pub enum RenewError {
    /// The identity's folder.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// A certificate that is none.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The key could not sign.
    #[error("the certificate request")]
    Request(#[from] rcgen::Error),
    /// The server.
    #[error(transparent)]
    Call(#[from] CallError),
    /// The answer is not what was asked for.
    #[error("the server's new certificate is not believed: {0}")]
    Answer(&'static str),
}

/// Whether it is time.
///
/// # Errors
/// Where the identity's certificate is none.
pub fn is_due(identity: &Identity, now: SystemTime) -> Result<bool, TlsError> {
    Ok(now >= identity.stated()?.renew_at())
}

/// Asks for a new certificate and keeps it with its key. A renewal that is cut short is repeated with the same key.
///
/// # Errors
/// Where the server does not give one, or not the right one.
pub async fn renew(
    folder: &Path,
    identity: &Identity,
    server: &Server,
) -> Result<Identity, RenewError> {
    let key = identity::pending_key(folder)?;
    let csr = identity::request(&key, &identity.name)?;
    let answer = server.renew(csr).await?;
    if !identity::is_for(&answer.certificate, &key)? {
        return Err(RenewError::Answer("it is for another key"));
    }
    let (old, new) = (identity.stated()?, identity::stated(&answer.certificate)?);
    if person(&new.uri) != person(&old.uri) {
        return Err(RenewError::Answer("it names somebody else"));
    }
    let renewed = Identity {
        certificate: answer.certificate,
        key: key.serialize_pem(),
        ..identity.clone()
    };
    renewed.store(folder)?;
    Ok(renewed)
}

/// `cfg://FLEET/node/NAME`, without the generation.
fn person(uri: &str) -> &str {
    match uri.match_indices('/').nth(4) {
        Some((end, _)) => &uri[..end],
        None => uri,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_generation_is_no_part_of_the_name() {
        assert_eq!(person("cfg://f/node/vm-1/2"), "cfg://f/node/vm-1");
        assert_eq!(person("cfg://f/node/vm-1"), "cfg://f/node/vm-1");
        assert_ne!(
            person("cfg://f/node/vm-1/2"),
            person("cfg://f/node/vm-10/2")
        );
    }
}
