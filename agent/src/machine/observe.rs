//! What stands at a path. Reads only.

use super::Machine;
use super::below::{BelowError, tree};
use super::error::SysError;
use super::read::{self, Held, MOST_AGAIN, MOST_DIGESTED, Opened, ReadError, size};
use super::spared::spared;
use super::temporary::names_that_stay;
use super::walk::{Entry, Folder, Reached, What};
use cfg_catalog::digest::Digest;
use cfg_catalog::path::AbsPath;
use cfg_catalog::resource::{Attributes, DirectoryState, FileState, LinkState, PathState};
use rustix::fs::Stat;
use std::ffi::OsStr;

/// What is asked of a path, beside what stands there.
#[derive(Clone, Copy, Debug, Default)]
pub struct Wanted<'a> {
    /// The digest that its content must have: a content that differs is kept for a diff.
    pub digest: Option<Digest>,
    /// Whether its content is asked for, whatever it is.
    pub content: bool,
    /// Whether everything below a directory is asked for.
    pub below: bool,
    /// Whether what is below is purged: else what a run that died left there is not told of, for it goes with the first change.
    pub purge: bool,
    /// Whether it must not be there: where its folder cannot be one, or is nowhere, it is not.
    pub gone: bool,
    /// How the role spells owner and group.
    pub attributes: Option<&'a Attributes>,
}

