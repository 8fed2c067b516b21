//! What callers may ask for: who they are is looked up in the state at every call.

pub mod agents;
pub mod enrolment;
pub mod held;
pub mod leaders;
pub mod leases;
pub mod operators;
pub mod pace;
pub mod probes;
pub mod slots;
pub mod unseen;

use crate::listen::Caller;
use crate::pki::peer::Peer;
use crate::refusal::Refusal;
use cfg_wire as wire;
use std::pin::Pin;
use tokio_stream::Stream;
use tonic::{Request, Response, Status};

/// An answer in parts.
pub type Parts<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

/// Who calls.
fn caller<T>(request: &Request<T>) -> Result<Caller, Refusal> {
    let caller = request.extensions().get::<Caller>().cloned();
    caller.ok_or_else(|| Refusal::Internal("a call came past the port".into()))
}

impl Caller {
    /// Who the certificate says it is, while it lasts.
    fn peer(&self) -> Result<&Peer, Refusal> {
        let peer = self
            .peer
            .as_ref()
            .ok_or_else(|| Refusal::Internal("a guest came past the members' port".into()))?;
        peer.lasts()?;
        Ok(peer)
    }

    /// The answer to what was asked for, or no.
    fn answer<T>(&self, what: &str, answer: Result<T, Refusal>) -> Result<Response<T>, Status> {
        let answer = answer.map(Response::new);
        answer.map_err(|refusal| self.refuse(what, refusal))
    }

    /// The new certificate of one who had one before.
    fn renewed(
        &self,
        renewed: Result<wire::Certificate, Refusal>,
    ) -> Result<Response<wire::Certificate>, Status> {
        if renewed.is_ok() {
            self.note(format_args!("has a new certificate"));
        }
        self.answer("renewal", renewed)
    }

    /// Says no, and says so in the log.
    fn refuse(&self, what: &str, refusal: Refusal) -> Status {
        self.refused(format_args!("{what}: {refusal}"));
        refusal.into()
    }
}
