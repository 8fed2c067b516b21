//! Purges, removals, commands and accounts.

use super::{causes, certainty, settled, true_run};
use crate::build::*;
use crate::model::machine::{Machine, What};
use crate::model::run::words;
use crate::running::dry;
use cfg_catalog::plan::{Action, Certainty, Ledger};
use cfg_catalog::resource::package::PackagePresence;
use cfg_catalog::resource::service::Activity;
use cfg_catalog::resource::{Attributes, Presence, Resource, Shell};

#[test]
fn what_comes_along_as_a_dependency_counts_as_installed() {
    let mut machine = Machine::blank();
    machine.offer("a", &["1"], |deb| deb.needs = vec!["b".into()]);
    machine.offer("b", &["1"], |_| {});
    let desired = role(vec![package("a", "*"), package("b", "*")]);
    let ran = true_run(&mut machine, &desired, &Ledger::default());
    assert_eq!(
        words(&ran.document),
        ["package:a install", "package:b install"]
    );
    assert_eq!(machine.log, ["package:a install", "package:b update"]);
}

fn mesos() -> (Machine, Vec<Resource>) {
    let mut machine = Machine::blank();
    machine.offer("mesos", &["1.4"], |deb| {
        let files = [
            ("/etc/mesos/zk", "zk://localhost:2181/mesos"),
            ("/etc/mesos-master/quorum", "1"),
            ("/etc/mesos-master/stray/flag", "x"),
            ("/etc/mesos-slave/default", "x"),
        ];
        deb.files = files.map(|(p, t)| (p.into(), t.into())).into();
        deb.units = vec!["mesos-master.service".into(), "mesos-slave.service".into()];
    });
    let role = vec![
        package("mesos", "*"),
        file("/etc/mesos/zk", "zk://10.0.0.1:2181/mesos"),
        purged("/etc/mesos-master"),
        file("/etc/mesos-master/quorum", "2"),
        file("/etc/mesos-master/?no-switch_user", ""),
        no_file("/etc/mesos-slave/default"),
        running(
            "mesos-master",
            &["directory:/etc/mesos-master", "file:/etc/mesos/zk"],
        ),
        service_with("mesos-slave", |service| {
            service.state = Some(Activity::Stopped);
            service.masked = Some(true);
        }),
    ];
    (machine, role)
}

#[test]
fn masks_come_before_packages_and_what_a_package_litters_is_no_change() {
    let (mut machine, resources) = mesos();
    let ran = true_run(&mut machine, &role(resources), &Ledger::default());
    assert_eq!(
        words(&ran.document),
        [
            "service:mesos-slave mask",
            "package:mesos install",
            "directory:/etc/mesos-master create",
            "file:/etc/mesos-master/?no-switch_user create",
            "file:/etc/mesos-master/quorum create",
            "directory:/etc/mesos create",
            "file:/etc/mesos/zk create",
            "service:mesos-master enable",
            "service:mesos-master start",
        ]
    );
    assert!(!machine.nodes.contains_key(&path("/etc/mesos-master/stray")));
    assert!(
        !machine
            .nodes
            .contains_key(&path("/etc/mesos-slave/default"))
    );
    assert!(
        machine
            .log
            .contains(&"file:/etc/mesos-master/stray/flag remove".into())
    );
}

#[test]
fn a_victim_of_a_purge_restarts_as_surely_as_a_change() {
    let (machine, resources) = mesos();
    let (mut machine, desired, ledger) = settled(resources, machine);
    machine.write("/etc/mesos-master/work_dir", "/tmp");
    machine.start_by_hand("mesos-master.service");
    let ran = true_run(&mut machine, &desired, &ledger);
    assert_eq!(
        words(&ran.document),
        [
            "file:/etc/mesos-master/work_dir remove",
            "service:mesos-master restart",
        ]
    );
    let cause = ids(&["directory:/etc/mesos-master"]);
    let restart = causes(&ran.document, "service:mesos-master", Action::Restart);
    assert_eq!(restart, cause);
    let victim = "file:/etc/mesos-master/work_dir";
    assert_eq!(causes(&ran.document, victim, Action::Remove), cause);
    assert_eq!(ran.document.counts.resources, desired.resources.len() + 1);
    assert_eq!(ran.document.counts.changed, 2);
}

