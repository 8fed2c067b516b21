//! A machine in memory, with just what services and packages do to each other.

mod seen;

use crate::run::engine::Engine;
use crate::run::site::{Complaint, Hand, Healthy, Lacks, Look, PackageMove, Site, Stage, Trouble};
use crate::run::slot::{Asks, Licence};
use cfg_catalog::id::{Kind, ResourceId};
use cfg_catalog::plan::document::Done;
use cfg_catalog::plan::inputs::Inputs;
use cfg_catalog::plan::{Action, Change, Ledger, Plan, Snapshot, begin, plan};
use cfg_catalog::resource::file::Content;
use cfg_catalog::resource::{Body, Desired, Health, Observed, Resource, Shell};
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// The package that ships the fake's services, and what a new one brings.
pub const PACKAGE: &str = "daemon";

#[derive(Clone, Debug, Default)]
pub struct Fake {
    pub now: u64,
    pub files: BTreeMap<String, (String, u64)>,
    pub package: Option<(String, u64)>,
    pub offered: Vec<String>,
    pub services: BTreeMap<String, Unit>,
    pub commands: Vec<String>,
    /// A command that succeeded, with what it read, until the ledger is kept: it outlives the agent.
    pub ended: Option<(Resource, Inputs)>,
    pub ledger: Ledger,
    pub unproven: BTreeSet<ResourceId>,
    pub refreshed: usize,
    /// How often packages were fetched ahead of their move.
    pub fetched: usize,
    /// What no mirror has.
    pub missing: BTreeSet<ResourceId>,
    /// How often every service was started or restarted, by anybody.
    pub starts: BTreeMap<String, usize>,
    /// What fails, with its words.
    pub failing: BTreeMap<ResourceId, String>,
    /// What commands write, and where.
    pub spoils: BTreeMap<String, (String, String)>,
    /// What their journals say.
    pub told: BTreeMap<ResourceId, String>,
    /// What dies soon after its start.
    pub dying: BTreeSet<String>,
    /// What dies again and again, and is started again by systemd.
    pub looping: BTreeSet<String>,
    pub sick: bool,
    /// And so it is until this moment, in µs.
    pub sick_until: u64,
    /// It is sick no more as soon as this service is started.
    pub mended_by: Option<&'static str>,
    /// Its health cannot be asked.
    pub mute: bool,
    /// How its health was asked by the former release, which passes.
    pub former: Option<Health>,
    /// It is sick as soon as one of its services is stopped.
    pub frail: bool,
    /// What its role calls leader.
    pub leads: bool,
    /// A link that the package ships with a file `x` where it leads to.
    pub ships: Option<(&'static str, &'static str)>,
    /// The agent is killed when this many effects are done; none: never.
    pub lives: Option<usize>,
    pub killed: Killed,
}

/// When the kill comes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Killed {
    #[default]
    Before,
    After,
}

/// A unit of the fake.
#[derive(Clone, Debug, Default)]
pub struct Unit {
    pub start: Option<(String, u64)>,
    pub enabled: bool,
    /// All files as the present start read them, and the package.
    pub read: BTreeMap<String, String>,
}

impl Fake {
    /// A machine on which this package's daemons have run for a while.
    pub fn with(package: Option<&str>, files: &[(&str, &str)], running: &[&str]) -> Self {
        let mut fake = Fake {
            now: 1_000_000,
            offered: vec!["1".into(), "2".into()],
            ..Fake::default()
        };
        fake.package = package.map(|version| (version.to_owned(), fake.now));
        for (path, content) in files {
            fake.write(path, content);
        }
        for unit in running {
            fake.start(unit);
            fake.services.get_mut(*unit).unwrap().enabled = true;
        }
        fake.starts.clear();
        fake
    }

    fn tick(&mut self) -> u64 {
        self.now += 1000;
        self.now
    }

    pub fn write(&mut self, path: &str, content: &str) {
        let now = self.tick();
        self.files
            .insert(path.to_owned(), (content.to_owned(), now));
    }

    pub fn start(&mut self, unit: &str) {
        let now = self.tick();
        let mut read: BTreeMap<String, String> = self
            .files
            .iter()
            .map(|(path, (content, _))| (path.clone(), content.clone()))
            .collect();
        if let Some((version, _)) = &self.package {
            read.insert(PACKAGE.into(), version.clone());
        }
        *self.starts.entry(unit.to_owned()).or_default() += 1;
        let entry = self.services.entry(unit.to_owned()).or_default();
        entry.start = Some((format!("{now:x}"), now));
        entry.read = read;
    }

