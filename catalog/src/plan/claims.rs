//! Which paths the resources of a role claim; what they do not claim a purge may remove.

use super::clashes::clashes;
use super::closing;
use super::units::Units;
use super::{Places, Snapshot};
use crate::id::{Kind, ResourceId};
use crate::path::AbsPath;
use crate::resource::account::UserState;
use crate::resource::mount::MountPresence;
use crate::resource::through::Links;
use crate::resource::{Below, Body, Desired, Observed, Presence, Resource};
use crate::waiting::Waiting;
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

/// The claimed paths of a role, each where it really lies on the machine.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Claims {
    present: BTreeSet<AbsPath>,
    absent: BTreeMap<AbsPath, ResourceId>,
    /// What is claimed by the way of a link of the role's own.
    led: BTreeSet<AbsPath>,
    /// Directories with a purge of their own, and archives: what is in them is theirs to remove.
    purging: BTreeSet<AbsPath>,
    /// What waits and has no name yet may come to stand in many places.
    waiting: Waiting,
    places: Places,
    /// What services have among systemd's files.
    units: Units,
    /// Links on the way to what the role names, and its own.
    ways: BTreeSet<AbsPath>,
    /// What is the agent's own.
    own: BTreeSet<AbsPath>,
    /// What cannot be brought about beside another resource, with why.
    clashes: BTreeMap<ResourceId, String>,
}

impl Claims {
    /// What the whole role claims. Always of the whole, also where only some of it is applied.
    pub fn of(desired: &Desired, snapshot: &Snapshot) -> Self {
        Self::led(desired, snapshot, &snapshot.places)
    }

    /// The same, where paths have come to lie elsewhere since. What the role takes the way to lies where it is written to be;
    /// what must not be there goes by the way that is then.
    pub fn led(desired: &Desired, snapshot: &Snapshot, now: &Places) -> Self {
        let places = &now.without(|| closing::links(desired, snapshot));
        let then = &now.without(|| closing::passed(desired, snapshot));
        let mut gathered = Gathered::default();
        gathered.present.extend(desired.waiting.paths());
        for resource in &desired.resources {
            gathered.add(resource, snapshot);
        }
        gathered.lead(&Links::of(desired.resources.iter()));
        gathered.units.enable(&snapshot.host.also);
        let absent = gathered.absent.iter();
        // What is left over goes before a purge takes the way to it.
        let absent = absent.filter(|(_, id)| !desired.reverts.contains(id));
        let absent = absent.map(|(path, _)| path);
        let named = gathered.present.iter().chain(absent);
        let ways = named.flat_map(|path| places.links(path).cloned());
        let ways = ways.collect();
        Self {
            ways,
            present: really(gathered.present, places).collect(),
            absent: gathered
                .absent
                .into_iter()
                .flat_map(|(path, id)| {
                    [then, places].map(|by| (by.real(&path).into_owned(), id.clone()))
                })
                .collect(),
            led: really(gathered.led, places).collect(),
            purging: really(gathered.purging, places).collect(),
            waiting: desired.waiting.clone(),
            clashes: clashes(
                desired,
                snapshot,
                &places.without(|| closing::leaving(desired, snapshot)),
            ),
            units: gathered.units,
            places: places.clone(),
            own: snapshot.own.iter().cloned().collect(),
        }
    }

    /// Whether a purge of `folder` leaves this path alone: it is claimed or the agent's own, leads to something that is, or
    /// is a link that does, or another purge further in looks after it.
    pub fn keeps(&self, path: &AbsPath, folder: &AbsPath) -> bool {
        let (real, folder) = (self.places.real(path), self.places.real(folder));
        leads_to(&self.present, &real)
            || leads_to(&self.ways, &real)
            || leads_to(&self.own, &real)
            || self.own.iter().any(|own| real.is_within(own))
            || self.waiting.may_stand(path)
            || real
                .ancestors()
                .take_while(|above| above != &*folder)
                .any(|above| self.purging.contains(&above))
    }

    /// Whether this is a service's: a purge leaves it, and what leads there.
    pub(crate) fn of_service(&self, below: &Below) -> bool {
        self.units.have(&self.places.real(&below.path), &below.what)
    }

    /// Where paths will lie.
    pub(crate) fn places(&self) -> &Places {
        &self.places
    }

