//! The machine in memory does what it is told.

use super::machine::{Installed, Machine, Node, What};
use cfg_catalog::digest::Digest;
use cfg_catalog::plan::{Action, Change, Plan, Power};
use cfg_catalog::resource::account::{Present, User};
use cfg_catalog::resource::archive::MARKER;
use cfg_catalog::resource::edit::FileEdit;
use cfg_catalog::resource::file::{Content, File};
use cfg_catalog::resource::fstab;
use cfg_catalog::resource::mount::Mount;
use cfg_catalog::resource::package::{DpkgState, Package};
use cfg_catalog::resource::service::{Service, Start, Trigger};
use cfg_catalog::resource::{Attributes, Body, Desired, Mode};

impl Machine {
    pub fn apply(&mut self, desired: &Desired, plan: &Plan, change: &Change) {
        self.log
            .push(format!("{} {}", change.resource, change.action.word()));
        if change.action == Action::Remove
            && let Some(path) = self.inside(&change.resource)
        {
            let path = self.led(&path);
            let inside = self.nodes.keys().any(|p| *p != path && p.is_within(&path));
            assert!(!inside, "{path} is not empty when it is removed");
            self.nodes.remove(&path);
            self.touch_parent(&path);
            return;
        }
        let resource = plan.resource(desired, &change.resource).unwrap().clone();
        match &resource.body {
            Body::File(file) => self.write_file(&File {
                sensitive: file.sensitive || resource.sensitive,
                ..file.clone()
            }),
            Body::Directory(directory) => {
                self.node(
                    &directory.path,
                    What::Directory,
                    &directory.attributes,
                    0o755,
                );
            }
            Body::Link(link) => {
                let target = link.target.clone().unwrap();
                self.node(
                    &link.path,
                    What::Link(target),
                    &Attributes::default(),
                    0o777,
                );
            }
            Body::Edit(edit) => self.edit(edit, resource.sensitive),
            Body::Repository(repository) => {
                let mut files = vec![(repository.sources_path(), repository.sources.clone())];
                let key = repository.key.as_ref();
                let key = key.map(|key| self.host.blobs[&key.digest].clone());
                files.extend(repository.key_path().zip(key));
                for (path, bytes) in files {
                    let path = path.parse().unwrap();
                    self.node(&path, What::File(bytes), &Attributes::default(), 0o644);
                }
            }
            Body::Package(package) => self.apt(package, change),
            Body::Service(service) => self.systemctl(service, change.action),
            Body::Sysctl(sysctl) => {
                let path = sysctl.file().unwrap();
                if let (Some(value), true) = (&sysctl.value, self.kernel.contains_key(&sysctl.name))
                {
                    self.kernel.insert(sysctl.name.clone(), value.clone());
                }
                if change.action == Action::Remove {
                    self.nodes.remove(&path);
                    self.touch_parent(&path);
                    return;
                }
                let none = Attributes::default();
                self.node(&path, What::File(sysctl.line()), &none, 0o644);
            }
            Body::Mount(mount) => self.mount_it(mount),
            Body::Archive(archive) => {
                self.nodes.retain(|path, _| !path.is_within(&archive.path));
                self.touch_parent(&archive.path);
                if let Some(marker) = archive.marker() {
                    let folder = What::Directory;
                    self.node(&archive.path, folder, &Attributes::default(), 0o755);
                    let path = archive.path.join(MARKER).unwrap();
                    let marker = What::File(marker.into_bytes());
                    self.node(&path, marker, &Attributes::default(), 0o644);
                }
            }
            Body::Command(command) => {
                if let Some(path) = self.touches.get(&command.name).cloned() {
                    self.write(path.as_str(), "");
                }
            }
            Body::User(user) => self.account(user, change.action),
            Body::Group(group) => {
                if change.action == Action::Remove {
                    self.groups.remove(&group.name);
                } else {
                    self.groupmod(&group.name, group.gid.unwrap_or(2000));
                }
            }
        }
    }

    fn mount_it(&mut self, mount: &Mount) {
        match mount.state.mounted() {
            _ if self.host.power != Power::Root => {}
            Some(true) => {
                let entry = mount.entry.clone().unwrap();
                self.mounted.insert(mount.point.clone(), entry);
            }
            Some(false) => {
                self.mounted.remove(&mount.point);
            }
            None => {}
        }
        if mount.line().is_some() && !self.nodes.contains_key(&mount.point) {
            let none = Attributes::default();
            self.node(&mount.point, What::Directory, &none, 0o755);
        }
        if fstab::entries(&self.fstab(), &mount.point).first() == mount.line() {
            return;
        }
        let table = fstab::with(&self.fstab(), &mount.point, mount.line());
        let path = fstab::FSTAB.parse().unwrap();
        let what = What::File(table.into_bytes());
        self.node(&path, what, &Attributes::default(), 0o644);
    }

