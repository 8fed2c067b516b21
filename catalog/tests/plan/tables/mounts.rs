//! File systems.

use super::{absent, folder, judge, leads, only, stands, unreadable, words};
use crate::build::*;
use crate::model::machine::owned;
use cfg_catalog::plan::Host;
use cfg_catalog::resource::fstab::Entry;
use cfg_catalog::resource::mount::{Live, Mount, MountPresence, MountState};
use cfg_catalog::resource::{Body, Observed, PathState, Resource};
use serde_json::json;

fn mount(state: MountPresence, options: &str) -> Resource {
    mount_with("/p", |mount| {
        mount.state = state;
        if let Some(entry) = &mut mount.entry {
            entry.options = options.into();
        }
        if state == MountPresence::Absent {
            mount.entry = None;
        }
    })
}

fn line(device: &str, options: &str) -> Vec<Entry> {
    vec![Entry {
        device: device.into(),
        fstype: "ext4".into(),
        options: options.into(),
        dump: 0,
        pass: 2,
    }]
}

fn live(device: &str, flags: &[&str]) -> Live {
    Live::Yes {
        device: device.into(),
        fstype: "ext4".into(),
        flags: flags.iter().map(|flag| (*flag).to_owned()).collect(),
        same: device == "/dev/b",
        listed: device == "/dev/b",
    }
}

fn seen(entries: Vec<Entry>, live: Live) -> MountState {
    MountState {
        place: None,
        open: false,
        point: folder(None),
        table: stands("", owned(0o644)),
        entries,
        live,
    }
}

/// The action and how it comes about, or the obstacle.
fn told(resource: &Resource, state: MountState) -> String {
    let verdict = judge(resource, Observed::Mount(state), &Host::default());
    let by = verdict.changes.first().and_then(|change| {
        let by = change.after.get("by")?;
        Some(format!(": {}", by.as_str().unwrap()))
    });
    format!("{}{}", words(&verdict), by.unwrap_or_default())
}

#[test]
fn the_line_and_the_mount_drift_by_themselves() {
    use MountPresence::{Absent, Mounted, Present, Unmounted};
    let none = Vec::new;
    let b = || live("/dev/b", &["rw", "relatime"]);
    let good = || line("/dev/b", "defaults");
    for (state, options, entries, live, wanted) in [
        (Mounted, "defaults", good(), b(), ""),
        (Mounted, "defaults", good(), Live::Unjudged, ""),
        (Mounted, "defaults", none(), Live::Unjudged, "create"),
        (Mounted, "defaults", none(), Live::No, "create: mount"),
        (Mounted, "defaults", none(), b(), "create"),
        (Mounted, "defaults", good(), Live::No, "update: mount"),
        (Mounted, "noatime", good(), b(), "update: remount"),
        (Mounted, "ro", line("/dev/b", "ro"), b(), "update: remount"),
        (
            Mounted,
            "defaults",
            good(),
            live("/dev/a", &["rw"]),
            "update: unmount, then mount",
        ),
        (
            Mounted,
            "defaults",
            line("/dev/a", "defaults"),
            b(),
            "update",
        ),
        (Present, "defaults", none(), Live::No, "create"),
        (Present, "noatime", good(), b(), "update"),
        (Unmounted, "defaults", good(), Live::No, ""),
        (Unmounted, "defaults", good(), b(), "update: unmount"),
        (Unmounted, "defaults", none(), b(), "create: unmount"),
        (Absent, "", none(), Live::No, ""),
        (Absent, "", good(), Live::No, "remove"),
        (Absent, "", good(), b(), "remove: unmount"),
        (Absent, "", none(), b(), "remove: unmount"),
    ] {
        let told = told(&mount(state, options), seen(entries.clone(), live.clone()));
        assert_eq!(told, wanted, "{state:?} {options} on {entries:?}, {live:?}");
    }
}

#[test]
fn flags_are_compared_as_far_as_they_are_named() {
    for (options, flags, same) in [
        ("defaults", &["rw", "nosuid", "nodev"][..], true),
        ("nosuid,nodev", &["rw", "nosuid", "nodev"], true),
        ("nosuid,noexec", &["rw", "nosuid"], false),
        ("exec", &["rw", "noexec"], false),
        ("suid,size=10m,x-systemd.automount", &["rw"], true),
        ("ro", &["ro"], true),
        ("rw", &["ro"], false),
    ] {
        let state = seen(line("/dev/b", options), live("/dev/b", flags));
        let told = told(&mount(MountPresence::Mounted, options), state);
        assert_eq!(told.is_empty(), same, "{options} {flags:?}");
    }
}

#[test]
fn what_stands_in_the_way() {
    let new = || seen(Vec::new(), Live::No);
    let mounted = mount(MountPresence::Mounted, "defaults");
    let at = |point: PathState| MountState { point, ..new() };
    assert_eq!(told(&mounted, at(absent())), "create: mount");
    assert_eq!(
        told(&mounted, at(stands("", owned(0o644)))),
        "! a file stands there"
    );
    assert_eq!(
        told(&mounted, at(leads("/q"))),
        "! it is a link to /q; the kernel would mount there, so name that"
    );
    let table = |table: PathState| MountState { table, ..new() };
    assert_eq!(
        told(&mounted, table(unreadable())),
        "! /etc/fstab: Permission denied"
    );
    assert_eq!(
        told(&mounted, table(leads("/q"))),
        "! /etc/fstab: a link stands there"
    );
    let twice = [line("/dev/b", "ro"), line("/dev/b", "rw")].concat();
    assert_eq!(
        told(&mounted, seen(twice, Live::No)),
        "! /etc/fstab has 2 lines for /p: leave one"
    );
}

#[test]
fn only_what_differs_is_shown() {
    let shown = |resource: &Resource, state| {
        let change = only(judge(resource, Observed::Mount(state), &Host::default()));
        (change.before, change.after)
    };
    let mounted = mount(MountPresence::Mounted, "noatime");
    assert_eq!(
        shown(&mounted, seen(Vec::new(), Live::No)),
        (
            json!({"mounted": null}),
            json!({
                "device": "/dev/b", "fstype": "ext4", "options": "noatime", "pass": 2,
                "mounted": "/dev/b", "by": "mount"
            })
        )
    );
    assert_eq!(
        shown(
            &mounted,
            seen(line("/dev/a", "noatime"), live("/dev/a", &["noatime"]))
        ),
        (
            json!({"device": "/dev/a", "mounted": "/dev/a"}),
            json!({"device": "/dev/b", "mounted": "/dev/b", "by": "unmount, then mount"})
        )
    );
    let Body::Mount(Mount { point, .. }) = &mounted.body else {
        panic!("no mount");
    };
    assert_eq!(point.as_str(), "/p");
}
