//! The machine itself, as a run changes it.

use super::eyes::Eyes;
use super::health;
use super::site::{Complaint, Hand, Healthy, Lacks, Look, PackageMove, Site, Stage, Trouble};
use super::state::StateDir;
use crate::apt::{self, Apt, policy};
use crate::effect::{Effects, Traces};
use crate::guard::Where;
use crate::machine::{BlobSource, Caller, Hands, Machine, Swept};
use crate::resource::{command, mount, package, repository, service};
use cfg_catalog::id::ResourceId;
use cfg_catalog::plan::inputs::Inputs;
use cfg_catalog::plan::leftovers::{Contents, Managed, Sharing};
use cfg_catalog::plan::{Change, Ledger, Places};
use cfg_catalog::resource::service::is_template;
use cfg_catalog::resource::{Body, Desired, Health, Observed, Resource, Shell};
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

/// The agent's own unit.
const OWN_UNIT: &str = "cfg-agent";

/// What changes a machine in one run.
pub(super) struct Whole<'a> {
    eyes: Eyes<'a>,
    state: &'a StateDir,
    desired: &'a Desired,
    blobs: &'a dyn BlobSource,
    /// Where there is nothing any more of a run that was killed.
    swept: Swept,
    effects: Effects,
    settings: apt::Settings,
    patience: apt::Patience,
    told: &'a dyn Fn(&str),
    run: String,
    began: Instant,
    /// Of commands that succeeded, until the ledger says so.
    settled: Vec<Traces>,
    /// What is managed, as it is on disk.
    managed: Managed,
    sharing: Sharing,
    /// What the command that succeeded last printed at its end.
    said: Option<(ResourceId, String)>,
}

impl<'a> Whole<'a> {
    pub(super) fn new(
        context: &super::Context<'a>,
        eyes: Eyes<'a>,
        effects: Effects,
        run: &str,
    ) -> Self {
        Self {
            eyes,
            state: context.state,
            desired: context.desired,
            blobs: context.blobs,
            swept: Swept::default(),
            effects,
            settings: context.apt,
            patience: apt::Patience::new(context.apt),
            told: context.told,
            run: run.to_owned(),
            began: Instant::now(),
            settled: Vec::new(),
            managed: Managed::default(),
            sharing: Sharing::default(),
            said: None,
        }
    }

    /// This is on record, and on disk.
    pub(super) fn manages(&mut self, managed: Managed) {
        self.sharing = managed.sharing();
        self.managed = managed;
    }

    /// What is on record.
    pub(super) fn managed(&self) -> &Managed {
        &self.managed
    }

    fn hands<'m>(&'m self, machine: &'m Machine) -> Hands<'m> {
        Hands::new(machine, self.blobs).after(&self.swept)
    }

    /// Users and groups may have come that no file of the root has, or have gone.
    fn others_acted(&self) {
        self.eyes.root.answers().forget();
    }

