//! A part of a file that something else owns.

use super::file::{NEW, NEW_SENSITIVE, in_the_way, shown};
use super::{Attributes, FileState, Obstacle, PathState, Resource, attributes};
use crate::digest::Digest;
use crate::edit::{Edit, MOST, apply};
use crate::id::{Kind, ResourceId};
use crate::path::AbsPath;
use crate::plan::refusals::held;
use crate::plan::turn::{Found, Turn};
use crate::plan::{Action, Certainty, Change, textdiff};
use serde_json::Value;

/// What must be so in a file, whatever else is in it.
#[derive(Clone, Debug, PartialEq, Hash)]
pub struct FileEdit {
    /// Which file.
    pub path: AbsPath,
    /// What must be in it, and what must not.
    pub edit: Edit,
    /// It is made where it is missing.
    pub create: bool,
}

impl FileEdit {
    /// The name of the file as a resource, whether or not the role has it.
    pub(crate) fn file(&self) -> ResourceId {
        ResourceId::new(Kind::File, self.path.as_str())
    }
}

/// What would bring the edit about.
pub(crate) fn diff(
    resource: &Resource,
    edit: &FileEdit,
    state: &PathState,
    turn: &Turn<'_>,
) -> Result<Found, Obstacle> {
    judged(resource, edit, state, turn).map_err(|Obstacle(why)| {
        // What goes by another name than its path says where it failed.
        Obstacle(match &*resource.id.name == edit.path.as_str() {
            true => why,
            false => format!("{}: {why}", edit.path),
        })
    })
}

fn judged(
    resource: &Resource,
    edit: &FileEdit,
    state: &PathState,
    turn: &Turn<'_>,
) -> Result<Found, Obstacle> {
    let change = |action| Change::new(&resource.id, action);
    let new_mode = if resource.sensitive {
        NEW_SENSITIVE
    } else {
        NEW
    };
    let outcome = || attributes::outcome(&Attributes::default(), None, new_mode, turn.host).after;
    let may_come = turn.ahead.may_bring_paths();
    let made = match state {
        PathState::File(old) => return rewritten(resource, edit, old, turn),
        PathState::Absent { .. } if edit.edit.only_removes() && !may_come => {
            return Ok(Found::default());
        }
        // What comes before may bring it, with what in it nobody knows yet.
        PathState::Absent { .. } if may_come && !edit.create => {
            let after = attributes::shown(&outcome(), &[]);
            change(Action::Update)
                .at_most(Certainty::Assumed)
                .showing(Value::Null, after)
        }
        PathState::Absent { .. } if edit.create => {
            let new = apply(b"", &edit.edit).map_err(|why| Obstacle(why.to_string()))?;
            let after = outcome();
            let open = !resource.sensitive && attributes::public(after.mode);
            let diff = Some(&new).filter(|_| open);
            let digest = Some(Digest::of(&new));
            change(Action::Create)
                .at_most(Certainty::certain_if(!may_come))
                .with_diff(diff.and_then(|new| textdiff::unified(b"", new)))
                .showing(Value::Null, shown(&after, digest, resource.sensitive))
        }
        PathState::Absent { .. } => {
            let why =
                "there is no such file, and nothing before brings it: `create = true` makes it";
            return Err(Obstacle(why.into()));
        }
        PathState::Link(link) => {
            let why = format!(
                "a link to {} stands there: let the edit name the file that it leads to",
                link.target
            );
            return Err(Obstacle(why));
        }
        PathState::Directory(_) | PathState::Special | PathState::Unreadable { .. } => {
            return Err(in_the_way(state));
        }
    };
    Ok(vec![made].into())
}

/// A file that stands there.
fn rewritten(
    resource: &Resource,
    edit: &FileEdit,
    old: &FileState,
    turn: &Turn<'_>,
) -> Result<Found, Obstacle> {
    let change = Change::new(&resource.id, Action::Update);
    // What stands there may be of a time when an edit of it, or the file, had a secret in it.
    let secret = resource.sensitive || turn.ledger.sensitive.contains(&edit.file());
    if old.content.is_none() && old.digest.is_some() && old.size <= MOST as u64 {
        // It comes from the role, and its content is not at hand for a plan.
        let before = shown(&old.ownership, old.digest, secret);
        let after = attributes::shown(&old.ownership, &[]);
        let change = change.at_most(Certainty::Assumed).showing(before, after);
        return Ok(vec![change].into());
    }
    if old.digest.is_none()
        && let Some(held) = held(resource, turn)
    {
        return Ok(held);
    }
    let new = match edited(edit, old)? {
        Some(new) => new,
        None if resource.after.iter().any(|id| turn.ahead.acts(id)) => {
            // What it comes after may write the file anew.
            let same = shown(&old.ownership, old.digest, secret);
            let change = change.at_most(Certainty::Assumed);
            return Ok(vec![change.showing(same.clone(), same)].into());
        }
        None => return Ok(Found::default()),
    };
    let open = !secret && attributes::public(old.ownership.mode);
    let before = old.content.as_deref().filter(|_| open);
    let diff = before.and_then(|before| textdiff::unified(before, &new));
    Ok(vec![change.with_diff(diff).showing(
        shown(&old.ownership, old.digest, secret),
        shown(&old.ownership, Some(Digest::of(&new)), secret),
    )]
    .into())
}

/// What a file that stands there will hold; none where it holds that already.
fn edited(edit: &FileEdit, old: &FileState) -> Result<Option<Vec<u8>>, Obstacle> {
    let Some(content) = &old.content else {
        return Err(Obstacle(match old.digest {
            None => "it may not be read by this user, and so what it holds is not known".into(),
            Some(_) => format!(
                "it has {} bytes; no file over {} KiB is edited",
                old.size,
                MOST / 1024
            ),
        }));
    };
    let new = apply(content, &edit.edit).map_err(|why| Obstacle(why.to_string()))?;
    Ok((new != *content).then_some(new))
}

/// What the file will hold after the edit, where that is known.
pub(crate) fn outlook(edit: &FileEdit, state: &PathState) -> Option<Vec<u8>> {
    match state {
        PathState::File(old) => {
            let content = old.content.as_ref()?;
            apply(content, &edit.edit).ok()
        }
        PathState::Absent { .. } if edit.create => apply(b"", &edit.edit).ok(),
        _ => None,
    }
}
