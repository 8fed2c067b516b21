//! The log: what happened, in numbered entries of the store, each created once and never changed.
//!
//! A batch of events is acknowledged once entry N is created. Whoever finds N taken, because another
//! server on the same store wrote it, reads N, folds it in, and decides again on the new state.

#[cfg(test)]
mod faults;
mod replay;
mod sealed;
mod writer;

use crate::refusal::Refusal;
use crate::state::event::{Event, Record};
use crate::state::{Misfit, State};
use crate::store::{Store, StoreError};
use cfg_catalog::chain;
use cfg_catalog::digest::Digest;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use tokio::sync::{mpsc, oneshot, watch};
use writer::{Pending, Work, Writer};

/// How many entries a snapshot saves a start from reading.
const SNAPSHOT_EVERY: u64 = 256;
/// Decisions that wait for the writer; more callers than this wait for their turn to wait.
const QUEUE: usize = 1024;

/// One entry, sealed in the store.
#[derive(Debug, Serialize, Deserialize)]
struct Entry {
    format: u32,
    number: u64,
    /// The digest of the entry before: two histories cannot be mixed unseen.
    previous: Option<Digest>,
    /// Random: tells a writer whose answer was lost that the entry is its own.
    nonce: String,
    records: Vec<Record>,
}

/// The state after an entry, sealed in the store.
#[derive(Debug, Serialize, Deserialize)]
struct Snapshot {
    format: u32,
    /// The entry's number.
    number: u64,
    /// The entry's digest.
    digest: Digest,
    state: State,
}

fn entry_path(number: u64) -> String {
    format!("log/{number:020}")
}

fn snapshot_path(number: u64) -> String {
    format!("snapshot/{number:020}")
}

/// The log cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The store fails.
    // Callers get one line: the error with all that it comes from.
    #[error("{}", chain(.0))]
    Store(#[from] StoreError),
    /// A sealed document is not whole.
    #[error("{path} is damaged: {why}; restore it from a backup, nothing was changed")]
    Damaged {
        /// Which.
        path: String,
        /// How that is known.
        why: String,
    },
    /// What an entry names is not there.
    #[error("{path} is missing; restore it from a backup")]
    Lost {
        /// Which.
        path: String,
    },
    /// An entry is missing between others.
    #[error("{path} is missing, and later entries are there; restore it from a backup")]
    Missing {
        /// Which.
        path: String,
    },
    /// A newer version wrote it.
    #[error("{path} is of format {format}, written by a newer version: upgrade cfg-server")]
    Newer {
        /// Which.
        path: String,
        /// Its format.
        format: u32,
    },
    /// An entry does not belong here.
    #[error("{path} is damaged")]
    Misfit {
        /// Which.
        path: String,
        /// Why.
        source: Misfit,
    },
    /// A bug.
    #[error("an entry cannot be written as JSON")]
    Unwritable(serde_json::Error),
}

/// The log of one store, with the state that it folds to.
#[derive(Clone, Debug)]
pub struct Log {
    queue: mpsc::Sender<Work>,
    states: watch::Receiver<Arc<State>>,
}

impl Log {
    /// Reads the newest snapshot and what follows, and follows from then on.
    ///
    /// # Errors
    /// Where the store fails, or the log in it is damaged.
    pub async fn open(store: Store) -> Result<Self, LogError> {
        let position = replay::all(&store).await?;
        let (publish, states) = watch::channel(Arc::new(position.state.clone()));
        let (queue, work) = mpsc::channel(QUEUE);
        tokio::spawn(Writer::new(store, position, publish).run(work));
        Ok(Self { queue, states })
    }

    /// The state as this server knows it; another server may be a second ahead.
    pub fn state(&self) -> Arc<State> {
        self.states.borrow().clone()
    }

    /// The state, and a sign at each change.
    pub fn subscribe(&self) -> watch::Receiver<Arc<State>> {
        self.states.clone()
    }

    /// Decides on the newest state and has the events acknowledged. `decide` may be called several times;
    /// a refusal counts only on a state that is level with the store.
    ///
    /// # Errors
    /// The refusal, or that the store does not answer: whether the events are in it is then unknown, and
    /// the same request may be made again.
    pub async fn commit<T: Send + 'static>(
        &self,
        by: impl Into<String>,
        mut decide: impl FnMut(&State) -> Result<(Vec<Event>, T), Refusal> + Send + 'static,
    ) -> Result<T, Refusal> {
        let (reply, answer) = oneshot::channel();
        let pending = Pending {
            by: by.into(),
            decide: Box::new(move |state| {
                let (events, value) = decide(state)?;
                Ok((events, value))
            }),
            decided: None,
            reply,
        };
        self.send(Work::Commit(Box::new(pending))).await?;
        answer.await.map_err(|_| Refusal::Stopping)?
    }

    /// The state once it is level with the store.
    ///
    /// # Errors
    /// Where the store does not answer, or the log in it is damaged.
    pub async fn level(&self) -> Result<Arc<State>, Refusal> {
        let (reply, answer) = oneshot::channel();
        self.send(Work::CatchUp(reply)).await?;
        answer.await.map_err(|_| Refusal::Stopping)??;
        Ok(self.state())
    }

    /// Looks something up; a refusal counts only on a state that is level with the store, since another
    /// server may have let the caller in a moment ago.
    ///
    /// # Errors
    /// The refusal, or that the store does not answer.
    pub async fn look<T>(&self, look: impl Fn(&State) -> Result<T, Refusal>) -> Result<T, Refusal> {
        let now = look(&self.state());
        if now.is_ok() {
            return now;
        }
        look(&*self.level().await?)
    }

    async fn send(&self, work: Work) -> Result<(), Refusal> {
        self.queue.send(work).await.map_err(|_| Refusal::Stopping)
    }
}
