//! Services: what is wanted, what systemd says, what is done.

use super::{absent, judge_ahead, stands, words};
use crate::build::*;
use crate::model::machine::owned;
use cfg_catalog::plan::ahead::Ahead;
use cfg_catalog::plan::{Action, Certainty, Change, Host, Verdict};
use cfg_catalog::resource::service::{
    Active, Activity, Enabled, Load, Service, ServiceState, Start, Trigger, UnitFile,
};
use cfg_catalog::resource::{Observed, Ownership, Resource};
use std::collections::BTreeSet;

pub(super) fn state(load: Load, active: Active, enabled: Enabled) -> ServiceState {
    ServiceState {
        start: (active == Active::Running).then(|| Start {
            id: "s".into(),
            at_us: 100,
        }),
        judged: true,
        can_reload: true,
        ..ServiceState::new(load, active, enabled)
    }
}

fn wanted(change: impl FnOnce(&mut Service)) -> Resource {
    service_with("s", change)
}

fn run() -> Resource {
    wanted(|s| s.state = Some(Activity::Running))
}

fn stop() -> Resource {
    wanted(|s| s.state = Some(Activity::Stopped))
}

fn enabled(yes: bool) -> Resource {
    wanted(|s| s.enabled = Some(yes))
}

fn judged(resource: &Resource, state: &ServiceState, ahead: &Ahead) -> Verdict {
    let observed = Observed::Service(state.clone());
    judge_ahead(resource, observed, &Host::default(), ahead)
}

/// With `?` behind what is assumed.
fn told(verdict: &Verdict) -> String {
    if verdict.obstacle.is_some() {
        return words(verdict);
    }
    let words = verdict.changes.iter().map(|change| match change.certainty {
        Certainty::Certain => change.action.word().to_owned(),
        Certainty::Assumed => format!("{}?", change.action.word()),
    });
    words.collect::<Vec<_>>().join(" ")
}

#[test]
fn of_a_unit_that_is_there() {
    use Active::{Failed, Retrying, Running, Stopped, Unjudged};
    use Enabled::{Fixed, ForNow, No, Yes};
    let nothing = || wanted(|_| {});
    for (resource, active, at_boot, expected) in [
        (run(), Running, No, ""),
        (run(), Stopped, No, "start"),
        (run(), Failed, No, "start"),
        (run(), Unjudged, No, ""),
        (stop(), Running, No, "stop"),
        (stop(), Stopped, No, ""),
        (stop(), Failed, No, ""),
        (run(), Retrying, No, "start"),
        (stop(), Retrying, No, "stop"),
        (stop(), Unjudged, No, ""),
        (nothing(), Running, Yes, ""),
        (enabled(true), Stopped, No, "enable"),
        (enabled(true), Stopped, Yes, ""),
        (enabled(true), Stopped, ForNow, "enable"),
        (enabled(false), Stopped, ForNow, "disable"),
        (enabled(false), Running, Yes, "disable"),
        (enabled(false), Running, No, ""),
        (enabled(false), Running, Fixed, ""),
        (running("s", &[]), Stopped, No, "enable start"),
    ] {
        let state = state(Load::Loaded, active, at_boot);
        let verdict = judged(&resource, &state, &Ahead::nothing());
        assert_eq!(told(&verdict), expected, "{:?} on {state:?}", resource.body);
    }
}

