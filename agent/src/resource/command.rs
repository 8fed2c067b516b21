//! Commands: their guards, and running them.

use crate::effect::{Effects, Outcome, Settles, Task, Traces};
use crate::guard::{self, Question, Where};
use crate::machine::{Machine, Wanted};
use crate::run::site::Stage;
use anyhow::{Context as _, bail};
use cfg_catalog::plan::inputs::Inputs;
use cfg_catalog::resource::command::{Command, CommandState, Guards};
use cfg_catalog::resource::{PathState, Resource, Shell};
use rustix::fs::{Mode, OFlags, ResolveFlags, open, openat2};
use rustix::io::Errno;
use std::collections::BTreeMap;
use std::time::Duration;

/// No guard may take longer, whatever its command may.
const GUARD_PATIENCE: Duration = Duration::from_secs(60);

/// Whether what a command or a guard prints may be shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Saying {
    /// It may.
    Shown,
    /// It may be the secret that it was given.
    Secret,
}

impl Saying {
    /// Of this resource.
    pub fn of(resource: &Resource) -> Self {
        match resource.sensitive {
            true => Saying::Secret,
            false => Saying::Shown,
        }
    }
}

/// How many lines of a failed command's output its failure shows.
const LINES: usize = 10;

/// Asks the guards in the order `creates`, `only_if`, `unless`; the first that forbids ends it.
///
/// # Errors
/// Where a guard could not be asked in a run.
pub fn observe(
    machine: &Machine,
    command: &Command,
    saying: Saying,
    stage: Stage,
) -> anyhow::Result<CommandState> {
    let mut guards = Guards::Allow;
    if let Some(path) = &command.creates {
        match machine.observe_path(path, &Wanted::default()) {
            PathState::Absent { .. } => {}
            PathState::Unreadable { why } if stage == Stage::Turn => bail!("{why}"),
            PathState::Unreadable { .. } => guards = Guards::Unknown,
            _ => guards = Guards::Forbid,
        }
    }
    for (shell, forbids) in [(&command.only_if, false), (&command.unless, true)] {
        let Some(shell) = shell else {
            continue;
        };
        if guards == Guards::Forbid {
            break;
        }
        // A program that is not there answers no, as a shell has it; a directory that is not there answers nothing.
        if is_missing(machine, cwd(command)) {
            guards = Guards::Nowhere;
            break;
        }
        match ask(machine, command, shell, saying, stage)? {
            Some(yes) if yes == forbids => guards = Guards::Forbid,
            Some(_) => {}
            None => guards = Guards::Unknown,
        }
    }
    Ok(CommandState { guards })
}

/// Whether a guard succeeds; none where only a real run can tell.
fn ask(
    machine: &Machine,
    command: &Command,
    shell: &Shell,
    saying: Saying,
    stage: Stage,
) -> anyhow::Result<Option<bool>> {
    let question = Question {
        argv: guard::argv(shell),
        env: &command.env,
        user: command.user.as_deref(),
        cwd: cwd(command),
        root: machine.root().path(),
        timeout: GUARD_PATIENCE,
    };
    let place = match stage {
        Stage::Plan => Where::ShutIn,
        Stage::Turn => Where::Open,
    };
    let answer = match (question.ask(place), stage) {
        (Ok(answer), _) => answer,
        (Err(_), Stage::Plan) => return Ok(None),
        (Err(_), Stage::Turn) if saying == Saying::Secret => bail!("its guard cannot be asked"),
        (Err(error), Stage::Turn) => return Err(error).context("its guard cannot be asked"),
    };
    match (answer.outcome, stage) {
        (Some(Outcome::Exited(code)), _) => Ok(Some(code == 0)),
        (None, _) | (Some(_), Stage::Plan) => Ok(None),
        (Some(outcome), Stage::Turn) => bail!("its guard gave no answer: {outcome}"),
    }
}

/// Whether there is no such directory below the root.
fn is_missing(machine: &Machine, cwd: &str) -> bool {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let below = || {
        let root = open(machine.root().path(), flags, Mode::empty())?;
        openat2(root, cwd, flags, Mode::empty(), ResolveFlags::IN_ROOT)
    };
    matches!(below(), Err(Errno::NOENT | Errno::NOTDIR))
}

fn cwd(command: &Command) -> &str {
    command.cwd.as_ref().map_or("/", |cwd| cwd.as_str())
}

/// A command that succeeded.
#[derive(Debug)]
pub struct Success {
    /// What is to be removed when that is on disk, where it is kept at all.
    pub traces: Option<Traces>,
    /// The last lines of what it printed, as far as they may be shown.
    pub said: String,
}

/// Runs a command to its end. Where it failed, gives how, with the last lines of what it printed.
///
/// # Errors
/// Why it could not be started.
pub fn enact(
    machine: &Machine,
    effects: &Effects,
    resource: &Resource,
    command: &Command,
    inputs: &Inputs,
    run: &str,
) -> anyhow::Result<Result<Success, String>> {
    let mut env = guard::environment();
    if command.user.is_none() {
        env.insert("HOME".into(), "/root".into());
    }
    env.insert("CFG_RUN".into(), run.to_owned());
    env.extend(command.env.clone());
    let read: BTreeMap<_, _> = command
        .on
        .iter()
        .filter_map(|id| Some((id.clone(), inputs.get(id)?.digest)))
        .collect();
    let task = Task {
        what: resource.id.to_string(),
        argv: guard::argv(&command.run),
        env,
        stdin: None,
        user: command.user.clone(),
        cwd: cwd(command).to_owned(),
        root: machine.root().path().to_owned(),
        timeout_s: command.timeout_s,
        settles: command.runs_once().then(|| Settles {
            command: resource.id.clone(),
            inputs: read,
        }),
    };
    let ended = effects.run(&task)?;
    let told = match Saying::of(resource) {
        Saying::Secret => String::new(),
        Saying::Shown => last_lines(&ended.output),
    };
    if ended.outcome.is_success() {
        let traces = ended.traces;
        return Ok(Ok(Success { traces, said: told }));
    }
    Ok(Err(match (ended.outcome, told.is_empty()) {
        (Outcome::NotStarted, false) => bail!("{told}"),
        (outcome @ Outcome::NotStarted, true) => bail!("{outcome}"),
        (outcome, false) if !told.contains('\n') => format!("{outcome}: {told}"),
        (outcome, false) => format!("{outcome}, and said last:\n{told}"),
        (outcome, true) => outcome.to_string(),
    }))
}

/// The end of an output: its last lines with anything on them, each at most 500 characters.
pub fn last_lines(output: &str) -> String {
    let lines: Vec<String> = output
        .lines()
        .filter(|line| !line.trim().is_empty())
        .map(|line| line.chars().take(500).collect())
        .collect();
    lines[lines.len().saturating_sub(LINES)..].join("\n")
}
