//! What would come of a change that the machine refuses: seen before it is tried, and told as the try would tell it.
//!
//! Only looks: what a file system, an attribute of a file (see chattr) or an owner forbids can be asked.

use super::Machine;
use super::attributes::Amends;
use super::error::{SysError, WalkError};
use super::file::only_attributes;
use super::hands::BlobSource;
use super::repository::files_of;
use super::root::Caller;
use super::sysctl::file_of;
use super::trees::holds_no_mount;
use super::walk::{Entry, Folder, ITSELF, Reached, Trust, What};
use cfg_catalog::path::AbsPath;
use cfg_catalog::plan::refusals::Refusal;
use cfg_catalog::plan::{Action, Change};
use cfg_catalog::resource::archive::Archive;
use cfg_catalog::resource::file::File;
use cfg_catalog::resource::{Attributes, Body, Presence, Resource};
use rustix::fs::{
    Access, AtFlags, StatVfsMountFlags, StatxAttributes, StatxFlags, accessat, fstatvfs, statx,
};
use rustix::io::Errno;
use std::ffi::OsString;
use std::os::fd::AsFd;
use std::sync::Arc;

/// A name and its folder, as they stand.
pub(super) struct Spot {
    reached: Arc<Reached>,
    /// Of what is made first: the thing itself, or the outermost of the folders that are missing.
    name: OsString,
    entry: Option<Entry>,
}

impl Spot {
    fn folder(&self) -> &Folder {
        &self.reached.folder
    }

    fn shown(&self) -> String {
        self.folder().shown(&self.name)
    }

    fn at(&self) -> String {
        self.folder().at.display().to_string()
    }

    /// Whether root can do here what it will.
    fn is_free(&self) -> bool {
        let folder = Fixed::of(self.folder());
        let entry = self.entry.as_ref().map(|entry| Fixed::of(&entry.fd));
        let fixed = folder.firmly().or(entry.and_then(Fixed::firmly));
        fixed.is_none() && self.folder().trust() == Trust::Closed
    }
}

/// What a file system or an attribute makes of something that is held open.
#[derive(Clone, Copy, Debug, Default)]
struct Fixed {
    /// The kernel's answer to whoever changes it.
    itself: Option<Errno>,
    /// Names may come, and none may go or be exchanged.
    append: bool,
}

impl Fixed {
    /// What cannot be asked forbids nothing.
    fn of(fd: impl AsFd) -> Self {
        let mounted = fstatvfs(&fd).map(|stat| stat.f_flag);
        if mounted.is_ok_and(|flags| flags.contains(StatVfsMountFlags::RDONLY)) {
            let itself = Some(Errno::ROFS);
            return Self {
                itself,
                append: true,
            };
        }
        let seen = statx(&fd, "", ITSELF, StatxFlags::empty());
        let has = |flag| {
            let seen = seen.as_ref();
            seen.is_ok_and(|seen| seen.stx_attributes.contains(flag))
        };
        let immutable = has(StatxAttributes::IMMUTABLE);
        Self {
            itself: immutable.then_some(Errno::PERM),
            append: immutable || has(StatxAttributes::APPEND),
        }
    }

    /// The answer to who changes its attributes, removes or replaces it, or a name in it.
    fn firmly(self) -> Option<Errno> {
        self.itself.or(self.append.then_some(Errno::PERM))
    }
}

impl Machine {
    /// Why a planned change, of this resource or of what its purge removes, will not come about; none also where that cannot
    /// be seen.
    pub(crate) fn refusal(
        &self,
        resource: &Resource,
        change: &Change,
        blobs: &dyn BlobSource,
    ) -> Option<Refusal> {
        if change.resource != resource.id {
            let path = change.resource.name.parse().ok()?;
            return self.removal(&path, "removing");
        }
        match &resource.body {
            Body::File(file) => self.of_file(file),
            Body::Directory(directory) if directory.state == Presence::Present => {
                let spot = self.spot_seen(&directory.path)?;
                match spot
                    .entry
                    .as_ref()
                    .filter(|_| spot.reached.missing.is_empty())
                {
                    Some(entry) if entry.what == What::Directory => {
                        self.amending(&spot, entry, &directory.attributes)
                    }
                    _ => self.making(&spot, "making a directory in"),
                }
            }
            Body::Directory(directory) => self.removal(&directory.path, "removing"),
            Body::Link(link) if link.state == Presence::Present => {
                self.making(&self.spot_seen(&link.path)?, "making a link in")
            }
            Body::Link(link) => self.removal(&link.path, "removing"),
            Body::Edit(edit) => self.making(&self.spot_seen(&edit.path)?, "making a file in"),
            Body::Archive(archive) => self.of_archive(archive, change.action, blobs),
            Body::Repository(repository) => {
                let files = files_of(repository).ok()?;
                files.iter().find_map(|file| self.of_file(file))
            }
            Body::User(user) => self.of_user(user, change),
            Body::Group(_) => self.of_tables(&["/etc/group", "/etc/gshadow"]),
            Body::Sysctl(sysctl) => {
                let path = sysctl.file().ok()?;
                match file_of(sysctl, &path).ok()? {
                    None if sysctl.spares => None,
                    Some(file) => self.of_file(&file),
                    None => self.removal(&path, "removing"),
                }
            }
            _ => None,
        }
    }

