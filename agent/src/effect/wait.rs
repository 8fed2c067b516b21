//! Waiting for a child, but not for ever.

use super::{GRACE, Outcome};
use rustix::process::{Pid, Signal, kill_process_group};
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Child, ExitStatus};
use std::time::{Duration, Instant};

/// Waits for a child that leads a process group; after `timeout` the whole group is killed.
///
/// # Errors
/// Where the kernel does not let us wait.
pub fn wait_for(child: &mut Child, timeout: Duration) -> std::io::Result<Outcome> {
    if let Some(status) = wait_until(child, Instant::now() + timeout)? {
        return Ok(outcome(status));
    }
    let group = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    for signal in [Signal::TERM, Signal::KILL] {
        if let Some(group) = group {
            // It may just have ended.
            let _ = kill_process_group(group, signal);
        }
        if wait_until(child, Instant::now() + GRACE)?.is_some() {
            break;
        }
    }
    if let Some(group) = group {
        // What did not heed the first signal and is no longer watched through the leader.
        let _ = kill_process_group(group, Signal::KILL);
    }
    Ok(Outcome::TimedOut)
}

fn wait_until(child: &mut Child, deadline: Instant) -> std::io::Result<Option<ExitStatus>> {
    let mut pause = Duration::from_millis(1);
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(None);
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
