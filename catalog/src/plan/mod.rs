//! The changes that would bring a machine to its role, in order. The same value is shown, applied and reported.

use crate::id::ResourceId;
use crate::resource::Observed;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;

/// What was seen of a machine: one answer a resource of its [`crate::resource::Desired`].
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Snapshot {
    /// By resource.
    pub observed: BTreeMap<ResourceId, Observed>,
}

/// What is done to a resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    /// It is made.
    Create,
    /// It is changed.
    Update,
    /// It is removed.
    Remove,
    /// A package is installed.
    Install,
    /// A package goes to a newer version.
    Upgrade,
    /// A package goes to an older version.
    Downgrade,
    /// A package goes, its configuration too.
    Purge,
    /// A package is held.
    Hold,
    /// A package is held no more.
    Unhold,
    /// A unit is started.
    Start,
    /// A unit is stopped.
    Stop,
    /// A unit is restarted.
    Restart,
    /// A unit is reloaded.
    Reload,
    /// A unit will start at boot.
    Enable,
    /// A unit will not start at boot.
    Disable,
    /// A unit can be started by nobody.
    Mask,
    /// A unit can be started again.
    Unmask,
    /// A command is run.
    Run,
}

/// Whether a real run would do just this.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Certainty {
    /// It would.
    Certain,
    /// It hangs on what only a real run settles.
    Assumed,
}

/// One change. In JSON exactly the object under `changes`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Change {
    /// To which resource.
    pub resource: ResourceId,
    /// What.
    pub action: Action,
    /// How sure.
    pub certainty: Certainty,
    /// What was there, as the kind shows it; null where nothing was.
    pub before: Value,
    /// What will be there.
    pub after: Value,
    /// A unified diff of text content, cut at 64 KiB; null where there is none to show.
    pub diff: Option<String>,
    /// The resources whose changes bring this one about.
    pub causes: Vec<ResourceId>,
}
