//! Folders that are not there and that a resource needs to be.

use crate::path::AbsPath;
use crate::resource::mount::{Mount, MountState};
use crate::resource::{Body, Observed, PathState, Presence, Resource};

/// The folders that do not exist above what a resource is about to write, outermost first, one list a path.
pub(crate) fn missing(resource: &Resource, observed: Option<&Observed>) -> Vec<Vec<AbsPath>> {
    if let (Body::Mount(mount), Some(Observed::Mount(state))) = (&resource.body, observed) {
        return of_mount(mount, state);
    }
    let states: Vec<&PathState> = match (&resource.body, observed) {
        (Body::File(file), _) if file.content.is_none() => Vec::new(),
        (Body::Edit(edit), _) if !edit.create => Vec::new(),
        (_, Some(Observed::Path(state))) => vec![state],
        (_, Some(Observed::Repository(state))) => {
            std::iter::once(&state.sources).chain(&state.key).collect()
        }
        (Body::Sysctl(sysctl), _) if sysctl.state == Presence::Absent => Vec::new(),
        (_, Some(Observed::Archive(state))) => vec![&state.path],
        (_, Some(Observed::Sysctl(state))) => vec![&state.file],
        (_, Some(Observed::Service(state))) => state.unit_file.iter().collect(),
        _ => Vec::new(),
    };
    states
        .into_iter()
        .filter_map(|state| match state {
            PathState::Absent {
                missing_parents, ..
            } => Some(missing_parents.clone()),
            _ => None,
        })
        .collect()
}

/// The folders that lead to a mount point and to the table; the mount point itself is one.
fn of_mount(mount: &Mount, state: &MountState) -> Vec<Vec<AbsPath>> {
    let lists = [(&state.point, Some(&mount.point)), (&state.table, None)];
    let absent = lists.into_iter().filter_map(|(seen, itself)| match seen {
        PathState::Absent {
            missing_parents, ..
        } if mount.line().is_some() => {
            let all = missing_parents.iter().chain(itself);
            Some(all.cloned().collect())
        }
        _ => None,
    });
    absent.collect()
}

/// Nothing, and all that leads there.
pub(crate) fn nothing() -> Observed {
    Observed::Path(PathState::Absent {
        missing_parents: Vec::new(),
        parent_changed_us: 0,
    })
}
