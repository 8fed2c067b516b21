//! The rules of the ledger: what a start has read, and what is owed.

use crate::build::*;
use crate::model::machine::Machine;
use crate::running::run;
use cfg_catalog::digest::Digest;
use cfg_catalog::id::ResourceId;
use cfg_catalog::plan::inputs::{Inputs, inputs};
use cfg_catalog::plan::ledger::{By, Owed, Read, StartRecord};
use cfg_catalog::plan::{Ledger, Snapshot, begin};
use cfg_catalog::resource::service::{Active, Enabled, Input, Load, ServiceState, Start};
use cfg_catalog::resource::{Desired, FileState, Observed, PathState, Resource};

const FILE: &str = "file:/etc/f";
const OTHER: &str = "file:/etc/g";

fn stands(text: &str, changed_us: u64) -> Observed {
    Observed::Path(PathState::File(FileState {
        ownership: crate::model::machine::owned(0o644),
        size: 1,
        digest: Some(Digest::of(text.as_bytes())),
        content: None,
        changed_us,
    }))
}

fn service(start: Option<(&str, u64)>) -> ServiceState {
    let active = match start {
        Some(_) => Active::Running,
        None => Active::Stopped,
    };
    ServiceState {
        start: start.map(|(id, at_us)| Start {
            id: id.into(),
            at_us,
        }),
        judged: true,
        ..ServiceState::new(Load::Loaded, active, Enabled::Yes)
    }
}

fn this(text: &str, changed_us: u64) -> Read {
    Read::This {
        digest: Digest::of(text.as_bytes()),
        changed_us,
    }
}

fn record(start: &str, by: By, read: &[(&str, Read)]) -> Ledger {
    let record = StartRecord {
        start: start.into(),
        by,
        inputs: read.iter().map(|(name, read)| (id(name), *read)).collect(),
    };
    Ledger {
        services: [(id("service:s"), record)].into(),
        ..Ledger::default()
    }
}

struct Scene {
    desired: Desired,
    snapshot: Snapshot,
    state: ServiceState,
}

/// A service under a start, and `/etc/f` with a text that changed at a time.
fn scene(start: Option<(&str, u64)>, restart_on: &[&str], text: &str, changed_us: u64) -> Scene {
    let state = service(start);
    let desired = role(vec![
        running("s", restart_on),
        file("/etc/f", text),
        file("/etc/g", "g"),
    ]);
    let observed = [
        (id("service:s"), Observed::Service(state.clone())),
        (id(FILE), stands(text, changed_us)),
        (id(OTHER), stands("g", 1)),
    ];
    Scene {
        desired,
        snapshot: Snapshot {
            observed: observed.into(),
            ..Snapshot::default()
        },
        state,
    }
}

impl Scene {
    fn begin(&self, ledger: &Ledger) -> Ledger {
        begin(&self.desired, &self.snapshot, ledger)
    }

    fn service(&self) -> &Resource {
        self.desired.get(&id("service:s")).unwrap()
    }

    fn inputs(&self) -> Inputs {
        inputs(&self.desired, &self.snapshot)
    }

    /// What is owed when a run begins with this ledger.
    fn owed(&self, ledger: &Ledger) -> Vec<ResourceId> {
        let begun = self.begin(ledger);
        assert_eq!(begun, self.begin(&begun), "to begin twice is to begin once");
        begun
            .owed(self.service(), &self.state, &self.inputs())
            .restart
    }
}

#[test]
fn what_is_owed_when_a_run_begins() {
    let nothing: &[&str] = &[];
    let none = Ledger::default();
    for (why, start, restart_on, text, changed, ledger, owed) in [
        (
            "what differs is owed",
            ("a", 50),
            &[FILE][..],
            "new",
            60,
            record("a", By::Cfg, &[(FILE, this("old", 10))]),
            &[FILE][..],
        ),
        (
            "what is as it was is not, whenever it was touched",
            ("a", 50),
            &[FILE],
            "old",
            60,
            record("a", By::Cfg, &[(FILE, this("old", 10))]),
            nothing,
        ),
        (
            "what left the list is not",
            ("a", 50),
            nothing,
            "new",
            60,
            record("a", By::Cfg, &[(FILE, this("old", 10))]),
            nothing,
        ),
        (
            "what was never recorded counts as what is there before the run",
            ("a", 50),
            &[FILE],
            "new",
            60,
            record("a", By::Cfg, &[(OTHER, this("g", 1))]),
            nothing,
        ),
        (
            "under a foreign start it is current where it is older",
            ("b", 50),
            &[FILE],
            "new",
            40,
            none.clone(),
            nothing,
        ),
        (
            "and owed where it is younger",
            ("b", 50),
            &[FILE],
            "new",
            60,
            none.clone(),
            &[FILE],
        ),
        (
            "and where it is of the same moment",
            ("b", 50),
            &[FILE],
            "new",
            50,
            none.clone(),
            &[FILE],
        ),
        (
            "what enters the list under a foreign start that is known goes by that start's time",
            ("b", 50),
            &[FILE],
            "new",
            60,
            record("b", By::Other, &[]),
            &[FILE],
        ),
        (
            "a restart by hand pays what was owed",
            ("b", 70),
            &[FILE],
            "new",
            60,
            record("a", By::Cfg, &[(FILE, this("old", 10))]),
            nothing,
        ),
        (
            "a restart by hand before the change does not",
            ("b", 50),
            &[FILE],
            "new",
            60,
            record("a", By::Cfg, &[(FILE, this("old", 10))]),
            &[FILE],
        ),
        (
            "what was not touched since an earlier start is older, whatever the clock says",
            ("b", 5),
            &[FILE],
            "old",
            60,
            record("a", By::Cfg, &[(FILE, this("old", 60))]),
            nothing,
        ),
        (
            "what nobody knows stays owed under its start",
            ("b", 50),
            &[FILE],
            "new",
            40,
            record("b", By::Other, &[(FILE, Read::Unknown)]),
            &[FILE],
        ),
        (
            "and is settled by the next one",
            ("c", 50),
            &[FILE],
            "new",
            40,
            record("b", By::Other, &[(FILE, Read::Unknown)]),
            nothing,
        ),
    ] {
        let scene = scene(Some(start), restart_on, text, changed);
        assert_eq!(scene.owed(&ledger), ids(owed), "{why}");
    }
}

