//! Services: restarts, reloads, starts, and what packages do to them.

use super::{causes, certainty, settled, true_run};
use crate::build::*;
use crate::model::machine::Machine;
use crate::model::run::words;
use crate::running::{dry, run};
use cfg_catalog::plan::document::Unforeseen;
use cfg_catalog::plan::{Action, Certainty, Ledger, begin, plan};
use cfg_catalog::resource::package::Wanted;
use cfg_catalog::resource::service::{Activity, Trigger, UnitFile};
use cfg_catalog::resource::{Body, Desired, Mode, Resource};

const INSTALL: &str = "[Install]\nWantedBy=multi-user.target\n";

fn zookeeper() -> (Machine, Vec<Resource>) {
    let mut machine = Machine::blank();
    machine.offer("zookeeperd", &["3.8.0-11"], |deb| {
        deb.files = vec![("/etc/zookeeper/conf/zoo.cfg".into(), "default\n".into())];
        deb.units = vec!["zookeeper.service".into()];
        deb.needs = vec!["zookeeper".into()];
    });
    machine.offer("zookeeper", &["3.8.0-11"], |_| {});
    let role = vec![
        package_with("zookeeperd", |package| {
            package.version = Wanted::Glob("3.8.*".into());
            package.hold = Some(true);
        }),
        file("/etc/zookeeper/conf/myid", "1\n"),
        file("/etc/zookeeper/conf/zoo.cfg", "tickTime=2000\n"),
        running(
            "zookeeper",
            &[
                "file:/etc/zookeeper/conf/myid",
                "file:/etc/zookeeper/conf/zoo.cfg",
            ],
        ),
    ];
    (machine, role)
}

fn zookeeper_settled() -> (Machine, Desired, Ledger) {
    let (machine, resources) = zookeeper();
    settled(resources, machine)
}

#[test]
fn a_blank_machine() {
    let (mut machine, resources) = zookeeper();
    let ran = true_run(&mut machine, &role(resources), &Ledger::default());
    assert_eq!(
        words(&ran.document),
        [
            "package:zookeeperd install",
            "package:zookeeperd hold",
            "directory:/etc/zookeeper create",
            "directory:/etc/zookeeper/conf create",
            "file:/etc/zookeeper/conf/myid create",
            "file:/etc/zookeeper/conf/zoo.cfg create",
            "service:zookeeper enable",
            "service:zookeeper start",
        ]
    );
    // What the package made of it was not made again.
    assert_eq!(
        machine.log,
        [
            "package:zookeeperd install",
            "package:zookeeperd hold",
            "file:/etc/zookeeper/conf/myid create",
            "file:/etc/zookeeper/conf/zoo.cfg update",
            "service:zookeeper start",
        ]
    );
    assert_eq!(ran.document.counts.resources, 6);
    assert_eq!(ran.document.counts.changed, 6);
}

#[test]
fn a_file_broken_by_hand_is_put_back_and_its_service_restarted_once() {
    let (mut machine, desired, ledger) = zookeeper_settled();
    machine.write("/etc/zookeeper/conf/zoo.cfg", "broken\n");
    let ran = true_run(&mut machine, &desired, &ledger);
    assert_eq!(
        words(&ran.document),
        ["file:/etc/zookeeper/conf/zoo.cfg update"],
        "the service had read what is there again"
    );
    machine.write("/etc/zookeeper/conf/zoo.cfg", "broken\n");
    machine.start_by_hand("zookeeper.service");
    let ran = true_run(&mut machine, &desired, &ran.ledger);
    assert_eq!(
        words(&ran.document),
        [
            "file:/etc/zookeeper/conf/zoo.cfg update",
            "service:zookeeper restart"
        ],
        "it had read the broken one"
    );
}

