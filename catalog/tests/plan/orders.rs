//! The order of a run.

use crate::build::*;
use cfg_catalog::plan::explain::ties;
use cfg_catalog::plan::order::{closure, order};
use cfg_catalog::plan::{Phase, Step, Why};
use cfg_catalog::resource::mount::MountPresence;
use cfg_catalog::resource::{Desired, Presence, Resource};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

fn names(desired: &Desired) -> Vec<String> {
    let steps = order(desired).unwrap();
    steps.iter().map(name).collect()
}

fn name(step: &Step) -> String {
    match step.phase {
        Phase::Mask => format!("{} mask", step.resource),
        Phase::Unit => format!("{} unit", step.resource),
        Phase::Parent | Phase::Main => step.resource.to_string(),
    }
}

fn masked(name: &str) -> Resource {
    service_with(name, |service| service.masked = Some(true))
}

#[test]
fn by_kind_then_by_name() {
    let desired = role(vec![
        running("b", &[]),
        running("a", &[]),
        masked("c"),
        until("z", "/x"),
        edit("an edit", "/f", &["x"]),
        edit("of apt", "/etc/apt/apt.conf", &["x"]),
        archive("/a", ""),
        mount_with("/m", |_| {}),
        sysctl("net.x", "1"),
        link("/l", "/x"),
        file("/f", ""),
        file("/etc/apt/preferences.d/pin", ""),
        directory("/d"),
        directory("/d/e"),
        package("q", "*"),
        package("p", "*"),
        user("u"),
        group("g", None, Presence::Present),
        repository("r"),
    ]);
    assert_eq!(
        names(&desired),
        [
            "repository:r",
            "file:/etc/apt/preferences.d/pin",
            "edit:of apt",
            "group:g",
            "user:u",
            "service:c mask",
            "package:p",
            "package:q",
            "directory:/d",
            "directory:/d/e",
            "file:/f",
            "link:/l",
            "edit:an edit",
            "sysctl:net.x",
            "mount:/m",
            "archive:/a",
            "command:z",
            "service:a",
            "service:b",
            "service:c",
        ]
    );
}

#[test]
fn what_stands_in_a_file_system_or_an_archive_comes_after_it() {
    let gone = |point: &str| {
        mount_with(point, |mount| {
            mount.state = MountPresence::Absent;
            mount.entry = None;
        })
    };
    let desired = role(vec![
        directory("/m"),
        file("/m/f", ""),
        mount_with("/m/inner", |mount| {
            if let Some(entry) = &mut mount.entry {
                entry.device = "/z/shown".into();
            }
        }),
        mount_with("/m", |_| {}),
        directory("/z/shown"),
        archive("/m/a", ""),
        file("/m/a/f", ""),
        gone("/old"),
        gone("/old/inner"),
    ]);
    let names = names(&desired);
    let at = |name: &str| names.iter().position(|other| other == name).unwrap();
    for (first, after) in [
        ("mount:/m", "directory:/m"),
        ("mount:/m", "file:/m/f"),
        ("mount:/m", "mount:/m/inner"),
        ("directory:/z/shown", "mount:/m/inner"),
        ("mount:/m", "archive:/m/a"),
        ("archive:/m/a", "file:/m/a/f"),
        ("mount:/old/inner", "mount:/old"),
    ] {
        assert!(at(first) < at(after), "{first}, {after} in {names:?}");
    }
}

#[test]
fn unit_files_come_before_the_first_service_but_not_before_what_theirs_comes_after() {
    let desired = role(vec![
        running("a", &[]),
        own_unit("z", ""),
        after(own_unit("y", ""), &["file:/f"]),
        after(own_unit("x", ""), &["service:a"]),
        after(own_unit("w", ""), &["file:/late"]),
        file("/f", ""),
        after(file("/late", ""), &["service:z"]),
    ]);
    assert_eq!(
        names(&desired),
        [
            "file:/f",
            "service:y unit",
            "service:z unit",
            "service:a",
            "service:x",
            "service:y",
            "service:z",
            "file:/late",
            "service:w",
        ]
    );
    let steps = order(&desired).unwrap();
    assert_eq!(steps[1].needs, ids(&["file:/f"]));
}

