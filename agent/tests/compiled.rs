//! A role that is kept is what reading its folder would give.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

const ROLE: &str = r#"
[params]
greeting = { type = "string", default = "hello" }
[file."/etc/made"]
template = "made.j2"
[file."/etc/taken"]
source = "taken"
"#;

struct Desk {
    folder: tempfile::TempDir,
}

impl Desk {
    fn new() -> Self {
        let desk = Self {
            folder: tempfile::tempdir().unwrap(),
        };
        for folder in ["root", "roles/web"] {
            fs::create_dir_all(desk.path(folder)).unwrap();
        }
        let state = format!("state = {:?}\n", Path::new("/state"));
        fs::write(desk.path("agent.toml"), state).unwrap();
        fs::write(desk.path("roles/web/role.toml"), ROLE).unwrap();
        fs::write(desk.path("roles/web/made.j2"), "{{ params.greeting }}\n").unwrap();
        fs::write(desk.path("roles/web/taken"), "one\n").unwrap();
        desk
    }

    fn path(&self, below: &str) -> PathBuf {
        self.folder.path().join(below)
    }

    fn kept(&self) -> PathBuf {
        self.path("root/state/compiled.json")
    }

    /// The last line that a run says, and its exit code.
    fn apply(&self, more: &[&str]) -> (Option<i32>, String) {
        let output = Command::new(env!("CARGO_BIN_EXE_cfg"))
            .args([
                "apply",
                "--catalog",
                "roles",
                "--role",
                "web",
                "--root",
                "root",
            ])
            .args(more)
            .current_dir(&self.folder)
            .env("CFG_CONFIG", self.path("agent.toml"))
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        let last = said.lines().last().map(str::to_owned);
        (
            output.status.code(),
            last.unwrap_or_else(|| format!("{output:?}")),
        )
    }

    /// Runs until the role is kept, which it is once its files are some seconds old.
    fn keep(&self) {
        let began = Instant::now();
        while !self.kept().exists() {
            assert!(began.elapsed() < Duration::from_secs(60), "it is not kept");
            assert_eq!(self.apply(&[]).0, Some(0));
            std::thread::sleep(Duration::from_millis(200));
        }
    }

    fn there(&self, name: &str) -> String {
        fs::read_to_string(self.path("root/etc").join(name)).unwrap()
    }
}

fn none() -> (Option<i32>, String) {
    (Some(0), "nothing changed, 2 in sync".into())
}

fn one() -> (Option<i32>, String) {
    (Some(0), "1 changed, 1 in sync".into())
}

#[test]
fn a_kept_role_is_rendered_and_its_files_are_read_when_they_are_wanted() {
    let desk = Desk::new();
    desk.keep();
    let kept = fs::read(desk.kept()).unwrap();
    assert_eq!(desk.apply(&[]), none());
    fs::write(desk.path("root/etc/taken"), "drifted\n").unwrap();
    fs::write(desk.path("root/etc/made"), "drifted\n").unwrap();
    assert_eq!(
        desk.apply(&["--dry-run"]),
        (Some(2), "2 to change, 0 in sync".into())
    );
    assert_eq!(desk.apply(&[]), (Some(0), "2 changed, 0 in sync".into()));
    assert_eq!(
        (desk.there("taken"), desk.there("made")),
        ("one\n".into(), "hello\n".into())
    );
    assert_eq!(
        fs::read(desk.kept()).unwrap(),
        kept,
        "it was taken from there"
    );
}

#[test]
fn a_file_that_changes_is_read_at_once() {
    let desk = Desk::new();
    desk.keep();
    fs::write(desk.path("roles/web/taken"), "two\n").unwrap();
    assert_eq!(desk.apply(&[]), one());
    assert_eq!(desk.there("taken"), "two\n");
    fs::write(desk.path("roles/web/made.j2"), "{{ params.greeting }}!\n").unwrap();
    assert_eq!(desk.apply(&[]), one());
    assert_eq!(desk.there("made"), "hello!\n");
    fs::write(
        desk.path("roles/web/role.toml"),
        "[file.\"/etc/x\"]\ncontents = \"x\"\n",
    )
    .unwrap();
    assert_eq!(desk.apply(&[]).0, Some(65), "what is wrong with it is said");
}

#[test]
fn another_value_is_another_role() {
    let desk = Desk::new();
    desk.keep();
    assert_eq!(desk.apply(&["--set", "greeting=bye"]), one());
    assert_eq!(desk.there("made"), "bye\n");
    assert_eq!(desk.apply(&[]), one());
}

#[test]
fn what_is_warned_of_is_not_kept() {
    let desk = Desk::new();
    // A role that nothing includes is not checked, which is said each time.
    fs::create_dir(desk.path("roles/part")).unwrap();
    fs::write(desk.path("roles/part/role.toml"), "partial = true\n").unwrap();
    let began = Instant::now();
    while began.elapsed() < Duration::from_secs(4) {
        assert_eq!(desk.apply(&[]).0, Some(0));
        std::thread::sleep(Duration::from_millis(500));
    }
    assert!(!desk.kept().exists());
}
