//! What lies behind a link that the role replaces: it is known by where it really lies, since no other way leads there then, and
//! what the role wants by the same name is another thing.

use super::entry::Entry;
use super::made::Made;
use super::{Managed, at_path};
use crate::id::{Kind, ResourceId};
use crate::path::AbsPath;
use crate::plan::Snapshot;
use crate::plan::claims::path_of;
use crate::plan::closing::closed_link;
use crate::resource::Desired;
use std::collections::BTreeSet;

impl Managed {
    /// The record with the real paths of what the role takes the way to; none where it takes no way.
    #[must_use]
    pub fn followed(&self, desired: &Desired, snapshot: &Snapshot) -> Option<Managed> {
        if snapshot.places.is_empty() {
            return None;
        }
        let closing = desired.resources.iter().filter_map(|one| {
            let path = closed_link(one, snapshot.observed.get(&one.id))?;
            self.knew(path, snapshot).then_some(path.as_str())
        });
        let closing: BTreeSet<&str> = closing.collect();
        let behind = self.0.iter().filter_map(|(id, entry)| {
            let path = entry.lies_at(id)?;
            let lost = path.above().any(|above| closing.contains(above));
            lost.then(|| (id, snapshot.places.real(&path).into_owned()))
        });
        let behind: Vec<(&ResourceId, AbsPath)> = behind.collect();
        if behind.is_empty() {
            return None;
        }
        let mut followed = self.clone();
        for (id, real) in behind {
            if let Some(mut entry) = followed.0.remove(id) {
                let id = ResourceId::new(id.kind, real.as_str());
                if let Some(Made::Edit { path, .. }) = &mut entry.made {
                    *path = real;
                }
                followed.0.entry(id).or_insert(entry);
            }
        }
        Some(followed)
    }

    /// Whether a link was there when what lies behind it was made: nobody has laid it since in the place of what cfg made.
    fn knew(&self, path: &AbsPath, snapshot: &Snapshot) -> bool {
        let names = at_path(&ResourceId::new(Kind::Link, path.as_str()));
        let known = names.iter().filter_map(|id| Some((id, self.0.get(id)?)));
        let mut known = known.map(|(id, entry)| entry.stands_as_made(snapshot.observed.get(id)));
        known.all(|stands| stands)
    }
}

impl Entry {
    /// The path by which it is reached.
    pub(super) fn lies_at(&self, id: &ResourceId) -> Option<AbsPath> {
        match &self.made {
            Some(Made::Edit { path, .. }) => Some(path.clone()),
            _ => path_of(id),
        }
    }
}
