//! What is looked at where something is left over: a resource of its name that asks what its record is compared with.

use super::Entry;
use super::before::Before;
use super::made::Made;
use crate::digest::Digest;
use crate::id::{Kind, ResourceId};
use crate::path::AbsPath;
use crate::plan::claims;
use crate::resource::account::{Group, User};
use crate::resource::archive::Archive;
use crate::resource::directory::Directory;
use crate::resource::edit::FileEdit;
use crate::resource::file::{Content, File};
use crate::resource::link::Link;
use crate::resource::mount::{Mount, MountPresence};
use crate::resource::package::Package;
use crate::resource::repository::{Key, Repository};
use crate::resource::service::{Service, UnitFile};
use crate::resource::sysctl::Sysctl;
use crate::resource::{Attributes, Body, Place, Presence, Resource};
use crate::text::names;

/// The path that it is named by.
pub(super) fn path_of(id: &ResourceId) -> Option<AbsPath> {
    match id.kind {
        Kind::Mount | Kind::Archive => id.name.parse().ok(),
        _ => claims::path_of(id),
    }
}

/// A resource of this name, of a role that does not name it any more.
pub(super) fn resource(id: &ResourceId, role: &str, body: Body) -> Resource {
    Resource {
        id: id.clone(),
        place: Place {
            role: role.into(),
            ..Place::default()
        },
        after: Vec::new(),
        sensitive: true,
        body,
    }
}

/// A resource of this name that says nothing of it.
pub(super) fn stand_in(id: &ResourceId, entry: &Entry) -> Option<Resource> {
    Some(resource(id, &entry.role, body(id, entry)?))
}

fn body(id: &ResourceId, entry: &Entry) -> Option<Body> {
    let name = || id.name.to_string();
    let made = entry.made.as_ref();
    Some(match id.kind {
        Kind::Command => return None,
        Kind::Edit => match made {
            Some(Made::Edit { path, edit }) => Body::Edit(FileEdit {
                path: path.clone(),
                edit: edit.clone(),
                create: false,
            }),
            _ => return None,
        },
        Kind::File => Body::File(file(path_of(id)?)),
        Kind::Directory => Body::Directory(directory(path_of(id)?)),
        Kind::Link => Body::Link(link(path_of(id)?)),
        Kind::Sysctl => Body::Sysctl(sysctl(&id.name)),
        Kind::Mount => Body::Mount(Mount {
            point: path_of(id)?,
            state: MountPresence::Absent,
            former: None,
            entry: match made {
                Some(Made::Mount { line, .. }) => line.clone(),
                _ => None,
            },
        }),
        Kind::Archive => Body::Archive(Archive {
            path: path_of(id)?,
            state: Presence::Absent,
            content: None,
            strip: 0,
            attributes: Attributes::default(),
        }),
        Kind::Package => Body::Package(package(name())),
        Kind::Repository => Body::Repository(repository(&id.name, made.and_then(Made::key))),
        Kind::Service => {
            let unit_file = UnitFile {
                content: Vec::new(),
            };
            // So that its links are looked at where those of before are known.
            let linked = matches!(&entry.before, Some(Before::Service { links: Some(_), .. }));
            Body::Service(Service {
                enabled: linked.then_some(false),
                unit_file: entry.unit.then_some(unit_file),
                ..service(names::unit(&id.name).ok()?)
            })
        }
        Kind::User => match made {
            Some(Made::User(user)) => Body::User(User::clone(user)),
            _ => Body::User(user(name())),
        },
        Kind::Group => Body::Group(group(name())),
    })
}

pub(super) fn sysctl(name: &str) -> Sysctl {
    Sysctl {
        name: name.to_owned(),
        state: Presence::Absent,
        value: None,
        spares: false,
    }
}

pub(super) fn repository(name: &str, key: Option<Key>) -> Repository {
    Repository {
        name: name.to_owned(),
        sources: Vec::new(),
        key,
    }
}

pub(super) fn file(path: AbsPath) -> File {
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

/// A file that is to hold what is kept under this digest.
pub(super) fn file_of(path: AbsPath, digest: Digest, size: u64) -> File {
    File {
        content: Some(Content::Blob { digest, size }),
        ..file(path)
    }
}

pub(super) fn directory(path: AbsPath) -> Directory {
    Directory {
        path,
        state: Presence::Present,
        attributes: Attributes::default(),
        purge: false,
        source: Vec::new(),
        over_file: false,
    }
}

pub(super) fn link(path: AbsPath) -> Link {
    Link {
        path,
        state: Presence::Absent,
        target: None,
        over_file: false,
    }
}

pub(super) fn package(name: String) -> Package {
    Package {
        name,
        ..Package::default()
    }
}

pub(super) fn service(unit: String) -> Service {
    Service {
        unit,
        ..Service::default()
    }
}

pub(super) fn user(name: String) -> User {
    User {
        name,
        ..User::default()
    }
}

pub(super) fn group(name: String) -> Group {
    Group {
        name,
        ..Group::default()
    }
}
