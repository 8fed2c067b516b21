//! The one task that writes the log. Decisions that wait together go into one entry.

use super::replay::{self, Position};
use super::{Entry, LogError, SNAPSHOT_EVERY, entry_path, sealed, snapshot_path};
use crate::clock;
use crate::refusal::Refusal;
use crate::state::State;
use crate::state::event::{Event, Record};
use crate::store::{Created, Store};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::MissedTickBehavior;
use tracing::{info, warn};

/// How often another server's entries are looked for.
const POLL: Duration = Duration::from_secs(1);
/// The most decisions in one entry.
const BATCH: usize = 256;
/// Older snapshots than the last few are removed.
const SNAPSHOTS_KEPT: usize = 3;

/// What the writer is asked for.
pub(super) enum Work {
    Commit(Box<dyn Proposal>),
    CatchUp(oneshot::Sender<Result<(), Refusal>>),
}

/// A decision that waits to be made and acknowledged.
pub(super) trait Proposal: Send {
    /// Decides on this state; keeps the answer for later.
    fn decide(&mut self, state: &State) -> Result<Vec<Event>, ()>;
    /// Who asks.
    fn by(&self) -> &str;
    /// Gives the answer; an error takes its place.
    fn answer(self: Box<Self>, outcome: Result<(), Refusal>);
}

type Decide<T> = Box<dyn FnMut(&State) -> Result<(Vec<Event>, T), Refusal> + Send>;

/// A [`Proposal`] with an answer of type T.
pub(super) struct Pending<T> {
    pub by: String,
    pub decide: Decide<T>,
    pub decided: Option<Result<T, Refusal>>,
    pub reply: oneshot::Sender<Result<T, Refusal>>,
}

impl<T: Send> Proposal for Pending<T> {
    fn decide(&mut self, state: &State) -> Result<Vec<Event>, ()> {
        match (self.decide)(state) {
            Ok((events, value)) => {
                self.decided = Some(Ok(value));
                Ok(events)
            }
            Err(refusal) => {
                self.decided = Some(Err(refusal));
                Err(())
            }
        }
    }

    fn by(&self) -> &str {
        &self.by
    }

    fn answer(self: Box<Self>, outcome: Result<(), Refusal>) {
        let answer = match (outcome, self.decided) {
            (Ok(()), Some(decided)) => decided,
            // A refusal on a state that may be old is none.
            (Err(error), _) => Err(error),
            (Ok(()), None) => Err(Refusal::Stopping),
        };
        // A caller that went away wants no answer.
        drop(self.reply.send(answer));
    }
}

/// Who lets members come and go.
const STEPS: &str = "cfg-server";

/// Folds events in, as their doer's.
fn add(
    state: &mut State,
    records: &mut Vec<Record>,
    by: &str,
    events: Vec<Event>,
) -> Result<(), LogError> {
    for event in events {
        let record = Record {
            at: clock::now(),
            by: by.to_owned(),
            event,
        };
        state.fold(&record).map_err(|source| LogError::Misfit {
            path: "a decision".into(),
            source,
        })?;
        records.push(record);
    }
    Ok(())
}

/// What became of an entry.
enum Appended {
    Ours,
    /// Another server's entry has the number.
    Theirs,
}

pub(super) struct Writer {
    store: Store,
    position: Position,
    publish: watch::Sender<Arc<State>>,
    /// The entry of the last snapshot that was written or found due.
    snapshot: u64,
    /// The trouble that was last logged, so that it is logged once.
    trouble: Option<String>,
}

impl Writer {
    pub(super) fn new(
        store: Store,
        position: Position,
        publish: watch::Sender<Arc<State>>,
    ) -> Self {
        let snapshot = position.number / SNAPSHOT_EVERY * SNAPSHOT_EVERY;
        Self {
            store,
            position,
            publish,
            snapshot,
            trouble: None,
        }
    }

    /// Works until nobody can ask any more.
    pub(super) async fn run(mut self, mut work: mpsc::Receiver<Work>) {
        let mut poll = tokio::time::interval(POLL);
        poll.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut batch = Vec::with_capacity(BATCH);
        loop {
            tokio::select! {
                count = work.recv_many(&mut batch, BATCH) => match count {
                    0 => return,
                    _ => self.serve(std::mem::take(&mut batch)).await,
                },
                _ = poll.tick() => {
                    let outcome = self.catch_up().await;
                    self.note(&outcome);
                }
            }
            self.keep_short().await;
        }
    }

