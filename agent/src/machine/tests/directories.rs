//! Directories, links, and what a purge removes.

use super::*;
use cfg_catalog::id::{Kind, ResourceId};
use cfg_catalog::plan::{Action, Certainty, Change};
use cfg_catalog::resource::directory::Directory;
use cfg_catalog::resource::link::Link;
use cfg_catalog::resource::{Below, BelowKind, Body, DirectoryState, Resource};

fn directory(name: &str) -> Directory {
    Directory {
        path: path(name),
        state: Presence::Present,
        attributes: Attributes::default(),
        purge: false,
        source: vec![],
        over_file: false,
    }
}

fn link(name: &str, target: &str) -> Link {
    Link {
        path: path(name),
        state: Presence::Present,
        target: Some(target.into()),
        over_file: false,
    }
}

fn state(tree: &Tree, name: &str, below: bool) -> DirectoryState {
    let wanted = Wanted {
        below,
        ..Wanted::default()
    };
    match tree.machine.observe_path(&path(name), &wanted) {
        PathState::Directory(state) => state,
        other => panic!("{name}: {other:?}"),
    }
}

#[test]
fn a_directory_is_made_with_its_attributes() {
    let tree = Tree::new();
    tree.hands().directory(&directory("/srv/a/b")).unwrap();
    assert_eq!(tree.owned("/srv/a/b").2, 0o755);
    let own = Directory {
        attributes: Attributes {
            mode: Some(Mode(0o2750)),
            ..Attributes::default()
        },
        ..directory("/srv/a/b")
    };
    tree.hands().directory(&own).unwrap();
    assert_eq!(tree.owned("/srv/a/b").2, 0o2750);
    assert!(state(&tree, "/srv/a/b", false).empty);
    assert!(!state(&tree, "/srv/a", false).empty);
    assert_eq!(tree.names("/srv/a"), ["b"]);
}

#[test]
fn a_link_makes_way_for_a_directory_and_what_it_leads_to_is_left() {
    let tree = Tree::new();
    tree.folder("/etc/real", 0o755);
    tree.text("/etc/real/precious", "p");
    tree.symlink("real", "/etc/conf");
    tree.hands().directory(&directory("/etc/conf")).unwrap();
    assert_eq!(tree.names("/etc/conf"), [""; 0]);
    assert_eq!(tree.read("/etc/real/precious"), "p");
    assert_eq!(tree.names("/etc"), ["conf", "group", "passwd", "real"]);
}

#[test]
fn a_file_is_in_the_way_of_directories_and_links() {
    let tree = Tree::new();
    let error = tree
        .hands()
        .directory(&directory("/etc/passwd"))
        .unwrap_err();
    assert!(matches!(error, EnactError::InTheWay { .. }), "{error}");
    let error = tree
        .hands()
        .link(&link("/etc/passwd", "group"))
        .unwrap_err();
    assert!(matches!(error, EnactError::InTheWay { .. }), "{error}");
    assert!(tree.read("/etc/passwd").starts_with("root"));
}

#[test]
fn a_link_takes_the_place_of_links_and_empty_directories() {
    let tree = Tree::new();
    tree.symlink("nowhere", "/etc/old");
    tree.folder("/etc/empty", 0o755);
    tree.folder("/etc/full/x", 0o755);
    for name in ["/etc/new", "/etc/old", "/etc/empty"] {
        tree.hands().link(&link(name, "../some where")).unwrap();
        match tree.look(name) {
            PathState::Link(seen) => assert_eq!(seen.target, "../some where"),
            other => panic!("{other:?}"),
        }
    }
    let error = tree.hands().link(&link("/etc/full", "x")).unwrap_err();
    assert!(matches!(error, EnactError::InTheWay { .. }), "{error}");
    let names = ["empty", "full", "group", "new", "old", "passwd"];
    assert_eq!(tree.names("/etc"), names);
    let gone = Link {
        state: Presence::Absent,
        target: None,
        ..link("/etc/new", "")
    };
    tree.hands().link(&gone).unwrap();
    assert!(!tree.names("/etc").contains(&"new".to_string()));
}

#[test]
fn a_file_gives_way_to_the_link_that_stood_there_before() {
    let tree = Tree::new();
    tree.text("/etc/conf", "of cfg");
    let error = tree.hands().link(&link("/etc/conf", "x")).unwrap_err();
    assert!(matches!(error, EnactError::InTheWay { .. }), "{error}");
    let back = Link {
        over_file: true,
        ..link("/etc/conf", "x")
    };
    tree.hands().link(&back).unwrap();
    assert!(matches!(tree.look("/etc/conf"), PathState::Link(seen) if seen.target == "x"));
    tree.folder("/etc/full/x", 0o755);
    let folder = Link {
        over_file: true,
        ..link("/etc/full", "x")
    };
    assert!(tree.hands().link(&folder).is_err());
}

