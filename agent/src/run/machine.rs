//! The machine itself, as a run sees it and changes it.

use super::health;
use super::site::{Complaint, Hand, Healthy, Lacks, Look, PackageMove, Site, Stage, Trouble};
use super::state::StateDir;
use crate::apt::{self, Apt, policy};
use crate::effect::{Effects, Traces};
use crate::guard::Where;
use crate::machine::{BlobSource, Caller, Hands, Machine, Root};
use crate::resource::{command, mount, package, repository, service};
use crate::systemd::Systemd;
use cfg_catalog::id::ResourceId;
use cfg_catalog::plan::inputs::Inputs;
use cfg_catalog::plan::leftovers::{Contents, Managed};
use cfg_catalog::plan::{Change, Ledger, Places};
use cfg_catalog::resource::service::{Active, Activity};
use cfg_catalog::resource::{Body, Desired, Health, Observed, Resource, Shell};
use std::collections::{BTreeMap, BTreeSet};
use std::iter::Enumerate;
use std::slice::Chunks;
use std::sync::Mutex;
use std::thread::{Builder, ScopedJoinHandle};
use std::time::{Duration, Instant};

/// The agent's own unit.
const OWN_UNIT: &str = "cfg-agent";

/// What looks at a machine.
pub(super) struct Eyes<'a> {
    root: &'a Root,
    systemd: Systemd,
    health: Option<&'a Health>,
    /// How it was asked before this role came, where that is another way.
    former: Option<Health>,
    places: Places,
}

impl<'a> Eyes<'a> {
    pub(super) fn new(root: &'a Root, desired: &'a Desired, former: Option<Health>) -> Self {
        Self {
            root,
            systemd: Systemd::reach(root.path()),
            health: desired.health.as_ref(),
            former,
            places: Places::default(),
        }
    }

    /// Where systemd cannot know whether something runs that should, the role's health decides: a SysV script counts
    /// as active when all its processes are dead.
    fn unmask_the_dead(
        &self,
        wanted: &[Look<'_>],
        stage: Stage,
        seen: &mut BTreeMap<ResourceId, Observed>,
    ) {
        let Some(health) = self.health else {
            return;
        };
        let suspects = wanted
            .iter()
            .filter(|look| !look.started && must_run(look.resource));
        let mut sick = None;
        for look in suspects {
            let Some(Observed::Service(state)) = seen.get_mut(&look.resource.id) else {
                continue;
            };
            if state.judged || state.active != Active::Running {
                continue;
            }
            // Asked once for all, and only where somebody is suspected.
            if *sick.get_or_insert_with(|| self.is_sick(health, stage)) {
                state.active = Active::Failed;
                state.start = None;
            }
        }
    }
}

impl Eyes<'_> {
    /// Of what still runs as a former release made it only the former health can tell.
    fn is_sick(&self, asked: &Health, stage: Stage) -> bool {
        let place = match stage {
            Stage::Plan => Where::ShutIn,
            Stage::Turn => Where::Open,
        };
        let root = self.root.path();
        let passes = |former: &Health| {
            let answer = health::ask(root, former, place, health::PATIENCE);
            !matches!(answer, Healthy::No(_))
        };
        !self.former.as_ref().is_some_and(passes) && health::is_sick(root, asked, place)
    }
}

fn must_run(resource: &Resource) -> bool {
    matches!(&resource.body, Body::Service(service) if service.state == Some(Activity::Running))
}

