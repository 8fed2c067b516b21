//! What the log is told of callers: a few lines a minute about each, and beyond that only how many more there were.
//! So whoever knocks does not decide how fast the disk fills.

use std::collections::HashMap;
use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tracing::{info, warn};

const MINUTE: Duration = Duration::from_secs(60);
/// Lines a minute about one caller.
const ABOUT_ONE: u32 = 20;
/// Lines a minute about all of them.
const ABOUT_ALL: u32 = 200;
/// Callers that are counted apart; more than this only an attack has.
const APART: usize = 1024;

/// Lines about callers, counted for all who hold a clone.
#[derive(Clone, Debug, Default)]
pub struct Told(Arc<Mutex<Minute>>);

#[derive(Debug, Default)]
struct Minute {
    said: u32,
    kept_back: u64,
    by: HashMap<String, u32>,
}

impl Told {
    /// Warns of a caller.
    pub fn warn(&self, who: &str, line: fmt::Arguments<'_>) {
        if self.minute().may_say(who) {
            warn!("{line}");
        }
    }

    /// Tells of a caller what is in order.
    pub fn info(&self, who: &str, line: fmt::Arguments<'_>) {
        if self.minute().may_say(who) {
            info!("{line}");
        }
    }

    /// Sums up each minute, for ever.
    pub async fn sum_up(self) {
        loop {
            tokio::time::sleep(MINUTE).await;
            let minute = std::mem::take(&mut *self.minute());
            if let Some(line) = minute.summary() {
                warn!("{line}");
            }
        }
    }

    fn minute(&self) -> MutexGuard<'_, Minute> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Minute {
    fn may_say(&mut self, who: &str) -> bool {
        let room = self.by.len() < APART;
        let about_one = match self.by.get_mut(who) {
            Some(count) => {
                *count = count.saturating_add(1);
                *count
            }
            None if room => *self.by.entry(who.to_owned()).or_insert(1),
            None => ABOUT_ONE + 1,
        };
        let may = about_one <= ABOUT_ONE && self.said < ABOUT_ALL;
        if may {
            self.said += 1;
        } else {
            self.kept_back += 1;
        }
        may
    }

    fn summary(&self) -> Option<String> {
        let (most, count) = self.by.iter().max_by_key(|(_, count)| **count)?;
        let kept_back = self.kept_back;
        (kept_back > 0).then(|| {
            format!(
                "{kept_back} more lines about callers were left out in the last minute; \
                 {count} of all were about {most}"
            )
        })
    }
}

/// What strangers are told apart by: their address; of IPv6 the network of 64 bits, since one machine has all of it.
pub fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => Ipv6Addr::from_bits(v6.to_bits() & !u128::from(u64::MAX)).into(),
        v4 => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_is_not_all() {
        let mut minute = Minute::default();
        let said = (0..500).filter(|_| minute.may_say("10.0.0.9")).count();
        assert_eq!(said, 20);
        assert!(minute.may_say("node vm-1"), "others are still heard of");
        assert_eq!(
            minute.summary().unwrap(),
            "480 more lines about callers were left out in the last minute; \
             500 of all were about 10.0.0.9"
        );
    }

    #[test]
    fn many_are_bounded_too() {
        let mut minute = Minute::default();
        let said = (0..5000)
            .filter(|at| minute.may_say(&at.to_string()))
            .count();
        assert_eq!(said, 200);
        assert_eq!((minute.by.len(), minute.kept_back), (1024, 4800));
    }

    #[test]
    fn a_quiet_minute_is_not_summed_up() {
        let mut minute = Minute::default();
        assert_eq!(minute.summary(), None);
        assert!((0..20).all(|_| minute.may_say("10.0.0.9")));
        assert_eq!(minute.summary(), None);
    }
}
