//! Links of the machine's own lead elsewhere than the role's paths say: what is claimed is judged by where it lies.

use cfg_tests::Desk;
use cfg_tests::desk::changes as words;
use serde_json::{Value, json};
use std::os::unix::fs::symlink;

fn desk(folder: &str, link: (&str, &str)) -> Desk {
    let desk = Desk::new(env!("CARGO_BIN_EXE_cfg"));
    std::fs::create_dir_all(desk.path("root").join(folder)).unwrap();
    symlink(link.1, desk.path("root").join(link.0)).unwrap();
    desk
}

fn run(desk: &Desk, more: &[&str]) -> (i32, Value) {
    desk.applied("web", more)
}

#[test]
fn a_purge_leaves_alone_what_the_role_calls_by_another_way() {
    let desk = desk("etc/zk/conf_example", ("etc/zk/conf", "conf_example"));
    desk.write("root/etc/zk/conf_example/stray", "x");
    desk.role(
        "web",
        r#"
[directory."/etc/zk/conf_example"]
purge = true
[file."/etc/zk/conf/zoo.cfg"]
content = "2\n"
[file."/etc/zk/conf/old"]
state = "absent"
"#,
    );
    desk.write("root/etc/zk/conf_example/old", "x");
    let (code, first) = run(&desk, &[]);
    assert_eq!(code, 0, "{first}");
    assert_eq!(
        words(&first),
        [
            "file:/etc/zk/conf_example/stray remove",
            "file:/etc/zk/conf_example/old remove",
            "file:/etc/zk/conf/zoo.cfg create"
        ]
    );
    for more in [&["--dry-run"][..], &[]] {
        let (code, again) = run(&desk, more);
        assert_eq!((code, words(&again)), (0, Vec::new()), "{again}");
    }
    assert!(desk.path("root/etc/zk/conf_example/zoo.cfg").exists());
}

#[test]
fn a_purge_leaves_alone_what_is_cfgs_own() {
    let desk = desk("real", ("lnk", "real"));
    // Below the root the state lies where the machine's own would.
    let state = desk.path("state");
    let top = state
        .components()
        .nth(1)
        .unwrap()
        .as_os_str()
        .to_str()
        .unwrap();
    desk.write(&format!("root/{top}/stray/file"), "x");
    desk.role("web", &format!("[directory.\"/{top}\"]\npurge = true\n"));
    let victims = [
        format!("file:/{top}/stray/file remove"),
        format!("directory:/{top}/stray remove"),
    ];
    let dry = run(&desk, &["--dry-run"]).1;
    assert_eq!(words(&dry), victims);
    let (code, done) = run(&desk, &[]);
    assert_eq!((code, words(&done)), (0, victims.to_vec()), "{done}");
    let kept = desk.path("root").join(state.strip_prefix("/").unwrap());
    assert!(kept.join("lock").exists(), "{done}");
    assert_eq!(run(&desk, &["--dry-run"]).0, 0);
}

#[test]
fn what_a_purge_cannot_remove_keeps_nothing_else_from_going() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt as _;
    let desk = desk("d/sub", ("lnk", "d"));
    for name in [&b"new\nline"[..], b"\x1b[31m", b"\xff\xfe", b"sub/\r"] {
        std::fs::write(desk.path("root/d").join(OsStr::from_bytes(name)), "x").unwrap();
    }
    for name in ["v1", "v2", "v3", "sub/v4"] {
        desk.write(&format!("root/d/{name}"), "x");
    }
    desk.role(
        "web",
        "[directory.\"/d\"]\npurge = true\n[file.\"/d/keep\"]\ncontent = \"k\\n\"\n",
    );
    let odd = ["/d/\\u{1b}[31m", "/d/\\xff\\xfe", "/d/new\\n", "/d/sub/\\r"];
    let mut gone: Vec<String> = ["v3", "v2", "v1", "sub/v4"]
        .map(|name| format!("file:/d/{name} remove"))
        .into();
    gone.push("file:/d/keep create".into());
    let fails = |seen: &Value| {
        let failures = seen["failures"].as_array().unwrap();
        assert_eq!(failures.len(), 1, "{seen}");
        assert_eq!(failures[0]["resource"], "directory:/d");
        assert_eq!(failures[0]["skipped"], json!([]));
        failures[0]["message"].as_str().unwrap().to_owned()
    };
    for (more, words_of) in [(&["--dry-run"][..], &gone[..]), (&[], &gone), (&[], &[])] {
        let (code, seen) = run(&desk, more);
        assert_eq!((code, &words(&seen)[..]), (1, words_of), "{seen}");
        let why = fails(&seen);
        assert!(odd.iter().all(|name| why.contains(name)), "{why}");
    }
    assert!(desk.path("root/d/keep").exists());
    assert!(desk.path("root/d/new\nline").exists());
}

