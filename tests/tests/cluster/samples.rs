//! When a service was down, by what was seen of it at instants.

/// What was seen of a master at an instant.
#[derive(Clone, Copy, Debug)]
pub struct Sample {
    pub at: f64,
    pub zookeeper: Seen,
    pub mesos: Seen,
}

/// What was seen of a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seen {
    /// It does what it is for.
    Serves,
    /// Somebody is there, or cannot be reached: an election that another one's end brought about, a loaded machine, a cut.
    Silent,
    /// Nobody listens.
    Off,
}

/// From when to when a service was down, both ends seen.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Stretch {
    pub from: f64,
    pub to: f64,
}

/// An election among those that run is done in less, also where it waits for two connections to members that are not there, the one
/// that restarts and one that boots yet: 5 s each (`zookeeper.cnxTimeout`).
const ELECTION: f64 = 12.0;

/// All of its stretches. It is down from when nobody listens, or when it was silent for longer than an election takes, until
/// it serves. Before it served for the first time it is not down.
pub fn stretches(samples: impl IntoIterator<Item = (f64, Seen)>) -> Vec<Stretch> {
    let mut found: Vec<Stretch> = Vec::new();
    let mut served = None;
    let mut open: Option<Stretch> = None;
    for (at, seen) in samples {
        if seen == Seen::Serves {
            served = Some(at);
            found.extend(open.take());
            continue;
        }
        let Some(last) = served else { continue };
        let goes = seen == Seen::Off || at - last > ELECTION;
        match &mut open {
            Some(stretch) => stretch.to = at,
            None if goes => open = Some(Stretch { from: at, to: at }),
            None => {}
        }
    }
    found.extend(open);
    found
}

#[cfg(test)]
mod tests {
    use super::Seen::{Off, Serves, Silent};
    use super::*;

    fn at_seconds(seen: &[Seen]) -> Vec<(f64, f64)> {
        let samples = (0_u8..).map(f64::from).zip(seen.iter().copied());
        let found = stretches(samples).into_iter();
        found.map(|stretch| (stretch.from, stretch.to)).collect()
    }

    #[test]
    fn down_is_from_its_end_until_it_serves() {
        let seen = [Off, Silent, Serves, Off, Off, Silent, Serves, Off, Serves];
        assert_eq!(at_seconds(&seen), [(3.0, 5.0), (7.0, 7.0)]);
    }

    #[test]
    fn an_election_is_not_down_and_a_long_silence_is() {
        assert_eq!(at_seconds(&[Serves, Silent, Silent, Serves]), []);
        let mut seen = [Silent; 18];
        seen[0] = Serves;
        assert_eq!(at_seconds(&seen), [(13.0, 17.0)]);
    }
}
