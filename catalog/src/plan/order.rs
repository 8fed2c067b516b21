//! The order of a run. It comes from the role alone, so it is the same on every machine and in every run.
//!
//! By kind first: repositories and /etc/apt, groups, users, masks, packages, directories, files, links, edits, sysctl,
//! mounts, archives, commands, unit files, services; by name within. What something comes after overrides that, and packages stay together as far as it
//! lets them, since each gathering of packages is one transaction of apt.

use super::early;
use super::edges::{Bond, Edges, Why, edges};
use crate::id::{Kind, ResourceId};
use crate::resource::service::{Activity, Service};
use crate::resource::{Body, Desired, Presence, Resource};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};
use std::fmt;

/// One turn in a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// Whose.
    pub resource: ResourceId,
    /// Which of its turns.
    pub phase: Phase,
    /// What it comes after in such a way that a failure there skips this.
    pub needs: Vec<ResourceId>,
}

/// The turns a resource can have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// Of a service that says `masked`, or waits for a cohort: before packages, so that none starts what must not run.
    Mask,
    /// Of a folder that nobody declares and something needs; only in plans.
    Parent,
    /// Of a service with a unit file of the role: before the first service, so that each finds those that it needs.
    Unit,
    /// The one that every resource has.
    Main,
}

/// Resources that each come after the next, and the last after the first.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct Cycle {
    /// In that order, each with why it comes after the next; a resource that comes after itself stands alone.
    pub path: Vec<(ResourceId, Why)>,
}

impl fmt::Display for Cycle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a cycle: ")?;
        let firsts = self.path.iter().skip(1).chain(self.path.first());
        for (at, ((id, why), (first, _))) in self.path.iter().zip(firsts).enumerate() {
            match at {
                0 => write!(f, "{id}")?,
                _ => f.write_str(", which")?,
            }
            write!(f, " comes after {first} ({})", why.words())?;
        }
        Ok(())
    }
}

/// The turns of all resources, in order.
///
/// # Errors
/// Where resources come after each other in a circle.
pub fn order(desired: &Desired) -> Result<Vec<Step>, Cycle> {
    let edges = edges(desired);
    let sorted = sorted(&edges)?;
    let ranked = desired.resources.iter().map(|resource| {
        let reverts = desired.reverts.contains(&resource.id);
        let rank = if reverts {
            rank_of_revert(resource)
        } else {
            rank(resource)
        };
        (&resource.id, rank)
    });
    let ranks: BTreeMap<&ResourceId, Rank> = ranked.collect();
    let early = reaching(&edges, &sorted, |id| ranks[id] == Rank::Apt);
    let mut keys = BTreeMap::new();
    for (section, chosen) in [(0, true), (1, false)] {
        let part: Vec<&ResourceId> = sorted
            .iter()
            .copied()
            .filter(|id| early.contains(id) == chosen)
            .collect();
        let ranks = held(&edges, &ranks, &part);
        for (id, round) in rounds(&edges, &ranks, &part) {
            keys.insert(id, (section, round, ranks[id], id));
        }
    }
    let ids = by_key(&edges, &keys);
    let stops = |id: &ResourceId| ranks[id] == Rank::Stop;
    let steps = with_units(desired, &ids, &edges, &stops);
    Ok(with_masks(desired, steps, &ranks))
}

/// Whether there is an order at all.
///
/// # Errors
/// Where resources come after each other in a circle.
pub fn order_exists(desired: &Desired) -> Result<(), Cycle> {
    sorted(&edges(desired)).map(|_sorted| ())
}

/// What these resources come after, near and far, and they themselves: with what they must come, where only some
/// of a role is applied.
pub fn closure(desired: &Desired, chosen: &BTreeSet<ResourceId>) -> BTreeSet<ResourceId> {
    let edges = edges(desired);
    let mut found = BTreeSet::new();
    let mut open: Vec<&ResourceId> = chosen.iter().collect();
    while let Some(id) = open.pop() {
        match edges.get(id) {
            Some(edges) if found.insert(id.clone()) => {
                open.extend(edges.iter().map(|edge| edge.first));
            }
            // It is not rendered, and waits.
            None if desired.waiting.of(id).is_some() => {
                found.insert(id.clone());
            }
            _ => {}
        }
    }
    found
}

/// The kinds in the order of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    /// What no role names any more stops before anything goes that it needs.
    Stop,
    Apt,
    Group,
    User,
    Package,
    /// What would come before packages, were it not for a package that it comes after.
    Held,
    Directory,
    File,
    Link,
    Edit,
    Sysctl,
    Mount,
    Archive,
    Command,
    Service,
    /// Users and groups that no role names any more go last: nothing is theirs then.
    Leaving,
}