#[test]
fn each_victim_that_can_go_goes() {
    let desk = desk("d/sub", ("lnk", "d"));
    for name in ["v1", "sub/v2", "v3"] {
        desk.write(&format!("root/d/{name}"), "x");
    }
    let chattr = |how: &str| {
        let file = desk.path("root/d/sub/v2");
        let done = std::process::Command::new("chattr")
            .arg(how)
            .arg(file)
            .output();
        done.is_ok_and(|done| done.status.success())
    };
    if !chattr("+i") {
        return;
    }
    desk.role(
        "web",
        "[directory.\"/d\"]\npurge = true\n[file.\"/d/keep\"]\ncontent = \"k\\n\"\n",
    );
    let (code, seen) = run(&desk, &[]);
    chattr("-i");
    assert_eq!(code, 1, "{seen}");
    let gone = [
        "file:/d/v3 remove",
        "file:/d/v1 remove",
        "file:/d/keep create",
    ];
    assert_eq!(words(&seen), gone, "{seen}");
    let why = "removing /d/sub/v2: Operation not permitted; it, or its folder, is immutable or append-only (see lsattr -d)";
    assert_eq!(
        seen["failures"],
        json!([{
            "resource": "directory:/d",
            "message": why,
            "skipped": [],
            "remedy": "take that away with chattr -i or chattr -a where it is to change; else leave it out of the role",
        }])
    );
    assert!(desk.path("root/d/keep").exists());
    assert_eq!(run(&desk, &[]).0, 0);
    assert!(!desk.path("root/d/sub").exists());
}

#[test]
fn a_revert_leaves_alone_what_the_role_calls_by_another_way_now() {
    let desk = desk("real", ("lnk", "real"));
    desk.role("web", "[file.\"/lnk/f\"]\ncontent = \"1\\n\"\n");
    assert_eq!(run(&desk, &[]).0, 0);
    desk.role(
        "web",
        "leftovers = \"revert\"\n[file.\"/real/f\"]\ncontent = \"1\\n\"\n",
    );
    for more in [&["--dry-run"][..], &[], &[]] {
        let (code, seen) = run(&desk, more);
        assert_eq!((code, words(&seen)), (0, Vec::new()), "{seen}");
        assert_eq!(seen["leftovers"], json!([]));
    }
    assert!(desk.path("root/real/f").exists());
    // When it leaves the role, what both names put on record is brought back.
    desk.role("web", "leftovers = \"revert\"\n");
    let (code, gone) = run(&desk, &[]);
    assert_eq!(code, 0, "{gone}");
    assert!(!desk.path("root/real/f").exists(), "{gone}");
    assert_eq!(words(&run(&desk, &[]).1), Vec::<String>::new());
}

#[test]
fn two_names_of_one_place_are_a_conflict_that_the_plan_shows() {
    let desk = desk("usr/bin", ("bin", "usr/bin"));
    let file = |path: &str, more: &str| format!("[file.\"{path}\"]\n{more}\n");
    let both = "file:/bin/foo and file:/usr/bin/foo are both /usr/bin/foo on this machine";
    for (first, second) in [
        ("content = \"1\\n\"", "content = \"2\\n\""),
        ("state = \"absent\"", "content = \"2\\n\""),
    ] {
        let other = file("/bin/other", "content = \"o\\n\"");
        let role = file("/bin/foo", first) + &file("/usr/bin/foo", second) + &other;
        desk.role("web", &role);
        for more in [&["--dry-run"][..], &[]] {
            let (code, seen) = run(&desk, more);
            assert_eq!(code, 1, "{seen}");
            let failures = seen["failures"].as_array().unwrap();
            let of = |failure: &Value| failure["resource"].as_str().unwrap().to_owned();
            let failed: Vec<String> = failures.iter().map(of).collect();
            assert_eq!(failed, ["file:/bin/foo", "file:/usr/bin/foo"], "{seen}");
            for failure in failures {
                let why = failure["message"].as_str().unwrap();
                assert!(why.starts_with(both), "{why}");
            }
        }
        assert!(!desk.path("root/usr/bin/foo").exists());
        assert!(desk.path("root/usr/bin/other").exists());
    }
    // Edits of one file get along, by whatever name.
    desk.role(
        "web",
        r#"
[edit.one]
path = "/bin/foo"
format = "env"
set = { A = "1" }
create = true
[edit.two]
path = "/usr/bin/foo"
format = "env"
set = { B = "2" }
create = true
"#,
    );
    assert_eq!(run(&desk, &[]).0, 0);
    assert_eq!(run(&desk, &["--dry-run"]).0, 0);
    let text = std::fs::read_to_string(desk.path("root/usr/bin/foo")).unwrap();
    assert_eq!(text, "A=1\nB=2\n");
}

