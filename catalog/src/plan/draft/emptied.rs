//! Directories that are emptied before what is to take their place has its turn.

use super::Draft;
use crate::path::AbsPath;
use crate::plan::claims::own_path;
use crate::plan::missing::nothing;
use crate::resource::{Below, Body, DirectoryState, Observed, PathState, Resource};

impl Draft<'_> {
    /// What is left of a directory that was seen; none where something is left in it, or nothing comes before.
    pub(super) fn emptied(&self, resource: &Resource, seen: Option<&Observed>) -> Option<Observed> {
        if !self.ahead.removes_anything() {
            return None;
        }
        let (Some(path), Observed::Path(state)) = (own_path(&resource.body), seen?) else {
            return None;
        };
        match self.ahead.removes(path) {
            true => Some(nothing()),
            false => self.left(path, state).map(Observed::Path),
        }
    }

    fn left(&self, path: &AbsPath, seen: &PathState) -> Option<PathState> {
        let PathState::Directory(seen) = seen else {
            return None;
        };
        let within = |below: &&Below| below.path.is_within(path) && below.path != *path;
        let listed = match seen.below.is_empty() {
            true => self.listed_above(path)?,
            false => &seen.below,
        };
        let mut listed = listed.iter().filter(within);
        let all = listed.all(|below| self.ahead.removes(&below.path));
        (all && !seen.empty).then(|| {
            PathState::Directory(DirectoryState {
                empty: true,
                below: Vec::new(),
                ..seen.clone()
            })
        })
    }

    /// What was seen below a directory that is purged and holds this path.
    fn listed_above(&self, path: &AbsPath) -> Option<&[Below]> {
        path.ancestors().find_map(|above| {
            let resource = self.declared.get(&above)?;
            match (&resource.body, self.snapshot.observed.get(&resource.id)?) {
                (Body::Directory(folder), Observed::Path(PathState::Directory(seen))) => {
                    folder.purge.then_some(seen.below.as_slice())
                }
                _ => None,
            }
        })
    }
}
