//! Files of cfg's own that are there whole or not at all, also after a power cut.

use std::fs::{DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

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
            Err(error) => return Err(error),
        }
        if path != folder {
            std::fs::set_permissions(path, Permissions::from_mode(0o755))?;
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
