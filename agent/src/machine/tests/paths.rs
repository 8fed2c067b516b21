//! Which links are followed, and which are not.

use super::*;

#[test]
fn a_link_of_root_in_a_folder_of_root_is_followed() {
    for target in ["real", "/etc/real", "../etc/./real", "/../../etc/real/"] {
        let tree = Tree::new();
        tree.folder("/etc/real", 0o755);
        tree.symlink(target, "/etc/conf");
        tree.write(&text_file("/etc/conf/file", "x")).unwrap();
        assert_eq!(tree.read("/etc/real/file"), "x", "{target}");
        tree.look_at_file("/etc/conf/file");
    }
}

#[test]
fn links_stay_beneath_the_root() {
    let tree = Tree::new();
    let outside = tempfile::tempdir().unwrap();
    let out = outside.path().to_str().unwrap();
    tree.symlink(out, "/etc/out");
    tree.symlink(&format!("../../../../../../../..{out}"), "/etc/up");
    for name in ["/etc/out/file", "/etc/up/file"] {
        // Below the root there is no such folder, and so the link leads nowhere.
        let error = tree.write(&text_file(name, "x")).unwrap_err();
        assert!(error.to_string().contains("does not exist"), "{error}");
    }
    assert_eq!(fs::read_dir(out).unwrap().count(), 0);
}

#[test]
fn what_a_stranger_could_have_planted_is_not_followed() {
    if !is_root() {
        return;
    }
    type Plant = fn(&Tree);
    let plants: [(&str, Plant); 7] = [
        ("his link in root's folder", |tree| {
            tree.folder("/srv", 0o755);
            tree.symlink("/etc/real", "/srv/x");
            tree.give("/srv/x", STRANGER);
        }),
        ("root's link in his folder", |tree| {
            tree.folder("/srv", 0o755);
            tree.symlink("/etc/real", "/srv/x");
            tree.give("/srv", STRANGER);
        }),
        ("root's link where his group may write", |tree| {
            tree.folder("/srv", 0o775);
            tree.symlink("/etc/real", "/srv/x");
        }),
        ("root's link where all may write", |tree| {
            tree.folder("/srv", 0o777);
            tree.symlink("/etc/real", "/srv/x");
        }),
        ("root's folder where all may exchange it", |tree| {
            tree.folder("/open", 0o777);
            tree.folder("/open/srv", 0o755);
            tree.symlink("open/srv", "/srv");
            tree.symlink("/etc/real", "/open/srv/x");
        }),
        ("root's link in a sticky folder", |tree| {
            tree.folder("/srv", 0o1777);
            tree.symlink("/etc/real", "/srv/x");
        }),
        (
            "root's link in root's folder that he could have moved",
            |tree| {
                tree.folder("/home/bob/srv", 0o755);
                tree.symlink("home/bob/srv", "/srv");
                tree.give("/home/bob", STRANGER);
                tree.symlink("/etc/real", "/home/bob/srv/x");
            },
        ),
    ];
    for (what, plant) in plants {
        let tree = Tree::new();
        tree.folder("/etc/real", 0o755);
        plant(&tree);
        let error = tree.write(&text_file("/srv/x/file", "x")).unwrap_err();
        assert!(
            matches!(
                &error,
                EnactError::Walk(super::super::WalkError::Planted { .. })
            ),
            "{what}: {error}"
        );
        let why = tree.why("/srv/x/file");
        assert!(
            why.contains("is a link that is not followed"),
            "{what}: {why}"
        );
        assert_eq!(tree.names("/etc/real"), [""; 0], "{what}");
    }
}

#[test]
fn a_folder_of_root_in_a_sticky_folder_is_roots() {
    let tree = Tree::new();
    tree.folder("/tmp", 0o1777);
    tree.folder("/tmp/mine", 0o755);
    tree.folder("/etc/real", 0o755);
    tree.symlink("/etc/real", "/tmp/mine/x");
    tree.write(&text_file("/tmp/mine/x/file", "x")).unwrap();
    assert_eq!(tree.read("/etc/real/file"), "x");
}

#[test]
fn loops_dangling_links_and_files_in_the_middle_are_told() {
    let tree = Tree::new();
    tree.symlink("b", "/etc/a");
    tree.symlink("a", "/etc/b");
    tree.symlink("self/self", "/etc/self");
    tree.symlink("nowhere/deep", "/etc/dangling");
    for (name, word) in [
        ("/etc/a/x", "more than 40 links"),
        ("/etc/self/x", "more than 40 links"),
        ("/etc/dangling/x", "does not exist"),
        ("/etc/passwd/x", "is not a directory"),
    ] {
        assert!(tree.why(name).contains(word), "{name}: {}", tree.why(name));
        let error = tree.write(&text_file(name, "x")).unwrap_err();
        assert!(error.to_string().contains(word), "{name}: {error}");
    }
}

#[test]
fn forty_links_are_followed_and_no_more() {
    let tree = Tree::new();
    tree.folder("/l40", 0o755);
    for n in 0..40 {
        tree.symlink(&format!("l{}", n + 1), &format!("/l{n}"));
    }
    tree.write(&text_file("/l0/x", "x")).unwrap();
    tree.symlink("l0", "/one-more");
    assert!(tree.why("/one-more/x").contains("more than 40 links"));
}

#[test]
fn a_path_that_is_too_deep_is_told() {
    let tree = Tree::new();
    let deep = "/d".repeat(300);
    tree.folder(&deep, 0o755);
    assert!(tree.why(&format!("{deep}/x")).contains("deeper than"));
}

#[test]
fn missing_parents_are_named_outermost_first() {
    let tree = Tree::new();
    tree.folder("/etc/real", 0o755);
    tree.symlink("real", "/etc/conf");
    match tree.look("/etc/conf/a/b/file") {
        PathState::Absent {
            missing_parents,
            parent_changed_us,
        } => {
            let names: Vec<_> = missing_parents.iter().map(AbsPath::as_str).collect();
            assert_eq!(names, ["/etc/conf/a", "/etc/conf/a/b"]);
            assert!(parent_changed_us > 0);
        }
        other => panic!("{other:?}"),
    }
}
