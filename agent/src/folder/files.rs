//! Opens and reads the files of a catalog's folder.

use super::{BadFolder, MOST_BYTES, unreadable};
use crate::whole;
use cfg_catalog::text::MAX_FILE;
use rustix::fs::{FileType, Mode, OFlags, ResolveFlags, openat, openat2};
use rustix::io::Errno;
use std::ffi::CString;
use std::fs::File;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::slice::Chunks;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{Builder, ScopedJoinHandle};

/// A FIFO would wait for a writer without NONBLOCK.
const FLAGS: OFlags = OFlags::RDONLY
    .union(OFlags::CLOEXEC)
    .union(OFlags::NONBLOCK)
    .union(OFlags::NOCTTY);

/// Fewer files are read sooner than a thread has begun.
const WORTH_A_THREAD: usize = 64;

/// So many files are taken at a time.
const TAKEN: usize = 32;

/// Where a catalog is read from.
pub(super) struct Place<'a> {
    pub(super) dir: &'a Path,
    pub(super) root: BorrowedFd<'a>,
    /// Read so far.
    pub(super) bytes: AtomicU64,
}

/// What a folder's listing says is a regular file.
pub(super) struct Listed {
    pub(super) folder: Arc<OwnedFd>,
    pub(super) name: CString,
    pub(super) below: String,
}

/// A file that was read.
pub(super) struct Whole {
    pub(super) below: String,
    pub(super) executable: bool,
    pub(super) bytes: Vec<u8>,
}

impl Place<'_> {
    pub(super) fn path(&self, below: &str) -> PathBuf {
        self.dir.join(below)
    }

    /// Opens something below the root; links are followed as long as they stay in the folder of their role.
    pub(super) fn open(&self, below: &str) -> Result<OwnedFd, BadFolder> {
        match below.split_once('/') {
            None => self.open_in(self.root, below, below),
            Some((role, rest)) => {
                let folder = self.open_in(self.root, role, role)?;
                self.open_in(folder.as_fd(), rest, below)
            }
        }
    }

    fn open_in(
        &self,
        folder: BorrowedFd<'_>,
        name: &str,
        below: &str,
    ) -> Result<OwnedFd, BadFolder> {
        let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS;
        let name = if name.is_empty() { "." } else { name };
        openat2(folder, name, FLAGS, Mode::empty(), resolve).map_err(|why| {
            let path = self.path(below);
            match why {
                Errno::XDEV | Errno::LOOP => BadFolder::Link(path),
                Errno::NOENT if path.is_symlink() => BadFolder::Link(path),
                Errno::NXIO => BadFolder::Special {
                    path,
                    what: "a socket",
                },
                why => unreadable(&path, why),
            }
        })
    }

    /// It is no link, so it is opened from the folder itself, in fewer steps.
    fn listed_file(&self, listed: &Listed) -> Result<Whole, BadFolder> {
        let Listed {
            folder,
            name,
            below,
        } = listed;
        match openat(folder, name, FLAGS | OFlags::NOFOLLOW, Mode::empty()) {
            Ok(open) => self.file(open.into(), below),
            Err(Errno::LOOP) => self.file(self.open(below)?.into(), below),
            Err(why) => Err(unreadable(&self.path(below), why)),
        }
    }

    pub(super) fn file(&self, mut open: File, below: &str) -> Result<Whole, BadFolder> {
        let path = || self.path(below);
        let found = rustix::fs::fstat(&open).map_err(|why| unreadable(&path(), why))?;
        if FileType::from_raw_mode(found.st_mode) != FileType::RegularFile {
            return Err(BadFolder::Special {
                path: path(),
                what: "something else by now",
            });
        }
        let size = u64::try_from(found.st_size).unwrap_or(0);
        if size > MAX_FILE {
            return Err(BadFolder::Large(path()));
        }
        if self.bytes.load(Ordering::Relaxed) > MOST_BYTES {
            return Err(BadFolder::Much(path()));
        }
        let read = whole::read(&mut open, size, MAX_FILE);
        let bytes = read.map_err(|why| unreadable(&path(), why))?;
        let read = bytes.len() as u64;
        if read > MAX_FILE {
            return Err(BadFolder::Large(path()));
        }
        if self.bytes.fetch_add(read, Ordering::Relaxed) + read > MOST_BYTES {
            return Err(BadFolder::Much(path()));
        }
        Ok(Whole {
            below: below.to_owned(),
            executable: found.st_mode & Mode::XUSR.bits() != 0,
            bytes,
        })
    }

    /// Reads all of these: many on two threads, since most of it is the kernel's work.
    pub(super) fn all(&self, listed: &[Listed]) -> Vec<Result<Whole, BadFolder>> {
        let left = &Mutex::new(listed.chunks(TAKEN));
        std::thread::scope(|scope| {
            // Where there may be no more threads, all is read here.
            let beside = (listed.len() >= WORTH_A_THREAD)
                .then(|| Builder::new().spawn_scoped(scope, || self.left(left)).ok())
                .flatten();
            let mut read = self.left(left);
            let beside = beside.map(ScopedJoinHandle::join);
            read.extend(beside.into_iter().flatten().flatten());
            read
        })
    }

    /// Reads what is left of these, until nothing is.
    fn left(&self, left: &Mutex<Chunks<'_, Listed>>) -> Vec<Result<Whole, BadFolder>> {
        let next = || {
            let mut left = left.lock().unwrap_or_else(|broken| broken.into_inner());
            left.next()
        };
        let all = std::iter::from_fn(next).flatten();
        all.map(|listed| self.listed_file(listed)).collect()
    }
}