#[test]
fn a_socket_comes_first_unless_the_role_says_otherwise() {
    let socket = |first: &[&str]| {
        let socket = service_with("a.socket", |service| service.unit = "a.socket".into());
        after(socket, first)
    };
    let names = |socket| names(&role(vec![running("a", &[]), socket]));
    assert_eq!(names(socket(&[])), ["service:a.socket", "service:a"]);
    assert_eq!(
        names(socket(&["service:a"])),
        ["service:a", "service:a.socket"]
    );
}

#[test]
fn after_overrides_and_packages_stay_together() {
    for (resources, wanted) in [
        (
            // What a package waits for comes first; other files do not.
            vec![
                package("a", "*"),
                after(package("b", "*"), &["file:/m"]),
                after(package("c", "*"), &["file:/n"]),
                file("/k", ""),
                file("/m", ""),
                file("/n", ""),
                running("s", &[]),
            ],
            vec![
                "package:a",
                "file:/m",
                "file:/n",
                "package:b",
                "package:c",
                "file:/k",
                "service:s",
            ],
        ),
        (
            // A repository that needs a package gets it, and the other packages wait for the repository.
            vec![
                after(repository("r"), &["package:z"]),
                package("a", "*"),
                package("z", "*"),
            ],
            vec!["package:z", "repository:r", "package:a"],
        ),
        (
            // A user whose shell is a package waits for all packages rather than split them.
            vec![
                after(user("u"), &["package:zsh"]),
                package("a", "*"),
                package("zsh", "*"),
                package("zz", "*"),
                file("/f", ""),
            ],
            vec![
                "package:a",
                "package:zsh",
                "package:zz",
                "user:u",
                "file:/f",
            ],
        ),
        (
            vec![
                after(package("a", "*"), &["package:b"]),
                package("b", "*"),
                package("c", "*"),
            ],
            vec!["package:b", "package:c", "package:a"],
        ),
        (
            vec![after(file("/a", ""), &["service:s"]), running("s", &[])],
            vec!["service:s", "file:/a"],
        ),
        (
            // The name of something that is not in the role binds nothing.
            vec![after(file("/a", ""), &["file:/gone"])],
            vec!["file:/a"],
        ),
    ] {
        assert_eq!(names(&role(resources)), wanted);
    }
}

#[test]
fn a_failure_skips_what_needs_it_and_no_more() {
    let desired = role(vec![
        directory("/d"),
        file_with("/d/e/f", |file| file.attributes = owner("u")),
        user_with("u", |user| user.groups = vec!["g".into()]),
        group("g", None, Presence::Present),
        package("p", "*"),
        service_with("s", |service| {
            service.restart_on = ids(&["file:/d/e/f"]);
            service.reload_on = ids(&["package:p"]);
        }),
        after(on("c", &["file:/d/e/f"]), &["service:s"]),
    ]);
    let needs: BTreeMap<String, Vec<String>> = order(&desired)
        .unwrap()
        .into_iter()
        .map(|step| {
            let needs: BTreeSet<String> = step.needs.iter().map(ToString::to_string).collect();
            (step.resource.to_string(), needs.into_iter().collect())
        })
        .collect();
    for (resource, wanted) in [
        ("directory:/d", vec![]),
        ("file:/d/e/f", vec!["directory:/d", "user:u"]),
        ("user:u", vec!["group:g"]),
        ("service:s", vec!["file:/d/e/f", "package:p"]),
        ("command:c", vec!["file:/d/e/f", "service:s"]),
        ("package:p", vec![]),
    ] {
        assert_eq!(needs[resource], wanted, "{resource}");
    }
    assert_eq!(
        closure(&desired, &ids(&["file:/d/e/f"]).into_iter().collect()),
        ids(&["file:/d/e/f", "directory:/d", "user:u", "group:g"])
            .into_iter()
            .collect()
    );
}

