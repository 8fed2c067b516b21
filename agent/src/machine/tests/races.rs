//! Somebody else is at work in the same folder, and runs die.

use super::super::temporary::{Over, Temporary};
use super::*;
use rustix::io::Errno;
use std::ffi::OsStr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

const LONG: Duration = Duration::from_millis(700);

/// Runs `mischief` again and again while `work` is done, for a while.
fn against(mischief: impl Fn() + Sync, mut work: impl FnMut()) {
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                mischief();
            }
        });
        let end = Instant::now() + LONG;
        while Instant::now() < end {
            work();
        }
        done.store(true, Ordering::Relaxed);
    });
}

#[test]
fn a_folder_exchanged_for_a_link_never_leads_away() {
    if !is_root() {
        return;
    }
    let tree = Tree::new();
    tree.folder("/etc/real", 0o755);
    tree.folder("/home/bob/x", 0o755);
    tree.symlink("/etc/real", "/home/bob/link");
    for name in ["/home/bob/x", "/home/bob/link", "/home/bob"] {
        tree.give(name, STRANGER);
    }
    let (x, link) = (tree.at("/home/bob/x"), tree.at("/home/bob/link"));
    let exchange = || {
        let flags = rustix::fs::RenameFlags::EXCHANGE;
        rustix::fs::renameat_with(rustix::fs::CWD, &x, rustix::fs::CWD, &link, flags).unwrap();
    };
    let (mut written, mut refused) = (0, 0);
    against(exchange, || {
        match tree.write(&text_file("/home/bob/x/file", "x")) {
            Ok(()) => written += 1,
            Err(_) => refused += 1,
        }
    });
    assert!(
        written > 0 && refused > 0,
        "{written} written, {refused} refused"
    );
    assert_eq!(tree.names("/etc/real"), [""; 0]);
}

#[test]
fn a_name_exchanged_for_a_link_is_never_written_through() {
    if !is_root() {
        return;
    }
    let tree = Tree::new();
    tree.text("/etc/victim", "precious");
    tree.folder("/home/bob", 0o755);
    tree.give("/home/bob", STRANGER);
    let name = tree.at("/home/bob/file");
    let victim = tree.at("/etc/victim");
    let mischief = || {
        // Either may find the other's work there.
        let _there = std::os::unix::fs::symlink(&victim, &name);
        let _gone = fs::remove_file(&name);
        let _linked = fs::hard_link(&victim, &name);
        let _gone = fs::remove_file(&name);
    };
    let file = File {
        attributes: owned_by("bob", "bob", 0o666),
        ..text_file("/home/bob/file", "his")
    };
    let mut written = 0;
    against(mischief, || {
        written += usize::from(tree.write(&file).is_ok())
    });
    assert!(written > 0);
    assert_eq!(tree.read("/etc/victim"), "precious");
    assert_eq!(tree.owned("/etc/victim"), (0, 0, 0o644));
}

#[test]
fn a_reader_sees_the_old_file_or_the_new_one() {
    let tree = Tree::new();
    let (old, new) = ("a".repeat(50_000), "b".repeat(70_000));
    tree.write(&text_file("/etc/app", &old)).unwrap();
    let file = tree.at("/etc/app");
    let reader = || {
        let seen = fs::read(&file).unwrap();
        assert!(seen == old.as_bytes() || seen == new.as_bytes());
        assert_eq!(fs::metadata(&file).unwrap().mode() & 0o7777, 0o644);
    };
    against(reader, || {
        tree.write(&text_file("/etc/app", &new)).unwrap();
        tree.write(&text_file("/etc/app", &old)).unwrap();
    });
}

#[test]
fn what_a_run_that_died_left_is_swept_away_and_nothing_else() {
    let tree = Tree::new();
    let me = std::process::id();
    let parent = std::os::unix::process::parent_id();
    let dead = 4_194_304; // beyond the highest number that Linux gives
    let stays = [
        format!(".cfg-tmp-{parent}-0123456789abcdef-0"),
        ".cfg-tmp-notes".into(),
        ".cfg-tmp--x-1".into(),
        format!("x.cfg-tmp-{dead}-0123456789abcdef-0"),
    ];
    let goes = [
        format!(".cfg-tmp-{dead}-0123456789abcdef-1"),
        format!(".cfg-tmp-{me}-0123456789abcdef-2"),
    ];
    for name in stays.iter().chain(&goes) {
        tree.text(&format!("/etc/{name}"), "half");
    }
    // Half of an archive; but where others can write it may be theirs.
    let full = format!(".cfg-tmp-{dead}-0123456789abcdef-7");
    tree.folder(&format!("/etc/{full}/full"), 0o755);
    tree.folder(&format!("/tmp/{full}/full"), 0o755);
    tree.folder("/tmp", 0o1777);
    tree.folder(&format!("/etc/.cfg-tmp-{dead}-0123456789abcdef-3"), 0o700);
    tree.symlink("x", &format!("/etc/.cfg-tmp-{dead}-0123456789abcdef-4"));
    tree.write(&text_file("/etc/app", "x")).unwrap();
    let mut left: Vec<String> = stays.into();
    left.extend(["app", "group", "passwd"].map(String::from));
    left.sort();
    assert_eq!(tree.names("/etc"), left);
    tree.write(&text_file("/tmp/app", "x")).unwrap();
    assert_eq!(tree.names("/tmp"), [full, "app".into()]);
}

#[test]
fn what_this_run_is_at_is_not_swept_away() {
    let tree = Tree::new();
    let folder = tree.machine.root().folder(&path("/etc")).unwrap().folder;
    let (temporary, _file) = Temporary::file(&folder).unwrap();
    tree.write(&text_file("/etc/app", "x")).unwrap();
    temporary.settle(OsStr::new("late"), Over::Rename).unwrap();
    assert_eq!(tree.names("/etc"), ["app", "group", "late", "passwd"]);
}

#[test]
fn a_directory_that_is_filled_at_the_last_moment_gets_its_name_back() {
    let tree = Tree::new();
    tree.folder("/etc/full", 0o755);
    tree.text("/etc/full/precious", "p");
    let folder = tree.machine.root().folder(&path("/etc")).unwrap().folder;
    let (temporary, _file) = Temporary::file(&folder).unwrap();
    assert!(
        temporary
            .settle(OsStr::new("full"), Over::Exchange)
            .is_err()
    );
    assert_eq!(tree.read("/etc/full/precious"), "p");
    assert_eq!(tree.names("/etc"), ["full", "group", "passwd"]);
}

#[test]
fn what_was_exchanged_since_the_look_is_not_read() {
    let tree = Tree::new();
    tree.text("/etc/app", "x");
    let folder = tree.machine.root().folder(&path("/etc")).unwrap().folder;
    let name = OsStr::new("app");
    let entry = folder.entry(name).unwrap().unwrap();
    assert!(folder.reopen(name, &entry).is_ok());
    tree.text("/etc/other", "y");
    fs::rename(tree.at("/etc/other"), tree.at("/etc/app")).unwrap();
    assert_eq!(folder.reopen(name, &entry).unwrap_err().errno, Errno::STALE);
}
