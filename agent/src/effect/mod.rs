//! Effects that outlive the agent: apt, dpkg and the commands of a role.
//!
//! Each runs under `cfg effect FOLDER`, as a transient unit of its own where systemd runs, else as the leader of a session
//! of its own. The folder, in the state directory, holds what is run, how it ended and the end of what it printed. Whoever
//! holds the lock in it owns it: the effect for as long as it lives, so that the next run can wait for one whose agent was
//! killed.

mod inside;
pub mod orphans;
mod printed;
mod start;
mod wait;

pub use inside::run as run_inside;
pub use printed::Printed;
pub use wait::wait_for;

use crate::errno;
use anyhow::Context as _;
use cfg_catalog::digest::Digest;
use cfg_catalog::id::ResourceId;
use rustix::fs::FlockOperation;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

const TASK: &str = "task.json";
const LOCK: &str = "lock";
const OUTPUT: &str = "output";
const OUTCOME: &str = "outcome.json";

/// Something to run.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Task {
    /// What it is, for a person: `apt-get install`, `command:format`.
    pub what: String,
    /// The command line.
    pub argv: Vec<String>,
    /// Its whole environment.
    pub env: BTreeMap<String, String>,
    /// What it reads on its standard input; nothing where none.
    #[serde(default)]
    pub stdin: Option<String>,
    /// Who runs it; whoever runs the agent where none.
    pub user: Option<String>,
    /// Where, below `root`.
    pub cwd: String,
    /// What it takes for `/`.
    pub root: PathBuf,
    /// Killed when it takes longer.
    pub timeout_s: u64,
    /// The debt of the ledger that its success settles.
    pub settles: Option<Settles>,
}

/// A command of the role with the inputs it runs for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settles {
    /// The command.
    pub command: ResourceId,
    /// Its inputs when it began.
    pub inputs: BTreeMap<ResourceId, Digest>,
}

/// How an effect ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// By itself, with this code.
    Exited(i32),
    /// By this signal.
    Signal(i32),
    /// It took too long and was killed.
    TimedOut,
    /// It could not be started.
    NotStarted,
    /// Nobody knows: it was killed with all that watched it.
    Lost,
}

impl Outcome {
    /// Whether it did what it should.
    pub fn is_success(self) -> bool {
        self == Outcome::Exited(0)
    }
}

impl std::fmt::Display for Outcome {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Outcome::Exited(code) => write!(f, "it exited with {code}"),
            Outcome::Signal(signal) => write!(f, "it was killed by signal {signal}"),
            Outcome::TimedOut => f.write_str("it took too long and was killed"),
            Outcome::NotStarted => f.write_str("it could not be started"),
            Outcome::Lost => f.write_str("it was killed with all that watched it"),
        }
    }
}

/// An effect that has ended.
#[derive(Debug)]
pub struct Ended {
    /// How.
    pub outcome: Outcome,
    /// The end of what it printed.
    pub output: String,
    /// Where its success settles a debt: to be removed when the ledger that says so is on disk.
    pub traces: Option<Traces>,
}

/// The folder of an effect that has ended. While it is there the next run takes it for a leftover.
#[must_use = "its folder stays until it is removed"]
#[derive(Debug)]
pub struct Traces {
    folder: PathBuf,
    /// Nobody else looks into it meanwhile.
    _lock: File,
}

impl Traces {
    /// Removes the folder: what it tells is written down elsewhere, or nobody needs it.
    ///
    /// # Errors
    /// Where it cannot be removed.
    pub fn remove(self) -> anyhow::Result<()> {
        std::fs::remove_dir_all(&self.folder)
            .with_context(|| format!("cannot remove {}", self.folder.display()))
    }
}

/// An effect of an earlier run, ended by now.
#[derive(Debug)]
pub struct Leftover {
    /// What it was.
    pub task: Task,
    /// How it ended.
    pub outcome: Outcome,
    /// To be removed when what it settles is on disk.
    pub traces: Traces,
}

