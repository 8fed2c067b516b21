//! Who may disrupt what it does: so many members of a role at a time, while the others are healthy; and who leads them goes last.
//!
//! A slot is a lease. It ends by itself when its holder dies, who is then missing among the healthy ones. Its number, the fence, rises with
//! each, so that a holder who was away for too long is told from the present one. How old it is each server counts for itself, from when it
//! heard of it: clocks are set, and those of two servers differ.

#[cfg(test)]
mod tests;

use super::event::{Event, SlotRule};
use super::fleet::Revision;
use super::{Misfit, State};
use crate::refusal::Refusal;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// So long a slot lasts unless it is kept.
pub const LEASE: Duration = Duration::from_secs(60);
/// For others it lasts so much longer: another server may have heard earlier that it was kept.
const SLACK: Duration = Duration::from_secs(5);
/// So many reasons against a slot are told of.
const TOLD: usize = 3;

/// What a machine may disrupt, or was not healthy after.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Slot {
    /// Names it.
    pub fence: u64,
    /// When it was taken, or kept for longer; as a count of events.
    #[serde(default)]
    pub renewed: u64,
    /// Whether it was given back by a machine that was not healthy then.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub failed: bool,
}

/// What the one that wants a slot says of its run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Asked {
    /// The release and the view that it is made of.
    pub of: Revision,
    /// Whether the role's leader command succeeds there.
    pub leads: bool,
    /// Whether it is not healthy and means to mend itself. It counts as missing anyway, and so how others are is no matter.
    pub mending: bool,
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

/// What is known beside the log.
#[derive(Clone, Copy)]
pub struct Known<'a> {
    /// How long ago it was heard of a slot that it was taken or kept.
    pub age: &'a dyn Fn(&Slot) -> Duration,
    /// How another member is.
    pub health: &'a dyn Fn(&str) -> Health,
    /// Whether another member said lately that the role's leader command succeeds there.
    pub leads: &'a dyn Fn(&str) -> bool,
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
    /// Whether it is held, being so old.
    pub fn is_held(&self, age: Duration) -> bool {
        !self.failed && age < LEASE + SLACK
    }
}

/// That there is no slot, where there are so many reasons against one.
fn limited(mut against: Vec<String>, limit: usize) -> Option<Verdict> {
    if against.len() < limit {
        return None;
    }
    let more = against.len().saturating_sub(TOLD);
    against.truncate(TOLD);
    against.extend((more > 0).then(|| format!("{more} more")));
    Some(Verdict::Not(against.join(", ")))
}

impl State {
    fn slot_rule(&self, role: &str) -> Option<SlotRule> {
        self.release.as_ref()?.slots.get(role).copied()
    }

    /// Whether one of the role's members goes last, so that it counts what the others have made of themselves.
    pub(super) fn has_leader(&self, role: &str) -> bool {
        self.slot_rule(role).is_some_and(|rule| rule.leader)
    }