#[test]
fn a_published_change_restarts_once() {
    let (mut machine, mut desired, ledger) = zookeeper_settled();
    for resource in &mut desired.resources {
        if resource.id == id("file:/etc/zookeeper/conf/zoo.cfg") {
            *resource = file("/etc/zookeeper/conf/zoo.cfg", "tickTime=3000\n");
        }
    }
    let ran = true_run(&mut machine, &desired, &ledger);
    assert_eq!(
        words(&ran.document),
        [
            "file:/etc/zookeeper/conf/zoo.cfg update",
            "service:zookeeper restart"
        ]
    );
    assert_eq!(
        causes(&ran.document, "service:zookeeper", Action::Restart),
        ids(&["file:/etc/zookeeper/conf/zoo.cfg"])
    );
    assert_eq!(
        ran.document.changes[0].diff.as_deref(),
        Some("@@ -1 +1 @@\n-tickTime=2000\n+tickTime=3000\n")
    );
}

#[test]
fn a_kill_between_change_and_restart_leaves_the_restart_owed() {
    let (mut machine, mut desired, ledger) = zookeeper_settled();
    for resource in &mut desired.resources {
        if resource.id == id("file:/etc/zookeeper/conf/zoo.cfg") {
            *resource = file("/etc/zookeeper/conf/zoo.cfg", "tickTime=3000\n");
        }
    }
    // The run that was killed had this on disk, and had got as far as the file.
    let begun = begin(&desired, &machine.snapshot(&desired), &ledger);
    machine.write("/etc/zookeeper/conf/zoo.cfg", "tickTime=3000\n");
    let ran = true_run(&mut machine, &desired, &begun);
    assert_eq!(words(&ran.document), ["service:zookeeper restart"]);
}

#[test]
fn restarted_by_hand_owes_nothing() {
    let (mut machine, mut desired, ledger) = zookeeper_settled();
    for resource in &mut desired.resources {
        if resource.id == id("file:/etc/zookeeper/conf/zoo.cfg") {
            *resource = file("/etc/zookeeper/conf/zoo.cfg", "tickTime=3000\n");
        }
    }
    machine.write("/etc/zookeeper/conf/zoo.cfg", "tickTime=3000\n");
    let owed = dry(&machine, &desired, &ledger);
    assert_eq!(words(&owed), ["service:zookeeper restart"]);
    machine.start_by_hand("zookeeper.service");
    let ran = true_run(&mut machine, &desired, &ledger);
    assert_eq!(words(&ran.document), [] as [&str; 0]);
}

#[test]
fn a_service_stopped_by_hand_is_started_and_not_restarted() {
    let (mut machine, desired, ledger) = zookeeper_settled();
    machine.write("/etc/zookeeper/conf/zoo.cfg", "broken\n");
    machine.units.get_mut("zookeeper.service").unwrap().start = None;
    let ran = true_run(&mut machine, &desired, &ledger);
    assert_eq!(
        words(&ran.document),
        [
            "file:/etc/zookeeper/conf/zoo.cfg update",
            "service:zookeeper start"
        ]
    );
}

#[test]
fn an_upgraded_daemon_runs_its_new_binary() {
    let (mut machine, desired, ledger) = zookeeper_settled();
    machine.debs.get_mut("zookeeperd").unwrap().versions = vec!["3.9.0-1".into()];
    let mut newer = desired.clone();
    for resource in &mut newer.resources {
        if resource.id == id("package:zookeeperd") {
            *resource = package("zookeeperd", "3.9.*");
        }
    }
    let ran = true_run(&mut machine, &newer, &ledger);
    assert_eq!(
        words(&ran.document),
        ["package:zookeeperd upgrade", "service:zookeeper restart"]
    );
    assert_eq!(
        causes(&ran.document, "service:zookeeper", Action::Restart),
        ids(&["package:zookeeperd"])
    );
    // Back again is a downgrade, and takes the daemon along too.
    machine.debs.get_mut("zookeeperd").unwrap().versions = vec!["3.8.0-11".into()];
    let ran = true_run(&mut machine, &desired, &ran.ledger);
    assert_eq!(
        words(&ran.document),
        ["package:zookeeperd downgrade", "service:zookeeper restart"]
    );
}

