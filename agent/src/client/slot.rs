//! A slot of the server: taken for one run, kept from the side while that lasts, and given back.

use super::channel::CallError;
use super::server::{Server, Wanted};
use crate::run::slot::{Accord, NoSlot, Slot};
use cfg_catalog::chain;
use cfg_wire::News;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime};
use tokio::runtime::Handle;
use tokio::task::JoinHandle;
use tonic::Code;
use tracing::{debug, warn};

/// Between two tries of a server that is away, while the slot lasts.
const RETRY: Duration = Duration::from_secs(1);

/// So long a run waits until the server has heard that it is over; the slot ends by itself anyway.
const LAST_WORDS: Duration = Duration::from_secs(10);

/// As much of the server's words as is kept.
const MOST_WORDS: usize = 500;

/// The server as the one who gives slots for one role at one moment.
pub struct Slots {
    server: Server,
    news: News,
    runtime: Handle,
}

impl Slots {
    /// For a run of what was current at these news. To be called where asynchronous tasks run, and used where they do
    /// not: runs block.
    pub fn of(server: &Server, news: News) -> Self {
        Self {
            server: server.clone(),
            news,
            runtime: Handle::current(),
        }
    }

    fn ask(&self, wanted: Wanted) -> Result<Box<dyn Slot>, NoSlot> {
        // The server's count begins later.
        let asked = Moment::now();
        let reply = self
            .runtime
            .block_on(self.server.take_slot(self.news, wanted));
        let reply = reply.map_err(|error| refusal(&error))?;
        if !reply.refused.is_empty() {
            return Err(NoSlot::Refused(bounded(&reply.refused)));
        }
        let lease = Arc::new(Lease {
            length: Duration::from_secs(reply.lease_seconds.max(1).into()),
            since: Mutex::new(Some(asked)),
        });
        let fence = reply.fence;
        debug!("slot {fence} for {:?}", lease.length);
        let keeper = self
            .runtime
            .spawn(keep(self.server.clone(), fence, lease.clone()));
        Ok(Box::new(Taken {
            server: self.server.clone(),
            fence,
            lease,
            keeper,
            runtime: self.runtime.clone(),
        }))
    }
}

impl Accord for Slots {
    fn take(&self, leads: bool) -> Result<Box<dyn Slot>, NoSlot> {
        self.ask(Wanted::Full { leads })
    }

    fn mend(&self) -> Result<Box<dyn Slot>, NoSlot> {
        self.ask(Wanted::Mending)
    }
}

/// Why there is no slot, where the server did not say so itself.
fn refusal(error: &CallError) -> NoSlot {
    let why = match error {
        CallError::Away { .. } => {
            debug!("{}", chain(error));
            return NoSlot::Away;
        }
        CallError::Said {
            code: Code::Unimplemented,
            ..
        } => "the server has no slots: upgrade it".into(),
        CallError::Said { message, .. } | CallError::Refused(message) => bounded(message),
    };
    NoSlot::Refused(why)
}

fn bounded(words: &str) -> String {
    words.chars().take(MOST_WORDS).collect()
}

struct Taken {
    server: Server,
    fence: u64,
    lease: Arc<Lease>,
    keeper: JoinHandle<()>,
    runtime: Handle,
}

impl Slot for Taken {
    fn is_held(&self) -> bool {
        self.lease.is_held()
    }

    fn give(&mut self, healthy: bool) {
        self.keeper.abort();
        let (server, fence) = (self.server.clone(), self.fence);
        // The run waits for a while; a daemon goes on trying until the slot has ended anyway.
        let given = tokio::time::timeout(self.lease.length, give(server, fence, healthy));
        let (runtime, given) = (&self.runtime, self.runtime.spawn(given));
        let limited = async { tokio::time::timeout(LAST_WORDS, given).await };
        if runtime.block_on(limited).is_err() {
            warn!("the slot is not given back yet: the server is not reached");
        }
    }
}

/// Tries until the server has heard it.
async fn give(server: Server, fence: u64, healthy: bool) {
    while let Err(error) = server.give_slot(fence, healthy).await {
        if !matches!(error, CallError::Away { .. }) {
            warn!("the slot is not given back: {}", chain(&error));
            return;
        }
        tokio::time::sleep(RETRY).await;
    }
}

