//! Why a unit's file or its links will not come to be what they must: asked by the dry run, and by the run before it makes any
//! of them.

use super::service::as_file;
use crate::machine::Machine;
use crate::systemd::foreseen::{over_mask, to_make};
use crate::systemd::links;
use cfg_catalog::path::AbsPath;
use cfg_catalog::plan::refusals::Refusal;
use cfg_catalog::plan::{Action, Change};
use cfg_catalog::resource::service::{Service, UNITS};
use cfg_catalog::resource::{Body, Resource};

/// Why a planned change of a unit's file, or of its links, will not come about; none also where that cannot be seen.
pub fn refusal(machine: &Machine, resource: &Resource, change: &Change) -> Option<Refusal> {
    let Body::Service(service) = &resource.body else {
        return None;
    };
    let unit = &service.unit;
    match change.action {
        Action::Create | Action::Update => {
            let path = service.unit_path()?;
            let file = as_file(machine, resource, service.unit_file.as_ref()?, &path);
            let refusal = machine.of_file(&file);
            let refusal = refusal.map(|why| because(&format!("cannot write {path}"), why));
            // A unit that cannot be enabled is not written in vain.
            let enabled = service.enabled == Some(true);
            refusal.or_else(|| enabling(machine, service).filter(|_| enabled))
        }
        Action::Enable => enabling(machine, service),
        Action::Mask => {
            let over = over_mask(machine.root().path(), unit).map(Refusal::Blocked);
            let refusal = over.or_else(|| machine.of_link(&at(unit)?));
            refusal.map(|why| because(&format!("cannot mask {unit}"), why))
        }
        Action::Unmask => {
            let refusal = machine.of_unlink(&at(unit)?);
            refusal.map(|why| because(&format!("cannot unmask {unit}"), why))
        }
        Action::Disable => {
            let links = links(machine.root().path(), unit)?;
            let refusal = links.keys().find_map(|link| machine.of_unlink(&at(link)?));
            refusal.map(|why| because(&format!("cannot disable {unit}"), why))
        }
        _ => None,
    }
}

fn enabling(machine: &Machine, service: &Service) -> Option<Refusal> {
    let unit = &service.unit;
    let text = service.unit_file.as_ref().map(|file| &file.content[..]);
    let links = to_make(machine.root().path(), unit, text);
    let refusal = links.iter().find_map(|link| machine.of_link(&at(link)?));
    refusal.map(|why| because(&format!("cannot enable {unit}"), why))
}

fn because(what: &str, refusal: Refusal) -> Refusal {
    match refusal {
        Refusal::Blocked(why) => Refusal::Blocked(format!("{what}: {why}")),
        Refusal::Fails(why) => Refusal::Fails(format!("{what}: {why}")),
        other => other,
    }
}

/// Below the folder of the machine's own units.
fn at(name: &str) -> Option<AbsPath> {
    format!("{UNITS}/{name}").parse().ok()
}
