//! For those who have no certificate yet.

use super::caller;
use crate::clock;
use crate::listen::Caller;
use crate::pki::request::{self, PublicKey};
use crate::refusal::Refusal;
use crate::server::Server;
use crate::state::enrol::{Machine, Person};
use crate::state::event::About;
use crate::state::identity::{Identity, Who};
use crate::state::{name, token};
use cfg_catalog::digest::Digest;
use cfg_catalog::facts::Facts;
use cfg_wire::{Certificate, EnrollOperatorRequest, EnrollRequest};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;
use tonic::{Request, Response, Status};
use tracing::info;

/// A desk may be off for months; used in the last third of this, it renews its certificate.
const OPERATOR_LIFE: Duration = Duration::from_secs(366 * 24 * 3600);

/// The service.
pub struct Enrolment {
    server: Arc<Server>,
}

impl Enrolment {
    /// Of this server.
    pub fn new(server: Arc<Server>) -> Self {
        Self { server }
    }

    async fn machine(
        &self,
        caller: &Caller,
        request: &EnrollRequest,
    ) -> Result<Certificate, Refusal> {
        let token = hash(&request.token)?;
        let name = name::host(&request.name)?;
        let key = request::check(&request.csr, &name)?;
        let machine = Machine {
            token,
            name: name.clone(),
            key: key.digest(),
            about: self.server.about(&request.facts, caller)?,
        };
        let by = format!("token {}", token::id(&token));
        let place = self
            .server
            .log
            .commit(by, move |state| state.enrol(&machine, clock::now()))
            .await?;
        let generation = place.generation;
        info!(
            "enrolled node {name} at {} as {} {} with token {}",
            caller.address,
            place.role,
            place.id,
            token::id(&token)
        );
        let who = Who::Node { name, generation };
        let certificate = self.server.certificate(&key, who)?;
        Ok(Certificate {
            role: place.role,
            id: place.id,
            ..certificate
        })
    }

    async fn person(
        &self,
        caller: &Caller,
        request: &EnrollOperatorRequest,
    ) -> Result<Certificate, Refusal> {
        let token = hash(&request.token)?;
        let name = name::operator(&request.name)?;
        let key = request::check(&request.csr, &name)?;
        let person = Person {
            token,
            name: name.clone(),
            key: key.digest(),
        };
        let by = format!("token {}", token::id(&token));
        let decide = move |state: &crate::state::State| {
            Ok((state.enrol_operator(&person, clock::now())?, ()))
        };
        self.server.log.commit(by, decide).await?;
        let address = caller.address;
        info!(
            "enrolled operator {name} at {address} with token {}",
            token::id(&token)
        );
        self.server.certificate(&key, Who::Operator { name })
    }
}

#[tonic::async_trait]
impl cfg_wire::enrolment_server::Enrolment for Enrolment {
    async fn enroll(
        &self,
        request: Request<EnrollRequest>,
    ) -> Result<Response<Certificate>, Status> {
        let caller = caller(&request)?;
        let request = request.into_inner();
        match self.machine(&caller, &request).await {
            Ok(certificate) => Ok(Response::new(certificate)),
            Err(refusal) => {
                let what = format!("enrolment as node {}", shown(&request.name));
                Err(caller.refuse(&what, refusal))
            }
        }
    }

    async fn enroll_operator(
        &self,
        request: Request<EnrollOperatorRequest>,
    ) -> Result<Response<Certificate>, Status> {
        let caller = caller(&request)?;
        let request = request.into_inner();
        match self.person(&caller, &request).await {
            Ok(certificate) => Ok(Response::new(certificate)),
            Err(refusal) => {
                let what = format!("enrolment as operator {}", shown(&request.name));
                Err(caller.refuse(&what, refusal))
            }
        }
    }
}

impl Server {
    /// What others are told of a caller, from the facts as they came in. Its address is where it calls from, or one
    /// that the operator lets it have.
    pub(super) fn about(&self, facts: &[u8], caller: &Caller) -> Result<About, Refusal> {
        let facts: Facts =
            serde_json::from_slice(facts).map_err(|error| Refusal::Facts(error.to_string()))?;
        let about = About::of(&facts)?;
        let from = caller.address.ip().to_canonical();
        match about.address.parse::<IpAddr>() {
            Ok(claimed) if claimed.to_canonical() == from => Ok(about),
            Ok(claimed) if self.addresses.iter().any(|net| net.contains(&claimed)) => Ok(about),
            Ok(claimed) => Err(Refusal::Claim { claimed, from }),
            Err(error) => Err(Refusal::Facts(error.to_string())),
        }
    }

    /// A certificate for this key.
    pub(super) fn certificate(&self, key: &PublicKey, who: Who) -> Result<Certificate, Refusal> {
        let (Who::Node { name, .. } | Who::Operator { name }) = &who;
        let name = name.clone();
        let identity = Identity {
            fleet: self.fleet.name.clone(),
            who,
        };
        let life = match &identity.who {
            Who::Node { .. } => self.certificate_life,
            Who::Operator { .. } => OPERATOR_LIFE,
        };
        let certificate = self
            .ca
            .sign(key, &identity, &name, life)
            .map_err(|error| Refusal::Internal(error.to_string()))?;
        Ok(Certificate {
            certificate,
            ca: self.ca.pem().to_owned(),
            fleet: self.fleet.name.clone(),
            role: String::new(),
            id: 0,
        })
    }
}

fn hash(token: &str) -> Result<Digest, Refusal> {
    match token.trim() {
        "" => Err(Refusal::NoToken),
        token => Ok(token::hash(token)),
    }
}

/// A name that nobody has checked, for the log: one line, not long.
fn shown(name: &str) -> String {
    let cut: String = name.chars().take(64).collect();
    cut.escape_default().to_string()
}
