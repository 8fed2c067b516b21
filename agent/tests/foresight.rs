//! What a run cannot do, its dry run tells of: in the same words, with the same exit code, and nothing else.

use cfg_tests::Desk;
use cfg_tests::tar::{FILE, tar};
use serde_json::Value;
use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::process::Command;

const NOBODY: u32 = 65534;

fn desk() -> Desk {
    Desk::new(env!("CARGO_BIN_EXE_cfg"))
}

/// What came of a dry run and of the run after it, which must be the same.
fn both(run: impl Fn(&[&str]) -> (i32, Value)) -> (i32, Value) {
    let (foretold, dry) = run(&["--dry-run"]);
    let (code, ran) = run(&[]);
    for key in ["changes", "failures", "held", "counts"] {
        assert_eq!(dry[key], ran[key], "{key}: {dry:#}\n{ran:#}");
    }
    assert!(ran["unforeseen"].is_null(), "{ran:#}");
    assert!(foretold == code || (foretold, code) == (2, 0), "{dry:#}");
    (code, ran)
}

fn apply(desk: &Desk) -> (i32, Value) {
    both(|more| desk.applied("web", more))
}

#[test]
fn an_archive_that_cannot_be_unpacked() {
    for (bytes, told) in [
        (tar(&[("../out", FILE, "")]), "leads out"),
        (tar(&[("device", b'3', "")]), "a device"),
        (tar(&[("name", b'1', "missing")]), "what is not in it"),
        (tar(&[("link", b'2', "/etc")]), "may lead out"),
        (b"no tar".repeat(200), "it is no tar"),
    ] {
        let desk = desk();
        desk.role(
            "web",
            "[archive.'/opt/app']\nsource = \"app.tar\"\n[file.'/opt/app/conf']\ncontent = \"\"\n\
             [file.'/srv/beside']\ncontent = \"\"\nafter = ['archive:/opt/app']\n",
        );
        desk.write("roles/web/app.tar", bytes);
        let (code, ran) = apply(&desk);
        let failure = &ran["failures"][0];
        assert_eq!(
            (code, &failure["resource"]),
            (1, &"archive:/opt/app".into())
        );
        let message = failure["message"].as_str().unwrap();
        assert!(message.contains(told), "{message}");
        assert_eq!(
            failure["skipped"],
            serde_json::json!(["file:/opt/app/conf", "file:/srv/beside"])
        );
    }
    let desk = desk();
    desk.role("web", "[archive.'/opt/app']\nsource = \"app.tar\"\n");
    desk.write("roles/web/app.tar", tar(&[("name", FILE, "")]));
    let (code, ran) = apply(&desk);
    assert_eq!(
        (code, &ran["changes"][0]["certainty"]),
        (0, &"certain".into())
    );
}

#[test]
fn what_is_roots_below_an_ordinary_users_root() {
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let desk = desk();
    fs::set_permissions(desk.path(""), Permissions::from_mode(0o755)).unwrap();
    cfg_tests::copy_program(env!("CARGO_BIN_EXE_cfg"), desk.path("cfg"));
    desk.write("root/etc/roots", "old");
    desk.write("root/etc/mode", "");
    desk.write("root/etc/edited", "");
    desk.write("root/srv/roots/gone", "");
    desk.write("root/srv/purged/roots/x", "");
    desk.write("root/srv/purged/own", "");
    desk.write("root/etc/secret", "");
    desk.write("root/srv/closed/x", "");
    desk.write("root/srv/opened/old", "");
    for (path, mode) in [
        ("etc/secret", 0o600),
        ("srv/closed", 0o700),
        ("srv/opened", 0o500),
    ] {
        let path = desk.path("root").join(path);
        fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
    }
    for folder in [
        "",
        "root",
        "root/etc",
        "root/srv",
        "root/srv/purged",
        "root/srv/opened",
    ] {
        chown(desk.path(folder), Some(NOBODY), Some(NOBODY)).unwrap();
    }
    desk.role(
        "web",
        "[file.'/etc/roots']\ncontent = \"new\"\n[file.'/etc/mode']\nmode = \"0600\"\n\
         [file.'/etc/secret']\ncontent = \"x\"\n[file.'/etc/own']\ncontent = \"\"\n[file.'/srv/roots/new']\ncontent = \"\"\n\
         [file.'/srv/roots/gone']\nstate = \"absent\"\n[directory.'/srv/roots']\nmode = \"0700\"\n\
         [edit.'/etc/edited']\nformat = \"lines\"\nlines = [{ line = \"x\" }]\n\
         [link.'/srv/roots/a/link']\ntarget = \"x\"\n[directory.'/srv/purged']\npurge = true\n\
         [file.'/srv/closed/x']\ncontent = \"\"\n[link.'/srv/closed/deep/x']\ntarget = \"x\"\n\
         [directory.'/srv/opened']\nmode = \"0700\"\n[file.'/srv/opened/new']\ncontent = \"\"\n\
         [directory.'/srv/shut']\nmode = \"0500\"\n[file.'/srv/shut/a/new']\ncontent = \"\"\n\
         [file.'/srv/blind']\ncontent = \"\"\nmode = \"0000\"\n[command.c]\nrun = \"true\"\nunless = \"false\"\n",
    );
    let run = |more: &[&str]| as_nobody(&desk, more);
    let (code, ran) = both(run);
    assert_eq!(code, 3, "{ran:#}");
    let held: Vec<&str> = ran["held"]
        .as_array()
        .unwrap()
        .iter()
        .map(|held| held["resource"].as_str().unwrap())
        .collect();
    assert_eq!(
        held,
        [
            "directory:/srv/purged",
            "directory:/srv/roots",
            "file:/etc/mode",
            "file:/etc/roots",
            "file:/etc/secret",
            "file:/srv/blind",
            "file:/srv/closed/x",
            "file:/srv/roots/gone",
            "file:/srv/roots/new",
            "file:/srv/shut/a/new",
            "link:/srv/closed/deep/x",
            "link:/srv/roots/a/link",
            "edit:/etc/edited",
            "command:c",
        ]
    );
    let (again, second) = both(run);
    assert_eq!((again, &second["changes"]), (3, &serde_json::json!([])));
    assert!(desk.path("root/srv/opened/new").exists());
}

