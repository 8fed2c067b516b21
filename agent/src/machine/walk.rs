//! From the root to a folder, one component at a time.
//!
//! Each component is opened by itself, without following it, and looked at through what was opened:
//! there is no moment between the look and the use in which somebody could exchange it. A link is
//! followed only where nobody but root could have put it there, and then by walking its target the
//! same way, so that `..` and absolute targets stay beneath the root.

use super::error::{SysError, WalkError};
use super::root::Root;
use cfg_catalog::path::AbsPath;
use cfg_catalog::plan::{Followed, Place};
use rustix::fs::{
    AtFlags, FileType, Mode, OFlags, ResolveFlags, Stat, fstat, openat2, readlinkat, statat,
};
use rustix::io::Errno;
use std::collections::VecDeque;
use std::ffi::{OsStr, OsString};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use std::rc::Rc;

/// Links followed on one walk; as the kernel's own bound.
pub(crate) const MOST_LINKS: usize = 40;
/// Folders between the root and the end of a walk: each is held open.
pub(crate) const DEEPEST: usize = 256;

/// A folder that a walk came to, held open.
#[derive(Debug)]
pub(crate) struct Folder {
    fd: OwnedFd,
    stat: Stat,
    /// Where it really is, links resolved; below the root, with a leading slash.
    pub(crate) at: PathBuf,
    trust: Trust,
}

/// Who could have put a folder, or something in it, where it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trust {
    /// Only root could have brought it there, and only root can put something in it.
    Closed,
    /// Only root could have brought it there, but others may put things in it (`/tmp`).
    Shared,
    /// Somebody else could have brought it there.
    Foreign,
}

/// What stands under a name in a folder, held open without being opened for reading.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) fd: OwnedFd,
    pub(crate) stat: Stat,
    pub(crate) what: What,
}

/// The types of things that a name can stand for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum What {
    File,
    Directory,
    Link,
    Special,
}

impl What {
    fn of(stat: &Stat) -> Self {
        match FileType::from_raw_mode(stat.st_mode) {
            FileType::RegularFile => What::File,
            FileType::Directory => What::Directory,
            FileType::Symlink => What::Link,
            _ => What::Special,
        }
    }

    /// For a person.
    pub(crate) fn words(self) -> &'static str {
        match self {
            What::File => "a file",
            What::Directory => "a directory",
            What::Link => "a link",
            What::Special => "a device, a FIFO or a socket",
        }
    }
}

/// What a walk meets at a name.
pub(crate) enum Met {
    Nothing,
    Folder(Entry),
    Link {
        owner: u32,
        target: OsString,
    },
    /// What is no folder and leads to none.
    Other,
}

/// Where a walk ended.
#[derive(Debug)]
pub(crate) struct Reached {
    /// The folder, or the nearest one above it that exists.
    pub(crate) folder: Folder,
    /// The folders that do not exist, outermost first, as the path was written.
    pub(crate) missing: Vec<AbsPath>,
    /// The links that were followed.
    pub(crate) links: Vec<Link>,
}

/// A link that was followed.
#[derive(Debug)]
pub(crate) struct Link {
    /// Where it really lies.
    at: PathBuf,
    /// Where the folder that is walked to would be if it were a folder; none where nobody can tell.
    unled: Option<PathBuf>,
}

impl Reached {
    /// Where a folder that was walked to really is, or will be; none where that is where it was written to be.
    pub(crate) fn elsewhere(&self, written: &AbsPath) -> Option<Place> {
        let missing = self.missing.iter().map(AbsPath::name);
        let real = missing.fold(self.folder.at.clone(), |at, name| at.join(name));
        let elsewhere = real.as_os_str() != written.as_str();
        elsewhere.then(|| place(&real, &self.links)).flatten()
    }
}

/// A folder that these links led to; without those links that no role can name, and none where none can name the folder.
fn place(real: &Path, links: &[Link]) -> Option<Place> {
    let named = |path: &Path| path.to_str()?.parse().ok();
    let links = links.iter().filter_map(|link| {
        Some(Followed {
            at: named(&link.at)?,
            unled: link.unled.as_deref().and_then(named),
        })
    });
    Some(Place {
        real: named(real)?,
        links: links.collect(),
    })
}

impl Folder {
    pub(crate) fn of_root(root: &Root) -> Result<Self, SysError> {
        let fd = root
            .as_fd()
            .try_clone_to_owned()
            .map_err(SysError::of_io("opening", "/"))?;
        Ok(Self {
            fd,
            stat: *root.stat(),
            at: PathBuf::from("/"),
            trust: Trust::of(root, root.stat(), Trust::Closed),
        })
    }

