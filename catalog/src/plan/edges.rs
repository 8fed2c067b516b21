//! What comes after what, and why: the edges between the resources of a role.

use super::claims::{by_path, own_path, presence};
use crate::id::{Kind, ResourceId};
use crate::path::{AbsPath, Nearest};
use crate::resource::mount::Mount;
use crate::resource::{Attributes, Body, Desired, Presence, Resource};
use std::collections::{BTreeMap, BTreeSet};

/// For each resource of a role, in the order in which they stand there, what it comes after.
pub(crate) type Edges = Vec<Vec<Edge>>;

/// One thing that another comes after.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Edge {
    /// Where what comes first stands in the role.
    pub(crate) first: usize,
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
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Bond {
    /// It is skipped.
    Needs,
    /// Nothing.
    Follows,
}

/// All edges of a role. Names of resources that are not in it (their `when` is false) bind nothing.
pub(crate) fn edges(desired: &Desired) -> Edges {
    let mut graph = Graph {
        desired,
        edges: vec![Vec::new(); desired.resources.len()],
    };
    graph.paths();
    graph.mounts();
    graph.archives();
    for (at, resource) in desired.resources.iter().enumerate() {
        for first in &resource.after {
            graph.needs(at, first, Why::After);
        }
        graph.body(at, resource);
    }
    // What is there for two reasons is there for the first; all at once, since one by one they may be millions.
    for edges in &mut graph.edges {
        let mut seen = BTreeSet::new();
        edges.retain(|edge| seen.insert((edge.first, edge.bond)));
    }
    graph.edges
}

struct Graph<'a> {
    desired: &'a Desired,
    edges: Edges,
}

impl<'a> Graph<'a> {
    /// The one that stands at this place comes after the one of this name.
    fn needs(&mut self, after: usize, first: &ResourceId, why: Why) {
        self.edge(after, first, Bond::Needs, why);
    }

    fn edge(&mut self, after: usize, first: &ResourceId, bond: Bond, why: Why) {
        if let Some(first) = self.desired.position(first) {
            self.add(after, Edge { first, bond, why });
        }
    }

    fn add(&mut self, after: usize, edge: Edge) {
        self.edges[after].push(edge);
    }

    /// What must go from a folder comes first.
    fn emptied_first(&mut self, after: &ResourceId, first: usize, bond: Bond) {
        if let Some(after) = self.desired.position(after) {
            let why = Why::Emptied;
            self.add(after, Edge { first, bond, why });
        }
    }

