//! The document: its keys, its counts, its exit code.

use crate::build::*;
use crate::model::machine::Machine;
use crate::running::{dry, run};
use cfg_catalog::digest::Digest;
use cfg_catalog::plan::document::{
    Document, Done, DryRun, Failure, Head, Held, Leftover, Outcome, Unforeseen, Why,
};
use cfg_catalog::plan::{Action, Certainty, Change, Ledger, Plan};
use serde_json::Value;

pub fn head() -> Head {
    Head {
        without_slot: None,
        host: "vm-3".into(),
        run: None,
        role: Some("zookeeper".into()),
        release: Some(Digest::of(b"release")),
        view: None,
        partial: false,
        started: "2026-11-23T18:00:00Z".into(),
        took_ms: 31,
    }
}

pub fn document(done: Done) -> Document {
    Document::of_run(head(), &Plan::default(), done)
}

fn keys(value: &Value) -> Vec<&str> {
    value
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect()
}

pub fn change(resource: &str, action: Action) -> Change {
    Change::new(&id(resource), action)
}

pub fn held(resource: &str, why: Why) -> Held {
    Held {
        resource: id(resource),
        why,
        detail: "waiting for zookeeper: 2 of 3".into(),
    }
}

pub fn left(resource: &str, role: &str) -> Leftover {
    Leftover {
        why: None,
        resource: id(resource),
        role: role.into(),
    }
}

#[test]
fn the_keys_are_the_contracts() {
    let done = Done {
        changes: vec![change("file:/a", Action::Update)],
        held: vec![held("file:/b", Why::Cohort)],
        failures: vec![Failure::of(&id("file:/c"), "no")],
        leftovers: vec![left("file:/d", "web")],
        ..Done::default()
    };
    let json = serde_json::to_value(document(done)).unwrap();
    assert_eq!(
        keys(&json),
        [
            "changes",
            "counts",
            "dry_run",
            "failures",
            "held",
            "host",
            "leftovers",
            "release",
            "result",
            "role",
            "run",
            "started",
            "took_ms",
            "version",
        ]
    );
    assert_eq!(keys(&json["leftovers"][0]), ["resource", "role"]);
    assert_eq!(
        keys(&json["counts"]),
        [
            "changed",
            "failed",
            "held",
            "in_sync",
            "resources",
            "skipped"
        ]
    );
    assert_eq!(
        keys(&json["changes"][0]),
        [
            "action",
            "after",
            "before",
            "causes",
            "certainty",
            "diff",
            "resource"
        ]
    );
    assert_eq!(keys(&json["held"][0]), ["detail", "resource", "why"]);
    assert_eq!(
        keys(&json["failures"][0]),
        ["message", "resource", "skipped"]
    );
    assert_eq!(json["version"], 1);
    assert_eq!(json["changes"][0]["action"], "update");
    assert_eq!(json["changes"][0]["certainty"], "certain");
    assert_eq!(json["held"][0]["why"], "cohort");
    assert_eq!(json["result"], "failed");
}

#[test]
fn it_survives_being_written() {
    let done = Done {
        changes: vec![change("file:/a", Action::Update).at_most(Certainty::Assumed)],
        unforeseen: vec![Unforeseen {
            resource: id("file:/a"),
            action: Action::Update,
        }],
        ..Done::default()
    };
    let document = document(done);
    let json = serde_json::to_string(&document).unwrap();
    assert!(json.contains(r#""unforeseen":[{"resource":"file:/a","action":"update"}]"#));
    assert_eq!(serde_json::from_str::<Document>(&json).unwrap(), document);
}

#[test]
fn the_worst_gives_the_result_and_the_exit_code() {
    let changed = || vec![change("file:/a", Action::Update)];
    let failed = || vec![Failure::of(&id("file:/a"), "no")];
    let waits = || vec![held("file:/b", Why::Slot)];
    let paused = || vec![held("file:/b", Why::Paused)];
    for (changes, held, failures, outcome, code) in [
        (vec![], vec![], vec![], Outcome::Converged, 0),
        (changed(), vec![], vec![], Outcome::Applied, 0),
        (changed(), paused(), vec![], Outcome::Paused, 3),
        (
            vec![],
            [paused(), waits()].concat(),
            vec![],
            Outcome::Waiting,
            3,
        ),
        (changed(), waits(), failed(), Outcome::Failed, 1),
    ] {
        let document = document(Done {
            changes,
            held,
            failures,
            // What is left over is no reason to end otherwise.
            leftovers: vec![left("file:/left", "web")],
            ..Done::default()
        });
        assert_eq!((document.result, document.exit_code()), (outcome, code));
        assert!(!document.dry_run);
    }
    let machine = Machine::blank();
    let found = dry(&machine, &role(vec![file("/a", "x")]), &Ledger::default());
    assert_eq!((found.result, found.exit_code()), (Outcome::Changes, 2));
    assert!(found.dry_run);
    let failed = dry(
        &machine,
        &role(vec![file("/a", ""), running("s", &[])]),
        &Ledger::default(),
    );
    assert_eq!((failed.result, failed.exit_code()), (Outcome::Failed, 1));
    let error = Document::of_error(head(), DryRun::Yes, "bad catalog");
    assert_eq!((error.result, error.exit_code()), (Outcome::Failed, 1));
}

#[test]
fn every_resource_is_counted_once() {
    let mut machine = Machine::blank();
    machine.write("/d/stray", "");
    machine.write("/same", "x");
    let desired = role(vec![
        file("/same", "x"),
        purged("/d"),
        file("/new/deep/file", "x"),
        running("missing", &[]),
        after(on("next", &["file:/same"]), &["service:missing"]),
        after(file("/idle", "x"), &["command:next"]),
        after(no_file("/nothing"), &["command:next"]),
    ]);
    let ran = run(&mut machine, &desired, &Ledger::default());
    let counts = ran.document.counts;
    // Changed: the stray, two folders, the file in them.
    assert_eq!((counts.changed, counts.failed, counts.skipped), (4, 1, 2));
    // In sync: /same, /d, and /nothing, which needs nothing done.
    assert_eq!((counts.in_sync, counts.held, counts.resources), (3, 0, 10));
    let [failure] = &ran.document.failures[..] else {
        panic!("{:?}", ran.document.failures);
    };
    assert_eq!(failure.resource, Some(id("service:missing")));
    assert_eq!(failure.skipped, ids(&["command:next", "file:/idle"]));
    assert_eq!(ran.document.exit_code(), 1);
}
