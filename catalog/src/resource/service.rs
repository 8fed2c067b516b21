//! A systemd unit.

use super::boot;
use super::coming::{Coming, possible};
use super::file::in_the_way;
use super::sockets::{over_services, taken_down, woken_by};
use super::{Body, Obstacle, PathState, Resource, attributes, repository};
use crate::digest::Digest;
use crate::id::{Kind, ResourceId};
use crate::path::AbsPath;
use crate::plan::early;
use crate::plan::ledger::Owed;
use crate::plan::order::Phase;
use crate::plan::turn::{Found, Turn};
use crate::plan::{Action, Certainty, Change, Host, textdiff};
use serde_json::{Value, json};
use std::borrow::Cow;
use std::collections::BTreeMap;

/// Where the units of this machine stand, and systemd's links to them.
pub const UNITS: &str = "/etc/systemd/system";

/// A unit and what must be so of it; what is none is not managed.
#[derive(Clone, Debug, Default, PartialEq, Hash)]
pub struct Service {
    /// The unit's whole name: `zookeeper.service`, `foo.socket`.
    pub unit: String,
    /// Whether it runs.
    pub state: Option<Activity>,
    /// Whether it starts at boot.
    pub enabled: Option<bool>,
    /// Whether nothing may start it.
    pub masked: Option<bool>,
    /// Its own unit file, from the role, at `/etc/systemd/system/UNIT`.
    pub unit_file: Option<UnitFile>,
    /// Of an instance without a unit file of its own: the resource that brings its template's.
    pub template: Option<ResourceId>,
    /// Restarted when one of these is not what it started with.
    pub restart_on: Vec<ResourceId>,
    /// Reloaded when one of these is not what it last read.
    pub reload_on: Vec<ResourceId>,
}

/// A unit file of the role.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct UnitFile {
    /// Its content, rendered.
    pub content: Vec<u8>,
}

/// Whether the whole name of a unit is that of a template, `foo@.service`: a file of which only instances run.
pub fn is_template(unit: &str) -> bool {
    unit.rsplit_once('.')
        .is_some_and(|(stem, _)| stem.ends_with('@'))
}

/// The name of an instance's template.
pub fn template_of(unit: &str) -> Option<String> {
    let (stem, rest) = unit.split_once('@')?;
    let (instance, ending) = rest.rsplit_once('.')?;
    (!instance.is_empty()).then(|| format!("{stem}@.{ending}"))
}

impl Service {
    /// Where its own unit file stands.
    pub fn unit_path(&self) -> Option<AbsPath> {
        self.unit_file.as_ref()?;
        format!("{UNITS}/{}", self.unit).parse().ok()
    }
}

/// Whether a unit must run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Activity {
    /// It must.
    Running,
    /// It must not.
    Stopped,
}

/// What systemd says of a unit.
#[derive(Clone, Debug, PartialEq)]
pub struct ServiceState {
    /// Whether its file is there.
    pub load: Load,
    /// Whether it runs.
    pub active: Active,
    /// Whether it starts at boot; of what is masked and must not be, whether it will then.
    pub enabled: Enabled,
    /// Its present start; none where it does not run.
    pub start: Option<Start>,
    /// systemd knows a main process or a cgroup with processes of it: its word on `active` can be believed.
    pub judged: bool,
    /// It has an ExecReload.
    pub can_reload: bool,
    /// Its file changed since systemd read it.
    pub needs_daemon_reload: bool,
    /// The package that ships its unit file or init script, with its version; none where none does.
    pub package: Option<(String, String)>,
    /// What stands at [`Service::unit_path`], where the role brings a unit file.
    pub unit_file: Option<crate::resource::PathState>,
    /// Links below `/etc/systemd/system` that start it or are other names of it, with their targets; none where the role neither
    /// brings its unit file nor disables it, or drop-ins have a say in its [Install].
    pub links: Option<BTreeMap<String, String>>,
    /// Units that want or require it.
    pub wanted_by: Vec<String>,
    /// Sockets, timers and paths that start it.
    pub triggered_by: Vec<Trigger>,
    /// Of a socket, what it starts.
    pub triggers: Vec<Trigger>,
}

