//! An operator's desk: what it does besides what it is asked for.

use crate::peer::{Peer, Service};
use cfg_agent::client::channel::Peer as Reached;
use cfg_agent::client::enrol::{Terms, Who, enrol};
use cfg_agent::client::identity::Identity;
use cfg_agent::client::renew;
use cfg_wire::operators_server::Operators;
use cfg_wire::*;
use std::path::{Path, PathBuf};
use std::process::Output;
use std::time::{Duration, SystemTime};
use tonic::{Request, Response, Status, Streaming};

const HOUR: Duration = Duration::from_secs(3600);

struct Desk {
    peer: Peer,
    home: tempfile::TempDir,
}

impl Desk {
    /// Of an operator whose certificate lasts an hour, so much of which is over.
    async fn with_age(age: Duration) -> Self {
        let peer = Peer::start().await;
        let home = tempfile::tempdir().unwrap();
        *peer.script.life.lock().unwrap() = (HOUR, age);
        let terms = Terms {
            server: &peer.agents.parse().unwrap(),
            enrol: &peer.enrolment.parse().unwrap(),
            token: "good",
            ca: peer.ca_sha256,
            name: "ada",
        };
        let desk = Self { peer, home };
        enrol(&desk.folder(), &terms, Who::Operator, Reached::default())
            .await
            .unwrap();
        *desk.peer.script.life.lock().unwrap() = (HOUR, Duration::ZERO);
        desk
    }

    fn folder(&self) -> PathBuf {
        self.home.path().join("cfg/operator")
    }

    fn identity(&self) -> Identity {
        Identity::load(&self.folder()).unwrap()
    }

    async fn fleet(&self) -> Output {
        fleet(self.home.path()).await
    }
}

async fn fleet(home: &Path) -> Output {
    let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_cfg"));
    let command = command.arg("fleet").env("XDG_CONFIG_HOME", home);
    command.output().await.unwrap()
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_desk_in_use_renews_its_certificate() {
    let desk = Desk::with_age(HOUR * 3 / 4).await;
    let old = desk.identity();
    assert!(renew::is_due(&old, SystemTime::now()).unwrap());
    let output = desk.fleet().await;
    assert!(output.status.success(), "{}", said(&output));
    assert_eq!(said(&output), "");
    let new = desk.identity();
    assert!(!renew::is_due(&new, SystemTime::now()).unwrap());
    assert_eq!(new.key, old.key, "the server knows the operator by it");
    // It is used, and not renewed again.
    let asked = desk.peer.script.keys.lock().unwrap().len();
    assert!(desk.fleet().await.status.success());
    assert_eq!(desk.peer.script.keys.lock().unwrap().len(), asked);
    assert_eq!(desk.identity(), new);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_young_one_is_not_renewed() {
    let desk = Desk::with_age(HOUR / 2).await;
    let old = desk.identity();
    assert!(desk.fleet().await.status.success());
    assert_eq!(desk.identity(), old);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_renewal_that_fails_costs_the_call_nothing() {
    let desk = Desk::with_age(HOUR * 3 / 4).await;
    let old = desk.identity();
    let script = &desk.peer.script;
    *script.refuses_renewal.lock().unwrap() = Some(Status::invalid_argument("not today"));
    let output = desk.fleet().await;
    assert!(output.status.success(), "{}", said(&output));
    assert!(
        said(&output).contains("was not renewed"),
        "{}",
        said(&output)
    );
    assert!(said(&output).contains("not today"), "{}", said(&output));
    *script.refuses_renewal.lock().unwrap() = None;
    *script.misnames.lock().unwrap() = Some("cfg://fleet/operator/eve".into());
    let output = desk.fleet().await;
    assert!(output.status.success(), "{}", said(&output));
    assert!(said(&output).contains("somebody else"), "{}", said(&output));
    assert_eq!(desk.identity(), old, "the old one goes on");
    // It is there, and in trouble.
    *script.misnames.lock().unwrap() = None;
    let full = Status::unavailable("the store: the disk is full");
    *script.refuses_renewal.lock().unwrap() = Some(full);
    let output = desk.fleet().await;
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
    let words = "answers that it cannot: the store: the disk is full";
    assert!(said(&output).contains(words), "{}", said(&output));
    // Nobody there: that is said once, and not waited for twice.
    let Desk { peer, home } = desk;
    drop(peer);
    let output = fleet(home.path()).await;
    assert_eq!(output.status.code(), Some(69), "{}", said(&output));
    assert_eq!(said(&output).matches("cannot be reached").count(), 1);
}

type Answer<T> = Result<Response<T>, Status>;

fn none<T>() -> Answer<T> {
    Err(Status::unimplemented("not in this test"))
}

#[tonic::async_trait]
impl Operators for Service {
    async fn fleet(&self, _: Request<FleetRequest>) -> Answer<FleetReply> {
        Ok(Response::new(FleetReply::default()))
    }

    async fn renew(&self, request: Request<RenewRequest>) -> Answer<Certificate> {
        if let Some(status) = self.script.refuses_renewal.lock().unwrap().clone() {
            return Err(status);
        }
        let uri = "cfg://fleet/operator/ada".to_string();
        let csr = request.into_inner().csr;
        Ok(Response::new(self.certificate(&csr, uri)?))
    }

    async fn missing(&self, _: Request<MissingRequest>) -> Answer<MissingReply> {
        none()
    }

    async fn upload(&self, _: Request<Streaming<UploadRequest>>) -> Answer<UploadReply> {
        none()
    }

    async fn publish(&self, _: Request<PublishRequest>) -> Answer<PublishReply> {
        none()
    }

    async fn create_token(&self, _: Request<CreateTokenRequest>) -> Answer<CreateTokenReply> {
        none()
    }

    async fn list_tokens(&self, _: Request<ListTokensRequest>) -> Answer<ListTokensReply> {
        none()
    }

    async fn revoke_token(&self, _: Request<RevokeTokenRequest>) -> Answer<RevokeTokenReply> {
        none()
    }

    async fn replace_node(&self, _: Request<ReplaceNodeRequest>) -> Answer<CreateTokenReply> {
        none()
    }

    async fn revoke_node(&self, _: Request<RevokeNodeRequest>) -> Answer<RevokeNodeReply> {
        none()
    }
}