/// Starts effects and waits for them.
#[derive(Clone, Debug)]
pub struct Effects {
    folder: PathBuf,
    manner: Manner,
    program: Program,
}

/// How effects are kept apart from the agent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Manner {
    /// A transient unit of systemd.
    Unit,
    /// A session of its own.
    Session,
}

/// The program that has the hidden command `effect`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Program {
    /// The one that runs now, even if an upgrade has just replaced its file.
    Own,
    /// This one.
    At(PathBuf),
}

impl Effects {
    /// Effects whose folders lie in this folder.
    pub fn new(folder: PathBuf) -> Self {
        let unit =
            Path::new("/run/systemd/system").is_dir() && rustix::process::geteuid().is_root();
        Self {
            folder,
            manner: if unit { Manner::Unit } else { Manner::Session },
            program: Program::Own,
        }
    }

    /// The same with another program and manner.
    #[must_use]
    pub fn with(self, program: Program, manner: Manner) -> Self {
        Self {
            program,
            manner,
            ..self
        }
    }

    /// Runs this to its end.
    ///
    /// # Errors
    /// Where it could not even be written down; all else is an [`Outcome`].
    pub fn run(&self, task: &Task) -> anyhow::Result<Ended> {
        let folder = self.write_down(task)?;
        start::start(&folder, task, self.manner, &self.program)
            .with_context(|| format!("cannot start {}", task.what))?;
        // The starter has waited; the lock is free unless it lost sight of the effect.
        let lock = lock(&folder)?;
        let outcome = outcome(&folder);
        let output = std::fs::read(folder.join(OUTPUT)).unwrap_or_default();
        let output = String::from_utf8_lossy(&output).into_owned();
        let traces = Traces {
            folder,
            _lock: lock,
        };
        let traces = match task.settles.is_some() && outcome.is_success() {
            true => Some(traces),
            false => {
                traces.remove()?;
                None
            }
        };
        Ok(Ended {
            outcome,
            output,
            traces,
        })
    }

    fn write_down(&self, task: &Task) -> anyhow::Result<PathBuf> {
        let mut unique = [0; 6];
        getrandom::fill(&mut unique).context("the kernel gives no random bytes")?;
        let folder = self.folder.join(format!(
            "cfg-effect-{}-{}",
            slug(&task.what),
            hex::encode(unique)
        ));
        std::fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&folder)
            .map_err(errno::explained)
            .with_context(|| format!("cannot make {}", folder.display()))?;
        let text = serde_json::to_vec(task).context("a task does not go into JSON")?;
        let write = || -> std::io::Result<()> {
            // It may hold secrets in its environment and its input.
            let mut file = OpenOptions::new()
                .write(true)
                .create_new(true)
                .mode(0o600)
                .open(folder.join(TASK))?;
            file.write_all(&text)?;
            file.sync_all()
        };
        write()
            .map_err(errno::explained)
            .with_context(|| format!("cannot write into {}", folder.display()))?;
        Ok(folder)
    }

    /// What is under way, or was when the agent that began it was killed and no run has been since. Waits for nothing.
    ///
    /// # Errors
    /// Where the folders cannot be read.
    pub fn unsettled(&self) -> anyhow::Result<Vec<Task>> {
        let folders = self.folders()?;
        Ok(folders
            .iter()
            .filter_map(|folder| task_in(folder))
            .collect())
    }

    /// What earlier runs left, with how it ended; no end where it is under way still. Waits for nothing, and writes nothing.
    ///
    /// # Errors
    /// Where the folders cannot be read.
    pub fn seen(&self) -> anyhow::Result<Vec<(Task, Option<Outcome>)>> {
        let folders = self.folders()?;
        let seen = folders.iter().filter_map(|folder| {
            let over = ended(folder).is_some() || !is_locked(folder);
            Some((task_in(folder)?, over.then(|| outcome(folder))))
        });
        Ok(seen.collect())
    }

    fn folders(&self) -> anyhow::Result<Vec<PathBuf>> {
        let listing = match std::fs::read_dir(&self.folder) {
            Ok(listing) => listing,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => {
                return Err(error).context(format!("cannot read {}", self.folder.display()));
            }
        };
        let mut folders = Vec::new();
        for entry in listing {
            let entry = entry.context("cannot read the effects of earlier runs")?;
            folders.extend(Some(entry.path()).filter(|folder| folder.is_dir()));
        }
        Ok(folders)
    }

    /// What earlier runs left: waits for those that still live. `told` hears what is waited for.
    ///
    /// # Errors
    /// Where the folders cannot be read.
    pub fn leftovers(&self, told: &mut dyn FnMut(&str)) -> anyhow::Result<Vec<Leftover>> {
        let mut leftovers = Vec::new();
        for folder in self.folders()? {
            let task = task_in(&folder);
            if let Some(task) = &task
                && try_lock(&folder)?.is_none()
            {
                told(&format!("waiting for {} of an earlier run", task.what));
            }
            let lock = lock(&folder)?;
            let outcome = outcome(&folder);
            let traces = Traces {
                folder,
                _lock: lock,
            };
            match task {
                Some(task) => leftovers.push(Leftover {
                    task,
                    outcome,
                    traces,
                }),
                // A task that was not written whole was never started.
                None => traces.remove()?,
            }
        }
        Ok(leftovers)
    }
}

