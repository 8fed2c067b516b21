//! Folders, purges, archives and what lies below them: what a dry run foretells is what the run does, and a second run finds
//! nothing to do.

use cfg_tests::Desk;
use cfg_tests::desk::changes as words;
use cfg_tests::tar::{FILE, tar};
use serde_json::Value;
use std::fs::Permissions;
use std::os::unix::fs::{PermissionsExt as _, symlink};

fn desk(folders: &[&str], files: &[&str], links: &[(&str, &str)], role: &str) -> Desk {
    let desk = Desk::new(env!("CARGO_BIN_EXE_cfg"));
    for folder in folders.iter().chain(&["srv"]) {
        std::fs::create_dir_all(desk.path("root").join(folder)).unwrap();
    }
    for file in files {
        desk.write(&format!("root/{file}"), "x");
    }
    for (link, target) in links {
        symlink(target, desk.path("root").join(link)).unwrap();
    }
    desk.role("web", role);
    desk
}

fn run(desk: &Desk, more: &[&str]) -> (i32, Value) {
    desk.applied("web", more)
}

/// What came of a dry run, of the run after it, which does what is certain and nothing else that was not assumed, and of a
/// second run, which does nothing.
fn held_to_it(desk: &Desk) -> (i32, Vec<String>) {
    let (foretold, dry) = run(desk, &["--dry-run"]);
    let (code, ran) = run(desk, &[]);
    let told = || format!("{dry:#}\n{ran:#}");
    assert!(foretold == code || (foretold, code) == (2, 0), "{}", told());
    assert!(ran["unforeseen"].is_null(), "{}", told());
    let done = words(&ran);
    let planned = dry["changes"].as_array().unwrap();
    for (word, change) in words(&dry).iter().zip(planned) {
        let certain = change["certainty"] == "certain";
        assert!(!certain || done.contains(word), "{word}: {}", told());
    }
    for word in &done {
        assert!(words(&dry).contains(word), "{word}: {}", told());
    }
    let names = |document: &Value| {
        let failures = document["failures"].as_array().unwrap().iter();
        let names = failures.map(|failure| failure["resource"].to_string());
        names.collect::<Vec<_>>()
    };
    assert_eq!(names(&dry), names(&ran), "{}", told());
    let (again, second) = run(desk, &[]);
    assert_eq!((again, words(&second)), (code, Vec::new()), "{second:#}");
    (code, done)
}

const UNITS: &str = "etc/systemd/system";
const PLAIN: &str = "[Install]\nWantedBy=multi-user.target\n";
const UNIT: &str = "[Install]\nWantedBy=multi-user.target\nAlias=other.service\nAlso=x.socket\n";

#[test]
fn a_purge_of_units_leaves_what_services_have_there() {
    let wants = format!("{UNITS}/multi-user.target.wants");
    let role = r#"
[directory."/etc/systemd/system"]
purge = true
[service.masked]
masked = true
[service.was]
masked = true
[service.own]
enabled = true
unit = "unit"
[service.package]
enabled = true
[service.off]
enabled = false
"#;
    let stray = format!("{wants}/stray.service");
    let desk = desk(&[&wants], &[&stray], &[], role);
    desk.write("roles/web/unit", UNIT);
    for (unit, text) in [("package.service", "Also=y.socket\n"), ("off.service", "")] {
        let text = format!("{PLAIN}{text}");
        desk.write(&format!("root/usr/lib/systemd/system/{unit}"), text);
    }
    desk.write("root/usr/lib/systemd/system/y.socket", PLAIN);
    desk.write("root/usr/lib/systemd/system/x.socket", PLAIN);
    let root = desk.path("root").join(UNITS);
    symlink("/dev/null", root.join("was.service")).unwrap();
    let link = |unit: &str| {
        let target = format!("/usr/lib/systemd/system/{unit}");
        symlink(target, desk.path("root").join(&wants).join(unit)).unwrap();
    };
    link("package.service");
    link("y.socket");
    link("off.service");
    let (code, done) = held_to_it(&desk);
    let at = |name: &str| format!("file:/{wants}/{name}.service remove");
    assert_eq!(code, 0);
    assert_eq!(
        done,
        [
            "service:masked mask".to_owned(),
            at("stray"),
            at("off"),
            "service:own create".into(),
            "service:off disable".into(),
            "service:own enable".into()
        ]
    );
    for link in ["multi-user.target.wants/own.service", "other.service"] {
        assert!(root.join(link).is_symlink(), "{link}");
    }
}

