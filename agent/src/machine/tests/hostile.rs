//! Archives that are hostile, broken or without bounds.

use super::archives::{GOOD, Thing, gzipped, header, refused, tar};
use super::*;
use crate::machine::attributes::Numbers;
use crate::machine::unpack::{Ground, Imagined, Real, Unpack};
use std::cell::Cell;
use tar::{Builder, EntryType};

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
            &[
                ("d/l", EntryType::Symlink, "../x"),
                ("a", EntryType::Link, "d/l"),
            ],
            "lead out",
        ),
        (
            &[
                ("d/", EntryType::Directory, ""),
                ("a", EntryType::Link, "d"),
            ],
            "not in it",
        ),
        (&[twice, twice], "twice"),
        (&[twice, ("a/b", EntryType::Regular, "")], "no folder"),
        (&[(".cfg-archive", EntryType::Regular, "x")], "own name"),
        (&[(".cfg-archive/x", EntryType::Regular, "x")], "own name"),
        (&[("./.cfg-archive/", EntryType::Directory, "")], "own name"),
        (&[], "nothing"),
    ];
    for (things, told) in hostile {
        refused(&mut tree, tar(things), told);
    }
    for (bytes, told) in [
        (b"no tar at all".repeat(100), "no tar"),
        (tar(GOOD)[..700].to_vec(), "no tar"),
        (gzipped(&tar(GOOD))[..40].to_vec(), "no tar"),
    ] {
        refused(&mut tree, bytes, told);
    }
    assert_eq!(tree.read("/etc/victim"), "precious");
}

/// GNU tar packs so what has several names, be it a link.
#[test]
fn another_name_of_a_link_is_a_name_of_the_link_itself() {
    let mut tree = Tree::new();
    let archive = tree.packed(tar(&[
        ("d/l", EntryType::Symlink, "file"),
        ("a", EntryType::Link, "d/l"),
        ("file", EntryType::Regular, "x"),
        ("d/file", EntryType::Regular, "y"),
    ]));
    tree.unpack(&archive).unwrap();
    let inode = |name: &str| fs::symlink_metadata(tree.at(name)).unwrap().ino();
    assert_eq!(inode("/opt/app/a"), inode("/opt/app/d/l"));
    assert_eq!(tree.read("/opt/app/a"), "x");
    assert_eq!(tree.read("/opt/app/d/l"), "y");
}

/// The end of a gzip, which says whether it is whole, comes after the end of the tar.
#[test]
fn a_gzip_is_read_to_its_very_end() {
    let mut tree = Tree::new();
    let good = tree.packed(tar(&[("old", EntryType::Regular, "1")]));
    tree.unpack(&good).unwrap();
    let whole = gzipped(&tar(GOOD));
    let end = whole.len() - 8;
    let mut changed = whole.clone();
    changed[end] ^= 1;
    for bytes in [
        changed,
        whole[..end].to_vec(),
        whole[..whole.len() - 1].to_vec(),
    ] {
        refused(&mut tree, bytes, "is damaged");
    }
    // What follows the end of a tar is bounded as all of it is.
    let mut padded = tar(GOOD);
    padded.resize(80 << 20, 0);
    refused(
        &mut tree,
        gzipped(&padded),
        "more than an archive of its size",
    );
    let mut padded = tar(GOOD);
    padded.resize(10 << 20, 0);
    let padded = tree.packed(gzipped(&padded));
    tree.unpack(&padded).unwrap();
}

