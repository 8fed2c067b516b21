//! What an ordinary user can do, in a tree of his own and without one.

use super::super::WalkError;
use super::*;
use cfg_catalog::plan::refusals::Refusal;
use cfg_catalog::plan::{Action, Change};
use cfg_catalog::resource::Body;
use cfg_catalog::resource::account::{Group, User};
use std::process::Command;

/// Whoever runs the tests as root runs these as this user.
const ORDINARY: u32 = 4321;
const CHILD: &str = "CFG_TEST_IS_ORDINARY";

/// Runs the body as an ordinary user: root lets a child do it.
fn as_ordinary(test: &str, body: impl FnOnce()) {
    if !is_root() {
        return body();
    }
    assert!(std::env::var_os(CHILD).is_none(), "the child is root");
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    fs::set_permissions(at, PermissionsExt::from_mode(0o755)).unwrap();
    // Where the tests were built he may not be let in.
    let program = at.join("tests");
    // By a process of its own: a child that another test starts meanwhile would inherit it open for writing,
    // and then it could not be run.
    let mut install = Command::new("install");
    install
        .args(["-m", "755"])
        .arg(std::env::current_exe().unwrap());
    assert!(install.arg(&program).status().unwrap().success());
    let scratch = at.join("scratch");
    fs::create_dir(&scratch).unwrap();
    std::os::unix::fs::chown(&scratch, Some(ORDINARY), Some(ORDINARY)).unwrap();
    foreign(&scratch);
    let mut child = Command::new(&program);
    use std::os::unix::process::CommandExt;
    child
        .args(["--exact", &format!("machine::tests::ordinary::{test}")])
        .args(["--nocapture", "--test-threads=1"])
        .env(CHILD, "1")
        .env("TMPDIR", &scratch)
        .env("SCRATCH", &scratch)
        .current_dir("/")
        .uid(ORDINARY)
        .gid(ORDINARY);
    let ended = child.output().unwrap();
    let out = String::from_utf8_lossy(&ended.stdout);
    let err = String::from_utf8_lossy(&ended.stderr);
    assert!(
        ended.status.success() && out.contains("1 passed"),
        "{out}\n{err}"
    );
}

/// A tree with things of root's in it, in a folder of the ordinary user's.
fn foreign(scratch: &std::path::Path) {
    let etc = scratch.join("given/etc");
    fs::create_dir_all(&etc).unwrap();
    fs::write(etc.join("roots"), "root's").unwrap();
    fs::write(etc.join("secret"), "s").unwrap();
    fs::set_permissions(etc.join("secret"), PermissionsExt::from_mode(0o600)).unwrap();
    std::os::unix::fs::symlink("/etc", scratch.join("given/strange")).unwrap();
    fs::create_dir(etc.join("roots.d")).unwrap();
    fs::create_dir(etc.join("tmp")).unwrap();
    fs::set_permissions(etc.join("tmp"), PermissionsExt::from_mode(0o1777)).unwrap();
    for name in ["roots.d/old", "tmp/roots"] {
        fs::write(etc.join(name), "root's").unwrap();
    }
    std::os::unix::fs::lchown(scratch.join("given/strange"), Some(STRANGER), None).unwrap();
    for name in ["given", "given/etc"] {
        std::os::unix::fs::chown(scratch.join(name), Some(ORDINARY), Some(ORDINARY)).unwrap();
    }
}

/// The tree with root's things; none where no root made one.
fn given() -> Option<Machine> {
    let scratch = std::env::var_os("SCRATCH")?;
    let root = Root::open(&PathBuf::from(scratch).join("given")).unwrap();
    Some(Machine::new(&root))
}

