//! What is planned before a resource's turn, and what that could make of it.

use super::claims::path_of;
use super::ledger::Read;
use super::{Action, Certainty, Change, Places};
use crate::digest::Digest;
use crate::id::{Kind, ResourceId};
use crate::path::AbsPath;
use crate::resource::boot::service_of;
use std::collections::{BTreeMap, BTreeSet};

/// Below these, and in what packages bring, systemd finds units.
const UNITS: [&str; 5] = [
    "/etc/systemd",
    "/usr/lib/systemd",
    "/lib/systemd",
    "/run/systemd",
    "/etc/init.d",
];

/// The changes planned so far, as far as what comes after them must know.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Ahead {
    planning: bool,
    any: bool,
    packages: BTreeSet<String>,
    leaving: BTreeSet<String>,
    brings: bool,
    moves_installed: bool,
    versions: bool,
    units: bool,
    /// Some of what changes lies there, and no package brought it.
    unit_paths: bool,
    new_units: bool,
    commands: bool,
    mounts: bool,
    /// Packages that are unpacked, and commands that are run.
    acting: BTreeSet<ResourceId>,
    /// Where paths lie before any of them.
    places: Places,
    paths: BTreeSet<AbsPath>,
    /// The folders that these really lie in, where links of the machine lead anywhere.
    around: BTreeSet<AbsPath>,
    /// By where it really lies.
    removed: BTreeMap<AbsPath, Certainty>,
    links: BTreeSet<AbsPath>,
    unit_files: BTreeSet<ResourceId>,
    /// Services that are started, or started anew.
    started: BTreeMap<ResourceId, Certainty>,
    /// Services that are surely stopped.
    stopped: BTreeSet<ResourceId>,
    /// Whether processes may end that are of none of them.
    ends: bool,
    /// Users and groups that go or get another number.
    renumbered: BTreeSet<ResourceId>,
    /// Users that go or get another primary group.
    regrouped: BTreeSet<String>,
    assumed: BTreeSet<ResourceId>,
    firm: BTreeSet<ResourceId>,
    /// Of these only a real run settles what they will be; with what they will surely not be any more.
    open: BTreeMap<ResourceId, Option<Digest>>,
}

impl Ahead {
    /// In a run: all that comes before has been done.
    pub fn nothing() -> Self {
        Self::default()
    }

    /// At the beginning of a plan.
    pub fn of_a_plan() -> Self {
        Self {
            planning: true,
            ..Self::default()
        }
    }

    /// The same where links of the machine lead to these places.
    pub(crate) fn among(self, places: &Places) -> Self {
        Self {
            places: places.clone(),
            ..self
        }
    }

    /// This will have been done as well; or, where it is held, may be done by others.
    pub fn note(&mut self, change: &Change) {
        self.any = true;
        self.note_ends(change);
        match change.resource.kind {
            Kind::Package => self.note_package(change),
            Kind::Repository => self.versions = true,
            Kind::Command => {
                self.commands = true;
                self.acting.insert(change.resource.clone());
            }
            Kind::File | Kind::Directory | Kind::Link => {
                if let Some(path) = path_of(&change.resource) {
                    if change.action == Action::Remove {
                        self.note_gone(&path, change.certainty);
                    }
                    if change.action != Action::Remove {
                        self.note_new(&path);
                    }
                    if change.resource.kind == Kind::Link {
                        self.note_link(&path);
                    }
                    self.note_path(path);
                }
            }
            // What is in it nobody can tell.
            Kind::Mount => {
                self.brings = true;
                self.mounts = true;
            }
            Kind::Archive => self.brings = true,
            Kind::Service if matches!(change.action, Action::Create | Action::Update) => {
                self.unit_files.insert(change.resource.clone());
            }
            // Its name is no path: see `note_path`.
            Kind::Edit => {}
            Kind::User => {
                if change.action == Action::Remove {
                    // A group of its own goes with it.
                    let group = ResourceId::new(Kind::Group, &*change.resource.name);
                    self.renumbered.insert(group);
                }
                if change.action == Action::Remove || change.after.get("gid").is_some() {
                    self.regrouped.insert(change.resource.name.to_string());
                }
                self.note_number(change, "uid");
            }
            Kind::Group => self.note_number(change, "gid"),
            Kind::Service if matches!(change.action, Action::Start | Action::Restart) => {
                self.started
                    .insert(change.resource.clone(), change.certainty);
            }
            Kind::Sysctl | Kind::Service => {}
        }
    }

