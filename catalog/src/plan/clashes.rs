//! Resources whose paths are one on this machine's disk, which nobody can see in the role: each would undo the other.

use super::Snapshot;
use super::claims::{own_path, presence};
use super::closing::closed_link;
use super::order::order;
use super::places::Places;
use crate::id::ResourceId;
use crate::path::AbsPath;
use crate::resource::through::Links;
use crate::resource::{Body, Desired, Observed, PathState, Presence, Resource};
use std::collections::BTreeMap;
use std::ops::Bound;

/// Why these resources cannot be brought about.
pub(super) fn clashes(
    desired: &Desired,
    snapshot: &Snapshot,
    places: &Places,
) -> BTreeMap<ResourceId, String> {
    let mut clashes = behind_turned(desired, snapshot);
    if places.is_empty() {
        return clashes;
    }
    let mut at: At<'_> = BTreeMap::new();
    // What brings back what was there before has given way to the role already.
    let role = desired.resources.iter();
    let links = Links::of(desired.resources.iter());
    for resource in role.filter(|one| !desired.reverts.contains(&one.id)) {
        for path in claimed(&resource.body) {
            // A link of the machine may lead to one of the role.
            let real = places.led(&places.led(&path, &links), &links);
            at.entry(real).or_default().push((resource, path));
        }
    }
    for (real, here) in &at {
        for (one, path) in here {
            let other = here.iter().find(|(other, spelled)| {
                spelled != path && other.id != one.id && exclude(&one.body, &other.body)
            });
            if let Some((other, _)) = other {
                let (first, second) = ((&one.id).min(&other.id), (&one.id).max(&other.id));
                let why = format!(
                    "{first} and {second} are both {real} on this machine: declare one of them alone"
                );
                clashes.entry(one.id.clone()).or_insert(why);
            }
            for (lies, (other, spelled)) in within(&at, real).filter(|_| makes_no_room(&one.body)) {
                let seen = snapshot.observed.get(&one.id);
                if spelled.is_within(path) {
                    continue;
                }
                let ordered = one.after.contains(&other.id) || other.after.contains(&one.id);
                let Some(remedy) = remedy((&one.body, seen), &other.body, ordered) else {
                    continue;
                };
                let (whole, below) = (&one.id, &other.id);
                let why = format!("{below} lies in {whole} on this machine, at {lies}: {remedy}");
                clashes.entry(whole.clone()).or_insert_with(|| why.clone());
                clashes.entry(below.clone()).or_insert(why);
            }
        }
    }
    clashes
}

/// What would be laid where a link of the machine leads no more once a resource that comes later has changed that.
fn behind_turned(desired: &Desired, snapshot: &Snapshot) -> BTreeMap<ResourceId, String> {
    let mut found = BTreeMap::new();
    let places = &snapshot.places;
    if places.is_empty() {
        return found;
    }
    let role = || {
        let all = desired.resources.iter();
        all.filter(|one| !desired.reverts.contains(&one.id))
    };
    let turned = role().filter_map(|one| {
        let path = closed_link(one, snapshot.observed.get(&one.id))?;
        Some((places.real(path).into_owned(), (path, &one.id)))
    });
    let turned: BTreeMap<AbsPath, (&AbsPath, &ResourceId)> = turned.collect();
    if turned.is_empty() {
        return found;
    }
    let turns = order(desired).unwrap_or_default();
    let turns = turns.iter().zip(0_usize..);
    let turns: BTreeMap<&ResourceId, usize> =
        turns.map(|(step, turn)| (&step.resource, turn)).collect();
    for one in role().filter(|one| presence(&one.body) == Presence::Present) {
        for path in claimed(&one.body) {
            let links = places.links(&path);
            let mut links = links.filter_map(|link| turned.get(link));
            let later = |first: &ResourceId| turns.get(&one.id) < turns.get(first);
            if let Some((link, first)) = links.find(|(_, first)| later(first)) {
                let why = format!(
                    "{path} lies behind {link} on this machine, which {first} changes: let it come `after` {first}, or name it by where it is to lie"
                );
                found.insert(one.id.clone(), why);
            }
        }
    }
    found
}

/// By where they really lie, with the paths that they name.
type At<'a> = BTreeMap<AbsPath, Vec<(&'a Resource, AbsPath)>>;

/// What lies below this, with where.
fn within<'a>(
    at: &'a At<'a>,
    real: &AbsPath,
) -> impl Iterator<Item = (&'a AbsPath, &'a (&'a Resource, AbsPath))> {
    let start = format!("{real}/");
    let from = (Bound::Excluded(start.as_str()), Bound::Unbounded);
    let below = at.range::<str, _>(from);
    let below = below.take_while(move |(path, _)| path.as_str().starts_with(&start));
    below.flat_map(|(path, here)| here.iter().map(move |one| (path, one)))
}

/// Whether this is other than a folder into which anything may come at any time.
fn makes_no_room(body: &Body) -> bool {
    match body {
        Body::File(_) | Body::Edit(_) | Body::Link(_) | Body::Archive(_) => true,
        Body::Directory(_) => presence(body) == Presence::Absent,
        _ => false,
    }
}

/// What to do where what lies below this is named by another way, and the names give no order; none where nothing need be done.
fn remedy(
    (whole, seen): (&Body, Option<&Observed>),
    below: &Body,
    ordered: bool,
) -> Option<&'static str> {
    let is_full =
        matches!(seen, Some(Observed::Path(PathState::Directory(folder))) if !folder.empty);
    let stands = match below {
        Body::Edit(edit) if edit.edit.only_removes() => Presence::Absent,
        below => presence(below),
    };
    let hangs_on_order = match (whole, stands) {
        (Body::Archive(_), _) => true,
        (_, Presence::Present) => return Some("declare one of them alone"),
        (_, Presence::Absent) => is_full,
    };
    let remedy = "name both by one way, or let one come `after` the other";
    (hangs_on_order && !ordered).then_some(remedy)
}

/// The paths that a body has a say in.
fn claimed(body: &Body) -> Vec<AbsPath> {
    match body {
        Body::Archive(archive) => vec![archive.path.clone()],
        Body::Service(service) => service.unit_path().into_iter().collect(),
        Body::Sysctl(sysctl) => sysctl.file().into_iter().collect(),
        Body::Repository(repository) => {
            let paths = std::iter::once(repository.sources_path()).chain(repository.key_path());
            paths.filter_map(|path| path.parse().ok()).collect()
        }
        _ => own_path(body).into_iter().cloned().collect(),
    }
}

/// Whether not both can have one path: several may edit a file in one format, each what is its own, also one that the role
/// leaves open.
fn exclude(one: &Body, other: &Body) -> bool {
    let open = |body: &Body| matches!(body, Body::File(file) if file.state == Presence::Present && file.is_open());
    match (one, other) {
        (Body::Edit(one), Body::Edit(other)) => {
            one.edit.format != other.edit.format || one.edit.both_claim(&other.edit).is_some()
        }
        (Body::Edit(_), whole) | (whole, Body::Edit(_)) => !open(whole),
        _ => true,
    }
}
