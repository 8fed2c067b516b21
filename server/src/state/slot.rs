//! Who may disrupt what it does: so many members of a role at a time, while the others are healthy; and who leads them goes last.
//!
//! A slot is a lease. It ends by itself when its holder dies, who is then missing among the healthy ones. Its number, the fence, rises with
//! each, so that a holder who was away for too long is told from the present one.

use super::cohort::Settled;
use super::event::{Event, SlotRule};
use super::{Misfit, State};
use crate::refusal::Refusal;
use serde::{Deserialize, Serialize};

/// So long a slot lasts unless it is kept, in seconds.
pub const LEASE_S: u64 = 60;
/// For others it lasts so much longer: clocks of servers differ.
const SLACK_S: u64 = 5;
/// So many reasons against a slot are told of.
const TOLD: usize = 3;

/// What a machine may disrupt, or was not healthy after.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Slot {
    /// Names it.
    pub fence: u64,
    /// Until when it is held, seconds since 1970.
    pub until: u64,
    /// Whether it was given back by a machine that was not healthy then.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub failed: bool,
}

/// What the one that wants a slot says of its run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Asked {
    /// The release and the view that it is made of.
    pub of: Settled,
    /// Whether the role's leader command succeeds there.
    pub leads: bool,
}

/// What is known of how another member is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Health {
    /// It was asked and has not said yet.
    Unclear,
    /// It does what it must.
    Healthy,
    /// It does not.
    Unhealthy,
    /// It was asked, and has not said in time.
    Silent,
    /// It has no line to this server.
    Away,
}

/// Whether there is a slot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// There is.
    Free,
    /// It hangs on what others have not said yet.
    Unclear,
    /// There is none: why, for people.
    Not(String),
}

impl Slot {
    /// Whether it is held at this time.
    pub fn is_held(&self, now: u64) -> bool {
        !self.failed && now < self.until + SLACK_S
    }
}

impl State {
    fn slot_rule(&self, role: &str) -> Option<SlotRule> {
        self.release.as_ref()?.slots.get(role).copied()
    }

    /// Whether one of the role's members goes last, so that it counts what the others have made of themselves.
    pub(super) fn has_leader(&self, role: &str) -> bool {
        self.slot_rule(role).is_some_and(|rule| rule.leader)
    }

    /// Whether there is a slot for this machine; `health` says how each other member is.
    ///
    /// # Errors
    /// Where there is no such machine, or its role has no slots.
    pub fn slot_for(
        &self,
        name: &str,
        asked: Asked,
        now: u64,
        health: &dyn Fn(&str) -> Health,
    ) -> Result<Verdict, Refusal> {
        let node = self.nodes.get(name);
        let node = node.ok_or_else(|| Refusal::Unknown(format!("node {name}")))?;
        let news = self.news(node);
        if (asked.of.sequence, asked.of.view) != (news.sequence, news.view) {
            let why = "there is a newer release, or a newer view of the fleet";
            return Ok(Verdict::Not(why.into()));
        }
        let rule = self.slot_rule(&node.role).ok_or_else(|| {
            let role = &node.role;
            Refusal::Invalid(format!("the role {role} has no max_unavailable"))
        })?;
        let members = self.member_names(&node.role);
        let others = members.iter().filter(|other| *other != name);
        let (mut against, mut unclear) = (Vec::new(), 0);
        // Who is shut out and leaves for good is not waited for: the others could never come so far that it may leave.
        let leave = members.len() > self.cohort(&node.role);
        let leaves = |other: &str| {
            let node = self.nodes.get(other);
            leave && node.is_none_or(|node| node.revoked.is_some() && !node.replaced)
        };
        for other in others.clone().filter(|other| !leaves(other)) {
            match self.unavailable(other, now, health) {
                Ok(true) => unclear += 1,
                Ok(false) => {}
                Err(why) => against.push(format!("{other} {why}")),
            }
        }
        let limit = rule.limit.of(members.len());
        if against.len() >= limit {
            let more = against.len().saturating_sub(TOLD);
            against.truncate(TOLD);
            let more = (more > 0).then(|| format!("{more} more"));
            against.extend(more);
            return Ok(Verdict::Not(against.join(", ")));
        }
        if against.len() + unclear >= limit {
            return Ok(Verdict::Unclear);
        }
        let mut waits_for =
            others.filter(|other| rule.leader && asked.leads && self.is_behind(other));
        Ok(match waits_for.next() {
            Some(behind) => {
                let why = format!("the leader goes last, and {behind} has not come so far");
                Verdict::Not(why)
            }
            None => Verdict::Free,
        })
    }