/// Of what brings back what was there before cfg.
fn rank_of_revert(resource: &Resource) -> Rank {
    match &resource.body {
        // A mask that goes does so at its own turn, later.
        Body::Service(Service {
            state: None | Some(Activity::Stopped),
            masked: None,
            ..
        }) => Rank::Stop,
        Body::User(user) if user.state == Presence::Absent => Rank::Leaving,
        Body::Group(group) if group.state == Presence::Absent => Rank::Leaving,
        _ => rank(resource),
    }
}

fn rank(resource: &Resource) -> Rank {
    let apt = |path: &crate::path::AbsPath| path.components().take(2).eq(["etc", "apt"]);
    match &resource.body {
        Body::Directory(body) if apt(&body.path) => Rank::Apt,
        Body::File(body) if apt(&body.path) => Rank::Apt,
        Body::Link(body) if apt(&body.path) => Rank::Apt,
        Body::Edit(body) if apt(&body.path) => Rank::Apt,
        body => match body.kind() {
            Kind::Repository => Rank::Apt,
            Kind::Group => Rank::Group,
            Kind::User => Rank::User,
            Kind::Package => Rank::Package,
            Kind::Directory => Rank::Directory,
            Kind::File => Rank::File,
            Kind::Link => Rank::Link,
            Kind::Edit => Rank::Edit,
            Kind::Sysctl => Rank::Sysctl,
            Kind::Mount => Rank::Mount,
            Kind::Archive => Rank::Archive,
            Kind::Command => Rank::Command,
            Kind::Service => Rank::Service,
        },
    }
}

/// Every resource after all that it comes after, in some order.
fn sorted<'a>(edges: &Edges<'a>) -> Result<Vec<&'a ResourceId>, Cycle> {
    let mut done = BTreeSet::new();
    let mut sorted = Vec::with_capacity(edges.len());
    for start in edges.keys().copied() {
        // The way from `start` to where we are, each with how many of its edges have been walked.
        let mut way: Vec<(&ResourceId, usize)> = vec![(start, 0)];
        if done.contains(start) {
            continue;
        }
        while let Some((id, walked)) = way.pop() {
            let Some(edge) = edges[id].get(walked) else {
                done.insert(id);
                sorted.push(id);
                continue;
            };
            way.push((id, walked + 1));
            if let Some(at) = way.iter().position(|(on_way, _)| *on_way == edge.first) {
                let why = |(id, walked): &(&ResourceId, usize)| edges[*id][walked - 1].why;
                let path = way[at..].iter().map(|on| (on.0.clone(), why(on)));
                return Err(Cycle {
                    path: path.collect(),
                });
            }
            if !done.contains(edge.first) {
                way.push((edge.first, 0));
            }
        }
    }
    Ok(sorted)
}

/// What is wanted, and all that it comes after.
fn reaching<'a>(
    edges: &Edges<'a>,
    sorted: &[&'a ResourceId],
    wanted: impl Fn(&ResourceId) -> bool,
) -> BTreeSet<&'a ResourceId> {
    let mut found = BTreeSet::new();
    for id in sorted.iter().rev() {
        if wanted(id) || found.contains(id) {
            found.insert(*id);
            found.extend(edges[id].iter().map(|edge| edge.first));
        }
    }
    found
}

/// The ranks of a part of a role. What ranks before packages and comes after one is held back to where it splits no
/// transaction.
fn held<'a>(
    edges: &Edges<'a>,
    ranks: &BTreeMap<&'a ResourceId, Rank>,
    part: &[&'a ResourceId],
) -> BTreeMap<&'a ResourceId, Rank> {
    let mut held: BTreeMap<&ResourceId, Rank> = BTreeMap::new();
    for id in part {
        let late = edges[*id].iter().any(|edge| {
            held.get(edge.first)
                .is_some_and(|rank| *rank >= Rank::Package)
        });
        let rank = match ranks[*id] {
            rank if rank < Rank::Package && late => Rank::Held,
            rank => rank,
        };
        held.insert(id, rank);
    }
    held
}

