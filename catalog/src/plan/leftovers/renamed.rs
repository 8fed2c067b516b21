//! What is on record is another thing than what the role means by its name now: what lies behind a link that the role replaces, since
//! no other way leads there then, what the role names by another way, and what an edit said of another file, or in another format.

use super::entry::{Entry, is_made_at_once};
use super::made::Made;
use super::{Managed, at_path};
use crate::id::{Kind, ResourceId};
use crate::path::AbsPath;
use crate::plan::Snapshot;
use crate::plan::claims::{own_path, path_of, presence, takes_away};
use crate::plan::closing::closed_link;
use crate::resource::{Body, Desired, Presence, Resource};
use std::collections::{BTreeMap, BTreeSet};

impl Managed {
    /// The record by the names that are right for this role, or for what of it is in `scope`, and this machine; none where it has
    /// them.
    #[must_use]
    pub fn renamed(
        &self,
        desired: &Desired,
        snapshot: &Snapshot,
        scope: Option<&BTreeSet<ResourceId>>,
    ) -> Option<Managed> {
        let goes = |id: &ResourceId| scope.is_none_or(|scope| scope.contains(id));
        let ways = Ways::of(self, desired, snapshot, goes);
        let renamed = self.0.iter().filter_map(|(id, entry)| {
            let at = ways.other(id, entry);
            let named = desired.get(id).filter(|_| goes(id));
            let other = named.is_some_and(|named| entry.edits_another(named));
            (at.is_some() || other).then_some((id, at))
        });
        let renamed: Vec<(&ResourceId, Option<AbsPath>)> = renamed.collect();
        if renamed.is_empty() {
            return None;
        }
        let mut managed = self.clone();
        for (id, at) in renamed {
            if let Some(mut entry) = managed.0.remove(id) {
                let id = managed.free(entry.moves(id, at), desired);
                managed.0.entry(id).or_insert(entry);
            }
        }
        Some(managed)
    }

    /// The name of an edit that neither the role has nor another one on record.
    fn free(&self, id: ResourceId, desired: &Desired) -> ResourceId {
        let is_free = |id: &ResourceId| !self.0.contains_key(id) && !desired.names(id);
        if id.kind != Kind::Edit || is_free(&id) {
            return id;
        }
        let numbers = 1..=self.0.len() + desired.resources.len() + 1;
        let mut names = numbers
            .map(|number| ResourceId::new(id.kind, format!("{} (before, {number})", id.name)));
        names.find(is_free).unwrap_or(id)
    }

    /// Whether a link was there when what lies behind it was made: nobody has laid it since in the place of what cfg made.
    fn knew(&self, path: &AbsPath, snapshot: &Snapshot) -> bool {
        let names = at_path(&ResourceId::new(Kind::Link, path.as_str()));
        let known = names.iter().filter_map(|id| Some((id, self.0.get(id)?)));
        let mut known = known.map(|(id, entry)| entry.stands_as_made(snapshot.observed.get(id)));
        known.all(|stands| stands)
    }
}

/// Links of the machine, by which one thing has several names.
struct Ways<'a> {
    managed: &'a Managed,
    desired: &'a Desired,
    snapshot: &'a Snapshot,
    /// Those that the role takes away, by what they are called and by where they really lie.
    closing: BTreeSet<AbsPath>,
    /// What the role calls what will lie somewhere.
    named: BTreeMap<AbsPath, &'a AbsPath>,
    /// What it calls what must not lie there, and goes by the ways that are.
    unwanted: BTreeMap<AbsPath, (&'a AbsPath, Kind)>,
}

impl<'a> Ways<'a> {
    fn of(
        managed: &'a Managed,
        desired: &'a Desired,
        snapshot: &'a Snapshot,
        goes: impl Fn(&ResourceId) -> bool,
    ) -> Self {
        let mut ways = Self {
            managed,
            desired,
            snapshot,
            closing: BTreeSet::new(),
            named: BTreeMap::new(),
            unwanted: BTreeMap::new(),
        };
        if snapshot.places.is_empty() {
            return ways;
        }
        let role = || desired.resources.iter().filter(|one| goes(&one.id));
        let closing = role().filter_map(|one| {
            let path = closed_link(one, snapshot.observed.get(&one.id))?;
            managed.knew(path, snapshot).then_some(path)
        });
        ways.closing = closing
            .flat_map(|path| snapshot.places.both(path))
            .collect();
        let then = snapshot.places_then(desired);
        // What edits say of a file is by the way: who has all of it gives it its name.
        let (edits, wholes): (Vec<_>, Vec<_>) = role().partition(|one| one.id.kind == Kind::Edit);
        let paths = edits.into_iter().chain(wholes);
        let paths = paths.filter_map(|one| own_path(&one.body));
        let named = paths.map(|path| (then.real(path).into_owned(), path));
        ways.named = named.collect();
        let by_then = snapshot.places_passed(desired);
        let unwanted = role().filter(|one| presence(&one.body) == Presence::Absent);
        let unwanted = unwanted.filter_map(|one| {
            let path = own_path(&one.body)?;
            let real = by_then.real(path).into_owned();
            Some((real, (path, one.id.kind)))
        });
        ways.unwanted = unwanted.collect();
        ways
    }

    /// The path that is right for what is on record by another one.
    fn other(&self, id: &ResourceId, entry: &Entry) -> Option<AbsPath> {
        let places = &self.snapshot.places;
        if places.is_empty() || entry.under {
            return None;
        }
        let path = entry.lies_at(id)?;
        let real = places.real(&path);
        let mut links = places.links(&path);
        if path.above().any(|above| self.closing.contains(above))
            || links.any(|link| self.closing.contains(link))
        {
            return match self.unwanted.get(&*real) {
                Some((named, kind)) if takes_away(*kind, id.kind) => {
                    (**named != path).then(|| (*named).clone())
                }
                _ => Some(real.into_owned()),
            };
        }
        let named = *self.named.get(&*real)?;
        let left = *named != path && is_made_at_once(id.kind) && !self.desired.names(id);
        let mut links = places.links(&path);
        (left && links.all(|link| self.managed.knew(link, self.snapshot))).then(|| named.clone())
    }
}

impl Entry {
    /// The path by which it is reached.
    pub(super) fn lies_at(&self, id: &ResourceId) -> Option<AbsPath> {
        match &self.made {
            Some(Made::Edit { path, .. }) => Some(path.clone()),
            Some(Made::Archive(_)) => id.name.parse().ok(),
            _ => path_of(id),
        }
    }

    /// Its name, where it lies at this path from now on.
    fn moves(&mut self, id: &ResourceId, at: Option<AbsPath>) -> ResourceId {
        let Some(at) = at else {
            return id.clone();
        };
        let name = ResourceId::new(id.kind, at.as_str());
        match &mut self.made {
            Some(Made::Edit { path, .. }) => {
                match *id.name == *std::mem::replace(path, at).as_str() {
                    true => name,
                    false => id.clone(),
                }
            }
            _ => name,
        }
    }

    /// Whether an edit of this name is of another file now, or in another format.
    fn edits_another(&self, now: &Resource) -> bool {
        match (&now.body, &self.made) {
            (Body::Edit(now), Some(Made::Edit { path, edit })) => {
                *path != now.path || edit.format != now.edit.format
            }
            _ => false,
        }
    }
}
