//! The changes that would bring a machine to its role, in order. The same value is shown, applied and reported.

pub mod ahead;
pub mod claims;
pub mod disruption;
pub mod document;
pub mod draft;
pub mod explain;
pub mod inputs;
pub mod ledger;
pub mod leftovers;
pub mod nobody;
pub mod order;
pub mod places;
pub mod planned;
pub mod refusals;
pub mod settle;
pub mod show;
pub mod textdiff;
pub mod turn;

mod clashes;
mod closing;
pub(crate) mod early;
mod edges;
mod elsewhere;
mod folders;
mod listing;
mod missing;
mod remedy;
mod texts;
mod units;
mod unprivileged;
mod written;

pub use draft::{plan, plan_within};
pub use edges::Why;
pub use ledger::{Ledger, begin};
pub use order::{Cycle, Phase, Step, order};
pub use places::{Followed, Place, Places};
pub use planned::{Fate, Plan, PlannedStep};
pub use settle::{Due, Settled, Standing, settle};
pub use turn::{Turn, Verdict, turn};

use crate::digest::Digest;
use crate::id::{Kind, ResourceId};
use crate::path::AbsPath;
use crate::resource::account::{GroupState, UserState};
use crate::resource::{Desired, Observed};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// What was seen of a machine: one answer a resource of its [`crate::resource::Desired`].
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Snapshot {
    /// By resource.
    pub observed: BTreeMap<ResourceId, Observed>,
    /// What is true of the machine as a whole.
    pub host: Host,
    /// Where the paths of these resources really lie.
    pub places: Places,
    /// What is the agent's own: it goes by no purge, nor what is in it or leads there.
    pub own: Vec<AbsPath>,
}

/// What was seen of each resource of a role, in its order: that is the order of the answers too, so that none is looked for.
pub fn of_each<'a>(
    observed: &'a BTreeMap<ResourceId, Observed>,
    desired: &Desired,
) -> Vec<Option<&'a Observed>> {
    let mut seen = observed.iter().peekable();
    let ids = desired.resources.iter().map(|resource| &resource.id);
    let found = ids.map(|id| {
        while seen.next_if(|(other, _)| *other < id).is_some() {}
        let found = seen.next_if(|(other, _)| *other == id);
        found.map(|(_, observed)| observed)
    });
    found.collect()
}

/// What is true of a machine as a whole and bears on differences.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Host {
    /// Names of users by number, so that an owner given as a number is recognized.
    pub users: BTreeMap<u32, String>,
    /// Names of groups by number.
    pub groups: BTreeMap<u32, String>,
    /// Users by the numbers of their primary groups.
    pub primary: BTreeMap<u32, BTreeSet<String>>,
    /// Which of the users and groups that the role names are nobody's.
    pub nobody: nobody::Nobody,
    /// Units that are enabled along with those of the role, where a purge could take their links.
    pub also: BTreeSet<String>,
    /// What the process that will enact may do.
    pub power: Power,
    /// Repositories that apt could not fetch when it was asked last, in its words; their sources are the same since.
    pub unfetched: BTreeMap<ResourceId, String>,
    /// Units of which another file comes to light where the role takes the machine's own away.
    pub uncovered: BTreeSet<String>,
    /// What of a plan the machine would refuse; found out once there is one.
    pub refusals: refusals::Refusals,
    /// Contents of blobs of the role that are worth a diff (text of at most 1 MiB); for diffs alone.
    pub blobs: BTreeMap<Digest, Vec<u8>>,
}

impl Host {
    /// A user or group was seen; its number may be another than it was.
    pub fn meet(&mut self, account: &ResourceId, seen: &Observed) {
        match seen {
            Observed::User(UserState::Present(user)) => self.numbered(account, user.uid),
            Observed::Group(GroupState::Present { gid }) => self.numbered(account, *gid),
            _ => {}
        }
    }

    /// A user or group has this number.
    pub(crate) fn numbered(&mut self, account: &ResourceId, number: u32) {
        let names = match account.kind {
            Kind::User => &mut self.users,
            _ => &mut self.groups,
        };
        names.retain(|_, name| **name != *account.name);
        names.insert(number, account.name.to_string());
    }
}

/// What the process that enacts may do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Power {
    /// Everything. A dry run of an ordinary user on the real root plans with this too: it shows what root would do.
    #[default]
    Root,
    /// Only what this ordinary user may, below `--root`: foreign owners, accounts, packages and commands are held.
    Own {
        /// Its name.
        user: String,
        /// Its groups, the primary one first.
        groups: Vec<String>,
    },
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
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Certainty {
    /// It would.
    Certain,
    /// It hangs on what only a real run settles.
    Assumed,
}

impl Certainty {
    /// Certain where this holds, else assumed.
    pub fn certain_if(holds: bool) -> Self {
        match holds {
            true => Certainty::Certain,
            false => Certainty::Assumed,
        }
    }
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
    #[serde(default)]
    pub before: Value,
    /// What will be there.
    #[serde(default)]
    pub after: Value,
    /// A unified diff of text content, cut at 64 KiB; null where there is none to show.
    pub diff: Option<String>,
    /// The resources whose changes bring this one about.
    pub causes: Vec<ResourceId>,
}

impl Change {
    /// A certain change with nothing to show and no causes.
    pub fn new(resource: &ResourceId, action: Action) -> Self {
        Self {
            resource: resource.clone(),
            action,
            certainty: Certainty::Certain,
            before: Value::Null,
            after: Value::Null,
            diff: None,
            causes: Vec::new(),
        }
    }

    /// From this to that.
    #[must_use]
    pub fn showing(mut self, before: Value, after: Value) -> Self {
        self.before = before;
        self.after = after;
        self
    }

    /// With this diff.
    #[must_use]
    pub fn with_diff(mut self, diff: Option<String>) -> Self {
        self.diff = diff;
        self
    }

    /// As sure as this, or less.
    #[must_use]
    pub fn at_most(mut self, certainty: Certainty) -> Self {
        self.certainty = self.certainty.max(certainty);
        self
    }

    /// Brought about by these.
    #[must_use]
    pub fn because_of(mut self, causes: Vec<ResourceId>) -> Self {
        self.causes = causes;
        self
    }
}

impl Action {
    /// Whether a package comes, goes or changes its version by it.
    pub fn moves(self) -> bool {
        use Action::{Downgrade, Install, Purge, Remove, Upgrade};
        matches!(self, Install | Upgrade | Downgrade | Remove | Purge)
    }

    /// The word in JSON.
    pub fn word(self) -> &'static str {
        match self {
            Action::Create => "create",
            Action::Update => "update",
            Action::Remove => "remove",
            Action::Install => "install",
            Action::Upgrade => "upgrade",
            Action::Downgrade => "downgrade",
            Action::Purge => "purge",
            Action::Hold => "hold",
            Action::Unhold => "unhold",
            Action::Start => "start",
            Action::Stop => "stop",
            Action::Restart => "restart",
            Action::Reload => "reload",
            Action::Enable => "enable",
            Action::Disable => "disable",
            Action::Mask => "mask",
            Action::Unmask => "unmask",
            Action::Run => "run",
        }
    }
}
