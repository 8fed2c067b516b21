//! What an archive may be packed with, good and hostile.

use super::archives::{GOOD, Thing, gzipped, refused, tar};
use super::*;
use cfg_catalog::resource::archive::Archive;
use flate2::Crc;
use lzma_rust2::{XzOptions, XzWriter};
use ruzstd::encoding::{CompressionLevel, compress_to_vec};
use std::io::Write as _;
use tar::EntryType;

fn xz(bytes: &[u8]) -> Vec<u8> {
    let mut writer = XzWriter::new(Vec::new(), XzOptions::with_preset(1)).unwrap();
    writer.write_all(bytes).unwrap();
    writer.finish().unwrap()
}

fn zstd(bytes: &[u8]) -> Vec<u8> {
    compress_to_vec(bytes, CompressionLevel::Fastest)
}

/// One thing of a zip: its name, its rights with what it is, and what it holds.
#[derive(Clone, Copy)]
struct Member<'a> {
    name: &'a str,
    mode: u32,
    text: &'a str,
    /// How it says that it is packed, and its flags.
    method: u16,
    flags: u16,
}

const fn member<'a>(name: &'a str, mode: u32, text: &'a str) -> Member<'a> {
    Member {
        name,
        mode,
        text,
        method: 0,
        flags: 0,
    }
}

const FILE: u32 = 0o100_644;
const LINK: u32 = 0o120_777;

