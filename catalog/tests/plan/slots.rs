//! What waits for a slot, and what goes on without one.

use crate::build::*;
use crate::laws::slots::without;
use crate::model::machine::Machine;
use crate::model::run::words;
use crate::running::{dry, run};
use cfg_catalog::plan::disruption::disruptive;
use cfg_catalog::plan::document::{Outcome, Why};
use cfg_catalog::plan::{Ledger, plan};
use cfg_catalog::resource::mount::MountPresence;
use cfg_catalog::resource::package::PackagePresence;
use cfg_catalog::resource::service::Activity;
use cfg_catalog::resource::{Desired, Presence, Resource};

/// A machine with `app`, which runs what `/etc/app.conf` says, and with `lib`.
fn machine() -> (Machine, Ledger) {
    let mut machine = Machine::blank();
    machine.offer("app", &["1", "2"], |deb| {
        deb.units = vec!["app.service".into()]
    });
    machine.offer("tool", &["1"], |_| ());
    machine.write("/etc/old", "x");
    machine.write("/srv/pool/stray", "x");
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
        service.restart_on = ids(&[
            "file:/etc/app.conf",
            "directory:/etc/app.d",
            "file:/opt/app/conf/f",
            "package:app",
        ]);
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
    let harmless = || file("/etc/motd", "hello");
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
            vec![harmless()],
            &["file:/etc/motd create"],
            &[],
        ),
        (
            "a file that it reads",
            "two",
            vec![harmless(), dependent],
            &["file:/etc/motd create"],
            &["file:/etc/app.conf", "service:app", "file:/etc/last"],
        ),
        (
            "a package beside it",
            "one",
            vec![package("tool", "1"), harmless()],
            &["file:/etc/motd create"],
            &["package:tool"],
        ),
        (
            "below a folder that it reads, and what is run for that",
            "one",
            vec![
                purged("/etc/app.d/sub"),
                file("/etc/app.d/sub/rack", "r2"),
                on("forget", &["directory:/etc/app.d/sub"]),
                on("tell", &["file:/etc/motd"]),
                harmless(),
            ],
            &["file:/etc/motd create", "command:tell run"],
            &[
                "directory:/etc/app.d/sub",
                "file:/etc/app.d/sub/rack",
                "command:forget",
                "service:app",
            ],
        ),
        (
            "there, of every kind",
            "one",
            vec![
                link("/etc/app.d/l", "x"),
                made(edit("e", "/etc/app.d/e", &["a"])),
                archive("/etc/app.d/a", "1"),
                harmless(),
            ],
            &["file:/etc/motd create"],
            &[
                "link:/etc/app.d/l",
                "edit:e",
                "archive:/etc/app.d/a",
                "service:app",
            ],
        ),
        (
            "what a file that it reads stands in",
            "one",
            vec![
                archive("/opt/app", "1"),
                file("/opt/app/conf/f", "x"),
                archive("/srv/other", "1"),
            ],
            &["archive:/srv/other create"],
            &["archive:/opt/app", "file:/opt/app/conf/f", "service:app"],
        ),
        (
            "what goes and nobody reads",
            "one",
            vec![no_file("/etc/old"), purged("/srv/pool")],
            &["file:/srv/pool/stray remove", "file:/etc/old remove"],
            &[],
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
fn what_goes_disrupts_where_something_is_stopped_moved_or_unmounted() {
    let mount = |device: &str, state: MountPresence| {
        mount_with("/m", |mount| {
            mount.state = state;
            mount.entry.as_mut().unwrap().device = device.into();
        })
    };
    let no_user = user_with("u", |user| user.state = Presence::Absent);
    use MountPresence::{Absent, Mounted, Present, Unmounted};
    let a = |state| mount("/dev/a", state);
    let cases: Vec<(Resource, Resource, bool)> = vec![
        (file("/f", "x"), no_file("/f"), false),
        (link("/l", "x"), no_link("/l"), false),
        (directory("/d"), no_directory("/d"), false),
        (file("/d/stray", "x"), purged("/d"), false),
        (archive("/a", "1"), no_archive("/a"), false),
        (user("u"), no_user, false),
        (
            group("g", None, Presence::Present),
            group("g", None, Presence::Absent),
            false,
        ),
        (sysctl("net.x", "1"), no_sysctl("net.x"), false),
        (a(Present), a(Mounted), false),
        (a(Present), a(Absent), false),
        (a(Mounted), a(Absent), true),
        (a(Mounted), a(Unmounted), true),
        (a(Mounted), mount("/dev/b", Mounted), true),
        (
            package("tool", "1"),
            no_package("tool", PackagePresence::Absent),
            true,
        ),
        (
            own_unit("own", "x"),
            service_with("own", |service| service.state = Some(Activity::Stopped)),
            true,
        ),
    ];
    for (before, after, disrupts) in cases {
        let (mut machine, ledger) = machine();
        machine.kernel.insert("net.x".into(), "0".into());
        let ran = run(&mut machine, &role(vec![before]), &ledger);
        assert!(!ran.document.changes.is_empty());
        let (id, desired) = (after.id.clone(), role(vec![after]));
        let plan = plan(&desired, &machine.snapshot(&desired), &ran.ledger).unwrap();
        assert!(plan.changes().next().is_some(), "{id}");
        assert_eq!(disruptive(&plan).contains(&id), disrupts, "{id}");
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

/// Who wrote what is wanted by hand leaves nothing to do but what it is for.
#[test]
fn a_command_for_what_is_there_already_waits_with_the_restart() {
    let (mut machine, ledger) = machine();
    let of = |text: &str| {
        let more = [
            purged("/etc/app.d/sub"),
            file("/etc/app.d/sub/rack", text),
            on("forget", &["directory:/etc/app.d/sub"]),
        ];
        service_of("one", "1", &more)
    };
    let ran = run(&mut machine, &of("r1"), &ledger);
    machine.write("/etc/app.d/sub/rack", "r2");
    let whole = words(&dry(&machine, &of("r2"), &ran.ledger));
    assert_eq!(whole, ["command:forget run", "service:app restart"]);
    let less = without(&of("r2"), &machine, &ran.ledger);
    assert_eq!(
        words(&dry(&machine, &less, &ran.ledger)),
        Vec::<String>::new()
    );
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
