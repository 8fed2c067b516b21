//! Folders that nobody names, and that are made on the way to what the role names.

use super::Draft;
use crate::id::{Kind, ResourceId};
use crate::path::AbsPath;
use crate::plan::missing::{missing, nothing};
use crate::plan::{Certainty, Fate, Phase, Step};
use crate::resource::directory::Directory;
use crate::resource::{Attributes, Body, Observed, Presence, Resource};

impl Draft<'_> {
    /// Plans the folders that are missing above a resource; gives the ones it needs.
    pub(super) fn parents(
        &mut self,
        resource: &Resource,
        observed: Option<&Observed>,
        sure: Certainty,
    ) -> Vec<ResourceId> {
        let mut needs = Vec::new();
        for mut missing in missing(resource, observed) {
            if let Body::Mount(mount) = &resource.body {
                // The folder of the role at this place is the one that will be mounted: another is made to mount it on.
                missing.retain(|path| *path != mount.point || !self.declared.contains_key(path));
            }
            // A home comes with all that leads to it.
            let home = missing
                .iter()
                .rposition(|path| self.homes.contains_key(path));
            let mut above = home.and_then(|at| self.homes.get(&missing[at]).cloned());
            for path in &missing[home.map_or(0, |at| at + 1)..] {
                if let Some(declared) = self.declared.get(path) {
                    above = Some(declared.id.clone());
                    continue;
                }
                if let Some(standing) = self.standing.get(&*self.claims.real(path)) {
                    above = Some(standing.clone());
                    continue;
                }
                let id = ResourceId::new(Kind::Directory, path.as_str());
                if !self.plan.parents.contains_key(&id) {
                    self.parent(&id, path, resource, (above.take(), sure));
                }
                above = Some(id);
            }
            needs.extend(above);
        }
        needs
    }

    fn parent(
        &mut self,
        id: &ResourceId,
        path: &AbsPath,
        below: &Resource,
        (above, sure): (Option<ResourceId>, Certainty),
    ) {
        let resource = Resource {
            id: id.clone(),
            place: below.place.clone(),
            after: Vec::new(),
            sensitive: false,
            body: Body::Directory(Directory {
                path: path.clone(),
                state: Presence::Present,
                attributes: Attributes::default(),
                purge: false,
                source: Vec::new(),
                over_file: false,
            }),
        };
        let absent = nothing();
        let mut changes = self.judge(Phase::Parent, &resource, Some(&absent)).changes;
        for change in &mut changes {
            change.causes.push(below.id.clone());
            change.certainty = change.certainty.max(sure);
        }
        self.foresee(&resource, Some(&absent), &changes);
        let step = Step {
            resource: id.clone(),
            phase: Phase::Parent,
            needs: above.into_iter().collect(),
        };
        self.stands(&resource);
        self.push(step, changes, Fate::Goes);
        self.plan.parents.insert(id.clone(), resource);
    }

    /// A folder stands from now on, by whatever name.
    pub(super) fn stands(&mut self, resource: &Resource) {
        let Body::Directory(directory) = &resource.body else {
            return;
        };
        if directory.state == Presence::Present && !self.snapshot.places.is_empty() {
            let real = self.claims.real(&directory.path).into_owned();
            self.standing.insert(real, resource.id.clone());
        }
    }
}