    /// Where a path will lie.
    pub(crate) fn real<'p>(&self, path: &'p AbsPath) -> Cow<'p, AbsPath> {
        self.places.real(path)
    }

    /// Whether just this path is claimed.
    pub(crate) fn is(&self, path: &AbsPath) -> bool {
        let path = &*self.places.real(path);
        self.present.contains(path) || self.absent.contains_key(path)
    }

    /// Whether a path lies below a folder in which only what is claimed may stay.
    pub(crate) fn purges(&self, path: &AbsPath) -> bool {
        let path = self.places.real(path);
        path.ancestors().any(|above| self.purging.contains(&above))
    }

    /// Whether a path is claimed, or leads to one that is.
    pub fn needs(&self, path: &AbsPath) -> bool {
        let path = &*self.places.real(path);
        leads_to(&self.present, path) || self.absent.contains_key(path)
    }

    /// The same of something of this kind: who wants no file there does not take a directory away.
    pub(crate) fn needs_as(&self, kind: Kind, path: &AbsPath) -> bool {
        let path = &*self.places.real(path);
        let absent = self.absent.get(path);
        leads_to(&self.present, path)
            || leads_to(&self.ways, path)
            || absent.is_some_and(|by| takes_away(by.kind, kind))
    }

    /// The resource that says that nothing must stand here.
    pub fn absent(&self, path: &AbsPath) -> Option<&ResourceId> {
        self.absent.get(&*self.places.real(path))
    }

    /// One that says so of what lies below.
    pub(crate) fn absent_below(&self, path: &AbsPath) -> Option<&ResourceId> {
        let path = &*self.places.real(path);
        first_below_of(&self.absent, path)
    }

    /// Whether just this is claimed by the way of a link of the role's own.
    pub(crate) fn is_led_to(&self, path: &AbsPath) -> bool {
        self.led.contains(&*self.places.real(path))
    }

    /// Why this resource cannot be brought about beside another one that lies at the same place.
    pub(crate) fn clash(&self, id: &ResourceId) -> Option<&str> {
        self.clashes.get(id).map(String::as_str)
    }
}

fn really<'a>(paths: Vec<AbsPath>, places: &'a Places) -> impl Iterator<Item = AbsPath> + 'a {
    let real = |path: AbsPath| places.real(&path).into_owned();
    paths.into_iter().map(real)
}

/// The same in the order of the role, in which it is sooner gathered than sorted in one by one.
#[derive(Default)]
struct Gathered {
    present: Vec<AbsPath>,
    absent: Vec<(AbsPath, ResourceId)>,
    led: Vec<AbsPath>,
    purging: Vec<AbsPath>,
    units: Units,
}

impl Gathered {
    fn add(&mut self, resource: &Resource, snapshot: &Snapshot) {
        match &resource.body {
            Body::File(file) => self.claim(resource, &file.path, file.state),
            Body::Link(link) => self.claim(resource, &link.path, link.state),
            Body::Directory(directory) => {
                self.claim(resource, &directory.path, directory.state);
                if directory.purge && directory.state == Presence::Present {
                    self.purging.push(directory.path.clone());
                }
            }
            Body::Repository(repository) => {
                let paths = [Some(repository.sources_path()), repository.key_path()];
                for path in paths.into_iter().flatten() {
                    self.claim_text(&path);
                }
            }
            Body::Service(service) => {
                self.units.add(service);
                if let Some(path) = service.unit_path() {
                    self.present.push(path);
                }
            }
            Body::Edit(edit) => {
                self.present.push(edit.path.clone());
            }
            Body::Sysctl(sysctl) => {
                if let Ok(path) = sysctl.file() {
                    self.claim(resource, &path, sysctl.state);
                }
            }
            // What is in it is its own, and goes with it.
            Body::Archive(archive) => {
                self.present.push(archive.path.clone());
                self.purging.push(archive.path.clone());
            }
            Body::Mount(mount) => {
                self.present.push(mount.point.clone());
            }
            Body::Command(command) => self.present.extend(command.creates.clone()),
            Body::User(user) if user.authorized_keys.is_some() => {
                let home = match snapshot.observed.get(&resource.id) {
                    Some(Observed::User(UserState::Present(seen))) => Some(&seen.home),
                    _ => user.home.as_ref(),
                };
                if let Some(home) = home {
                    self.claim_text(&format!("{home}/.ssh/authorized_keys"));
                }
            }
            Body::User(_) | Body::Group(_) | Body::Package(_) => {}
        }
    }

