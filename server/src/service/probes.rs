//! Whether machines are healthy, as they say themselves when somebody wants to know. Nothing of it is kept: an answer is worth
//! something for a moment only.

use crate::clock;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::watch;

/// Answers to a number that was asked for less than this ago are good enough.
const FRESH: Duration = Duration::from_secs(1);
/// And for so much longer by each machine of the role: that many are not asked every second.
const FRESH_EACH: Duration = Duration::from_millis(2);

/// What machines are asked, by role.
#[derive(Debug, Default)]
pub struct Probes {
    roles: Mutex<HashMap<String, Arc<Probe>>>,
}

/// What the machines of one role are asked.
#[derive(Debug)]
pub struct Probe {
    number: watch::Sender<u64>,
    answers: watch::Sender<Answers>,
}

#[derive(Debug, Default)]
struct Answers {
    number: u64,
    asked: Option<Instant>,
    healthy: HashMap<String, bool>,
}

impl Probes {
    /// Of this role.
    pub fn of(&self, role: &str) -> Arc<Probe> {
        let mut roles = lock(&self.roles);
        let probe = roles.entry(role.to_owned()).or_insert_with(|| {
            Arc::new(Probe {
                number: watch::Sender::new(0),
                answers: watch::Sender::default(),
            })
        });
        Arc::clone(probe)
    }
}

impl Probe {
    /// The number that is asked for now, and a sign when it rises.
    pub fn number(&self) -> watch::Receiver<u64> {
        self.number.subscribe()
    }

    /// Asks all machines of the role, of which there are so many, unless that was done just now.
    pub fn ask(&self, members: usize) {
        let each = FRESH_EACH.saturating_mul(u32::try_from(members).unwrap_or(u32::MAX));
        let mut asked = None;
        self.answers.send_if_modified(|answers| {
            if answers.asked.is_some_and(|at| at.elapsed() < FRESH + each) {
                return false;
            }
            // Machines take only what rises for a question, also after this server has started again.
            answers.number = clock::now_ms().max(answers.number + 1);
            answers.asked = Some(Instant::now());
            answers.healthy.clear();
            asked = Some(answers.number);
            true
        });
        if let Some(number) = asked {
            self.number.send_replace(number);
        }
    }

    /// A machine says how it is.
    pub fn answer(&self, name: &str, number: u64, healthy: bool) {
        self.answers.send_if_modified(|answers| {
            // Who says again what it has said wakes nobody.
            number == answers.number
                && answers.healthy.insert(name.to_owned(), healthy) != Some(healthy)
        });
    }

    /// What a machine said to the present number.
    pub fn said(&self, name: &str) -> Option<bool> {
        self.answers.borrow().healthy.get(name).copied()
    }

    /// A sign at each answer.
    pub fn answers(&self) -> Signs {
        Signs(self.answers.subscribe())
    }
}

/// Signs that somebody has answered, or was asked anew.
#[derive(Debug)]
pub struct Signs(watch::Receiver<Answers>);

impl Signs {
    /// Waits for the next.
    pub async fn next(&mut self) {
        // The sender lives as long as the server.
        self.0.changed().await.ok();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_counts_for_the_number_that_was_asked_for() {
        let probes = Probes::default();
        let probe = probes.of("zk");
        let number = probe.number();
        assert_eq!(*number.borrow(), 0);
        probe.ask(3);
        let first = *number.borrow();
        assert!(first > 0);
        probe.answer("zk-1", first - 1, true);
        assert_eq!(probe.said("zk-1"), None);
        probe.answer("zk-1", first, true);
        assert_eq!(probes.of("zk").said("zk-1"), Some(true));
        assert_eq!(probes.of("web").said("zk-1"), None);
        probe.ask(3);
        assert_eq!(*number.borrow(), first, "it was asked just now");
    }
}
