//! What apt would refuse of the packages that a plan moves, and what else it would move with them. It is asked before
//! anything is done, so that a dry run tells of what the run could only meet.

use super::Context;
use super::site::PackageMove;
use crate::apt::index::Index;
use crate::resource::package::{self, Heard};
use cfg_catalog::id::{Kind, ResourceId};
use cfg_catalog::plan::{Action, Certainty, Plan, Snapshot};
use cfg_catalog::resource::package::{Drawn, PackageState, Refusal};
use cfg_catalog::resource::repository::Repository;
use cfg_catalog::resource::{Body, Desired, Observed};
use std::collections::BTreeSet;
use std::time::SystemTime;

/// Adds to what was seen what apt says of the plan. Says whether that is anything.
pub(super) fn hear(
    context: &Context<'_>,
    desired: &Desired,
    plan: &Plan,
    snapshot: &mut Snapshot,
) -> bool {
    let mut changes = plan.changes();
    if !changes.any(|change| change.resource.kind == Kind::Package) {
        return false;
    }
    let moving = Moving::of(plan, desired, snapshot);
    if moving.known.is_empty() {
        return false;
    }
    let (root, known) = (context.root.path(), &moving.known);
    let unsure = asked(package::only_from(root, known, &moving.repositories));
    for id in &unsure {
        if let Some(state) = state_of(snapshot, id) {
            state.unsure = true;
        }
    }
    let heard = asked(package::heard(root, desired, known));
    let any = !unsure.is_empty() || !heard.refused.is_empty() || !heard.along.is_empty();
    moving.note(heard, !moving.sources && is_fresh(context), snapshot);
    any
}

/// There may be no apt to ask. A run fails for that too, and says so.
fn asked<T: Default>(answer: anyhow::Result<T>) -> T {
    answer.unwrap_or_else(|error| {
        tracing::debug!("{error:#}");
        T::default()
    })
}

fn state_of<'s>(snapshot: &'s mut Snapshot, id: &ResourceId) -> Option<&'s mut PackageState> {
    match snapshot.observed.get_mut(id) {
        Some(Observed::Package(state)) => Some(state),
        _ => None,
    }
}

/// Whether a run would not refresh the index first.
fn is_fresh(context: &Context<'_>) -> bool {
    let index = Index::of(context.root.path(), context.state.path());
    let stale = index.stale(context.apt.index_max_age, SystemTime::now());
    matches!(stale, Ok(None))
}

/// The packages that a plan moves.
#[derive(Default)]
struct Moving<'a> {
    /// Those that apt can be asked about.
    known: Vec<PackageMove<'a>>,
    /// Some are in no index yet.
    unknown: bool,
    /// Those that come, or go to another version.
    coming: BTreeSet<ResourceId>,
    /// Those before which a command is run: it may do anything.
    after_commands: BTreeSet<ResourceId>,
    /// The plan changes where packages come from.
    sources: bool,
    /// These repositories among that.
    repositories: Vec<&'a Repository>,
}

impl<'a> Moving<'a> {
    fn of(plan: &Plan, desired: &'a Desired, snapshot: &Snapshot) -> Self {
        let mut moving = Self::default();
        let mut commands = false;
        for step in &plan.steps {
            let changes = &step.changes;
            commands |= changes.iter().any(|change| change.action == Action::Run);
            moving.sources |= changes.iter().any(|change| of_sources(&change.resource));
            let id = &step.step.resource;
            if let (Some(Body::Repository(repository)), false) = (
                desired.get(id).map(|resource| &resource.body),
                changes.is_empty(),
            ) {
                moving.repositories.push(repository);
            }
            let (Some(resource), Some(Observed::Package(state))) =
                (desired.get(id), snapshot.observed.get(id))
            else {
                continue;
            };
            let Some(change) = changes.iter().find(|change| change.action.moves()) else {
                continue;
            };
            let comes = !matches!(change.action, Action::Remove | Action::Purge);
            if comes {
                moving.coming.insert(id.clone());
            }
            if commands {
                moving.after_commands.insert(id.clone());
            }
            if comes && state.available.is_none() {
                moving.unknown = true;
                continue;
            }
            moving.known.push(PackageMove {
                resource,
                changes: changes.clone(),
                held: state.held,
            });
        }
        moving
    }

    /// Adds what apt says of them to what was seen. `fresh` is an index that a run does not refresh first.
    fn note(&self, heard: Heard, fresh: bool, snapshot: &mut Snapshot) {
        let some_come_not = heard.refused.keys().any(|id| self.coming.contains(id));
        for (id, why) in heard.refused {
            let same_index = fresh || !self.coming.contains(&id);
            // What goes may only stand in nothing's way once another comes.
            let same_others = fresh || !some_come_not;
            let sure = same_index && same_others && !self.after_commands.contains(&id);
            if let Some(state) = state_of(snapshot, &id) {
                let certainty = Certainty::certain_if(sure && !self.unknown);
                state.refusal = Some(Refusal { why, certainty });
            }
        }
        let sure = fresh && !self.unknown && self.after_commands.is_empty();
        for (id, along) in heard.along {
            let by = along.by.iter();
            let by = by.map(|name| ResourceId::new(Kind::Package, name.as_str()));
            if let Some(state) = state_of(snapshot, &id) {
                state.drawn = Some(Drawn {
                    version: along.version,
                    by: by.collect(),
                    certainty: Certainty::certain_if(sure),
                });
            }
        }
    }
}

fn of_sources(changed: &ResourceId) -> bool {
    changed.kind == Kind::Repository || changed.name.starts_with("/etc/apt/")
}
