//! A source of packages, as one deb822 file with its keyring beside it.

use super::file::in_the_way;
use super::{Mode, Obstacle, PathState, Resource};
use crate::digest::Digest;
use crate::plan::turn::Found;
use crate::plan::{Action, Change, textdiff};
use serde_json::{Map, Value, json};

/// An apt source: `/etc/apt/sources.list.d/cfg-NAME.sources`, and its key `/etc/apt/keyrings/cfg-NAME.asc` (or `.gpg`).
#[derive(Clone, Debug, PartialEq, Hash)]
pub struct Repository {
    /// Its name in the role.
    pub name: String,
    /// The rendered deb822 stanza, whole.
    pub sources: Vec<u8>,
    /// The key, from the role.
    pub key: Option<Key>,
}

/// A signing key that lies in the role.
#[derive(Clone, Debug, PartialEq, Hash)]
pub struct Key {
    /// ASCII-armoured (`.asc`) or binary (`.gpg`).
    pub armoured: bool,
    /// Its content.
    pub digest: Digest,
    /// Bytes.
    pub size: u64,
}

impl Repository {
    /// The stanza's path.
    pub fn sources_path(&self) -> String {
        format!("/etc/apt/sources.list.d/cfg-{}.sources", self.name)
    }

    /// The key's path, where it has one.
    pub fn key_path(&self) -> Option<String> {
        let key = self.key.as_ref()?;
        let ending = if key.armoured { "asc" } else { "gpg" };
        Some(format!("/etc/apt/keyrings/cfg-{}.{ending}", self.name))
    }
}

/// What stands at the two paths.
#[derive(Clone, Debug, PartialEq)]
pub struct RepositoryState {
    /// At [`Repository::sources_path`].
    pub sources: PathState,
    /// At [`Repository::key_path`].
    pub key: Option<PathState>,
}

/// Both files are for everybody: apt reads them as `_apt`.
const MODE: Mode = Mode(0o644);

/// What would bring the source about: one change, whichever of its two files it is.
pub(crate) fn diff(
    resource: &Resource,
    repository: &Repository,
    state: &RepositoryState,
) -> Result<Found, Obstacle> {
    let part = |wanted, state: &PathState| part(wanted, state, resource.sensitive);
    let sources = part(Digest::of(&repository.sources), &state.sources)?;
    let key = match (&repository.key, &state.key) {
        (None, _) => None,
        (Some(key), Some(seen)) => Some(part(key.digest, seen)?),
        (Some(_), None) => return Err(Obstacle("its key was not looked at".into())),
    };
    let same = |part: &Part| part.same;
    if same(&sources) && key.as_ref().is_none_or(same) {
        return Ok(Found::default());
    }
    let (mut before, mut after) = (Map::new(), Map::new());
    for (word, part) in [("sources", Some(&sources)), ("key", key.as_ref())] {
        let Some(part) = part else { continue };
        if let Some(old) = &part.before {
            before.insert(word.into(), old.clone());
        }
        after.insert(word.into(), part.after.clone());
    }
    let new = before.is_empty();
    let action = if new { Action::Create } else { Action::Update };
    let before = if new { Value::Null } else { before.into() };
    let old = match &state.sources {
        PathState::File(old) => old.content.as_deref(),
        _ => Some(&b""[..]),
    };
    let diff = old
        .filter(|_| !same(&sources) && !resource.sensitive)
        .and_then(|old| textdiff::unified(old, &repository.sources));
    Ok(vec![
        Change::new(&resource.id, action)
            .showing(before, after.into())
            .with_diff(diff),
    ]
    .into())
}

/// One of the two files, as shown.
struct Part {
    same: bool,
    before: Option<Value>,
    after: Value,
}

fn part(wanted: Digest, state: &PathState, sensitive: bool) -> Result<Part, Obstacle> {
    let shown = |mode: Mode, digest: Digest| match sensitive {
        true => json!({ "mode": mode.to_string(), "sensitive": true }),
        false => json!({ "mode": mode.to_string(), "sha256": digest.to_string() }),
    };
    let mut same = false;
    let before = match state {
        PathState::Absent { .. } => None,
        PathState::File(old) => {
            let unread = || Obstacle("its file could not be read".into());
            let digest = old.digest.ok_or_else(unread)?;
            same = digest == wanted && old.ownership.mode == MODE;
            Some(shown(old.ownership.mode, digest))
        }
        PathState::Link(old) => Some(json!({ "target": old.target })),
        PathState::Directory(_) | PathState::Special | PathState::Unreadable { .. } => {
            return Err(in_the_way(state));
        }
    };
    Ok(Part {
        same,
        before,
        after: shown(MODE, wanted),
    })
}
