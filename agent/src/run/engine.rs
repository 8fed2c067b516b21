//! One run: the steps of a plan in order, each judged again by what is there at its turn.

use super::site::{Hand, Index, Look, Trouble};
use cfg_catalog::id::{Kind, ResourceId};
use cfg_catalog::plan::claims::Claims;
use cfg_catalog::plan::ahead::Ahead;
use cfg_catalog::plan::document::{Done, Failure, Unforeseen};
use cfg_catalog::plan::draft::Fate;
use cfg_catalog::plan::inputs::{self, Inputs};
use cfg_catalog::plan::{
    Change, Due, Ledger, Phase, Plan, PlannedStep, Snapshot, Standing, Step, Turn, Verdict, settle,
    turn,
};
use cfg_catalog::resource::{Desired, Observed, Resource};
use std::collections::{BTreeMap, BTreeSet};

/// What one run knows and has done.
pub(super) struct Engine<'a, H: Hand> {
    pub(super) hand: &'a mut H,
    pub(super) desired: &'a Desired,
    pub(super) plan: &'a Plan,
    /// What was seen when the run began.
    begun: &'a Snapshot,
    /// What was seen last.
    pub(super) now: Snapshot,
    claims: Claims,
    listed: BTreeSet<ResourceId>,
    pub(super) ledger: Ledger,
    pub(super) done: Done,
    /// What failed or was skipped, with the failure that it comes from.
    broken: BTreeMap<ResourceId, ResourceId>,
    pub(super) services: super::services::Services,
}

/// A turn that has something to do.
pub(super) struct Task<'a> {
    pub(super) resource: &'a Resource,
    pub(super) phase: Phase,
    pub(super) due: Vec<Due>,
}

impl<'a, H: Hand> Engine<'a, H> {
    pub(super) fn new(
        hand: &'a mut H,
        desired: &'a Desired,
        plan: &'a Plan,
        begun: &'a Snapshot,
        ledger: Ledger,
        unproven: BTreeSet<ResourceId>,
    ) -> Self {
        Self {
            hand,
            desired,
            plan,
            begun,
            now: begun.clone(),
            claims: Claims::of(desired, begun),
            listed: inputs::listed(desired),
            ledger,
            done: Done {
                held: plan.held.clone(),
                ..Done::default()
            },
            broken: BTreeMap::new(),
            services: super::services::Services::new(unproven),
        }
    }

    /// Takes all turns. An error ends the run where it stands; the next one finishes it.
    pub(super) fn run(mut self) -> Result<Done, Trouble> {
        let steps = &self.plan.steps;
        let mut at = 0;
        while let Some(step) = steps.get(at) {
            let batch = package_batch(&steps[at..]);
            if batch > 0 {
                self.packages(&steps[at..at + batch])?;
                at += batch;
                continue;
            }
            self.settle_needed(&step.step)?;
            self.step(step)?;
            at += 1;
        }
        self.settle_services()?;
        Ok(self.done)
    }

    fn step(&mut self, planned: &'a PlannedStep) -> Result<(), Trouble> {
        let step = &planned.step;
        let Some(resource) = self.plan.resource(self.desired, &step.resource) else {
            return Ok(());
        };
        if matches!(step.resource.kind, Kind::Service | Kind::Command) {
            self.look_at_inputs(resource);
        }
        self.look_again(&[resource], Index::Final);
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
        let outcome = match task.resource.id.kind {
            Kind::Service => self.service(&task),
            _ => self.enact(&task),
        };
        self.conclude(&task, outcome)
    }

    /// What is to be done at this turn: none where it fails, is skipped, or has nothing left to do.
    pub(super) fn take_up(
        &mut self,
        planned: &PlannedStep,
        resource: &'a Resource,
        verdict: Verdict,
    ) -> Option<Task<'a>> {
        let step = &planned.step;
        let idle = verdict.changes.is_empty() && verdict.obstacle.is_none();
        if self.broken.get(&step.resource).is_some() {
            // Its earlier turn failed.
            return None;
        }
        if let Some(root) = self.broken_need(step)
            && !idle
        {
            self.skip(&step.resource, root);
            return None;
        }
        if let Some(why) = verdict.obstacle {
            self.fail(&step.resource, why);
            return None;
        }
        let mut verdict = verdict;
        // A purge of the folder above has it already.
        verdict.changes.retain(|change| {
            change.resource == resource.id || !self.is_done(change)
        });
        let settled = settle(&planned.changes, verdict.changes, self.begun);
        if planned.fate == Fate::Goes {
            self.done.changes.extend(settled.already);
        }
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

