//! The directories that services and commands read, as the planned changes will leave them.
//!
//! A stray that comes and goes between two looks of a service leaves what it has read: no restart is owed. So it must be
//! known what will stand there, and not only that something changes.

use super::Snapshot;
use super::inputs::{self, Inputs};
use super::listing::{Entry, Known, Listing, Move};
use crate::digest::Digest;
use crate::id::ResourceId;
use crate::path::AbsPath;
use crate::resource::{Body, Desired, Observed, PathState};
use std::collections::BTreeMap;

/// By path.
pub(crate) struct Folders(BTreeMap<AbsPath, Folder>);

struct Folder {
    id: ResourceId,
    /// When the plan began.
    seen: Digest,
    /// By the changes that are certain.
    now: Now,
    known: Known,
}

enum Now {
    Listed(Listing),
    Other(Digest),
}

/// What a directory will be as an input.
pub(crate) enum Outlook {
    /// This.
    Known(Digest),
    /// Only a real run settles it.
    Open {
        /// Where a change is certain: what it will surely not be any more.
        not: Option<Digest>,
    },
}

impl Folders {
    /// All that are read, as they are.
    pub(crate) fn of(desired: &Desired, snapshot: &Snapshot, inputs: &Inputs) -> Self {
        let read = desired.resources.iter().filter_map(|resource| {
            let Body::Directory(directory) = &resource.body else {
                return None;
            };
            let seen = inputs.get(&resource.id)?.digest;
            let now = match snapshot.observed.get(&resource.id) {
                Some(Observed::Path(PathState::Directory(state))) => {
                    Now::Listed(Listing::of(&state.below)?)
                }
                _ => Now::Other(seen),
            };
            let folder = Folder {
                id: resource.id.clone(),
                seen,
                now,
                known: Known::Yes,
            };
            Some((directory.path.clone(), folder))
        });
        Self(read.collect())
    }

    /// Something moves at a path: gives what becomes of the folders above, and of the one that it is itself.
    pub(crate) fn moves(&mut self, path: &AbsPath, to: Move) -> Vec<(ResourceId, Outlook)> {
        let own = self.0.get_mut(path).map(|folder| {
            folder.becomes(to);
            folder.outlook()
        });
        let mut outlooks: Vec<_> = own.into_iter().collect();
        for above in path.ancestors() {
            if let Some(folder) = self.0.get_mut(&above) {
                folder.holds(&above, path, to);
                outlooks.push(folder.outlook());
            }
        }
        outlooks
    }

    /// What the role does not determine may come to this folder.
    pub(crate) fn open(&mut self, path: &AbsPath) -> Option<(ResourceId, Outlook)> {
        let folder = self.0.get_mut(path)?;
        folder.known = Known::No;
        Some(folder.outlook())
    }
}

impl Folder {
    fn becomes(&mut self, to: Move) {
        match to {
            Move::To(Entry::Directory) => self.now = Now::Listed(Listing::default()),
            Move::Away => self.now = Now::Other(inputs::absent()),
            Move::Stays => {}
            Move::To(_) | Move::Open => self.known = Known::No,
        }
    }

    fn holds(&mut self, own: &AbsPath, path: &AbsPath, to: Move) {
        let known = match &mut self.now {
            Now::Listed(listing) => listing.moves(own, path, to),
            Now::Other(_) => Known::No,
        };
        if known == Known::No {
            self.known = Known::No;
        }
    }

    fn outlook(&self) -> (ResourceId, Outlook) {
        let digest = match &self.now {
            Now::Listed(listing) => listing.digest(),
            Now::Other(digest) => *digest,
        };
        let outlook = match self.known {
            Known::Yes => Outlook::Known(digest),
            Known::No => Outlook::Open {
                not: (digest != self.seen).then_some(self.seen),
            },
        };
        (self.id.clone(), outlook)
    }
}