#[test]
fn a_cycle_is_named() {
    let desired = role(vec![
        file("/z", ""),
        after(file("/a", ""), &["service:s"]),
        running("s", &["file:/b"]),
        after(file("/b", ""), &["file:/a"]),
    ]);
    let cycle = order(&desired).unwrap_err();
    assert_eq!(
        cycle.to_string(),
        "a cycle: file:/a comes after service:s (`after`), which comes after file:/b (`restart_on`), which comes after file:/a (`after`)"
    );
    let alone = role(vec![after(file("/a", ""), &["file:/a"])]);
    assert_eq!(
        order(&alone).unwrap_err().to_string(),
        "a cycle: file:/a comes after file:/a (`after`)"
    );
}

#[test]
fn the_neighbours_of_a_resource() {
    let desired = role(vec![
        file("/d/a", ""),
        file_with("/d/b", |file| file.attributes = owner("u")),
        directory("/d"),
        user("u"),
        after(link("/l", "x"), &["file:/d/a"]),
        running("s", &["file:/d/a"]),
        on("c", &["file:/d/a"]),
    ]);
    let a = ties(&desired, &id("file:/d/a"));
    assert_eq!(a.after, [(id("directory:/d"), Why::Folder)]);
    assert_eq!(a.before, [(id("link:/l"), Why::After)]);
    assert_eq!(
        a.wakes,
        [(id("command:c"), Why::On), (id("service:s"), Why::Restart)]
    );
    let b = ties(&desired, &id("file:/d/b"));
    assert_eq!(
        b.after,
        [
            (id("user:u"), Why::Owner),
            (id("directory:/d"), Why::Folder)
        ]
    );
}

/// Resources of every kind, with edges only from a higher number to a lower one, so that there is no cycle.
fn roles() -> impl Strategy<Value = Vec<Resource>> {
    let edges = proptest::collection::vec(proptest::collection::vec(0usize..12, 0..3), 12);
    let kinds = proptest::collection::vec(0usize..7, 12);
    (kinds, edges).prop_map(|(kinds, edges)| {
        let mut made: Vec<Resource> = Vec::new();
        for (n, (kind, edges)) in kinds.into_iter().zip(edges).enumerate() {
            let name = format!("n{n}");
            let resource = match kind {
                0 => repository(&name),
                1 => user(&name),
                2 | 3 => package(&name, "*"),
                4 => file(&format!("/{name}"), ""),
                5 => until(&name, "/x"),
                _ => masked(&name),
            };
            let first: Vec<String> = edges
                .into_iter()
                .filter(|first| *first < n)
                .map(|first| made[first].id.to_string())
                .collect();
            let first: Vec<&str> = first.iter().map(String::as_str).collect();
            made.push(after(resource, &first));
        }
        made
    })
}

proptest! {
    #[test]
    fn everything_once_and_after_what_it_comes_after(resources in roles()) {
        let desired = role(resources);
        let steps = order(&desired).unwrap();
        let main: Vec<&Step> = steps.iter().filter(|s| s.phase == Phase::Main).collect();
        let places: BTreeMap<_, _> = main.iter().enumerate().map(|(n, s)| (&s.resource, n)).collect();
        prop_assert_eq!(places.len(), desired.resources.len());
        prop_assert_eq!(main.len(), desired.resources.len());
        for resource in &desired.resources {
            for first in &resource.after {
                prop_assert!(places[first] < places[&resource.id]);
            }
        }
        let mask = steps.iter().rposition(|s| s.phase == Phase::Mask);
        let package = steps.iter().position(|s| s.resource.kind == cfg_catalog::id::Kind::Package);
        if let (Some(mask), Some(package)) = (mask, package) {
            prop_assert!(mask < package);
        }
    }

    #[test]
    fn the_order_of_the_text_does_not_matter(resources in roles(), seed in any::<u64>()) {
        let mut shuffled: Vec<Resource> = resources.clone();
        for (n, resource) in shuffled.iter_mut().enumerate() {
            if seed >> (n % 64) & 1 == 1 {
                resource.after.reverse();
            }
        }
        let turn = seed as usize % shuffled.len();
        shuffled.rotate_left(turn);
        let places = |steps: Vec<Step>| steps.into_iter().map(|s| (s.resource, s.phase)).collect::<Vec<_>>();
        prop_assert_eq!(
            places(order(&role(resources)).unwrap()),
            places(order(&role(shuffled)).unwrap())
        );
    }
}
