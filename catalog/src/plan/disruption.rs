//! What disrupts the work that a machine does, and a role without that: what is left to do where there is no slot.
//!
//! What a restart is for waits with it, and is written directly before it: so a machine that boots in between starts with what it
//! ran with.

use super::draft::Plan;
use super::{Action, Change};
use crate::id::ResourceId;
use crate::resource::{Body, Desired, Withheld};
use std::collections::BTreeSet;

impl Action {
    /// Whether what a machine does is, or may be, interrupted by it. Commands are their role's own affair.
    pub fn disrupts(self) -> bool {
        matches!(self, Action::Restart | Action::Stop) || self.moves()
    }
}

/// The resources whose changes disrupt.
pub fn disruptive(plan: &Plan) -> BTreeSet<ResourceId> {
    let steps = plan.steps.iter();
    let disrupts = steps.filter(|step| step.changes.iter().any(|change| change.action.disrupts()));
    disrupts.map(|step| step.step.resource.clone()).collect()
}

impl Desired {
    /// The same, with more of it withheld: all that disrupts by the plan of what it is `now`, and what that is for; and what would
    /// fail only since that is withheld. `full` is the plan of the whole. None where nothing disrupts any more.
    ///
    /// One answer is rarely the last: what is withheld changes what else there is to do. Each withholds more, so there is an end.
    pub fn without_slot(&self, full: &Plan, now: &Plan, why: &str) -> Option<Desired> {
        let mut more = disruptive(now);
        let known: BTreeSet<_> = failed(full).collect();
        more.extend(failed(now).filter(|id| !known.contains(id)).cloned());
        let for_them = self.reasons(now, &more);
        more.extend(for_them);
        more.retain(|id| !self.withheld.resources.contains(id));
        if more.is_empty() {
            return None;
        }
        let mut less = self.clone();
        less.withheld.resources.append(&mut more);
        less.withheld.why = why.to_owned();
        Some(less)
    }

    /// Whose changes these are made for: all that services read when they start, and what brings about a stop.
    fn reasons(&self, now: &Plan, disrupted: &BTreeSet<ResourceId>) -> BTreeSet<ResourceId> {
        let mut reasons: BTreeSet<&ResourceId> = BTreeSet::new();
        for step in &now.steps {
            if disrupted.contains(&step.step.resource) {
                reasons.extend(step.changes.iter().flat_map(|change| &change.causes));
            }
        }
        for id in disrupted {
            if let Some(Body::Service(service)) = self.get(id).map(|resource| &resource.body) {
                reasons.extend(service.restart_on.iter().chain(&service.template));
            }
        }
        // A cause may be what a purge removes: then its directory waits.
        let meant = |change: &Change| reasons.contains(&change.resource);
        let steps = now.steps.iter();
        let steps = steps.filter(|step| step.changes.iter().any(meant));
        steps.map(|step| step.step.resource.clone()).collect()
    }
}

fn failed(plan: &Plan) -> impl Iterator<Item = &ResourceId> {
    plan.failures
        .iter()
        .filter_map(|failure| failure.resource.as_ref())
}

impl Withheld {
    /// Whether nothing is.
    pub fn is_empty(&self) -> bool {
        self.resources.is_empty()
    }
}
