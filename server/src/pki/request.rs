//! Certificate signing requests. Nothing of one is believed but its public key.

use crate::refusal::Refusal;
use cfg_catalog::digest::Digest;
use rcgen::{PKCS_ECDSA_P256_SHA256, PKCS_ECDSA_P384_SHA384, PKCS_ED25519, SignatureAlgorithm};
use x509_parser::certification_request::X509CertificationRequest;
use x509_parser::oid_registry::{
    OID_EC_P256, OID_KEY_TYPE_EC_PUBLIC_KEY, OID_NIST_EC_P384, OID_SIG_ED25519,
};
use x509_parser::prelude::FromDer;
use x509_parser::x509::SubjectPublicKeyInfo;

/// More than any request with one name and a short key has.
const LONGEST: usize = 4096;

/// A public key whose holder has shown to have the private one.
#[derive(Debug)]
pub struct PublicKey {
    raw: Vec<u8>,
    algorithm: &'static SignatureAlgorithm,
    digest: Digest,
}

impl PublicKey {
    /// SHA-256 of the key with its algorithm, DER.
    pub fn digest(&self) -> Digest {
        self.digest
    }
}

impl rcgen::PublicKeyData for PublicKey {
    fn der_bytes(&self) -> &[u8] {
        &self.raw
    }

    fn algorithm(&self) -> &'static SignatureAlgorithm {
        self.algorithm
    }
}

/// The key of a request that its own key signed, and that names nobody but `name`.
///
/// # Errors
/// Where it is anything else.
pub fn check(der: &[u8], name: &str) -> Result<PublicKey, Refusal> {
    let bad = |why: &str| Refusal::Request(why.to_owned());
    if der.len() > LONGEST {
        return Err(bad("it is too long"));
    }
    let Ok(([], request)) = X509CertificationRequest::from_der(der) else {
        return Err(bad("it is not PKCS#10 in DER"));
    };
    let info = &request.certification_request_info;
    // Before the signature is verified: an odd key is not even computed with.
    let algorithm = algorithm(&info.subject_pki)
        .ok_or_else(|| bad("its key is neither ECDSA P-256, P-384 nor Ed25519"))?;
    request
        .verify_signature()
        .map_err(|_| bad("its signature is not by its own key"))?;
    names_only(&request, name)?;
    Ok(PublicKey {
        raw: info.subject_pki.subject_public_key.data.to_vec(),
        algorithm,
        digest: Digest::of(info.subject_pki.raw),
    })
}

/// That it asks for no other name. The name in it is not used, but a request that carries another is an
/// attack or a mistake, and either wants to be seen.
fn names_only(request: &X509CertificationRequest, name: &str) -> Result<(), Refusal> {
    let other =
        |what: &str| Refusal::Request(format!("it names {what:?}, the request is for {name}"));
    for attribute in request.certification_request_info.subject.iter_attributes() {
        match attribute.as_str() {
            Ok(text) if text == name => {}
            Ok(text) => return Err(other(&text.chars().take(64).collect::<String>())),
            Err(_) => return Err(other("?")),
        }
    }
    let asks = request
        .requested_extensions()
        .is_some_and(|mut extensions| extensions.next().is_some());
    if asks {
        let why =
            "it asks for extensions, such as other names; only its subject may name the machine";
        return Err(Refusal::Request(why.to_owned()));
    }
    Ok(())
}

fn algorithm(key: &SubjectPublicKeyInfo) -> Option<&'static SignatureAlgorithm> {
    let kind = &key.algorithm.algorithm;
    let bytes = key.subject_public_key.data.as_ref();
    if *kind == OID_SIG_ED25519 && bytes.len() == 32 {
        return Some(&PKCS_ED25519);
    }
    if *kind != OID_KEY_TYPE_EC_PUBLIC_KEY || bytes.first() != Some(&4) {
        return None;
    }
    let curve = key.algorithm.parameters.as_ref()?.as_oid().ok()?;
    match bytes.len() {
        65 if curve == OID_EC_P256 => Some(&PKCS_ECDSA_P256_SHA256),
        97 if curve == OID_NIST_EC_P384 => Some(&PKCS_ECDSA_P384_SHA384),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair};

    fn request(name: Option<&str>, sans: &[&str], key: &KeyPair) -> Vec<u8> {
        let sans: Vec<String> = sans.iter().map(|san| (*san).to_owned()).collect();
        let mut params = CertificateParams::new(sans).unwrap();
        params.distinguished_name = DistinguishedName::new();
        if let Some(name) = name {
            params.distinguished_name.push(DnType::CommonName, name);
        }
        params.serialize_request(key).unwrap().der().to_vec()
    }

    #[test]
    fn good_ones() {
        for algorithm in [
            &PKCS_ECDSA_P256_SHA256,
            &PKCS_ECDSA_P384_SHA384,
            &PKCS_ED25519,
        ] {
            let key = KeyPair::generate_for(algorithm).unwrap();
            for name in [None, Some("vm-1")] {
                let checked = check(&request(name, &[], &key), "vm-1").unwrap();
                assert_eq!(checked.raw, rcgen::PublicKeyData::der_bytes(&key));
                assert_eq!(checked.algorithm, algorithm);
            }
        }
    }

    #[test]
    fn refused() {
        let key = KeyPair::generate().unwrap();
        let good = request(Some("vm-1"), &[], &key);
        let mut forged = good.clone();
        let last = forged.len() - 1;
        forged[last] ^= 1;
        let mut longer = good.clone();
        longer.push(0);
        let rsa = KeyPair::generate_for(&rcgen::PKCS_RSA_SHA256).unwrap();
        for (der, words) in [
            (request(Some("vm-2"), &[], &key), "it names \"vm-2\""),
            (request(Some("vm-1"), &["vm-2"], &key), "extensions"),
            (request(None, &["vm-1"], &key), "extensions"),
            (forged, "not by its own key"),
            (longer, "not PKCS#10"),
            (Vec::new(), "not PKCS#10"),
            (vec![0x30; 5000], "too long"),
            (request(Some("vm-1"), &[], &rsa), "neither ECDSA"),
        ] {
            let error = check(&der, "vm-1").unwrap_err().to_string();
            assert!(error.contains(words), "{words}: {error}");
        }
    }

    #[test]
    fn another_key_under_a_good_signature() {
        // The key of one request put into another of the same length: the signature is then another's.
        let (one, other) = (KeyPair::generate().unwrap(), KeyPair::generate().unwrap());
        let mut der = request(Some("vm-1"), &[], &one);
        let raw = rcgen::PublicKeyData::der_bytes(&one);
        let at = der.windows(raw.len()).position(|window| window == raw);
        let stolen = rcgen::PublicKeyData::der_bytes(&other);
        der[at.unwrap()..][..raw.len()].copy_from_slice(stolen);
        let error = check(&der, "vm-1").unwrap_err().to_string();
        assert!(error.contains("not by its own key"), "{error}");
    }
}
