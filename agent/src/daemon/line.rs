//! The line to the server, and what is noted of how it stands.

use super::Daemon;
use super::health::Standing as Health;
use crate::client::assignment::Assignment;
use crate::client::probe::answer;
use crate::client::record::{Contact, Standing};
use crate::client::sync::SyncError;
use crate::client::watch::{Line, follow};
use crate::clock;
use std::sync::Arc;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tracing::{info, warn};

/// The task that keeps the line, and the facts that it said.
pub(super) struct Follower {
    task: JoinHandle<()>,
    facts: Vec<u8>,
}

impl Drop for Follower {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Daemon {
    /// Keeps a line that has said these facts, and answers on it whoever asks for this machine's health: beside a run, too.
    pub(super) fn follow(&mut self, facts: Vec<u8>) {
        if let Some(old) = &self.follower
            && old.facts == facts
            && !old.task.is_finished()
        {
            return;
        }
        let (says, heard) = watch::channel(Line::Dialling);
        let (probes, asked) = watch::channel(0);
        let (server, said) = (self.session.server.clone(), facts.clone());
        let health = Arc::clone(&self.health);
        let breaks = Arc::clone(&self.breaks);
        let task = tokio::spawn(async move {
            let healthy = || Health::ask(Arc::clone(&health));
            let line = follow(server.clone(), said, (says, probes), breaks);
            tokio::join!(line, answer(server, asked, healthy));
        });
        self.heard = heard;
        self.follower = Some(Follower { task, facts });
    }

    /// The line broke: the standing is what the server, or its absence, has now answered.
    pub(super) fn note_broken(&mut self, standing: Standing, why: &str) {
        let before = self.record.contact.clone();
        if self.record.broke(clock::now(), standing, why) {
            self.say_once(why);
            self.answered = self.answered.take().or(before);
            self.keep_record();
        }
    }

    /// The line stands, and says nothing new. Gives whether it was broken until now.
    pub(super) fn note_mended(&mut self) -> bool {
        let Some(answered) = self.answered.take() else {
            return false;
        };
        // The next asking will tell, where the last one got no answer.
        if !matches!(answered.standing, Standing::Away | Standing::Refused) {
            info!("the server is reached");
            self.said = None;
            self.record.mended(clock::now(), answered);
            self.keep_record();
        }
        true
    }

    /// Says each change of the standing once.
    pub(super) fn note_contact(&mut self, asked: &Result<Assignment, SyncError>) {
        self.answered = None;
        let before = self.record.contact.take();
        let outcome = asked.as_ref().map(|_| ());
        self.record
            .asked(clock::now(), outcome, self.session.peer());
        let (before, now) = (before.as_ref(), self.record.contact.as_ref());
        let key = |contact: Option<&Contact>| {
            contact.map(|contact| (contact.standing, contact.why.clone()))
        };
        if key(before) != key(now)
            && let Some(now) = now
        {
            match &now.why {
                None => info!("the server is reached"),
                Some(why) => self.say_once(&why.clone()),
            }
        }
        if asked.is_ok() {
            self.said = None;
        }
        self.keep_record();
    }

    /// A warning, unless it was the last one.
    fn say_once(&mut self, why: &str) {
        if self.said.as_deref() != Some(why) {
            warn!("{why}");
            self.said = Some(why.into());
        }
    }

    pub(super) fn keep_record(&self) {
        if let Err(error) = self.record.store(&self.session.state) {
            warn!("the state folder: {error}");
        }
    }
}
