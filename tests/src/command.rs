//! Child processes whose failures say what was run and what it said.

use std::ffi::OsStr;
use std::io::Write;
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, ExitStatus, Stdio};

use anyhow::{Context, Result, bail};

/// What a command that ended left behind.
#[derive(Debug, Clone)]
pub struct Output {
    /// The command, for messages.
    pub command: String,
    /// Its exit code, or 128 and the number of the signal that ended it.
    pub status: i32,
    /// All that it printed.
    pub stdout: String,
    /// All that it complained of.
    pub stderr: String,
}

impl Output {
    /// What it printed, or an error that tells everything if it failed.
    pub fn success(self) -> Result<String> {
        self.expect_status(0)
    }

    /// What it printed, or an error that tells everything if it ended with another code than `status`.
    pub fn expect_status(self, status: i32) -> Result<String> {
        if self.status != status {
            bail!("{self}");
        }
        Ok(self.stdout)
    }

    /// The one JSON document that it printed, whatever its exit code.
    pub fn json(&self) -> Result<serde_json::Value> {
        serde_json::from_str(&self.stdout).with_context(|| format!("no JSON: {self}"))
    }
}

impl std::fmt::Display for Output {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "`{}` ended with {}", self.command, self.status)?;
        for (name, text) in [("stderr", &self.stderr), ("stdout", &self.stdout)] {
            if !text.trim().is_empty() {
                write!(f, "\n{name}: {}", text.trim_end())?;
            }
        }
        Ok(())
    }
}

/// The words of a command, for messages.
pub(crate) fn shown<S: AsRef<OsStr>>(argv: &[S]) -> String {
    let words = argv.iter().map(|word| word.as_ref().to_string_lossy());
    words.collect::<Vec<_>>().join(" ")
}

/// Runs a command to its end, whatever its exit code; an error is a command that could not be started.
pub fn output(command: &mut Command) -> Result<Output> {
    output_with_stdin(command, b"")
}

/// As [`output`], with something to read. Input must be small enough for a command that prints before it reads it all.
pub(crate) fn output_with_stdin(command: &mut Command, stdin: &[u8]) -> Result<Output> {
    let shown = show(command);
    let input = if stdin.is_empty() {
        Stdio::null()
    } else {
        Stdio::piped()
    };
    let mut child = command
        .stdin(input)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| format!("cannot start `{shown}`"))?;
    if let Some(mut pipe) = child.stdin.take()
        && let Err(error) = pipe.write_all(stdin)
        && error.kind() != std::io::ErrorKind::BrokenPipe
    {
        return Err(error).with_context(|| format!("cannot write to `{shown}`"));
    }
    let ended = child
        .wait_with_output()
        .with_context(|| format!("cannot wait for `{shown}`"))?;
    Ok(Output {
        command: shown,
        status: code(ended.status),
        stdout: String::from_utf8_lossy(&ended.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&ended.stderr).into_owned(),
    })
}

/// The exit code as a shell counts it.
pub(crate) fn code(status: ExitStatus) -> i32 {
    status
        .code()
        .unwrap_or_else(|| 128 + status.signal().unwrap_or(0))
}

/// Sends a signal to a process, or to a process group, which is written as a negative number.
pub(crate) fn signal(name: &str, target: i64) -> Result<()> {
    output(Command::new("sh").args(["-c", "kill -s \"$0\" -- \"$1\"", name, &target.to_string()]))?
        .success()?;
    Ok(())
}

fn show(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words
        .map(|word| word.to_string_lossy())
        .collect::<Vec<_>>()
        .join(" ")
}
