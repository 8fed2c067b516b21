//! Reading regular files: never anything else, never without a bound.

use super::error::{SysError, WalkError};
use super::root::Root;
use super::walk::{Entry, Folder, What};
use crate::whole;
use cfg_catalog::digest::Digest;
use cfg_catalog::path::AbsPath;
use rustix::fs::{FileType, Mode, OFlags, Stat, fstat, openat};
use rustix::io::Errno;
use sha2::{Digest as _, Sha256};
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{ErrorKind, Read, Seek as _};

/// A content is kept for a diff up to so many bytes.
const MOST_SHOWN: u64 = 1 << 20;
/// A content is digested up to so many bytes, or up to the wanted size where that is more.
pub(crate) const MOST_DIGESTED: u64 = 1 << 30;

/// How often something is looked at again that was exchanged during the look.
pub(crate) const MOST_AGAIN: usize = 5;

/// A FIFO or device that somebody put in a file's place is not waited for.
const READING: OFlags = OFlags::RDONLY
    .union(OFlags::NOFOLLOW)
    .union(OFlags::NONBLOCK)
    .union(OFlags::NOCTTY)
    .union(OFlags::CLOEXEC);

/// What a file holds.
pub(crate) struct Held {
    pub(crate) digest: Digest,
    /// The bytes, where they are few.
    pub(crate) content: Option<Vec<u8>>,
}

/// A regular file, opened for reading, and what it was found to be then.
pub(crate) struct Opened {
    pub(crate) file: File,
    pub(crate) stat: Stat,
}

impl Folder {
    /// Opens what was seen to be a regular file; none where this caller may not read it.
    pub(crate) fn open_file(&self, name: &OsStr) -> Result<Option<Opened>, SysError> {
        let at = |doing| SysError::at(doing, self.shown(name));
        let fd = match openat(self, name, READING, Mode::empty()) {
            Ok(fd) => fd,
            Err(Errno::ACCESS | Errno::PERM) => return Ok(None),
            // Moved away between two system calls, or exchanged for a link.
            Err(Errno::NOENT | Errno::LOOP) => return Err(at("reading")(Errno::STALE)),
            Err(errno) => return Err(at("opening")(errno)),
        };
        let stat = fstat(&fd).map_err(|errno| at("looking at")(errno))?;
        if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
            return Err(at("reading")(Errno::STALE));
        }
        let file = fd.into();
        Ok(Some(Opened { file, stat }))
    }

    /// Opens a regular file of this folder for reading, the same that was looked at. A FIFO or device that
    /// somebody put in its place meanwhile is neither waited for nor read.
    pub(crate) fn reopen(&self, name: &OsStr, entry: &Entry) -> Result<File, SysError> {
        let at = |doing| SysError::at(doing, self.shown(name));
        let fd =
            openat(self, name, READING, Mode::empty()).map_err(|errno| at("opening")(errno))?;
        let stat = fstat(&fd).map_err(|errno| at("looking at")(errno))?;
        if !entry.is_same(&stat) {
            // Moved away between two system calls; the next look sees what is there.
            return Err(at("reading")(Errno::STALE));
        }
        Ok(fd.into())
    }

    /// Digests a regular file; none where it may not be read, or is so big that nobody could want it.
    pub(crate) fn held(&self, name: &OsStr, entry: &Entry) -> Result<Option<Held>, SysError> {
        let file = match self.reopen(name, entry) {
            Ok(file) => file,
            Err(error) if matches!(error.errno, Errno::ACCESS | Errno::PERM) => return Ok(None),
            Err(error) => return Err(error),
        };
        held(file, &entry.stat).map_err(|error| SysError::of_io("reading", self.shown(name))(error))
    }
}

/// What an open file holds; none where it is so big that nobody could want it.
pub(crate) fn held(file: File, stat: &Stat) -> std::io::Result<Option<Held>> {
    match size(stat) {
        size if size > MOST_DIGESTED => Ok(None),
        size => digest(file, size),
    }
}

