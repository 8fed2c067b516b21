//! What lies below a link that changes before: what stands where that leads only a real run finds.

use super::claims::{own_path, presence};
use super::turn::{Turn, Verdict};
use super::{Action, Certainty, Change};
use crate::resource::{Presence, Resource};

/// The judgement of what was seen, or not, by the way that leads there now: all of it is assumed, and that there is something to
/// do is too.
pub(crate) fn elsewhere(resource: &Resource, mut verdict: Verdict, turn: &Turn<'_>) -> Verdict {
    if !own_path(&resource.body).is_some_and(|path| turn.ahead.leads_anew(path)) {
        return verdict;
    }
    perhaps(resource, &mut verdict);
    verdict
}

/// That there is something to do is assumed, and what it is.
pub(crate) fn perhaps(resource: &Resource, verdict: &mut Verdict) {
    for change in &mut verdict.changes {
        change.certainty = Certainty::Assumed;
    }
    let own = |change: &Change| change.resource == resource.id;
    if verdict.obstacle.take().is_some() || !verdict.changes.iter().any(own) {
        let action = match presence(&resource.body) {
            Presence::Present => Action::Update,
            Presence::Absent => Action::Remove,
        };
        let change = Change::new(&resource.id, action).at_most(Certainty::Assumed);
        verdict.changes.push(change);
    }
}
