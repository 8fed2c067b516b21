//! Everything below a directory, on its own mount.

use super::account::names::Names;
use super::error::SysError;
use super::observe::{changed_us, file_state};
use super::read::ReadError;
use super::temporary::names_that_stay;
use super::walk::{DEEPEST, Entry, Folder, ITSELF, What};
use super::{Machine, Wanted};
use cfg_catalog::path::AbsPath;
use cfg_catalog::resource::{Below, BelowKind};
use rustix::fs::{Dir, Mode, OFlags, Statx, StatxFlags, openat, statx};
use std::ffi::{OsStr, OsString};
use std::os::fd::AsFd;
use std::os::unix::ffi::{OsStrExt, OsStringExt};

/// More things below one directory than a role can mean to manage.
const MOST_ENTRIES: usize = 100_000;
/// More bytes below one directory than are read to know its content.
const MOST_BYTES: u64 = 4 << 30;

/// Why a tree could not be listed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BelowError {
    #[error(transparent)]
    Sys(#[from] SysError),
    #[error(transparent)]
    Read(#[from] ReadError),
    #[error("{0}: too long a path, remove it by hand")]
    Name(String),
    #[error("{0}: more than {MOST_ENTRIES} things below it")]
    TooMany(String),
    #[error("{0}: more than 4 GiB below it")]
    TooBig(String),
    #[error("{0}: deeper than {DEEPEST} folders")]
    TooDeep(String),
}

/// A mount, as far as two things can be told apart by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct MountId {
    device: (u32, u32),
    /// Tells bind mounts of one device apart; 0 before Linux 5.8.
    mount: u64,
}

/// The mount that something held open lies on.
pub(crate) fn mount_of(fd: impl AsFd, shown: &str) -> Result<MountId, SysError> {
    let seen = statx(fd, "", ITSELF, StatxFlags::BASIC_STATS | StatxFlags::MNT_ID)
        .map_err(SysError::at("looking at", shown))?;
    let Statx {
        stx_dev_major: major,
        stx_dev_minor: minor,
        stx_mnt_id: mount,
        ..
    } = seen;
    Ok(MountId {
        device: (major, minor),
        mount,
    })
}

/// The names in a folder, sorted, without `.` and `..`.
pub(crate) fn names_in(folder: &Folder) -> Result<Vec<OsString>, SysError> {
    let shown = folder.at.display().to_string();
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let list = || -> rustix::io::Result<Vec<OsString>> {
        let mut names = Vec::new();
        for entry in Dir::new(openat(folder, ".", flags, Mode::empty())?)? {
            let name = entry?.file_name().to_bytes().to_vec();
            if name != b"." && name != b".." {
                names.push(OsString::from_vec(name));
            }
        }
        names.sort();
        Ok(names)
    };
    list().map_err(SysError::at("listing", shown))
}

/// What stands below a directory, and when the latest of it changed.
pub(crate) struct Tree {
    pub(crate) below: Vec<Below>,
    pub(crate) changed_us: u64,
}

/// Lists a directory and all below it, under the path that the role has for it. Links are not followed, other mounts
/// are named and not entered; what runs that died left is named where all of it is to be purged.
pub(crate) fn tree(
    machine: &Machine,
    path: &AbsPath,
    top: &Folder,
    purge: bool,
) -> Result<Tree, BelowError> {
    let shown = top.at.display().to_string();
    let mut listing = Listing {
        machine,
        names: machine.names(),
        purge,
        mount: mount_of(top, &shown)?,
        tree: Tree {
            below: Vec::new(),
            changed_us: changed_us(top.stat()),
        },
        bytes: 0,
    };
    listing.list(path, top, 0)?;
    listing.tree.below.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(listing.tree)
}

/// A name with what no path of a role can have as escapes.
fn spelled(name: &OsStr) -> String {
    let mut text = String::new();
    for chunk in name.as_bytes().utf8_chunks() {
        for c in chunk.valid().chars() {
            match c.is_control() {
                true => text.extend(c.escape_default()),
                false => text.push(c),
            }
        }
        let odd = chunk.invalid().iter();
        text.extend(odd.map(|byte| format!("\\x{byte:02x}")));
    }
    text
}

struct Listing<'a> {
    machine: &'a Machine,
    names: &'a Names,
    purge: bool,
    mount: MountId,
    tree: Tree,
    bytes: u64,
}

impl Listing<'_> {
    fn list(&mut self, at: &AbsPath, folder: &Folder, depth: usize) -> Result<(), BelowError> {
        if depth > DEEPEST {
            return Err(BelowError::TooDeep(folder.at.display().to_string()));
        }
        let names = match self.purge {
            true => names_in(folder)?,
            false => names_that_stay(folder)?,
        };
        for name in names {
            // What goes while the list is read was not there.
            if let Some(entry) = folder.entry(&name)? {
                self.add(at, folder, &name, entry, depth)?;
            }
        }
        Ok(())
    }

    fn add(
        &mut self,
        at: &AbsPath,
        folder: &Folder,
        name: &OsStr,
        entry: Entry,
        depth: usize,
    ) -> Result<(), BelowError> {
        let shown = folder.shown(name);
        let path = name.to_str().and_then(|name| at.join(name).ok());
        if self.tree.below.len() >= MOST_ENTRIES {
            return Err(BelowError::TooMany(folder.at.display().to_string()));
        }
        self.tree.changed_us = self.tree.changed_us.max(changed_us(&entry.stat));
        let Some(path) = path else {
            let spelled = at
                .join(&spelled(name))
                .map_err(|_| BelowError::Name(spelled(name)))?;
            self.tree.below.push(Below {
                path: spelled,
                what: BelowKind::Unnamable,
            });
            return Ok(());
        };
        let what = if mount_of(&entry.fd, &shown)? != self.mount {
            BelowKind::Mount
        } else {
            match entry.what {
                What::File => self.file(folder, name, &entry)?,
                What::Directory => BelowKind::Directory(self.names.ownership(&entry.stat, None)?),
                What::Link => {
                    let target = entry.target(&shown)?;
                    BelowKind::Link(spelled(&target))
                }
                What::Special => BelowKind::Special,
            }
        };
        let enter = matches!(what, BelowKind::Directory(_));
        if enter {
            let inner = folder.below(self.machine.root(), name, entry);
            self.list(&path, &inner, depth + 1)?;
        }
        self.tree.below.push(Below { path, what });
        Ok(())
    }

    fn file(
        &mut self,
        folder: &Folder,
        name: &OsStr,
        entry: &Entry,
    ) -> Result<BelowKind, BelowError> {
        self.bytes += super::read::size(&entry.stat);
        if self.bytes > MOST_BYTES {
            return Err(BelowError::TooBig(folder.shown(name)));
        }
        let mut state = file_state(self.machine, folder, name, entry, &Wanted::default())?;
        // A diff of what a purge removes would not fit into memory for a large tree.
        state.content = None;
        Ok(BelowKind::File(state))
    }
}