#[test]
fn a_purge_keeps_claims_mounts_and_what_leads_to_them() {
    let mut machine = Machine::blank();
    for stray in ["/d/a", "/d/s/t/a", "/d/kept/a", "/d/inner/a", "/d/gone/b"] {
        machine.write(stray, "x");
    }
    machine.put("/d/m/mounted", What::Mount);
    machine.write("/d/m/mounted/a", "x");
    machine.put("/d/link", What::Link("/nowhere".into()));
    let desired = role(vec![
        purged("/d"),
        file("/d/kept/mine", "x"),
        purged("/d/inner"),
        no_directory("/d/gone"),
        no_file("/d/a"),
    ]);
    let ran = true_run(&mut machine, &desired, &Ledger::default());
    assert_eq!(
        words(&ran.document),
        [
            "file:/d/s/t/a remove",
            "directory:/d/s/t remove",
            "directory:/d/s remove",
            "file:/d/link remove",
            "file:/d/kept/a remove",
            "file:/d/gone/b remove",
            "directory:/d/gone remove",
            "file:/d/a remove",
            "file:/d/inner/a remove",
            "file:/d/kept/mine create",
        ]
    );
}

#[test]
fn a_command_on_something_is_owed_until_it_succeeded() {
    let build = |text: &str| {
        vec![
            file("/etc/aliases", text),
            on("newaliases", &["file:/etc/aliases"]),
        ]
    };
    let (mut machine, desired, ledger) = settled(build("a"), Machine::blank());
    // Not even a change by hand that is put back owes it.
    machine.write("/etc/aliases", "b");
    let ran = true_run(&mut machine, &desired, &ledger);
    assert_eq!(words(&ran.document), ["file:/etc/aliases update"]);
    let ran = true_run(&mut machine, &role(build("c")), &ran.ledger);
    assert_eq!(
        words(&ran.document),
        ["file:/etc/aliases update", "command:newaliases run"]
    );
    assert_eq!(
        causes(&ran.document, "command:newaliases", Action::Run),
        ids(&["file:/etc/aliases"])
    );
    // Killed or failed before it ran: the next run owes it still.
    machine.write("/etc/aliases", "d");
    let owed = dry(&machine, &role(build("d")), &ran.ledger);
    assert_eq!(words(&owed), ["command:newaliases run"]);
}

#[test]
fn a_guard_is_only_believed_while_nothing_comes_before() {
    let mut machine = Machine::blank();
    machine.touches.insert("make".into(), path("/var/made"));
    let desired = |text: &str| role(vec![file("/etc/motd", text), until("make", "/var/made")]);
    let promised = dry(&machine, &desired("a"), &Ledger::default());
    let run_assumed = [(Action::Run, Certainty::Assumed)];
    assert_eq!(certainty(&promised, "command:make"), run_assumed);
    let ran = true_run(&mut machine, &desired("a"), &Ledger::default());
    assert_eq!(
        words(&ran.document),
        ["file:/etc/motd create", "command:make run"]
    );
    // The guard forbids it, and could come to allow it.
    let promised = dry(&machine, &desired("b"), &Ledger::default());
    assert_eq!(certainty(&promised, "command:make"), run_assumed);
    let ran = true_run(&mut machine, &desired("b"), &Ledger::default());
    assert_eq!(words(&ran.document), ["file:/etc/motd update"]);
    // Nothing before it: certain.
    machine.nodes.remove(&path("/var/made"));
    let promised = dry(&machine, &desired("b"), &Ledger::default());
    assert_eq!(
        certainty(&promised, "command:make"),
        [(Action::Run, Certainty::Certain)]
    );
}

#[test]
fn creates_is_judged_by_its_path_alone() {
    let creates =
        |name: &str, at: &str| command_with(name, |command| command.creates = Some(path(at)));
    let machine = Machine::blank();
    let role = role(vec![
        file("/etc/motd", "x"),
        file("/srv/app/conf", "x"),
        creates("free", "/var/made"),
        creates("near", "/srv/app"),
    ]);
    let promised = dry(&machine, &role, &Ledger::default());
    let of = |name: &str| certainty(&promised, name)[0].1;
    assert_eq!(of("command:free"), Certainty::Certain);
    assert_eq!(of("command:near"), Certainty::Assumed);
}

