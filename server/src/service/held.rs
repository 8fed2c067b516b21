//! What each caller has open at this server, and how much of it may be.

use crate::refusal::Refusal;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// How many of one kind each caller has open.
#[derive(Clone, Debug)]
pub struct Held {
    what: &'static str,
    most: usize,
    counts: Arc<Mutex<HashMap<String, usize>>>,
}

/// One of them, until dropped.
#[derive(Debug)]
pub struct Hold {
    held: Held,
    name: String,
}

impl Held {
    /// A kind, and how many of it one caller may have.
    pub fn new(what: &'static str, most: usize) -> Self {
        Self {
            what,
            most,
            counts: Arc::default(),
        }
    }

    /// One more.
    ///
    /// # Errors
    /// Where it has too many.
    pub fn add(&self, name: &str) -> Result<Hold, Refusal> {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.entry(name.to_owned()).or_default();
        if *count >= self.most {
            return Err(Refusal::TooMany(self.what));
        }
        *count += 1;
        Ok(Hold {
            held: self.clone(),
            name: name.to_owned(),
        })
    }

    /// Whether this caller has one.
    pub fn has(&self, name: &str) -> bool {
        let counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        counts.contains_key(name)
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        let counts = &self.held.counts;
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
        let held = Held::new("streams", 3);
        let some: Vec<Hold> = (0..3).map(|_| held.add("vm-1").unwrap()).collect();
        let refusal = held.add("vm-1").unwrap_err();
        assert_eq!(refusal.to_string(), "too many streams at once");
        assert!(held.add("vm-2").is_ok());
        assert!(held.has("vm-1") && !held.has("vm-2"));
        drop(some);
        assert!(!held.has("vm-1"));
    }
}
