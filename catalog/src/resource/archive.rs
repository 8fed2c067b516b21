//! An archive unpacked: a directory that comes and goes whole.

use super::file::{Content, in_the_way};
use super::{Attributes, Obstacle, PathState, Presence, Resource};
use crate::path::AbsPath;
use crate::plan::turn::Found;
use crate::plan::{Action, Certainty, Change};
use serde_json::{Map, Value};

/// An archive and where it must lie unpacked.
#[derive(Clone, Debug, PartialEq, Hash)]
pub struct Archive {
    /// Where.
    pub path: AbsPath,
    /// Whether it must be there.
    pub state: Presence,
    /// The archive; none only when absent.
    pub content: Option<Content>,
    /// How many folders are left out at the beginning of each name in it.
    pub strip: u32,
    /// Owner and group of all that it holds; root's where none is said.
    pub attributes: Attributes,
}

/// The file in an unpacked archive that says which one it is.
pub const MARKER: &str = ".cfg-archive";

impl Archive {
    /// What the marker says: all that makes an unpacked archive what it is. None when absent.
    pub fn marker(&self) -> Option<String> {
        let digest = self.content.as_ref()?.digest();
        let owner = self.attributes.owner.as_deref().unwrap_or("root");
        let group = self.attributes.group.as_deref().unwrap_or("root");
        let strip = self.strip;
        Some(format!(
            "sha256 {digest}\nstrip {strip}\nowner {owner}\ngroup {group}\n"
        ))
    }
}

/// Whether a file of the marker's name is one: a directory of somebody else may have such a file too.
pub fn is_marker(text: &str) -> bool {
    text.starts_with("sha256 ")
}

/// What is seen where an archive is to lie.
#[derive(Clone, Debug, PartialEq)]
pub struct ArchiveState {
    /// What stands there.
    pub path: PathState,
    /// The marker in it; none where it has none.
    pub marker: Option<String>,
}

/// What would bring the archive about. What lies in it is its own affair: only the marker is compared.
pub(crate) fn diff(
    resource: &Resource,
    archive: &Archive,
    state: &ArchiveState,
) -> Result<Found, Obstacle> {
    let wanted = match archive.state {
        Presence::Present => archive.marker(),
        Presence::Absent => None,
    };
    let foreign = || {
        Obstacle(
            "a directory stands there that is not empty and that cfg did not unpack: move it away"
                .into(),
        )
    };
    let action = match (&state.path, &wanted) {
        (PathState::Absent { .. }, None) => return Ok(Found::default()),
        (PathState::Absent { .. }, Some(_)) => Action::Create,
        (PathState::Directory(_), Some(_)) if state.marker == wanted => {
            return Ok(Found::default());
        }
        (PathState::Directory(old), _) if state.marker.is_none() && !old.empty => {
            return Err(foreign());
        }
        (PathState::Directory(_) | PathState::Link(_), Some(_)) => Action::Update,
        (PathState::Directory(_) | PathState::Link(_), None) => Action::Remove,
        (other, _) => return Err(in_the_way(other)),
    };
    let before = match &state.path {
        PathState::Link(link) => Value::from(Map::from_iter([(
            "target".to_owned(),
            Value::from(link.target.as_str()),
        )])),
        _ => shown(state.marker.as_deref(), resource.sensitive),
    };
    let after = shown(wanted.as_deref(), resource.sensitive);
    // Whether it can be unpacked shows only once it is here.
    let sure = match &archive.content {
        Some(Content::Url { .. }) => Certainty::Assumed,
        _ => Certainty::Certain,
    };
    let change = Change::new(&resource.id, action).at_most(sure);
    Ok(vec![change.showing(before, after)].into())
}

/// The marker's words, as shown.
fn shown(marker: Option<&str>, sensitive: bool) -> Value {
    let Some(marker) = marker else {
        return Value::Null;
    };
    if sensitive {
        return Value::from(Map::from_iter([("sensitive".to_owned(), true.into())]));
    }
    let words = marker.lines().filter_map(|line| line.split_once(' '));
    let words = words.map(|(word, value)| (word.to_owned(), Value::from(value)));
    Value::from(words.collect::<Map<_, _>>())
}
