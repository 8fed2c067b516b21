//! Services at their turn, and whether what was started stays up.

use super::engine::{Engine, Task};
use super::health::{SURE, ask_until, timeout, told};
use super::site::{Hand, Healthy, Stage, Trouble};
use cfg_catalog::fleet::Incomplete;
use cfg_catalog::id::{Kind, ResourceId};
use cfg_catalog::plan::{Action, Change, Due, PlannedStep, Step};
use cfg_catalog::resource::service::{Active, Activity, ServiceState, Start, UNITS as OWN};
use cfg_catalog::resource::{Body, Health, Observed, Resource};
use std::collections::BTreeSet;
use std::time::Duration;

/// How long a started unit must stay up.
pub const SETTLE: Duration = Duration::from_secs(2);

/// Below these, systemd finds units.
const UNITS: [&str; 5] = [
    "/etc/systemd/",
    "/usr/lib/systemd/",
    "/lib/systemd/",
    "/run/systemd/",
    "/etc/init.d/",
];

/// What a run must remember of the services it has touched.
pub(super) struct Services {
    /// Started, and not yet seen to stay up.
    settling: Vec<Started>,
    /// Started by this run at all.
    started: BTreeSet<ResourceId>,
    /// Started by this run or one before, and not yet seen to pass the role's health, or, where it has none, to stay up.
    unproven: BTreeSet<ResourceId>,
    /// Those of them that are on disk.
    kept: BTreeSet<ResourceId>,
    /// Unit files were changed since systemd last read them.
    units_touched: bool,
    /// By the run itself: systemd reads them again, though no service comes after.
    units_written: bool,
    /// Units whose own file has gone.
    gone: Vec<String>,
}

struct Started {
    id: ResourceId,
    start: Option<Start>,
    at: Duration,
}

impl Services {
    pub(super) fn new(unproven: BTreeSet<ResourceId>) -> Self {
        Self {
            settling: Vec::new(),
            started: BTreeSet::new(),
            kept: unproven.clone(),
            unproven,
            units_touched: false,
            units_written: false,
            gone: Vec::new(),
        }
    }

    /// This change was made.
    pub(super) fn note(&mut self, change: &Change) {
        let path = &change.resource.name;
        let unit = UNITS.iter().any(|folder| path.starts_with(folder));
        self.units_touched |= unit;
        self.units_written |= unit;
        let own = path
            .strip_prefix(OWN)
            .and_then(|rest| rest.strip_prefix('/'));
        let unit = own.filter(|unit| change.action == Action::Remove && !unit.contains('/'));
        self.gone.extend(unit.map(str::to_owned));
    }

    /// Something was done that may have changed unit files.
    pub(super) fn units_may_differ(&mut self) {
        self.units_touched = true;
    }

    /// systemd has read its unit files.
    pub(super) fn units_read(&mut self) {
        self.units_touched = false;
        self.units_written = false;
    }
}

impl<'a, H: Hand> Engine<'a, H> {
    /// What systemd says of a service, where it was asked.
    fn state(&self, id: &ResourceId) -> Option<&ServiceState> {
        match self.now.observed.get(id) {
            Some(Observed::Service(state)) => Some(state),
            _ => None,
        }
    }

    /// Has systemd read unit files again where it says so, or where this run changed some.
    pub(super) fn reload_units_if_due(&mut self, resource: &Resource) -> Result<(), Trouble> {
        let stale = self
            .state(&resource.id)
            .is_some_and(|state| state.needs_daemon_reload);
        if !stale && !self.services.units_touched {
            return Ok(());
        }
        self.reload_units()?;
        self.look_again(&[resource], Stage::Turn);
        Ok(())
    }

    fn reload_units(&mut self) -> Result<(), Trouble> {
        match self.hand.daemon_reload() {
            Ok(()) => self.services.units_read(),
            Err(Trouble::Failed(why)) => tracing::warn!("daemon-reload: {why}"),
            Err(stop) => return Err(stop),
        }
        Ok(())
    }

    /// Has systemd read what was written after the last service's turn. Units whose files are gone are gone for it too: else one
    /// that had failed would stay so, without a file.
    pub(super) fn leave_units(&mut self) -> Result<(), Trouble> {
        let gone = std::mem::take(&mut self.services.gone);
        if gone.is_empty() {
            return match self.services.units_written {
                true => self.reload_units(),
                false => Ok(()),
            };
        }
        match self.hand.forget_units(&gone) {
            Err(Trouble::Failed(why)) => tracing::warn!("units that are gone: {why}"),
            done => return done,
        }
        Ok(())
    }

    /// Whether this run has started the service.
    pub(super) fn is_started(&self, id: &ResourceId) -> bool {
        self.services.started.contains(id)
    }