#[test]
fn what_is_no_tar_is_not_quoted() {
    let mut tree = Tree::new();
    let archive = tree.packed(b"<html>\x1b[31m no\ntar </html>\n".repeat(100));
    let why = tree.unpack(&archive).unwrap_err().to_string();
    assert!(why.ends_with("since it is no tar, or is damaged"), "{why}");
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

/// A tar of one thing, with all that is said of it before.
fn with_heads(heads: &[(EntryType, &[u8])], name: &str) -> Vec<u8> {
    let mut builder = Builder::new(Vec::new());
    for (what, text) in heads {
        let mut header = header(("head", EntryType::Regular, ""));
        header.set_entry_type(*what);
        header.set_size(text.len() as u64);
        header.set_cksum();
        builder.append(&header, *text).unwrap();
    }
    let last = header((name, EntryType::Regular, "x"));
    builder.append(&last, &b"x"[..]).unwrap();
    builder.into_inner().unwrap()
}

#[test]
fn what_is_said_of_one_thing_has_a_bound() {
    let mut tree = Tree::new();
    let good = tree.packed(tar(&[("old", EntryType::Regular, "1")]));
    tree.unpack(&good).unwrap();
    let long = [b'a'; 5000];
    let deep = "a/".repeat(300);
    let huge = vec![b'a'; 1 << 20];
    let (name, link, pax) = (
        EntryType::GNULongName,
        EntryType::GNULongLink,
        EntryType::XHeader,
    );
    for (heads, told) in [
        (&[(name, &long[..])][..], "too long: aaa"),
        (&[(name, deep.as_bytes())], "too deep"),
        (&[(name, &huge)], "of one thing"),
        (&[(link, &huge)], "of one thing"),
        (&[(pax, &huge)], "of one thing"),
        (&[(pax, b"22 GNU.sparse.major=1\n")], "sparse"),
    ] {
        let bytes = with_heads(heads, "a");
        refused(&mut tree, gzipped(&bytes), told);
        let archive = tree.packed(bytes);
        let why = tree.unpack(&archive).unwrap_err().to_string();
        assert!(why.len() < 400, "{why}");
    }
    // A head is bounded, and not all heads together, nor what is skipped before one.
    let half = "x".repeat(40_000);
    let mut many = Vec::new();
    for name in ["b", "c", "d"] {
        let skipped = (EntryType::XGlobalHeader, half.as_bytes());
        let one = with_heads(&[skipped, (EntryType::GNULongName, name.as_bytes())], "a");
        many.extend(&one[..one.len() - 1024]);
    }
    many.extend([0; 1024]);
    let archive = tree.packed(many);
    tree.unpack(&archive).unwrap();
    assert_eq!(tree.names("/opt/app"), [".cfg-archive", "b", "c", "d"]);
}

#[test]
fn a_sparse_file_is_refused_before_it_is_one() {
    let mut tree = Tree::new();
    let mut header = header(("a", EntryType::GNUSparse, ""));
    let gnu = header.as_gnu_mut().unwrap();
    // A hole of 1 TiB, and nothing after it.
    gnu.realsize = [0; 12];
    gnu.realsize[0] = 0x80;
    gnu.realsize[4..].copy_from_slice(&(1_u64 << 40).to_be_bytes());
    gnu.sparse[0].offset = gnu.realsize;
    gnu.sparse[0].numbytes.copy_from_slice(b"00000000000\0");
    header.set_cksum();
    let mut builder = Builder::new(Vec::new());
    builder.append(&header, &b""[..]).unwrap();
    let archive = tree.packed(builder.into_inner().unwrap());
    let why = tree.unpack(&archive).unwrap_err().to_string();
    assert!(why.contains("a is a sparse file"), "{why}");
}

fn within(ground: impl Ground, room: usize, packed: Vec<u8>) -> Result<(), String> {
    let unpack = Unpack {
        ground,
        strip: 0,
        room: Cell::new(room),
    };
    unpack.all(&mut std::io::Cursor::new(packed))
}

#[test]
fn folders_that_are_only_implied_count() {
    let tree = Tree::new();
    let numbers = Numbers {
        uid: None,
        gid: None,
        mode: 0o755,
    };
    for (room, things) in [
        (3, &[("a/b/c", EntryType::Regular, "")][..]),
        (
            2,
            &[
                ("a/", EntryType::Directory, ""),
                ("a/", EntryType::Directory, ""),
                ("a/b", EntryType::Regular, ""),
            ],
        ),
        (
            2,
            &[("a", EntryType::Regular, ""), ("b", EntryType::Link, "a")],
        ),
        (
            2,
            &[
                ("a", EntryType::Symlink, "b"),
                ("b/", EntryType::Directory, ""),
            ],
        ),
    ] {
        for (room, fits) in [(room, true), (room - 1, false)] {
            fs::remove_dir_all(tree.at("/opt")).unwrap_or_default();
            let top = "/opt/app";
            tree.folder(top, 0o755);
            let top = tree.machine.root().folder(&path(top)).unwrap().folder;
            let real = Real {
                top: &top,
                numbers: &numbers,
            };
            let done = within(real, room, tar(things));
            assert_eq!(done, within(Imagined::default(), room, tar(things)));
            let why = done.err().unwrap_or_default();
            assert_eq!(why.is_empty(), fits, "{things:?}: {why}");
            assert!(fits || why.contains("folders and files"), "{why}");
        }
    }
}
