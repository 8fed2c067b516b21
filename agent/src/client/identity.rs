//! Who this machine, or this desk, is to the server: one file, so that key and certificate change together.

use super::channel::CallError;
use super::original;
use super::tls::{TlsError, certificate};
use crate::address::{NotAServer, ServerUrl};
use crate::durable;
use cfg_catalog::digest::Digest;
use rcgen::KeyPair;
use serde::{Deserialize, Serialize};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};
use x509_parser::prelude::{FromDer as _, GeneralName, X509Certificate};

/// The file below the identity's folder.
const FILE: &str = "identity.toml";

/// A key that no certificate came back for yet: kept, so that asking again is asking the same.
const PENDING: &str = "pending-key.pem";

/// A key with its certificate, and who issued it.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct Identity {
    /// The server that it enrolled with, for agents' and operators' calls.
    pub server: String,
    /// The fleet.
    pub fleet: String,
    /// The node's or the operator's name.
    pub name: String,
    /// A node's role at enrolment; empty for an operator.
    pub role: String,
    /// A node's id in that role; 0 for an operator.
    pub id: u32,
    /// The hash of the token that was spent on it.
    pub token_sha256: Digest,
    /// The machine that enrolled; none of an operator, and where it is not known. See [`super::original`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub machine: Option<Digest>,
    /// The CA's certificate, PEM.
    pub ca: String,
    /// Its certificate, PEM.
    pub certificate: String,
    /// Its key, PEM.
    pub key: String,
}

impl std::fmt::Debug for Identity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Identity({} of {})", self.name, self.fleet)
    }
}

/// Why there is no identity to go by.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// There is none.
    #[error("not enrolled: there is no {}", .0.display())]
    None(PathBuf),
    /// It cannot be read or written.
    #[error("{}", path.display())]
    Disk {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It is not one.
    #[error("{}: {why}", path.display())]
    Bad {
        /// Which file.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
    /// It is another machine's.
    #[error(
        "this machine is a copy of {0}, which has this identity: enrol it as a machine of its own, with a token (`cfg enroll`)"
    )]
    Copied(String),
    /// The certificate in it is none.
    #[error(transparent)]
    Tls(#[from] TlsError),
}

/// Why there is no certificate, or no new one: then the old one stands.
#[derive(Debug, thiserror::Error)]
pub enum CertificateError {
    /// The identity's folder.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// TLS, or a certificate that is none.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The key cannot sign.
    #[error("the certificate request")]
    Request(#[from] rcgen::Error),
    /// The server.
    #[error(transparent)]
    Call(#[from] CallError),
    /// The answer is not what was asked for.
    #[error("the server's certificate is not believed: {0}")]
    Answer(String),
}

/// What a certificate says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stated {
    /// `cfg://FLEET/node/NAME/GENERATION` or `cfg://FLEET/operator/NAME`.
    pub uri: String,
    /// Valid from.
    pub from: SystemTime,
    /// Valid until.
    pub until: SystemTime,
}

impl Identity {
    /// Reads it.
    ///
    /// # Errors
    /// Where there is none, or it is damaged.
    pub fn load(folder: &Path) -> Result<Self, IdentityError> {
        let path = folder.join(FILE);
        let bytes = durable::read(&path)
            .map_err(|source| IdentityError::Disk {
                path: path.clone(),
                source,
            })?
            .ok_or_else(|| IdentityError::None(path.clone()))?;
        // Not toml's own words: they would quote the line, and that line may hold the key.
        std::str::from_utf8(&bytes)
            .ok()
            .and_then(|text| toml::from_str(text).ok())
            .ok_or(IdentityError::Bad {
                path,
                why: "it is damaged; enrol again".into(),
            })
    }

    /// Whether it was copied here from another machine.
    pub fn is_copied(&self) -> bool {
        original::is_copy(self.machine, original::this())
    }

    /// Whether there is one, as far as this caller may see.
    pub fn exists(folder: &Path) -> bool {
        match folder.join(FILE).try_exists() {
            Ok(there) => there,
            // Nothing lies in what is no folder.
            Err(error) => error.kind() != std::io::ErrorKind::NotADirectory,
        }
    }

