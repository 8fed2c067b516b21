//! What leaves a role is shown until it is gone.

use cfg_tests::Desk;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

fn apply(desk: &Desk, role: &str, more: &[&str]) -> (i32, String) {
    let (code, output) = desk.apply(role, more);
    let said = String::from_utf8(output.stdout.clone()).unwrap();
    assert!(!said.is_empty(), "{output:?}");
    (code, said)
}

fn document(desk: &Desk, role: &str, more: &[&str]) -> Value {
    let (_, said) = apply(desk, role, &[more, &["--json"]].concat());
    serde_json::from_str(&said).unwrap()
}

fn leftovers(desk: &Desk, role: &str, more: &[&str]) -> Value {
    document(desk, role, more)["leftovers"].clone()
}

/// Everything below the root but what cfg knows: by path its mode, and what it holds or leads to.
fn tree(desk: &Desk) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    list(&desk.path("root"), "", &mut found);
    let own = PathBuf::from("/").join(state(desk).strip_prefix(desk.path("root")).unwrap());
    found.retain(|path, _| !Path::new(path).starts_with(&own) && !own.starts_with(path));
    found
}

/// Where cfg keeps what it knows of the root.
fn state(desk: &Desk) -> PathBuf {
    let below = desk.path("state");
    desk.path("root").join(below.strip_prefix("/").unwrap())
}

/// All contents of before that are kept.
fn former(desk: &Desk) -> Vec<PathBuf> {
    let listing = std::fs::read_dir(state(desk).join("former"));
    let entries = listing.into_iter().flatten();
    entries.map(|entry| entry.unwrap().path()).collect()
}

fn list(folder: &Path, at: &str, found: &mut BTreeMap<String, String>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = format!("{at}/{}", path.file_name().unwrap().to_str().unwrap());
        let seen = path.symlink_metadata().unwrap();
        let mode = seen.permissions().mode() & 0o7777;
        if seen.is_symlink() {
            let target = std::fs::read_link(&path).unwrap();
            found.insert(name, format!("-> {}", target.display()));
        } else if seen.is_dir() {
            found.insert(name.clone(), format!("{mode:o}"));
            list(&path, &name, found);
        } else {
            let text = String::from_utf8(std::fs::read(&path).unwrap()).unwrap();
            found.insert(name, format!("{mode:o} {text}"));
        }
    }
}

const WEB: &str = r#"
[file."/srv/app/a.conf"]
content = "a\n"
[file."/srv/app/b.conf"]
content = "b\n"
[directory."/srv/data"]
[link."/srv/current"]
target = "app"
[file."/srv/app/nothing"]
state = "absent"
"#;

#[test]
fn what_leaves_a_role_is_shown_until_it_is_gone() {
    let desk = Desk::new(env!("CARGO_BIN_EXE_cfg"));
    desk.role("web", WEB);
    assert_eq!(leftovers(&desk, "web", &["--dry-run"]), json!([]));
    assert_eq!(leftovers(&desk, "web", &[]), json!([]));

    // One file leaves, then the machine gets another role.
    let b = WEB.split_once("[file.\"/srv/app/b.conf\"]\ncontent = \"b\\n\"\n");
    desk.role("web", &[b.unwrap().0, b.unwrap().1].concat());
    let left = |name: &str, role: &str| json!({ "resource": name, "role": role });
    for more in [&["--dry-run"][..], &[], &[]] {
        let wanted = json!([left("file:/srv/app/b.conf", "web")]);
        assert_eq!(leftovers(&desk, "web", more), wanted, "{more:?}");
    }
    desk.role("db", "[file.\"/srv/app/db.conf\"]\ncontent = \"db\\n\"\n");
    for more in [&["--dry-run"][..], &[], &[]] {
        let wanted = json!([
            left("directory:/srv/data", "web"),
            left("file:/srv/app/a.conf", "web"),
            left("file:/srv/app/b.conf", "web"),
            left("link:/srv/current", "web"),
        ]);
        assert_eq!(leftovers(&desk, "db", more), wanted, "{more:?}");
    }
    let (code, said) = apply(&desk, "db", &[]);
    assert_eq!(code, 0, "what is left over is no failure");
    assert!(
        said.contains("link:/srv/current  left over from the role web"),
        "{said}"
    );
    assert!(
        said.contains("nothing changed, 1 in sync, 4 left over"),
        "{said}"
    );
    let only = ["--only", "file:/srv/app/db.conf"];
    assert_eq!(leftovers(&desk, "db", &only), json!([]), "a part has none");
    assert_eq!(leftovers(&desk, "db", &[]).as_array().unwrap().len(), 4);

    // Gone by hand, come back, taken over.
    std::fs::remove_file(desk.path("root/srv/app/b.conf")).unwrap();
    desk.role(
        "db",
        "[file.\"/srv/app/a.conf\"]\ncontent = \"db\\n\"\n[link.\"/srv/data\"]\ntarget = \"app\"\n",
    );
    assert_eq!(
        leftovers(&desk, "db", &[]),
        json!([
            left("file:/srv/app/db.conf", "db"),
            left("link:/srv/current", "web")
        ])
    );
}

