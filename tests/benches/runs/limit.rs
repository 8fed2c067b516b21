//! The least that any program could do: look at the files and read dpkg's status, or write the files so that they last.

use anyhow::{Context as _, Result};
use sha2::{Digest as _, Sha256};
use std::fs::File;
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};

/// Stats, reads and digests each file of a folder of folders, and reads dpkg's status.
pub fn observe(mut words: impl Iterator<Item = String>) -> Result<()> {
    let folder = words.next().context("a folder")?;
    let files: usize = words.next().context("a number of files")?.parse()?;
    let mut buffer = Vec::new();
    let mut all = Sha256::new();
    for path in super::tree::paths(Path::new(&folder), files) {
        let stat = std::fs::symlink_metadata(&path)?;
        buffer.clear();
        File::open(&path)?.read_to_end(&mut buffer)?;
        all.update(Sha256::digest(&buffer));
        all.update(stat.len().to_le_bytes());
    }
    let status = std::fs::read("/var/lib/dpkg/status")?;
    println!("{:x?} {}", all.finalize().as_slice(), status.len());
    Ok(())
}

/// Writes each file beside its place, syncs it, and puts it in place; then syncs the folders.
pub fn write(mut words: impl Iterator<Item = String>) -> Result<()> {
    let from = PathBuf::from(words.next().context("a folder to read")?);
    let to = PathBuf::from(words.next().context("a folder to fill")?);
    let files: usize = words.next().context("a number of files")?.parse()?;
    let pairs = super::tree::paths(&from, files).zip(super::tree::paths(&to, files));
    for (from, to) in pairs {
        let content = std::fs::read(&from)?;
        let draft = to.with_extension("new");
        let mut file = File::create_new(&draft)?;
        file.write_all(&content)?;
        file.sync_all()?;
        std::fs::rename(&draft, &to)?;
        File::open(to.parent().context("a folder")?)?.sync_all()?;
    }
    Ok(())
}
