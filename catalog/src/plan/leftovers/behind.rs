//! What lies behind a link that the role replaces: it is left over where it really lies, since no other way leads there then.

use super::Managed;
use super::made::Made;
use super::revert::closes;

use crate::id::ResourceId;
use crate::path::AbsPath;
use crate::plan::Snapshot;
use crate::plan::claims::{own_path, path_of};
use crate::resource::Desired;
use std::collections::BTreeSet;

impl Managed {
    /// Puts on record by their real paths what the role names no more and takes the way to.
    pub(super) fn follow(&mut self, desired: &Desired, snapshot: &Snapshot) {
        if snapshot.places.is_empty() {
            return;
        }
        let closing = desired.resources.iter().filter(|one| {
            let seen = snapshot.observed.get(&one.id);
            closes(&one.body, seen)
        });
        let closing: BTreeSet<&str> = closing
            .filter_map(|one| Some(own_path(&one.body)?.as_str()))
            .collect();
        let behind = self.0.iter().filter_map(|(id, entry)| {
            let path = match &entry.made {
                Some(Made::Edit { path, .. }) => Some(path.clone()),
                _ => path_of(id),
            }?;
            let lost = !desired.names(id) && path.above().any(|above| closing.contains(above));
            lost.then(|| (id.clone(), snapshot.places.real(&path).into_owned()))
        });
        let behind: Vec<(ResourceId, AbsPath)> = behind.collect();
        for (id, real) in behind {
            let Some(mut entry) = self.0.remove(&id) else {
                continue;
            };
            let id = match &mut entry.made {
                Some(Made::Edit { path, .. }) => {
                    *path = real;
                    id
                }
                _ => ResourceId::new(id.kind, real.as_str()),
            };
            self.0.entry(id).or_insert(entry);
        }
    }
}
