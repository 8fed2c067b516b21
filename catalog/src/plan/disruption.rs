//! What disrupts the work that a machine does, and a role without that: what is left to do where there is no slot.
//!
//! What a restart is for waits with it, and is written directly before it: so a machine that boots in between starts with what it
//! ran with.

use super::claims::{own_path, path_of};
use super::planned::{Plan, PlannedStep};
use super::{Action, Change, inputs, written};
use crate::id::{Kind, ResourceId};
use crate::path::AbsPath;
use crate::resource::{Body, Desired, Resource, Withheld, mount};
use std::collections::BTreeSet;

impl Change {
    /// Whether what a machine does is, or may be, interrupted by it. Files interrupt only whom a restart is for, a user whom a process
    /// runs as cannot be removed, and commands are their role's own affair.
    pub fn disrupts(&self) -> bool {
        match self.resource.kind {
            Kind::Service => {
                let down = matches!(self.action, Action::Restart | Action::Stop);
                down || self.after.get("restarts").is_some()
            }
            Kind::Package => self.action.moves(),
            Kind::Mount => mount::takes_away(self),
            _ => false,
        }
    }
}

/// The resources whose changes disrupt.
pub fn disruptive(plan: &Plan) -> BTreeSet<ResourceId> {
    let steps = plan.steps.iter();
    let disrupts = steps.filter(|step| step.changes.iter().any(Change::disrupts));
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

    /// What is made for these, and for what is withheld already: all that touches what services read when they start, or what brings
    /// about a stop.
    fn reasons(&self, now: &Plan, disrupted: &BTreeSet<ResourceId>) -> BTreeSet<ResourceId> {
        let read = Read::by(self, now, disrupted);
        let touches = |step: &&PlannedStep| {
            let resource = now.resource(self, &step.step.resource);
            let mut changes = step.changes.iter();
            resource.is_some_and(|resource| changes.any(|change| read.is_touched(resource, change)))
        };
        let steps = now.steps.iter().filter(touches);
        steps.map(|step| step.step.resource.clone()).collect()
    }
}

/// What is read by what disrupts: by name, and where it stands.
struct Read<'a> {
    desired: &'a Desired,
    ids: BTreeSet<ResourceId>,
    paths: BTreeSet<AbsPath>,
    /// Of these all that lies below.
    folders: BTreeSet<AbsPath>,
}

impl<'a> Read<'a> {
    fn by(desired: &'a Desired, now: &Plan, disrupted: &BTreeSet<ResourceId>) -> Self {
        let mut read = Self {
            desired,
            ids: BTreeSet::new(),
            paths: BTreeSet::new(),
            folders: BTreeSet::new(),
        };
        for step in &now.steps {
            if disrupted.contains(&step.step.resource) {
                let causes = step.changes.iter().flat_map(|change| &change.causes);
                causes.for_each(|id| read.add(id));
            }
        }
        for id in disrupted.iter().chain(&desired.withheld.resources) {
            let service = desired.get(id).filter(|_| id.kind == Kind::Service);
            for id in service.iter().flat_map(|one| inputs::ids(one, None)) {
                read.add(&id);
            }
        }
        read
    }

    /// Of an edit it is the file; of what a purge removes no resource knows.
    fn place(&self, id: &ResourceId) -> Option<AbsPath> {
        let resource = self.desired.get(id);
        let own = resource.and_then(|resource| own_path(&resource.body));
        own.cloned().or_else(|| path_of(id))
    }

    fn add(&mut self, id: &ResourceId) {
        if let Some(path) = self.place(id) {
            let at = match id.kind {
                Kind::Directory => &mut self.folders,
                _ => &mut self.paths,
            };
            at.insert(path);
        }
        self.ids.insert(id.clone());
    }

    /// Whether a change is to something that is read. A command goes with what it is run for.
    fn is_touched(&self, resource: &Resource, change: &Change) -> bool {
        let renews = renews(resource, change);
        let written = written::by(resource, None, change);
        self.ids.contains(&change.resource)
            || written.iter().any(|(path, _)| self.is_at(path, renews))
            || matches!(&resource.body, Body::Command(command) if command.on.iter().any(|id| self.is_of(id)))
    }

    /// Whether what this is, or what lies in it, is read.
    fn is_of(&self, id: &ResourceId) -> bool {
        let is_at = |path| self.is_at(&path, id.kind == Kind::Directory);
        self.ids.contains(id) || self.place(id).is_some_and(is_at)
    }

    /// Whether something that is read stands at a path, or has it below; or, with `inside`, stands below it.
    fn is_at(&self, path: &AbsPath, inside: bool) -> bool {
        let mut all = self.paths.iter().chain(&self.folders);
        self.paths.contains(path)
            || self.folders.iter().any(|folder| path.is_within(folder))
            || inside && all.any(|read| read.is_within(path))
    }
}

/// Whether what stands below is not the same afterwards.
fn renews(resource: &Resource, change: &Change) -> bool {
    match &resource.body {
        Body::Archive(_) | Body::Link(_) => true,
        Body::Mount(_) => mount::renews(change),
        // A folder, where a link led elsewhere.
        _ => change.action == Action::Remove || change.before.get("target").is_some(),
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