#[test]
fn what_was_only_planned_is_not_on_record() {
    let desk = Desk::new(env!("CARGO_BIN_EXE_cfg"));
    desk.role("web", WEB);
    desk.write("root/srv/app/a.conf", "of somebody else\n");
    apply(&desk, "web", &["--dry-run"]);
    let only = ["--only", "file:/srv/app/b.conf"];
    apply(&desk, "web", &only);
    desk.role("web", "");
    let left = json!([{ "resource": "file:/srv/app/b.conf", "role": "web" }]);
    assert_eq!(leftovers(&desk, "web", &[]), left);
}

/// A machine on which somebody had this and that before cfg came.
fn lived_in() -> Desk {
    let desk = Desk::new(env!("CARGO_BIN_EXE_cfg"));
    for (name, text) in [
        ("app.conf", "old\n"),
        ("only-mode", "theirs\n"),
        ("app.ini", "[s]\na = 1 ; why\nb = 2\n"),
        ("app.json", "{\n  \"a\": { }, \"n\": [1, 1e400]\n}\n"),
        (
            "old.ini",
            "[s]\na = 1\n\n# of t\n[t]\nb = 2\n; why\nb = 3\n",
        ),
        ("lines", "one\ntwo\n"),
        ("unwanted", "dear\n"),
    ] {
        desk.write(&format!("root/etc/{name}"), text);
    }
    let secret = desk.path("root/etc/app.conf");
    std::fs::set_permissions(secret, PermissionsExt::from_mode(0o640)).unwrap();
    for (empty, mode) in [("theirs", 0o755), ("file", 0o700), ("link", 0o750)] {
        let empty = desk.path(&format!("root/srv/{empty}"));
        std::fs::create_dir_all(&empty).unwrap();
        std::fs::set_permissions(empty, PermissionsExt::from_mode(mode)).unwrap();
    }
    symlink("elsewhere", desk.path("root/etc/resolv.conf")).unwrap();
    symlink("old", desk.path("root/srv/current")).unwrap();
    desk
}

const ALL: &str = r#"
[file."/etc/app.conf"]
content = "new\n"
mode = "0600"
[file."/etc/only-mode"]
mode = "0600"
[file."/etc/resolv.conf"]
content = "nameserver 10.0.0.1\n"
[file."/etc/unwanted"]
state = "absent"
[file."/srv/deep/er/f"]
content = "f\n"
[file."/srv/file"]
content = "f\n"
[link."/srv/link"]
target = "app"
[directory."/srv/theirs"]
mode = "0700"
[directory."/srv/own"]
[directory."/srv/own/inner"]
[file."/srv/own/inner/f"]
content = "f\n"
[link."/srv/current"]
target = "app"
[link."/srv/new"]
target = "app"
[edit."/etc/app.ini"]
format = "ini"
set = { s = { a = 3, c = 4 } }
remove = ["s.b"]
[edit."/etc/app.json"]
format = "json"
set = { a = { b = { c = 1 } }, d = { e = 2 }, n = 1 }
[edit."/etc/old.ini"]
format = "ini"
set = { u = { c = 1 } }
remove = ["[t]"]
[edit.lines]
path = "/etc/lines"
format = "lines"
lines = [{ line = "uno", match = "^one" }, { line = "three" }]
[edit."/etc/made"]
format = "env"
set = { A = "1" }
create = true
"#;

