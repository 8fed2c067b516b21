//! Packages.

use super::{judge, judge_ahead, only};
use crate::build::*;
use cfg_catalog::plan::ahead::Ahead;
use cfg_catalog::plan::{Action, Certainty, Change, Host, Verdict};
use cfg_catalog::resource::debconf::{Answer, Answers};
use cfg_catalog::resource::package::{
    DpkgState, Drawn, Offered, PackagePresence, PackageState, Refusal, Wanted,
};
use cfg_catalog::resource::{Observed, Resource};
use serde_json::json;

pub fn dpkg(version: &str) -> PackageState {
    let available = ["2:1.0", "3.9-1", "3.8-2", "3.8-1"];
    PackageState {
        dpkg: DpkgState::Installed {
            version: version.into(),
            changed_us: 1,
        },
        held: false,
        auto: false,
        available: Some(Offered {
            candidate: Some(available[0].into()),
            versions: available.map(String::from).into(),
        }),
        debconf: Answers::default(),
        refusal: None,
        drawn: None,
        unsure: false,
    }
}

pub fn with(state: PackageState, dpkg: DpkgState) -> PackageState {
    PackageState { dpkg, ..state }
}

fn absent() -> PackageState {
    with(dpkg(""), DpkgState::Absent)
}

fn config() -> PackageState {
    with(dpkg(""), DpkgState::ConfigFiles)
}

fn broken(version: &str) -> PackageState {
    let broken = DpkgState::Broken {
        version: version.into(),
        status: "install ok half-configured".into(),
    };
    with(dpkg(""), broken)
}

/// Interrupted while it was unpacked.
fn torn(version: &str) -> PackageState {
    let torn = DpkgState::Broken {
        version: version.into(),
        status: "reinstreq".into(),
    };
    with(dpkg(""), torn)
}

/// Without an index.
fn blind(state: PackageState) -> PackageState {
    PackageState {
        available: None,
        refusal: None,
        ..state
    }
}

fn auto(state: PackageState) -> PackageState {
    PackageState {
        auto: true,
        ..state
    }
}

fn held(state: PackageState) -> PackageState {
    PackageState {
        held: true,
        ..state
    }
}

fn hold(hold: bool, version: &str) -> Resource {
    package_with("p", |p| {
        p.hold = Some(hold);
        p.version = Wanted::Glob(version.into());
    })
}

/// Actions with the versions that they lead to.
fn told(verdict: &Verdict) -> String {
    if let Some(why) = &verdict.obstacle {
        return format!("! {why}");
    }
    let words = verdict.changes.iter().map(|change| {
        let version = change.after["version"].as_str().unwrap_or_default();
        format!("{} {version}", change.action.word())
            .trim()
            .to_owned()
    });
    words.collect::<Vec<_>>().join(" ")
}

fn check(table: &[(Resource, PackageState, &str)]) {
    for (resource, state, wanted) in table {
        let verdict = judge(resource, Observed::Package(state.clone()), &Host::default());
        assert_eq!(told(&verdict), *wanted, "{:?} on {state:?}", resource.body);
    }
}

#[test]
fn versions() {
    check(&[
        (package("p", "*"), absent(), "install 2:1.0"),
        (package("p", "*"), config(), "install 2:1.0"),
        (package("p", "3.8-*"), absent(), "install 3.8-2"),
        (package("p", "3.8-1"), absent(), "install 3.8-1"),
        (package("p", "1.*"), absent(), "install 2:1.0"),
        (package("p", "*"), blind(absent()), "install *"),
        (package("p", "3.8-*"), blind(absent()), "install 3.8-*"),
        (package("p", "*"), dpkg("0.1"), ""),
        (package("p", "3.8-*"), dpkg("3.8-1"), ""),
        (package("p", "3.8-*"), dpkg("1:3.8-1"), ""),
        (package("p", "3.8-*"), dpkg("3.7"), "upgrade 3.8-2"),
        (package("p", "3.8-*"), dpkg("3.9-1"), "downgrade 3.8-2"),
        (
            package("p", "3.10-*"),
            blind(dpkg("3.9-1")),
            "upgrade 3.10-*",
        ),
        (
            package("p", "3.2-*"),
            blind(dpkg("3.9-1")),
            "downgrade 3.2-*",
        ),
        (package("p", "latest"), dpkg("3.9-1"), "upgrade 2:1.0"),
        (package("p", "latest"), dpkg("2:1.0"), ""),
        (package("p", "latest"), choosing("3:0", dpkg("3:0")), ""),
        (package("p", "latest"), blind(dpkg("1")), ""),
    ]);
}