/// None where it was not written whole.
fn task_in(folder: &Path) -> Option<Task> {
    let text = std::fs::read(folder.join(TASK)).ok()?;
    serde_json::from_slice(&text).ok()
}

/// What may stand in a unit's name.
fn slug(what: &str) -> String {
    what.chars()
        .map(|c| if c.is_ascii_alphanumeric() { c } else { '-' })
        .take(40)
        .collect()
}

fn lock_file(folder: &Path) -> anyhow::Result<File> {
    OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(folder.join(LOCK))
        .map_err(errno::explained)
        .with_context(|| format!("cannot open the lock in {}", folder.display()))
}

/// The lock of an effect's folder, once it is free.
fn lock(folder: &Path) -> anyhow::Result<File> {
    let file = lock_file(folder)?;
    loop {
        match rustix::fs::flock(&file, FlockOperation::LockExclusive) {
            Ok(()) => return Ok(file),
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error).context("cannot lock an effect's folder"),
        }
    }
}

fn try_lock(folder: &Path) -> anyhow::Result<Option<File>> {
    let file = lock_file(folder)?;
    match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(Some(file)),
        Err(rustix::io::Errno::WOULDBLOCK) => Ok(None),
        Err(error) => Err(error).context("cannot lock an effect's folder"),
    }
}

/// Whether somebody has the lock of an effect's folder, by the kernel's list: who looks must not take it.
fn is_locked(folder: &Path) -> bool {
    let Ok(lock) = folder.join(LOCK).metadata() else {
        return false;
    };
    let Ok(list) = std::fs::read_to_string("/proc/locks") else {
        return true;
    };
    let inode = format!(":{}", lock.ino());
    let of_it = |line: &str| {
        let mut words = line.split_whitespace();
        line.contains("FLOCK") && words.any(|word| word.ends_with(&inode))
    };
    list.lines().any(of_it)
}

fn outcome(folder: &Path) -> Outcome {
    ended(folder).unwrap_or(Outcome::Lost)
}

/// None where nobody has written down that it ended.
fn ended(folder: &Path) -> Option<Outcome> {
    let text = std::fs::read(folder.join(OUTCOME)).ok()?;
    serde_json::from_slice(&text).ok()
}

/// How long something killed softly may take to end.
const GRACE: Duration = Duration::from_secs(5);