impl ServiceState {
    /// Of a unit of which no more is known.
    pub fn new(load: Load, active: Active, enabled: Enabled) -> Self {
        Self {
            load,
            active,
            enabled,
            start: None,
            judged: false,
            can_reload: false,
            needs_daemon_reload: false,
            package: None,
            unit_file: None,
            links: None,
            wanted_by: Vec::new(),
            triggered_by: Vec::new(),
            triggers: Vec::new(),
        }
    }
}

/// A unit that starts another when something happens, or that is started so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trigger {
    /// Its whole name.
    pub unit: String,
    /// Whether it is up: what starts another waits for that to happen.
    pub active: bool,
}

/// Whether systemd has the unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Load {
    /// No such unit.
    NotFound,
    /// Loaded.
    Loaded,
    /// Masked; it may or may not have a file.
    Masked,
    /// Its file is bad; systemd says so.
    Bad,
}

/// Whether a unit runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Active {
    /// active, reloading, activating.
    Running,
    /// inactive, deactivating.
    Stopped,
    /// failed.
    Failed,
    /// It died, and systemd waits with its next try.
    Retrying,
    /// There is no systemd to ask (a chroot, `--root`): never judged.
    Unjudged,
}

/// Whether a unit starts at boot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Enabled {
    /// enabled; or rc links of a SysV script.
    Yes,
    /// disabled.
    No,
    /// enabled-runtime: until the next boot, and not at it.
    ForNow,
    /// static, indirect, generated without rc links, transient: nothing to enable.
    Fixed,
    /// Unit not found.
    Unknown,
}

/// One start of a unit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Start {
    /// systemd's InvocationID, hexadecimal.
    pub id: String,
    /// When it left inactive, in µs since 1970.
    pub at_us: u64,
}

/// What stands in the ledger for an input: its digest, or that it is unknown what was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Input {
    /// Of the content, the link's target, the directory's listing, or the package's version.
    pub digest: Digest,
    /// When it last changed, in µs since 1970.
    pub changed_us: u64,
}

/// What would bring the service about, in this of its turns.
pub(crate) fn diff(
    resource: &Resource,
    service: &Service,
    state: &ServiceState,
    phase: Phase,
    turn: &Turn<'_>,
) -> Result<Found, Obstacle> {
    if service.masked == Some(true) && service.unit_file.is_some() {
        return Err(Obstacle(
            "it is to be masked, and its unit file stands where the mask would".into(),
        ));
    }
    if phase == Phase::Mask {
        return Ok(boot::masking(resource, service, state, turn).into());
    }
    let lifted = early::lifted(resource, service, state, turn);
    let service = lifted.as_ref().unwrap_or(service);
    let gone = gone_with_its_package(service, state, turn)
        .or_else(|| gone_with_its_file(service, state, turn))
        .or_else(|| come_over_its_mask(service, state, turn));
    let state = gone.as_ref().unwrap_or(state);
    let unit = unit_file(resource, service, state, turn.host)?;
    let coming = Coming::of(service, state, &unit, turn);
    possible(service, state, coming)?;
    let enablement = boot::enablement(resource, service, state, coming, turn)?;
    let mut changes: Vec<Change> = unit.into_iter().collect();
    if phase == Phase::Unit {
        return Ok(changes.into());
    }
    if turn.ahead.writes_unit_of(&resource.id) {
        changes.clear();
    }
    changes.extend(
        lifted
            .as_ref()
            .map(|_| Change::new(&resource.id, Action::Unmask)),
    );
    changes.extend(enablement);
    let activity = activity(resource, service, state, coming, turn);
    changes.extend(activity.map(|change| over_services(change, state, turn)));
    Ok(changes.into())
}

/// What will be left of a unit by its turn where the package that ships it goes: it is stopped by then, and not there.
fn gone_with_its_package(
    service: &Service,
    state: &ServiceState,
    turn: &Turn<'_>,
) -> Option<ServiceState> {
    let (package, _) = state.package.as_ref()?;
    let goes = service.unit_file.is_none() && turn.ahead.takes_away(package);
    goes.then(|| ServiceState {
        load: match state.load {
            Load::Masked => Load::Masked,
            Load::NotFound | Load::Loaded | Load::Bad => Load::NotFound,
        },
        active: match state.active {
            Active::Unjudged => Active::Unjudged,
            // That it stops then is what the role wants.
            Active::Running if service.state == Some(Activity::Stopped) => Active::Running,
            _ => Active::Stopped,
        },
        enabled: Enabled::Unknown,
        start: None,
        ..state.clone()
    })
}

