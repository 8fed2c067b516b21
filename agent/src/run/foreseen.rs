//! What the machine would refuse of a plan. It is looked for before anything is done, so that a dry run tells of what the run
//! could only meet.

use super::{Context, unpacked};
use crate::machine::{Foreseen, Machine, Outlook, WalkError};
use crate::resource::{mount, unit};
use cfg_catalog::id::{Kind, ResourceId};
use cfg_catalog::path::AbsPath;
use cfg_catalog::plan::claims::presence;
use cfg_catalog::plan::refusals::Refusal;
use cfg_catalog::plan::{Action, Change, Phase, Places, Plan, PlannedStep, Power, Snapshot};
use cfg_catalog::resource::{Body, Desired, Observed, PathState, Presence, Resource};
use serde_json::Value;
use std::collections::BTreeMap;

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
    found.extend(reached(&machine, desired, plan, snapshot));
    found.extend(unpacked::in_the_way(context, &machine, desired, plan));
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

/// What an ordinary user cannot look at, be it a file of others or what lies in a folder of theirs: whether it differs he does
/// not know, and it is not his.
fn unread(
    context: &Context<'_>,
    machine: &Machine,
    desired: &Desired,
    plan: &Plan,
) -> Vec<(ResourceId, Refusal)> {
    let failed = plan.failures.iter();
    let failed = failed.filter_map(|failure| desired.get(failure.resource.as_ref()?));
    failed
        .filter_map(|resource| {
            let path = path_of(resource)?;
            let is_file = matches!(resource.body, Body::File(_) | Body::Edit(_));
            let change = Change::new(&resource.id, Action::Update);
            let closed = || match machine.refusal(resource, &change, context.blobs) {
                Some(held @ Refusal::Held(_)) => Some(held),
                _ => None,
            };
            let shut = machine.shut_out(path);
            let held = shut.or_else(|| is_file.then(closed).flatten())?;
            Some((change.resource, held))
        })
        .collect()
}

/// What can no longer be come to, or then for the first time, by what the plan makes of folders and links on the way.
fn reached(
    machine: &Machine,
    desired: &Desired,
    plan: &Plan,
    snapshot: &Snapshot,
) -> Vec<(ResourceId, Refusal)> {
    let mut outlook = outlook(machine, desired, plan, &snapshot.places_then(desired));
    if outlook.is_as_now() && plan.failures.is_empty() {
        return Vec::new();
    }
    let turns: BTreeMap<&ResourceId, usize> = main_turns(plan).collect();
    // Since nobody can come there as things are.
    let failed = |id: &ResourceId| {
        let Some(Observed::Path(PathState::Unreadable { why })) = snapshot.observed.get(id) else {
            return false;
        };
        let mut failures = plan.failures.iter();
        // An edit names its file before it.
        failures.any(|one| one.resource.as_ref() == Some(id) && one.message.ends_with(why.as_str()))
    };
    // What brings back what was there before goes by the ways that are, and by those that come back with it.
    let all = desired.resources.iter();
    let all = all.filter(|one| !desired.reverts.contains(&one.id) || failed(&one.id));
    let named = all.filter_map(|resource| Some((resource, path_of(resource)?)));
    named
        .filter_map(|(resource, path)| {
            let by_link = outlook.leads(path) || snapshot.places.links(path).next().is_some();
            let fails = failed(&resource.id);
            if !by_link && !fails {
                return None;
            }
            let gone = match &resource.body {
                Body::Edit(edit) => edit.edit.only_removes(),
                body => presence(body) == Presence::Absent,
            };
            outlook.turn = turns.get(&resource.id).copied().unwrap_or(usize::MAX);
            let ends = machine.foresee(path, &outlook);
            let nowhere = matches!(
                ends,
                Foreseen::Never(WalkError::Dangling { .. } | WalkError::NotAFolder { .. })
            );
            let refusal = match ends {
                // What is not there is as it must be.
                Foreseen::Never(error) if !(gone && nowhere) => Refusal::Never(error.to_string()),
                _ if fails && !machine.reaches(path) => Refusal::Perhaps,
                _ => return None,
            };
            Some((resource.id.clone(), refusal))
        })
        .collect()
}

fn outlook(machine: &Machine, desired: &Desired, plan: &Plan, places: &Places) -> Outlook {
    let mut outlook = Outlook::default();
    let steps = plan.steps.iter().enumerate();
    let changes = steps.flat_map(|(turn, step)| step.changes.iter().map(move |one| (turn, one)));
    for (turn, change) in changes {
        let id = &change.resource;
        if brings_anything(change) {
            outlook.open.get_or_insert(turn);
        }
        if matches!(id.kind, Kind::File | Kind::Directory | Kind::Link) && turns(change) {
            let path = id.name.parse::<AbsPath>();
            let real = path.map(|path| places.real(&path).into_owned());
            outlook.touched.extend(real.map(|real| (turn, real)));
        }
        let Some(resource) = desired.get(id) else {
            continue;
        };
        match &resource.body {
            Body::Directory(directory) if directory.state == Presence::Present => {
                let (path, given) = (&directory.path, &directory.attributes);
                machine.note_folder(&mut outlook, turn, path, given);
            }
            _ if desired.reverts.contains(id) => {}
            Body::File(file) if file.state == Presence::Present => {
                machine.note_file(&mut outlook, &file.path);
            }
            Body::Link(link) if link.state == Presence::Present => {
                if let Some(target) = &link.target {
                    machine.note_link(&mut outlook, &link.path, target);
                }
            }
            _ => {}
        }
    }
    outlook
}

fn main_turns(plan: &Plan) -> impl Iterator<Item = (&ResourceId, usize)> {
    let steps = plan.steps.iter().enumerate();
    let main = steps.filter(|(_, step)| step.step.phase == Phase::Main);
    main.map(|(turn, step)| (&step.step.resource, turn))
}

/// Whether things may come by it that the role does not name.
fn brings_anything(change: &Change) -> bool {
    let kinds = [
        Kind::Package,
        Kind::Command,
        Kind::Mount,
        Kind::Archive,
        Kind::User,
    ];
    kinds.contains(&change.resource.kind)
}

/// Whether something else stands at its path afterwards, and not the same thing with other contents or attributes.
fn turns(change: &Change) -> bool {
    let says = |value: &Value| ["target", "sha256", "type"].map(|key| value.get(key).is_some());
    let other = change.resource.kind == Kind::Link || says(&change.before) != says(&change.after);
    change.action != Action::Update || other
}

/// The path that a resource is about.
pub(super) fn path_of(resource: &Resource) -> Option<&AbsPath> {
    Some(match &resource.body {
        Body::File(file) => &file.path,
        Body::Edit(edit) => &edit.path,
        Body::Directory(directory) => &directory.path,
        Body::Link(link) => &link.path,
        Body::Archive(archive) => &archive.path,
        _ => return None,
    })
}