#[test]
fn what_an_upgrade_takes_along_is_assumed() {
    let mut machine = Machine::blank();
    machine.offer("meta", &["1"], |deb| deb.needs = vec!["daemon".into()]);
    machine.offer("daemon", &["1"], |deb| deb.units = vec!["d.service".into()]);
    let (mut machine, _, ledger) = settled(vec![package("meta", "*"), running("d", &[])], machine);
    let desired = role(vec![package("meta", "2"), running("d", &[])]);
    machine.debs.get_mut("meta").unwrap().versions = vec!["2".into()];
    let mut alone = machine.clone();
    machine.debs.get_mut("daemon").unwrap().versions = vec!["2".into()];
    let ran = true_run(&mut machine, &desired, &ledger);
    assert_eq!(
        certainty(&ran.document, "service:d"),
        [(Action::Restart, Certainty::Assumed)]
    );
    let ran = true_run(&mut alone, &desired, &ledger);
    assert_eq!(words(&ran.document), ["package:meta upgrade"]);
}

#[test]
fn a_unit_file_of_the_role_is_an_input() {
    let (mut machine, _, ledger) = settled(vec![own_unit("app", "[Service]\n")], Machine::blank());
    let desired = role(vec![own_unit("app", "[Service]\nRestart=always\n")]);
    let ran = true_run(&mut machine, &desired, &ledger);
    assert_eq!(
        words(&ran.document),
        ["service:app update", "service:app restart"]
    );
    assert_eq!(
        causes(&ran.document, "service:app", Action::Restart),
        ids(&["service:app"])
    );
}

#[test]
fn a_unit_file_broken_by_hand_and_put_back_was_never_read() {
    let unit = "/etc/systemd/system/app.service";
    let (mut machine, desired, ledger) = settled(vec![own_unit("app", INSTALL)], Machine::blank());
    machine.write(unit, "broken\n");
    let ran = true_run(&mut machine, &desired, &ledger);
    assert_eq!(words(&ran.document), ["service:app update"]);
    // Started by hand with it, it did read that.
    machine.write(unit, "broken\n");
    machine.start_by_hand("app.service");
    let ran = true_run(&mut machine, &desired, &ran.ledger);
    assert_eq!(
        words(&ran.document),
        ["service:app update", "service:app restart"]
    );
    // A mode alone is not what it reads.
    let path = path(unit);
    machine.nodes.get_mut(&path).unwrap().ownership.mode = Mode(0o600);
    let ran = true_run(&mut machine, &desired, &ran.ledger);
    assert_eq!(words(&ran.document), ["service:app update"]);
}

fn reloading() -> Resource {
    service_with("app", |service| {
        service.state = Some(Activity::Running);
        service.restart_on = ids(&["file:/etc/start"]);
        service.reload_on = ids(&["file:/etc/live", "file:/etc/start"]);
    })
}

#[test]
fn reload_where_it_does_and_restart_where_it_must() {
    for (live, start, can_reload, wanted) in [
        ("new", "old", true, "service:app reload"),
        ("new", "old", false, "service:app restart"),
        ("old", "new", true, "service:app restart"),
        ("new", "new", true, "service:app restart"),
    ] {
        let mut machine = Machine::blank();
        machine.offer("app", &["1"], |deb| deb.units = vec!["app.service".into()]);
        let files = |live: &str, start: &str| {
            let files = [file("/etc/live", live), file("/etc/start", start)];
            [&files[..], &[package("app", "*"), reloading()]].concat()
        };
        let (mut machine, _, ledger) = settled(files("old", "old"), machine);
        machine.units.get_mut("app.service").unwrap().can_reload = can_reload;
        let ran = true_run(&mut machine, &role(files(live, start)), &ledger);
        let words = words(&ran.document);
        assert_eq!(words.last().unwrap(), wanted, "{live} {start}");
        assert_eq!(words.iter().filter(|w| w.starts_with("service")).count(), 1);
    }
}

