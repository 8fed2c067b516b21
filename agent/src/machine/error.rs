//! What can go wrong at the file system, told with path and remedy.

use crate::errno;
use cfg_catalog::plan::Place;
use rustix::io::Errno;

/// A system call on a path failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{doing} {path}: {}", words(.doing, *.errno))]
pub struct SysError {
    /// What was tried: "opening", "renaming to".
    pub doing: &'static str,
    /// At which path, as it is below the root.
    pub path: String,
    /// The kernel's answer.
    pub errno: Errno,
}

/// "making a file in" is told with its folder's path.
fn words(doing: &str, errno: Errno) -> String {
    match doing.ends_with(" in") {
        true => errno::words_of_folder(errno),
        false => errno::words(errno),
    }
}

impl SysError {
    /// For `map_err`: the failure of `doing` at `path`.
    pub(crate) fn at(doing: &'static str, path: impl Into<String>) -> impl FnOnce(Errno) -> Self {
        let path = path.into();
        move |errno| Self { doing, path, errno }
    }

    /// For `map_err` over what the standard library answers.
    pub(crate) fn of_io(
        doing: &'static str,
        path: impl Into<String>,
    ) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |error| Self {
            doing,
            path,
            errno: Errno::from_io_error(&error).unwrap_or(Errno::IO),
        }
    }
}

/// Why a path could not be walked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WalkError {
    /// Something that is not a folder stands in the middle of the path.
    #[error("{path} is not a directory, and so nothing can be below it")]
    NotAFolder {
        /// What stands there.
        path: String,
        /// Where the folder would be that was walked to; none where no link led there.
        there: Option<Box<Place>>,
    },
    /// A link that somebody else than root could have put there.
    #[error(
        "{link} is a link that is not followed: {why}; replace it by a directory, or let root own link and folder"
    )]
    Planted {
        /// The link.
        link: String,
        /// What makes it unfit.
        why: String,
    },
    /// A link leads nowhere.
    #[error("{link} is a link to {target}, and that does not exist")]
    Dangling {
        /// The link.
        link: String,
        /// What it says.
        target: String,
        /// Where the folder would be that was walked to.
        there: Option<Box<Place>>,
    },
    /// Links lead to links without an end.
    #[error(
        "{path}: its links lead in a circle, or through more than {} links",
        super::walk::MOST_LINKS
    )]
    Loop {
        /// The path that was walked.
        path: String,
    },
    /// More folders than anybody needs.
    #[error("{path}: deeper than {} folders", super::walk::DEEPEST)]
    TooDeep {
        /// The path that was walked.
        path: String,
    },
    /// The kernel said no.
    #[error(transparent)]
    Sys(#[from] SysError),
}

/// Why a resource could not be brought to what it must be.
#[derive(Debug, thiserror::Error)]
pub enum EnactError {
    /// Its folder could not be reached.
    #[error(transparent)]
    Walk(#[from] WalkError),
    /// Something stands there that is not replaced.
    #[error("{path} is {what}, which is not replaced; move it away")]
    InTheWay {
        /// Where.
        path: String,
        /// "a directory with content".
        what: &'static str,
    },
    /// The name of a user or group is not known on this machine.
    #[error("{path}: there is no {kind} \"{name}\" on this machine")]
    Nobody {
        /// Whose owner it would be.
        path: String,
        /// "user" or "group".
        kind: &'static str,
        /// As in the role.
        name: String,
    },
    /// An ordinary user cannot give things away: what is left of the resource is held.
    #[error("{0}")]
    OutOfReach(String),
    /// Only attributes are managed, and there is nothing to carry them.
    #[error("{path} does not exist, and the role gives it no content")]
    NoContent {
        /// Where.
        path: String,
    },
    /// A file with several names in a folder of somebody else.
    #[error(
        "{path} has other names elsewhere and its folder is not root's alone: its attributes are not touched"
    )]
    ManyNames {
        /// Where.
        path: String,
    },
    /// A file that an edit is about cannot be edited.
    #[error("{path}: {why}")]
    Edit {
        /// Which.
        path: String,
        /// What is wrong with it, and where in it.
        why: cfg_catalog::edit::EditError,
    },
    /// A file that an edit is about is too large, or may not be read.
    #[error("{path} cannot be read, or has more than {} KiB", cfg_catalog::edit::MOST / 1024)]
    Unread {
        /// Which.
        path: String,
    },
    /// The content that the role names is not to be had.
    #[error("the content of {path} ({digest}): {why}")]
    Content {
        /// Where it belongs.
        path: String,
        /// Which content.
        digest: cfg_catalog::digest::Digest,
        /// What is wrong with it.
        why: String,
    },
    /// What is at a URL could not be fetched, or is something else; what stood there stands.
    #[error("{path} is left as it was: {why}")]
    Download {
        /// Where it belongs.
        path: String,
        /// The whole reason.
        why: String,
    },
    /// An archive holds what it must not, or is none; what stood there stands.
    #[error("{path} is left as it was: the archive is not unpacked, since {why}")]
    Archive {
        /// Where it belongs.
        path: String,
        /// What is wrong with it.
        why: String,
    },
    /// `validate` refused the new file; the old one stands, where there is one.
    #[error("{path} is {}: its validate command {said}", if *.new { "not made" } else { "left as it was" })]
    Invalid {
        /// Where it would have gone.
        path: String,
        /// Whether nothing stands there.
        new: bool,
        /// How it ended and, where nothing is secret, what it printed.
        said: String,
    },
    /// A path that cfg never empties.
    #[error("{path} is never removed or emptied by cfg")]
    Sacred {
        /// Which.
        path: String,
    },
    /// A path that is given to mount or umount by name, and that others could lead elsewhere meanwhile.
    #[error(
        "{path} is neither mounted nor unmounted: others than root can write in {folder} or above it, and could lead it elsewhere"
    )]
    Shaky {
        /// Which.
        path: String,
        /// Where they can.
        folder: String,
    },
    /// Another file system is mounted there.
    #[error("{path} is on another mount, which cfg does not cross to remove something")]
    OtherMount {
        /// Where.
        path: String,
    },
    /// Something that was to go is there still.
    #[error("not all could be removed: {}", left.join("; "))]
    Purge {
        /// Why, of each.
        left: Vec<String>,
    },
    /// A tool of the system failed.
    #[error("{program} {said}")]
    Tool {
        /// useradd and its like.
        program: String,
        /// How it ended and what it printed.
        said: String,
    },
    /// A value that no tool of the system takes.
    #[error("{0}")]
    Unfit(String),
    /// The resource is of a kind that lives elsewhere.
    #[error("{0} is not a matter of files and accounts")]
    OtherKind(cfg_catalog::id::ResourceId),
    /// The kernel said no.
    #[error(transparent)]
    Sys(#[from] SysError),
}
