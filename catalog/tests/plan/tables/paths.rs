//! Files, directories, links, and the two files of a repository.

use super::{absent, folder, judge, judge_ahead, leads, only, stands, unreadable, words};
use crate::build::*;
use crate::model::machine::owned;
use cfg_catalog::digest::Digest;
use cfg_catalog::plan::ahead::Ahead;
use cfg_catalog::plan::claims::Claims;
use cfg_catalog::plan::{Action, Certainty, Change, Host, Ledger, Snapshot, plan};
use cfg_catalog::resource::file::Content;
use cfg_catalog::resource::repository::{Key, RepositoryState};
use cfg_catalog::resource::{
    Attributes, Body, DirectoryState, Mode, Observed, Ownership, PathState, Presence, Resource,
};
use serde_json::{Value, json};

const SPECIAL: &str = "! a device, a FIFO or a socket stands there";
const FILE: &str = "! a file stands there";
const FULL: &str = "! a directory that is not empty stands there";
const FOLDER: &str = "! a directory stands there";

#[test]
fn every_kind_on_every_state() {
    let states = [
        absent(),
        stands("a", owned(0o644)),
        leads("/a"),
        folder(None),
        folder(Some("/p/x")),
        PathState::Special,
        unreadable(),
    ];
    let create_only = file_with("/p", |file| {
        file.content = Some(Content::Text(b"b".into()));
        file.create_only = true;
    });
    let bare = file_with("/p", |file| file.attributes = mode(0o600));
    let nothing = "! it does not exist, and the role gives it no content";
    let linked = "! a link stands there, and the role gives the file no content";
    let full = "! it is not empty: /p/x stands in it";
    for (resource, wanted) in [
        // absent, file "a", link to /a, empty directory, full directory, special
        (
            file("/p", "a"),
            ["create", "", "update", "update", FULL, SPECIAL],
        ),
        (
            file("/p", "b"),
            ["create", "update", "update", "update", FULL, SPECIAL],
        ),
        (create_only, ["create", "", "", "update", FULL, SPECIAL]),
        (bare, [nothing, "update", linked, FOLDER, FULL, SPECIAL]),
        (
            no_file("/p"),
            ["", "remove", "remove", FOLDER, FULL, SPECIAL],
        ),
        (directory("/p"), ["create", FILE, "update", "", "", SPECIAL]),
        (
            purged("/p"),
            ["create", FILE, "update", "", "remove", SPECIAL],
        ),
        (
            no_directory("/p"),
            ["", FILE, "remove", "remove", full, SPECIAL],
        ),
        (
            link("/p", "/a"),
            ["create", FILE, "", "update", FULL, SPECIAL],
        ),
        (
            link("/p", "/b"),
            ["create", FILE, "update", "update", FULL, SPECIAL],
        ),
        (no_link("/p"), ["", FILE, "remove", FOLDER, FULL, SPECIAL]),
    ] {
        let wanted = wanted.into_iter().chain(["! Permission denied"]);
        for (state, wanted) in states.iter().zip(wanted) {
            let verdict = judge(&resource, Observed::Path(state.clone()), &Host::default());
            assert_eq!(words(&verdict), wanted, "{:?} on {state:?}", resource.body);
        }
    }
}

#[test]
fn what_is_everybodys_is_neither_emptied_nor_removed() {
    let known = |name: &str| {
        let PathState::Directory(state) = folder(Some("/p/x")) else {
            panic!("a folder is a directory");
        };
        Observed::Path(PathState::Directory(DirectoryState {
            holds: Some(name.parse().unwrap()),
            ..state
        }))
    };
    for (resource, holds, wanted) in [
        (directory("/p"), "/home", ""),
        (
            purged("/p"),
            "/home",
            "! purge is refused on /p: it leads to /home",
        ),
        (
            no_directory("/p"),
            "/home",
            "! /p is never removed: it leads to /home",
        ),
        (no_directory("/boot"), "/boot", "! /boot is never removed"),
    ] {
        let verdict = judge(&resource, known(holds), &Host::default());
        assert_eq!(words(&verdict), wanted, "{:?}", resource.body);
    }
}