#[test]
fn his_own_links_count_in_a_tree_of_his_own() {
    as_ordinary("his_own_links_count_in_a_tree_of_his_own", || {
        let tree = Tree::new();
        tree.folder("/etc/real", 0o755);
        tree.symlink("real", "/etc/conf");
        tree.write(&text_file("/etc/conf/app", "x")).unwrap();
        assert_eq!(tree.read("/etc/real/app"), "x");
        // A folder where his whole group may write is nobody's alone.
        tree.folder("/shared", 0o775);
        tree.symlink("/etc/real", "/shared/conf");
        let error = tree.write(&text_file("/shared/conf/app", "y")).unwrap_err();
        assert!(
            matches!(error, EnactError::Walk(WalkError::Planted { .. })),
            "{error}"
        );
    });
}

#[test]
fn on_the_machine_itself_they_do_not() {
    as_ordinary("on_the_machine_itself_they_do_not", || {
        let tree = Tree::new();
        tree.folder("/etc/real", 0o755);
        tree.text("/etc/real/app", "x");
        tree.symlink("real", "/etc/conf");
        let machine = Machine::new(&Root::open(std::path::Path::new("/")).unwrap());
        let name = tree.at("/etc/conf/app");
        let state = machine.observe_path(&path(name.to_str().unwrap()), &Wanted::default());
        let PathState::Unreadable { why } = state else {
            panic!("{state:?}");
        };
        assert!(why.contains("not followed"), "{why}");
    });
}

#[test]
fn what_he_cannot_give_away_stays_his() {
    as_ordinary("what_he_cannot_give_away_stays_his", || {
        let tree = Tree::new();
        let file = File {
            attributes: owned_by("root", "root", 0o640),
            ..text_file("/etc/app", "x")
        };
        tree.write(&file).unwrap();
        let me = rustix::process::geteuid().as_raw();
        assert_eq!(tree.owned("/etc/app").0, me);
        assert_eq!(tree.owned("/etc/app").2, 0o640);
        tree.write(&file).unwrap();
        let cfg_catalog::plan::Power::Own { user, groups } = tree.machine.host().unwrap().power
        else {
            panic!("he is not root");
        };
        let seen = tree.look_at_file("/etc/app").ownership;
        assert_eq!((user, groups[0].clone()), (seen.owner, seen.group));
    });
}

#[test]
fn what_is_roots_is_not_taken_from_him() {
    as_ordinary("what_is_roots_is_not_taken_from_him", || {
        let Some(machine) = given() else { return };
        let blobs = Kept::default();
        let hands = Hands::new(&machine, &blobs);
        let error = hands.file(&text_file("/etc/roots", "mine")).unwrap_err();
        assert!(matches!(error, EnactError::OutOfReach(_)), "{error}");
        let PathState::File(seen) = machine.observe_path(&path("/etc/roots"), &Wanted::default())
        else {
            panic!("it is gone");
        };
        assert_eq!(seen.digest, Some(Digest::of(b"root's")));
    });
}

/// What he tries of it fails, and so it is not tried.
#[test]
fn what_is_not_his_to_change_is_held() {
    as_ordinary("what_is_not_his_to_change_is_held", || {
        let Some(machine) = given() else { return };
        let blobs = Kept::default();
        let mut bare = text_file("/etc/roots", "");
        (bare.content, bare.attributes.mode) = (None, Some(Mode(0o600)));
        let gone = |name| File {
            state: Presence::Absent,
            content: None,
            ..text_file(name, "")
        };
        for (file, told) in [
            (
                text_file("/etc/roots", "mine"),
                "only root can write it anew",
            ),
            (
                bare,
                "/etc/roots belongs to user root, and only root can change it",
            ),
            (
                text_file("/etc/roots.d/new", "x"),
                "this user may not write in /etc/roots.d",
            ),
            (
                text_file("/etc/roots.d/a/b", "x"),
                "this user may not write in /etc/roots.d",
            ),
            (
                gone("/etc/roots.d/old"),
                "this user may not write in /etc/roots.d",
            ),
            (gone("/etc/tmp/roots"), "only root can take it away"),
            (gone("/etc/roots"), ""),
            (text_file("/etc/new", "x"), ""),
        ] {
            let name = file.path.as_str().to_owned();
            let resource = super::resource(&name, Body::File(file));
            let change = Change::new(&resource.id, Action::Update);
            let refusal = machine.refusal(&resource, &change, &blobs);
            let done = Hands::new(&machine, &blobs).enact(&resource, &[change]);
            match (refusal, done) {
                (Some(Refusal::Held(why) | Refusal::Shut(_, why)), Err(_)) if !told.is_empty() => {
                    assert!(why.contains(told), "{why}");
                }
                (None, Ok(())) if told.is_empty() => {}
                (refusal, done) => panic!("{name}: {refusal:?}, {done:?}"),
            }
        }
    });
}

