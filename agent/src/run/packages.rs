//! Packages at their turn: as many as can be in one transaction.

use super::difference::difference;
use super::engine::{Engine, Task};
use super::site::{Hand, Lacks, PackageMove, Stage, Trouble};
use cfg_catalog::plan::{Action, Change, Due, Phase, PlannedStep, Verdict};
use cfg_catalog::resource::{Observed, Resource};

impl<'a, H: Hand> Engine<'a, H> {
    /// Takes the turns of these packages, which stand together.
    pub(super) fn packages(&mut self, steps: &[PlannedStep]) -> Result<(), Trouble> {
        if steps.iter().all(|step| self.stands(step)) {
            return Ok(());
        }
        let turns = self.turns(steps)?;
        let resources: Vec<&Resource> = turns.iter().map(|(_, resource)| *resource).collect();
        let complaint = self.refreshed(&resources)?;
        let mut tasks = Vec::new();
        for (step, resource) in turns {
            let mut verdict = self.judge(Phase::Main, resource);
            if let (Some(why), Some(complaint)) = (&mut verdict.obstacle, &complaint) {
                why.push_str("; the index could not be refreshed whole: ");
                why.push_str(complaint);
            }
            let task = self.take_up(step, resource, verdict);
            tasks.extend(task.filter(|task| !task.due.is_empty()));
        }
        let tasks = self.fetched(tasks)?;
        if tasks.is_empty() {
            return Ok(());
        }
        self.move_packages(&tasks)
    }

    /// Those of these that may move, with all that they need on this machine, where a slot is needed: a mirror may be slower than a
    /// slot is lost, and once apt has begun nothing stops it.
    fn fetched(&mut self, mut tasks: Vec<Task<'a>>) -> Result<Vec<Task<'a>>, Trouble> {
        let disrupts = |task: &Task<'_>| task.due.iter().any(|due| due.change.disrupts());
        if !self.licence.may_be_lost() || !tasks.iter().any(disrupts) {
            return Ok(tasks);
        }
        let moves: Vec<PackageMove<'_>> = tasks.iter().map(|task| self.as_move(task)).collect();
        let mut failed = match self.hand.fetch(&moves) {
            Ok(failed) => failed,
            Err(Trouble::Failed(why)) => moves
                .iter()
                .map(|one| (one.resource.id.clone(), why.clone()))
                .collect(),
            Err(stop) => return Err(stop),
        };
        tasks.retain(|task| {
            let id = &task.resource.id;
            if let Some(why) = failed.remove(id) {
                self.fail(id, why);
            } else if let Some(why) = self.licence.forbids(id, &task.changes()) {
                self.withhold(id, why);
            } else {
                return true;
            }
            false
        });
        Ok(tasks)
    }

    /// Looks at these packages, with an index that is new enough where one of them must move.
    fn refreshed(&mut self, resources: &[&Resource]) -> Result<Option<String>, Trouble> {
        self.look_at_packages(resources, Stage::Plan);
        let moving: Vec<&&Resource> = resources
            .iter()
            .filter(|resource| moves(&self.judge(Phase::Main, resource)))
            .collect();
        if moving.is_empty() {
            return Ok(None);
        }
        let unknown = |resource: &&&Resource| match self.now.observed.get(&resource.id) {
            Some(Observed::Package(state)) => state.available.is_none(),
            _ => false,
        };
        let lacks = match moving.iter().find(|resource| unknown(resource)) {
            Some(_) => Lacks::Version,
            None => Lacks::Nothing,
        };
        let complaint = self.refresh(lacks)?;
        self.look_at_packages(resources, Stage::Turn);
        Ok(complaint)
    }

    /// Looks at these packages. What others take to another version by the plan is still to go there as long as it has not moved.
    fn look_at_packages(&mut self, resources: &[&Resource], stage: Stage) {
        self.look_again(resources, stage);
        let begun = self.begun;
        for resource in resources {
            let Some(Observed::Package(before)) = begun.observed.get(&resource.id) else {
                continue;
            };
            if before.drawn.is_none() {
                continue;
            }
            if let Some(Observed::Package(now)) = self.now.to_mut().observed.get_mut(&resource.id)
                && now.dpkg == before.dpkg
            {
                now.drawn.clone_from(&before.drawn);
            }
        }
    }

    fn move_packages(&mut self, tasks: &[Task<'a>]) -> Result<(), Trouble> {
        let moves: Vec<PackageMove<'_>> = tasks.iter().map(|task| self.as_move(task)).collect();
        let failed = match self.hand.packages(&moves) {
            Ok(failed) => failed,
            Err(Trouble::Failed(why)) => {
                for task in tasks {
                    self.fail(&task.resource.id, why.clone());
                }
                return Ok(());
            }
            Err(stop) => return Err(stop),
        };
        self.services.units_read();
        let resources: Vec<&Resource> = tasks.iter().map(|task| task.resource).collect();
        self.look_at_packages(&resources, Stage::Turn);
        for task in tasks {
            let left = self.judge(task.phase, task.resource);
            // What dpkg has decides; an exit status may tell of another package.
            match difference(&left) {
                None => self.made(&task.due),
                Some(left) => {
                    let told = failed.get(&task.resource.id);
                    self.fail(&task.resource.id, told.cloned().unwrap_or(left));
                }
            }
        }
        Ok(())
    }

    fn as_move(&self, task: &Task<'a>) -> PackageMove<'a> {
        let held = match self.now.observed.get(&task.resource.id) {
            Some(Observed::Package(state)) => state.held,
            _ => false,
        };
        let changes: Vec<Change> = task
            .due
            .iter()
            .map(|due: &Due| due.change.clone())
            .collect();
        PackageMove {
            resource: task.resource,
            changes,
            held,
        }
    }
}

/// Whether a package is to come or to change its version, or cannot for want of one.
fn moves(verdict: &Verdict) -> bool {
    let moves = |change: &Change| {
        matches!(
            change.action,
            Action::Install | Action::Upgrade | Action::Downgrade
        )
    };
    verdict.obstacle.is_some() || verdict.changes.iter().any(moves)
}
