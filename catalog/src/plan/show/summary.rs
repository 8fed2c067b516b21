//! A document in one line: how many resources came to what. Each counts once, and what else is true of it is said beside that.

use crate::id::ResourceId;
use crate::plan::Certainty;
use crate::plan::document::Document;
use std::collections::BTreeSet;

/// What came of it in one line: `3 to change, 39 in sync`.
pub fn summary(document: &Document) -> String {
    let counts = &document.counts;
    let assumed: BTreeSet<&ResourceId> = document
        .changes
        .iter()
        .filter(|change| change.certainty == Certainty::Assumed)
        .map(|change| &change.resource)
        .collect();
    let word = if document.dry_run {
        "to change"
    } else {
        "changed"
    };
    let changed = match counts.changed {
        0 if document.changes.is_empty() => format!("nothing {word}"),
        n if document.dry_run && !assumed.is_empty() => {
            format!("{n} {word} ({} assumed)", assumed.len())
        }
        n => format!("{n} {word}"),
    };
    let mut words = vec![changed, format!("{} in sync", counts.in_sync)];
    match (counts.failed, changed_and_failed(document)) {
        (0, _) => {}
        (n, 0) => words.push(format!("{n} failed")),
        (n, both) => words.push(format!("{n} failed ({both} of them {word})")),
    }
    let others = [
        (counts.skipped, "skipped"),
        (counts.held, "held"),
        (held_in_part(document), "held in part"),
    ];
    for (count, word) in others {
        if count > 0 {
            words.push(format!("{count} {word}"));
        }
    }
    if !document.leftovers.is_empty() {
        words.push(format!("{} left over", document.leftovers.len()));
    }
    words.join(", ")
}

/// How many of those that failed were changed all the same: a command that has run, and would be run again.
fn changed_and_failed(document: &Document) -> usize {
    let failed = document.failures.iter();
    let failed: BTreeSet<&ResourceId> = failed.filter_map(|it| it.resource.as_ref()).collect();
    let changed = document.changes.iter().map(|change| &change.resource);
    let changed: BTreeSet<&ResourceId> = changed.collect();
    failed.intersection(&changed).count()
}

/// How many of the resources of which something is held count as something else: what was changed of them, or failed.
fn held_in_part(document: &Document) -> usize {
    let changed = document.changes.iter().map(|change| &change.resource);
    let failed = document.failures.iter();
    let failed = failed.flat_map(|failure| failure.resource.iter().chain(&failure.skipped));
    let counted: BTreeSet<&ResourceId> = changed.chain(failed).collect();
    let held = document.held.iter().map(|held| &held.resource);
    let held: BTreeSet<&ResourceId> = held.collect();
    held.intersection(&counted).count()
}