#[test]
fn of_a_unit_that_is_not_there_or_masked_or_bad() {
    let mut installs = Ahead::of_a_plan();
    installs.note(&Change::new(&id("package:p"), Action::Install));
    let none = Ahead::of_a_plan();
    let missing = state(Load::NotFound, Active::Stopped, Enabled::Unknown);
    let masked = state(Load::Masked, Active::Stopped, Enabled::Unknown);
    let hidden = state(Load::Masked, Active::Stopped, Enabled::No);
    let bad = state(Load::Bad, Active::Stopped, Enabled::No);
    let no_unit = "! there is no unit s.service";
    let is_masked = "! it is masked, and the role does not say masked = false";
    let unmasked = |mut resource: Resource| {
        if let cfg_catalog::resource::Body::Service(service) = &mut resource.body {
            service.masked = Some(false);
        }
        resource
    };
    for (resource, state, ahead, expected) in [
        (running("s", &[]), &missing, &none, no_unit),
        (running("s", &[]), &missing, &installs, "enable start"),
        (stop(), &missing, &none, ""),
        (stop(), &missing, &installs, "stop?"),
        (enabled(false), &missing, &none, ""),
        (enabled(false), &missing, &installs, "disable?"),
        (run(), &masked, &none, is_masked),
        (enabled(true), &masked, &installs, is_masked),
        (stop(), &masked, &installs, ""),
        (enabled(false), &masked, &none, ""),
        // What is under the mask.
        (unmasked(running("s", &[])), &masked, &none, no_unit),
        (
            unmasked(running("s", &[])),
            &masked,
            &installs,
            "enable start",
        ),
        (unmasked(running("s", &[])), &hidden, &none, "enable start"),
        (unmasked(enabled(true)), &hidden, &none, "enable"),
        (unmasked(enabled(false)), &hidden, &none, ""),
        (unmasked(enabled(false)), &masked, &none, ""),
        (unmasked(stop()), &hidden, &none, ""),
        (unmasked(stop()), &hidden, &installs, "stop?"),
        (run(), &bad, &none, "! systemd cannot load s.service"),
        (run(), &bad, &installs, "start"),
        (stop(), &bad, &none, ""),
    ] {
        let verdict = judged(&resource, state, ahead);
        assert_eq!(told(&verdict), expected, "{:?} on {state:?}", resource.body);
    }
    // In a run nothing is ahead any more.
    let verdict = judged(&running("s", &[]), &missing, &Ahead::nothing());
    assert_eq!(told(&verdict), no_unit);
}

#[test]
fn what_is_masked_is_neither_enabled_nor_restarted() {
    let both = |state, enabled| {
        wanted(|s| {
            s.masked = Some(true);
            s.state = state;
            s.enabled = enabled;
        })
    };
    let contradiction = "! it is to be masked, and to run or to be enabled";
    for (resource, expected) in [
        (both(None, Some(false)), ""),
        (both(Some(Activity::Stopped), Some(false)), "stop"),
        (both(Some(Activity::Running), None), contradiction),
        (both(None, Some(true)), contradiction),
    ] {
        let state = state(Load::Loaded, Active::Running, Enabled::Yes);
        let verdict = judged(&resource, &state, &Ahead::nothing());
        assert_eq!(told(&verdict), expected);
    }
}

#[test]
fn a_package_that_moves_may_enable_and_start_what_it_ships() {
    let mut moves = Ahead::of_a_plan();
    moves.note(&Change::new(&id("package:p"), Action::Upgrade));
    for (package, expected) in [("p", "disable? stop?"), ("q", "")] {
        let mut seen = state(Load::Loaded, Active::Stopped, Enabled::No);
        seen.package = Some((package.into(), "1".into()));
        let resource = wanted(|s| {
            s.enabled = Some(false);
            s.state = Some(Activity::Stopped);
        });
        assert_eq!(told(&judged(&resource, &seen, &moves)), expected);
    }
}

#[test]
fn its_own_unit_file() {
    let resource = own_unit("s", "[Unit]\n");
    for (file, load, expected) in [
        (absent(), Load::NotFound, "create enable start"),
        (stands("[Unit]\n", owned(0o644)), Load::Loaded, "start"),
        (
            stands("[Unit]\n", owned(0o600)),
            Load::Loaded,
            "update start",
        ),
        (stands("old\n", owned(0o644)), Load::Loaded, "update start"),
        (
            stands(
                "[Unit]\n",
                Ownership {
                    owner: "you".into(),
                    ..owned(0o644)
                },
            ),
            Load::Loaded,
            "update start",
        ),
    ] {
        let at_boot = match load {
            Load::NotFound => Enabled::Unknown,
            _ => Enabled::Yes,
        };
        let mut seen = state(load, Active::Stopped, at_boot);
        seen.unit_file = Some(file);
        let verdict = judged(&resource, &seen, &Ahead::nothing());
        assert_eq!(told(&verdict), expected);
        let hidden = judged(&sensitive(resource.clone()), &seen, &Ahead::nothing());
        assert_eq!(told(&hidden), expected);
        let text = serde_json::to_string(&hidden.changes).unwrap();
        assert!(
            !text.contains("sha256") && !text.contains("[Unit]"),
            "{text}"
        );
    }
}

