//! Owner, group and mode: of new things before they are seen, and of old ones in place.

use super::Machine;
use super::error::{EnactError, SysError};
use super::root::Caller;
use super::walk::{Entry, Folder, ITSELF, Trust, What};
use cfg_catalog::resource::Attributes;
use rustix::fs::{Gid, Mode, OFlags, Stat, Uid, chmod, chownat, fchmod, fstat, openat};
use rustix::io::Errno;
use std::ffi::OsStr;
use std::os::fd::{AsFd, AsRawFd};

/// The numbers that a new thing gets; none leaves what the kernel gave it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Numbers {
    pub(crate) uid: Option<u32>,
    pub(crate) gid: Option<u32>,
    pub(crate) mode: u32,
}

/// What something that stands there is to be given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Amends {
    pub(crate) uid: Option<u32>,
    pub(crate) gid: Option<u32>,
    pub(crate) mode: Option<u32>,
}

/// What a new thing takes its unwritten attributes from.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Origin<'a> {
    /// The thing whose place it takes, in a folder of this trust.
    Old(&'a Stat, Trust),
    /// Nothing: root, root, and this mode.
    New(u32),
}

impl Machine {
    /// The numbers for a new thing. What an ordinary caller cannot give is left as the kernel gives it: a plan
    /// has named it as held.
    ///
    /// # Errors
    /// Where a name is not known, or where the thing's place cannot be taken without taking it from its owner.
    pub(crate) fn numbers(
        &self,
        shown: &str,
        wanted: &Attributes,
        origin: Origin<'_>,
    ) -> Result<Numbers, EnactError> {
        let uid = self.wanted_uid(shown, wanted)?;
        let gid = self.wanted_gid(shown, wanted)?;
        let (old_uid, old_gid, mode) = match origin {
            Origin::Old(stat, trust) => {
                self.may_replace(shown, stat)?;
                let kept = if trust == Trust::Foreign {
                    0o777
                } else {
                    0o7777
                };
                (Some(stat.st_uid), Some(stat.st_gid), stat.st_mode & kept)
            }
            Origin::New(mode) if self.root().caller() == Caller::Superuser => {
                (Some(0), Some(0), mode)
            }
            Origin::New(mode) => (None, None, mode),
        };
        Ok(Numbers {
            uid: uid.or(old_uid),
            gid: gid.or(old_gid),
            mode: wanted.mode.map_or(mode, |mode| mode.0),
        })
    }

    /// The wanted owner's number; none also where this caller cannot give anything to it.
    fn wanted_uid(&self, shown: &str, wanted: &Attributes) -> Result<Option<u32>, EnactError> {
        let Some(name) = &wanted.owner else {
            return Ok(None);
        };
        let uid = self.names().uid(name).map_err(unknown)?;
        match self.root().caller() {
            Caller::Ordinary { uid: own, .. } => Ok(uid.filter(|uid| *uid == own)),
            Caller::Superuser => uid.map(Some).ok_or_else(|| nobody(shown, "user", name)),
        }
    }

    /// The wanted group's number; none also where this caller cannot give anything to it.
    fn wanted_gid(&self, shown: &str, wanted: &Attributes) -> Result<Option<u32>, EnactError> {
        let Some(name) = &wanted.group else {
            return Ok(None);
        };
        let gid = self.names().gid(name).map_err(unknown)?;
        match self.root().caller() {
            Caller::Ordinary { .. } => Ok(gid.filter(|gid| self.root().is_of_group(*gid))),
            Caller::Superuser => gid.map(Some).ok_or_else(|| nobody(shown, "group", name)),
        }
    }

    /// Whether this caller can put something in the place of another's without its becoming the caller's.
    pub(crate) fn may_replace(&self, shown: &str, old: &Stat) -> Result<(), EnactError> {
        let Caller::Ordinary { uid: own, .. } = self.root().caller() else {
            return Ok(());
        };
        let whose = if old.st_uid != own {
            format!("user {}", self.spell_user(old.st_uid))
        } else if !self.root().is_of_group(old.st_gid) {
            format!("group {}", self.spell_group(old.st_gid))
        } else {
            return Ok(());
        };
        Err(EnactError::OutOfReach(format!(
            "{shown} belongs to {whose}, and only root can write it anew so that it still does"
        )))
    }