/// apt's choice is this, by its preferences.
fn choosing(candidate: &str, state: PackageState) -> PackageState {
    let available = state.available.map(|offered| Offered {
        candidate: Some(candidate.into()),
        ..offered
    });
    PackageState { available, ..state }
}

#[test]
fn what_is_left_to_apt_is_its_candidate() {
    let stable = |state| choosing("3.8-2", state);
    check(&[
        (package("p", "*"), stable(absent()), "install 3.8-2"),
        (package("p", "latest"), stable(absent()), "install 3.8-2"),
        (
            package("p", "latest"),
            stable(dpkg("3.8-1")),
            "upgrade 3.8-2",
        ),
        (package("p", "latest"), stable(dpkg("3.8-2")), ""),
        // A preference of 1000 or more forces that.
        (
            package("p", "latest"),
            stable(dpkg("3.9-1")),
            "downgrade 3.8-2",
        ),
        (package("p", "*"), stable(torn("3.0-1")), "install 3.8-2"),
        // What the role names itself may come from anywhere.
        (package("p", "3.9*"), stable(absent()), "install 3.9-1"),
        (package("p", "3.*"), stable(absent()), "install 3.9-1"),
    ]);
}

#[test]
fn what_others_take_along_is_a_change_for_their_sake() {
    let taken = |to: &str, certainty, state: PackageState| PackageState {
        available: None,
        drawn: Some(Drawn {
            version: to.into(),
            by: vec![id("package:q")],
            certainty,
        }),
        ..state
    };
    for (state, wanted) in [
        (
            taken("2", Certainty::Certain, dpkg("1")),
            "upgrade 2 Certain",
        ),
        (
            taken("2", Certainty::Assumed, dpkg("1")),
            "upgrade 2 Assumed",
        ),
        (
            taken("1", Certainty::Certain, dpkg("2")),
            "downgrade 1 Certain",
        ),
        // Moving it marks it as well.
        (
            taken("2", Certainty::Certain, auto(dpkg("1"))),
            "upgrade 2 Certain",
        ),
    ] {
        let change = only(judge(
            &package("p", "*"),
            Observed::Package(state),
            &Host::default(),
        ));
        let version = change.after["version"].as_str().unwrap_or_default();
        let told = format!("{} {version} {:?}", change.action.word(), change.certainty);
        assert_eq!(told, wanted);
        assert_eq!(change.causes, [id("package:q")]);
    }
    check(&[
        (
            package("p", "*"),
            taken("1", Certainty::Certain, dpkg("1")),
            "",
        ),
        // Its own move comes first.
        (
            package("p", "3.9-1"),
            PackageState {
                drawn: taken("4", Certainty::Certain, dpkg("1")).drawn,
                ..dpkg("1")
            },
            "upgrade 3.9-1",
        ),
    ]);
}

#[test]
fn what_comes_from_a_source_that_changes_is_only_assumed() {
    let unsure = PackageState {
        unsure: true,
        ..absent()
    };
    let change = only(judge(
        &package("p", "*"),
        Observed::Package(unsure),
        &Host::default(),
    ));
    assert_eq!(change.certainty, Certainty::Assumed);
}

