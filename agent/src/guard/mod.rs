//! Commands that only ask: guards, and a role's health.

mod inside;
mod mounts;

pub use inside::run as run_inside;

use crate::effect::{Outcome, Printed, wait_for};
use crate::run_as;
use anyhow::{Context as _, bail};
use cfg_catalog::resource::Shell;
use rustix::process::Signal;
use std::collections::BTreeMap;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

/// The exit code by which `cfg guard` says that it could not shut the guard in. A guard that ends with it by itself
/// counts as not asked, which is safe.
const NOT_SHUT_IN: u8 = 125;

/// So much longer than the guard itself may take is waited for the one that shuts it in, and ends what it started.
const LATER: Duration = Duration::from_secs(20);

/// By this signal it ends itself where the guard took too long. A guard that ends by it is told by an exit code.
const TOO_LONG: Signal = Signal::ALARM;

/// A command line as argv.
pub fn argv(shell: &Shell) -> Vec<String> {
    match shell {
        Shell::Argv(argv) => argv.clone(),
        Shell::Line(line) => vec!["/bin/sh".into(), "-c".into(), line.clone()],
    }
}

/// The environment of all commands of a role: minimal, the same whoever started the agent.
pub fn environment() -> BTreeMap<String, String> {
    [
        (
            "PATH",
            "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        ),
        ("LC_ALL", "C.UTF-8"),
    ]
    .into_iter()
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .collect()
}

/// A question to the machine.
#[derive(Clone, Debug)]
pub struct Question<'a> {
    /// The command line.
    pub argv: Vec<String>,
    /// Its environment, beside the minimal one.
    pub env: &'a BTreeMap<String, String>,
    /// Who asks; whoever runs the agent where none.
    pub user: Option<&'a str>,
    /// Where, below `root`.
    pub cwd: &'a str,
    /// What it takes for `/`.
    pub root: &'a Path,
    /// How long it may take.
    pub timeout: Duration,
}

/// Where a question is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Where {
    /// On the machine as it is: a real run.
    Open,
    /// Where nothing can be written, or not at all: a dry run.
    ShutIn,
}

/// What came of a question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// How it ended; none where it could not be asked without a chance to write.
    pub outcome: Option<Outcome>,
    /// The end of what it printed.
    pub output: String,
}

impl Question<'_> {
    /// Asks.
    ///
    /// # Errors
    /// Where it could not be run at all.
    pub fn ask(&self, place: Where) -> anyhow::Result<Answer> {
        let mut env = environment();
        env.extend(self.env.clone());
        let mut command = match place {
            Where::ShutIn => self.shut_in(),
            Where::Open if self.root == Path::new("/") => {
                let argv = match self.user {
                    Some(user) => run_as::argv(&self.argv, user, &mut env)?,
                    None => self.argv.clone(),
                };
                let (program, arguments) = argv.split_first().context("the command is empty")?;
                let mut command = Command::new(program);
                command.args(arguments).current_dir(self.cwd);
                command
            }
            // Only cfg itself changes the root, and the directory within it.
            Where::Open => self.within("--open"),
        };
        let printed = Printed::new()?;
        let child = command
            .env_clear()
            .envs(env)
            .stdin(Stdio::null())
            .stdout(printed.share()?)
            .stderr(printed.share()?)
            .process_group(0)
            .spawn();
        let mut child = match child {
            Ok(child) => child,
            // As a shell has it: a program that is not there answers no.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Ok(Answer {
                    outcome: Some(Outcome::Exited(127)),
                    output: format!("{error}"),
                });
            }
            Err(error) => return Err(error).context("cannot run it"),
        };
        let timeout = match place {
            Where::Open => self.timeout,
            Where::ShutIn => self.timeout + LATER,
        };
        let outcome = wait_for(&mut child, timeout, &printed).context("cannot wait for it")?;
        let late = Outcome::Signal(TOO_LONG.as_raw());
        let outcome = match place {
            Where::ShutIn if outcome == late => Outcome::TimedOut,
            _ => outcome,
        };
        let output = String::from_utf8_lossy(&printed.end()?).into_owned();
        let unasked = outcome == Outcome::Exited(i32::from(NOT_SHUT_IN));
        if unasked && place == Where::Open && self.root != Path::new("/") {
            bail!("{}", output.trim());
        }
        Ok(Answer {
            outcome: (place == Where::Open || !unasked).then_some(outcome),
            output,
        })
    }

    fn shut_in(&self) -> Command {
        self.within("--shut-in")
    }

    fn within(&self, how: &str) -> Command {
        let mut command = Command::new(own_program());
        command
            .args(["guard", how, "--root"])
            .arg(self.root)
            .args(["--cwd", self.cwd]);
        command.args(["--timeout", &self.timeout.as_secs().to_string()]);
        if let Some(user) = self.user {
            command.args(["--user", user]);
        }
        command.arg("--").args(&self.argv);
        command
    }
}

/// This program, even if an upgrade has just replaced its file.
fn own_program() -> PathBuf {
    PathBuf::from("/proc/self/exe")
}
