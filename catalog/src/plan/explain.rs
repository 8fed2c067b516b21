//! What one resource has to do with the others of its role.

use super::edges::{Edges, Why, edges};
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
    let edges: Edges<'_> = edges(desired);
    let firsts = edges.get(id).into_iter().flatten();
    let mut ties = Ties {
        after: firsts.map(|edge| (edge.first.clone(), edge.why)).collect(),
        ..Ties::default()
    };
    for (other, firsts) in &edges {
        for edge in firsts.iter().filter(|edge| edge.first == id) {
            let tie = ((*other).clone(), edge.why);
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
