//! How old slots are, by a clock that is never set: no step of this server's clock, and no other server's, ends one early or keeps
//! one long. One that was there when this server started counts from then.

use crate::state::State;
use crate::state::slot::Slot;
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::watch;

/// When it was heard of each slot that it was taken or kept, by the count of events that says when that was.
#[derive(Clone, Debug, Default)]
pub struct Leases(Arc<Mutex<HashMap<u64, Instant>>>);

impl Leases {
    /// Listens until the log ends.
    pub async fn listen(self, mut states: watch::Receiver<Arc<State>>) {
        loop {
            let state = states.borrow_and_update().clone();
            self.hear(&state, Instant::now());
            if states.changed().await.is_err() {
                return;
            }
        }
    }

    fn hear(&self, state: &State, now: Instant) {
        let renewed: HashSet<u64> = state.slots.values().map(|slot| slot.renewed).collect();
        let mut heard = self.heard();
        heard.retain(|known, _| renewed.contains(known));
        for new in renewed {
            heard.entry(new).or_insert(now);
        }
    }

    /// How old a slot is. One that was not heard of yet is new.
    pub fn age(&self, slot: &Slot) -> Duration {
        let heard = self.heard().get(&slot.renewed).copied();
        heard.map_or(Duration::ZERO, |at| at.elapsed())
    }

    fn heard(&self) -> MutexGuard<'_, HashMap<u64, Instant>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::tests::{began, enrol, make_token, role};

    /// A machine with a slot, which a server gave whose clock stood anywhere.
    fn one(clock: u64) -> State {
        let mut state = began();
        make_token(&mut state, "t", role("zk"), 1, 60);
        enrol(&mut state, "t", "zk-1", "k").unwrap();
        says(&mut state, clock, "taken", r#""fence":7,"until":61"#);
        state
    }

    fn says(state: &mut State, clock: u64, what: &str, more: &str) {
        let line = format!(
            r#"{{"at":{clock},"by":"node zk-1","event":"slot_{what}","name":"zk-1",{more}}}"#
        );
        state.fold(&serde_json::from_str(&line).unwrap()).unwrap();
    }

    #[test]
    fn what_a_clock_says_ends_no_lease_and_keeps_none() {
        let (before, late) = (Duration::from_secs(50), Duration::from_secs(70));
        for clock in [1, u64::MAX / 2] {
            let mut state = one(clock);
            let leases = Leases::default();
            let is_held = |state: &State| {
                let slot = state.slots["zk-1"];
                slot.is_held(leases.age(&slot))
            };
            assert!(is_held(&state), "nobody heard of it yet");
            leases.hear(&state, Instant::now() - before);
            assert!(is_held(&state), "its time is not over");
            says(&mut state, clock, "kept", r#""until":61"#);
            leases.hear(&state, Instant::now() - late);
            assert!(!is_held(&state), "its time is over");
            leases.hear(&state, Instant::now());
            assert!(!is_held(&state), "nothing new was heard");
            says(&mut state, clock, "kept", r#""until":61"#);
            leases.hear(&state, Instant::now());
            assert!(is_held(&state), "it was kept");
            assert_eq!(leases.heard().len(), 1);
        }
    }
}
