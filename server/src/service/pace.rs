//! How often a member may do within a minute what goes into the log for good: often enough for each that means it, and too seldom for one
//! that does not to fill the disk.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

const MINUTE: Duration = Duration::from_secs(60);

type Turns = HashMap<String, Vec<Instant>>;

/// Turns of each in the last minute.
#[derive(Debug)]
pub struct Pace {
    most: usize,
    turns: Mutex<Turns>,
}

impl Pace {
    /// So many turns a minute for each.
    pub fn new(most: usize) -> Self {
        Self {
            most,
            turns: Mutex::default(),
        }
    }

    /// Takes a turn, if there is one.
    pub fn begin(&self, who: &str) -> bool {
        self.begin_at(who, Instant::now())
    }

    fn begin_at(&self, who: &str, now: Instant) -> bool {
        let mut all = self.lately(now);
        let turns = all.entry(who.to_owned()).or_default();
        let may = turns.len() < self.most;
        if may {
            turns.push(now);
        }
        may
    }

    /// Whether there is none left.
    pub fn is_over(&self, who: &str) -> bool {
        let all = self.lately(Instant::now());
        all.get(who).is_some_and(|turns| turns.len() >= self.most)
    }

    /// Nothing came of one.
    pub fn undo(&self, who: &str) {
        if let Some(turns) = self.turns().get_mut(who) {
            turns.pop();
        }
    }

    /// Who did nothing within the last minute is forgotten.
    fn lately(&self, now: Instant) -> MutexGuard<'_, Turns> {
        let mut all = self.turns();
        all.retain(|_, turns| {
            turns.retain(|at| now.saturating_duration_since(*at) < MINUTE);
            !turns.is_empty()
        });
        all
    }

    fn turns(&self) -> MutexGuard<'_, Turns> {
        self.turns.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn so_many_turns_a_minute() {
        let pace = Pace::new(2);
        let now = Instant::now();
        let at = |seconds| now + Duration::from_secs(seconds);
        assert!(pace.begin_at("zk-1", at(0)) && pace.begin_at("zk-1", at(30)));
        assert!(!pace.begin_at("zk-1", at(59)));
        assert!(pace.begin_at("zk-2", at(59)), "each has its own");
        assert!(pace.begin_at("zk-1", at(60)), "the first was a minute ago");
        assert!(!pace.begin_at("zk-1", at(61)));
        pace.undo("zk-1");
        assert!(pace.begin_at("zk-1", at(61)), "nothing came of one");
        assert!(pace.begin_at("zk-2", at(500)));
        assert_eq!(pace.turns().len(), 1, "who did nothing lately is forgotten");
        let once = Pace::new(1);
        assert!(!once.is_over("zk-1") && once.begin("zk-1") && once.is_over("zk-1"));
    }
}