/// As the check refuses it where the role itself says that they are of one file.
#[test]
fn edits_that_a_link_brings_together_and_that_do_not_get_along_are_a_conflict_too() {
    let desk = desk("usr/bin", ("bin", "usr/bin"));
    desk.write("root/usr/bin/foo", "A=0\nB=1\n");
    let edit =
        |name: &str, path: &str, what: &str| format!("[edit.{name}]\npath = \"{path}\"\n{what}\n");
    let one = edit("one", "/bin/foo", "format = \"env\"\nset = { A = 5 }");
    for other in [
        "format = \"lines\"\nlines = [{ line = \"A=6\", match = \"^A=\" }]",
        "format = \"ini\"\nset = { B = 6 }",
        "format = \"env\"\nset = { A = 6 }",
        "format = \"env\"\nremove = [\"A\"]",
    ] {
        desk.role(
            "web",
            &[&*one, &edit("two", "/usr/bin/foo", other)].concat(),
        );
        for more in [&["--dry-run"][..], &[]] {
            let (code, seen) = run(&desk, more);
            assert_eq!((code, words(&seen)), (1, Vec::new()), "{seen}");
            let failures = seen["failures"].as_array().unwrap();
            assert_eq!(failures.len(), 2, "{seen}");
            for failure in failures {
                let why = failure["message"].as_str().unwrap();
                let both = "edit:one and edit:two are both /usr/bin/foo on this machine";
                assert!(why.starts_with(both), "{why}");
            }
        }
    }
}

/// Where a link of the role leads only the run finds: nothing is certain there, and nothing is changed unnamed or for good.
#[test]
fn what_lies_below_a_link_of_the_role_is_assumed_and_comes_back() {
    for below in [
        "[file.\"/srv/l/x\"]\nstate = \"absent\"\n",
        "[file.\"/srv/l/x\"]\nmode = \"0600\"\n",
        "[file.\"/srv/l/x\"]\ncontent = \"new\"\n",
        "[edit.\"/srv/l/x\"]\nformat = \"env\"\nset = { A = 1 }\n",
    ] {
        for former in [None, Some("o")] {
            let desk = Desk::new(env!("CARGO_BIN_EXE_cfg"));
            desk.write("root/srv/q/x", "A=0\n");
            desk.write("root/srv/o/x", "A=1\n");
            if let Some(target) = former {
                symlink(target, desk.path("root/srv/l")).unwrap();
            }
            desk.role(
                "web",
                &format!("[link.\"/srv/l\"]\ntarget = \"q\"\n{below}"),
            );
            let (code, foretold) = run(&desk, &["--dry-run"]);
            assert_eq!(
                (code, foretold["changes"].as_array().unwrap().len()),
                (2, 2)
            );
            assert_eq!(foretold["changes"][1]["certainty"], "assumed", "{below}");
            let (code, ran) = run(&desk, &[]);
            assert_eq!((code, &ran["unforeseen"]), (0, &Value::Null), "{ran}");
            assert_eq!(words(&ran), words(&foretold), "{below}");
            let (code, again) = run(&desk, &[]);
            assert_eq!((code, words(&again)), (0, Vec::new()), "{again}");
            desk.role("web", "description = \"none\"\n");
            for _ in 0..2 {
                let (code, left) = run(&desk, &["--prune"]);
                assert_eq!(code, 0, "{left}");
            }
            for (path, text) in [("root/srv/q/x", "A=0\n"), ("root/srv/o/x", "A=1\n")] {
                let found = std::fs::read_to_string(desk.path(path));
                assert_eq!(
                    found.ok().as_deref(),
                    Some(text),
                    "{path} {below} {former:?}"
                );
            }
        }
    }
}

/// A link of the machine's own leads to what only the role makes.
#[test]
fn what_lies_behind_a_link_is_assumed_where_the_role_makes_what_it_leads_to() {
    for makes in [
        "[directory.\"/srv/new\"]\n",
        "[link.\"/srv/new\"]\ntarget = \"t\"\n",
    ] {
        let desk = desk("srv/t", ("srv/l", "/srv/new"));
        let below = "[file.\"/srv/l/x\"]\ncontent = \"x\"\nafter = [\"directory:/srv/new\"]\n";
        let below = match makes.starts_with("[link") {
            true => below.replace("directory:", "link:"),
            false => below.to_owned(),
        };
        desk.role("web", &format!("{makes}{below}"));
        let (code, foretold) = run(&desk, &["--dry-run"]);
        assert_eq!(code, 2, "{foretold}");
        let mut all = foretold["changes"].as_array().unwrap().iter();
        let behind = all.find(|change| change["resource"] == "file:/srv/l/x");
        assert_eq!(behind.unwrap()["certainty"], "assumed", "{foretold}");
        let (code, ran) = run(&desk, &[]);
        assert_eq!(code, 0, "{ran}");
        let (code, second) = run(&desk, &[]);
        assert_eq!((code, words(&second)), (0, Vec::new()), "{second}");
    }
}

/// What is a file by one name is no folder by another.
#[test]
fn a_file_in_which_something_lies_by_another_name_is_a_conflict() {
    let desk = desk("srv/real", ("srv/l", "real"));
    desk.role(
        "web",
        "[file.\"/srv/l/x\"]\ncontent = \"1\"\n[file.\"/srv/real/x/y\"]\ncontent = \"2\"\n",
    );
    for more in [&["--dry-run"][..], &[]] {
        let (code, told) = run(&desk, more);
        assert_eq!((code, words(&told)), (1, Vec::new()), "{told}");
        let failures = told["failures"].as_array().unwrap();
        assert_eq!(failures.len(), 2, "{told}");
        assert_eq!(
            failures[0]["message"],
            "file:/srv/real/x/y lies in file:/srv/l/x on this machine, at /srv/real/x/y: declare one of them alone"
        );
    }
}
