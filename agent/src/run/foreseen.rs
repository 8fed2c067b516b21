//! What the machine would refuse of a plan. It is looked for before anything is done, so that a dry run tells of what the run
//! could only meet.

use super::Context;
use crate::machine::Machine;
use crate::resource::{mount, unit};
use cfg_catalog::id::ResourceId;
use cfg_catalog::plan::refusals::Refusal;
use cfg_catalog::plan::{Action, Change, Phase, Plan, PlannedStep, Power, Snapshot};
use cfg_catalog::resource::{Body, Desired};

/// Adds the machine's refusals to what was seen. Says whether there are any.
pub(super) fn hear(
    context: &Context<'_>,
    desired: &Desired,
    plan: &Plan,
    snapshot: &mut Snapshot,
) -> bool {
    let machine = Machine::at_once(context.root);
    let mut found = Vec::new();
    // A folder that something needs is refused with what needs it.
    let steps = plan.steps.iter();
    for planned in steps.filter(|planned| planned.step.phase != Phase::Parent) {
        found.extend(of_step(context, &machine, desired, planned));
    }
    if snapshot.host.power != Power::Root {
        found.extend(unread(context, &machine, desired, plan));
    }
    let any = !found.is_empty();
    // What is refused first is what the run ends with.
    found.reverse();
    snapshot.host.refusals.extend(found);
    any
}

fn of_step(
    context: &Context<'_>,
    machine: &Machine,
    desired: &Desired,
    planned: &PlannedStep,
) -> Vec<(ResourceId, Refusal)> {
    let Some(resource) = desired.get(&planned.step.resource) else {
        return Vec::new();
    };
    let refusal = |at: usize, change: &Change| match &resource.body {
        // What is done to a unit before it is refused the next thing stays done.
        Body::Service(_) if at > 0 => None,
        Body::Service(_) => unit::refusal(machine, resource, change),
        Body::Mount(mount) => mount::refusal(machine, mount),
        _ => machine.refusal(resource, change, context.blobs),
    };
    let changes = planned.changes.iter().enumerate();
    changes
        .filter_map(|(at, change)| Some((change.resource.clone(), refusal(at, change)?)))
        .collect()
}

/// Files of others that an ordinary user cannot read either: whether they differ he does not know, and they are not his.
fn unread(
    context: &Context<'_>,
    machine: &Machine,
    desired: &Desired,
    plan: &Plan,
) -> Vec<(ResourceId, Refusal)> {
    let failed = plan.failures.iter();
    let failed = failed.filter_map(|failure| desired.get(failure.resource.as_ref()?));
    let files = failed.filter(|file| matches!(file.body, Body::File(_) | Body::Edit(_)));
    files
        .filter_map(|file| {
            let change = Change::new(&file.id, Action::Update);
            match machine.refusal(file, &change, context.blobs) {
                Some(held @ Refusal::Held(_)) => Some((change.resource, held)),
                _ => None,
            }
        })
        .collect()
}
