//! Runs without a record, and machines compared.

use crate::model::machine::{Machine, What};
use crate::model::run::{Ran, run_for};
use cfg_catalog::plan::document::{Document, Head};
use cfg_catalog::plan::{Ledger, plan};
use cfg_catalog::resource::Desired;
use std::collections::BTreeSet;

pub fn dry(machine: &Machine, desired: &Desired, ledger: &Ledger) -> Document {
    let plan = plan(desired, &machine.snapshot(desired), ledger).unwrap();
    Document::of_plan(Head::default(), &plan)
}

/// One run, as the agent's engine does it.
pub fn run(machine: &mut Machine, desired: &Desired, ledger: &Ledger) -> Ran {
    run_for(machine, desired, ledger, usize::MAX, &mut |_, _| ()).unwrap()
}

/// What of one machine is not so on another.
pub fn apart(one: &Machine, other: &Machine) -> Vec<String> {
    let (one, other) = (shape(one), shape(other));
    one.symmetric_difference(&other).cloned().collect()
}

fn shape(machine: &Machine) -> BTreeSet<String> {
    let nodes = machine.nodes.iter().map(|(path, node)| {
        let what = match &node.what {
            What::File(bytes) => {
                let mut lines: Vec<&str> = std::str::from_utf8(bytes).unwrap().lines().collect();
                // Where a line that is back stands, is not told.
                lines.sort_unstable();
                format!("{lines:?}")
            }
            other => format!("{other:?}"),
        };
        format!("{path} {what} {:?}", node.ownership)
    });
    let packages = machine.dpkg.iter();
    let packages = packages.map(|(name, one)| format!("{name} {} {}", one.held, one.auto));
    let units = machine.units.iter().map(|(name, unit)| {
        let runs = unit.start.is_some();
        format!("{name} {runs} {} {}", unit.enabled, unit.masked)
    });
    let rest = format!(
        "{:?} {:?} {:?} {:?}",
        machine.kernel, machine.groups, machine.users, machine.mounted
    );
    nodes.chain(packages).chain(units).chain([rest]).collect()
}
