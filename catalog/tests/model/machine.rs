//! A machine in memory: what is on it, and what looking at it gives.

use cfg_catalog::digest::Digest;
use cfg_catalog::id::{Kind, ResourceId};
use cfg_catalog::path::AbsPath;
use cfg_catalog::plan::inputs::listed;
use cfg_catalog::plan::{Host, Power, Snapshot};
use cfg_catalog::resource::account::{GroupState, Present, UserState};
use cfg_catalog::resource::archive::{ArchiveState, MARKER};
use cfg_catalog::resource::command::{Command, CommandState, Guards};
use cfg_catalog::resource::debconf::Answers;
use cfg_catalog::resource::fstab::{self, Entry, FSTAB};
use cfg_catalog::resource::mount::{Live, Mount, MountState};
use cfg_catalog::resource::package::{DpkgState, Offered, Package, PackageState, Wanted};
use cfg_catalog::resource::service::{
    Active, Enabled, Load, Service, ServiceState, Start, Trigger, template_of,
};
use cfg_catalog::resource::sysctl::{KernelValue, SysctlState};
use cfg_catalog::resource::{
    Below, BelowKind, Body, Desired, DirectoryState, FileState, LinkState, Mode, Observed,
    Ownership, PathState, Resource, Shell,
};
use std::collections::BTreeMap;

#[derive(Clone, Debug, Default)]
pub struct Machine {
    pub now: u64,
    pub nodes: BTreeMap<AbsPath, Node>,
    pub users: BTreeMap<String, Present>,
    pub groups: BTreeMap<String, u32>,
    /// What the index has.
    pub debs: BTreeMap<String, Deb>,
    pub dpkg: BTreeMap<String, Installed>,
    /// What is at a URL.
    pub web: BTreeMap<String, String>,
    /// Settings of the kernel.
    pub kernel: BTreeMap<String, String>,
    /// Devices by where they are mounted, with their options.
    pub mounted: BTreeMap<AbsPath, Entry>,
    /// What debconf has.
    pub debconf: BTreeMap<String, String>,
    pub units: BTreeMap<String, Unit>,
    /// Commands that touch a path when they run, by name.
    pub touches: BTreeMap<String, AbsPath>,
    /// Links to folders, as long as they stand, and where they lead.
    pub through: Vec<(AbsPath, AbsPath)>,
    /// Packages that overwrite a path when they are unpacked.
    pub vandals: Vec<(String, AbsPath)>,
    pub host: Host,
    /// Each effect, in order.
    pub log: Vec<String>,
}

#[derive(Clone, Debug)]
pub struct Node {
    pub what: What,
    pub ownership: Ownership,
    pub changed_us: u64,
}

#[derive(Clone, Debug, PartialEq)]
pub enum What {
    File(Vec<u8>),
    Directory,
    Link(String),
    Mount,
}

/// What a package brings.
#[derive(Clone, Debug, Default)]
pub struct Deb {
    pub versions: Vec<String>,
    pub files: Vec<(String, String)>,
    pub units: Vec<String>,
    pub needs: Vec<String>,
}

#[derive(Clone, Debug)]
pub struct Installed {
    pub dpkg: DpkgState,
    pub held: bool,
    pub auto: bool,
}

#[derive(Clone, Debug, Default)]
pub struct Unit {
    pub start: Option<Start>,
    pub enabled: bool,
    pub masked: bool,
    pub package: Option<String>,
    pub can_reload: bool,
    pub links: Option<BTreeMap<String, String>>,
    pub triggered_by: Vec<Trigger>,
}

impl Machine {
    /// `/`, `/etc` and what systemd needs.
    pub fn blank() -> Self {
        let mut machine = Self {
            now: 1_000,
            ..Self::default()
        };
        for folder in ["/", "/etc", "/etc/systemd", "/etc/systemd/system"] {
            machine.put(folder, What::Directory);
        }
        machine.log.clear();
        machine
    }

    pub fn tick(&mut self) -> u64 {
        self.now += 10;
        self.now
    }

    pub fn put(&mut self, path: &str, what: What) {
        let mode = match what {
            What::Directory | What::Mount => 0o755,
            What::File(_) => 0o644,
            What::Link(_) => 0o777,
        };
        let changed_us = self.tick();
        let path: AbsPath = path.parse().unwrap();
        for above in path.ancestors() {
            self.nodes.entry(above).or_insert(Node {
                what: What::Directory,
                ownership: owned(0o755),
                changed_us,
            });
        }
        let node = Node {
            what,
            ownership: owned(mode),
            changed_us,
        };
        self.nodes.insert(path, node);
    }

