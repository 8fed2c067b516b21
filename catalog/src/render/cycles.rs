//! Resources that wait for one another have no order.

use crate::id::{Kind, ResourceId};
use crate::resource::{Body, Resource};
use crate::text::diagnostic::{Diagnostic, Diagnostics};
use std::collections::{BTreeMap, BTreeSet};

/// What must come before a resource: `after`, what it is restarted or run for, its parents, its owner.
fn before(resource: &Resource) -> BTreeSet<ResourceId> {
    let mut before: BTreeSet<ResourceId> = resource.after.iter().cloned().collect();
    let mut add = |kind, name: &str| {
        before.insert(ResourceId::new(kind, name));
    };
    let path = match &resource.body {
        Body::File(file) => Some((&file.path, Some(&file.attributes))),
        Body::Directory(directory) => Some((&directory.path, Some(&directory.attributes))),
        Body::Link(link) => Some((&link.path, None)),
        _ => None,
    };
    if let Some((path, attributes)) = path {
        for parent in path.ancestors() {
            add(Kind::Directory, parent.as_str());
        }
        if let Some(attributes) = attributes {
            attributes
                .owner
                .iter()
                .for_each(|owner| add(Kind::User, owner));
            attributes
                .group
                .iter()
                .for_each(|group| add(Kind::Group, group));
        }
    }
    match &resource.body {
        Body::Service(service) => {
            before.extend(service.restart_on.iter().cloned());
            before.extend(service.reload_on.iter().cloned());
        }
        Body::Command(command) => before.extend(command.on.iter().cloned()),
        _ => {}
    }
    before
}

/// Notes a cycle, once each.
pub fn check(resources: &[Resource], wrong: &mut Diagnostics) {
    let mut waiting: BTreeMap<&ResourceId, BTreeSet<ResourceId>> =
        resources.iter().map(|r| (&r.id, before(r))).collect();
    // Whatever waits for nothing, and whatever nothing waits for, is on no cycle.
    loop {
        let left: BTreeSet<ResourceId> = waiting.keys().map(|id| (*id).clone()).collect();
        let wanted: BTreeSet<ResourceId> = waiting.values().flatten().cloned().collect();
        for needs in waiting.values_mut() {
            needs.retain(|need| left.contains(need));
        }
        waiting.retain(|id, needs| !needs.is_empty() && wanted.contains(*id));
        if waiting.len() == left.len() {
            break;
        }
    }
    while let Some((first, _)) = waiting.first_key_value() {
        let cycle = walk((*first).clone(), &waiting);
        let names: Vec<String> = cycle
            .iter()
            .chain(cycle.first())
            .map(ToString::to_string)
            .collect();
        let message = format!("a cycle: {}", names.join(" after "));
        let place = resources.iter().find(|r| Some(&r.id) == cycle.first());
        wrong.push(match place {
            Some(resource) => Diagnostic::error(&resource.place, message),
            None => Diagnostic::bare(message),
        });
        let on_it: BTreeSet<ResourceId> = cycle.into_iter().collect();
        waiting.retain(|id, _| !on_it.contains(*id));
        for needs in waiting.values_mut() {
            needs.retain(|need| !on_it.contains(need));
        }
        let ends = |needs: &BTreeSet<ResourceId>| needs.is_empty();
        while waiting.values().any(ends) {
            waiting.retain(|_, needs| !ends(needs));
            let left: BTreeSet<ResourceId> = waiting.keys().map(|id| (*id).clone()).collect();
            waiting
                .values_mut()
                .for_each(|needs| needs.retain(|need| left.contains(need)));
        }
    }
}

/// From any of them, each waiting for the next, until one comes again.
fn walk(
    start: ResourceId,
    waiting: &BTreeMap<&ResourceId, BTreeSet<ResourceId>>,
) -> Vec<ResourceId> {
    let mut path = vec![start];
    loop {
        let last = &path[path.len() - 1];
        let Some(next) = waiting.get(last).and_then(|needs| needs.first()) else {
            return path;
        };
        if let Some(at) = path.iter().position(|id| id == next) {
            return path.split_off(at);
        }
        path.push(next.clone());
    }
}
