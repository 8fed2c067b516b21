//! What a machine that is not healthy does with a slot that mends, and without one.

use super::declared::{file, package, service};
use super::fake::{Fake, PACKAGE};
use super::slots::{CONF, Giver, content, generous, giver, held, machine, new_giver, role, run};
use crate::run::slot::NoSlot;
use cfg_catalog::plan::document::Why;
use cfg_catalog::resource::Desired;
use std::sync::Arc;

/// Gives slots to who is healthy, and to who is not none for this reason.
fn no_mender(why: NoSlot) -> Arc<Giver> {
    let mut giver = new_giver(None, usize::MAX);
    giver.mends_none = Some(why);
    Arc::new(giver)
}

#[test]
fn a_machine_that_is_not_healthy_disrupts_what_runs_while_no_other_has_the_slot() {
    let sick = || Fake {
        sick: true,
        ..machine()
    };
    let starts = |fake: &Fake| fake.starts.get("one").copied();
    // How the others are is no matter.
    let mut fake = sick();
    let giver = giver(Some("vm-2 is not healthy"), usize::MAX);
    let done = run(&mut fake, &giver, &role());
    assert_eq!((done.held, starts(&fake)), (vec![], Some(1)));
    assert_eq!((giver.asked(), giver.mending()), (vec![], 1));
    assert_eq!(giver.back(), [false], "it is not healthy after its start");

    let mut fake = sick();
    let why = "vm-2 has the slot";
    let refusing = no_mender(NoSlot::Refused(why.into()));
    let done = run(&mut fake, &refusing, &role());
    let conf = format!("file:{CONF}");
    let why = |id: &str| (id.to_owned(), Why::Slot, why);
    assert_eq!(
        held(&done),
        [why(&conf), why("service:one"), why("service:two")]
    );
    assert_eq!((content(&fake, CONF), starts(&fake)), ("old", None));
    assert_eq!((refusing.mending(), done.failures), (1, vec![]));

    // Nobody can be asked, and nobody keeps a slot.
    let mut fake = sick();
    let away = no_mender(NoSlot::Away);
    let done = run(&mut fake, &away, &role());
    assert_eq!((done.held, starts(&fake)), (vec![], Some(1)));
    assert_eq!((away.mending(), away.back()), (1, vec![]));
}

#[test]
fn a_slot_that_mends_and_was_lost_disrupts_nothing_more() {
    let mut fake = machine();
    fake.sick = true;
    let done = run(&mut fake, &giver(None, 0), &role());
    let why = "the slot was lost during the run";
    assert_eq!(held(&done), [(format!("file:{CONF}"), Why::Slot, why)]);
    assert!(!fake.starts.contains_key("one"), "{:?}", fake.starts);
}

#[test]
fn what_is_not_read_by_what_runs_is_no_loss_where_the_machine_is_not_healthy() {
    let conf = format!("file:{CONF}");
    let role = |reads: &[&str]| Desired {
        resources: vec![
            package("2"),
            service("one", &[], &[]),
            service("two", reads, &[]),
        ],
        ..role()
    };
    let package = format!("package:{PACKAGE}");
    let sick = |running: &[&str]| Fake {
        sick: true,
        ..Fake::with(Some("1"), &[(CONF, "new")], running)
    };
    let refusing = no_mender(NoSlot::Refused("vm-2 has the slot".into()));
    let done = run(&mut sick(&["two"]), &refusing, &role(&[&package]));
    assert_eq!((done.held.is_empty(), refusing.mending()), (false, 1));
    let done = run(&mut sick(&[]), &refusing, &role(&[&conf]));
    assert_eq!((done.held, refusing.mending()), (vec![], 1));
}

#[test]
fn a_machine_that_gets_well_during_its_run_needs_a_slot_for_the_rest() {
    let conf = format!("file:{CONF}");
    let role = Desired {
        resources: vec![
            file(CONF, "new"),
            service("one", &[&conf], &[]),
            service("two", &[&conf], &["service:one"]),
        ],
        ..role()
    };
    let sick = || Fake {
        sick: true,
        ..Fake::with(Some("2"), &[(CONF, "old")], &["one", "two"])
    };
    let starts = |fake: &Fake| ["one", "two"].map(|unit| fake.starts.contains_key(unit));

    // What mends it goes on, whoever holds the slot; what comes after that would disrupt a healthy machine.
    let mut fake = sick();
    fake.mended_by = Some("one");
    let refusing = giver(Some("vm-2 is restarting"), usize::MAX);
    let done = run(&mut fake, &refusing, &role);
    let why = ("service:two".to_owned(), Why::Slot, "vm-2 is restarting");
    assert_eq!(
        (held(&done), done.failures.as_slice()),
        (vec![why], &[][..])
    );
    assert_eq!((starts(&fake), refusing.asked().len()), ([true, false], 1));
    assert_eq!(refusing.back(), [true], "it is well, and needs another");

    let mut fake = sick();
    fake.mended_by = Some("one");
    let giver = generous();
    let done = run(&mut fake, &giver, &role);
    assert_eq!((done.held, done.failures), (vec![], vec![]));
    assert_eq!(
        (starts(&fake), giver.back()),
        ([true, true], vec![true, true])
    );

    // Nothing mends it.
    let mut fake = sick();
    let done = run(&mut fake, &refusing, &role);
    assert_eq!((done.held, starts(&fake)), (vec![], [true, true]));
    assert_eq!(refusing.asked().len(), 1);
}
