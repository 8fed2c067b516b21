//! What a machine hands in at the door.

use cfg_catalog::facts::{Facts, Os};
use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair};
use std::collections::BTreeMap;

/// A signing request with this name as its subject.
pub fn csr(name: &str, key: &KeyPair) -> Vec<u8> {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    let request = params.serialize_request(key).expect("a request");
    request.der().to_vec()
}

/// Facts of a machine at this address, JSON.
pub fn facts(address: &str) -> Vec<u8> {
    let facts = Facts {
        hostname: "vm".into(),
        fqdn: "vm.example.org".into(),
        address: address.into(),
        os: Os {
            id: "debian".into(),
            version: "12".into(),
            codename: "bookworm".into(),
        },
        arch: "amd64".into(),
        cpus: 2,
        memory_mb: 2048,
        interfaces: BTreeMap::new(),
        local: BTreeMap::new(),
        azure: None,
    };
    serde_json::to_vec(&facts).expect("facts are JSON")
}