    pub fn write(&mut self, path: &str, text: &str) {
        self.put(path, What::File(text.into()));
    }

    pub fn offer(&mut self, name: &str, versions: &[&str], change: impl FnOnce(&mut Deb)) {
        let mut deb = Deb {
            versions: versions.iter().map(|v| (*v).into()).collect(),
            ..Deb::default()
        };
        change(&mut deb);
        self.debs.insert(name.into(), deb);
    }

    /// By hand, not by cfg.
    pub fn start_by_hand(&mut self, unit: &str) {
        let at_us = self.tick();
        let unit = self.units.entry(unit.into()).or_default();
        unit.start = Some(Start {
            id: format!("start-{at_us}"),
            at_us,
        });
    }

    pub fn snapshot(&self, desired: &Desired) -> Snapshot {
        let listed = listed(desired);
        let observed = desired.resources.iter().map(|resource| {
            let below = listed.contains(&resource.id);
            let mut observed = self.observe(resource, below);
            if let Observed::Package(state) = &mut observed {
                state.refusal = self.refusal(desired, &resource.id.name);
            }
            (resource.id.clone(), observed)
        });
        Snapshot {
            observed: observed.collect(),
            host: self.host.clone(),
            ..Snapshot::default()
        }
    }

    pub fn observe(&self, resource: &Resource, below: bool) -> Observed {
        match &resource.body {
            Body::File(file) => Observed::Path(self.path(&file.path, false)),
            Body::Directory(directory) => Observed::Path(self.path(&directory.path, below)),
            Body::Link(link) => Observed::Path(self.path(&link.path, false)),
            Body::Edit(edit) => Observed::Path(self.path(&edit.path, false)),
            Body::Repository(repository) => {
                let at = |path: &str| self.path(&path.parse().unwrap(), false);
                Observed::Repository(cfg_catalog::resource::repository::RepositoryState {
                    sources: at(&repository.sources_path()),
                    key: repository.key_path().map(|path| at(&path)),
                    rivals: Vec::new(),
                })
            }
            Body::Package(package) => Observed::Package(self.package(package)),
            Body::Service(service) => Observed::Service(self.service(service)),
            Body::Sysctl(sysctl) => Observed::Sysctl(SysctlState {
                file: self.path(&sysctl.file().unwrap(), false),
                kernel: match self.kernel.get(&sysctl.name) {
                    _ if self.host.power != Power::Root => KernelValue::Unjudged,
                    Some(value) => KernelValue::Is(value.clone()),
                    None => KernelValue::Missing,
                },
            }),
            Body::Mount(mount) => Observed::Mount(self.mount(mount)),
            Body::Archive(archive) => Observed::Archive(ArchiveState {
                path: self.path(&archive.path, false),
                marker: match self.nodes.get(&archive.path.join(MARKER).unwrap()) {
                    Some(Node {
                        what: What::File(bytes),
                        ..
                    }) => Some(String::from_utf8(bytes.clone()).unwrap()),
                    _ => None,
                },
            }),
            Body::Command(command) => Observed::Command(CommandState {
                guards: self.guards(command),
            }),
            Body::User(user) => Observed::User(match self.users.get(&user.name) {
                Some(seen) => UserState::Present(seen.clone()),
                None => UserState::Absent,
            }),
            Body::Group(group) => Observed::Group(match self.groups.get(&group.name) {
                Some(gid) => GroupState::Present { gid: *gid },
                None => GroupState::Absent,
            }),
        }
    }

    /// Where a path leads, through links above it.
    pub fn led(&self, path: &AbsPath) -> AbsPath {
        for (link, folder) in &self.through {
            let stands = self.nodes.get(link).map(|node| &node.what);
            if matches!(stands, Some(What::Link(_))) && path != link && path.is_within(link) {
                let led = path.as_str().replacen(link.as_str(), folder.as_str(), 1);
                return led.parse().unwrap();
            }
        }
        path.clone()
    }

