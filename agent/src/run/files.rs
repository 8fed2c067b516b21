//! Files at their turn: those that stand together and do not depend on one another go together.

use super::batch::together;
use super::engine::{Engine, Task};
use super::site::{Hand, Stage, Trouble};
use cfg_catalog::id::Kind;
use cfg_catalog::plan::{Phase, PlannedStep};
use cfg_catalog::resource::{Body, Resource};

/// So many at once: each is held open until it is in its place.
const MOST: usize = 128;

/// Files that say who is who, which others' owners are found in.
const ACCOUNTS: [&str; 2] = ["/etc/passwd", "/etc/group"];

impl<'a, H: Hand> Engine<'a, H> {
    /// How many files can go together from here.
    pub(super) fn file_batch(&self, steps: &[PlannedStep]) -> usize {
        together(&steps[..steps.len().min(MOST)], |step| {
            step.resource.kind == Kind::File && self.resource(&step.resource).is_some_and(is_plain)
        })
    }

    /// Takes the turns of these files.
    pub(super) fn files(&mut self, steps: &[PlannedStep]) -> Result<(), Trouble> {
        let turns = self.turns(steps)?;
        let resources: Vec<&Resource> = turns.iter().map(|(_, resource)| *resource).collect();
        self.look_again(&resources, Stage::Turn);
        let mut tasks: Vec<Task<'a>> = Vec::new();
        for (step, resource) in turns {
            let verdict = self.judge(Phase::Main, resource);
            let task = self.take_up(step, resource, verdict);
            tasks.extend(task.filter(|task| !task.due.is_empty()));
        }
        let resources: Vec<&Resource> = tasks.iter().map(|task| task.resource).collect();
        self.meet(&resources)?;
        let due: Vec<_> = tasks
            .iter()
            .map(|task| (task.resource, task.changes()))
            .collect();
        let outcomes = self.hand.files(&due);
        for (task, outcome) in tasks.iter().zip(&outcomes) {
            self.note(task, outcome);
        }
        self.look_again(&resources, Stage::Turn);
        for (task, outcome) in tasks.iter().zip(outcomes) {
            match outcome {
                Ok(()) => self.confirm(task),
                Err(Trouble::Failed(why)) => self.fail(&task.resource.id, why),
                Err(stop @ Trouble::Stop(_)) => return Err(stop),
            }
        }
        Ok(())
    }
}

/// Whether nothing but the file itself is read or run at its turn.
fn is_plain(resource: &Resource) -> bool {
    match &resource.body {
        Body::File(file) => file.validate.is_none() && !ACCOUNTS.contains(&file.path.as_str()),
        _ => false,
    }
}
