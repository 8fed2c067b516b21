//! Whether machines are healthy, as they say themselves when somebody wants to know. Nothing of it is kept: an answer is worth
//! something for a moment only.

use crate::clock;
use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::watch;

/// Answers to a number that was asked for less than this ago are good enough.
const FRESH: Duration = Duration::from_secs(1);
/// And for so much longer by each machine of the role: that many are not asked every second.
const FRESH_EACH: Duration = Duration::from_millis(2);
/// So many numbers are known: more are not asked while anybody waits for an answer to the first of them.
const NUMBERS: usize = 16;

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
    /// The last numbers, ascending, and when each was asked for.
    asked: VecDeque<(u64, Instant)>,
    /// What each machine said last, and to which number.
    said: HashMap<String, (u64, bool)>,
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

    /// Asks all machines of the role, of which there are so many, unless that was done just now. What they say to this number, or
    /// to a later one, is news to who asked.
    pub fn ask(&self, members: usize) -> u64 {
        self.ask_at(members, Instant::now())
    }

    fn ask_at(&self, members: usize, now: Instant) -> u64 {
        let each = FRESH_EACH.saturating_mul(u32::try_from(members).unwrap_or(u32::MAX));
        let (mut number, mut is_new) = (0, false);
        self.answers.send_if_modified(|answers| {
            let last = answers.asked.back().copied();
            if let Some((last, at)) = last
                && now.saturating_duration_since(at) < FRESH + each
            {
                number = last;
                return false;
            }
            // Also after this server has started again it is another one.
            number = clock::now_ms().max(last.map_or(0, |(last, _)| last) + 1);
            is_new = true;
            answers.asked.push_back((number, now));
            if answers.asked.len() > NUMBERS {
                answers.asked.pop_front();
            }
            let first = answers.asked.front().map_or(0, |(first, _)| *first);
            answers.said.retain(|_, (to, _)| *to >= first);
            false
        });
        if is_new {
            self.number.send_replace(number);
        }
        number
    }

    /// A machine says how it is.
    pub fn answer(&self, name: &str, number: u64, healthy: bool) {
        self.answers.send_if_modified(|answers| {
            let was_asked = answers.asked.iter().any(|(asked, _)| *asked == number);
            let last = answers.said.get(name);
            // Who says again what it has said wakes nobody.
            let is_new = last.is_none_or(|last| last.0 < number || *last == (number, !healthy));
            if was_asked && is_new {
                answers.said.insert(name.to_owned(), (number, healthy));
            }
            was_asked && is_new
        });
    }

    /// What a machine said to this number, or to a later one.
    pub fn said(&self, name: &str, number: u64) -> Option<bool> {
        let answers = self.answers.borrow();
        let said = answers.said.get(name).filter(|(to, _)| *to >= number);
        said.map(|(_, healthy)| *healthy)
    }

    /// A sign at each answer.
    pub fn answers(&self) -> Signs {
        Signs(self.answers.subscribe())
    }
}

/// Signs that somebody has answered.
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
        let first = probe.ask(3);
        assert_eq!(*number.borrow(), first);
        for never in [0, first - 1, first + 1, u64::MAX] {
            probe.answer("zk-1", never, true);
            assert_eq!(probe.said("zk-1", first), None, "{never}");
        }
        probe.answer("zk-1", first, true);
        assert_eq!(probes.of("zk").said("zk-1", first), Some(true));
        assert_eq!(probes.of("web").said("zk-1", first), None);
        probe.answer("zk-1", first, false);
        assert_eq!(probe.said("zk-1", first), Some(false), "it is so now");
        assert_eq!(probe.ask(3), first, "it was asked just now");
    }

    #[test]
    fn who_asks_anew_takes_no_answer_from_who_asked_before() {
        let probe = Probes::default().of("zk");
        let now = Instant::now();
        let after = |seconds| now + Duration::from_secs(seconds);
        let first = probe.ask_at(3, now);
        let second = probe.ask_at(3, after(2));
        assert!(second > first);
        // It took its time.
        probe.answer("zk-1", first, true);
        assert_eq!(probe.said("zk-1", first), Some(true));
        assert_eq!(probe.said("zk-1", second), None);
        probe.answer("zk-1", second, false);
        for number in [first, second] {
            assert_eq!(probe.said("zk-1", number), Some(false), "the later counts");
        }
        probe.answer("zk-1", first, true);
        assert_eq!(probe.said("zk-1", first), Some(false), "it came too late");
        // What nobody waits for any more is forgotten.
        let numbers: Vec<u64> = (2..40).map(|at| probe.ask_at(3, after(2 * at))).collect();
        assert!(numbers.is_sorted());
        assert!(probe.answers.borrow().said.is_empty());
        assert_eq!(probe.answers.borrow().asked.len(), NUMBERS);
    }
}