#[test]
fn what_a_package_might_enable_is_assumed_and_dropped_where_it_did_not() {
    for (enables, made) in [
        (true, vec!["package:app install", "service:app disable"]),
        (false, vec!["package:app install"]),
    ] {
        let mut machine = Machine::blank();
        machine.offer("app", &["1"], |deb| {
            if enables {
                deb.units = vec!["app.service".into()];
            }
        });
        let desired = role(vec![
            package("app", "*"),
            service_with("app", |service| {
                service.enabled = Some(false);
                service.state = Some(Activity::Stopped);
            }),
        ]);
        let promised = dry(&machine, &desired, &Ledger::default());
        assert_eq!(
            certainty(&promised, "service:app"),
            [
                (Action::Disable, Certainty::Assumed),
                (Action::Stop, Certainty::Assumed)
            ]
        );
        let ran = true_run(&mut machine, &desired, &Ledger::default());
        assert_eq!(words(&ran.document), made);
    }
}

#[test]
fn what_the_plan_did_not_have_is_unforeseen() {
    let (mut machine, desired, ledger) = zookeeper_settled();
    machine.debs.get_mut("zookeeperd").unwrap().versions = vec!["3.9.0-1".into()];
    let mut newer = desired.clone();
    newer.resources.retain(|r| r.id != id("package:zookeeperd"));
    newer.resources.push(package("zookeeperd", "3.9.*"));
    newer = role(newer.resources);
    // A package that overwrites what is no conffile, against Debian's policy.
    machine.debs.get_mut("zookeeperd").unwrap().needs = vec!["vandal".into()];
    machine.offer("vandal", &["1"], |_| {});
    machine
        .vandals
        .push(("vandal".into(), path("/etc/zookeeper/conf/myid")));
    let ran = run(&mut machine, &newer, &ledger);
    assert_eq!(
        ran.document.unforeseen,
        [Unforeseen {
            resource: id("file:/etc/zookeeper/conf/myid"),
            action: Action::Update
        }]
    );
    assert!(words(&ran.document).contains(&"file:/etc/zookeeper/conf/myid update".into()));
}

#[test]
fn a_command_may_change_what_the_role_leaves_open() {
    let open = || file_with("/d/made", |file| file.attributes = mode(0o644));
    for (inputs, restart_on, restarts) in [
        (vec![directory("/d")], "directory:/d", true),
        (vec![purged("/d"), open()], "directory:/d", true),
        (vec![directory("/d"), open()], "file:/d/made", true),
        // What a command does to these the role would undo again.
        (
            vec![purged("/e"), file("/e/own", "x")],
            "directory:/e",
            false,
        ),
        (vec![file("/e/own", "x")], "file:/e/own", false),
        (vec![directory("/d")], "package:app", false),
    ] {
        let mut machine = Machine::blank();
        machine.offer("app", &["1"], |deb| deb.units = vec!["app.service".into()]);
        machine.write("/d/made", "before");
        machine.touches.insert("make".into(), path("/d/made"));
        let mut resources = vec![
            package("app", "*"),
            running("app", &[restart_on]),
            file("/in", "x"),
        ];
        resources.extend(inputs);
        let (mut machine, desired, ledger) = settled(resources, machine);
        let mut resources = desired.resources;
        resources.push(on("make", &["file:/in"]));
        let desired = role(resources);
        let plan = dry(&machine, &desired, &ledger);
        let expected: &[_] = match restarts {
            true => &[(Action::Restart, Certainty::Assumed)],
            false => &[],
        };
        assert_eq!(certainty(&plan, "service:app"), expected, "{restart_on}");
        true_run(&mut machine, &desired, &ledger);
    }
}

