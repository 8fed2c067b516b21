//! The fleet's own certificate authority: one key on the server's disk.

use super::PkiError;
use super::request::PublicKey;
use crate::state::identity::Identity;
use crate::{clock, folder};
use cfg_catalog::digest::Digest;
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair, KeyUsagePurpose, SanType, SerialNumber,
};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use std::fs::{DirBuilder, File, OpenOptions, Permissions};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// A clock that is a little behind must still accept a new certificate.
const SKEW_S: u64 = 600;
const DAY_S: u64 = 24 * 3600;
/// How long a CA lasts. Nothing that it signs lasts longer.
pub const LIFE: Duration = Duration::from_secs(20 * 365 * DAY_S);
const FOLDER: &str = "pki";
const KEY: &str = "ca.key";
const CERTIFICATE: &str = "ca.pem";
/// Is there where a fleet was founded under it.
const FOUNDED: &str = "founded";

/// The CA.
pub struct Ca {
    issuer: Issuer<'static, KeyPair>,
    der: CertificateDer<'static>,
    pem: String,
    expires: u64,
}

/// A certificate with its key, for the server's own ports.
pub struct Own {
    /// Certificate, then CA.
    pub chain: Vec<CertificateDer<'static>>,
    /// Its key, only ever in memory.
    pub key: PrivateKeyDer<'static>,
}

impl Ca {
    /// Whether there is one in this data folder.
    pub fn exists(data: &Path) -> bool {
        data.join(FOLDER).join(CERTIFICATE).exists()
    }

    /// Where it lies in this data folder.
    pub fn folder(data: &Path) -> PathBuf {
        data.join(FOLDER)
    }

    /// Notes that there is a fleet under it.
    ///
    /// # Errors
    /// Where that cannot be written.
    pub fn founded(data: &Path) -> Result<(), PkiError> {
        let (folder, path) = (data.join(FOLDER), data.join(FOLDER).join(FOUNDED));
        let written = || {
            File::create(&path)?.sync_all()?;
            File::open(&folder)?.sync_all()
        };
        written().map_err(|source| PkiError::File {
            path: path.display().to_string(),
            source,
        })
    }

    /// Whether there is, or was, a fleet under it: an attempt to found one that was cut short is none.
    pub fn is_founded(data: &Path) -> bool {
        data.join(FOLDER).join(FOUNDED).exists()
    }

    /// Makes one for a fleet, with this life, and stores it: whole, or not at all.
    ///
    /// # Errors
    /// Where it cannot be stored, or there is one already.
    pub fn create(data: &Path, fleet: &str, life: Duration) -> Result<Self, PkiError> {
        let key = KeyPair::generate()?;
        let mut params = CertificateParams::default();
        params.distinguished_name = common_name(&format!("cfg fleet {fleet}"));
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        validity(&mut params, life, u64::MAX);
        params.serial_number = Some(serial()?);
        let certificate = params.self_signed(&key)?;
        store(data, &key.serialize_pem(), &certificate.pem())?;
        Self::load(data)
    }

    /// Reads the one in this data folder.
    ///
    /// # Errors
    /// Where there is none, or it is damaged.
    pub fn load(data: &Path) -> Result<Self, PkiError> {
        let folder = data.join(FOLDER);
        let (key_path, path) = (folder.join(KEY), folder.join(CERTIFICATE));
        let content = |path: &Path, what| PkiError::Content {
            path: path.display().to_string(),
            what,
        };
        let pem = read(&path)?;
        let der = CertificateDer::from_pem_slice(pem.as_bytes())
            .map_err(|_| content(&path, "certificate"))?;
        let key =
            KeyPair::from_pem(&read(&key_path)?).map_err(|_| content(&key_path, "private key"))?;
        let (_, parsed) =
            x509_parser::parse_x509_certificate(&der).map_err(|_| content(&path, "certificate"))?;
        let own = &parsed.public_key().subject_public_key.data;
        if own.as_ref() != rcgen::PublicKeyData::der_bytes(&key) {
            return Err(PkiError::Pair(folder.display().to_string()));
        }
        let expires = u64::try_from(parsed.validity().not_after.timestamp()).unwrap_or(0);
        let issuer = Issuer::from_ca_cert_der(&der, key)?;
        Ok(Self {
            issuer,
            der,
            pem,
            expires,
        })
    }

    /// Until when it lasts, seconds since 1970.
    pub fn expires(&self) -> u64 {
        self.expires
    }

    /// SHA-256 of its certificate's DER: what agents are told to trust.
    pub fn digest(&self) -> Digest {
        Digest::of(&self.der)
    }

