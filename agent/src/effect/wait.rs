//! Waiting for a child, but not for ever.

use super::{GRACE, Outcome, Printed};
use rustix::process::{Pid, Signal, kill_process_group};
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Child, ExitStatus};
use std::time::{Duration, Instant};

/// Waits for a child that leads a process group, and sees to it that what it prints takes little room; after `timeout`
/// the whole group is killed.
///
/// # Errors
/// Where the kernel does not let us wait.
pub fn wait_for(
    child: &mut Child,
    timeout: Duration,
    printed: &Printed,
) -> std::io::Result<Outcome> {
    if let Some(status) = wait_until(child, Instant::now() + timeout, printed)? {
        return Ok(outcome(status));
    }
    let group = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    for signal in [Signal::TERM, Signal::KILL] {
        if let Some(group) = group {
            // It may just have ended.
            let _ = kill_process_group(group, signal);
        }
        if wait_until(child, Instant::now() + GRACE, printed)?.is_some() {
            break;
        }
    }
    if let Some(group) = group {
        // What did not heed the first signal and is no longer watched through the leader.
        let _ = kill_process_group(group, Signal::KILL);
    }
    Ok(Outcome::TimedOut)
}

fn wait_until(
    child: &mut Child,
    deadline: Instant,
    printed: &Printed,
) -> std::io::Result<Option<ExitStatus>> {
    const FIRST: Duration = Duration::from_millis(1);
    let mut pause = FIRST;
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(None);
        }
        // Who prints much is looked after again soon.
        if printed.trim() {
            pause = FIRST;
        }
        std::thread::sleep(pause.min(left));
        pause = (pause * 2).min(Duration::from_millis(50));
    }
}

fn outcome(status: ExitStatus) -> Outcome {
    match (status.code(), status.signal()) {
        (Some(code), _) => Outcome::Exited(code),
        (None, Some(signal)) => Outcome::Signal(signal),
        (None, None) => Outcome::Lost,
    }
}
