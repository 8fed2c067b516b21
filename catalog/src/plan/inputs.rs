//! What a service reads when it starts, and a command when it runs: by digest, with when it last changed.

use super::Snapshot;
use super::claims::{own_path, presence};
use super::listing::{Listing, target};
use crate::digest::Digest;
use crate::id::{Kind, ResourceId};
use crate::path::AbsPath;
use crate::resource::package::DpkgState;
use crate::resource::service::{Input, ServiceState};
use crate::resource::{Body, Desired, Observed, PathState, Presence, Resource};
use std::collections::{BTreeMap, BTreeSet};

/// The inputs of a machine's services and commands, as they are at one moment. What could not be read is not in it.
pub type Inputs = BTreeMap<ResourceId, Input>;

/// Everything that some service or command reads, as this snapshot has it.
pub fn inputs(desired: &Desired, snapshot: &Snapshot) -> Inputs {
    let mut found = Inputs::new();
    for resource in &desired.resources {
        if !matches!(resource.body, Body::Service(_) | Body::Command(_)) {
            continue;
        }
        let observed = snapshot.observed.get(&resource.id);
        for id in ids(resource, observed) {
            if let Some(input) = snapshot.observed.get(&id).and_then(input) {
                found.insert(id, input);
            }
        }
        if let Some(Observed::Service(state)) = observed {
            if let Some(input) = state.unit_file.as_ref().and_then(of_path) {
                found.insert(resource.id.clone(), input);
            }
            if let Some((name, version)) = &state.package {
                // dpkg's own word is better, where the role asks for it: it says since when.
                found
                    .entry(ResourceId::new(Kind::Package, name.as_str()))
                    .or_insert(Input {
                        digest: Digest::of(version.as_bytes()),
                        changed_us: 0,
                    });
            }
        }
    }
    found
}

/// The names of what this resource reads: for a service its own unit file (under the service's name), or that of its
/// template (under that one's), and the package that ships its unit as well.
pub fn ids(resource: &Resource, observed: Option<&Observed>) -> Vec<ResourceId> {
    match (&resource.body, observed) {
        (Body::Command(command), _) => command.on.clone(),
        (Body::Service(_), Some(Observed::Service(state))) => of_service(resource, state),
        (Body::Service(service), _) => {
            let named = service.restart_on.iter().chain(&service.reload_on);
            named.chain(&service.template).cloned().collect()
        }
        _ => Vec::new(),
    }
}

pub(crate) fn of_service(resource: &Resource, state: &ServiceState) -> Vec<ResourceId> {
    let Body::Service(service) = &resource.body else {
        return Vec::new();
    };
    let mut ids = BTreeSet::new();
    let named = service.restart_on.iter().chain(&service.reload_on);
    ids.extend(named.chain(&service.template).cloned());
    if service.unit_file.is_some() {
        ids.insert(resource.id.clone());
    }
    if let Some((name, _)) = &state.package {
        ids.insert(ResourceId::new(Kind::Package, name.as_str()));
    }
    ids.into_iter().collect()
}

/// The directories of which everything below must be looked at: those that purge, bring a tree, must go, or are
/// an input; and those that may stand where a file comes, of which the role empties something.
pub fn listed(desired: &Desired) -> BTreeSet<ResourceId> {
    let mut listed = BTreeSet::new();
    let emptied = emptied(desired);
    for resource in &desired.resources {
        match &resource.body {
            Body::File(file) if emptied.contains(file.path.as_str()) => {
                listed.insert(resource.id.clone());
            }
            Body::Directory(directory)
                if directory.purge
                    || !directory.source.is_empty()
                    || directory.state == Presence::Absent =>
            {
                listed.insert(resource.id.clone());
            }
            _ => {
                let read = ids(resource, None).into_iter();
                listed.extend(read.filter(|id| id.kind == Kind::Directory));
            }
        }
    }
    listed
}

/// All above what must not be there.
fn emptied(desired: &Desired) -> BTreeSet<&str> {
    let absent = desired.resources.iter();
    let absent = absent.filter(|one| presence(&one.body) == Presence::Absent);
    let absent = absent.filter_map(|one| own_path(&one.body));
    absent.flat_map(AbsPath::above).collect()
}

pub(crate) fn input(observed: &Observed) -> Option<Input> {
    match observed {
        Observed::Path(state) => of_path(state),
        Observed::Package(state) => Some(match &state.dpkg {
            DpkgState::Absent | DpkgState::ConfigFiles => Input {
                digest: absent(),
                changed_us: 0,
            },
            DpkgState::Installed {
                version,
                changed_us,
            } => Input {
                digest: Digest::of(version.as_bytes()),
                changed_us: *changed_us,
            },
            DpkgState::Broken { version, .. } => Input {
                digest: Digest::of(version.as_bytes()),
                changed_us: 0,
            },
        }),
        _ => None,
    }
}

fn of_path(state: &PathState) -> Option<Input> {
    let (digest, changed_us) = match state {
        PathState::Absent {
            parent_changed_us, ..
        } => (absent(), *parent_changed_us),
        PathState::File(file) => (file.digest?, file.changed_us),
        PathState::Link(link) => (target(&link.target), link.changed_us),
        PathState::Directory(directory) => (
            Listing::of(&directory.below)?.digest(),
            directory.changed_us,
        ),
        PathState::Special => (Digest::of(b"special"), 0),
        PathState::Unreadable { .. } => return None,
    };
    Some(Input { digest, changed_us })
}

/// The inputs that are what stands at a path, by path.
pub(crate) fn at(desired: &Desired, inputs: &Inputs) -> BTreeMap<AbsPath, Vec<ResourceId>> {
    let mut at: BTreeMap<AbsPath, Vec<ResourceId>> = BTreeMap::new();
    for resource in &desired.resources {
        let path = match &resource.body {
            Body::Directory(_) => None,
            body => own_path(body),
        };
        if let Some(path) = path.filter(|_| inputs.contains_key(&resource.id)) {
            at.entry(path.clone())
                .or_default()
                .push(resource.id.clone());
        }
    }
    at
}

/// What stands for nothing being there.
pub(crate) fn absent() -> Digest {
    Digest::of(b"absent")
}

/// Something else than what is there, whatever it will be.
pub(crate) fn unknown(id: &ResourceId) -> Digest {
    Digest::of(format!("unknown\0{id}").as_bytes())
}
