//! What stands below a directory: as it was seen, and as the planned changes will leave it.

use crate::digest::Digest;
use crate::path::AbsPath;
use crate::plan::{Action, Certainty};
use crate::resource::file::Content;
use crate::resource::{Below, BelowKind, Body, Observed, PathState};
use std::collections::BTreeMap;

/// Names, kinds and contents below a directory, not owners and modes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Listing(BTreeMap<AbsPath, Entry>);

/// What counts of one thing below.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Entry {
    /// A file of this content.
    File(Digest),
    /// A directory.
    Directory,
    /// A link to what this is the digest of.
    Link(Digest),
    /// A device, a FIFO or a socket.
    Special,
    /// Another file system, of which nothing counts.
    Mount,
}

/// What a change makes of one path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Move {
    /// This will stand there.
    To(Entry),
    /// Nothing will.
    Away,
    /// What counts of it stays.
    Stays,
    /// Something will, and only a real run settles what.
    Open,
}

impl Move {
    /// Of the path that a body is about, by a change of it.
    pub(crate) fn of(body: &Body, observed: Option<&Observed>, action: Action) -> Self {
        let state = match observed {
            Some(Observed::Path(state)) => Some(state),
            _ => None,
        };
        let there = !matches!(state, None | Some(PathState::Absent { .. }));
        match body {
            _ if action == Action::Remove => Move::Away,
            Body::File(file) => match &file.content {
                Some(_) if file.create_only && there => Move::Stays,
                Some(content) => Move::To(Entry::File(Content::digest(content))),
                None if there => Move::Stays,
                None => Move::Open,
            },
            Body::Link(link) => match &link.target {
                Some(to) => Move::To(Entry::Link(target(to))),
                None => Move::Open,
            },
            Body::Directory(_) if matches!(state, Some(PathState::Directory(_))) => Move::Stays,
            Body::Directory(_) => Move::To(Entry::Directory),
            _ => Move::Open,
        }
    }

    /// As sure as that.
    pub(crate) fn at_most(self, certainty: Certainty) -> Self {
        match (self, certainty) {
            (Move::Stays, _) | (_, Certainty::Certain) => self,
            (_, Certainty::Assumed) => Move::Open,
        }
    }
}

/// Whether it is known what a move leaves in a listing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Known {
    /// It is.
    Yes,
    /// It is not.
    No,
}

impl Listing {
    /// As it was seen; none where a file could not be read.
    pub(crate) fn of(below: &[Below]) -> Option<Self> {
        let entries = below.iter().map(|Below { path, what }| {
            let entry = match what {
                BelowKind::File(file) => Entry::File(file.digest?),
                BelowKind::Directory(_) => Entry::Directory,
                BelowKind::Link(to) => Entry::Link(target(to)),
                BelowKind::Special | BelowKind::Unnamable => Entry::Special,
                BelowKind::Mount => Entry::Mount,
            };
            Some((path.clone(), entry))
        });
        entries.collect::<Option<_>>().map(Self)
    }

    /// What stands for it as an input.
    pub(crate) fn digest(&self) -> Digest {
        let mut text = String::from("directory\n");
        for (path, entry) in &self.0 {
            let what = match entry {
                Entry::File(digest) => format!("file {digest}"),
                Entry::Directory => "directory".into(),
                Entry::Link(to) => format!("link {to}"),
                Entry::Special => "special".into(),
                Entry::Mount => "mount".into(),
            };
            // Paths have no control characters, so a newline ends an entry.
            text.push_str(&format!("{what} {path}\n"));
        }
        Digest::of(text.as_bytes())
    }

    /// A planned change of a path below `folder`.
    pub(crate) fn moves(&mut self, folder: &AbsPath, path: &AbsPath, to: Move) -> Known {
        if to == Move::Stays {
            return Known::Yes;
        }
        let between = path.ancestors().take_while(|above| above != folder);
        for above in between {
            match self.0.get(&above) {
                Some(Entry::Directory) => {}
                // What is mounted is not listed.
                Some(Entry::Mount) => return Known::Yes,
                // It is elsewhere, which may be below this folder too.
                Some(_) | None => return Known::No,
            }
        }
        match to {
            Move::To(entry) => {
                self.0.insert(path.clone(), entry);
            }
            Move::Away => {
                self.0.remove(path);
            }
            Move::Stays => {}
            Move::Open => return Known::No,
        }
        Known::Yes
    }
}

/// What stands for a link's target.
pub(crate) fn target(target: &str) -> Digest {
    Digest::of(format!("link\0{target}").as_bytes())
}