    fn note_ends(&mut self, change: &Change) {
        match (change.resource.kind, change.action) {
            (Kind::Service, Action::Stop) if change.certainty == Certainty::Certain => {
                self.stopped.insert(change.resource.clone());
            }
            // What a package does to its daemons, and a role's command to anybody's.
            (Kind::Service | Kind::Package | Kind::Command, _) => self.ends = true,
            _ => {}
        }
    }

    fn note_number(&mut self, change: &Change, key: &str) {
        if change.action == Action::Remove || change.after.get(key).is_some() {
            self.renumbered.insert(change.resource.clone());
        }
    }

    /// What stands at this path will be other than it is.
    pub(crate) fn note_path(&mut self, path: AbsPath) {
        let unit = holds_units(&path);
        self.units |= unit;
        self.unit_paths |= unit;
        if !self.places.is_empty() {
            let real = self.places.real(&path);
            let mut around = real.ancestors();
            // What is around one that is known is known too.
            while around.next().is_some_and(|one| self.around.insert(one)) {}
        }
        self.paths.insert(path);
    }

    /// This will have gone from its path with something else.
    pub(crate) fn note_gone(&mut self, path: &AbsPath, certainty: Certainty) {
        let real = self.places.real(path).into_owned();
        self.removed.insert(real, certainty);
    }

    /// A link there will lead elsewhere than it does, or come or go.
    pub(crate) fn note_link(&mut self, path: &AbsPath) {
        self.links.insert(path.clone());
    }

    /// Something comes to this path, or changes there.
    pub(crate) fn note_new(&mut self, path: &AbsPath) {
        self.new_units |= holds_units(path);
    }

    fn note_package(&mut self, change: &Change) {
        match change.action {
            Action::Install => {
                self.units = true;
                self.new_units = true;
                self.brings = true;
            }
            Action::Upgrade | Action::Downgrade => {
                self.units = true;
                self.new_units = true;
                self.brings = true;
                self.moves_installed = true;
            }
            Action::Remove | Action::Purge => {
                self.leaving.insert(change.resource.name.to_string());
            }
            _ => return,
        }
        if !matches!(change.action, Action::Remove | Action::Purge) {
            self.acting.insert(change.resource.clone());
        }
        self.packages.insert(change.resource.name.to_string());
    }

    /// This will be other than it is, as surely as that.
    pub fn note_input(&mut self, input: &ResourceId, certainty: Certainty) {
        let set = match certainty {
            Certainty::Certain => &mut self.firm,
            Certainty::Assumed => &mut self.assumed,
        };
        set.insert(input.clone());
    }

    /// Only a real run settles what this will be; it will surely be `not` that.
    pub(crate) fn note_open(&mut self, input: &ResourceId, not: Option<Digest>) {
        self.open.insert(input.clone(), not);
    }

    /// Whether this is a plan, and not a run.
    pub fn is_ahead(&self) -> bool {
        self.planning
    }

    /// Whether there is any change before.
    pub fn anything(&self) -> bool {
        self.any
    }

    /// Whether files may come that the role does not write.
    pub fn may_bring_paths(&self) -> bool {
        self.brings || self.commands
    }

    /// Whether something may come or go at this path.
    pub fn may_touch(&self, path: &AbsPath) -> bool {
        self.may_bring_paths()
            || self
                .paths
                .iter()
                .any(|changed| changed.is_within(path) || path.is_within(changed))
    }

    /// Whether something comes to lie in this by another way.
    pub(crate) fn fills(&self, path: &AbsPath) -> bool {
        let real = self.places.real(path);
        if !self.around.contains(&*real) {
            return false;
        }
        let mut others = self.paths.iter().filter(|one| !one.is_within(path));
        others.any(|one| {
            let inside = self.places.real(one);
            inside != real && inside.is_within(&real) && !self.removes(one)
        })
    }

    /// Whether a link on the way to this path will lead elsewhere than it does.
    pub(crate) fn leads_anew(&self, path: &AbsPath) -> bool {
        let mut links = self.links.iter();
        links.any(|link| link != path && path.is_within(link))
    }

    /// Whether what is refused at this path may be granted by then: a command or a mount may have changed anything, and
    /// what changes above it may lead elsewhere.
    pub(crate) fn may_unblock(&self, path: Option<&AbsPath>) -> bool {
        let above = |path: &AbsPath| {
            let mut paths = self.paths.iter();
            paths.any(|changed| changed != path && path.is_within(changed))
        };
        self.commands || self.mounts || path.is_some_and(above)
    }

