//! A ground of which only the names are: what would be unpacked shows whether it can be, and nothing is written.

use super::ground::Ground;
use rustix::fs::FileType;
use rustix::io::Errno;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::io::Sink;
use std::os::unix::ffi::OsStrExt as _;
use std::rc::Rc;

/// The kernel takes no longer name.
const MOST_NAME: usize = 255;

/// What there would be in an empty folder. How much it can come to be is bounded by who unpacks.
#[derive(Clone, Default)]
pub(crate) struct Imagined {
    /// By the number of their folder, which is its place here; the first is the one that all lies in.
    folders: Rc<RefCell<Vec<Names>>>,
}

/// What stands at a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stands {
    Nothing,
    /// Whether something is in it.
    Folder {
        full: bool,
    },
    File,
    Link,
    /// Nothing, since there is a file above it.
    Below,
    /// Behind a link.
    Elsewhere,
}

type Names = BTreeMap<OsString, Node>;

#[derive(Clone)]
enum Node {
    /// With its number.
    Folder(usize),
    File,
    /// With what it says.
    Link(OsString),
}

impl Imagined {
    /// What stands where these names lead.
    pub(crate) fn stands<'a>(&self, names: impl Iterator<Item = &'a str>) -> Stands {
        let mut names = names.peekable();
        let mut folder = 0;
        while let Some(name) = names.next() {
            let last = names.peek().is_none();
            match self.get(folder, name.as_ref()) {
                Err(_) => return Stands::Nothing,
                Ok(Node::Folder(number)) => folder = number,
                Ok(Node::File) if last => return Stands::File,
                Ok(Node::File) => return Stands::Below,
                Ok(Node::Link(_)) if last => return Stands::Link,
                Ok(Node::Link(_)) => return Stands::Elsewhere,
            }
        }
        let folders = self.folders.borrow();
        let full = folders.get(folder).is_some_and(|names| !names.is_empty());
        Stands::Folder { full }
    }

    fn get(&self, folder: usize, name: &OsStr) -> Result<Node, Errno> {
        let folders = self.folders.borrow();
        let names = folders.get(folder).ok_or(Errno::NOENT)?;
        names.get(name).cloned().ok_or(Errno::NOENT)
    }

    fn add(&self, folder: usize, name: &OsStr, node: Node) -> Result<(), Errno> {
        if name.as_bytes().len() > MOST_NAME {
            return Err(Errno::NAMETOOLONG);
        }
        let mut folders = self.folders.borrow_mut();
        let names = folders.get_mut(folder).ok_or(Errno::NOENT)?;
        if names.contains_key(name) {
            return Err(Errno::EXIST);
        }
        let is_folder = matches!(node, Node::Folder(_));
        names.insert(name.to_owned(), node);
        if is_folder {
            folders.push(Names::new());
        }
        Ok(())
    }
}

impl Ground for Imagined {
    type Folder = usize;
    type File = Sink;

    fn top(&self) -> Result<usize, Errno> {
        let mut folders = self.folders.borrow_mut();
        if folders.is_empty() {
            folders.push(Names::new());
        }
        Ok(0)
    }

    fn make(&self, above: &usize, name: &OsStr) -> Result<(), Errno> {
        let next = self.folders.borrow().len();
        self.add(*above, name, Node::Folder(next))
    }

    fn enter(&self, above: &usize, name: &OsStr) -> Result<usize, Errno> {
        match self.get(*above, name)? {
            Node::Folder(number) => Ok(number),
            Node::File | Node::Link(_) => Err(Errno::NOTDIR),
        }
    }

    fn give(&self, _folder: &usize, _place: &[OsString]) -> Result<(), String> {
        Ok(())
    }

    fn file(&self, folder: &usize, name: &OsStr) -> Result<Sink, Errno> {
        self.add(*folder, name, Node::File)?;
        Ok(std::io::sink())
    }

    fn finish(&self, _file: Sink, _mode: u32, _place: &[OsString]) -> Result<(), String> {
        Ok(())
    }

    fn symlink(&self, folder: &usize, name: &OsStr, target: &OsStr) -> Result<(), Errno> {
        self.add(*folder, name, Node::Link(target.to_owned()))
    }

    fn give_link(&self, _folder: &usize, _name: &OsStr, _place: &[OsString]) -> Result<(), String> {
        Ok(())
    }

    fn what(&self, folder: &usize, name: &OsStr) -> Result<FileType, Errno> {
        Ok(match self.get(*folder, name)? {
            Node::Folder(_) => FileType::Directory,
            Node::File => FileType::RegularFile,
            Node::Link(_) => FileType::Symlink,
        })
    }

    fn leads(&self, folder: &usize, name: &OsStr) -> Result<OsString, Errno> {
        match self.get(*folder, name)? {
            Node::Link(target) => Ok(target),
            Node::Folder(_) | Node::File => Err(Errno::INVAL),
        }
    }

    fn link(&self, from: (&usize, &OsStr), to: (&usize, &OsStr)) -> Result<(), Errno> {
        let node = self.get(*from.0, from.1)?;
        self.add(*to.0, to.1, node)
    }
}
