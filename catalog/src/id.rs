//! What a resource is called: `kind:name`.

use crate::text::near::nearest;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

/// The kinds of resources that this version knows.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// A source of packages for apt.
    Repository,
    /// A group of `/etc/group`.
    Group,
    /// A user of `/etc/passwd`.
    User,
    /// A Debian package.
    Package,
    /// A directory.
    Directory,
    /// A regular file.
    File,
    /// A symbolic link.
    Link,
    /// A part of a file that something else owns.
    Edit,
    /// A setting of the kernel.
    Sysctl,
    /// A file system.
    Mount,
    /// An archive, unpacked.
    Archive,
    /// A command run under a guard.
    Command,
    /// A systemd unit.
    Service,
}

impl Kind {
    /// Every kind, in the order in which a run goes through them.
    pub const ALL: [Kind; 13] = [
        Kind::Repository,
        Kind::Group,
        Kind::User,
        Kind::Package,
        Kind::Directory,
        Kind::File,
        Kind::Link,
        Kind::Edit,
        Kind::Sysctl,
        Kind::Mount,
        Kind::Archive,
        Kind::Command,
        Kind::Service,
    ];

    /// The word in role.toml and before the colon.
    pub fn word(self) -> &'static str {
        match self {
            Kind::Repository => "repository",
            Kind::Group => "group",
            Kind::User => "user",
            Kind::Package => "package",
            Kind::Directory => "directory",
            Kind::File => "file",
            Kind::Link => "link",
            Kind::Edit => "edit",
            Kind::Sysctl => "sysctl",
            Kind::Mount => "mount",
            Kind::Archive => "archive",
            Kind::Command => "command",
            Kind::Service => "service",
        }
    }

    /// One of this kind, in messages: "a file", "an archive".
    pub fn one(self) -> String {
        let word = self.word();
        let article = if word.starts_with(['a', 'e', 'i', 'o']) {
            "an"
        } else {
            "a"
        };
        format!("{article} {word}")
    }

    /// The kind of this word.
    pub fn of_word(word: &str) -> Option<Kind> {
        Self::ALL.into_iter().find(|kind| kind.word() == word)
    }
}

/// `kind:name`, with the name in its one spelling (paths normalized, no `.service` at the end of a service).
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ResourceId {
    /// What it is.
    pub kind: Kind,
    /// Which one. Shared: a run holds the same name in many places.
    pub name: Arc<str>,
}

impl ResourceId {
    /// The id of a resource whose name is already in its one spelling.
    pub fn new(kind: Kind, name: impl Into<Arc<str>>) -> Self {
        Self {
            kind,
            name: name.into(),
        }
    }

    /// The same with its name in its one spelling, as a person may have written it in another.
    ///
    /// # Errors
    /// With the reason why it can be no name.
    pub fn in_one_spelling(&self) -> Result<Self, String> {
        let name = crate::text::names::canonical(self.kind, &self.name)?;
        Ok(Self::new(self.kind, name))
    }
}

/// A text that is not `kind:name`.
#[derive(Debug, thiserror::Error)]
#[error("\"{text}\" is not the name of a resource: {why}")]
pub struct NotAResource {
    text: String,
    why: String,
}

impl FromStr for ResourceId {
    type Err = NotAResource;

    fn from_str(text: &str) -> Result<Self, NotAResource> {
        let bad = |why| NotAResource {
            text: text.into(),
            why,
        };
        let wanted = || match text.starts_with('/') {
            true => format!("kind:name is wanted, as in file:{text}"),
            false => "kind:name is wanted, as in file:/etc/hosts".into(),
        };
        match text.split_once(':') {
            None | Some((_, "")) => Err(bad(wanted())),
            Some((word, name)) => match Kind::of_word(word) {
                Some(kind) => Ok(Self::new(kind, name)),
                None => Err(bad(match nearest(word, Kind::ALL.map(Kind::word)) {
                    Some(near) => format!("{word:?} is no kind; did you mean {near}?"),
                    None => format!("{word:?} is no kind; {}", wanted()),
                })),
            },
        }
    }
}

impl TryFrom<String> for ResourceId {
    type Error = NotAResource;

    fn try_from(text: String) -> Result<Self, NotAResource> {
        text.parse()
    }
}

impl From<ResourceId> for String {
    fn from(id: ResourceId) -> Self {
        id.to_string()
    }
}

impl fmt::Display for ResourceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.kind.word(), self.name)
    }
}

impl fmt::Debug for ResourceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
