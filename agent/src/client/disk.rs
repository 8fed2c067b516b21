//! Files of the agent's own: whole or not at all, and still there after a power cut.

use crate::durable;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

/// Makes a folder that only its owner may enter, and what leads to it.
///
/// # Errors
/// Of the file system.
pub fn private_folder(folder: &Path) -> io::Result<()> {
    durable::private_folder(folder).map(|_made| ())
}

/// Puts a file in the place of another in one step. Only its owner may read it.
///
/// # Errors
/// Of the file system; the old file then stands as it was.
pub fn replace(path: &Path, content: &[u8]) -> io::Result<()> {
    let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else {
        return Err(io::ErrorKind::InvalidInput.into());
    };
    let mut new_name = std::ffi::OsString::from(".");
    new_name.push(name);
    new_name.push(format!(".{}", std::process::id()));
    let new = folder.join(new_name);
    let written = write_new(&new, content).and_then(|()| fs::rename(&new, path));
    if written.is_err() {
        // The old content still stands; a leftover of the new would only be clutter.
        let _ = fs::remove_file(&new);
    }
    written?;
    File::open(folder)?.sync_all()
}

fn write_new(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(path)?;
    file.write_all(content)?;
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn replaced_whole_and_private() {
        let folder = tempfile::tempdir().unwrap();
        let below = folder.path().join("a/b");
        private_folder(&below).unwrap();
        let path = below.join("x");
        assert_eq!(read(&path).unwrap(), None);
        replace(&path, b"1").unwrap();
        replace(&path, b"22").unwrap();
        assert_eq!(read(&path).unwrap().unwrap(), b"22");
        assert_eq!(
            fs::metadata(&path).unwrap().permissions().mode() & 0o777,
            0o600
        );
        assert_eq!(
            fs::metadata(&below).unwrap().permissions().mode() & 0o777,
            0o700
        );
        assert_eq!(fs::read_dir(&below).unwrap().count(), 1, "no leftovers");
        remove(&path).unwrap();
        remove(&path).unwrap();
        assert!(replace(&path.join("y"), b"").is_err());
    }
}
