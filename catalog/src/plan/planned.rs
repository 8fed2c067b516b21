//! A plan: the changes that would bring a machine to its role, turn by turn.

use super::document::{Failure, Held, Leftover};
use super::order::Step;
use super::{Action, Certainty, Change};
use crate::id::ResourceId;
use crate::resource::{Body, Desired, Resource};
use std::collections::{BTreeMap, BTreeSet};

/// The changes that would bring a machine to its role.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Plan {
    /// Every turn, those with nothing to do as well.
    pub steps: Vec<PlannedStep>,
    /// The folders that nobody declares and something needs, as resources of their own.
    pub parents: BTreeMap<ResourceId, Resource>,
    /// What would be changed and may not be.
    pub held: Vec<Held>,
    /// What cannot be brought about, and what that skips.
    pub failures: Vec<Failure>,
    /// What the role names no more; none where only some of it is applied. See [`super::leftovers`].
    pub leftovers: Vec<Leftover>,
}

/// One turn with what is planned for it.
#[derive(Clone, Debug, PartialEq)]
pub struct PlannedStep {
    /// Whose, which, and what it needs.
    pub step: Step,
    /// In order; also of what a purge removes. None where it fails or is skipped.
    pub changes: Vec<Change>,
    /// Whether it can go on.
    pub fate: Fate,
}

/// Whether a planned turn can be taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It can.
    Goes,
    /// It fails: see the plan's failures.
    Fails,
    /// It is skipped on account of this one's failure.
    Skipped(ResourceId),
    /// It waits for members of a role, or needs what does.
    Waits,
}

impl Plan {
    /// The resource of a turn, be it declared or a folder that something needs.
    pub fn resource<'a>(&'a self, desired: &'a Desired, id: &ResourceId) -> Option<&'a Resource> {
        desired.get(id).or_else(|| self.parents.get(id))
    }

    /// Whether it says nothing at all: nothing differs, nothing is held, and nothing is left over.
    pub fn is_idle(&self) -> bool {
        self.changes().next().is_none()
            && self.held.is_empty()
            && self.failures.is_empty()
            && self.leftovers.is_empty()
    }

    /// What is under way may change anything: nothing of it is certain.
    pub fn assume(&mut self) {
        let changes = self.steps.iter_mut().flat_map(|step| &mut step.changes);
        changes.for_each(|change| change.certainty = Certainty::Assumed);
    }

    /// Nobody knows what services and commands have read: what they are owed on account of it is not certain.
    pub fn assume_owed(&mut self, desired: &Desired) {
        for step in &mut self.steps {
            let body = desired
                .get(&step.step.resource)
                .map(|resource| &resource.body);
            let counts = match body {
                Some(Body::Command(command)) => command.runs_once(),
                _ => true,
            };
            for change in &mut step.changes {
                let owed = matches!(
                    change.action,
                    Action::Restart | Action::Reload | Action::Run
                );
                if owed && counts {
                    change.certainty = Certainty::Assumed;
                }
            }
        }
    }

    /// All changes, in order.
    pub fn changes(&self) -> impl Iterator<Item = &Change> {
        self.steps.iter().flat_map(|step| &step.changes)
    }

    /// Every resource that the plan speaks of: declared ones, needed folders, victims of a purge.
    pub fn resources(&self) -> BTreeSet<&ResourceId> {
        let turns = self.steps.iter().map(|step| &step.step.resource);
        turns.chain(self.changes().map(|c| &c.resource)).collect()
    }
}
