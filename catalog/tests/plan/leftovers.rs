//! What leaves a role, and is there still, is left over.

use crate::build::*;
use crate::model::machine::{Machine, What};
use cfg_catalog::id::{Kind, ResourceId};
use cfg_catalog::plan::document::{Done, Failure};
use cfg_catalog::plan::leftovers::{Around, Managed, Reverts};
use cfg_catalog::plan::{Ledger, Plan, Snapshot, plan};
use cfg_catalog::resource::archive::MARKER;
use cfg_catalog::resource::package::PackagePresence;
use cfg_catalog::resource::service::{Active, Activity};
use cfg_catalog::resource::{Desired, Leftovers, Observed, Presence, Resource};
use std::collections::BTreeSet;

/// What a run sees: the role's resources, and what it names no more.
fn seen(machine: &Machine, desired: &Desired, managed: &Managed) -> Snapshot {
    let mut all = desired.clone();
    all.resources.extend(managed.left(desired));
    all.resources.sort_by(|a, b| a.id.cmp(&b.id));
    machine.snapshot(&all)
}

/// The machine after a run of this role, as far as the record goes.
fn begun(machine: &Machine, desired: &Desired, managed: &Managed) -> Managed {
    let snapshot = seen(machine, desired, managed);
    let plan = plan(desired, &snapshot, &Ledger::default()).unwrap();
    managed.begun(desired, &snapshot, None, &plan).managed
}

fn left(machine: &Machine, desired: &Desired, managed: &Managed) -> Vec<String> {
    let snapshot = seen(machine, desired, managed);
    let plan = plan(desired, &snapshot, &Ledger::default()).unwrap();
    let leftovers = managed.leftovers(desired, &snapshot, &plan);
    let words = leftovers.iter().map(|left| left.resource.to_string());
    words.collect()
}

fn machine() -> Machine {
    let mut machine = Machine::blank();
    machine.write("/srv/f", "f");
    machine.put("/srv/d", What::Directory);
    machine.put("/srv/l", What::Link("f".into()));
    machine.write(&format!("/srv/a/{MARKER}"), "of an archive");
    machine.write("/etc/fstab", "/dev/b /srv/m ext4 defaults 0 2\n");
    machine.groups.insert("g".into(), 2000);
    machine
}

fn everything() -> Vec<Resource> {
    vec![
        file("/srv/f", "f"),
        directory("/srv/d"),
        archive("/srv/a", "of an archive"),
        mount_with("/srv/m", |_| ()),
        link("/srv/l", "f"),
        group("g", None, Presence::Present),
        group("never-made", None, Presence::Present),
        until("c", "/srv/f"),
        no_file("/srv/nothing"),
        no_archive("/srv/no-archive"),
        package("not-installed", "*"),
        no_package("gone", PackagePresence::Absent),
        user("never-made"),
        service_with("nowhere", |service| service.state = Some(Activity::Stopped)),
    ]
}

#[test]
fn what_is_there_still_is_left_over_until_it_is_gone_or_comes_back() {
    let mut machine = machine();
    let all = role(everything());
    let managed = begun(&machine, &all, &Managed::default());
    assert!(left(&machine, &all, &managed).is_empty());
    let none = role(Vec::new());
    let words = [
        "group:g",
        "directory:/srv/d",
        "file:/srv/f",
        "link:/srv/l",
        "mount:/srv/m",
        "archive:/srv/a",
    ];
    assert_eq!(left(&machine, &none, &managed), words);
    // Again, after a run without them.
    let after = begun(&machine, &none, &managed);
    assert_eq!(left(&machine, &none, &after), words);
    assert!(left(&machine, &all, &after).is_empty(), "they came back");
    machine.nodes.remove(&path("/srv/f"));
    machine.write("/srv/l", "a file now");
    machine.write("/etc/fstab", "");
    machine.nodes.remove(&path(&format!("/srv/a/{MARKER}")));
    assert_eq!(
        left(&machine, &none, &after),
        ["group:g", "directory:/srv/d"]
    );
    let after = begun(&machine, &none, &after);
    machine.write("/srv/f", "of somebody else");
    assert_eq!(
        left(&machine, &none, &after),
        ["group:g", "directory:/srv/d"],
        "what was gone is forgotten"
    );
}

#[test]
fn what_is_withheld_stays_on_record_as_it_was() {
    let machine = machine();
    let managed = begun(
        &machine,
        &role(vec![file("/srv/f", "f")]),
        &Managed::default(),
    );
    let mut other = role(vec![file("/srv/f", "other"), file("/srv/l", "other")]);
    other.withheld.resources = ids(&["file:/srv/f", "file:/srv/l"]).into_iter().collect();
    let after = begun(&machine, &other, &managed);
    assert_eq!(after, managed);
    let none = role(Vec::new());
    assert_eq!(left(&machine, &none, &after), ["file:/srv/f"]);
}

