//! Versions are in the order in which dpkg itself has them.

use cfg_catalog::resource::version::compare;
use proptest::prelude::*;
use std::cmp::Ordering;
use std::process::Command;

fn dpkg_says(a: &str, relation: &str, b: &str) -> bool {
    let asked = Command::new("dpkg")
        .args(["--compare-versions", a, relation, b])
        .output();
    asked.expect("dpkg runs").status.success()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]
    #[test]
    fn as_dpkg_has_them(
        a in "([0-2]:)?[0-9][0-2a.+~]{0,5}(-[0-2a.+~]{1,3})?",
        b in "([0-2]:)?[0-9][0-2a.+~]{0,5}(-[0-2a.+~]{1,3})?",
    ) {
        let relation = match compare(&a, &b) {
            Ordering::Less => "lt",
            Ordering::Equal => "eq",
            Ordering::Greater => "gt",
        };
        prop_assert!(dpkg_says(&a, relation, &b), "dpkg does not say {a} {relation} {b}");
    }
}