/// What will be left of a unit whose one file the role takes away before.
fn gone_with_its_file(
    service: &Service,
    state: &ServiceState,
    turn: &Turn<'_>,
) -> Option<ServiceState> {
    let path: AbsPath = format!("{UNITS}/{}", service.unit).parse().ok()?;
    let goes = turn.ahead.removes(&path) && !turn.host.uncovered.contains(&service.unit);
    let own = service.unit_file.is_some() || service.template.is_some();
    (goes && !own && state.load != Load::Masked).then(|| ServiceState {
        load: Load::NotFound,
        enabled: Enabled::Unknown,
        ..state.clone()
    })
}

/// A masked unit whose file the role writes before: that takes the place of a mask, or lies over one that ends with the next boot.
fn come_over_its_mask(
    service: &Service,
    state: &ServiceState,
    turn: &Turn<'_>,
) -> Option<ServiceState> {
    let path: AbsPath = format!("{UNITS}/{}", service.unit).parse().ok()?;
    let file = ResourceId::new(Kind::File, path.as_str());
    let written = match &turn.desired.get(&file)?.body {
        Body::File(file) => file
            .content
            .as_ref()
            .is_some_and(|content| content.digest() != Digest::of(b"")),
        _ => false,
    };
    let comes = written && turn.ahead.writes(&path) && service.masked.is_none();
    (comes && state.load == Load::Masked).then(|| ServiceState {
        load: Load::NotFound,
        ..state.clone()
    })
}

/// The change of its own unit file.
fn unit_file(
    resource: &Resource,
    service: &Service,
    state: &ServiceState,
    host: &Host,
) -> Result<Option<Change>, Obstacle> {
    let Some(wanted) = &service.unit_file else {
        return Ok(None);
    };
    let digest = Digest::of(&wanted.content);
    let open = !resource.sensitive;
    let shown = |digest: Digest, mode: String| match open {
        true => json!({ "sha256": digest.to_string(), "mode": mode }),
        false => json!({ "sensitive": true, "mode": mode }),
    };
    let mut after = shown(digest, "0644".into());
    let (action, before, diff) = match &state.unit_file {
        None => return Err(Obstacle("its unit file was not looked at".into())),
        Some(PathState::Absent { .. }) => (
            Action::Create,
            Value::Null,
            textdiff::unified(b"", &wanted.content),
        ),
        Some(PathState::File(old)) => {
            let unread = || Obstacle("its unit file could not be read".into());
            let old_digest = old.digest.ok_or_else(unread)?;
            let there = &old.ownership;
            let wished = repository::for_everybody();
            let new = attributes::outcome(&wished, Some(there), there.mode, host).after;
            if old_digest == digest && *there == new {
                return Ok(None);
            }
            let mut before = shown(old_digest, there.mode.to_string());
            attributes::show_owners(&mut before, &mut after, there, &new);
            let old = old.content.as_deref();
            let diff = old.and_then(|old| textdiff::unified(old, &wanted.content));
            (Action::Update, before, diff)
        }
        // Masked under its own name, by cfg or by hand: the mask's turn comes first.
        Some(PathState::Link(old)) => (Action::Update, json!({ "target": old.target }), None),
        Some(other) => return Err(in_the_way(other)),
    };
    let change = Change::new(&resource.id, action);
    Ok(Some(
        change
            .showing(before, after)
            .with_diff(diff.filter(|_| open)),
    ))
}

/// Whether the package that ships the unit moves before this service's turn.
pub(super) fn shipped_by_what_moves(state: &ServiceState, turn: &Turn<'_>) -> bool {
    let package = state.package.as_ref();
    package.is_some_and(|(name, _)| turn.ahead.moves(name))
}

