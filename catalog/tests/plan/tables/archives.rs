//! Archives.

use super::{absent, folder, judge, leads, only, stands, unreadable, words};
use crate::build::*;
use crate::model::machine::owned;
use cfg_catalog::plan::{Certainty, Host};
use cfg_catalog::resource::archive::ArchiveState;
use cfg_catalog::resource::file::Content;
use cfg_catalog::resource::{Body, Observed, PathState, Resource};
use serde_json::json;

fn marker(resource: &Resource) -> String {
    let Body::Archive(archive) = &resource.body else {
        panic!("no archive");
    };
    archive.marker().unwrap()
}

fn seen(path: PathState, marker: Option<String>) -> Observed {
    Observed::Archive(ArchiveState { path, marker })
}

#[test]
fn an_archive_is_what_its_marker_says() {
    let new = archive("/p", "new");
    let (now, old) = (marker(&new), marker(&archive("/p", "old")));
    let full = || folder(Some("/p/x"));
    let foreign =
        "! a directory stands there that is not empty and that cfg did not unpack: move it away";
    for (resource, path, marker, wanted) in [
        (&new, absent(), None, "create"),
        (&new, full(), Some(&now), ""),
        (&new, full(), Some(&old), "update"),
        (&new, folder(None), None, "update"),
        (&new, leads("/q"), None, "update"),
        (&new, full(), None, foreign),
        (
            &new,
            stands("x", owned(0o644)),
            None,
            "! a file stands there",
        ),
        (&new, unreadable(), None, "! Permission denied"),
        (&no_archive("/p"), absent(), None, ""),
        (&no_archive("/p"), full(), Some(&old), "remove"),
        (&no_archive("/p"), folder(None), None, "remove"),
        (&no_archive("/p"), full(), None, foreign),
    ] {
        let verdict = judge(resource, seen(path, marker.cloned()), &Host::default());
        assert_eq!(words(&verdict), wanted, "{marker:?}");
    }
}

#[test]
fn what_is_fetched_is_assumed_until_it_is_here() {
    let fetched = archive("/p", "x");
    let mut at_hand = fetched.clone();
    if let Body::Archive(archive) = &mut at_hand.body {
        archive.content = Some(Content::Text(b"x".to_vec()));
    }
    for (resource, sure) in [(fetched, Certainty::Assumed), (at_hand, Certainty::Certain)] {
        let verdict = judge(&resource, seen(absent(), None), &Host::default());
        assert_eq!(only(verdict).certainty, sure);
    }
    let gone = judge(
        &no_archive("/p"),
        seen(folder(None), None),
        &Host::default(),
    );
    assert_eq!(only(gone).certainty, Certainty::Certain);
}

#[test]
fn another_owner_or_another_strip_is_another_archive() {
    let changed = |change: &dyn Fn(&mut cfg_catalog::resource::archive::Archive)| {
        let mut resource = archive("/p", "x");
        if let Body::Archive(archive) = &mut resource.body {
            change(archive);
        }
        marker(&resource)
    };
    let same = changed(&|_| {});
    assert_eq!(same, changed(&|archive| archive.attributes = owner("root")));
    assert_ne!(same, changed(&|archive| archive.attributes = owner("app")));
    assert_ne!(same, changed(&|archive| archive.strip = 2));
}

#[test]
fn which_one_is_shown() {
    let new = archive("/p", "new");
    let old = Some(marker(&archive("/p", "old")));
    let of = |resource: &Resource| {
        let seen = seen(folder(Some("/p/x")), old.clone());
        only(judge(resource, seen, &Host::default()))
    };
    let change = of(&new);
    assert_ne!(change.before["sha256"], change.after["sha256"]);
    assert_eq!(change.after["strip"], "1");
    let hidden = of(&sensitive(new));
    assert_eq!(hidden.after, json!({"sensitive": true}));
}
