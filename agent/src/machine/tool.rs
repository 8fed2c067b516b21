//! Running the tools of the system: by argv, in a bare environment, with a bound on time and on what they print.

use crate::resource::command::last_lines;
use rustix::process::{Pid, Signal, kill_process_group};
use std::ffi::OsStr;
use std::io::{Read, Write};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// How much of a tool's output is kept: its end, where the reason stands.
const MOST_SAID: usize = 64 * 1024;

/// How a tool ended.
#[derive(Debug)]
pub(crate) struct Ended {
    /// None: it took too long and was killed.
    pub(crate) status: Option<ExitStatus>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Ended {
    pub(crate) fn succeeded(&self) -> bool {
        self.status.is_some_and(|status| status.success())
    }

    /// How it ended, for a person.
    pub(crate) fn verdict(&self) -> String {
        use std::os::unix::process::ExitStatusExt;
        match self.status {
            None => "took too long and was killed".into(),
            Some(status) => match (status.code(), status.signal()) {
                (Some(code), _) => format!("ended with exit code {code}"),
                (None, Some(signal)) => format!("was killed by signal {signal}"),
                (None, None) => "ended strangely".into(),
            },
        }
    }

    /// How it ended and what it printed, for a person.
    pub(crate) fn told(&self) -> String {
        let said = if self.err.trim().is_empty() {
            last_lines(&self.out)
        } else {
            last_lines(&self.err)
        };
        match said.lines().count() {
            0 => self.verdict(),
            1 => format!("{}: {said}", self.verdict()),
            _ => format!("{}, and said last:\n{said}", self.verdict()),
        }
    }
}

/// Runs argv. What it reads on stdin, if anything, is seen in no list of processes.
pub(crate) fn run<S: AsRef<OsStr>>(
    argv: &[S],
    stdin: Option<&[u8]>,
    limit: Duration,
) -> std::io::Result<Ended> {
    let (program, args) = argv
        .split_first()
        .ok_or_else(|| std::io::Error::from(std::io::ErrorKind::InvalidInput))?;
    let mut child = Command::new(program)
        .args(args)
        .env_clear()
        .env(
            "PATH",
            "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        )
        .env("LC_ALL", "C.UTF-8")
        .current_dir("/")
        .stdin(if stdin.is_some() {
            Stdio::piped()
        } else {
            Stdio::null()
        })
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        // Of its own group, so that what it started is killed with it.
        .process_group(0)
        .spawn()?;
    let out = child.stdout.take().map(keep).transpose();
    let err = child.stderr.take().map(keep).transpose();
    let (out, err) = match (out, err) {
        (Ok(out), Ok(err)) => (out, err),
        // Nobody reads what it prints: it would wait for ever.
        (Err(error), _) | (_, Err(error)) => {
            kill(&mut child)?;
            return Err(error);
        }
    };
    if let (Some(mut pipe), Some(bytes)) = (child.stdin.take(), stdin) {
        // A tool that does not read to the end says why by how it ends.
        let _unread = pipe.write_all(bytes);
    }
    let status = wait(&mut child, limit)?;
    Ok(Ended {
        status,
        out: text(out),
        err: text(err),
    })
}

/// Waits up to a limit, then kills the group; none where it had to.
fn wait(child: &mut Child, limit: Duration) -> std::io::Result<Option<ExitStatus>> {
    let end = Instant::now() + limit;
    let mut pause = Duration::from_micros(500);
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        if Instant::now() >= end {
            kill(child)?;
            return Ok(None);
        }
        std::thread::sleep(pause);
        pause = (pause * 2).min(Duration::from_millis(20));
    }
}

/// Kills it with all that it started.
fn kill(child: &mut Child) -> std::io::Result<()> {
    if let Some(group) = i32::try_from(child.id()).ok().and_then(Pid::from_raw) {
        // It may have ended just now; then there is nobody to kill.
        let _gone = kill_process_group(group, Signal::KILL);
    }
    child.wait()?;
    Ok(())
}

/// What a pipe brought so far, and a word when it ended.
struct Kept {
    bytes: Arc<Mutex<Vec<u8>>>,
    ended: Receiver<()>,
}

/// Reads all that is printed, so that nobody blocks, and keeps the end.
fn keep(mut pipe: impl Read + Send + 'static) -> std::io::Result<Kept> {
    let bytes = Arc::new(Mutex::new(Vec::new()));
    let (end, ended) = channel();
    let kept = Arc::clone(&bytes);
    std::thread::Builder::new().spawn(move || {
        let mut buffer = [0; 4096];
        while let Ok(count @ 1..) = pipe.read(&mut buffer) {
            let mut kept = kept.lock().unwrap_or_else(|broken| broken.into_inner());
            kept.extend_from_slice(&buffer[..count]);
            let over = kept.len().saturating_sub(MOST_SAID);
            kept.drain(..over);
        }
        // Nobody listens any more where the tool is given up.
        let _unheard = end.send(());
    })?;
    Ok(Kept { bytes, ended })
}

/// The output of a tool that has ended. What it left running may hold the pipe for ever: that is not waited for.
fn text(kept: Option<Kept>) -> String {
    let Some(kept) = kept else {
        return String::new();
    };
    let _ended = kept.ended.recv_timeout(Duration::from_secs(1));
    let bytes = kept
        .bytes
        .lock()
        .unwrap_or_else(|broken| broken.into_inner());
    String::from_utf8_lossy(&bytes).into_owned()
}

/// One line of a database; none where it has none or does not answer.
pub(crate) fn getent(database: &str, key: &str) -> Option<String> {
    let ended = run(
        &["getent", database, "--", key],
        None,
        Duration::from_secs(15),
    )
    .ok()?;
    ended.succeeded().then_some(ended.out)
}