#[test]
fn attributes_of_files_and_directories() {
    let seen = Ownership {
        mode: Mode(0o640),
        owner: "me".into(),
        group: "us".into(),
    };
    let group = |name: &str| Attributes {
        group: Some(name.into()),
        ..Attributes::default()
    };
    for (wanted, after) in [
        (Attributes::default(), None),
        (mode(0o640), None),
        (mode(0o600), Some(["0600", "me", "us"])),
        (owner("me"), None),
        (owner("root"), Some(["0640", "root", "us"])),
        (group("us"), None),
        (group("root"), Some(["0640", "me", "root"])),
    ] {
        let file = file_with("/p", |file| file.attributes = wanted.clone());
        let stands = Observed::Path(stands("a", seen.clone()));
        let on_file = judge(&file, stands, &Host::default());
        let mut state = folder(None);
        if let PathState::Directory(old) = &mut state {
            old.ownership = seen.clone();
        }
        let directory = directory_with("/p", |directory| directory.attributes = wanted);
        let on_directory = judge(&directory, Observed::Path(state), &Host::default());
        for verdict in [on_file, on_directory] {
            let got = verdict.changes.first().map(|change| {
                assert_eq!(change.action, Action::Update);
                assert_eq!(change.before["mode"], "0640");
                ["mode", "owner", "group"].map(|key| change.after[key].as_str().unwrap())
            });
            assert_eq!(got, after);
        }
    }
}

#[test]
fn new_things_get_what_nobody_said() {
    for (resource, wanted) in [
        (file("/p", "a"), "0644"),
        (sensitive(file("/p", "a")), "0600"),
        (directory("/p"), "0755"),
    ] {
        let change = only(judge(&resource, Observed::Path(absent()), &Host::default()));
        assert_eq!(change.before, Value::Null);
        assert_eq!(change.after["mode"], wanted);
        assert_eq!(change.after["owner"], "root");
        assert_eq!(change.after["group"], "root");
    }
}

fn with_mode(bits: u32) -> Resource {
    file_with("/p", |file| {
        file.content = Some(Content::Text(b"secret b\n".into()));
        file.attributes = mode(bits);
    })
}

fn on_mode(resource: Resource, before: u32) -> Change {
    let seen = stands("secret a\n", owned(before));
    only(judge(&resource, Observed::Path(seen), &Host::default()))
}

#[test]
fn content_is_shown_where_everybody_may_read_it() {
    let digest = |text: &str| json!(Digest::of(text.as_bytes()).to_string());
    for (before, after, shown) in [
        (0o644, 0o644, true),
        (0o600, 0o644, false),
        (0o644, 0o600, false),
        (0o640, 0o640, false),
    ] {
        let change = on_mode(with_mode(after), before);
        assert_eq!(change.diff.is_some(), shown, "{before:o} {after:o}");
        assert_eq!(change.before["sha256"], digest("secret a\n"));
        assert_eq!(change.after["sha256"], digest("secret b\n"));
    }
}

#[test]
fn nothing_of_what_is_sensitive_is_shown() {
    let said = file_with("/p", |file| {
        file.content = Some(Content::Text(b"secret b\n".into()));
        file.sensitive = true;
    });
    let new = sensitive(file("/p", "secret b\n"));
    for change in [
        on_mode(sensitive(with_mode(0o644)), 0o644),
        on_mode(said, 0o644),
        on_mode(sensitive(no_file("/p")), 0o644),
        only(judge(&new, Observed::Path(absent()), &Host::default())),
    ] {
        let text = serde_json::to_string(&change).unwrap();
        for word in ["secret", "sha256", "size"] {
            assert!(!text.contains(word), "{text}");
        }
    }
}

