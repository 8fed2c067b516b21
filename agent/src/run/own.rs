//! The folders of a run's own: no purge takes them. It makes them before it looks, and looks past them.
//!
//! A tree of `--root` may have nothing in it yet, not even what leads to the state folder. A dry run makes nothing, so
//! that its plan names those folders where a resource needs them; the run names the same.

use super::Context;
use cfg_catalog::id::ResourceId;
use cfg_catalog::path::AbsPath;
use cfg_catalog::resource::{Body, Desired, Observed, PathState};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// All that is cfg's own below the root, where it really lies.
pub(super) fn paths(context: &Context<'_>) -> Vec<AbsPath> {
    let root = context.root.path();
    let state = context.state.path();
    let own = std::iter::once(state).chain(context.own.iter().map(PathBuf::as_path));
    own.filter_map(|path| below_root(&path.canonicalize().unwrap_or_else(|_| path.into()), root))
        .collect()
}

fn below_root(path: &Path, root: &Path) -> Option<AbsPath> {
    let below = path.strip_prefix(root).ok()?.to_str()?;
    format!("/{below}").parse().ok()
}

/// Takes back, from what was seen, the folders that this run made for itself; outermost first.
pub(super) fn look_past(
    made: &[PathBuf],
    root: &Path,
    desired: &Desired,
    seen: &mut BTreeMap<ResourceId, Observed>,
) {
    if made.is_empty() {
        return;
    }
    let below = |folder: &PathBuf| below_root(folder, root);
    let made: Vec<AbsPath> = made.iter().filter_map(below).collect();
    for resource in &desired.resources {
        let path = match &resource.body {
            Body::File(file) => &file.path,
            Body::Directory(directory) => &directory.path,
            Body::Link(link) => &link.path,
            Body::Edit(edit) => &edit.path,
            _ => continue,
        };
        if let Some(Observed::Path(state)) = seen.get_mut(&resource.id) {
            before(state, path, &made);
        }
    }
}

/// What stood there before these were made.
fn before(state: &mut PathState, path: &AbsPath, made: &[AbsPath]) {
    let mut missing: Vec<AbsPath> = made
        .iter()
        .filter(|folder| *folder != path && path.is_within(folder))
        .cloned()
        .collect();
    match state {
        PathState::Absent {
            missing_parents, ..
        } => {
            missing.append(missing_parents);
            *missing_parents = missing;
        }
        PathState::Directory(there) if made.contains(path) => {
            *state = PathState::Absent {
                missing_parents: missing,
                parent_changed_us: there.changed_us,
            };
        }
        _ => {}
    }
}