/// By hand: what builds archives refuses what is hostile. See APPNOTE.TXT of PKWARE, 4.3.7, 4.3.12 and 4.3.16.
fn zip(members: &[Member<'_>]) -> Vec<u8> {
    let (mut out, mut list) = (Vec::new(), Vec::new());
    for member in members {
        let mut crc = Crc::new();
        crc.update(member.text.as_bytes());
        let size = u32::try_from(member.text.len()).unwrap();
        let mut common = Vec::new();
        for half in [20, member.flags, member.method, 0, 0] {
            common.extend(u16::to_le_bytes(half));
        }
        for word in [crc.sum(), size, size] {
            common.extend(u32::to_le_bytes(word));
        }
        common.extend(u16::try_from(member.name.len()).unwrap().to_le_bytes());
        common.extend([0, 0]);
        let offset = u32::try_from(out.len()).unwrap();
        out.extend(b"PK\x03\x04");
        out.extend(&common);
        out.extend(member.name.as_bytes());
        out.extend(member.text.as_bytes());
        // Made on a Unix.
        list.extend(b"PK\x01\x02\x14\x03");
        list.extend(&common);
        list.extend([0; 6]);
        list.extend((member.mode << 16).to_le_bytes());
        list.extend(offset.to_le_bytes());
        list.extend(member.name.as_bytes());
    }
    let (start, size) = (out.len(), list.len());
    out.extend(list);
    out.extend(b"PK\x05\x06\0\0\0\0");
    let count = u16::try_from(members.len()).unwrap().to_le_bytes();
    out.extend([count, count].concat());
    for word in [size, start] {
        out.extend(u32::try_from(word).unwrap().to_le_bytes());
    }
    out.extend([0, 0]);
    out
}

#[test]
fn a_tar_may_be_packed_in_any_of_the_usual_ways() {
    let plain = tar(GOOD);
    let (front, back) = plain.split_at(700);
    for (what, bytes) in [
        ("plain", plain.clone()),
        ("gzip", gzipped(&plain)),
        ("gzip, twice", [gzipped(front), gzipped(back)].concat()),
        ("xz", xz(&plain)),
        ("xz, twice", [xz(front), xz(back)].concat()),
        ("zstd", zstd(&plain)),
        ("zstd, twice", [zstd(front), zstd(back)].concat()),
    ] {
        let mut tree = Tree::new();
        let archive = Archive {
            strip: 1,
            ..tree.packed(bytes)
        };
        tree.unpack(&archive)
            .unwrap_or_else(|why| panic!("{what}: {why}"));
        assert_eq!(tree.read("/opt/app/lib/link"), "#!/bin/sh\n", "{what}");
        assert_eq!(tree.read("/opt/app/lib/self/data"), "data", "{what}");
        assert_eq!(tree.owned("/opt/app/bin/tool").2, 0o755, "{what}");
    }
}

/// As Debian's own tools pack a folder `app-1`: `tar --zstd -cf`, `zip -y -r`; and Python's `zipfile` into a pipe.
#[test]
fn what_other_tools_pack_is_unpacked() {
    for (what, bytes) in [
        ("tar --zstd", &include_bytes!("packed/app.tar.zst")[..]),
        ("zip", include_bytes!("packed/app.zip")),
        ("zipfile", include_bytes!("packed/piped.zip")),
    ] {
        let mut tree = Tree::new();
        let archive = Archive {
            strip: 1,
            ..tree.packed(bytes.to_vec())
        };
        tree.unpack(&archive)
            .unwrap_or_else(|why| panic!("{what}: {why}"));
        assert_eq!(tree.read("/opt/app/run"), "#!/bin/sh\n", "{what}");
        assert_eq!(tree.read("/opt/app/data").len(), 3893, "{what}");
        assert_eq!(tree.owned("/opt/app/bin/tool").2, 0o755, "{what}");
    }
}

/// `tar -V NAME` begins with a header that has no size, and is nothing to unpack.
#[test]
fn the_label_of_a_tar_is_left_out() {
    let mut label = [0; 512];
    label[..4].copy_from_slice(b"name");
    label[156] = b'V';
    let mut tree = Tree::new();
    let archive = tree.packed([&label[..], &tar(GOOD)].concat());
    tree.unpack(&archive).unwrap();
    assert_eq!(tree.read("/opt/app/README"), "stripped away");
    let labels = tree.packed([&label[..], &[0; 1024]].concat());
    tree.unpack(&labels).unwrap_err();
}

#[test]
fn a_tar_whose_first_name_is_that_of_a_zip_is_a_tar() {
    let mut tree = Tree::new();
    let archive = tree.packed(tar(&[("PKG-INFO", EntryType::Regular, "x")]));
    tree.unpack(&archive).unwrap();
    assert_eq!(tree.read("/opt/app/PKG-INFO"), "x");
}

#[test]
fn a_zip_is_unpacked() {
    let mut tree = Tree::new();
    let archive = Archive {
        strip: 1,
        ..tree.packed(zip(&[
            member("app-1/", 0o040_700, ""),
            member("app-1/bin/tool", 0o104_777, "#!/bin/sh\n"),
            member("app-1/data", FILE, "data"),
            // Of a program that says nothing but rights, and of one that says nothing.
            member("app-1/rights", 0o755, ""),
            member("app-1/silent", 0, ""),
            member("app-1/link", LINK, "bin/tool"),
            member("README", FILE, "stripped away"),
        ]))
    };
    tree.unpack(&archive).unwrap();
    assert_eq!(
        tree.names("/opt/app"),
        [".cfg-archive", "bin", "data", "link", "rights", "silent"]
    );
    assert_eq!(tree.read("/opt/app/link"), "#!/bin/sh\n");
    assert_eq!(tree.read("/opt/app/data"), "data");
    for (name, mode) in [
        ("", 0o755),
        ("/bin/tool", 0o755),
        ("/data", 0o644),
        ("/rights", 0o755),
        ("/silent", 0o644),
    ] {
        assert_eq!(tree.owned(&format!("/opt/app{name}")).2, mode, "{name}");
    }
}

#[test]
fn a_hostile_zip_is_refused_and_leaves_nothing() {
    let mut tree = Tree::new();
    let good = tree.packed(tar(&[("old", EntryType::Regular, "1")]));
    tree.unpack(&good).unwrap();
    tree.text("/etc/victim", "precious");
    let bad = |method, flags| Member {
        method,
        flags,
        ..member("a", FILE, "x")
    };
    let hostile: &[(&[Member<'_>], &str)] = &[
        (&[member("../a", FILE, "x")], "leads out"),
        (&[member("a/../../b", FILE, "x")], "leads out"),
        (&[member("../d/", 0o040_755, "")], "leads out"),
        (&[member("/etc/victim", FILE, "x")], "absolute"),
        (&[member("a\nb", FILE, "x")], "control character"),
        (&[member("a", 0o020_644, "")], "device"),
        (&[member("a", 0o060_644, "")], "device"),
        (&[member("a", 0o010_644, "")], "device"),
        (&[member("a", LINK, "/etc")], "lead out"),
        (&[member("a", LINK, "../..")], "lead out"),
        (
            &[member("l", LINK, "d"), member("l/a", FILE, "x")],
            "no folder",
        ),
        (&[member("a", FILE, "1"), member("a", FILE, "2")], "twice"),
        (
            &[member("a", FILE, "1"), member("./a", FILE, "2")],
            "twice in it",
        ),
        (&[member(".cfg-archive", FILE, "x")], "own name"),
        (&[bad(12, 0)], "not supported: 12"),
        (&[bad(0, 1)], "not in this version: "),
        (&[], "nothing"),
    ];
    for (members, told) in hostile {
        refused(&mut tree, zip(members), told);
    }
    let long = "x".repeat(5000);
    refused(
        &mut tree,
        zip(&[member(&long, FILE, "")]),
        "is too long: xxx",
    );
    refused(&mut tree, zip(&[member("a", LINK, &long)]), "lead out");
    let two = zip(&[member("a", FILE, "12"), member("b", FILE, "34")]);
    refused(&mut tree, two[..two.len() - 30].to_vec(), "no zip");
    let mut changed = two.clone();
    changed[31] ^= 1;
    refused(&mut tree, changed, "a: ");
    assert_eq!(tree.read("/etc/victim"), "precious");
}

/// As a bomb that names one kernel of bytes from many entries.
#[test]
fn a_zip_whose_things_share_bytes_is_refused() {
    let mut tree = Tree::new();
    let good = tree.packed(tar(&[("old", EntryType::Regular, "1")]));
    tree.unpack(&good).unwrap();
    let mut bytes = zip(&[member("a", FILE, "12"), member("b", FILE, "12")]);
    let first = bytes.windows(4).position(|four| four == b"PK\x01\x02");
    // The second entry of the list is 47 bytes on, and says at 42 where its bytes are.
    let offset = first.unwrap() + 47 + 42;
    bytes[offset..offset + 4].fill(0);
    refused(&mut tree, bytes, "the same bytes");
}

#[test]
fn no_packing_gets_round_the_bound() {
    let mut tree = Tree::new();
    let good = tree.packed(tar(&[("old", EntryType::Regular, "1")]));
    tree.unpack(&good).unwrap();
    let zeros = "\0".repeat(80 << 20);
    let bomb = tar(&[("a", EntryType::Regular, zeros.as_str())] as &[Thing<'_>]);
    for bytes in [xz(&bomb), zstd(&bomb)] {
        refused(&mut tree, bytes, "more than an archive of its size");
    }
    let mut writer = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    // Neither of both is too much.
    for name in ["a", "b"] {
        let options = zip::write::SimpleFileOptions::default();
        let options = options.compression_method(zip::CompressionMethod::Deflated);
        writer.start_file(name, options).unwrap();
        writer.write_all(&zeros.as_bytes()[..40 << 20]).unwrap();
    }
    let bytes = writer.finish().unwrap().into_inner();
    refused(&mut tree, bytes, "more than an archive of its size");
}

#[test]
fn what_asks_for_much_memory_or_is_damaged_is_refused() {
    let mut tree = Tree::new();
    let good = tree.packed(tar(&[("old", EntryType::Regular, "1")]));
    tree.unpack(&good).unwrap();
    let plain = tar(GOOD);
    // The dictionary of an xz: see 5.3.1 of its format; the header's own sum is mended after it.
    let mut greedy = xz(&plain);
    let head = 12;
    assert_eq!(greedy[head + 2], 0x21, "the filter is LZMA2");
    greedy[head + 4] = 40;
    let end = head + (usize::from(greedy[head]) + 1) * 4 - 4;
    let mut crc = Crc::new();
    crc.update(&greedy[head..end]);
    greedy[end..end + 4].copy_from_slice(&crc.sum().to_le_bytes());
    refused(&mut tree, greedy, "memory");
    // A frame of zstd that wants 2 GiB: see RFC 8878, 3.1.1.1.
    let greedy = b"\x28\xb5\x2f\xfd\x00\xa8\x01\x00\x00".to_vec();
    refused(&mut tree, greedy, "indow");
    for whole in [xz(&plain), zstd(&plain)] {
        for length in [6, 40, whole.len() / 2, whole.len() - 13] {
            refused(&mut tree, whole[..length].to_vec(), "no tar");
        }
    }
    refused(&mut tree, b"BZh91AY&SY".to_vec(), "not in this version");
    refused(
        &mut tree,
        [zstd(&plain), b"more".to_vec()].concat(),
        "no tar",
    );
}
