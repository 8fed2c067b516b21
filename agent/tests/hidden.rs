//! The commands that cfg gives itself, run for real.

use std::path::Path;
use std::process::{Command, Output};

const CFG: &str = env!("CARGO_BIN_EXE_cfg");

fn guard(words: &[&str]) -> Output {
    Command::new(CFG).arg("guard").args(words).output().unwrap()
}

/// A machine may forbid namespaces altogether; then every guard of a dry run is unknown, and there is nothing to test.
fn can_shut_in() -> bool {
    guard(&["--shut-in", "--", "true"]).status.success()
}

#[test]
fn a_guard_reads_and_cannot_write() {
    if !can_shut_in() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("there");
    std::fs::write(&file, "text\n").unwrap();
    let path = file.to_str().unwrap();
    for (script, code) in [
        (format!("grep -q text {path}"), 0),
        (format!("grep -q other {path}"), 1),
        (format!("echo more >> {path}"), 2),
        (format!("touch {path}.new"), 1),
        ("mount -o remount,rw,bind / /".to_owned(), 32),
        ("echo > /dev/null".to_owned(), 0),
        ("exit 7".to_owned(), 7),
    ] {
        let output = guard(&["--shut-in", "--", "/bin/sh", "-c", &script]);
        let got = output.status.code();
        if code == 32 {
            assert_ne!(got, Some(0), "{script}");
        } else {
            let told = String::from_utf8_lossy(&output.stderr);
            assert_eq!(got, Some(code), "{script}: {told}");
        }
    }
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "text\n");
    assert!(!Path::new(&format!("{path}.new")).exists());
}

#[test]
fn a_guard_cannot_write_around_its_mounts() {
    if !rustix::process::geteuid().is_root() || !can_shut_in() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let around = format!(
        "/proc/{}/root{}",
        std::process::id(),
        folder.path().display()
    );
    guard(&["--shut-in", "--", "touch", &format!("{around}/new")]);
    assert!(!folder.path().join("new").exists());
}

#[test]
fn a_guard_opens_only_devices_that_hold_nothing() {
    if !rustix::process::geteuid().is_root() || !can_shut_in() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let device = folder.path().join("zero");
    let mut mknod = Command::new("mknod");
    // Who may make none has none to open either.
    let _made = mknod.arg(&device).args(["c", "1", "5"]).status();
    let ipc = std::fs::read_link("/proc/self/ns/ipc").unwrap();
    let device = device.display();
    for (script, opens) in [
        (
            "for n in null zero full urandom; do exec 3<>/dev/$n || exit 1; done".to_owned(),
            true,
        ),
        ("echo > /dev/stdout && cat /dev/stdin".to_owned(), true),
        // What is there is seen.
        ("test -c /dev/ptmx".to_owned(), true),
        ("exec 3<>/dev/ptmx".to_owned(), false),
        (format!("exec 3<{device}"), false),
        // The machine's queues and shared memory are not the guard's.
        (
            format!("test $(readlink /proc/self/ns/ipc) != '{}'", ipc.display()),
            true,
        ),
    ] {
        let mut shell = Command::new(CFG);
        shell.args(["guard", "--shut-in", "--", "/bin/sh", "-c", &script]);
        let output = shell.stdin(std::process::Stdio::null()).output().unwrap();
        assert_eq!(output.status.success(), opens, "{script}: {output:?}");
    }
}

#[test]
fn what_a_guard_leaves_running_ends_with_it() {
    if !can_shut_in() {
        return;
    }
    let alive = |seconds: &str| {
        let processes = std::fs::read_dir("/proc").unwrap().flatten();
        let lines = processes.map(|one| std::fs::read(one.path().join("cmdline")));
        let sought = format!("sleep\0{seconds}\0");
        lines.flatten().any(|line| line == sought.as_bytes())
    };
    let id = std::process::id();
    for (last, code) in [
        ("exit 3", Some(3)),
        ("kill -TERM $$", Some(143)),
        ("sleep 60", None),
    ] {
        let seconds = format!("222.{id}");
        let script = format!("setsid sleep {seconds} & sleep 0.2; {last}");
        let words = [
            "--shut-in",
            "--timeout",
            "1",
            "--",
            "/bin/sh",
            "-c",
            &script,
        ];
        let output = guard(&words);
        assert_eq!(output.status.code(), code, "{script}: {output:?}");
        assert!(!alive(&seconds), "{script}");
    }
}

#[test]
fn a_guard_may_ask_whether_a_process_lives() {
    if can_shut_in() {
        let script = format!("kill -0 {}", std::process::id());
        let output = guard(&["--shut-in", "--", "/bin/sh", "-c", &script]);
        assert!(output.status.success(), "{output:?}");
    }
}

#[test]
fn an_ordinary_users_guard_is_shut_in_or_not_asked() {
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let folder = tempfile::Builder::new()
        .permissions(std::os::unix::fs::PermissionsExt::from_mode(0o777))
        .tempdir_in("/tmp")
        .unwrap();
    let copy = folder.path().join("cfg");
    cfg_tests::copy_program(CFG, &copy);
    let file = folder.path().join("new");
    let output = Command::new("setpriv")
        .args(["--reuid=65534", "--regid=65534", "--clear-groups"])
        .arg(&copy)
        .args(["guard", "--shut-in", "--", "touch"])
        .arg(&file)
        .output()
        .unwrap();
    assert!(matches!(output.status.code(), Some(1 | 125)), "{output:?}");
    assert!(!file.exists());
}

#[test]
fn words_that_are_not_for_guards_are_refused() {
    for words in [&["--writable", "--", "true"][..], &["--shut-in"], &[]] {
        assert_eq!(guard(words).status.code(), Some(64), "{words:?}");
    }
}
