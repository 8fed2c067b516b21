//! What the machine would refuse of a plan. It is looked for before anything is done, so that a dry run tells of what the run
//! could only meet.

use super::Context;
use crate::machine::Machine;
use cfg_catalog::plan::{Phase, Plan, Snapshot};
use cfg_catalog::resource::Desired;

/// Adds the machine's refusals to what was seen. Says whether there are any.
pub(super) fn hear(
    context: &Context<'_>,
    desired: &Desired,
    plan: &Plan,
    snapshot: &mut Snapshot,
) -> bool {
    let machine = Machine::at_once(context.root);
    let mut any = false;
    // A folder that something needs is refused with what needs it.
    let steps = plan.steps.iter();
    for planned in steps.filter(|planned| planned.step.phase != Phase::Parent) {
        let Some(resource) = desired.get(&planned.step.resource) else {
            continue;
        };
        for change in &planned.changes {
            if let Some(refusal) = machine.refusal(resource, change, context.blobs) {
                let refusals = &mut snapshot.host.refusals;
                refusals.insert(change.resource.clone(), refusal);
                any = true;
            }
        }
    }
    any
}
