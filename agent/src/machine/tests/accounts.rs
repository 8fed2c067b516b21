//! Users, groups and keys, by the system's own tools in a tree of its own. Only root can.

use super::super::WalkError;
use super::*;
use cfg_catalog::resource::Body;
use cfg_catalog::resource::account::{Group, GroupState, Present, User, UserState};

const KEY: &str = "ssh-ed25519 AAAAC3Nza bob@desk";

fn tree() -> Option<Tree> {
    if !is_root() {
        return None;
    }
    let tree = Tree::new();
    tree.text(
        "/etc/group",
        "root:x:0:\nbob:x:1234:\nadm:x:4:\nzk:x:990:\n",
    );
    tree.text("/etc/shadow", "root:*:1::::::\nbob:!:1::::::\n");
    tree.folder("/home/bob", 0o755);
    tree.give("/home/bob", STRANGER);
    Some(tree)
}

fn user(name: &str) -> User {
    User {
        name: name.into(),
        ..User::default()
    }
}

fn seen(tree: &Tree, user: &User) -> Present {
    match tree.machine.observe_user(user).unwrap() {
        UserState::Present(seen) => seen,
        UserState::Absent => panic!("{} is not there", user.name),
    }
}

#[test]
fn a_user_becomes_what_he_must_be_and_stays() {
    let Some(tree) = tree() else { return };
    let alice = User {
        uid: Some(1500),
        groups: vec!["zk".into(), "adm".into()],
        shell: Some("/bin/bash".into()),
        home: Some("/home/al".into()),
        password_hash: Some("$6$salt$hash".into()),
        authorized_keys: Some(vec![KEY.into()]),
        ..user("alice")
    };
    tree.hands().user(&alice).unwrap();
    let now = seen(&tree, &alice);
    assert_eq!(
        (now.uid, now.shell.as_str(), now.home.as_str()),
        (1500, "/bin/bash", "/home/al")
    );
    assert_eq!(now.groups, ["adm", "zk"]);
    assert_eq!(now.group, "alice");
    assert_eq!(now.password_hash.as_deref(), Some("$6$salt$hash"));
    assert_eq!(now.authorized_keys.as_deref(), Some(&[KEY.to_string()][..]));
    assert_eq!(tree.owned("/home/al").0, 1500);
    assert_eq!(tree.owned("/home/al/.ssh"), (1500, now.gid, 0o700));
    assert_eq!(
        tree.owned("/home/al/.ssh/authorized_keys"),
        (1500, now.gid, 0o600)
    );

    let files = ["passwd", "group", "shadow"]
        .map(|f| fs::metadata(tree.at(&format!("/etc/{f}"))).unwrap().ino());
    tree.hands().user(&alice).unwrap();
    let again = ["passwd", "group", "shadow"]
        .map(|f| fs::metadata(tree.at(&format!("/etc/{f}"))).unwrap().ino());
    assert_eq!(files, again, "a second run writes nothing");
}

#[test]
fn differences_of_a_user_are_mended_one_by_one() {
    let Some(tree) = tree() else { return };
    type Case = (User, fn(&Present) -> bool);
    let cases: [Case; 6] = [
        (
            User {
                groups: vec!["adm".into()],
                ..user("bob")
            },
            |bob| bob.groups == ["adm"],
        ),
        (
            User {
                groups: vec!["zk".into()],
                ..user("bob")
            },
            |bob| bob.groups == ["adm", "zk"],
        ),
        (
            User {
                groups: vec!["zk".into()],
                exact_groups: true,
                ..user("bob")
            },
            |bob| bob.groups == ["zk"],
        ),
        (
            User {
                exact_groups: true,
                ..user("bob")
            },
            |bob| bob.groups.is_empty(),
        ),
        (
            User {
                gid: Some("zk".into()),
                ..user("bob")
            },
            |bob| bob.gid == 990 && bob.group == "zk",
        ),
        (
            User {
                home: Some("/srv/bob".into()),
                ..user("bob")
            },
            |bob| bob.home == "/srv/bob",
        ),
    ];
    for (wanted, holds) in cases {
        tree.hands().user(&wanted).unwrap();
        let bob = seen(&tree, &wanted);
        assert!(holds(&bob), "{wanted:?} made {bob:?}");
    }
    assert!(tree.at("/home/bob").exists(), "a home is never moved");
}