    /// Why an ordinary user could not even look at what stands at a path: a folder on the way is closed to him.
    pub(crate) fn shut_out(&self, path: &AbsPath) -> Option<Refusal> {
        self.bound()?;
        let error = match self.reach(&path.parent()?) {
            Ok(reached) => reached.folder.glance(path.name().as_ref()).err()?,
            Err(WalkError::Sys(error)) => error,
            Err(_) => return None,
        };
        (error.errno == Errno::ACCESS).then(|| {
            let closed = error.path;
            Refusal::Held(format!("this user may not look at {closed}"))
        })
    }

    /// Why a file will not come to what it must be.
    pub(crate) fn of_file(&self, file: &File) -> Option<Refusal> {
        if file.state == Presence::Absent {
            return self.removal(&file.path, "removing");
        }
        let spot = self.spot_seen(&file.path)?;
        if self.bound().is_none() && spot.is_free() {
            return None;
        }
        let old = spot
            .entry
            .as_ref()
            .filter(|_| spot.reached.missing.is_empty());
        if let Some(entry) = old.filter(|entry| entry.what == What::File) {
            match only_attributes(file, spot.folder(), &spot.name, entry) {
                Ok(true) => return self.amending(&spot, entry, &file.attributes),
                Ok(false) => {}
                Err(error) => return Some(Refusal::Blocked(error.to_string())),
            }
        }
        self.making(&spot, "making a file in")
    }

    fn of_archive(
        &self,
        archive: &Archive,
        action: Action,
        blobs: &dyn BlobSource,
    ) -> Option<Refusal> {
        let removes = action == Action::Remove;
        if !removes && let Err(error) = self.walk_archive(archive, blobs) {
            return Some(Refusal::Fails(error.to_string()));
        }
        let spot = self.spot_seen(&archive.path)?;
        let refusal = match removes {
            true => self.removal(&archive.path, "moving away"),
            false => self.making(&spot, "making a file in"),
        };
        // It goes with all that is in it.
        refusal.or_else(|| {
            spot.entry
                .as_ref()
                .filter(|old| old.what == What::Directory)?;
            let error = holds_no_mount(spot.folder(), &spot.name).err()?;
            (error.errno == Errno::BUSY).then(|| Refusal::Blocked(error.to_string()))
        })
    }

    /// Why no folder can come to a path where there is nothing yet.
    pub(crate) fn of_folder(&self, path: &AbsPath) -> Option<Refusal> {
        let spot = self.spot_seen(path)?;
        let there = spot.reached.missing.is_empty() && spot.entry.is_some();
        self.making(&spot, "making a directory in")
            .filter(|_| !there)
    }

    /// Why no link can come to be at a path.
    pub(crate) fn of_link(&self, path: &AbsPath) -> Option<Refusal> {
        if let Err(error @ WalkError::NotAFolder { .. }) = self.reach(&path.parent()?) {
            return Some(Refusal::Blocked(error.to_string()));
        }
        let spot = self.spot_seen(path)?;
        let old = spot.entry.as_ref().map(|entry| entry.what);
        if spot.reached.missing.is_empty() && old.is_some_and(|old| old != What::Link) {
            let why = format!("{} is not a link, and is not replaced by one", spot.shown());
            return Some(Refusal::Blocked(why));
        }
        self.making(&spot, "making a link in")
    }

    /// Why the link at a path cannot go.
    pub(crate) fn of_unlink(&self, path: &AbsPath) -> Option<Refusal> {
        self.removal(path, "removing")
    }