    /// One run as `apply` has it; an error where it was killed.
    pub fn run(&mut self, desired: &Desired) -> Result<(Plan, Done), Trouble> {
        self.run_asking(&Asks::Nobody, desired)
    }

    /// The same, where somebody is asked before anything is disrupted.
    pub fn run_asking(&mut self, asks: &Asks, desired: &Desired) -> Result<(Plan, Done), Trouble> {
        let mut known = self.ledger.clone();
        if let Some((command, inputs)) = &self.ended {
            known.succeeded(command, inputs);
        }
        let snapshot = self.snapshot(desired);
        let mut desired = Cow::Borrowed(desired);
        let full = plan(&desired, &snapshot, &known).unwrap();
        let mut planned = full.clone();
        let former = self.former.clone();
        let mut licence = Licence::ask(asks, self, (&desired, &snapshot), former.as_ref(), &full)
            .unwrap_or_else(|why| {
                while let Some(less) = desired.without_slot(&full, &planned, &why) {
                    planned = plan(&less, &snapshot, &known).unwrap();
                    desired = Cow::Owned(less);
                }
                Licence::harmless()
            });
        let ledger = begin(&desired, &snapshot, &known);
        self.keep(&ledger)?;
        let unproven = self.unproven.clone();
        let engine = Engine::new(
            self,
            &desired,
            &planned,
            &snapshot,
            ledger,
            unproven,
            &mut licence,
        );
        let mut done = engine.run()?;
        licence.prove(self, &desired, &mut done);
        licence.end(&done.failures);
        Ok((planned, done))
    }

    pub fn plan(&mut self, desired: &Desired) -> Plan {
        let snapshot = self.snapshot(desired);
        plan(desired, &snapshot, &self.ledger).unwrap()
    }

    fn snapshot(&mut self, desired: &Desired) -> Snapshot {
        let wanted = Look::ahead(desired, &desired.resources);
        Snapshot {
            observed: self.look(&wanted, Stage::Plan),
            places: self.places(),
            ..Snapshot::default()
        }
    }

    /// An effect: the agent may be killed just before it, or just after.
    fn effect(&mut self, act: impl FnOnce(&mut Self)) -> Result<(), Trouble> {
        let last = self.lives == Some(0);
        if let Some(lives) = &mut self.lives {
            *lives = lives.saturating_sub(1);
        }
        if last && self.killed == Killed::Before {
            return Err(Trouble::Stop(anyhow::anyhow!("killed")));
        }
        act(self);
        if last {
            return Err(Trouble::Stop(anyhow::anyhow!("killed")));
        }
        Ok(())
    }

    fn refuse(&self, id: &ResourceId) -> Result<(), Trouble> {
        match self.failing.get(id) {
            Some(why) => Err(Trouble::Failed(why.clone())),
            None => Ok(()),
        }
    }

    fn shipped(&self) -> Option<(&'static str, &'static str)> {
        self.ships.filter(|_| self.package.is_some())
    }

    /// Where a path really lies.
    fn led(&self, path: &str) -> String {
        match self.shipped() {
            Some((link, real)) => path.replacen(&format!("{link}/"), &format!("{real}/"), 1),
            None => path.to_owned(),
        }
    }
}

impl Hand for Fake {
    fn keep(&mut self, ledger: &Ledger) -> Result<(), Trouble> {
        self.effect(|fake| {
            fake.ledger = ledger.clone();
            fake.ended = None;
        })
    }

    /// There is no record of what was there before.
    fn meets(&mut self, _found: &[(&Resource, &Observed)]) -> Result<(), Trouble> {
        Ok(())
    }

    fn keep_unproven(&mut self, services: &BTreeSet<ResourceId>) -> Result<(), Trouble> {
        self.effect(|fake| fake.unproven = services.clone())
    }

    fn enact(&mut self, resource: &Resource, changes: &[Change]) -> Result<(), Trouble> {
        self.refuse(&resource.id)?;
        self.effect(|fake| {
            if let Body::File(file) = &resource.body
                && let Some(Content::Text(text)) = &file.content
            {
                fake.write(&fake.led(&resource.id.name), &String::from_utf8_lossy(text));
            }
            for change in changes {
                if change.action == Action::Remove {
                    fake.files.remove(&*change.resource.name);
                    let now = fake.tick();
                    let folder = resource.id.name.to_string();
                    fake.files.insert(folder, (String::new(), now));
                }
            }
        })
    }