    /// Does what is due to a service, one thing after the other.
    pub(super) fn service(&mut self, task: &Task<'a>) -> Result<(), Trouble> {
        for due in &task.due {
            match due.change.action {
                Action::Start | Action::Restart => self.start(task.resource, &due.change)?,
                Action::Reload => {
                    let inputs = self.inputs();
                    self.told(task.resource, &due.change, &[])?;
                    self.ledger.reloaded(task.resource, &inputs);
                    self.hand.keep(&self.ledger)?;
                }
                _ => {
                    self.hand.service(task.resource, &due.change, &[])?;
                    // What comes next reads what this made: a unit file above all.
                    self.look_again(&[task.resource], Stage::Turn);
                }
            }
            self.made(std::slice::from_ref::<Due>(due));
        }
        Ok(())
    }

    fn start(&mut self, resource: &Resource, change: &Change) -> Result<(), Trouble> {
        let id = &resource.id;
        if self.desired.health.is_some() && self.services.unproven.insert(id.clone()) {
            self.keep_unproven()?;
        }
        let inputs = self.inputs();
        let later = self.later();
        let later: Vec<&str> = later.iter().map(String::as_str).collect();
        self.told(resource, change, &later)?;
        self.services.started.insert(id.clone());
        self.look_again(&[resource], Stage::Turn);
        if id.name.ends_with(".socket") {
            self.start_over();
        }
        if let Some(Observed::Service(state)) = self.now.observed.get(id) {
            self.ledger.started(resource, state, &inputs);
        }
        self.hand.keep(&self.ledger)?;
        self.services.settling.retain(|earlier| earlier.id != *id);
        self.services.settling.push(Started {
            id: id.clone(),
            start: self.state(id).and_then(|state| state.start.clone()),
            at: self.hand.clock(),
        });
        Ok(())
    }

    /// Does it; a failure is told with the last words of the service.
    fn told(
        &mut self,
        resource: &Resource,
        change: &Change,
        later: &[&str],
    ) -> Result<(), Trouble> {
        match self.hand.service(resource, change, later) {
            Err(Trouble::Failed(why)) => Err(Trouble::Failed(self.with_last_words(resource, why))),
            done => done,
        }
    }

    fn with_last_words(&mut self, resource: &Resource, mut message: String) -> String {
        if let Some(words) = self.hand.last_words(resource) {
            message.push_str(if message.contains('\n') { "\n" } else { ": " });
            message.push_str(&words);
        }
        message
    }

    /// Units that must run and are started at turns still to come.
    fn later(&self) -> Vec<String> {
        let starts = |step: &&PlannedStep| {
            let mut changes = step.changes.iter();
            changes.any(|change| matches!(change.action, Action::Start | Action::Restart))
        };
        let steps = self.plan.steps.iter().filter(starts);
        steps
            .map(|step| &step.step.resource)
            .filter(|id| !self.is_started(id))
            .filter_map(|id| match &self.desired.get(id)?.body {
                Body::Service(service) if service.state == Some(Activity::Running) => {
                    Some(service.unit.clone())
                }
                _ => None,
            })
            .collect()
    }

    /// A socket took its services down and up again with it: what was started before counts from now.
    fn start_over(&mut self) {
        let ids = self.services.settling.iter().map(|started| &started.id);
        let desired = self.desired;
        let resources: Vec<&Resource> = ids.filter_map(|id| desired.get(id)).collect();
        self.look_again(&resources, Stage::Turn);
        let at = self.hand.clock();
        let mut settling = std::mem::take(&mut self.services.settling);
        for started in &mut settling {
            let start = self
                .state(&started.id)
                .and_then(|state| state.start.clone());
            if start != started.start {
                started.start = start;
                started.at = at;
            }
        }
        self.services.settling = settling;
    }

    /// What became of a service that this turn started, where it does not run any more.
    pub(super) fn fell_at_once(&mut self, task: &Task<'a>) -> Option<String> {
        let started = |due: &Due| matches!(due.change.action, Action::Start | Action::Restart);
        if !task.due.iter().any(started) {
            return None;
        }
        let state = self.state(&task.resource.id)?;
        let told = match state.active {
            Active::Stopped | Active::Failed | Active::Retrying => fell(state, None)?,
            Active::Running | Active::Unjudged => return None,
        };
        self.services.unproven.insert(task.resource.id.clone());
        Some(self.with_last_words(task.resource, told))
    }

    /// Waits for services that this step needs to have stayed up.
    pub(super) fn settle_needed(&mut self, step: &Step) -> Result<(), Trouble> {
        let (needed, others): (Vec<_>, Vec<_>) = std::mem::take(&mut self.services.settling)
            .into_iter()
            .partition(|started| step.needs.contains(&started.id));
        self.services.settling = others;
        self.settle(needed);
        Ok(())
    }

