//! A directory.

use super::file::in_the_way;
use super::{
    Attributes, Below, BelowKind, DirectoryState, Mode, Obstacle, PathState, Presence, Resource,
    attributes,
};
use crate::digest::Digest;
use crate::id::{Kind, ResourceId};
use crate::path::AbsPath;
use crate::plan::claims::path_of;
use crate::plan::ledger::Ledger;
use crate::plan::turn::{Found, Turn};
use crate::plan::{Action, Change};
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// A directory that must stand there.
#[derive(Clone, Debug, PartialEq, Hash)]
pub struct Directory {
    /// Where.
    pub path: AbsPath,
    /// Whether it must be there.
    pub state: Presence,
    /// Mode, owner, group.
    pub attributes: Attributes,
    /// Everything below that no resource of the role claims is removed.
    pub purge: bool,
    /// A tree of the role, sorted by path. It becomes `file:` and `directory:` resources at rendering, so this is kept
    /// only to know that `below` must be observed.
    pub source: Vec<TreeFile>,
    /// A file of cfg's own gives way to it: before that, the directory stood there.
    pub over_file: bool,
}

/// A file of a tree of the role.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct TreeFile {
    /// Below the tree's folder: `css/site.css`.
    pub path: String,
    /// What it holds.
    pub digest: Digest,
    /// Bytes.
    pub size: u64,
    /// Whether its owner may execute it in the role's folder.
    pub executable: bool,
}

impl TreeFile {
    /// The mode that it comes with.
    pub fn mode(&self) -> Mode {
        match self.executable {
            true => Mode(0o755),
            false => super::file::NEW,
        }
    }
}

/// The mode of a new directory that nobody gave one.
pub const NEW: Mode = Mode(0o755);

/// Where `purge` is refused: what lies there is never one role's alone.
pub const NEVER_PURGED: [&str; 7] = ["/", "/etc", "/usr", "/var", "/home", "/root", "/boot"];

/// What would bring the directory about, and what its purge would remove.
pub(crate) fn diff(
    resource: &Resource,
    directory: &Directory,
    state: &PathState,
    turn: &Turn<'_>,
) -> Result<Found, Obstacle> {
    if directory.purge && NEVER_PURGED.contains(&directory.path.as_str()) {
        return Err(Obstacle(format!("purge is refused on {}", directory.path)));
    }
    match state {
        PathState::Unreadable { why } => return Err(Obstacle(why.clone())),
        PathState::Directory(DirectoryState {
            holds: Some(holds), ..
        }) => spared(directory, holds)?,
        _ => {}
    }
    match directory.state {
        Presence::Present => presence(resource, directory, state, turn),
        Presence::Absent => removal(resource, directory, state, turn),
    }
}

/// What is everybody's is neither emptied nor removed, by whatever way a path leads there.
fn spared(directory: &Directory, holds: &AbsPath) -> Result<(), Obstacle> {
    let path = &directory.path;
    let refused = match (directory.purge, directory.state) {
        (true, _) => format!("purge is refused on {path}"),
        (false, Presence::Absent) => format!("{path} is never removed"),
        (false, Presence::Present) => return Ok(()),
    };
    Err(Obstacle(match path == holds {
        true => refused,
        false => format!("{refused}: it leads to {holds}"),
    }))
}

fn presence(
    resource: &Resource,
    directory: &Directory,
    state: &PathState,
    turn: &Turn<'_>,
) -> Result<Found, Obstacle> {
    let current = match state {
        PathState::Directory(old) => Some(&old.ownership),
        _ => None,
    };
    let outcome = attributes::outcome(&directory.attributes, current, NEW, turn.host);
    let change = |action| Change::new(&resource.id, action);
    let after = attributes::shown(&outcome.after, &[]);
    let mut changes = Vec::new();
    match state {
        PathState::Directory(old) => {
            if outcome.after != old.ownership {
                changes.push(
                    change(Action::Update).showing(attributes::shown(&old.ownership, &[]), after),
                );
            }
            changes.extend(purged(resource, directory, old, turn));
        }
        PathState::Absent { .. } => {
            changes.push(change(Action::Create).showing(Value::Null, after));
        }
        PathState::Link(old) => {
            changes.push(change(Action::Update).showing(json!({ "target": old.target }), after));
        }
        PathState::File(old) if directory.over_file => {
            let before = attributes::shown(&old.ownership, &[("type", "file".into())]);
            changes.push(change(Action::Update).showing(before, after));
        }
        _ => return Err(in_the_way(state)),
    }
    Ok(Found {
        changes,
        held: outcome.held,
        missed: match state {
            PathState::Directory(old) if directory.purge => unnamable(&old.below),
            _ => None,
        },
    })
}

