//! Enrolment: a key made here, a token spent there, a certificate back.
//!
//! The key is on disk before anybody is asked. A call that is cut short is repeated with the same key
//! and token, which the server knows for the same request.

use super::channel::{self, CallError, Peer};
use super::identity::{self, CertificateError, Identity};
use super::original;
use super::{tls, unary};
use crate::address::ServerUrl;
use cfg_catalog::digest::Digest;
use cfg_wire::{Certificate, EnrollOperatorRequest, EnrollRequest};
use rcgen::KeyPair;
use std::path::Path;
use std::time::Duration;

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// What an enrolment goes by.
#[derive(Clone, Debug)]
pub struct Terms<'a> {
    /// The server, as agents and operators call it.
    pub server: &'a ServerUrl,
    /// Where it takes enrolments.
    pub enrol: &'a ServerUrl,
    /// What is spent.
    pub token: &'a str,
    /// SHA-256 of the CA certificate's DER.
    pub ca: Digest,
    /// The name that is asked for.
    pub name: &'a str,
}

/// Who enrols.
#[derive(Clone, Debug)]
pub enum Who {
    /// A machine, with JSON of its facts.
    Node {
        /// The facts.
        facts: Vec<u8>,
    },
    /// An operator's desk.
    Operator,
}

/// Enrols, and keeps the new identity in the folder in the place of the old one.
///
/// # Errors
/// Where the server refuses or cannot be reached, or its answer is wrong; the old identity then stays.
pub async fn enrol(
    folder: &Path,
    terms: &Terms<'_>,
    who: Who,
    peer: Peer,
) -> Result<Identity, CertificateError> {
    let key = identity::pending_key(folder)?;
    let certificate = ask(terms, who.clone(), &key, peer).await?;
    let kind = match who {
        Who::Node { .. } => "node",
        Who::Operator => "operator",
    };
    check(&certificate, terms, kind, &key)?;
    let machine = match kind {
        "node" => original::this(),
        _ => None,
    };
    let identity = Identity {
        server: terms.server.to_string(),
        fleet: certificate.fleet,
        name: terms.name.into(),
        role: certificate.role,
        id: certificate.id,
        token_sha256: Digest::of(terms.token.as_bytes()),
        machine,
        ca: certificate.ca,
        certificate: certificate.certificate,
        key: key.serialize_pem(),
    };
    identity.store(folder)?;
    Ok(identity)
}

async fn ask(
    terms: &Terms<'_>,
    who: Who,
    key: &KeyPair,
    peer: Peer,
) -> Result<Certificate, CertificateError> {
    let channel = channel::open(terms.enrol, tls::pinned(terms.ca)?, peer);
    let (token, name) = (terms.token.to_string(), terms.name.to_string());
    let csr = identity::request(key, terms.name)?;
    let answer = match who {
        Who::Node { facts } => {
            let request = EnrollRequest {
                token,
                name,
                csr,
                facts,
            };
            unary::call(channel, PATIENCE, "/cfg.v1.Enrolment/Enroll", request).await
        }
        Who::Operator => {
            let request = EnrollOperatorRequest { token, name, csr };
            let path = "/cfg.v1.Enrolment/EnrollOperator";
            unary::call(channel, PATIENCE, path, request).await
        }
    };
    Ok(answer.map_err(|status| CallError::of(terms.enrol, &status))?)
}

/// That the certificate is for this key and this name, and the CA the one that was meant.
fn check(
    answer: &Certificate,
    terms: &Terms<'_>,
    kind: &str,
    key: &KeyPair,
) -> Result<(), CertificateError> {
    let no = |why: &str| Err(CertificateError::Answer(why.into()));
    if Digest::of(&tls::certificate("CA certificate", &answer.ca)?) != terms.ca {
        return no("it names another CA");
    }
    if !identity::is_for(&answer.certificate, key)? {
        return no("the certificate is for another key");
    }
    let meant = format!("cfg://{}/{kind}/{}", answer.fleet, terms.name);
    let stated = identity::stated(&answer.certificate)?;
    let rest = stated.uri.strip_prefix(&meant);
    if !rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/')) {
        return no(&format!(
            "the certificate names {}, not {meant}",
            stated.uri
        ));
    }
    Ok(())
}
