//! Folders that are no catalog: what `cfg` says of them, whole, that it ends with 65, that it ends soon, and that nothing
//! was touched. What needs no file system of its own is told in `catalog/tests/stories`, and held here against the program.

use rustix::fs::{CWD, FileType, Mode, makedev, mknodat};
use rustix::process::{Pid, WaitId, WaitIdOptions, waitid};
use std::fs::File;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// So much of a processor's time may each of them take, whatever else the machine does: a second. A debug build takes about
/// ten times as long.
const SOON: Duration = Duration::from_secs(if cfg!(debug_assertions) { 10 } else { 1 });

struct Desk {
    folder: tempfile::TempDir,
}

impl Desk {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(folder.path().join("roles/web/files")).unwrap();
        std::fs::create_dir(folder.path().join("root")).unwrap();
        std::fs::set_permissions(&folder, permissions(0o755)).unwrap();
        let desk = Self { folder };
        let state = format!("state = \"{}\"", desk.path("state").display());
        desk.write("agent.toml", state.as_bytes());
        desk.role("[file.\"/etc/motd\"]\ncontent = \"hi\\n\"\n");
        desk
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, bytes: &[u8]) {
        std::fs::write(self.path(name), bytes).unwrap();
    }

    fn role(&self, text: &str) {
        self.write("roles/web/role.toml", text.as_bytes());
    }

    /// What `cfg check` says; `cfg apply` must say the same and touch nothing.
    fn refused(&self, program: &[&str]) -> String {
        let check = self.said(program, "check roles");
        let apply = "apply --catalog roles --role web --root root";
        assert_eq!(self.said(program, apply), check);
        let touched: Vec<_> = std::fs::read_dir(self.path("root")).unwrap().collect();
        assert!(touched.is_empty(), "{touched:?}");
        assert!(!self.path("state").exists(), "it keeps a state");
        check
    }

    fn said(&self, program: &[&str], line: &str) -> String {
        let output = |name: &str| Stdio::from(File::create(self.path(name)).unwrap());
        let mut child = Command::new(program[0])
            .args(&program[1..])
            .args(line.split(' '))
            .current_dir(&self.folder)
            .env("CFG_CONFIG", self.path("agent.toml"))
            .stdin(Stdio::null())
            .stdout(output("stdout"))
            .stderr(output("stderr"))
            .spawn()
            .unwrap();
        let took = worked(&child);
        let status = child.wait().unwrap();
        let said = |name: &str| std::fs::read_to_string(self.path(name)).unwrap();
        let (told, said) = (said("stdout"), said("stderr"));
        assert!(took < SOON, "{line}: {took:?}");
        assert_eq!(status.code(), Some(65), "{line}: {said}");
        assert_eq!(told, "", "{line}");
        said
    }
}

/// Waits for the end of a child, and gives the processor's time that it took; it is still to be waited for.
fn worked(child: &Child) -> Duration {
    let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
    waitid(WaitId::Pid(Pid::from_child(child)), options).unwrap();
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", child.id())).unwrap();
    let (_, fields) = stat.rsplit_once(") ").unwrap();
    // Its own time as a user and in the kernel, then that of its children.
    let ticks = fields.split(' ').skip(11).take(4);
    let ticks: u64 = ticks.map(|field| field.parse::<u64>().unwrap()).sum();
    // Linux tells everybody of hundredths of a second.
    Duration::from_millis(ticks * 10)
}

fn permissions(mode: u32) -> std::fs::Permissions {
    std::fs::Permissions::from_mode(mode)
}

fn fifo(path: &Path) {
    mknodat(CWD, path, FileType::Fifo, Mode::RUSR, 0).unwrap();
}

const CFG: &[&str] = &[env!("CARGO_BIN_EXE_cfg")];

