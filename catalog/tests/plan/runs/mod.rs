//! Stories of whole runs: a plan, what the run then does, and that a second one has nothing to do.

mod others;
mod services;
mod units;

use crate::build::*;
use crate::model::machine::Machine;
use crate::model::run::{Ran, words};
use crate::running::{dry, run};
use cfg_catalog::id::ResourceId;
use cfg_catalog::plan::document::Document;
use cfg_catalog::plan::{Action, Certainty, Ledger};
use cfg_catalog::resource::{Desired, Resource};

/// A run that does just what the plan before it said, after which there is nothing to do.
fn true_run(machine: &mut Machine, desired: &Desired, ledger: &Ledger) -> Ran {
    let promised = dry(machine, desired, ledger);
    let ran = run(machine, desired, ledger);
    assert_eq!(ran.document.failures, []);
    assert_eq!(ran.document.unforeseen, []);
    let made = words(&ran.document);
    for change in &promised.changes {
        let word = format!("{} {}", change.resource, change.action.word());
        assert!(
            made.contains(&word) || change.certainty == Certainty::Assumed,
            "{word} was promised; {made:?}"
        );
    }
    for word in &made {
        assert!(words(&promised).contains(word), "{word} was not promised");
    }
    let again = dry(machine, desired, &ran.ledger);
    assert_eq!(words(&again), [] as [&str; 0]);
    assert_eq!(again.exit_code(), 0);
    ran
}

fn certainty(document: &Document, resource: &str) -> Vec<(Action, Certainty)> {
    let of = document
        .changes
        .iter()
        .filter(|c| c.resource == id(resource));
    of.map(|c| (c.action, c.certainty)).collect()
}

fn causes(document: &Document, resource: &str, action: Action) -> Vec<ResourceId> {
    let mut of = document.changes.iter();
    let of = of.find(|c| c.resource == id(resource) && c.action == action);
    of.unwrap_or_else(|| panic!("no {action:?} of {resource}"))
        .causes
        .clone()
}

/// A machine that has been brought to its role, with its ledger.
fn settled(resources: Vec<Resource>, mut machine: Machine) -> (Machine, Desired, Ledger) {
    let desired = role(resources);
    let ran = true_run(&mut machine, &desired, &Ledger::default());
    machine.log.clear();
    (machine, desired, ran.ledger)
}
