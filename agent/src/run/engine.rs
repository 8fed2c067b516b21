//! One run: the steps of a plan in order, each judged again by what is there at its turn.

use super::batch::together;
use super::difference::difference;
use super::partly;
use super::services::Services;
use super::site::{Hand, Look, Stage, Trouble};
use super::slot::Licence;
use super::sources::Sources;
use cfg_catalog::id::{Kind, ResourceId};
use cfg_catalog::plan::Fate;
use cfg_catalog::plan::ahead::Ahead;
use cfg_catalog::plan::claims::Claims;
use cfg_catalog::plan::document::{Done, Failure, Held, Unforeseen, Why};
use cfg_catalog::plan::inputs::{self, Inputs};
use cfg_catalog::plan::{
    Change, Due, Ledger, Phase, Plan, PlannedStep, Snapshot, Standing, Step, Turn, Verdict, settle,
    turn,
};
use cfg_catalog::resource::{Body, Desired, Observed, Resource};
use std::borrow::Cow;
use std::cell::OnceCell;
use std::collections::{BTreeMap, BTreeSet};

/// What one run knows and has done.
pub struct Engine<'a, H: Hand> {
    pub(super) hand: &'a mut H,
    pub(super) desired: &'a Desired,
    pub(super) plan: &'a Plan,
    /// What was seen when the run began.
    pub(super) begun: &'a Snapshot,
    /// What was seen last.
    pub(super) now: Cow<'a, Snapshot>,
    /// Of what was seen when the run began, and of where paths have come to lie since; not needed where nothing differs.
    claims: OnceCell<Claims>,
    /// Somebody else may have laid links since it was last known where paths lie: a package, or a command.
    led_anew: bool,
    listed: BTreeSet<ResourceId>,
    pub(super) ledger: Ledger,
    pub(super) done: Done,
    /// What failed or was skipped, with the failure that it comes from.
    broken: BTreeMap<ResourceId, ResourceId>,
    /// Whether it may disrupt what the machine does.
    pub(super) licence: &'a mut Licence,
    /// What it may not do after all, with why.
    withheld: BTreeMap<ResourceId, String>,
    pub(super) services: Services,
    pub(super) sources: Sources,
    /// Something has been done to the machine.
    acted: bool,
}

/// A turn with what is to be done at it.
pub(super) struct Task<'a> {
    pub(super) resource: &'a Resource,
    pub(super) phase: Phase,
    pub(super) due: Vec<Due>,
}

impl Task<'_> {
    /// What is to be done.
    pub(super) fn changes(&self) -> Vec<Change> {
        self.due.iter().map(|due| due.change.clone()).collect()
    }
}

impl<'a, H: Hand> Engine<'a, H> {
    /// A run of this plan, which was made of what was seen when the run began. `ledger` is on disk already; `unproven`
    /// are services that an earlier run started and did not see healthy.
    pub fn new(
        hand: &'a mut H,
        desired: &'a Desired,
        plan: &'a Plan,
        begun: &'a Snapshot,
        ledger: Ledger,
        unproven: BTreeSet<ResourceId>,
        licence: &'a mut Licence,
    ) -> Self {
        Self {
            hand,
            desired,
            plan,
            begun,
            now: Cow::Borrowed(begun),
            claims: OnceCell::new(),
            led_anew: false,
            listed: inputs::listed(desired),
            ledger,
            done: Done {
                held: plan.held.clone(),
                leftovers: plan.leftovers.clone(),
                ..Done::default()
            },
            broken: BTreeMap::new(),
            licence,
            withheld: BTreeMap::new(),
            services: Services::new(unproven),
            sources: Sources::default(),
            acted: false,
        }
    }

    /// Takes all turns.
    ///
    /// # Errors
    /// Where the run had to stop where it stood; the next one finishes it.
    pub fn run(mut self) -> Result<Done, Trouble> {
        self.settle_earlier();
        let steps = &self.plan.steps;
        let mut at = 0;
        while let Some(step) = steps.get(at) {
            self.licence.at_next_turn();
            let batch = together(&steps[at..], |step| step.resource.kind == Kind::Package);
            let files = match self.stands(step) {
                true => 0,
                false => self.file_batch(&steps[at..]),
            };
            if batch > 0 {
                self.fetch_sources()?;
                self.packages(&steps[at..at + batch])?;
                at += batch;
            } else if files > 1 {
                self.files(&steps[at..at + files])?;
                at += files;
            } else {
                self.settle_needed(&step.step)?;
                self.step(step)?;
                at += 1;
            }
        }
        self.fetch_sources()?;
        self.leave_units()?;
        self.settle_all()?;
        Ok(self.done)
    }