    /// What is claimed by way of a link of the role is so where that leads.
    fn lead(&mut self, links: &Links<'_>) {
        let led = self.present.iter().filter_map(|path| links.lead(path));
        self.led = led.map(|led| led.path).collect();
        self.present.extend_from_slice(&self.led);
    }

    fn claim(&mut self, resource: &Resource, path: &AbsPath, state: Presence) {
        match state {
            Presence::Present => {
                self.present.push(path.clone());
            }
            Presence::Absent => {
                self.absent.push((path.clone(), resource.id.clone()));
            }
        }
    }

    fn claim_text(&mut self, path: &str) {
        if let Ok(path) = path.parse() {
            self.present.push(path);
        }
    }
}

/// Whether a resource of one kind, which must not be there, takes what is of another kind away: else it fails.
pub(crate) fn takes_away(by: Kind, standing: Kind) -> bool {
    match standing {
        Kind::Directory => by == Kind::Directory,
        Kind::File => by != Kind::Link && by != Kind::Directory,
        _ => true,
    }
}

/// Whether one of the paths is this or lies below it.
fn leads_to(paths: &BTreeSet<AbsPath>, path: &AbsPath) -> bool {
    paths.contains(path) || first_below(paths, path).is_some()
}

/// The first of these paths that lies below this one.
pub(crate) fn first_below<'p>(paths: &'p BTreeSet<AbsPath>, path: &AbsPath) -> Option<&'p AbsPath> {
    let mut from = paths.range(least_below(path)?..);
    from.next().filter(|next| next.is_within(path))
}

/// What is at the first of these paths that lies below this one.
fn first_below_of<'p, V>(paths: &'p BTreeMap<AbsPath, V>, path: &AbsPath) -> Option<&'p V> {
    let mut from = paths.range(least_below(path)?..);
    let first = from.next().filter(|(next, _)| next.is_within(path));
    first.map(|(_, found)| found)
}

/// What lies below does not stand next to it in the order: /a-b sorts between /a and /a/b.
fn least_below(path: &AbsPath) -> Option<AbsPath> {
    path.join("\u{20}").ok()
}

/// The resources that manage a path as a whole, by path. Where one goes to make room for another, it is the other.
pub(crate) fn by_path(desired: &Desired) -> BTreeMap<AbsPath, &Resource> {
    let wholes = |of: Presence| {
        let all = desired.resources.iter();
        let all = all.filter(move |one| presence(&one.body) == of);
        let wholes = all.filter(|one| !matches!(one.body, Body::Edit(_)));
        wholes.filter_map(|one| Some((own_path(&one.body)?.clone(), one)))
    };
    wholes(Presence::Absent)
        .chain(wholes(Presence::Present))
        .collect()
}

/// The path that a body is about, and whether something must stand there.
pub(crate) fn own_path(body: &Body) -> Option<&AbsPath> {
    match body {
        Body::File(file) => Some(&file.path),
        Body::Directory(directory) => Some(&directory.path),
        Body::Link(link) => Some(&link.path),
        Body::Edit(edit) => Some(&edit.path),
        _ => None,
    }
}

/// Whether a body wants its thing to be there.
pub fn presence(body: &Body) -> Presence {
    match body {
        Body::File(file) => file.state,
        Body::Directory(directory) => directory.state,
        Body::Link(link) => link.state,
        Body::Archive(archive) => archive.state,
        Body::Sysctl(sysctl) => sysctl.state,
        Body::Mount(mount) if mount.state == MountPresence::Absent => Presence::Absent,
        Body::User(user) => user.state,
        Body::Group(group) => group.state,
        _ => Presence::Present,
    }
}

/// Of this id, where it names a path.
pub(crate) fn path_of(id: &ResourceId) -> Option<AbsPath> {
    match id.kind {
        Kind::File | Kind::Directory | Kind::Link => id.name.parse().ok(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_leads_to_a_claim_is_kept() {
        let paths = ["/a-b", "/a/b/c", "/d"].map(|p| p.parse().unwrap());
        let paths = BTreeSet::from(paths);
        for (path, kept) in [
            ("/a", true),
            ("/a/b", true),
            ("/a/b/c", true),
            ("/a/b/c/d", false),
            ("/a/c", false),
            ("/a/b-", false),
            ("/d", true),
            ("/e", false),
        ] {
            assert_eq!(leads_to(&paths, &path.parse().unwrap()), kept, "{path}");
        }
    }
}
