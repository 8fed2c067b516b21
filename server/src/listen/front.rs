//! From a request to the service that answers it.

use super::Caller;
use super::visit::Visit;
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
/// Enough for the agent's download on a slow line.
const DOWNLOADED: Duration = Duration::from_secs(15 * 60);

const KIB: usize = 1024;
const MIB: usize = 1024 * KIB;

/// What one caller finds behind a port.
#[derive(Clone)]
pub(super) struct Front {
    services: Services,
    caller: Caller,
}

#[derive(Clone)]
enum Services {
    /// Behind mutual TLS.
    Members {
        agents: AgentsServer<Agents>,
        operators: OperatorsServer<Operators>,
    },
    /// Behind TLS with nothing but a token.
    Guests {
        enrolment: EnrolmentServer<Enrolment>,
        server: Arc<Server>,
        visit: Visit,
    },
}

impl Front {
    pub(super) fn of_members(server: &Arc<Server>, caller: Caller) -> Self {
        let agents = AgentsServer::new(Agents::new(server.clone()));
        let operators = OperatorsServer::new(Operators::new(server.clone()));
        let services = Services::Members {
            agents: agents.max_decoding_message_size(8 * MIB),
            operators: operators.max_decoding_message_size(64 * MIB),
        };
        Self { services, caller }
    }

    pub(super) fn of_guests(server: &Arc<Server>, caller: Caller, visit: Visit) -> Self {
        let enrolment = EnrolmentServer::new(Enrolment::new(server.clone()));
        let services = Services::Guests {
            enrolment: enrolment.max_decoding_message_size(256 * KIB),
            server: server.clone(),
            visit,
        };
        Self { services, caller }
    }
}

impl<B> Service<http::Request<B>> for Front
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
        // The first component of the path: gRPC's name of the service.
        let path = request.uri().path();
        let service = path.split('/').nth(1).unwrap_or_default();
        match (&mut self.services, service) {
            (Services::Members { agents, .. }, "cfg.v1.Agents") => {
                within(ASKED, agents.call(request))
            }
            (Services::Members { operators, .. }, "cfg.v1.Operators") => {
                within(UPLOADED, operators.call(request))
            }
            (
                Services::Guests {
                    enrolment, visit, ..
                },
                "cfg.v1.Enrolment",
            ) => {
                visit.extend(ASKED);
                within(ASKED, enrolment.call(request))
            }
            (Services::Guests { server, visit, .. }, "cfg")
                if path == "/cfg" && request.method() == http::Method::GET =>
            {
                visit.extend(DOWNLOADED);
                let (server, caller) = (server.clone(), self.caller.clone());
                Box::pin(async move { Ok(download::agent(&server, &caller).await) })
            }
            _ => unknown(),
        }
    }
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