    fn account(&mut self, user: &User, action: Action) {
        if action == Action::Remove {
            self.users.remove(&user.name);
            return;
        }
        if !user.system && !self.users.contains_key(&user.name) {
            let home = user.home.clone();
            let home = home.unwrap_or_else(|| format!("/home/{}", user.name));
            self.put(&home, What::Directory);
            let home = self.nodes.get_mut(home.as_str()).unwrap();
            home.ownership.owner.clone_from(&user.name);
        }
        let next = 1000 + self.users.len() as u32;
        let seen = self.users.entry(user.name.clone()).or_insert(Present {
            uid: next,
            gid: next,
            group: user.name.clone(),
            groups: Vec::new(),
            shell: "/bin/sh".into(),
            home: format!("/home/{}", user.name),
            authorized_keys: None,
            keys_drifted: None,
            keys_file: None,
            password_hash: None,
        });
        let uid = user.uid.unwrap_or(seen.uid);
        seen.group = user.gid.clone().unwrap_or(seen.group.clone());
        if user.exact_groups {
            seen.groups.clear();
        }
        seen.groups.extend(user.groups.clone());
        seen.groups.sort();
        seen.groups.dedup();
        seen.shell = user.shell.clone().unwrap_or(seen.shell.clone());
        seen.home = user.home.clone().unwrap_or(seen.home.clone());
        let keys = user.authorized_keys.clone();
        seen.authorized_keys = keys.or(seen.authorized_keys.take());
        let hash = user.password_hash.clone();
        seen.password_hash = hash.or(seen.password_hash.take());
        self.usermod(&user.name, uid);
    }

    /// What is in the home stays the user's, all else keeps the number.
    pub fn usermod(&mut self, name: &str, uid: u32) {
        let user = self.users.get_mut(name).unwrap();
        let old = std::mem::replace(&mut user.uid, uid);
        let home = user.home.parse().unwrap();
        let his = self
            .nodes
            .get(&home)
            .is_none_or(|node| node.ownership.owner == name);
        self.host.users.retain(|_, other| other != name);
        self.host.users.insert(uid, name.into());
        for (path, node) in &mut self.nodes {
            let owner = &mut node.ownership.owner;
            if *owner == uid.to_string() {
                *owner = name.into();
            } else if owner == name && old != uid && !(his && path.is_within(&home)) {
                *owner = old.to_string();
            }
        }
    }

    /// Files keep the number.
    pub fn groupmod(&mut self, name: &str, gid: u32) {
        let old = self.groups.insert(name.into(), gid).unwrap_or(gid);
        self.host.groups.retain(|_, other| other != name);
        self.host.groups.insert(gid, name.into());
        for node in self.nodes.values_mut() {
            let group = &mut node.ownership.group;
            if *group == gid.to_string() {
                *group = name.into();
            } else if group == name && old != gid {
                *group = old.to_string();
            }
        }
    }

    pub fn touch_parent(&mut self, path: &cfg_catalog::path::AbsPath) {
        let now = self.tick();
        if let Some(node) = path.parent().and_then(|above| self.nodes.get_mut(&above)) {
            node.changed_us = now;
        }
    }

    fn write_file(&mut self, file: &File) {
        let there = match self.nodes.get(&self.led(&file.path)).map(|node| &node.what) {
            Some(What::File(bytes)) => Some(bytes.clone()),
            _ => None,
        };
        let bytes = match (&file.content, there) {
            (Some(_), Some(there)) if file.create_only => there,
            (Some(Content::Text(bytes)), _) => bytes.clone(),
            (Some(Content::Blob { digest, .. }), _) => self.host.blobs[digest].clone(),
            (Some(Content::Url { url, digest }), _) => {
                let there = self.web[url].clone().into_bytes();
                assert_eq!(Digest::of(&there), *digest, "{url}");
                there
            }
            (None, there) => there.expect("something to set attributes of"),
        };
        let mode = if file.sensitive { 0o600 } else { 0o644 };
        self.node(&file.path, What::File(bytes), &file.attributes, mode);
    }

    fn edit(&mut self, edit: &FileEdit, sensitive: bool) {
        let there = match self.nodes.get(&self.led(&edit.path)).map(|node| &node.what) {
            Some(What::File(bytes)) => bytes.clone(),
            None if edit.create => Vec::new(),
            other => panic!("{other:?} is edited"),
        };
        let bytes = cfg_catalog::edit::apply(&there, &edit.edit).unwrap();
        let mode = if sensitive { 0o600 } else { 0o644 };
        self.node(&edit.path, What::File(bytes), &Attributes::default(), mode);
    }

    fn node(
        &mut self,
        path: &cfg_catalog::path::AbsPath,
        what: What,
        wanted: &Attributes,
        new: u32,
    ) {
        let path = &self.led(path);
        let parent = path.parent().expect("never the root");
        assert!(self.nodes.contains_key(&parent), "{parent} is missing");
        let kept = self
            .nodes
            .get(path)
            .filter(|node| std::mem::discriminant(&node.what) == std::mem::discriminant(&what));
        let mut ownership = kept.map_or(self.newly(new), |node| node.ownership.clone());
        ownership.mode = wanted.mode.unwrap_or(ownership.mode);
        if let Some(owner) = wanted.owner.as_ref().filter(|owner| self.gives(owner)) {
            ownership.owner.clone_from(owner);
        }
        if let Some(group) = wanted
            .group
            .as_ref()
            .filter(|group| self.gives_group(group))
        {
            ownership.group.clone_from(group);
        }
        let changed_us = self.tick();
        self.touch_parent(path);
        let node = Node {
            what,
            ownership,
            changed_us,
        };
        self.nodes.insert(path.clone(), node);
    }

