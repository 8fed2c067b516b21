//! Times that a test, its helpers and all its hosts share: seconds since 1970.

use std::time::{SystemTime, UNIX_EPOCH};

/// Now.
pub fn now() -> f64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0.0, |since| since.as_secs_f64())
}

/// From one time to another.
#[derive(Clone, Copy, Debug)]
pub struct Span {
    pub from: f64,
    pub to: f64,
}

impl Span {
    /// From then until now.
    pub fn since(from: f64) -> Span {
        Span { from, to: now() }
    }

    /// Whether a time lies in it.
    pub fn contains(&self, at: f64) -> bool {
        self.from <= at && at <= self.to
    }

    /// Whether some time lies in both.
    pub fn overlaps(&self, other: &Span) -> bool {
        self.from <= other.to && other.from <= self.to
    }
}