#[test]
fn a_system_user_gets_no_home_and_joins_the_group_of_his_name() {
    let Some(tree) = tree() else { return };
    let zk = User {
        system: true,
        home: Some("/var/lib/zk".into()),
        ..user("zk")
    };
    tree.hands().user(&zk).unwrap();
    let now = seen(&tree, &zk);
    assert_eq!((now.gid, now.group.as_str()), (990, "zk"));
    assert!(now.uid < 1000, "{}", now.uid);
    assert!(!tree.at("/var/lib/zk").exists());
}

#[test]
fn a_system_user_has_a_home_where_it_must_hold_his_keys() {
    let Some(tree) = tree() else { return };
    let deploy = User {
        system: true,
        home: Some("/srv/deploy".into()),
        authorized_keys: Some(vec!["ssh-ed25519 A a".into()]),
        ..user("deploy")
    };
    for _again in 0..2 {
        tree.hands().user(&deploy).unwrap();
        assert_eq!(seen(&tree, &deploy).authorized_keys, deploy.authorized_keys);
        std::fs::remove_dir_all(tree.at("/srv/deploy")).unwrap();
    }
    let unsaid = User {
        home: None,
        ..deploy
    };
    let error = tree.hands().user(&unsaid).unwrap_err().to_string();
    let why = "the home /srv/deploy is not there, and so it cannot hold keys";
    assert_eq!(error, why);
}

#[test]
fn removed_users_leave_their_home() {
    let Some(tree) = tree() else { return };
    let gone = User {
        state: Presence::Absent,
        ..user("bob")
    };
    tree.hands().user(&gone).unwrap();
    tree.hands().user(&gone).unwrap();
    assert_eq!(tree.machine.observe_user(&gone).unwrap(), UserState::Absent);
    assert!(tree.at("/home/bob").exists());
}

#[test]
fn groups_come_move_and_go() {
    let Some(tree) = tree() else { return };
    let group = |gid, state| Group {
        name: "app".into(),
        state,
        gid,
        system: true,
    };
    for (wanted, expected) in [
        (group(None, Presence::Absent), GroupState::Absent),
        (
            group(Some(700), Presence::Present),
            GroupState::Present { gid: 700 },
        ),
        (
            group(None, Presence::Present),
            GroupState::Present { gid: 700 },
        ),
        (
            group(Some(701), Presence::Present),
            GroupState::Present { gid: 701 },
        ),
        (group(None, Presence::Absent), GroupState::Absent),
    ] {
        tree.hands().group(&wanted).unwrap();
        assert_eq!(tree.machine.observe_group(&wanted).unwrap(), expected);
    }
}

#[test]
fn a_tool_that_refuses_is_quoted() {
    let Some(tree) = tree() else { return };
    let error = tree
        .hands()
        .user(&User {
            gid: Some("nobody-has-this".into()),
            ..user("new")
        })
        .unwrap_err();
    assert!(error.to_string().contains("nobody-has-this"), "{error}");
    assert!(
        error
            .to_string()
            .starts_with("useradd ended with exit code 6"),
        "{error}"
    );
}

#[test]
fn hostile_values_never_reach_a_tool() {
    let Some(tree) = tree() else { return };
    let before = tree.read("/etc/passwd");
    let text = String::from;
    for bad in [
        user("-D"),
        user("a:b"),
        user("a\nroot2"),
        user("0"),
        user(""),
        User {
            shell: Some(text("/bin/sh\nx:x:0:0::/:/bin/sh")),
            ..user("x")
        },
        User {
            home: Some(text("/home:0")),
            ..user("x")
        },
        User {
            groups: vec![text("a,b")],
            ..user("x")
        },
        User {
            gid: Some(text("-1")),
            ..user("x")
        },
        User {
            password_hash: Some(text("a:b")),
            ..user("x")
        },
        User {
            password_hash: Some(text("a\nroot:")),
            ..user("x")
        },
        User {
            authorized_keys: Some(vec![text("k\nk2")]),
            ..user("x")
        },
    ] {
        let error = tree.hands().user(&bad).unwrap_err();
        assert!(matches!(error, EnactError::Unfit(_)), "{bad:?}: {error}");
        let secret = bad.password_hash.as_deref().unwrap_or("no secret");
        assert!(!error.to_string().contains(secret), "{error}");
    }
    assert_eq!(tree.read("/etc/passwd"), before);
}

fn bob_with_keys(keys: &[&str]) -> User {
    User {
        authorized_keys: Some(keys.iter().map(|key| key.to_string()).collect()),
        ..user("bob")
    }
}