    /// Why a member does not count as one that does its work; else whether that is not clear yet. Who is new must have made of itself what it
    /// can before the others go: with it they are as many as they are told.
    fn unavailable(
        &self,
        name: &str,
        now: u64,
        health: &dyn Fn(&str) -> Health,
    ) -> Result<bool, &'static str> {
        if self.gone.contains(name) {
            return Ok(false);
        }
        if self.joining.contains(name) && self.is_behind(name) {
            return Err("is new, and joins first");
        }
        match (self.nodes.get(name), self.slots.get(name)) {
            (Some(node), _) if node.revoked.is_some() && node.replaced => Err("is to be replaced"),
            (node, _) if node.is_none_or(|node| node.revoked.is_some()) => Err("is revoked"),
            (_, Some(slot)) if slot.failed => Err("was not healthy after its last change"),
            (_, Some(slot)) if slot.is_held(now) => Err("has the slot"),
            _ => match health(name) {
                Health::Unclear => Ok(true),
                Health::Healthy => Ok(false),
                Health::Unhealthy => Err("is not healthy"),
                Health::Silent => Err("does not say whether it is healthy"),
                Health::Away => Err("is not connected"),
            },
        }
    }

    /// Whether it has not made of itself yet what is current for it.
    fn is_behind(&self, name: &str) -> bool {
        let node = self.nodes.get(name).filter(|_| self.lives(name));
        node.is_some_and(|node| {
            let news = self.news(node);
            node.settled.sequence < news.sequence || node.settled.view < news.view
        })
    }

    /// A machine takes a slot, if there is one; its fence, or why there is none.
    ///
    /// # Errors
    /// As [`State::slot_for`].
    pub fn take_slot(
        &self,
        name: &str,
        asked: Asked,
        now: u64,
        health: &dyn Fn(&str) -> Health,
    ) -> Result<(Vec<Event>, Result<u64, String>), Refusal> {
        match self.slot_for(name, asked, now, health)? {
            Verdict::Free => {
                let fence = self.events + 1;
                let taken = Event::SlotTaken {
                    name: name.to_owned(),
                    fence,
                    until: now + LEASE_S,
                };
                Ok((vec![taken], Ok(fence)))
            }
            Verdict::Unclear => Ok((
                Vec::new(),
                Err("not all others have said yet whether they are healthy".into()),
            )),
            Verdict::Not(why) => Ok((Vec::new(), Err(why))),
        }
    }

    /// It keeps its slot for longer.
    ///
    /// # Errors
    /// Where it has it no more.
    pub fn keep_slot(&self, name: &str, fence: u64, now: u64) -> Result<Vec<Event>, Refusal> {
        match self.slots.get(name) {
            // It lasts long enough, and the log need not have a word of it.
            Some(slot)
                if slot.fence == fence && !slot.failed && now + LEASE_S * 3 / 4 < slot.until =>
            {
                Ok(Vec::new())
            }
            Some(slot) if slot.fence == fence && !slot.failed && now < slot.until => {
                Ok(vec![Event::SlotKept {
                    name: name.to_owned(),
                    until: now + LEASE_S,
                }])
            }
            _ => Err(Refusal::SlotLost(fence)),
        }
    }

    /// It gives its slot back. After its time too: how the machine is then is worth knowing.
    ///
    /// # Errors
    /// Where it has another, or none.
    pub fn give_slot(&self, name: &str, fence: u64, healthy: bool) -> Result<Vec<Event>, Refusal> {
        match self.slots.get(name) {
            Some(slot) if slot.fence == fence && !slot.failed => Ok(vec![Event::SlotGiven {
                name: name.to_owned(),
                healthy,
            }]),
            _ => Err(Refusal::SlotLost(fence)),
        }
    }

    /// It disrupted what it does without one.
    ///
    /// # Errors
    /// Where there is no such machine.
    pub fn waive_slot(&self, name: &str, why: &str) -> Result<Vec<Event>, Refusal> {
        let node = self.nodes.get(name);
        let node = node.ok_or_else(|| Refusal::Unknown(format!("node {name}")))?;
        if self.slot_rule(&node.role).is_none() {
            return Ok(Vec::new());
        }
        Ok(vec![Event::SlotWaived {
            name: name.to_owned(),
            why: why.to_owned(),
        }])
    }

    pub(super) fn fold_slot(&mut self, event: &Event) -> Result<(), Misfit> {
        match event {
            Event::SlotTaken { name, fence, until } => {
                self.node_mut(name)?;
                let slot = Slot {
                    fence: *fence,
                    until: *until,
                    failed: false,
                };
                self.slots.insert(name.clone(), slot);
            }
            Event::SlotKept { name, until } => self.slot_mut(name)?.until = *until,
            Event::SlotGiven {
                name,
                healthy: true,
            } => {
                self.slots.remove(name);
            }
            Event::SlotGiven { name, .. } => self.slot_mut(name)?.failed = true,
            // It is in the log for who asks later.
            Event::SlotWaived { name, .. } => {
                self.node_mut(name)?;
            }
            _ => {}
        }
        Ok(())
    }

    fn slot_mut(&mut self, name: &str) -> Result<&mut Slot, Misfit> {
        self.slots
            .get_mut(name)
            .ok_or_else(|| Misfit(format!("it names a slot that {name} has not")))
    }
}

