//! A symbolic link.

use super::file::in_the_way;
use super::{Obstacle, PathState, Presence, Resource, attributes};
use crate::path::AbsPath;
use crate::plan::turn::Found;
use crate::plan::{Action, Change};
use serde_json::{Value, json};

/// A link that must stand there.
#[derive(Clone, Debug, PartialEq, Hash)]
pub struct Link {
    /// Where.
    pub path: AbsPath,
    /// Whether it must be there.
    pub state: Presence,
    /// Where it points, as written; none only when absent.
    pub target: Option<String>,
    /// A file of cfg's own gives way to it: before that, the link stood there.
    pub over_file: bool,
}

/// What would bring the link about.
pub(crate) fn diff(resource: &Resource, link: &Link, state: &PathState) -> Result<Found, Obstacle> {
    let Some(target) = link
        .target
        .as_ref()
        .filter(|_| link.state == Presence::Present)
    else {
        return removal(resource, state);
    };
    let after = json!({ "target": target });
    let (action, before) = match state {
        PathState::Link(old) if old.target == *target => return Ok(Found::default()),
        PathState::Link(old) => (Action::Update, json!({ "target": old.target })),
        PathState::Absent { .. } => (Action::Create, Value::Null),
        PathState::Directory(old) if old.empty => (
            Action::Update,
            attributes::shown(&old.ownership, &[("type", "directory".into())]),
        ),
        PathState::File(old) if link.over_file => (
            Action::Update,
            attributes::shown(&old.ownership, &[("type", "file".into())]),
        ),
        _ => return Err(in_the_way(state)),
    };
    Ok(vec![Change::new(&resource.id, action).showing(before, after)].into())
}

fn removal(resource: &Resource, state: &PathState) -> Result<Found, Obstacle> {
    match state {
        PathState::Absent { .. } => Ok(Found::default()),
        PathState::Link(old) => Ok(vec![
            Change::new(&resource.id, Action::Remove)
                .showing(json!({ "target": old.target }), Value::Null),
        ]
        .into()),
        _ => Err(in_the_way(state)),
    }
}