#[test]
fn content_that_could_not_be_read_is_a_failure() {
    let PathState::File(mut seen) = stands("a", owned(0o600)) else {
        unreachable!("it is a file");
    };
    seen.digest = None;
    seen.content = None;
    let state = Observed::Path(PathState::File(seen));
    let full = judge(&file("/p", "a"), state.clone(), &Host::default());
    assert_eq!(
        words(&full),
        "! /p may not be read by this user, and so what it holds is not known"
    );
    let bare = file_with("/p", |file| file.attributes = mode(0o600));
    assert!(judge(&bare, state, &Host::default()).is_converged());
}

#[test]
fn a_blob_has_a_diff_where_its_bytes_are_at_hand() {
    let digest = Digest::of(b"b\n");
    let blob = file_with("/p", |file| {
        file.content = Some(Content::Blob { digest, size: 2 });
    });
    let seen = || Observed::Path(stands("a\n", owned(0o644)));
    assert_eq!(only(judge(&blob, seen(), &Host::default())).diff, None);
    let host = Host {
        blobs: [(digest, b"b\n".to_vec())].into(),
        ..Host::default()
    };
    let diff = only(judge(&blob, seen(), &host)).diff;
    assert_eq!(diff.as_deref(), Some("@@ -1 +1 @@\n-a\n+b\n"));
}

#[test]
fn purge_is_refused_where_others_live() {
    for place in ["/", "/etc", "/usr", "/var", "/home", "/root", "/boot"] {
        let seen = Observed::Path(folder(None));
        let verdict = judge(&purged(place), seen, &Host::default());
        assert_eq!(words(&verdict), format!("! purge is refused on {place}"));
    }
}

/// Of these, and in all else as it must be.
fn given(owner: &str, group: &str) -> Ownership {
    Ownership {
        owner: owner.into(),
        group: group.into(),
        ..owned(0o644)
    }
}

#[test]
fn a_repository_waits_until_its_rivals_are_gone() {
    let rival = "/etc/apt/sources.list.d/other.list";
    let seen = Observed::Repository(RepositoryState {
        sources: absent(),
        key: None,
        rivals: vec![rival.parse().unwrap()],
    });
    let verdict = judge(&repository("r"), seen.clone(), &Host::default());
    assert!(words(&verdict).starts_with(&format!("! {rival} names the same source")));
    // The role sees to it.
    let gone = file_with(rival, |file| file.state = Presence::Absent);
    let desired = role(vec![repository("r"), gone]);
    let observed = [
        (id("repository:r"), seen),
        (
            id(&format!("file:{rival}")),
            Observed::Path(stands("deb", owned(0o644))),
        ),
    ];
    let snapshot = Snapshot {
        observed: observed.into(),
        ..Snapshot::default()
    };
    let plan = plan(&desired, &snapshot, &Ledger::default()).unwrap();
    assert!(plan.failures.is_empty(), "{:?}", plan.failures);
    assert_eq!(plan.changes().count(), 2);
}

#[test]
fn what_apt_could_not_fetch_is_foretold_while_the_source_is_the_same() {
    let host = Host {
        unfetched: [(id("repository:r"), "E: no".to_owned())].into(),
        ..Host::default()
    };
    let Body::Repository(body) = repository("r").body else {
        unreachable!("it is one");
    };
    let stands = |text: &str| {
        Observed::Repository(RepositoryState {
            sources: stands(text, owned(0o644)),
            key: None,
            rivals: Vec::new(),
        })
    };
    let ahead = |seen| judge_ahead(&repository("r"), seen, &host, &Ahead::of_a_plan());
    let same = String::from_utf8(body.sources).unwrap();
    let verdict = ahead(stands(&same));
    assert_eq!(
        (verdict.missed, verdict.changes),
        (Some("E: no".into()), Vec::new())
    );
    let verdict = ahead(stands("other"));
    assert_eq!((verdict.missed, verdict.changes.len()), (None, 1));
    let verdict = judge(&repository("r"), stands(&same), &host);
    assert!(verdict.is_converged(), "a run asks apt itself");
}