#[test]
fn what_the_role_names_otherwise_or_removes_is_not_left_over() {
    let machine = machine();
    let managed = begun(&machine, &role(everything()), &Managed::default());
    for (now, words) in [
        (
            vec![file("/srv/d/x", "x")],
            vec![
                "group:g",
                "file:/srv/f",
                "link:/srv/l",
                "mount:/srv/m",
                "archive:/srv/a",
            ],
        ),
        (
            vec![no_file("/srv/f")],
            vec![
                "group:g",
                "directory:/srv/d",
                "link:/srv/l",
                "mount:/srv/m",
                "archive:/srv/a",
            ],
        ),
        // What is mounted no purge takes away, and no directory that it is mounted on stands for it.
        (vec![purged("/srv")], vec!["group:g", "mount:/srv/m"]),
        (
            vec![directory("/srv/m"), directory("/srv/a")],
            vec![
                "group:g",
                "directory:/srv/d",
                "file:/srv/f",
                "link:/srv/l",
                "mount:/srv/m",
            ],
        ),
        (
            vec![link("/srv/f", "x")],
            vec![
                "group:g",
                "directory:/srv/d",
                "link:/srv/l",
                "mount:/srv/m",
                "archive:/srv/a",
            ],
        ),
    ] {
        assert_eq!(
            left(&machine, &role(now.clone()), &managed),
            words,
            "{now:?}"
        );
    }
}

#[test]
fn a_part_of_a_role_puts_no_more_on_record_and_forgets_nothing() {
    let machine = machine();
    let all = role(everything());
    let scope: BTreeSet<_> = [id("file:/srv/f")].into();
    let snapshot = machine.snapshot(&all);
    let plan = Plan::default();
    let managed = Managed::default().begun(&all, &snapshot, Some(&scope), &plan);
    let managed = managed.managed;
    let none = role(Vec::new());
    assert_eq!(left(&machine, &none, &managed), ["file:/srv/f"]);
    let empty = Snapshot::default();
    assert_eq!(
        managed
            .begun(&none, &empty, Some(&BTreeSet::new()), &plan)
            .managed,
        managed
    );
}

#[test]
fn a_service_that_crashed_goes_as_one_that_runs() {
    let all = role(vec![own_unit("own", "[Unit]\n"), running("other", &[])]);
    let none = role(Vec::new());
    let mut machine = Machine::blank();
    machine.write("/etc/systemd/system/other.service", "[Unit]\n");
    let managed = begun(&machine, &all, &Managed::default());
    machine.write("/etc/systemd/system/own.service", "[Unit]\n");
    let unit = machine.units.entry("own.service".into()).or_default();
    unit.enabled = true;
    for (active, stops) in [(Active::Failed, false), (Active::Retrying, true)] {
        let mut snapshot = seen(&machine, &none, &managed);
        for seen in snapshot.observed.values_mut() {
            if let Observed::Service(state) = seen {
                state.active = active;
            }
        }
        let reverts = managed.reverts(&none, &snapshot, &Around::default());
        assert_eq!(reverts.shown, []);
        let mut desired = reverts.with(&none);
        desired.leftovers = Leftovers::Revert;
        snapshot.observed.extend(
            machine
                .snapshot(&desired)
                .observed
                .into_iter()
                .filter(|(id, _)| id.kind == Kind::File),
        );
        let plan = plan(&desired, &snapshot, &Ledger::default()).unwrap();
        let words: Vec<String> = plan
            .changes()
            .map(|change| format!("{} {}", change.action.word(), change.resource))
            .collect();
        let goes = [
            "disable service:own",
            "stop service:own",
            "remove file:/etc/systemd/system/own.service",
        ];
        for word in goes {
            let wanted = stops || !word.starts_with("stop");
            assert_eq!(
                words.iter().any(|one| one == word),
                wanted,
                "{word}: {words:?}"
            );
        }
    }
}

#[test]
fn a_service_is_left_over_while_it_starts_or_is_masked_and_its_unit_file_while_it_stands() {
    let mut machine = Machine::blank();
    let all = role(vec![own_unit("own", "[Unit]\n"), running("other", &[])]);
    let managed = begun(&machine, &all, &Managed::default());
    let text = serde_json::to_string(&managed).unwrap();
    assert_eq!(serde_json::from_str::<Managed>(&text).unwrap(), managed);
    let none = role(Vec::new());
    assert!(left(&machine, &none, &managed).is_empty(), "no such units");
    for unit in ["own", "other"] {
        machine.write(&format!("/etc/systemd/system/{unit}.service"), "[Unit]\n");
    }
    assert_eq!(left(&machine, &none, &managed), ["service:own"]);
    for (enabled, masked, running) in [
        (true, false, false),
        (false, true, false),
        (false, false, true),
    ] {
        let mut machine = machine.clone();
        if running {
            machine.start_by_hand("other.service");
        }
        let unit = machine.units.entry("other.service".into()).or_default();
        (unit.enabled, unit.masked) = (enabled, masked);
        assert_eq!(
            left(&machine, &none, &managed),
            ["service:other", "service:own"],
            "{enabled} {masked} {running}"
        );
    }
}

