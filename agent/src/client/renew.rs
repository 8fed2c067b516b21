//! A new certificate when two thirds of the old one's life are over: a machine's with a new key, an operator's with the
//! key of the desk.

use super::identity::{self, CertificateError, Identity};
use super::server::Server;
use super::tls::TlsError;
use cfg_wire::Certificate;
use rcgen::KeyPair;
use std::path::Path;
use std::time::SystemTime;

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
) -> Result<Identity, CertificateError> {
    let key = identity::pending_key(folder)?;
    let csr = identity::request(&key, &identity.name)?;
    let answer = server.renew(csr).await?;
    keep(folder, identity, &key, answer)
}

/// Keeps the answer to a renewal with its key, in the place of the old certificate.
///
/// # Errors
/// Where it is not what was asked for, or cannot be written.
pub fn keep(
    folder: &Path,
    identity: &Identity,
    key: &KeyPair,
    answer: Certificate,
) -> Result<Identity, CertificateError> {
    let no = |why: &str| Err(CertificateError::Answer(why.into()));
    if !identity::is_for(&answer.certificate, key)? {
        return no("it is for another key");
    }
    let (old, new) = (identity.stated()?, identity::stated(&answer.certificate)?);
    if person(&new.uri) != person(&old.uri) {
        return no("it names somebody else");
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
