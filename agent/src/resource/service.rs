//! Services: what systemd says of them, and what is done to them.

use super::unit::refusal;
use crate::machine::{Hands, Machine, Wanted};
use crate::systemd::{Boot, Job, Systemd};
use anyhow::{Context as _, bail};
use cfg_catalog::digest::Digest;
use cfg_catalog::id::{Kind, ResourceId};
use cfg_catalog::path::AbsPath;
use cfg_catalog::plan::refusals::Refusal;
use cfg_catalog::plan::{Action, Change};
use cfg_catalog::resource::file::{Content, File};
use cfg_catalog::resource::service::{
    Active, Enabled, Load, Service, ServiceState, UNITS, UnitFile,
};
use cfg_catalog::resource::{Attributes, Body, Mode, PathState, Presence, Resource};
use std::collections::BTreeMap;
use std::path::Path;

/// What is seen of these services, all in one round.
///
/// # Errors
/// Where systemd does not answer.
pub fn observe(
    machine: &Machine,
    systemd: &Systemd,
    services: &[&Service],
) -> anyhow::Result<BTreeMap<String, ServiceState>> {
    let units: Vec<&str> = services
        .iter()
        .map(|service| service.unit.as_str())
        .collect();
    let mut states = systemd.states(&units)?;
    for service in services {
        if let Some(state) = states.get_mut(&service.unit) {
            state.unit_file = unit_file(machine, service);
            let goes = service.enabled == Some(false) && state.enabled == Enabled::Yes;
            if service.unit_file.is_some() || service.template.is_some() || goes {
                state.links = systemd.links(&service.unit);
            }
            // Or it is masked until it waits no more.
            let goes =
                service.masked == Some(false) || (service.masked.is_none() && service.must_start());
            if goes && state.load == Load::Masked {
                state.enabled = systemd.enabled_beneath(&service.unit);
            }
            // An empty unit file is a mask too, and is not brought back as another one.
            let root = machine.root().path();
            let masks = state.load == Load::Masked && service.masked == Some(false);
            let at = root.join("etc/systemd/system").join(&service.unit);
            if masks && state.unit_file.is_none() && is_empty_file(&at) {
                let wanted = Wanted {
                    content: true,
                    ..Wanted::default()
                };
                state.unit_file = own_file(machine, &service.unit, &wanted);
            }
            // Where a mask is to come its folder may be missing.
            if service.masked == Some(true) && state.load != Load::Masked {
                let wanted = Wanted::default();
                state.unit_file = state
                    .unit_file
                    .take()
                    .or_else(|| own_file(machine, &service.unit, &wanted));
            }
            // A mask that goes with the next boot is not what a role means by masked.
            let for_good = || is_masked_for_good(root, &service.unit);
            if service.masked == Some(true) && state.load == Load::Masked && !for_good() {
                state.load = Load::Loaded;
            }
        }
    }
    Ok(states)
}

fn unit_file(machine: &Machine, service: &Service) -> Option<PathState> {
    let file = service.unit_file.as_ref()?;
    let wanted = Wanted {
        digest: Some(Digest::of(&file.content)),
        ..Wanted::default()
    };
    own_file(machine, &service.unit, &wanted)
}

/// What stands where the machine's own file of a unit is.
fn own_file(machine: &Machine, unit: &str, wanted: &Wanted<'_>) -> Option<PathState> {
    let attributes = attributes();
    let wanted = Wanted {
        attributes: Some(&attributes),
        ..*wanted
    };
    Some(machine.observe_path(&own_path(unit)?, &wanted))
}

fn own_path(unit: &str) -> Option<AbsPath> {
    format!("{UNITS}/{unit}").parse().ok()
}

/// Whether the mask is the machine's own: a link, or a file that is empty.
fn is_masked_for_good(root: &Path, unit: &str) -> bool {
    let at = root.join("etc/systemd/system").join(unit);
    match std::fs::read_link(&at) {
        Ok(target) => target == Path::new("/dev/null"),
        Err(_) => is_empty_file(&at),
    }
}

fn is_empty_file(at: &Path) -> bool {
    std::fs::symlink_metadata(at).is_ok_and(|file| file.is_file() && file.len() == 0)
}

