//! Laws that hold for every role and every machine.

use crate::build::*;
use crate::model::enact::{dry, run, words};
use crate::model::machine::{Installed, Machine, Unit, What};
use cfg_catalog::plan::{Certainty, Ledger};
use cfg_catalog::resource::debconf::Answer;
use cfg_catalog::resource::fstab;
use cfg_catalog::resource::mount::MountPresence;
use cfg_catalog::resource::package::{DpkgState, PackagePresence};
use cfg_catalog::resource::service::Activity;
use cfg_catalog::resource::{Desired, Presence, Resource, Shell};
use proptest::prelude::*;
use std::collections::BTreeSet;

/// One of the things a role can say of a small world, by number.
fn resource(which: usize, how: usize) -> Resource {
    let text = ["one\n", "two\n", "three\n"][how % 3];
    let presence = [Presence::Present, Presence::Absent][how % 2];
    match which {
        0 => [
            package("app", "*"),
            package("app", "1*"),
            package("app", "latest"),
        ][how % 3]
            .clone(),
        1 => [
            package("lib", "*"),
            no_package("lib", PackagePresence::Purged),
        ][how % 2]
            .clone(),
        2 => file("/d/a", text),
        3 => [file("/d/s/b", text), no_file("/d/s/b")][how % 2].clone(),
        4 => [purged("/d"), directory("/d")][how % 2].clone(),
        5 => file_with("/etc/app.conf", |file| {
            let Resource { body, .. } = crate::build::file("/etc/app.conf", text);
            if let cfg_catalog::resource::Body::File(filled) = body {
                *file = filled;
            }
            file.create_only = how % 2 == 1;
            file.attributes = mode([0o600, 0o644][how / 2 % 2]);
        }),
        6 => [link("/etc/l", text.trim()), no_link("/etc/l")][how % 2].clone(),
        7 => service_with("app", |service| {
            service.state = [
                Some(Activity::Running),
                Some(Activity::Stopped),
                Some(Activity::Running),
                None,
            ][how % 4];
            service.enabled = [Some(true), Some(false), None][how % 3];
            service.restart_on = ids(&["file:/etc/app.conf", "directory:/d", "package:lib"]);
            service.reload_on = ids(&["file:/d/a"]);
        }),
        8 => service_with("lib", |service| {
            service.masked = Some(how.is_multiple_of(2));
            service.state = Some(Activity::Stopped);
        }),
        9 => on("told", &["file:/d/a", "directory:/d"]),
        10 => command_with("guarded", |command| {
            command.unless = Some(Shell::Argv(vec!["/var/made".into()]));
            command.only_if = how
                .is_multiple_of(2)
                .then(|| Shell::Argv(vec!["/etc/app.conf".into()]));
            command.creates = how.is_multiple_of(3).then(|| path("/var/made"));
        }),
        11 => group("g", [None, Some(7)][how % 2], Presence::Present),
        12 => user_with("u", |user| {
            user.state = presence;
            user.shell = Some(text.trim().into());
            user.groups = [vec![], vec!["g".into()]][how % 2].clone();
        }),
        13 => own_unit("own", text),
        14 => repository("r"),
        15 => no_directory("/gone"),
        16 => directory_with("/etc/dir", |directory| {
            directory.purge = how.is_multiple_of(2)
        }),
        17 => file("/etc/dir/in/it", text),
        18 => file("/home/w/.profile", text),
        19 => user_with("w", |user| user.system = how.is_multiple_of(2)),
        20 => [
            sysctl("net.x", "1"),
            sysctl("net.x", "2"),
            no_sysctl("net.x"),
        ][how % 3]
            .clone(),
        21 => archive("/opt/a", ["1", "2"][how % 2]),
        22 => file("/opt/a/conf/f", text),
        23 => mount_with("/m", |mount| {
            use MountPresence::{Absent, Mounted, Present, Unmounted};
            mount.state = [Mounted, Present, Unmounted, Absent][how % 4];
            if let Some(entry) = &mut mount.entry {
                entry.options = ["defaults", "noexec"][how / 4 % 2].into();
                entry.device = ["/dev/a", "/dev/b"][how / 2 % 2].into();
            }
        }),
        24 => [file("/m/deep/f", text), directory("/m")][how % 2].clone(),
        25 => package_with("asks", |package| {
            package.debconf = vec![Answer {
                question: "asks/q".into(),
                kind: "string".into(),
                value: text.trim().into(),
            }];
        }),
        _ => after(file("/z/last", text), &["service:app", "command:told"]),
    }
}

