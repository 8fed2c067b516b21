//! Writing files.

use super::*;
use crate::machine::file::Placed;
use rustix::fs::{FileType, mknodat};

#[test]
fn a_new_file_is_there_with_parents_and_defaults() {
    let tree = Tree::new();
    tree.write(&text_file("/srv/a/b/file", "one\n")).unwrap();
    assert_eq!(tree.read("/srv/a/b/file"), "one\n");
    assert_eq!(tree.owned("/srv/a/b/file").2, 0o644);
    assert_eq!(tree.owned("/srv/a").2, 0o755);
    assert_eq!(tree.names("/srv/a/b"), ["file"]);

    let secret = File {
        sensitive: true,
        ..text_file("/srv/a/secret", "s")
    };
    tree.write(&secret).unwrap();
    assert_eq!(tree.owned("/srv/a/secret").2, 0o600);

    let seen = tree.look_at_file("/srv/a/b/file");
    assert_eq!(seen.digest, Some(Digest::of(b"one\n")));
    assert_eq!(seen.size, 4);
}

#[test]
fn what_is_not_managed_is_kept_when_the_content_changes() {
    let tree = Tree::new();
    tree.text("/etc/app", "old");
    fs::set_permissions(tree.at("/etc/app"), PermissionsExt::from_mode(0o640)).unwrap();
    if is_root() {
        tree.give("/etc/app", STRANGER);
    }
    let before = tree.owned("/etc/app");
    tree.write(&text_file("/etc/app", "new")).unwrap();
    assert_eq!(tree.read("/etc/app"), "new");
    assert_eq!(tree.owned("/etc/app"), before);
}

#[test]
fn a_link_is_replaced_and_what_it_leads_to_is_left() {
    let tree = Tree::new();
    tree.text("/etc/victim", "precious");
    tree.symlink("victim", "/etc/app");
    tree.write(&text_file("/etc/app", "new")).unwrap();
    assert_eq!(tree.read("/etc/victim"), "precious");
    assert_eq!(tree.read("/etc/app"), "new");
    assert!(fs::symlink_metadata(tree.at("/etc/app")).unwrap().is_file());
}

#[test]
fn owner_and_mode_are_changed_in_place_where_the_content_is_right() {
    if !is_root() {
        return;
    }
    let tree = Tree::new();
    tree.text("/etc/app", "same");
    let inode = fs::metadata(tree.at("/etc/app")).unwrap().ino();
    let file = File {
        attributes: owned_by("bob", "1234", 0o4750),
        ..text_file("/etc/app", "same")
    };
    tree.write(&file).unwrap();
    assert_eq!(tree.owned("/etc/app"), (STRANGER, STRANGER, 0o4750));
    assert_eq!(fs::metadata(tree.at("/etc/app")).unwrap().ino(), inode);
    // A new owner takes setuid away, unless the role wants it.
    let back = File {
        attributes: owned_by("root", "0", 0o4750),
        ..file
    };
    tree.write(&back).unwrap();
    assert_eq!(tree.owned("/etc/app"), (0, 0, 0o4750));
}

#[test]
fn an_empty_directory_makes_way_and_a_full_one_does_not() {
    let tree = Tree::new();
    tree.folder("/etc/empty", 0o755);
    tree.write(&text_file("/etc/empty", "x")).unwrap();
    assert_eq!(tree.read("/etc/empty"), "x");

    tree.folder("/etc/full", 0o755);
    tree.text("/etc/full/precious", "p");
    let error = tree.write(&text_file("/etc/full", "x")).unwrap_err();
    assert!(matches!(error, EnactError::InTheWay { .. }), "{error}");
    assert_eq!(tree.read("/etc/full/precious"), "p");
    assert_eq!(tree.names("/etc"), ["empty", "full", "group", "passwd"]);
}

#[test]
fn a_fifo_is_neither_opened_nor_replaced() {
    let tree = Tree::new();
    let fifo = tree.at("/etc/fifo");
    mknodat(rustix::fs::CWD, &fifo, FileType::Fifo, 0o644.into(), 0).unwrap();
    // Opening it would wait for ever.
    assert_eq!(tree.look("/etc/fifo"), PathState::Special);
    let error = tree.write(&text_file("/etc/fifo", "x")).unwrap_err();
    assert!(matches!(error, EnactError::InTheWay { .. }), "{error}");
    let below = Wanted {
        below: true,
        ..Wanted::default()
    };
    let state = tree.machine.observe_path(&path("/etc"), &below);
    assert!(matches!(state, PathState::Directory(_)), "{state:?}");
}

#[test]
fn a_second_name_in_a_strangers_folder_is_not_given_away() {
    if !is_root() {
        return;
    }
    let tree = Tree::new();
    tree.text("/etc/shadow", "secret");
    tree.folder("/home/bob", 0o755);
    fs::hard_link(tree.at("/etc/shadow"), tree.at("/home/bob/x")).unwrap();
    tree.give("/home/bob", STRANGER);
    let mut file = File {
        content: None,
        attributes: owned_by("bob", "bob", 0o644),
        ..text_file("/home/bob/x", "")
    };
    let error = tree.write(&file).unwrap_err();
    assert!(matches!(error, EnactError::ManyNames { .. }), "{error}");

    // With a content of its own, the name gets a file of its own.
    file.content = Some(Content::Text(b"secret".to_vec()));
    tree.write(&file).unwrap();
    assert_eq!(tree.owned("/home/bob/x").0, STRANGER);
    assert_eq!(tree.owned("/etc/shadow").0, 0);
}

