//! A path that another resource had before: what was there before cfg is what that one found, not what cfg made of it.

use super::before::{Before, Stood, Whole};
use super::made::Made;
use super::stand_in::path_of;
use super::{Entry, Managed, at_path, parts};
use crate::digest::Digest;
use crate::edit::{Edit, apply};
use crate::id::ResourceId;
use crate::path::AbsPath;
use crate::plan::Snapshot;
use crate::resource::edit::FileEdit;
use crate::resource::{Attributes, Body, Desired, FileState, Observed, PathState, Resource};
use std::collections::BTreeMap;

/// What the role names no more, for what takes over its paths.
pub(super) struct Estate<'a> {
    pub(super) managed: &'a Managed,
    pub(super) desired: &'a Desired,
    pub(super) snapshot: &'a Snapshot,
    /// Its edits, by the files that they are of.
    edits: BTreeMap<&'a AbsPath, Vec<&'a Entry>>,
    /// Services and settings, by the files that are no more theirs.
    pub(super) files: BTreeMap<AbsPath, &'a ResourceId>,
}

impl<'a> Estate<'a> {
    pub(super) fn of(managed: &'a Managed, desired: &'a Desired, snapshot: &'a Snapshot) -> Self {
        let mut edits: BTreeMap<&AbsPath, Vec<&Entry>> = BTreeMap::new();
        for (id, entry) in &managed.0 {
            if let Some(Made::Edit { path, .. }) = &entry.made
                && !desired.names(id)
            {
                edits.entry(path).or_default().push(entry);
            }
        }
        Self {
            managed,
            desired,
            snapshot,
            edits,
            files: parts::given_up(managed, desired),
        }
    }

    /// What was there before cfg where this takes a path over, with what cfg made of it; none where it takes over nothing, or
    /// somebody has changed it meanwhile.
    pub(super) fn inherited(&self, resource: &Resource) -> Option<(Before, Made)> {
        let id = &resource.id;
        match &resource.body {
            Body::File(_) | Body::Directory(_) | Body::Link(_) => {
                let whole = self.of_whole(id);
                let whole = whole.or_else(|| self.of_file(resource));
                whole.or_else(|| self.of_edits(resource, self.file(id)?))
            }
            Body::Edit(edit) => self.of_edited(edit, self.file(id)?),
            _ => None,
        }
    }

    fn file(&self, id: &ResourceId) -> Option<&FileState> {
        match self.snapshot.observed.get(id) {
            Some(Observed::Path(PathState::File(now))) => Some(now),
            _ => None,
        }
    }

    fn of_whole(&self, id: &ResourceId) -> Option<(Before, Made)> {
        let ids = at_path(id);
        let mut wholes = ids.iter().filter(|other| !self.desired.names(other));
        wholes.find_map(|other| self.standing(other, id))
    }

    /// What was there before cfg of what is on record, with what cfg made of it, where that stands; it may have been looked at by
    /// another name.
    pub(super) fn standing(&self, id: &ResourceId, name: &ResourceId) -> Option<(Before, Made)> {
        let entry = self.managed.0.get(id)?;
        let observed = &self.snapshot.observed;
        let seen = observed.get(id).or_else(|| observed.get(name));
        let made = entry.last(seen)?;
        match &entry.before {
            Some(before @ Before::Path(_)) if entry.stands_as_made(seen) => {
                Some((before.clone(), made.clone()))
            }
            _ => None,
        }
    }

    /// The service or the setting whose file was at this path.
    pub(super) fn owner(&self, id: &ResourceId) -> Option<&ResourceId> {
        self.files.get(&path_of(id)?).copied()
    }

    /// What an edit finds where others, which are no more, have had a say in the same.
    fn of_edited(&self, edit: &FileEdit, now: &FileState) -> Option<(Before, Made)> {
        let left = self.edits.get(&edit.path)?;
        let same = |entry: &&&Entry| {
            let back = entry.back();
            back.is_some_and(|back| edit.edit.beside(back) != edit.edit)
        };
        let same: Vec<&Entry> = left.iter().filter(same).copied().collect();
        let made = same.first()?.made.clone()?;
        let content = now.content.as_ref()?;
        let mut backs = same.iter().filter_map(|entry| entry.back());
        let bare = backs.try_fold(content.clone(), |text, back| apply(&text, back).ok())?;
        let (first, _) = first(left.iter().filter_map(|entry| entry.whole()), now.digest?)?;
        let whole = Whole {
            made: Digest::of(&apply(content, &edit.edit).ok()?),
            ..first.clone()
        };
        let back = crate::edit::back(&bare, &edit.edit);
        let before = Before::Edit {
            back,
            whole: Some(whole),
            there: true,
        };
        Some((before, made))
    }

    /// What stood where edits alone have made of it what is there now.
    fn of_edits(&self, resource: &Resource, now: &FileState) -> Option<(Before, Made)> {
        let edits = self.edits.get(&path_of(&resource.id)?)?;
        let open = matches!(&resource.body, Body::File(file) if file.is_open());
        let begun = edits.iter().find_map(|entry| match entry.before {
            Some(Before::Edit { there: false, .. }) => entry.edit(),
            _ => None,
        });
        let wholes = edits.iter().filter_map(|entry| entry.whole());
        let first = first(wholes, now.digest?);
        let digest = first.map_or(now.digest, |(whole, _)| Some(whole.was));
        let bare = begun.and_then(|edit| apply(b"", edit).ok());
        let stood = match (bare, first) {
            (Some(bare), _) if Some(Digest::of(&bare)) == digest => Stood::Nothing,
            (None, Some((whole, _))) => Stood::File {
                // Edits leave them as they are.
                ownership: now.ownership.clone(),
                sha256: Some(whole.was),
                size: whole.size,
                kept: true,
            },
            _ => return None,
        };
        let made = Made::File {
            // What the role says nothing of is left to the edits.
            sha256: now.digest.filter(|_| !open),
            attributes: Attributes::default(),
        };
        Some((Before::Path(stood), made))
    }
}

impl Entry {
    /// The file that was begun for this edit.
    pub(super) fn begins(&self) -> Option<&AbsPath> {
        match (&self.made, &self.before) {
            (Some(Made::Edit { path, .. }), Some(Before::Edit { there: false, .. })) => Some(path),
            _ => None,
        }
    }

    fn back(&self) -> Option<&Edit> {
        match &self.before {
            Some(Before::Edit { back, .. }) => back.as_ref(),
            _ => None,
        }
    }

    fn edit(&self) -> Option<&Edit> {
        match &self.made {
            Some(Made::Edit { edit, .. }) => Some(edit),
            _ => None,
        }
    }

    fn whole(&self) -> Option<&Whole> {
        match &self.before {
            Some(Before::Edit { whole, .. }) => whole.as_ref(),
            _ => None,
        }
    }
}

/// Of edits that each found what the one before had made, up to what is there `now`, the first, and how many these are.
pub(super) fn first<'w>(
    wholes: impl Iterator<Item = &'w Whole>,
    now: Digest,
) -> Option<(&'w Whole, usize)> {
    let mut open: Vec<&Whole> = wholes.collect();
    let mut found = None;
    let mut digest = now;
    while let Some(at) = open.iter().position(|whole| whole.made == digest) {
        let whole = open.swap_remove(at);
        digest = whole.was;
        found = Some((whole, found.map_or(1, |(_, count)| count + 1)));
    }
    found
}
