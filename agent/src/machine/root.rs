//! The folder that a run takes for `/`.

use super::account::names::Answers;
use super::error::SysError;
use rustix::fs::{Mode, OFlags, Stat, fstat, open};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Where all paths of a run begin: `/`, or the folder of `--root`. Nothing that a run resolves leaves it.
#[derive(Clone, Debug)]
pub struct Root {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    fd: OwnedFd,
    path: PathBuf,
    stat: Stat,
    caller: Caller,
    /// The caller's further groups.
    groups: Vec<u32>,
    /// Of whom its own files say nothing.
    answers: Answers,
}

/// Who runs this process, as far as paths go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Caller {
    /// User 0.
    Superuser,
    /// An ordinary user.
    Ordinary {
        /// Effective user id.
        uid: u32,
        /// Effective group id.
        gid: u32,
    },
}

impl Root {
    /// Opens the folder; the path to it is the operator's own and may have any links.
    ///
    /// # Errors
    /// Where it is not there, is not a directory, or may not be opened.
    pub fn open(path: &Path) -> Result<Self, SysError> {
        let shown = path.display().to_string();
        let path = std::fs::canonicalize(path).map_err(SysError::of_io("opening", &shown))?;
        let fd = open(
            &path,
            OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC,
            Mode::empty(),
        )
        .map_err(SysError::at("opening", &shown))?;
        let stat = fstat(&fd).map_err(SysError::at("looking at", &shown))?;
        let uid = rustix::process::geteuid().as_raw();
        let caller = if uid == 0 {
            Caller::Superuser
        } else {
            let gid = rustix::process::getegid().as_raw();
            Caller::Ordinary { uid, gid }
        };
        let groups = rustix::process::getgroups().map_err(SysError::at("opening", &shown))?;
        let inner = Inner {
            fd,
            groups: groups.into_iter().map(|group| group.as_raw()).collect(),
            path,
            stat,
            caller,
            answers: Answers::default(),
        };
        Ok(Self {
            inner: Arc::new(inner),
        })
    }

    /// Where it is on the machine that runs this.
    pub fn path(&self) -> &Path {
        &self.inner.path
    }

    /// What was asked about users and groups.
    pub(crate) fn answers(&self) -> &Answers {
        &self.inner.answers
    }

    /// Whether it is the machine itself, and not a tree below it.
    pub fn is_machine(&self) -> bool {
        self.inner.path == Path::new("/")
    }

    /// Who runs this.
    pub fn caller(&self) -> Caller {
        self.inner.caller
    }

    /// Whether what this user owns is as good as root's: root itself, and in a tree of his own an ordinary caller.
    pub(crate) fn trusts(&self, uid: u32) -> bool {
        match self.inner.caller {
            Caller::Ordinary { uid: own, .. } if self.inner.stat.st_uid == own => {
                uid == 0 || uid == own
            }
            _ => uid == 0,
        }
    }

    /// Whether the caller may make things this group's.
    pub(crate) fn is_of_group(&self, gid: u32) -> bool {
        match self.inner.caller {
            Caller::Superuser => true,
            Caller::Ordinary { gid: own, .. } => gid == own || self.inner.groups.contains(&gid),
        }
    }

    /// The caller's further groups.
    pub(crate) fn groups(&self) -> &[u32] {
        &self.inner.groups
    }

    pub(crate) fn stat(&self) -> &Stat {
        &self.inner.stat
    }
}

impl AsFd for Root {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.inner.fd.as_fd()
    }
}
