//! Laws of what is done without a slot.

use super::left;
use super::world::{machines, roles};
use crate::model::machine::Machine;
use crate::running::{dry, run};
use cfg_catalog::id::ResourceId;
use cfg_catalog::plan::disruption::disruptive;
use cfg_catalog::plan::document::Why;
use cfg_catalog::plan::{Ledger, plan};
use cfg_catalog::resource::{Body, Desired};
use proptest::prelude::*;
use std::collections::BTreeSet;

/// What is left of a role without a slot, as an agent finds it.
pub fn without(desired: &Desired, machine: &Machine, ledger: &Ledger) -> Desired {
    let planned = |desired: &Desired| plan(desired, &machine.snapshot(desired), ledger).unwrap();
    let full = planned(desired);
    let (mut less, mut now) = (desired.clone(), full.clone());
    while let Some(next) = less.without_slot(&full, &now, "somebody else has it") {
        less = next;
        now = planned(&less);
    }
    less
}

/// What every running service started as, and every package is.
fn work(machine: &Machine) -> String {
    let starts = machine.units.iter().map(|(name, unit)| (name, &unit.start));
    let starts: Vec<_> = starts.filter(|(_, start)| start.is_some()).collect();
    let packages: Vec<_> = machine
        .dpkg
        .iter()
        .map(|(name, one)| (name, &one.dpkg))
        .collect();
    format!("{starts:?} {packages:?}")
}

/// What the withheld services read when they start.
fn read(desired: &Desired, withheld: &BTreeSet<ResourceId>) -> BTreeSet<ResourceId> {
    let services = withheld
        .iter()
        .filter_map(|id| match &desired.get(id)?.body {
            Body::Service(service) => Some(&service.restart_on),
            _ => None,
        });
    services.flatten().cloned().collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, max_global_rejects: 100_000, ..ProptestConfig::default() })]

    /// Without a slot nothing is disrupted and no input of what would be is written; with one the rest is done, and nothing
    /// is left.
    #[test]
    fn what_is_done_without_a_slot_disrupts_nothing_and_loses_nothing(
        first in roles(),
        second in roles(),
        before in machines(),
    ) {
        let mut machine = before;
        let earlier = run(&mut machine, &first, &Ledger::default());
        let whole = run(&mut machine.clone(), &second, &earlier.ledger);

        let less = without(&second, &machine, &earlier.ledger);
        let snapshot = machine.snapshot(&less);
        prop_assert!(disruptive(&plan(&less, &snapshot, &earlier.ledger).unwrap()).is_empty());
        let working = work(&machine);
        let runs: BTreeSet<String> = machine.units.iter()
            .filter(|(_, unit)| unit.start.is_some()).map(|(name, _)| name.clone()).collect();
        let ran = run(&mut machine, &less, &earlier.ledger);
        prop_assert_eq!(&ran.document.unforeseen, &[]);
        let inputs = read(&second, &less.withheld.resources);
        for change in &ran.document.changes {
            prop_assert!(!change.action.disrupts(), "{} {:?}", change.resource, change.action);
            prop_assert!(!inputs.contains(&change.resource), "{} is read", change.resource);
        }
        let mut still = machine.clone();
        still.units.retain(|name, _| runs.contains(name));
        prop_assert_eq!(work(&still), working);
        for held in &ran.document.held {
            prop_assert_eq!(held.why, Why::Slot);
        }
        prop_assert!(!ran.document.is_settled() || ran.document.held.is_empty());

        prop_assume!(whole.document.failures.is_empty() && ran.document.failures.is_empty());
        let rest = run(&mut machine, &second, &ran.ledger);
        prop_assert!(rest.document.failures.is_empty(), "{:?}", rest.document.failures);
        let again = dry(&machine, &second, &rest.ledger);
        prop_assert_eq!(left(&rest, &again), Vec::<String>::new());
    }
}