#[test]
fn a_purge_leaves_the_links_on_the_way_to_what_the_role_names() {
    let role = r#"
[directory."/srv/p"]
purge = true
[file."/srv/p/l/b/new"]
content = ""
[file."/srv/p/out/gone"]
state = "absent"
"#;
    let links = [
        ("srv/p/l", "m"),
        ("srv/p/m", "a"),
        ("srv/p/stray", "a"),
        ("srv/p/out", "../o"),
    ];
    let files = ["srv/p/a/b/c", "srv/o/gone"];
    let desk = desk(&["srv/p/a/b", "srv/o"], &files, &links, role);
    let (code, done) = held_to_it(&desk);
    assert_eq!(code, 0);
    assert_eq!(
        done,
        [
            "file:/srv/p/stray remove",
            "file:/srv/p/a/b/c remove",
            "file:/srv/p/l/b/new create",
            "file:/srv/p/out/gone remove"
        ]
    );
    assert!(desk.path("root/srv/p/a/b/new").exists());
}

#[test]
fn what_a_purge_empties_gives_way() {
    for (taking, done) in [
        (
            "[file.'/srv/p/a/b']\ncontent = '1'",
            "file:/srv/p/a/b update",
        ),
        (
            "[link.'/srv/p/a/b']\ntarget = '1'",
            "link:/srv/p/a/b update",
        ),
        (
            "[directory.'/srv/p/a/b']\nstate = 'absent'",
            "directory:/srv/p/a/b remove",
        ),
    ] {
        let role =
            format!("[directory.'/srv/p']\npurge = true\n{taking}\n[file.'/srv/p/a/keep']\n");
        let role = format!("{role}content = ''\n");
        let desk = desk(&[], &["srv/p/a/b/c/d", "srv/p/a/keep"], &[], &role);
        let (code, words) = held_to_it(&desk);
        assert_eq!(code, 0, "{taking}");
        let emptied = [
            "file:/srv/p/a/b/c/d remove",
            "directory:/srv/p/a/b/c remove",
        ];
        assert_eq!(words[..2], emptied, "{taking}");
        assert!(words.contains(&done.to_owned()), "{words:?}");
    }
    // What keeps something stays, and is told of beforehand.
    let role = "[directory.'/srv/p']\npurge = true\n[file.'/srv/p/a']\ncontent = '1'\n[file.'/srv/p/b']\ncontent = ''\n";
    let desk = desk(&["srv/p/a"], &["srv/p/a/x"], &[], role);
    symlink("x", desk.path("root/srv/p/a/y")).unwrap();
    assert_eq!(held_to_it(&desk).0, 0);
}

#[test]
fn nothing_is_below_what_is_no_folder() {
    for kind in ["file", "directory", "link", "archive"] {
        let role = format!("[{kind}.'/srv/b/x/z']\nstate = 'absent'\n");
        let converged = (0, Vec::new());
        assert_eq!(
            held_to_it(&desk(&[], &["srv/b"], &[], &role)),
            converged,
            "{kind}"
        );
        let dangling = desk(&[], &[], &[("srv/b", "nowhere")], &role);
        assert_eq!(held_to_it(&dangling), converged, "{kind}");
        let made = desk(
            &[],
            &[],
            &[],
            &format!("{role}[file.'/srv/b']\ncontent = ''\n"),
        );
        assert_eq!(
            held_to_it(&made),
            (0, vec!["file:/srv/b create".into()]),
            "{kind}"
        );
    }
    let edit = "[edit.'/srv/b/x']\nformat = 'env'\nremove = ['A']\n";
    assert_eq!(
        held_to_it(&desk(&[], &["srv/b"], &[], edit)),
        (0, Vec::new())
    );
}

