//! From a request to the service that answers it.

use super::Caller;
use crate::download;
use crate::server::Server;
use crate::service::agents::Agents;
use crate::service::enrolment::Enrolment;
use crate::service::operators::Operators;
use cfg_wire::agents_server::AgentsServer;
use cfg_wire::enrolment_server::EnrolmentServer;
use cfg_wire::operators_server::OperatorsServer;
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tonic::Status;
use tonic::body::Body as Outgoing;
use tonic::codegen::{Body, http};
use tower::Service;

type Response = http::Response<Outgoing>;
type Answer = Pin<Box<dyn Future<Output = Result<Response, Infallible>> + Send>>;
type Problem = Box<dyn std::error::Error + Send + Sync>;

/// Until a request has come in whole and its answer begins.
const ASKED: Duration = Duration::from_secs(60);
/// The same for an operator, who may upload on a slow line.
const UPLOADED: Duration = Duration::from_secs(15 * 60);

const KIB: usize = 1024;
const MIB: usize = 1024 * KIB;

/// Behind mutual TLS.
#[derive(Clone)]
pub(super) struct Members {
    agents: AgentsServer<Agents>,
    operators: OperatorsServer<Operators>,
    caller: Caller,
}

impl Members {
    pub(super) fn new(server: &Arc<Server>, caller: Caller) -> Self {
        let agents = AgentsServer::new(Agents::new(server.clone()));
        let operators = OperatorsServer::new(Operators::new(server.clone()));
        Self {
            agents: agents.max_decoding_message_size(8 * MIB),
            operators: operators.max_decoding_message_size(64 * MIB),
            caller,
        }
    }
}

impl<B> Service<http::Request<B>> for Members
where
    B: Body + Send + 'static,
    B::Error: Into<Problem> + Send + 'static,
{
    type Response = Response;
    type Error = Infallible;
    type Future = Answer;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, mut request: http::Request<B>) -> Answer {
        request.extensions_mut().insert(self.caller.clone());
        match service(&request) {
            "cfg.v1.Agents" => within(ASKED, self.agents.call(request)),
            "cfg.v1.Operators" => within(UPLOADED, self.operators.call(request)),
            _ => unknown(),
        }
    }
}

/// Behind TLS with nothing but a token.
#[derive(Clone)]
pub(super) struct Guests {
    enrolment: EnrolmentServer<Enrolment>,
    server: Arc<Server>,
    caller: Caller,
}

impl Guests {
    pub(super) fn new(server: &Arc<Server>, caller: Caller) -> Self {
        let enrolment = EnrolmentServer::new(Enrolment::new(server.clone()));
        Self {
            enrolment: enrolment.max_decoding_message_size(256 * KIB),
            server: server.clone(),
            caller,
        }
    }
}

impl<B> Service<http::Request<B>> for Guests
where
    B: Body + Send + 'static,
    B::Error: Into<Problem> + Send + 'static,
{
    type Response = Response;
    type Error = Infallible;
    type Future = Answer;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, mut request: http::Request<B>) -> Answer {
        request.extensions_mut().insert(self.caller.clone());
        match service(&request) {
            "cfg.v1.Enrolment" => within(ASKED, self.enrolment.call(request)),
            "cfg" if request.uri().path() == "/cfg" && request.method() == http::Method::GET => {
                let (server, address) = (self.server.clone(), self.caller.address);
                Box::pin(async move { Ok(download::agent(&server, address).await) })
            }
            _ => unknown(),
        }
    }
}

/// The first component of the path: gRPC's name of the service.
fn service<B>(request: &http::Request<B>) -> &str {
    request.uri().path().split('/').nth(1).unwrap_or_default()
}

fn within(
    limit: Duration,
    answer: impl Future<Output = Result<Response, Infallible>> + Send + 'static,
) -> Answer {
    Box::pin(async move {
        match tokio::time::timeout(limit, answer).await {
            Ok(answer) => answer,
            Err(_) => {
                let why = format!("the request took longer than {limit:?}");
                Ok(Status::deadline_exceeded(why).into_http())
            }
        }
    })
}

fn unknown() -> Answer {
    let mut response = Response::new(Outgoing::empty());
    *response.status_mut() = http::StatusCode::NOT_FOUND;
    Box::pin(async move { Ok(response) })
}