/// Reads to the end, or to the bound where the file grows meanwhile.
fn digest(mut file: File, size: u64) -> std::io::Result<Option<Held>> {
    if size <= MOST_SHOWN {
        let content = whole::read(&mut file, size, MOST_SHOWN)?;
        if content.len() as u64 <= MOST_SHOWN {
            return Ok(Some(Held {
                digest: Digest::of(&content),
                content: Some(content),
            }));
        }
        file.rewind()?;
    }
    let mut sha = Sha256::new();
    let mut seen = 0;
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let count = match file.read(&mut buffer) {
            Ok(0) => break,
            Ok(count) => count,
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        seen += count as u64;
        if seen > MOST_DIGESTED {
            return Ok(None);
        }
        sha.update(&buffer[..count]);
    }
    Ok(Some(Held {
        digest: <[u8; 32]>::from(sha.finalize()).into(),
        content: None,
    }))
}

/// Why a small file of the system could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// Its folder could not be reached.
    #[error(transparent)]
    Walk(#[from] WalkError),
    /// The kernel said no.
    #[error(transparent)]
    Sys(#[from] SysError),
    /// A link, a directory or a device stands there.
    #[error("{0} is not a regular file")]
    NotAFile(AbsPath),
    /// It is no text that could be written anew without a loss.
    #[error("{0} is not UTF-8 throughout; mend it by hand")]
    NotText(AbsPath),
    /// It is bigger than any such file.
    #[error("{path} has more than {most} bytes")]
    TooBig {
        /// Which file.
        path: AbsPath,
        /// The bound.
        most: u64,
    },
}

impl ReadError {
    /// Whether it is there, but not for this caller.
    pub(crate) fn is_denied(&self) -> bool {
        let (Self::Walk(WalkError::Sys(error)) | Self::Sys(error)) = self else {
            return false;
        };
        error.errno == Errno::ACCESS
    }

    /// Whether somebody exchanged the file between two system calls.
    pub(crate) fn is_passing(&self) -> bool {
        matches!(self, Self::Sys(error) if error.errno == Errno::STALE)
    }
}

/// A regular file of the system that was found, and not yet opened.
pub(crate) struct Found {
    folder: Folder,
    name: OsString,
    entry: Entry,
}

/// Tells one content of a file from the next without reading it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stamp {
    file: (u64, u64),
    size: i64,
    changed: (i64, u64),
}

impl Found {
    pub(crate) fn stamp(&self) -> Stamp {
        let stat = &self.entry.stat;
        Stamp {
            file: (stat.st_dev, stat.st_ino),
            size: stat.st_size,
            changed: (stat.st_ctime, stat.st_ctime_nsec),
        }
    }

    /// All its bytes, up to a bound.
    pub(crate) fn bytes(&self, path: &AbsPath, most: u64) -> Result<Vec<u8>, ReadError> {
        let file = self.folder.reopen(&self.name, &self.entry)?;
        let mut bytes = Vec::new();
        let read = file.take(most + 1).read_to_end(&mut bytes);
        read.map_err(SysError::of_io("reading", path.as_str()))?;
        if bytes.len() as u64 > most {
            return Err(ReadError::TooBig {
                path: path.clone(),
                most,
            });
        }
        Ok(bytes)
    }
}

impl Root {
    /// A regular file; none where nothing is there.
    pub(crate) fn find(&self, path: &AbsPath) -> Result<Option<Found>, ReadError> {
        let Some(parent) = path.parent() else {
            return Err(ReadError::NotAFile(path.clone()));
        };
        let reached = self.folder(&parent)?;
        if !reached.missing.is_empty() {
            return Ok(None);
        }
        let name = OsString::from(path.name());
        match reached.folder.entry(&name)? {
            None => Ok(None),
            Some(entry) if entry.what == What::File => Ok(Some(Found {
                folder: reached.folder,
                name,
                entry,
            })),
            Some(_) => Err(ReadError::NotAFile(path.clone())),
        }
    }

    /// The bytes of a small file; none where nothing is there.
    pub(crate) fn read(&self, path: &AbsPath, most: u64) -> Result<Option<Vec<u8>>, ReadError> {
        steadily(|| {
            let found = self.find(path)?;
            found.map(|found| found.bytes(path, most)).transpose()
        })
    }
}

/// Looks again, a few times, where somebody exchanged the file between two system calls.
pub(crate) fn steadily<T>(look: impl Fn() -> Result<T, ReadError>) -> Result<T, ReadError> {
    let mut seen = look();
    for _again in 0..MOST_AGAIN {
        match &seen {
            Err(error) if error.is_passing() => seen = look(),
            _ => break,
        }
    }
    seen
}

/// A file's size; the kernel never says a negative one.
pub(crate) fn size(stat: &Stat) -> u64 {
    u64::try_from(stat.st_size).unwrap_or(0)
}
