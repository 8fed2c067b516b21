//! What happened: the words of the log. A word once written is read for ever; a new one raises the log's format (`log/sealed.rs`).

use super::fleet::Revision;
use cfg_catalog::digest::Digest;
use cfg_catalog::fleet::Limit;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// One thing that happened, with who did it and when.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// Seconds since 1970, by the clock of the server that wrote it.
    pub at: u64,
    /// Who: `operator alice`, `node vm-1`, `cfg-server init`.
    pub by: String,
    /// What.
    #[serde(flatten)]
    pub event: Event,
}

/// What can happen.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// The fleet began.
    Initialised {
        /// Its name.
        fleet: String,
        /// SHA-256 of its CA's certificate, DER.
        ca: Digest,
    },
    /// A token was made.
    TokenCreated {
        /// SHA-256 of the token; the token itself is nowhere.
        hash: Digest,
        /// What it is for.
        purpose: Purpose,
        /// How often it may be used.
        uses: u32,
        /// Until when, seconds since 1970.
        expires: u64,
    },
    /// A token was taken back.
    TokenRevoked {
        /// Its hash.
        hash: Digest,
    },
    /// A machine got its identity.
    NodeEnrolled {
        /// Its name.
        name: String,
        /// Its role.
        role: String,
        /// Its id in its role.
        id: u32,
        /// 1, and one more for each enrolment of the name.
        generation: u32,
        /// SHA-256 of its public key.
        key: Digest,
        /// The hash of the token that was used.
        token: Digest,
        /// What others are told of it.
        about: About,
        /// The machine whose place it takes, with its id.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        replaces: Option<String>,
    },
    /// What others are told of a machine is otherwise now.
    NodeChanged {
        /// Its name.
        name: String,
        /// What it says now.
        about: About,
    },
    /// A machine was shut out.
    NodeRevoked {
        /// Its name.
        name: String,
    },
    /// A machine was shut out, and keeps its place for the one that replaces it.
    NodeReplaced {
        /// Its name.
        name: String,
    },
    /// A machine has made of itself what a release and a view say.
    NodeSettled {
        /// Its name.
        name: String,
        /// Which.
        settled: Revision,
    },
    /// The others of its role are told of a machine.
    MemberAdmitted {
        /// Its name.
        name: String,
        /// Whether another left for it, so that they are as many as before.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        in_place: bool,
    },
    /// The others of its role are told of it no more.
    MemberLeft {
        /// Its name.
        name: String,
    },
    /// The others have made of themselves that it came: it is new among them no more.
    MemberJoined {
        /// Its name.
        name: String,
    },
    /// A machine was unseen for as long as its role allows.
    NodeGone {
        /// Its name.
        name: String,
    },
    /// One that was gone is there again.
    NodeBack {
        /// Its name.
        name: String,
    },
    /// A machine may disrupt what it does.
    SlotTaken {
        /// Its name.
        name: String,
        /// Names the slot; rises with each.
        fence: u64,
    },
    /// It may for longer.
    SlotKept {
        /// Its name.
        name: String,
    },
    /// It has done so.
    SlotGiven {
        /// Its name.
        name: String,
        /// Whether it was healthy after it.
        healthy: bool,
    },
    /// It did so without a slot, since a person said so.
    SlotWaived {
        /// Its name.
        name: String,
        /// Why.
        why: String,
    },
    /// An operator got an identity.
    OperatorEnrolled {
        /// The name.
        name: String,
        /// SHA-256 of the public key.
        key: Digest,
        /// The hash of the token that was used.
        token: Digest,
    },
    /// A release became current.
    Published(Published),
}

/// A release that is, or was, current.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Published {
    /// The digest of its manifest.
    pub release: Digest,
    /// 1 and up; a gap is what machines have seen before the server was restored.
    pub sequence: u64,
    /// The release before.
    pub previous: Option<Digest>,
    /// The envelope's bytes: JSON text.
    pub envelope: String,
    /// Its roles, and for each the roles whose members it reads.
    pub reads: BTreeMap<String, BTreeSet<String>>,
    /// So many of their own members they wait for; none where they do not.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub cohorts: BTreeMap<String, u32>,
    /// How many of their members may be disrupted at a time.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub slots: BTreeMap<String, SlotRule>,
    /// After so many seconds unseen their members count no more.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub gone_after: BTreeMap<String, u64>,
}

/// How slots are given in a role.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SlotRule {
    /// So many at a time.
    pub limit: Limit,
    /// Whether one of them goes last.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub leader: bool,
}

/// What a token may be used for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Purpose {
    /// A machine of this role.
    Role(String),
    /// The machine that takes another's place in its role, with its id.
    Successor {
        /// The role.
        role: String,
        /// Whose place.
        of: String,
    },
    /// A person's desk.
    Operator,
}

impl fmt::Display for Purpose {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Role(role) => write!(f, "machines of role {role}"),
            Self::Successor { of, .. } => write!(f, "the machine that replaces {of}"),
            Self::Operator => f.write_str("operators"),
        }
    }
}

/// What other machines are told of one; checked, so that it can stand in their files.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct About {
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