#[test]
fn what_is_no_file_or_lies_elsewhere() {
    let desk = Desk::new();
    std::fs::remove_file(desk.path("roles/web/role.toml")).unwrap();
    fifo(&desk.path("roles/web/role.toml"));
    symlink("/dev/zero", desk.path("roles/web/files/device")).unwrap();
    symlink("/etc/passwd", desk.path("roles/web/files/passwd")).unwrap();
    symlink("../../../agent.toml", desk.path("roles/web/files/up")).unwrap();
    symlink("gone", desk.path("roles/web/files/dangling")).unwrap();
    symlink("round", desk.path("roles/web/files/round")).unwrap();
    insta::assert_snapshot!("no_files", desk.refused(CFG));
}

#[test]
fn a_device() {
    if !rustix::process::geteuid().is_root() {
        eprintln!("skipped: only root makes devices");
        return;
    }
    let desk = Desk::new();
    let zero = makedev(1, 5);
    for (path, kind) in [
        ("roles/web/files/zero", FileType::CharacterDevice),
        ("roles/web/files/disk", FileType::BlockDevice),
    ] {
        mknodat(CWD, desk.path(path), kind, Mode::RUSR, zero).unwrap();
    }
    desk.role("[file.\"/etc/x\"]\nsource = \"files/zero\"\n");
    insta::assert_snapshot!("devices", desk.refused(CFG));
}

#[test]
fn what_is_no_file_in_the_place_of_each() {
    let desk = Desk::new();
    std::fs::remove_file(desk.path("roles/web/role.toml")).unwrap();
    symlink("/dev/zero", desk.path("roles/web/role.toml")).unwrap();
    std::fs::create_dir(desk.path("roles/db")).unwrap();
    let _socket = UnixListener::bind(desk.path("roles/db/role.toml")).unwrap();
    std::fs::create_dir(desk.path("roles/app")).unwrap();
    let role = b"[file.\"/etc/x\"]\ntemplate = \"x.j2\"\n";
    desk.write("roles/app/role.toml", role);
    fifo(&desk.path("roles/app/x.j2"));
    fifo(&desk.path("roles/fleet.toml"));
    insta::assert_snapshot!("no_file_in_its_place", desk.refused(CFG));
}

#[test]
fn a_fleet_toml_that_cannot_be_read() {
    let desk = Desk::new();
    desk.write("roles/fleet.toml", b"[params]\nname = \"caf\xe9\"\n");
    insta::assert_snapshot!("latin1_fleet", desk.refused(CFG));
    let fleet = std::fs::File::create(desk.path("roles/fleet.toml")).unwrap();
    fleet.set_len(100 << 20).unwrap();
    insta::assert_snapshot!("fleet_of_100_mb", desk.refused(CFG));
    let deep = 100_000;
    let nested = format!("[params]\na = {}{}", "[".repeat(deep), "]".repeat(deep));
    desk.write("roles/fleet.toml", nested.as_bytes());
    insta::assert_snapshot!("nested_fleet", begun(&desk.refused(CFG)));
}

#[test]
fn a_source_that_leaves_the_folder_of_its_role() {
    let desk = Desk::new();
    std::fs::create_dir(desk.path("roles/other")).unwrap();
    desk.write("roles/other/role.toml", b"");
    desk.write("roles/other/secret", b"x");
    symlink("../other", desk.path("roles/web/aside")).unwrap();
    symlink("/etc", desk.path("roles/web/etc")).unwrap();
    desk.role("[file.\"/etc/a\"]\nsource = \"etc/passwd\"\n[file.\"/etc/b\"]\nsource = \"../other/secret\"\n");
    insta::assert_snapshot!("source_by_a_link", desk.refused(CFG));
    for link in ["aside", "etc"] {
        std::fs::remove_file(desk.path("roles/web").join(link)).unwrap();
    }
    insta::assert_snapshot!("source_by_dots", desk.refused(CFG));
}

