//! A machine below `--root`, and the round that a role takes on it.

use cfg_tests::Desk;
use serde_json::Value;
use std::collections::BTreeMap;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::Path;
use std::process::Command;

pub const UNIT: &str = "[Service]\nExecStart=/bin/true\n[Install]\nWantedBy=multi-user.target\n";

/// A machine, and roles that it has one after the other.
pub struct Case {
    pub desk: Desk,
    before: BTreeMap<String, String>,
}

impl Case {
    /// The machine is made by this script, in its root; there `f PATH` writes a unit.
    pub fn new(script: &str) -> Self {
        let desk = Desk::new(env!("CARGO_BIN_EXE_cfg"));
        let root = desk.path("root");
        let f = format!(
            "f() {{ printf '{}' >\"$1\"; }}; mkdir etc; ",
            UNIT.replace('\n', "\\n")
        );
        let shell = Command::new("sh")
            .args(["-ec", &(f + script)])
            .current_dir(&root)
            .status();
        assert!(shell.unwrap().success(), "{script}");
        let before = tree(&desk);
        Self { desk, before }
    }

    fn run(&self, role: &str, more: &[&str]) -> (i32, Value) {
        self.desk.applied(role, more)
    }

    /// Dry run, run and second run of a role; gives what the run made.
    pub fn role(&self, name: &str, text: &str) -> (i32, Value) {
        self.desk.role(name, text);
        self.desk.write(&format!("roles/{name}/u"), UNIT);
        self.desk
            .write(&format!("roles/{name}/x"), UNIT.replace("multi-user", "x"));
        self.desk.write(
            &format!("roles/{name}/k.asc"),
            "-----BEGIN PGP PUBLIC KEY BLOCK-----\n",
        );
        let prune: &[&str] = if name == "web" { &[] } else { &["--prune"] };
        let (foretold, dry) = self.run(name, &[prune, &["--dry-run"]].concat());
        let (code, ran) = self.run(name, prune);
        assert_eq!(names(&dry), names(&ran), "{text}: {dry:#}\n{ran:#}");
        assert_eq!(dry["failures"], ran["failures"], "{text}");
        assert!(
            foretold == code || (foretold, code) == (2, 0),
            "{text}: {dry:#}"
        );
        let (again, second) = self.run(name, prune);
        assert_eq!(
            (names(&second), again),
            (Vec::new(), code),
            "{text}: {second:#}"
        );
        (code, ran)
    }

    /// It leaves its role.
    pub fn leaves(&self) {
        let (code, ran) = self.role("none", "description = \"x\"\n");
        assert_eq!(code, 0, "{ran:#}");
        assert_eq!(tree(&self.desk), self.before, "{ran:#}");
    }
}

pub fn names(document: &Value) -> Vec<String> {
    let changes = document["changes"].as_array().unwrap();
    let name =
        |change: &Value| format!("{} {}", change["action"], change["resource"]).replace('"', "");
    changes.iter().map(name).collect()
}

/// What stands there, but for what cfg knows and what the tools of accounts keep for themselves.
fn tree(desk: &Desk) -> BTreeMap<String, String> {
    fn list(folder: &Path, found: &mut BTreeMap<String, String>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let seen = path.symlink_metadata().unwrap();
            let mode = seen.permissions().mode();
            let holds = match seen.file_type() {
                kind if kind.is_symlink() => format!("{:?}", path.read_link().unwrap()),
                kind if kind.is_dir() => format!("{mode:o}"),
                _ => {
                    let text = String::from_utf8_lossy(&std::fs::read(&path).unwrap()).into_owned();
                    format!("{mode:o} {} {text}", seen.uid())
                }
            };
            found.insert(path.display().to_string(), holds);
            if seen.is_dir() {
                list(&path, found);
            }
        }
    }
    let mut found = BTreeMap::new();
    for folder in ["etc", "home", "mnt", "srv"].map(|name| desk.path("root").join(name)) {
        if folder.is_dir() {
            found.insert(folder.display().to_string(), String::new());
            list(&folder, &mut found);
        }
    }
    found.retain(|path, _| !path.ends_with('-') && !path.ends_with(".pwd.lock"));
    found
}
