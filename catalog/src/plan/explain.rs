//! What one resource has to do with the others of its role.

use super::edges::{Why, edges};
use crate::id::ResourceId;
use crate::resource::Desired;

/// A neighbour, and what ties it to the resource in question.
pub type Tie = (ResourceId, Why);

/// The neighbours of one resource.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ties {
    /// What it comes after.
    pub after: Vec<Tie>,
    /// What comes after it.
    pub before: Vec<Tie>,
    /// The services that are restarted or reloaded, and the commands that are run, when it changes.
    pub wakes: Vec<Tie>,
}

/// The neighbours of this resource, each list sorted by name.
pub fn ties(desired: &Desired, id: &ResourceId) -> Ties {
    let edges = edges(desired);
    let name = |at: usize| desired.resources[at].id.clone();
    let mut ties = Ties::default();
    let Some(own) = desired.position(id) else {
        return ties;
    };
    let firsts = edges[own].iter();
    ties.after
        .extend(firsts.map(|edge| (name(edge.first), edge.why)));
    for (other, firsts) in edges.iter().enumerate() {
        for edge in firsts.iter().filter(|edge| edge.first == own) {
            let tie = (name(other), edge.why);
            match edge.why {
                Why::On | Why::Restart | Why::Reload => ties.wakes.push(tie),
                _ => ties.before.push(tie),
            }
        }
    }
    for list in [&mut ties.after, &mut ties.before, &mut ties.wakes] {
        list.sort();
    }
    ties
}
