//! Users and groups.

use super::{absent, judge, judge_ahead, only, words};
use crate::build::*;
use cfg_catalog::plan::ahead::Ahead;
use cfg_catalog::plan::nobody::Nobody;
use cfg_catalog::plan::{Action, Certainty, Change, Host, plan};
use cfg_catalog::resource::account::{GroupState, Present, User, UserState};
use cfg_catalog::resource::file::Content;
use cfg_catalog::resource::{Attributes, Mode, Observed, Ownership, Presence, Resource};
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
        keys_drifted: None,
        keys_file: None,
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
fn keys_that_drifted_in_mode_or_owner_alone_are_found_alone() {
    let drifted = |owner: &str, mode| {
        let keys_drifted = Some(Box::new(Ownership {
            mode: Mode(mode),
            owner: owner.into(),
            group: "me".into(),
        }));
        Observed::User(UserState::Present(Present {
            keys_drifted,
            ..seen()
        }))
    };
    let keyed = me(|u| {
        u.authorized_keys = Some(vec!["ssh-ed25519 A a".into(), "ssh-ed25519 B b".into()]);
    });
    let shown = |owner: &str, mode: &str| json!({"authorized_keys_file": {"mode": mode, "owner": owner, "group": "me"}});
    for (owner, mode, text) in [("me", 0o660, "0660"), ("you", 0o600, "0600")] {
        let change = only(judge(&keyed, drifted(owner, mode), &Host::default()));
        assert_eq!(change.before, shown(owner, text));
        assert_eq!(change.after, shown("me", "0600"));
    }
    let unmanaged = judge(&me(|_| ()), drifted("you", 0o666), &Host::default());
    assert!(unmanaged.changes.is_empty());
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

#[test]
fn a_number_that_is_somebody_elses_is_a_failure_in_the_plan() {
    let host = Host {
        users: [(0, "root".into()), (1000, "al".into())].into(),
        groups: [(4, "adm".into()), (1000, "al".into())].into(),
        ..Host::default()
    };
    let of_gid = |gid| group("z", Some(gid), Presence::Present);
    let of_uid = |uid| user_with("me", |user| user.uid = Some(uid));
    let no_group = Observed::Group(GroupState::Absent);
    let group_of = |gid| Observed::Group(GroupState::Present { gid });
    let no_user = Observed::User(UserState::Absent);
    let user_of = |uid| Observed::User(UserState::Present(Present { uid, ..seen() }));
    let renumbered = |name: &str, key: &str| {
        let change = Change::new(&id(name), Action::Update);
        change.showing(json!({ key: 1000 }), json!({ key: 7 }))
    };
    let removed = |name: &str| Change::new(&id(name), Action::Remove);
    for (resource, observed, before, expected) in [
        (of_gid(4), no_group.clone(), None, "! the gid 4 is adm's"),
        (of_gid(4), group_of(7), None, "! the gid 4 is adm's"),
        (of_gid(4), group_of(4), None, ""),
        (of_gid(5), no_group.clone(), None, "create"),
        (of_uid(0), no_user.clone(), None, "! the uid 0 is root's"),
        (of_uid(0), user_of(9), None, "! the uid 0 is root's"),
        // Who has it already shares it.
        (of_uid(0), user_of(0), None, ""),
        // A number that comes free before can be had.
        (
            of_gid(1000),
            no_group.clone(),
            Some(removed("group:al")),
            "create",
        ),
        (
            of_gid(1000),
            no_group.clone(),
            Some(removed("user:al")),
            "create",
        ),
        (
            of_gid(1000),
            no_group.clone(),
            Some(renumbered("group:al", "gid")),
            "create",
        ),
        (
            of_gid(1000),
            no_group,
            Some(renumbered("user:al", "uid")),
            "! the gid 1000 is al's",
        ),
        (
            of_uid(1000),
            no_user.clone(),
            Some(renumbered("user:al", "uid")),
            "create",
        ),
        (
            of_uid(1000),
            no_user,
            Some(renumbered("user:al", "shell")),
            "! the uid 1000 is al's",
        ),
    ] {
        let mut ahead = Ahead::of_a_plan();
        before.iter().for_each(|change| ahead.note(change));
        let verdict = judge_ahead(&resource, observed.clone(), &host, &ahead);
        assert_eq!(words(&verdict), expected, "{:?} {before:?}", resource.body);
        // In a run its tools have the word.
        let verdict = judge_ahead(&resource, observed, &host, &Ahead::nothing());
        assert!(verdict.obstacle.is_none(), "{verdict:?}");
    }
}

#[test]
fn a_name_that_nobody_has_and_nothing_makes_is_a_failure_in_the_plan() {
    let host = Host {
        users: [(0, "root".into())].into(),
        nobody: Nobody {
            users: ["ghost".into()].into(),
            groups: ["ghosts".into(), "4711".into()].into(),
        },
        ..Host::default()
    };
    let owned = |owner: &str, group: &str| {
        file_with("/p", |file| {
            file.content = Some(Content::Text(b"x".into()));
            file.attributes = Attributes {
                owner: Some(owner.into()),
                group: Some(group.into()),
                ..Attributes::default()
            };
        })
    };
    let of_gid = |gid: &str| user_with("me", |user| user.gid = Some(gid.into()));
    let no_user = "! there is no user ghost, and nothing before it makes one: \
                   declare [user.ghost], or let it come `after` what brings it";
    let no_group = "! there is no group ghosts, and nothing before it makes one: \
                    declare [group.ghosts], or let it come `after` what brings it";
    let no_number = "! no group has the number 4711, and nothing before it makes one";
    let mut packages = Ahead::of_a_plan();
    packages.note(&Change::new(&id("package:p"), Action::Install));
    for (resource, expected, with_packages) in [
        (owned("root", "root"), "create", "create"),
        (owned("ghost", "root"), no_user, "create"),
        (owned("root", "ghosts"), no_group, "create"),
        // A number is as good as any other for a file, and not for a user.
        (owned("0", "4711"), "create", "create"),
        (of_gid("4711"), no_number, "create"),
        (of_gid("ghosts"), no_group, "create"),
        (
            user_with("me", |user| user.groups = vec!["ghosts".into()]),
            no_group,
            "create",
        ),
        (
            user_with("me", |user| user.uid = Some(0)),
            "! the uid 0 is root's",
            "create",
        ),
    ] {
        let observed = match resource.id.kind {
            cfg_catalog::id::Kind::File => Observed::Path(absent()),
            _ => Observed::User(UserState::Absent),
        };
        // Whether a package makes such a one only a run shows.
        let change = only(judge_ahead(&resource, observed.clone(), &host, &packages));
        let unsure = expected.contains("nothing before it makes one");
        assert_eq!(
            change.certainty == Certainty::Assumed,
            unsure,
            "{:?}",
            resource.body
        );
        let ahead = [
            (Ahead::of_a_plan(), expected),
            (packages.clone(), with_packages),
            // In a run its tools have the word.
            (Ahead::nothing(), "create"),
        ];
        for (ahead, expected) in ahead {
            let verdict = judge_ahead(&resource, observed.clone(), &host, &ahead);
            assert_eq!(words(&verdict), expected, "{:?}", resource.body);
        }
    }
}

#[test]
fn a_name_that_the_role_makes_is_no_failure() {
    use crate::model::machine::Machine;
    let mut file = file("/p", "x");
    if let cfg_catalog::resource::Body::File(body) = &mut file.body {
        body.attributes.owner = Some("ghost".into());
        body.attributes.group = Some("ghosts".into());
    }
    let makes = [
        user_with("ghost", |_| {}),
        group("ghosts", None, Presence::Present),
    ];
    for (others, failures) in [(&makes[..], 0), (&makes[..1], 1), (&[], 1)] {
        let mut resources = others.to_vec();
        resources.push(file.clone());
        let desired = role(resources);
        let mut snapshot = Machine::blank().snapshot(&desired);
        snapshot.host.nobody = Nobody {
            users: ["ghost".into()].into(),
            groups: ["ghosts".into()].into(),
        };
        let plan = plan(&desired, &snapshot, &Default::default()).unwrap();
        assert_eq!(plan.failures.len(), failures, "{:?}", plan.failures);
    }
}
