//! What an archive is unpacked onto: a folder on disk, or one that is only imagined.

use rustix::fs::FileType;
use rustix::io::Errno;
use std::ffi::{OsStr, OsString};
use std::io::Write;

/// Folders in which names come about, each once: a name that is taken is `EXIST`.
pub(crate) trait Ground {
    /// A folder.
    type Folder;
    /// A file that is being filled.
    type File: Write;

    /// The folder that all lies in.
    fn top(&self) -> Result<Self::Folder, Errno>;

    /// Makes a folder.
    fn make(&self, above: &Self::Folder, name: &OsStr) -> Result<(), Errno>;

    /// The folder of this name; no link is followed.
    fn enter(&self, above: &Self::Folder, name: &OsStr) -> Result<Self::Folder, Errno>;

    /// Gives a folder to whom all is to belong.
    fn give(&self, folder: &Self::Folder, place: &[OsString]) -> Result<(), String>;

    /// Makes a file.
    fn file(&self, folder: &Self::Folder, name: &OsStr) -> Result<Self::File, Errno>;

    /// Gives a file its owner and mode, once it is full.
    fn finish(&self, file: Self::File, mode: u32, place: &[OsString]) -> Result<(), String>;

    /// Makes a symbolic link.
    fn symlink(&self, folder: &Self::Folder, name: &OsStr, target: &OsStr) -> Result<(), Errno>;

    /// Gives a symbolic link to whom all is to belong.
    fn give_link(
        &self,
        folder: &Self::Folder,
        name: &OsStr,
        place: &[OsString],
    ) -> Result<(), String>;

    /// What has this name.
    fn what(&self, folder: &Self::Folder, name: &OsStr) -> Result<FileType, Errno>;

    /// What a symbolic link says.
    fn leads(&self, folder: &Self::Folder, name: &OsStr) -> Result<OsString, Errno>;

    /// Gives what has a name another one.
    fn link(&self, from: (&Self::Folder, &OsStr), to: (&Self::Folder, &OsStr))
    -> Result<(), Errno>;
}
