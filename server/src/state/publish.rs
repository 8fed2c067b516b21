//! Which release is current.

use super::State;
use super::event::{Event, Published, SlotRule};
use crate::refusal::Refusal;
use cfg_catalog::digest::Digest;
use cfg_catalog::release::{Envelope, FORMAT};
use std::collections::{BTreeMap, BTreeSet};

/// A sequence may be left out for what machines have seen before the server was restored: not more of them, as by a slip of the hand.
const MOST_ABOVE: u64 = 1_000_000;

/// What an operator saw as current when publishing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Over {
    /// Just this; none: nothing was published.
    Seen(Option<Digest>),
    /// Whatever it is.
    Anything,
}

/// A release whose every byte is already in the store.
#[derive(Clone, Debug)]
pub struct Candidate {
    /// The digest of its manifest.
    pub release: Digest,
    /// Its roles, and for each the roles whose members it reads.
    pub reads: BTreeMap<String, BTreeSet<String>>,
    /// So many of their own members they wait for.
    pub cohorts: BTreeMap<String, u32>,
    /// How many of their members may be disrupted at a time.
    pub slots: BTreeMap<String, SlotRule>,
    /// After so many seconds unseen their members count no more.
    pub gone_after: BTreeMap<String, u64>,
    /// What it may follow.
    pub over: Over,
    /// Its sequence is to be above this one.
    pub above: u64,
}

impl State {
    /// A release becomes current. The one that is current already stays so, under its sequence, unless that is to be a higher one.
    ///
    /// # Errors
    /// Where another is current than the operator saw, or it lacks a role that machines have; not where it may follow anything. And
    /// where its sequence is to be far above all others.
    pub fn publish(&self, candidate: &Candidate) -> Result<(Vec<Event>, String), Refusal> {
        let current = self.release.as_ref();
        let same = |current: &&Published| {
            current.release == candidate.release && current.sequence > candidate.above
        };
        if let Some(current) = current.filter(same) {
            return Ok((Vec::new(), current.envelope.clone()));
        }
        let previous = current.map(|current| current.release);
        if let Over::Seen(expected) = candidate.over
            && expected != previous
        {
            return Err(Refusal::stale(previous, expected));
        }
        if candidate.over != Over::Anything {
            self.has_all_roles(candidate)?;
        }
        if candidate.above > self.sequence() + MOST_ABOVE {
            let why = format!(
                "release {} is more than {MOST_ABOVE} above the present one, {}: no machine can have seen it",
                candidate.above,
                self.sequence()
            );
            return Err(Refusal::Invalid(why));
        }
        let fleet = self.fleet.as_ref().map(|fleet| fleet.name.clone());
        let envelope = Envelope {
            format: FORMAT,
            fleet: fleet.unwrap_or_default(),
            release: candidate.release,
            sequence: self.sequence().max(candidate.above) + 1,
            previous,
        };
        let bytes = serde_json::to_string(&envelope)
            .map_err(|error| Refusal::Internal(format!("the envelope: {error}")))?;
        let published = Published {
            release: candidate.release,
            sequence: envelope.sequence,
            previous,
            envelope: bytes.clone(),
            reads: candidate.reads.clone(),
            cohorts: candidate.cohorts.clone(),
            slots: candidate.slots.clone(),
            gone_after: candidate.gone_after.clone(),
        };
        Ok((vec![Event::Published(published)], bytes))
    }
    /// That no machine that lives would be without a role.
    fn has_all_roles(&self, candidate: &Candidate) -> Result<(), Refusal> {
        let mut without: BTreeMap<&str, usize> = BTreeMap::new();
        let living = self.nodes.iter().filter(|(name, _)| self.lives(name));
        for (_, node) in living.filter(|(_, node)| !candidate.reads.contains_key(&node.role)) {
            *without.entry(&node.role).or_default() += 1;
        }
        let count = |(role, machines)| match machines {
            1 => format!("{role} (1 machine)"),
            _ => format!("{role} ({machines} machines)"),
        };
        let told: Vec<String> = without.into_iter().map(count).collect();
        match told.is_empty() {
            true => Ok(()),
            false => Err(Refusal::WithoutRoles(told.join(", "))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::fold;
    use super::super::tests::{began, candidate, enrol, make_token, revoke, role};
    use super::{Candidate, Over};

    #[test]
    fn a_sequence_goes_above_what_machines_have_seen_and_never_back() {
        let mut state = began();
        let of = |above| Candidate {
            above,
            ..candidate("r1", &[("web", &[])], Over::Anything)
        };
        for (above, sequence) in [(0, 1), (1, 2), (1, 2), (6, 7), (3, 7), (0, 7), (7, 8)] {
            let (events, _) = state.publish(&of(above)).unwrap();
            fold(&mut state, events);
            assert_eq!(state.sequence(), sequence, "above {above}");
        }
        for above in [1_000_009, u64::MAX] {
            let refusal = state.publish(&of(above)).unwrap_err().to_string();
            assert!(refusal.contains("no machine can have seen it"), "{refusal}");
        }
    }

    #[test]
    fn a_publish_has_every_role_that_machines_have() {
        let mut state = began();
        make_token(&mut state, "t", role("zk"), 9, 60);
        make_token(&mut state, "u", role("web"), 9, 60);
        for (token, name) in [("t", "zk-1"), ("t", "zk-2"), ("t", "zk-3"), ("u", "web-1")] {
            enrol(&mut state, token, name, "k").unwrap();
        }
        revoke(&mut state, "zk-3");
        for (role, missing) in [
            ("lb", "have: web (1 machine), zk (2 machines);"),
            ("web", "have: zk (2 machines);"),
        ] {
            let of = |over| candidate("r1", &[(role, &[])], over);
            let refusal = state.publish(&of(Over::Seen(None))).unwrap_err();
            assert!(refusal.to_string().contains(missing), "{refusal}");
            assert!(state.publish(&of(Over::Anything)).is_ok());
        }
        let whole = candidate("r1", &[("web", &[]), ("zk", &[])], Over::Seen(None));
        assert!(state.publish(&whole).is_ok());
    }
}