#[cfg(test)]
mod tests {
    use super::super::publish::Over;
    use super::super::tests::{NOW, began, candidate, enrol, fold, make_token, revoke, role};
    use super::*;
    use cfg_catalog::fleet::Limit;

    /// Members of zk, which reads itself and lets so many be disrupted, all level.
    fn fleet(machines: &[&str], limit: Limit) -> State {
        let mut state = began();
        let mut candidate = candidate("r1", &[("zk", &["zk"])], Over::Anything);
        let count = u32::try_from(machines.len()).unwrap();
        candidate.cohorts.insert("zk".into(), count);
        let leader = true;
        candidate
            .slots
            .insert("zk".into(), SlotRule { limit, leader });
        let (events, _) = state.publish(&candidate).unwrap();
        fold(&mut state, events);
        for name in machines {
            make_token(&mut state, name, role("zk"), 1, 60);
            enrol(&mut state, name, name, name).unwrap();
        }
        for name in machines {
            settle(&mut state, name);
        }
        state
    }

    fn settle(state: &mut State, name: &str) {
        let of = asked(state, name).of;
        let events = state.settle(name, of).unwrap();
        fold(state, events);
    }

    fn asked(state: &State, name: &str) -> Asked {
        let news = state.news(&state.nodes[name]);
        Asked {
            of: Settled {
                sequence: news.sequence,
                view: news.view,
            },
            leads: false,
        }
    }

    /// It takes a slot at this time, with all others healthy but one.
    fn takes(
        state: &mut State,
        name: &str,
        now: u64,
        but: Option<(&str, Health)>,
    ) -> Result<u64, String> {
        let health = |other: &str| match but {
            Some((name, health)) if name == other => health,
            _ => Health::Healthy,
        };
        let (events, taken) = state
            .take_slot(name, asked(state, name), now, &health)
            .unwrap();
        fold(state, events);
        taken
    }

    fn refused(state: &mut State, name: &str, now: u64, why: &str) {
        assert_eq!(takes(state, name, now, None), Err(why.to_owned()));
    }

    #[test]
    fn one_at_a_time_while_the_others_are_healthy() {
        let mut state = fleet(&["a", "b", "c"], Limit::Count(1));
        for (health, why) in [
            (Health::Unhealthy, "b is not healthy"),
            (Health::Silent, "b does not say whether it is healthy"),
            (Health::Away, "b is not connected"),
            (
                Health::Unclear,
                "not all others have said yet whether they are healthy",
            ),
        ] {
            assert_eq!(
                takes(&mut state, "a", NOW, Some(("b", health))),
                Err(why.to_owned())
            );
        }
        // How it is itself is its own affair.
        let fence = takes(&mut state, "a", NOW, Some(("a", Health::Unhealthy))).unwrap();
        refused(&mut state, "b", NOW, "a has the slot");
        let events = state.give_slot("a", fence, true).unwrap();
        fold(&mut state, events);
        let next = takes(&mut state, "b", NOW, None).unwrap();
        assert!(next > fence, "{next} follows {fence}");
        revoke(&mut state, "b");
        refused(&mut state, "a", NOW, "b is revoked");
    }

    #[test]
    fn a_slot_ends_by_itself_unless_it_is_kept() {
        let mut state = fleet(&["a", "b", "c"], Limit::Count(1));
        let fence = takes(&mut state, "a", NOW, None).unwrap();
        let events = state.keep_slot("a", fence, NOW + LEASE_S - 1).unwrap();
        fold(&mut state, events);
        let end = NOW + 2 * LEASE_S - 1;
        assert!(state.keep_slot("a", fence, end - 1).is_ok());
        assert!(state.keep_slot("a", fence, end).is_err(), "too late");
        refused(&mut state, "b", end, "a has the slot");
        let later = takes(&mut state, "b", end + SLACK_S, None).unwrap();
        // The first one comes back, and has nothing to keep and nothing to lose.
        assert!(state.keep_slot("a", fence, end + SLACK_S).is_err());
        assert!(
            state.keep_slot("a", later, end + SLACK_S).is_err(),
            "another's"
        );
        assert!(state.give_slot("b", fence, true).is_err(), "another's");
    }

