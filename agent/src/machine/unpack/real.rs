//! The ground on disk, through folders that are held open.

use super::ground::Ground;
use super::{shown, told};
use crate::machine::attributes::{Numbers, chown};
use crate::machine::walk::Folder;
use rustix::fs::{
    AtFlags, FileType, Gid, Mode, OFlags, Uid, chownat, fchmod, fstat, linkat, mkdirat, openat,
    readlinkat, symlinkat,
};
use rustix::io::Errno;
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStringExt as _;

/// A folder that nobody else can write in.
pub(crate) struct Real<'a> {
    /// It.
    pub(crate) top: &'a Folder,
    /// Whose everything is to be.
    pub(crate) numbers: &'a Numbers,
}

const FOLDER: OFlags = OFlags::RDONLY
    .union(OFlags::DIRECTORY)
    .union(OFlags::NOFOLLOW)
    .union(OFlags::CLOEXEC);

impl Real<'_> {
    fn owned(&self, fd: impl AsFd, place: &[OsString]) -> Result<(), String> {
        chown(fd, self.numbers.uid, self.numbers.gid, &shown(place))
            .map_err(|error| error.to_string())
    }
}

impl Ground for Real<'_> {
    type Folder = OwnedFd;
    type File = File;

    fn top(&self) -> Result<OwnedFd, Errno> {
        openat(self.top, ".", FOLDER, Mode::empty())
    }

    fn make(&self, above: &OwnedFd, name: &OsStr) -> Result<(), Errno> {
        mkdirat(above, name, Mode::from_raw_mode(0o755))
    }

    fn enter(&self, above: &OwnedFd, name: &OsStr) -> Result<OwnedFd, Errno> {
        openat(above, name, FOLDER, Mode::empty())
    }

    fn give(&self, folder: &OwnedFd, place: &[OsString]) -> Result<(), String> {
        self.owned(folder, place)
    }

    fn file(&self, folder: &OwnedFd, name: &OsStr) -> Result<File, Errno> {
        let flags =
            OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        openat(folder, name, flags, Mode::RUSR | Mode::WUSR).map(File::from)
    }

    fn finish(&self, file: File, mode: u32, place: &[OsString]) -> Result<(), String> {
        self.owned(&file, place)?;
        fchmod(&file, Mode::from_raw_mode(mode)).map_err(told("changing the mode of", place))
    }

    fn symlink(&self, folder: &OwnedFd, name: &OsStr, target: &OsStr) -> Result<(), Errno> {
        symlinkat(target, folder, name)
    }

    fn give_link(&self, folder: &OwnedFd, name: &OsStr, place: &[OsString]) -> Result<(), String> {
        let uid = self.numbers.uid.map(Uid::from_raw);
        let gid = self.numbers.gid.map(Gid::from_raw);
        chownat(folder, name, uid, gid, AtFlags::SYMLINK_NOFOLLOW)
            .map_err(told("changing the owner of", place))
    }

    fn what(&self, folder: &OwnedFd, name: &OsStr) -> Result<FileType, Errno> {
        let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let seen = fstat(openat(folder, name, flags, Mode::empty())?)?;
        Ok(FileType::from_raw_mode(seen.st_mode))
    }

    fn leads(&self, folder: &OwnedFd, name: &OsStr) -> Result<OsString, Errno> {
        let target = readlinkat(folder, name, Vec::new())?;
        Ok(OsString::from_vec(target.into_bytes()))
    }

    fn link(&self, from: (&OwnedFd, &OsStr), to: (&OwnedFd, &OsStr)) -> Result<(), Errno> {
        linkat(from.0, from.1, to.0, to.1, AtFlags::empty())
    }
}