const WORLD: usize = 27;

fn roles() -> impl Strategy<Value = Desired> {
    let chosen = proptest::collection::vec((any::<bool>(), 0usize..12), WORLD);
    chosen.prop_map(|chosen| {
        let chosen = chosen.into_iter().enumerate();
        let resources = chosen.filter(|(_, (take, _))| *take);
        role(
            resources
                .map(|(which, (_, how))| resource(which, how))
                .collect(),
        )
    })
}

fn machines() -> impl Strategy<Value = Machine> {
    let bits = proptest::collection::vec(0usize..3, 18);
    bits.prop_map(|bits| machine(&bits))
}

fn machine(bits: &[usize]) -> Machine {
    let mut machine = Machine::blank();
    machine.offer("app", &["2", "1.5"], |deb| {
        deb.files = vec![
            ("/etc/app.conf".into(), "default\n".into()),
            ("/d/shipped".into(), "x".into()),
            ("/d/s/shipped".into(), "x".into()),
        ];
        deb.units = vec!["app.service".into()];
        if bits[0] == 1 {
            deb.needs = vec!["lib".into()];
        }
    });
    machine.offer("lib", &["7"], |deb| deb.units = vec!["lib.service".into()]);
    machine.touches.insert("guarded".into(), path("/var/made"));
    for (bit, file) in
        bits[1..6]
            .iter()
            .zip(["/d/a", "/d/s/b", "/d/stray", "/d/t/stray", "/etc/app.conf"])
    {
        if *bit > 0 {
            machine.write(file, ["", "one\n", "two\n"][*bit]);
        }
    }
    match bits[6] {
        1 => machine.put("/etc/l", What::Link("one".into())),
        2 => machine.put("/etc/l", What::Directory),
        _ => {}
    }
    if bits[7] > 0 {
        let version = ["", "1.5", "2"][bits[7]];
        let dpkg = match bits[8] {
            2 => DpkgState::Broken {
                version: version.into(),
                status: "half-configured".into(),
            },
            _ => DpkgState::Installed {
                version: version.into(),
                changed_us: machine.tick(),
            },
        };
        let installed = Installed {
            dpkg,
            held: bits[9] == 1,
            auto: bits[9] == 2,
        };
        machine.dpkg.insert("app".into(), installed);
        let unit = Unit {
            package: Some("app".into()),
            enabled: bits[10] == 1,
            ..Unit::default()
        };
        machine.units.insert("app.service".into(), unit);
        if bits[10] > 0 {
            machine.start_by_hand("app.service");
        }
    }
    if bits[11] > 0 {
        machine.write(
            "/etc/systemd/system/own.service",
            ["", "one\n", "old\n"][bits[11]],
        );
        machine.start_by_hand("own.service");
    }
    if bits[12] == 2 {
        machine.put("/gone", What::Directory);
    }
    match bits[13] {
        1 => machine.write("/etc/dir/in/it", "one\n"),
        2 => {
            machine.write("/srv/in/it", "one\n");
            machine.put("/etc/dir", What::Link("/srv".into()));
            machine.through.push((path("/etc/dir"), path("/srv")));
        }
        _ => {}
    }
    newer(&mut machine, &bits[14..]);
    machine
}