#[test]
fn repairs_marks_and_holds() {
    check(&[
        (package("p", "*"), broken("3.8-1"), "install 3.8-1"),
        (package("p", "3.9*"), broken("3.8-1"), "install 3.9-1"),
        (package("p", "latest"), broken("3.8-1"), "install 2:1.0"),
        (package("p", "*"), torn("3.8-1"), "install 3.8-1"),
        // No index has its files any more; what is unpacked needs none.
        (package("p", "*"), torn("3.0-1"), "install 2:1.0"),
        (package("p", "3.*"), torn("3.0-1"), "install 3.9-1"),
        (package("p", "3.0-1"), torn("3.0-1"), "install 3.0-1"),
        (package("p", "*"), blind(torn("3.0-1")), "install 3.0-1"),
        (package("p", "*"), broken("3.0-1"), "install 3.0-1"),
        (package("p", "*"), auto(dpkg("1")), "update"),
        (package("p", "3.9*"), auto(dpkg("1")), "upgrade 3.9-1"),
        (hold(true, "3.9*"), dpkg("3.9-1"), "hold"),
        (hold(true, "3.9*"), held(dpkg("3.9-1")), ""),
        (hold(true, "3.9*"), held(dpkg("3.8-1")), "upgrade 3.9-1"),
        (hold(true, "3.9*"), absent(), "install 3.9-1 hold"),
        (hold(false, "3.9*"), held(dpkg("3.9-1")), "unhold"),
        (
            hold(false, "3.9*"),
            held(dpkg("3.8-1")),
            "unhold upgrade 3.9-1",
        ),
        (package("p", "3.9*"), held(dpkg("3.8-1")), "upgrade 3.9-1"),
    ]);
}

#[test]
fn removals() {
    let gone = || no_package("p", PackagePresence::Absent);
    let purged = || no_package("p", PackagePresence::Purged);
    check(&[
        (gone(), absent(), ""),
        (gone(), config(), ""),
        (gone(), dpkg("1"), "remove"),
        (gone(), broken("1"), "remove"),
        (purged(), absent(), ""),
        (purged(), config(), "purge"),
        (purged(), dpkg("1"), "purge"),
    ]);
}

#[test]
fn what_no_index_has() {
    let none = PackageState {
        available: Some(Offered::default()),
        refusal: None,
        ..absent()
    };
    let wanted = "! no version of p is 4.*; the repositories have 2:1.0, 3.9-1, 3.8-2, 3.8-1";
    check(&[
        (package("p", "4.*"), absent(), wanted),
        (package("p", "4.*"), dpkg("3.9-1"), wanted),
        (
            package("p", "*"),
            none.clone(),
            "! no repository has a package p",
        ),
    ]);
    let mut ahead = Ahead::of_a_plan();
    ahead.note(&Change::new(&id("repository:r"), Action::Create));
    let state = Observed::Package(none);
    let verdict = judge_ahead(&package("p", "4.*"), state, &Host::default(), &ahead);
    assert_eq!(only(verdict).after, json!({ "version": "4.*" }));
}

#[test]
fn what_apt_refuses_fails_or_is_only_assumed() {
    use cfg_catalog::plan::Certainty::{Assumed, Certain};
    let gone = || no_package("p", PackagePresence::Purged);
    let hold = || package_with("p", |package| package.hold = Some(true));
    for (resource, state, certainty, wanted) in [
        (package("p", "*"), absent(), Certain, "! needed by q"),
        (
            package("p", "3.8-1"),
            dpkg("3.9-1"),
            Certain,
            "! needed by q",
        ),
        (gone(), dpkg("1"), Certain, "! needed by q"),
        (gone(), absent(), Certain, ""),
        (gone(), dpkg("1"), Assumed, "purge assumed"),
        (package("p", "*"), absent(), Assumed, "install assumed"),
        // Marks are no move.
        (hold(), dpkg("1"), Certain, "hold certain"),
    ] {
        let refusal = Some(Refusal {
            why: "needed by q".into(),
            certainty,
        });
        let observed = Observed::Package(PackageState { refusal, ..state });
        let verdict = judge(&resource, observed, &Host::default());
        let sure = verdict.changes.iter().map(|change| {
            let certainty = format!("{:?}", change.certainty).to_lowercase();
            format!("{} {certainty}", change.action.word())
        });
        let told = match &verdict.obstacle {
            Some(why) => format!("! {why}"),
            None => sure.collect::<Vec<_>>().join(", "),
        };
        assert_eq!(told, wanted, "{:?} of {certainty:?}", resource.body);
    }
}

