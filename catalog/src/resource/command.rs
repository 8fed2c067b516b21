//! A command under a guard.

use super::Shell;
use crate::id::ResourceId;
use crate::path::AbsPath;
use std::collections::BTreeMap;

/// What is run, and when it is not.
#[derive(Clone, Debug, PartialEq)]
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
}