#[test]
fn what_leaves_a_role_is_brought_back_to_what_was_there_before() {
    for (text, more) in [("leftovers = \"revert\"\n", &[][..]), ("", &["--prune"])] {
        let desk = lived_in();
        let before = tree(&desk);
        desk.role("web", ALL);
        assert_eq!(apply(&desk, "web", &[]).0, 0);
        let managed = tree(&desk);
        assert_ne!(managed, before);
        assert_eq!(document(&desk, "web", &[])["result"], "converged");
        assert!(!former(&desk).is_empty());
        for kept in former(&desk) {
            let mode = kept.metadata().unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600, "{kept:?}");
        }

        desk.role("web", text);
        let promised = document(&desk, "web", &[more, &["--dry-run"]].concat());
        assert_eq!(tree(&desk), managed, "a dry run changes nothing");
        assert_eq!(promised["leftovers"], json!([]));
        let ran = document(&desk, "web", more);
        assert_eq!(ran["result"], "applied", "{ran:#}");
        assert_eq!(ran["changes"], promised["changes"]);
        assert_eq!(ran["unforeseen"], Value::Null);
        assert_eq!(before, tree(&desk));
        let again = document(&desk, "web", more);
        assert_eq!(again["result"], "converged", "{again:#}");
        assert_eq!(again["leftovers"], json!([]));
        assert_eq!(leftovers(&desk, "web", &[]), json!([]));
        assert!(former(&desk).is_empty(), "what nobody wants any more");
    }
}

#[test]
fn an_edit_is_brought_back_beside_what_somebody_else_has_changed_since() {
    let desk = lived_in();
    desk.role("web", ALL);
    apply(&desk, "web", &[]);
    desk.write("root/etc/app.ini", "[s]\na = 3\nc = 4\nx = 5\n");
    desk.role("web", "");
    assert_eq!(leftovers(&desk, "web", &["--prune"]), json!([]));
    let after = tree(&desk);
    let mut lines: Vec<&str> = after["/etc/app.ini"].lines().collect();
    lines.sort_unstable();
    assert_eq!(lines, ["644 [s]", "a = 1 ; why", "b = 2", "x = 5"]);
}

#[test]
fn an_edit_that_came_to_say_something_else_is_brought_back_whole() {
    let desk = lived_in();
    let before = tree(&desk);
    for set in ["{ s = { a = 3 } }", "{ s = { c = 4 }, v = { d = 5 } }"] {
        let edit = format!("[edit.\"/etc/old.ini\"]\nformat = \"ini\"\nset = {set}\n");
        desk.role("web", &edit);
        apply(&desk, "web", &[]);
    }
    desk.role("web", "");
    assert_eq!(leftovers(&desk, "web", &["--prune"]), json!([]));
    assert_eq!(tree(&desk), before);
}