#[test]
fn a_file_gives_way_to_the_directory_that_stood_there_before() {
    let tree = Tree::new();
    tree.text("/etc/conf", "of cfg");
    let beside = tree.names("/etc");
    let was = Directory {
        attributes: Attributes {
            mode: Some(Mode(0o700)),
            ..Attributes::default()
        },
        ..directory("/etc/conf")
    };
    let error = tree.hands().directory(&was).unwrap_err();
    assert!(matches!(error, EnactError::InTheWay { .. }), "{error}");
    let back = Directory {
        over_file: true,
        ..was
    };
    tree.hands().directory(&back).unwrap();
    assert_eq!(tree.owned("/etc/conf").2, 0o700);
    assert!(tree.names("/etc/conf").is_empty());
    assert_eq!(tree.names("/etc"), beside);
}

#[test]
fn whose_home_is_where_and_what_stands_in_a_folder() {
    let tree = Tree::new();
    tree.text(
        "/etc/passwd",
        "me:x:7:8::/srv/me:/bin/sh\nhe:x:9:8::/nowhere:/bin/sh\n",
    );
    tree.folder("/srv/a", 0o755);
    tree.folder("/srv/a/d", 0o755);
    tree.text("/srv/a/f", "");
    let folders = ["/srv/a", "/srv/a/d", "/srv/gone"].map(path);
    let around = tree.machine.around(&folders).unwrap();
    assert_eq!(around.homes[&path("/srv/me")], "me");
    let primary: Vec<&String> = around.primary[&8].iter().collect();
    assert_eq!(primary, ["he", "me"]);
    let inside: Vec<_> = around.inside[&path("/srv/a")].iter().collect();
    assert_eq!(inside, [&path("/srv/a/d"), &path("/srv/a/f")]);
    assert!(around.inside[&path("/srv/a/d")].is_empty());
    assert!(!around.inside.contains_key(&path("/srv/gone")));
}

#[test]
fn only_an_empty_directory_is_removed() {
    let tree = Tree::new();
    tree.folder("/srv/full/x", 0o755);
    let gone = |name| Directory {
        state: Presence::Absent,
        ..directory(name)
    };
    let error = tree.hands().directory(&gone("/srv/full")).unwrap_err();
    assert!(matches!(error, EnactError::InTheWay { .. }), "{error}");
    tree.hands().directory(&gone("/srv/full/x")).unwrap();
    tree.hands().directory(&gone("/srv/full")).unwrap();
    tree.hands().directory(&gone("/srv/full")).unwrap();
    assert_eq!(tree.names("/srv"), [""; 0]);
}

#[test]
fn what_rendering_found_sensitive_is_made_for_its_owner_alone() {
    let tree = Tree::new();
    let body = Body::File(text_file("/etc/secret", "s"));
    let secret = Resource {
        sensitive: true,
        ..resource("/etc/secret", body)
    };
    tree.hands().enact(&secret, &[]).unwrap();
    assert_eq!(tree.owned("/etc/secret").2, 0o600);
}

#[test]
fn a_source_of_packages_is_two_files_that_all_may_read() {
    use cfg_catalog::resource::repository::{Key, Repository};
    let mut tree = Tree::new();
    let key = b"key".to_vec();
    let digest = Digest::of(&key);
    let source = |digest| Repository {
        name: "mesos".into(),
        sources: b"Types: deb\n".to_vec(),
        key: Some(Key {
            armoured: true,
            digest,
            size: 3,
        }),
    };
    let enact = |tree: &Tree, repository| {
        let body = Body::Repository(repository);
        tree.hands().enact(&resource("mesos", body), &[])
    };
    // Without its key a source does not come.
    assert!(enact(&tree, source(digest)).is_err());
    assert_eq!(tree.names("/etc/apt"), ["keyrings"]);
    tree.blobs.0.insert(digest, key);
    enact(&tree, source(digest)).unwrap();
    assert_eq!(tree.read("/etc/apt/keyrings/cfg-mesos.asc"), "key");
    let stanza = "/etc/apt/sources.list.d/cfg-mesos.sources";
    assert_eq!(tree.read(stanza), "Types: deb\n");
    assert_eq!(tree.owned(stanza).2, 0o644);
}

/// A directory with a purge, and the removals that a plan found.
fn purge(name: &str, victims: &[&str]) -> (Resource, Vec<Change>) {
    let body = Body::Directory(Directory {
        purge: true,
        ..directory(name)
    });
    let resource = resource(name, body);
    let changes = victims.iter().map(|victim| Change {
        resource: ResourceId::new(Kind::File, *victim),
        action: Action::Remove,
        certainty: Certainty::Certain,
        before: serde_json::Value::Null,
        after: serde_json::Value::Null,
        diff: None,
        causes: vec![resource.id.clone()],
    });
    let changes = changes.collect();
    (resource, changes)
}