#[test]
fn what_cannot_be_read() {
    let desk = Desk::new();
    std::fs::set_permissions(desk.path("roles/web/role.toml"), permissions(0o000)).unwrap();
    std::fs::create_dir(desk.path("roles/db")).unwrap();
    std::fs::set_permissions(desk.path("roles/db"), permissions(0o000)).unwrap();
    let copy = desk.path("cfg");
    // By a program of its own: a file that this one still has open for writing could not be run.
    let copied = Command::new("cp").arg(CFG[0]).arg(&copy).status();
    assert!(copied.unwrap().success());
    let mut program = vec![copy.to_str().unwrap()];
    if rustix::process::geteuid().is_root() {
        let drop = "setpriv --reuid=65534 --regid=65534 --clear-groups --";
        program.splice(0..0, drop.split(' '));
        std::fs::set_permissions(desk.path("root"), permissions(0o777)).unwrap();
    }
    insta::assert_snapshot!("unreadable", desk.refused(&program));
    std::fs::set_permissions(desk.path("roles/db"), permissions(0o755)).unwrap();
}

#[test]
fn what_is_not_text() {
    let desk = Desk::new();
    desk.write(
        "roles/web/role.toml",
        b"description = \"caf\xe9\"\n[file.\"/etc/x\"]\ncontent = \"x\"\n",
    );
    insta::assert_snapshot!("latin1", desk.refused(CFG));
    desk.write("roles/web/role.toml", b"\xff\xfe[\0f\0");
    insta::assert_snapshot!("utf16", desk.refused(CFG));
    desk.write("roles/web/role.toml", b"\x7fELF\x02\x01\x01\0\0\0");
    insta::assert_snapshot!("binary", desk.refused(CFG));
    desk.role("[file.\"/etc/x\"]\ntemplate = \"x.j2\"\n");
    desk.write("roles/web/x.j2", b"caf\xe9\n");
    insta::assert_snapshot!("latin1_template", desk.refused(CFG));
    desk.role("");
    let name = <std::ffi::OsStr as std::os::unix::ffi::OsStrExt>::from_bytes(b"caf\xe9");
    std::fs::write(desk.path("roles/web").join(name), b"x").unwrap();
    insta::assert_snapshot!("latin1_name", desk.refused(CFG));
}

#[test]
fn what_is_too_large() {
    let desk = Desk::new();
    let role = std::fs::File::create(desk.path("roles/web/role.toml")).unwrap();
    role.set_len(100 << 20).unwrap();
    insta::assert_snapshot!("role_of_100_mb", desk.refused(CFG));
    role.set_len(50 << 20).unwrap();
    insta::assert_snapshot!("role_of_50_mb", desk.refused(CFG));
    desk.role("[file.\"/etc/x\"]\ntemplate = \"x.j2\"\n");
    desk.write("roles/web/x.j2", "x".repeat(2 << 20).as_bytes());
    insta::assert_snapshot!("template_of_2_mb", desk.refused(CFG));
}

#[test]
fn what_has_a_place_in_a_long_text() {
    let desk = Desk::new();
    let file = "[file.\"/etc/x\"]\nmod = \"0644\"\n";
    for (piece, times) in [
        ("{{ facts.hostname }} ", 8_000),
        ("{{ fleet.members('web') | length }}\n", 8_000),
        ("{{ nothing }} ", 4_000),
    ] {
        desk.role(&format!(
            "{file}content = \"\"\"{}\"\"\"\n",
            piece.repeat(times)
        ));
        assert!(desk.refused(CFG).contains("unknown key `mod`"), "{piece}");
    }
}

