//! What waits for a slot, and what goes on without one.

use crate::build::*;
use crate::laws::slots::without;
use crate::model::machine::Machine;
use crate::model::run::words;
use crate::running::{dry, run};
use cfg_catalog::plan::Ledger;
use cfg_catalog::plan::document::{Outcome, Why};
use cfg_catalog::resource::service::Activity;
use cfg_catalog::resource::{Desired, Resource};

/// A machine with `app`, which runs what `/etc/app.conf` says, and with `lib`.
fn machine() -> (Machine, Ledger) {
    let mut machine = Machine::blank();
    machine.offer("app", &["1", "2"], |deb| {
        deb.units = vec!["app.service".into()]
    });
    machine.offer("tool", &["1"], |_| ());
    let ran = run(
        &mut machine,
        &service_of("one", "1", &[]),
        &Ledger::default(),
    );
    assert!(
        ran.document.failures.is_empty(),
        "{:?}",
        ran.document.failures
    );
    (machine, ran.ledger)
}

fn service_of(text: &str, version: &str, more: &[Resource]) -> Desired {
    let app = service_with("app", |service| {
        service.state = Some(Activity::Running);
        service.restart_on = ids(&["file:/etc/app.conf", "directory:/etc/app.d", "package:app"]);
    });
    let own = [
        app,
        package("app", version),
        file("/etc/app.conf", text),
        purged("/etc/app.d"),
    ];
    role(own.into_iter().chain(more.iter().cloned()).collect())
}

#[test]
fn what_a_restart_is_for_waits_with_it() {
    let harmless = file("/etc/motd", "hello");
    let dependent = after(file("/etc/last", "x"), &["service:app"]);
    type Case<'a> = (
        &'a str,
        &'a str,
        Vec<Resource>,
        &'a [&'a str],
        &'a [&'a str],
    );
    let cases: Vec<Case<'_>> = vec![
        ("nothing", "one", vec![], &[], &[]),
        (
            "harmless",
            "one",
            vec![harmless.clone()],
            &["file:/etc/motd create"],
            &[],
        ),
        (
            "a file that it reads",
            "two",
            vec![harmless.clone(), dependent],
            &["file:/etc/motd create"],
            &["file:/etc/app.conf", "service:app", "file:/etc/last"],
        ),
        (
            "a package beside it",
            "one",
            vec![package("tool", "1"), harmless],
            &["file:/etc/motd create"],
            &["package:tool"],
        ),
    ];
    for (name, text, more, done, held) in cases {
        let (machine, ledger) = machine();
        let desired = service_of(text, "1", &more);
        let less = without(&desired, &machine, &ledger);
        let document = dry(&machine, &less, &ledger);
        assert_eq!(words(&document), done, "{name}");
        let mut waits: Vec<_> = document
            .held
            .iter()
            .map(|held| held.resource.to_string())
            .collect();
        let mut wanted: Vec<String> = held.iter().map(|id| (*id).to_owned()).collect();
        waits.sort();
        wanted.sort();
        assert_eq!(waits, wanted, "{name}");
        assert!(
            document.held.iter().all(|held| held.why == Why::Slot),
            "{name}"
        );
    }
}

#[test]
fn what_is_purged_for_a_restart_stays() {
    let (mut machine, ledger) = machine();
    machine.write("/etc/app.d/stray", "x");
    machine.start_by_hand("app.service");
    let desired = service_of("one", "1", &[]);
    let whole = words(&dry(&machine, &desired, &ledger));
    assert_eq!(
        whole,
        ["file:/etc/app.d/stray remove", "service:app restart"]
    );
    let less = without(&desired, &machine, &ledger);
    assert_eq!(words(&dry(&machine, &less, &ledger)), Vec::<String>::new());
}

#[test]
fn what_only_fails_without_what_waits_waits_too() {
    let (mut machine, ledger) = machine();
    machine.offer("new", &["1"], |deb| deb.units = vec!["new.service".into()]);
    let new = service_with("new", |service| service.state = Some(Activity::Running));
    let desired = service_of("one", "1", &[package("new", "1"), new]);
    let less = without(&desired, &machine, &ledger);
    let document = dry(&machine, &less, &ledger);
    assert_eq!(document.failures, []);
    assert_eq!(document.result, Outcome::Waiting);
    let waits: Vec<_> = document
        .held
        .iter()
        .map(|held| held.resource.to_string())
        .collect();
    assert_eq!(waits, ["package:new", "service:new"]);
}
