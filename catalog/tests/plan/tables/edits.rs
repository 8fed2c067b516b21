//! Edits: of a part of a file.

use super::{absent, folder, judge, judge_ahead, leads, only, stands, unreadable, words};
use crate::build::*;
use crate::model::machine::owned;
use cfg_catalog::plan::ahead::Ahead;
use cfg_catalog::plan::{Action, Certainty, Change, Host};
use cfg_catalog::resource::{FileState, Observed, PathState};
use serde_json::Value;

#[test]
fn on_every_state() {
    let removes = edit_with("e", |edit| {
        edit.edit.drop = vec![cfg_catalog::edit::Unwanted::Line("a".into())];
    });
    let link = "! a link to /a stands there: let the edit name the file that it leads to";
    let none = "! there is no such file, and nothing before brings it: `create = true` makes it";
    let empty = "! a directory stands there";
    let full = "! a directory that is not empty stands there";
    let special = "! a device, a FIFO or a socket stands there";
    let denied = "! Permission denied";
    for (resource, wanted) in [
        (
            edit("e", "/p", &["a"]),
            [none, "", "update", link, empty, full, special, denied],
        ),
        (
            made(edit("e", "/p", &["a"])),
            ["create", "", "update", link, empty, full, special, denied],
        ),
        (
            removes,
            ["", "update", "", link, empty, full, special, denied],
        ),
    ] {
        let states = [
            absent(),
            stands("a\n", owned(0o644)),
            stands("b\n", owned(0o644)),
            leads("/a"),
            folder(None),
            folder(Some("/p/x")),
            PathState::Special,
            unreadable(),
        ];
        for (state, wanted) in states.into_iter().zip(wanted) {
            let wanted = wanted.replace("! ", "! /p: ");
            let verdict = judge(&resource, Observed::Path(state.clone()), &Host::default());
            assert_eq!(words(&verdict), wanted, "{:?} on {state:?}", resource.body);
        }
    }
}

fn file(text: Option<&str>, size: u64, digest: bool) -> Observed {
    let PathState::File(state) = stands(text.unwrap_or_default(), owned(0o644)) else {
        panic!("it is a file");
    };
    Observed::Path(PathState::File(FileState {
        content: text.map(Into::into),
        digest: state.digest.filter(|_| digest),
        size,
        ..state
    }))
}

#[test]
fn what_cannot_be_read_or_edited_is_a_failure() {
    let resource = edit_with("e", |edit| {
        edit.edit = cfg_catalog::edit::Edit::of(cfg_catalog::edit::Format::Json);
        edit.edit.remove(vec!["a".into()]).unwrap();
    });
    for (observed, told) in [
        (
            file(None, 1, false),
            "! /p: it may not be read by this user, and so what it holds is not known",
        ),
        (
            file(None, 1 << 21, true),
            "! /p: it has 2097152 bytes; no file over 1024 KiB is edited",
        ),
        (
            file(Some("{\n1"), 3, true),
            "! /p: line 2, column 1: this is no JSON: a string in double quotes is missing here",
        ),
    ] {
        assert_eq!(words(&judge(&resource, observed, &Host::default())), told);
    }
}

#[test]
fn what_is_shown() {
    let resource = edit("e", "/p", &["b"]);
    let on = |resource: &_, mode| {
        only(judge(
            resource,
            Observed::Path(stands("a\n", owned(mode))),
            &Host::default(),
        ))
    };
    let open = on(&resource, 0o644);
    assert_eq!(open.diff.as_deref(), Some("@@ -1 +1,2 @@\n a\n+b\n"));
    assert_eq!(open.after["mode"], "0644");
    assert!(open.after["sha256"].is_string());
    let private = on(&resource, 0o640);
    assert_eq!(private.diff, None);
    assert!(private.after["sha256"].is_string());
    let secret = on(&sensitive(resource.clone()), 0o644);
    assert_eq!((secret.diff, &secret.after["sha256"]), (None, &Value::Null));
    let new = made(resource);
    let made = |resource: &_| only(judge(resource, Observed::Path(absent()), &Host::default()));
    assert_eq!(made(&new).diff.as_deref(), Some("@@ -0,0 +1 @@\n+b\n"));
    let secret = made(&sensitive(new));
    assert_eq!(
        (secret.diff, &secret.after["mode"]),
        (None, &Value::from("0600"))
    );
}

#[test]
fn what_may_be_brought_is_assumed() {
    let of = |what: &str, action| Change::new(&id(what), action);
    let package = of("package:p", Action::Install);
    let command = of("command:c", Action::Run);
    let other = of("file:/q", Action::Create);
    let plain = edit("e", "/p", &["a"]);
    let after_it = after(plain.clone(), &["package:p", "command:c"]);
    let there = || Observed::Path(stands("a\n", owned(0o644)));
    let none = || Observed::Path(absent());
    for (resource, observed, before, wanted) in [
        (&plain, none(), &package, "update"),
        (&plain, none(), &command, "update"),
        (
            &plain,
            none(),
            &other,
            "! /p: there is no such file, and nothing before brings it: `create = true` makes it",
        ),
        (&made(plain.clone()), none(), &package, "create"),
        // What an edit is said to come after may write the file anew.
        (&after_it, there(), &package, "update"),
        (&after_it, there(), &command, "update"),
        (&after_it, there(), &other, ""),
        (&plain, there(), &package, ""),
    ] {
        let mut ahead = Ahead::of_a_plan();
        ahead.note(before);
        let verdict = judge_ahead(resource, observed, &Host::default(), &ahead);
        assert_eq!(words(&verdict), wanted, "{before:?}");
        let assumed = |change: &Change| change.certainty == Certainty::Assumed;
        assert!(verdict.changes.iter().all(assumed), "{before:?}");
    }
}
