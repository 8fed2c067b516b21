//! Turns that stand together and do not come after each other, which are taken at once.

use super::engine::Engine;
use super::site::{Hand, Trouble};
use cfg_catalog::id::ResourceId;
use cfg_catalog::plan::{PlannedStep, Step};
use cfg_catalog::resource::Resource;
use std::collections::BTreeSet;

/// How many of these can go together from the first on, where all of them are fit for it.
pub(super) fn together(steps: &[PlannedStep], fit: impl Fn(&Step) -> bool) -> usize {
    let mut batch: BTreeSet<&ResourceId> = BTreeSet::new();
    for PlannedStep { step, .. } in steps {
        let waits = step.needs.iter().any(|need| batch.contains(need));
        if waits || !fit(step) {
            break;
        }
        batch.insert(&step.resource);
    }
    batch.len()
}

impl<'a, H: Hand> Engine<'a, H> {
    /// What these turns are of, once what they need has settled.
    pub(super) fn turns<'s>(
        &mut self,
        steps: &'s [PlannedStep],
    ) -> Result<Vec<(&'s PlannedStep, &'a Resource)>, Trouble> {
        for step in steps {
            self.settle_needed(&step.step)?;
        }
        let turn = |step: &'s PlannedStep| Some((step, self.resource(&step.step.resource)?));
        Ok(steps.iter().filter_map(turn).collect())
    }
}
