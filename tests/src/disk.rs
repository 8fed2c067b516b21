//! The disk of a host that is off: its own changes above read-only layers, as overlayfs keeps them.

use std::fs::{self, Metadata};
use std::io::ErrorKind;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};

pub(crate) struct Disk<'a> {
    pub(crate) upper: PathBuf,
    /// Topmost first, with colons between.
    pub(crate) layers: &'a str,
}

impl Disk<'_> {
    /// Where the host's own version of that path lies.
    pub(crate) fn upper(&self, path: &str) -> Result<PathBuf> {
        Ok(self.upper.join(relative(path)?))
    }

    pub(crate) fn read(&self, path: &str) -> Result<String> {
        let (at, meta) = self.find(path)?.with_context(|| format!("no {path}"))?;
        ensure!(
            meta.is_file(),
            "{path} is not a plain file, and the host is off: {}",
            at.display()
        );
        fs::read_to_string(&at).with_context(|| format!("cannot read {}", at.display()))
    }

    pub(crate) fn exists(&self, path: &str) -> bool {
        matches!(self.find(path), Ok(Some(_)))
    }

    pub(crate) fn write(&self, path: &str, content: &[u8]) -> Result<()> {
        let upper = self.upper(path)?;
        self.make_parents(relative(path)?)?;
        // A new inode: what is there may be a link, or a mark that the file was removed.
        match fs::remove_file(&upper) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                Err(error).with_context(|| format!("cannot replace {path}"))
            }
            _ => fs::write(&upper, content)
                .with_context(|| format!("cannot write {}", upper.display())),
        }
    }

    /// Removes what the host wrote itself; what lies in a layer stays.
    pub(crate) fn remove(&self, path: &str) -> Result<()> {
        match fs::remove_file(self.upper(path)?) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                Err(error).with_context(|| format!("cannot remove {path}"))
            }
            _ => Ok(()),
        }
    }

    /// The topmost version of a path, if it was not removed above it.
    fn find(&self, path: &str) -> Result<Option<(PathBuf, Metadata)>> {
        let path = relative(path)?;
        for root in
            std::iter::once(self.upper.as_path()).chain(self.layers.split(':').map(Path::new))
        {
            let mut at = root.to_owned();
            let mut found = None;
            for part in path.components() {
                at.push(part);
                match fs::symlink_metadata(&at) {
                    Ok(meta) if meta.is_symlink() && at != root.join(path) => {
                        bail!("{} is a link, and the host is off", at.display())
                    }
                    Ok(meta) if meta.file_type().is_char_device() && meta.rdev() == 0 => {
                        return Ok(None);
                    }
                    Ok(meta) => found = Some(meta),
                    Err(_) => {
                        found = None;
                        break;
                    }
                }
            }
            if let Some(meta) = found {
                return Ok(Some((at, meta)));
            }
        }
        Ok(None)
    }

    /// Folders keep the mode that they have in the layers.
    fn make_parents(&self, path: &Path) -> Result<()> {
        let mut folders: Vec<&Path> = path
            .ancestors()
            .skip(1)
            .filter(|folder| !folder.as_os_str().is_empty())
            .collect();
        folders.reverse();
        for folder in folders {
            let at = self.upper.join(folder);
            if let Ok(meta) = fs::symlink_metadata(&at) {
                ensure!(
                    meta.is_dir(),
                    "{} is not a folder, and the host is off",
                    at.display()
                );
                continue;
            }
            let below = self.find(&format!("/{}", folder.display()))?;
            fs::create_dir(&at).with_context(|| format!("cannot make {}", at.display()))?;
            if let Some((from, meta)) = below {
                ensure!(
                    meta.is_dir(),
                    "{} is not a folder, and the host is off",
                    from.display()
                );
                fs::set_permissions(&at, meta.permissions())
                    .with_context(|| format!("cannot set the mode of {}", at.display()))?;
            }
        }
        Ok(())
    }
}

fn relative(path: &str) -> Result<&Path> {
    let relative = path
        .strip_prefix('/')
        .with_context(|| format!("a path in a host begins with /, not as {path}"))?;
    ensure!(
        !relative.split('/').any(|part| part == ".."),
        "a path in a host that is off goes straight down, not as {path}"
    );
    Ok(Path::new(relative))
}