#[test]
fn what_he_may_not_read_is_not_taken_for_right() {
    as_ordinary("what_he_may_not_read_is_not_taken_for_right", || {
        let Some(machine) = given() else { return };
        let wanted = Wanted {
            digest: Some(Digest::of(b"s")),
            ..Wanted::default()
        };
        let PathState::File(seen) = machine.observe_path(&path("/etc/secret"), &wanted) else {
            panic!("it is gone");
        };
        assert_eq!((seen.digest, seen.size), (None, 1));
        let whole = Machine::new(&Root::open(std::path::Path::new("/")).unwrap());
        let state = whole.observe_path(&path("/root/x/y"), &Wanted::default());
        let PathState::Unreadable { why } = state else {
            panic!("{state:?}");
        };
        assert!(why.ends_with("Permission denied; this needs root"), "{why}");
    });
}

#[test]
fn a_strangers_link_is_not_followed_in_his_tree() {
    as_ordinary("a_strangers_link_is_not_followed_in_his_tree", || {
        let Some(machine) = given() else { return };
        let state = machine.observe_path(&path("/strange/roots"), &Wanted::default());
        assert!(matches!(state, PathState::Unreadable { .. }), "{state:?}");
    });
}

#[test]
fn he_changes_what_he_owns_and_may_not_read() {
    as_ordinary("he_changes_what_he_owns_and_may_not_read", || {
        let tree = Tree::new();
        tree.text("/etc/app", "x");
        fs::set_permissions(tree.at("/etc/app"), PermissionsExt::from_mode(0o0)).unwrap();
        let file = File {
            content: None,
            attributes: Attributes {
                mode: Some(Mode(0o600)),
                ..Attributes::default()
            },
            ..text_file("/etc/app", "")
        };
        tree.write(&file).unwrap();
        assert_eq!(tree.owned("/etc/app").2, 0o600);
    });
}

#[test]
fn accounts_are_out_of_his_reach() {
    as_ordinary("accounts_are_out_of_his_reach", || {
        let tree = Tree::new();
        let group = Group {
            name: "app".into(),
            state: Presence::Present,
            gid: None,
            system: true,
        };
        let error = tree.hands().group(&group).unwrap_err();
        assert!(matches!(error, EnactError::OutOfReach(_)), "{error}");
        let user = User {
            name: "bob".into(),
            state: Presence::Absent,
            ..User::default()
        };
        let error = tree.hands().user(&user).unwrap_err();
        assert!(matches!(error, EnactError::OutOfReach(_)), "{error}");
    });
}

#[test]
fn a_strict_umask_changes_nothing() {
    as_ordinary("a_strict_umask_changes_nothing", || {
        if std::env::var_os(CHILD).is_none() {
            // Only in a child of its own: the mask is the whole process's.
            return;
        }
        rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o077));
        let tree = Tree::new();
        tree.folder("/etc", 0o755);
        tree.write(&text_file("/srv/a/app", "x")).unwrap();
        assert_eq!(tree.owned("/srv/a/app").2, 0o644);
        assert_eq!(tree.owned("/srv/a").2, 0o755);
    });
}