#[test]
fn what_will_not_be_reached_fails_beforehand() {
    let file = "[file.'/srv/q/l/x']\ncontent = '1'\n";
    let links = [("srv/q/l", "../r")];
    // Whose folder it will be decides whether a link in it is followed, whether or not the file is there already.
    for made in [&[][..], &["srv/r/x"]] {
        for attributes in ["owner = '7'", "mode = '0777'"] {
            let role = format!("[directory.'/srv/q']\n{attributes}\n{file}");
            let desk = desk(&["srv/q", "srv/r"], made, &links, &role);
            assert_eq!(
                held_to_it(&desk),
                (1, vec!["directory:/srv/q update".into()])
            );
        }
    }
    let role = format!("[directory.'/srv/q']\nmode = '0755'\n{file}");
    let opened = desk(&["srv/q", "srv/r"], &[], &links, &role);
    std::fs::set_permissions(opened.path("root/srv/q"), Permissions::from_mode(0o777)).unwrap();
    let both = ["directory:/srv/q update", "file:/srv/q/l/x update"];
    assert_eq!(held_to_it(&opened), (0, both.map(str::to_owned).into()));
    // A link of the role leads somewhere, or nowhere.
    let role = "[link.'/srv/a']\ntarget = 'zz'\n[file.'/srv/a/x']\ncontent = '1'\n";
    let link = || vec!["link:/srv/a create".to_owned()];
    assert_eq!(held_to_it(&desk(&[], &[], &[], role)), (1, link()));
    assert_eq!(held_to_it(&desk(&[], &["srv/zz"], &[], role)), (1, link()));
    let through = [("srv/zz", "nowhere")];
    assert_eq!(held_to_it(&desk(&[], &[], &through, role)), (1, link()));
    let there = [link(), vec!["file:/srv/a/x create".to_owned()]].concat();
    assert_eq!(held_to_it(&desk(&["srv/zz"], &[], &[], role)), (0, there));
    let made = format!("{role}[file.'/srv/zz/y']\ncontent = ''\n");
    assert_eq!(held_to_it(&desk(&[], &[], &[], &made)).0, 0);
    let file = format!("{role}[file.'/srv/zz']\ncontent = ''\n");
    let zz = [vec!["file:/srv/zz create".to_owned()], link()].concat();
    assert_eq!(held_to_it(&desk(&[], &[], &[], &file)), (1, zz));
    let gone = "[link.'/srv/a']\ntarget = 'zz'\n[file.'/srv/a/x']\nstate = 'absent'\n";
    assert_eq!(held_to_it(&desk(&[], &[], &[], gone)), (0, link()));
}

#[test]
fn what_an_archive_brings_where_something_else_is_to_be() {
    let unpacked = "archive:/srv/p create".to_owned();
    for (inside, code, done) in [
        ("[archive.'/srv/p/top/b']\nsource = 'b.tar'\n", 1, &[][..]),
        ("[archive.'/srv/p/top/b/c']\nsource = 'b.tar'\n", 1, &[]),
        (
            "[archive.'/srv/p/q/r']\nsource = 'b.tar'\n",
            0,
            &["directory:/srv/p/q create", "archive:/srv/p/q/r create"],
        ),
        ("[link.'/srv/p/top/b/c']\ntarget = 'x'\n", 1, &[]),
        ("[file.'/srv/p/top/b']\ncontent = ''\n", 1, &[]),
        ("[file.'/srv/p/top/b']\nstate = 'absent'\n", 1, &[]),
        ("[file.'/srv/p/top/b/c/d']\ncontent = ''\n", 1, &[]),
        ("[file.'/srv/p/top/b/c/d']\nstate = 'absent'\n", 0, &[]),
        ("[directory.'/srv/p/top/b/c']\n", 1, &[]),
        (
            "[file.'/srv/p/top/b/d']\ncontent = ''\n",
            0,
            &["file:/srv/p/top/b/d create"],
        ),
        (
            "[file.'/srv/p/top/b/c']\ncontent = 'x'\n",
            0,
            &["file:/srv/p/top/b/c create"],
        ),
    ] {
        let role = format!("[archive.'/srv/p']\nsource = 'a.tar'\n{inside}");
        let desk = desk(&[], &[], &[], &role);
        desk.write("roles/web/a.tar", tar(&[("top/b/c", FILE, "")]));
        desk.write("roles/web/b.tar", tar(&[("x", FILE, "")]));
        let done = done.iter().map(|word| (*word).to_owned());
        let words = std::iter::once(unpacked.clone()).chain(done).collect();
        assert_eq!(held_to_it(&desk), (code, words), "{inside}");
    }
}