    /// The folder that this entry is. The caller has seen that it is one.
    pub(crate) fn below(&self, root: &Root, name: &OsStr, entry: Entry) -> Self {
        Self {
            trust: Trust::of(root, &entry.stat, self.trust),
            at: self.at.join(name),
            fd: entry.fd,
            stat: entry.stat,
        }
    }

    /// What stands here under this name; none where nothing does.
    pub(crate) fn entry(&self, name: &OsStr) -> Result<Option<Entry>, SysError> {
        let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS;
        let fd = match openat2(&self.fd, name, flags, Mode::empty(), resolve) {
            Ok(fd) => fd,
            Err(Errno::NOENT) => return Ok(None),
            Err(errno) => return Err(SysError::at("looking at", self.shown(name))(errno)),
        };
        let stat =
            fstat(&fd).map_err(|errno| SysError::at("looking at", self.shown(name))(errno))?;
        let what = What::of(&stat);
        Ok(Some(Entry { fd, stat, what }))
    }

    /// What a walk meets here under this name, as things are.
    pub(crate) fn met(&self, name: &OsStr) -> Result<Met, SysError> {
        let Some(entry) = self.entry(name)? else {
            return Ok(Met::Nothing);
        };
        Ok(match entry.what {
            What::Directory => Met::Folder(entry),
            What::Link => Met::Link {
                owner: entry.stat.st_uid,
                target: entry.target(&self.shown(name))?,
            },
            What::File | What::Special => Met::Other,
        })
    }

    /// The type of what stands here under this name; none where nothing does. Who opens it then must look again at what
    /// was opened.
    pub(crate) fn glance(&self, name: &OsStr) -> Result<Option<What>, SysError> {
        match statat(&self.fd, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => Ok(Some(What::of(&stat))),
            Err(Errno::NOENT) => Ok(None),
            Err(errno) => Err(SysError::at("looking at", self.shown(name))(errno)),
        }
    }

    /// A name in here as a path for a person.
    pub(crate) fn shown(&self, name: &OsStr) -> String {
        self.at.join(name).display().to_string()
    }

    pub(crate) fn stat(&self) -> &Stat {
        &self.stat
    }

    pub(crate) fn trust(&self) -> Trust {
        self.trust
    }

    /// Whether it is the same folder, by whatever path.
    pub(crate) fn is_same(&self, other: &Folder) -> bool {
        (self.stat.st_dev, self.stat.st_ino) == (other.stat.st_dev, other.stat.st_ino)
    }
}

impl AsFd for Folder {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl Trust {
    fn of(root: &Root, stat: &Stat, above: Trust) -> Self {
        let mode = Mode::from_raw_mode(stat.st_mode);
        let open = mode.intersects(Mode::WGRP | Mode::WOTH);
        if above == Trust::Foreign || !root.trusts(stat.st_uid) {
            Trust::Foreign
        } else if !open {
            Trust::Closed
        } else if mode.contains(Mode::SVTX) {
            Trust::Shared
        } else {
            // Whoever may write here could exchange every folder below.
            Trust::Foreign
        }
    }
}

impl Entry {
    /// Where a link points.
    pub(crate) fn target(&self, shown: &str) -> Result<OsString, SysError> {
        let target = readlinkat(&self.fd, "", Vec::new())
            .map_err(SysError::at("reading the link", shown))?;
        Ok(OsString::from_vec(target.into_bytes()))
    }

    /// Whether this is still what the name stands for.
    pub(crate) fn is_same(&self, stat: &Stat) -> bool {
        (self.stat.st_dev, self.stat.st_ino) == (stat.st_dev, stat.st_ino)
    }
}

/// One component still to be walked.
struct Step {
    name: OsString,
    /// The link that it came out of; none where it is of the path itself.
    link: Option<Rc<(String, OsString)>>,
}

struct Walk<'a, M> {
    root: &'a Root,
    path: &'a AbsPath,
    meet: M,
    stack: Vec<Folder>,
    todo: VecDeque<Step>,
    links: Vec<Link>,
}

impl Root {
    /// Walks to a folder. Links on the way, the last component's too, are followed where root alone made them.
    pub(crate) fn folder(&self, path: &AbsPath) -> Result<Reached, WalkError> {
        self.walk(path, Folder::met)
    }

