//! A run over the machine in memory, as the agent's engine has it.

use super::machine::Machine;
use cfg_catalog::plan::Fate;
use cfg_catalog::plan::claims::Claims;
use cfg_catalog::plan::document::{Document, Done, Failure, Head, Unforeseen};
use cfg_catalog::plan::inputs::inputs;
use cfg_catalog::plan::{
    Action, Change, Ledger, Plan, PlannedStep, Snapshot, Standing, Turn, Verdict, ahead::Ahead,
    begin, plan, settle, turn,
};
use cfg_catalog::resource::{Desired, Observed, Resource};

/// What a run has left.
pub struct Ran {
    pub document: Document,
    pub ledger: Ledger,
    pub done: Done,
}

/// One run, as the agent's engine does it, for so many effects: none where it was killed after the last. `meets` hears what stands at each turn before
/// the first effect of it.
pub fn run_for(
    machine: &mut Machine,
    desired: &Desired,
    ledger: &Ledger,
    lives: usize,
    meets: &mut dyn FnMut(&Resource, &Observed),
) -> Option<Ran> {
    let begun = machine.snapshot(desired);
    let plan = plan(desired, &begun, ledger).unwrap();
    let mut run = Run {
        lives,
        meets,
        desired,
        claims: Claims::of(desired, &begun),
        ledger: begin(desired, &begun, ledger),
        begun,
        plan: &plan,
        done: Done {
            failures: plan.failures.clone(),
            held: plan.held.clone(),
            ..Done::default()
        },
    };
    for step in &plan.steps {
        if step.fate == Fate::Goes && !run.step(machine, step) {
            return None;
        }
    }
    let (done, ledger) = (run.done, run.ledger);
    let document = Document::of_run(Head::default(), &plan, done.clone());
    Some(Ran {
        document,
        ledger,
        done,
    })
}

struct Run<'a> {
    desired: &'a Desired,
    claims: Claims,
    ledger: Ledger,
    begun: Snapshot,
    plan: &'a Plan,
    done: Done,
    lives: usize,
    meets: &'a mut dyn FnMut(&Resource, &Observed),
}

impl Run<'_> {
    fn judge(&self, machine: &Machine, step: &PlannedStep) -> (Verdict, Observed) {
        let now = machine.snapshot(self.desired);
        let resource = self.resource(step);
        let observed = now.observed.get(&resource.id).cloned();
        let observed = observed.unwrap_or_else(|| machine.observe(resource, false));
        let context = Turn {
            desired: self.desired,
            claims: &self.claims,
            ledger: &self.ledger,
            inputs: &inputs(self.desired, &now),
            host: &machine.host,
            ahead: &Ahead::nothing(),
        };
        let verdict = turn(step.step.phase, resource, Some(&observed), &context);
        (verdict, observed)
    }

    fn resource(&self, step: &PlannedStep) -> &Resource {
        self.plan
            .resource(self.desired, &step.step.resource)
            .unwrap()
    }

    /// Whether it lived through it.
    fn step(&mut self, machine: &mut Machine, step: &PlannedStep) -> bool {
        let (verdict, observed) = self.judge(machine, step);
        if let Some(why) = verdict.obstacle {
            let failure = Failure::of(&step.step.resource, why);
            self.done.failures.push(failure);
            return true;
        }
        let settled = settle(&step.changes, verdict.changes, &self.begun);
        self.done.changes.extend(settled.already);
        if !settled.due.is_empty() {
            let resource = self.resource(step).clone();
            (self.meets)(&resource, &observed);
        }
        for due in settled.due {
            if self.lives == 0 {
                return false;
            }
            self.lives -= 1;
            let read = inputs(self.desired, &machine.snapshot(self.desired));
            machine.apply(self.desired, self.plan, &due.change);
            self.record(machine, step, &due.change, &read);
            match due.standing {
                Standing::Planned(planned) => self.done.changes.push(planned),
                Standing::Tidying => {}
                // No command of the model writes where something comes after it.
                Standing::Unforeseen | Standing::Consequence(_) => {
                    self.done.unforeseen.push(Unforeseen {
                        resource: due.change.resource.clone(),
                        action: due.change.action,
                    });
                    self.done.changes.push(due.change);
                }
            }
        }
        let (again, observed) = self.judge(machine, step);
        assert!(
            again.changes.is_empty() && again.obstacle.is_none(),
            "after its turn: {again:?} of {observed:?}"
        );
        true
    }

    fn record(
        &mut self,
        machine: &Machine,
        step: &PlannedStep,
        change: &Change,
        read: &cfg_catalog::plan::inputs::Inputs,
    ) {
        let resource = self.resource(step).clone();
        match change.action {
            Action::Start | Action::Restart => {
                let Observed::Service(state) = machine.observe(&resource, false) else {
                    unreachable!("only services start");
                };
                self.ledger.started(&resource, &state, read);
            }
            Action::Reload => self.ledger.reloaded(&resource, read),
            Action::Run => self.ledger.succeeded(&resource, read),
            _ => {}
        }
    }
}

/// `kind:name action`, in order.
pub fn words(document: &Document) -> Vec<String> {
    document
        .changes
        .iter()
        .map(|c| format!("{} {}", c.resource, c.action.word()))
        .collect()
}
