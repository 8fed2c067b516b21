//! What goes to another version along with the packages of a transaction, and for whose sake.

use super::get::Transaction;
use super::refused::{Answer, Question, together};
use super::words;
use std::collections::{BTreeMap, BTreeSet};

/// A package that is taken along.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Along {
    /// To this version.
    pub version: String,
    /// By these of the transaction.
    pub by: BTreeSet<String>,
}

impl Question<'_> {
    /// Which of these packages, which are there and not in the transaction, go along with what apt takes of it.
    ///
    /// # Errors
    /// Where apt-get cannot be run.
    pub fn along(
        &self,
        answer: &Answer,
        named: &BTreeSet<&str>,
    ) -> anyhow::Result<BTreeMap<String, Along>> {
        let whole = together(&answer.taken);
        let listed: BTreeSet<&str> = whole.packages().collect();
        let mut along = moved(&answer.simulation);
        along.retain(|name, _| named.contains(name.as_str()) && !listed.contains(name.as_str()));
        let all = along.keys().cloned().collect();
        self.blame(&answer.taken, &all, &mut along)?;
        Ok(along)
    }

    /// Who of these takes these along: asked in halves, as few times as can be.
    fn blame(
        &self,
        singles: &[Transaction],
        taken: &BTreeSet<String>,
        along: &mut BTreeMap<String, Along>,
    ) -> anyhow::Result<()> {
        if taken.is_empty() {
            return Ok(());
        }
        let mut left = taken.clone();
        if singles.len() > 1 {
            let (first, second) = singles.split_at(singles.len() / 2);
            for half in [first, second] {
                let Ok(simulation) = self.simulate(&together(half), half)? else {
                    continue;
                };
                let mut own: BTreeSet<String> = moved(&simulation).into_keys().collect();
                own.retain(|name| taken.contains(name));
                self.blame(half, &own, along)?;
                left.retain(|name| !own.contains(name));
            }
        }
        // The one that there is; or none of these alone.
        for name in left {
            let by = singles.iter().flat_map(Transaction::packages);
            along
                .entry(name)
                .or_default()
                .by
                .extend(by.map(str::to_owned));
        }
        Ok(())
    }
}

/// What a simulation takes to another version.
fn moved(simulation: &str) -> BTreeMap<String, Along> {
    let there = words::unpacked(simulation).filter(|one| one.from.is_some_and(|old| old != one.to));
    there
        .map(|one| {
            let along = Along {
                version: one.to.to_owned(),
                by: BTreeSet::new(),
            };
            (one.name.to_owned(), along)
        })
        .collect()
}