/// In which transaction of apt each package goes, and beside which the rest: the first in which it can, but what no
/// package waits for comes after them all.
fn rounds<'a>(
    edges: &Edges<'a>,
    ranks: &BTreeMap<&'a ResourceId, Rank>,
    part: &[&'a ResourceId],
) -> BTreeMap<&'a ResourceId, usize> {
    let awaited = reaching(edges, part, |id| ranks.get(id) == Some(&Rank::Package));
    let first_possible = |id: &ResourceId, rounds: &BTreeMap<&ResourceId, usize>| {
        let of_first = edges[id].iter().filter_map(|edge| {
            let round = rounds.get(edge.first)?;
            let new = ranks[id] == Rank::Package && ranks[edge.first] >= Rank::Package;
            Some(round + usize::from(new))
        });
        of_first.max().unwrap_or(0)
    };
    let mut rounds = BTreeMap::new();
    for id in part.iter().filter(|id| awaited.contains(*id)) {
        let round = first_possible(id, &rounds);
        rounds.insert(*id, round);
    }
    let last = rounds.values().copied().max().unwrap_or(0);
    for id in part.iter().filter(|id| !awaited.contains(*id)) {
        let round = first_possible(id, &rounds);
        let late = if ranks[*id] > Rank::Package { last } else { 0 };
        rounds.insert(*id, round.max(late));
    }
    rounds
}

type SortKey<'a> = (usize, usize, Rank, &'a ResourceId);

/// Of what could come next, always the one with the least key.
fn by_key<'a>(
    edges: &Edges<'a>,
    keys: &BTreeMap<&'a ResourceId, SortKey<'a>>,
) -> Vec<&'a ResourceId> {
    let mut waits: BTreeMap<&ResourceId, BTreeSet<&ResourceId>> = BTreeMap::new();
    let mut followers: BTreeMap<&ResourceId, Vec<&'a ResourceId>> = BTreeMap::new();
    for (id, firsts) in edges {
        waits.insert(id, firsts.iter().map(|edge| edge.first).collect());
        for edge in firsts {
            followers.entry(edge.first).or_default().push(id);
        }
    }
    let free = waits.iter().filter(|(_, firsts)| firsts.is_empty());
    let mut ready: BinaryHeap<Reverse<SortKey<'a>>> =
        free.map(|(id, _)| Reverse(keys[id])).collect();
    let mut ids = Vec::with_capacity(edges.len());
    while let Some(Reverse((_, _, _, id))) = ready.pop() {
        ids.push(id);
        for follower in followers.remove(id).unwrap_or_default() {
            let Some(firsts) = waits.get_mut(follower) else {
                continue;
            };
            if firsts.remove(id) && firsts.is_empty() {
                ready.push(Reverse(keys[follower]));
            }
        }
    }
    ids
}

/// The one turn that every resource has, and before those of services the unit files that the role brings; but for
/// services that come after something that comes later, which bring theirs at their own turn.
fn with_units(
    desired: &Desired,
    ids: &[&ResourceId],
    edges: &Edges<'_>,
    stops: &dyn Fn(&ResourceId) -> bool,
) -> Vec<Step> {
    let is_first = |id: &&ResourceId| id.kind == Kind::Service && !stops(id);
    let first = ids.iter().position(is_first);
    let (before, after) = ids.split_at(first.unwrap_or(ids.len()));
    let done: BTreeSet<&ResourceId> = before.iter().copied().collect();
    let units = after.iter().filter(|id| {
        let brings = matches!(
            desired.get(id).map(|resource| &resource.body),
            Some(Body::Service(service)) if service.unit_file.is_some()
        );
        brings && needs(id, edges).all(|first| done.contains(first))
    });
    let units = units.map(|id| step(id, Phase::Unit, edges));
    let main = |ids: &[&ResourceId]| {
        let steps = ids.iter().map(|id| step(id, Phase::Main, edges));
        steps.collect::<Vec<Step>>()
    };
    main(before)
        .into_iter()
        .chain(units)
        .chain(main(after))
        .collect()
}

/// Puts the masks in: after repositories, groups and users, before the first package.
fn with_masks(
    desired: &Desired,
    mut steps: Vec<Step>,
    ranks: &BTreeMap<&ResourceId, Rank>,
) -> Vec<Step> {
    let at = steps
        .iter()
        .position(|step| ranks[&step.resource] >= Rank::Package)
        .unwrap_or(steps.len());
    let masks = desired.resources.iter().filter(|resource| {
        let says = matches!(&resource.body, Body::Service(service) if service.masked.is_some());
        says || early::waits(resource, desired)
    });
    let masks: Vec<Step> = masks
        .map(|resource| Step {
            resource: resource.id.clone(),
            phase: Phase::Mask,
            needs: Vec::new(),
        })
        .collect();
    steps.splice(at..at, masks);
    steps
}

fn step(id: &ResourceId, phase: Phase, edges: &Edges<'_>) -> Step {
    Step {
        resource: id.clone(),
        phase,
        needs: needs(id, edges).cloned().collect(),
    }
}

fn needs<'a>(id: &ResourceId, edges: &'a Edges<'_>) -> impl Iterator<Item = &'a ResourceId> {
    let needs = edges[id].iter().filter(|edge| edge.bond == Bond::Needs);
    needs.map(|edge| edge.first)
}
