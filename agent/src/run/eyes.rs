//! The machine itself, as a run sees it.

use super::health;
use super::site::{Healthy, Look, Site, Stage};
use crate::guard::Where;
use crate::machine::{Machine, Root};
use crate::resource::{command, package, service};
use crate::systemd::Systemd;
use cfg_catalog::id::ResourceId;
use cfg_catalog::path::AbsPath;
use cfg_catalog::plan::Places;
use cfg_catalog::resource::service::{Active, Activity};
use cfg_catalog::resource::{Body, Desired, Health, Observed, PathState, Presence, Resource};
use std::collections::BTreeMap;
use std::iter::Enumerate;
use std::slice::Chunks;
use std::sync::Mutex;
use std::thread::{Builder, ScopedJoinHandle};

/// What looks at a machine.
pub(super) struct Eyes<'a> {
    pub(super) root: &'a Root,
    pub(super) systemd: Systemd,
    health: Option<&'a Health>,
    /// How it was asked before this role came, where that is another way.
    former: Option<Health>,
    /// Where links have led it.
    pub(super) places: Places,
}

impl<'a> Eyes<'a> {
    pub(super) fn new(root: &'a Root, desired: &'a Desired, former: Option<Health>) -> Self {
        Self {
            root,
            systemd: Systemd::reach(root.path()),
            health: desired.health.as_ref(),
            former,
            places: Places::default(),
        }
    }

    /// Where systemd cannot know whether something runs that should, the role's health decides: a SysV script counts
    /// as active when all its processes are dead.
    fn unmask_the_dead(
        &self,
        wanted: &[Look<'_>],
        stage: Stage,
        seen: &mut BTreeMap<ResourceId, Observed>,
    ) {
        let Some(health) = self.health else {
            return;
        };
        let suspects = wanted
            .iter()
            .filter(|look| !look.started && must_run(look.resource));
        let mut sick = None;
        for look in suspects {
            let Some(Observed::Service(state)) = seen.get_mut(&look.resource.id) else {
                continue;
            };
            if state.judged || state.active != Active::Running {
                continue;
            }
            // Asked once for all, and only where somebody is suspected.
            if *sick.get_or_insert_with(|| self.is_sick(health, stage)) {
                state.active = Active::Failed;
                state.start = None;
            }
        }
    }
}

impl Eyes<'_> {
    /// Of what still runs as a former release made it only the former health can tell.
    fn is_sick(&self, asked: &Health, stage: Stage) -> bool {
        let place = match stage {
            Stage::Plan => Where::ShutIn,
            Stage::Turn => Where::Open,
        };
        let root = self.root.path();
        let passes = |former: &Health| {
            let answer = health::ask(root, former, place, health::PATIENCE);
            !matches!(answer, Healthy::No(_))
        };
        !self.former.as_ref().is_some_and(passes) && health::is_sick(root, asked, place)
    }
}

fn must_run(resource: &Resource) -> bool {
    matches!(&resource.body, Body::Service(service) if service.state == Some(Activity::Running))
}

impl Site for Eyes<'_> {
    fn look(&mut self, wanted: &[Look<'_>], stage: Stage) -> BTreeMap<ResourceId, Observed> {
        let machine = Machine::at_once(self.root);
        let (paths, others): (Vec<&Look<'_>>, Vec<&Look<'_>>) = wanted.iter().partition(|look| {
            let body = &look.resource.body;
            matches!(body, Body::File(_) | Body::Directory(_) | Body::Link(_))
        });
        let mut seen: Vec<Seen<'_>> = Vec::with_capacity(wanted.len());
        // Who is free takes the next few, since packages and services keep one of the two busy for a while.
        let left = Mutex::new(paths.chunks(TAKEN).enumerate());
        let mut at: Vec<Taken<'_>> = Vec::new();
        std::thread::scope(|scope| {
            let (left, root) = (&left, self.root);
            let beside = move || {
                let machine = Machine::at_once(root);
                (at_paths(&machine, left), machine.places())
            };
            // Where there may be no more threads, all is looked at here.
            let side = (paths.len() >= WORTH_A_THREAD)
                .then(|| Builder::new().spawn_scoped(scope, beside).ok())
                .flatten();
            seen.extend(packages(&machine, wanted, stage));
            seen.extend(services(&machine, &self.systemd, wanted));
            at = at_paths(&machine, left);
            if let Some(Ok((seen, places))) = side.map(ScopedJoinHandle::join) {
                at.extend(seen);
                self.places.add(places);
            }
        });
        // In the order in which they were asked for: then there is nothing to sort.
        at.sort_unstable_by_key(|(first, _)| *first);
        seen.extend(at.into_iter().flat_map(|(_, seen)| seen));
        let mut seen: BTreeMap<ResourceId, Observed> = seen
            .into_iter()
            .map(|(id, observed)| (id.clone(), observed))
            .collect();
        self.unmask_the_dead(wanted, stage, &mut seen);
        for look in others {
            if let Some(observed) = one(&machine, look, stage) {
                seen.insert(look.resource.id.clone(), observed);
            }
        }
        self.places.add(machine.places());
        seen
    }

    fn places(&self) -> Places {
        self.places.clone()
    }
}