#[test]
fn keys_are_exactly_those() {
    let Some(tree) = tree() else { return };
    tree.folder("/home/bob/.ssh", 0o700);
    tree.give("/home/bob/.ssh", STRANGER);
    tree.text("/home/bob/.ssh/authorized_keys", "# mine\n\n  old key  \n");
    let wanted = bob_with_keys(&[KEY, "ssh-rsa B two"]);
    let before = seen(&tree, &wanted);
    assert_eq!(before.authorized_keys, Some(vec!["old key".to_string()]));
    tree.hands().user(&wanted).unwrap();
    assert_eq!(
        tree.read("/home/bob/.ssh/authorized_keys"),
        format!("{KEY}\nssh-rsa B two\n")
    );
    tree.hands().user(&bob_with_keys(&[])).unwrap();
    assert_eq!(tree.read("/home/bob/.ssh/authorized_keys"), "");
}

#[test]
fn keys_that_others_may_write_or_own_are_made_his_again() {
    let Some(tree) = tree() else { return };
    tree.folder("/home/bob/.ssh", 0o700);
    let wanted = bob_with_keys(&[KEY]);
    tree.hands().user(&wanted).unwrap();
    let path = "/home/bob/.ssh/authorized_keys";
    let text = format!("# mine\n{KEY}\n");
    tree.text(path, &text);
    tree.give(path, STRANGER);
    let own = (STRANGER, STRANGER, 0o600);
    for (owner, mode) in [(STRANGER, 0o660), (0, 0o600), (0, 0o644)] {
        tree.give(path, owner);
        fs::set_permissions(tree.at(path), fs::Permissions::from_mode(mode)).unwrap();
        let drifted = seen(&tree, &wanted).keys_drifted;
        assert_eq!(drifted.map(|there| there.mode), Some(Mode(mode)));
        tree.hands().user(&wanted).unwrap();
        assert_eq!(seen(&tree, &wanted).keys_drifted, None);
        assert_eq!(tree.owned(path), own);
        assert_eq!(tree.read(path), text, "what is in it stays");
    }
}

#[test]
fn links_in_a_home_lead_nowhere() {
    let Some(tree) = tree() else { return };
    tree.folder("/root/.ssh", 0o700);
    tree.text("/root/.ssh/authorized_keys", "root's own\n");

    // The folder is a link that he made.
    tree.symlink("/root/.ssh", "/home/bob/.ssh");
    tree.give("/home/bob/.ssh", STRANGER);
    assert!(tree.machine.observe_user(&bob_with_keys(&[KEY])).is_err());
    let home = user("bob");
    let known = seen(&tree, &home);
    let error = tree.hands().keys(&known, &[KEY.into()]).unwrap_err();
    assert!(
        matches!(error, EnactError::Walk(WalkError::Planted { .. })),
        "{error}"
    );

    // The folder is his, the file is a link that he made.
    fs::remove_file(tree.at("/home/bob/.ssh")).unwrap();
    tree.folder("/home/bob/.ssh", 0o700);
    tree.give("/home/bob/.ssh", STRANGER);
    tree.symlink(
        "/root/.ssh/authorized_keys",
        "/home/bob/.ssh/authorized_keys",
    );
    tree.give("/home/bob/.ssh/authorized_keys", STRANGER);
    let wanted = bob_with_keys(&[KEY]);
    assert_eq!(seen(&tree, &wanted).authorized_keys, None);
    tree.hands().user(&wanted).unwrap();
    assert_eq!(
        tree.read("/home/bob/.ssh/authorized_keys"),
        format!("{KEY}\n")
    );
    assert_eq!(tree.read("/root/.ssh/authorized_keys"), "root's own\n");
    assert_eq!(tree.owned("/root/.ssh/authorized_keys").0, 0);
}

#[test]
fn a_home_that_is_not_there_is_told() {
    let Some(tree) = tree() else { return };
    tree.text(
        "/etc/passwd",
        "ghost:x:1300:1300::/nonexistent:/bin/sh\nodd:x:1301:1301::relative:/bin/sh\n",
    );
    for name in ["ghost", "odd"] {
        let wanted = User {
            authorized_keys: Some(vec![KEY.into()]),
            ..user(name)
        };
        let error = tree.hands().user(&wanted).unwrap_err();
        assert!(matches!(error, EnactError::Unfit(_)), "{error}");
    }
    assert!(!tree.at("/nonexistent").exists());
}

