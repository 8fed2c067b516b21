//! What the server knows of the other machines.

use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// So many members may be waited for.
pub const MOST_MEMBERS: u32 = 10_000;

/// One machine as others see it: an item of `fleet.members("ROLE")`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    /// Its id in its role: 1 and up, kept for life.
    pub id: u32,
    /// Its node name.
    pub name: String,
    /// Its address.
    pub address: String,
    /// Its operating system's id.
    pub os: String,
    /// Debian's word for its architecture.
    pub arch: String,
    /// Processors.
    pub cpus: u32,
    /// Memory in MiB.
    pub memory_mb: u64,
}

/// The fleet as one machine is shown it: a numbered value. `--fleet FILE` holds the same in TOML or JSON.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FleetView {
    /// Rises with every change; 0 where no server gave it.
    #[serde(default)]
    pub number: u64,
    /// Members by their own role, each list sorted by id.
    #[serde(default)]
    pub roles: BTreeMap<String, Vec<Member>>,
    /// Roles whose list a server keeps whole, since it was so once: who waited for them waits no more.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub formed: BTreeSet<String>,
}

/// Whether these are characters that mean nothing to a shell, a path, a template or a log line.
pub fn is_plain(text: &str) -> bool {
    text.chars()
        .all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-'))
}

/// Whether it can be a name that others write into their files; it has so many characters at most.
pub fn is_name(text: &str, most: usize) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphanumeric()) && is_plain(text) && text.len() <= most
}

/// The most characters of a machine's name: it is a host name, or something like it.
pub const MOST_NAME: usize = 253;

/// Whether it can be what a machine says of itself to others in a word: its operating system, its architecture.
pub fn is_word(text: &str) -> bool {
    !text.is_empty() && text.len() <= 64 && is_plain(text)
}

/// How many members of a role may be disrupted at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Limit {
    /// So many.
    Count(u32),
    /// So many of a hundred, rounded down; but one always.
    Percent(u8),
}

impl Limit {
    /// So many of this number of members.
    pub fn of(self, members: usize) -> usize {
        match self {
            Limit::Count(count) => usize::try_from(count).unwrap_or(usize::MAX),
            Limit::Percent(part) => (members.saturating_mul(part.into()) / 100).max(1),
        }
    }
}

/// Which member this machine is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Me {
    /// Its node name.
    pub name: String,
    /// Its id in its role.
    pub id: u32,
    /// Whether the others of its role are told of it yet.
    #[serde(default = "yes")]
    pub admitted: bool,
    /// Whether it comes after the others, and not all of them have made of themselves yet what its coming asks for: from its first
    /// run, also while it waits for its turn and nobody is told of it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub joining: bool,
}

fn yes() -> bool {
    true
}

/// A list of members of which nothing is to be made yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Incomplete {
    /// They are too few, by `wait_for`.
    Few {
        /// The role.
        role: String,
        /// So many have enrolled.
        have: usize,
        /// So many are waited for.
        want: u32,
    },
    /// This machine is of the role and not among them: they come one at a time.
    NotYet {
        /// The role.
        role: String,
    },
    /// This machine is new among them, and not all of them know it yet.
    Joining {
        /// The role.
        role: String,
    },
}

impl fmt::Display for Incomplete {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Few { role, have, want } => write!(f, "waiting for {role}: {have} of {want}"),
            Self::NotYet { role } => write!(f, "waiting for its turn to join {role}"),
            Self::Joining { role } => {
                write!(f, "waiting until the other members of {role} know this one")
            }
        }
    }
}

impl FleetView {
    /// The members of a role, sorted by id.
    pub fn members(&self, role: &str) -> Vec<&Member> {
        let mut members: Vec<&Member> = self.roles.get(role).into_iter().flatten().collect();
        members.sort_by_key(|member| member.id);
        members
    }

    /// Whether fewer of a role have enrolled than this one waits for; `wait_for` is a number of members by role.
    pub fn lacks(&self, role: &str, wait_for: &BTreeMap<String, u32>) -> Option<Incomplete> {
        let want = *wait_for.get(role)?;
        let have = self.roles.get(role).map_or(0, Vec::len);
        let few = have < want as usize && !self.formed.contains(role);
        few.then(|| Incomplete::Few {
            role: role.to_owned(),
            have,
            want,
        })
    }
}
