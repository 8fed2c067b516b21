//! Effects run for real, by the real `cfg effect`.

use cfg_agent::effect::{Effects, Ended, Manner, Outcome, Program, Settles, Task};
use cfg_agent::guard::{Question, Where};
use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

fn effects(folder: &Path) -> Effects {
    Effects::new(folder.join("effects")).with(
        Program::At(env!("CARGO_BIN_EXE_cfg").into()),
        Manner::Session,
    )
}

fn task(script: &str) -> Task {
    Task {
        what: "command:test".into(),
        argv: ["/bin/sh", "-c", script].map(str::to_owned).to_vec(),
        env: BTreeMap::from([
            ("PATH".into(), "/usr/bin:/bin".into()),
            ("NAME".into(), "value".into()),
        ]),
        stdin: None,
        user: None,
        cwd: "/".into(),
        root: "/".into(),
        timeout_s: 60,
        settles: None,
    }
}

fn run(task: &Task) -> Ended {
    let folder = tempfile::tempdir().unwrap();
    let ended = effects(folder.path()).run(task).unwrap();
    let left = left(folder.path());
    assert!(left.is_empty(), "nothing is left behind: {left:?}");
    ended
}

fn left(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder.join("effects")).unwrap();
    entries.map(|entry| entry.unwrap().path()).collect()
}

#[test]
fn what_settles_a_debt_is_known_until_that_is_written_down() {
    let folder = tempfile::tempdir().unwrap();
    let mut task = task("true");
    task.settles = Some(Settles {
        command: "command:test".parse().unwrap(),
        inputs: BTreeMap::new(),
    });
    // The agent is killed before it has written down that the command succeeded; and the next one too.
    drop(effects(folder.path()).run(&task).unwrap());
    for _ in 0..2 {
        let leftovers = effects(folder.path()).leftovers(&mut |_| {}).unwrap();
        assert_eq!(leftovers.len(), 1);
        assert_eq!(leftovers[0].outcome, Outcome::Exited(0));
        assert_eq!(leftovers[0].task.settles, task.settles);
    }
    for leftover in effects(folder.path()).leftovers(&mut |_| {}).unwrap() {
        leftover.traces.remove().unwrap();
    }
    assert!(left(folder.path()).is_empty());
    let ended = effects(folder.path()).run(&task).unwrap();
    assert_eq!(left(folder.path()).len(), 1);
    ended.traces.unwrap().remove().unwrap();
    assert!(left(folder.path()).is_empty());
    // A failure settles nothing.
    task.argv = vec!["false".into()];
    assert!(effects(folder.path()).run(&task).unwrap().traces.is_none());
    assert!(left(folder.path()).is_empty());
}

#[test]
fn ends() {
    for (script, outcome, output) in [
        (
            "echo $NAME; echo two >&2; pwd",
            Outcome::Exited(0),
            "value\ntwo\n/\n",
        ),
        ("exit 3", Outcome::Exited(3), ""),
        ("kill -9 $$", Outcome::Signal(9), ""),
        ("cat", Outcome::Exited(0), ""),
    ] {
        let ended = run(&task(script));
        assert_eq!(
            (ended.outcome, &*ended.output),
            (outcome, output),
            "{script}"
        );
    }
}

#[test]
fn what_prints_much_is_neither_stopped_nor_kept_on_disk() {
    let folder = tempfile::tempdir().unwrap();
    let loud = task("head -c 300M /dev/zero; echo; echo last");
    let most = std::thread::scope(|scope| {
        let ran = scope.spawn(|| effects(folder.path()).run(&loud).unwrap());
        let mut most = 0;
        while !ran.is_finished() {
            let outputs = std::fs::read_dir(folder.path().join("effects"));
            let outputs = outputs.into_iter().flatten().flatten();
            let sizes = outputs.filter_map(|one| one.path().join("output").metadata().ok());
            most = most.max(sizes.map(|output| output.len()).max().unwrap_or(0));
            std::thread::sleep(Duration::from_millis(1));
        }
        let ended = ran.join().unwrap();
        assert_eq!(ended.outcome, Outcome::Exited(0));
        assert!(ended.output.ends_with("\0\nlast\n"));
        most
    });
    assert!(most <= 256 * 1024, "{most} bytes lay on disk");
}

#[test]
fn of_what_a_question_prints_the_end_is_kept() {
    let question = Question {
        argv: ["/bin/sh", "-c", "seq 100000; echo not well; exit 1"]
            .map(str::to_owned)
            .to_vec(),
        env: &BTreeMap::new(),
        user: None,
        cwd: "/",
        root: Path::new("/"),
        timeout: Duration::from_secs(60),
    };
    let answer = question.ask(Where::Open).unwrap();
    assert_eq!(answer.outcome, Some(Outcome::Exited(1)));
    assert!(answer.output.ends_with("100000\nnot well\n"));
}

#[test]
fn what_cannot_start_says_why() {
    let mut missing = task("");
    missing.argv = vec!["/no/such/program".into()];
    let mut nowhere = task("true");
    nowhere.cwd = "/no/such/folder".into();
    let mut nobody = task("true");
    nobody.user = Some("no-such-user-here".into());
    for (task, told) in [
        (missing, "/no/such/program"),
        (nowhere, "/no/such/folder"),
        (nobody, "no-such-user-here"),
    ] {
        let ended = run(&task);
        assert_eq!(ended.outcome, Outcome::NotStarted);
        assert!(ended.output.contains(told), "{}", ended.output);
    }
}

