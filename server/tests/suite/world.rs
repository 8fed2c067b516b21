//! A fleet: its server, an operator's desk, machines.

use crate::channel::{self, Identity};
use crate::logged;
pub use crate::papers::{csr, facts};
use crate::place::Place;
use crate::release::Release;
use cfg_catalog::digest::Digest;
use cfg_server::config::Config;
use cfg_server::founding;
use cfg_server::server::Running;
use cfg_wire::agents_client::AgentsClient;
use cfg_wire::enrolment_client::EnrolmentClient;
use cfg_wire::operators_client::OperatorsClient;
use cfg_wire::*;
use rcgen::KeyPair;
use std::net::SocketAddr;
use std::time::Duration;
use tonic::transport::Channel;
use tonic::{Code, Status, Streaming};

/// A fleet with its server running and one operator enrolled.
pub struct World {
    pub config: Config,
    pub running: Running,
    pub ca: String,
    pub desk: Desk,
    pub alice: Identity,
}

/// An operator's desk.
#[derive(Clone)]
pub struct Desk(pub OperatorsClient<Channel>);

/// An enrolled machine.
#[derive(Clone)]
pub struct Machine {
    pub name: String,
    pub id: u32,
    pub identity: Identity,
    pub agents: AgentsClient<Channel>,
}

impl World {
    /// Founds a fleet in this place and starts its server.
    pub async fn begin(place: &Place) -> Self {
        logged::keep();
        let config = place.config();
        let founded = founding::found(&config, "fleet").await.expect("founded");
        let ca = founded.ca.pem().to_owned();
        let running = Running::start(&config).await.expect("started");
        let key = KeyPair::generate().expect("a key");
        let request = EnrollOperatorRequest {
            token: founded.token.text().to_owned(),
            name: "alice".into(),
            csr: csr("alice", &key),
        };
        let answer = guest(running.enrol_address, &ca)
            .enroll_operator(request)
            .await;
        let certificate = answer.expect("alice enrols").into_inner().certificate;
        let alice = Identity {
            certificate,
            key: key.serialize_pem(),
        };
        let desk = Desk::at(running.address, &ca, &alice);
        Self {
            config,
            running,
            ca,
            desk,
            alice,
        }
    }

    /// Stops the server and starts it again, on other ports.
    pub async fn restarted(mut self) -> Self {
        drop(self.running);
        self.running = Running::start(&self.config).await.expect("started again");
        self.desk = Desk::at(self.running.address, &self.ca, &self.alice);
        self
    }

    /// Enrolment, as anybody can call it.
    pub fn guest(&self) -> EnrolmentClient<Channel> {
        guest(self.running.enrol_address, &self.ca)
    }

    /// A machine that enrols with a new token of this role.
    pub async fn machine(&self, role: &str, name: &str) -> Machine {
        let token = self.desk.token(role, 1, 600).await;
        let key = KeyPair::generate().expect("a key");
        let certificate = self.enrol(&token, name, &key).await.expect("it enrols");
        self.of(name, certificate, &key)
    }

    /// One enrolment.
    pub async fn enrol(
        &self,
        token: &str,
        name: &str,
        key: &KeyPair,
    ) -> Result<Certificate, Status> {
        let request = EnrollRequest {
            token: token.to_owned(),
            name: name.to_owned(),
            csr: csr(name, key),
            facts: facts(&address(name)),
        };
        Ok(self.guest().enroll(request).await?.into_inner())
    }

    /// The machine that got this certificate.
    pub fn of(&self, name: &str, certificate: Certificate, key: &KeyPair) -> Machine {
        let identity = Identity {
            certificate: certificate.certificate,
            key: key.serialize_pem(),
        };
        Machine {
            name: name.to_owned(),
            id: certificate.id,
            agents: self.agents(&identity),
            identity,
        }
    }

    /// A machine's calls, under any identity.
    pub fn agents(&self, identity: &Identity) -> AgentsClient<Channel> {
        let tls = channel::tls(&self.ca, Some(identity));
        AgentsClient::new(channel::open(self.running.address, tls))
    }
}

pub fn guest(address: SocketAddr, ca: &str) -> EnrolmentClient<Channel> {
    EnrolmentClient::new(channel::open(address, channel::tls(ca, None)))
}

impl Desk {
    pub fn at(address: SocketAddr, ca: &str, identity: &Identity) -> Self {
        let tls = channel::tls(ca, Some(identity));
        Self(OperatorsClient::new(channel::open(address, tls)))
    }