    /// Whether there is a slot for this machine.
    ///
    /// # Errors
    /// Where there is no such machine, it is revoked, or its role has no slots.
    pub fn slot_for(&self, name: &str, asked: Asked, known: Known<'_>) -> Result<Verdict, Refusal> {
        let node = self.nodes.get(name);
        let node = node.ok_or_else(|| Refusal::Unknown(format!("node {name}")))?;
        // It may have been while the others were asked.
        if node.revoked.is_some() {
            return Err(Refusal::Revoked(format!("node {name}")));
        }
        if !asked.mending && asked.of != self.news(node) {
            let why = "there is a newer release, or a newer view of the fleet";
            return Ok(Verdict::Not(why.into()));
        }
        let rule = self.slot_rule(&node.role).ok_or_else(|| {
            let role = &node.role;
            Refusal::Invalid(format!("the role {role} has no max_unavailable"))
        })?;
        let members = self.member_names(&node.role);
        // Nor is the one waited for whose place this one takes.
        let own = |other: &str| {
            self.nodes
                .get(other)
                .is_some_and(|other| other.id == node.id)
        };
        let others = members.iter().filter(|other| !own(other));
        let limit = rule.limit.of(members.len());
        if asked.mending {
            let has_one = |other: &&String| self.has_slot(other, known);
            let holders = others
                .filter(has_one)
                .map(|other| format!("{other} has the slot"));
            return Ok(limited(holders.collect(), limit).unwrap_or(Verdict::Free));
        }
        let (mut against, mut unclear) = (Vec::new(), 0);
        // Who is shut out and leaves for good is not waited for: the others could never come so far that it may leave.
        let leave = members.len() > self.cohort(&node.role);
        let leaves = |other: &str| leave && self.is_shut_out(other);
        for other in others.clone().filter(|other| !leaves(other)) {
            match self.unavailable(other, name, known) {
                Ok(true) => unclear += 1,
                Ok(false) => {}
                Err(why) => against.push(format!("{other} {why}")),
            }
        }
        let reasons = against.len();
        if let Some(none) = limited(against, limit) {
            return Ok(none);
        }
        if reasons + unclear >= limit {
            return Ok(Verdict::Unclear);
        }
        // Two who lead would wait for each other for ever: whichever asks goes, when all the others are through.
        let comes_first = |other: &str| self.is_behind(other) && !(known.leads)(other);
        let mut waits_for = others.filter(|other| rule.leader && asked.leads && comes_first(other));
        Ok(match waits_for.next() {
            Some(behind) => {
                let why = format!("the leader goes last, and {behind} has not come so far");
                Verdict::Not(why)
            }
            None => Verdict::Free,
        })
    }

    /// Why a member does not count as one that does its work; else whether that is not clear yet. Who is new must have made of itself what it
    /// can before the others go: with it they are as many as they are told. Two who are new do not wait for each other for that.
    fn unavailable(&self, name: &str, by: &str, known: Known<'_>) -> Result<bool, &'static str> {
        if self.gone.contains(name) {
            return Ok(false);
        }
        if self.joining.contains(name) && !self.joining.contains(by) && self.is_behind(name) {
            return Err("is new, and joins first");
        }
        match (self.nodes.get(name), self.slots.get(name)) {
            (Some(node), _) if node.is_to_be_replaced() => Err("is to be replaced"),
            (node, _) if node.is_none_or(|node| node.revoked.is_some()) => Err("is revoked"),
            (_, Some(slot)) if slot.failed => Err("was not healthy after its last change"),
            (_, Some(_)) if self.has_slot(name, known) => Err("has the slot"),
            _ => match (known.health)(name) {
                Health::Unclear => Ok(true),
                Health::Healthy => Ok(false),
                Health::Unhealthy => Err("is not healthy"),
                Health::Silent => Err("does not say whether it is healthy"),
                Health::Away => Err("is not connected to this server"),
            },
        }
    }

    fn has_slot(&self, name: &str, known: Known<'_>) -> bool {
        let slot = self.slots.get(name);
        slot.is_some_and(|slot| slot.is_held((known.age)(slot)))
    }

    /// Whether it has not made of itself yet what is current for it.
    fn is_behind(&self, name: &str) -> bool {
        let node = self.nodes.get(name).filter(|_| self.takes_part(name));
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
        known: Known<'_>,
    ) -> Result<(Vec<Event>, Result<u64, String>), Refusal> {
        match self.slot_for(name, asked, known)? {
            Verdict::Free => {
                let fence = self.events + 1;
                let taken = Event::SlotTaken {
                    name: name.to_owned(),
                    fence,
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
    pub fn keep_slot(
        &self,
        name: &str,
        fence: u64,
        age: &dyn Fn(&Slot) -> Duration,
    ) -> Result<Vec<Event>, Refusal> {
        let slot = self.slots.get(name);
        match slot.filter(|slot| slot.fence == fence && !slot.failed) {
            // It lasts long enough, and the log need not have a word of it.
            Some(slot) if age(slot) < LEASE / 4 => Ok(Vec::new()),
            Some(slot) if age(slot) < LEASE => Ok(vec![Event::SlotKept {
                name: name.to_owned(),
            }]),
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
            Event::SlotTaken { name, fence } => {
                self.node_mut(name)?;
                let slot = Slot {
                    fence: *fence,
                    renewed: self.events,
                    failed: false,
                };
                self.slots.insert(name.clone(), slot);
            }
            Event::SlotKept { name } => {
                let now = self.events;
                self.slot_mut(name)?.renewed = now;
            }
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