#[test]
fn what_does_not_run_owes_nothing_and_is_forgotten() {
    let scene = scene(None, &[FILE], "new", 60);
    let ledger = record("a", By::Cfg, &[(FILE, this("old", 10))]);
    assert_eq!(scene.owed(&ledger), []);
    assert_eq!(scene.begin(&ledger), Ledger::default());
}

#[test]
fn what_was_not_seen_this_time_is_kept() {
    let mut scene = scene(Some(("a", 50)), &[FILE], "new", 60);
    let ledger = record("a", By::Cfg, &[(FILE, this("old", 10))]);
    let failed = Observed::Failed { why: "x".into() };
    scene
        .snapshot
        .observed
        .insert(id("service:s"), failed.clone());
    assert_eq!(scene.begin(&ledger), ledger);
    // An input that cannot be read owes nothing now, and is not forgotten either.
    let mut scene = super::ledger::scene(Some(("a", 50)), &[FILE], "new", 60);
    scene.snapshot.observed.insert(id(FILE), failed);
    let unknown = record("a", By::Other, &[(FILE, Read::Unknown)]);
    for ledger in [ledger, unknown] {
        assert_eq!(scene.owed(&ledger), []);
        assert_eq!(scene.begin(&ledger), ledger);
    }
}

#[test]
fn what_left_the_role_and_came_back_under_the_same_start_owes_nothing() {
    let there = scene(Some(("S1", 10)), &[FILE], "a", 50);
    let known = record("S1", By::Cfg, &[(FILE, this("a", 5))]);
    let mut away = scene(Some(("S1", 10)), &[FILE], "a", 50);
    away.desired = role(vec![file("/etc/f", "a")]);
    let meanwhile = away.begin(&known);
    assert_eq!(meanwhile.services, known.services);
    assert_eq!(there.owed(&there.begin(&meanwhile)), []);
    let changed = scene(Some(("S1", 10)), &[FILE], "b", 60);
    assert_eq!(changed.owed(&changed.begin(&meanwhile)), [id(FILE)]);
}

#[test]
fn a_start_by_cfg_has_read_what_was_there_just_before() {
    let scene = scene(Some(("b", 90)), &[FILE, OTHER], "new", 95);
    let mut ledger = record("a", By::Cfg, &[(FILE, this("old", 10))]);
    ledger.started(scene.service(), &scene.state, &scene.inputs());
    assert_eq!(
        ledger,
        record(
            "b",
            By::Cfg,
            &[(FILE, this("new", 95)), (OTHER, this("g", 1))]
        )
    );
    assert_eq!(scene.owed(&ledger), []);
}

#[test]
fn a_reload_reads_what_it_reloads_and_no_more() {
    let mut scene = scene(Some(("a", 50)), &[], "new", 60);
    scene.desired = role(vec![service_with("s", |service| {
        service.reload_on = ids(&[FILE]);
        service.restart_on = ids(&[OTHER]);
    })]);
    let read = [(FILE, this("old", 10)), (OTHER, this("not g", 1))];
    let mut ledger = record("a", By::Cfg, &read);
    let owed = |ledger: &Ledger| ledger.owed(scene.service(), &scene.state, &scene.inputs());
    assert_eq!(
        owed(&ledger),
        Owed {
            restart: ids(&[OTHER]),
            reload: ids(&[FILE])
        }
    );
    ledger.reloaded(scene.service(), &scene.inputs());
    assert_eq!(
        owed(&ledger),
        Owed {
            restart: ids(&[OTHER]),
            reload: Vec::new()
        }
    );
}

