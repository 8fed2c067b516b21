//! Roles by hand.

use crate::id::{Kind, ResourceId};
use crate::path::AbsPath;
use crate::resource::account::{Group, User};
use crate::resource::command::Command;
use crate::resource::directory::Directory;
use crate::resource::file::{Content, File};
use crate::resource::link::Link;
use crate::resource::package::{Package, PackagePresence, Wanted};
use crate::resource::repository::Repository;
use crate::resource::service::{Activity, Service, UnitFile};
use crate::resource::{Attributes, Body, Desired, Mode, Place, Presence, Resource, Shell};

pub(super) fn id(text: &str) -> ResourceId {
    text.parse().unwrap()
}

pub(super) fn ids(texts: &[&str]) -> Vec<ResourceId> {
    texts.iter().map(|text| id(text)).collect()
}

pub(super) fn path(text: &str) -> AbsPath {
    text.parse().unwrap()
}

pub(super) fn role(resources: Vec<Resource>) -> Desired {
    let mut resources = resources;
    resources.sort_by(|a, b| a.id.cmp(&b.id));
    Desired {
        role: "test".into(),
        resources,
        health: None,
    }
}

fn resource(kind: Kind, name: &str, body: Body) -> Resource {
    Resource {
        id: ResourceId::new(kind, name),
        place: Place {
            role: "test".into(),
            file: "test/role.toml".into(),
            line: 1,
            column: 1,
        },
        after: Vec::new(),
        sensitive: false,
        body,
    }
}

pub(super) fn after(mut resource: Resource, first: &[&str]) -> Resource {
    resource.after = ids(first);
    resource
}

pub(super) fn sensitive(mut resource: Resource) -> Resource {
    resource.sensitive = true;
    resource
}

pub(super) fn mode(bits: u32) -> Attributes {
    Attributes {
        mode: Some(Mode(bits)),
        ..Attributes::default()
    }
}

pub(super) fn owner(name: &str) -> Attributes {
    Attributes {
        owner: Some(name.into()),
        ..Attributes::default()
    }
}

pub(super) fn file_with(name: &str, change: impl FnOnce(&mut File)) -> Resource {
    let mut file = File {
        path: path(name),
        state: Presence::Present,
        content: None,
        attributes: Attributes::default(),
        validate: None,
        sensitive: false,
        create_only: false,
    };
    change(&mut file);
    resource(Kind::File, name, Body::File(file))
}

pub(super) fn file(name: &str, text: &str) -> Resource {
    file_with(name, |file| {
        file.content = Some(Content::Text(text.into()));
    })
}

pub(super) fn no_file(name: &str) -> Resource {
    file_with(name, |file| file.state = Presence::Absent)
}

pub(super) fn directory_with(name: &str, change: impl FnOnce(&mut Directory)) -> Resource {
    let mut directory = Directory {
        path: path(name),
        state: Presence::Present,
        attributes: Attributes::default(),
        purge: false,
        source: Vec::new(),
    };
    change(&mut directory);
    resource(Kind::Directory, name, Body::Directory(directory))
}

pub(super) fn directory(name: &str) -> Resource {
    directory_with(name, |_| {})
}

pub(super) fn purged(name: &str) -> Resource {
    directory_with(name, |directory| directory.purge = true)
}

pub(super) fn no_directory(name: &str) -> Resource {
    directory_with(name, |directory| directory.state = Presence::Absent)
}

pub(super) fn link(name: &str, target: &str) -> Resource {
    let link = Link {
        path: path(name),
        state: Presence::Present,
        target: Some(target.into()),
    };
    resource(Kind::Link, name, Body::Link(link))
}

pub(super) fn no_link(name: &str) -> Resource {
    let link = Link {
        path: path(name),
        state: Presence::Absent,
        target: None,
    };
    resource(Kind::Link, name, Body::Link(link))
}

pub(super) fn package_with(name: &str, change: impl FnOnce(&mut Package)) -> Resource {
    let mut package = Package {
        name: name.into(),
        state: PackagePresence::Present,
        version: Wanted::Any,
        hold: None,
        debconf: Vec::new(),
    };
    change(&mut package);
    resource(Kind::Package, name, Body::Package(package))
}

pub(super) fn package(name: &str, version: &str) -> Resource {
    package_with(name, |package| {
        package.version = match version {
            "*" => Wanted::Any,
            "latest" => Wanted::Latest,
            glob => Wanted::Glob(glob.into()),
        };
    })
}

pub(super) fn no_package(name: &str, state: PackagePresence) -> Resource {
    package_with(name, |package| package.state = state)
}

pub(super) fn repository(name: &str) -> Resource {
    let repository = Repository {
        name: name.into(),
        sources: b"Types: deb\n".to_vec(),
        key: None,
    };
    resource(Kind::Repository, name, Body::Repository(repository))
}

pub(super) fn service_with(name: &str, change: impl FnOnce(&mut Service)) -> Resource {
    let mut service = Service {
        unit: format!("{name}.service"),
        state: None,
        enabled: None,
        masked: None,
        unit_file: None,
        restart_on: Vec::new(),
        reload_on: Vec::new(),
    };
    change(&mut service);
    resource(Kind::Service, name, Body::Service(service))
}

pub(super) fn running(name: &str, restart_on: &[&str]) -> Resource {
    service_with(name, |service| {
        service.state = Some(Activity::Running);
        service.enabled = Some(true);
        service.restart_on = ids(restart_on);
    })
}

pub(super) fn own_unit(name: &str, text: &str) -> Resource {
    service_with(name, |service| {
        service.state = Some(Activity::Running);
        service.enabled = Some(true);
        service.unit_file = Some(UnitFile {
            content: text.into(),
        });
    })
}

pub(super) fn command_with(name: &str, change: impl FnOnce(&mut Command)) -> Resource {
    let mut command = Command {
        name: name.into(),
        run: Shell::Line("true".into()),
        unless: None,
        only_if: None,
        creates: None,
        on: Vec::new(),
        user: None,
        cwd: None,
        env: Default::default(),
        timeout_s: 300,
    };
    change(&mut command);
    resource(Kind::Command, name, Body::Command(command))
}

/// A guard of the machine in memory: run while this path is not there.
pub(super) fn until(name: &str, path: &str) -> Resource {
    command_with(name, |command| {
        command.unless = Some(Shell::Argv(vec![path.into()]));
    })
}

pub(super) fn on(name: &str, inputs: &[&str]) -> Resource {
    command_with(name, |command| command.on = ids(inputs))
}

pub(super) fn user(name: &str) -> Resource {
    user_with(name, |_| {})
}

pub(super) fn user_with(name: &str, change: impl FnOnce(&mut User)) -> Resource {
    let mut user = User {
        name: name.into(),
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
    };
    change(&mut user);
    resource(Kind::User, name, Body::User(user))
}

pub(super) fn group(name: &str, gid: Option<u32>, state: Presence) -> Resource {
    let group = Group {
        name: name.into(),
        state,
        gid,
        system: false,
    };
    resource(Kind::Group, name, Body::Group(group))
}
