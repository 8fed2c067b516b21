//! How long a guest may stay: it asks soon and goes when it has its answer. A place at the door that is held for
//! nothing is one that a machine with a token does not get.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// A guest that has asked nothing, or has had its answer, for so long goes.
pub const IDLE: Duration = Duration::from_secs(10);

/// A visit, until its time is over.
#[derive(Clone, Debug)]
pub struct Visit(Arc<Mutex<Instant>>);

impl Visit {
    /// It begins now, with time for a first request.
    pub fn begin() -> Self {
        Self(Arc::new(Mutex::new(Instant::now() + IDLE)))
    }

    /// A request came that may take this long; it ends later, never sooner.
    pub fn extend(&self, limit: Duration) {
        let mut until = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *until = (*until).max(Instant::now() + limit + IDLE);
    }

    /// Waits for its end.
    pub async fn over(&self) {
        loop {
            let until = self.until();
            tokio::time::sleep_until(until).await;
            if self.until() == until {
                return;
            }
        }
    }

    fn until(&self) -> Instant {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_request_makes_it_longer_and_none_shorter() {
        let visit = Visit::begin();
        let first = visit.until();
        visit.extend(Duration::from_secs(60));
        let longer = visit.until();
        assert!(longer >= first + Duration::from_secs(60));
        visit.extend(Duration::from_secs(1));
        assert_eq!(visit.until(), longer);
    }

    #[tokio::test]
    async fn it_is_over_when_the_last_request_had_its_time() {
        let soon = Duration::from_millis(50);
        let visit = Visit(Arc::new(Mutex::new(Instant::now() + soon)));
        let over = tokio::spawn({
            let visit = visit.clone();
            async move { visit.over().await }
        });
        tokio::task::yield_now().await;
        let until = Instant::now() + soon * 4;
        *visit.0.lock().unwrap() = until;
        over.await.unwrap();
        assert!(Instant::now() >= until);
    }
}
