//! A command under a guard.

use super::{Obstacle, Resource, Shell};
use crate::id::ResourceId;
use crate::path::AbsPath;
use crate::plan::turn::{Found, Turn};
use crate::plan::{Action, Certainty, Change};
use std::collections::BTreeMap;

/// What is run, and when it is not.
#[derive(Clone, Debug, PartialEq, Hash)]
pub struct Command {
    /// Its name in the role.
    pub name: String,
    /// What is run.
    pub run: Shell,
    /// Not run while this succeeds.
    pub unless: Option<Shell>,
    /// Run only while this succeeds.
    pub only_if: Option<Shell>,
    /// Not run while this exists.
    pub creates: Option<AbsPath>,
    /// Owed until it succeeded with these inputs.
    pub on: Vec<ResourceId>,
    /// Who runs it; root where none.
    pub user: Option<String>,
    /// Where; `/` where none.
    pub cwd: Option<AbsPath>,
    /// Added to a minimal environment.
    pub env: BTreeMap<String, String>,
    /// In seconds.
    pub timeout_s: u64,
}

impl Command {
    /// Whether its success is on record: it runs again for other inputs alone. So it is also where `on` is its only guard
    /// and the role has none of what that names.
    pub fn runs_once(&self) -> bool {
        let guarded = self.unless.is_some() || self.only_if.is_some() || self.creates.is_some();
        !self.on.is_empty() || !guarded
    }
}

/// What the guards said. Asked in the order `creates`, `only_if`, `unless`; the first that forbids ends it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommandState {
    /// The answer of all guards but `on`.
    pub guards: Guards,
}

/// The answer of the guards.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Guards {
    /// Run it (or: there is no guard but `on`).
    Allow,
    /// Leave it.
    Forbid,
    /// Only a real run can ask them.
    Unknown,
    /// They cannot be asked: there is no directory `cwd`.
    Nowhere,
}

/// Whether the command would be run.
pub(crate) fn diff(
    resource: &Resource,
    command: &Command,
    state: &CommandState,
    turn: &Turn<'_>,
) -> Result<Found, Obstacle> {
    let mut causes = Vec::new();
    let mut certainty = Certainty::Certain;
    if command.runs_once() {
        match turn
            .ledger
            .owed_command(&resource.id, &command.on, turn.inputs)
        {
            None => return Ok(Found::default()),
            Some(owed) => causes = owed,
        }
        if !causes.is_empty() && turn.all_assumed(&resource.id, &causes) {
            certainty = Certainty::Assumed;
        }
    }
    match (state.guards, open(command, turn)) {
        (Guards::Forbid, Certainty::Certain) => return Ok(Found::default()),
        (Guards::Nowhere, Certainty::Certain) => {
            let cwd = command.cwd.as_ref().map_or("/", AbsPath::as_str);
            return Err(Obstacle(format!(
                "its guards cannot be asked: there is no directory {cwd}"
            )));
        }
        (Guards::Allow, Certainty::Certain) => {}
        (Guards::Unknown, _) | (_, Certainty::Assumed) => certainty = Certainty::Assumed,
    }
    let change = Change::new(&resource.id, Action::Run).at_most(certainty);
    Ok(vec![change.because_of(causes)].into())
}

/// Whether the guards could answer otherwise once what comes before is done.
fn open(command: &Command, turn: &Turn<'_>) -> Certainty {
    let asks = command.unless.is_some() || command.only_if.is_some();
    let moved = match &command.creates {
        _ if asks => turn.ahead.anything(),
        Some(path) => turn.ahead.may_touch(path),
        None => false,
    };
    Certainty::certain_if(!moved)
}