#[test]
fn what_the_index_does_not_have_yet_is_only_assumed() {
    use cfg_catalog::plan::Certainty::{Assumed, Certain};
    for (resource, state, wanted) in [
        (package("p", "*"), absent(), Certain),
        (package("p", "3.8-*"), dpkg("3.9-1"), Certain),
        (package("p", "*"), blind(absent()), Assumed),
        (package("p", "99*"), blind(dpkg("3.9-1")), Assumed),
        (package("p", "*"), broken("3.0-1"), Certain),
        (package("p", "*"), torn("3.8-1"), Certain),
        (package("p", "*"), blind(torn("3.8-1")), Assumed),
    ] {
        let observed = Observed::Package(state.clone());
        let change = only(judge(&resource, observed, &Host::default()));
        assert_eq!(change.certainty, wanted, "{:?} on {state:?}", resource.body);
    }
}

fn answering(kind: &str, value: &str) -> Resource {
    package_with("p", |p| {
        p.debconf = vec![Answer {
            question: "p/q".into(),
            kind: kind.into(),
            value: value.into(),
        }];
    })
}

fn answered(state: PackageState, value: &str) -> PackageState {
    PackageState {
        debconf: Answers::Known([("p/q".to_owned(), value.to_owned())].into()),
        ..state
    }
}

#[test]
fn answers() {
    let unread = PackageState {
        debconf: Answers::Unread {
            why: "root alone".into(),
        },
        ..dpkg("1")
    };
    let here = || dpkg("1");
    check(&[
        (answering("string", "a"), answered(here(), "a"), ""),
        (answering("string", "a"), answered(here(), "b"), "update"),
        (answering("string", "a"), here(), "update"),
        (answering("string", ""), here(), "update"),
        // What is not installed is given its answers with its installation.
        (
            answering("string", "a"),
            answered(absent(), "b"),
            "install 2:1.0",
        ),
        // A script takes a password away when it has used it.
        (answering("password", "a"), here(), ""),
        (answering("password", "a"), answered(here(), ""), ""),
        (answering("password", "a"), answered(here(), "b"), "update"),
        (answering("string", "a"), unread.clone(), "! root alone"),
        (package("p", "*"), unread, ""),
        (
            answering("string", "a"),
            answered(auto(here()), "b"),
            "update",
        ),
        (
            answering("string", "a"),
            answered(auto(here()), "a"),
            "update",
        ),
    ]);
}

#[test]
fn answers_are_shown_and_passwords_are_not() {
    let shown = |resource: &Resource, state: PackageState| {
        let verdict = judge(resource, Observed::Package(state), &Host::default());
        let change = verdict.changes.into_iter().next().unwrap();
        (change.before, change.after)
    };
    let (_, after) = shown(&answering("string", "a"), absent());
    assert_eq!(after["debconf"], json!({"p/q": "a"}));
    let (before, after) = shown(&answering("string", "a"), answered(auto(dpkg("1")), "b"));
    assert_eq!(before, json!({"auto": true, "debconf": {"p/q": "b"}}));
    assert_eq!(after, json!({"auto": false, "debconf": {"p/q": "a"}}));
    for secret in [
        answering("password", "a"),
        sensitive(answering("string", "a")),
    ] {
        let (before, after) = shown(&secret, answered(dpkg("1"), "b"));
        assert_eq!(before["debconf"], json!({"p/q": "(sensitive)"}));
        assert_eq!(after["debconf"], json!({"p/q": "(sensitive)"}));
        let (_, after) = shown(&secret, absent());
        assert_eq!(after["debconf"], json!({"p/q": "(sensitive)"}));
    }
}
