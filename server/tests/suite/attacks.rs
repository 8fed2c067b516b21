//! Strangers who should not get in, over real TLS: each is refused, and the server's log says why.

use crate::logged;
use crate::place::{Kind, Place};
use crate::world::{World, csr, facts, refused};
use cfg_catalog::digest::Digest;
use cfg_wire::*;
use rcgen::{CertificateParams, DistinguishedName, KeyPair};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tonic::Code;

async fn world() -> (Place, World) {
    let place = Place::new(Kind::Directory);
    let world = World::begin(&place).await;
    (place, world)
}

fn key() -> KeyPair {
    KeyPair::generate().expect("a key")
}

/// The part of a token's hash by which it is known.
fn id(token: &str) -> String {
    Digest::of(token.as_bytes()).to_string()[..12].to_owned()
}

#[tokio::test]
async fn no_token_and_wrong_tokens() {
    let (_place, world) = world().await;
    for token in ["", "  "] {
        let outcome = world.enrol(token, "no-token-1", &key()).await;
        refused(outcome, Code::Unauthenticated, "no token was given");
    }
    logged::expect(&[
        "WARN",
        "refused 127.0.0.1:",
        "node no-token-1",
        "no token was given",
    ])
    .await;
    let good = world.desk.token("web", 1, 600).await;
    let wrong = good.replace(['0', '1', '2'], "3");
    for token in ["cfg-0", &good[..good.len() - 1], &wrong, "\u{0}"] {
        let outcome = world.enrol(token, "wrong-token-1", &key()).await;
        refused(outcome, Code::Unauthenticated, "the token is unknown");
    }
    logged::expect(&["WARN", "node wrong-token-1", "the token is unknown"]).await;
    // None of it cost the good one anything.
    world
        .enrol(&good, "right-token-1", &key())
        .await
        .expect("it enrols");
}

#[tokio::test]
async fn a_spent_token() {
    let (_place, world) = world().await;
    let token = world.desk.token("web", 2, 600).await;
    for name in ["spends-1", "spends-2"] {
        world.enrol(&token, name, &key()).await.expect("it enrols");
    }
    let outcome = world.enrol(&token, "spends-3", &key()).await;
    refused(outcome, Code::Unauthenticated, "is spent");
    logged::expect(&["WARN", "node spends-3", &id(&token), "is spent"]).await;
}

#[tokio::test]
async fn a_token_used_by_many_at_once_is_counted() {
    let (_place, world) = world().await;
    let token = world.desk.token("web", 5, 600).await;
    let keys: Vec<KeyPair> = (0..20).map(|_| key()).collect();
    let names: Vec<String> = (0..20).map(|at| format!("rush-{at}")).collect();
    let all = names.iter().zip(&keys);
    let outcomes =
        futures::future::join_all(all.map(|(name, key)| world.enrol(&token, name, key))).await;
    let mut ids: Vec<u32> = outcomes.into_iter().flatten().map(|got| got.id).collect();
    ids.sort_unstable();
    assert_eq!(ids, [1, 2, 3, 4, 5]);
}

#[tokio::test]
async fn an_expired_token() {
    let (_place, world) = world().await;
    let token = world.desk.token("web", 1, 1).await;
    tokio::time::sleep(Duration::from_millis(2100)).await;
    let outcome = world.enrol(&token, "late-1", &key()).await;
    refused(outcome, Code::Unauthenticated, "has expired");
    logged::expect(&["WARN", "node late-1", &id(&token), "has expired"]).await;
}

#[tokio::test]
async fn a_revoked_token() {
    let (_place, world) = world().await;
    let token = world.desk.token("web", 1, 600).await;
    let mut desk = world.desk.0.clone();
    let revoke = RevokeTokenRequest { id: id(&token) };
    desk.revoke_token(revoke).await.expect("it is revoked");
    let outcome = world.enrol(&token, "barred-1", &key()).await;
    refused(outcome, Code::Unauthenticated, "was revoked");
    logged::expect(&["WARN", "node barred-1", &id(&token), "was revoked"]).await;
}

#[tokio::test]
async fn a_token_for_another_role() {
    let (_place, world) = world().await;
    // An operator's token makes no machine, and a machine's no operator.
    let desk = world.desk.token("", 1, 600).await;
    let outcome = world.enrol(&desk, "climber-1", &key()).await;
    refused(
        outcome,
        Code::PermissionDenied,
        "is for operators, not for machines",
    );
    logged::expect(&[
        "WARN",
        "node climber-1",
        "is for operators, not for machines",
    ])
    .await;
    let web = world.desk.token("web", 2, 600).await;
    let own = key();
    let request = EnrollOperatorRequest {
        token: web.clone(),
        name: "mallory".into(),
        csr: csr("mallory", &own),
    };
    let outcome = world.guest().enroll_operator(request).await;
    refused(
        outcome,
        Code::PermissionDenied,
        "is for machines of role web, not for operators",
    );
    logged::expect(&["WARN", "operator mallory", "is for machines of role web"]).await;
    // A machine of one role does not become one of another.
    let machine = world.machine("zk", "settled-1").await;
    let outcome = world.enrol(&web, "settled-1", &own).await;
    refused(
        outcome,
        Code::AlreadyExists,
        "settled-1 is enrolled already",
    );
    logged::expect(&["WARN", "node settled-1", "enrolled already"]).await;
    machine
        .report("converged")
        .await
        .expect("it is what it was");
}