#[test]
fn all_below_a_directory_is_seen_without_following_anything() {
    let tree = Tree::new();
    tree.folder("/srv/a/b", 0o755);
    tree.text("/srv/a/?no-switch_user", "1");
    tree.text("/srv/a/b/file", "2");
    tree.symlink("/etc", "/srv/a/link");
    let seen = state(&tree, "/srv/a", true);
    let names: Vec<_> = seen.below.iter().map(|below| below.path.as_str()).collect();
    assert_eq!(
        names,
        [
            "/srv/a/?no-switch_user",
            "/srv/a/b",
            "/srv/a/b/file",
            "/srv/a/link"
        ]
    );
    match &seen.below[2].what {
        BelowKind::File(file) => assert_eq!(file.digest, Some(Digest::of(b"2"))),
        other => panic!("{other:?}"),
    }
    assert_eq!(seen.below[3].what, BelowKind::Link("/etc".into()));
    assert!(!seen.empty);
    let latest = fs::symlink_metadata(tree.at("/srv/a/link")).unwrap();
    assert!(seen.changed_us >= latest.ctime() as u64 * 1_000_000);
}

#[test]
fn a_purge_removes_its_victims_deepest_first() {
    let tree = Tree::new();
    tree.folder("/srv/a/b", 0o755);
    tree.text("/srv/a/b/file", "x");
    tree.text("/srv/a/keep", "x");
    tree.symlink("/etc/passwd", "/srv/a/link");
    let (resource, changes) = purge("/srv/a", &["/srv/a/b", "/srv/a/b/file", "/srv/a/link"]);
    tree.hands().enact(&resource, &changes).unwrap();
    assert_eq!(tree.names("/srv/a"), ["keep"]);
    assert!(tree.read("/etc/passwd").starts_with("root"));
    // What is gone already is no failure.
    tree.hands().enact(&resource, &changes).unwrap();
}

#[test]
fn a_purge_reaches_nothing_outside() {
    let tree = Tree::new();
    tree.folder("/srv/a", 0o755);
    for (top, victim) in [
        ("/srv/a", "/etc/passwd"),
        ("/srv/a", "/srv/ab"),
        ("/srv/a", "/srv/a"),
    ] {
        let (resource, changes) = purge(top, &[victim]);
        let error = tree.hands().enact(&resource, &changes).unwrap_err();
        assert!(matches!(error, EnactError::Unfit(_)), "{error}");
    }
    for top in ["/", "/etc", "/usr", "/var", "/home", "/root", "/boot"] {
        let (resource, changes) = purge(top, &["/etc/passwd"]);
        let error = tree.hands().enact(&resource, &changes).unwrap_err();
        assert!(matches!(error, EnactError::Sacred { .. }), "{error}");
    }
    // Exchanged for a link since it was seen.
    tree.symlink("/etc", "/srv/a/b");
    let (resource, changes) = purge("/srv/a", &["/srv/a/b/passwd"]);
    tree.hands().enact(&resource, &changes).unwrap();
    assert!(tree.read("/etc/passwd").starts_with("root"));
}

#[test]
fn what_is_everybodys_is_spared_by_whatever_path() {
    let tree = Tree::new();
    tree.folder("/boot", 0o755);
    tree.folder("/data/home/bob", 0o755);
    tree.folder("/srv/free", 0o755);
    tree.text("/etc/precious", "p");
    tree.symlink("/", "/srv/all");
    tree.symlink("/data/home", "/home");
    for (name, holds) in [
        ("/", Some("/")),
        ("/etc", Some("/etc")),
        ("/srv/all/etc", Some("/etc")),
        ("/srv/all/srv/all/boot", Some("/boot")),
        ("/data/home", Some("/home")),
        // What leads to one of them would take it along.
        ("/data", Some("/home")),
        ("/home/bob", None),
        ("/srv", None),
        ("/srv/free", None),
    ] {
        let seen = state(&tree, name, false);
        assert_eq!(seen.holds, holds.map(path), "{name}");
    }
    for (top, victim) in [
        ("/srv/all/etc", "/srv/all/etc/precious"),
        ("/data/home", "/data/home/bob"),
        ("/data", "/data/home/bob"),
    ] {
        let (resource, changes) = purge(top, &[victim]);
        let error = tree.hands().enact(&resource, &changes).unwrap_err();
        assert!(matches!(error, EnactError::Sacred { .. }), "{error}");
    }
    let gone = Directory {
        state: Presence::Absent,
        ..directory("/srv/all/boot")
    };
    let error = tree.hands().directory(&gone).unwrap_err();
    assert!(matches!(error, EnactError::Sacred { .. }), "{error}");
    assert_eq!(tree.read("/etc/precious"), "p");
    assert_eq!(tree.names("/data/home"), ["bob"]);
    assert_eq!(tree.names("/boot"), [""; 0]);
}

