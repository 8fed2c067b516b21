//! Laws that hold for every role and every machine.

mod drift;
mod failures;
mod keys;
mod reverts;
pub mod slots;
mod world;

use crate::model::machine::Machine;
use crate::model::run::{Ran, words};
use crate::running::{dry, run};
use cfg_catalog::id::{Kind, ResourceId};
use cfg_catalog::plan::document::Document;
use cfg_catalog::plan::{Certainty, Change, Ledger, Phase, order, plan};
use cfg_catalog::resource::package::PackagePresence;
use cfg_catalog::resource::{Body, Desired};
use proptest::prelude::*;
use std::collections::BTreeSet;
use world::{machines, roles};

/// What the role contradicts itself in, or the world cannot give, fails in the plan already.
fn failed(document: &Document) -> BTreeSet<String> {
    let of = document.failures.iter();
    of.map(|f| format!("{:?}", f.resource)).collect()
}

/// What a run has left to do, beside what it skipped for a failure.
fn left(ran: &Ran, again: &Document) -> Vec<String> {
    let skipped = skipped(&ran.document);
    let changes = again.changes.iter();
    let changes = changes.filter(|change| !is_of(change, &skipped));
    changes
        .map(|change| format!("{} {}", change.resource, change.action.word()))
        .collect()
}

/// What waits for something that failed.
fn skipped(document: &Document) -> BTreeSet<&ResourceId> {
    let failures = document.failures.iter();
    failures.flat_map(|failure| &failure.skipped).collect()
}

/// Whether a change is of one of these, or made for them alone.
fn is_of(change: &Change, resources: &BTreeSet<&ResourceId>) -> bool {
    let brought = !change.causes.is_empty() && change.causes.iter().all(|c| resources.contains(c));
    resources.contains(&change.resource) || brought
}

/// Whether a role wants a package, and gone what that needs: what comes of it hangs on what is installed.
fn contradicts(desired: &Desired, machine: &Machine) -> bool {
    let state = |name: &str| {
        let of = desired.get(&ResourceId::new(Kind::Package, name));
        of.and_then(|resource| match &resource.body {
            Body::Package(package) => Some(package.state),
            _ => None,
        })
    };
    machine.debs.iter().any(|(name, deb)| {
        let gone = |need: &String| state(need).is_some_and(|need| need != PackagePresence::Present);
        state(name) == Some(PackagePresence::Present) && deb.needs.iter().any(gone)
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, ..ProptestConfig::default() })]

    #[test]
    fn a_run_does_what_its_plan_says_and_a_second_has_nothing_to_do(
        desired in roles(),
        before in machines(),
    ) {
        let mut machine = before;
        let promised = dry(&machine, &desired, &Ledger::default());
        let ran = run(&mut machine, &desired, &Ledger::default());
        prop_assert!(failed(&promised).is_subset(&failed(&ran.document)));
        prop_assert_eq!(&ran.document.unforeseen, &[]);
        let made: BTreeSet<String> = words(&ran.document).into_iter().collect();
        let said: BTreeSet<String> = words(&promised).into_iter().collect();
        prop_assert!(made.is_subset(&said), "{:?} are not of {:?}", made, said);
        for change in &promised.changes {
            let word = format!("{} {}", change.resource, change.action.word());
            let excused = change.certainty == Certainty::Assumed
                || failed(&ran.document).contains(&format!("{:?}", Some(&change.resource)));
            prop_assert!(excused || made.contains(&word), "{}", word);
        }
        let again = dry(&machine, &desired, &ran.ledger);
        prop_assert_eq!(left(&ran, &again), Vec::<String>::new());
        let counts = ran.document.counts;
        prop_assert_eq!(
            counts.resources,
            counts.in_sync + counts.changed + counts.failed + counts.skipped + counts.held
        );
    }

    /// From one role to another: what the first has recorded serves the second.
    #[test]
    fn a_change_of_role_is_a_run_like_any_other(
        first in roles(),
        second in roles(),
        before in machines(),
    ) {
        prop_assume!(!contradicts(&second, &before));
        let mut machine = before;
        let ran = run(&mut machine, &first, &Ledger::default());
        let promised = dry(&machine, &second, &ran.ledger);
        let ran = run(&mut machine, &second, &ran.ledger);
        prop_assert_eq!(&ran.document.unforeseen, &[]);
        let made: BTreeSet<String> = words(&ran.document).into_iter().collect();
        let said: BTreeSet<String> = words(&promised).into_iter().collect();
        prop_assert!(made.is_subset(&said), "{:?} are not of {:?}", made, said);
        let again = dry(&machine, &second, &ran.ledger);
        prop_assert_eq!(left(&ran, &again), Vec::<String>::new());
        // The ledger survives being written down.
        let written = serde_json::to_string(&ran.ledger).unwrap();
        prop_assert_eq!(serde_json::from_str::<Ledger>(&written).unwrap(), ran.ledger);
    }

    /// Folders that nobody declares come in between; else the order is the role's alone.
    #[test]
    fn the_order_is_the_same_on_every_machine(
        desired in roles(),
        one in machines(),
        other in machines(),
    ) {
        let declared = |machine: &Machine| -> Vec<_> {
            let plan = plan(&desired, &machine.snapshot(&desired), &Ledger::default()).unwrap();
            let steps = plan.steps.into_iter().map(|planned| planned.step);
            let declared = steps.filter(|step| step.phase != Phase::Parent);
            declared.map(|step| (step.resource, step.phase)).collect()
        };
        let steps = order(&desired).unwrap().into_iter();
        let steps: Vec<_> = steps.map(|step| (step.resource, step.phase)).collect();
        prop_assert_eq!(&declared(&one), &steps);
        prop_assert_eq!(&declared(&other), &steps);
    }
}
