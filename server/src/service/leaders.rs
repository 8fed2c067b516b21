//! Who says that it leads its role. Where several say so, and only they are behind, none of them has to wait for the others: they would
//! for ever.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// A word counts for so long: who is refused a slot says it again within seconds.
const MINUTE: Duration = Duration::from_secs(60);

/// When each said so last.
#[derive(Clone, Debug, Default)]
pub struct Leaders(Arc<Mutex<HashMap<String, Instant>>>);

impl Leaders {
    /// A machine says whether it leads.
    pub fn say(&self, name: &str, leads: bool) {
        self.say_at(name, leads, Instant::now());
    }

    fn say_at(&self, name: &str, leads: bool, now: Instant) {
        let mut said = self.said();
        match leads {
            true => said.insert(name.to_owned(), now),
            false => said.remove(name),
        };
    }

    /// Whether it said so within the last minute.
    pub fn has(&self, name: &str) -> bool {
        let said = self.said().get(name).copied();
        said.is_some_and(|at| at.elapsed() < MINUTE)
    }

    fn said(&self) -> MutexGuard<'_, HashMap<String, Instant>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_counts_for_a_minute() {
        let leaders = Leaders::default();
        assert!(!leaders.has("zk-1"));
        leaders.say("zk-1", true);
        assert!(leaders.has("zk-1") && !leaders.has("zk-2"));
        leaders.say("zk-1", false);
        assert!(!leaders.has("zk-1"));
        leaders.say_at("zk-1", true, Instant::now() - MINUTE);
        assert!(!leaders.has("zk-1"));
    }
}