    /// Its certificate.
    pub fn certificate(&self) -> &CertificateDer<'static> {
        &self.der
    }

    /// Its certificate, PEM.
    pub fn pem(&self) -> &str {
        &self.pem
    }

    /// A certificate for a machine or an operator. Every word in it is the server's, only the key is theirs.
    ///
    /// # Errors
    /// Where signing fails.
    pub fn sign(
        &self,
        key: &PublicKey,
        identity: &Identity,
        name: &str,
        life: Duration,
    ) -> Result<String, PkiError> {
        let mut params = self.leaf(life)?;
        // 64 characters is what X.509 has room for; the URI is what counts.
        params.distinguished_name = common_name(&name.chars().take(64).collect::<String>());
        let uri = identity.to_string().try_into()?;
        params.subject_alt_names = vec![SanType::URI(uri)];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        Ok(params.signed_by(key, &self.issuer)?.pem())
    }

    /// A certificate for the server's own ports, with a new key.
    ///
    /// # Errors
    /// Where a name is none, or signing fails.
    pub fn own(&self, names: &[String], life: Duration) -> Result<Own, PkiError> {
        let key = KeyPair::generate()?;
        let mut params = self.leaf(life)?;
        params.distinguished_name = common_name("cfg-server");
        params.subject_alt_names = names
            .iter()
            .map(|name| san(name))
            .collect::<Result<_, _>>()?;
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        let certificate = params.signed_by(&key, &self.issuer)?;
        let pkcs8 = PrivatePkcs8KeyDer::from(key.serialize_der());
        Ok(Own {
            chain: vec![certificate.der().clone(), self.der.clone()],
            key: pkcs8.into(),
        })
    }

    fn leaf(&self, life: Duration) -> Result<CertificateParams, PkiError> {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::ExplicitNoCa;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.use_authority_key_identifier_extension = true;
        params.serial_number = Some(serial()?);
        validity(&mut params, life, self.expires);
        Ok(params)
    }
}

fn san(name: &str) -> Result<SanType, PkiError> {
    match name.parse() {
        Ok(address) => Ok(SanType::IpAddress(address)),
        Err(_) => Ok(SanType::DnsName(name.try_into()?)),
    }
}

fn common_name(name: &str) -> DistinguishedName {
    let mut dn = DistinguishedName::new();
    dn.push(DnType::CommonName, name);
    dn
}

fn validity(params: &mut CertificateParams, life: Duration, latest: u64) {
    let now = clock::now();
    let epoch = rcgen::date_time_ymd(1970, 1, 1);
    params.not_before = epoch + Duration::from_secs(now.saturating_sub(SKEW_S));
    params.not_after = epoch + Duration::from_secs((now + life.as_secs()).min(latest));
}

/// 128 random bits, positive.
fn serial() -> Result<SerialNumber, PkiError> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(|_| PkiError::Sign(rcgen::Error::RingUnspecified))?;
    bytes[0] &= 0x7f;
    Ok(SerialNumber::from_slice(&bytes))
}

fn read(path: &Path) -> Result<String, PkiError> {
    std::fs::read_to_string(path).map_err(|source| PkiError::File {
        path: path.display().to_string(),
        source,
    })
}

/// A folder written aside and renamed, so that a crash leaves all of the CA or none of it.
fn store(data: &Path, key: &str, certificate: &str) -> Result<(), PkiError> {
    let written = || -> std::io::Result<()> {
        folder::make(data)?;
        std::fs::set_permissions(data, Permissions::from_mode(0o700))?;
        let aside = data.join(".pki.new");
        if aside.exists() {
            std::fs::remove_dir_all(&aside)?;
        }
        DirBuilder::new().mode(0o700).create(&aside)?;
        for (name, text) in [(KEY, key), (CERTIFICATE, certificate)] {
            let mut file = OpenOptions::new()
                .write(true)
                .create_new(true)
                .mode(0o600)
                .open(aside.join(name))?;
            file.write_all(text.as_bytes())?;
            file.sync_all()?;
        }
        File::open(&aside)?.sync_all()?;
        // Fails where the folder is there with anything in it: a CA is never written over.
        std::fs::rename(&aside, data.join(FOLDER))?;
        File::open(data)?.sync_all()
    };
    written().map_err(|source| PkiError::File {
        path: data.join(FOLDER).display().to_string(),
        source,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn made_once() {
        let data = tempfile::tempdir().unwrap();
        assert!(!Ca::exists(data.path()));
        let ca = Ca::create(data.path(), "f", LIFE).unwrap();
        assert!(Ca::exists(data.path()));
        assert_eq!(Ca::load(data.path()).unwrap().digest(), ca.digest());
        assert!(Ca::create(data.path(), "f", LIFE).is_err());
        assert_eq!(Ca::load(data.path()).unwrap().digest(), ca.digest());
    }

    #[test]
    fn only_its_owner_reads_it() {
        let data = tempfile::tempdir().unwrap();
        Ca::create(data.path(), "f", LIFE).unwrap();
        for (path, wanted) in [("", 0o700), ("pki", 0o700), ("pki/ca.key", 0o600)] {
            let mode = data
                .path()
                .join(path)
                .metadata()
                .unwrap()
                .permissions()
                .mode();
            assert_eq!(mode & 0o777, wanted, "{path}");
        }
    }

    #[test]
    fn a_foreign_key_is_seen() {
        let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        Ca::create(one.path(), "f", LIFE).unwrap();
        Ca::create(other.path(), "f", LIFE).unwrap();
        std::fs::copy(
            other.path().join("pki/ca.key"),
            one.path().join("pki/ca.key"),
        )
        .unwrap();
        assert!(matches!(Ca::load(one.path()), Err(PkiError::Pair(_))));
    }

    #[test]
    fn nothing_outlives_it() {
        let data = tempfile::tempdir().unwrap();
        let ca = Ca::create(data.path(), "f", Duration::from_secs(60)).unwrap();
        let own = ca.own(&["localhost".into()], LIFE).unwrap();
        let (_, parsed) = x509_parser::parse_x509_certificate(&own.chain[0]).unwrap();
        let until = u64::try_from(parsed.validity().not_after.timestamp()).unwrap();
        assert_eq!(until, ca.expires());
        assert!(until <= clock::now() + 60);
    }
}
