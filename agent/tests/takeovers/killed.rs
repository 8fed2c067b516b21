//! A run that was killed at any of its calls on the file system: the next one gets there all the same, and what was there before cfg
//! comes back in the end.

use super::{NONE, applies, machine, srv};
use cfg_tests::Desk;
use serde_json::json;
use std::os::unix::process::ExitStatusExt as _;
use std::process::Command;

/// Runs the role until a thread's call of this number comes, before which it is killed. Says whether it was.
fn is_killed_at(call: usize, desk: &Desk) -> bool {
    const CALLS: &str = "rename,renameat,renameat2,unlinkat,mkdirat,symlinkat,fchmodat,fchownat";
    let status = desk
        .at(Command::new("strace"))
        .args(["-f", "-qqq", "--signal=none", "-o", "/dev/null"])
        .args(["-e", &format!("trace={CALLS}")])
        .args([
            "-e",
            &format!("inject={CALLS}:error=EINTR:signal=SIGKILL:when={call}"),
        ])
        .arg(env!("CARGO_BIN_EXE_cfg"))
        .args(cfg_tests::desk::apply("web"))
        .output()
        .expect("strace is installed")
        .status;
    status.signal() == Some(9)
}

/// These roles one after the other, of which the last one is killed at each of its calls, and taken up, first in part where that is said.
fn comes_back_killed(setup: &str, roles: &[&str], part: &[&str]) {
    let (last, first) = roles.split_last().unwrap();
    let mut call = 0;
    loop {
        call += 1;
        let desk = machine(setup);
        let before = srv(&desk);
        for role in first {
            applies(&desk, role);
        }
        desk.role("web", last);
        let killed = is_killed_at(call, &desk);
        let told = format!("{setup}: {roles:?} {part:?} killed at {call}");
        if !part.is_empty() {
            assert_eq!(desk.apply("web", part).0, 0, "{told}");
        }
        assert_eq!(desk.apply("web", &[]).0, 0, "{told}");
        assert_eq!(applies(&desk, NONE)["leftovers"], json!([]), "{told}");
        assert_eq!(srv(&desk), before, "{told}");
        if !killed {
            break;
        }
    }
    assert!(call > 3, "it was never killed: {setup} {roles:?}");
}

#[test]
fn what_a_killed_run_turned_the_way_from_was_never_taken_away() {
    const MADE: &str = "[directory.\"/srv/p/q\"]\nmode = \"0711\"\n";
    let turned = |kind: &str, to: &str| {
        format!("[{kind}.\"/srv/p/q\"]\nstate = \"absent\"\n[link.\"/srv/p\"]\ntarget = \"{to}\"\n")
    };
    let gone = turned("directory", "nowhere");
    let elsewhere = turned("directory", "u");
    for (setup, roles) in [
        ("mkdir t; ln -s t p", &[MADE, &gone][..]),
        ("mkdir -p t/q; ln -s t p", &[&gone]),
        ("mkdir -p t/q; ln -s t p", &[MADE, &gone]),
        (
            "mkdir -p t u/q; chmod 700 u/q; ln -s t p",
            &[MADE, &elsewhere],
        ),
        ("mkdir -p t/q u/q; chmod 700 u/q; ln -s t p", &[&elsewhere]),
    ] {
        for part in [&[][..], &["--only", "directory:/srv/p/q"]] {
            comes_back_killed(setup, roles, part);
        }
    }
}
