//! Roles by hand.

use cfg_catalog::digest::Digest;
use cfg_catalog::edit::{Edit, Format, LineWanted};
use cfg_catalog::id::{Kind, ResourceId};
use cfg_catalog::path::AbsPath;
use cfg_catalog::resource::account::{Group, User};
use cfg_catalog::resource::archive::Archive;
use cfg_catalog::resource::command::Command;
use cfg_catalog::resource::directory::Directory;
use cfg_catalog::resource::edit::FileEdit;
use cfg_catalog::resource::file::{Content, File};
use cfg_catalog::resource::fstab::Entry;
use cfg_catalog::resource::link::Link;
use cfg_catalog::resource::mount::{Mount, MountPresence};
use cfg_catalog::resource::package::{Package, PackagePresence, Wanted};
use cfg_catalog::resource::repository::Repository;
use cfg_catalog::resource::service::{Activity, Service, UnitFile};
use cfg_catalog::resource::sysctl::Sysctl;
use cfg_catalog::resource::{Attributes, Body, Desired, Mode, Place, Presence, Resource, Shell};

pub fn id(text: &str) -> ResourceId {
    text.parse().unwrap()
}

pub fn ids(texts: &[&str]) -> Vec<ResourceId> {
    texts.iter().map(|text| id(text)).collect()
}

pub fn path(text: &str) -> AbsPath {
    text.parse().unwrap()
}

