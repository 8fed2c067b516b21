//! A tar, thing by thing.

use super::bounded::Bounded;
use super::ground::Ground;
use super::{MOST_ENTRIES, MOST_HEAD, Thing, Unpack, told_of};
use std::cell::Cell;
use std::io::Read;
use tar::{Entry, EntryType};

/// Bytes of a header, and which of them says what it is of (tar(5)).
const BLOCK: u64 = 512;
const TYPE: usize = 156;

impl<G: Ground> Unpack<G> {
    /// Unpacks a tar of which no more than so many bytes may come.
    pub(super) fn tar(&self, packed: &mut dyn Read, most: u64) -> Result<(), String> {
        let (left, head) = (Cell::new(most), Cell::new(Some(MOST_HEAD)));
        let mut packed = unlabelled(packed).map_err(broken)?;
        let mut archive = tar::Archive::new(Bounded {
            packed: &mut packed,
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
        if entries == 0 {
            return Err("it holds nothing, or is no tar".into());
        }
        // Whether it is whole says only its very end, which comes after the end of the tar.
        head.set(None);
        std::io::copy(&mut archive.into_inner(), &mut std::io::sink()).map_err(broken)?;
        Ok(())
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

/// A tar without its label (`tar -V`): a header that has no size, before all others.
fn unlabelled(packed: &mut dyn Read) -> std::io::Result<impl Read> {
    let mut first = Vec::new();
    packed.take(BLOCK).read_to_end(&mut first)?;
    if first.get(TYPE) == Some(&b'V') {
        first.clear();
    }
    Ok(std::io::Cursor::new(first).chain(packed))
}

/// What is wrong with a tar. Where a number of it is none, it is mostly no tar at all, and what stands there says nothing.
fn broken(error: std::io::Error) -> String {
    const WHAT: &str = "it is no tar, or is damaged";
    let why = error.to_string();
    match why.contains(" when getting ") {
        true => WHAT.into(),
        false => format!("{WHAT}: {}", told_of(why.as_bytes())),
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