#[test]
fn a_purge_names_its_victims_as_the_role_names_the_directory() {
    let tree = Tree::new();
    tree.folder("/srv/real/d/e", 0o755);
    tree.text("/srv/real/d/e/file", "x");
    tree.symlink("real", "/srv/link");
    let seen = state(&tree, "/srv/link/d", true);
    let names: Vec<_> = seen.below.iter().map(|below| below.path.as_str()).collect();
    assert_eq!(names, ["/srv/link/d/e", "/srv/link/d/e/file"]);
    let (resource, changes) = purge("/srv/link/d", &names);
    tree.hands().enact(&resource, &changes).unwrap();
    assert_eq!(tree.names("/srv/real/d"), [""; 0]);
}

#[test]
fn a_purge_does_not_cross_mounts() {
    if !is_root() {
        return;
    }
    let tree = Tree::new();
    tree.folder("/srv/a/mounted", 0o755);
    tree.folder("/elsewhere", 0o755);
    tree.text("/elsewhere/precious", "p");
    // A bind mount is on the same device, and still another mount.
    let source = tree.at("/elsewhere");
    let _mount = Mounted::new(
        &["--bind", source.to_str().unwrap()],
        tree.at("/srv/a/mounted"),
    );
    let seen = state(&tree, "/srv/a", true);
    let names: Vec<_> = seen.below.iter().map(|below| below.path.as_str()).collect();
    assert_eq!(names, ["/srv/a/mounted"]);
    assert_eq!(seen.below[0].what, BelowKind::Mount);
    for victim in ["/srv/a/mounted", "/srv/a/mounted/precious"] {
        let (resource, changes) = purge("/srv/a", &[victim]);
        let error = tree.hands().enact(&resource, &changes).unwrap_err();
        assert!(matches!(error, EnactError::OtherMount { .. }), "{error}");
    }
    assert_eq!(tree.read("/elsewhere/precious"), "p");
}

#[test]
fn names_that_no_plan_could_write_are_told() {
    use std::os::unix::ffi::OsStrExt;
    for (name, told) in [
        (&b"new\nline"[..], "/srv/a/new\\nline"),
        (b"\xff\xfe", "/srv/a/\\xff\\xfe"),
        (b"\x1b[31m", "/srv/a/\\u{1b}[31m"),
    ] {
        let tree = Tree::new();
        tree.folder("/srv/a", 0o755);
        fs::write(
            tree.at("/srv/a").join(std::ffi::OsStr::from_bytes(name)),
            "x",
        )
        .unwrap();
        let wanted = Wanted {
            below: true,
            ..Wanted::default()
        };
        match tree.machine.observe_path(&path("/srv/a"), &wanted) {
            PathState::Directory(seen) => {
                let what = BelowKind::Unnamable;
                let path = path(told);
                assert_eq!(seen.below, [Below { path, what }]);
            }
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn the_root_itself_is_a_directory() {
    let tree = Tree::new();
    assert!(matches!(tree.look("/"), PathState::Directory(_)));
    assert!(tree.write(&text_file("/", "x")).is_err());
}

#[test]
fn what_a_run_that_died_left_keeps_no_folder_but_is_purged() {
    let tree = Tree::new();
    let half = ".cfg-tmp-4194303-0123456789abcdef-0";
    for mode in [0o755, 0o2775, 0o1777] {
        tree.folder("/opt/d", mode);
        // Half of an archive; but where others can write it may be theirs.
        tree.folder(&format!("/opt/d/{half}"), 0o700);
        assert_eq!(
            state(&tree, "/opt/d", false).empty,
            mode == 0o755,
            "{mode:o}"
        );
        fs::remove_dir(tree.at(&format!("/opt/d/{half}"))).unwrap();
        tree.text(&format!("/opt/d/{half}"), "half");
        assert!(state(&tree, "/opt/d", false).empty, "{mode:o}");
        assert!(state(&tree, "/opt/d", true).empty, "{mode:o}");
        let wanted = Wanted {
            below: true,
            purge: true,
            ..Wanted::default()
        };
        let PathState::Directory(seen) = tree.machine.observe_path(&path("/opt/d"), &wanted) else {
            panic!("a folder stands there");
        };
        assert_eq!(seen.below.len(), 1, "{mode:o}");
        tree.hands().link(&link("/opt/d", "/etc")).unwrap();
        fs::remove_file(tree.at("/opt/d")).unwrap();
        tree.folder("/opt/d", mode);
        tree.text(&format!("/opt/d/{half}"), "half");
        let gone = Directory {
            state: Presence::Absent,
            ..directory("/opt/d")
        };
        tree.hands().directory(&gone).unwrap();
        assert!(!tree.at("/opt/d").exists());
    }
}