    fn step(&mut self, planned: &PlannedStep) -> Result<(), Trouble> {
        let step = &planned.step;
        if self.stands(planned) {
            return Ok(());
        }
        let Some(resource) = self.resource(&step.resource) else {
            return Ok(());
        };
        if matches!(step.resource.kind, Kind::Service | Kind::Command) {
            self.look_at_inputs(resource);
        }
        self.look_again(&[resource], Stage::Turn);
        if matches!(&resource.body, Body::Directory(directory) if directory.purge) {
            self.find_places();
        }
        if step.resource.kind == Kind::Service && step.phase == Phase::Main {
            self.reload_units_if_due(resource)?;
        }
        let verdict = self.judge(step.phase, resource);
        let Some(task) = self.take_up(planned, resource, verdict) else {
            return Ok(());
        };
        if task.due.is_empty() {
            return Ok(());
        }
        self.meet(&[resource])?;
        let outcome = match step.resource.kind {
            Kind::Service => self.service(&task),
            Kind::Command => self.command(&task),
            _ => self.enact(&task),
        };
        match outcome {
            Ok(()) => self.verify(&task),
            Err(Trouble::Failed(why)) => {
                let left = self.judge(task.phase, resource);
                self.fail_over(&task, &left, why);
            }
            Err(stop @ Trouble::Stop(_)) => return Err(stop),
        }
        Ok(())
    }

    /// Whether a turn without changes is what it was when the plan was made, since nothing has been done yet.
    pub(super) fn stands(&self, planned: &PlannedStep) -> bool {
        let id = &planned.step.resource;
        let failures = &self.plan.failures;
        !self.acted
            && planned.changes.is_empty()
            && planned.fate == Fate::Goes
            && !failures
                .iter()
                .any(|failure| failure.resource.as_ref() == Some(id))
    }

