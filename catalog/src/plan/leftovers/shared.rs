//! Edits of one file: what each has to do with what the others did before it.

use super::before::{Before, Contents};
use super::heir::bare;
use super::made::Made;
use super::{Entry, Managed, at_path};
use crate::edit::Edit;
use crate::id::{Kind, ResourceId};
use crate::path::AbsPath;
use crate::resource::edit::FileEdit;
use crate::resource::{Body, Observed, PathState, Resource};
use std::collections::{BTreeMap, BTreeSet};

/// The edits on record, by the files that they are of; for as long as no edit comes or goes.
#[derive(Clone, Debug, Default)]
pub struct Sharing(BTreeMap<AbsPath, Vec<ResourceId>>);

impl Managed {
    /// Which edits are of one file.
    pub fn sharing(&self) -> Sharing {
        let mut files: BTreeMap<AbsPath, Vec<ResourceId>> = BTreeMap::new();
        for (id, entry) in &self.0 {
            if let Some(Made::Edit { path, .. }) = &entry.made {
                files.entry(path.clone()).or_default().push(id.clone());
            }
        }
        Sharing(files)
    }

    /// What stands where a resource comes, at its turn; of an edit, without what others have made of the file.
    pub(super) fn found(
        &self,
        resource: &Resource,
        seen: &Observed,
        sharing: &Sharing,
        keep: &mut Contents,
    ) -> Before {
        let mut before = Before::of(resource, seen, keep);
        if let (Body::Edit(edit), Before::Edit { back, .. }, Observed::Path(PathState::File(_))) =
            (&resource.body, &mut before, seen)
        {
            let others = sharing.beside(&resource.id, &edit.path);
            let others = || others.clone().filter_map(|id| self.0.get(id));
            let bare = bare(others(), Some(&edit.edit), seen);
            *back = bare.and_then(|bare| crate::edit::back(&bare, &edit.edit));
            // Edits have told each other which tables were there when the run began.
            let known = self.0.get(&resource.id).and_then(Entry::back);
            if let (Some(back), Some(known)) = (back, known) {
                back.join_tables(&known.tables);
            }
            if others().any(|other| other.begins().is_some()) {
                before.finds_no_file();
            }
        }
        before
    }

    /// A file that an edit comes to is seen to be what a role made of it, as long as it is: the edit makes it another. Says whether
    /// nobody had seen it yet.
    pub(super) fn sees_file(&mut self, resource: &Resource, seen: &Observed) -> bool {
        let Body::Edit(edit) = &resource.body else {
            return false;
        };
        let file = ResourceId::new(Kind::File, edit.path.as_str());
        let entry = self.0.get_mut(&file).filter(|entry| entry.is_unseen());
        let stands = |entry: &&mut Entry| entry.made.as_ref().is_some_and(|made| made.stands(seen));
        let Some(entry) = entry.filter(stands) else {
            return false;
        };
        entry.pending = false;
        entry.was.clear();
        true
    }

    /// Of a file that nothing was made of, since an edit of it failed, the edits are as they were: what that one has come to ask for
    /// it has not taken over from others. Gives those that are on record.
    pub(super) fn stays_unedited(
        &mut self,
        former: &Managed,
        changed: &BTreeSet<&ResourceId>,
        failed: impl Fn(&ResourceId) -> bool,
    ) -> BTreeSet<ResourceId> {
        let mut unedited = BTreeSet::new();
        if !self.0.keys().any(|id| id.kind == Kind::Edit && failed(id)) {
            return unedited;
        }
        let were = former.sharing();
        for (path, edits) in self.sharing().0 {
            let file = at_path(&ResourceId::new(Kind::File, path.as_str()));
            let mut touched = edits.iter().chain(&file);
            if touched.any(|id| changed.contains(id)) || !edits.iter().any(&failed) {
                continue;
            }
            for id in &edits {
                self.0.remove(id);
            }
            for id in were.0.get(&path).into_iter().flatten() {
                if let Some(entry) = former.0.get(id) {
                    self.0.insert(id.clone(), entry.clone());
                    unedited.insert(id.clone());
                }
            }
        }
        unedited
    }

    /// What an edit of the role says is its own from now on, and no more another's that said it before.
    pub(super) fn cede(&mut self, resource: &Resource, sharing: &Sharing) {
        let Body::Edit(edit) = &resource.body else {
            return;
        };
        let known = self.0.get(&resource.id).and_then(Entry::back);
        if known.is_none() {
            return;
        }
        let mut tables = Vec::new();
        for id in sharing.beside(&resource.id, &edit.path) {
            if let Some(entry) = self.0.get_mut(id)
                && let (
                    Some(Made::Edit { edit: made, .. }),
                    Some(Before::Edit {
                        back: Some(back), ..
                    }),
                ) = (&mut entry.made, &mut entry.before)
                && made.format == edit.edit.format
            {
                made.cede(back, &edit.edit);
                tables.extend(back.tables.iter().cloned());
            }
        }
        // Whose last key goes takes the table along.
        if let Some(entry) = self.0.get_mut(&resource.id)
            && let Some(Before::Edit {
                back: Some(back), ..
            }) = &mut entry.before
        {
            back.join_tables(&tables);
        }
    }

    /// These edits are gone: what came after each found what it had found. One may hand on to another of them.
    pub(super) fn hand_on(&mut self, gone: &[Entry]) {
        for _round in gone {
            let handed = gone.iter().filter(|gone| self.hands_on(gone));
            if handed.count() == 0 {
                break;
            }
        }
    }

    /// The edits on record that said before what this one of the role says now.
    pub fn giving_to<'m>(
        &'m self,
        id: &'m ResourceId,
        edit: &'m FileEdit,
    ) -> impl Iterator<Item = &'m ResourceId> {
        let shares = |of: &Edit| of.beside(&edit.edit) != *of;
        let says = move |entry: &Entry| match &entry.made {
            Some(Made::Edit { path, edit: said }) => {
                *path == edit.path && (shares(said) || entry.back().is_some_and(shares))
            }
            _ => false,
        };
        let others = self.0.iter().filter(move |(other, _)| *other != id);
        others
            .filter(move |(_, entry)| says(entry))
            .map(|(other, _)| other)
    }

    /// Says whether any came after it.
    pub(super) fn hands_on(&mut self, gone: &Entry) -> bool {
        let (Some(Made::Edit { path, .. }), Some(link)) = (&gone.made, gone.whole()) else {
            return false;
        };
        let mut any = false;
        for entry in self.0.values_mut() {
            if let (
                Some(Made::Edit { path: of, .. }),
                Some(Before::Edit {
                    whole: Some(whole), ..
                }),
            ) = (&entry.made, &mut entry.before)
                && of == path
                && whole.was == link.made
            {
                whole.was = link.was;
                whole.size = link.size;
                any = true;
            }
        }
        any
    }
}

impl Sharing {
    /// All edits of a file but this one.
    fn beside<'s>(
        &'s self,
        id: &'s ResourceId,
        path: &AbsPath,
    ) -> impl Iterator<Item = &'s ResourceId> + Clone {
        let all = self.0.get(path).into_iter().flatten();
        all.filter(move |other| *other != id)
    }
}