    #[test]
    fn who_is_not_healthy_after_it_stops_the_wave() {
        let mut state = fleet(&["a", "b", "c"], Limit::Count(1));
        let fence = takes(&mut state, "a", NOW, None).unwrap();
        let events = state.give_slot("a", fence, false).unwrap();
        fold(&mut state, events);
        refused(
            &mut state,
            "b",
            NOW + 1000,
            "a was not healthy after its last change",
        );
        assert!(state.give_slot("a", fence, true).is_err(), "it was given");
        let mut again = state.clone();
        takes(&mut again, "a", NOW, None).unwrap();
        // It settles at what it had settled at before: that is news now.
        settle(&mut state, "a");
        takes(&mut state, "b", NOW + 1000, None).unwrap();
        let of = asked(&state, "a").of;
        assert_eq!(state.settle("a", of).unwrap(), [], "twice is once");
    }

    #[test]
    fn the_leader_goes_last() {
        let mut state = fleet(&["a", "b", "c"], Limit::Count(1));
        let mut candidate = candidate("r2", &[("zk", &["zk"])], Over::Anything);
        candidate.slots = state.release.as_ref().unwrap().slots.clone();
        candidate.cohorts.insert("zk".into(), 3);
        let (events, _) = state.publish(&candidate).unwrap();
        fold(&mut state, events);
        let leads = |state: &State| {
            let asked = Asked {
                leads: true,
                ..asked(state, "c")
            };
            state
                .slot_for("c", asked, NOW, &|_| Health::Healthy)
                .unwrap()
        };
        let waits = |name: &str| {
            Verdict::Not(format!(
                "the leader goes last, and {name} has not come so far"
            ))
        };
        assert_eq!(leads(&state), waits("a"));
        settle(&mut state, "a");
        assert_eq!(leads(&state), waits("b"));
        settle(&mut state, "b");
        assert_eq!(leads(&state), Verdict::Free);
    }

    #[test]
    fn a_slot_is_for_what_is_current() {
        let state = fleet(&["a", "b", "c"], Limit::Count(1));
        let now = asked(&state, "a");
        for of in [
            Settled {
                sequence: 0,
                ..now.of
            },
            Settled {
                view: now.of.view - 1,
                ..now.of
            },
        ] {
            let verdict = state.slot_for("a", Asked { of, ..now }, NOW, &|_| Health::Healthy);
            assert!(matches!(verdict.unwrap(), Verdict::Not(why) if why.contains("newer")));
        }
    }

    #[test]
    fn some_of_many() {
        let machines = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j"];
        let mut state = fleet(&machines, Limit::Percent(20));
        takes(&mut state, "a", NOW, None).unwrap();
        let one = state
            .slot_for("c", asked(&state, "c"), NOW, &|_| Health::Unclear)
            .unwrap();
        assert_eq!(one, Verdict::Unclear);
        takes(&mut state, "b", NOW, None).unwrap();
        refused(&mut state, "c", NOW, "a has the slot, b has the slot");
        let all = |_: &str| Health::Unhealthy;
        let verdict = state.slot_for("c", asked(&state, "c"), NOW, &all).unwrap();
        let Verdict::Not(why) = verdict else {
            panic!("{verdict:?}")
        };
        assert!(why.ends_with("6 more"), "{why}");
    }

    #[test]
    fn who_is_new_joins_first_and_who_is_gone_is_no_loss() {
        let mut state = fleet(&["a", "b", "c"], Limit::Count(1));
        make_token(&mut state, "d", role("zk"), 1, 60);
        enrol(&mut state, "d", "d", "d").unwrap();
        settle(&mut state, "d");
        assert!(state.joining.contains("d"));
        refused(&mut state, "a", NOW, "d is new, and joins first");
        settle(&mut state, "d");
        assert!(state.joining.contains("d"), "the others do not know it");
        let sick = Some(("d", Health::Unhealthy));
        assert_eq!(
            takes(&mut state, "a", NOW, sick),
            Err("d is not healthy".into())
        );
        takes(&mut state, "a", NOW, None).unwrap();
        let mut gone = fleet(&["a", "b", "c"], Limit::Count(1));
        gone.gone.insert("b".into());
        takes(&mut gone, "a", NOW, Some(("b", Health::Away))).unwrap();
    }

    #[test]
    fn a_role_without_slots_gives_none() {
        let mut state = fleet(&["a"], Limit::Count(1));
        state.release.as_mut().unwrap().slots.clear();
        let refusal = state
            .slot_for("a", asked(&state, "a"), NOW, &|_| Health::Healthy)
            .unwrap_err();
        assert!(
            refusal.to_string().contains("has no max_unavailable"),
            "{refusal}"
        );
    }
}
