//! What an earlier run left open: what was under way when its agent was killed, for which a run waits and with which a dry run reckons, and
//! services that were not well.

use super::Context;
use super::services::must_run;
use crate::effect::{Effects, Outcome, Task};
use cfg_catalog::id::ResourceId;
use cfg_catalog::plan::{Ledger, Plan};
use std::collections::BTreeSet;

/// The ledger, with what has come to its end since the run that began it was killed.
pub(super) fn settle(context: &Context<'_>, effects: &Effects) -> anyhow::Result<Ledger> {
    let mut known = context.state.ledger()?;
    let leftovers = effects.leftovers(&mut |text| (context.told)(text))?;
    for leftover in &leftovers {
        let (task, outcome) = (&leftover.task, leftover.outcome);
        tracing::info!("{} of an earlier run has ended: {outcome}", task.what);
        note(&mut known, task, outcome);
    }
    context.state.keep_ledger(&known)?;
    for leftover in leftovers {
        leftover.traces.remove()?;
    }
    Ok(known)
}

/// Makes of the ledger what a run would, as far as can be seen. Says whether something may be under way still.
pub(super) fn foresee(context: &Context<'_>, ledger: &mut Ledger) -> anyhow::Result<bool> {
    let mut under_way = false;
    for (task, outcome) in Effects::new(context.state.effects()).seen()? {
        match outcome {
            Some(outcome) => note(ledger, &task, outcome),
            None => {
                let what = task.what;
                (context.told)(&format!(
                    "a run would wait for {what} of an earlier run first"
                ));
                under_way = true;
            }
        }
    }
    Ok(under_way)
}

/// Tells of services that an earlier run started and that have yet to stay up, or to be well: nobody waits for that in a dry run.
pub(super) fn tell_unproven(context: &Context<'_>, unproven: &BTreeSet<ResourceId>, plan: &Plan) {
    let changed: BTreeSet<&ResourceId> = plan.changes().map(|change| &change.resource).collect();
    for id in unproven.iter().filter(|id| !changed.contains(id)) {
        if context.desired.get(id).is_some_and(must_run) {
            (context.told)(&format!(
                "{id} was not well when an earlier run had started it; a run would look again, and fail where it is not"
            ));
        }
    }
}

/// A command that ended well after its agent was killed owes nothing more.
fn note(ledger: &mut Ledger, task: &Task, outcome: Outcome) {
    if let Some(settles) = task.settles.as_ref().filter(|_| outcome.is_success()) {
        ledger.settled(&settles.command, settles.inputs.clone());
    }
}
