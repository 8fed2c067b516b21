//! A small world: what a role can say of it, and how its machines can be.

use crate::build::*;
use crate::model::machine::{Installed, Machine, Unit, What};
use cfg_catalog::digest::Digest;
use cfg_catalog::id::ResourceId;
use cfg_catalog::resource::debconf::Answer;
use cfg_catalog::resource::directory::TreeFile;
use cfg_catalog::resource::file::Content;
use cfg_catalog::resource::fstab;
use cfg_catalog::resource::mount::MountPresence;
use cfg_catalog::resource::package::{DpkgState, PackagePresence};
use cfg_catalog::resource::service::Activity;
use cfg_catalog::resource::{Body, Desired, Presence, Resource, Shell};
use proptest::prelude::*;
use std::collections::BTreeSet;

/// One of the things a role can say of a small world, by number.
fn resource(which: usize, how: usize) -> Resource {
    let text = ["one\n", "two\n", "three\n"][how % 3];
    let presence = [Presence::Present, Presence::Absent][how % 2];
    match which {
        0 => versions("app", how),
        1 => versions("lib", how + 5),
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
            service.restart_on = ids(&[
                "file:/etc/app.conf",
                "directory:/d",
                "package:lib",
                "edit:of two",
            ]);
            service.reload_on = ids(&["file:/d/a"]);
        }),
        8 => service_with("lib", |service| {
            service.masked = Some(how.is_multiple_of(2));
            service.state = Some(Activity::Stopped);
        }),
        9 => on("told", &["file:/d/a", "directory:/d", "edit:beside"]),
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
        20 => after(file("/z/last", text), &["service:app", "command:told"]),
        21 => versions("tool", how),
        22 => service_with("tool", |service| {
            service.masked = [None, Some(false), Some(true)][how % 3];
            service.enabled = [None, Some(how % 4 == 1)][how % 2].filter(|_| how % 3 < 2);
            service.state = [None, Some(Activity::Running)][how % 2].filter(|_| how % 3 < 2);
            service.restart_on = ids(&["file:/open/seed", "file:/opt/a/conf/f", "file:/m/deep/f"]);
            service.reload_on = ids(&["directory:/open", "package:lib"]);
        }),
        23 => directory("/open"),
        24 => file_with("/open/seed", |file| {
            file.content = Some(Content::Text(text.into()));
            file.create_only = true;
            file.attributes = [mode(0o600), owner("u")][how % 2].clone();
        }),
        25 => on("spill", &["file:/etc/app.conf", "package:app"]),
        26 => command_with("make", |command| {
            command.creates = Some(path("/var/brought"));
            command.on = ids(&["directory:/open"][..how % 2]);
        }),
        27 => directory_with("/t", |tree| {
            tree.purge = how.is_multiple_of(2);
            tree.attributes = owner(["u", "w"][how / 2 % 2]);
            tree.source = vec![TreeFile {
                path: "sub/x".into(),
                digest: Digest::of(b""),
                size: 0,
                executable: true,
            }];
        }),
        28 => directory_with("/t/sub", |folder| folder.attributes = mode(0o750)),
        29 => file_with("/t/sub/x", |file| {
            file.content = Some(Content::Text(text.into()));
            file.attributes = mode([0o755, 0o644][how % 2]);
        }),
        30 => group("h", None, presence),
        31 => user_with("k", |user| {
            user.home = Some("/srv/k".into());
            user.authorized_keys = Some(vec![text.trim().into()]);
            user.groups = vec!["g".into()];
            user.gid = how.is_multiple_of(3).then(|| "h".into());
            user.exact_groups = how.is_multiple_of(2);
        }),
        32 => link("/lnk/in/it", text.trim()),
        33 => no_directory("/full"),
        34 => [
            sysctl("net.x", "1"),
            sysctl("net.x", "2"),
            no_sysctl("net.x"),
        ][how % 3]
            .clone(),
        35 => archive("/opt/a", ["1", "2"][how % 2]),
        36 => file("/opt/a/conf/f", text),
        37 => mount_with("/m", |mount| {
            use MountPresence::{Absent, Mounted, Present, Unmounted};
            mount.state = [Mounted, Present, Unmounted, Absent][how % 4];
            if let Some(entry) = &mut mount.entry {
                entry.options = ["defaults", "noexec"][how / 4 % 2].into();
                entry.device = ["/dev/a", "/dev/b"][how / 2 % 2].into();
            }
        }),
        38 => [file("/m/deep/f", text), directory("/m")][how % 2].clone(),
        39 => package_with("asks", |package| {
            package.debconf = vec![Answer {
                question: "asks/q".into(),
                kind: "string".into(),
                value: text.trim().into(),
            }];
        }),
        40 => made(edit("of two", "/d/conf", &["a"])),
        41 => made(edit("beside", "/d/conf", &["b"])),
        42 => file_with("/d/begun", |file| {
            file.content = Some(Content::Text(text.into()));
            file.create_only = true;
            file.attributes = mode([0o600, 0o644][how / 2 % 2]);
        }),
        43 => edit("of what is begun", "/d/begun", &["c"]),
        44 => made(edit("/etc/dir/e", "/etc/dir/e", &["one"])),
        45 => after(
            made(edit("late", "/d/conf", &["z"])),
            [&["command:guarded"], &["package:app"]][how % 2],
        ),
        46 => edit("of a package", "/d/shipped", &["y"]),
        _ => after(file("/after/full", text), &["directory:/full", "user:k"]),
    }
}

