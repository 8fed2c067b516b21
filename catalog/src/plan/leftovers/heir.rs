//! A path that another resource had before: what was there before cfg is what that one found, not what cfg made of it.

use super::before::{Before, Stood};
use super::{Entry, Managed};
use crate::id::{Kind, ResourceId};
use crate::resource::{Desired, Observed, PathState};

impl Managed {
    /// What was there before cfg where this takes a path over from what the role names no more; none where it takes over
    /// nothing, or somebody has changed it meanwhile.
    pub(super) fn inherited(
        &self,
        id: &ResourceId,
        desired: &Desired,
        seen: Option<&Observed>,
    ) -> Option<Before> {
        if !matches!(id.kind, Kind::File | Kind::Directory | Kind::Link) {
            return None;
        }
        let kinds = [Kind::File, Kind::Directory, Kind::Link, Kind::Edit];
        let ids = kinds.map(|kind| ResourceId::new(kind, id.name.clone()));
        let mut entries = ids
            .iter()
            .filter(|other| !desired.names(other))
            .filter_map(|other| self.0.get(other));
        let entry = entries.find(|entry| !entry.pending && entry.stands_as_made(seen))?;
        found(entry, seen?)
    }
}

/// What an entry has of before, as of a path.
fn found(entry: &Entry, seen: &Observed) -> Option<Before> {
    let stood = match (entry.before.as_ref()?, seen) {
        (Before::Path(stood), _) => stood.clone(),
        (Before::Edit { there: false, .. }, _) => Stood::Nothing,
        (
            Before::Edit {
                whole: Some(whole), ..
            },
            Observed::Path(PathState::File(file)),
        ) if file.digest == Some(whole.made) => Stood::File {
            // An edit leaves them as they are.
            ownership: file.ownership.clone(),
            sha256: Some(whole.was),
            size: whole.size,
            kept: true,
        },
        _ => return None,
    };
    Some(Before::Path(stood))
}