    /// Whether users and groups may come that the role does not make.
    pub fn may_bring_accounts(&self) -> bool {
        let changed = |file| self.paths.contains(file);
        self.may_bring_paths() || ["/etc/passwd", "/etc/group"].into_iter().any(changed)
    }

    /// Whether this user or group will be gone, or have another number.
    pub(crate) fn frees_number(&self, account: &ResourceId) -> bool {
        self.renumbered.contains(account)
    }

    /// Whether anything will have been removed.
    pub(crate) fn removes_anything(&self) -> bool {
        !self.removed.is_empty()
    }

    /// Whether this user goes, or gets another primary group.
    pub(crate) fn leaves_its_group(&self, user: &str) -> bool {
        self.regrouped.contains(user)
    }

    /// Whether what lies there by the ways that are will have been removed.
    pub fn removes(&self, path: &AbsPath) -> bool {
        self.removal(&self.places.real(path)).is_some()
    }

    /// Whether something comes to this path, or changes there.
    pub(crate) fn writes(&self, path: &AbsPath) -> bool {
        self.paths.contains(path) && !self.removes(path)
    }

    /// How surely what really lies there will have been removed; none where nothing removes it.
    pub(crate) fn removal(&self, real: &AbsPath) -> Option<Certainty> {
        self.removed.get(real).copied()
    }

    /// Whether the role's unit file of this service will have been written.
    pub fn writes_unit_of(&self, service: &ResourceId) -> bool {
        self.unit_files.contains(service)
    }

    /// Whether this is a package that is unpacked, or a command that is run.
    pub fn acts(&self, id: &ResourceId) -> bool {
        self.acting.contains(id)
    }

    /// Whether units may come.
    pub fn may_bring_units(&self) -> bool {
        self.units
    }

    /// The same, but for what other units become when a file of theirs goes.
    pub(crate) fn may_bring_new_units(&self) -> bool {
        self.new_units
    }

    /// Whether something changes where the machine's own units are.
    pub(crate) fn touches_units(&self) -> bool {
        self.unit_paths
    }

    /// How surely this service will have been started; none where nothing starts it.
    pub(crate) fn start(&self, service: &ResourceId) -> Option<Certainty> {
        self.started.get(service).copied()
    }

    /// Whether all these services will have been stopped.
    pub(crate) fn stops_all(&self, units: &BTreeSet<Option<String>>) -> bool {
        let stops = |unit: &String| self.stopped.contains(&service_of(unit));
        units.iter().all(|unit| unit.as_ref().is_some_and(stops))
    }

    /// Whether processes may have ended that run now.
    pub(crate) fn may_end_processes(&self) -> bool {
        self.ends || !self.stopped.is_empty()
    }

    /// Whether any command is run.
    pub fn runs_commands(&self) -> bool {
        self.commands
    }

    /// Whether the index may come to have other versions.
    pub fn may_bring_versions(&self) -> bool {
        self.versions
    }

    /// Whether this package comes, goes, or gets another version.
    pub fn moves(&self, package: &str) -> bool {
        self.packages.contains(package)
    }

    /// Whether this package goes.
    pub fn takes_away(&self, package: &str) -> bool {
        self.leaving.contains(package)
    }

    /// Whether any package comes, goes, or gets another version.
    pub fn moves_packages(&self) -> bool {
        !self.packages.is_empty()
    }

    /// Whether this is known to become other than it is, surely or not.
    pub fn moves_input(&self, input: &ResourceId) -> bool {
        self.firm.contains(input) || self.assumed.contains(input)
    }

    /// Whether a package that is installed gets another version, which may take along what it depends on.
    pub fn moves_installed(&self) -> bool {
        self.moves_installed
    }

    /// Whether it is only assumed that this will be other than what was `read` of it.
    pub fn is_assumed(&self, input: &ResourceId, read: Option<Read>) -> bool {
        match (self.open.get(input), read) {
            (_, Some(Read::Unknown)) => false,
            (Some(not), Some(Read::This { digest, .. })) => *not != Some(digest),
            (Some(_), None) => true,
            (None, _) => self.assumed.contains(input) && !self.firm.contains(input),
        }
    }
}

/// Whether systemd finds units there.
fn holds_units(path: &AbsPath) -> bool {
    UNITS.iter().any(|unit| {
        let rest = path.as_str().strip_prefix(unit);
        rest.is_some_and(|rest| rest.starts_with('/'))
    })
}
