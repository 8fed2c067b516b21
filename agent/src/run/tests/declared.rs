//! What the machine in memory can be told to be.

use super::fake::PACKAGE;
use cfg_catalog::id::ResourceId;
use cfg_catalog::resource::command::Command;
use cfg_catalog::resource::directory::Directory;
use cfg_catalog::resource::file::{Content, File};
use cfg_catalog::resource::package::{Package, Wanted};
use cfg_catalog::resource::service::{Activity, Service};
use cfg_catalog::resource::{Attributes, Body, Desired, Health, Place, Presence, Resource, Shell};
use std::collections::BTreeMap;

pub fn id(text: &str) -> ResourceId {
    text.parse().unwrap()
}

pub fn resource(body: Body, after: &[&str]) -> Resource {
    let name = match &body {
        Body::File(body) => body.path.to_string(),
        Body::Directory(body) => body.path.to_string(),
        Body::Package(body) => body.name.clone(),
        Body::Service(body) => body.unit.trim_end_matches(".service").to_owned(),
        Body::Command(body) => body.name.clone(),
        _ => unreachable!("the fake has no such kind"),
    };
    Resource {
        id: ResourceId::new(body.kind(), name),
        place: Place::default(),
        after: after.iter().map(|text| id(text)).collect(),
        sensitive: false,
        body,
    }
}

pub fn file(path: &str, content: &str) -> Resource {
    let body = Body::File(File {
        path: path.parse().unwrap(),
        state: Presence::Present,
        content: Some(Content::Text(content.into())),
        attributes: Attributes::default(),
        validate: None,
        sensitive: false,
        create_only: false,
    });
    resource(body, &[])
}

pub fn purged(path: &str) -> Resource {
    let body = Body::Directory(Directory {
        path: path.parse().unwrap(),
        state: Presence::Present,
        attributes: Attributes::default(),
        purge: true,
        source: Vec::new(),
        over_file: false,
    });
    resource(body, &[])
}

pub fn package(version: &str) -> Resource {
    let body = Body::Package(Package {
        name: PACKAGE.into(),
        version: Wanted::Glob(version.into()),
        ..Package::default()
    });
    resource(body, &[])
}

pub fn service(name: &str, restart_on: &[&str], after: &[&str]) -> Resource {
    let body = Body::Service(Service {
        unit: format!("{name}.service"),
        state: Some(Activity::Running),
        enabled: Some(true),
        restart_on: restart_on.iter().map(|text| id(text)).collect(),
        ..Service::default()
    });
    resource(body, after)
}

pub fn command(name: &str, on: &[&str], after: &[&str]) -> Resource {
    let body = Body::Command(Command {
        name: name.into(),
        run: Shell::Line("true".into()),
        unless: None,
        only_if: None,
        creates: None,
        on: on.iter().map(|text| id(text)).collect(),
        user: None,
        cwd: None,
        env: BTreeMap::new(),
        timeout_s: 60,
    });
    resource(body, after)
}

pub fn desired(resources: Vec<Resource>) -> Desired {
    let mut resources = resources;
    resources.sort_by(|a, b| a.id.cmp(&b.id));
    Desired {
        role: "r".into(),
        resources,
        ..Desired::default()
    }
}

pub fn health() -> Option<Health> {
    Some(Health {
        command: Shell::Line("true".into()),
        timeout_s: 5,
    })
}
