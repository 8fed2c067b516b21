//! What the server knows: one value, folded from the log. Folding and deciding are pure.

mod address;
pub mod cohort;
pub mod enrol;
pub mod event;
pub mod fleet;
pub mod identity;
pub mod name;
pub mod publish;
pub mod replace;
pub mod slot;
pub mod token;

#[cfg(test)]
mod laws;
#[cfg(test)]
pub(crate) mod tests;

use cfg_catalog::digest::Digest;
use event::{About, Event, Published, Purpose, Record};
use fleet::Revision;
use serde::{Deserialize, Serialize};
use slot::Slot;
use std::collections::{BTreeMap, BTreeSet};
use token::Token;

/// All that the log says, folded.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct State {
    /// How many events are folded in: the order in which things happened, free of clocks.
    pub events: u64,
    /// Whose log this is; none before `cfg-server init`.
    pub fleet: Option<Fleet>,
    /// Tokens by hash.
    pub tokens: BTreeMap<Digest, Token>,
    /// Machines by name, revoked ones too.
    pub nodes: BTreeMap<String, Node>,
    /// Ids by role and node name, kept for life.
    pub ids: BTreeMap<String, BTreeMap<String, u32>>,
    /// Operators by name.
    pub operators: BTreeMap<String, Operator>,
    /// The current release.
    pub release: Option<Published>,
    /// Machines by role of whom others are told.
    #[serde(default)]
    pub members: BTreeMap<String, BTreeSet<String>>,
    /// Roles that read their own members, and had as many as they wait for once.
    #[serde(default)]
    pub formed: BTreeSet<String>,
    /// When the list of a role's members last changed, as a count of events.
    pub changed: BTreeMap<String, u64>,
    /// Members who came after the others, of whom some have not made of that yet what they had to.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub joining: BTreeSet<String>,
    /// Machines that were unseen for as long as their role allows.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub gone: BTreeSet<String>,
    /// By machine: what it may disrupt now, or was not healthy after.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub slots: BTreeMap<String, Slot>,
}

/// Whose log this is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fleet {
    /// The fleet's name.
    pub name: String,
    /// SHA-256 of its CA's certificate, DER.
    pub ca: Digest,
}

/// A machine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Node {
    /// Its role.
    pub role: String,
    /// Its id in its role.
    pub id: u32,
    /// How many times the name was enrolled; a certificate of an earlier one is refused.
    pub generation: u32,
    /// SHA-256 of the public key that it enrolled with.
    pub key: Digest,
    /// The hash of the token that it enrolled with.
    pub token: Digest,
    /// What others are told of it.
    pub about: About,
    /// When it was revoked, as a count of events.
    pub revoked: Option<u64>,
    /// Whether its place is kept for the machine that replaces it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub replaced: bool,
    /// Where it has the name of the member that it replaces, and waits for its turn: what others are told of that one until then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub former: Option<About>,
    /// Since when it is a member of those who come and go one at a time; as a count of events.
    #[serde(default, skip_serializing_if = "is_never")]
    pub since: u64,
    /// What it has made of itself, as far as anybody asks.
    #[serde(default)]
    pub settled: Revision,
    /// When it was last to look at itself anew, though nobody came or went; as a count of events.
    #[serde(default, skip_serializing_if = "is_never")]
    pub nudged: u64,
}

fn is_never(count: &u64) -> bool {
    *count == 0
}

/// A person with a certificate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Operator {
    /// SHA-256 of the public key.
    pub key: Digest,
    /// The hash of the token that was used.
    pub token: Digest,
}

/// An event that cannot have happened to this state: the log is damaged, or of two fleets.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("it does not follow from what came before: {0}")]
pub struct Misfit(String);

