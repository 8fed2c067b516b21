//! The record with which a run begins: it must be on disk before the first effect.

use super::before::{Before, Contents, Stood};
use super::entry::{Entry, makes_below};
use super::heir::Estate;
use super::made::Made;
use super::stand_in::path_of;
use super::{Managed, at_path, removed};
use crate::id::{Kind, ResourceId};
use crate::plan::missing::nothing;
use crate::plan::{Fate, Plan, Snapshot};
use crate::resource::{Desired, Resource};
use std::collections::BTreeSet;

/// A record with the contents that it counts on and that are not kept yet.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Begun {
    /// The record.
    pub managed: Managed,
    /// To be on disk before it.
    pub keep: Contents,
}

impl Managed {
    /// The record with which a run of this plan begins, of the whole role or of what is in `scope`. It must be on disk
    /// before the first effect.
    pub fn begun(
        &self,
        desired: &Desired,
        snapshot: &Snapshot,
        scope: Option<&BTreeSet<ResourceId>>,
        plan: &Plan,
    ) -> Begun {
        let removed = removed(plan);
        let (managed, gone) = self.carried(desired, snapshot, &removed);
        let mut begun = Begun {
            managed,
            keep: Contents::new(),
        };
        let role = || {
            desired.resources.iter().filter(|one| {
                let out = scope.is_some_and(|scope| !scope.contains(&one.id));
                // What is withheld stays on record as it was.
                let withheld = desired.withheld.resources.contains(&one.id);
                !out && !withheld && !desired.reverts.contains(&one.id)
            })
        };
        let estate = Estate::of(self, desired, snapshot);
        let due = due(plan);
        let undone = undone_edits(plan);
        let (mut taken, mut given) = (Vec::new(), Vec::new());
        for resource in role() {
            if undone.contains(&resource.id) && self.0.contains_key(&resource.id) {
                continue;
            }
            let is_due = due.contains(&resource.id);
            taken.extend(begun.puts_on_record(resource, &estate, is_due, &removed));
            given.extend(estate.owner(&resource.id));
        }
        let managed = &mut begun.managed;
        managed.pass(&taken, &given, desired);
        let sharing = managed.sharing();
        for resource in role().filter(|one| !undone.contains(&one.id)) {
            managed.cede(resource, &sharing);
        }
        managed.hand_on(&gone);
        for (id, parent) in &plan.parents {
            begun.puts_parent_on_record(id, parent, &estate);
        }
        begun
    }

    /// What of the record a run keeps, and edits of which nothing is there any more.
    fn carried(
        &self,
        desired: &Desired,
        snapshot: &Snapshot,
        removed: &BTreeSet<&ResourceId>,
    ) -> (Managed, Vec<Entry>) {
        let mut carried = self.clone();
        let mut gone = Vec::new();
        carried.0.retain(|id, entry| {
            // A run that was killed may have begun it.
            entry.pending &= id.kind != Kind::Command;
            if desired.names(id) {
                return true;
            }
            let seen = snapshot.observed.get(id);
            let stays = seen.is_none_or(|seen| self.is_there(id, entry, seen));
            // Whatever is done to it from now on does not make it what the role wanted.
            entry.pending &= seen.is_none();
            if removed.contains(id) {
                entry.goes_for_another();
                entry.gives_way(|| makes_way(id, desired));
            }
            if !stays && id.kind == Kind::Edit {
                gone.push(entry.clone());
            }
            stays
        });
        (carried, gone)
    }
}

impl Begun {
    /// One of the role, with what it takes over of what others had.
    fn puts_on_record(
        &mut self,
        resource: &Resource,
        estate: &Estate<'_>,
        is_due: bool,
        removed: &BTreeSet<&ResourceId>,
    ) -> Vec<ResourceId> {
        let id = &resource.id;
        let seen = estate.snapshot.observed.get(id);
        let known = estate.managed.0.get(id);
        let known = known.filter(|known| !known.is_overtaken(resource, seen));
        let entry = Entry::of(
            resource,
            &estate.desired.role,
            (known, seen),
            estate,
            (is_due, &estate.snapshot.host),
            &mut self.keep,
        );
        let Some(mut entry) = entry else {
            self.managed.0.remove(id);
            return Vec::new();
        };
        // What is there goes before, and is no less what was there.
        let mut others = at_path(id).into_iter().filter(|other| other != id);
        if entry.is_unseen() && others.any(|other| removed.contains(&other)) {
            entry.was.push(Made::Gone);
        }
        let taken = estate.takes_over(resource, known, &mut entry);
        self.managed.0.insert(id.clone(), entry);
        taken
    }

    /// A folder that comes because something is to stand in it.
    fn puts_parent_on_record(&mut self, id: &ResourceId, parent: &Resource, estate: &Estate<'_>) {
        let inherited = estate.inherited(parent, &mut self.keep);
        let before = inherited.map_or(Before::Path(Stood::Nothing), |(before, _)| before);
        let mut made = Made::of(parent, None, false);
        made.replaces(&before, Some(&nothing()), (&estate.snapshot.host, false));
        let entry = Entry {
            parent: true,
            made: Some(made),
            before: Some(before),
            ..Entry::new(&estate.desired.role)
        };
        // One that a role took away is there again.
        let known = self.managed.0.get(id);
        if known.is_none_or(|known| known.made == Some(Made::Gone)) {
            self.managed.0.insert(id.clone(), entry);
        }
    }
}

/// Whether nothing of the role is to stand here itself, but something below.
fn makes_way(id: &ResourceId, desired: &Desired) -> bool {
    let bare = !at_path(id).iter().any(|id| desired.names(id));
    let mut role = desired.resources.iter();
    bare && path_of(id).is_some_and(|path| role.any(|one| makes_below(one, &path)))
}

/// Edits that fail, or are skipped: what they did before is all that they have done.
fn undone_edits(plan: &Plan) -> BTreeSet<&ResourceId> {
    let undone = plan
        .steps
        .iter()
        .filter(|step| matches!(step.fate, Fate::Fails | Fate::Skipped(_)));
    let undone = undone.map(|step| &step.step.resource);
    undone.filter(|id| id.kind == Kind::Edit).collect()
}

/// What the plan changes, and what of it fails or waits: nothing of that is so yet.
fn due(plan: &Plan) -> BTreeSet<&ResourceId> {
    let changed = plan.changes().map(|change| &change.resource);
    let undone = plan.steps.iter().filter(|step| step.fate != Fate::Goes);
    changed
        .chain(undone.map(|step| &step.step.resource))
        .collect()
}
