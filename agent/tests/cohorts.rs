//! A cohort that is not complete: what reads it waits, all else goes on, and nothing that was made of it is taken away.

use serde_json::Value;
use std::path::PathBuf;
use std::process::{Command, Output};

const ROLE: &str = r#"
[fleet]
wait_for = { zk = 3 }

[file."/etc/motd"]
content = "hello\n"

[directory."/etc/peers"]
purge = true

[file."/etc/peers/{{ item.name }}"]
each = "fleet.peers()"
content = "{{ item.address }}\n"

[file."/etc/third"]
content = "{{ fleet.members('zk')[2].address }}\n"

[directory."/etc/quorum-{{ fleet.peers() | length // 2 + 1 }}"]

[edit.hosts]
path = "/etc/peers/extra"
format = "lines"
lines = [{ line = "{% for peer in fleet.peers() %}{{ peer.name }} {% endfor %}" }]
create = true
"#;

struct Desk(tempfile::TempDir);

impl Desk {
    fn new() -> Self {
        let desk = Self(tempfile::tempdir().unwrap());
        for folder in ["roles/zk", "root/etc"] {
            std::fs::create_dir_all(desk.path(folder)).unwrap();
        }
        desk.write("roles/zk/role.toml", ROLE);
        desk.write("agent.toml", "");
        desk
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path(name), text).unwrap();
    }

    /// So many members have enrolled.
    fn enrolled(&self, ids: &[u32]) {
        let member = |id: &u32| {
            format!(
                "[[roles.zk]]\nid = {id}\nname = \"zk-{id}\"\naddress = \"10.0.0.{id}\"\nos = \"debian\"\n\
                 arch = \"amd64\"\ncpus = 1\nmemory_mb = 512\n"
            )
        };
        let text: String = ids.iter().map(member).collect();
        self.write("fleet.toml", &text);
    }

    fn cfg(&self, line: &str) -> Output {
        Command::new(env!("CARGO_BIN_EXE_cfg"))
            .args(line.split(' '))
            .args([
                "--catalog",
                "roles",
                "--role",
                "zk",
                "--fleet",
                "fleet.toml",
            ])
            .current_dir(&self.0)
            .env("CFG_CONFIG", self.path("agent.toml"))
            .output()
            .unwrap()
    }

    /// A run as its exit code and document.
    fn run(&self, line: &str) -> (i32, Value) {
        let output = self.cfg(format!("apply --json --root root {line}").trim_end());
        let document = serde_json::from_slice(&output.stdout);
        let document = document.unwrap_or_else(|_| panic!("{line}: {output:?}"));
        (output.status.code().unwrap(), document)
    }

    fn text(&self, line: &str) -> String {
        let output = self.cfg(line);
        assert!(output.status.success(), "{line}: {output:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// What stands below /etc.
    fn etc(&self) -> Vec<String> {
        let mut found = Vec::new();
        let mut open = vec![self.path("root/etc")];
        while let Some(folder) = open.pop() {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                let name = path.strip_prefix(self.path("root/etc")).unwrap();
                found.push(name.display().to_string());
                if path.is_dir() {
                    open.push(path);
                }
            }
        }
        found.sort();
        found
    }
}

fn held(document: &Value) -> Vec<String> {
    let held = document["held"].as_array().unwrap();
    let word = |held: &Value| {
        assert_eq!(held["why"], "cohort");
        format!(
            "{} {}",
            held["resource"].as_str().unwrap(),
            held["detail"].as_str().unwrap()
        )
    };
    held.iter().map(word).collect()
}

const WAITING: [&str; 4] = [
    "edit:hosts waiting for zk: 2 of 3",
    "file:/etc/third waiting for zk: 2 of 3",
    "directory:/etc/quorum-{{ fleet.peers() | length // 2 + 1 }} waiting for zk: 2 of 3",
    "file:/etc/peers/{{ item.name }} waiting for zk: 2 of 3",
];

#[test]
fn what_reads_the_members_waits_and_the_rest_goes_on() {
    let desk = Desk::new();
    desk.enrolled(&[1, 2]);
    let (code, plan) = desk.run("--dry-run");
    assert_eq!((code, plan["result"].as_str()), (3, Some("waiting")));
    let mut told = held(&plan);
    told.sort();
    let mut waiting = WAITING.map(String::from);
    waiting.sort();
    assert_eq!(told, waiting);
    let (code, run) = desk.run("");
    assert_eq!((code, run["result"].as_str()), (3, Some("waiting")));
    assert_eq!(run["held"], plan["held"]);
    assert_eq!(run["changes"], plan["changes"]);
    assert_eq!(desk.etc(), ["motd", "peers"]);
    let (code, again) = desk.run("--dry-run");
    assert_eq!((code, again["changes"].as_array().unwrap().len()), (3, 0));

    desk.enrolled(&[1, 2, 4]);
    assert_eq!(desk.run("").0, 0);
    let whole = [
        "motd",
        "peers",
        "peers/extra",
        "peers/zk-1",
        "peers/zk-2",
        "peers/zk-4",
        "quorum-2",
        "third",
    ];
    assert_eq!(desk.etc(), whole);
    let third = std::fs::read_to_string(desk.path("root/etc/third")).unwrap();
    assert_eq!(third, "10.0.0.4\n");
    assert_eq!(desk.run("--dry-run").0, 0);
}

#[test]
fn what_was_made_of_the_whole_stays() {
    let desk = Desk::new();
    desk.enrolled(&[1, 2, 3]);
    assert_eq!(desk.run("").0, 0);
    let whole = desk.etc();
    desk.enrolled(&[1, 3]);
    let (code, run) = desk.run("");
    assert_eq!(code, 3);
    assert_eq!(run["leftovers"].as_array().unwrap().len(), 0, "{run}");
    assert_eq!(run["changes"].as_array().unwrap().len(), 0, "{run}");
    assert_eq!(desk.etc(), whole);
    // It is known still: when somebody comes in its place, what is of nobody goes.
    desk.enrolled(&[1, 3, 4]);
    assert_eq!(desk.run("").0, 0);
    assert!(desk.etc().contains(&"peers/zk-4".into()));
    assert!(!desk.etc().contains(&"peers/zk-2".into()));
}

#[test]
fn what_waits_is_told_of() {
    let desk = Desk::new();
    desk.enrolled(&[3]);
    let rendered = desk.text("render");
    assert!(
        rendered.contains("# file:/etc/third: waiting for zk: 1 of 3\n"),
        "{rendered}"
    );
    let json: Value = serde_json::from_str(&desk.text("render --json")).unwrap();
    assert_eq!(json["waiting"].as_array().unwrap().len(), 4);
    let explained = desk.text("explain file:/etc/third --root root");
    assert!(explained.contains("zk/role.toml:15"), "{explained}");
    assert!(
        explained.contains("held: waiting for zk: 1 of 3"),
        "{explained}"
    );
    let (code, only) = desk.run("--dry-run --only file:/etc/third");
    assert_eq!((code, held(&only).len()), (3, 1));
    let (code, only) = desk.run("--dry-run --only file:/etc/motd");
    assert_eq!((code, held(&only).len()), (2, 0));
}
