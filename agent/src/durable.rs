//! Files of cfg's own that are there whole or not at all, also after a power cut.

use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

/// Replaces this file; only its owner may read it.
///
/// # Errors
/// Where it cannot be written; then the old one stands.
pub fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let draft = path.with_extension("new");
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&draft)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    std::fs::rename(&draft, path)?;
    let folder = path
        .parent()
        .ok_or_else(|| io::Error::other("a file without a folder"))?;
    File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    #[test]
    fn replaces() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("ledger.json");
        super::write(&file, b"one").unwrap();
        super::write(&file, b"two").unwrap();
        assert_eq!(std::fs::read(&file).unwrap(), b"two");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
        assert!(super::write(&folder.path().join("none/x"), b"").is_err());
    }
}
