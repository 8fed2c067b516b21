//! A zip, by the list at its end.

use super::bounded::Bounded;
use super::ground::Ground;
use super::{MOST_ENTRIES, MOST_NAME, Thing, Unpack};
use rustix::fs::FileType;
use std::cell::Cell;
use std::io::{Read, Seek};
use zip::ZipArchive;
use zip::read::ZipFile;
use zip::result::ZipError;

impl<G: Ground> Unpack<G> {
    /// Unpacks a zip of which no more than so many bytes may come.
    pub(super) fn zip(&self, packed: impl Read + Seek, most: u64) -> Result<(), String> {
        let mut archive = ZipArchive::new(packed).map_err(broken)?;
        match archive.len() {
            0 => return Err("it holds nothing".into()),
            1..=MOST_ENTRIES => {}
            _ => return Err(format!("it holds more than {MOST_ENTRIES} things")),
        }
        if archive.has_duplicate_names() {
            return Err("a name is twice in it".into());
        }
        if archive.has_overlapping_entries().map_err(broken)? {
            return Err("two things in it are made of the same bytes".into());
        }
        let left = Cell::new(most);
        for index in 0..archive.len() {
            self.member(archive.by_index(index).map_err(broken)?, &left)?;
        }
        Ok(())
    }

    fn member(&self, member: ZipFile<'_, impl Read>, left: &Cell<u64>) -> Result<(), String> {
        let name = member.name_raw().to_vec();
        let mode = member.unix_mode().unwrap_or_default();
        let is_folder = member.is_dir();
        let mut content = Bounded {
            packed: member,
            left,
            head: &Cell::new(None),
        };
        let mut target = Vec::new();
        let thing = match FileType::from_raw_mode(mode) {
            _ if is_folder => Thing::Folder,
            // What is packed elsewhere than on a Unix, or by a program, says no more than rights.
            FileType::RegularFile | FileType::Unknown => Thing::File {
                executable: mode & 0o111 != 0,
                content: &mut content,
            },
            FileType::Symlink => {
                let bounded = &mut content.take(MOST_NAME as u64 + 1);
                bounded
                    .read_to_end(&mut target)
                    .map_err(|error| broken(error.into()))?;
                Thing::Symlink(&target)
            }
            _ => Thing::Other("a device, a FIFO or something else that is no file"),
        };
        self.put(&name, thing)
    }
}

fn broken(error: ZipError) -> String {
    match error {
        ZipError::UnsupportedArchive(what) => {
            format!("it asks for something that is not in this version: {what}")
        }
        error => format!("it is no zip, or is damaged: {error}"),
    }
}
