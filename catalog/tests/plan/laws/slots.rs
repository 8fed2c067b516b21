//! Laws of what is done without a slot.

use super::left;
use super::world::{machines, roles};
use crate::model::machine::{Machine, Unit};
use crate::running::{dry, run};
use cfg_catalog::digest::Digest;
use cfg_catalog::id::ResourceId;
use cfg_catalog::path::AbsPath;
use cfg_catalog::plan::disruption::disruptive;
use cfg_catalog::plan::document::Why;
use cfg_catalog::plan::inputs::{ids, inputs};
use cfg_catalog::plan::{Ledger, plan};
use cfg_catalog::resource::{Body, Desired};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

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

/// What of a machine's work is there still: what its services started as, what every package is, and what is mounted where.
fn work(machine: &Machine, before: &Machine) -> String {
    let ran = |name: &String| before.units.get(name).is_some_and(runs);
    let starts = machine.units.iter().filter(|(name, _)| ran(name));
    let starts: Vec<_> = starts.map(|(name, unit)| (name, &unit.start)).collect();
    let packages = machine.dpkg.iter().map(|(name, one)| (name, &one.dpkg));
    let packages: Vec<_> = packages.collect();
    let mounts = machine.mounted.iter();
    let mounts = mounts.filter(|(point, _)| before.mounted.contains_key(*point));
    let mounts: Vec<_> = mounts.map(|(point, one)| (point, &one.device)).collect();
    format!("{starts:?} {packages:?} {mounts:?}")
}

fn runs(unit: &Unit) -> bool {
    unit.start.is_some()
}

/// What each of these services that runs would read if it started now, but for what these commands have a hand in: that is their
/// role's own affair.
fn read(
    desired: &Desired,
    machine: &Machine,
    services: &BTreeSet<ResourceId>,
    commands: &BTreeSet<&AbsPath>,
) -> BTreeMap<ResourceId, Digest> {
    let snapshot = machine.snapshot(desired);
    let all = inputs(desired, &snapshot);
    let theirs = |id: &ResourceId| {
        let path = desired.get(id).and_then(|resource| match &resource.body {
            Body::Directory(directory) => Some(&directory.path),
            Body::File(file) => Some(&file.path),
            Body::Edit(edit) => Some(&edit.path),
            _ => None,
        });
        path.is_some_and(|path| commands.iter().any(|touched| touched.is_within(path)))
    };
    let services = desired.resources.iter().filter(|resource| {
        let unit = match &resource.body {
            Body::Service(service) => machine.units.get(&service.unit),
            _ => None,
        };
        services.contains(&resource.id) && unit.is_some_and(runs)
    });
    let ids = services.flat_map(|resource| ids(resource, snapshot.observed.get(&resource.id)));
    let ids = ids.filter(|id| !theirs(id));
    let read = ids.filter_map(|id| Some((id.clone(), all.get(&id)?.digest)));
    read.collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, max_global_rejects: 100_000, ..ProptestConfig::default() })]

    /// Without a slot nothing is disrupted, and what would be finds all that it reads as it was; with one the rest is done, and
    /// nothing is left.
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
        let then = machine.clone();
        let ran = run(&mut machine, &less, &earlier.ledger);
        prop_assert_eq!(&ran.document.unforeseen, &[]);
        prop_assert_eq!(work(&machine, &then), work(&then, &then));
        let changes = ran.document.changes.iter();
        let commands = changes.filter_map(|change| then.touches.get(&*change.resource.name)).collect();
        let withheld = &less.withheld.resources;
        prop_assert_eq!(
            read(&second, &machine, withheld, &commands),
            read(&second, &then, withheld, &commands)
        );
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
