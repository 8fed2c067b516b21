//! What a machine refuses of a plan.

use super::{absent, folder, judge_ahead, stands, words};
use crate::build::*;
use crate::model::machine::owned;
use cfg_catalog::plan::ahead::Ahead;
use cfg_catalog::plan::refusals::Refusal;
use cfg_catalog::plan::{Action, Certainty, Change, Host, Verdict};
use cfg_catalog::resource::{Below, BelowKind, Observed, PathState, Resource};

fn refused(resource: &Resource, what: &str, refusal: Refusal, ahead: &Ahead) -> Verdict {
    let host = Host {
        refusals: [(id(what), refusal)].into(),
        ..Host::default()
    };
    let seen = match resource.id.to_string().starts_with("directory") {
        true => folder(Some("/p/x")),
        false => absent(),
    };
    judge_ahead(resource, Observed::Path(seen), &host, ahead)
}

fn ahead(changes: &[(&str, Action)]) -> Ahead {
    let mut ahead = Ahead::of_a_plan();
    for (resource, action) in changes {
        ahead.note(&Change::new(&id(resource), *action));
    }
    ahead
}

fn blocked() -> Refusal {
    Refusal::Blocked("no".into())
}

#[test]
fn what_is_refused_fails_before_the_run() {
    let file = file("/p/f", "x");
    for refusal in [blocked(), Refusal::Fails("no".into())] {
        let verdict = refused(&file, "file:/p/f", refusal, &ahead(&[]));
        assert_eq!(words(&verdict), "! no");
    }
    let verdict = refused(&file, "file:/p/other", blocked(), &ahead(&[]));
    assert_eq!(words(&verdict), "create");
    assert_eq!(verdict.changes[0].certainty, Certainty::Certain);
    // What is as it must be is not touched.
    let kept = no_file("/p/f");
    assert!(refused(&kept, "file:/p/f", blocked(), &ahead(&[])).is_converged());
}

#[test]
fn what_may_make_way_leaves_it_open() {
    let file = file("/p/f", "x");
    for before in [
        ("command:c", Action::Run),
        ("mount:/p", Action::Update),
        ("link:/p", Action::Update),
    ] {
        let ahead = ahead(&[before]);
        let verdict = refused(&file, "file:/p/f", blocked(), &ahead);
        assert_eq!(words(&verdict), "create", "{before:?}");
        assert_eq!(verdict.changes[0].certainty, Certainty::Assumed);
        // What is wrong with it itself stays wrong.
        let fails = Refusal::Fails("no".into());
        assert_eq!(words(&refused(&file, "file:/p/f", fails, &ahead)), "! no");
    }
    let beside = ahead(&[("file:/q", Action::Create), ("file:/p/g", Action::Create)]);
    let verdict = refused(&file, "file:/p/f", blocked(), &beside);
    assert_eq!(words(&verdict), "! no");
}

#[test]
fn what_processes_keep_from_going_goes_once_they_are_stopped() {
    let file = no_file("/p/f");
    let busy = |units: &[Option<&str>]| Refusal::Busy {
        why: "no".into(),
        units: units.iter().map(|unit| unit.map(str::to_owned)).collect(),
    };
    let (of_a, others) = (busy(&[Some("a.service")]), busy(&[Some("a.service"), None]));
    let stop = ("service:a", Action::Stop);
    let certain = Some(Certainty::Certain);
    let assumed = Some(Certainty::Assumed);
    for (refusal, before, due) in [
        (&of_a, vec![], None),
        (&of_a, vec![stop], certain),
        (&of_a, vec![("service:b", Action::Stop)], assumed),
        (&others, vec![stop], assumed),
        (&others, vec![("command:c", Action::Run)], assumed),
        (&others, vec![("package:a", Action::Remove)], assumed),
        (&others, vec![("file:/q", Action::Create)], None),
    ] {
        let host = Host {
            refusals: [(id("file:/p/f"), refusal.clone())].into(),
            ..Host::default()
        };
        let seen = Observed::Path(stands("x", owned(0o644)));
        let verdict = judge_ahead(&file, seen, &host, &ahead(&before));
        let sure = verdict.changes.first().map(|change| change.certainty);
        assert_eq!(sure, due, "{refusal:?} {before:?}");
        assert_eq!(verdict.obstacle.is_some(), due.is_none());
    }
}

#[test]
fn in_a_run_the_effect_itself_tells() {
    let file = file("/p/f", "x");
    for refusal in [blocked(), Refusal::Fails("no".into())] {
        let verdict = refused(&file, "file:/p/f", refusal, &Ahead::nothing());
        assert_eq!(words(&verdict), "create");
    }
}

#[test]
fn what_is_another_users_is_held_in_plan_and_run() {
    let file = file("/p/f", "x");
    for ahead in [ahead(&[]), Ahead::nothing()] {
        let held = Refusal::Held("it is root's".into());
        let verdict = refused(&file, "file:/p/f", held, &ahead);
        assert_eq!(words(&verdict), "");
        assert_eq!(verdict.held, ["create: it is root's"]);
    }
}

#[test]
fn what_a_purge_cannot_remove_is_missed_and_nothing_else() {
    let purge = purged("/p");
    let verdict = refused(&purge, "file:/p/x", blocked(), &ahead(&[]));
    assert_eq!(verdict.obstacle, None);
    assert_eq!(verdict.missed.as_deref(), Some("no"));
    assert_eq!(words(&verdict), "");
    // What holds it stays with it.
    let mut seen = folder(Some("/p/d/x"));
    if let PathState::Directory(seen) = &mut seen {
        let what = BelowKind::Directory(owned(0o755));
        let path = path("/p/d");
        seen.below.push(Below { path, what });
    }
    let host = Host {
        refusals: [(id("file:/p/d/x"), blocked())].into(),
        ..Host::default()
    };
    let verdict = judge_ahead(&purge, Observed::Path(seen), &host, &ahead(&[]));
    assert_eq!(
        (&*words(&verdict), verdict.missed.as_deref()),
        ("", Some("no"))
    );
    let held = Refusal::Held("it is root's".into());
    let verdict = refused(&purge, "file:/p/x", held, &ahead(&[]));
    assert_eq!(verdict.held, ["remove: it is root's"]);
}
