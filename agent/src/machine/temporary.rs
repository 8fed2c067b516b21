//! Things that are finished under a hidden name before they take their place.
//!
//! A crash can leave one. It is known by its name, and the first change in that folder by a later process sweeps it away;
//! until then it keeps no folder from going.

use super::below::names_in;
use super::error::{EnactError, SysError};
use super::trees::{remove_own_tree, remove_tree};
use super::walk::{Entry, Folder, ITSELF, Trust, What};
use rustix::fs::{
    AtFlags, Mode, OFlags, RenameFlags, Stat, StatxAttributes, StatxFlags, fsync, mkdirat, openat,
    renameat, renameat_with, statx, symlinkat, unlinkat,
};
use rustix::io::Errno;
use std::cell::RefCell;
use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::rc::Rc;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

/// How every such name begins; `.cfg-tmp-PID-RUN-NUMBER`.
const PREFIX: &str = ".cfg-tmp-";

/// A hidden name in a folder. Dropped before it took its place, it goes.
#[derive(Debug)]
pub(crate) struct Temporary<'a> {
    folder: &'a Folder,
    name: OsString,
    /// The directory that was made under it.
    made: Option<Stat>,
    gone: bool,
}

/// What a temporary takes the place of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Over {
    /// Nothing, or something that the kernel replaces by itself.
    Rename,
    /// A link or an empty directory that the kernel would not replace by a thing of this type.
    Exchange,
    /// A file to which a directory gave way once, and which now gives way to that.
    File,
    /// A directory that goes with all that is in it.
    Tree,
}

/// In a folder to which names can only be added (see chattr) what is unfinished could take no other name, and would stay.
fn may_go(folder: &Folder) -> Result<(), Errno> {
    let seen = statx(folder, "", ITSELF, StatxFlags::empty());
    match seen.is_ok_and(|seen| seen.stx_attributes.contains(StatxAttributes::APPEND)) {
        true => Err(Errno::PERM),
        false => Ok(()),
    }
}

impl<'a> Temporary<'a> {
    /// An empty file that only this user can read.
    pub(crate) fn file(folder: &'a Folder) -> Result<(Self, File), SysError> {
        let flags =
            OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let name = fresh();
        let mode = Mode::RUSR | Mode::WUSR;
        let at = SysError::at("making a file in", folder.at.display().to_string());
        let made = may_go(folder).and_then(|()| openat(folder, &name, flags, mode));
        let fd = made.map_err(at)?;
        Ok((Self::named(folder, name), fd.into()))
    }

    /// An empty directory that only this user can enter.
    pub(crate) fn directory(folder: &'a Folder) -> Result<(Self, Entry), SysError> {
        let name = fresh();
        let at = |doing| SysError::at(doing, folder.at.display().to_string());
        let made = may_go(folder).and_then(|()| mkdirat(folder, &name, Mode::RWXU));
        made.map_err(at("making a directory in"))?;
        let mut made = Self::named(folder, name);
        // Where others can write they could have put their own in its place.
        match folder.entry(&made.name)? {
            Some(entry)
                if entry.what == What::Directory
                    && entry.stat.st_uid == rustix::process::geteuid().as_raw() =>
            {
                made.made = Some(entry.stat);
                Ok((made, entry))
            }
            _ => Err(at("making a directory in")(Errno::STALE)),
        }
    }

    /// A link.
    pub(crate) fn link(folder: &'a Folder, target: &str) -> Result<Self, SysError> {
        let name = fresh();
        let at = SysError::at("making a link in", folder.at.display().to_string());
        let made = may_go(folder).and_then(|()| symlinkat(target, folder, &name));
        made.map_err(at)?;
        Ok(Self::named(folder, name))
    }

    fn named(folder: &'a Folder, name: OsString) -> Self {
        Self {
            folder,
            name,
            made: None,
            gone: false,
        }
    }

    pub(crate) fn name(&self) -> &OsStr {
        &self.name
    }

    /// Takes its place under `name`, at once and for good.
    pub(crate) fn settle(self, name: &OsStr, over: Over) -> Result<(), EnactError> {
        let folder = self.folder;
        self.place(name, over)?;
        sync(folder).map_err(EnactError::from)
    }

    /// Takes its place under `name`, at once; for good once the folder is synced.
    pub(crate) fn place(mut self, name: &OsStr, over: Over) -> Result<(), EnactError> {
        let at = |doing| SysError::at(doing, self.folder.shown(name));
        match over {
            Over::Rename => {
                renameat(self.folder, &self.name, self.folder, name).map_err(at("replacing"))?;
                self.gone = true;
            }
            Over::Tree => {
                self.exchange(name).map_err(at("replacing"))?;
                sync(self.folder)?;
                // The new one stands; what is left of the old one goes with a change in this folder once this process is no more.
                self.gone = true;
                if let Err(error) = remove_tree(self.folder, &self.name) {
                    tracing::warn!("{error}");
                }
            }
            Over::Exchange | Over::File => {
                self.exchange(name).map_err(at("replacing"))?;
                if let Err(errno) = self.discard(over) {
                    // Somebody filled or exchanged what was to go: it gets its name back.
                    self.exchange(name).map_err(at("bringing back"))?;
                    return Err(EnactError::Sys(at("removing what stood at")(errno)));
                }
            }
        }
        Ok(())
    }

    /// A directory that stands in a folder, under a hidden name from now on.
    pub(crate) fn of(folder: &'a Folder, name: &OsStr) -> Result<Self, SysError> {
        let hidden = fresh();
        renameat(folder, name, folder, &hidden)
            .map_err(SysError::at("moving away", folder.shown(name)))?;
        sync(folder)?;
        Ok(Self::named(folder, hidden))
    }