/// A root with a shell, what that is loaded with, and no /dev.
fn bare_root() -> tempfile::TempDir {
    let root = tempfile::tempdir().unwrap();
    let told = Command::new("ldd").arg("/bin/sh").output().unwrap();
    let told = String::from_utf8(told.stdout).unwrap();
    let libraries = told.split_whitespace().filter(|word| word.starts_with('/'));
    for path in libraries.chain(["/bin/sh"]) {
        let place = root.path().join(&path[1..]);
        std::fs::create_dir_all(place.parent().unwrap()).unwrap();
        cfg_tests::copy_program(path, place);
    }
    root
}

#[test]
fn a_root_need_not_have_devices() {
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let root = bare_root();
    let mut task = task("read line || echo nothing to read");
    task.root = root.path().to_owned();
    let ended = run(&task);
    assert_eq!(
        (ended.outcome, ended.output.as_str()),
        (Outcome::Exited(0), "nothing to read\n")
    );
    // A script whose interpreter is not there is there.
    let script = root.path().join("script");
    std::fs::write(&script, "#!/bin/no-such-shell\n").unwrap();
    std::fs::set_permissions(&script, std::fs::Permissions::from_mode(0o755)).unwrap();
    task.argv = vec!["/script".into()];
    let ended = run(&task);
    assert_eq!(ended.outcome, Outcome::NotStarted);
    assert!(
        ended
            .output
            .starts_with("cannot run /script: it is there, but not its interpreter or loader"),
        "{}",
        ended.output
    );
}

#[test]
fn another_user() {
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let mut task = task("id -un; id -gn; echo $HOME $USER");
    task.user = Some("nobody".into());
    let ended = run(&task);
    assert_eq!(ended.output, "nobody\nnogroup\n/nonexistent nobody\n");
}

#[test]
fn what_takes_too_long_is_killed_with_its_children() {
    // The last is in a session of its own, and its parent has ended long before.
    let script = "trap '' TERM; sleep 1234 & echo $!; \
                  (setsid sh -c 'sleep 1235 & echo $$ $!; wait' &); wait; wait";
    let mut task = task(script);
    task.timeout_s = 1;
    let ended = run(&task);
    assert_eq!(ended.outcome, Outcome::TimedOut);
    let children: Vec<&str> = ended.output.split_whitespace().collect();
    assert_eq!(children.len(), 3, "{}", ended.output);
    for child in children {
        let gone = || !Path::new(&format!("/proc/{child}")).exists() || is_zombie(child);
        let deadline = Instant::now() + Duration::from_secs(5);
        while !gone() {
            assert!(Instant::now() < deadline, "{child} still lives");
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

fn is_zombie(pid: &str) -> bool {
    std::fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| {
        stat.rsplit(')')
            .next()
            .is_some_and(|rest| rest.starts_with(" Z"))
    })
}

#[test]
fn the_next_run_waits_and_learns_how_it_ended() {
    let folder = tempfile::tempdir().unwrap();
    let settles = Settles {
        command: "command:test".parse().unwrap(),
        inputs: BTreeMap::new(),
    };
    // An agent that was killed right after it started an effect.
    let left = folder.path().join("effects/cfg-effect-test-1");
    std::fs::create_dir_all(&left).unwrap();
    let mut task = task("sleep 1; echo done");
    task.settles = Some(settles.clone());
    std::fs::write(left.join("task.json"), serde_json::to_vec(&task).unwrap()).unwrap();
    let mut effect = Command::new(env!("CARGO_BIN_EXE_cfg"))
        .arg("effect")
        .arg(&left)
        .spawn()
        .unwrap();
    while !left.join("output").exists() {
        std::thread::sleep(Duration::from_millis(5));
    }
    let mut told = Vec::new();
    let leftovers = effects(folder.path())
        .leftovers(&mut |text| told.push(text.to_owned()))
        .unwrap();
    assert_eq!(leftovers.len(), 1);
    assert_eq!(leftovers[0].outcome, Outcome::Exited(0));
    assert_eq!(leftovers[0].task.settles.as_ref(), Some(&settles));
    assert_eq!(told, ["waiting for command:test of an earlier run"]);
    for leftover in leftovers {
        leftover.traces.remove().unwrap();
    }
    assert!(!left.exists());
    effect.wait().unwrap();
}

#[test]
fn what_was_killed_whole_is_lost_and_what_never_started_never_will() {
    let folder = tempfile::tempdir().unwrap();
    let left = folder.path().join("effects/cfg-effect-test-1");
    std::fs::create_dir_all(&left).unwrap();
    std::fs::write(
        left.join("task.json"),
        serde_json::to_vec(&task("touch started")).unwrap(),
    )
    .unwrap();
    let leftovers = effects(folder.path()).leftovers(&mut |_| {}).unwrap();
    assert_eq!(leftovers[0].outcome, Outcome::Lost);
    for leftover in leftovers {
        leftover.traces.remove().unwrap();
    }
    let late = Command::new(env!("CARGO_BIN_EXE_cfg"))
        .arg("effect")
        .arg(&left)
        .output()
        .unwrap();
    assert!(!late.status.success());
    assert!(
        effects(folder.path())
            .leftovers(&mut |_| {})
            .unwrap()
            .is_empty()
    );
}