fn activity(
    resource: &Resource,
    service: &Service,
    state: &ServiceState,
    coming: Coming,
    turn: &Turn<'_>,
) -> Option<Change> {
    let change = |action| Change::new(&resource.id, action);
    match (service.state, state.active) {
        (_, Active::Unjudged) => None,
        (Some(Activity::Running), Active::Stopped | Active::Failed | Active::Retrying) => {
            Some(change(Action::Start).at_most(coming.certainty()))
        }
        (Some(Activity::Stopped), Active::Running | Active::Retrying) => {
            let woken_by = woken_by(state, turn);
            let stop = change(Action::Stop);
            Some(match woken_by.is_empty() {
                true => stop,
                false => stop.showing(Value::Null, json!({ "woken_by": woken_by })),
            })
        }
        (Some(Activity::Stopped), _) => {
            // What a package brings it may start, where nothing holds it back.
            let shipped = shipped_by_what_moves(state, turn);
            let open = matches!(coming, Coming::Ahead | Coming::Perhaps) || shipped;
            (open && service.masked != Some(true))
                .then(|| change(Action::Stop).at_most(Certainty::Assumed))
        }
        // Nothing can start what is masked; what runs under a mask of somebody's is left to him.
        (_, Active::Running) if service.masked != Some(true) && !stays_masked(service, state) => {
            match taken_down(service, state, turn) {
                Some((sockets, sure)) => {
                    let owed = refresh(resource, service, state, turn);
                    let mut causes = owed.map(|owed| owed.causes).unwrap_or_default();
                    causes.extend(sockets);
                    Some(change(Action::Restart).at_most(sure).because_of(causes))
                }
                None => refresh(resource, service, state, turn),
            }
        }
        _ => None,
    }
}

fn stays_masked(service: &Service, state: &ServiceState) -> bool {
    state.load == Load::Masked && service.masked != Some(false)
}

/// A restart or a reload, where the present start did not see what is there now.
fn refresh(
    resource: &Resource,
    service: &Service,
    state: &ServiceState,
    turn: &Turn<'_>,
) -> Option<Change> {
    let mut inputs = Cow::Borrowed(turn.inputs);
    if let Some(unit) = &service.unit_file {
        // By then it will have been written.
        let digest = Digest::of(&unit.content);
        let is = |input: &Input| input.digest == digest;
        if !inputs.get(&resource.id).is_some_and(is) {
            let changed_us = u64::MAX;
            let written = Input { digest, changed_us };
            inputs.to_mut().insert(resource.id.clone(), written);
        }
    }
    let Owed {
        mut restart,
        reload,
    } = turn.ledger.owed(resource, state, &inputs);
    let guess = restart.is_empty() && reload.is_empty();
    if guess {
        restart.extend(pulled_along(state, turn));
    }
    let (action, mut causes) = match (restart.is_empty(), reload.is_empty()) {
        (false, _) => (Action::Restart, [restart, reload].concat()),
        (true, false) if state.can_reload => (Action::Reload, reload),
        (true, false) => (Action::Restart, reload),
        (true, true) => return None,
    };
    causes.sort();
    causes.dedup();
    let sure = !guess && !turn.all_assumed(&resource.id, &causes);
    let change = Change::new(&resource.id, action).at_most(Certainty::certain_if(sure));
    Some(change.because_of(causes))
}

/// The package that ships the unit, where the role does not name it and another's move may take it along.
fn pulled_along(state: &ServiceState, turn: &Turn<'_>) -> Option<ResourceId> {
    let (name, _) = state.package.as_ref()?;
    let id = ResourceId::new(Kind::Package, name.as_str());
    (turn.ahead.moves_installed() && turn.desired.get(&id).is_none()).then_some(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn templates_and_instances() {
        for (unit, template, of) in [
            ("tp@.service", true, None),
            ("tp@a.service", false, Some("tp@.service")),
            ("tp@a.b.socket", false, Some("tp@.socket")),
            ("tp@a@b.service", false, Some("tp@.service")),
            ("tp.service", false, None),
        ] {
            assert_eq!(is_template(unit), template, "{unit}");
            assert_eq!(template_of(unit).as_deref(), of, "{unit}");
        }
    }
}
