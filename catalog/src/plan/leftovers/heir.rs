//! A path that another resource had before: what was there before cfg is what that one found, not what cfg made of it.

use super::before::{Before, Stood, Whole};
use super::made::Made;
use super::{Entry, Managed, at_path};
use crate::digest::Digest;
use crate::edit::{Edit, apply};
use crate::id::{Kind, ResourceId};
use crate::path::AbsPath;
use crate::plan::Snapshot;
use crate::resource::{Desired, FileState, Observed, PathState};
use std::collections::BTreeMap;

/// What the role names no more, for what takes over its paths.
pub(super) struct Estate<'a> {
    managed: &'a Managed,
    desired: &'a Desired,
    snapshot: &'a Snapshot,
    /// Its edits, by the files that they are of.
    edits: BTreeMap<&'a AbsPath, Vec<&'a Entry>>,
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
        }
    }

    /// What was there before cfg where this takes a path over; none where it takes over nothing, or somebody has changed
    /// it meanwhile.
    pub(super) fn inherited(&self, id: &ResourceId) -> Option<Before> {
        if !matches!(id.kind, Kind::File | Kind::Directory | Kind::Link) {
            return None;
        }
        let ids = at_path(id);
        let mut wholes = ids.iter().filter(|other| !self.desired.names(other));
        let whole = wholes.find_map(|other| {
            let entry = self.managed.0.get(other)?;
            let observed = &self.snapshot.observed;
            let seen = observed.get(other).or_else(|| observed.get(id));
            match &entry.before {
                Some(Before::Path(stood)) if entry.stands_as_made(seen) => Some(stood.clone()),
                _ => None,
            }
        });
        let edited = || match self.snapshot.observed.get(id) {
            Some(Observed::Path(PathState::File(now))) => self.edited(&id.name.parse().ok()?, now),
            _ => None,
        };
        whole.or_else(edited).map(Before::Path)
    }

    /// What stood where edits alone have made of it what is there now.
    fn edited(&self, path: &AbsPath, now: &FileState) -> Option<Stood> {
        let edits = self.edits.get(path)?;
        let begun = edits.iter().find_map(|entry| match entry.before {
            Some(Before::Edit { there: false, .. }) => entry.edit(),
            _ => None,
        });
        let wholes = edits.iter().filter_map(|entry| entry.whole());
        let first = first(wholes, now.digest?);
        let digest = first.map_or(now.digest, |(whole, _)| Some(whole.was));
        let bare = begun.and_then(|edit| apply(b"", edit).ok());
        match (bare, first) {
            (Some(bare), _) if Some(Digest::of(&bare)) == digest => Some(Stood::Nothing),
            (None, Some((whole, _))) => Some(Stood::File {
                // Edits leave them as they are.
                ownership: now.ownership.clone(),
                sha256: Some(whole.was),
                size: whole.size,
                kept: true,
            }),
            _ => None,
        }
    }
}

impl Entry {
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