pub fn role(resources: Vec<Resource>) -> Desired {
    let mut resources = resources;
    resources.sort_by(|a, b| a.id.cmp(&b.id));
    Desired {
        role: "test".into(),
        resources,
        ..Desired::default()
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

pub fn after(mut resource: Resource, first: &[&str]) -> Resource {
    resource.after = ids(first);
    resource
}

pub fn sensitive(mut resource: Resource) -> Resource {
    resource.sensitive = true;
    resource
}

pub fn mode(bits: u32) -> Attributes {
    Attributes {
        mode: Some(Mode(bits)),
        ..Attributes::default()
    }
}

pub fn owner(name: &str) -> Attributes {
    Attributes {
        owner: Some(name.into()),
        ..Attributes::default()
    }
}

pub fn file_with(name: &str, change: impl FnOnce(&mut File)) -> Resource {
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

pub fn file(name: &str, text: &str) -> Resource {
    file_with(name, |file| {
        file.content = Some(Content::Text(text.into()));
    })
}

pub fn no_file(name: &str) -> Resource {
    file_with(name, |file| file.state = Presence::Absent)
}

pub fn directory_with(name: &str, change: impl FnOnce(&mut Directory)) -> Resource {
    let mut directory = Directory {
        path: path(name),
        state: Presence::Present,
        attributes: Attributes::default(),
        purge: false,
        source: Vec::new(),
        over_file: false,
    };
    change(&mut directory);
    resource(Kind::Directory, name, Body::Directory(directory))
}

pub fn directory(name: &str) -> Resource {
    directory_with(name, |_| {})
}

pub fn purged(name: &str) -> Resource {
    directory_with(name, |directory| directory.purge = true)
}

pub fn no_directory(name: &str) -> Resource {
    directory_with(name, |directory| directory.state = Presence::Absent)
}

pub fn link(name: &str, target: &str) -> Resource {
    let link = Link {
        path: path(name),
        state: Presence::Present,
        target: Some(target.into()),
        over_file: false,
    };
    resource(Kind::Link, name, Body::Link(link))
}

pub fn no_link(name: &str) -> Resource {
    let link = Link {
        path: path(name),
        state: Presence::Absent,
        target: None,
        over_file: false,
    };
    resource(Kind::Link, name, Body::Link(link))
}

pub fn edit_with(name: &str, change: impl FnOnce(&mut FileEdit)) -> Resource {
    let mut edit = FileEdit {
        path: path("/p"),
        edit: Edit::of(Format::Lines),
        create: false,
    };
    change(&mut edit);
    resource(Kind::Edit, name, Body::Edit(edit))
}

/// These lines must be in the file.
pub fn edit(name: &str, at: &str, lines: &[&str]) -> Resource {
    edit_with(name, |edit| {
        edit.path = path(at);
        edit.edit.lines = lines
            .iter()
            .map(|line| LineWanted {
                line: (*line).into(),
                matching: None,
            })
            .collect();
    })
}

/// The same, and the file is made where it is missing.
pub fn made(mut resource: Resource) -> Resource {
    if let Body::Edit(edit) = &mut resource.body {
        edit.create = true;
    }
    resource
}

pub fn package_with(name: &str, change: impl FnOnce(&mut Package)) -> Resource {
    let mut package = Package {
        name: name.into(),
        ..Package::default()
    };
    change(&mut package);
    resource(Kind::Package, name, Body::Package(package))
}

pub fn package(name: &str, version: &str) -> Resource {
    package_with(name, |package| {
        package.version = match version {
            "*" => Wanted::Any,
            "latest" => Wanted::Latest,
            glob => Wanted::Glob(glob.into()),
        };
    })
}

pub fn no_package(name: &str, state: PackagePresence) -> Resource {
    package_with(name, |package| package.state = state)
}

pub fn repository(name: &str) -> Resource {
    let repository = Repository {
        name: name.into(),
        sources: b"Types: deb\n".to_vec(),
        key: None,
    };
    resource(Kind::Repository, name, Body::Repository(repository))
}

pub fn service_with(name: &str, change: impl FnOnce(&mut Service)) -> Resource {
    let mut service = Service {
        unit: format!("{name}.service"),
        ..Service::default()
    };
    change(&mut service);
    resource(Kind::Service, name, Body::Service(service))
}

pub fn running(name: &str, restart_on: &[&str]) -> Resource {
    service_with(name, |service| {
        service.state = Some(Activity::Running);
        service.enabled = Some(true);
        service.restart_on = ids(restart_on);
    })
}

pub fn own_unit(name: &str, text: &str) -> Resource {
    service_with(name, |service| {
        service.state = Some(Activity::Running);
        service.enabled = Some(true);
        service.unit_file = Some(UnitFile {
            content: text.into(),
        });
    })
}

pub fn command_with(name: &str, change: impl FnOnce(&mut Command)) -> Resource {
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
pub fn until(name: &str, path: &str) -> Resource {
    command_with(name, |command| {
        command.unless = Some(Shell::Argv(vec![path.into()]));
    })
}

pub fn on(name: &str, inputs: &[&str]) -> Resource {
    command_with(name, |command| command.on = ids(inputs))
}

pub fn user(name: &str) -> Resource {
    user_with(name, |_| {})
}

pub fn user_with(name: &str, change: impl FnOnce(&mut User)) -> Resource {
    let mut user = User {
        name: name.into(),
        ..User::default()
    };
    change(&mut user);
    resource(Kind::User, name, Body::User(user))
}

pub fn group(name: &str, gid: Option<u32>, state: Presence) -> Resource {
    let group = Group {
        name: name.into(),
        state,
        gid,
        system: false,
    };
    resource(Kind::Group, name, Body::Group(group))
}

pub fn sysctl(name: &str, value: &str) -> Resource {
    let sysctl = Sysctl {
        spares: false,
        name: name.into(),
        state: Presence::Present,
        value: Some(value.into()),
    };
    resource(Kind::Sysctl, name, Body::Sysctl(sysctl))
}

pub fn no_sysctl(name: &str) -> Resource {
    let sysctl = Sysctl {
        spares: false,
        name: name.into(),
        state: Presence::Absent,
        value: None,
    };
    resource(Kind::Sysctl, name, Body::Sysctl(sysctl))
}

pub fn mount_with(point: &str, change: impl FnOnce(&mut Mount)) -> Resource {
    let mut mount = Mount {
        former: None,
        point: path(point),
        state: MountPresence::Mounted,
        entry: Some(Entry {
            device: "/dev/b".into(),
            fstype: "ext4".into(),
            options: "defaults".into(),
            dump: 0,
            pass: 2,
        }),
    };
    change(&mut mount);
    resource(Kind::Mount, point, Body::Mount(mount))
}

pub fn archive(name: &str, content: &str) -> Resource {
    let archive = Archive {
        path: path(name),
        state: Presence::Present,
        content: Some(Content::Url {
            url: "https://example.org/x.tar".into(),
            digest: Digest::of(content.as_bytes()),
        }),
        strip: 1,
        attributes: Attributes::default(),
    };
    resource(Kind::Archive, name, Body::Archive(archive))
}

pub fn no_archive(name: &str) -> Resource {
    let archive = Archive {
        path: path(name),
        state: Presence::Absent,
        content: None,
        strip: 0,
        attributes: Attributes::default(),
    };
    resource(Kind::Archive, name, Body::Archive(archive))
}
