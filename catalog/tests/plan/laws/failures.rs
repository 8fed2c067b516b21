//! What fails takes along what needs it, and nothing else.

use super::world::{machines, roles};
use crate::running::dry;
use cfg_catalog::id::ResourceId;
use cfg_catalog::plan::Fate;
use cfg_catalog::plan::document::Failure;
use cfg_catalog::plan::{Ledger, plan};
use proptest::prelude::*;
use std::collections::BTreeMap;

/// Where a message says itself what to do.
const SAYS: [&str; 6] = [
    "move it away",
    "or let it come `after` what brings it",
    "let the edit name the file that it leads to",
    "`create = true` makes it",
    ": declare one of them alone",
    ": name both by one way",
];

/// Whether a person is told what to do.
fn is_answered(failure: &Failure) -> bool {
    let says = SAYS.iter().any(|words| failure.message.contains(words));
    failure.remedy.is_some() || says
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, ..ProptestConfig::default() })]

    #[test]
    fn a_failure_skips_what_needs_it_by_its_name_and_all_else_goes_on(
        desired in roles(),
        machine in machines(),
    ) {
        let ledger = Ledger::default();
        let plan = plan(&desired, &machine.snapshot(&desired), &ledger).unwrap();
        let mut broken: BTreeMap<&ResourceId, &ResourceId> = BTreeMap::new();
        for planned in &plan.steps {
            let step = &planned.step;
            let roots: Vec<_> = step.needs.iter().filter_map(|need| broken.get(need)).collect();
            match &planned.fate {
                Fate::Goes => {
                    prop_assert!(
                        roots.is_empty() || planned.changes.is_empty(),
                        "{} needs {roots:?}",
                        step.resource
                    );
                }
                Fate::Fails => {
                    broken.insert(&step.resource, &step.resource);
                }
                Fate::Waits => prop_assert!(false, "{} waits for nobody", step.resource),
                Fate::Skipped(root) => {
                    prop_assert!(roots.contains(&&root), "{} because of {root}", step.resource);
                    broken.insert(&step.resource, root);
                }
            }
        }
        let told = dry(&machine, &desired, &ledger).failures;
        for failure in &told {
            prop_assert!(is_answered(failure), "{:?}", failure);
        }
        let named: BTreeMap<_, _> = told
            .iter()
            .flat_map(|failure| {
                let root = failure.resource.as_ref().unwrap();
                let skipped = failure.skipped.iter().map(move |skipped| (skipped, root));
                skipped.chain([(root, root)])
            })
            .collect();
        prop_assert_eq!(named, broken);
    }
}
