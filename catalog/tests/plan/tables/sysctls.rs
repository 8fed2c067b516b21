//! Settings of the kernel.

use super::{absent, judge, judge_ahead, leads, only, stands, unreadable, words};
use crate::build::*;
use crate::model::machine::owned;
use cfg_catalog::plan::ahead::Ahead;
use cfg_catalog::plan::{Action, Certainty, Change, Host};
use cfg_catalog::resource::sysctl::{KernelValue, SysctlState};
use cfg_catalog::resource::{Observed, PathState};
use serde_json::json;

const NAME: &str = "net.ipv4.ip_forward";

fn line(text: &str) -> PathState {
    stands(text, owned(0o644))
}

fn is(value: &str) -> KernelValue {
    KernelValue::Is(value.into())
}

fn seen(file: PathState, kernel: KernelValue) -> Observed {
    Observed::Sysctl(SysctlState { file, kernel })
}

fn good() -> PathState {
    line("net.ipv4.ip_forward = 1\n")
}

#[test]
fn the_line_and_the_kernel_drift_by_themselves() {
    let unread = KernelValue::Unread {
        why: "root alone".into(),
    };
    for (file, kernel, wanted) in [
        (good(), is("1"), ""),
        (good(), KernelValue::Unjudged, ""),
        (absent(), is("1"), "create"),
        (absent(), KernelValue::Unjudged, "create"),
        (good(), is("0"), "update"),
        (line("net.ipv4.ip_forward = 0\n"), is("1"), "update"),
        (leads("/x"), is("1"), "update"),
        (
            stands("net.ipv4.ip_forward = 1\n", owned(0o600)),
            is("1"),
            "update",
        ),
        (unreadable(), is("1"), "! Permission denied"),
        (good(), unread, "! root alone"),
        (
            good(),
            KernelValue::Missing,
            "! the kernel has no net.ipv4.ip_forward (/proc/sys/net/ipv4/ip_forward): \
             it is misspelt, or its module is not loaded",
        ),
    ] {
        let verdict = judge(&sysctl(NAME, "1"), seen(file, kernel), &Host::default());
        assert_eq!(words(&verdict), wanted);
    }
}

#[test]
fn only_what_differs_is_shown() {
    for (file, kernel, before, after) in [
        (
            good(),
            is("0"),
            json!({"value": "0"}),
            json!({"value": "1"}),
        ),
        (
            line("net.ipv4.ip_forward=0"),
            is("1"),
            json!({"at_boot": "0"}),
            json!({"at_boot": "1"}),
        ),
        (
            absent(),
            is("0"),
            json!({"value": "0", "at_boot": null}),
            json!({"value": "1", "at_boot": "1"}),
        ),
        (
            line("# nothing"),
            is("1"),
            json!({"at_boot": "something else"}),
            json!({"at_boot": "1"}),
        ),
    ] {
        let verdict = judge(&sysctl(NAME, "1"), seen(file, kernel), &Host::default());
        let change = only(verdict);
        assert_eq!((change.before, change.after), (before, after));
    }
}

#[test]
fn what_comes_before_may_bring_the_module() {
    let mut ahead = Ahead::of_a_plan();
    ahead.note(&Change::new(&id("package:wireguard"), Action::Install));
    let missing = || seen(absent(), KernelValue::Missing);
    let verdict = judge_ahead(&sysctl(NAME, "1"), missing(), &Host::default(), &ahead);
    assert_eq!(only(verdict).certainty, Certainty::Assumed);
    let verdict = judge(&sysctl(NAME, "1"), missing(), &Host::default());
    assert!(verdict.obstacle.is_some());
}

#[test]
fn an_absent_one_leaves_the_kernel_alone() {
    for (file, wanted) in [(absent(), ""), (good(), "remove"), (leads("/x"), "remove")] {
        let verdict = judge(&no_sysctl(NAME), seen(file, is("1")), &Host::default());
        assert_eq!(words(&verdict), wanted);
    }
}
