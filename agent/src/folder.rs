//! Reads a catalog's folder into memory, and only what lies in it.

use crate::whole;
use cfg_catalog::text::MAX_FILE;
use cfg_catalog::{CatalogFiles, Diagnostic, Diagnostics};
use rustix::fs::{Dir, FileType, Mode, OFlags, ResolveFlags, openat, openat2};
use rustix::io::Errno;
use std::ffi::CStr;
use std::fs::File;
use std::io::ErrorKind;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

/// So deep may folders lie in one another.
const MOST_DEEP: usize = 32;

/// So many files may a catalog have.
const MOST_FILES: usize = 100_000;

/// So large may all files together be.
const MOST_BYTES: u64 = 1 << 30;

/// A FIFO would wait for a writer without NONBLOCK.
const FLAGS: OFlags = OFlags::RDONLY
    .union(OFlags::CLOEXEC)
    .union(OFlags::NONBLOCK)
    .union(OFlags::NOCTTY);

/// Why a folder could not be read as a catalog.
#[derive(Debug, thiserror::Error)]
pub enum BadFolder {
    /// The folder itself, or something in it, could not be opened or read.
    #[error("{}: {why}", .path.display())]
    Unreadable {
        /// What.
        path: PathBuf,
        /// Why.
        why: std::io::Error,
    },
    /// Neither a file, a directory nor a link to one.
    #[error("{}: neither a file nor a directory, but {}", .path.display(), .what)]
    Special {
        /// Where.
        path: PathBuf,
        /// What it is.
        what: &'static str,
    },
    /// A link that leads out of its role's folder, or nowhere.
    #[error("{}: a link that leads out of the role's folder, or nowhere", .0.display())]
    Link(PathBuf),
    /// A name that is not UTF-8.
    #[error("{}: the name is not UTF-8", .0.display())]
    Name(PathBuf),
    /// Too large.
    #[error("{}: larger than {} MiB, the most for a file", .0.display(), MAX_FILE >> 20)]
    Large(PathBuf),
    /// Folders in folders without end.
    #[error("{}: more than {MOST_DEEP} folders deep", .0.display())]
    Deep(PathBuf),
    /// Too much altogether.
    #[error("{}: too much for a catalog: more than {MOST_FILES} files or {} MiB", .0.display(), MOST_BYTES >> 20)]
    Much(PathBuf),
}

impl BadFolder {
    /// What to do about it.
    fn help(&self) -> Option<&'static str> {
        match self {
            BadFolder::Unreadable { why, .. } if why.kind() == ErrorKind::PermissionDenied => Some(
                "give it back to whoever reads the catalog: chown, or chmod u+r (u+rx a folder)",
            ),
            BadFolder::Unreadable { .. } => None,
            BadFolder::Special { .. } => Some("take it out of the catalog"),
            BadFolder::Link(_) => {
                Some("put a copy of the file there: a role is whole only with its own")
            }
            BadFolder::Name(_) => Some("give it another name"),
            BadFolder::Large(path) if path.ends_with("role.toml") => {
                Some("a role.toml is a text of 1 MiB at most")
            }
            BadFolder::Large(path) if path.ends_with("fleet.toml") => {
                Some("a fleet.toml is a text of 1 MiB at most")
            }
            BadFolder::Large(_) => Some("put it into a package: machines get it from there"),
            BadFolder::Deep(_) => Some("does a link lead to a folder that it lies in?"),
            BadFolder::Much(_) => Some("is this the folder of roles, and not one above it?"),
        }
    }

    /// Whether it makes no sense to go on.
    fn is_last(&self) -> bool {
        matches!(self, BadFolder::Deep(_) | BadFolder::Much(_))
    }
}

/// Everything in a catalog's folder by its path below it. Hidden files at the top (`.git`) and what editors
/// leave behind (`x~`, `.x.swp`) are no part of it; hidden files of a role are.
///
/// # Errors
/// All that cannot be read, is no file, leads outside, or is too large.
pub fn read_catalog(dir: &Path) -> Result<CatalogFiles, Diagnostics> {
    read(dir).map_err(|mut bad| {
        bad.sort_by_key(ToString::to_string);
        let mut wrong = Diagnostics::new();
        for bad in bad {
            let mut diagnostic = Diagnostic::bare(bad.to_string());
            diagnostic.help = bad.help().map(str::to_owned);
            wrong.push(diagnostic);
        }
        wrong
    })
}