#[test]
fn only_if_that_a_package_answers() {
    let mut machine = Machine::blank();
    machine.offer("tool", &["1"], |deb| {
        deb.files = vec![("/usr/bin/tool".into(), "x".into())];
    });
    let desired = role(vec![
        package("tool", "*"),
        command_with("use", |command| {
            command.only_if = Some(Shell::Argv(vec!["/usr/bin/tool".into()]));
            command.unless = Some(Shell::Argv(vec!["/var/used".into()]));
        }),
    ]);
    machine.touches.insert("use".into(), path("/var/used"));
    let ran = true_run(&mut machine, &desired, &Ledger::default());
    assert_eq!(
        words(&ran.document),
        ["package:tool install", "command:use run"]
    );
}

#[test]
fn removal_from_the_inside_out() {
    let mut machine = Machine::blank();
    machine.write("/opt/app/bin/run", "x");
    machine.put("/opt/app/link", What::Link("bin".into()));
    let desired = role(vec![
        no_directory("/opt/app"),
        no_directory("/opt/app/bin"),
        no_file("/opt/app/bin/run"),
        no_link("/opt/app/link"),
    ]);
    let ran = true_run(&mut machine, &desired, &Ledger::default());
    assert_eq!(
        words(&ran.document),
        [
            "file:/opt/app/bin/run remove",
            "directory:/opt/app/bin remove",
            "link:/opt/app/link remove",
            "directory:/opt/app remove",
        ]
    );
}

#[test]
fn a_package_that_goes_takes_its_running_service_with_it() {
    let mut machine = Machine::blank();
    machine.offer("app", &["1"], |deb| deb.units = vec!["app.service".into()]);
    let (mut machine, _, ledger) = settled(vec![package("app", "*"), running("app", &[])], machine);
    let desired = role(vec![
        no_package("app", PackagePresence::Purged),
        service_with("app", |service| service.state = Some(Activity::Stopped)),
    ]);
    let ran = true_run(&mut machine, &desired, &ledger);
    assert_eq!(
        words(&ran.document),
        ["package:app purge", "service:app stop"]
    );
    assert_eq!(machine.log, ["package:app purge"]);
}

/// Nobody says whether it runs: it stops with its package, and is not restarted for that.
#[test]
fn what_goes_with_its_package_is_not_restarted() {
    let mut machine = Machine::blank();
    machine.offer("app", &["1"], |deb| deb.units = vec!["app.service".into()]);
    let (machine, _, ledger) = settled(vec![package("app", "*"), running("app", &[])], machine);
    let gone = no_package("app", PackagePresence::Purged);
    let desired = role(vec![gone.clone(), service_with("app", |_| {})]);
    let ran = true_run(&mut machine.clone(), &desired, &ledger);
    assert_eq!(words(&ran.document), ["package:app purge"]);
    // And where it must run, the role contradicts itself.
    let plan = dry(&machine, &role(vec![gone, running("app", &[])]), &ledger);
    assert_eq!(words(&plan), ["package:app purge"]);
    assert_eq!(plan.failures[0].message, "there is no unit app.service");
}

#[test]
fn what_runs_under_a_mask_is_not_restarted() {
    let mut machine = Machine::blank();
    machine.offer("app", &["1"], |deb| deb.units = vec!["app.service".into()]);
    let conf = file("/etc/app.conf", "one");
    let service = service_with("app", |service| {
        service.restart_on = ids(&["file:/etc/app.conf"]);
    });
    let resources = vec![package("app", "*"), conf, service];
    let (mut machine, desired, ledger) = settled(resources, machine);
    machine.start_by_hand("app.service");
    machine.units.get_mut("app.service").unwrap().masked = true;
    machine.write("/etc/app.conf", "two");
    let ran = true_run(&mut machine, &desired, &ledger);
    assert_eq!(words(&ran.document), ["file:/etc/app.conf update"]);
}

