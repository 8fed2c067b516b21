//! Files of cfg's own that are there whole or not at all, also after a power cut.

use crate::errno;
use std::ffi::OsString;
use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

/// Replaces this file in one step; only its owner may read it.
///
/// # Errors
/// Where it cannot be written; then the old one stands.
pub fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    replace(path, bytes)?;
    match path.parent() {
        Some(folder) => File::open(folder)
            .and_then(|folder| folder.sync_all())
            .map_err(errno::explained),
        None => Ok(()),
    }
}

/// The same, for what may as well be missing after a power cut, but not be there by halves.
///
/// # Errors
/// As above.
pub fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else {
        return Err(io::Error::other("a file without a folder or a name"));
    };
    // Another process may be writing the same file: each has a draft of its own.
    let mut draft_name = OsString::from(".");
    draft_name.push(name);
    draft_name.push(format!(".{}", std::process::id()));
    let draft = folder.join(draft_name);
    let written = write_draft(&draft, bytes).and_then(|()| fs::rename(&draft, path));
    if written.is_err() {
        // The old content stands; a leftover of the new would only be clutter.
        let _ = fs::remove_file(&draft);
    }
    written.map_err(errno::explained)
}

fn write_draft(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// A file's content; none where there is no such file.
///
/// # Errors
/// Of the file system, but for that one.
pub fn read(path: &Path) -> io::Result<Option<Vec<u8>>> {
    match fs::read(path) {
        Ok(content) => Ok(Some(content)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Removes a file; that there is none is as good.
///
/// # Errors
/// Of the file system, but for that one.
pub fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Makes a folder that its owner alone may enter, and the folders that lead to it as any others: 0755. Gives those that
/// it made, the outermost first.
///
/// # Errors
/// Where one cannot be made.
pub fn private_folder(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let missing: Vec<&Path> = folder
        .ancestors()
        .take_while(|above| !above.as_os_str().is_empty() && !above.exists())
        .collect();
    let mut made = Vec::new();
    for path in missing.into_iter().rev() {
        match DirBuilder::new().mode(0o700).create(path) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => continue,
            Err(error) => return Err(errno::explained(error)),
        }
        if path != folder {
            fs::set_permissions(path, Permissions::from_mode(0o755)).map_err(errno::explained)?;
        }
        made.push(path.to_owned());
    }
    Ok(made)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn what_leads_to_a_private_folder_is_for_all() {
        let root = tempfile::tempdir().unwrap();
        let mode = |path: &str| {
            let seen = std::fs::metadata(root.path().join(path)).unwrap();
            seen.permissions().mode() & 0o7777
        };
        let state = root.path().join("var/lib/cfg");
        let made = super::private_folder(&state).unwrap();
        let names = ["var", "var/lib", "var/lib/cfg"].map(|name| root.path().join(name));
        assert_eq!(made, names);
        assert_eq!(
            ["var", "var/lib", "var/lib/cfg"].map(mode),
            [0o755, 0o755, 0o700]
        );
        let made = super::private_folder(&state.join("runs")).unwrap();
        assert_eq!(made, [state.join("runs")]);
        assert!(super::private_folder(&state).unwrap().is_empty());
    }

    #[test]
    fn replaced_whole_and_private() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("ledger.json");
        assert_eq!(super::read(&file).unwrap(), None);
        super::write(&file, b"one").unwrap();
        super::write(&file, b"two").unwrap();
        assert_eq!(super::read(&file).unwrap().unwrap(), b"two");
        let mode = std::fs::metadata(&file).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
        super::remove(&file).unwrap();
        super::remove(&file).unwrap();
        assert!(super::write(&folder.path().join("none/x"), b"").is_err());
    }

    #[test]
    fn what_cannot_be_replaced_stands_and_nothing_lies_beside_it() {
        let folder = tempfile::tempdir().unwrap();
        let taken = folder.path().join("taken");
        std::fs::create_dir(&taken).unwrap();
        assert!(super::write(&taken, b"x").is_err());
        assert!(taken.is_dir());
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
