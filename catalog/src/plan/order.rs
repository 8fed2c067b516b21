//! The order of a run. It comes from the role alone, so it is the same on every machine and in every run.
//!
//! By kind first: repositories and /etc/apt, groups, users, masks, packages, directories, files, links, edits, sysctl,
//! mounts, archives, commands, unit files, services; by name within. What something comes after overrides that, and packages stay together as far as it
//! lets them, since each gathering of packages is one transaction of apt.

use super::claims::presence;
use super::early;
use super::edges::{Bond, Edges, Why, edges};
use crate::id::{Kind, ResourceId};
use crate::resource::service::{Activity, Service, UNITS};
use crate::resource::{Body, Desired, Presence, Resource};
use std::cmp::Reverse;
use std::collections::{BTreeSet, BinaryHeap};
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

/// A turn, and where its resource stands in the role.
pub(crate) type Placed = (usize, Step);

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
    let turns = turns(desired)?;
    Ok(turns.into_iter().map(|(_, step)| step).collect())
}

/// The same, each with where its resource stands in the role.
pub(crate) fn turns(desired: &Desired) -> Result<Vec<Placed>, Cycle> {
    let edges = edges(desired);
    let sorted = sorted(desired, &edges)?;
    let ranks: Vec<Rank> = desired
        .resources
        .iter()
        .map(|resource| rank_in(desired, resource))
        .collect();
    let early = reaching(&edges, &sorted, |at| ranks[at] == Rank::Apt);
    let mut keys = vec![(0, 0, Rank::Apt, 0); ranks.len()];
    for (section, chosen) in [(0, true), (1, false)] {
        let part: Vec<usize> = sorted
            .iter()
            .copied()
            .filter(|at| early[*at] == chosen)
            .collect();
        let ranks = held(&edges, &ranks, &part);
        let rounds = rounds(&edges, &ranks, &part);
        for at in part {
            keys[at] = (
                section,
                rounds[at].unwrap_or(0),
                ranks[at].unwrap_or(Rank::Apt),
                at,
            );
        }
    }
    let turns = by_key(&edges, &keys);
    let steps = with_units(desired, &turns, &edges, &ranks);
    Ok(with_masks(desired, steps))
}

/// Whether there is an order at all.
///
/// # Errors
/// Where resources come after each other in a circle.
pub fn order_exists(desired: &Desired) -> Result<(), Cycle> {
    sorted(desired, &edges(desired)).map(|_sorted| ())
}

