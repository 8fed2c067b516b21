//! A regular file.

use super::{
    Attributes, FileState, Mode, Obstacle, Ownership, PathState, Presence, Resource, Shell,
    attributes,
};
use crate::digest::Digest;
use crate::path::AbsPath;
use crate::plan::refusals::held;
use crate::plan::turn::{Found, Turn};
use crate::plan::{Action, Certainty, Change, textdiff};
use serde_json::{Value, json};

/// A file that must stand there with this content.
#[derive(Clone, Debug, PartialEq, Hash)]
pub struct File {
    /// Where.
    pub path: AbsPath,
    /// Whether it must be there.
    pub state: Presence,
    /// What it holds; none manages attributes alone.
    pub content: Option<Content>,
    /// Mode, owner, group.
    pub attributes: Attributes,
    /// Judges the new file (`%s`) before it takes its place.
    pub validate: Option<Shell>,
    /// Content is never shown, new ones get 0600.
    pub sensitive: bool,
    /// Content counts only while the file does not exist.
    pub create_only: bool,
}

/// Where a file's bytes come from, after rendering.
#[derive(Clone, Debug, PartialEq, Hash)]
pub enum Content {
    /// Rendered text, from `content` or `template`.
    Text(Vec<u8>),
    /// A file of the role, by digest, kept outside memory.
    Blob {
        /// Which.
        digest: Digest,
        /// Bytes.
        size: u64,
    },
    /// What is at a URL, fetched where it is wanted.
    Url {
        /// Where.
        url: String,
        /// What it is.
        digest: Digest,
    },
}

impl Content {
    /// The digest of the bytes.
    pub fn digest(&self) -> Digest {
        match self {
            Content::Text(bytes) => Digest::of(bytes),
            Content::Blob { digest, .. } | Content::Url { digest, .. } => *digest,
        }
    }
}

impl File {
    /// Whether others may fill it.
    pub(crate) fn is_open(&self) -> bool {
        self.content.is_none() || self.create_only
    }
}

/// The mode of a new file that nobody gave one.
pub const NEW: Mode = Mode(0o644);

/// The mode of a new sensitive file that nobody gave one.
pub const NEW_SENSITIVE: Mode = Mode(0o600);

/// Whether what it is to hold is shown nowhere.
fn is_secret(resource: &Resource, file: &File) -> bool {
    resource.sensitive || file.sensitive
}

/// Whether what stands there is shown nowhere: it may be of a time when the role had a secret in it.
fn was_secret(resource: &Resource, file: &File, turn: &Turn<'_>) -> bool {
    is_secret(resource, file) || turn.ledger.sensitive.contains(&resource.id)
}

/// What would bring the file about.
pub(crate) fn diff(
    resource: &Resource,
    file: &File,
    state: &PathState,
    turn: &Turn<'_>,
) -> Result<Found, Obstacle> {
    if let PathState::Unreadable { why } = state {
        return Err(Obstacle(why.clone()));
    }
    match (file.state, &file.content) {
        (Presence::Absent, _) => removal(resource, file, state, turn),
        (Presence::Present, Some(content)) => filled(resource, file, content, state, turn),
        (Presence::Present, None) => attributes_alone(resource, file, state, turn),
    }
}

fn removal(
    resource: &Resource,
    file: &File,
    state: &PathState,
    turn: &Turn<'_>,
) -> Result<Found, Obstacle> {
    let secret = was_secret(resource, file, turn);
    let change = Change::new(&resource.id, Action::Remove);
    let change = match state {
        PathState::Absent { .. } => return Ok(Found::default()),
        PathState::File(old) => {
            let open = !secret && attributes::public(old.ownership.mode);
            let diff = old.content.as_ref().filter(|_| open);
            change
                .with_diff(diff.and_then(|old| textdiff::unified(old, b"")))
                .showing(shown(&old.ownership, old.digest, secret), Value::Null)
        }
        PathState::Link(link) => change.showing(json!({ "target": link.target }), Value::Null),
        PathState::Directory(_) | PathState::Special | PathState::Unreadable { .. } => {
            return Err(in_the_way(state));
        }
    };
    Ok(vec![change].into())
}

/// A file whose content the role gives.
fn filled(
    resource: &Resource,
    file: &File,
    content: &Content,
    state: &PathState,
    turn: &Turn<'_>,
) -> Result<Found, Obstacle> {
    let secret = is_secret(resource, file);
    let new_mode = if secret { NEW_SENSITIVE } else { NEW };
    let change = |action| Change::new(&resource.id, action);
    let (change, current) = match state {
        PathState::File(old) => return rewritten(resource, file, content, old, turn),
        PathState::Link(_) if file.create_only => return Ok(Found::default()),
        // What a package or a command brings there first stays as it is.
        PathState::Absent { .. } if file.create_only && turn.ahead.may_bring_paths() => (
            change(Action::Create).at_most(Certainty::Assumed),
            Value::Null,
        ),
        PathState::Absent { .. } => (change(Action::Create), Value::Null),
        PathState::Link(link) => (change(Action::Update), json!({ "target": link.target })),
        PathState::Directory(old) if old.empty => (
            change(Action::Update),
            attributes::shown(&old.ownership, &[("type", "directory".into())]),
        ),
        _ => return Err(in_the_way(state)),
    };
    let outcome = attributes::outcome(&file.attributes, None, new_mode, turn.host);
    let open = change.action == Action::Create && !secret && attributes::public(outcome.after.mode);
    let bytes = bytes(content, turn).filter(|_| open);
    Ok(Found {
        changes: vec![
            change
                .at_most(judged(file, turn))
                .with_diff(bytes.and_then(|new| textdiff::unified(b"", new)))
                .showing(
                    current,
                    shown(&outcome.after, Some(content.digest()), secret),
                ),
        ],
        held: outcome.held,
        ..Found::default()
    })
}