    pub(crate) fn spell_user(&self, uid: u32) -> String {
        self.names()
            .user_name(uid)
            .unwrap_or_else(|_| uid.to_string())
    }

    fn spell_group(&self, gid: u32) -> String {
        self.names()
            .group_name(gid)
            .unwrap_or_else(|_| gid.to_string())
    }

    /// Gives something that stands there the attributes that are managed, through what is held open.
    pub(crate) fn amend(
        &self,
        folder: &Folder,
        name: &OsStr,
        entry: &Entry,
        wanted: &Attributes,
    ) -> Result<(), EnactError> {
        let shown = folder.shown(name);
        let Amends { uid, gid, mode } = self.amends(&shown, entry, wanted)?;
        if uid.is_some() || gid.is_some() {
            chown(&entry.fd, uid, gid, &shown)?;
        }
        if let Some(mode) = mode {
            set_mode(folder, name, entry, mode)?;
        }
        Ok(())
    }

    /// What of the attributes that are managed something that stands there has not.
    pub(crate) fn amends(
        &self,
        shown: &str,
        entry: &Entry,
        wanted: &Attributes,
    ) -> Result<Amends, EnactError> {
        let uid = self.wanted_uid(shown, wanted)?;
        let gid = self.wanted_gid(shown, wanted)?;
        let uid = uid.filter(|uid| *uid != entry.stat.st_uid);
        let gid = gid.filter(|gid| *gid != entry.stat.st_gid);
        let owned = uid.is_some() || gid.is_some();
        // A new owner takes setuid and setgid away, and so the mode is set after it.
        let due = |mode: &u32| owned || *mode != entry.stat.st_mode & 0o7777;
        let mode = wanted.mode.map(|mode| mode.0).filter(due);
        Ok(Amends { uid, gid, mode })
    }
}

fn unknown(error: super::read::ReadError) -> EnactError {
    EnactError::Unfit(format!("who is who is not known: {error}"))
}

fn nobody(shown: &str, kind: &'static str, name: &str) -> EnactError {
    EnactError::Nobody {
        path: shown.into(),
        kind,
        name: name.into(),
    }
}

/// Gives something that is held open away.
pub(crate) fn chown(
    fd: impl AsFd,
    uid: Option<u32>,
    gid: Option<u32>,
    shown: &str,
) -> Result<(), SysError> {
    let (uid, gid) = (uid.map(Uid::from_raw), gid.map(Gid::from_raw));
    chownat(fd, "", uid, gid, ITSELF).map_err(SysError::at("changing the owner of", shown))
}

/// Sets the mode of a file or directory that was looked at, and of no other.
pub(crate) fn set_mode(
    folder: &Folder,
    name: &OsStr,
    entry: &Entry,
    mode: u32,
) -> Result<(), SysError> {
    let at = |doing| SysError::at(doing, folder.shown(name));
    let mut flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    if entry.what == What::Directory {
        flags |= OFlags::DIRECTORY;
    }
    let mode = Mode::from_raw_mode(mode);
    match openat(folder, name, flags, Mode::empty()) {
        Ok(fd) => {
            let stat = fstat(&fd).map_err(at("looking at"))?;
            if !entry.is_same(&stat) {
                return Err(at("changing the mode of")(Errno::STALE));
            }
            fchmod(&fd, mode).map_err(at("changing the mode of"))
        }
        // Its owner may set the mode of what he may not read.
        Err(Errno::ACCESS) => chmod(format!("/proc/self/fd/{}", entry.fd.as_raw_fd()), mode)
            .map_err(at("changing the mode of")),
        Err(errno) => Err(at("opening")(errno)),
    }
}
