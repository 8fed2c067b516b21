//! Tells whether a catalog's folder is as it was, without reading its files.

use super::{MOST_DEEP, MOST_FILES, is_ignored};
use cfg_catalog::digest::Digest;
use rustix::fs::{AtFlags, CWD, Dir, FileType, Mode, OFlags, Stat, openat, statat};
use sha2::{Digest as _, Sha256};
use std::ffi::CString;
use std::os::fd::AsFd;
use std::path::Path;

/// What the files of a catalog's folder are called, and their stamps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamps {
    /// Of all of them.
    pub digest: Digest,
    /// When the last of them changed, in seconds since 1970.
    pub latest_s: i64,
}

/// Those of the files that [`super::read_catalog`] reads; none where something is there that only reading can tell about: a link, a
/// device, what may not be read.
pub fn stamps(dir: &Path) -> Option<Stamps> {
    let mut look = Look {
        sha: Sha256::new(),
        files: 0,
        latest_s: 0,
    };
    look.folder(CWD, dir, 0)?;
    Some(Stamps {
        digest: <[u8; 32]>::from(look.sha.finalize()).into(),
        latest_s: look.latest_s,
    })
}

struct Look {
    sha: Sha256,
    files: usize,
    latest_s: i64,
}

impl Look {
    fn folder(&mut self, at: impl AsFd, path: impl rustix::path::Arg, depth: usize) -> Option<()> {
        if depth > MOST_DEEP {
            return None;
        }
        // The catalog itself may be reached by a link.
        let link = if depth == 0 {
            OFlags::empty()
        } else {
            OFlags::NOFOLLOW
        };
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC | link;
        let folder = openat(at, path, flags, Mode::empty()).ok()?;
        let mut entries = Vec::new();
        for entry in Dir::read_from(&folder).ok()? {
            let entry = entry.ok()?;
            if !is_ignored(entry.file_name().to_str().ok()?, depth) {
                entries.push((entry.file_name().to_owned(), entry.file_type()));
            }
        }
        entries.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
        self.files += entries.len();
        if self.files > MOST_FILES {
            return None;
        }
        for (name, kind) in entries {
            self.sha.update(name.as_bytes_with_nul());
            match kind {
                FileType::RegularFile => self.file(&folder, &name)?,
                FileType::Directory => self.folder(&folder, &*name, depth + 1)?,
                _ => return None,
            }
        }
        // What follows lies in the folder above.
        self.sha.update([0]);
        Some(())
    }

    fn file(&mut self, folder: impl AsFd, name: &CString) -> Option<()> {
        let stat = statat(folder, name, AtFlags::SYMLINK_NOFOLLOW).ok()?;
        if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
            return None;
        }
        self.latest_s = self.latest_s.max(stat.st_ctime);
        for number in numbers(&stat) {
            self.sha.update(number.to_le_bytes());
        }
        Some(())
    }
}

/// Whatever is done to a file, one of these changes: the kernel alone sets the time of its last change.
fn numbers(stat: &Stat) -> [i128; 6] {
    [
        stat.st_dev.into(),
        stat.st_ino.into(),
        stat.st_mode.into(),
        stat.st_size.into(),
        stat.st_ctime.into(),
        stat.st_ctime_nsec.into(),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    type Change<'a> = Box<dyn Fn() + 'a>;

    #[test]
    fn they_tell_of_whatever_changes_what_is_read() {
        let dir = tempfile::tempdir().unwrap();
        let path = |below: &str| dir.path().join(below);
        fs::create_dir_all(path("web/files")).unwrap();
        fs::write(path("web/role.toml"), "one").unwrap();
        fs::write(path("web/files/a"), "a").unwrap();
        let mut seen = stamps(dir.path());
        assert!(seen.is_some());
        let changes: Vec<(&str, Change<'_>)> = vec![
            (
                "content",
                Box::new(|| fs::write(path("web/role.toml"), "three").unwrap()),
            ),
            (
                "another",
                Box::new(|| fs::write(path("web/files/b"), "b").unwrap()),
            ),
            (
                "a name",
                Box::new(|| fs::rename(path("web/files/b"), path("web/files/c")).unwrap()),
            ),
            (
                "a folder",
                Box::new(|| fs::rename(path("web/files/c"), path("web/c")).unwrap()),
            ),
            ("gone", Box::new(|| fs::remove_file(path("web/c")).unwrap())),
            (
                "executable",
                Box::new(|| {
                    fs::set_permissions(path("web/files/a"), fs::Permissions::from_mode(0o755))
                        .unwrap();
                }),
            ),
            (
                "put in its place, as old and as large",
                Box::new(|| {
                    let time = fs::metadata(path("web/role.toml"))
                        .unwrap()
                        .modified()
                        .unwrap();
                    fs::write(path("web/.new"), "seven").unwrap();
                    fs::File::open(path("web/.new"))
                        .unwrap()
                        .set_modified(time)
                        .unwrap();
                    fs::rename(path("web/.new"), path("web/role.toml")).unwrap();
                }),
            ),
        ];
        for (what, change) in changes {
            change();
            let now = stamps(dir.path());
            assert_ne!(seen.unwrap().digest, now.unwrap().digest, "{what}");
            assert_eq!(stamps(dir.path()), now, "{what}");
            seen = now;
        }
        fs::create_dir(path(".git")).unwrap();
        fs::write(path(".git/config"), "x").unwrap();
        fs::write(path("web/role.toml~"), "x").unwrap();
        assert_eq!(stamps(dir.path()), seen, "what is not read");
    }

    #[test]
    fn there_are_none_where_only_reading_tells() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("web")).unwrap();
        assert!(stamps(dir.path()).is_some());
        symlink("nowhere", dir.path().join("web/link")).unwrap();
        assert_eq!(stamps(dir.path()), None);
        assert_eq!(stamps(&dir.path().join("none")), None);
    }
}
