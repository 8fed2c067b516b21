//! What cfg once managed, and the role names no more: it is shown, or brought back to what was there before cfg.

mod before;
mod begun;
mod entry;
mod heir;
mod made;
mod parts;
mod renamed;
mod revert;
mod shared;
mod since;
mod stamp;
mod stand_in;
mod told;
mod units;
mod widen;

pub use before::{Before, Contents, Stood, Whole};
pub use begun::Begun;
pub use made::Made;
pub use revert::{Around, Reverts};
pub use shared::Sharing;
pub use stamp::stamp;
pub use told::Told;

use super::claims::Claims;
use super::document::{Done, Leftover};
use super::{Action, Change, Places, Plan, Snapshot};
use crate::digest::Digest;
use crate::id::{Kind, ResourceId};
use crate::path::AbsPath;
use crate::resource::account::{GroupState, UserState};
use crate::resource::mount::Live;
use crate::resource::package::DpkgState;
use crate::resource::service::{Active, Enabled, Load};
use crate::resource::{Body, Desired, Observed, PathState, Resource};
use entry::{Entry, is_made_at_once};
use serde::{Deserialize, Serialize};
use stand_in::{path_of, stand_in};
use std::collections::btree_map::Entry::Vacant;
use std::collections::{BTreeMap, BTreeSet};

/// All that cfg manages on a machine, or has managed and is there still.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Managed(BTreeMap<ResourceId, Entry>);

impl Managed {
    /// This resource's turn has come, and this is what stands there before the first effect on it. Says whether the
    /// record is another by that; then it must be on disk before the effect. `sharing` is of this record, `places` are as they are now.
    pub fn meets(
        &mut self,
        resource: &Resource,
        seen: &Observed,
        (sharing, places): (&Sharing, &Places),
        keep: &mut Contents,
    ) -> bool {
        let leads = self.leads_to(resource, seen, places) | self.sees_file(resource, seen);
        let entry = self.0.get(&resource.id);
        let by_turn = is_made_at_once(resource.id.kind);
        let edits = resource.id.kind == Kind::Edit;
        let unmade = |entry: &Entry| {
            let inherited = edits && !entry.was.is_empty();
            entry.pending && entry.last(Some(seen)).is_none() && !inherited
        };
        if !entry.is_some_and(|entry| by_turn && unmade(entry)) {
            return leads;
        }
        let before = Some(self.found(resource, seen, sharing, keep));
        let Some(entry) = self.0.get_mut(&resource.id) else {
            return leads;
        };
        let other = before != entry.before;
        entry.before = before;
        other || leads
    }

    /// Folders that will be made for this and that no plan could name, since only now its way is known to lead where they are
    /// missing. Says whether there are any.
    fn leads_to(&mut self, resource: &Resource, seen: &Observed, places: &Places) -> bool {
        let (
            Some(entry),
            Observed::Path(PathState::Absent {
                missing_parents, ..
            }),
        ) = (self.0.get(&resource.id), seen)
        else {
            return false;
        };
        let role = entry.role.clone();
        let mut any = false;
        for path in missing_parents {
            let id = ResourceId::new(Kind::Directory, path.as_str());
            let taken = self.taken_from(&places.real(path));
            if let Vacant(place) = self.0.entry(id) {
                any = true;
                let mut entry = Entry::folder(&role);
                entry.before = taken.or(entry.before);
                place.insert(entry);
            }
        }
        any
    }

    /// What a role took away from there.
    fn taken_from(&self, path: &AbsPath) -> Option<Before> {
        let ids = at_path(&ResourceId::new(Kind::File, path.as_str()));
        let mut entries = ids.iter().filter_map(|id| self.0.get(id));
        let entry = entries.find(|entry| entry.took())?;
        entry.before.clone()
    }

