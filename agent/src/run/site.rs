//! The narrow seam between a run and the machine it runs on.

use cfg_catalog::id::ResourceId;
use cfg_catalog::plan::{Change, Host, Ledger};
use cfg_catalog::resource::{Health, Observed, Resource};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// Something to look at.
#[derive(Clone, Copy, Debug)]
pub struct Look<'a> {
    /// What.
    pub resource: &'a Resource,
    /// A directory: everything below it is wanted too.
    pub listed: bool,
}

/// How sure of apt's index a look must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Index {
    /// It will be refreshed where it lacks something; so what it lacks is unknown.
    BeforeRefresh,
    /// It is as new as it gets: what it lacks there is not.
    Final,
}

/// What a run sees of a machine.
pub trait Site {
    /// Looks at all of these, in as few rounds as can be. Never fails: what could not be seen says so itself.
    fn look(&mut self, wanted: &[Look<'_>], index: Index) -> BTreeMap<ResourceId, Observed>;

    /// What is true of the machine as a whole.
    fn host(&mut self) -> Host;
}

/// Why an effect did not come about.
#[derive(Debug)]
pub enum Trouble {
    /// This resource failed; the run goes on with what does not need it.
    Failed(String),
    /// The run cannot go on.
    Stop(anyhow::Error),
}

impl Trouble {
    /// A failure with the whole chain of an error.
    pub fn failed(error: &anyhow::Error) -> Self {
        Trouble::Failed(format!("{error:#}"))
    }
}

/// One package with what is to be done to it.
#[derive(Clone, Debug)]
pub struct PackageMove<'a> {
    /// Which.
    pub resource: &'a Resource,
    /// What.
    pub changes: Vec<Change>,
    /// On hold at the moment.
    pub held: bool,
}

/// A verdict on a started service, or a role's health.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Healthy {
    /// It is.
    Yes,
    /// It is not, with what it said.
    No(String),
    /// It could not be asked.
    Unknown,
}

/// What a run does to a machine. Every method is one effect or none; a run that is killed between two of them is
/// finished by the next.
pub trait Hand: Site {
    /// Puts the ledger on disk.
    ///
    /// # Errors
    /// Where it cannot be written; then nothing more may be done.
    fn keep(&mut self, ledger: &Ledger) -> Result<(), Trouble>;

    /// Puts on disk which services were started and have not yet proven to work.
    ///
    /// # Errors
    /// Where it cannot be written.
    fn keep_unproven(&mut self, services: &BTreeSet<ResourceId>) -> Result<(), Trouble>;

    /// Brings one resource about, unless it is a package or a service.
    ///
    /// # Errors
    /// Where it fails.
    fn enact(&mut self, resource: &Resource, changes: &[Change]) -> Result<(), Trouble>;

    /// Makes the index new enough for these changes, where it is not. `lacking`: a wanted version is not in it.
    /// True where it was refreshed, wholly or not.
    ///
    /// # Errors
    /// Where that could not even be tried.
    fn refresh_index(&mut self, lacking: bool) -> Result<bool, Trouble>;

    /// Moves packages in as few transactions as can be; gives what the tool said of those that failed.
    ///
    /// # Errors
    /// Where it could not even be tried.
    fn packages(
        &mut self,
        moves: &[PackageMove<'_>],
    ) -> Result<BTreeMap<ResourceId, String>, Trouble>;

    /// Does one thing to a unit.
    ///
    /// # Errors
    /// Where it fails.
    fn service(&mut self, resource: &Resource, change: &Change) -> Result<(), Trouble>;

    /// Has systemd read its unit files again.
    ///
    /// # Errors
    /// Where it fails.
    fn daemon_reload(&mut self) -> Result<(), Trouble>;

    /// Asks the role's health once.
    fn healthy(&mut self, health: &Health) -> Healthy;

    /// Lets time pass.
    fn wait(&mut self, time: Duration);

    /// Time that has passed since some moment; for settling and deadlines.
    fn clock(&mut self) -> Duration;
}