    pub fn path(&self, path: &AbsPath, below: bool) -> PathState {
        let path = &self.led(path);
        let Some(node) = self.nodes.get(path) else {
            let missing: Vec<AbsPath> = path
                .ancestors()
                .filter(|above| !self.nodes.contains_key(above))
                .collect();
            let nearest = path.ancestors().find_map(|above| self.nodes.get(&above));
            return PathState::Absent {
                missing_parents: missing.into_iter().rev().collect(),
                parent_changed_us: nearest.map_or(0, |node| node.changed_us),
            };
        };
        match &node.what {
            What::File(bytes) => PathState::File(file_state(node, bytes)),
            What::Link(target) => PathState::Link(LinkState {
                target: target.clone(),
                changed_us: node.changed_us,
            }),
            What::Directory | What::Mount => {
                let inside: Vec<(&AbsPath, &Node)> = self
                    .nodes
                    .iter()
                    .filter(|(other, _)| *other != path && other.is_within(path))
                    .collect();
                let changed = inside.iter().map(|(_, node)| node.changed_us);
                PathState::Directory(DirectoryState {
                    ownership: node.ownership.clone(),
                    empty: inside.is_empty(),
                    holds: None,
                    changed_us: changed.chain([node.changed_us]).max().unwrap(),
                    below: if below {
                        self.below(&inside)
                    } else {
                        Vec::new()
                    },
                })
            }
        }
    }

    fn below(&self, inside: &[(&AbsPath, &Node)]) -> Vec<Below> {
        let behind_mount = |path: &AbsPath| {
            path.ancestors().any(|above| {
                self.nodes
                    .get(&above)
                    .is_some_and(|n| n.what == What::Mount)
            })
        };
        inside
            .iter()
            .filter(|(path, _)| !behind_mount(path))
            .map(|(path, node)| Below {
                path: (*path).clone(),
                what: match &node.what {
                    What::File(bytes) => BelowKind::File(file_state(node, bytes)),
                    What::Directory => BelowKind::Directory(node.ownership.clone()),
                    What::Link(target) => BelowKind::Link(target.clone()),
                    What::Mount => BelowKind::Mount,
                },
            })
            .collect()
    }

    pub fn fstab(&self) -> String {
        match self.nodes.get(FSTAB).map(|node| &node.what) {
            Some(What::File(bytes)) => String::from_utf8(bytes.clone()).unwrap(),
            _ => String::new(),
        }
    }

    fn mount(&self, mount: &Mount) -> MountState {
        let live = self.mounted.get(&mount.point);
        let is = |entry: &fstab::Entry| live.is_some_and(|live| entry.device == live.device);
        let entries = fstab::entries(&self.fstab(), &mount.point);
        MountState {
            point: self.path(&mount.point, false),
            table: self.path(&FSTAB.parse().unwrap(), false),
            place: fstab::place(&self.fstab(), &mount.point),
            open: !self.fstab().is_empty() && !self.fstab().ends_with('\n'),
            live: match live {
                _ if self.host.power != Power::Root => Live::Unjudged,
                None => Live::No,
                Some(live) => Live::Yes {
                    device: live.device.clone(),
                    fstype: live.fstype.clone(),
                    flags: live.options.split(',').map(str::to_owned).collect(),
                    same: mount.entry.as_ref().is_none_or(is),
                    listed: entries.first().is_some_and(is),
                },
            },
            entries,
        }
    }

    fn package(&self, package: &Package) -> PackageState {
        let deb = self.debs.get(&package.name);
        let offered = deb.map(|deb| Offered {
            candidate: deb.versions.first().cloned(),
            versions: deb.versions.clone(),
        });
        let available = Some(offered.unwrap_or_default());
        match self.dpkg.get(&package.name) {
            Some(installed) => PackageState {
                dpkg: installed.dpkg.clone(),
                held: installed.held,
                auto: installed.auto,
                available,
                debconf: Answers::Known(self.debconf.clone()),
                refusal: None,
                drawn: None,
                unsure: false,
            },
            None => PackageState {
                dpkg: DpkgState::Absent,
                held: false,
                auto: false,
                available,
                debconf: Answers::Known(self.debconf.clone()),
                refusal: None,
                drawn: None,
                unsure: false,
            },
        }
    }