    /// The record after a run: what it has changed, and what of the leftovers it has brought back. `former` is the record
    /// from which this one was begun. A run of what is in `scope` says nothing of what else one that was killed had begun.
    #[must_use]
    pub fn ended(
        &self,
        done: &Done,
        reverts: &Reverts,
        former: &Self,
        scope: Option<&BTreeSet<ResourceId>>,
    ) -> Self {
        let mut ended = self.clone();
        let failed = |id: &ResourceId| {
            done.failures.iter().any(|failure| {
                failure.resource.as_ref() == Some(id) || failure.skipped.contains(id)
            })
        };
        let held = |id: &ResourceId| done.held.iter().any(|held| held.resource == *id);
        let mut gave_way = BTreeSet::new();
        for change in &done.changes {
            if let Some(entry) = ended.0.get_mut(&change.resource) {
                if !failed(&change.resource) || change.action == Action::Run {
                    entry.pending = false;
                    entry.was.clear();
                }
                // A purge had it; what must not be there, and was before cfg, is on record as that.
                let taken = entry.took() || entry.took_its_line();
                match (change.action, taken) {
                    (Action::Remove, false) => drop(ended.0.remove(&change.resource)),
                    (Action::Remove, true) => drop(gave_way.insert(&change.resource)),
                    (Action::Create, _) if entry.parent => ended.stands_again(&change.resource),
                    _ => {}
                }
            }
        }
        // What was never begun has done nothing; nor has what is not changed, where one effect would have made all of it: it failed,
        // waits, or found at its turn that what it was to make is there already.
        let changed: BTreeSet<&ResourceId> = done.changes.iter().map(|one| &one.resource).collect();
        let unedited = ended.stays_unedited(former, &changed, failed);
        let undone = |id: &ResourceId, entry: &Entry| match id.kind {
            Kind::Command => !done.begun.contains(id),
            kind => is_made_at_once(kind) && entry.was.is_empty() && !changed.contains(id),
        };
        let met = |id: &ResourceId| scope.is_none_or(|scope| scope.contains(id));
        ended
            .0
            .retain(|id, entry| !entry.pending || !met(id) || !undone(id, entry));
        ended.stay_as_made(done, |id| failed(id) && !changed.contains(id));
        let laid = done.changes.iter().filter(|one| {
            let link = one.resource.kind == Kind::Link && one.action != Action::Remove;
            link && !failed(&one.resource)
        });
        let laid: Vec<AbsPath> = laid.filter_map(|one| path_of(&one.resource)).collect();
        ended.lie_under(&laid, &changed);
        for (id, parts) in &reverts.parts {
            if !gave_way.contains(id)
                && !unedited.contains(id)
                && !parts.iter().any(|part| failed(part) || held(part))
                && let Some(gone) = ended.0.remove(id)
            {
                ended.hands_on(&gone);
            }
        }
        ended
    }

    /// What was `left` as it was, though a run was to change it.
    fn stay_as_made(&mut self, done: &Done, left: impl Fn(&ResourceId) -> bool) {
        let gone = |change: &&Change| change.action == Action::Remove;
        let gone = done.changes.iter().filter(gone);
        let gone: BTreeSet<&ResourceId> = gone.map(|one| &one.resource).collect();
        for (id, entry) in &mut self.0 {
            if is_made_at_once(id.kind) && left(id) {
                entry.stays_as_made(at_path(id).iter().any(|one| gone.contains(one)));
            }
        }
    }

    /// A folder came: what had gone from there for it is its own affair.
    fn stands_again(&mut self, folder: &ResourceId) {
        for other in at_path(folder).iter().filter(|other| *other != folder) {
            if self.0.get(other).is_some_and(Entry::took) {
                self.0.remove(other);
            }
        }
    }

