//! Reads a catalog's folder into memory, and only what lies in it.

mod bad;
mod files;
mod stamps;

pub use bad::BadFolder;
pub use stamps::{Stamps, stamps};

use cfg_catalog::{Catalog, CatalogFiles, Diagnostic, Diagnostics};
use files::{Listed, Place, Whole};
use rustix::fs::{Dir, FileType, Mode, OFlags};
use rustix::io::Errno;
use std::os::fd::{AsFd as _, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

/// So deep may folders lie in one another.
const MOST_DEEP: usize = 32;

/// So many files may a catalog have.
const MOST_FILES: usize = 100_000;

/// So large may all files together be.
const MOST_BYTES: u64 = 1 << 30;

/// Everything in a catalog's folder by its path below it. Hidden files at the top (`.git`) and what editors
/// leave behind (`x~`, `.x.swp`) are no part of it; hidden files of a role are.
///
/// # Errors
/// All that cannot be read, is no file, leads outside, or is too large, and what is wrong with the texts beside it.
pub fn read_catalog(dir: &Path) -> Result<CatalogFiles, Diagnostics> {
    let (files, bad) = read(dir);
    if bad.is_empty() {
        return Ok(files);
    }
    let mut wrong = Diagnostics::new();
    for bad in bad {
        let mut diagnostic = Diagnostic::bare(bad.to_string());
        diagnostic.help = bad.help().map(str::to_owned);
        wrong.push(diagnostic);
    }
    Err(Catalog::with_texts(&files, wrong))
}

/// One file of a catalog's folder, as long as it lies in it.
///
/// # Errors
/// Where it cannot be read.
pub fn read_one(dir: &Path, below: &str) -> Result<Vec<u8>, BadFolder> {
    let root = open(dir).map_err(|why| unreadable(dir, why))?;
    let place = Place {
        dir,
        root: root.as_fd(),
        bytes: AtomicU64::new(0),
    };
    let file = place.open(below)?;
    place.file(file.into(), below).map(|whole| whole.bytes)
}

fn open(dir: &Path) -> Result<OwnedFd, Errno> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    rustix::fs::open(dir, flags, Mode::empty())
}

/// What can be read, and what is wrong with the rest.
fn read(dir: &Path) -> (CatalogFiles, Vec<BadFolder>) {
    let root = match open(dir) {
        Ok(root) => root,
        Err(why) => return (CatalogFiles::default(), vec![unreadable(dir, why)]),
    };
    let mut reading = Reading {
        place: Place {
            dir,
            root: root.as_fd(),
            bytes: AtomicU64::new(0),
        },
        files: CatalogFiles::default(),
        entries: 0,
        listed: Vec::new(),
        folders: 0,
        bad: Vec::new(),
    };
    let read = reading.folder("", 0);
    if let Err(last) = read.and_then(|()| reading.read_listed()) {
        reading.bad.push(last);
    }
    (reading.files, reading.bad)
}

fn unreadable(path: &Path, why: impl Into<std::io::Error>) -> BadFolder {
    BadFolder::Unreadable {
        path: path.to_owned(),
        why: why.into(),
    }
}

/// So many folders are held open at most for what was listed in them.
const MOST_HELD: usize = 128;

struct Reading<'a> {
    place: Place<'a>,
    files: CatalogFiles,
    entries: usize,
    /// To be read, and how many folders they hold open.
    listed: Vec<Listed>,
    folders: usize,
    /// What is wrong so far.
    bad: Vec<BadFolder>,
}

