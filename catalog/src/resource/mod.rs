//! Desired resources, and what is observed of each on a machine. One file a kind.
//!
//! `diff(desired, observed) -> changes` is total and cannot fail; empty is the definition of converged.

pub mod account;
pub mod archive;
pub mod attributes;
pub(crate) mod boot;
mod coming;
pub mod command;
pub mod debconf;
pub mod directory;
pub mod edit;
pub mod file;
pub mod fstab;
pub mod install;
pub mod link;
pub mod mount;
pub mod package;
pub mod repository;
pub mod service;
mod sockets;
pub mod sysctl;
pub(crate) mod through;
pub mod version;

use crate::fleet::Limit;
use crate::id::{Kind, ResourceId};
use crate::path::AbsPath;
use crate::waiting::Waiting;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::sync::Arc;

/// Where in the catalog something is written.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Place {
    /// The role that declares it.
    pub role: Arc<str>,
    /// The file, relative to the catalog: `zookeeper/role.toml`.
    pub file: Arc<str>,
    /// Line, from 1.
    pub line: u32,
    /// Column in characters, from 1.
    pub column: u32,
}

/// One thing that must be so on this machine: rendered, typed and whole.
#[derive(Clone, Debug, PartialEq)]
pub struct Resource {
    /// Its name.
    pub id: ResourceId,
    /// Where it is declared.
    pub place: Place,
    /// Resources that must come first: exact ids, globs already resolved.
    pub after: Vec<ResourceId>,
    /// Rendering read a secret, or it says `sensitive`: its content is never shown.
    pub sensitive: bool,
    /// What it must be.
    pub body: Body,
}

/// What a resource must be, by kind.
#[derive(Clone, Debug, PartialEq, Hash)]
pub enum Body {
    /// An apt source.
    Repository(repository::Repository),
    /// A group.
    Group(account::Group),
    /// A user.
    User(account::User),
    /// A package.
    Package(package::Package),
    /// A directory.
    Directory(directory::Directory),
    /// A file.
    File(file::File),
    /// A link.
    Link(link::Link),
    /// An edit.
    Edit(edit::FileEdit),
    /// A setting of the kernel.
    Sysctl(sysctl::Sysctl),
    /// A file system.
    Mount(mount::Mount),
    /// An archive.
    Archive(archive::Archive),
    /// A command.
    Command(command::Command),
    /// A service.
    Service(service::Service),
}

impl Body {
    /// The kind this is a body of.
    pub fn kind(&self) -> Kind {
        match self {
            Body::Repository(_) => Kind::Repository,
            Body::Group(_) => Kind::Group,
            Body::User(_) => Kind::User,
            Body::Package(_) => Kind::Package,
            Body::Directory(_) => Kind::Directory,
            Body::File(_) => Kind::File,
            Body::Link(_) => Kind::Link,
            Body::Edit(_) => Kind::Edit,
            Body::Sysctl(_) => Kind::Sysctl,
            Body::Mount(_) => Kind::Mount,
            Body::Archive(_) => Kind::Archive,
            Body::Command(_) => Kind::Command,
            Body::Service(_) => Kind::Service,
        }
    }
}

/// All that one machine must be.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Desired {
    /// The machine's own role.
    pub role: String,
    /// Sorted by id; each id once.
    pub resources: Vec<Resource>,
    /// The role's own judgement of whether the machine does its work.
    pub health: Option<Health>,
    /// How many members of the role may be disrupted at a time; none where nobody counts.
    pub slots: Option<Slots>,
    /// What waits until this machine may disrupt what it does.
    pub withheld: Withheld,
    /// What becomes of what leaves the role.
    pub leftovers: Leftovers,
    /// Those of the resources that the role does not name: they bring back what was there before cfg.
    pub reverts: BTreeSet<ResourceId>,
    /// What waits until the members of a role are all there; those of it that could not be rendered are not among the
    /// resources.
    pub waiting: Waiting,
}

/// How many members of a role may be disrupted at a time, and who goes last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slots {
    /// So many.
    pub limit: Limit,
    /// Succeeds on the member that goes last.
    pub leader: Option<Shell>,
}

/// What waits for a slot, all for the same reason. See [`crate::plan::disruption`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Withheld {
    /// Which of the resources.
    pub resources: BTreeSet<ResourceId>,
    /// Why there is no slot, for a person.
    pub why: String,
}

/// What becomes of what leaves a role.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Leftovers {
    /// It is shown, and left as it is.
    #[default]
    Show,
    /// What was there before cfg is brought back.
    Revert,
}

impl Leftovers {
    /// Every choice, as roles write it.
    pub const WORDS: [&str; 2] = ["show", "revert"];

    /// Of a word in a role.
    pub fn of_word(word: &str) -> Option<Self> {
        match word {
            "show" => Some(Leftovers::Show),
            "revert" => Some(Leftovers::Revert),
            _ => None,
        }
    }

    /// Whether it is the default.
    pub fn is_show(&self) -> bool {
        *self == Leftovers::Show
    }
}

impl Desired {
    /// The resource of this name.
    pub fn get(&self, id: &ResourceId) -> Option<&Resource> {
        self.resources.get(self.position(id)?)
    }

