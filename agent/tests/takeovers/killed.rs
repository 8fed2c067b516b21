//! A run that was killed at any of its calls on the file system: the next one gets there all the same, and what was there before cfg
//! comes back in the end.

use super::{DIRECTORY, FILE, LINK, NONE, applies, machine, srv};
use cfg_tests::Desk;
use serde_json::json;
use std::os::unix::process::ExitStatusExt as _;
use std::process::Command;

/// Runs the role until a thread makes this call for the nth time, before which it is killed. Says whether it was.
fn is_killed_at((call, nth): (&str, usize), desk: &Desk) -> bool {
    let status = desk
        .at(Command::new("strace"))
        .args(["-f", "-qqq", "--signal=none", "-o", "/dev/null"])
        .args(["-e", &format!("trace={call}")])
        .args([
            "-e",
            &format!("inject={call}:error=EINTR:signal=SIGKILL:when={nth}"),
        ])
        .arg(env!("CARGO_BIN_EXE_cfg"))
        .args(cfg_tests::desk::apply("web"))
        .output()
        .expect("strace is installed")
        .status;
    status.signal() == Some(9)
}

/// Has a run killed at each of the calls by which it changes a file system, and what follows checked; and after one that was not.
fn killed_anywhere(mut check: impl FnMut((&str, usize)) -> bool) {
    let mut kills = 0;
    for call in ["rename", "renameat", "unlinkat", "mkdirat", "symlinkat"] {
        let mut nth = 1;
        while check((call, nth)) {
            nth += 1;
            kills += 1;
        }
    }
    assert!(kills > 1, "it was hardly ever killed: {kills}");
}

/// What a killed run had begun in a folder does not keep that, though nothing else is done in it.
#[test]
fn what_a_killed_run_left_half_made_keeps_no_folder() {
    const BOTH: &str = "[directory.\"/srv/p\"]\n[file.\"/srv/p/q\"]\ncontent = \"q\\n\"\n";
    for then in [NONE, LINK, FILE] {
        killed_anywhere(|call| {
            let desk = machine("mkdir t");
            let before = srv(&desk);
            applies(&desk, DIRECTORY);
            desk.role("web", BOTH);
            let killed = is_killed_at(call, &desk);
            assert_eq!(applies(&desk, then)["failures"], json!([]), "{call:?}");
            assert_eq!(applies(&desk, NONE)["leftovers"], json!([]), "{call:?}");
            assert_eq!(srv(&desk), before, "{call:?}");
            killed
        });
    }
}

/// These roles one after the other, of which the last one is killed at each of its calls, and taken up, first in part where that is said.
fn comes_back_killed(setup: &str, roles: &[&str], part: &[&str]) {
    let (last, first) = roles.split_last().unwrap();
    killed_anywhere(|call| {
        let desk = machine(setup);
        let before = srv(&desk);
        for role in first {
            applies(&desk, role);
        }
        desk.role("web", last);
        let killed = is_killed_at(call, &desk);
        let told = format!("{setup}: {roles:?} {part:?} killed at {call:?}");
        if !part.is_empty() {
            assert_eq!(desk.apply("web", part).0, 0, "{told}");
        }
        assert_eq!(desk.apply("web", &[]).0, 0, "{told}");
        assert_eq!(applies(&desk, NONE)["leftovers"], json!([]), "{told}");
        assert_eq!(srv(&desk), before, "{told}");
        killed
    });
}

#[test]
fn what_a_killed_run_turned_the_way_from_was_never_taken_away() {
    const MADE: &str = "[directory.\"/srv/p/q\"]\nmode = \"0711\"\n";
    let turned = |to: &str| {
        format!(
            "[directory.\"/srv/p/q\"]\nstate = \"absent\"\n[link.\"/srv/p\"]\ntarget = \"{to}\"\n"
        )
    };
    let gone = turned("nowhere");
    let elsewhere = turned("u");
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
