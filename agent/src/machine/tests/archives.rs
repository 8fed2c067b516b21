//! Archives, and the place that they take.

use super::*;
use crate::machine::temporary::Temporary;
use cfg_catalog::plan::refusals::Refusal;
use cfg_catalog::resource::Body;
use cfg_catalog::resource::archive::Archive;
use flate2::Compression;
use flate2::write::GzEncoder;
use std::io::Write as _;
use tar::{Builder, EntryType, Header};

/// One thing in an archive: its name as it stands there, what it is, and what it holds or where it leads.
pub(super) type Thing<'a> = (&'a str, EntryType, &'a str);

pub(super) fn header((name, what, text): Thing<'_>) -> Header {
    let mut header = Header::new_gnu();
    // By hand: what builds archives refuses what is hostile.
    header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
    header.set_entry_type(what);
    header.set_mode(0o4777);
    header.set_uid(4321);
    header.set_gid(4321);
    header.set_size(0);
    match what {
        EntryType::Regular => header.set_size(text.len() as u64),
        _ => header.as_old_mut().linkname[..text.len()].copy_from_slice(text.as_bytes()),
    }
    header.set_cksum();
    header
}

pub(super) fn tar(things: &[Thing<'_>]) -> Vec<u8> {
    let mut builder = Builder::new(Vec::new());
    for thing in things {
        let content = match thing.1 {
            EntryType::Regular => thing.2.as_bytes(),
            _ => b"",
        };
        builder.append(&header(*thing), content).unwrap();
    }
    builder.into_inner().unwrap()
}

pub(super) fn gzipped(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

impl Tree {
    /// An archive of the role.
    pub(super) fn packed(&mut self, bytes: Vec<u8>) -> Archive {
        let (digest, size) = (Digest::of(&bytes), bytes.len() as u64);
        self.blobs.0.insert(digest, bytes);
        Archive {
            path: path("/opt/app"),
            state: Presence::Present,
            content: Some(Content::Blob { digest, size }),
            strip: 0,
            attributes: Attributes::default(),
        }
    }

    /// Unpacks one, and holds what a plan says of it against that.
    pub(super) fn unpack(&self, archive: &Archive) -> Result<(), EnactError> {
        let told = self.machine.walk_archive(archive, &self.blobs);
        let told = told.err().map(|error| error.to_string());
        let done = self.hands().archive(archive);
        match &done {
            Err(error @ EnactError::Archive { .. }) => assert_eq!(told, Some(error.to_string())),
            _ => assert_eq!(told, None),
        }
        done
    }
}

pub(super) fn refused(tree: &mut Tree, bytes: Vec<u8>, told: &str) {
    let archive = tree.packed(bytes);
    let why = tree.unpack(&archive).unwrap_err().to_string();
    assert!(why.contains(told), "{why} / {told}");
    assert!(why.contains("/opt/app is left as it was"), "{why}");
    assert_eq!(tree.names("/opt"), ["app"], "{why}");
    assert_eq!(tree.read("/opt/app/old"), "1");
}

pub(super) const GOOD: &[Thing<'_>] = &[
    ("app-1/", EntryType::Directory, ""),
    ("app-1/bin/tool", EntryType::Regular, "#!/bin/sh\n"),
    ("./app-1/lib/deep/data", EntryType::Regular, "data"),
    ("app-1/lib/link", EntryType::Symlink, "../bin/tool"),
    ("app-1/lib/self", EntryType::Symlink, "deep"),
    ("app-1/other", EntryType::Link, "app-1/bin/tool"),
    ("README", EntryType::Regular, "stripped away"),
];

#[test]
fn an_archive_is_unpacked_whole_and_takes_its_place_at_once() {
    let mut tree = Tree::new();
    let archive = Archive {
        strip: 1,
        ..tree.packed(gzipped(&tar(GOOD)))
    };
    tree.unpack(&archive).unwrap();
    assert_eq!(tree.names("/opt"), ["app"]);
    assert_eq!(
        tree.names("/opt/app"),
        [".cfg-archive", "bin", "lib", "other"]
    );
    assert_eq!(tree.read("/opt/app/lib/link"), "#!/bin/sh\n");
    assert_eq!(tree.read("/opt/app/lib/self/data"), "data");
    let (uid, gid, mode) = tree.owned("/opt/app/bin/tool");
    assert_eq!(mode, 0o755, "setuid, or writable by all");
    assert_ne!(
        (uid, gid),
        (4321, 4321),
        "the owner of an archive is nobody here"
    );
    assert_eq!(tree.owned("/opt/app").2, 0o755);
    let inode = |name: &str| fs::metadata(tree.at(name)).unwrap().ino();
    assert_eq!(inode("/opt/app/other"), inode("/opt/app/bin/tool"));
    let seen = tree.machine.archive(&archive).unwrap();
    assert_eq!(seen.marker, archive.marker());

    // Another one takes its place with all that was in it.
    tree.text("/opt/app/lib/stray", "x");
    let other = tree.packed(tar(&[("new", EntryType::Regular, "2")]));
    tree.unpack(&other).unwrap();
    assert_eq!(tree.names("/opt"), ["app"], "the old one was left");
    assert_eq!(tree.names("/opt/app"), [".cfg-archive", "new"]);
    let gone = Archive {
        state: Presence::Absent,
        content: None,
        ..other
    };
    tree.unpack(&gone).unwrap();
    assert_eq!(tree.names("/opt"), [""; 0]);
}

#[test]
fn what_failed_leaves_nothing_where_others_can_write_too() {
    for mode in [0o755, 0o1777, 0o777] {
        let mut tree = Tree::new();
        tree.folder("/opt", mode);
        let half = [
            ("d/deep/a", EntryType::Regular, "x"),
            ("../b", EntryType::Regular, "x"),
        ];
        let archive = tree.packed(tar(&half));
        let why = tree.unpack(&archive).unwrap_err().to_string();
        assert!(why.contains("leads out"), "{mode:o}: {why}");
        assert_eq!(tree.names("/opt"), [""; 0], "{mode:o}");
    }
}

#[test]
fn a_tree_that_was_exchanged_meanwhile_stays() {
    let tree = Tree::new();
    tree.folder("/opt", 0o777);
    let folder = tree.machine.root().folder(&path("/opt")).unwrap().folder;
    let (temporary, _entry) = Temporary::directory(&folder).unwrap();
    let name = format!("/opt/{}", temporary.name().display());
    fs::rename(tree.at(&name), tree.at("/opt/aside")).unwrap();
    tree.folder(&name, 0o755);
    tree.text(&format!("{name}/precious"), "x");
    drop(temporary);
    assert_eq!(tree.read(&format!("{name}/precious")), "x");
}

#[test]
fn only_what_cfg_unpacked_is_replaced() {
    let mut tree = Tree::new();
    tree.folder("/opt/app", 0o755);
    tree.text("/opt/app/own", "somebody's");
    let archive = tree.packed(tar(GOOD));
    tree.unpack(&archive).unwrap_err();
    assert_eq!(tree.read("/opt/app/own"), "somebody's");
    // What has such a name is not cfg's yet.
    for marker in ["", "version 2"] {
        match marker {
            "" => tree.folder("/opt/app/.cfg-archive", 0o755),
            text => tree.text("/opt/app/.cfg-archive", text),
        }
        assert_eq!(tree.machine.archive(&archive).unwrap().marker, None);
        tree.unpack(&archive).unwrap_err();
        assert_eq!(tree.read("/opt/app/own"), "somebody's");
        match marker {
            "" => fs::remove_dir(tree.at("/opt/app/.cfg-archive")).unwrap(),
            _ => fs::remove_file(tree.at("/opt/app/.cfg-archive")).unwrap(),
        }
    }
    fs::remove_file(tree.at("/opt/app/own")).unwrap();
    tree.unpack(&archive).unwrap();
    assert_eq!(tree.read("/opt/app/README"), "stripped away");
}

#[test]
fn one_of_which_nothing_is_left_is_refused() {
    let mut tree = Tree::new();
    let archive = Archive {
        strip: 9,
        ..tree.packed(tar(GOOD))
    };
    let why = tree.unpack(&archive).unwrap_err().to_string();
    assert!(why.contains("`strip` leaves nothing of it"), "{why}");
    let archive = super::resource("/opt/app", Body::Archive(archive));
    assert_eq!(tree.refusal(&archive), Some(Refusal::Fails(why)));
}

#[test]
fn what_a_dead_run_left_goes_with_the_next() {
    let mut tree = Tree::new();
    let archive = tree.packed(tar(GOOD));
    // No process has this number.
    tree.folder("/opt/.cfg-tmp-4194303-0-0/half/deep", 0o755);
    tree.text("/opt/.cfg-tmp-4194303-0-0/half/deep/file", "x");
    tree.unpack(&archive).unwrap();
    assert_eq!(tree.names("/opt"), ["app"]);
}

#[test]
fn what_is_mounted_in_one_keeps_it_where_it_is() {
    if !is_root() {
        return;
    }
    let mut tree = Tree::new();
    let archive = tree.packed(tar(GOOD));
    tree.unpack(&archive).unwrap();
    tree.folder("/opt/app/mnt", 0o755);
    let _mounted = Mounted::new(&["-t", "tmpfs", "tmpfs"], tree.at("/opt/app/mnt"));
    let other = tree.packed(tar(&[("new", EntryType::Regular, "2")]));
    let why = tree.unpack(&other).unwrap_err().to_string();
    assert!(why.contains("mount of its own"), "{why}");
    let other = super::resource("/opt/app", Body::Archive(other));
    assert_eq!(tree.refusal(&other), Some(Refusal::Blocked(why)));
    assert_eq!(tree.read("/opt/app/README"), "stripped away");
}