impl Site for Eyes<'_> {
    fn look(&mut self, wanted: &[Look<'_>], stage: Stage) -> BTreeMap<ResourceId, Observed> {
        let machine = Machine::at_once(self.root);
        let (paths, others): (Vec<&Look<'_>>, Vec<&Look<'_>>) = wanted.iter().partition(|look| {
            let body = &look.resource.body;
            matches!(body, Body::File(_) | Body::Directory(_) | Body::Link(_))
        });
        let mut seen: Vec<Seen<'_>> = Vec::with_capacity(wanted.len());
        // Who is free takes the next few, since packages and services keep one of the two busy for a while.
        let left = Mutex::new(paths.chunks(TAKEN).enumerate());
        let mut at: Vec<Taken<'_>> = Vec::new();
        std::thread::scope(|scope| {
            let (left, root) = (&left, self.root);
            let beside = move || {
                let machine = Machine::at_once(root);
                (at_paths(&machine, left), machine.places())
            };
            // Where there may be no more threads, all is looked at here.
            let side = (paths.len() >= WORTH_A_THREAD)
                .then(|| Builder::new().spawn_scoped(scope, beside).ok())
                .flatten();
            seen.extend(packages(&machine, wanted, stage));
            seen.extend(services(&machine, &self.systemd, wanted));
            at = at_paths(&machine, left);
            if let Some(Ok((seen, places))) = side.map(ScopedJoinHandle::join) {
                at.extend(seen);
                self.places.add(places);
            }
        });
        // In the order in which they were asked for: then there is nothing to sort.
        at.sort_unstable_by_key(|(first, _)| *first);
        seen.extend(at.into_iter().flat_map(|(_, seen)| seen));
        let mut seen: BTreeMap<ResourceId, Observed> = seen
            .into_iter()
            .map(|(id, observed)| (id.clone(), observed))
            .collect();
        self.unmask_the_dead(wanted, stage, &mut seen);
        for look in others {
            if let Some(observed) = one(&machine, look, stage) {
                seen.insert(look.resource.id.clone(), observed);
            }
        }
        self.places.add(machine.places());
        seen
    }

    fn places(&self) -> Places {
        self.places.clone()
    }
}

/// Fewer paths are looked at sooner than a thread has begun.
const WORTH_A_THREAD: usize = 64;

type Seen<'a> = (&'a ResourceId, Observed);

/// So many paths, one after the other, are taken at a time: mostly they lie in one folder.
const TAKEN: usize = 32;

/// What was seen of those that were taken at a time, and the number of that time.
type Taken<'a> = (usize, Vec<Seen<'a>>);

/// What stands at the paths that are left, until none is.
fn at_paths<'a>(
    machine: &Machine,
    left: &Mutex<Enumerate<Chunks<'_, &Look<'a>>>>,
) -> Vec<Taken<'a>> {
    let next = || {
        let mut left = left.lock().unwrap_or_else(|broken| broken.into_inner());
        left.next()
    };
    let seen = |look: &&Look<'a>| Some((&look.resource.id, one(machine, look, Stage::Plan)?));
    std::iter::from_fn(next)
        .map(|(number, looks)| (number, looks.iter().filter_map(seen).collect()))
        .collect()
}

/// Kinds that are looked at one by one.
fn one(machine: &Machine, look: &Look<'_>, stage: Stage) -> Option<Observed> {
    match &look.resource.body {
        Body::Command(body) => Some(
            match command::observe(machine, body, command::Saying::of(look.resource), stage) {
                Ok(state) => Observed::Command(state),
                Err(error) => failed(&error),
            },
        ),
        Body::Directory(body) if look.listed => {
            let wanted = crate::machine::Wanted {
                below: true,
                attributes: Some(&body.attributes),
                ..crate::machine::Wanted::default()
            };
            Some(Observed::Path(machine.observe_path(&body.path, &wanted)))
        }
        _ => machine.observe(look.resource),
    }
}

fn packages<'a>(machine: &Machine, wanted: &[Look<'a>], stage: Stage) -> Vec<Seen<'a>> {
    let found: Vec<(&ResourceId, &cfg_catalog::resource::package::Package)> = wanted
        .iter()
        .filter_map(|look| match &look.resource.body {
            Body::Package(body) => Some((&look.resource.id, body)),
            _ => None,
        })
        .collect();
    if found.is_empty() {
        return Vec::new();
    }
    let bodies: Vec<_> = found.iter().map(|(_, body)| *body).collect();
    let states = package::observe(machine.root().path(), &bodies, stage);
    let of = |name: &str| match &states {
        Ok(states) => states.get(name).cloned().map(Observed::Package),
        Err(error) => Some(failed(error)),
    };
    found
        .into_iter()
        .filter_map(|(id, body)| Some((id, of(&body.name)?)))
        .collect()
}