#[test]
fn a_tool_that_finds_a_lock_is_run_again() {
    let Some(tree) = tree() else { return };
    let lock = tree.at("/etc/passwd.lock");
    fs::write(&lock, format!("{}\0", std::process::id())).unwrap();
    let begun = std::time::Instant::now();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            std::thread::sleep(std::time::Duration::from_millis(800));
            fs::remove_file(&lock).unwrap();
        });
        let wanted = User {
            shell: Some("/bin/bash".into()),
            ..user("bob")
        };
        tree.hands().user(&wanted).unwrap();
    });
    assert!(begun.elapsed() >= std::time::Duration::from_millis(800));
    assert_eq!(seen(&tree, &user("bob")).shell, "/bin/bash");
}

#[test]
fn a_tree_without_accounts_asks_the_machine_and_one_with_them_does_not() {
    let Some(tree) = tree() else { return };
    let file = File {
        attributes: owned_by("daemon", "adm", 0o640),
        ..text_file("/etc/app", "x")
    };
    let error = tree.write(&file).unwrap_err();
    assert!(
        matches!(error, EnactError::Nobody { kind: "user", .. }),
        "{error}"
    );
    fs::remove_file(tree.at("/etc/passwd")).unwrap();
    tree.write(&file).unwrap();
    // Debian's own numbers: daemon is 1; adm is 4 here as there.
    assert_eq!(tree.owned("/etc/app"), (1, 4, 0o640));
    assert_eq!(tree.look_at_file("/etc/app").ownership.owner, "daemon");
}

#[test]
fn the_host_knows_who_is_who() {
    let Some(tree) = tree() else { return };
    let host = tree.machine.host().unwrap();
    assert_eq!(host.users.get(&STRANGER).map(String::as_str), Some("bob"));
    assert_eq!(host.groups.get(&990).map(String::as_str), Some("zk"));
    assert_eq!(host.power, cfg_catalog::plan::Power::Root);
}

#[test]
fn what_a_role_names_and_nobody_is() {
    use cfg_catalog::plan::nobody::Nobody;
    use cfg_catalog::resource::{Attributes, Desired};
    let tree = Tree::new();
    let owned = |name: &str, owner: &str, group: &str| {
        let mut file = text_file(name, "x");
        file.attributes = Attributes {
            mode: None,
            owner: Some(owner.into()),
            group: Some(group.into()),
        };
        resource(name, Body::File(file))
    };
    let of_groups = |gid: &str, group: &str| User {
        gid: Some(gid.into()),
        groups: vec![group.into()],
        ..user("alice")
    };
    let desired = Desired {
        role: "r".into(),
        resources: vec![
            owned("/a", "bob", "root"),
            // A number is given to it whether anybody has it or not.
            owned("/b", "4711", "4711"),
            owned("/c", "ghost-of-cfg", "ghosts-of-cfg"),
            resource("alice", Body::User(of_groups("4712", "bob"))),
        ],
        ..Desired::default()
    };
    let nobody = Nobody {
        users: ["ghost-of-cfg".into()].into(),
        groups: ["4712".into(), "ghosts-of-cfg".into()].into(),
    };
    assert_eq!(tree.machine.nobody(&desired).unwrap(), nobody);
}

#[test]
fn a_user_who_gets_another_home_has_it() {
    let Some(tree) = tree() else { return };
    tree.text("/home/bob/letter", "x");
    let moved = User {
        uid: Some(1700),
        home: Some("/srv/homes/bob".into()),
        authorized_keys: Some(vec![KEY.into()]),
        ..user("bob")
    };
    tree.hands().user(&moved).unwrap();
    let now = seen(&tree, &moved);
    assert_eq!((now.uid, now.home.as_str()), (1700, "/srv/homes/bob"));
    assert_eq!(now.authorized_keys.as_deref(), Some(&[KEY.to_string()][..]));
    assert_eq!(tree.owned("/srv/homes").2, 0o755);
    assert_eq!(tree.owned("/srv/homes/bob"), (1700, now.gid, 0o700));
    assert_eq!(tree.read("/home/bob/letter"), "x", "the old one stays");

    let without_keys = User {
        home: Some("/srv/homes/other".into()),
        ..user("bob")
    };
    tree.hands().user(&without_keys).unwrap();
    assert_eq!(tree.owned("/srv/homes/other").2, 0o700);
}