#[tokio::test]
async fn requests_that_name_another() {
    let (_place, world) = world().await;
    let victim = world.machine("web", "victim-1").await;
    let token = world.desk.token("web", 9, 600).await;
    let own = key();
    let with_san = {
        let mut params = CertificateParams::new(vec!["victim-1".to_owned()]).expect("params");
        params.distinguished_name = DistinguishedName::new();
        params
            .serialize_request(&own)
            .expect("a request")
            .der()
            .to_vec()
    };
    let stolen = {
        // The victim's public key, under a signature that is not the victim's.
        let mut der = csr("mallet-1", &own);
        let raw = rcgen::PublicKeyData::der_bytes(&own).to_vec();
        let theirs = KeyPair::from_pem(&victim.identity.key).expect("a key");
        let at = der.windows(raw.len()).position(|window| window == raw);
        let theirs = rcgen::PublicKeyData::der_bytes(&theirs);
        der[at.expect("the key is in it")..][..raw.len()].copy_from_slice(theirs);
        der
    };
    for (csr, words) in [
        (
            csr("victim-1", &own),
            "it names \"victim-1\", the request is for mallet-1",
        ),
        (with_san, "it asks for extensions, such as other names"),
        (stolen, "its signature is not by its own key"),
        (Vec::new(), "it is not PKCS#10 in DER"),
    ] {
        let request = EnrollRequest {
            token: token.clone(),
            name: "mallet-1".into(),
            csr,
            facts: facts("10.0.0.1"),
        };
        let outcome = world.guest().enroll(request).await;
        refused(outcome, Code::InvalidArgument, words);
        logged::expect(&["WARN", "node mallet-1", words]).await;
    }
    let request = EnrollRequest {
        token,
        name: "../../etc".into(),
        csr: csr("../../etc", &own),
        facts: facts("10.0.0.1"),
    };
    refused(
        world.guest().enroll(request).await,
        Code::InvalidArgument,
        "cannot be the name",
    );
    logged::expect(&["WARN", "node ../../etc", "cannot be the name of a machine"]).await;
}

#[tokio::test]
async fn facts_that_reach_into_others_files() {
    let (_place, world) = world().await;
    let token = world.desk.token("web", 1, 600).await;
    let own = key();
    let request = EnrollRequest {
        token,
        name: "poison-1".into(),
        csr: csr("poison-1", &own),
        facts: facts("10.0.0.1\nserver.9=evil:2888:3888"),
    };
    refused(
        world.guest().enroll(request).await,
        Code::InvalidArgument,
        "is not an IP address",
    );
    logged::expect(&["WARN", "node poison-1", "is not an IP address"]).await;
}

#[tokio::test]
async fn those_who_dawdle_hold_nobody() {
    let (_place, world) = world().await;
    let address = world.running.enrol_address;
    let mut idle = Vec::new();
    for _ in 0..200 {
        let mut stream = TcpStream::connect(address).await.expect("connected");
        // The first bytes of a handshake that never goes on.
        stream
            .write_all(&[0x16, 0x03, 0x01])
            .await
            .expect("written");
        idle.push(stream);
    }
    let began = Instant::now();
    let token = world.desk.token("web", 1, 600).await;
    world
        .enrol(&token, "brisk-1", &key())
        .await
        .expect("it enrols");
    assert!(
        began.elapsed() < Duration::from_secs(3),
        "{:?}",
        began.elapsed()
    );
    // In the end they are sent away.
    let mut rest = Vec::new();
    let end = idle[0].read_to_end(&mut rest);
    let end = tokio::time::timeout(Duration::from_secs(15), end).await;
    assert!(end.is_ok(), "the connection stays open");
    logged::expect(&["WARN", "refused 127.0.0.1:", "no TLS handshake within"]).await;
}

#[tokio::test]
async fn messages_have_a_size() {
    let (_place, world) = world().await;
    let token = world.desk.token("web", 1, 600).await;
    let own = key();
    let request = EnrollRequest {
        token,
        name: "huge-1".into(),
        csr: csr("huge-1", &own),
        facts: vec![b' '; 1024 * 1024],
    };
    let outcome = world.guest().enroll(request).await;
    assert_eq!(outcome.expect_err("too large").code(), Code::OutOfRange);
    let machine = world.machine("web", "huge-2").await;
    let document = vec![b' '; 5 * 1024 * 1024];
    let report = machine
        .agents
        .clone()
        .report(ReportRequest { document })
        .await;
    refused(report, Code::InvalidArgument, "a report may have 4 MiB");
}