fn attributes() -> Attributes {
    Attributes {
        mode: Some(Mode(0o644)),
        owner: Some("root".into()),
        group: Some("root".into()),
    }
}

/// Does one thing to a unit. Where that needs others to be stopped for a moment, those in `later` stay so until their
/// own turn.
///
/// # Errors
/// systemd's own words, or why its file could not be written.
pub fn enact(
    hands: &Hands<'_>,
    systemd: &Systemd,
    resource: &Resource,
    change: &Change,
    later: &[&str],
) -> anyhow::Result<()> {
    let Body::Service(service) = &resource.body else {
        bail!("{} is no service", resource.id);
    };
    let unit = service.unit.as_str();
    // Before half of it is made.
    if let Some(Refusal::Fails(why) | Refusal::Blocked(why)) =
        refusal(hands.machine(), resource, change)
    {
        bail!("{why}");
    }
    match change.action {
        Action::Create | Action::Update => {
            write_unit(hands, resource, service)?;
            systemd.daemon_reload()
        }
        Action::Start | Action::Restart => start(systemd, unit, change.action, later),
        Action::Stop => systemd.job(Job::Stop, unit),
        Action::Reload => systemd.job(Job::Reload, unit),
        // Some links are there of what its unit file said before.
        Action::Enable if has_stale_links(change) => systemd.boot(Boot::EnableAnew, unit),
        Action::Enable => systemd.boot(Boot::Enable, unit),
        Action::Disable => systemd.boot(Boot::Disable, unit),
        Action::Mask => systemd.boot(Boot::Mask, unit),
        Action::Unmask => systemd.boot(Boot::Unmask, unit),
        other => bail!("a service has no {}", other.word()),
    }
}

fn has_stale_links(change: &Change) -> bool {
    let links = |of: &serde_json::Value| of.get("links").and_then(|all| all.as_array().cloned());
    let wanted = links(&change.after).unwrap_or_default();
    let there = links(&change.before).unwrap_or_default();
    there.iter().any(|link| !wanted.contains(link))
}

fn start(systemd: &Systemd, unit: &str, action: Action, later: &[&str]) -> anyhow::Result<()> {
    systemd.forget_failures(unit);
    let is_running = |unit: &str| -> anyhow::Result<bool> {
        let states = systemd.states(&[unit])?;
        let state = states.get(unit);
        Ok(state.is_some_and(|state| state.active == Active::Running))
    };
    // systemd starts no socket under a service that runs already.
    let mut stopped = Vec::new();
    if unit.ends_with(".socket") {
        for service in systemd.triggers(unit)? {
            if is_running(&service)? {
                systemd.job(Job::Stop, &service)?;
                stopped.push(service);
            }
        }
    }
    // A SysV script whose processes are dead counts as active: to start it would do nothing.
    let job = if action == Action::Restart || is_running(unit)? {
        Job::Restart
    } else {
        Job::Start
    };
    let started = systemd.job(job, unit);
    for service in stopped {
        if !later.contains(&service.as_str()) {
            systemd.job(Job::Start, &service)?;
        }
    }
    started
}

fn write_unit(hands: &Hands<'_>, resource: &Resource, service: &Service) -> anyhow::Result<()> {
    let (Some(file), Some(path)) = (&service.unit_file, service.unit_path()) else {
        bail!("the role brings no unit file");
    };
    let unit = Resource {
        id: ResourceId::new(Kind::File, path.as_str()),
        place: resource.place.clone(),
        after: Vec::new(),
        sensitive: resource.sensitive,
        body: Body::File(as_file(hands.machine(), resource, file, &path)),
    };
    hands
        .enact(&unit, &[])
        .with_context(|| format!("cannot write {path}"))
}

pub(super) fn as_file(
    machine: &Machine,
    resource: &Resource,
    unit: &UnitFile,
    path: &AbsPath,
) -> File {
    let as_root = machine.root().caller() == crate::machine::Caller::Superuser;
    File {
        path: path.clone(),
        state: Presence::Present,
        content: Some(Content::Text(unit.content.clone())),
        attributes: if as_root {
            attributes()
        } else {
            // Below --root an ordinary user's files are his own.
            Attributes {
                owner: None,
                group: None,
                ..attributes()
            }
        },
        validate: None,
        sensitive: resource.sensitive,
        create_only: false,
    }
}