#[test]
fn a_group_goes_after_its_users() {
    let mut machine = Machine::blank();
    let make = |state| {
        vec![
            group("app", Some(2000), state),
            user_with("app", |user| {
                user.state = state;
                user.gid = Some("app".into());
            }),
        ]
    };
    let ran = true_run(
        &mut machine,
        &role(make(Presence::Present)),
        &Ledger::default(),
    );
    assert_eq!(
        words(&ran.document),
        ["group:app create", "user:app create"]
    );
    let ran = true_run(&mut machine, &role(make(Presence::Absent)), &ran.ledger);
    assert_eq!(
        words(&ran.document),
        ["user:app remove", "group:app remove"]
    );
}

#[test]
fn below_a_link_that_becomes_a_folder_nothing_is_left() {
    let mut machine = Machine::blank();
    machine.write("/srv/old/a", "x");
    machine.put("/d", What::Link("/srv/old".into()));
    machine.through.push((path("/d"), path("/srv/old")));
    let desired = role(vec![directory("/d"), file("/d/a", "x")]);
    let ran = true_run(&mut machine, &desired, &Ledger::default());
    assert_eq!(
        words(&ran.document),
        ["directory:/d update", "file:/d/a create"]
    );
}

#[test]
fn a_home_comes_with_its_user() {
    let mut machine = Machine::blank();
    let desired = role(vec![
        user("alice"),
        file("/home/alice/.profile", "x"),
        user_with("daemon", |user| {
            user.system = true;
            user.home = Some("/var/daemon".into());
        }),
        file("/var/daemon/conf", "x"),
    ]);
    let ran = true_run(&mut machine, &desired, &Ledger::default());
    assert_eq!(
        words(&ran.document),
        [
            "user:alice create",
            "user:daemon create",
            "file:/home/alice/.profile create",
            "directory:/var create",
            "directory:/var/daemon create",
            "file:/var/daemon/conf create",
        ]
    );
}

#[test]
fn what_is_of_an_account_keeps_its_number_where_that_gets_another() {
    let role = |uid, gid| {
        let owned = Attributes {
            owner: Some("cd".into()),
            group: Some("crew".into()),
            mode: None,
        };
        role(vec![
            group("crew", Some(gid), Presence::Present),
            user_with("cd", |user| {
                user.uid = Some(uid);
                user.gid = Some("crew".into());
            }),
            directory_with("/srv", |srv| srv.attributes = owned.clone()),
            file_with("/srv/conf", |file| file.attributes = owned.clone()),
            file_with("/home/cd/.profile", |file| file.attributes = owner("cd")),
            file_with("/srv/by-number", |file| file.attributes = owner("4300")),
        ])
    };
    let mut machine = Machine::blank();
    machine.write("/srv/conf", "x");
    machine.write("/srv/by-number", "x");
    machine.write("/home/cd/.profile", "x");
    let ran = true_run(&mut machine, &role(4300, 4200), &Ledger::default());
    let owned = ["directory:/srv update", "file:/srv/conf update"];
    let ran = true_run(&mut machine, &role(4300, 4201), &ran.ledger);
    assert_eq!(words(&ran.document)[0], "group:crew update");
    assert_eq!(words(&ran.document)[1..], owned);
    // What is in his home usermod gives him anew.
    let ran = true_run(&mut machine, &role(4301, 4201), &ran.ledger);
    assert_eq!(words(&ran.document)[0], "user:cd update");
    assert_eq!(words(&ran.document)[1..], owned);
}

#[test]
fn in_a_home_that_is_anothers_usermod_gives_nothing_away() {
    let role = |uid| {
        role(vec![
            user_with("webd", |user| {
                user.uid = Some(uid);
                user.system = true;
                user.home = Some("/srv/webd".into());
            }),
            directory("/srv/webd"),
            file_with("/srv/webd/conf", |file| file.attributes = owner("webd")),
        ])
    };
    let mut machine = Machine::blank();
    machine.write("/srv/webd/conf", "x");
    let ran = true_run(&mut machine, &role(900), &Ledger::default());
    let ran = true_run(&mut machine, &role(901), &ran.ledger);
    let updates = ["user:webd update", "file:/srv/webd/conf update"];
    assert_eq!(words(&ran.document), updates);
}