#[test]
fn a_command_that_never_ran_leaves_nothing() {
    let machine = Machine::blank();
    let once = role(vec![until("c", "/srv/f")]);
    let id: ResourceId = "command:c".parse().unwrap();
    let record = |begun: &Managed, failure: Option<Failure>, ran: bool| {
        let done = Done {
            failures: failure.into_iter().collect(),
            begun: ran.then(|| id.clone()).into_iter().collect(),
            ..Done::default()
        };
        begun.ended(&done, &Reverts::default(), begun, None)
    };
    let fresh = begun(&machine, &once, &Managed::default());
    let failed = || Some(Failure::of(&id, "cannot run /no/such"));
    assert_eq!(record(&fresh, failed(), false), Managed::default());
    // Skipped, held, or not due after all.
    assert_eq!(record(&fresh, None, false), Managed::default());
    let tried = record(&fresh, failed(), true);
    assert_ne!(tried, Managed::default(), "it may have done something");
    // What it has done once stays done, whatever later runs make of it: and so it is where one was killed.
    let again = begun(&machine, &once, &tried);
    assert_eq!(record(&again, failed(), false), again);
    let killed = begun(&machine, &once, &fresh);
    assert_eq!(record(&killed, failed(), false), killed);
}

#[test]
fn what_a_run_that_was_killed_began_is_on_record_after_one_of_other_things() {
    let all = role(vec![file("/srv/f", "x"), file("/srv/g", "x")]);
    let killed = begun(&Machine::blank(), &all, &Managed::default());
    let ended = |scope: &[usize]| {
        let scope = scope.iter().map(|at| all.resources[*at].id.clone());
        let (done, reverts) = (Done::default(), Reverts::default());
        killed.ended(&done, &reverts, &killed, Some(&scope.collect()))
    };
    assert_eq!(ended(&[]), killed);
    assert_ne!(ended(&[0]), killed, "it was not begun after all");
    assert_ne!(ended(&[0]), Managed::default());
}

/// The first of this role failed: what brings back what is on record then, as a machine stands.
fn failed(all: &Desired, managed: &Managed) -> impl Fn(&Machine) -> Reverts {
    let failed = Done {
        failures: vec![Failure::of(&all.resources[0].id, "it cannot be")],
        ..Done::default()
    };
    let managed = managed.ended(&failed, &Reverts::default(), managed, None);
    move |machine| {
        let none = role(Vec::new());
        let snapshot = seen(machine, &none, &managed);
        managed.reverts(&none, &snapshot, &Around::default())
    }
}

#[test]
fn what_cfg_failed_to_change_was_changed_by_nobody_else() {
    let mut machine = machine();
    let all = role(vec![group("g", Some(3000), Presence::Present)]);
    let managed = begun(&machine, &all, &Managed::default());
    let reverts = failed(&all, &managed);
    let untouched = reverts(&machine);
    assert!(untouched.resources.is_empty() && untouched.shown.is_empty());
    machine.groups.insert("g".into(), 2500);
    let why = reverts(&machine).shown.remove(0).why.unwrap();
    assert!(why.starts_with("cfg's own change of it failed"), "{why}");
}

#[test]
fn a_setting_that_failed_over_a_file_of_cfgs_leaves_what_was_there_before() {
    const NAME: &str = "/etc/sysctl.d/90-cfg-vm.x.conf";
    let mut machine = machine();
    machine.kernel.insert("vm.x".into(), "1".into());
    let first = role(vec![file(NAME, "of cfg\n")]);
    let managed = begun(&machine, &first, &Managed::default());
    machine.write(NAME, "of cfg\n");
    let next = role(vec![sysctl("vm.x", "2")]);
    let managed = begun(&machine, &next, &managed);
    let reverts = failed(&next, &managed);
    let back = reverts(&machine);
    assert!(back.shown.is_empty(), "{:?}", back.shown);
    let setting = back.resources.iter().map(|one| one.id.to_string());
    assert_eq!(setting.collect::<Vec<_>>(), ["sysctl:vm.x"]);
    // Somebody else has had a hand in it.
    machine.write(NAME, "theirs\n");
    assert_eq!(reverts(&machine).shown.len(), 1);
}