    fn command(&mut self, resource: &Resource, inputs: &Inputs) -> Result<Option<String>, Trouble> {
        match self.refuse(&resource.id) {
            Err(Trouble::Failed(why)) => return Ok(Some(why)),
            refused => refused?,
        }
        self.effect(|fake| {
            fake.commands.push(resource.id.name.to_string());
            if let Some((path, content)) = fake.spoils.get(&*resource.id.name).cloned() {
                fake.write(&path, &content);
            }
            fake.ended = Some((resource.clone(), inputs.clone()));
        })?;
        Ok(None)
    }

    fn refresh_index(&mut self, _lacks: Lacks) -> Result<Option<Complaint>, Trouble> {
        self.effect(|fake| fake.refreshed += 1)?;
        Ok(None)
    }

    fn fetch(
        &mut self,
        moves: &[PackageMove<'_>],
    ) -> Result<BTreeMap<ResourceId, String>, Trouble> {
        self.fetched += 1;
        let missing = moves
            .iter()
            .map(|one| one.resource.id.clone())
            .filter(|id| self.missing.contains(id));
        Ok(missing.map(|id| (id, "404".to_owned())).collect())
    }

    fn packages(
        &mut self,
        moves: &[PackageMove<'_>],
    ) -> Result<BTreeMap<ResourceId, String>, Trouble> {
        let failing = self.failing.clone();
        let refused: BTreeMap<_, _> = moves
            .iter()
            .filter_map(|one| {
                let why = failing.get(&one.resource.id)?;
                Some((one.resource.id.clone(), why.clone()))
            })
            .collect();
        for one in moves {
            if refused.contains_key(&one.resource.id) {
                continue;
            }
            for change in &one.changes {
                let version = change.after["version"].as_str().unwrap_or("2").to_owned();
                self.effect(|fake| {
                    let now = fake.tick();
                    fake.package = Some((version, now));
                    if let Some((_, real)) = fake.ships {
                        fake.write(&format!("{real}/x"), "shipped");
                    }
                })?;
            }
        }
        Ok(refused)
    }

    fn last_words(&mut self, resource: &Resource) -> Option<String> {
        self.told.get(&resource.id).cloned()
    }

    fn service(&mut self, resource: &Resource, change: &Change, _: &[&str]) -> Result<(), Trouble> {
        self.refuse(&resource.id)?;
        assert_eq!(resource.id.kind, Kind::Service);
        let name = resource.id.name.to_string();
        self.effect(|fake| match change.action {
            Action::Start | Action::Restart => {
                fake.start(&name);
                fake.sick &= fake.mended_by != Some(&*name);
            }
            Action::Enable => fake.services.entry(name).or_default().enabled = true,
            Action::Stop => {
                fake.services.entry(name).or_default().start = None;
                fake.sick |= fake.frail;
            }
            other => unreachable!("the fake has no {}", other.word()),
        })
    }

    fn daemon_reload(&mut self) -> Result<(), Trouble> {
        Ok(())
    }

    fn forget_units(&mut self, _units: &[String]) -> Result<(), Trouble> {
        Ok(())
    }

    fn leads(&mut self, _leader: &Shell) -> bool {
        self.leads
    }

    fn healthy(&mut self, health: &Health) -> Healthy {
        if self.former.as_ref() == Some(health) {
            Healthy::Yes
        } else if self.mute {
            Healthy::Unknown("no such program".into())
        } else if self.sick || self.now < self.sick_until {
            Healthy::No("no quorum".into())
        } else {
            Healthy::Yes
        }
    }

    fn wait(&mut self, time: Duration) {
        self.now += u64::try_from(time.as_micros()).unwrap();
        for unit in self.looping.clone() {
            let again = Some((format!("again-{:x}", self.now), self.now));
            if let Some(unit) = self.services.get_mut(&unit) {
                unit.start = again;
            }
        }
        for unit in self.dying.clone() {
            if let Some(unit) = self.services.get_mut(&unit) {
                unit.start = None;
            }
        }
    }

    fn clock(&mut self) -> Duration {
        Duration::from_micros(self.now)
    }
}