    /// What was taken away from a folder that is a link from now on does not lie behind that.
    fn lie_under(&mut self, links: &[AbsPath], changed: &BTreeSet<&ResourceId>) {
        for (id, entry) in &mut self.0 {
            let under = |path: AbsPath| {
                links
                    .iter()
                    .any(|link| path != *link && path.is_within(link))
            };
            let gone = entry.made == Some(Made::Gone) && !changed.contains(id);
            entry.under |= gone && path_of(id).is_some_and(under);
        }
    }

    /// The contents that it counts on.
    pub fn contents(&self) -> BTreeSet<Digest> {
        let befores = self.0.values().filter_map(|entry| entry.before.as_ref());
        befores.flat_map(Before::contents).collect()
    }

    /// What the role names no more, to be looked at.
    pub fn left(&self, desired: &Desired) -> Vec<Resource> {
        let mut left = self.0.iter().filter(|(id, _)| !desired.names(id));
        let mut claims = None;
        let mut found = Vec::new();
        for (id, entry) in &mut left {
            let claims = claims.get_or_insert_with(|| Claims::of(desired, &Snapshot::default()));
            if !entry.leads(id, claims) {
                found.extend(stand_in(id, entry));
            }
        }
        found
    }

    /// The folders of which a revert must know what stands in them: those that are left over, and those that stand where the
    /// role wants a file or a link.
    pub fn folders(&self, desired: &Desired, snapshot: &Snapshot) -> Vec<AbsPath> {
        let left = self.left(desired);
        let left = left.iter().filter_map(|one| match &one.body {
            Body::Directory(directory) => Some(directory.path.clone()),
            _ => None,
        });
        let taken = desired.resources.iter().filter_map(|one| {
            let path = match &one.body {
                Body::File(file) => &file.path,
                Body::Link(link) => &link.path,
                _ => return None,
            };
            let seen = snapshot.observed.get(&one.id);
            let stands = matches!(seen, Some(Observed::Path(PathState::Directory(_))));
            stands.then(|| path.clone())
        });
        left.chain(taken).collect()
    }

    /// What is left over when the plan has been enacted. Nothing that leads to what the role names, or that it names
    /// by another name.
    pub fn leftovers(&self, desired: &Desired, snapshot: &Snapshot, plan: &Plan) -> Vec<Leftover> {
        let open = self.open(desired, snapshot, Some(plan));
        // What a command has done cannot be looked at: only who would have it undone is told that it is not.
        let shown = open
            .into_iter()
            .filter(|(id, entry)| !entry.parent && id.kind != Kind::Command);
        shown
            .map(|(id, entry)| Leftover {
                resource: id.clone(),
                role: entry.role.clone(),
                why: None,
            })
            .collect()
    }

    /// Whether something of it is there still.
    fn is_there(&self, id: &ResourceId, entry: &Entry, seen: &Observed) -> bool {
        if entry.under {
            return true;
        }
        let gone = || entry.last(Some(seen)) == Some(&Made::Gone);
        match stands(id, entry, seen) || self.masks(id, entry, seen) {
            true => !entry.was_never_made(id.kind, seen),
            // An edit has begun another file where a role took one away.
            false => gone() && path_of(id).is_some_and(|path| self.is_begun(&path)),
        }
    }

    /// Whether it was never made, and what has its path still is on record by itself.
    fn waits_beside(&self, id: &ResourceId, entry: &Entry) -> bool {
        let others = || at_path(id).into_iter().filter(|other| other != id);
        let there = |other| {
            self.0
                .get(&other)
                .is_some_and(|other: &Entry| !other.pending)
        };
        entry.pending && at_path(id).contains(id) && others().any(there)
    }

    /// Whether there is a file for an edit alone.
    fn is_begun(&self, path: &AbsPath) -> bool {
        self.0.values().any(|entry| entry.begins() == Some(path))
    }

