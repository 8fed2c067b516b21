//! Killed at any moment, a run is finished by the next: all is as it must be, and each service was restarted once.

use super::declared::{command, desired, file, health, id, package, purged, service};
use super::fake::{Fake, Killed, PACKAGE};
use crate::run::site::Trouble;
use cfg_catalog::plan::{Action, Change};
use cfg_catalog::resource::Desired;
use proptest::prelude::*;

const CONF: &str = "/etc/daemon/conf";
const OTHER: &str = "/etc/daemon/other";

fn role(version: &str, conf: &str) -> Desired {
    desired(vec![
        package(version),
        purged("/etc/daemon"),
        file(CONF, conf),
        file(OTHER, "other"),
        command("format", &[&format!("file:{CONF}")], &[]),
        service(
            "one",
            &[&format!("file:{CONF}"), "directory:/etc/daemon"],
            &[],
        ),
        service("two", &[&format!("file:{CONF}")], &["service:one"]),
    ])
}

fn old() -> Fake {
    Fake::with(
        Some("1"),
        &[(CONF, "old"), ("/etc/daemon/stray", "x")],
        &["one", "two"],
    )
}

fn assert_converged(fake: &mut Fake, desired: &Desired, conf: &str) {
    let plan = fake.plan(desired);
    let left: Vec<&Change> = plan.changes().collect();
    assert!(left.is_empty(), "{left:?}");
    assert!(plan.failures.is_empty(), "{:?}", plan.failures);
    assert!(!fake.files.contains_key("/etc/daemon/stray"));
    for unit in ["one", "two"] {
        let unit = &fake.services[unit];
        assert!(unit.start.is_some() && unit.enabled);
        assert_eq!(unit.read[CONF], conf);
        assert_eq!(unit.read[PACKAGE], fake.package.clone().unwrap().0);
    }
}

/// Runs until nothing kills the agent any more.
fn run_to_the_end(fake: &mut Fake, desired: &Desired) {
    for _ in 0..9 {
        match fake.run(desired) {
            Ok((_, done)) => {
                assert!(done.failures.is_empty(), "{:?}", done.failures);
                assert!(done.unforeseen.is_empty(), "{:?}", done.unforeseen);
                return;
            }
            Err(Trouble::Stop(_)) => fake.lives = None,
            Err(Trouble::Failed(why)) => panic!("{why}"),
        }
    }
    panic!("it never ends");
}

#[test]
fn undisturbed() {
    let desired = role("2", "new");
    let mut fake = old();
    let planned = fake.plan(&desired);
    let (_, done) = fake.run(&desired).unwrap();
    assert!(done.failures.is_empty(), "{:?}", done.failures);
    assert!(done.unforeseen.is_empty());
    assert_eq!(
        done.changes,
        planned.changes().cloned().collect::<Vec<_>>(),
        "the dry run showed just what the run did"
    );
    assert_converged(&mut fake, &desired, "new");
    assert_eq!(fake.starts["one"], 1);
    assert_eq!(fake.starts["two"], 1);
    assert_eq!(fake.commands, ["format"]);
    // The second run finds nothing to do, and does nothing.
    let before = format!("{fake:?}");
    let (_, done) = fake.run(&desired).unwrap();
    assert!(done.changes.is_empty());
    assert_eq!(before, format!("{fake:?}"));
}

#[test]
fn killed_at_every_effect() {
    for health in [None, health()] {
        let desired = Desired {
            health,
            ..role("2", "new")
        };
        for killed in [Killed::Before, Killed::After] {
            let mut moments = 0;
            loop {
                let mut fake = old();
                fake.lives = Some(moments);
                fake.killed = killed;
                let whole = fake.run(&desired).is_ok();
                fake.lives = None;
                run_to_the_end(&mut fake, &desired);
                assert_converged(&mut fake, &desired, "new");
                let told = format!("killed {killed:?} effect {moments}");
                assert_eq!(fake.starts["one"], 1, "{told}");
                assert_eq!(fake.starts["two"], 1, "{told}");
                assert!(fake.unproven.is_empty(), "{told}");
                assert_eq!(fake.commands, ["format"], "{told}");
                if whole {
                    break;
                }
                moments += 1;
            }
            assert!(moments > 8, "the kill never came: {moments}");
        }
    }
}

#[test]
fn a_blank_machine_killed_at_every_effect() {
    let desired = role("2", "new");
    for moments in 0..30 {
        let mut fake = Fake::with(None, &[], &[]);
        fake.lives = Some(moments);
        fake.killed = Killed::After;
        run_to_the_end(&mut fake, &desired);
        assert_converged(&mut fake, &desired, "new");
        assert_eq!(fake.starts["one"], 1, "killed after effect {moments}");
        assert_eq!(fake.refreshed.min(1), 1);
    }
}

#[test]
fn restarted_by_hand_after_a_change_owes_nothing() {
    let desired = role("1", "new");
    let mut fake = old();
    run_to_the_end(&mut fake, &desired);
    let starts = fake.starts["one"];
    // Somebody breaks a file and restarts: the file is put back, which owes a restart again, and just one.
    fake.write(CONF, "broken");
    fake.start("one");
    run_to_the_end(&mut fake, &desired);
    assert_converged(&mut fake, &desired, "new");
    assert_eq!(fake.starts["one"], starts + 2);
    // A restart by hand under what is there owes nothing.
    fake.start("one");
    let plan = fake.plan(&desired);
    assert_eq!(plan.changes().count(), 0);
}

#[test]
fn stopped_by_hand_is_started() {
    let desired = role("1", "new");
    let mut fake = old();
    run_to_the_end(&mut fake, &desired);
    fake.services.get_mut("one").unwrap().start = None;
    let (_, done) = fake.run(&desired).unwrap();
    let made: Vec<_> = done
        .changes
        .iter()
        .map(|c| (c.action, &c.resource))
        .collect();
    assert_eq!(made, [(Action::Start, &id("service:one"))]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// Two kills in a row, roles that change between runs: the end is the same.
    #[test]
    fn killed_twice_under_changing_roles(
        first in 0usize..25,
        second in 0usize..25,
        after in any::<bool>(),
        conf in "[a-c]",
        upgrade in any::<bool>(),
    ) {
        let before = role("1", &conf);
        let desired = role(if upgrade { "2" } else { "1" }, "new");
        let mut fake = old();
        fake.killed = if after { Killed::After } else { Killed::Before };
        fake.lives = Some(first);
        let _ = fake.run(&before);
        fake.lives = Some(second);
        let _ = fake.run(&desired);
        fake.lives = None;
        run_to_the_end(&mut fake, &desired);
        assert_converged(&mut fake, &desired, "new");
        // At most one for each configuration it saw.
        prop_assert!(fake.starts["one"] <= 2, "{:?}", fake.starts);
    }
}
