//! Who gets in: decided from the token, the name and the key alone.

use super::address::Claim;
use super::event::{About, Event, Purpose};
use super::token::{self, Token};
use super::{Node, State};
use crate::refusal::Refusal;
use cfg_catalog::digest::Digest;
use cfg_catalog::facts::Facts;
use std::net::IpAddr;

/// A machine at the door; name, key and facts are already checked by themselves.
#[derive(Clone, Debug)]
pub struct Machine {
    /// The hash of its token.
    pub token: Digest,
    /// Its name.
    pub name: String,
    /// SHA-256 of its public key.
    pub key: Digest,
    /// What others are told of it.
    pub about: About,
}

/// What a machine gets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// Its role.
    pub role: String,
    /// Its id in it.
    pub id: u32,
    /// Which enrolment of the name this is.
    pub generation: u32,
}

/// A person at the door.
#[derive(Clone, Debug)]
pub struct Person {
    /// The hash of the token.
    pub token: Digest,
    /// The name.
    pub name: String,
    /// SHA-256 of the public key.
    pub key: Digest,
}

impl State {
    /// A machine enrols. The same token with the same key again, after a crash between, gives the same place
    /// and spends nothing.
    ///
    /// # Errors
    /// Where the token does not open this door, or the name is taken.
    pub fn enrol(&self, machine: &Machine, now: u64) -> Result<(Vec<Event>, Place), Refusal> {
        let token = self.living_token(&machine.token, now)?;
        let (role, replaces) = match &token.purpose {
            Purpose::Role(role) => (role, None),
            Purpose::Successor { role, of } => (role, Some(of)),
            Purpose::Operator => return Err(for_other(machine.token, token, "machines")),
        };
        let node = self.nodes.get(&machine.name);
        if let Some(node) = node
            && let Some(place) = node.again(machine)
        {
            return Ok((Vec::new(), place));
        }
        unspent(&machine.token, token)?;
        if node.is_none() {
            self.spelt(&machine.name)?;
        }
        if let Some(of) = replaces {
            self.vacant(role, of)?;
        }
        match node {
            Some(Node { revoked: None, .. }) => {
                return Err(Refusal::NameTaken(machine.name.clone()));
            }
            Some(Node {
                revoked: Some(at), ..
            }) if token.made < *at => return Err(Refusal::RevokedSince(machine.name.clone())),
            _ => {}
        }
        let id = self.id_for(role, replaces.unwrap_or(&machine.name));
        let claim = Claim {
            address: &machine.about.address,
            name: &machine.name,
            role,
            id,
        };
        self.unclaimed(claim)?;
        // A list has a name once: two places of one name would be one too few.
        if node.is_some_and(|node| node.role == *role && node.id != id)
            && self.member_names(role).contains(&machine.name)
        {
            return Err(Refusal::NameOfAnother(machine.name.clone()));
        }
        let place = Place {
            role: role.clone(),
            id,
            generation: node.map_or(0, |node| node.generation) + 1,
        };
        let event = Event::NodeEnrolled {
            name: machine.name.clone(),
            role: place.role.clone(),
            id: place.id,
            generation: place.generation,
            key: machine.key,
            token: machine.token,
            about: machine.about.clone(),
            replaces: replaces.filter(|before| **before != machine.name).cloned(),
        };
        Ok((vec![event], place))
    }

    /// That no machine has, or had, this name but for upper and lower case.
    fn spelt(&self, name: &str) -> Result<(), Refusal> {
        let mut names = self.nodes.keys();
        match names.find(|known| known.eq_ignore_ascii_case(name)) {
            None => Ok(()),
            Some(known) => Err(Refusal::NameSpelt {
                name: name.to_owned(),
                known: known.clone(),
            }),
        }
    }

    /// A person enrols; again with the same token and key gives the same. A new token gives a known name a
    /// new key, and the one before counts no more: operators' tokens are made by operators alone, and a
    /// lost desk must not cost the name.
    ///
    /// # Errors
    /// Where the token does not open this door.
    pub fn enrol_operator(&self, person: &Person, now: u64) -> Result<Vec<Event>, Refusal> {
        let token = self.living_token(&person.token, now)?;
        if token.purpose != Purpose::Operator {
            return Err(for_other(person.token, token, "operators"));
        }
        if let Some(known) = self.operators.get(&person.name)
            && (known.key, known.token) == (person.key, person.token)
        {
            return Ok(Vec::new());
        }
        unspent(&person.token, token)?;
        Ok(vec![Event::OperatorEnrolled {
            name: person.name.clone(),
            key: person.key,
            token: person.token,
        }])
    }

    /// That the place of this one is open: of two tokens for it the second finds it taken, since no two who live have one id.
    fn vacant(&self, role: &str, of: &str) -> Result<(), Refusal> {
        let ids = self.ids.get(role);
        let kept = ids.is_some_and(|ids| ids.contains_key(of));
        match kept && self.nodes.get(of).is_none_or(|of| of.revoked.is_some()) {
            true => Ok(()),
            false => {
                let why = format!("the place of {of} is taken already");
                Err(Refusal::Invalid(why))
            }
        }
    }

    /// The id that sticks to this name in this role, else the next; none is ever given to two names.
    fn id_for(&self, role: &str, name: &str) -> u32 {
        let Some(ids) = self.ids.get(role) else {
            return 1;
        };
        let next = ids.values().max().map_or(1, |most| most + 1);
        ids.get(name).copied().unwrap_or(next)
    }
}

impl Node {
    /// Its place, if this machine is the one that already enrolled as this node.
    fn again(&self, machine: &Machine) -> Option<Place> {
        let same = self.revoked.is_none() && self.key == machine.key && self.token == machine.token;
        same.then(|| Place {
            role: self.role.clone(),
            id: self.id,
            generation: self.generation,
        })
    }
}

fn unspent(hash: &Digest, token: &Token) -> Result<(), Refusal> {
    match token.uses_left {
        0 => Err(Refusal::SpentToken(token::id(hash))),
        _ => Ok(()),
    }
}

fn for_other(hash: Digest, token: &Token, used_for: &str) -> Refusal {
    Refusal::TokenForOther {
        id: token::id(&hash),
        made_for: token.purpose.to_string(),
        used_for: used_for.to_owned(),
    }
}

impl About {
    /// What others are told of a machine, from its own facts. Other machines write this into their files,
    /// so nothing passes that could mean more there than an address or a word.
    ///
    /// # Errors
    /// Where a fact is not what it should be.
    pub fn of(facts: &Facts) -> Result<Self, Refusal> {
        let address: IpAddr = facts.address.parse().map_err(|_| {
            let text: String = facts.address.chars().take(64).collect();
            Refusal::Facts(format!("address {text:?} is not an IP address"))
        })?;
        Ok(Self {
            // One address has one text, else two machines could both have it.
            address: address.to_canonical().to_string(),
            os: word("os.id", &facts.os.id)?,
            arch: word("arch", &facts.arch)?,
            cpus: facts.cpus,
            memory_mb: facts.memory_mb,
        })
    }
}

fn word(what: &str, text: &str) -> Result<String, Refusal> {
    if cfg_catalog::fleet::is_word(text) {
        return Ok(text.to_owned());
    }
    let text: String = text.chars().take(64).collect();
    Err(Refusal::Facts(format!("{what} {text:?} is not a word")))
}
