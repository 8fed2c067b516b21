//! Which machines have a stream open to this server.

use crate::refusal::Refusal;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// An agent has one; a second while the first is not known to be dead; more is a fault.
const MOST: usize = 4;

/// How many streams each machine has.
#[derive(Clone, Debug, Default)]
pub struct Watching(Arc<Mutex<HashMap<String, usize>>>);

/// One stream, until dropped.
#[derive(Debug)]
pub struct Watcher {
    watching: Watching,
    name: String,
}

impl Watching {
    /// One more.
    ///
    /// # Errors
    /// Where it has too many.
    pub fn add(&self, name: &str) -> Result<Watcher, Refusal> {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.entry(name.to_owned()).or_default();
        if *count >= MOST {
            return Err(Refusal::TooMany("streams"));
        }
        *count += 1;
        Ok(Watcher {
            watching: self.clone(),
            name: name.to_owned(),
        })
    }

    /// Whether this machine has one.
    pub fn is_connected(&self, name: &str) -> bool {
        let counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        counts.contains_key(name)
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        let counts = &self.watching.0;
        let mut counts = counts.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = counts.get_mut(&self.name) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&self.name);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counted() {
        let watching = Watching::default();
        let held: Vec<Watcher> = (0..MOST).map(|_| watching.add("vm-1").unwrap()).collect();
        assert!(watching.add("vm-1").is_err());
        assert!(watching.add("vm-2").is_ok());
        assert!(watching.is_connected("vm-1"));
        drop(held);
        assert!(!watching.is_connected("vm-1"));
    }
}
