//! Who is at the other end of a connection, from the certificate that TLS has verified.

use crate::clock;
use crate::refusal::Refusal;
use crate::state::identity::{Identity, Nobody};
use cfg_catalog::digest::Digest;
use std::time::Duration;
use x509_parser::extensions::GeneralName;

/// A verified peer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peer {
    /// Who the certificate says it is.
    pub identity: Identity,
    /// SHA-256 of its public key with the algorithm, DER.
    pub key: Digest,
    /// Until when the certificate lasts, seconds since 1970.
    pub expires: u64,
}

impl Peer {
    /// From a certificate whose chain and signature TLS has verified.
    ///
    /// # Errors
    /// Where it names nobody of a fleet.
    pub fn of(certificate: &[u8]) -> Result<Self, Nobody> {
        let (_, parsed) = x509_parser::parse_x509_certificate(certificate).map_err(|_| Nobody)?;
        let sans = parsed
            .subject_alternative_name()
            .map_err(|_| Nobody)?
            .ok_or(Nobody)?;
        let [GeneralName::URI(uri)] = sans.value.general_names[..] else {
            return Err(Nobody);
        };
        Ok(Self {
            identity: uri.parse()?,
            key: Digest::of(parsed.public_key().raw),
            expires: u64::try_from(parsed.validity().not_after.timestamp()).unwrap_or(0),
        })
    }

    /// That the certificate still lasts, and how long: TLS asks only once, a stream may stay for weeks.
    ///
    /// # Errors
    /// Where it has run out.
    pub fn lasts(&self) -> Result<Duration, Refusal> {
        match self.expires.checked_sub(clock::now()) {
            None | Some(0) => Err(Refusal::Expired(self.identity.who.to_string())),
            Some(seconds) => Ok(Duration::from_secs(seconds)),
        }
    }
}
