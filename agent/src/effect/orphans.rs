//! What a task leaves in sessions of its own: without a unit around it, the kernel gives it to the effect when its parent ends.

use super::GRACE;
use rustix::process::{Pid, Signal, WaitOptions, getpid, kill_process, set_child_subreaper, wait};
use std::time::{Duration, Instant};

/// Orphans come to this process from now on.
pub fn adopt() {
    // Only a kernel before 3.4 knows no such thing.
    let _ = set_child_subreaper(Some(getpid()));
}

/// Kills the children of this process and theirs, which come to it one after the other.
pub fn kill() {
    let deadline = Instant::now() + GRACE;
    while Instant::now() < deadline {
        match wait(WaitOptions::NOHANG) {
            Ok(Some(_)) => continue,
            Ok(None) => {}
            Err(_none) => break,
        }
        for child in children() {
            let _ = kill_process(child, Signal::KILL);
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn children() -> impl Iterator<Item = Pid> {
    let processes = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    processes.filter_map(|process| {
        let stat = std::fs::read_to_string(process.path().join("stat")).ok()?;
        // The name before it may hold anything.
        let (_, rest) = stat.rsplit_once(')')?;
        let parent: i32 = rest.split_ascii_whitespace().nth(1)?.parse().ok()?;
        let number: i32 = process.file_name().to_str()?.parse().ok()?;
        Pid::from_raw(number).filter(|_| parent == getpid().as_raw_nonzero().get())
    })
}