/// A package in one of eight ways.
fn versions(name: &str, how: usize) -> Resource {
    let held = |version: &str, hold: bool| {
        let mut resource = package(name, version);
        if let Body::Package(package) = &mut resource.body {
            package.hold = Some(hold);
        }
        resource
    };
    match how % 8 {
        0 => package(name, "*"),
        1 => package(name, "1*"),
        2 => package(name, "latest"),
        3 => held("*", true),
        4 => held("1*", false),
        5 => no_package(name, PackagePresence::Purged),
        6 => no_package(name, PackagePresence::Absent),
        _ => held("2", true),
    }
}

const WORLD: usize = 48;

pub fn roles() -> impl Strategy<Value = Desired> {
    let chosen = proptest::collection::vec((any::<bool>(), 0usize..24), WORLD);
    chosen.prop_map(|chosen| {
        let chosen = chosen.into_iter().enumerate();
        let resources = chosen.filter(|(_, (take, _))| *take);
        resolved(
            resources
                .map(|(which, (_, how))| resource(which, how))
                .collect(),
        )
    })
}

/// A role as rendering gives it: a reference to what the role does not have binds nothing, and is not in it.
fn resolved(mut resources: Vec<Resource>) -> Desired {
    let all: BTreeSet<ResourceId> = resources.iter().map(|one| one.id.clone()).collect();
    for resource in &mut resources {
        let bind = |ids: &mut Vec<ResourceId>| ids.retain(|id| all.contains(id));
        bind(&mut resource.after);
        match &mut resource.body {
            Body::Service(service) => {
                bind(&mut service.restart_on);
                bind(&mut service.reload_on);
            }
            Body::Command(command) => bind(&mut command.on),
            _ => {}
        }
    }
    role(resources)
}

pub fn machines() -> impl Strategy<Value = Machine> {
    let bits = proptest::collection::vec(0usize..3, 22);
    bits.prop_map(|bits| machine(&bits))
}

fn machine(bits: &[usize]) -> Machine {
    let mut machine = Machine::blank();
    machine.offer("app", &["2", "1.5"], |deb| {
        deb.files = vec![
            ("/etc/app.conf".into(), "default\n".into()),
            ("/d/shipped".into(), "x".into()),
            ("/d/s/shipped".into(), "x".into()),
            ("/d/conf".into(), "shipped\n".into()),
        ];
        deb.units = vec!["app.service".into()];
        if bits[0] == 1 {
            deb.needs = vec!["lib".into()];
        }
    });
    machine.offer("lib", &["2", "1"], |deb| {
        deb.units = vec!["lib.service".into()]
    });
    machine.offer("tool", &["2", "1.5", "1"], |deb| {
        deb.units = vec!["tool.service".into()];
        deb.files = vec![("/open/shipped".into(), "x".into())];
    });
    for (command, touched) in [
        ("guarded", "/var/made"),
        ("spill", "/open/spilled"),
        ("make", "/var/brought"),
    ] {
        machine.touches.insert(command.into(), path(touched));
    }
    for (bit, file) in bits[1..6].iter().chain(&bits[18..]).zip([
        "/d/a",
        "/d/s/b",
        "/d/stray",
        "/d/t/stray",
        "/etc/app.conf",
        "/d/conf",
        "/d/begun",
    ]) {
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
        if bits[0] == 1 {
            machine.unpack("lib", "2", true);
        }
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
    if bits[14] > 0 {
        machine.unpack("tool", ["", "1", "2"][bits[14]], bits[15] == 1);
        machine.start_by_hand("tool.service");
        machine.units.get_mut("tool.service").unwrap().can_reload = bits[15] == 2;
    }
    if bits[16] > 0 {
        machine.write("/full/of/it", "");
        machine.write("/open/seed", "grown");
    }
    if bits[17] > 0 {
        machine.groups.insert("h".into(), 77);
        machine.write("/t/sub/x", "one\n");
        machine.write("/t/stray", "");
    }
    newer(&mut machine, &bits[18..]);
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
        if let Body::Archive(old) = archive("/opt/a", old).body {
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