    /// A new token.
    pub async fn token(&self, role: &str, uses: u32, ttl_seconds: u64) -> String {
        let request = CreateTokenRequest {
            role: role.to_owned(),
            uses,
            ttl_seconds,
        };
        let made = self.0.clone().create_token(request).await;
        made.expect("a token is made").into_inner().token
    }

    /// Uploads blobs.
    pub async fn upload(&self, blob: &[u8]) -> Result<(), Status> {
        let digest = Digest::of(blob).to_string();
        // Its name comes first, so that an empty one has one too.
        let mut chunks = vec![UploadRequest {
            digest,
            data: Vec::new(),
        }];
        chunks.extend(blob.chunks(1000).map(|chunk| UploadRequest {
            digest: String::new(),
            data: chunk.to_vec(),
        }));
        let mut desk = self.0.clone();
        desk.upload(tokio_stream::iter(chunks)).await.map(drop)
    }

    /// Uploads and publishes a release, whatever is current.
    pub async fn publish(&self, release: &Release) -> Vec<u8> {
        let sent = release.sent();
        for blob in &sent.blobs {
            self.upload(blob).await.expect("a blob is taken");
        }
        let published = self.0.clone().publish(sent.request).await;
        published.expect("it is published").into_inner().envelope
    }

    pub async fn revoke(&self, name: &str) {
        let name = name.to_owned();
        let revoked = self.0.clone().revoke_node(RevokeNodeRequest { name }).await;
        revoked.expect("it is revoked");
    }

    pub async fn fleet(&self) -> FleetReply {
        let fleet = self.0.clone().fleet(FleetRequest {}).await;
        fleet.expect("the fleet").into_inner()
    }
}

impl Machine {
    pub async fn watches(&self) -> Result<Streaming<News>, Status> {
        self.watch(&address(&self.name)).await
    }

    pub async fn watch(&self, address: &str) -> Result<Streaming<News>, Status> {
        let facts = facts(address);
        let watched = self.agents.clone().watch(WatchRequest { facts }).await?;
        Ok(watched.into_inner())
    }

    /// It has made of itself all that it is told to.
    pub async fn settles(&self) {
        let told = self.assignment().await.expect("its role");
        let view: cfg_catalog::fleet::FleetView =
            serde_json::from_slice(&told.view).expect("a view");
        let envelope: cfg_catalog::release::Envelope =
            serde_json::from_slice(&told.envelope).expect("an envelope");
        let request = SettleRequest {
            sequence: envelope.sequence,
            view: view.number,
        };
        self.agents.clone().settle(request).await.expect("it is so");
    }

    pub async fn assignment(&self) -> Result<AssignmentReply, Status> {
        let format = cfg_catalog::release::FORMAT;
        let request = AssignmentRequest { format };
        Ok(self.agents.clone().assignment(request).await?.into_inner())
    }

    pub async fn fetch(&self, digest: &str) -> Result<Vec<u8>, Status> {
        let digest = digest.to_owned();
        let mut agents = self.agents.clone();
        let mut chunks = agents.fetch(FetchRequest { digest }).await?.into_inner();
        let mut bytes = Vec::new();
        while let Some(chunk) = chunks.message().await? {
            bytes.extend(chunk.data);
        }
        Ok(bytes)
    }

    pub async fn report(&self, result: &str) -> Result<(), Status> {
        let document = format!("{{\"version\": 1, \"result\": \"{result}\", \"release\": null}}");
        let document = document.into_bytes();
        let request = ReportRequest { document };
        self.agents.clone().report(request).await.map(drop)
    }
}

/// How a stream ends, which it does soon, whatever else it says before.
pub async fn end<T>(stream: &mut Streaming<T>) -> Status {
    let end = async {
        loop {
            match stream.message().await {
                Ok(Some(_)) => {}
                Ok(None) => panic!("the stream ended without a word"),
                Err(status) => return status,
            }
        }
    };
    let end = tokio::time::timeout(Duration::from_secs(10), end).await;
    end.expect("it goes on as if nothing had happened")
}

/// That a call was refused in this way, with these words for the caller.
#[track_caller]
pub fn refused<T>(outcome: Result<T, Status>, code: Code, words: &str) {
    match outcome {
        Ok(_) => panic!("it was let in; {code:?} {words:?} was expected"),
        Err(status) => {
            assert_eq!(status.code(), code, "{status}");
            assert!(status.message().contains(words), "{words:?}: {status}");
        }
    }
}

/// An address for a machine of this name, its own among others.
pub fn address(name: &str) -> String {
    let digest = Digest::of(name.as_bytes()).to_string();
    let byte = |at: usize| u8::from_str_radix(&digest[at..at + 2], 16).expect("it is hexadecimal");
    format!("10.{}.{}.{}", byte(0), byte(2), byte(4))
}
