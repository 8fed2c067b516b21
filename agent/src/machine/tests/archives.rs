//! Archives, good and hostile.

use super::*;
use cfg_catalog::resource::archive::Archive;
use flate2::Compression;
use flate2::write::GzEncoder;
use std::io::Write as _;
use tar::{Builder, EntryType, Header};

/// One thing in an archive: its name as it stands there, what it is, and what it holds or where it leads.
type Thing<'a> = (&'a str, EntryType, &'a str);

fn header((name, what, text): Thing<'_>) -> Header {
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

fn tar(things: &[Thing<'_>]) -> Vec<u8> {
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

fn gzipped(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

impl Tree {
    /// An archive of the role.
    fn packed(&mut self, bytes: Vec<u8>) -> Archive {
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

    fn unpack(&self, archive: &Archive) -> Result<(), EnactError> {
        self.hands().archive(archive)
    }
}

const GOOD: &[Thing<'_>] = &[
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
fn a_hostile_archive_is_refused_and_leaves_nothing() {
    let mut tree = Tree::new();
    let good = tree.packed(tar(&[("old", EntryType::Regular, "1")]));
    tree.unpack(&good).unwrap();
    tree.text("/etc/victim", "precious");
    let twice = ("a", EntryType::Regular, "1");
    let hostile: &[(&[Thing<'_>], &str)] = &[
        (&[("../a", EntryType::Regular, "x")], "leads out"),
        (&[("a/../../b", EntryType::Regular, "x")], "leads out"),
        (&[("/etc/victim", EntryType::Regular, "x")], "absolute"),
        (&[("a\nb", EntryType::Regular, "x")], "control character"),
        (&[("a", EntryType::Char, "")], "device"),
        (&[("a", EntryType::Block, "")], "device"),
        (&[("a", EntryType::Fifo, "")], "device"),
        (&[("a", EntryType::Symlink, "/etc")], "lead out"),
        (&[("a", EntryType::Symlink, "../..")], "lead out"),
        (&[("d/a", EntryType::Symlink, "../../x")], "lead out"),
        (
            &[
                ("d/here", EntryType::Symlink, "."),
                ("out", EntryType::Symlink, "d/here/../.."),
            ],
            "lead out",
        ),
        (
            &[
                ("d/", EntryType::Directory, ""),
                ("l", EntryType::Symlink, "d"),
                ("l/a", EntryType::Regular, "x"),
            ],
            "no folder",
        ),
        (&[("a", EntryType::Link, "/etc/victim")], "absolute"),
        (&[("a", EntryType::Link, "../../etc/victim")], "leads out"),
        (&[("a", EntryType::Link, "missing")], "not in it"),
        (
            &[("l", EntryType::Symlink, "d"), ("a", EntryType::Link, "l")],
            "not in it",
        ),
        (&[twice, twice], "twice"),
        (&[twice, ("a/b", EntryType::Regular, "")], "no folder"),
        (&[(".cfg-archive", EntryType::Regular, "x")], "own name"),
        (&[], "nothing"),
    ];
    for (things, told) in hostile {
        refused(&mut tree, tar(things), told);
    }
    for (bytes, told) in [
        (b"PK\x03\x04zip".to_vec(), "not in this version"),
        (b"\xfd7zXZ\x00".to_vec(), "not in this version"),
        (b"no tar at all".repeat(100), "no tar"),
        (tar(GOOD)[..700].to_vec(), "no tar"),
        (gzipped(&tar(GOOD))[..40].to_vec(), "no tar"),
    ] {
        refused(&mut tree, bytes, told);
    }
    assert_eq!(tree.read("/etc/victim"), "precious");
}

fn refused(tree: &mut Tree, bytes: Vec<u8>, told: &str) {
    let archive = tree.packed(bytes);
    let why = tree.unpack(&archive).unwrap_err().to_string();
    assert!(why.contains(told), "{why} / {told}");
    assert!(why.contains("/opt/app is left as it was"), "{why}");
    assert_eq!(tree.names("/opt"), ["app"], "{why}");
    assert_eq!(tree.read("/opt/app/old"), "1");
}

#[test]
fn what_unpacks_to_too_much_is_refused() {
    let mut tree = Tree::new();
    let zeros = "\0".repeat(80 << 20);
    let bomb = tar(&[("a", EntryType::Regular, &zeros)]);
    let archive = tree.packed(gzipped(&bomb));
    let why = tree.unpack(&archive).unwrap_err().to_string();
    assert!(why.contains("more than an archive of its size"), "{why}");
    assert_eq!(tree.names("/opt"), [""; 0]);
}

#[test]
fn only_what_cfg_unpacked_is_replaced() {
    let mut tree = Tree::new();
    tree.folder("/opt/app", 0o755);
    tree.text("/opt/app/own", "somebody's");
    let archive = tree.packed(tar(GOOD));
    tree.unpack(&archive).unwrap_err();
    assert_eq!(tree.read("/opt/app/own"), "somebody's");
    fs::remove_file(tree.at("/opt/app/own")).unwrap();
    tree.unpack(&archive).unwrap();
    assert_eq!(tree.read("/opt/app/README"), "stripped away");
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
    assert_eq!(tree.read("/opt/app/README"), "stripped away");
}