/// What a purge cannot name, and so leaves.
fn unnamable(below: &[Below]) -> Option<String> {
    let odd = below
        .iter()
        .filter(|b| matches!(b.what, BelowKind::Unnamable));
    let names: Vec<&str> = odd.map(|below| below.path.as_str()).collect();
    (!names.is_empty()).then(|| {
        format!(
            "names that are not UTF-8, have control characters or are too long cannot be purged; remove these by hand: {}",
            names.join(", ")
        )
    })
}

fn removal(
    resource: &Resource,
    directory: &Directory,
    state: &PathState,
    turn: &Turn<'_>,
) -> Result<Found, Obstacle> {
    let change = Change::new(&resource.id, Action::Remove);
    match state {
        PathState::Absent { .. } => Ok(Found::default()),
        PathState::Link(old) => {
            Ok(vec![change.showing(json!({ "target": old.target }), Value::Null)].into())
        }
        PathState::Directory(old) => {
            let mut changes = purged(resource, directory, old, turn);
            let going: BTreeSet<&str> = changes.iter().map(|c| &*c.resource.name).collect();
            let stays = old.below.iter().find(|below| {
                !going.contains(below.path.as_str())
                    && turn.claims.absent(&below.path).is_none()
                    && !turn.ahead.removes(&below.path)
            });
            if let Some(stays) = stays {
                return Err(Obstacle(format!(
                    "it is not empty: {} stands in it",
                    stays.path
                )));
            }
            if !old.empty && old.below.is_empty() {
                return Err(Obstacle("it is not empty".into()));
            }
            changes.push(change.showing(attributes::shown(&old.ownership, &[]), Value::Null));
            Ok(changes.into())
        }
        _ => Err(in_the_way(state)),
    }
}

/// The victims of a purge, what is inside before what it is in.
fn purged(
    resource: &Resource,
    directory: &Directory,
    state: &DirectoryState,
    turn: &Turn<'_>,
) -> Vec<Change> {
    if !directory.purge {
        return Vec::new();
    }
    victims(&directory.path, &state.below, turn)
        .into_iter()
        .map(|(victim, before)| {
            Change::new(&victim, Action::Remove)
                .showing(before, Value::Null)
                .because_of(vec![resource.id.clone()])
        })
        .collect()
}

/// Everything below that no resource claims, and that holds nothing which stays.
fn victims(folder: &AbsPath, below: &[Below], turn: &Turn<'_>) -> Vec<(ResourceId, Value)> {
    let claims = turn.claims;
    let firm: Vec<&AbsPath> = below
        .iter()
        .filter(|b| {
            matches!(b.what, BelowKind::Mount | BelowKind::Unnamable) || claims.of_service(b)
        })
        .map(|b| &b.path)
        .collect();
    let stays = |path: &AbsPath| {
        claims.keeps(path, folder)
            || firm
                .iter()
                .any(|firm| firm.is_within(path) || path.is_within(firm))
    };
    let mut going: Vec<&Below> = below.iter().filter(|b| !stays(&b.path)).collect();
    going.sort_by(|a, b| b.path.cmp(&a.path));
    going
        .into_iter()
        .map(|below| {
            let (kind, before) = victim(below, turn.ledger);
            // By another name of the same place a purge could not find it.
            let own = |id: &&ResourceId| path_of(id).is_none_or(|path| path == below.path);
            let named = claims.absent(&below.path).filter(own).cloned();
            let id = named.unwrap_or_else(|| ResourceId::new(kind, below.path.as_str()));
            (id, before)
        })
        .collect()
}

/// How a victim is named and shown: a link or a device goes as a file does.
fn victim(below: &Below, ledger: &Ledger) -> (Kind, Value) {
    let file = ResourceId::new(Kind::File, below.path.as_str());
    match &below.what {
        BelowKind::File(old) if ledger.sensitive.contains(&file) => (
            Kind::File,
            attributes::shown(&old.ownership, &[("sensitive", true.into())]),
        ),
        BelowKind::File(old) => {
            let digest = old.digest.map(|digest| digest.to_string());
            (
                Kind::File,
                attributes::shown(&old.ownership, &[("sha256", digest.into())]),
            )
        }
        BelowKind::Directory(old) => (Kind::Directory, attributes::shown(old, &[])),
        BelowKind::Link(target) => (Kind::File, json!({ "target": target })),
        BelowKind::Special | BelowKind::Mount | BelowKind::Unnamable => (Kind::File, Value::Null),
    }
}
