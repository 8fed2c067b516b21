//! Whatever a machine drifts in is found, and mended, alone.

use super::world::{machines, roles};
use super::{is_of, left, skipped};
use crate::model::machine::{Machine, What};
use crate::running::{dry, run};
use cfg_catalog::id::{Kind, ResourceId};
use cfg_catalog::path::AbsPath;
use cfg_catalog::plan::{Action, Certainty, Ledger};
use cfg_catalog::resource::archive::MARKER;
use cfg_catalog::resource::edit::FileEdit;
use cfg_catalog::resource::mount::MountPresence;
use cfg_catalog::resource::package::{DpkgState, PackagePresence};
use cfg_catalog::resource::service::Activity;
use cfg_catalog::resource::{Attributes, Body, Desired, Mode, Ownership, Presence, Resource};
use proptest::prelude::*;
use proptest::sample::Index;
use std::collections::BTreeSet;

/// One thing that somebody did to a machine.
struct Drift {
    what: String,
    /// Whose change it is to put it back; none where the role leaves that alone.
    of: Option<ResourceId>,
    machine: Machine,
}

/// All that can be done to one attribute of one resource.
fn drifts(desired: &Desired, machine: &Machine) -> Vec<Drift> {
    let mut drifts = Vec::new();
    for resource in &desired.resources {
        let mut found = Found {
            resource,
            machine,
            drifts: &mut drifts,
        };
        match &resource.body {
            Body::File(file) if file.state == Presence::Present => {
                let filled = file.content.is_some() && !file.create_only;
                let edits = |other: &Resource| matches!(&other.body, Body::Edit(edit) if edit.path == file.path);
                // What is edited is the edits' to put back.
                if !desired.resources.iter().any(edits) {
                    found.content(&file.path, filled);
                }
                found.attributes(&file.path, &file.attributes);
            }
            Body::Directory(directory) if directory.state == Presence::Present => {
                found.attributes(&directory.path, &directory.attributes);
                if directory.purge {
                    found.stray(&directory.path);
                }
            }
            Body::Link(link) if link.state == Presence::Present => {
                let path = machine.led(&link.path);
                found.drift("target", true, |machine| {
                    machine.put(path.as_str(), What::Link("/astray".into()));
                });
            }
            Body::Edit(edit) => found.edited(edit),
            Body::Repository(repository) => {
                found.content(&repository.sources_path().parse().unwrap(), true);
            }
            Body::Package(_) => found.package(),
            Body::Service(_) => found.service(),
            Body::User(_) => found.user(),
            Body::Group(group) => {
                let managed = group.gid.is_some();
                if machine.groups.contains_key(&group.name) && group.state == Presence::Present {
                    found.drift("gid", managed, |machine| {
                        *machine.groups.get_mut(&group.name).unwrap() += 1;
                    });
                }
            }
            Body::Sysctl(sysctl) if sysctl.state == Presence::Present => {
                found.content(&sysctl.file().unwrap(), true);
                found.drift("the kernel", true, |machine| {
                    machine.kernel.insert(sysctl.name.clone(), "9".into());
                });
            }
            Body::Archive(archive) => {
                found.content(&archive.path.join(MARKER).unwrap(), true);
            }
            Body::Mount(mount) if machine.mounted.contains_key(&mount.point) => {
                let managed = mount.state == MountPresence::Mounted;
                found.drift("what is mounted", managed, |machine| {
                    machine.mounted.remove(&mount.point);
                });
            }
            Body::File(_)
            | Body::Directory(_)
            | Body::Link(_)
            | Body::Command(_)
            | Body::Sysctl(_)
            | Body::Mount(_) => {}
        }
    }
    drifts
}

struct Found<'a> {
    resource: &'a Resource,
    machine: &'a Machine,
    drifts: &'a mut Vec<Drift>,
}