    /// What the role names no more, and is there still.
    fn open(
        &self,
        desired: &Desired,
        snapshot: &Snapshot,
        plan: Option<&Plan>,
    ) -> Vec<(&ResourceId, &Entry)> {
        if self.0.keys().all(|id| desired.names(id)) {
            return Vec::new();
        }
        let claims = Claims::of(desired, snapshot);
        let removed: BTreeSet<&str> = plan
            .into_iter()
            .flat_map(removed)
            .map(|id| &*id.name)
            .collect();
        let unnamed = self.0.iter().filter(|(id, _)| !desired.names(id));
        let left = unnamed.filter(|(id, entry)| {
            // A folder that was there and leads to what the role names is brought back for all that.
            let was = plan.is_none() && entry.was_a_folder();
            let claimed = path_of(id).is_some_and(|path| match was || entry.bars(&path, desired) {
                true => claims.is(&path),
                false => claims.needs_as(id.kind, &path),
            });
            let gone = removed.contains(&*id.name);
            // What is mounted stays so, whatever becomes of the directory that it is mounted on.
            let looked_after = id.kind != Kind::Mount && (claimed || gone);
            let is_there = match snapshot.observed.get(*id) {
                Some(seen) => self.is_there(id, entry, seen) && !self.waits_beside(id, entry),
                // There is nothing to look at.
                None => id.kind == Kind::Command,
            };
            is_there && !looked_after
        });
        left.collect()
    }
}

/// What goes by this plan.
fn removed(plan: &Plan) -> BTreeSet<&ResourceId> {
    let gone = plan
        .changes()
        .filter(|change| change.action == Action::Remove);
    gone.map(|change| &change.resource).collect()
}

/// The names that something can have by its path alone.
fn at_path(id: &ResourceId) -> [ResourceId; 3] {
    [Kind::File, Kind::Directory, Kind::Link].map(|kind| ResourceId::new(kind, id.name.clone()))
}

/// Whether it is there still; what could not be seen may be.
fn stands(id: &ResourceId, entry: &Entry, seen: &Observed) -> bool {
    if entry.last(Some(seen)) == Some(&Made::Gone) {
        return match seen {
            Observed::Path(state) => matches!(
                state,
                PathState::Absent { .. } | PathState::Unreadable { .. }
            ),
            Observed::Sysctl(state) => matches!(state.file, PathState::Absent { .. }),
            _ => false,
        };
    }
    match seen {
        Observed::Path(PathState::Absent { .. }) => false,
        Observed::Path(PathState::Unreadable { .. }) | Observed::Failed { .. } => true,
        Observed::Path(PathState::File(file)) if id.kind == Kind::Edit => {
            entry.edits_still(file.content.as_deref(), seen)
        }
        Observed::Path(PathState::File(_)) => id.kind == Kind::File,
        Observed::Path(PathState::Directory(_)) => id.kind == Kind::Directory,
        Observed::Path(PathState::Link(_)) => id.kind == Kind::Link,
        Observed::Path(PathState::Special) => false,
        Observed::Package(state) => match state.dpkg {
            DpkgState::Absent | DpkgState::ConfigFiles => false,
            DpkgState::Installed { .. } | DpkgState::Broken { .. } => true,
        },
        Observed::Repository(state) => entry.has_files(state),
        Observed::User(state) => *state != UserState::Absent,
        Observed::Group(state) => *state != GroupState::Absent,
        Observed::Service(state) => {
            let masked = state.load == Load::Masked;
            let running = state.active == Active::Running;
            let starts = state.enabled == Enabled::Yes;
            let changed = entry.took_from(state);
            let bare = entry.lost_its_mask(state);
            bare || masked
                || (state.load != Load::NotFound && (running || starts || entry.unit || changed))
        }
        Observed::Sysctl(state) => !matches!(state.file, PathState::Absent { .. }),
        Observed::Mount(state) if entry.took_its_line() => state.entries.is_empty(),
        Observed::Mount(state) => {
            !state.entries.is_empty() || matches!(state.live, Live::Yes { .. })
        }
        Observed::Archive(state) => state.marker.is_some(),
        Observed::Command(_) => false,
    }
}