/// What these resources come after, near and far, and they themselves: with what they must come, where only some
/// of a role is applied.
pub fn closure(desired: &Desired, chosen: &BTreeSet<ResourceId>) -> BTreeSet<ResourceId> {
    let edges = edges(desired);
    let mut found = BTreeSet::new();
    // What is not rendered waits, and comes after nothing.
    let waits = chosen.iter().filter(|id| desired.waiting.of(id).is_some());
    found.extend(waits.filter(|id| desired.get(id).is_none()).cloned());
    let mut open: Vec<usize> = chosen
        .iter()
        .filter_map(|id| desired.position(id))
        .collect();
    while let Some(at) = open.pop() {
        if found.insert(desired.resources[at].id.clone()) {
            open.extend(edges[at].iter().map(|edge| edge.first));
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

fn rank_in(desired: &Desired, resource: &Resource) -> Rank {
    match desired.reverts.contains(&resource.id) {
        true => rank_of_revert(resource),
        false => rank(resource),
    }
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

/// Every resource after all that it comes after, in some order. Resources are meant by where they stand in the role.
fn sorted(desired: &Desired, edges: &Edges) -> Result<Vec<usize>, Cycle> {
    let mut done = vec![false; edges.len()];
    let mut sorted = Vec::with_capacity(edges.len());
    for start in 0..edges.len() {
        // The way from `start` to where we are, each with how many of its edges have been walked.
        let mut way: Vec<(usize, usize)> = vec![(start, 0)];
        if done[start] {
            continue;
        }
        while let Some((at, walked)) = way.pop() {
            let Some(edge) = edges[at].get(walked) else {
                done[at] = true;
                sorted.push(at);
                continue;
            };
            way.push((at, walked + 1));
            if let Some(from) = way.iter().position(|(on_way, _)| *on_way == edge.first) {
                let path = way[from..].iter().map(|(at, walked)| {
                    let id = desired.resources[*at].id.clone();
                    (id, edges[*at][walked - 1].why)
                });
                return Err(Cycle {
                    path: path.collect(),
                });
            }
            if !done[edge.first] {
                way.push((edge.first, 0));
            }
        }
    }
    Ok(sorted)
}

/// What of these is wanted, and all that it comes after: true at its place.
fn reaching(edges: &Edges, sorted: &[usize], wanted: impl Fn(usize) -> bool) -> Vec<bool> {
    let mut found = vec![false; edges.len()];
    for at in sorted.iter().rev().copied() {
        if wanted(at) || found[at] {
            found[at] = true;
            for edge in &edges[at] {
                found[edge.first] = true;
            }
        }
    }
    found
}

/// The ranks of a part of a role, none of the others. What ranks before packages and comes after one is held back to
/// where it splits no transaction.
fn held(edges: &Edges, ranks: &[Rank], part: &[usize]) -> Vec<Option<Rank>> {
    let mut held: Vec<Option<Rank>> = vec![None; ranks.len()];
    for at in part.iter().copied() {
        let late = edges[at]
            .iter()
            .any(|edge| held[edge.first].is_some_and(|rank| rank >= Rank::Package));
        held[at] = Some(match ranks[at] {
            rank if rank < Rank::Package && late => Rank::Held,
            rank => rank,
        });
    }
    held
}

/// In which transaction of apt each package goes, and beside which the rest: the first in which it can, but what no
/// package waits for comes after them all.
fn rounds(edges: &Edges, ranks: &[Option<Rank>], part: &[usize]) -> Vec<Option<usize>> {
    let awaited = reaching(edges, part, |at| ranks[at] == Some(Rank::Package));
    let first_possible = |at: usize, rounds: &[Option<usize>]| {
        let of_first = edges[at].iter().filter_map(|edge| {
            let round = rounds[edge.first]?;
            let new = ranks[at] == Some(Rank::Package) && ranks[edge.first] >= Some(Rank::Package);
            Some(round + usize::from(new))
        });
        of_first.max().unwrap_or(0)
    };
    let mut rounds = vec![None; ranks.len()];
    for at in part.iter().copied().filter(|at| awaited[*at]) {
        rounds[at] = Some(first_possible(at, &rounds));
    }
    let last = rounds.iter().flatten().copied().max().unwrap_or(0);
    for at in part.iter().copied().filter(|at| !awaited[*at]) {
        let round = first_possible(at, &rounds);
        let late = match ranks[at] > Some(Rank::Package) {
            true => last,
            false => 0,
        };
        rounds[at] = Some(round.max(late));
    }
    rounds
}

/// What a turn is sorted by: resources stand in a role by name.
type SortKey = (usize, usize, Rank, usize);

/// Of what could come next, always the one with the least key.
fn by_key(edges: &Edges, keys: &[SortKey]) -> Vec<usize> {
    let mut waits = vec![0_usize; edges.len()];
    let mut followers: Vec<Vec<usize>> = vec![Vec::new(); edges.len()];
    for (at, firsts) in edges.iter().enumerate() {
        for edge in firsts {
            // Two bonds between the same two are two waits, and end together.
            waits[at] += 1;
            followers[edge.first].push(at);
        }
    }
    let free = (0..edges.len()).filter(|at| waits[*at] == 0);
    let mut ready: BinaryHeap<Reverse<SortKey>> = free.map(|at| Reverse(keys[at])).collect();
    let mut turns = Vec::with_capacity(edges.len());
    while let Some(Reverse((_, _, _, at))) = ready.pop() {
        turns.push(at);
        for follower in std::mem::take(&mut followers[at]) {
            waits[follower] -= 1;
            if waits[follower] == 0 {
                ready.push(Reverse(keys[follower]));
            }
        }
    }
    turns
}

/// The one turn that every resource has, and before those of services the unit files that the role brings; but for
/// services that come after something that comes later, which bring theirs at their own turn.
fn with_units(desired: &Desired, turns: &[usize], edges: &Edges, ranks: &[Rank]) -> Vec<Placed> {
    let resource = |at: usize| &desired.resources[at];
    let step = |at: usize, phase: Phase| {
        let needs = needs(at, edges).map(|at| resource(at).id.clone());
        let step = Step {
            resource: resource(at).id.clone(),
            phase,
            needs: needs.collect(),
        };
        (at, step)
    };
    let is_first = |at: &usize| resource(*at).id.kind == Kind::Service && ranks[*at] != Rank::Stop;
    let first = turns.iter().position(is_first);
    let (before, after) = turns.split_at(first.unwrap_or(turns.len()));
    let mut done = vec![false; turns.len()];
    for at in before {
        done[*at] = true;
    }
    let units = after.iter().copied().filter(|at| {
        let brings = matches!(
            &resource(*at).body,
            Body::Service(service) if service.unit_file.is_some()
        );
        brings && needs(*at, edges).all(|first| done[first])
    });
    let main = |turns: &[usize]| {
        let steps = turns.iter().map(|at| step(*at, Phase::Main));
        steps.collect::<Vec<Placed>>()
    };
    main(before)
        .into_iter()
        .chain(units.map(|at| step(at, Phase::Unit)))
        .chain(main(after))
        .collect()
}

/// Puts the masks in: after repositories, groups and users, before the first package.
fn with_masks(desired: &Desired, mut steps: Vec<Placed>) -> Vec<Placed> {
    let masks: Vec<Placed> = desired
        .resources
        .iter()
        .enumerate()
        .filter(|(_, resource)| {
            let says = matches!(&resource.body, Body::Service(service) if service.masked.is_some());
            says || early::waits(resource, desired)
        })
        .map(|(at, resource)| {
            let step = Step {
                resource: resource.id.clone(),
                phase: Phase::Mask,
                needs: Vec::new(),
            };
            (at, step)
        })
        .collect();
    if masks.is_empty() {
        return steps;
    }
    let late = |(at, _): &Placed| rank_in(desired, &desired.resources[*at]) >= Rank::Package;
    let at = steps.iter().position(late).unwrap_or(steps.len());
    let (after, masks): (Vec<_>, Vec<_>) = masks
        .into_iter()
        .map(|mask| (makes_way(desired, mask.0), mask))
        .partition(|(first, _)| first.is_some());
    steps.splice(at..at, masks.into_iter().map(|(_, mask)| mask));
    for (first, (at, mut mask)) in after {
        let mut turns = steps.iter();
        let place = turns.position(|(at, _)| Some(*at) == first);
        mask.needs
            .extend(first.map(|first| desired.resources[first].id.clone()));
        steps.insert(place.map_or(steps.len(), |place| place + 1), (at, mask));
    }
    steps
}

/// What the role takes away from where a mask is to stand, by its place in the role.
fn makes_way(desired: &Desired, service: usize) -> Option<usize> {
    let Body::Service(service) = &desired.resources[service].body else {
        return None;
    };
    let path = format!("{UNITS}/{}", service.unit);
    let gone = [Kind::File, Kind::Link, Kind::Directory]
        .into_iter()
        .find_map(|kind| {
            let at = desired.position(&ResourceId::new(kind, path.as_str()))?;
            let absent = presence(&desired.resources[at].body) == Presence::Absent;
            absent.then_some(at)
        });
    gone.filter(|_| service.masked == Some(true))
}

/// What this cannot do without.
fn needs(at: usize, edges: &Edges) -> impl Iterator<Item = usize> {
    let needs = edges[at].iter().filter(|edge| edge.bond == Bond::Needs);
    needs.map(|edge| edge.first)
}
