//! A role that is kept is what reading its folder would give.

use cfg_tests::Desk;
use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

const ROLE: &str = r#"
[params]
greeting = { type = "string", default = "hello" }
[file."/etc/made"]
template = "made.j2"
[file."/etc/taken"]
source = "taken"
"#;

fn desk() -> Desk {
    let desk = Desk::new(env!("CARGO_BIN_EXE_cfg"));
    desk.write("agent.toml", "state = \"/state\"\n");
    desk.role("web", ROLE);
    desk.write("roles/web/made.j2", "{{ params.greeting }}\n");
    desk.write("roles/web/taken", "one\n");
    desk
}

fn kept(desk: &Desk) -> PathBuf {
    desk.path("root/state/compiled.json")
}

/// The exit code of a run, and the last line that it says.
fn apply(desk: &Desk, more: &[&str]) -> (i32, String) {
    let (code, output) = desk.apply("web", more);
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let last = said.lines().last().map(str::to_owned);
    (code, last.unwrap_or_else(|| format!("{output:?}")))
}

/// Runs until the role is kept, which it is once its files are some seconds old.
fn keep(desk: &Desk) {
    let began = Instant::now();
    while !kept(desk).exists() {
        assert!(began.elapsed() < Duration::from_secs(60), "it is not kept");
        assert_eq!(apply(desk, &[]).0, 0);
        std::thread::sleep(Duration::from_millis(200));
    }
}

fn there(desk: &Desk, name: &str) -> String {
    fs::read_to_string(desk.path("root/etc").join(name)).unwrap()
}

fn none() -> (i32, String) {
    (0, "nothing changed, 2 in sync".into())
}

fn one() -> (i32, String) {
    (0, "1 changed, 1 in sync".into())
}

#[test]
fn a_kept_role_is_rendered_and_its_files_are_read_when_they_are_wanted() {
    let desk = desk();
    keep(&desk);
    let whole = fs::read(kept(&desk)).unwrap();
    assert_eq!(apply(&desk, &[]), none());
    desk.write("root/etc/taken", "drifted\n");
    desk.write("root/etc/made", "drifted\n");
    assert_eq!(
        apply(&desk, &["--dry-run"]),
        (2, "2 to change, 0 in sync".into())
    );
    assert_eq!(apply(&desk, &[]), (0, "2 changed, 0 in sync".into()));
    assert_eq!(
        (there(&desk, "taken"), there(&desk, "made")),
        ("one\n".into(), "hello\n".into())
    );
    assert_eq!(
        fs::read(kept(&desk)).unwrap(),
        whole,
        "it was taken from there"
    );
}

#[test]
fn a_file_that_changes_is_read_at_once() {
    let desk = desk();
    keep(&desk);
    desk.write("roles/web/taken", "two\n");
    assert_eq!(apply(&desk, &[]), one());
    assert_eq!(there(&desk, "taken"), "two\n");
    desk.write("roles/web/made.j2", "{{ params.greeting }}!\n");
    assert_eq!(apply(&desk, &[]), one());
    assert_eq!(there(&desk, "made"), "hello!\n");
    fs::write(
        desk.path("roles/web/role.toml"),
        "[file.\"/etc/x\"]\ncontents = \"x\"\n",
    )
    .unwrap();
    assert_eq!(apply(&desk, &[]).0, 65, "what is wrong with it is said");
}

#[test]
fn another_value_is_another_role() {
    let desk = desk();
    keep(&desk);
    assert_eq!(apply(&desk, &["--set", "greeting=bye"]), one());
    assert_eq!(there(&desk, "made"), "bye\n");
    assert_eq!(apply(&desk, &[]), one());
}

#[test]
fn what_is_warned_of_is_not_kept() {
    let desk = desk();
    // A role that nothing includes is not checked, which is said each time.
    fs::create_dir(desk.path("roles/part")).unwrap();
    desk.write("roles/part/role.toml", "partial = true\n");
    let began = Instant::now();
    while began.elapsed() < Duration::from_secs(4) {
        assert_eq!(apply(&desk, &[]).0, 0);
        std::thread::sleep(Duration::from_millis(500));
    }
    assert!(!kept(&desk).exists());
}
