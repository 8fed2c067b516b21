//! What machines are told of one another, and when it is news.

use super::address::Claim;
use super::event::{About, Event, Purpose};
use super::slot::Slot;
use super::token::Wanted;
use super::{Node, State};
use crate::refusal::Refusal;
use cfg_catalog::digest::Digest;
use cfg_catalog::fleet::{FleetView, Member};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::time::Duration;

/// A release and a view of the fleet: what a machine is told while it watches, or has made of itself, with nothing failed, and nothing
/// held but what waits for a cohort.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Revision {
    /// The release's sequence; 0 before the first.
    pub sequence: u64,
    /// The number of its view of the fleet.
    pub view: u64,
}

impl State {
    /// What is news to this machine.
    pub fn news(&self, node: &Node) -> Revision {
        Revision {
            sequence: self.sequence(),
            view: self.view_number(self.reads(&node.role)).max(node.nudged),
        }
    }

    /// The fleet as this machine sees it, whose role reads these.
    pub fn view(&self, node: &Node, reads: &BTreeSet<String>) -> FleetView {
        let mut view = FleetView {
            number: self.view_number(Some(reads)).max(node.nudged),
            ..FleetView::default()
        };
        for role in reads {
            view.roles.insert(role.clone(), self.members(role));
            if self.formed.contains(role) {
                view.formed.insert(role.clone());
            }
        }
        view
    }

    /// The members of a role, sorted by id.
    pub fn members(&self, role: &str) -> Vec<Member> {
        let names = self.member_names(role).iter();
        let mut members: Vec<Member> = names
            .filter_map(|name| Some(self.nodes.get(name)?.member(name)))
            .collect();
        members.sort_by_key(|member| member.id);
        members
    }

    /// A machine says what it is now; nothing happens where that is known.
    ///
    /// # Errors
    /// Where there is no such machine, or its address is another's: while it was gone, others could take it.
    pub fn change(&self, name: &str, about: &About) -> Result<Vec<Event>, Refusal> {
        let node = self
            .nodes
            .get(name)
            .ok_or_else(|| Refusal::Unknown(format!("node {name}")))?;
        let known = node.about == *about;
        if known && !self.gone.contains(name) {
            return Ok(Vec::new());
        }
        self.unclaimed(Claim::of(name, node, &about.address))?;
        if known {
            return Ok(Vec::new());
        }
        Ok(vec![Event::NodeChanged {
            name: name.to_owned(),
            about: about.clone(),
        }])
    }

    /// An operator shuts a machine out. Twice is as good as once.
    ///
    /// # Errors
    /// Where there is no such machine.
    pub fn revoke_node(&self, name: &str) -> Result<Vec<Event>, Refusal> {
        match self.nodes.get(name) {
            None => Err(Refusal::NoSuch(format!("machine {name:?}"))),
            Some(node) if node.revoked.is_some() && !node.replaced => Ok(Vec::new()),
            Some(_) => Ok(vec![Event::NodeRevoked {
                name: name.to_owned(),
            }]),
        }
    }

    /// An operator shuts a machine out whose place another is to take, with a token of this hash for that other one.
    ///
    /// # Errors
    /// Where there is no such machine, or its place is taken already.
    pub fn replace_node(
        &self,
        name: &str,
        hash: Digest,
        ttl_s: u64,
        now: u64,
    ) -> Result<Vec<Event>, Refusal> {
        let node = self.nodes.get(name);
        let node = node.ok_or_else(|| Refusal::NoSuch(format!("machine {name:?}")))?;
        if self.ids.get(&node.role).and_then(|ids| ids.get(name)) != Some(&node.id) {
            let why = format!("the place of {name} is taken already");
            return Err(Refusal::Invalid(why));
        }
        let wanted = Wanted {
            purpose: Purpose::Successor {
                role: node.role.clone(),
                of: name.to_owned(),
            },
            uses: 1,
            ttl_s,
        };
        let mut events = self.create_token(hash, &wanted, now)?;
        // The token must be younger than what shuts the machine out: one of the same name may take its place.
        events.insert(
            0,
            Event::NodeReplaced {
                name: name.to_owned(),
            },
        );
        Ok(events)
    }

    /// Machines that count no more when they are unseen for so many seconds, and count now.
    pub fn patient(&self) -> impl Iterator<Item = (&String, u64)> {
        let release = self.release.as_ref();
        let after = move |role: &String| release?.gone_after.get(role).copied();
        let nodes = self.nodes.iter().filter(|(name, _)| self.lives(name));
        nodes.filter_map(move |(name, node)| Some((name, after(&node.role)?)))
    }

    /// These count no more, those of them that do; slots are so old.
    pub fn lose(&self, names: &BTreeSet<String>, age: &dyn Fn(&Slot) -> Duration) -> Vec<Event> {
        // Who has a slot may be at work without a line; the slot ends by itself.
        let held = |slot: &Slot| slot.is_held(age(slot));
        let idle = |name: &String| !self.slots.get(name).is_some_and(held);
        let patient = self.patient();
        let patient = patient.filter(|(name, _)| names.contains(*name) && idle(name));
        patient
            .map(|(name, _)| Event::NodeGone { name: name.clone() })
            .collect()
    }

    /// One that was gone is there again, unless another has its address by now.
    pub fn find(&self, name: &str) -> Vec<Event> {
        let free = |node: &Node| {
            let claim = Claim::of(name, node, &node.about.address);
            self.unclaimed(claim).is_ok()
        };
        match self.gone.contains(name) && self.nodes.get(name).is_some_and(free) {
            true => vec![Event::NodeBack { name: name.into() }],
            false => Vec::new(),
        }
    }

    fn reads(&self, role: &str) -> Option<&BTreeSet<String>> {
        self.release.as_ref()?.reads.get(role)
    }

    /// Rises when a member of one of these roles comes, goes or changes, and at nothing else.
    fn view_number(&self, reads: Option<&BTreeSet<String>>) -> u64 {
        let changed = reads.into_iter().flatten();
        changed
            .filter_map(|role| self.changed.get(role).copied())
            .max()
            .unwrap_or(0)
    }
}

impl Node {
    /// What others are told of it, as far as they are.
    pub(super) fn told(&self) -> &About {
        self.former.as_ref().unwrap_or(&self.about)
    }

    fn member(&self, name: &str) -> Member {
        let about = self.told();
        Member {
            id: self.id,
            name: name.to_owned(),
            address: about.address.clone(),
            os: about.os.clone(),
            arch: about.arch.clone(),
            cpus: about.cpus,
            memory_mb: about.memory_mb,
        }
    }
}