#[test]
fn what_somebody_else_has_changed_since_is_left_to_him() {
    let desk = lived_in();
    desk.role("web", ALL);
    apply(&desk, "web", &[]);
    desk.write("root/etc/app.conf", "of an operator\n");
    desk.write("root/srv/own/theirs", "of an operator\n");
    desk.write("root/etc/lines", "eins\ntwo\nthree\n");
    std::fs::remove_file(desk.path("root/srv/current")).unwrap();
    symlink("operators", desk.path("root/srv/current")).unwrap();
    desk.role("db", "");
    let changed = "somebody has changed it since cfg did";
    let left = |name: &str, why: &str| json!({ "resource": name, "role": "web", "why": why });
    let wanted = json!([
        left(
            "directory:/srv/own",
            "it is not empty: /srv/own/theirs stands in it"
        ),
        left("file:/etc/app.conf", changed),
        left("link:/srv/current", changed),
        left("edit:lines", changed),
    ]);
    for more in [&["--prune", "--dry-run"][..], &["--prune"], &["--prune"]] {
        let document = document(&desk, "db", more);
        assert_eq!(document["leftovers"], wanted, "{more:?}");
        assert_eq!(document["failures"], json!([]));
    }
    let tree = tree(&desk);
    assert_eq!(tree["/srv/own/theirs"], "644 of an operator\n");
    assert_eq!(tree["/etc/app.conf"], "600 of an operator\n");
    assert!(!tree.contains_key("/srv/own/inner"));
    let (_, said) = apply(&desk, "db", &["--prune"]);
    assert!(said.contains("file:/etc/app.conf  left over"), "{said}");
    assert!(said.contains(changed), "{said}");
}

#[test]
fn what_was_managed_before_there_was_a_record_is_shown() {
    let desk = lived_in();
    desk.role("web", WEB);
    apply(&desk, "web", &[]);
    let managed = state(&desk).join("managed.json");
    let old = r#"{"file:/srv/app/a.conf":{"role":"web"},"directory:/srv/data":{"role":"web"}}"#;
    std::fs::write(managed, old).unwrap();
    // What is in the role still has no better record for being seen again.
    apply(&desk, "web", &["--only", "file:/srv/app/a.conf"]);
    desk.role("web", "leftovers = \"revert\"\n");
    let document = document(&desk, "web", &[]);
    assert_eq!(document["result"], "converged", "{document:#}");
    let whys: Vec<(&str, &str)> = document["leftovers"]
        .as_array()
        .unwrap()
        .iter()
        .map(|left| {
            (
                left["resource"].as_str().unwrap(),
                left["why"].as_str().unwrap(),
            )
        })
        .collect();
    assert_eq!(
        whys,
        [
            (
                "directory:/srv/data",
                "it is of a time when cfg did not keep what was there before"
            ),
            (
                "file:/srv/app/a.conf",
                "what was there before cfg is not known"
            ),
        ]
    );
}

#[test]
fn a_part_of_a_role_reverts_nothing() {
    let desk = Desk::new(env!("CARGO_BIN_EXE_cfg"));
    desk.role("web", WEB);
    apply(&desk, "web", &[]);
    desk.role(
        "web",
        "leftovers = \"revert\"\n[file.\"/x\"]\ncontent = \"x\"\n",
    );
    let before = tree(&desk);
    let document = document(&desk, "web", &["--only", "file:/x"]);
    assert_eq!(document["leftovers"], json!([]));
    assert_eq!(tree(&desk).len(), before.len() + 1);
    assert_eq!(desk.cfg("apply --prune --only file:/x").0, 64);
}

