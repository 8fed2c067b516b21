//! What is told, on a machine in memory.

use super::{Life, Offer, Owned, Package, Told, Unit, whole};
use crate::model::machine::{Installed, Machine, What};
use cfg_catalog::path::AbsPath;
use cfg_catalog::plan::Power;
use cfg_catalog::resource::Mode;
use cfg_catalog::resource::account::Present;
use cfg_catalog::resource::fstab::Entry;
use cfg_catalog::resource::package::DpkgState;

impl Told {
    /// Makes it so.
    pub fn onto(&self, machine: &mut Machine) {
        self.accounts(machine);
        self.paths(machine);
        for (name, offer) in &self.index {
            offer.onto(name, machine);
        }
        for (name, package) in &self.package {
            package.onto(name, machine);
        }
        for (point, live) in &self.mounted {
            let entry = Entry {
                device: live.device.clone(),
                fstype: live.fstype.clone(),
                options: live.options.clone(),
                dump: 0,
                pass: 0,
            };
            machine.mounted.insert(point.parse().unwrap(), entry);
        }
        machine.web.extend(self.web.clone());
        machine.kernel.extend(self.kernel.clone());
        machine.debconf.extend(self.debconf.clone());
        for (name, command) in &self.command {
            let touches = command.touches.parse().unwrap();
            machine.touches.insert(name.clone(), touches);
        }
        for (name, unit) in &self.unit {
            unit.onto(&whole(name), machine);
        }
    }

    fn accounts(&self, machine: &mut Machine) {
        if let Some(by) = &self.run_by {
            machine.host.power = Power::Own {
                user: by.user.clone(),
                groups: by.groups.clone(),
            };
        }
        for (name, group) in &self.group {
            machine.groups.insert(name.clone(), group.gid);
            machine.host.groups.insert(group.gid, name.clone());
        }
        for (name, user) in &self.user {
            let present = Present {
                uid: user.uid,
                gid: self.group.get(&user.group).map_or(user.uid, |g| g.gid),
                group: user.group.clone(),
                groups: user.groups.clone(),
                shell: user.shell.clone(),
                home: user.home.clone(),
                authorized_keys: user.authorized_keys.clone(),
                keys_drifted: None,
                keys_file: None,
                password_hash: None,
            };
            machine.host.users.insert(user.uid, name.clone());
            machine.users.insert(name.clone(), present);
        }
    }

    fn paths(&self, machine: &mut Machine) {
        for path in &self.gone {
            let path: AbsPath = path.parse().unwrap();
            machine.nodes.retain(|other, _| !other.is_within(&path));
            machine.touch_parent(&path);
        }
        for (path, owned) in &self.directory {
            machine.put(path, What::Directory);
            owned.onto(path, machine);
        }
        for (path, file) in &self.file {
            let led = machine.led(&path.parse().unwrap());
            machine.write(led.as_str(), &file.content);
            file.owned.onto(led.as_str(), machine);
        }
        for (path, link) in &self.link {
            machine.put(path, What::Link(link.target.clone()));
            let path: AbsPath = path.parse().unwrap();
            let target = link.target.parse();
            let target = target.or_else(|_| path.parent().unwrap().join(&link.target));
            if let Ok(target) = target
                && let Some(What::Directory) = machine.nodes.get(&target).map(|node| &node.what)
            {
                machine.through.push((path, target));
            }
        }
    }
}

impl Owned {
    fn onto(&self, path: &str, machine: &mut Machine) {
        let node = machine.nodes.get_mut(path).unwrap();
        let of = &mut node.ownership;
        if let Some(mode) = &self.mode {
            of.mode = Mode(u32::from_str_radix(mode, 8).unwrap());
        }
        of.owner
            .clone_from(self.owner.as_ref().unwrap_or(&"root".into()));
        of.group
            .clone_from(self.group.as_ref().unwrap_or(&"root".into()));
    }
}

impl Offer {
    fn onto(&self, name: &str, machine: &mut Machine) {
        let versions: Vec<&str> = self.versions.iter().map(String::as_str).collect();
        machine.offer(name, &versions, |deb| {
            deb.files = self.files.clone().into_iter().collect();
            deb.units = self.units.iter().map(|unit| whole(unit)).collect();
            deb.needs.clone_from(&self.needs);
        });
    }
}

impl Package {
    fn onto(&self, name: &str, machine: &mut Machine) {
        let version = self.version.clone().unwrap_or_default();
        let dpkg = match self.status.as_deref() {
            Some("config-files") => DpkgState::ConfigFiles,
            Some(status) => DpkgState::Broken {
                version,
                status: status.to_owned(),
            },
            None => DpkgState::Installed {
                version,
                changed_us: machine.tick(),
            },
        };
        let installed = Installed {
            dpkg,
            held: self.held,
            auto: self.auto,
        };
        machine.dpkg.insert(name.to_owned(), installed);
    }
}

impl Unit {
    fn onto(&self, name: &str, machine: &mut Machine) {
        let unit = machine.units.entry(name.to_owned()).or_default();
        unit.package = self.package.clone().or(unit.package.take());
        unit.enabled = self.enabled.unwrap_or(unit.enabled);
        unit.masked = self.masked.unwrap_or(unit.masked);
        unit.can_reload = self.reloads.unwrap_or(unit.can_reload);
        let runs = unit.start.is_some();
        match self.state {
            Some(Life::Stopped) => unit.start = None,
            Some(Life::Running) if !runs => machine.start_by_hand(name),
            Some(Life::Restarted) => machine.start_by_hand(name),
            Some(Life::Running) | None => {}
        }
    }
}
