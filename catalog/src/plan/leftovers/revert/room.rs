//! What comes in the place of something of cfg's, or of a link by which something of cfg's is reached, comes after that is gone.

use super::super::before::{Before, Stood};
use super::super::entry::makes_below;
use super::super::made::Made;
use super::super::stand_in::{directory, file, resource};
use super::{Entry, Fate, Judge};
use crate::id::{Kind, ResourceId};
use crate::path::AbsPath;
use crate::plan::Snapshot;
use crate::plan::claims::{Claims, own_path, path_of, presence};
use crate::plan::closing::{closes, leads_on, wanted};
use crate::plan::leftovers::{Managed, at_path};
use crate::resource::directory::Directory;
use crate::resource::file::File;
use crate::resource::{Body, Desired, Observed, PathState, Presence, Resource};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

impl Judge<'_> {
    /// Files of cfg's own that must go since the role wants something else there.
    pub(super) fn files_in_the_way<'m>(
        &self,
        managed: &'m Managed,
    ) -> Vec<(&'m ResourceId, &'m Entry)> {
        let all = managed.0.iter();
        let all = all.filter(|(id, entry)| is_in_the_way(id, entry, self.desired, &self.claims));
        let is_own = |(id, entry): &(&ResourceId, &Entry)| {
            let seen = self.snapshot.observed.get(*id);
            entry.stands_as_made(seen) || self.is_edited_alone(id, entry)
        };
        all.filter(is_own).collect()
    }

    /// Folders that go for that, since nothing is in them any more then; what lies deeper first.
    pub(super) fn folders_in_the_way(&mut self) -> Vec<(ResourceId, Fate)> {
        let mut role: Vec<&Resource> = self.desired.resources.iter().collect();
        role.sort_by_cached_key(|one| Reverse(own_path(&one.body).cloned()));
        let mut going = Vec::new();
        for one in role {
            if let Some(path) = self.full_folder(one) {
                let id = ResourceId::new(Kind::Directory, path.as_str());
                let fate = Fate::Back(self.gone(&id).into_iter().collect(), None);
                self.note(&fate);
                going.push((id, fate));
            }
        }
        going
    }

    /// What of the role leaves no room for what comes back below it.
    pub(super) fn bars(&self, path: &AbsPath) -> Option<&ResourceId> {
        path.ancestors().find_map(|above| {
            let at = at_path(&ResourceId::new(Kind::File, above.as_str()));
            let takes = |one: &&Resource| match self.snapshot.observed.get(&one.id) {
                seen @ Some(Observed::Path(PathState::Directory(_))) => closes(&one.body, seen),
                Some(Observed::Path(PathState::File(_))) => matches!(one.body, Body::File(_)),
                Some(Observed::Path(PathState::Absent { .. })) => {
                    let comes = presence(&one.body) == Presence::Present;
                    comes && matches!(one.body, Body::File(_) | Body::Link(_))
                }
                _ => false,
            };
            let role = at.iter().filter_map(|id| self.desired.get(id)).find(takes);
            role.map(|one| &one.id)
                .or_else(|| self.claims.absent(&above))
        })
    }

    /// A file or link of the role in the place of a folder above.
    pub(super) fn covers(&self, path: &AbsPath) -> Option<&ResourceId> {
        let kinds = [Kind::File, Kind::Link];
        let mut above = path.above();
        above.find_map(|above| wanted(self.desired, kinds, above).map(|one| &one.id))
    }

    /// Whether a link of cfg's, which no role names any more, stands in the place of a folder above.
    pub(super) fn is_behind_a_link(&self, path: &AbsPath) -> bool {
        path.ancestors().any(|above| {
            let link = ResourceId::new(Kind::Link, above.as_str());
            let seen = self.snapshot.observed.get(&link);
            matches!(seen, Some(Observed::Path(PathState::Link(_))))
        })
    }

    /// The folder that stands where the role wants a file or a link, where all that is in it goes.
    fn full_folder(&self, one: &Resource) -> Option<AbsPath> {
        let path = match &one.body {
            Body::File(file) if file.content.is_some() => &file.path,
            Body::Link(link) => &link.path,
            _ => return None,
        };
        // What is seen by a way that the role takes away is in nobody's, and for what cannot be brought about nothing goes.
        if self.claims.real(path) != self.real(path) || self.claims.clash(&one.id).is_some() {
            return None;
        }
        let Some(Observed::Path(seen @ PathState::Directory(folder))) =
            self.snapshot.observed.get(&one.id)
        else {
            return None;
        };
        let empties = presence(&one.body) == Presence::Present && !folder.empty;
        (empties && self.kept(path, seen).is_none()).then(|| path.clone())
    }

    /// Nothing, in the place of this.
    pub(super) fn gone(&self, id: &ResourceId) -> Option<Resource> {
        let path = path_of(id)?;
        let body = match id.kind {
            Kind::Directory => Body::Directory(Directory {
                state: Presence::Absent,
                ..directory(path)
            }),
            _ => Body::File(File {
                state: Presence::Absent,
                ..file(path)
            }),
        };
        Some(resource(id, &self.desired.role, body))
    }
}

