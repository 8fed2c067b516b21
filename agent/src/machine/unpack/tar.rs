//! A tar, thing by thing.

use super::bounded::Bounded;
use super::{MOST_ENTRIES, MOST_HEAD, Thing, Unpack};
use std::cell::Cell;
use std::io::Read;
use tar::{Entry, EntryType};

impl Unpack<'_> {
    /// Unpacks a tar of which no more than so many bytes may come.
    pub(super) fn tar(&self, packed: impl Read, most: u64) -> Result<(), String> {
        let broken = |error: std::io::Error| format!("it is no tar, or is damaged: {error}");
        let (left, head) = (Cell::new(most), Cell::new(Some(MOST_HEAD)));
        let mut archive = tar::Archive::new(Bounded {
            packed,
            left: &left,
            head: &head,
        });
        let mut entries = 0;
        for entry in archive.entries().map_err(broken)? {
            let mut entry = entry.map_err(broken)?;
            head.set(None);
            entries += 1;
            if entries > MOST_ENTRIES {
                return Err(format!("it holds more than {MOST_ENTRIES} things"));
            }
            self.entry(&mut entry)?;
            // What is left of it is not of the next one's head.
            std::io::copy(&mut entry, &mut std::io::sink()).map_err(broken)?;
            head.set(Some(MOST_HEAD));
        }
        // What it was packed with says at its very end whether it is whole.
        head.set(None);
        std::io::copy(&mut archive.into_inner(), &mut std::io::sink()).map_err(broken)?;
        match entries {
            0 => Err("it holds nothing, or is no tar".into()),
            _ => Ok(()),
        }
    }

    fn entry<R: Read>(&self, entry: &mut Entry<'_, R>) -> Result<(), String> {
        let name = entry.path_bytes().into_owned();
        let target = entry.link_name_bytes().unwrap_or_default().into_owned();
        let thing = match entry.header().entry_type() {
            EntryType::XGlobalHeader => return Ok(()),
            EntryType::Directory => Thing::Folder,
            // A few bytes of it could become more than any disk has.
            _ if is_sparse(entry)? => Thing::Other("a sparse file"),
            EntryType::Regular | EntryType::Continuous => Thing::File {
                executable: entry.header().mode().unwrap_or(0o644) & 0o111 != 0,
                content: entry,
            },
            EntryType::Symlink => Thing::Symlink(&target),
            EntryType::Link => Thing::HardLink(&target),
            _ => Thing::Other("a device, a FIFO or something else that is no file"),
        };
        self.put(&name, thing)
    }
}

/// Whether a file has holes, as GNU tar says so in either of its ways.
fn is_sparse<R: Read>(entry: &mut Entry<'_, R>) -> Result<bool, String> {
    match entry.header().entry_type() {
        EntryType::GNUSparse => return Ok(true),
        EntryType::Regular => {}
        _ => return Ok(false),
    }
    let broken = |error: std::io::Error| format!("it is damaged: {error}");
    for extension in entry
        .pax_extensions()
        .map_err(broken)?
        .into_iter()
        .flatten()
    {
        let key = extension.map_err(broken)?.key_bytes();
        if key.starts_with(b"GNU.sparse.") {
            return Ok(true);
        }
    }
    Ok(false)
}