#[test]
fn what_cannot_be_enabled() {
    let trigger = |unit: &str| Trigger {
        unit: unit.into(),
        active: false,
    };
    let no =
        "! s.service cannot be enabled: no [Install] section says what would start it at boot; ";
    for (wanted_by, triggered_by, expected) in [
        (vec!["a.target".to_owned()], vec![], String::new()),
        (
            vec![],
            vec![trigger("s.timer")],
            format!("{no}enable s.timer, which starts it"),
        ),
        (
            vec![],
            vec![],
            format!("{no}leave `enabled` out, or give it a unit file that has one"),
        ),
    ] {
        let mut seen = state(Load::Loaded, Active::Stopped, Enabled::Fixed);
        seen.wanted_by = wanted_by;
        seen.triggered_by = triggered_by;
        let verdict = judged(&enabled(true), &seen, &Ahead::nothing());
        assert_eq!(told(&verdict), expected);
        assert_eq!(told(&judged(&enabled(false), &seen, &Ahead::nothing())), "");
    }
    // A package that moves may bring another unit file.
    let mut moves = Ahead::of_a_plan();
    moves.note(&Change::new(&id("package:p"), Action::Upgrade));
    let mut seen = state(Load::Loaded, Active::Stopped, Enabled::Fixed);
    seen.package = Some(("p".into(), "1".into()));
    assert_eq!(told(&judged(&enabled(true), &seen, &moves)), "enable?");
    // And so does the role.
    seen.unit_file = Some(stands("[Unit]\n", owned(0o644)));
    let own = wanted(|s| {
        s.enabled = Some(true);
        s.unit_file = Some(UnitFile {
            content: "[Install]\nWantedBy=a.target\n".into(),
        });
    });
    assert_eq!(
        told(&judged(&own, &seen, &Ahead::of_a_plan())),
        "update enable"
    );
}

#[test]
fn links_of_an_earlier_install_section() {
    let text = "[Install]\nWantedBy=b.target\nUpheldBy=u.target\nAlias=other.service\n";
    let own = wanted(|s| {
        s.enabled = Some(true);
        s.unit_file = Some(UnitFile {
            content: text.into(),
        });
    });
    let right = ["b.target.wants/s.service", "other.service"];
    for (links, expected) in [
        (Some(right.to_vec()), ""),
        (
            Some([&right[..], &["u.target.upholds/s.service"]].concat()),
            "",
        ),
        (
            Some(vec!["a.target.wants/s.service", "other.service"]),
            "enable",
        ),
        (
            Some([&right[..], &["a.target.wants/s.service"]].concat()),
            "enable",
        ),
        (Some(right[..1].to_vec()), "enable"),
        (None, ""),
    ] {
        let mut seen = state(Load::Loaded, Active::Running, Enabled::Yes);
        seen.unit_file = Some(stands(text, owned(0o644)));
        let links: Option<BTreeSet<String>> =
            links.map(|links| links.into_iter().map(str::to_owned).collect());
        seen.links = links.clone().map(|links| {
            let to = |link| (link, "/etc/systemd/system/x.service".to_owned());
            links.into_iter().map(to).collect()
        });
        let mut verdict = judged(&own, &seen, &Ahead::nothing());
        verdict
            .changes
            .retain(|change| change.action != Action::Restart);
        assert_eq!(told(&verdict), expected, "{links:?}");
        for change in verdict.changes {
            assert_eq!(change.before["links"], serde_json::json!(links));
            assert_eq!(change.after["links"], serde_json::json!(right));
        }
    }
}