fn services<'a>(machine: &Machine, systemd: &Systemd, wanted: &[Look<'a>]) -> Vec<Seen<'a>> {
    let found: Vec<(&ResourceId, &cfg_catalog::resource::service::Service)> = wanted
        .iter()
        .filter_map(|look| match &look.resource.body {
            Body::Service(body) => Some((&look.resource.id, body)),
            _ => None,
        })
        .collect();
    if found.is_empty() {
        return Vec::new();
    }
    let bodies: Vec<_> = found.iter().map(|(_, body)| *body).collect();
    let states = service::observe(machine, systemd, &bodies);
    let of = |unit: &str| match &states {
        Ok(states) => states.get(unit).cloned().map(Observed::Service),
        Err(error) => Some(failed(error)),
    };
    found
        .into_iter()
        .filter_map(|(id, body)| Some((id, of(&body.unit)?)))
        .collect()
}

fn failed(error: &anyhow::Error) -> Observed {
    Observed::Failed {
        why: cfg_catalog::chain(error.as_ref()),
    }
}

/// What changes a machine in one run.
pub(super) struct Whole<'a> {
    eyes: Eyes<'a>,
    state: &'a StateDir,
    desired: &'a Desired,
    blobs: &'a dyn BlobSource,
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
            effects,
            settings: context.apt,
            patience: apt::Patience::new(context.apt),
            told: context.told,
            run: run.to_owned(),
            began: Instant::now(),
            settled: Vec::new(),
            managed: Managed::default(),
        }
    }

    /// This is on record, and on disk.
    pub(super) fn manages(&mut self, managed: Managed) {
        self.managed = managed;
    }

    /// What is on record.
    pub(super) fn managed(&self) -> &Managed {
        &self.managed
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
        self.apt().hold_again()
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
        for (resource, seen) in found {
            other |= self.managed.meets(resource, seen, &mut keep);
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
        let hands = Hands::new(&machine, self.blobs);
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
        let hands = Hands::new(&machine, self.blobs);
        let resources: Vec<&Resource> = files.iter().map(|(resource, _)| *resource).collect();
        let outcomes = hands.enact_files(&resources);
        let failed = |error| Trouble::from(anyhow::Error::new(error));
        outcomes
            .into_iter()
            .map(|outcome| outcome.map_err(failed))
            .collect()
    }

    fn command(&mut self, resource: &Resource, inputs: &Inputs) -> Result<(), Trouble> {
        let Body::Command(body) = &resource.body else {
            return Err(Trouble::Failed(format!("{} is no command", resource.id)));
        };
        let machine = Machine::new(self.eyes.root);
        let traces = command::enact(&machine, &self.effects, resource, body, inputs, &self.run)?;
        self.settled.extend(traces);
        Ok(())
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
        Ok(self.under_policy(moves)?)
    }

    fn service(
        &mut self,
        resource: &Resource,
        change: &Change,
        later: &[&str],
    ) -> Result<(), Trouble> {
        let machine = Machine::new(self.eyes.root);
        let systemd = &self.eyes.systemd;
        service::enact(&machine, self.blobs, systemd, resource, change, later)?;
        Ok(())
    }

    fn last_words(&mut self, resource: &Resource) -> Option<String> {
        let Body::Service(service) = &resource.body else {
            return None;
        };
        // Nobody but the daemon knows which files it reads, and prints.
        let journal = !self.desired.resources.iter().any(|other| other.sensitive);
        self.eyes.systemd.last_words(&service.unit, journal)
    }

    fn daemon_reload(&mut self) -> Result<(), Trouble> {
        Ok(self.eyes.systemd.daemon_reload()?)
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