/// How long a slot is known to last.
struct Lease {
    length: Duration,
    /// The last word on it was asked for then; none where it is lost, for good.
    since: Mutex<Option<Moment>>,
}

impl Lease {
    fn since(&self) -> std::sync::MutexGuard<'_, Option<Moment>> {
        self.since
            .lock()
            .unwrap_or_else(|broken| broken.into_inner())
    }

    fn is_held(&self) -> bool {
        let mut since = self.since();
        *since = since.filter(|since| since.is_within(self.length));
        since.is_some()
    }

    /// It lasts from this moment on, unless it is lost already.
    fn renew(&self, asked: Moment) {
        if self.is_held() {
            *self.since() = Some(asked);
        }
    }

    fn lose(&self) {
        *self.since() = None;
    }
}

/// A moment by two clocks: one never jumps, the other goes on while the machine sleeps.
#[derive(Clone, Copy)]
struct Moment {
    steady: Instant,
    wall: SystemTime,
}

impl Moment {
    fn now() -> Self {
        Self {
            steady: Instant::now(),
            wall: SystemTime::now(),
        }
    }

    /// Whether it is less than so long ago, by either.
    fn is_within(&self, length: Duration) -> bool {
        let wall = self.wall.elapsed().unwrap_or_default();
        self.steady.elapsed() < length && wall < length
    }
}

/// Has a slot last longer, until it is lost or this is aborted.
async fn keep(server: Server, fence: u64, lease: Arc<Lease>) {
    let third = lease.length / 3;
    let mut pause = third;
    while lease.is_held() {
        tokio::time::sleep(pause).await;
        let asked = Moment::now();
        pause = match server.keep_slot(fence, third).await {
            Ok(()) => {
                lease.renew(asked);
                third
            }
            Err(error @ CallError::Away { .. }) => {
                debug!("the slot is not kept: {}", chain(&error));
                RETRY.min(third)
            }
            Err(error) => {
                warn!("the slot is lost: {}", chain(&error));
                lease.lose();
                return;
            }
        };
    }
    warn!(
        "the slot is lost: the server was not reached for {:?}",
        lease.length
    );
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::channel::Lack;

    fn lease(length: Duration) -> Lease {
        Lease {
            length,
            since: Mutex::new(Some(Moment::now())),
        }
    }

    #[test]
    fn what_is_lost_stays_lost() {
        let held = lease(Duration::from_secs(3600));
        assert!(held.is_held());
        held.renew(Moment::now());
        assert!(held.is_held());
        held.lose();
        held.renew(Moment::now());
        assert!(!held.is_held());

        let over = lease(Duration::ZERO);
        over.renew(Moment::now());
        assert!(!over.is_held());
    }

    #[test]
    fn it_is_as_old_as_the_older_of_two_clocks_says() {
        let hour = Duration::from_secs(3600);
        let slept = Moment {
            steady: Instant::now(),
            wall: SystemTime::now() - hour * 2,
        };
        assert!(!slept.is_within(hour));
        let set_back = Moment {
            steady: Instant::now(),
            wall: SystemTime::now() + hour * 2,
        };
        assert!(set_back.is_within(hour));
    }

    #[test]
    fn why_there_is_no_slot() {
        let said = |code| {
            let refused = refusal(&CallError::Said {
                code,
                message: "vm-2 holds it".into(),
            });
            assert!(matches!(refused, NoSlot::Refused(_)), "{refused:?}");
            refused.to_string()
        };
        assert_eq!(
            said(Code::Unimplemented),
            "the server has no slots: upgrade it"
        );
        assert_eq!(said(Code::FailedPrecondition), "vm-2 holds it");
        let away = CallError::Away {
            url: "https://h".into(),
            why: "refused".into(),
            lack: Lack::Unreached,
        };
        assert_eq!(refusal(&away), NoSlot::Away);
        let long = CallError::Refused("x".repeat(10_000));
        assert_eq!(refusal(&long).to_string().len(), MOST_WORDS);
    }
}