/// How sure it is that a new content takes its place: what is to judge it is run in a run alone.
fn judged(file: &File, turn: &Turn<'_>) -> Certainty {
    Certainty::certain_if(file.validate.is_none() || !turn.ahead.is_ahead())
}

/// A file that stands there, and whose content the role gives.
fn rewritten(
    resource: &Resource,
    file: &File,
    content: &Content,
    old: &FileState,
    turn: &Turn<'_>,
) -> Result<Found, Obstacle> {
    let secret = is_secret(resource, file);
    let digest = match old.digest {
        _ if file.create_only => old.digest,
        Some(_) => Some(content.digest()),
        None => match held(resource, turn) {
            Some(held) => return Ok(held),
            None => return Err(unreadable(&file.path)),
        },
    };
    let outcome = match digest == old.digest {
        true => attributes::amended(&file.attributes, &old.ownership, turn.host),
        false => attributes::outcome(&file.attributes, Some(&old.ownership), NEW, turn.host),
    };
    if digest == old.digest && outcome.after == old.ownership {
        return Ok(Found {
            changes: Vec::new(),
            held: outcome.held,
            ..Found::default()
        });
    }
    let old_secret = was_secret(resource, file, turn);
    let open = !old_secret
        && digest != old.digest
        && attributes::public(old.ownership.mode)
        && attributes::public(outcome.after.mode);
    let diff = old.content.as_ref().filter(|_| open).and_then(|before| {
        let after = bytes(content, turn)?;
        textdiff::unified(before, after)
    });
    Ok(Found {
        changes: vec![
            Change::new(&resource.id, Action::Update)
                .at_most(match digest == old.digest {
                    true => Certainty::Certain,
                    false => judged(file, turn),
                })
                .with_diff(diff)
                .showing(
                    shown(&old.ownership, old.digest, old_secret),
                    shown(
                        &outcome.after,
                        digest,
                        secret || (old_secret && digest == old.digest),
                    ),
                ),
        ],
        held: outcome.held,
        ..Found::default()
    })
}

/// A file that something else fills.
fn attributes_alone(
    resource: &Resource,
    file: &File,
    state: &PathState,
    turn: &Turn<'_>,
) -> Result<Found, Obstacle> {
    let secret = was_secret(resource, file, turn);
    match state {
        PathState::File(old) => {
            let outcome = attributes::amended(&file.attributes, &old.ownership, turn.host);
            let mut changes = Vec::new();
            if outcome.after != old.ownership {
                changes.push(Change::new(&resource.id, Action::Update).showing(
                    shown(&old.ownership, old.digest, secret),
                    shown(&outcome.after, old.digest, secret),
                ));
            }
            Ok(Found {
                changes,
                held: outcome.held,
                ..Found::default()
            })
        }
        PathState::Absent { .. } if turn.ahead.may_bring_paths() => {
            let outcome = attributes::outcome(&file.attributes, None, NEW, turn.host);
            Ok(vec![
                Change::new(&resource.id, Action::Update)
                    .at_most(Certainty::Assumed)
                    .showing(Value::Null, attributes::shown(&outcome.after, &[])),
            ]
            .into())
        }
        PathState::Absent { .. } => Err(Obstacle(
            "it does not exist, and the role gives it no content".into(),
        )),
        PathState::Link(_) => Err(Obstacle(
            "a link stands there, and the role gives the file no content".into(),
        )),
        _ => Err(in_the_way(state)),
    }
}

/// The bytes it will hold, where they are at hand.
fn bytes<'a>(content: &'a Content, turn: &'a Turn<'_>) -> Option<&'a [u8]> {
    match content {
        Content::Text(bytes) => Some(bytes),
        Content::Blob { digest, .. } => turn.host.blobs.get(digest).map(Vec::as_slice),
        Content::Url { .. } => None,
    }
}

/// A file as it is shown.
pub(crate) fn shown(ownership: &Ownership, digest: Option<Digest>, secret: bool) -> Value {
    if secret {
        return attributes::shown(ownership, &[("sensitive", true.into())]);
    }
    let digest = digest.map(|digest| digest.to_string());
    attributes::shown(ownership, &[("sha256", digest.into())])
}

/// Whose content is unknown, since whoever looked may not read it.
pub(crate) fn unreadable(path: &AbsPath) -> Obstacle {
    Obstacle(format!(
        "{path} may not be read by this user, and so what it holds is not known"
    ))
}

/// What stands where something else should, and may not be replaced.
pub(crate) fn in_the_way(state: &PathState) -> Obstacle {
    Obstacle(
        match state {
            PathState::Absent { .. } => "nothing stands there",
            PathState::File(_) => "a file stands there",
            PathState::Directory(old) if old.empty => "a directory stands there",
            PathState::Directory(_) => "a directory that is not empty stands there",
            PathState::Link(_) => "a link stands there",
            PathState::Special => "a device, a FIFO or a socket stands there",
            PathState::Unreadable { why } => why,
        }
        .into(),
    )
}
