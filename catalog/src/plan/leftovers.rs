//! What cfg once managed, the role names no more, and is there still: it is shown, and left as it is.

use super::claims::{self, Claims, presence};
use super::document::Leftover;
use super::{Action, Plan, Snapshot};
use crate::id::{Kind, ResourceId};
use crate::path::AbsPath;
use crate::resource::account::{Group, GroupState, User, UserState};
use crate::resource::archive::Archive;
use crate::resource::directory::Directory;
use crate::resource::file::File;
use crate::resource::link::Link;
use crate::resource::mount::{Live, Mount, MountPresence};
use crate::resource::package::{DpkgState, Package, PackagePresence, Wanted};
use crate::resource::repository::Repository;
use crate::resource::service::{Active, Enabled, Load, Service};
use crate::resource::sysctl::Sysctl;
use crate::resource::{Attributes, Body, Desired, Observed, PathState, Place, Presence, Resource};
use crate::text::names;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// All that cfg manages on a machine, or has managed and is there still.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Managed(BTreeMap<ResourceId, Entry>);

/// What is on record of one resource.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Entry {
    /// The machine's role when it was managed last.
    role: String,
    /// A service whose unit file the role brought.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    unit: bool,
}

impl Entry {
    fn of(resource: &Resource, role: &str) -> Self {
        Self {
            role: role.to_owned(),
            unit: matches!(&resource.body, Body::Service(service) if service.unit_file.is_some()),
        }
    }
}

impl Managed {
    /// The record with which a run begins, of the whole role or of what is in `scope`. It must be on disk before the
    /// first effect.
    pub fn begun(
        &self,
        desired: &Desired,
        snapshot: &Snapshot,
        scope: Option<&BTreeSet<ResourceId>>,
    ) -> Self {
        let left = self.unnamed(desired).filter(|(id, entry)| {
            let seen = snapshot.observed.get(*id);
            seen.is_none_or(|seen| stands(id, entry, seen))
        });
        let left = left.map(|(id, entry)| (id.clone(), entry.clone()));
        let named = desired.resources.iter().filter_map(|resource| {
            let id = &resource.id;
            let entry = match scope {
                Some(scope) if !scope.contains(id) => self.0.get(id).cloned(),
                _ => leaves_something(&resource.body).then(|| Entry::of(resource, &desired.role)),
            };
            Some((id.clone(), entry?))
        });
        Self(named.chain(left).collect())
    }

    /// Those that the role does not name.
    fn unnamed(&self, desired: &Desired) -> impl Iterator<Item = (&ResourceId, &Entry)> {
        // Both are sorted by name.
        let mut named = desired
            .resources
            .iter()
            .map(|resource| &resource.id)
            .peekable();
        self.0.iter().filter(move |(id, _)| {
            while named.next_if(|named| named < id).is_some() {}
            named.peek() != Some(id)
        })
    }

    /// What the role names no more, to be looked at.
    pub fn left(&self, desired: &Desired) -> Vec<Resource> {
        let unnamed = self.unnamed(desired);
        unnamed.filter_map(|(id, _)| stand_in(id)).collect()
    }

    /// What is left over when the plan has been enacted. Nothing that leads to what the role names, or that it names
    /// by another name.
    pub fn leftovers(&self, desired: &Desired, snapshot: &Snapshot, plan: &Plan) -> Vec<Leftover> {
        if self.unnamed(desired).next().is_none() {
            return Vec::new();
        }
        let claims = Claims::of(desired, snapshot);
        let removed: BTreeSet<&str> = plan
            .changes()
            .filter(|change| change.action == Action::Remove)
            .map(|change| &*change.resource.name)
            .collect();
        let left = self.unnamed(desired).filter(|(id, entry)| {
            let claimed = path_of(id).is_some_and(|path| claims.needs(&path));
            let gone = removed.contains(&*id.name);
            // What is mounted stays so, whatever becomes of the directory that it is mounted on.
            let looked_after = id.kind != Kind::Mount && (claimed || gone);
            let seen = snapshot.observed.get(*id);
            let is_there = seen.is_some_and(|seen| stands(id, entry, seen));
            is_there && !looked_after
        });
        left.map(|(id, entry)| Leftover {
            resource: id.clone(),
            role: entry.role.clone(),
        })
        .collect()
    }
}

/// Whether something of it stays when the role names it no more.
fn leaves_something(body: &Body) -> bool {
    match body {
        // What an edit has set cannot be told from the rest of a file that something else owns.
        Body::Command(_) | Body::Edit(_) => false,
        Body::Package(package) => package.state == PackagePresence::Present,
        Body::Repository(_)
        | Body::Group(_)
        | Body::User(_)
        | Body::Directory(_)
        | Body::File(_)
        | Body::Link(_)
        | Body::Sysctl(_)
        | Body::Mount(_)
        | Body::Archive(_)
        | Body::Service(_) => presence(body) == Presence::Present,
    }
}

