//! Services: what systemd says of them, and what is done to them.

use crate::machine::{BlobSource, Hands, Machine, Wanted};
use crate::systemd::{Boot, Job, Systemd};
use anyhow::{Context as _, bail};
use cfg_catalog::digest::Digest;
use cfg_catalog::id::{Kind, ResourceId};
use cfg_catalog::plan::{Action, Change};
use cfg_catalog::resource::file::{Content, File};
use cfg_catalog::resource::service::{Active, Load, Service, ServiceState};
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
            // A mask that goes with the next boot is not what a role means by masked.
            let for_good = is_masked_for_good(machine.root().path(), &service.unit);
            if service.masked == Some(true) && state.load == Load::Masked && !for_good {
                state.load = Load::Loaded;
            }
        }
    }
    Ok(states)
}

fn unit_file(machine: &Machine, service: &Service) -> Option<PathState> {
    let file = service.unit_file.as_ref()?;
    let path = service.unit_path()?;
    let attributes = attributes();
    let wanted = Wanted {
        digest: Some(Digest::of(&file.content)),
        below: false,
        attributes: Some(&attributes),
    };
    Some(machine.observe_path(&path, &wanted))
}

fn is_masked_for_good(root: &Path, unit: &str) -> bool {
    let link = root.join("etc/systemd/system").join(unit);
    std::fs::read_link(link).is_ok_and(|target| target == Path::new("/dev/null"))
}

fn attributes() -> Attributes {
    Attributes {
        mode: Some(Mode(0o644)),
        owner: Some("root".into()),
        group: Some("root".into()),
    }
}

/// Does one thing to a unit.
///
/// # Errors
/// systemd's own words, or why its file could not be written.
pub fn enact(
    machine: &Machine,
    blobs: &dyn BlobSource,
    systemd: &Systemd,
    resource: &Resource,
    change: &Change,
) -> anyhow::Result<()> {
    let Body::Service(service) = &resource.body else {
        bail!("{} is no service", resource.id);
    };
    let unit = service.unit.as_str();
    match change.action {
        Action::Create | Action::Update => {
            write_unit(machine, blobs, resource, service)?;
            systemd.daemon_reload()
        }
        Action::Start | Action::Restart => {
            systemd.forget_failures(unit);
            // A SysV script whose processes are dead counts as active: to start it would do nothing.
            let active = systemd
                .states(&[unit])?
                .get(unit)
                .is_some_and(|state| state.active == Active::Running);
            let job = if change.action == Action::Restart || active {
                Job::Restart
            } else {
                Job::Start
            };
            systemd.job(job, unit)
        }
        Action::Stop => systemd.job(Job::Stop, unit),
        Action::Reload => systemd.job(Job::Reload, unit),
        Action::Enable => systemd.boot(Boot::Enable, unit),
        Action::Disable => systemd.boot(Boot::Disable, unit),
        Action::Mask => systemd.boot(Boot::Mask, unit),
        Action::Unmask => systemd.boot(Boot::Unmask, unit),
        other => bail!("a service has no {}", other.word()),
    }
}

fn write_unit(
    machine: &Machine,
    blobs: &dyn BlobSource,
    resource: &Resource,
    service: &Service,
) -> anyhow::Result<()> {
    let (Some(file), Some(path)) = (&service.unit_file, service.unit_path()) else {
        bail!("the role brings no unit file");
    };
    let as_root = machine.root().caller() == crate::machine::Caller::Superuser;
    let unit = Resource {
        id: ResourceId::new(Kind::File, path.as_str()),
        place: resource.place.clone(),
        after: Vec::new(),
        sensitive: resource.sensitive,
        body: Body::File(File {
            path: path.clone(),
            state: Presence::Present,
            content: Some(Content::Text(file.content.clone())),
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
        }),
    };
    Hands::new(machine, blobs)
        .enact(&unit, &[])
        .with_context(|| format!("cannot write {path}"))
}