#[test]
fn what_an_archive_may_bring_again_that_must_not_be_there() {
    let archive = "[archive.'/srv/p']\nsource = 'a.tar'\n";
    let role = format!("{archive}[file.'/srv/p/top/b']\nstate = 'absent'\n");
    let gone = "file:/srv/p/top/b remove";
    for (target, held, done) in [
        (None, "top/b", &[gone][..]),
        (None, "top/c", &[]),
        (Some("p"), "top/b", &[gone]),
        (Some("p"), "top/c", &[]),
        (Some("t"), "top/b", &[gone]),
    ] {
        let links: Vec<_> = target.iter().map(|to| ("srv/p", *to)).collect();
        let desk = desk(&["srv/t/top"], &["srv/t/top/b"], &links, archive);
        if target.is_none() {
            desk.write("roles/web/a.tar", tar(&[("top/b", FILE, "old")]));
            held_to_it(&desk);
        }
        desk.role("web", &role);
        desk.write("roles/web/a.tar", tar(&[(held, FILE, "")]));
        let done = done.iter().map(|word| (*word).to_owned());
        let words = std::iter::once("archive:/srv/p update".to_owned()).chain(done);
        assert_eq!(held_to_it(&desk), (0, words.collect()), "{target:?} {held}");
    }
}

#[test]
fn nothing_is_made_for_a_mount_whose_line_cannot_be_written() {
    let role = "[mount.'/mnt/a']\ndevice = '/dev/x'\nfstype = 'ext4'\n";
    let desk = desk(&["etc"], &[], &[], role);
    desk.write("root/etc/fstab", "");
    let chattr = |how: &str| {
        let fstab = desk.path("root/etc/fstab");
        let done = std::process::Command::new("chattr")
            .arg(how)
            .arg(fstab)
            .output();
        done.is_ok_and(|done| done.status.success())
    };
    if !chattr("+i") {
        return;
    }
    let held = std::panic::catch_unwind(|| held_to_it(&desk));
    assert!(chattr("-i"));
    assert_eq!(held.unwrap(), (1, Vec::new()));
    assert!(!desk.path("root/mnt").exists());
}

#[test]
fn what_is_yet_to_be_judged_is_assumed_with_what_comes_after_it() {
    let role = "[file.'/srv/y']\ncontent = '1'\nvalidate = ['false', '%s']\n\
                [link.'/srv/l']\ntarget = 'y'\nafter = ['file:/srv/y']\n[link.'/srv/m']\ntarget = 'y'\n";
    let desk = desk(&[], &[], &[], role);
    let (code, dry) = run(&desk, &["--dry-run"]);
    let changes = dry["changes"].as_array().unwrap().iter();
    let sure: Vec<&str> = changes
        .map(|change| change["certainty"].as_str().unwrap())
        .collect();
    assert_eq!(words(&dry)[0], "file:/srv/y create");
    assert_eq!((code, sure), (2, vec!["assumed", "assumed", "certain"]));
    let (code, ran) = run(&desk, &[]);
    assert_eq!((code, words(&ran)), (1, vec!["link:/srv/m create".into()]));
}
