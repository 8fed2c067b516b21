//! A machine in memory, told.

use super::{File, Group, Life, Link, Mounted, Owned, Package, Told, Unit, User};
use crate::model::machine::{Machine, Node, What};
use cfg_catalog::path::AbsPath;
use cfg_catalog::resource::package::DpkgState;

/// What is on a machine, without what is as on every other.
pub fn told(machine: &Machine) -> Told {
    let mut told = Told {
        kernel: machine.kernel.clone(),
        debconf: machine.debconf.clone(),
        ..Told::default()
    };
    for (point, live) in &machine.mounted {
        let mounted = Mounted {
            device: live.device.clone(),
            fstype: live.fstype.clone(),
            options: live.options.clone(),
        };
        told.mounted.insert(point.to_string(), mounted);
    }
    for (path, node) in &machine.nodes {
        path_told(machine, path, node, &mut told);
    }
    for (name, gid) in &machine.groups {
        told.group.insert(name.clone(), Group { gid: *gid });
    }
    for (name, seen) in &machine.users {
        let user = User {
            uid: seen.uid,
            group: seen.group.clone(),
            groups: seen.groups.clone(),
            shell: seen.shell.clone(),
            home: seen.home.clone(),
            authorized_keys: seen.authorized_keys.clone(),
        };
        told.user.insert(name.clone(), user);
    }
    for (name, installed) in &machine.dpkg {
        let (version, status) = match &installed.dpkg {
            DpkgState::Absent => continue,
            DpkgState::ConfigFiles => (None, Some("config-files".to_owned())),
            DpkgState::Installed { version, .. } => (Some(version.clone()), None),
            DpkgState::Broken { version, status } => (Some(version.clone()), Some(status.clone())),
        };
        let package = Package {
            version,
            status,
            held: installed.held,
            auto: installed.auto,
        };
        told.package.insert(name.clone(), package);
    }
    for (name, unit) in &machine.units {
        let name = name.strip_suffix(".service").unwrap_or(name);
        let unit = Unit {
            package: unit.package.clone(),
            state: Some(match unit.start {
                Some(_) => Life::Running,
                None => Life::Stopped,
            }),
            enabled: Some(unit.enabled),
            masked: unit.masked.then_some(true),
            reloads: unit.can_reload.then_some(true),
        };
        told.unit.insert(name.to_owned(), unit);
    }
    told
}

fn path_told(machine: &Machine, path: &AbsPath, node: &Node, told: &mut Told) {
    let name = path.to_string();
    match &node.what {
        What::File(bytes) => {
            let content = String::from_utf8_lossy(bytes).into_owned();
            let owned = owned(node, "0644");
            told.file.insert(name, File { content, owned });
        }
        What::Link(target) => {
            let target = target.clone();
            told.link.insert(name, Link { target });
        }
        What::Directory | What::Mount => {
            let owned = owned(node, "0755");
            let usual = owned.mode.is_none() && owned.owner.is_none() && owned.group.is_none();
            let mut others = machine.nodes.keys();
            let leads = others.any(|other| other != path && other.is_within(path));
            let everywhere = Machine::blank().nodes.contains_key(path);
            if !(usual && (leads || everywhere)) {
                told.directory.insert(name, owned);
            }
        }
    }
}

fn owned(node: &Node, usual: &str) -> Owned {
    let unless = |value: String, usual: &str| (value != usual).then_some(value);
    Owned {
        mode: unless(node.ownership.mode.to_string(), usual),
        owner: unless(node.ownership.owner.clone(), "root"),
        group: unless(node.ownership.group.clone(), "root"),
    }
}