/// Fewer paths are looked at sooner than a thread has begun.
const WORTH_A_THREAD: usize = 64;

type Seen<'a> = (&'a ResourceId, Observed);

/// So many paths, one after the other, are taken at a time: mostly they lie in one folder.
const TAKEN: usize = 32;

/// What was seen of those that were taken at a time, and the number of that time.
type Taken<'a> = (usize, Vec<Seen<'a>>);

/// What stands at the paths that are left, until none is.
fn at_paths<'a>(
    machine: &Machine,
    left: &Mutex<Enumerate<Chunks<'_, &Look<'a>>>>,
) -> Vec<Taken<'a>> {
    let next = || {
        let mut left = left.lock().unwrap_or_else(|broken| broken.into_inner());
        left.next()
    };
    let seen = |look: &&Look<'a>| Some((&look.resource.id, one(machine, look, Stage::Plan)?));
    std::iter::from_fn(next)
        .map(|(number, looks)| (number, looks.iter().filter_map(seen).collect()))
        .collect()
}

/// Kinds that are looked at one by one.
fn one(machine: &Machine, look: &Look<'_>, stage: Stage) -> Option<Observed> {
    match &look.resource.body {
        Body::Command(body) => Some(
            match command::observe(machine, body, command::Saying::of(look.resource), stage) {
                Ok(state) => Observed::Command(state),
                Err(error) => failed(&error),
            },
        ),
        Body::Directory(body) if look.listed => {
            let wanted = crate::machine::Wanted {
                below: true,
                purge: body.purge,
                gone: body.state == Presence::Absent,
                attributes: Some(&body.attributes),
                ..crate::machine::Wanted::default()
            };
            Some(Observed::Path(machine.observe_path(&body.path, &wanted)))
        }
        Body::File(body) if look.listed => emptied(machine, look.resource, &body.path),
        _ => machine.observe(look.resource),
    }
}

/// A directory that stands where a file is to, with all that is in it.
fn emptied(machine: &Machine, resource: &Resource, path: &AbsPath) -> Option<Observed> {
    let seen = machine.observe(resource);
    if !matches!(seen, Some(Observed::Path(PathState::Directory(_)))) {
        return seen;
    }
    let wanted = crate::machine::Wanted {
        below: true,
        ..crate::machine::Wanted::default()
    };
    Some(Observed::Path(machine.observe_path(path, &wanted)))
}

fn packages<'a>(machine: &Machine, wanted: &[Look<'a>], stage: Stage) -> Vec<Seen<'a>> {
    let found: Vec<(&ResourceId, &cfg_catalog::resource::package::Package)> = wanted
        .iter()
        .filter_map(|look| match &look.resource.body {
            Body::Package(body) => Some((&look.resource.id, body)),
            _ => None,
        })
        .collect();
    if found.is_empty() {
        return Vec::new();
    }
    let bodies: Vec<_> = found.iter().map(|(_, body)| *body).collect();
    let states = package::observe(machine.root().path(), &bodies, stage);
    let of = |name: &str| match &states {
        Ok(states) => states.get(name).cloned().map(Observed::Package),
        Err(error) => Some(failed(error)),
    };
    found
        .into_iter()
        .filter_map(|(id, body)| Some((id, of(&body.name)?)))
        .collect()
}

fn services<'a>(machine: &Machine, systemd: &Systemd, wanted: &[Look<'a>]) -> Vec<Seen<'a>> {
    let found: Vec<(&ResourceId, &cfg_catalog::resource::service::Service)> = wanted
        .iter()
        .filter_map(|look| match &look.resource.body {
            Body::Service(body) => Some((&look.resource.id, body)),
            _ => None,
        })
        .collect();
    if found.is_empty() {
        return Vec::new();
    }
    let bodies: Vec<_> = found.iter().map(|(_, body)| *body).collect();
    let states = service::observe(machine, systemd, &bodies);
    let of = |unit: &str| match &states {
        Ok(states) => states.get(unit).cloned().map(Observed::Service),
        Err(error) => Some(failed(error)),
    };
    found
        .into_iter()
        .filter_map(|(id, body)| Some((id, of(&body.unit)?)))
        .collect()
}

fn failed(error: &anyhow::Error) -> Observed {
    Observed::Failed {
        why: cfg_catalog::chain(error.as_ref()),
    }
}
