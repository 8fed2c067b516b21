//! Real files, real links, real owners, in a folder that is taken for `/`.
//!
//! Run as root they make owners as they need them; what an ordinary user sees is tried in a child that is one.

mod accounts;
mod archives;
mod carried;
mod directories;
mod downloads;
mod edits;
mod files;
mod hostile;
mod judges;
mod laws;
mod ordinary;
mod packings;
mod paths;
mod races;
mod refusals;
mod remedies;
mod sysctls;

use super::{BlobSource, EnactError, Hands, Machine, Root, Wanted};
use cfg_catalog::digest::Digest;
use cfg_catalog::id::ResourceId;
use cfg_catalog::path::AbsPath;
use cfg_catalog::resource::file::{Content, File};
use cfg_catalog::resource::{
    Attributes, Body, FileState, Mode, PathState, Place, Presence, Resource,
};
use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::PathBuf;

/// A user that nobody is.
pub(super) const STRANGER: u32 = 1234;

/// A tree that is taken for `/`.
pub(super) struct Tree {
    dir: tempfile::TempDir,
    pub(super) machine: Machine,
    pub(super) blobs: Kept,
}

/// Blobs in memory.
#[derive(Default)]
pub(super) struct Kept(pub(super) BTreeMap<Digest, Vec<u8>>);

impl BlobSource for Kept {
    fn open(&self, digest: &Digest) -> std::io::Result<Box<dyn Read>> {
        match self.0.get(digest) {
            Some(bytes) => Ok(Box::new(std::io::Cursor::new(bytes.clone()))),
            None => Err(std::io::ErrorKind::NotFound.into()),
        }
    }
}

impl Tree {
    pub(super) fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let root = Root::open(dir.path()).unwrap();
        let machine = Machine::new(&root);
        let tree = Self {
            dir,
            machine,
            blobs: Kept::default(),
        };
        tree.folder("/etc", 0o755);
        tree.text(
            "/etc/passwd",
            "root:x:0:0:root:/root:/bin/sh\nbob:x:1234:1234::/home/bob:/bin/sh\n",
        );
        tree.text("/etc/group", "root:x:0:\nbob:x:1234:\n");
        tree
    }

    /// Where a path of the tree really is.
    pub(super) fn at(&self, path: &str) -> PathBuf {
        self.dir.path().join(path.trim_start_matches('/'))
    }

    pub(super) fn folder(&self, path: &str, mode: u32) {
        fs::create_dir_all(self.at(path)).unwrap();
        fs::set_permissions(self.at(path), PermissionsExt::from_mode(mode)).unwrap();
    }

    pub(super) fn text(&self, path: &str, text: &str) {
        fs::write(self.at(path), text).unwrap();
        fs::set_permissions(self.at(path), PermissionsExt::from_mode(0o644)).unwrap();
    }

    pub(super) fn symlink(&self, target: &str, path: &str) {
        std::os::unix::fs::symlink(target, self.at(path)).unwrap();
    }

    pub(super) fn give(&self, path: &str, uid: u32) {
        std::os::unix::fs::lchown(self.at(path), Some(uid), Some(uid)).unwrap();
    }

    pub(super) fn read(&self, path: &str) -> String {
        fs::read_to_string(self.at(path)).unwrap()
    }

    /// uid, gid and mode of what stands there.
    pub(super) fn owned(&self, path: &str) -> (u32, u32, u32) {
        let seen = fs::symlink_metadata(self.at(path)).unwrap();
        (seen.uid(), seen.gid(), seen.mode() & 0o7777)
    }

    pub(super) fn names(&self, folder: &str) -> Vec<String> {
        let list = fs::read_dir(self.at(folder)).unwrap();
        let mut names: Vec<_> = list
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    pub(super) fn hands(&self) -> Hands<'_> {
        Hands::new(&self.machine, &self.blobs)
    }

    pub(super) fn write(&self, file: &File) -> Result<(), EnactError> {
        self.hands().file(file)
    }

    pub(super) fn look(&self, name: &str) -> PathState {
        self.machine.observe_path(&path(name), &Wanted::default())
    }

    pub(super) fn look_at_file(&self, name: &str) -> FileState {
        match self.look(name) {
            PathState::File(state) => state,
            other => panic!("{name}: {other:?}"),
        }
    }

    /// Why a path could not be looked at.
    pub(super) fn why(&self, name: &str) -> String {
        match self.look(name) {
            PathState::Unreadable { why } => why,
            other => panic!("{name}: {other:?}"),
        }
    }
}

pub(super) fn path(text: &str) -> AbsPath {
    text.parse().unwrap()
}

pub(super) fn resource(name: &str, body: Body) -> Resource {
    Resource {
        id: ResourceId::new(body.kind(), name),
        place: Place::default(),
        after: Vec::new(),
        sensitive: false,
        body,
    }
}

pub(super) fn text_file(name: &str, text: &str) -> File {
    File {
        path: path(name),
        state: Presence::Present,
        content: Some(Content::Text(text.into())),
        attributes: Attributes::default(),
        validate: None,
        sensitive: false,
        create_only: false,
    }
}

pub(super) fn owned_by(owner: &str, group: &str, mode: u32) -> Attributes {
    Attributes {
        mode: Some(Mode(mode)),
        owner: Some(owner.into()),
        group: Some(group.into()),
    }
}

pub(super) fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// Something mounted for as long as this lives.
pub(super) struct Mounted(PathBuf);

impl Mounted {
    pub(super) fn new(what: &[&str], at: PathBuf) -> Self {
        let mut mount = std::process::Command::new("mount");
        assert!(mount.args(what).arg(&at).status().unwrap().success());
        Self(at)
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        let mut umount = std::process::Command::new("umount");
        umount.arg(&self.0).status().unwrap();
    }
}