    /// Waits for everything that was started to have stayed up, and to be healthy.
    pub(super) fn settle_all(&mut self) -> Result<(), Trouble> {
        let all = std::mem::take(&mut self.services.settling);
        let desired = self.desired;
        // The role's health may say sooner that something is wrong, never that it is right.
        self.settle(all);
        if let Some(health) = &desired.health {
            self.prove(health);
        }
        self.keep_unproven()
    }

    /// What did not stay up when an earlier run started it may be up again, since systemd starts it for ever: it has yet to stay up.
    pub(super) fn settle_earlier(&mut self) {
        let desired = self.desired;
        if desired.health.is_some() {
            return;
        }
        let unproven = &mut self.services.unproven;
        unproven.retain(|id| desired.get(id).is_some_and(must_run));
        if unproven.is_empty() {
            return;
        }
        let at = self.hand.clock();
        let earlier = self.services.unproven.iter().filter_map(|id| {
            let start = Some(self.state(id)?.start.clone()?);
            let id = id.clone();
            Some(Started { id, start, at })
        });
        self.services.settling = earlier.collect();
    }

    fn keep_unproven(&mut self) -> Result<(), Trouble> {
        if self.services.unproven != self.services.kept {
            self.hand.keep_unproven(&self.services.unproven)?;
            self.services.kept.clone_from(&self.services.unproven);
        }
        Ok(())
    }

    fn settle(&mut self, started: Vec<Started>) {
        let now = self.hand.clock();
        let left = |started: &Started| (started.at + SETTLE).saturating_sub(now);
        let Some(left) = started.iter().map(left).max() else {
            return;
        };
        self.hand.wait(left);
        let resources: Vec<&Resource> = started
            .iter()
            .filter_map(|started| self.resource(&started.id))
            .collect();
        self.look_again(&resources, Stage::Turn);
        for Started { id, start, .. } in started {
            let told = self
                .state(&id)
                .and_then(|state| fell(state, start.as_ref()));
            match told {
                Some(_) => self.services.unproven.insert(id.clone()),
                None => self.desired.health.is_none() && self.services.unproven.remove(&id),
            };
            if let (Some(mut told), false) = (told, self.is_broken(&id)) {
                if !self.is_started(&id) {
                    told = told.replacen(
                        "it was started, and",
                        "an earlier run started it, and it",
                        1,
                    );
                }
                let resource = self.resource(&id);
                let told = match resource {
                    Some(resource) => self.with_last_words(resource, told),
                    None => told,
                };
                self.fail(&id, told);
            }
        }
    }

    /// Asks the role's health until it passes, where this run started something; for a moment, where an earlier run did. While a
    /// service waits for its cohort nobody can be healthy yet. Of what joins last the role's health knows.
    fn prove(&mut self, health: &Health) {
        let desired = self.desired;
        let missing = |(id, whom): (ResourceId, &Incomplete)| {
            id.kind == Kind::Service && !matches!(whom, Incomplete::Joining { .. })
        };
        if desired.waiting.all().any(missing) {
            return;
        }
        // What need not run any more proves nothing.
        self.services
            .unproven
            .retain(|id| desired.get(id).is_some_and(must_run));
        if !self.services.unproven.is_empty() {
            let patience = if self.services.started.is_empty() {
                SURE
            } else {
                timeout(health)
            };
            match ask_until(self.hand, health, patience) {
                Healthy::Yes => self.services.unproven.clear(),
                Healthy::No(said) | Healthy::Unknown(said) => self.unhealthy(health, &said),
            }
        }
    }

    fn unhealthy(&mut self, health: &Health, said: &str) {
        let said = told(said);
        for id in self.services.unproven.clone() {
            if self.is_broken(&id) {
                continue;
            }
            let message = if self.services.started.contains(&id) {
                let s = health.timeout_s;
                format!("it was started, and the role is not healthy after {s} s{said}")
            } else {
                format!("an earlier run started it, and the role is still not healthy{said}")
            };
            self.fail(&id, message);
        }
    }
}

pub(super) fn must_run(resource: &Resource) -> bool {
    matches!(&resource.body, Body::Service(service) if service.state == Some(Activity::Running))
}

/// What became of a service that was started, where it did not stay up.
fn fell(state: &ServiceState, start: Option<&Start>) -> Option<String> {
    let seconds = SETTLE.as_secs();
    match state.active {
        Active::Unjudged => None,
        // systemd knows of no process it could watch.
        Active::Running if !state.judged => None,
        // By its id: the time may come from two clocks.
        Active::Running if state.start.as_ref().map(|s| &s.id) == start.map(|s| &s.id) => None,
        Active::Running => Some(format!(
            "it was started, and died and came again within {seconds} s"
        )),
        Active::Stopped => Some(format!("it was started, and ended within {seconds} s")),
        Active::Failed | Active::Retrying => {
            Some(format!("it was started, and failed within {seconds} s"))
        }
    }
}