impl State {
    /// Folds one record in.
    ///
    /// # Errors
    /// Where it cannot follow; the state is then not to be used any more.
    pub fn fold(&mut self, record: &Record) -> Result<(), Misfit> {
        self.events += 1;
        match &record.event {
            Event::Initialised { fleet, ca } => {
                if self.fleet.is_some() {
                    return Err(Misfit("the fleet began twice".into()));
                }
                self.fleet = Some(Fleet {
                    name: fleet.clone(),
                    ca: *ca,
                });
            }
            Event::TokenCreated {
                hash,
                purpose,
                uses,
                expires,
            } => self.add_token(*hash, purpose, *uses, *expires, record.at),
            Event::TokenRevoked { hash } => self.token_mut(hash)?.revoked = true,
            Event::NodeEnrolled { token, .. } => {
                self.spend(token)?;
                self.add_node(&record.event);
            }
            Event::NodeChanged { name, about } => {
                let node = self.node_mut(name)?;
                node.about = about.clone();
                let role = node.role.clone();
                if self.is_member(name) {
                    self.touch(role);
                }
            }
            Event::NodeRevoked { name } => self.shut_out(name, false)?,
            Event::NodeReplaced { name } => self.shut_out(name, true)?,
            Event::NodeSettled { name, settled } => {
                self.node_mut(name)?.settled = *settled;
                // What it made of itself since makes good what it was not healthy after.
                self.slots.retain(|of, slot| of != name || !slot.failed);
            }
            Event::MemberAdmitted { name, in_place } => self.admit(name, *in_place)?,
            Event::MemberLeft { name } => {
                let node = self.node_mut(name)?;
                (node.replaced, node.former) = (false, None);
                let role = node.role.clone();
                self.leave(name, role);
            }
            Event::MemberJoined { name } => {
                let now = self.events;
                self.node_mut(name)?.nudged = now;
                self.joining.remove(name);
            }
            Event::NodeGone { name } => {
                self.node_mut(name)?;
                self.gone.insert(name.clone());
            }
            Event::NodeBack { name } => {
                self.gone.remove(name);
            }
            Event::SlotTaken { .. }
            | Event::SlotKept { .. }
            | Event::SlotGiven { .. }
            | Event::SlotWaived { .. } => self.fold_slot(&record.event)?,
            Event::OperatorEnrolled { name, key, token } => {
                self.spend(token)?;
                let operator = Operator {
                    key: *key,
                    token: *token,
                };
                self.operators.insert(name.clone(), operator);
            }
            Event::Published(published) => {
                let before = self.sequence();
                if published.sequence <= before {
                    let after = published.sequence;
                    return Err(Misfit(format!("release {after} follows release {before}")));
                }
                self.release = Some(published.clone());
                for role in published.reads.keys() {
                    self.form(role);
                }
            }
        }
        Ok(())
    }

    /// The current release's sequence; 0 before the first.
    pub fn sequence(&self) -> u64 {
        self.release.as_ref().map_or(0, |release| release.sequence)
    }

    fn shut_out(&mut self, name: &str, replaced: bool) -> Result<(), Misfit> {
        let now = self.events;
        let node = self.node_mut(name)?;
        node.revoked.get_or_insert(now);
        node.replaced = replaced;
        self.forget(name);
        Ok(())
    }

    fn leave(&mut self, name: &str, role: String) {
        self.members.entry(role.clone()).or_default().remove(name);
        self.forget(name);
        self.touch(role);
    }

    /// What was true of it as a member is true no more.
    fn forget(&mut self, name: &str) {
        self.joining.remove(name);
        self.slots.remove(name);
    }

    fn add_node(&mut self, event: &Event) {
        let Event::NodeEnrolled {
            name,
            role,
            id,
            generation,
            key,
            token,
            about,
            replaces,
        } = event
        else {
            return;
        };
        let node = Node {
            role: role.clone(),
            id: *id,
            generation: *generation,
            key: *key,
            token: *token,
            about: about.clone(),
            revoked: None,
            replaced: false,
            former: None,
            since: 0,
            settled: Revision::default(),
            nudged: 0,
        };
        let before = self.nodes.insert(name.clone(), node);
        if let Some(before) = before.filter(|of| self.member_names(&of.role).contains(name)) {
            if before.role == *role {
                let former = before.former.unwrap_or(before.about);
                self.nodes
                    .entry(name.clone())
                    .and_modify(|node| node.former = Some(former));
            } else {
                // The name is of one role: as a member of another it is nobody any more.
                self.leave(name, before.role);
            }
        }
        self.forget(name);
        self.gone.remove(name);
        let ids = self.ids.entry(role.clone()).or_default();
        if let Some(before) = replaces {
            ids.remove(before);
        }
        ids.insert(name.clone(), *id);
    }

    fn add_token(&mut self, hash: Digest, purpose: &Purpose, uses: u32, expires: u64, at: u64) {
        // Long expired ones are forgotten here, by the record's clock, so that every server forgets the same.
        self.tokens
            .retain(|_, token| token.expires + token::REMEMBERED_S > at);
        let token = Token {
            purpose: purpose.clone(),
            uses_left: uses,
            expires,
            made: self.events,
            revoked: false,
        };
        self.tokens.insert(hash, token);
    }

    fn spend(&mut self, hash: &Digest) -> Result<(), Misfit> {
        let token = self.token_mut(hash)?;
        token.uses_left = token
            .uses_left
            .checked_sub(1)
            .ok_or_else(|| Misfit("a spent token was used".into()))?;
        Ok(())
    }

    fn token_mut(&mut self, hash: &Digest) -> Result<&mut Token, Misfit> {
        self.tokens
            .get_mut(hash)
            .ok_or_else(|| Misfit("it names a token that nobody made".into()))
    }

    fn node_mut(&mut self, name: &str) -> Result<&mut Node, Misfit> {
        self.nodes
            .get_mut(name)
            .ok_or_else(|| Misfit(format!("it names a machine that never enrolled: {name}")))
    }

    fn touch(&mut self, role: String) {
        self.changed.insert(role, self.events);
    }
}