    /// Writes it in the place of the old one, and forgets the pending key.
    ///
    /// # Errors
    /// Of the file system.
    pub fn store(&self, folder: &Path) -> Result<(), IdentityError> {
        let path = folder.join(FILE);
        let text = toml::to_string(self).map_err(|error| IdentityError::Bad {
            path: path.clone(),
            why: error.to_string(),
        })?;
        durable::private_folder(folder)
            .and_then(|_made| durable::write(&path, text.as_bytes()))
            .and_then(|()| durable::remove(&folder.join(PENDING)))
            .map_err(|source| IdentityError::Disk { path, source })
    }

    /// The server it enrolled with.
    ///
    /// # Errors
    /// Where the file was edited into nonsense.
    pub fn server(&self) -> Result<ServerUrl, NotAServer> {
        self.server.parse()
    }

    /// What its certificate says.
    ///
    /// # Errors
    /// Where it is no certificate.
    pub fn stated(&self) -> Result<Stated, TlsError> {
        stated(&self.certificate)
    }
}

/// The key for the next certificate: the pending one, or a new one, on disk before anybody is asked.
///
/// # Errors
/// Of the file system, or where the pending key is damaged.
pub fn pending_key(folder: &Path) -> Result<KeyPair, IdentityError> {
    let path = folder.join(PENDING);
    let failed = |source| IdentityError::Disk {
        path: path.clone(),
        source,
    };
    let bad = |error: rcgen::Error| IdentityError::Bad {
        path: path.clone(),
        why: error.to_string(),
    };
    if let Some(pem) = durable::read(&path).map_err(failed)? {
        return KeyPair::from_pem(&String::from_utf8_lossy(&pem)).map_err(bad);
    }
    let key = KeyPair::generate().map_err(bad)?;
    durable::private_folder(folder)
        .and_then(|_made| durable::write(&path, key.serialize_pem().as_bytes()))
        .map_err(failed)?;
    Ok(key)
}

/// A request for a certificate with this key, DER. It carries a name for people and nothing else.
///
/// # Errors
/// Where rcgen cannot sign.
pub fn request(key: &KeyPair, name: &str) -> Result<Vec<u8>, rcgen::Error> {
    let mut params = rcgen::CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params
        .distinguished_name
        .push(rcgen::DnType::CommonName, name);
    Ok(params.serialize_request(key)?.der().to_vec())
}

/// What a certificate, PEM, says of itself.
///
/// # Errors
/// Where it is none.
pub fn stated(pem: &str) -> Result<Stated, TlsError> {
    let bad = |why: String| TlsError::Pem {
        what: "certificate",
        why,
    };
    let der = certificate("certificate", pem)?;
    let (_, parsed) = X509Certificate::from_der(&der).map_err(|error| bad(error.to_string()))?;
    let names = parsed
        .subject_alternative_name()
        .map_err(|error| bad(error.to_string()))?;
    let uri = names
        .iter()
        .flat_map(|names| &names.value.general_names)
        .find_map(|name| match name {
            GeneralName::URI(uri) => Some(uri.to_string()),
            _ => None,
        })
        .ok_or_else(|| bad("it names nobody".into()))?;
    let at = |seconds: i64| {
        let seconds = u64::try_from(seconds).unwrap_or_default();
        SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
    };
    Ok(Stated {
        uri,
        from: at(parsed.validity().not_before.timestamp()),
        until: at(parsed.validity().not_after.timestamp()),
    })
}

/// Whether this certificate, PEM, is for this key.
///
/// # Errors
/// Where it is none.
pub fn is_for(pem: &str, key: &KeyPair) -> Result<bool, TlsError> {
    let der = certificate("certificate", pem)?;
    let (_, parsed) = X509Certificate::from_der(&der).map_err(|error| TlsError::Pem {
        what: "certificate",
        why: error.to_string(),
    })?;
    Ok(*parsed.public_key().subject_public_key.data == *rcgen::PublicKeyData::der_bytes(key))
}

impl Stated {
    /// When a new certificate is to be asked for: two thirds into the life of this one.
    pub fn renew_at(&self) -> SystemTime {
        let life = self.until.duration_since(self.from).unwrap_or_default();
        self.from + life * 2 / 3
    }
}
