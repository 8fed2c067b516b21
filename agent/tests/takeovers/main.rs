//! One path over several roles: what takes it over comes when it is free, and what was there before cfg comes back in the end.

mod edits;
mod killed;
mod links;
mod paths;
mod ways;
mod whole;

use cfg_tests::Desk;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::process::Command;

/// A machine on which this was done before cfg came.
fn machine(setup: &str) -> Desk {
    let desk = Desk::new(env!("CARGO_BIN_EXE_cfg"));
    std::fs::create_dir(desk.path("root/srv")).unwrap();
    let mut shell = Command::new("sh");
    let done = shell
        .args(["-ec", setup])
        .current_dir(desk.path("root/srv"));
    assert!(done.status().unwrap().success(), "{setup}");
    desk
}

fn run(desk: &Desk, more: &[&str]) -> (i32, Value) {
    desk.applied("web", &[more, &["--prune"]].concat())
}

/// All that stands in /srv: by path its kind and mode, whose it is, and what it holds or leads to.
fn srv(desk: &Desk) -> BTreeMap<String, String> {
    fn list(folder: &Path, at: &str, found: &mut BTreeMap<String, String>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = format!("{at}/{}", path.file_name().unwrap().to_str().unwrap());
            let seen = path.symlink_metadata().unwrap();
            let holds = match seen.file_type() {
                kind if kind.is_symlink() => path.read_link().unwrap().display().to_string(),
                kind if kind.is_file() => std::fs::read_to_string(&path).unwrap(),
                _ => String::new(),
            };
            if seen.is_dir() {
                list(&path, &name, found);
            }
            let whose = (seen.uid(), seen.gid());
            found.insert(name, format!("{:o} {whose:?} {holds}", seen.mode()));
        }
    }
    let mut found = BTreeMap::new();
    list(&desk.path("root/srv"), "", &mut found);
    found
}

/// What is foretold is done, with the same end, and then there is nothing left to do.
fn applies(desk: &Desk, role: &str) -> Value {
    desk.role("web", role);
    let (foretold, dry) = run(desk, &["--dry-run"]);
    let (code, ran) = run(desk, &[]);
    assert_eq!(dry["changes"], ran["changes"], "{role}");
    assert_eq!(dry["failures"], ran["failures"], "{role}");
    assert_eq!(foretold == 1, code == 1, "{role}: {ran}");
    let (again, idle) = run(desk, &[]);
    assert_eq!((again, &idle["changes"]), (code, &json!([])), "{role}");
    assert_eq!(idle["leftovers"], ran["leftovers"], "{role}");
    ran
}

const NONE: &str = "description = \"none\"\n";
const DIRECTORY: &str = "[directory.\"/srv/p\"]\n";
const LINK: &str = "[link.\"/srv/p\"]\ntarget = \"t\"\n";
const FILE: &str = "[file.\"/srv/p\"]\ncontent = \"x\\n\"\n";
const BELOW: &str = "[file.\"/srv/p/q\"]\ncontent = \"q\\n\"\n";
const NO_MORE: &str = "[file.\"/srv/p/q\"]\nstate = \"absent\"\n";
const MADE: &str = "[edit.\"/srv/p\"]\nformat = \"env\"\ncreate = true\nset = { A = 1 }\n";
const ADDED: &str = "[edit.\"/srv/p\"]\nformat = \"lines\"\nlines = [{ line = \"more\" }]\n";
const DEEP: &str = "[directory.\"/srv/p\"]\n[file.\"/srv/p/a\"]\ncontent = \"a\\n\"\n[file.\"/srv/p/b/c\"]\ncontent = \"c\\n\"\n";
const GONE: &str = "[file.\"/srv/p\"]\nstate = \"absent\"\n";
const NO_DIRECTORY: &str = "[directory.\"/srv/p\"]\nstate = \"absent\"\n";
const NO_LINK: &str = "[link.\"/srv/p\"]\nstate = \"absent\"\n";
const MODE: &str = "[file.\"/srv/p\"]\nmode = \"0640\"\n";
const CLOSED: &str = "[directory.\"/srv/p\"]\nmode = \"0711\"\n";
const OLD: &str = "echo A=0 >p; echo B=1 >>p; chmod 604 p";

fn edit(name: &str, what: &str) -> String {
    format!("[edit.{name}]\npath = \"/srv/p\"\nformat = \"env\"\n{what}\n")
}

/// An edit of a format, with what it says.
fn of(format: &str, name: &str, what: &str) -> String {
    format!("[edit.{name}]\npath = \"/srv/p\"\nformat = \"{format}\"\n{what}\n")
}

/// All of these roles get there, one after the other, and then the machine is as it was.
fn comes_back(cases: &[(&str, &[&str])]) {
    comes_back_after(cases, false);
}

fn comes_back_after(cases: &[(&str, &[&str])], failing: bool) {
    for (setup, roles) in cases {
        let desk = machine(setup);
        let before = srv(&desk);
        let mut failed = false;
        for role in *roles {
            failed |= applies(&desk, role)["failures"] != json!([]);
        }
        assert_eq!(failed, failing, "{setup}: {roles:?}");
        let ran = applies(&desk, NONE);
        assert_eq!(ran["leftovers"], json!([]), "{setup}: {roles:?}");
        assert_eq!(srv(&desk), before, "{setup}: {roles:?}");
    }
}