    /// Where among the resources the one of this name is.
    pub fn position(&self, id: &ResourceId) -> Option<usize> {
        self.resources.binary_search_by(|r| r.id.cmp(id)).ok()
    }

    /// Whether the role names this, or may come to do so when it waits no more.
    pub fn names(&self, id: &ResourceId) -> bool {
        self.get(id).is_some() || self.waiting.perhaps(id).is_some()
    }
}

/// Why a difference cannot be enacted: a failure of its resource, in a dry run too.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Obstacle(pub String);

/// How a role's health is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Health {
    /// What is run.
    pub command: Shell,
    /// How long a started service may take to pass, in seconds.
    pub timeout_s: u64,
}

/// A command line: a list is argv, a string goes to `/bin/sh -c`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Shell {
    /// As it stands, without a shell.
    Argv(Vec<String>),
    /// One string for `/bin/sh -c`.
    Line(String),
}

/// Permission bits, as a string of octal digits in roles: 0644.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Mode(pub u32);

impl std::fmt::Display for Mode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:04o}", self.0)
    }
}

/// Whether a thing must be there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub enum Presence {
    /// It must.
    #[default]
    Present,
    /// It must not.
    Absent,
}

/// Mode, owner and group; what is not given is not managed (new things get 0644 or 0755, root, root).
#[derive(Clone, Debug, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub struct Attributes {
    /// Permission bits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<Mode>,
    /// User name, or a number as text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// Group name, or a number as text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
}

/// What stands at a path, not following a link in the last component.
#[derive(Clone, Debug, PartialEq)]
pub enum PathState {
    /// Nothing.
    Absent {
        /// The folders above that do not exist either, outermost first.
        missing_parents: Vec<AbsPath>,
        /// When the nearest folder that exists last changed, in µs since 1970; for [`crate::plan::ledger`].
        parent_changed_us: u64,
    },
    /// A regular file.
    File(FileState),
    /// A directory.
    Directory(DirectoryState),
    /// A symbolic link.
    Link(LinkState),
    /// A device, a FIFO or a socket.
    Special,
    /// It could not be looked at; a failure, never "nothing to do".
    Unreadable {
        /// The whole reason, for a person.
        why: String,
    },
}

/// Owner, group and mode of something that stands there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ownership {
    /// Permission bits.
    pub mode: Mode,
    /// User name where passwd has one, else the number.
    pub owner: String,
    /// Group name where group has one, else the number.
    pub group: String,
}

/// A regular file that stands there.
#[derive(Clone, Debug, PartialEq)]
pub struct FileState {
    /// Its attributes.
    pub ownership: Ownership,
    /// Bytes.
    pub size: u64,
    /// Its content's digest; none where it could not be read (an unprivileged dry run).
    pub digest: Option<crate::digest::Digest>,
    /// Its content, of at most 1 MiB: where it differs from what is desired, for diffs; and where it is edited.
    pub content: Option<Vec<u8>>,
    /// ctime, in µs since 1970.
    pub changed_us: u64,
}

/// A directory that stands there.
#[derive(Clone, Debug, PartialEq)]
pub struct DirectoryState {
    /// Its attributes.
    pub ownership: Ownership,
    /// Where `purge` or `source` asks for it: everything below it on this mount, paths sorted; else empty.
    pub below: Vec<Below>,
    /// Whether it has no entries.
    pub empty: bool,
    /// Which of [`directory::NEVER_PURGED`] it is, or has somewhere below, whatever links lead there.
    pub holds: Option<AbsPath>,
    /// ctime, the latest of it and everything in `below`, in µs since 1970.
    pub changed_us: u64,
}

/// One thing below a directory.
#[derive(Clone, Debug, PartialEq)]
pub struct Below {
    /// Its absolute path.
    pub path: AbsPath,
    /// What it is.
    pub what: BelowKind,
}

/// What stands below a directory.
#[derive(Clone, Debug, PartialEq)]
pub enum BelowKind {
    /// A regular file, with what it holds.
    File(FileState),
    /// A directory.
    Directory(Ownership),
    /// A link to this target.
    Link(String),
    /// Anything else.
    Special,
    /// Another file system is mounted here: never crossed, never removed.
    Mount,
    /// Something whose name no path of a role can have; the path has it with escapes. Never entered, never removed.
    Unnamable,
}

/// A link that stands there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinkState {
    /// Where it points, as written in it.
    pub target: String,
    /// ctime, in µs since 1970.
    pub changed_us: u64,
}

/// What was seen of one resource.
#[derive(Clone, Debug, PartialEq)]
pub enum Observed {
    /// For file, directory, link and edit.
    Path(PathState),
    /// For package.
    Package(package::PackageState),
    /// For repository.
    Repository(repository::RepositoryState),
    /// For user.
    User(account::UserState),
    /// For group.
    Group(account::GroupState),
    /// For service.
    Service(service::ServiceState),
    /// For sysctl.
    Sysctl(sysctl::SysctlState),
    /// For mount.
    Mount(mount::MountState),
    /// For archive.
    Archive(archive::ArchiveState),
    /// For command.
    Command(command::CommandState),
    /// Looking failed; a failure of the resource.
    Failed {
        /// The whole reason, for a person.
        why: String,
    },
}
