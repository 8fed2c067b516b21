//! What a run came to is logged, recorded, and told to the server.

use super::Daemon;
use super::host::status;
use crate::client::channel::CallError;
use crate::client::record::Standing;
use crate::client::report;
use crate::clock;
use crate::job::Document;
use crate::journal;
use cfg_catalog::chain;
use cfg_catalog::plan::document::{Held, Outcome, Why};
use std::time::Duration;
use tokio::time::Instant;
use tracing::warn;

/// How long handing in a report may hold up the end.
const LAST_WORDS: Duration = Duration::from_secs(5);

/// Whether the run has left nothing undone but what waits, something for a slot among it.
pub(super) fn waits_for_slot(document: &Document) -> bool {
    let slot = |held: &Held| held.why == Why::Slot;
    document.result == Outcome::Waiting && document.held.iter().any(slot)
}

/// What was told last of runs that only wait: who waits for a slot asks for it every few seconds.
#[derive(Default)]
pub(super) struct Waits(Option<(Vec<Held>, Instant)>);

impl Waits {
    /// Whether this run has done nothing, and waits for what was told within this time.
    pub(super) fn is_known(&mut self, document: &Document, time: Duration) -> bool {
        if !waits_for_slot(document) || !document.changes.is_empty() {
            self.0 = None;
            return false;
        }
        let known = self
            .0
            .as_ref()
            .is_some_and(|(held, at)| *held == document.held && at.elapsed() < time);
        if !known {
            self.0 = Some((document.held.clone(), Instant::now()));
        }
        known
    }
}

impl Daemon {
    /// Logs, records and reports a run.
    pub(super) async fn tell(&mut self, document: &Document) {
        let value = report::value(document);
        status(&journal::line(document));
        self.record.ran(clock::now(), &value);
        self.keep_record();
        self.health.ran(document.result == Outcome::Failed);
        if !self.waits.is_known(document, self.config.interval) {
            journal::log(document);
            if let Err(error) = report::keep(&self.session.spool, &value) {
                warn!("{}", chain(error.as_ref()));
            }
        }
        let counted = self.converged.as_ref();
        let counted = counted.is_some_and(|role| role.part.slots.is_some());
        if counted || !document.is_settled() || !document.changes.is_empty() {
            // The server may have noted since that this machine was not as it should be, also of a run by hand.
            self.told = None;
        }
        let news = document.is_settled().then_some(self.running);
        self.untold = news.filter(|news| self.told != Some(*news));
        let contact = self.record.contact.as_ref();
        if contact.is_some_and(|contact| contact.standing == Standing::Away) {
            return;
        }
        let mut stop = self.stop.clone();
        let last_words = async {
            let _ = stop.wait_for(|stop| *stop).await;
            tokio::time::sleep(LAST_WORDS).await;
        };
        tokio::select! {
            () = last_words => {}
            () = self.send_waiting() => {}
        }
    }

    /// The line stands: what waited can go.
    pub(super) async fn send_waiting(&mut self) {
        if let Err(error) = report::flush(&self.session.server, &self.session.spool).await {
            warn!("{}", chain(error.as_ref()));
        }
        let Some(news) = self.untold else { return };
        match self.session.server.settle(news).await {
            Ok(()) => (self.told, self.untold) = (self.untold, None),
            Err(CallError::Away { .. }) => {}
            Err(error) => {
                self.untold = None;
                warn!("{}", chain(&error));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use cfg_catalog::plan::Plan;
    use cfg_catalog::plan::document::{Done, Failure, Head};

    fn run(held: &[(Why, &str)], failures: &[&str]) -> Document {
        let id = || "service:web".parse().unwrap();
        let held = held.iter().map(|(why, detail)| Held {
            resource: id(),
            why: *why,
            detail: (*detail).into(),
        });
        let failures = failures.iter().map(|why| Failure::of(&id(), *why));
        let done = Done {
            held: held.collect(),
            failures: failures.collect(),
            ..Done::default()
        };
        Document::of_run(Head::default(), &Plan::default(), done)
    }

    #[test]
    fn who_waits_for_a_slot_alone_is_soon_back() {
        for (held, failures, soon) in [
            (vec![(Why::Slot, "x")], vec![], true),
            (vec![(Why::Slot, "x"), (Why::Cohort, "x")], vec![], true),
            (vec![(Why::Cohort, "x")], vec![], false),
            (vec![(Why::Slot, "x")], vec!["y"], false),
            (vec![], vec![], false),
        ] {
            assert_eq!(waits_for_slot(&run(&held, &failures)), soon, "{held:?}");
        }
    }

    #[tokio::test]
    async fn what_is_waited_for_is_told_once_and_again_after_a_while() {
        let hour = Duration::from_secs(3600);
        let mut waits = Waits::default();
        let waiting = |detail| run(&[(Why::Slot, detail)], &[]);
        assert!(!waits.is_known(&waiting("one"), hour));
        assert!(waits.is_known(&waiting("one"), hour));
        assert!(!waits.is_known(&waiting("one"), Duration::ZERO));
        assert!(!waits.is_known(&waiting("two"), hour));
        assert!(!waits.is_known(&run(&[], &[]), hour));
        assert!(
            !waits.is_known(&waiting("two"), hour),
            "something was in between"
        );
    }
}