/// What comes of a run of an ordinary user, by the program that lies in this folder.
fn as_nobody(desk: &Desk, more: &[&str]) -> (i32, Value) {
    let mut program = desk.at(Command::new("setpriv"));
    let who = format!("--reuid={NOBODY}");
    let of = format!("--regid={NOBODY}");
    program.args([&who, &of, "--clear-groups", "--"]);
    program
        .arg(desk.path("cfg"))
        .args(cfg_tests::desk::apply("web"));
    let output = program.args(more).arg("--json").output().unwrap();
    let document = serde_json::from_slice(&output.stdout);
    let document = document.unwrap_or_else(|error| panic!("{error}: {output:?}"));
    (output.status.code().unwrap(), document)
}

#[test]
fn what_an_ordinary_user_shuts_himself_out_of() {
    if !rustix::process::geteuid().is_root() {
        return;
    }
    for below in [
        "[file.'/srv/d/f']\ncontent = \"x\"\n",
        "[file.'/srv/d/e/f']\ncontent = \"x\"\n",
        "[file.'/srv/d/old']\nstate = \"absent\"\n",
        "[directory.'/srv/d/e']\n",
        "[link.'/srv/d/l']\ntarget = \"x\"\n",
    ] {
        let desk = desk();
        fs::set_permissions(desk.path(""), Permissions::from_mode(0o755)).unwrap();
        cfg_tests::copy_program(env!("CARGO_BIN_EXE_cfg"), desk.path("cfg"));
        desk.write("root/srv/d/old", "");
        for path in ["", "root", "root/srv", "root/srv/d"] {
            chown(desk.path(path), Some(NOBODY), Some(NOBODY)).unwrap();
        }
        let role = format!("[directory.'/srv/d']\nmode = \"0600\"\n{below}");
        desk.role("web", &role);
        let run = |more: &[&str]| as_nobody(&desk, more);
        let (code, ran) = both(run);
        let shut = &ran["changes"][0]["resource"];
        assert_eq!((code, shut), (3, &"directory:/srv/d".into()), "{ran:#}");
        assert_eq!(ran["counts"]["held"], 1, "{ran:#}");
        let (again, second) = both(run);
        assert_eq!((again, &second["changes"]), (3, &serde_json::json!([])));
    }
}

/// An effect whose agent was killed, with how it ended.
fn effect(desk: &Desk, ended: Option<&str>) {
    let state = desk.path("state");
    let folder = format!("root{}/effects/cfg-effect-x", state.display());
    let task = serde_json::json!({
        "what": "command:c", "argv": ["true"], "env": {}, "user": null, "cwd": "/", "root": "/", "timeout_s": 60,
        "settles": { "command": "command:c", "inputs": {} }
    });
    desk.write(&format!("{folder}/task.json"), task.to_string());
    if let Some(ended) = ended {
        desk.write(&format!("{folder}/outcome.json"), ended);
    }
}

#[test]
fn what_may_be_under_way_still() {
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let desk = desk();
    fs::create_dir(desk.path("root/etc")).unwrap();
    desk.role(
        "web",
        "[file.'/etc/a']\ncontent = \"\"\n[command.c]\nrun = \"true\"\non = ['file:/etc/none*']\n",
    );
    let dry = || {
        let (code, output) = desk.apply("web", &["--dry-run", "--json"]);
        let document: Value = serde_json::from_slice(&output.stdout).unwrap();
        let changes = document["changes"].as_array().unwrap().iter();
        let words = changes.map(|change| {
            let word = |key: &str| change[key].as_str().unwrap().to_owned();
            format!("{} {}", word("resource"), word("certainty"))
        });
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        let told = told.contains("a run would wait for command:c of an earlier run first");
        (code, words.collect::<Vec<_>>(), told)
    };
    let (_, changes, told) = dry();
    assert_eq!(changes, ["file:/etc/a certain", "command:c certain"]);
    assert!(!told);
    effect(&desk, None);
    // It was killed with all that watched it.
    assert_eq!(dry().1, ["file:/etc/a certain", "command:c certain"]);
    let state = desk.path("state");
    let lock = format!("root{}/effects/cfg-effect-x/lock", state.display());
    desk.write(&lock, "");
    let lock = fs::File::open(desk.path(&lock)).unwrap();
    let exclusive = rustix::fs::FlockOperation::LockExclusive;
    rustix::fs::flock(&lock, exclusive).unwrap();
    let (code, changes, told) = dry();
    assert_eq!(code, 2);
    assert_eq!(changes, ["file:/etc/a assumed", "command:c assumed"]);
    assert!(told);
    drop(lock);
    // It has ended well, and so it is not run again.
    effect(&desk, Some("{\"exited\":0}"));
    let (_, changes, told) = dry();
    assert_eq!(
        (changes, told),
        (vec!["file:/etc/a certain".to_owned()], false)
    );
    effect(&desk, Some("{\"exited\":1}"));
    assert_eq!(dry().1, ["file:/etc/a certain", "command:c certain"]);
}
