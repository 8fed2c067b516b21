//! What comes after what, and why: the edges between the resources of a role.

use super::claims::{by_path, own_path, presence};
use crate::id::{Kind, ResourceId};
use crate::path::AbsPath;
use crate::resource::mount::Mount;
use crate::resource::{Attributes, Body, Desired, Presence, Resource};
use std::collections::BTreeMap;

/// For each resource, what it comes after.
pub(crate) type Edges<'a> = BTreeMap<&'a ResourceId, Vec<Edge<'a>>>;

/// One thing that another comes after.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Edge<'a> {
    /// What comes first.
    pub(crate) first: &'a ResourceId,
    /// What its failure means.
    pub(crate) bond: Bond,
    /// Where the edge comes from.
    pub(crate) why: Why,
}

/// Why one resource comes after another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Why {
    /// `after` names it.
    After,
    /// It is the folder that this lies in.
    Folder,
    /// It lies in this folder, which must go.
    Emptied,
    /// It is the file that this edits.
    Begun,
    /// It is, or holds, what this mounts.
    Device,
    /// It is the owner, or who runs this.
    Owner,
    /// It is the group of this, or one that this user is in.
    Group,
    /// Its primary group is this one, which must go.
    Member,
    /// `on` names it.
    On,
    /// `restart_on` names it.
    Restart,
    /// `reload_on` names it.
    Reload,
    /// It brings the template of this instance.
    Template,
    /// It is the socket of this service.
    Socket,
}

impl Why {
    /// The same in a few words.
    pub fn words(self) -> &'static str {
        match self {
            Why::After => "`after`",
            Why::Folder => "lies in it",
            Why::Emptied => "must be empty first",
            Why::Begun => "edits it",
            Why::Device => "its `device`",
            Why::Owner => "its owner",
            Why::Group => "its group",
            Why::Member => "must have no members first",
            Why::On => "`on`",
            Why::Restart => "`restart_on`",
            Why::Reload => "`reload_on`",
            Why::Template => "its template",
            Why::Socket => "its socket",
        }
    }
}

/// What the failure of what comes first means for what comes after it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Bond {
    /// It is skipped.
    Needs,
    /// Nothing.
    Follows,
}

/// All edges of a role. Names of resources that are not in it (their `when` is false) bind nothing.
pub(crate) fn edges(desired: &Desired) -> Edges<'_> {
    let mut graph = Graph {
        desired,
        edges: desired
            .resources
            .iter()
            .map(|r| (&r.id, Vec::new()))
            .collect(),
    };
    graph.paths();
    graph.mounts();
    graph.archives();
    for resource in &desired.resources {
        for first in &resource.after {
            graph.needs(&resource.id, first, Why::After);
        }
        graph.body(resource);
    }
    graph.edges
}

struct Graph<'a> {
    desired: &'a Desired,
    edges: Edges<'a>,
}

impl<'a> Graph<'a> {
    fn needs(&mut self, after: &'a ResourceId, first: &ResourceId, why: Why) {
        self.edge(after, first, Bond::Needs, why);
    }

    fn edge(&mut self, after: &'a ResourceId, first: &ResourceId, bond: Bond, why: Why) {
        let Some(first) = self.desired.get(first) else {
            return;
        };
        let edge = Edge {
            first: &first.id,
            bond,
            why,
        };
        let edges = self.edges.entry(after).or_default();
        let same = |other: &Edge<'_>| other.first == edge.first && other.bond == edge.bond;
        if !edges.iter().any(same) {
            edges.push(edge);
        }
    }

    /// What stands in a folder comes after the folder; where the folder must go, before it.
    fn paths(&mut self) {
        let by_path = by_path(self.desired);
        for resource in &self.desired.resources {
            for path in written(resource) {
                let folder = path.ancestors().find_map(|above| by_path.get(&above));
                let Some(folder) = folder else { continue };
                match (presence(&folder.body), presence(&resource.body)) {
                    (Presence::Absent, Presence::Absent) => {
                        self.needs(&folder.id, &resource.id, Why::Emptied)
                    }
                    (Presence::Present, _) => self.needs(&resource.id, &folder.id, Why::Folder),
                    // The role contradicts itself; the folder fails, since it does not become empty.
                    (Presence::Absent, Presence::Present) => {}
                }
            }
        }
    }

    /// What stands in a file system comes after its mount, and so does the folder that it is mounted on: it is the one
    /// of the file system that a role means. What is unmounted comes after all that is unmounted within it.
    fn mounts(&mut self) {
        let desired = self.desired;
        let mounts: BTreeMap<&AbsPath, (&Resource, &Mount)> = desired
            .resources
            .iter()
            .filter_map(|resource| match &resource.body {
                Body::Mount(mount) => Some((&mount.point, (resource, mount))),
                _ => None,
            })
            .collect();
        for resource in &desired.resources {
            let own = match &resource.body {
                Body::Mount(mount) => Some(mount),
                _ => None,
            };
            for path in written(resource) {
                let itself = own.is_none().then(|| path.clone());
                let mut places = itself.into_iter().chain(path.ancestors());
                let Some((first, outer)) = places.find_map(|place| mounts.get(&place)) else {
                    continue;
                };
                let gone = |mount: &Mount| mount.state.mounted() == Some(false);
                // What is brought back in a file system is so while that is there.
                let brought = |one: &Resource| desired.reverts.contains(&one.id);
                let leaves = gone(outer) && path != outer.point && brought(first);
                match own {
                    None if leaves && brought(resource) => {
                        self.needs(&first.id, &resource.id, Why::Emptied)
                    }
                    Some(inner) if gone(inner) && gone(outer) => {
                        self.needs(&first.id, &resource.id, Why::Emptied)
                    }
                    _ => self.needs(&resource.id, &first.id, Why::Folder),
                }
            }
        }
    }