    /// What stands in a folder comes after the folder; where the folder must go, before it.
    fn paths(&mut self) {
        let desired = self.desired;
        let by_path = by_path(desired);
        let brought = |one: &Resource| desired.reverts.contains(&one.id);
        let all = || by_path.iter().map(|(path, one)| (path.as_str(), *one));
        let goes = |one: &Resource| brought(one) && presence(&one.body) == Presence::Absent;
        let mut folders = Nearest::of(all().collect());
        let mut standing = Nearest::of(all().filter(|(_, one)| !goes(one)).collect());
        let written: Vec<Vec<AbsPath>> = desired.resources.iter().map(written).collect();
        for (at, (resource, paths)) in desired.resources.iter().zip(&written).enumerate() {
            for path in paths {
                let folder = match presence(&resource.body) {
                    Presence::Present => standing.above(path),
                    Presence::Absent => folders.above(path),
                };
                let Some(folder) = folder else {
                    continue;
                };
                match (presence(&folder.body), presence(&resource.body)) {
                    (Presence::Absent, Presence::Absent) => {
                        self.emptied_first(&folder.id, at, Bond::Needs)
                    }
                    // It stands there now; what comes in place of a way that leads there comes after it. By the mode that the
                    // folder had, links in it may be followed no more.
                    (Presence::Present, Presence::Absent) if brought(resource) => {
                        let above = path.above().filter_map(|above| by_path.get(above));
                        let above = above.filter(|one| brought(one) && !goes(one));
                        for folder in above.filter(|one| one.id.kind == Kind::Directory) {
                            self.emptied_first(&folder.id, at, Bond::Follows);
                        }
                    }
                    // Nothing is below a file, nor where the way is another once it is brought back.
                    (Presence::Present, Presence::Absent)
                        if brought(folder) || matches!(folder.body, Body::File(_)) =>
                    {
                        self.emptied_first(&folder.id, at, Bond::Needs);
                    }
                    (Presence::Present, _)
                        if brought(resource) && gives_way(&by_path, path, resource) => {}
                    (Presence::Present, _) => self.needs(at, &folder.id, Why::Folder),
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
        let mounts: BTreeMap<&str, (&Resource, &Mount)> = desired
            .resources
            .iter()
            .filter_map(|resource| match &resource.body {
                Body::Mount(mount) => Some((mount.point.as_str(), (resource, mount))),
                _ => None,
            })
            .collect();
        if mounts.is_empty() {
            return;
        }
        for (at, resource) in desired.resources.iter().enumerate() {
            let own = match &resource.body {
                Body::Mount(mount) => Some(mount),
                _ => None,
            };
            for path in written(resource) {
                let itself = own.is_none().then(|| path.as_str());
                let mut places = itself.into_iter().chain(path.above());
                let Some((first, outer)) = places.find_map(|place| mounts.get(place)) else {
                    continue;
                };
                let gone = |mount: &Mount| mount.state.mounted() == Some(false);
                // What is brought back in a file system is so while that is there.
                let brought = |one: &Resource| desired.reverts.contains(&one.id);
                let leaves = gone(outer) && brought(first);
                match own {
                    None if leaves && brought(resource) => {
                        self.emptied_first(&first.id, at, Bond::Needs)
                    }
                    Some(inner) if gone(inner) && gone(outer) => {
                        self.emptied_first(&first.id, at, Bond::Needs)
                    }
                    _ => self.needs(at, &first.id, Why::Folder),
                }
            }
        }
    }

    /// What the body of the one at this place says.
    fn body(&mut self, at: usize, resource: &'a Resource) {
        match &resource.body {
            Body::File(file) => self.owners(at, &file.attributes),
            Body::Directory(directory) => self.owners(at, &directory.attributes),
            Body::User(user) if user.state == Presence::Present => {
                for group in user.gid.iter().chain(&user.groups) {
                    self.account(at, Kind::Group, group);
                }
            }
            Body::Edit(edit) => {
                // Whatever the role itself puts there comes first.
                let whole = ResourceId::new(Kind::File, edit.path.as_str());
                self.needs(at, &whole, Why::Begun);
            }
            Body::Mount(mount) => self.device(at, mount),
            Body::Archive(archive) => self.owners(at, &archive.attributes),
            Body::Group(group) if group.state == Presence::Absent => self.emptied(at),
            Body::Command(command) => {
                for first in &command.on {
                    self.needs(at, first, Why::On);
                }
                if let Some(user) = &command.user {
                    self.account(at, Kind::User, user);
                }
            }
            Body::Service(service) => {
                for first in &service.restart_on {
                    self.needs(at, first, Why::Restart);
                }
                for first in &service.reload_on {
                    self.needs(at, first, Why::Reload);
                }
                if let Some(template) = &service.template {
                    self.needs(at, template, Why::Template);
                }
                self.socket(at, &resource.id, &service.unit);
            }
            _ => {}
        }
    }

    /// What stands in an archive comes after it: it comes and goes whole. One that goes, after what goes from it.
    fn archives(&mut self) {
        let desired = self.desired;
        let archives: BTreeMap<&str, &Resource> = desired
            .resources
            .iter()
            .filter_map(|resource| match &resource.body {
                Body::Archive(archive) => Some((archive.path.as_str(), resource)),
                _ => None,
            })
            .collect();
        if archives.is_empty() {
            return;
        }
        for (at, resource) in desired.resources.iter().enumerate() {
            for path in written(resource) {
                let Some(archive) = path.above().find_map(|above| archives.get(above)) else {
                    continue;
                };
                match (presence(&archive.body), presence(&resource.body)) {
                    (Presence::Absent, Presence::Absent) => {
                        self.emptied_first(&archive.id, at, Bond::Needs);
                    }
                    _ => self.needs(at, &archive.id, Why::Folder),
                }
            }
        }
    }

    /// A folder or file of the role that is mounted at another place.
    fn device(&mut self, at: usize, mount: &Mount) {
        let device = mount.entry.as_ref().map(|entry| entry.device.parse());
        let Some(Ok(device)): Option<Result<AbsPath, _>> = device else {
            return;
        };
        let by_path = by_path(self.desired);
        let mut places = std::iter::once(device.as_str()).chain(device.above());
        if let Some(first) = places.find_map(|place| by_path.get(place)) {
            self.needs(at, &first.id, Why::Device);
        }
    }

    fn owners(&mut self, at: usize, attributes: &Attributes) {
        if let Some(owner) = &attributes.owner {
            self.account(at, Kind::User, owner);
        }
        if let Some(group) = &attributes.group {
            self.account(at, Kind::Group, group);
        }
    }

    fn account(&mut self, at: usize, kind: Kind, name: &str) {
        let account = ResourceId::new(kind, name);
        let made = self.desired.get(&account);
        if made.is_some_and(|made| presence(&made.body) == Presence::Present) {
            let why = match kind {
                Kind::Group => Why::Group,
                _ => Why::Owner,
            };
            self.needs(at, &account, why);
        }
    }

    /// As at boot: a service is given its socket, which cannot start any more once it runs. The role may say otherwise.
    fn socket(&mut self, at: usize, service: &ResourceId, unit: &str) {
        let Some(stem) = unit.strip_suffix(".service") else {
            return;
        };
        let socket = ResourceId::new(Kind::Service, format!("{stem}.socket"));
        let socket = self.desired.get(&socket);
        if let Some(socket) = socket.filter(|socket| !socket.after.contains(service)) {
            self.edge(at, &socket.id, Bond::Follows, Why::Socket);
        }
    }

    /// A group cannot go before the users whose primary group it is, or before these get another one.
    fn emptied(&mut self, group: usize) {
        let name = &self.desired.resources[group].id.name;
        for (first, other) in self.desired.resources.iter().enumerate() {
            let leaves = match &other.body {
                Body::User(user) if user.state == Presence::Present => {
                    user.gid.as_deref().is_some_and(|gid| gid != &**name)
                }
                body => presence(body) == Presence::Absent,
            };
            if other.id.kind == Kind::User && leaves {
                let (bond, why) = (Bond::Follows, Why::Member);
                self.add(group, Edge { first, bond, why });
            }
        }
    }
}

/// Whether something above this path comes after what stands there now, since it leads there no more then.
fn gives_way(by_path: &BTreeMap<AbsPath, &Resource>, path: &AbsPath, resource: &Resource) -> bool {
    let mut above = path.above().filter_map(|above| by_path.get(above));
    above.any(|above| above.after.contains(&resource.id))
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