    /// A declared resource, or a folder that one needs.
    pub(super) fn resource(&self, id: &ResourceId) -> Option<&'a Resource> {
        self.plan.resource(self.desired, id)
    }

    /// What is to be done at this turn; none where it fails or is skipped.
    pub(super) fn take_up(
        &mut self,
        planned: &PlannedStep,
        resource: &'a Resource,
        verdict: Verdict,
    ) -> Option<Task<'a>> {
        let step = &planned.step;
        if self.broken.contains_key(&step.resource) || planned.fate == Fate::Waits {
            // Its earlier turn failed; or it was said to be held.
            return None;
        }
        let idle = verdict.changes.is_empty()
            && verdict.obstacle.is_none()
            // What was planned on account of the failure is not due now, and was not made either.
            && planned.changes.is_empty()
            // Nor did the plan count on it: what comes after it is skipped as well.
            && !matches!(planned.fate, Fate::Skipped(_));
        if let Some(root) = self.broken_need(step).filter(|_| !idle) {
            self.skip(&step.resource, root);
            return None;
        }
        if let Some(why) = verdict.obstacle {
            self.fail(&step.resource, why);
            return None;
        }
        if let Some(missed) = verdict.missed {
            self.miss(&step.resource, missed);
        }
        let mut needed = verdict.changes;
        // A purge of the folder above has it already.
        needed.retain(|change| change.resource == resource.id || !self.is_done(change));
        if let Some(why) = self.forbidden(step, &needed) {
            self.withhold(&step.resource, why);
            return None;
        }
        let mut settled = settle(&planned.changes, needed, self.begun);
        self.ascribe(step, &mut settled.due);
        if planned.fate == Fate::Goes {
            self.done.changes.extend(settled.already);
        }
        self.acted |= !settled.due.is_empty();
        Some(Task {
            resource,
            phase: step.phase,
            due: settled.due,
        })
    }

    fn is_done(&self, change: &Change) -> bool {
        let same = |done: &Change| done.resource == change.resource && done.action == change.action;
        self.done.changes.iter().any(same)
    }

    /// Why this turn may not be taken now, or what it needs was not.
    fn forbidden(&mut self, step: &Step, needed: &[Change]) -> Option<String> {
        if needed.is_empty() {
            return None;
        }
        let mut both = std::iter::once(&step.resource).chain(&step.needs);
        if let Some(before) = both.find_map(|id| self.withheld.get(id)) {
            return Some(before.clone());
        }
        if needed.iter().any(|change| change.disrupts()) {
            self.look_whether_well(needed);
        }
        self.licence.forbids(&step.resource, needed)
    }

    /// This may not be done after all.
    pub(super) fn withhold(&mut self, id: &ResourceId, detail: String) {
        if self.withheld.insert(id.clone(), detail.clone()).is_none() {
            self.done.held.push(Held {
                resource: id.clone(),
                why: Why::Slot,
                detail,
            });
        }
    }

    fn broken_need(&self, step: &Step) -> Option<ResourceId> {
        step.needs
            .iter()
            .find_map(|need| self.broken.get(need))
            .cloned()
    }

    fn enact(&mut self, task: &Task<'a>) -> Result<(), Trouble> {
        if task.resource.id.kind == Kind::Repository {
            self.sources_differ();
        }
        let outcome = self.hand.enact(task.resource, &task.changes());
        self.note(task, &outcome);
        outcome
    }

    /// These are next.
    pub(super) fn meet(&mut self, resources: &[&Resource]) -> Result<(), Trouble> {
        let seen = &self.now.observed;
        let found = resources
            .iter()
            .filter_map(|resource| Some((*resource, seen.get(&resource.id)?)));
        self.hand.meets(&found.collect::<Vec<_>>())
    }

    /// What an effect has made, be it all or a part.
    pub(super) fn note(&mut self, task: &Task<'a>, outcome: &Result<(), Trouble>) {
        let part;
        let made = match outcome {
            Ok(()) => task.due.as_slice(),
            Err(Trouble::Failed(_)) => {
                self.look_again(&[task.resource], Stage::Turn);
                part = partly::made(&task.due, &self.judge(task.phase, task.resource));
                part.as_slice()
            }
            Err(Trouble::Stop(_)) => &[],
        };
        for due in made {
            self.services.note(&due.change);
        }
        self.made(made);
    }

    fn command(&mut self, task: &Task<'a>) -> Result<(), Trouble> {
        let inputs = self.inputs();
        if self.ledger.tries(task.resource) {
            self.hand.keep(&self.ledger)?;
        }
        let failed = self.hand.command(task.resource, &inputs)?;
        self.done.begun.insert(task.resource.id.clone());
        if let Some(why) = failed {
            return Err(Trouble::Failed(why));
        }
        self.ledger.succeeded(task.resource, &inputs);
        self.hand.keep(&self.ledger)?;
        // It may have brought a unit.
        self.services.units_may_differ();
        self.made(&task.due);
        Ok(())
    }

    /// Looks whether it is so now.
    fn verify(&mut self, task: &Task<'a>) {
        self.look_again(&[task.resource], Stage::Turn);
        self.confirm(task);
    }

    /// Whether it is so, by what was seen last.
    pub(super) fn confirm(&mut self, task: &Task<'a>) {
        let left = self.judge(task.phase, task.resource);
        if let Some(why) = difference(&left) {
            let why = match task.resource.id.kind {
                Kind::Command => self.with_what_it_said(task.resource, why),
                _ => self.fell_at_once(task).unwrap_or(why),
            };
            self.fail_over(task, &left, why);
        }
    }

    /// What a command printed may say why it has not done its work.
    fn with_what_it_said(&mut self, resource: &Resource, why: String) -> String {
        match self.hand.last_words(resource) {
            Some(said) if said.contains('\n') => format!("{why}; it said last:\n{said}"),
            Some(said) => format!("{why}; it said last: {said}"),
            None => why,
        }
    }

    /// These effects were made.
    pub(super) fn made(&mut self, due: &[Due]) {
        for Due { change, standing } in due {
            self.led_anew |= matches!(change.resource.kind, Kind::Package | Kind::Command);
            match standing {
                Standing::Planned(planned) => self.done.changes.push(planned.clone()),
                Standing::Tidying => {}
                Standing::Consequence(causes) => {
                    let change = change.clone().because_of(causes.clone());
                    self.done.changes.push(change);
                }
                Standing::Unforeseen => {
                    let word = change.action.word();
                    tracing::warn!("{}: {word} was not in the plan", change.resource);
                    self.done.unforeseen.push(Unforeseen {
                        resource: change.resource.clone(),
                        action: change.action,
                    });
                    self.done.changes.push(change.clone());
                }
            }
        }
    }

    /// This failed, and what needs it will be skipped.
    pub(super) fn fail(&mut self, id: &ResourceId, message: String) {
        tracing::warn!("{id}: {message}");
        if self.broken.insert(id.clone(), id.clone()).is_none() {
            self.done.failures.push(Failure::of(id, message));
        }
    }

    /// This failed over what is left of it. Where a directory is what it must be and only others are left in it, that is no
    /// reason to skip what lies there.
    fn fail_over(&mut self, task: &Task<'a>, left: &Verdict, message: String) {
        let id = &task.resource.id;
        let itself = left.changes.iter().any(|change| change.resource == *id);
        match id.kind == Kind::Directory && left.obstacle.is_none() && !itself {
            true => self.miss(id, message),
            false => self.fail(id, message),
        }
    }

    /// A part of this failed, which nothing needs.
    fn miss(&mut self, id: &ResourceId, message: String) {
        tracing::warn!("{id}: {message}");
        let mut known = self.done.failures.iter_mut();
        match known.find(|failure| failure.resource.as_ref() == Some(id)) {
            Some(failure) => failure.message = format!("{}; {message}", failure.message),
            None => self.done.failures.push(Failure::of(id, message)),
        }
    }

    fn skip(&mut self, id: &ResourceId, root: ResourceId) {
        let of_root = |failure: &&mut Failure| failure.resource.as_ref() == Some(&root);
        if let Some(failure) = self.done.failures.iter_mut().find(of_root)
            && !failure.skipped.contains(id)
        {
            failure.skipped.push(id.clone());
        }
        self.broken.insert(id.clone(), root);
    }

    pub(super) fn is_broken(&self, id: &ResourceId) -> bool {
        self.broken.contains_key(id)
    }

    pub(super) fn judge(&self, phase: Phase, resource: &Resource) -> Verdict {
        let inputs = self.inputs();
        let context = Turn {
            desired: self.desired,
            claims: self
                .claims
                .get_or_init(|| Claims::led(self.desired, self.begun, &self.now.places)),
            ledger: &self.ledger,
            inputs: &inputs,
            host: &self.now.host,
            ahead: &Ahead::nothing(),
        };
        let observed = self.now.observed.get(&resource.id);
        turn(phase, resource, observed, &context)
    }

    pub(super) fn inputs(&self) -> Inputs {
        inputs::inputs(self.desired, &self.now)
    }

    /// Before a purge it must be known where all that the role names lies, be it by a link that a package brought just now:
    /// the next run would know it.
    fn find_places(&mut self) {
        if !std::mem::take(&mut self.led_anew) {
            return;
        }
        let by_path = |kind| matches!(kind, Kind::File | Kind::Directory | Kind::Link | Kind::Edit);
        let desired = self.desired;
        let all = desired.resources.iter();
        let all: Vec<&Resource> = all.filter(|one| by_path(one.id.kind)).collect();
        self.look_again(&all, Stage::Turn);
        let places = self.hand.places();
        if places != self.now.places {
            self.now.to_mut().places = places;
            self.claims = OnceCell::new();
        }
    }

    /// Everything that this service or command reads, as it is now.
    fn look_at_inputs(&mut self, resource: &Resource) {
        let ids = inputs::ids(resource, self.now.observed.get(&resource.id));
        let desired = self.desired;
        let read: Vec<&Resource> = ids
            .iter()
            .filter(|id| **id != resource.id)
            .filter_map(|id| desired.get(id))
            .collect();
        self.look_again(&read, Stage::Turn);
    }

    pub(super) fn look_again(&mut self, resources: &[&Resource], stage: Stage) {
        let wanted: Vec<Look<'_>> = resources
            .iter()
            .map(|resource| Look {
                resource,
                listed: self.listed.contains(&resource.id),
                started: self.is_started(&resource.id),
            })
            .collect();
        let seen = self.hand.look(&wanted, stage);
        let now = self.now.to_mut();
        let accounts =
            |(id, _): &(&ResourceId, &Observed)| matches!(id.kind, Kind::User | Kind::Group);
        for (id, observed) in seen.iter().filter(accounts) {
            now.host.meet(id, observed);
        }
        now.observed.extend(seen);
    }
}