    /// Removes it with all that is in it.
    pub(crate) fn remove(mut self) -> Result<(), EnactError> {
        self.gone = true;
        remove_tree(self.folder, &self.name)?;
        sync(self.folder).map_err(EnactError::from)
    }

    fn exchange(&self, name: &OsStr) -> Result<(), Errno> {
        let flags = RenameFlags::EXCHANGE;
        renameat_with(self.folder, &self.name, self.folder, name, flags)
    }

    /// Removes what an exchange brought under the hidden name, if it still is a link or an empty directory.
    fn discard(&mut self, over: Over) -> Result<(), Errno> {
        let entry = self.folder.entry(&self.name).map_err(|error| error.errno)?;
        let flags = match entry.map(|entry| entry.what) {
            Some(What::Directory) => AtFlags::REMOVEDIR,
            Some(What::Link) => AtFlags::empty(),
            Some(What::File) if over == Over::File => AtFlags::empty(),
            Some(What::File | What::Special) => return Err(Errno::EXIST),
            None => AtFlags::empty(),
        };
        unlinkat(self.folder, &self.name, flags)?;
        self.gone = true;
        Ok(())
    }
}

impl Drop for Temporary<'_> {
    fn drop(&mut self) {
        if !self.gone {
            // What cannot be removed now is swept away once this process is no more.
            clear(self.folder, &self.name, self.made.as_ref());
        }
    }
}

/// Makes the names of a folder last.
pub(crate) fn sync(folder: &Folder) -> Result<(), SysError> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let synced = openat(folder, ".", flags, Mode::empty()).and_then(fsync);
    match synced {
        // A folder that may be written but not listed; a file system that keeps nothing.
        Ok(()) | Err(Errno::ACCESS | Errno::INVAL) => Ok(()),
        Err(errno) => Err(SysError::at(
            "writing to disk",
            folder.at.display().to_string(),
        )(errno)),
    }
}

/// The folders that were swept in this run. What a run that died left was there before this one began, and a folder may
/// hold more than a look at each change in it is worth.
#[derive(Clone, Debug, Default)]
pub(crate) struct Swept(Rc<RefCell<BTreeSet<(u64, u64)>>>);

impl Swept {
    /// Sweeps a folder that was not swept yet.
    pub(crate) fn sweep(&self, folder: &Folder) {
        let id = (folder.stat().st_dev, folder.stat().st_ino);
        if self.0.borrow_mut().insert(id) {
            sweep(folder);
        }
    }
}

/// The names in a folder, sorted, but for those that are swept away before it goes.
pub(crate) fn names_that_stay(folder: &Folder) -> Result<Vec<OsString>, SysError> {
    let mut names = names_in(folder)?;
    // What `clear` leaves alone.
    let may_be_theirs = |name: &OsStr| {
        let folder_in_it = matches!(folder.glance(name), Ok(Some(What::Directory)) | Err(_));
        folder_in_it && folder.trust() != Trust::Closed
    };
    names.retain(|name| !is_leftover(name) || may_be_theirs(name));
    Ok(names)
}

/// Removes what runs that died left in a folder. What cannot be removed stays: it harms nobody under its hidden
/// name, and a stranger could have put it there (`/tmp`) so that nothing would be written any more.
fn sweep(folder: &Folder) {
    let names = names_in(folder).unwrap_or_default();
    for name in names.iter().filter(|name| is_leftover(name)) {
        clear(folder, name, None);
    }
}

/// Removes a hidden name as well as can be. A tree goes only from where nobody else could have put it, or where it is
/// the very one that was made.
fn clear(folder: &Folder, name: &OsStr, made: Option<&Stat>) {
    let gone = unlinkat(folder, name, AtFlags::empty())
        .or_else(|_| unlinkat(folder, name, AtFlags::REMOVEDIR));
    if gone.is_ok() {
        return;
    }
    let _left = match made {
        Some(made) => remove_own_tree(folder, name, made),
        None if folder.trust() == Trust::Closed => remove_tree(folder, name),
        None => Ok(()),
    };
}

/// Whether this is the hidden name of a run that is no more.
fn is_leftover(name: &OsStr) -> bool {
    let parts = name.to_str().and_then(|name| name.strip_prefix(PREFIX));
    let Some((pid, rest)) = parts.and_then(|rest| rest.split_once('-')) else {
        return false;
    };
    let (Ok(pid), Some((run, _))) = (pid.parse::<u32>(), rest.split_once('-')) else {
        return false;
    };
    if pid == std::process::id() {
        // A process of this number made it, before the machine started anew or the number came round.
        return run != this_run();
    }
    let Some(pid) = i32::try_from(pid)
        .ok()
        .and_then(rustix::process::Pid::from_raw)
    else {
        return true;
    };
    matches!(rustix::process::test_kill_process(pid), Err(Errno::SRCH))
}

/// A name that nothing has.
fn fresh() -> OsString {
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    format!("{PREFIX}{}-{}-{number}", std::process::id(), this_run()).into()
}

/// Tells this process from others that had its number.
fn this_run() -> &'static str {
    static RUN: OnceLock<String> = OnceLock::new();
    RUN.get_or_init(|| {
        let mut bytes = [0; 8];
        // Without randomness the name is still this process's own.
        let _fallback = getrandom::fill(&mut bytes);
        hex::encode(bytes)
    })
}