impl Found<'_> {
    fn drift(&mut self, what: &str, managed: bool, change: impl FnOnce(&mut Machine)) {
        let mut machine = self.machine.clone();
        machine.tick();
        change(&mut machine);
        self.drifts.push(Drift {
            what: format!("{} of {}", what, self.resource.id),
            of: managed.then(|| self.resource.id.clone()),
            machine,
        });
    }

    fn content(&mut self, path: &AbsPath, managed: bool) {
        let path = self.machine.led(path);
        let there = self.machine.nodes.get(&path).map(|node| &node.what);
        if matches!(there, Some(What::File(_))) {
            self.drift("content", managed, |machine| {
                let changed_us = machine.tick();
                let node = machine.nodes.get_mut(&path).unwrap();
                node.what = What::File("somebody's".into());
                node.changed_us = changed_us;
            });
        }
    }

    fn edited(&mut self, edit: &FileEdit) {
        let path = self.machine.led(&edit.path);
        let Some(What::File(bytes)) = self.machine.nodes.get(&path).map(|node| &node.what) else {
            return;
        };
        let text = String::from_utf8(bytes.clone()).unwrap();
        let more = format!("{}\n# by hand\n", text.trim_end());
        self.lines(&path, "other lines", false, more);
        let own: String = edit
            .edit
            .lines
            .iter()
            .map(|wanted| format!("{}\n", wanted.line))
            .collect();
        // What stands elsewhere would come back to the end.
        if let Some(rest) = text.strip_suffix(&own) {
            self.lines(&path, "lines", true, rest.to_owned());
        }
    }

    fn lines(&mut self, path: &AbsPath, what: &str, managed: bool, text: String) {
        self.drift(what, managed, |machine| {
            let changed_us = machine.tick();
            let node = machine.nodes.get_mut(path).unwrap();
            node.what = What::File(text.into_bytes());
            node.changed_us = changed_us;
        });
    }

    fn attributes(&mut self, path: &AbsPath, wanted: &Attributes) {
        let path = self.machine.led(path);
        if !self.machine.nodes.contains_key(&path) {
            return;
        }
        self.drift("mode", wanted.mode.is_some(), |machine| {
            let node = machine.nodes.get_mut(&path).unwrap();
            node.ownership.mode = Mode(node.ownership.mode.0 ^ 0o020);
        });
        self.drift("owner", wanted.owner.is_some(), |machine| {
            let node = machine.nodes.get_mut(&path).unwrap();
            node.ownership.owner = "stranger".into();
        });
        self.drift("group", wanted.group.is_some(), |machine| {
            let node = machine.nodes.get_mut(&path).unwrap();
            node.ownership.group = "strangers".into();
        });
    }

    fn stray(&mut self, folder: &AbsPath) {
        let path = self.machine.led(folder).join("stray-of-today").unwrap();
        let mut machine = self.machine.clone();
        machine.tick();
        machine.write(path.as_str(), "");
        self.drifts.push(Drift {
            what: format!("a stray in {folder}"),
            of: Some(ResourceId::new(Kind::File, path.as_str())),
            machine,
        });
    }

    fn package(&mut self) {
        let Body::Package(package) = &self.resource.body else {
            return;
        };
        let Some(installed) = self.machine.dpkg.get(&package.name) else {
            return;
        };
        let there = matches!(installed.dpkg, DpkgState::Installed { .. });
        if package.state != PackagePresence::Present || !there {
            return;
        }
        let name = &package.name;
        let held = installed.held;
        self.drift("hold", package.hold == Some(held), |machine| {
            machine.dpkg.get_mut(name).unwrap().held = !held;
        });
        if !installed.auto {
            self.drift("mark", true, |machine| {
                machine.dpkg.get_mut(name).unwrap().auto = true;
            });
        }
    }

    fn service(&mut self) {
        let Body::Service(service) = &self.resource.body else {
            return;
        };
        if let Some(path) = service.unit_path() {
            self.content(&path, true);
        }
        let Some(unit) = self.machine.units.get(&service.unit) else {
            return;
        };
        let unit = unit.clone();
        let name = &service.unit;
        let is_there = unit.package.is_some() || service.unit_file.is_some();
        if unit.start.is_some() {
            let managed = service.state == Some(Activity::Running);
            self.drift("its run", managed, |machine| {
                machine.units.get_mut(name).unwrap().start = None;
            });
        } else if is_there && !unit.masked {
            let managed = service.state == Some(Activity::Stopped);
            self.drift("its rest", managed, |machine| machine.start_by_hand(name));
        }
        if is_there && !unit.masked {
            let managed = service.enabled == Some(unit.enabled);
            self.drift("enabled", managed, |machine| {
                machine.units.get_mut(name).unwrap().enabled = !unit.enabled;
            });
        }
        if service.masked == Some(true) && unit.masked {
            self.drift("mask", true, |machine| {
                machine.units.get_mut(name).unwrap().masked = false;
            });
        }
    }

    fn user(&mut self) {
        let Body::User(user) = &self.resource.body else {
            return;
        };
        if !self.machine.users.contains_key(&user.name) || user.state == Presence::Absent {
            return;
        }
        let name = &user.name;
        self.drift("shell", user.shell.is_some(), |machine| {
            machine.users.get_mut(name).unwrap().shell = "/bin/astray".into();
        });
        self.drift("keys", user.authorized_keys.is_some(), |machine| {
            machine.users.get_mut(name).unwrap().authorized_keys = Some(vec!["stray".into()]);
        });
        self.drift("groups", user.exact_groups, |machine| {
            machine.users.get_mut(name).unwrap().groups.push("z".into());
        });
    }
}

