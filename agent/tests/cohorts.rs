//! A cohort that is not complete: what reads it waits, all else goes on, and nothing that was made of it is taken away.

use cfg_tests::Desk;
use serde_json::Value;

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

const OF: &str = "--catalog roles --role zk --fleet fleet.toml";

fn desk() -> Desk {
    let desk = Desk::new(env!("CARGO_BIN_EXE_cfg"));
    desk.role("zk", ROLE);
    std::fs::create_dir(desk.path("root/etc")).unwrap();
    desk
}

/// So many members have enrolled.
fn enrolled(desk: &Desk, ids: &[u32]) {
    let member = |id: &u32| {
        format!(
            "[[roles.zk]]\nid = {id}\nname = \"zk-{id}\"\naddress = \"10.0.0.{id}\"\nos = \"debian\"\n\
             arch = \"amd64\"\ncpus = 1\nmemory_mb = 512\n"
        )
    };
    let text: String = ids.iter().map(member).collect();
    desk.write("fleet.toml", &text);
}

/// A run as its exit code and document.
fn apply(desk: &Desk, line: &str) -> (i32, Value) {
    desk.json(&format!("apply --json --root root {line} {OF}"))
}

fn text(desk: &Desk, line: &str) -> String {
    let (code, output) = desk.cfg(&format!("{line} {OF}"));
    assert_eq!(code, 0, "{line}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// What stands below /etc.
fn etc(desk: &Desk) -> Vec<String> {
    let mut found = Vec::new();
    let mut open = vec![desk.path("root/etc")];
    while let Some(folder) = open.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.strip_prefix(desk.path("root/etc")).unwrap();
            found.push(name.display().to_string());
            if path.is_dir() {
                open.push(path);
            }
        }
    }
    found.sort();
    found
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
    let desk = desk();
    enrolled(&desk, &[1, 2]);
    let (code, plan) = apply(&desk, "--dry-run");
    assert_eq!((code, plan["result"].as_str()), (3, Some("waiting")));
    let mut told = held(&plan);
    told.sort();
    let mut waiting = WAITING.map(String::from);
    waiting.sort();
    assert_eq!(told, waiting);
    let (code, run) = apply(&desk, "");
    assert_eq!((code, run["result"].as_str()), (3, Some("waiting")));
    assert_eq!(run["held"], plan["held"]);
    assert_eq!(run["changes"], plan["changes"]);
    assert_eq!(etc(&desk), ["motd", "peers"]);
    let (code, again) = apply(&desk, "--dry-run");
    assert_eq!((code, again["changes"].as_array().unwrap().len()), (3, 0));

    enrolled(&desk, &[1, 2, 4]);
    assert_eq!(apply(&desk, "").0, 0);
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
    assert_eq!(etc(&desk), whole);
    let third = std::fs::read_to_string(desk.path("root/etc/third")).unwrap();
    assert_eq!(third, "10.0.0.4\n");
    assert_eq!(apply(&desk, "--dry-run").0, 0);
}

#[test]
fn what_was_made_of_the_whole_stays() {
    let desk = desk();
    enrolled(&desk, &[1, 2, 3]);
    assert_eq!(apply(&desk, "").0, 0);
    let whole = etc(&desk);
    enrolled(&desk, &[1, 3]);
    let (code, run) = apply(&desk, "");
    assert_eq!(code, 3);
    assert_eq!(run["leftovers"].as_array().unwrap().len(), 0, "{run}");
    assert_eq!(run["changes"].as_array().unwrap().len(), 0, "{run}");
    assert_eq!(etc(&desk), whole);
    // It is known still: when somebody comes in its place, what is of nobody goes.
    enrolled(&desk, &[1, 3, 4]);
    assert_eq!(apply(&desk, "").0, 0);
    assert!(etc(&desk).contains(&"peers/zk-4".into()));
    assert!(!etc(&desk).contains(&"peers/zk-2".into()));
}

#[test]
fn what_waits_is_told_of() {
    let desk = desk();
    enrolled(&desk, &[3]);
    let rendered = text(&desk, "render");
    assert!(
        rendered.contains("# file:/etc/third: waiting for zk: 1 of 3\n"),
        "{rendered}"
    );
    let json: Value = serde_json::from_str(&text(&desk, "render --json")).unwrap();
    assert_eq!(json["waiting"].as_array().unwrap().len(), 4);
    let explained = text(&desk, "explain file:/etc/third --root root");
    assert!(explained.contains("zk/role.toml:15"), "{explained}");
    assert!(
        explained.contains("held: waiting for zk: 1 of 3"),
        "{explained}"
    );
    assert!(
        explained.contains("It waits, so that these are as they are written\n  content = "),
        "{explained}"
    );
    assert!(explained.contains("fleet.members('zk')[2]"), "{explained}");
    let (code, only) = apply(&desk, "--dry-run --only file:/etc/third");
    assert_eq!((code, held(&only).len()), (3, 1));
    let (code, only) = apply(&desk, "--dry-run --only file:/etc/motd");
    assert_eq!((code, held(&only).len()), (2, 0));
}