/// Whether this is a file of cfg's, where the role wants what cannot take its place; what was there before could give way.
pub(super) fn is_in_the_way(
    id: &ResourceId,
    entry: &Entry,
    desired: &Desired,
    claims: &Claims,
) -> bool {
    let (Kind::File, Some(Made::File { .. })) = (id.kind, &entry.made) else {
        return false;
    };
    let gives_way = matches!(
        entry.before,
        Some(Before::Path(
            Stood::Nothing | Stood::Link(_) | Stood::Directory(_)
        ))
    );
    if !gives_way || desired.names(id) {
        return false;
    }
    let Some(path) = path_of(id) else {
        return false;
    };
    let others = [Kind::Directory, Kind::Link, Kind::Archive];
    let others = others.map(|kind| ResourceId::new(kind, path.as_str()));
    // Nor does who wants no directory there, or no link, take a file away.
    let takes_place = others.iter().any(|id| desired.get(id).is_some());
    let makes_below = |path| desired.resources.iter().any(|one| makes_below(one, path));
    takes_place || (!claims.is(&path) && makes_below(&path))
}

/// Which of these reverts others come after, of the role and of them themselves: what lies behind a link, or in a folder, goes by
/// that way, but for what lies `under` the link; and what takes a place comes when it is free.
pub(super) fn firsts(
    reverts: &[Resource],
    under: impl Fn(&ResourceId) -> bool,
    desired: &Desired,
    snapshot: &Snapshot,
) -> BTreeMap<ResourceId, Vec<ResourceId>> {
    let role = desired.resources.iter();
    let all = || role.clone().chain(reverts).filter_map(placed);
    let goes = |one: &Resource| presence(&one.body) == Presence::Absent;
    let mut closing: BTreeMap<AbsPath, Vec<&ResourceId>> = BTreeMap::new();
    for (path, one) in all() {
        let purges = matches!(&one.body, Body::Directory(folder) if folder.purge);
        if purges || closes(&one.body, snapshot.observed.get(&one.id)) {
            // It may be reached by other ways too.
            for place in snapshot.places.both(path) {
                closing.entry(place).or_default().push(&one.id);
            }
        }
    }
    let mut firsts: BTreeMap<ResourceId, Vec<ResourceId>> = BTreeMap::new();
    let mut add = |after: &ResourceId, first: &ResourceId| {
        let known = firsts.entry(after.clone()).or_default();
        if after != first && !known.contains(first) {
            known.push(first.clone());
        }
    };
    let behind = reverts.iter().filter(|one| !under(&one.id));
    for (path, one) in behind.filter_map(placed) {
        let real = snapshot.places.real(path);
        let ways = snapshot.places.links(path).cloned();
        for above in path.ancestors().chain(real.ancestors()).chain(ways) {
            for closing in closing.get(&above).into_iter().flatten() {
                add(closing, &one.id);
            }
        }
    }
    // So does what the role says must not be there, but for what it looks for in a folder or behind a link of its own.
    let brought: BTreeSet<&ResourceId> = reverts.iter().map(|one| &one.id).collect();
    for (path, one) in role.clone().filter(|one| goes(one)).filter_map(placed) {
        let real = snapshot.places.real(path);
        for closing in path
            .above()
            .chain(real.above())
            .filter(|above| !leads_on(desired, above) && !comes_after(one, above))
            .filter_map(|above| closing.get(above))
            .flatten()
        {
            if brought.contains(closing) {
                add(closing, &one.id);
            }
        }
    }
    // An edit finds what no other of cfg's has a say in any more.
    let mut edits: BTreeMap<&AbsPath, Vec<&ResourceId>> = BTreeMap::new();
    for (path, id) in role.clone().filter_map(edited) {
        edits.entry(path).or_default().push(id);
    }
    for (path, id) in reverts.iter().filter_map(edited) {
        for other in edits.get(path).into_iter().flatten() {
            add(other, id);
        }
    }
    let leaving = reverts.iter().filter(|one| goes(one)).filter_map(placed);
    let leaving = leaving.flat_map(|(path, one)| {
        let places = snapshot.places.both(path);
        places.map(|place| (place, &one.id))
    });
    let leaving: BTreeMap<AbsPath, &ResourceId> = leaving.collect();
    let then = snapshot.places_then(desired);
    for (path, one) in all() {
        let back = desired.get(&one.id).is_none();
        if back && goes(one) {
            continue;
        }
        // What lies behind what goes comes back by that way; what must not be there may be gone with that.
        let led = then.real(path);
        let above = path.ancestors().chain(led.ancestors());
        let above = above.filter(|_| !back && !goes(one));
        for place in std::iter::once(path.clone()).chain(above) {
            if let Some(gone) = leaving.get(&place) {
                add(&one.id, gone);
            }
        }
    }
    firsts
}

/// Whether the role has this after what comes to this place.
fn comes_after(one: &Resource, place: &str) -> bool {
    one.after.iter().any(|first| *first.name == *place)
}

fn edited(one: &Resource) -> Option<(&AbsPath, &ResourceId)> {
    match &one.body {
        Body::Edit(edit) => Some((&edit.path, &one.id)),
        _ => None,
    }
}

fn placed(one: &Resource) -> Option<(&AbsPath, &Resource)> {
    let path = match &one.body {
        Body::Archive(archive) => &archive.path,
        body => own_path(body)?,
    };
    Some((path, one))
}
