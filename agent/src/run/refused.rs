//! What apt would refuse of the packages that a plan moves, and what else it would move with them. It is asked before
//! anything is done, so that a dry run tells of what the run could only meet.

use super::Context;
use super::site::PackageMove;
use crate::apt::index::Index;
use crate::resource::package::{self, Heard};
use cfg_catalog::id::{Kind, ResourceId};
use cfg_catalog::plan::{Action, Certainty, Change, Plan, Snapshot};
use cfg_catalog::resource::package::{Drawn, Refusal};
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
    let doubtful =
        match package::only_from(context.root.path(), &moving.known, &moving.repositories) {
            Ok(doubtful) => doubtful,
            Err(error) => {
                tracing::debug!("{error:#}");
                BTreeSet::new()
            }
        };
    for id in &doubtful {
        if let Some(Observed::Package(state)) = snapshot.observed.get_mut(id) {
            state.unsure = true;
        }
    }
    let heard = match package::heard(context.root.path(), desired, &moving.known) {
        Ok(heard) => heard,
        Err(error) => {
            // There is no apt to ask. A run fails for that too, and says so.
            tracing::debug!("{error:#}");
            return !doubtful.is_empty();
        }
    };
    let fresh = !moving.sources && is_fresh(context);
    let Heard { refused, along } = heard;
    let some_come_not = refused.keys().any(|id| moving.coming.contains(id));
    for (id, why) in &refused {
        let same_index = fresh || !moving.coming.contains(id);
        // What goes may only stand in nothing's way once another comes.
        let same_others = fresh || !some_come_not;
        let sure = same_index && same_others && !moving.after_commands.contains(id);
        if let Some(Observed::Package(state)) = snapshot.observed.get_mut(id) {
            state.refusal = Some(Refusal {
                why: why.clone(),
                certainty: match sure && !moving.unknown {
                    true => Certainty::Certain,
                    false => Certainty::Assumed,
                },
            });
        }
    }
    let sure = fresh && !moving.unknown && moving.after_commands.is_empty();
    for (id, along) in &along {
        let by = along.by.iter();
        if let Some(Observed::Package(state)) = snapshot.observed.get_mut(id) {
            state.drawn = Some(Drawn {
                version: along.version.clone(),
                by: by
                    .map(|name| ResourceId::new(Kind::Package, name.as_str()))
                    .collect(),
                certainty: match sure {
                    true => Certainty::Certain,
                    false => Certainty::Assumed,
                },
            });
        }
    }
    !refused.is_empty() || !along.is_empty() || !doubtful.is_empty()
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
            let changes: Vec<Change> = step.changes.clone();
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
                changes,
                held: state.held,
            });
        }
        moving
    }
}

fn of_sources(changed: &ResourceId) -> bool {
    changed.kind == Kind::Repository || changed.name.starts_with("/etc/apt/")
}
