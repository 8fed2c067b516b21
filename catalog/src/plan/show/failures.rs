//! What failed, for a person: why, what was skipped because of it, and what to do. Many failures of one cause are one.

use crate::id::ResourceId;
use crate::plan::document::{Document, Failure};

/// So many names are listed; the rest is counted.
const NAMES: usize = 8;

/// Failures of one cause.
pub(super) struct Group<'a> {
    /// The first of them.
    pub(super) first: &'a Failure,
    /// The others.
    others: Vec<&'a ResourceId>,
    skipped: Vec<&'a ResourceId>,
}

/// What failed, in the order in which the first of each cause did.
pub(super) fn groups(document: &Document) -> Vec<Group<'_>> {
    let mut groups: Vec<Group<'_>> = Vec::new();
    for failure in &document.failures {
        let same = groups
            .iter_mut()
            .find(|group| is_same(group.first, failure));
        match (same, &failure.resource) {
            (Some(group), Some(id)) => {
                group.others.push(id);
                group.skipped.extend(&failure.skipped);
            }
            _ => groups.push(Group {
                first: failure,
                others: Vec::new(),
                skipped: failure.skipped.iter().collect(),
            }),
        }
    }
    groups
}

/// Whether two resources of one kind failed for one reason: in the same words, but for their names.
fn is_same(one: &Failure, other: &Failure) -> bool {
    let (Some(a), Some(b)) = (&one.resource, &other.resource) else {
        return false;
    };
    let nameless = |failure: &Failure, id: &ResourceId| failure.message.replace(&*id.name, "\0");
    a.kind == b.kind && nameless(one, a) == nameless(other, b)
}

impl Group<'_> {
    /// The lines below the first one's name that come after its message.
    pub(super) fn words(&self) -> Vec<String> {
        let mut words = Vec::new();
        if !self.others.is_empty() {
            words.push(format!("the same of {}", listed(&self.others)));
        }
        if !self.skipped.is_empty() {
            words.push(format!("skipped because of it: {}", listed(&self.skipped)));
        }
        if let Some(remedy) = &self.first.remedy {
            words.push(format!("to do: {remedy}"));
        }
        words
    }
}

fn listed(ids: &[&ResourceId]) -> String {
    let shown: Vec<String> = ids.iter().take(NAMES).map(ToString::to_string).collect();
    match ids.len().saturating_sub(NAMES) {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}