/// All of a machine but its times.
pub(super) fn seen(machine: &Machine) -> BTreeSet<String> {
    let nodes = machine.nodes.iter().map(|(path, node)| {
        let Ownership { mode, owner, group } = &node.ownership;
        format!("{path} {:?} {mode} {owner} {group}", node.what)
    });
    let packages = machine.dpkg.iter().map(|(name, installed)| {
        let version = match &installed.dpkg {
            DpkgState::Installed { version, .. } => version.clone(),
            other => format!("{other:?}"),
        };
        format!("{name} {version} {} {}", installed.held, installed.auto)
    });
    let units = machine.units.iter().map(|(name, unit)| {
        let runs = unit.start.is_some();
        format!("{name} {runs} {} {}", unit.enabled, unit.masked)
    });
    let users = machine.users.iter().map(|user| format!("{user:?}"));
    let groups = machine.groups.iter().map(|group| format!("{group:?}"));
    let kernel = machine.kernel.iter().map(|value| format!("{value:?}"));
    let mounted = machine.mounted.iter().map(|mount| format!("{mount:?}"));
    let answers = machine.debconf.iter().map(|answer| format!("{answer:?}"));
    let all = nodes
        .chain(packages)
        .chain(units)
        .chain(users)
        .chain(groups)
        .chain(kernel)
        .chain(mounted)
        .chain(answers);
    all.collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, ..ProptestConfig::default() })]

    #[test]
    fn every_attribute_that_drifts_is_found_alone_and_mended_alone(
        desired in roles(),
        before in machines(),
        which in any::<Index>(),
    ) {
        let mut machine = before;
        let mut ledger = run(&mut machine, &desired, &Ledger::default()).ledger;
        // What was skipped for a failure may come in a second run.
        for _ in 0..2 {
            ledger = run(&mut machine, &desired, &ledger).ledger;
        }
        let settled = seen(&machine);
        let before = dry(&machine, &desired, &ledger);
        let drifts = drifts(&desired, &machine);
        if drifts.is_empty() {
            return Ok(());
        }
        let Drift { what, of, mut machine } = {
            let mut drifts = drifts;
            drifts.swap_remove(which.index(drifts.len()))
        };
        let plan = dry(&machine, &desired, &ledger);
        let mut broken = skipped(&plan);
        broken.extend(plan.failures.iter().flat_map(|failure| &failure.resource));
        if of.as_ref().is_some_and(|of| broken.contains(of)) {
            return Ok(());
        }
        // Somebody may have done what was skipped: what waits for that goes then.
        let waited = skipped(&before);
        let refresh = [Action::Restart, Action::Reload, Action::Run];
        // What is before a guard or a unit that is not there may bring another answer. What is fetched, or judged, shows what it
        // is only then.
        let judged = |id: &ResourceId| match desired.get(id).map(|resource| &resource.body) {
            Some(Body::File(file)) => file.validate.is_some(),
            _ => id.kind == Kind::Archive,
        };
        let open = |id: &ResourceId| Some(id) == of.as_ref() && judged(id);
        let certain = plan.changes.iter();
        let certain = certain.filter(|c| c.certainty == Certainty::Certain || open(&c.resource));
        let certain = certain.filter(|change| !is_of(change, &waited));
        let (follow, own): (Vec<_>, Vec<_>) = certain.partition(|change| {
            refresh.contains(&change.action) && Some(&change.resource) != of.as_ref()
        });
        let found: Vec<_> = own.iter().map(|change| Some(&change.resource)).collect();
        let only_it = found.iter().all(|found| *found == of.as_ref());
        prop_assert!(only_it && found.is_empty() == of.is_none(), "{what}: {found:?}");
        for change in follow {
            prop_assert!(!change.causes.is_empty(), "{what}: {change:?}");
        }
        let ran = run(&mut machine, &desired, &ledger);
        prop_assert_eq!(&ran.document.unforeseen, &[]);
        let left = left(&ran, &dry(&machine, &desired, &ran.ledger));
        prop_assert_eq!(left, Vec::<String>::new(), "{}", what);
        if of.is_some() {
            let now = seen(&machine);
            // An archive that is put back takes along what somebody else had in it.
            let archive = of.as_ref().filter(|id| id.kind == Kind::Archive);
            let within = archive.map(|id| format!("{}/", id.name));
            let strays = |seen: &str| within.as_ref().is_some_and(|within| seen.starts_with(within));
            let differs = settled.symmetric_difference(&now);
            let differs: Vec<_> = differs.filter(|seen| !strays(seen) || now.contains(*seen)).collect();
            prop_assert!(differs.is_empty(), "{what}: {differs:#?}");
        }
    }
}