#[test]
fn a_repository_is_one_change_of_two_files() {
    let look = |sources: PathState, key: Option<PathState>| {
        Observed::Repository(RepositoryState {
            sources,
            key,
            rivals: Vec::new(),
        })
    };
    let mut keyed = repository("r");
    if let Body::Repository(body) = &mut keyed.body {
        body.key = Some(Key {
            armoured: true,
            digest: Digest::of(b"key"),
            size: 3,
        });
    }
    let good = || stands("Types: deb\n", owned(0o644));
    let key = || stands("key", owned(0o644));
    for (sources, key, wanted) in [
        (good(), key(), ""),
        (absent(), absent(), "create"),
        (good(), absent(), "update"),
        (good(), stands("other", owned(0o644)), "update"),
        (stands("Types: x\n", owned(0o644)), key(), "update"),
        (good(), stands("key", owned(0o600)), "update"),
        (
            stands("Types: deb\n", given("you", "root")),
            key(),
            "update",
        ),
        (good(), stands("key", given("root", "us")), "update"),
        (leads("/x"), key(), "update"),
        (folder(Some("/p/x")), key(), FULL),
        (unreadable(), key(), "! Permission denied"),
    ] {
        let verdict = judge(&keyed, look(sources, Some(key)), &Host::default());
        assert_eq!(words(&verdict), wanted);
    }
    let given_away = stands("Types: deb\n", given("you", "root"));
    let change = only(judge(
        &repository("r"),
        look(given_away, None),
        &Host::default(),
    ));
    assert_eq!(change.before["sources"]["owner"], "you");
    assert_eq!(change.after["sources"]["owner"], "root");
    assert_eq!(change.diff, None);
    let new = judge(&repository("r"), look(absent(), None), &Host::default());
    assert_eq!(
        only(new).diff.as_deref(),
        Some("@@ -0,0 +1 @@\n+Types: deb\n")
    );
    for (sources, wanted) in [
        (good(), ""),
        (absent(), "create"),
        (stands("Types: x\n", owned(0o644)), "update"),
    ] {
        let hidden = judge(
            &sensitive(repository("r")),
            look(sources, None),
            &Host::default(),
        );
        assert_eq!(words(&hidden), wanted);
        let text = serde_json::to_string(&hidden.changes).unwrap();
        assert!(
            !text.contains("sha256") && !text.contains("Types"),
            "{text}"
        );
    }
}

#[test]
fn what_is_only_created_may_come_from_what_is_ahead() {
    let once = file_with("/f", |file| {
        file.content = Some(Content::Text("x".into()));
        file.create_only = true;
    });
    for (ahead, what, certainty) in [
        (None, &once, Certainty::Certain),
        (
            Some(("package:p", Action::Install)),
            &once,
            Certainty::Assumed,
        ),
        (
            Some(("package:p", Action::Upgrade)),
            &once,
            Certainty::Assumed,
        ),
        (Some(("command:c", Action::Run)), &once, Certainty::Assumed),
        (
            Some(("package:p", Action::Remove)),
            &once,
            Certainty::Certain,
        ),
        (
            Some(("package:p", Action::Install)),
            &file("/f", "x"),
            Certainty::Certain,
        ),
    ] {
        let mut coming = Ahead::of_a_plan();
        if let Some((resource, action)) = ahead {
            coming.note(&Change::new(&id(resource), action));
        }
        let verdict = judge_ahead(what, Observed::Path(absent()), &Host::default(), &coming);
        let change = only(verdict);
        assert_eq!(
            (change.action, change.certainty),
            (Action::Create, certainty),
            "{ahead:?}"
        );
    }
}

#[test]
fn a_purge_keeps_what_the_role_makes_by_way_of_its_link() {
    let all = [purged("/c"), link("/d", "c"), file("/d/a/x", "x")];
    let claims = Claims::of(&role(all.into()), &Snapshot::default());
    for (name, kept) in [("/c/a", true), ("/c/a/x", true), ("/c/b", false)] {
        assert_eq!(claims.keeps(&path(name), &path("/c")), kept, "{name}");
    }
}