#[test]
fn a_leftover_is_explained() {
    let desk = lived_in();
    desk.role("web", ALL);
    apply(&desk, "web", &[]);
    desk.role("db", "");
    let explain = |name: &str, more: &[&str]| {
        let words = [
            "explain",
            name,
            "--catalog",
            "roles",
            "--role",
            "db",
            "--root",
            "root",
        ];
        let output = desk.command().args(words).args(more).output().unwrap();
        let said = String::from_utf8(output.stdout).unwrap();
        (output.status.code(), said)
    };
    for (name, words) in [
        ("file:/etc/app.conf", "0640"),
        ("file:/etc/app.conf", "of 4 bytes, which are kept"),
        ("file:/etc/resolv.conf", "Before cfg: a link to elsewhere"),
        ("link:/srv/new", "- link:/srv/new  remove"),
        ("directory:/srv/own", "left over from the role web"),
        ("edit:lines", "1 former values or lines, 1 that were not"),
        ("edit:lines", "A revert (leftovers"),
    ] {
        let (code, said) = explain(name, &[]);
        assert_eq!(code, Some(0));
        assert!(said.contains(words), "{name}: {said}");
    }
    desk.write("root/etc/app.conf", "of an operator\n");
    let (_, said) = explain("file:/etc/app.conf", &["--json"]);
    let said: Value = serde_json::from_str(&said).unwrap();
    assert_eq!(said["leftover"], true);
    assert_eq!(said["changes"], json!([]));
    let why = &said["leftovers"][0]["why"];
    assert_eq!(why, "somebody has changed it since cfg did");
    assert_eq!(explain("file:/nowhere", &[]).0, Some(64));
    // It is nobody else's business.
    desk.role("db", "[file.\"/etc/other\"]\ncontent = \"x\"\n");
    let (_, said) = explain("file:/etc/other", &[]);
    assert!(said.contains("+ file:/etc/other  create"), "{said}");
    assert!(!said.contains("left over"), "{said}");
    let resources = ALL.lines().filter(|line| line.starts_with('['));
    let left = leftovers(&desk, "db", &[]);
    assert_eq!(left.as_array().unwrap().len(), resources.count());
}

/// The record of a role that changes nothing is damaged, and cfg is made to believe that it has read it.
fn damage_unread(desk: &Desk) {
    let note = state(desk).join("settled.json");
    let mut settled: Value = serde_json::from_slice(&std::fs::read(&note).unwrap()).unwrap();
    std::fs::write(state(desk).join("managed.json"), "{").unwrap();
    settled["record"] = json!(cfg_catalog::digest::Digest::of(b"{"));
    std::fs::write(note, settled.to_string()).unwrap();
}

#[test]
fn the_record_is_read_only_where_a_run_may_make_it_another() {
    let file = |path: &str, content: &str| format!("[file.\"{path}\"]\ncontent = \"{content}\"\n");
    let desk = Desk::new(env!("CARGO_BIN_EXE_cfg"));
    desk.write("root/srv/a", "of before");
    desk.role("web", &file("/srv/a", "of cfg"));
    for _run in 0..2 {
        apply(&desk, "web", &[]);
    }
    let record = std::fs::read(state(&desk).join("managed.json")).unwrap();
    let note = std::fs::read(state(&desk).join("settled.json")).unwrap();
    damage_unread(&desk);
    for more in [&[][..], &["--dry-run"]] {
        assert_eq!(document(&desk, "web", more)["result"], "converged");
    }
    // Whatever makes it count has it read.
    let reads = |role: &str, more: &[&str]| {
        let (_, output) = desk.apply(role, more);
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(said.contains("managed.json is damaged"), "{more:?}: {said}");
    };
    reads("web", &["--prune"]);
    reads("web", &["--only", "file:/srv/a"]);
    desk.role("db", &file("/srv/a", "of cfg"));
    reads("db", &[]);
    desk.write("root/srv/a", "of somebody");
    reads("web", &[]);
    desk.write("root/srv/a", "of cfg");
    // Another record than the one that was seen to be settled is read as well.
    std::fs::write(state(&desk).join("managed.json"), "{ ").unwrap();
    reads("web", &[]);
    // And what was there before is on record still, whatever was not read meanwhile.
    std::fs::write(state(&desk).join("managed.json"), record).unwrap();
    std::fs::write(state(&desk).join("settled.json"), note).unwrap();
    desk.write("root/srv/a", "of somebody");
    desk.role("web", &(file("/srv/a", "of cfg") + &file("/srv/b", "more")));
    for _run in 0..3 {
        apply(&desk, "web", &[]);
    }
    desk.role("web", "");
    apply(&desk, "web", &["--prune"]);
    assert_eq!(tree(&desk)["/srv/a"], "644 of before");
    assert!(!tree(&desk).contains_key("/srv/b"));
}