fn read(dir: &Path) -> Result<CatalogFiles, Vec<BadFolder>> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let root = rustix::fs::open(dir, flags, Mode::empty());
    let root = root.map_err(|why| vec![unreadable(dir, why)])?;
    let mut reading = Reading {
        dir,
        root: root.as_fd(),
        files: CatalogFiles::default(),
        entries: 0,
        bytes: 0,
        bad: Vec::new(),
    };
    if let Err(last) = reading.folder("", 0) {
        reading.bad.push(last);
    }
    match reading.bad.is_empty() {
        true => Ok(reading.files),
        false => Err(reading.bad),
    }
}

fn unreadable(path: &Path, why: impl Into<std::io::Error>) -> BadFolder {
    BadFolder::Unreadable {
        path: path.to_owned(),
        why: why.into(),
    }
}

struct Reading<'a> {
    dir: &'a Path,
    root: BorrowedFd<'a>,
    files: CatalogFiles,
    entries: usize,
    bytes: u64,
    /// What is wrong so far.
    bad: Vec<BadFolder>,
}

impl Reading<'_> {
    fn path(&self, below: &str) -> PathBuf {
        self.dir.join(below)
    }

    /// Opens something below the root; links are followed as long as they stay in the folder of their role.
    fn open(&self, below: &str) -> Result<OwnedFd, BadFolder> {
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

    fn folder(&mut self, below: &str, depth: usize) -> Result<(), BadFolder> {
        if depth > MOST_DEEP {
            return Err(BadFolder::Deep(self.path(below)));
        }
        let open = self.open(below)?;
        let listing = open.try_clone();
        let listing = listing.map_err(|why| unreadable(&self.path(below), why))?;
        let entries = Dir::new(listing).map_err(|why| unreadable(&self.path(below), why))?;
        for entry in entries {
            let entry = entry.map_err(|why| unreadable(&self.path(below), why))?;
            let name = match entry.file_name().to_str() {
                Ok(name) => name,
                Err(_) => {
                    let name = entry.file_name().to_string_lossy();
                    let path = self.path(below).join(&*name);
                    self.bad.push(BadFolder::Name(path));
                    continue;
                }
            };
            if is_ignored(name, depth) {
                continue;
            }
            let below = match below {
                "" => name.to_owned(),
                below => format!("{below}/{name}"),
            };
            let ended = match entry.file_type() {
                FileType::RegularFile => self.listed_file(open.as_fd(), entry.file_name(), &below),
                listed => self.entry(&below, listed, depth),
            };
            match ended {
                Err(bad) if !bad.is_last() => self.bad.push(bad),
                ended => ended?,
            }
        }
        Ok(())
    }

    fn count(&mut self, below: &str) -> Result<(), BadFolder> {
        self.entries += 1;
        match self.entries > MOST_FILES {
            true => Err(BadFolder::Much(self.path(below))),
            false => Ok(()),
        }
    }

    /// What the folder's listing says is a regular file: no link, so it is opened from the folder itself, in fewer steps.
    fn listed_file(
        &mut self,
        folder: BorrowedFd<'_>,
        name: &CStr,
        below: &str,
    ) -> Result<(), BadFolder> {
        self.count(below)?;
        match openat(folder, name, FLAGS | OFlags::NOFOLLOW, Mode::empty()) {
            Ok(open) => self.file(open.into(), below),
            Err(Errno::LOOP) => self.file(self.open(below)?.into(), below),
            Err(why) => Err(unreadable(&self.path(below), why)),
        }
    }

    /// `listed` is what the folder's listing says that it is.
    fn entry(&mut self, below: &str, listed: FileType, depth: usize) -> Result<(), BadFolder> {
        self.count(below)?;
        let path = || self.path(below);
        // What it is, is asked before it is opened: opening a device can have effects.
        let what = match listed {
            FileType::Directory | FileType::RegularFile => listed,
            _ => {
                let stat = rustix::fs::stat(path()).map_err(|why| match why {
                    Errno::NOENT | Errno::LOOP => BadFolder::Link(path()),
                    why => unreadable(&path(), why),
                })?;
                FileType::from_raw_mode(stat.st_mode)
            }
        };
        match what {
            FileType::Directory => self.folder(below, depth + 1),
            FileType::RegularFile => self.file(self.open(below)?.into(), below),
            other => Err(BadFolder::Special {
                path: path(),
                what: kind(other),
            }),
        }
    }

    fn file(&mut self, mut open: File, below: &str) -> Result<(), BadFolder> {
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
        let read = whole::read(&mut open, size, MAX_FILE);
        let bytes = read.map_err(|why| unreadable(&path(), why))?;
        let read = bytes.len() as u64;
        if read > MAX_FILE {
            return Err(BadFolder::Large(path()));
        }
        self.bytes += read;
        if self.bytes > MOST_BYTES {
            return Err(BadFolder::Much(self.path(below)));
        }
        if found.st_mode & Mode::XUSR.bits() != 0 {
            self.files.executable.insert(below.to_owned());
        }
        self.files.bytes.insert(below.to_owned(), bytes);
        Ok(())
    }
}

