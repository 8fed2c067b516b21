//! Enrolment, renewal, and what must not be believed on the way.

use crate::peer::{Chain, Peer, der};
use crate::{enrolled, server};
use cfg_agent::client::channel::{CallError, Peer as Reached};
use cfg_agent::client::enrol::{Terms, Who, enrol};
use cfg_agent::client::identity::{CertificateError, Identity, IdentityError};
use cfg_agent::client::renew;
use cfg_agent::client::server::Server;
use cfg_catalog::digest::Digest;
use std::path::Path;
use std::time::{Duration, SystemTime};

async fn try_enrol(
    peer: &Peer,
    folder: &Path,
    token: &str,
    ca: Digest,
    who: Who,
) -> Result<Identity, CertificateError> {
    let terms = Terms {
        server: &peer.agents.parse().unwrap(),
        enrol: &peer.enrolment.parse().unwrap(),
        token,
        ca,
        name: "vm-1",
    };
    enrol(folder, &terms, who, Reached::default()).await
}

fn node() -> Who {
    Who::Node { facts: Vec::new() }
}

#[tokio::test]
async fn a_machine_enrols_and_is_known_by_its_certificate() {
    let peer = Peer::start().await;
    let folder = tempfile::tempdir().unwrap();
    let identity = enrolled(&peer, folder.path()).await;
    assert_eq!(Identity::load(folder.path()).unwrap(), identity);
    assert_eq!((&*identity.role, identity.id), ("web", 1));
    assert_eq!(identity.stated().unwrap().uri, "cfg://fleet/node/vm-1/1");
    assert!(!folder.path().join("pending-key.pem").exists());
    let server = Server::open(&peer.agents.parse().unwrap(), &identity, Reached::default());
    server.unwrap().report(b"{}".to_vec()).await.unwrap();
    assert_eq!(*peer.script.reports.lock().unwrap(), [b"{}".to_vec()]);
    assert!(!format!("{identity:?}").contains("PRIVATE"));
}

#[tokio::test]
async fn an_operator_enrols_as_one() {
    let peer = Peer::start().await;
    let folder = tempfile::tempdir().unwrap();
    let identity = try_enrol(&peer, folder.path(), "good", peer.ca_sha256, Who::Operator).await;
    assert_eq!(
        identity.unwrap().stated().unwrap().uri,
        "cfg://fleet/operator/vm-1"
    );
}

#[tokio::test]
async fn an_answer_that_was_lost_is_asked_for_with_the_same_key() {
    let peer = Peer::start().await;
    *peer.script.lost_answers.lock().unwrap() = 1;
    let folder = tempfile::tempdir().unwrap();
    let lost = try_enrol(&peer, folder.path(), "good", peer.ca_sha256, node()).await;
    assert!(matches!(
        lost,
        Err(CertificateError::Call(CallError::Away { .. }))
    ));
    assert!(matches!(
        Identity::load(folder.path()),
        Err(IdentityError::None(_))
    ));
    enrolled(&peer, folder.path()).await;
    let keys = peer.script.keys.lock().unwrap();
    assert_eq!(keys.len(), 2);
    assert_eq!(keys[0], keys[1]);
}

#[tokio::test]
async fn a_wrong_token_is_refused_with_the_servers_word_and_the_old_identity_stays() {
    let peer = Peer::start().await;
    let folder = tempfile::tempdir().unwrap();
    let identity = enrolled(&peer, folder.path()).await;
    let refused = try_enrol(&peer, folder.path(), "bad", peer.ca_sha256, node()).await;
    let why = refused.unwrap_err().to_string();
    assert!(why.contains("the token is unknown"), "{why}");
    assert_eq!(Identity::load(folder.path()).unwrap(), identity);
}

#[tokio::test]
async fn only_the_server_that_was_meant_gets_the_token() {
    for (chain, word) in [
        (
            Chain::WithoutCa,
            "its certificate authority is not the one whose SHA-256 is",
        ),
        (Chain::OfAnother, "invalid peer certificate"),
        (Chain::OtherName, "not valid for name"),
        (
            Chain::Past,
            "its certificate ended at 2020-02-01T00:00:00Z, and this machine's clock says",
        ),
        (
            Chain::Future,
            "its certificate begins at 2098-01-01T00:00:00Z, and this machine's clock says",
        ),
    ] {
        let peer = Peer::with(chain).await;
        let folder = tempfile::tempdir().unwrap();
        let refused = try_enrol(&peer, folder.path(), "good", peer.ca_sha256, node()).await;
        let why = refused.unwrap_err().to_string();
        assert!(why.contains(word), "{why}");
        assert!(why.contains(" is not believed: "), "{why}");
        assert!(peer.script.keys.lock().unwrap().is_empty());
    }
    let peer = Peer::start().await;
    let folder = tempfile::tempdir().unwrap();
    let other = Digest::of(b"another CA");
    let refused = try_enrol(&peer, folder.path(), "good", other, node()).await;
    let why = refused.unwrap_err().to_string();
    assert_eq!(
        why,
        format!(
            "the server at {} is not believed: its certificate authority is not the one whose \
             SHA-256 is {other}; compare --server and --ca-sha256 with what `cfg-server init` or \
             `cfg-server operator-token` prints there",
            peer.enrolment
        )
    );
}