    /// The same walk over what is said to be met at each name.
    pub(crate) fn walk(
        &self,
        path: &AbsPath,
        meet: impl FnMut(&Folder, &OsStr) -> Result<Met, SysError>,
    ) -> Result<Reached, WalkError> {
        let written = path.components().map(|name| Step {
            name: name.into(),
            link: None,
        });
        let mut walk = Walk {
            root: self,
            path,
            meet,
            stack: vec![Folder::of_root(self)?],
            todo: written.collect(),
            links: Vec::new(),
        };
        while let Some(step) = walk.todo.pop_front() {
            if !walk.step(&step)? {
                walk.todo.push_front(step);
                break;
            }
        }
        let missing = walk.missing();
        let folder = walk.stack.pop().expect("the root is never popped");
        let links = walk.links;
        Ok(Reached {
            folder,
            missing,
            links,
        })
    }
}

impl<M: FnMut(&Folder, &OsStr) -> Result<Met, SysError>> Walk<'_, M> {
    /// Goes one component on; false where it is not there and may be made.
    fn step(&mut self, step: &Step) -> Result<bool, WalkError> {
        match step.name.as_bytes() {
            b"." => return Ok(true),
            b".." => {
                if self.stack.len() > 1 {
                    self.stack.pop();
                }
                return Ok(true);
            }
            _ => {}
        }
        let here = self.stack.last().expect("the root is never popped");
        match (self.meet)(here, &step.name)? {
            Met::Nothing => match &step.link {
                None => Ok(false),
                Some(link) => Err(WalkError::Dangling {
                    link: link.0.clone(),
                    target: link.1.display().to_string(),
                    there: self.there(here, &step.name).map(Box::new),
                }),
            },
            Met::Folder(_) if self.stack.len() > DEEPEST => Err(WalkError::TooDeep {
                path: self.path.to_string(),
            }),
            Met::Folder(entry) => {
                let folder = here.below(self.root, &step.name, entry);
                self.stack.push(folder);
                Ok(true)
            }
            Met::Link { owner, target } => self.follow(&step.name, owner, target).map(|()| true),
            Met::Other => Err(WalkError::NotAFolder {
                path: here.shown(&step.name),
                there: self.there(here, &step.name).map(Box::new),
            }),
        }
    }

    /// Puts a link's target in front of what is still to be walked.
    fn follow(&mut self, name: &OsStr, owner: u32, target: OsString) -> Result<(), WalkError> {
        let here = self.stack.last().expect("the root is never popped");
        let link = here.shown(name);
        if let Some(why) = planted(self.root, here, owner) {
            return Err(WalkError::Planted { link, why });
        }
        let at = here.at.join(name);
        let unled = self.ahead(at.clone());
        self.links.push(Link { at, unled });
        if self.links.len() > MOST_LINKS {
            return Err(WalkError::Loop {
                path: self.path.to_string(),
            });
        }
        if target.as_bytes().starts_with(b"/") {
            self.stack.truncate(1);
        }
        let origin = Rc::new((link, target));
        let parts = origin.1.as_bytes().split(|byte| *byte == b'/');
        for part in parts.rev().filter(|part| !part.is_empty()) {
            self.todo.push_front(Step {
                name: OsStr::from_bytes(part).into(),
                link: Some(Rc::clone(&origin)),
            });
        }
        Ok(())
    }

    /// Where the folder that is walked to would be, if what links lead to on the way were folders; none where no link led there, or
    /// nobody can tell.
    fn there(&self, here: &Folder, name: &OsStr) -> Option<Place> {
        if self.links.is_empty() {
            return None;
        }
        place(&self.ahead(here.at.join(name))?, &self.links)
    }

    /// Where what is still to be walked leads from here, if all of that were folders; none where nobody can tell.
    fn ahead(&self, here: PathBuf) -> Option<PathBuf> {
        let mut names = self.todo.iter().map(|step| step.name.as_bytes());
        names.try_fold(here, |at, name| match name {
            b"." => Some(at),
            b".." => None,
            name => Some(at.join(OsStr::from_bytes(name))),
        })
    }

    /// The path's own components that were not walked, as paths. What links brought is walked by then.
    fn missing(&self) -> Vec<AbsPath> {
        let mut missing: Vec<AbsPath> = std::iter::once(self.path.clone())
            .chain(self.path.ancestors())
            .take(self.todo.len())
            .collect();
        missing.reverse();
        missing
    }
}

/// The rule of links: root owns link and folder, and nobody else can write there. Why it is broken, where it is.
fn planted(root: &Root, folder: &Folder, owner: u32) -> Option<String> {
    if !root.trusts(owner) {
        Some(format!("user {owner} owns it"))
    } else if folder.trust != Trust::Closed {
        let at = folder.at.display();
        Some(format!("others than root can write in {at} or above it"))
    } else {
        None
    }
}

/// The flags by which a thing that is held open is meant itself.
pub(crate) const ITSELF: AtFlags = AtFlags::EMPTY_PATH;
