//! Those with a certificate who ask for more than is theirs: each is refused, and the server's log says why.

use crate::channel::{self, Identity};
use crate::logged;
use crate::place::{Kind, Place};
use crate::release::Release;
use crate::world::{World, csr, end, refused};
use cfg_catalog::digest::Digest;
use cfg_server::pki::ca::Ca;
use cfg_wire::agents_client::AgentsClient;
use cfg_wire::operators_client::OperatorsClient;
use cfg_wire::*;
use rcgen::KeyPair;
use std::time::{Duration, Instant};
use tonic::Code;

async fn world() -> (Place, World) {
    let place = Place::new(Kind::Directory);
    let world = World::begin(&place).await;
    (place, world)
}

fn key() -> KeyPair {
    KeyPair::generate().expect("a key")
}

#[tokio::test]
async fn a_certificate_of_another_ca() {
    let (_place, world) = world().await;
    let elsewhere = Place::new(Kind::Directory);
    let other = World::begin(&elsewhere).await;
    let machine = other.machine("web", "foreign-1").await;
    let outcome = world
        .agents(&machine.identity)
        .report(ReportRequest::default())
        .await;
    assert!(outcome.is_err());
    logged::expect(&[
        "WARN",
        "refused 127.0.0.1:",
        "its certificate is not of this fleet's CA",
    ])
    .await;
    // None at all.
    let none = channel::open(world.running.address, channel::tls(&world.ca, None));
    let outcome = AgentsClient::new(none)
        .report(ReportRequest::default())
        .await;
    assert!(outcome.is_err());
    logged::expect(&["WARN", "refused 127.0.0.1:", "it has no certificate"]).await;
    // The server's own certificate is for serving, not for calling.
    let ca = Ca::load(&world.config.data).expect("the CA");
    let own = ca
        .own(&["localhost".into()], Duration::from_secs(600))
        .expect("a certificate");
    let pem = |label: &str, der: &[u8]| {
        use base64::Engine as _;
        let text = base64::engine::general_purpose::STANDARD.encode(der);
        format!("-----BEGIN {label}-----\n{text}\n-----END {label}-----\n")
    };
    let identity = Identity {
        certificate: pem("CERTIFICATE", &own.chain[0]),
        key: pem("PRIVATE KEY", own.key.secret_der()),
    };
    assert!(
        world
            .agents(&identity)
            .report(ReportRequest::default())
            .await
            .is_err()
    );
}

#[tokio::test]
async fn a_revoked_node_with_its_stream_open() {
    let (_place, world) = world().await;
    let machine = world.machine("web", "outcast-1").await;
    let other = world.machine("web", "stays-1").await;
    let mut stream = machine.watches().await.expect("it watches");
    stream.message().await.expect("news");
    let mut others = other.watches().await.expect("it watches");
    others.message().await.expect("news");

    world.desk.revoke("outcast-1").await;
    let revoked = Instant::now();
    let end = end(&mut stream).await;
    assert!(revoked.elapsed() < Duration::from_secs(1), "at once");
    refused::<()>(
        Err(end),
        Code::PermissionDenied,
        "node outcast-1 is revoked",
    );
    logged::expect(&[
        "WARN",
        "refused node outcast-1",
        "its stream ends",
        "is revoked",
    ])
    .await;

    refused(
        machine.watches().await,
        Code::PermissionDenied,
        "is revoked",
    );
    refused(
        machine.assignment().await,
        Code::PermissionDenied,
        "is revoked",
    );
    refused(
        machine.report("converged").await,
        Code::PermissionDenied,
        "is revoked",
    );
    let csr = csr("outcast-1", &key());
    let renewal = machine.agents.clone().renew(RenewRequest { csr }).await;
    refused(renewal, Code::PermissionDenied, "is revoked");
    logged::expect(&["WARN", "refused node outcast-1", "renewal", "is revoked"]).await;
    // Nobody else's stream ended.
    world.desk.publish(&Release::of(&["web"], 1)).await;
    let news = others.message().await.expect("it goes on").expect("news");
    assert_eq!(news.sequence, 1);
}

#[tokio::test]
async fn a_revoked_node_half_way_through_a_file() {
    let (_place, world) = world().await;
    let mut release = Release::of(&["web"], 1);
    let large = vec![7; 16 * 1024 * 1024];
    let digest = Digest::of(&large).to_string();
    let files = &mut release.roles.get_mut("web").expect("it is in it").files;
    files.insert("large", large);
    world.desk.publish(&release).await;
    let machine = world.machine("web", "halfway-1").await;
    let fetched = machine.agents.clone().fetch(FetchRequest { digest }).await;
    let mut chunks = fetched.expect("it is its own").into_inner();
    chunks.message().await.expect("a chunk").expect("a chunk");
    world.desk.revoke("halfway-1").await;
    refused::<()>(
        Err(end(&mut chunks).await),
        Code::PermissionDenied,
        "is revoked",
    );
    logged::expect(&["WARN", "refused node halfway-1", "a blob half-way"]).await;
}

