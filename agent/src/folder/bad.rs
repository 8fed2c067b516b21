//! Why a folder cannot be read as a catalog, and what to do about it.

use super::{MOST_BYTES, MOST_DEEP, MOST_FILES};
use cfg_catalog::text::MAX_FILE;
use std::io::ErrorKind;
use std::path::PathBuf;

/// Why a folder could not be read as a catalog.
#[derive(Debug, thiserror::Error)]
pub enum BadFolder {
    /// The folder itself, or something in it, could not be opened or read.
    #[error("{}: {why}", .path.display())]
    Unreadable {
        /// What.
        path: PathBuf,
        /// Why.
        why: std::io::Error,
    },
    /// Neither a file, a directory nor a link to one.
    #[error("{}: neither a file nor a directory, but {}", .path.display(), .what)]
    Special {
        /// Where.
        path: PathBuf,
        /// What it is.
        what: &'static str,
    },
    /// A folder where a file of the catalog stands.
    #[error("{}: a folder, where a file is wanted", .0.display())]
    Folder(PathBuf),
    /// A link that leads out of its role's folder, or nowhere.
    #[error("{}: a link that leads out of the role's folder, or nowhere", .0.display())]
    Link(PathBuf),
    /// A name that is not UTF-8.
    #[error("{}: the name is not UTF-8", .0.display())]
    Name(PathBuf),
    /// Too large.
    #[error("{}: larger than {} MiB, the most for a file", .0.display(), MAX_FILE >> 20)]
    Large(PathBuf),
    /// Folders in folders without end.
    #[error("{}: more than {MOST_DEEP} folders deep", .0.display())]
    Deep(PathBuf),
    /// Too much altogether.
    #[error("{}: too much for a catalog: more than {MOST_FILES} files or {} MiB", .0.display(), MOST_BYTES >> 20)]
    Much(PathBuf),
}

impl BadFolder {
    /// What to do about it.
    pub(super) fn help(&self) -> Option<&'static str> {
        match self {
            BadFolder::Unreadable { why, .. } if why.kind() == ErrorKind::PermissionDenied => Some(
                "give it back to whoever reads the catalog: chown, or chmod u+r (u+rx a folder)",
            ),
            BadFolder::Unreadable { why, .. }
                if matches!(why.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) =>
            {
                Some("give the folder that the roles lie in: a role is NAME/role.toml below it")
            }
            BadFolder::Unreadable { .. } => None,
            BadFolder::Special { .. } => Some("take it out of the catalog"),
            BadFolder::Folder(_) => {
                Some("no role can have this name: give the folder another one, or put a file there")
            }
            BadFolder::Link(_) => {
                Some("put a copy of the file there: a role is whole only with its own")
            }
            BadFolder::Name(_) => Some("give it another name"),
            BadFolder::Large(path) if path.ends_with("role.toml") => {
                Some("a role.toml is a text of 1 MiB at most")
            }
            BadFolder::Large(path) if path.ends_with("fleet.toml") => {
                Some("a fleet.toml is a text of 1 MiB at most")
            }
            BadFolder::Large(_) => Some("put it into a package: machines get it from there"),
            BadFolder::Deep(_) => Some("does a link lead to a folder that it lies in?"),
            BadFolder::Much(_) => Some("is this the folder of roles, and not one above it?"),
        }
    }

    /// Whether it makes no sense to go on.
    pub(super) fn is_last(&self) -> bool {
        matches!(self, BadFolder::Deep(_) | BadFolder::Much(_))
    }
}
