//! A source of packages, as one deb822 file with its keyring beside it.

use super::file::in_the_way;
use super::{Attributes, Mode, Obstacle, PathState, Resource, attributes};
use crate::digest::Digest;
use crate::path::AbsPath;
use crate::plan::turn::{Found, Turn};
use crate::plan::{Action, Change, Host, textdiff};
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
    /// Files of others that name the same source with another key: beside one, apt reads no source at all.
    pub rivals: Vec<AbsPath>,
}

/// Both files are for everybody: apt reads them as `_apt`.
const MODE: Mode = Mode(0o644);

/// What both files are to have.
pub(crate) fn for_everybody() -> Attributes {
    Attributes {
        mode: Some(MODE),
        owner: Some("root".into()),
        group: Some("root".into()),
    }
}

/// What would bring the source about: one change, whichever of its two files it is.
pub(crate) fn diff(
    resource: &Resource,
    repository: &Repository,
    state: &RepositoryState,
    turn: &Turn<'_>,
) -> Result<Found, Obstacle> {
    // What the role says of such a file is done as early.
    let mut rivals = state.rivals.iter();
    if let Some(rival) = rivals.find(|path| !turn.claims.is(path)) {
        return Err(Obstacle(format!(
            "{rival} names the same source with another key, and beside it apt would read no source at all: \
             let the role take that file away (`state = \"absent\"`), take the source out of it by hand, or remove it with \
             --prune where it is of a repository that left the role"
        )));
    }
    let part = |wanted, state: &PathState| part(wanted, state, resource.sensitive, turn.host);
    let sources = part(Digest::of(&repository.sources), &state.sources)?;
    let key = match (&repository.key, &state.key) {
        (None, _) => None,
        (Some(key), Some(seen)) => Some(part(key.digest, seen)?),
        (Some(_), None) => return Err(Obstacle("its key was not looked at".into())),
    };
    let same = |part: &Part| part.same;
    if same(&sources) && key.as_ref().is_none_or(same) {
        // A run asks apt again, which may know better by then.
        let unfetched = turn.host.unfetched.get(&resource.id);
        return Ok(Found {
            missed: unfetched.filter(|_| turn.ahead.is_ahead()).cloned(),
            ..Found::default()
        });
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

fn part(wanted: Digest, state: &PathState, sensitive: bool, host: &Host) -> Result<Part, Obstacle> {
    let shown = |mode: Mode, digest: Digest| match sensitive {
        true => json!({ "mode": mode.to_string(), "sensitive": true }),
        false => json!({ "mode": mode.to_string(), "sha256": digest.to_string() }),
    };
    let mut same = false;
    let mut after = shown(MODE, wanted);
    let before = match state {
        PathState::Absent { .. } => None,
        PathState::File(old) => {
            let unread = || Obstacle("its file could not be read".into());
            let digest = old.digest.ok_or_else(unread)?;
            let new = attributes::outcome(&for_everybody(), Some(&old.ownership), MODE, host).after;
            same = digest == wanted && old.ownership == new;
            let mut before = shown(old.ownership.mode, digest);
            attributes::show_owners(&mut before, &mut after, &old.ownership, &new);
            Some(before)
        }
        PathState::Link(old) => Some(json!({ "target": old.target })),
        PathState::Directory(_) | PathState::Special | PathState::Unreadable { .. } => {
            return Err(in_the_way(state));
        }
    };
    Ok(Part {
        same,
        before,
        after,
    })
}