    fn body(&mut self, resource: &'a Resource) {
        let id = &resource.id;
        match &resource.body {
            Body::File(file) => self.owners(id, &file.attributes),
            Body::Directory(directory) => self.owners(id, &directory.attributes),
            Body::User(user) if user.state == Presence::Present => {
                for group in user.gid.iter().chain(&user.groups) {
                    self.account(id, Kind::Group, group);
                }
            }
            Body::Edit(edit) => {
                // Whatever the role itself puts there comes first.
                let whole = ResourceId::new(Kind::File, edit.path.as_str());
                self.needs(id, &whole, Why::Begun);
            }
            Body::Mount(mount) => self.device(id, mount),
            Body::Archive(archive) => self.owners(id, &archive.attributes),
            Body::Group(group) if group.state == Presence::Absent => self.emptied(id),
            Body::Command(command) => {
                for first in &command.on {
                    self.needs(id, first, Why::On);
                }
                if let Some(user) = &command.user {
                    self.account(id, Kind::User, user);
                }
            }
            Body::Service(service) => {
                for first in &service.restart_on {
                    self.needs(id, first, Why::Restart);
                }
                for first in &service.reload_on {
                    self.needs(id, first, Why::Reload);
                }
                if let Some(template) = &service.template {
                    self.needs(id, template, Why::Template);
                }
                self.socket(id, &service.unit);
            }
            _ => {}
        }
    }

    /// What stands in an archive comes after it: it comes and goes whole. One that goes, after what goes from it.
    fn archives(&mut self) {
        let desired = self.desired;
        let archives: BTreeMap<&AbsPath, &Resource> = desired
            .resources
            .iter()
            .filter_map(|resource| match &resource.body {
                Body::Archive(archive) => Some((&archive.path, resource)),
                _ => None,
            })
            .collect();
        if archives.is_empty() {
            return;
        }
        for resource in &desired.resources {
            for path in written(resource) {
                let Some(archive) = path.ancestors().find_map(|above| archives.get(&above)) else {
                    continue;
                };
                match (presence(&archive.body), presence(&resource.body)) {
                    (Presence::Absent, Presence::Absent) => {
                        self.needs(&archive.id, &resource.id, Why::Emptied);
                    }
                    _ => self.needs(&resource.id, &archive.id, Why::Folder),
                }
            }
        }
    }

    /// A folder or file of the role that is mounted at another place.
    fn device(&mut self, id: &'a ResourceId, mount: &Mount) {
        let device = mount.entry.as_ref().map(|entry| entry.device.parse());
        let Some(Ok(device)): Option<Result<AbsPath, _>> = device else {
            return;
        };
        let by_path = by_path(self.desired);
        let mut places = std::iter::once(device.clone()).chain(device.ancestors());
        if let Some(first) = places.find_map(|place| by_path.get(&place)) {
            self.needs(id, &first.id, Why::Device);
        }
    }

    fn owners(&mut self, id: &'a ResourceId, attributes: &Attributes) {
        if let Some(owner) = &attributes.owner {
            self.account(id, Kind::User, owner);
        }
        if let Some(group) = &attributes.group {
            self.account(id, Kind::Group, group);
        }
    }

    fn account(&mut self, id: &'a ResourceId, kind: Kind, name: &str) {
        let account = ResourceId::new(kind, name);
        let made = self.desired.get(&account);
        if made.is_some_and(|made| presence(&made.body) == Presence::Present) {
            let why = match kind {
                Kind::Group => Why::Group,
                _ => Why::Owner,
            };
            self.needs(id, &account, why);
        }
    }

    /// As at boot: a service is given its socket, which cannot start any more once it runs. The role may say otherwise.
    fn socket(&mut self, service: &'a ResourceId, unit: &str) {
        let Some(stem) = unit.strip_suffix(".service") else {
            return;
        };
        let socket = ResourceId::new(Kind::Service, format!("{stem}.socket"));
        let socket = self.desired.get(&socket);
        if let Some(socket) = socket.filter(|socket| !socket.after.contains(service)) {
            self.edge(service, &socket.id, Bond::Follows, Why::Socket);
        }
    }

    /// A group cannot go before the users whose primary group it is.
    fn emptied(&mut self, group: &'a ResourceId) {
        for other in &self.desired.resources {
            let goes = presence(&other.body) == Presence::Absent;
            if other.id.kind == Kind::User && goes {
                self.edge(group, &other.id, Bond::Follows, Why::Member);
            }
        }
    }
}

/// The paths at which a resource writes.
fn written(resource: &Resource) -> Vec<crate::path::AbsPath> {
    match &resource.body {
        Body::Repository(repository) => [Some(repository.sources_path()), repository.key_path()]
            .into_iter()
            .flatten()
            .filter_map(|path| path.parse().ok())
            .collect(),
        Body::Service(service) => service.unit_path().into_iter().collect(),
        Body::Mount(mount) => vec![mount.point.clone()],
        Body::Archive(archive) => vec![archive.path.clone()],
        Body::Sysctl(sysctl) => sysctl.file().into_iter().collect(),
        body => own_path(body).cloned().into_iter().collect(),
    }
}