#[test]
fn what_is_nested_without_end() {
    let deep = 100_000;
    let desk = Desk::new();
    for (name, text) in [
        (
            "arrays",
            format!("a = {}{}", "[".repeat(deep), "]".repeat(deep)),
        ),
        (
            "tables",
            format!("a = {}1{}", "{a=".repeat(deep), "}".repeat(deep)),
        ),
        ("keys", format!("[file]\n{}b = 1", "a.".repeat(deep))),
        (
            "condition",
            format!(
                "[file.\"/etc/x\"]\ncontent = \"x\"\nwhen = '{}1{}'",
                "(".repeat(deep),
                ")".repeat(deep)
            ),
        ),
        (
            "parentheses",
            format!(
                "[file.\"/etc/x\"]\ncontent = '{{{{ {}1{} }}}}'",
                "(".repeat(deep),
                ")".repeat(deep)
            ),
        ),
        (
            "blocks",
            format!("[file.\"/etc/x\"]\ncontent = '{}'", "{%if 1%}".repeat(deep)),
        ),
    ] {
        desk.role(&text);
        insta::assert_snapshot!(format!("nested_{name}"), begun(&desk.refused(CFG)));
    }
    desk.role("[file.\"/etc/x\"]\ntemplate = \"x.j2\"\n");
    for (name, text) in [
        (
            "template_parentheses",
            format!("one\n{{{{ {}1{} }}}}\n", "(".repeat(deep), ")".repeat(deep)),
        ),
        (
            "template_negations",
            format!("one\n{{{{ {}1 }}}}\n", "not ".repeat(deep)),
        ),
        (
            "template_blocks",
            format!("one\n{}\n", "{%if 1%}".repeat(deep)),
        ),
        (
            "template_branches",
            format!("{{% if 0 %}}\n{}{{% endif %}}\n", "{%elif 0%}".repeat(deep)),
        ),
    ] {
        desk.write("roles/web/x.j2", text.as_bytes());
        insta::assert_snapshot!(format!("nested_{name}"), begun(&desk.refused(CFG)));
    }
}

#[test]
fn stories() {
    let stories = Path::new(env!("CARGO_MANIFEST_DIR")).join("../catalog/tests/stories");
    let mut failed = Vec::new();
    let mut bad = 0;
    for entry in std::fs::read_dir(stories).unwrap() {
        let path = entry.unwrap().path();
        let text = std::fs::read_to_string(&path).unwrap();
        let (head, said) = text.split_once("-- said --\n").unwrap();
        let Some(said) = said.strip_prefix("bad\n\n") else {
            continue;
        };
        bad += 1;
        let found = told(head).refused(CFG);
        if found.trim_end() != said.trim_end() {
            failed.push(format!("{path:?}\nexpected:\n{said}\nfound:\n{found}"));
        }
    }
    assert!(bad > 10, "no stories found");
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}

/// A desk with the files of a story: each after a line `-- PATH --`.
fn told(head: &str) -> Desk {
    let desk = Desk::new();
    std::fs::remove_dir_all(desk.path("roles")).unwrap();
    std::fs::create_dir(desk.path("roles")).unwrap();
    let mut files: Vec<(PathBuf, String)> = Vec::new();
    for line in head.lines() {
        let name = line.strip_prefix("-- ").and_then(|l| l.strip_suffix(" --"));
        match (name, files.last_mut()) {
            (Some(name), _) => files.push((desk.path("roles").join(name), String::new())),
            (None, Some((_, text))) => *text += &format!("{line}\n"),
            (None, None) => {}
        }
    }
    for (path, text) in files {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    desk
}

/// The beginning of each line: one that is nested without end is as long as that.
fn begun(said: &str) -> String {
    let lines = said.lines().map(|l| l.chars().take(60).collect());
    lines.collect::<Vec<String>>().join("\n")
}

#[test]
fn folders_without_end() {
    let desk = Desk::new();
    symlink(".", desk.path("roles/web/round")).unwrap();
    symlink(".", desk.path("roles/web/again")).unwrap();
    let said = desk.refused(CFG);
    let (path, rest) = said.split_once(": ").unwrap_or_default();
    assert_eq!(path, "error");
    let (_, rest) = rest.split_once(": ").unwrap_or_default();
    insta::assert_snapshot!("folders", rest);
}
