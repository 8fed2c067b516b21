//! A machine that enrols again while its daemon runs: what the daemon knew by its former identity counts no more.

use super::Daemon;
use crate::client::record::Record;
use tracing::info;

impl Daemon {
    /// Takes up an identity that the machine got since; says whether there was one.
    pub(super) fn begin_anew(&mut self) -> bool {
        let Some(session) = self.session.anew() else {
            return false;
        };
        self.session = session;
        self.follower = None;
        self.converged = None;
        self.answered = None;
        self.said = None;
        (self.handled, self.told, self.untold) = (None, None, None);
        // The enrolment noted where the server was reached.
        if let Ok(record) = Record::load(&self.session.state) {
            self.record = record;
        }
        let identity = &self.session.identity;
        info!(
            "a new certificate: watching {} as {} of fleet {}",
            self.session.url(),
            identity.name,
            identity.fleet
        );
        true
    }
}