/// Whether it is there still; what could not be seen may be.
fn stands(id: &ResourceId, entry: &Entry, seen: &Observed) -> bool {
    match seen {
        Observed::Path(PathState::Absent { .. }) => false,
        Observed::Path(PathState::Unreadable { .. }) | Observed::Failed { .. } => true,
        Observed::Path(PathState::File(_)) => id.kind == Kind::File,
        Observed::Path(PathState::Directory(_)) => id.kind == Kind::Directory,
        Observed::Path(PathState::Link(_)) => id.kind == Kind::Link,
        Observed::Path(PathState::Special) => false,
        Observed::Package(state) => match state.dpkg {
            DpkgState::Absent | DpkgState::ConfigFiles => false,
            DpkgState::Installed { .. } | DpkgState::Broken { .. } => true,
        },
        Observed::Repository(state) => !matches!(state.sources, PathState::Absent { .. }),
        Observed::User(state) => *state != UserState::Absent,
        Observed::Group(state) => *state != GroupState::Absent,
        Observed::Service(state) => {
            let masked = state.load == Load::Masked;
            let running = state.active == Active::Running;
            let starts = state.enabled == Enabled::Yes;
            masked || (state.load != Load::NotFound && (running || starts || entry.unit))
        }
        Observed::Sysctl(state) => !matches!(state.file, PathState::Absent { .. }),
        Observed::Mount(state) => {
            !state.entries.is_empty() || matches!(state.live, Live::Yes { .. })
        }
        Observed::Archive(state) => state.marker.is_some(),
        Observed::Command(_) => false,
    }
}

/// The path that it is named by.
fn path_of(id: &ResourceId) -> Option<AbsPath> {
    match id.kind {
        Kind::Mount | Kind::Archive => id.name.parse().ok(),
        _ => claims::path_of(id),
    }
}

/// A resource of this name that says nothing of it.
fn stand_in(id: &ResourceId) -> Option<Resource> {
    Some(Resource {
        id: id.clone(),
        place: Place {
            role: "".into(),
            file: "".into(),
            line: 0,
            column: 0,
        },
        after: Vec::new(),
        sensitive: true,
        body: body(id)?,
    })
}

fn body(id: &ResourceId) -> Option<Body> {
    let name = || id.name.to_string();
    Some(match id.kind {
        Kind::Command | Kind::Edit => return None,
        Kind::File => Body::File(file(path_of(id)?)),
        Kind::Directory => Body::Directory(Directory {
            path: path_of(id)?,
            state: Presence::Present,
            attributes: Attributes::default(),
            purge: false,
            source: Vec::new(),
        }),
        Kind::Link => Body::Link(Link {
            path: path_of(id)?,
            state: Presence::Absent,
            target: None,
        }),
        Kind::Sysctl => Body::Sysctl(Sysctl {
            name: name(),
            state: Presence::Absent,
            value: None,
        }),
        Kind::Mount => Body::Mount(Mount {
            point: path_of(id)?,
            state: MountPresence::Absent,
            entry: None,
        }),
        Kind::Archive => Body::Archive(Archive {
            path: path_of(id)?,
            state: Presence::Absent,
            content: None,
            strip: 0,
            attributes: Attributes::default(),
        }),
        Kind::Package => Body::Package(Package {
            name: name(),
            state: PackagePresence::Present,
            version: Wanted::Any,
            hold: None,
            debconf: Vec::new(),
        }),
        Kind::Repository => Body::Repository(Repository {
            name: name(),
            sources: Vec::new(),
            key: None,
        }),
        Kind::Service => Body::Service(service(names::unit(&id.name).ok()?)),
        Kind::User => Body::User(user(name())),
        Kind::Group => Body::Group(Group {
            name: name(),
            state: Presence::Present,
            gid: None,
            system: false,
        }),
    })
}

fn file(path: AbsPath) -> File {
    File {
        path,
        state: Presence::Present,
        content: None,
        attributes: Attributes::default(),
        validate: None,
        sensitive: false,
        create_only: false,
    }
}

fn service(unit: String) -> Service {
    Service {
        unit,
        state: None,
        enabled: None,
        masked: None,
        unit_file: None,
        template: None,
        restart_on: Vec::new(),
        reload_on: Vec::new(),
    }
}

fn user(name: String) -> User {
    User {
        name,
        state: Presence::Present,
        uid: None,
        gid: None,
        groups: Vec::new(),
        exact_groups: false,
        shell: None,
        home: None,
        system: false,
        authorized_keys: None,
        password_hash: None,
    }
}