#[tokio::test]
async fn a_certificate_for_another_name_or_fleet_is_not_believed() {
    let peer = Peer::start().await;
    for uri in [
        "cfg://fleet/node/vm-2/1",
        "cfg://fleet/node/vm-10/1",
        "cfg://other/node/vm-1/1",
        "cfg://fleet/operator/vm-1",
    ] {
        *peer.script.misnames.lock().unwrap() = Some(uri.into());
        let folder = tempfile::tempdir().unwrap();
        let refused = try_enrol(&peer, folder.path(), "good", peer.ca_sha256, node()).await;
        let why = refused.unwrap_err().to_string();
        assert!(why.contains(uri), "{why}");
        assert!(Identity::load(folder.path()).is_err());
    }
}

#[tokio::test]
async fn another_ca_is_no_server_of_ours_and_its_machines_are_none_of_that_one() {
    let (ours, other) = (Peer::start().await, Peer::start().await);
    let folder = tempfile::tempdir().unwrap();
    let identity = enrolled(&ours, folder.path()).await;
    let server = Server::open(
        &other.agents.parse().unwrap(),
        &identity,
        Reached::default(),
    );
    let why = server.unwrap().assignment().await.unwrap_err().to_string();
    assert!(
        why.contains("is not believed: invalid peer certificate"),
        "{why}"
    );
    assert!(why.ends_with("enrol again with a new token"), "{why}");
}

#[tokio::test]
async fn a_certificate_is_renewed_with_a_new_key_after_two_thirds_of_its_life() {
    let peer = Peer::start().await;
    let folder = tempfile::tempdir().unwrap();
    let hour = Duration::from_secs(3600);
    *peer.script.life.lock().unwrap() = (hour, hour / 2);
    let young = enrolled(&peer, folder.path()).await;
    assert!(!renew::is_due(&young, SystemTime::now()).unwrap());
    *peer.script.life.lock().unwrap() = (hour, hour * 3 / 4);
    let old = enrolled(&peer, folder.path()).await;
    assert!(renew::is_due(&old, SystemTime::now()).unwrap());

    *peer.script.life.lock().unwrap() = (hour, Duration::ZERO);
    let server = Server::open(&peer.agents.parse().unwrap(), &old, Reached::default()).unwrap();
    let new = renew::renew(folder.path(), &old, &server).await.unwrap();
    assert!(!renew::is_due(&new, SystemTime::now()).unwrap());
    assert_ne!(new.key, old.key);
    assert_ne!(der(&new.certificate), der(&old.certificate));
    assert_eq!(Identity::load(folder.path()).unwrap(), new);

    *peer.script.misnames.lock().unwrap() = Some("cfg://fleet/node/vm-2/1".into());
    assert!(renew::renew(folder.path(), &new, &server).await.is_err());
    assert_eq!(
        Identity::load(folder.path()).unwrap(),
        new,
        "the old one goes on"
    );
}

#[tokio::test]
async fn a_certificate_that_ran_out_says_so_without_a_call() {
    let peer = Peer::start().await;
    let folder = tempfile::tempdir().unwrap();
    let hour = Duration::from_secs(3600);
    *peer.script.life.lock().unwrap() = (hour, hour * 2);
    let server = server(&peer, folder.path()).await;
    let why = server.assignment().await.unwrap_err();
    assert!(matches!(why, CallError::Refused(_)));
    assert!(why.to_string().contains("ran out"), "{why}");
    assert!(why.to_string().contains("its clock says"), "{why}");
}

#[tokio::test]
async fn a_certificate_that_does_not_count_yet_says_so_where_it_is_not_taken() {
    let peer = Peer::start().await;
    let folder = tempfile::tempdir().unwrap();
    *peer.script.ahead.lock().unwrap() = Duration::from_secs(7200);
    let server = server(&peer, folder.path()).await;
    let why = server.assignment().await.unwrap_err();
    assert!(matches!(why, CallError::Away { .. }), "{why}");
    let why = why.to_string();
    assert!(
        why.contains("the certificate of this machine begins at"),
        "{why}"
    );
    assert!(why.contains("its clock says"), "{why}");
}