#[tokio::test]
async fn the_certificate_of_a_machine_that_was_replaced() {
    let (_place, world) = world().await;
    let before = world.machine("web", "reborn-1").await;
    world.desk.revoke("reborn-1").await;
    let after = world.machine("web", "reborn-1").await;
    assert_eq!(after.id, before.id);
    after.report("converged").await.expect("it is the one now");
    let words = "node reborn-1 has enrolled again since";
    refused(
        before.report("converged").await,
        Code::PermissionDenied,
        words,
    );
    refused(before.watches().await, Code::PermissionDenied, words);
    logged::expect(&["WARN", "refused node reborn-1", words]).await;
}

#[tokio::test]
async fn what_is_another_s_to_read() {
    let (_place, world) = world().await;
    let release = Release::of(&["web", "zk"], 1)
        .with_leaf("web", "reader-1", "{\"a\": 1}")
        .with_leaf("web", "reader-2", "{\"a\": 2}");
    world.desk.publish(&release).await;
    let reader = world.machine("web", "reader-1").await;
    let digest = |bytes: &[u8]| Digest::of(bytes).to_string();
    for (what, wanted) in [
        ("another role's part", digest(&release.part("zk"))),
        (
            "another role's file",
            digest(&release.roles["zk"].files["file"]),
        ),
        (
            "another node's leaf",
            digest(&release.roles["web"].leaves["reader-2"]),
        ),
        (
            "its own leaf, which comes with its role",
            digest(&release.roles["web"].leaves["reader-1"]),
        ),
        ("the manifest", digest(&release.manifest())),
        ("nothing that there is", digest(b"unknown")),
        ("no digest", "../../pki/ca.key".into()),
    ] {
        let outcome = reader.fetch(&wanted).await;
        let status = outcome.expect_err(what);
        // The same words for all: what exists is not told.
        assert_eq!(
            (status.code(), status.message()),
            (Code::NotFound, "not yours to read")
        );
        logged::expect(&[
            "WARN",
            "refused node reader-1",
            &wanted,
            "not yours to read",
        ])
        .await;
    }
}

#[tokio::test]
async fn what_is_no_longer_to_read() {
    let (_place, world) = world().await;
    let first = Release::of(&["web"], 1);
    let second = Release::of(&["web"], 2).with_leaf("web", "late-reader-1", "{\"a\": 1}");
    let third = Release::of(&["web"], 3).with_leaf("web", "late-reader-2", "{\"a\": 2}");
    world.desk.publish(&first).await;
    world.desk.publish(&second).await;
    let reader = world.machine("web", "late-reader-1").await;
    let file = |release: &Release| Digest::of(&release.roles["web"].files["file"]).to_string();
    let own = reader.fetch(&file(&second)).await.expect("its own");
    assert_eq!(own, b"web 2\n");
    let before = reader.fetch(&file(&first)).await.expect("the one before");
    assert_eq!(before, b"web 1\n");
    world.desk.publish(&third).await;
    assert!(reader.fetch(&file(&second)).await.is_ok());
    let outcome = reader.fetch(&file(&first)).await;
    refused(outcome, Code::NotFound, "not yours to read");
    // What it gets is its own leaf, or none.
    assert_eq!(reader.assignment().await.expect("its role").leaf, b"");
    let other = world.machine("web", "late-reader-2").await;
    let assigned = other.assignment().await.expect("its role");
    assert_eq!(assigned.leaf, third.roles["web"].leaves["late-reader-2"]);
}

#[tokio::test]
async fn a_machine_at_the_operators_desk() {
    let (_place, world) = world().await;
    let machine = world.machine("web", "upstart-1").await;
    let tls = channel::tls(&world.ca, Some(&machine.identity));
    let mut desk = OperatorsClient::new(channel::open(world.running.address, tls));
    let words = "node upstart-1 may not call what is for operators";
    refused(
        desk.fleet(FleetRequest {}).await,
        Code::PermissionDenied,
        words,
    );
    let wish = CreateTokenRequest {
        role: String::new(),
        uses: 1,
        ttl_seconds: 60,
    };
    refused(desk.create_token(wish).await, Code::PermissionDenied, words);
    let sent = Release::of(&["web"], 1).sent();
    refused(
        desk.publish(sent.request).await,
        Code::PermissionDenied,
        words,
    );
    let chunk = UploadRequest {
        digest: Digest::of(b"x").to_string(),
        data: b"x".to_vec(),
    };
    let upload = desk.upload(tokio_stream::iter([chunk])).await;
    refused(upload, Code::PermissionDenied, words);
    let name = "upstart-1".to_owned();
    let revoke = desk.revoke_node(RevokeNodeRequest { name }).await;
    refused(revoke, Code::PermissionDenied, words);
    logged::expect(&["WARN", "refused node upstart-1", "a publish", words]).await;
    // And an operator is no machine.
    let alice = world
        .agents(&world.alice)
        .assignment(AssignmentRequest { format: 1 })
        .await;
    refused(
        alice,
        Code::PermissionDenied,
        "may not call what is for machines",
    );
    // The members' port has no enrolment, the guests' port nothing else.
    let tls = channel::tls(&world.ca, None);
    let lost = channel::open(world.running.enrol_address, tls);
    assert!(
        OperatorsClient::new(lost)
            .fleet(FleetRequest {})
            .await
            .is_err()
    );
}