    fn broken_need(&self, step: &Step) -> Option<ResourceId> {
        step.needs
            .iter()
            .find_map(|need| self.broken.get(need))
            .cloned()
    }

    fn enact(&mut self, task: &Task<'a>) -> Result<(), Trouble> {
        let inputs = self.inputs();
        let changes: Vec<Change> = task.due.iter().map(|due| due.change.clone()).collect();
        self.hand.enact(task.resource, &changes)?;
        if task.resource.id.kind == Kind::Command {
            self.ledger.succeeded(task.resource, &inputs);
            self.hand.keep(&self.ledger)?;
        }
        for change in &changes {
            self.services.note(change);
        }
        Ok(())
    }

    /// Looks whether it is so now, and writes down what came of it.
    pub(super) fn conclude(
        &mut self,
        task: &Task<'a>,
        outcome: Result<(), Trouble>,
    ) -> Result<(), Trouble> {
        let id = &task.resource.id;
        match outcome {
            Err(Trouble::Stop(error)) => return Err(Trouble::Stop(error)),
            Err(Trouble::Failed(why)) => {
                self.fail(id, why);
                return Ok(());
            }
            Ok(()) => {}
        }
        self.look_again(&[task.resource], Index::Final);
        let left = self.judge(task.phase, task.resource);
        match difference(&left) {
            Some(left) => self.fail(id, left),
            None => self.made(&task.due),
        }
        Ok(())
    }

    /// These effects were made.
    pub(super) fn made(&mut self, due: &[Due]) {
        for Due { change, standing } in due {
            match standing {
                Standing::Planned(planned) => self.done.changes.push(planned.clone()),
                Standing::Tidying => {}
                Standing::Unforeseen => {
                    tracing::warn!(
                        "{}: {} was not in the plan",
                        change.resource,
                        change.action.word()
                    );
                    self.done.unforeseen.push(Unforeseen {
                        resource: change.resource.clone(),
                        action: change.action,
                    });
                    self.done.changes.push(change.clone());
                }
            }
        }
    }

    pub(super) fn fail(&mut self, id: &ResourceId, message: String) {
        tracing::warn!("{id}: {message}");
        if self.broken.insert(id.clone(), id.clone()).is_none() {
            self.done.failures.push(Failure::of(id, message));
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
        let turn_now = Turn {
            desired: self.desired,
            claims: &self.claims,
            ledger: &self.ledger,
            inputs: &inputs,
            host: &self.now.host,
            ahead: &Ahead::nothing(),
        };
        turn(phase, resource, self.now.observed.get(&resource.id), &turn_now)
    }

    pub(super) fn inputs(&self) -> Inputs {
        inputs::inputs(self.desired, &self.now)
    }

    /// Everything that this service or command reads, as it is now.
    fn look_at_inputs(&mut self, resource: &Resource) {
        let ids = inputs::ids(resource, self.now.observed.get(&resource.id));
        let read: Vec<&Resource> = ids
            .iter()
            .filter(|id| **id != resource.id)
            .filter_map(|id| self.desired.get(id))
            .collect();
        self.look_again(&read, Index::Final);
    }

    pub(super) fn look_again(&mut self, resources: &[&Resource], index: Index) {
        let wanted: Vec<Look<'_>> = resources
            .iter()
            .map(|resource| Look {
                resource,
                listed: self.listed.contains(&resource.id),
            })
            .collect();
        let seen: BTreeMap<ResourceId, Observed> = self.hand.look(&wanted, index);
        self.now.observed.extend(seen);
    }
}

/// How many packages stand together here.
fn package_batch(steps: &[PlannedStep]) -> usize {
    steps
        .iter()
        .take_while(|step| step.step.resource.kind == Kind::Package)
        .count()
}

/// What still differs, in words.
pub(super) fn difference(left: &Verdict) -> Option<String> {
    if let Some(why) = &left.obstacle {
        return Some(why.clone());
    }
    let left: Vec<String> = left.changes.iter().map(words).collect();
    (!left.is_empty()).then(|| format!("done, and yet it still differs: {}", left.join("; ")))
}

fn words(change: &Change) -> String {
    let values = match (&change.before, &change.after) {
        (serde_json::Value::Null, serde_json::Value::Null) => String::new(),
        (before, after) => format!(" (from {before} to {after})"),
    };
    format!("{} {}{values}", change.action.word(), change.resource)
}
