//! What a command makes of what comes after it. No plan can know that, and so it is no bug of the plan.

use super::engine::Engine;
use super::site::Hand;
use cfg_catalog::id::ResourceId;
use cfg_catalog::plan::{Action, Change, Due, Standing, Step};
use std::collections::{BTreeMap, BTreeSet};

impl<H: Hand> Engine<'_, H> {
    /// Of what is due at a turn and was not planned, names the commands before it that have run as its cause, where what is
    /// there has changed since the run began.
    pub(super) fn ascribe(&self, step: &Step, due: &mut [Due]) {
        let unforeseen = |due: &&mut Due| due.standing == Standing::Unforeseen;
        let mut left = due.iter_mut().filter(unforeseen).peekable();
        if left.peek().is_none() {
            return;
        }
        let commands = self.commands_before(step);
        if commands.is_empty() {
            return;
        }
        let (begun, now) = (&self.begun.observed, &self.now.observed);
        let differs = begun.get(&step.resource) != now.get(&step.resource);
        for due in left {
            let causes = &due.change.causes;
            let follows = !causes.is_empty() && causes.iter().all(|cause| self.is_ascribed(cause));
            let causes = match causes.is_empty() {
                true => commands.clone(),
                false => causes.clone(),
            };
            if differs || follows {
                due.standing = Standing::Consequence(causes);
            }
        }
    }

    /// The commands that have run, and that this turn comes after, be it by way of others.
    fn commands_before(&self, step: &Step) -> Vec<ResourceId> {
        let changes = self.done.changes.iter();
        let ran = changes.filter(|change| change.action == Action::Run);
        let ran: BTreeSet<&ResourceId> = ran.map(|change| &change.resource).collect();
        if ran.is_empty() {
            return Vec::new();
        }
        let mut needs: BTreeMap<&ResourceId, Vec<&ResourceId>> = BTreeMap::new();
        for planned in &self.plan.steps {
            let of = needs.entry(&planned.step.resource).or_default();
            of.extend(&planned.step.needs);
        }
        let mut before = BTreeSet::new();
        let mut next: Vec<&ResourceId> = step.needs.iter().collect();
        while let Some(id) = next.pop() {
            if before.insert(id) {
                next.extend(needs.get(id).into_iter().flatten());
            }
        }
        let commands = before.into_iter().filter(|id| ran.contains(id));
        commands.cloned().collect()
    }

    /// Whether this was changed on account of a command, and of nothing that was planned.
    fn is_ascribed(&self, id: &ResourceId) -> bool {
        let of = |change: &Change| change.resource == *id;
        let unforeseen = self.done.unforeseen.iter();
        self.done.changes.iter().any(of)
            && !self.plan.changes().any(of)
            && !unforeseen.into_iter().any(|other| other.resource == *id)
    }
}