    fn apt(&self) -> Apt<'_> {
        Apt {
            root: self.eyes.root.path().to_owned(),
            state: self.state.path().to_owned(),
            effects: &self.effects,
            settings: self.settings,
            patience: &self.patience,
            told: self.told,
            run: self.run.clone(),
        }
    }

    /// Takes back what a run that was killed left of itself; effects that still lived have ended.
    pub(super) fn undo_leftovers(&self) -> anyhow::Result<()> {
        policy::undo(self.eyes.root.path())?;
        let held = self
            .desired
            .resources
            .iter()
            .filter_map(|one| match &one.body {
                Body::Package(package) if package.hold == Some(true) => Some(package.name.as_str()),
                _ => None,
            });
        self.apt().hold_again(&held.collect())
    }

    /// Refreshes a stale index before anything is looked at, where a package follows the newest there is.
    pub(super) fn refresh_for_latest(&self) -> anyhow::Result<Option<String>> {
        let follows = |resource: &Resource| matches!(&resource.body, Body::Package(body) if package::follows_index(body));
        let as_root = self.eyes.root.caller() == Caller::Superuser;
        if !as_root || !self.desired.resources.iter().any(follows) {
            return Ok(None);
        }
        self.apt().refresh(apt::Missing::Nothing)
    }

    fn under_policy(
        &self,
        moves: &[PackageMove<'_>],
    ) -> anyhow::Result<BTreeMap<ResourceId, String>> {
        let units: Vec<&str> = self
            .desired
            .resources
            .iter()
            .filter_map(|resource| match &resource.body {
                Body::Service(service) => Some(service.unit.as_str()),
                _ => None,
            })
            .collect();
        let named = self.eyes.systemd.names(&units)?;
        let mut may_start = self.eyes.systemd.active()?;
        // The agent would be stopped while it waits for the very package that stops it; it starts anew after the run.
        may_start.retain(|unit| unit != OWN_UNIT && !named.contains(unit));
        let root = self.eyes.root.path();
        let policy = policy::Policy::place(root, &policy::script(&may_start, &named))?;
        let moved = self.repair_and_move(moves);
        // Packages have moved whatever comes of these; what is left of the policy acts for nobody, and the next run
        // takes it away.
        if let Err(error) = policy.restore() {
            tracing::error!("{error:#}");
        }
        if let Err(error) = self.eyes.systemd.daemon_reload() {
            tracing::error!("daemon-reload: {error:#}");
        }
        moved
    }

    fn repair_and_move(
        &self,
        moves: &[PackageMove<'_>],
    ) -> anyhow::Result<BTreeMap<ResourceId, String>> {
        let apt = self.apt();
        let broken = apt.repair()?;
        let mut failed = package::enact(&apt, self.desired, moves)?;
        if let Some(broken) = broken {
            for told in failed.values_mut() {
                if !told.contains(&broken) {
                    told.push('\n');
                    told.push_str(&broken);
                }
            }
        }
        Ok(failed)
    }
}

impl Site for Whole<'_> {
    fn look(&mut self, wanted: &[Look<'_>], stage: Stage) -> BTreeMap<ResourceId, Observed> {
        self.eyes.look(wanted, stage)
    }

    fn places(&self) -> Places {
        self.eyes.places()
    }
}

impl Hand for Whole<'_> {
    fn keep(&mut self, ledger: &Ledger) -> Result<(), Trouble> {
        self.state.keep_ledger(ledger).map_err(Trouble::Stop)?;
        let mut settled = self.settled.drain(..);
        settled.try_for_each(Traces::remove).map_err(Trouble::Stop)
    }

    fn meets(&mut self, found: &[(&Resource, &Observed)]) -> Result<(), Trouble> {
        let mut keep = Contents::new();
        let mut other = false;
        let around = (&self.sharing, &self.eyes.places);
        for (resource, seen) in found {
            other |= self.managed.meets(resource, seen, around, &mut keep);
        }
        if other {
            self.state.keep_former(&keep).map_err(Trouble::Stop)?;
            let kept = self.state.keep_managed(&self.managed);
            kept.map_err(Trouble::Stop)?;
        }
        Ok(())
    }

    fn keep_unproven(&mut self, services: &BTreeSet<ResourceId>) -> Result<(), Trouble> {
        self.state.keep_unproven(services).map_err(Trouble::Stop)
    }

    fn enact(&mut self, resource: &Resource, changes: &[Change]) -> Result<(), Trouble> {
        let machine = Machine::new(self.eyes.root);
        let hands = self.hands(&machine);
        if let Body::Mount(body) = &resource.body {
            mount::enact(&machine, &hands, &self.effects, body, &self.run)?;
            // systemd makes units of the table.
            return Ok(self.eyes.systemd.daemon_reload()?);
        }
        hands
            .enact(resource, changes)
            .map_err(|error| Trouble::from(anyhow::Error::new(error)))
    }

    fn files(&mut self, files: &[(&Resource, Vec<Change>)]) -> Vec<Result<(), Trouble>> {
        let machine = Machine::at_once(self.eyes.root);
        let hands = self.hands(&machine);
        let resources: Vec<&Resource> = files.iter().map(|(resource, _)| *resource).collect();
        let outcomes = hands.enact_files(&resources);
        let failed = |error| Trouble::from(anyhow::Error::new(error));
        outcomes
            .into_iter()
            .map(|outcome| outcome.map_err(failed))
            .collect()
    }

    fn command(&mut self, resource: &Resource, inputs: &Inputs) -> Result<Option<String>, Trouble> {
        let Body::Command(body) = &resource.body else {
            return Err(Trouble::Failed(format!("{} is no command", resource.id)));
        };
        let machine = Machine::new(self.eyes.root);
        let ended = command::enact(&machine, &self.effects, resource, body, inputs, &self.run);
        self.others_acted();
        Ok(match ended? {
            Ok(success) => {
                self.settled.extend(success.traces);
                self.said = Some((resource.id.clone(), success.said));
                None
            }
            Err(why) => Some(why),
        })
    }

    fn refresh_index(&mut self, lacks: Lacks) -> Result<Option<Complaint>, Trouble> {
        if !package::has_apt(self.eyes.root.path()) {
            return Ok(None);
        }
        let missing = match lacks {
            Lacks::Nothing => apt::Missing::Nothing,
            Lacks::Source => apt::Missing::Source,
            Lacks::Version => apt::Missing::Version,
        };
        Ok(repository::refresh(&self.apt(), self.desired, missing)?)
    }

    fn fetch(
        &mut self,
        moves: &[PackageMove<'_>],
    ) -> Result<BTreeMap<ResourceId, String>, Trouble> {
        Ok(package::fetch(&self.apt(), self.desired, moves)?)
    }

    fn packages(
        &mut self,
        moves: &[PackageMove<'_>],
    ) -> Result<BTreeMap<ResourceId, String>, Trouble> {
        let moved = self.under_policy(moves);
        self.others_acted();
        Ok(moved?)
    }

    fn service(
        &mut self,
        resource: &Resource,
        change: &Change,
        later: &[&str],
    ) -> Result<(), Trouble> {
        let machine = Machine::new(self.eyes.root);
        let systemd = &self.eyes.systemd;
        let done = service::enact(&self.hands(&machine), systemd, resource, change, later);
        self.others_acted();
        Ok(done?)
    }

    fn last_words(&mut self, resource: &Resource) -> Option<String> {
        let service = match &resource.body {
            Body::Service(service) => service,
            _ => {
                let (id, said) = self.said.as_ref()?;
                return (*id == resource.id && !said.is_empty()).then(|| said.clone());
            }
        };
        // Nobody but the daemon knows which files it reads, and prints.
        let journal = !self.desired.resources.iter().any(|other| other.sensitive);
        self.eyes.systemd.last_words(&service.unit, journal)
    }

    fn daemon_reload(&mut self) -> Result<(), Trouble> {
        Ok(self.eyes.systemd.daemon_reload()?)
    }

    fn forget_units(&mut self, units: &[String]) -> Result<(), Trouble> {
        let systemd = &self.eyes.systemd;
        systemd.daemon_reload()?;
        for unit in units.iter().filter(|unit| !is_template(unit)) {
            systemd.forget_failures(unit);
        }
        Ok(())
    }

    fn leads(&mut self, leader: &Shell) -> bool {
        health::succeeds(self.eyes.root.path(), leader)
    }

    fn healthy(&mut self, asked: &Health) -> Healthy {
        let root = self.eyes.root.path();
        health::ask(root, asked, Where::Open, health::PATIENCE)
    }

    fn wait(&mut self, time: Duration) {
        std::thread::sleep(time);
    }

    fn clock(&mut self) -> Duration {
        self.began.elapsed()
    }
}
