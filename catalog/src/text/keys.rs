//! The keys of each kind: the one table that declarations are checked against.

use super::shape::Shape;
use crate::id::Kind;

const PRESENCE: Shape = Shape::Words(&["present", "absent"]);

/// Keys that every resource takes.
const COMMON: &[(&str, Shape)] = &[
    ("when", Shape::Expression),
    ("each", Shape::Each),
    ("after", Shape::References),
];

const PACKAGE: &[(&str, Shape)] = &[
    ("version", Shape::Line),
    ("state", Shape::Words(&["present", "absent", "purged"])),
    ("hold", Shape::Boolean),
    ("debconf", Shape::Debconf),
];

const REPOSITORY: &[(&str, Shape)] = &[
    ("uris", Shape::Lines),
    ("suites", Shape::Lines),
    ("components", Shape::Lines),
    ("signed_by", Shape::File),
    ("architectures", Shape::Lines),
];

const FILE: &[(&str, Shape)] = &[
    ("content", Shape::Text),
    ("template", Shape::Template),
    ("source", Shape::File),
    ("url", Shape::Url),
    ("sha256", Shape::Sha256),
    ("mode", Shape::Mode),
    ("owner", Shape::Account),
    ("group", Shape::Account),
    ("validate", Shape::Shell),
    ("sensitive", Shape::Boolean),
    ("create_only", Shape::Boolean),
    ("state", PRESENCE),
];

const DIRECTORY: &[(&str, Shape)] = &[
    ("mode", Shape::Mode),
    ("owner", Shape::Account),
    ("group", Shape::Account),
    ("source", Shape::Tree),
    ("purge", Shape::Boolean),
    ("state", PRESENCE),
];

const LINK: &[(&str, Shape)] = &[("target", Shape::Line), ("state", PRESENCE)];

const SYSCTL: &[(&str, Shape)] = &[("value", Shape::Setting), ("state", PRESENCE)];

const MOUNT: &[(&str, Shape)] = &[
    ("device", Shape::Line),
    ("fstype", Shape::Line),
    ("options", Shape::Line),
    ("dump", Shape::Number),
    ("pass", Shape::Number),
    (
        "state",
        Shape::Words(&["mounted", "present", "unmounted", "absent"]),
    ),
];

const ARCHIVE: &[(&str, Shape)] = &[
    ("url", Shape::Url),
    ("sha256", Shape::Sha256),
    ("source", Shape::File),
    ("strip", Shape::Number),
    ("owner", Shape::Account),
    ("group", Shape::Account),
    ("state", PRESENCE),
];

const SERVICE: &[(&str, Shape)] = &[
    ("state", Shape::Words(&["running", "stopped"])),
    ("enabled", Shape::Boolean),
    ("masked", Shape::Boolean),
    ("unit", Shape::Template),
    ("restart_on", Shape::References),
    ("reload_on", Shape::References),
];

const USER: &[(&str, Shape)] = &[
    ("uid", Shape::Number),
    ("gid", Shape::Account),
    ("groups", Shape::Accounts),
    ("exact_groups", Shape::Boolean),
    ("shell", Shape::Path),
    ("home", Shape::Path),
    ("system", Shape::Boolean),
    ("authorized_keys", Shape::Lines),
    ("password_hash", Shape::Line),
    ("state", PRESENCE),
];

const GROUP: &[(&str, Shape)] = &[
    ("gid", Shape::Number),
    ("system", Shape::Boolean),
    ("state", PRESENCE),
];

const COMMAND: &[(&str, Shape)] = &[
    ("run", Shape::Shell),
    ("unless", Shape::Shell),
    ("only_if", Shape::Shell),
    ("creates", Shape::Path),
    ("on", Shape::References),
    ("user", Shape::Account),
    ("cwd", Shape::Path),
    ("env", Shape::Environment),
    ("timeout", Shape::Duration),
];

fn own(kind: Kind) -> &'static [(&'static str, Shape)] {
    match kind {
        Kind::Repository => REPOSITORY,
        Kind::Group => GROUP,
        Kind::User => USER,
        Kind::Package => PACKAGE,
        Kind::Directory => DIRECTORY,
        Kind::File => FILE,
        Kind::Link => LINK,
        Kind::Sysctl => SYSCTL,
        Kind::Mount => MOUNT,
        Kind::Archive => ARCHIVE,
        Kind::Command => COMMAND,
        Kind::Service => SERVICE,
    }
}

/// The keys that a kind takes.
pub fn of(kind: Kind) -> impl Iterator<Item = &'static (&'static str, Shape)> {
    own(kind).iter().chain(COMMON)
}

/// What this key of this kind takes.
pub fn shape(kind: Kind, key: &str) -> Option<Shape> {
    of(kind)
        .find(|(name, _)| *name == key)
        .map(|(_, shape)| *shape)
}

/// What a key is merged under: the ways to give a file or an archive its bytes are one.
pub fn slot(kind: Kind, key: &str) -> &str {
    match (kind, key) {
        (Kind::File, "template" | "source" | "url") | (Kind::Archive, "source" | "url") => {
            "content"
        }
        _ => key,
    }
}

/// Keys of `[fleet]`, and whether this version has them.
pub const FLEET: &[(&str, Shape)] = &[
    ("health", Shape::Shell),
    ("health_timeout", Shape::Duration),
    ("wait_for", Shape::Later),
    ("max_unavailable", Shape::Later),
    ("leader", Shape::Later),
    ("gone_after", Shape::Later),
];

/// Keys of a role beside its resources, and whether this version has them.
pub const ROLE: &[&str] = &[
    "description",
    "include",
    "partial",
    "params",
    "set",
    "fleet",
];

/// Keys of a role that a later version brings.
pub const ROLE_LATER: &[&str] = &["leftovers", "confirm"];
