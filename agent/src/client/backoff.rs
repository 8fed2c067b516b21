//! How long to wait before the next try: longer each time, and never in step with the rest of the fleet.

use std::time::Duration;

/// Waits between `first` and `most`, doubling, each anywhere between half of it and all of it.
#[derive(Clone, Debug)]
pub struct Backoff {
    first: Duration,
    most: Duration,
    next: Duration,
}

impl Backoff {
    /// Begins with `first` and ends with `most`.
    pub fn new(first: Duration, most: Duration) -> Self {
        Self {
            first,
            most,
            next: first,
        }
    }

    /// The next wait; `random` is anywhere in 0..=u32::MAX.
    pub fn wait(&mut self, random: u32) -> Duration {
        let whole = self.next;
        self.next = (whole * 2).min(self.most);
        whole / 2 + share(whole / 2, random)
    }

    /// It worked: begin again.
    pub fn reset(&mut self) {
        self.next = self.first;
    }
}

/// From the end of one run to the next: the interval, and up to the splay more, which is another each time, so that machines
/// that began together do not stay together. `random` is anywhere in 0..=u32::MAX.
pub fn splayed(interval: Duration, splay: Duration, random: u32) -> Duration {
    interval + share(splay, random)
}

/// The share of `whole` that `random` is of `u32::MAX`.
fn share(whole: Duration, random: u32) -> Duration {
    whole.mul_f64(f64::from(random) / f64::from(u32::MAX))
}

/// A number that no other machine has; where the kernel has no randomness, the clock's.
pub fn random() -> u32 {
    getrandom::u32().unwrap_or_else(|_| {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        now.map_or(0, |now| now.subsec_nanos().wrapping_mul(4))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn doubles_to_the_most_within_its_bounds() {
        let second = Duration::from_secs(1);
        for random in [0, u32::MAX / 3, u32::MAX] {
            let mut backoff = Backoff::new(second, second * 60);
            for whole in [1, 2, 4, 8, 16, 32, 60, 60] {
                let wait = backoff.wait(random);
                let whole = second * whole;
                assert!(wait >= whole / 2 && wait <= whole, "{wait:?} of {whole:?}");
            }
            backoff.reset();
            assert!(backoff.wait(random) <= second);
        }
    }

    #[test]
    fn a_splay_spreads_a_fleet_evenly_between_its_bounds() {
        let (interval, splay) = (Duration::from_secs(300), Duration::from_secs(60));
        assert_eq!(splayed(interval, splay, 0), interval);
        assert_eq!(splayed(interval, splay, u32::MAX), interval + splay);
        assert_eq!(splayed(interval, Duration::ZERO, u32::MAX), interval);
        // Six hundred machines that began together: a hundred of them in each ten seconds.
        let mut tens = [0; 6];
        for machine in 0..600 {
            let wait = splayed(interval, splay, u32::MAX / 600 * machine + 7);
            tens[(wait - interval).as_secs() as usize / 10] += 1;
        }
        assert!(
            tens.iter().all(|&count| (99..=101).contains(&count)),
            "{tens:?}"
        );
    }

    #[test]
    fn no_two_machines_have_the_same_number() {
        let numbers: std::collections::BTreeSet<u32> = (0..100).map(|_| random()).collect();
        assert!(numbers.len() > 95, "{numbers:?}");
        // On both sides of the middle.
        let high = numbers
            .iter()
            .filter(|&&number| number > u32::MAX / 2)
            .count();
        assert!((15..=85).contains(&high), "{high} of {}", numbers.len());
    }
}