    async fn serve(&mut self, batch: Vec<Work>) {
        let mut proposals = Vec::new();
        let mut waiting = Vec::new();
        for work in batch {
            match work {
                Work::Commit(proposal) => proposals.push(proposal),
                Work::CatchUp(reply) => waiting.push(reply),
            }
        }
        let mut level = false;
        if !waiting.is_empty() {
            let outcome = self.catch_up().await;
            self.note(&outcome);
            level = outcome.is_ok();
            let outcome = outcome.map(drop).map_err(Refusal::from);
            for reply in waiting {
                drop(reply.send(outcome.clone()));
            }
        }
        if !proposals.is_empty() {
            let outcome = self.settle(&mut proposals, level).await;
            self.note(&outcome);
            let outcome = outcome.map_err(Refusal::from);
            for proposal in proposals {
                proposal.answer(outcome.clone());
            }
        }
    }

    /// Decides all, writes what was decided, and decides again wherever the state turns out to be old.
    async fn settle(
        &mut self,
        proposals: &mut [Box<dyn Proposal>],
        mut level: bool,
    ) -> Result<(), LogError> {
        loop {
            let (records, state, refused) = self.decide(proposals)?;
            if refused && !level {
                level = true;
                if self.catch_up().await? {
                    continue;
                }
            }
            if records.is_empty() {
                return Ok(());
            }
            match self.append(records, state).await? {
                Appended::Ours => return Ok(()),
                Appended::Theirs => level = self.catch_up().await.map(|_| true)?,
            }
        }
    }

    /// All decisions, each on the state that the ones before it leave.
    fn decide(
        &self,
        proposals: &mut [Box<dyn Proposal>],
    ) -> Result<(Vec<Record>, State, bool), LogError> {
        let mut state = self.position.state.clone();
        let mut records = Vec::new();
        let mut refused = false;
        for proposal in proposals {
            let Ok(events) = proposal.decide(&state) else {
                refused = true;
                continue;
            };
            add(&mut state, &mut records, proposal.by(), events)?;
        }
        while !records.is_empty() {
            let steps = state.steps();
            if steps.is_empty() {
                break;
            }
            add(&mut state, &mut records, STEPS, steps)?;
        }
        Ok((records, state, refused))
    }

    async fn append(&mut self, records: Vec<Record>, state: State) -> Result<Appended, LogError> {
        let number = self.position.number + 1;
        let entry = Entry {
            format: sealed::FORMAT,
            number,
            previous: self.position.digest,
            nonce: nonce(),
            records,
        };
        let path = entry_path(number);
        let (digest, bytes) = sealed::seal(&entry)?;
        // After an error the entry may be there or may yet come: nobody is told that it is, and if it is, it
        // is read like anybody else's.
        let created = self.store.create(&path, bytes.clone()).await?;
        // A client of a store that tries again after a lost answer finds its own entry there.
        if created == Created::Before && self.store.read(&path).await? != Some(bytes) {
            return Ok(Appended::Theirs);
        }
        self.position = Position {
            number,
            digest: Some(digest),
            state,
        };
        self.publish
            .send_replace(Arc::new(self.position.state.clone()));
        Ok(Appended::Ours)
    }

    /// Reads what others wrote; whether there was anything.
    async fn catch_up(&mut self) -> Result<bool, LogError> {
        let before = self.position.number;
        let outcome = self.read_on().await;
        let moved = self.position.number > before;
        if moved {
            self.publish
                .send_replace(Arc::new(self.position.state.clone()));
        }
        outcome.map(|()| moved)
    }

    async fn read_on(&mut self) -> Result<(), LogError> {
        while let Some(next) = self.position.next(&self.store).await? {
            self.position = self.position.clone().after(next)?;
        }
        Ok(())
    }

    /// Writes a snapshot where one is due. Every server on the store would write the same, so whose it is
    /// does not matter, and neither does one that fails.
    async fn keep_short(&mut self) {
        let due = self.position.number / SNAPSHOT_EVERY * SNAPSHOT_EVERY;
        if due <= self.snapshot {
            return;
        }
        self.snapshot = due;
        if let Err(error) = self.write_snapshot().await {
            warn!("no snapshot was written: {error}");
        }
    }

    async fn write_snapshot(&self) -> Result<(), LogError> {
        let Some(bytes) = self.position.snapshot()? else {
            return Ok(());
        };
        let path = snapshot_path(self.position.number);
        self.store.write(&path, bytes).await?;
        let numbers = replay::snapshots(&self.store).await?;
        for old in numbers.iter().rev().skip(SNAPSHOTS_KEPT) {
            self.store.remove(&snapshot_path(*old)).await?;
        }
        Ok(())
    }

    /// Logs a trouble once, and its end.
    fn note<T>(&mut self, outcome: &Result<T, LogError>) {
        match outcome {
            Ok(_) => {
                if self.trouble.take().is_some() {
                    info!("the store answers again");
                }
            }
            Err(error) => {
                let text = error.to_string();
                if self.trouble.as_ref() != Some(&text) {
                    warn!("the store: {text}");
                    self.trouble = Some(text);
                }
            }
        }
    }
}

fn nonce() -> String {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).expect("getrandom(2) cannot fail once the machine has booted");
    hex::encode(bytes)
}