/// Its `when` is false now. A reload would not settle it, and come again at every run.
#[test]
fn what_the_list_names_and_the_role_does_not_have_owes_nothing() {
    let mut scene = scene(Some(("a", 50)), &[FILE], "new", 60);
    scene.desired = role(vec![running("s", &[FILE])]);
    scene.snapshot.observed.remove(&id(FILE));
    for read in [Read::Unknown, this("old", 10)] {
        assert_eq!(scene.owed(&record("a", By::Other, &[(FILE, read)])), []);
    }
}

#[test]
fn the_package_that_ships_the_unit_is_an_input() {
    let mut scene = scene(Some(("a", 50)), &[], "new", 60);
    scene.state.package = Some(("daemon".into(), "2".into()));
    let state = Observed::Service(scene.state.clone());
    scene.snapshot.observed.insert(id("service:s"), state);
    let ledger = record("a", By::Cfg, &[("package:daemon", this("1", 0))]);
    assert_eq!(scene.owed(&ledger), ids(&["package:daemon"]));
    // First met under a start that is older than what its package record says.
    assert_eq!(scene.owed(&Ledger::default()), []);
}

#[test]
fn a_command_is_owed_until_it_succeeded_with_what_is_there() {
    let command = on("c", &[FILE, OTHER]);
    let desired =
        |command: Resource| role(vec![command, file("/etc/f", "new"), file("/etc/g", "g")]);
    let snapshot = Snapshot {
        observed: [(id(FILE), stands("new", 1)), (id(OTHER), stands("g", 1))].into(),
        ..Snapshot::default()
    };
    let known = |read: &[(&str, &str)]| {
        let read = read
            .iter()
            .map(|(name, text)| (id(name), Digest::of(text.as_bytes())));
        Ledger {
            commands: [(command.id.clone(), read.collect())].into(),
            ..Ledger::default()
        }
    };
    for (ledger, owed) in [
        (Ledger::default(), Some(&[][..])),
        (known(&[(FILE, "new"), (OTHER, "g")]), None),
        (known(&[(FILE, "old"), (OTHER, "g")]), Some(&[FILE])),
        (known(&[(FILE, "new")]), None),
        (
            known(&[(FILE, "new"), (OTHER, "g"), ("file:/gone", "x")]),
            None,
        ),
    ] {
        let desired = desired(command.clone());
        let now = inputs(&desired, &snapshot);
        let begun = begin(&desired, &snapshot, &ledger);
        let got = begun.owed_command(&command.id, &ids(&[FILE, OTHER]), &now);
        assert_eq!(got, owed.map(ids), "{ledger:?}");
    }
    let desired = desired(command.clone());
    let now = inputs(&desired, &snapshot);
    let mut ledger = Ledger::default();
    ledger.succeeded(&command, &now);
    assert_eq!(ledger, known(&[(FILE, "new"), (OTHER, "g")]));
}

#[test]
fn inputs_are_contents_and_not_attributes() {
    let digest = |state: PathState| {
        let desired = role(vec![running("s", &["directory:/d"]), directory("/d")]);
        let snapshot = Snapshot {
            observed: [(id("directory:/d"), Observed::Path(state))].into(),
            ..Snapshot::default()
        };
        let Input { digest, .. } = inputs(&desired, &snapshot)[&id("directory:/d")];
        digest
    };
    let mut machine = crate::model::machine::Machine::blank();
    machine.write("/d/a", "x");
    let look = |machine: &crate::model::machine::Machine| machine.path(&path("/d"), true);
    let first = digest(look(&machine));
    for node in machine.nodes.values_mut() {
        node.ownership = crate::model::machine::owned(0o600);
        node.changed_us += 5;
    }
    assert_eq!(digest(look(&machine)), first);
    machine.write("/d/a", "y");
    assert_ne!(digest(look(&machine)), first);
    machine.write("/d/a", "x");
    machine.write("/d/b", "");
    assert_ne!(digest(look(&machine)), first);
}

#[test]
fn a_command_whose_inputs_the_role_has_not_runs_once() {
    let mut machine = Machine::blank();
    let bare = role(vec![command_with("c", |_| ())]);
    let ran = run(&mut machine, &bare, &Ledger::default());
    assert_eq!(ran.document.changes.len(), 1);
    let again = run(&mut machine, &bare, &ran.ledger);
    assert!(again.document.changes.is_empty(), "it ran again");
    // The role has its input now, and nothing of it was there when it ran.
    machine.write("/etc/f", "f");
    let now = role(vec![file("/etc/f", "f"), on("c", &[FILE])]);
    let later = run(&mut machine, &now, &again.ledger);
    assert!(later.document.changes.is_empty(), "nothing changed");
    let other = role(vec![file("/etc/f", "g"), on("c", &[FILE])]);
    let later = run(&mut machine, &other, &later.ledger);
    assert_eq!(later.document.changes.len(), 2);
}