    pub(super) fn spot_seen(&self, path: &AbsPath) -> Option<Spot> {
        // What cannot be walked or looked at was told by the look.
        let reached = self.reach(&path.parent()?).ok()?;
        let first = reached.missing.first().unwrap_or(path);
        let name = OsString::from(first.name());
        let entry = reached.folder.entry(&name).ok()?;
        Some(Spot {
            reached,
            name,
            entry,
        })
    }

    /// Why nothing new can come to a spot, in the place of what stands there.
    pub(super) fn making(&self, spot: &Spot, doing: &'static str) -> Option<Refusal> {
        let doing = match spot.reached.missing.is_empty() {
            true => doing,
            false => "making a directory in",
        };
        if let Some(held) = self.closed(spot, true) {
            return Some(held);
        }
        let folder = Fixed::of(spot.folder());
        if let Some(errno) = folder.firmly() {
            return Some(blocked(doing, spot.at(), errno));
        }
        let entry = spot.entry.as_ref().map(|entry| Fixed::of(&entry.fd));
        let errno = entry.and_then(Fixed::firmly)?;
        Some(blocked("replacing", spot.shown(), errno))
    }

    /// Why what stands at a path cannot go.
    fn removal(&self, path: &AbsPath, doing: &'static str) -> Option<Refusal> {
        let spot = self.spot_seen(path)?;
        let entry = spot
            .entry
            .as_ref()
            .filter(|_| spot.reached.missing.is_empty())?;
        if let Some(held) = self.closed(&spot, false) {
            return Some(held);
        }
        let folder = Fixed::of(spot.folder()).firmly();
        let errno = folder.or_else(|| Fixed::of(&entry.fd).firmly())?;
        Some(blocked(doing, spot.shown(), errno))
    }

    /// Why what stands there cannot be given these attributes.
    fn amending(&self, spot: &Spot, entry: &Entry, wanted: &Attributes) -> Option<Refusal> {
        let shown = spot.shown();
        let Amends { uid, gid, mode } = self.amends(&shown, entry, wanted).ok()?;
        let doing = match (uid.or(gid), mode) {
            (Some(_), _) => "changing the owner of",
            (None, Some(_)) => "changing the mode of",
            (None, None) => return None,
        };
        if let Some(own) = self.bound()
            && entry.stat.st_uid != own
        {
            let whose = self.spell_user(entry.stat.st_uid);
            let why = format!("{shown} belongs to user {whose}, and only root can change it");
            return Some(Refusal::Held(why));
        }
        let errno = Fixed::of(&entry.fd).firmly()?;
        Some(blocked(doing, shown, errno))
    }

    /// Who runs this, where he has to do with what he may do himself.
    pub(super) fn bound(&self) -> Option<u32> {
        match self.root().caller() {
            Caller::Ordinary { uid, .. } if !self.root().is_machine() => Some(uid),
            _ => None,
        }
    }

    /// Why an ordinary user cannot put something at a spot, or take it away.
    fn closed(&self, spot: &Spot, replaces: bool) -> Option<Refusal> {
        let own = self.bound()?;
        let (folder, at) = (spot.folder(), spot.at());
        let access = Access::WRITE_OK | Access::EXEC_OK;
        if let Err(Errno::ACCESS) = accessat(folder, ".", access, AtFlags::empty()) {
            let why = format!("this user may not write in {at}");
            return Some(match at.parse() {
                Ok(folder) => Refusal::Shut(folder, why),
                Err(_) => Refusal::Held(why),
            });
        }
        let old = &spot.entry.as_ref()?.stat;
        if replaces
            && spot.entry.as_ref()?.what == What::File
            && let Err(error) = self.may_replace(&spot.shown(), old)
        {
            return Some(Refusal::Held(error.to_string()));
        }
        let sticky = folder.stat().st_mode & 0o1000 != 0;
        (sticky && folder.stat().st_uid != own && old.st_uid != own).then(|| {
            let whose = self.spell_user(old.st_uid);
            let shown = spot.shown();
            Refusal::Held(format!(
                "{shown} belongs to user {whose}, and only root can take it away"
            ))
        })
    }
}

fn blocked(doing: &'static str, path: String, errno: Errno) -> Refusal {
    Refusal::Blocked(SysError { doing, path, errno }.to_string())
}
