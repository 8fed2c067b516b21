//! Users and groups.

use super::{judge, only, words};
use crate::build::*;
use cfg_catalog::plan::{Action, Certainty, Host};
use cfg_catalog::resource::account::{GroupState, Present, User, UserState};
use cfg_catalog::resource::{Observed, Presence, Resource};
use serde_json::{Value, json};

fn seen() -> Present {
    let keys = ["ssh-ed25519 A a", "ssh-ed25519 B b"];
    Present {
        uid: 1000,
        gid: 1000,
        group: "me".into(),
        groups: vec!["adm".into(), "sudo".into()],
        shell: "/bin/sh".into(),
        home: "/home/me".into(),
        authorized_keys: Some(keys.map(String::from).into()),
        password_hash: Some("$y$old".into()),
    }
}

fn me(change: fn(&mut User)) -> Resource {
    user_with("me", change)
}

/// No difference.
fn same(change: fn(&mut User)) -> (Resource, Option<Value>) {
    (me(change), None)
}

/// What is shown of it before and after.
fn moves(change: fn(&mut User), before: Value, after: Value) -> (Resource, Option<Value>) {
    (me(change), Some(json!([before, after])))
}

#[test]
fn every_attribute_of_a_user() {
    for (resource, wanted) in [
        same(|_| {}),
        same(|u| u.uid = Some(1000)),
        moves(|u| u.uid = Some(7), json!({"uid": 1000}), json!({"uid": 7})),
        same(|u| u.gid = Some("me".into())),
        same(|u| u.gid = Some("1000".into())),
        moves(
            |u| u.gid = Some("us".into()),
            json!({"gid": "me"}),
            json!({"gid": "us"}),
        ),
        same(|u| u.groups = vec!["sudo".into()]),
        same(|u| u.groups = vec!["me".into()]),
        moves(
            |u| u.groups = vec!["docker".into(), "adm".into()],
            json!({"groups": ["adm", "sudo"]}),
            json!({"groups": ["adm", "docker", "sudo"]}),
        ),
        moves(
            |u| {
                u.groups = vec!["adm".into()];
                u.exact_groups = true;
            },
            json!({"groups": ["adm", "sudo"]}),
            json!({"groups": ["adm"]}),
        ),
        same(|u| u.shell = Some("/bin/sh".into())),
        moves(
            |u| u.shell = Some("/bin/bash".into()),
            json!({"shell": "/bin/sh"}),
            json!({"shell": "/bin/bash"}),
        ),
        moves(
            |u| u.home = Some("/srv".into()),
            json!({"home": "/home/me"}),
            json!({"home": "/srv"}),
        ),
        same(|u| {
            let keys = ["ssh-ed25519 B b", "ssh-ed25519 A a"];
            u.authorized_keys = Some(keys.map(String::from).into());
        }),
        moves(
            |u| u.authorized_keys = Some(vec!["ssh-ed25519 A a".into()]),
            json!({"authorized_keys": ["ssh-ed25519 A a", "ssh-ed25519 B b"]}),
            json!({"authorized_keys": ["ssh-ed25519 A a"]}),
        ),
        same(|u| u.password_hash = Some("$y$old".into())),
        moves(
            |u| u.password_hash = Some("$y$new".into()),
            json!({"password": "another"}),
            json!({"password": "set"}),
        ),
    ] {
        let state = Observed::User(UserState::Present(seen()));
        let verdict = judge(&resource, state, &Host::default());
        let got = verdict.changes.first().map(|change| {
            assert_eq!(change.action, Action::Update);
            json!([change.before, change.after])
        });
        assert_eq!(got, wanted, "{:?}", resource.body);
    }
}

#[test]
fn users_come_and_go() {
    let gone = me(|u| u.state = Presence::Absent);
    let there = Observed::User(UserState::Present(seen()));
    let not_there = Observed::User(UserState::Absent);
    let host = Host::default();
    assert_eq!(words(&judge(&gone, there, &host)), "remove");
    assert_eq!(words(&judge(&gone, not_there.clone(), &host)), "");
    let new = me(|u| {
        u.password_hash = Some("$y$hidden".into());
        u.authorized_keys = Some(vec!["ssh-ed25519 A a".into()]);
        u.system = true;
    });
    let change = only(judge(&sensitive(new), not_there, &host));
    assert_eq!(
        change.after,
        json!({"system": true, "authorized_keys": "not shown", "password": "set"})
    );
}

#[test]
fn a_hash_that_may_not_be_seen_is_only_assumed_to_differ() {
    let resource = me(|u| u.password_hash = Some("$y$old".into()));
    let unseen = Present {
        password_hash: None,
        ..seen()
    };
    let state = Observed::User(UserState::Present(unseen));
    let change = only(judge(&resource, state, &Host::default()));
    assert_eq!(change.certainty, Certainty::Assumed);
}

#[test]
fn groups() {
    let there = || Observed::Group(GroupState::Present { gid: 7 });
    let gone = || Observed::Group(GroupState::Absent);
    for (gid, state, observed, wanted) in [
        (None, Presence::Present, there(), ""),
        (Some(7), Presence::Present, there(), ""),
        (Some(8), Presence::Present, there(), "update"),
        (None, Presence::Present, gone(), "create"),
        (None, Presence::Absent, there(), "remove"),
        (None, Presence::Absent, gone(), ""),
    ] {
        let verdict = judge(&group("g", gid, state), observed, &Host::default());
        assert_eq!(words(&verdict), wanted);
    }
}
