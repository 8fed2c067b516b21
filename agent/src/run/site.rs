//! The narrow seam between a run and the machine it runs on.

use cfg_catalog::id::ResourceId;
use cfg_catalog::plan::inputs::{self, Inputs};
use cfg_catalog::plan::{Change, Ledger, Places};
use cfg_catalog::resource::{Desired, Health, Observed, Resource, Shell};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// Something to look at.
#[derive(Clone, Copy, Debug)]
pub struct Look<'a> {
    /// What.
    pub resource: &'a Resource,
    /// A directory: everything below it is wanted too.
    pub listed: bool,
    /// A service: this run has started it, so that the role's health says nothing of it yet.
    pub started: bool,
}

impl<'a> Look<'a> {
    /// At these, for a plan of this.
    pub(super) fn ahead(
        desired: &Desired,
        resources: impl IntoIterator<Item = &'a Resource>,
    ) -> Vec<Self> {
        let listed = inputs::listed(desired);
        let look = |resource: &'a Resource| Self {
            resource,
            listed: listed.contains(&resource.id),
            started: false,
        };
        resources.into_iter().map(look).collect()
    }
}

/// What a look is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// For a plan, dry or not. What apt's index lacks is unknown, since a run refreshes it; guards are asked only where
    /// they cannot write.
    Plan,
    /// At a resource's turn in a real run. What the index lacks there is not, and guards are asked.
    Turn,
}

/// What a run sees of a machine.
pub trait Site {
    /// Looks at all of these, in as few rounds as can be. Never fails: what could not be seen says so itself.
    fn look(&mut self, wanted: &[Look<'_>], stage: Stage) -> BTreeMap<ResourceId, Observed>;

    /// Where those that looks came to through links really lie.
    fn places(&self) -> Places {
        Places::default()
    }
}

/// Why an effect did not come about.
#[derive(Debug)]
pub enum Trouble {
    /// This resource failed; the run goes on with what does not need it.
    Failed(String),
    /// The run cannot go on.
    Stop(anyhow::Error),
}

impl From<anyhow::Error> for Trouble {
    /// A failure with the whole chain.
    fn from(error: anyhow::Error) -> Self {
        Trouble::Failed(cfg_catalog::chain(error.as_ref()))
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

/// The answer of a role's health.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Healthy {
    /// It is.
    Yes,
    /// It is not, with what it said.
    No(String),
    /// It could not be asked, and why: whoever must be sure takes it for the worse.
    Unknown(String),
}

/// What a run does to a machine. A run that is killed in or after any of these is finished by the next one.
pub trait Hand: Site {
    /// Puts the ledger on disk.
    ///
    /// # Errors
    /// Where it cannot be written; then nothing more may be done.
    fn keep(&mut self, ledger: &Ledger) -> Result<(), Trouble>;

    /// Puts on disk what stands there now, where that is what was there before cfg: the first effect on these is next.
    ///
    /// # Errors
    /// Where it cannot be written; then nothing may be done to them.
    fn meets(&mut self, found: &[(&Resource, &Observed)]) -> Result<(), Trouble>;

    /// Puts on disk which services were started and have not yet been seen to pass the role's health.
    ///
    /// # Errors
    /// Where it cannot be written.
    fn keep_unproven(&mut self, services: &BTreeSet<ResourceId>) -> Result<(), Trouble>;

    /// Brings one resource about: a file, a directory, a link, an edit, an account, a repository.
    ///
    /// # Errors
    /// Where it fails.
    fn enact(&mut self, resource: &Resource, changes: &[Change]) -> Result<(), Trouble>;

    /// Brings several files about that do not depend on one another; one outcome each, in their order, up to one
    /// after which the run cannot go on.
    fn files(&mut self, files: &[(&Resource, Vec<Change>)]) -> Vec<Result<(), Trouble>> {
        let mut outcomes = Vec::new();
        for (file, changes) in files {
            outcomes.push(self.enact(file, changes));
            if let Some(Err(Trouble::Stop(_))) = outcomes.last() {
                break;
            }
        }
        outcomes
    }

    /// Runs a command of the role; `inputs` is what is there to be read. Gives how it ended, where that is not well.
    ///
    /// # Errors
    /// Where it could not be started.
    fn command(&mut self, resource: &Resource, inputs: &Inputs) -> Result<Option<String>, Trouble>;

    /// Refreshes apt's index where it is not new enough, or `lacks` a wanted version. Gives apt's complaint where that
    /// did not wholly succeed; what there is may still do.
    ///
    /// # Errors
    /// Where it could not even be tried.
    fn refresh_index(&mut self, lacks: Lacks) -> Result<Option<Complaint>, Trouble>;

    /// Fetches what these moves need, so that they need no network any more; gives what the tool said of those for which that failed.
    ///
    /// # Errors
    /// Where it could not even be tried.
    fn fetch(&mut self, moves: &[PackageMove<'_>])
    -> Result<BTreeMap<ResourceId, String>, Trouble>;

    /// Moves packages in as few transactions as can be; gives what the tool said of those that failed.
    ///
    /// # Errors
    /// Where it could not even be tried.
    fn packages(
        &mut self,
        moves: &[PackageMove<'_>],
    ) -> Result<BTreeMap<ResourceId, String>, Trouble>;

    /// Does one thing to a unit. Where that needs others to be stopped for a moment, those in `later` stay so until
    /// their own turn.
    ///
    /// # Errors
    /// Where it fails.
    fn service(
        &mut self,
        resource: &Resource,
        change: &Change,
        later: &[&str],
    ) -> Result<(), Trouble>;

    /// Why a service's last start ended as it did, or what a command printed last; none where nobody knows, or may.
    fn last_words(&mut self, resource: &Resource) -> Option<String>;

    /// Has systemd read its unit files again.
    ///
    /// # Errors
    /// Where it fails.
    fn daemon_reload(&mut self) -> Result<(), Trouble>;

    /// Has systemd read its unit files again, and forget what became of these, whose own files are gone.
    ///
    /// # Errors
    /// Where it fails.
    fn forget_units(&mut self, units: &[String]) -> Result<(), Trouble>;

    /// Whether this machine is the one that goes last: its role's `leader` succeeds.
    fn leads(&mut self, leader: &Shell) -> bool;

    /// Asks the role's health once.
    fn healthy(&mut self, health: &Health) -> Healthy;

    /// Lets time pass.
    fn wait(&mut self, time: Duration);

    /// Time that has passed since some fixed moment.
    fn clock(&mut self) -> Duration;
}

/// Whether apt's index lacks something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lacks {
    /// Everything wanted is in it.
    Nothing,
    /// All that matters is that every source is in it.
    Source,
    /// A wanted version is not in it.
    Version,
}

/// That the index could not be refreshed whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Complaint {
    /// All of it, in apt's words.
    pub text: String,
    /// What of it is about the role's repositories.
    pub of: BTreeMap<ResourceId, String>,
}
