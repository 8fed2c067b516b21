//! Ways that a role takes away: links and folders that lead nowhere any more once it is brought about.

use super::claims::{own_path, presence};
use super::{Places, Snapshot};
use crate::id::{Kind, ResourceId};
use crate::path::AbsPath;
use crate::resource::{Body, Desired, Observed, PathState, Presence, Resource};

impl Snapshot {
    /// Where paths will lie once the role is brought about.
    pub fn places_then(&self, desired: &Desired) -> Places {
        self.places.without(|| links(desired, self))
    }

    /// Where they will lie by the time that what must not be there is looked for.
    pub(super) fn places_passed(&self, desired: &Desired) -> Places {
        self.places.without(|| passed(desired, self))
    }
}

/// The paths of the links among them. What is brought back comes last: all else goes by the ways that are.
pub(super) fn links<'a>(desired: &'a Desired, snapshot: &Snapshot) -> Vec<&'a AbsPath> {
    let role = desired.resources.iter();
    let closing = role.filter(|one| !desired.reverts.contains(&one.id));
    let closing = closing.filter_map(|one| closed_link(one, snapshot.observed.get(&one.id)));
    closing.collect()
}

/// Those of them in whose place something is by the time that what must not lie behind them is looked for.
pub(super) fn passed<'a>(desired: &'a Desired, snapshot: &Snapshot) -> Vec<&'a AbsPath> {
    let mut passed = links(desired, snapshot);
    passed.retain(|path| leads_on(desired, path.as_str()));
    passed
}

/// Links that no role names any more, and that go before anything of the role comes in their place or below.
pub(super) fn leaving<'a>(desired: &'a Desired, snapshot: &Snapshot) -> Vec<&'a AbsPath> {
    let brought = desired.resources.iter();
    let leaving = brought
        .filter(|one| desired.reverts.contains(&one.id) && presence(&one.body) == Presence::Absent);
    let leaving = leaving.filter_map(|one| closed_link(one, snapshot.observed.get(&one.id)));
    leaving.collect()
}

/// Whether the role has a folder or a link here.
pub(super) fn leads_on(desired: &Desired, path: &str) -> bool {
    wanted(desired, [Kind::Directory, Kind::Link], path).is_some()
}

/// What the role wants to stand here, of one of these kinds.
pub(super) fn wanted<'d>(
    desired: &'d Desired,
    kinds: [Kind; 2],
    path: &str,
) -> Option<&'d Resource> {
    let names = kinds.map(|kind| ResourceId::new(kind, path));
    let mut role = names.iter().filter_map(|id| desired.get(id));
    role.find(|one| presence(&one.body) == Presence::Present)
}

/// The path of a link that this takes away.
pub(super) fn closed_link<'a>(one: &'a Resource, seen: Option<&Observed>) -> Option<&'a AbsPath> {
    match (&one.body, seen) {
        (Body::Archive(archive), Some(Observed::Archive(seen))) => {
            matches!(seen.path, PathState::Link(_)).then_some(&archive.path)
        }
        (body, Some(Observed::Path(PathState::Link(_)))) => {
            own_path(body).filter(|_| closes(body, seen))
        }
        _ => None,
    }
}

/// Whether what stands there leads nowhere any more once this is brought about.
pub(super) fn closes(body: &Body, seen: Option<&Observed>) -> bool {
    let seen = match seen {
        Some(Observed::Path(seen)) => Some(seen),
        _ => None,
    };
    match (body, seen) {
        (_, Some(PathState::Absent { .. })) => false,
        (Body::Directory(folder), _) if folder.state == Presence::Absent => true,
        (Body::Link(link), Some(PathState::Link(old))) => link.target.as_ref() != Some(&old.target),
        (Body::File(_), Some(PathState::Link(_) | PathState::Directory(_)))
        | (Body::Directory(_), Some(PathState::Link(_)))
        | (Body::Link(_), Some(PathState::Directory(_))) => true,
        _ => false,
    }
}