/// The kernel, an archive, a file system and an answer.
fn newer(machine: &mut Machine, bits: &[usize]) {
    machine.offer("asks", &["1"], |_| {});
    machine.kernel.insert("net.x".into(), bits[0].to_string());
    if bits[0] > 0 {
        machine.write("/etc/sysctl.d/90-cfg-net.x.conf", "net.x = 1\n");
    }
    if bits[1] > 0 {
        let old = ["", "1", "3"][bits[1]];
        if let cfg_catalog::resource::Body::Archive(old) = archive("/opt/a", old).body {
            machine.write("/opt/a/.cfg-archive", &old.marker().unwrap());
        }
        machine.write("/opt/a/conf/f", "one\n");
    }
    if bits[2] > 0 {
        machine.write("/etc/fstab", "/dev/a /m ext4 defaults 0 2\n");
        machine.write("/m/deep/f", "one\n");
        let table = machine.fstab();
        let line = fstab::entries(&table, &path("/m")).remove(0);
        if bits[2] == 2 {
            machine.mounted.insert(path("/m"), line);
        }
    }
    if bits[3] > 0 {
        let installed = Installed {
            dpkg: DpkgState::Installed {
                version: "1".into(),
                changed_us: machine.tick(),
            },
            held: false,
            auto: bits[3] == 2,
        };
        machine.dpkg.insert("asks".into(), installed);
        machine.debconf.insert("asks/q".into(), "one".into());
    }
}

/// Nothing depends on what a role purges: apt would refuse it as a whole.
fn possible(mut machine: Machine, roles: &[&Desired]) -> Machine {
    let purged = no_package("lib", PackagePresence::Purged);
    if roles.iter().any(|role| role.resources.contains(&purged)) {
        machine.debs.get_mut("app").unwrap().needs.clear();
    }
    machine
}

/// What the role contradicts itself in, or the world cannot give, fails in the plan already.
fn failed(document: &cfg_catalog::plan::document::Document) -> BTreeSet<String> {
    let of = document.failures.iter();
    of.map(|f| format!("{:?}", f.resource)).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, ..ProptestConfig::default() })]

    #[test]
    fn a_run_does_what_its_plan_says_and_a_second_has_nothing_to_do(
        desired in roles(),
        before in machines(),
    ) {
        let mut machine = possible(before, &[&desired]);
        let promised = dry(&machine, &desired, &Ledger::default());
        let ran = run(&mut machine, &desired, &Ledger::default());
        prop_assert!(failed(&promised).is_subset(&failed(&ran.document)));
        prop_assert_eq!(&ran.document.unforeseen, &[]);
        let made: BTreeSet<String> = words(&ran.document).into_iter().collect();
        let said: BTreeSet<String> = words(&promised).into_iter().collect();
        prop_assert!(made.is_subset(&said), "{:?} are not of {:?}", made, said);
        for change in &promised.changes {
            let word = format!("{} {}", change.resource, change.action.word());
            let excused = change.certainty == Certainty::Assumed
                || failed(&ran.document).contains(&format!("{:?}", Some(&change.resource)));
            prop_assert!(excused || made.contains(&word), "{}", word);
        }
        let again = dry(&machine, &desired, &ran.ledger);
        prop_assert_eq!(words(&again), Vec::<String>::new());
        let counts = ran.document.counts;
        prop_assert_eq!(
            counts.resources,
            counts.in_sync + counts.changed + counts.failed + counts.skipped + counts.held
        );
    }

    /// From one role to another: what the first has recorded serves the second.
    #[test]
    fn a_change_of_role_is_a_run_like_any_other(
        first in roles(),
        second in roles(),
        before in machines(),
    ) {
        let mut machine = possible(before, &[&first, &second]);
        let ran = run(&mut machine, &first, &Ledger::default());
        let promised = dry(&machine, &second, &ran.ledger);
        let ran = run(&mut machine, &second, &ran.ledger);
        prop_assert_eq!(&ran.document.unforeseen, &[]);
        let made: BTreeSet<String> = words(&ran.document).into_iter().collect();
        let said: BTreeSet<String> = words(&promised).into_iter().collect();
        prop_assert!(made.is_subset(&said), "{:?} are not of {:?}", made, said);
        prop_assert_eq!(words(&dry(&machine, &second, &ran.ledger)), Vec::<String>::new());
        // The ledger survives being written down.
        let written = serde_json::to_string(&ran.ledger).unwrap();
        prop_assert_eq!(serde_json::from_str::<Ledger>(&written).unwrap(), ran.ledger);
    }
}