impl Reading<'_> {
    fn path(&self, below: &str) -> PathBuf {
        self.place.path(below)
    }

    fn folder(&mut self, below: &str, depth: usize) -> Result<(), BadFolder> {
        if depth > MOST_DEEP {
            return Err(BadFolder::Deep(self.path(below)));
        }
        let open = Arc::new(self.place.open(below)?);
        let listing = open.try_clone();
        let listing = listing.map_err(|why| unreadable(&self.path(below), why))?;
        let entries = Dir::new(listing).map_err(|why| unreadable(&self.path(below), why))?;
        self.folders += 1;
        if self.folders > MOST_HELD {
            self.read_listed()?;
        }
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
                FileType::RegularFile => self.count(&below).map(|()| {
                    self.listed.push(Listed {
                        folder: Arc::clone(&open),
                        name: entry.file_name().to_owned(),
                        below,
                    });
                }),
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

    /// Reads all that was listed and not yet read.
    fn read_listed(&mut self) -> Result<(), BadFolder> {
        self.folders = 0;
        let listed = std::mem::take(&mut self.listed);
        let read = self.place.all(&listed);
        for read in read {
            self.keep(read)?;
        }
        Ok(())
    }

    /// Keeps what was read, or what is wrong with it, unless it makes no sense to go on.
    fn keep(&mut self, read: Result<Whole, BadFolder>) -> Result<(), BadFolder> {
        match read {
            Ok(whole) => {
                if whole.executable {
                    self.files.executable.insert(whole.below.clone());
                }
                self.files.bytes.insert(whole.below, whole.bytes);
                Ok(())
            }
            Err(bad) if !bad.is_last() => {
                self.bad.push(bad);
                Ok(())
            }
            Err(last) => Err(last),
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
            FileType::Directory if below == "fleet.toml" => Err(BadFolder::Folder(path())),
            FileType::Directory => self.folder(below, depth + 1),
            FileType::RegularFile => {
                let read = self.place.open(below);
                self.keep(read.and_then(|open| self.place.file(open.into(), below)))
            }
            other => Err(BadFolder::Special {
                path: path(),
                what: kind(other),
            }),
        }
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
    use cfg_catalog::text::MAX_FILE;
    use std::fs::{File, Permissions};
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
    fn many_are_read_as_few_are() {
        let dir = tempfile::tempdir().unwrap();
        let mut wanted = CatalogFiles::default();
        for number in 0..300 {
            let below = format!("web/{}/{number}", number / 2);
            let path = dir.path().join(&below);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(&path, &below).unwrap();
            wanted.bytes.insert(below.clone(), below.clone().into());
            if number % 3 == 0 {
                std::fs::set_permissions(path, Permissions::from_mode(0o755)).unwrap();
                wanted.executable.insert(below);
            }
        }
        let read = super::read(dir.path()).0;
        assert_eq!(read.bytes, wanted.bytes);
        assert_eq!(read.executable, wanted.executable);
        for bad in ["web/7/large", "web/140/large"] {
            let file = File::create(dir.path().join(bad)).unwrap();
            file.set_len(MAX_FILE + 1).unwrap();
        }
        assert_eq!(super::read(dir.path()).1.len(), 2);
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
            let refused = read(dir.path()).1;
            assert!(
                matches!(refused[..], [BadFolder::Link(_)]),
                "{target}: {refused:?}"
            );
        }
    }

    #[test]
    fn what_leads_out_does_not_hide_what_is_wrong_with_the_roles() {
        let dir = catalog();
        std::fs::create_dir(dir.path().join("db")).unwrap();
        symlink("/etc/passwd", dir.path().join("db/role.toml")).unwrap();
        let role = "[file.\"/a\"]\nmod = \"0644\"\n[pakage]\n";
        std::fs::write(dir.path().join("web/role.toml"), role).unwrap();
        let told = read_catalog(dir.path()).unwrap_err();
        let told: Vec<&str> = told.iter().map(|one| &*one.message).collect();
        let words = ["leads out", "unknown key `mod`", "`pakage`"];
        assert_eq!(
            told.len(),
            words.len(),
            "nothing that only follows: {told:?}"
        );
        assert!(
            told.iter()
                .zip(words)
                .all(|(told, word)| told.contains(word)),
            "{told:?}"
        );
    }

    #[test]
    fn a_folder_in_itself_ends() {
        let dir = catalog();
        symlink(".", dir.path().join("web/round")).unwrap();
        let refused = read(dir.path()).1;
        assert!(matches!(refused[..], [BadFolder::Deep(_)]));
    }

    #[test]
    fn refuses_what_is_no_file() {
        let dir = catalog();
        let fifo = dir.path().join("web/fifo");
        rustix::fs::mknodat(rustix::fs::CWD, &fifo, FileType::Fifo, Mode::RUSR, 0).unwrap();
        let refused = read(dir.path()).1;
        assert!(matches!(
            refused[..],
            [BadFolder::Special { what: "a FIFO", .. }]
        ));
    }

    #[test]
    fn refuses_a_folder_where_values_are_to_stand() {
        let dir = catalog();
        std::fs::create_dir(dir.path().join("web/fleet.toml")).unwrap();
        assert!(
            read(dir.path()).1.is_empty(),
            "a role may have what it likes"
        );
        // An empty one too, which holds no file that something else could be said of.
        std::fs::create_dir(dir.path().join("fleet.toml")).unwrap();
        let told = read_catalog(dir.path()).unwrap_err().to_string();
        assert!(
            told.contains("/fleet.toml: a folder, where a file is wanted"),
            "{told}"
        );
        assert!(told.contains("give the folder another"), "{told}");
    }

    #[test]
    fn refuses_what_is_too_large() {
        let dir = catalog();
        let file = File::create(dir.path().join("web/large")).unwrap();
        file.set_len(MAX_FILE + 1).unwrap();
        let refused = read(dir.path()).1;
        assert!(matches!(refused[..], [BadFolder::Large(_)]));
    }

    #[test]
    fn says_what_is_not_there() {
        let dir = catalog();
        let missing = read_catalog(&dir.path().join("nothing"))
            .unwrap_err()
            .to_string();
        assert!(missing.contains("nothing: No such file"), "{missing}");
        assert!(
            missing.contains("the folder that the roles lie in"),
            "{missing}"
        );
    }
}
