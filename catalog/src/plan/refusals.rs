//! What a machine would refuse of what is planned. It is found out before the run, which could only fail there, or may not
//! do it.

use super::claims::path_of;
use super::elsewhere::perhaps;
use super::turn::{Found, Turn, Verdict};
use super::unprivileged::opened;
use super::{Action, Certainty, Change};
use crate::id::{Kind, ResourceId};
use crate::path::AbsPath;
use crate::resource::Resource;
use std::collections::{BTreeMap, BTreeSet};

/// Why a change of a resource will not come about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// It is not this process's to make: it is held.
    Held(String),
    /// So it is, unless the role lets this ordinary user write in the folder.
    Shut(AbsPath, String),
    /// It can only fail.
    Fails(String),
    /// It can only fail, unless something before it makes way.
    Blocked(String),
    /// It can only fail while processes run.
    Busy {
        /// Whose, in words.
        why: String,
        /// The services that they are of; none of one that is of no service.
        units: BTreeSet<Option<String>>,
    },
    /// It can only fail by then, whether or not anything seems to be to do.
    Never(String),
    /// It fails now, and may not by then.
    Perhaps,
}

/// By what would be changed: resources, and victims of a purge.
pub type Refusals = BTreeMap<ResourceId, Refusal>;

/// The judgement with what the machine would refuse of it. In a run the effect itself tells what cannot be done.
pub(crate) fn heed(resource: &Resource, mut verdict: Verdict, turn: &Turn<'_>) -> Verdict {
    let refusals = &turn.host.refusals;
    if refusals.is_empty() {
        return verdict;
    }
    if verdict.obstacle.is_some()
        && let Some(Refusal::Held(why)) = refusals.get(&resource.id)
    {
        // He could not even look.
        return Verdict {
            held: vec![why.clone()],
            ..Verdict::default()
        };
    }
    if turn.ahead.is_ahead() {
        match refusals.get(&resource.id) {
            Some(Refusal::Never(why)) if turn.claims.clash(&resource.id).is_none() => {
                return failing(why);
            }
            Some(Refusal::Perhaps) if verdict.obstacle.is_some() => perhaps(resource, &mut verdict),
            _ => {}
        }
    }
    let mut left = Vec::new();
    let mut stays: Vec<AbsPath> = Vec::new();
    for change in std::mem::take(&mut verdict.changes) {
        if holds(&change, &stays) {
            continue;
        }
        match refusals.get(&change.resource) {
            Some(Refusal::Shut(folder, _)) if opened(turn, folder) => verdict.changes.push(change),
            Some(Refusal::Held(why) | Refusal::Shut(_, why)) => {
                let word = change.action.word();
                verdict.held.push(format!("{word}: {why}"));
                stays.extend(path_of(&change.resource));
            }
            Some(Refusal::Blocked(_)) if is_open(&change, turn) => {
                verdict.changes.push(change.at_most(Certainty::Assumed));
            }
            Some(Refusal::Busy { units, .. }) if turn.ahead.stops_all(units) => {
                verdict.changes.push(change);
            }
            Some(Refusal::Busy { .. }) if turn.ahead.may_end_processes() => {
                verdict.changes.push(change.at_most(Certainty::Assumed));
            }
            Some(Refusal::Fails(why) | Refusal::Blocked(why) | Refusal::Busy { why, .. })
                if turn.ahead.is_ahead() =>
            {
                if change.resource == resource.id {
                    return failing(why);
                }
                left.push(why.as_str());
                stays.extend(path_of(&change.resource));
            }
            _ => verdict.changes.push(change),
        }
    }
    let missed = match left.as_slice() {
        [] => return verdict,
        [one] => (*one).to_owned(),
        many => format!("not all could be removed: {}", many.join("; ")),
    };
    verdict.missed = Some(match verdict.missed {
        Some(others) => format!("{others}; {missed}"),
        None => missed,
    });
    verdict
}

fn failing(why: &str) -> Verdict {
    Verdict {
        obstacle: Some(why.to_owned()),
        ..Verdict::default()
    }
}

/// What is held of a resource that this process can neither read nor change.
pub(crate) fn held(resource: &Resource, turn: &Turn<'_>) -> Option<Found> {
    match turn.host.refusals.get(&resource.id)? {
        Refusal::Held(why) => Some(Found {
            held: vec![why.clone()],
            ..Found::default()
        }),
        _ => None,
    }
}

/// Whether a folder is to go that something stays in: it stays with that, which is said of the one alone.
fn holds(change: &Change, stays: &[AbsPath]) -> bool {
    let path = path_of(&change.resource).filter(|_| change.action == Action::Remove);
    path.is_some_and(|path| {
        stays
            .iter()
            .any(|stays| stays.is_within(&path) && *stays != path)
    })
}

/// Whether what comes before it may make way.
fn is_open(change: &Change, turn: &Turn<'_>) -> bool {
    let path = path_of(&change.resource);
    let units = change.resource.kind == Kind::Service && turn.ahead.touches_units();
    units || turn.ahead.may_unblock(path.as_ref())
}