/// A template with this unit file, and two of its instances.
fn templated(text: &str) -> Vec<Resource> {
    let template = service_with("app@", |service| {
        service.unit_file = Some(UnitFile {
            content: text.into(),
        });
    });
    let instance = |name: &str| {
        service_with(name, |service| {
            service.state = Some(Activity::Running);
            service.template = Some(id("service:app@"));
        })
    };
    vec![template, instance("app@a"), instance("app@b")]
}

#[test]
fn an_instance_starts_after_its_template_and_restarts_with_it() {
    let (mut machine, _, ledger) = {
        let mut machine = Machine::blank();
        let desired = role(templated("one\n"));
        let ran = true_run(&mut machine, &desired, &Ledger::default());
        assert_eq!(
            words(&ran.document),
            [
                "service:app@ create",
                "service:app@a start",
                "service:app@b start"
            ]
        );
        (machine, desired, ran.ledger)
    };
    machine.start_by_hand("app@b.service");
    let ran = true_run(&mut machine, &role(templated("two\n")), &ledger);
    assert_eq!(
        words(&ran.document),
        [
            "service:app@ update",
            "service:app@a restart",
            "service:app@b restart"
        ]
    );
    assert_eq!(
        causes(&ran.document, "service:app@a", Action::Restart),
        ids(&["service:app@"])
    );
}

#[test]
fn a_socket_comes_before_its_service() {
    let mut socket = own_unit("app.socket", INSTALL);
    if let Body::Service(service) = &mut socket.body {
        service.unit = "app.socket".into();
    }
    let mut machine = Machine::blank();
    let desired = role(vec![own_unit("app", INSTALL), socket]);
    let ran = true_run(&mut machine, &desired, &Ledger::default());
    let words = words(&ran.document);
    let at = |word: &str| words.iter().position(|w| w == word).unwrap();
    assert!(at("service:app.socket start") < at("service:app start"));
}

#[test]
fn what_can_start_a_stopped_service_again_is_told() {
    let stopped = |name: &str| {
        let unit = if name.contains('.') {
            name.to_owned()
        } else {
            format!("{name}.service")
        };
        service_with(name, |service| {
            service.unit = unit;
            service.state = Some(Activity::Stopped);
        })
    };
    let mut machine = Machine::blank();
    machine.write("/etc/systemd/system/app.service", INSTALL);
    machine.write("/etc/systemd/system/app.socket", INSTALL);
    machine.start_by_hand("app.service");
    machine.start_by_hand("app.socket");
    let unit = machine.units.get_mut("app.service").unwrap();
    let trigger = |unit: &str, active| Trigger {
        unit: unit.into(),
        active,
    };
    unit.triggered_by = vec![trigger("app.socket", true), trigger("app.timer", false)];
    let alone = dry(&machine, &role(vec![stopped("app")]), &Ledger::default());
    assert_eq!(
        alone.changes[0].after["woken_by"],
        serde_json::json!(["app.socket"])
    );
    let both = role(vec![stopped("app"), stopped("app.socket")]);
    let told = true_run(&mut machine, &both, &Ledger::default()).document;
    assert_eq!(
        words(&told),
        ["service:app.socket stop", "service:app stop"]
    );
    assert!(told.changes[1].after.is_null());
}

#[test]
fn without_the_ledger_what_is_owed_is_assumed() {
    let (mut machine, desired, _) = zookeeper_settled();
    machine.write("/etc/zookeeper/conf/myid", "9");
    let mut plan = plan(&desired, &machine.snapshot(&desired), &Ledger::default()).unwrap();
    plan.assume_owed(&desired);
    let changes = plan.changes();
    let words = changes.map(|change| (change.action, change.certainty));
    let wanted = [
        (Action::Update, Certainty::Certain),
        (Action::Restart, Certainty::Assumed),
    ];
    assert_eq!(words.collect::<Vec<_>>(), wanted);
}
