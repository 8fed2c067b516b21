//! Certificates have an end: of machines, of operators, of the server itself, of the CA.

use crate::channel::{self, Identity};
use crate::logged;
use crate::place::{Kind, Place};
use crate::release::Release;
use crate::world::{Desk, World, csr, end, refused};
use cfg_server::founding;
use cfg_server::pki::ca::Ca;
use cfg_server::pki::request;
use cfg_server::server::{Running, Server};
use cfg_wire::*;
use rcgen::KeyPair;
use rustls::pki_types::CertificateDer;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::net::TcpStream;
use tonic::Code;

#[tokio::test]
async fn a_stream_ends_with_its_certificate() {
    let place = Place::new(Kind::Directory);
    let world = World::begin(&place).await;
    world.machine("web", "brief-1").await;
    let ca = Ca::load(&world.config.data).expect("the CA");
    let own = KeyPair::generate().expect("a key");
    let key = request::check(&csr("brief-1", &own), "brief-1").expect("a request");
    let who = "cfg://fleet/node/brief-1/1".parse().expect("an identity");
    let certificate = ca.sign(&key, &who, "brief-1", Duration::from_secs(3));
    let identity = Identity {
        certificate: certificate.expect("a certificate"),
        key: own.serialize_pem(),
    };
    let facts = crate::world::facts(&crate::world::address("brief-1"));
    let watched = world.agents(&identity).watch(WatchRequest { facts }).await;
    let mut stream = watched.expect("it watches").into_inner();
    let begun = Instant::now();
    let end = end(&mut stream).await;
    let words = "the certificate of node brief-1 has expired";
    refused::<()>(Err(end), Code::PermissionDenied, words);
    let took = begun.elapsed();
    assert!(
        took < Duration::from_secs(6),
        "not only at the next tick: {took:?}"
    );
    logged::expect(&["WARN", "refused node brief-1", "its stream ends", words]).await;
    // Nor does it come in again.
    let late = world
        .agents(&identity)
        .report(ReportRequest::default())
        .await;
    assert!(late.is_err());
}

#[tokio::test]
async fn operators_renew_theirs() {
    let place = Place::new(Kind::Directory);
    let world = World::begin(&place).await;
    let own = KeyPair::from_pem(&world.alice.key).expect("a key");
    let renew = async |csr: Vec<u8>| world.desk.0.clone().renew(RenewRequest { csr }).await;
    let renewed = renew(csr("alice", &own)).await.expect("renewed");
    let renewed = Identity {
        certificate: renewed.into_inner().certificate,
        ..world.alice.clone()
    };
    assert_ne!(renewed.certificate, world.alice.certificate);
    let desk = Desk::at(world.running.address, &world.ca, &renewed);
    desk.fleet().await;
    logged::expect(&["INFO", "operator alice at", "has a new certificate"]).await;

    let other = KeyPair::generate().expect("a key");
    let words = "its key is not the one that this operator enrolled with";
    let outcome = renew(csr("alice", &other)).await;
    refused(outcome, Code::InvalidArgument, words);
    logged::expect(&["WARN", "refused operator alice", "renewal", words]).await;
    let outcome = renew(csr("bob", &own)).await;
    refused(outcome, Code::InvalidArgument, "it names \"bob\"");
    let machine = world.machine("web", "upstart-2").await;
    let as_machine = Desk::at(world.running.address, &world.ca, &machine.identity);
    let csr_of = |key: &str| csr("upstart-2", &KeyPair::from_pem(key).expect("a key"));
    let csr_of = csr_of(&machine.identity.key);
    let outcome = as_machine
        .0
        .clone()
        .renew(RenewRequest { csr: csr_of })
        .await;
    let words = "node upstart-2 may not call what is for operators";
    refused(outcome, Code::PermissionDenied, words);

    // A lost desk: whoever has its key renews nothing once the name has another.
    let request = EnrollOperatorRequest {
        token: world.desk.token("", 1, 600).await,
        name: "alice".into(),
        csr: csr("alice", &other),
    };
    let enrolled = world.guest().enroll_operator(request).await;
    enrolled.expect("alice enrols again");
    let outcome = renew(csr("alice", &own)).await;
    let words = "operator alice has enrolled again since";
    refused(outcome, Code::PermissionDenied, words);
    let outcome = desk.0.clone().fleet(FleetRequest {}).await;
    refused(outcome, Code::PermissionDenied, words);
}

/// The certificate that the server shows a machine.
async fn shown(world: &World, identity: &Identity) -> CertificateDer<'static> {
    let connector =
        tokio_rustls::TlsConnector::from(Arc::new(channel::tls(&world.ca, Some(identity))));
    let address = world.running.address;
    let stream = TcpStream::connect(address).await.expect("connected");
    let name = rustls::pki_types::ServerName::from(address.ip());
    let stream = connector.connect(name, stream).await.expect("a handshake");
    let chain = stream.get_ref().1.peer_certificates().expect("a chain");
    chain[0].clone().into_owned()
}

#[tokio::test]
async fn the_server_s_own_is_renewed_while_it_serves() {
    let place = Place::new(Kind::Directory);
    let mut world = World::begin(&place).await;
    drop(world.running);
    let server = Server::open(&world.config).await.expect("opened");
    let life = Duration::from_secs(3);
    let started = Running::start_with(server, &world.config, life).await;
    world.running = started.expect("started");
    world.desk = Desk::at(world.running.address, &world.ca, &world.alice);
    let machine = world.machine("web", "patient-1").await;
    let mut stream = machine.watches().await.expect("it watches");
    stream.message().await.expect("news");
    let first = shown(&world, &machine.identity).await;
    tokio::time::sleep(life + Duration::from_secs(1)).await;
    // The first has run out by now: who connects sees another, and who was connected stays.
    assert_ne!(shown(&world, &machine.identity).await, first);
    world.machine("web", "patient-2").await;
    let token = world.desk.token("web", 1, 60).await;
    assert!(token.starts_with("cfg-"));
    world.desk.publish(&Release::of(&["web"], 1)).await;
    let news = stream.message().await.expect("it goes on").expect("news");
    assert_eq!(news.sequence, 1);
}

#[tokio::test]
async fn a_ca_that_has_run_out_is_not_served() {
    logged::keep();
    let place = Place::new(Kind::Directory);
    let config = place.config();
    let life = Duration::from_secs(2);
    Ca::create(&config.data, "fleet", life).expect("a CA");
    founding::found(&config, "fleet").await.expect("founded");
    Server::open(&config).await.expect("it still lasts");
    logged::expect(&["WARN", "the fleet's CA runs out on"]).await;
    tokio::time::sleep(life).await;
    let error = Server::open(&config).await.err().expect("refused");
    assert!(error.to_string().contains("CA ran out on"), "{error:#}");
}