/// Why a path could not be looked at.
#[derive(Debug, thiserror::Error)]
enum LookError {
    #[error(transparent)]
    Walk(#[from] super::error::WalkError),
    #[error(transparent)]
    Sys(#[from] super::error::SysError),
    #[error(transparent)]
    Read(#[from] ReadError),
    #[error(transparent)]
    Below(#[from] BelowError),
    #[error("the target of the link {0} is not UTF-8")]
    Target(AbsPath),
    #[error(
        "{path} has {size} bytes; cfg reads no file over {} GiB: move it away",
        MOST_DIGESTED >> 30
    )]
    Huge { path: AbsPath, size: u64 },
}

impl LookError {
    /// Whether somebody exchanged the file between two system calls.
    fn is_passing(&self) -> bool {
        matches!(self, LookError::Read(error) if error.is_passing())
    }

    /// Whether nothing can stand there: there is no folder that it could be in.
    fn is_nowhere(&self) -> bool {
        use super::error::WalkError::{Dangling, NotAFolder};
        matches!(self, LookError::Walk(NotAFolder { .. } | Dangling { .. }))
    }
}

impl Machine {
    /// What stands at a path, not following a link in the last component.
    pub fn observe_path(&self, path: &AbsPath, wanted: &Wanted<'_>) -> PathState {
        let mut seen = self.look(path, wanted);
        for _again in 0..MOST_AGAIN {
            match &seen {
                Err(error) if error.is_passing() => seen = self.look(path, wanted),
                _ => break,
            }
        }
        seen.unwrap_or_else(|error| match wanted.gone && error.is_nowhere() {
            true => PathState::Absent {
                missing_parents: Vec::new(),
                parent_changed_us: 0,
            },
            false => PathState::Unreadable {
                why: error.to_string(),
            },
        })
    }

    fn look(&self, path: &AbsPath, wanted: &Wanted<'_>) -> Result<PathState, LookError> {
        let Some(parent) = path.parent() else {
            let Reached { folder, .. } = self.root().folder(path)?;
            return self.directory(path, &folder, wanted);
        };
        let reached = self.reach(&parent)?;
        let Reached {
            folder, missing, ..
        } = &*reached;
        let name = OsStr::new(path.name());
        let absent = || {
            Ok(PathState::Absent {
                missing_parents: missing.clone(),
                parent_changed_us: changed_us(folder.stat()),
            })
        };
        let what = match missing.is_empty() {
            true => folder.glance(name)?,
            false => None,
        };
        match what {
            None => return absent(),
            Some(What::File) => {
                if let Some(opened) = folder.open_file(name)? {
                    return self.file(path, folder, name, opened, wanted);
                }
            }
            Some(_) => {}
        }
        let Some(entry) = folder.entry(name)? else {
            return absent();
        };
        match entry.what {
            What::File => {
                let state = file_state(self, folder, name, &entry, wanted)?;
                within_bounds(path, state, wanted)
            }
            What::Directory => {
                self.directory(path, &folder.below(self.root(), name, entry), wanted)
            }
            What::Link => {
                let target = entry.target(path.as_str())?;
                let target = target.into_string();
                Ok(PathState::Link(LinkState {
                    target: target.map_err(|_| LookError::Target(path.clone()))?,
                    changed_us: changed_us(&entry.stat),
                }))
            }
            What::Special => Ok(PathState::Special),
        }
    }

    /// A regular file that is held open: all that is said of it belongs to one moment.
    fn file(
        &self,
        path: &AbsPath,
        folder: &Folder,
        name: &OsStr,
        Opened { file, stat }: Opened,
        wanted: &Wanted<'_>,
    ) -> Result<PathState, LookError> {
        let held = read::held(file, &stat);
        let held = held.map_err(|error| SysError::of_io("reading", folder.shown(name))(error))?;
        within_bounds(path, of_file(self, &stat, held, wanted)?, wanted)
    }

    fn directory(
        &self,
        path: &AbsPath,
        folder: &Folder,
        wanted: &Wanted<'_>,
    ) -> Result<PathState, LookError> {
        let ownership = self.names().ownership(folder.stat(), wanted.attributes)?;
        let (below, changed, empty) = if wanted.below {
            let tree = tree(self, path, folder, wanted.purge)?;
            let empty = tree.below.is_empty();
            (tree.below, tree.changed_us, empty)
        } else {
            // Who may not list it cannot know; then it counts as full, since that is never removed.
            let empty = names_that_stay(folder).is_ok_and(|names| names.is_empty());
            (Vec::new(), changed_us(folder.stat()), empty)
        };
        Ok(PathState::Directory(DirectoryState {
            ownership,
            below,
            empty,
            holds: spared(self.root(), folder)?,
            changed_us: changed,
        }))
    }
}

/// Too big to be read is no content that differs.
fn within_bounds(
    path: &AbsPath,
    state: FileState,
    wanted: &Wanted<'_>,
) -> Result<PathState, LookError> {
    if wanted.digest.is_some() && state.digest.is_none() && state.size > MOST_DIGESTED {
        return Err(LookError::Huge {
            path: path.clone(),
            size: state.size,
        });
    }
    Ok(PathState::File(state))
}

/// What a regular file holds.
pub(crate) fn file_state(
    machine: &Machine,
    folder: &Folder,
    name: &OsStr,
    entry: &Entry,
    wanted: &Wanted<'_>,
) -> Result<FileState, ReadError> {
    let held = folder.held(name, entry)?;
    of_file(machine, &entry.stat, held, wanted)
}

fn of_file(
    machine: &Machine,
    stat: &Stat,
    held: Option<Held>,
    wanted: &Wanted<'_>,
) -> Result<FileState, ReadError> {
    let digest = held.as_ref().map(|held| held.digest);
    let differs = wanted.digest.is_some_and(|wanted| Some(wanted) != digest);
    let asked = differs || wanted.content;
    Ok(FileState {
        ownership: machine.names().ownership(stat, wanted.attributes)?,
        size: size(stat),
        digest,
        content: held.and_then(|held| held.content).filter(|_| asked),
        changed_us: changed_us(stat),
    })
}

/// ctime in µs since 1970; a time before that counts as 1970.
pub(crate) fn changed_us(stat: &Stat) -> u64 {
    let seconds = u64::try_from(stat.st_ctime).unwrap_or(0);
    let nanos = stat.st_ctime_nsec;
    seconds.saturating_mul(1_000_000) + nanos / 1000
}