#[test]
fn a_name_that_nobody_has_is_told_before_anything_is_written() {
    if !is_root() {
        return;
    }
    let tree = Tree::new();
    let file = File {
        attributes: owned_by("zookeeper", "root", 0o644),
        ..text_file("/etc/app", "x")
    };
    let error = tree.write(&file).unwrap_err();
    let told = "/etc/app: there is no user \"zookeeper\" on this machine";
    assert_eq!(error.to_string(), told);
    assert_eq!(tree.names("/etc"), ["group", "passwd"]);
}

#[test]
fn blobs_are_verified_while_they_are_read() {
    let mut tree = Tree::new();
    let bytes = vec![7; 300_000];
    let digest = Digest::of(&bytes);
    let blob = |digest, size| File {
        content: Some(Content::Blob { digest, size }),
        ..text_file("/etc/blob", "")
    };
    let wrong = Digest::of(b"something else");
    tree.blobs.0.insert(digest, bytes.clone());
    tree.blobs.0.insert(wrong, bytes.clone());
    for (file, word) in [
        (blob(wrong, 300_000), "is not that"),
        (blob(digest, 299_998), "is not that"),
        (blob(Digest::of(b"nowhere"), 1), "not found"),
    ] {
        let error = tree.write(&file).unwrap_err();
        assert!(error.to_string().contains(word), "{error}");
        assert_eq!(tree.names("/etc"), ["group", "passwd"]);
    }
    tree.write(&blob(digest, 300_000)).unwrap();
    assert_eq!(fs::read(tree.at("/etc/blob")).unwrap(), bytes);
}

#[test]
fn a_file_that_is_only_made_once_keeps_its_content() {
    let tree = Tree::new();
    let once = File {
        create_only: true,
        ..text_file("/etc/app", "first")
    };
    tree.write(&once).unwrap();
    tree.text("/etc/app", "by hand");
    let again = File {
        attributes: Attributes {
            mode: Some(Mode(0o600)),
            ..Attributes::default()
        },
        ..once
    };
    tree.write(&again).unwrap();
    assert_eq!(tree.read("/etc/app"), "by hand");
    assert_eq!(tree.owned("/etc/app").2, 0o600);
}

#[test]
fn attributes_alone_need_a_file() {
    let tree = Tree::new();
    for name in ["/etc/app", "/no/such/folder/app"] {
        let file = File {
            content: None,
            ..text_file(name, "")
        };
        let error = tree.write(&file).unwrap_err();
        assert!(matches!(error, EnactError::NoContent { .. }), "{error}");
    }
    assert!(!tree.at("/no").exists());
}

#[test]
fn a_full_disk_is_told_and_the_old_file_stands() {
    if !is_root() {
        return;
    }
    let tree = Tree::new();
    tree.folder("/data", 0o755);
    let _mount = Mounted::new(
        &["-t", "tmpfs", "-o", "size=64k", "tmpfs"],
        tree.at("/data"),
    );
    tree.write(&text_file("/data/app", "old")).unwrap();
    let error = tree
        .write(&text_file("/data/app", &"x".repeat(200_000)))
        .unwrap_err();
    let told = "writing /data/app: No space left on device; free space (or inodes) on that file system and run again";
    assert_eq!(error.to_string(), told);
    assert_eq!(tree.read("/data/app"), "old");
    assert_eq!(tree.names("/data"), ["app"]);
}

#[test]
fn a_read_only_disk_is_told() {
    if !is_root() {
        return;
    }
    let tree = Tree::new();
    tree.folder("/data", 0o755);
    let _mount = Mounted::new(&["-t", "tmpfs", "-o", "ro", "tmpfs"], tree.at("/data"));
    let error = tree.write(&text_file("/data/app", "x")).unwrap_err();
    assert!(error.to_string().contains("mounted read-only"), "{error}");
}