    fn apt(&mut self, package: &Package, change: &Change) {
        if change.after.get("debconf").is_some() {
            let answers = package.debconf.iter().cloned();
            self.debconf
                .extend(answers.map(|answer| (answer.question, answer.value)));
        }
        match change.action {
            Action::Install | Action::Upgrade | Action::Downgrade => {
                let exact = change.after["version"].as_str().unwrap().to_owned();
                let there = self.dpkg.get(&package.name).map(|i| &i.dpkg);
                // What is unpacked is configured as it is, be it in the index still or not.
                let unpacked =
                    matches!(there, Some(DpkgState::Broken { version, .. }) if *version == exact);
                let known = unpacked || self.debs[&package.name].versions.contains(&exact);
                let found = self.target(&package.name, &package.version);
                let version = if known { exact } else { found.unwrap() };
                self.unpack(&package.name, &version, false);
            }
            Action::Remove => {
                self.unship(&package.name);
                self.dpkg.get_mut(&package.name).unwrap().dpkg = DpkgState::ConfigFiles;
            }
            Action::Purge => {
                self.unship(&package.name);
                self.dpkg.remove(&package.name);
            }
            Action::Hold => self.dpkg.get_mut(&package.name).unwrap().held = true,
            Action::Unhold => self.dpkg.get_mut(&package.name).unwrap().held = false,
            Action::Update => {
                let auto = change.after.get("auto").and_then(|auto| auto.as_bool());
                let there = self.dpkg.get_mut(&package.name).unwrap();
                there.auto = auto.unwrap_or(there.auto);
            }
            other => panic!("{other:?} of a package"),
        }
    }

    pub fn unpack(&mut self, name: &str, version: &str, auto: bool) {
        let deb = self.debs.get(name).cloned().unwrap_or_default();
        for needed in &deb.needs {
            let newest = self.debs[needed].versions[0].clone();
            let there = self.dpkg.get(needed).map(|i| i.dpkg.clone());
            if !matches!(there, Some(DpkgState::Installed { version, .. }) if version == newest) {
                self.unpack(needed, &newest, true);
            }
        }
        for (path, text) in &deb.files {
            // Conffiles: what is there stays.
            if !self.nodes.contains_key(path.as_str()) {
                self.write(path, text);
            }
        }
        for (vandal, path) in self.vandals.clone() {
            if vandal == name {
                self.write(path.as_str(), "vandalized");
            }
        }
        for unit in &deb.units {
            let unit = self.units.entry(unit.clone()).or_default();
            unit.package = Some(name.into());
            // As Debian's scripts do at every configure.
            unit.enabled = true;
        }
        let changed_us = self.tick();
        let before = self.dpkg.get(name);
        let held = before.is_some_and(|i| i.held);
        // Who wanted it for itself does so still.
        let auto = auto && before.is_none_or(|i| i.auto);
        let dpkg = DpkgState::Installed {
            version: version.into(),
            changed_us,
        };
        self.dpkg
            .insert(name.into(), Installed { dpkg, held, auto });
    }

    fn unship(&mut self, name: &str) {
        for unit in self.units.values_mut() {
            // A mask is a link of its own, and stays.
            if unit.package.as_deref() == Some(name) {
                unit.package = None;
                unit.start = None;
                unit.enabled = false;
            }
        }
    }

    fn systemctl(&mut self, service: &Service, action: Action) {
        if matches!(action, Action::Create | Action::Update) {
            let path = service.unit_path().unwrap();
            let what = What::File(service.unit_file.clone().unwrap().content);
            let attributes = Attributes {
                mode: Some(Mode(0o644)),
                ..Attributes::default()
            };
            self.node(&path, what, &attributes, 0o644);
            return;
        }
        let at_us = self.tick();
        if matches!(action, Action::Start | Action::Restart) && service.unit.ends_with(".socket") {
            for unit in self.units.values_mut() {
                let its = |trigger: &Trigger| trigger.unit == service.unit;
                unit.start.take_if(|_| unit.triggered_by.iter().any(its));
            }
        }
        let unit = self.units.entry(service.unit.clone()).or_default();
        match action {
            Action::Start | Action::Restart => {
                assert!(!unit.masked, "{} is masked", service.unit);
                unit.start = Some(Start {
                    id: format!("start-{at_us}"),
                    at_us,
                });
            }
            Action::Stop => unit.start = None,
            Action::Reload => {}
            Action::Enable => unit.enabled = true,
            Action::Disable => unit.enabled = false,
            Action::Mask => unit.masked = true,
            Action::Unmask => unit.masked = false,
            other => panic!("{other:?} of a service"),
        }
    }
}