fn kind(of: FileType) -> &'static str {
    match of {
        FileType::Fifo => "a FIFO",
        FileType::Socket => "a socket",
        FileType::CharacterDevice | FileType::BlockDevice => "a device",
        _ => "something else",
    }
}

fn is_ignored(name: &str, depth: usize) -> bool {
    let hidden = depth == 0 && name.starts_with('.');
    let left_behind = name.ends_with('~') || (name.starts_with('.') && name.ends_with(".swp"));
    matches!(name, "." | "..") || hidden || left_behind
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::Permissions;
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    fn catalog() -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(dir.path().join("web/files")).unwrap();
        std::fs::write(dir.path().join("web/role.toml"), "").unwrap();
        std::fs::write(dir.path().join("web/files/.hidden"), "x").unwrap();
        dir
    }

    fn paths(dir: &Path) -> Vec<String> {
        read_catalog(dir).unwrap().bytes.into_keys().collect()
    }

    #[test]
    fn reads_what_lies_there() {
        let dir = catalog();
        std::fs::create_dir(dir.path().join(".git")).unwrap();
        std::fs::write(dir.path().join(".git/config"), "").unwrap();
        std::fs::write(dir.path().join("web/role.toml~"), "").unwrap();
        symlink("role.toml", dir.path().join("web/same")).unwrap();
        symlink("files", dir.path().join("web/again")).unwrap();
        assert_eq!(
            paths(dir.path()),
            [
                "web/again/.hidden",
                "web/files/.hidden",
                "web/role.toml",
                "web/same"
            ]
        );
    }

    #[test]
    fn of_modes_only_what_the_owner_may_execute_counts() {
        let dir = catalog();
        for (name, mode) in [("a", 0o755), ("b", 0o500), ("c", 0o655), ("d", 0o644)] {
            let path = dir.path().join("web/files").join(name);
            std::fs::write(&path, "").unwrap();
            std::fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
        }
        symlink("files/a", dir.path().join("web/same")).unwrap();
        let read = read_catalog(dir.path()).unwrap();
        assert_eq!(
            read.executable.into_iter().collect::<Vec<_>>(),
            ["web/files/a", "web/files/b", "web/same"]
        );
    }

    #[test]
    fn refuses_what_leads_out() {
        for target in [
            "/etc/passwd",
            "../../../../../etc/passwd",
            "../db/role.toml",
            "nowhere",
            "loop",
            "/",
        ] {
            let dir = catalog();
            std::fs::create_dir(dir.path().join("db")).unwrap();
            std::fs::write(dir.path().join("db/role.toml"), "").unwrap();
            symlink(target, dir.path().join("web/loop")).unwrap();
            let refused = read(dir.path()).unwrap_err();
            assert!(
                matches!(refused[..], [BadFolder::Link(_)]),
                "{target}: {refused:?}"
            );
        }
    }

    #[test]
    fn a_folder_in_itself_ends() {
        let dir = catalog();
        symlink(".", dir.path().join("web/round")).unwrap();
        let refused = read(dir.path()).unwrap_err();
        assert!(matches!(refused[..], [BadFolder::Deep(_)]));
    }

    #[test]
    fn refuses_what_is_no_file() {
        let dir = catalog();
        let fifo = dir.path().join("web/fifo");
        rustix::fs::mknodat(rustix::fs::CWD, &fifo, FileType::Fifo, Mode::RUSR, 0).unwrap();
        let refused = read(dir.path()).unwrap_err();
        assert!(matches!(
            refused[..],
            [BadFolder::Special { what: "a FIFO", .. }]
        ));
    }

    #[test]
    fn refuses_what_is_too_large() {
        let dir = catalog();
        let file = File::create(dir.path().join("web/large")).unwrap();
        file.set_len(MAX_FILE + 1).unwrap();
        let refused = read(dir.path()).unwrap_err();
        assert!(matches!(refused[..], [BadFolder::Large(_)]));
    }

    #[test]
    fn says_what_is_not_there() {
        let dir = catalog();
        let missing = read_catalog(&dir.path().join("nothing"))
            .unwrap_err()
            .to_string();
        assert!(missing.contains("nothing: No such file"), "{missing}");
    }
}