#[test]
fn a_huge_file_is_not_read() {
    let tree = Tree::new();
    let file = fs::File::create(tree.at("/etc/huge")).unwrap();
    file.set_len(1 << 40).unwrap();
    assert_eq!(tree.look_at_file("/etc/huge").digest, None);
    let wanted = Wanted {
        digest: Some(Digest::of(b"small")),
        ..Wanted::default()
    };
    match tree.machine.observe_path(&path("/etc/huge"), &wanted) {
        PathState::Unreadable { why } => assert!(why.contains("move it away"), "{why}"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn content_is_kept_for_a_diff_only_where_it_differs_and_is_small() {
    let tree = Tree::new();
    tree.text("/etc/app", "now");
    tree.text("/etc/big", &"x".repeat((1 << 20) + 1));
    let look = |name: &str, wanted: &[u8]| {
        let wanted = Wanted {
            digest: Some(Digest::of(wanted)),
            ..Wanted::default()
        };
        match tree.machine.observe_path(&path(name), &wanted) {
            PathState::File(state) => state.content,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(look("/etc/app", b"other").as_deref(), Some(&b"now"[..]));
    assert_eq!(look("/etc/app", b"now"), None);
    assert_eq!(look("/etc/big", b"other"), None);
}

#[test]
fn files_and_links_are_removed_and_nothing_else() {
    let tree = Tree::new();
    tree.text("/etc/file", "x");
    tree.symlink("passwd", "/etc/link");
    tree.folder("/etc/folder", 0o755);
    let gone = |name: &str| File {
        state: Presence::Absent,
        content: None,
        ..text_file(name, "")
    };
    for name in [
        "/etc/file",
        "/etc/link",
        "/etc/nothing",
        "/no/such/folder/x",
    ] {
        tree.write(&gone(name)).unwrap();
    }
    let error = tree.write(&gone("/etc/folder")).unwrap_err();
    assert!(matches!(error, EnactError::InTheWay { .. }), "{error}");
    assert_eq!(tree.names("/etc"), ["folder", "group", "passwd"]);
    assert!(
        !tree.at("/no").exists(),
        "nothing is made to remove something"
    );
}

#[test]
fn a_file_that_is_exchanged_all_the_time_is_seen() {
    let tree = Tree::new();
    tree.text("/etc/app", "x");
    std::thread::scope(|scope| {
        let writer = scope.spawn(|| {
            for _ in 0..300 {
                let new = tree.at("/etc/new");
                fs::write(&new, "x").unwrap();
                fs::rename(&new, tree.at("/etc/app")).unwrap();
            }
        });
        while !writer.is_finished() {
            assert_eq!(tree.look_at_file("/etc/app").size, 1);
        }
    });
}

#[test]
fn files_that_go_together_each_come_to_their_own_end() {
    let tree = Tree::new();
    tree.folder("/srv", 0o755);
    tree.folder("/srv/full", 0o755);
    tree.text("/srv/old", "old");
    tree.text("/srv/same", "same");
    fs::set_permissions(tree.at("/srv/same"), PermissionsExt::from_mode(0o600)).unwrap();
    tree.text("/srv/gone", "gone");
    tree.text("/srv/full/x", "x");
    let files = [
        text_file("/srv/old", "new"),
        text_file("/srv/full", "a directory that is not empty stands there"),
        File {
            attributes: Attributes {
                mode: Some(Mode(0o640)),
                ..Attributes::default()
            },
            ..text_file("/srv/same", "same")
        },
        File {
            state: Presence::Absent,
            content: None,
            ..text_file("/srv/gone", "")
        },
        text_file("/srv/a/b", "b"),
        text_file("/srv/a/c", "c"),
    ];
    let outcomes = tree.hands().files(&files);
    let well: Vec<bool> = outcomes.iter().map(Result::is_ok).collect();
    assert_eq!(well, [true, false, true, true, true, true], "{outcomes:?}");
    assert_eq!(tree.read("/srv/old"), "new");
    assert_eq!(tree.owned("/srv/same").2, 0o640);
    assert_eq!(tree.names("/srv"), ["a", "full", "old", "same"]);
    assert_eq!(tree.names("/srv/a"), ["b", "c"]);
}

#[test]
fn three_hundred_files_go_together() {
    let tree = Tree::new();
    let files: Vec<File> = (0..300)
        .map(|n| text_file(&format!("/srv/{n}"), &format!("{n}\n")))
        .collect();
    assert!(tree.hands().files(&files).iter().all(Result::is_ok));
    assert_eq!(tree.names("/srv").len(), 300);
    assert_eq!(tree.read("/srv/299"), "299\n");
}

#[test]
fn what_was_exchanged_meanwhile_is_not_replaced_by_what_was_made_for_another() {
    let tree = Tree::new();
    tree.folder("/srv", 0o755);
    tree.text("/srv/app", "old");
    let file = text_file("/srv/app", "new");
    let hands = tree.hands();
    let change: [&dyn Fn(); 3] = [
        &|| tree.text("/srv/app", "somebody else's"),
        &|| fs::remove_file(tree.at("/srv/app")).unwrap(),
        &|| tree.text("/srv/app", "there again"),
    ];
    for change in change {
        let spot = hands.spot_of(&file).unwrap();
        let draft = hands.draft(&file, &spot).unwrap().unwrap();
        std::thread::sleep(std::time::Duration::from_millis(20));
        change();
        let before = fs::read(tree.at("/srv/app")).ok();
        assert_eq!(draft.place().unwrap(), Placed::Moved);
        assert_eq!(fs::read(tree.at("/srv/app")).ok(), before);
        assert!(tree.names("/srv").len() <= 1, "the draft is gone");
    }
    let spot = hands.spot_of(&file).unwrap();
    let draft = hands.draft(&file, &spot).unwrap().unwrap();
    assert_eq!(draft.place().unwrap(), Placed::There);
    assert_eq!(tree.read("/srv/app"), "new");
}