    fn service(&self, service: &Service) -> ServiceState {
        let own = service.unit_path().map(|path| self.path(&path, false));
        let by_file = [Some(service.unit.clone()), template_of(&service.unit)]
            .iter()
            .flatten()
            .filter_map(|unit| format!("/etc/systemd/system/{unit}").parse().ok())
            .any(|file: AbsPath| self.nodes.contains_key(&file));
        let unit = self.units.get(&service.unit);
        let there = by_file || unit.is_some_and(|unit| unit.package.is_some());
        let masked = unit.is_some_and(|unit| unit.masked);
        let package = unit.and_then(|unit| unit.package.clone()).map(|name| {
            let version = match self.dpkg.get(&name).map(|i| &i.dpkg) {
                Some(DpkgState::Installed { version, .. }) => version.clone(),
                _ => String::new(),
            };
            (name, version)
        });
        let start = unit.and_then(|unit| unit.start.clone());
        // A mask that goes, or may be cfg's own.
        let lifts =
            service.masked == Some(false) || (service.masked.is_none() && service.must_start());
        ServiceState {
            load: match (masked, there) {
                (true, _) => Load::Masked,
                (false, true) => Load::Loaded,
                (false, false) => Load::NotFound,
            },
            active: match (&self.host.power, &start) {
                (Power::Own { .. }, _) => Active::Unjudged,
                (Power::Root, Some(_)) => Active::Running,
                (Power::Root, None) => Active::Stopped,
            },
            // Of what is masked systemd never says that it is enabled.
            enabled: match (there, unit.is_some_and(|unit| unit.enabled)) {
                _ if masked && !lifts => Enabled::No,
                (false, _) => Enabled::Unknown,
                (true, true) => Enabled::Yes,
                (true, false) => Enabled::No,
            },
            start,
            judged: self.host.power == Power::Root,
            can_reload: unit.is_some_and(|unit| unit.can_reload),
            needs_daemon_reload: false,
            package,
            unit_file: own,
            links: unit.and_then(|unit| unit.links.clone()),
            wanted_by: Vec::new(),
            triggered_by: unit.map_or_else(Vec::new, |unit| unit.triggered_by.clone()),
            triggers: Vec::new(),
        }
    }

    /// `unless` and `only_if` ask whether a path is there, their last word.
    fn guards(&self, command: &Command) -> Guards {
        let there = |shell: &Shell| match shell {
            Shell::Argv(words) => {
                let asked = words.last().and_then(|word| word.parse().ok());
                asked.is_some_and(|path: AbsPath| self.nodes.contains_key(&path))
            }
            Shell::Line(_) => true,
        };
        let forbidden = command
            .creates
            .as_ref()
            .is_some_and(|p| self.nodes.contains_key(p))
            || command.only_if.as_ref().is_some_and(|guard| !there(guard))
            || command.unless.as_ref().is_some_and(there);
        if forbidden {
            Guards::Forbid
        } else {
            Guards::Allow
        }
    }

    /// The version that a change of this package leads to.
    pub fn target(&self, name: &str, wanted: &Wanted) -> Option<String> {
        let deb = self.debs.get(name)?;
        deb.versions.iter().find(|v| wanted.matches(v)).cloned()
    }

    pub fn inside(&self, id: &ResourceId) -> Option<AbsPath> {
        match id.kind {
            Kind::File | Kind::Directory | Kind::Link => id.name.parse().ok(),
            _ => None,
        }
    }
}

impl Machine {
    /// What a new thing has: it is of who makes it.
    pub fn newly(&self, mode: u32) -> Ownership {
        match &self.host.power {
            Power::Root => owned(mode),
            Power::Own { user, groups } => Ownership {
                mode: Mode(mode),
                owner: user.clone(),
                group: groups.first().unwrap_or(user).clone(),
            },
        }
    }

    /// Who makes things can give them to himself alone, unless he is root.
    pub fn gives(&self, owner: &str) -> bool {
        match &self.host.power {
            Power::Root => true,
            Power::Own { user, .. } => user == owner,
        }
    }

    /// The same of groups.
    pub fn gives_group(&self, group: &str) -> bool {
        match &self.host.power {
            Power::Root => true,
            Power::Own { groups, .. } => groups.iter().any(|own| own == group),
        }
    }
}

pub fn owned(mode: u32) -> Ownership {
    Ownership {
        mode: Mode(mode),
        owner: "root".into(),
        group: "root".into(),
    }
}

fn file_state(node: &Node, bytes: &[u8]) -> FileState {
    FileState {
        ownership: node.ownership.clone(),
        size: bytes.len() as u64,
        digest: Some(Digest::of(bytes)),
        content: Some(bytes.to_vec()),
        changed_us: node.changed_us,
    }
}
