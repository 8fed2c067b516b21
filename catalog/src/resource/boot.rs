//! Whether a unit starts at boot, as its [Install] section has it.

use super::coming::Coming;
use super::install::Install;
use super::service::{Enabled, Load, Service, ServiceState, UNITS, shipped_by_what_moves};
use super::{Body, Desired, LinkState, Obstacle, Presence, Resource};
use crate::id::{Kind, ResourceId};
use crate::path::AbsPath;
use crate::plan::early;
use crate::plan::turn::Turn;
use crate::plan::{Action, Certainty, Change};
use serde_json::json;
use std::collections::BTreeSet;

/// The change of whether anything may start it.
pub(super) fn masking(
    resource: &Resource,
    service: &Service,
    state: &ServiceState,
    turn: &Turn<'_>,
) -> Vec<Change> {
    let action = match (service.masked, state.load) {
        (None, Load::NotFound) if early::waits(resource, turn.desired) => Action::Mask,
        (Some(true), load) if load != Load::Masked => Action::Mask,
        (Some(false), Load::Masked) => Action::Unmask,
        _ => return Vec::new(),
    };
    vec![Change::new(&resource.id, action)]
}

/// Whether a link is the mask that the role gives to a unit of this path.
pub(crate) fn is_mask_of(desired: &Desired, at: &ResourceId, link: &LinkState) -> bool {
    let unit = at
        .name
        .strip_prefix(UNITS)
        .and_then(|rest| rest.strip_prefix('/'));
    let Some(unit) = unit.filter(|_| link.target == "/dev/null") else {
        return false;
    };
    let service = desired.get(&service_of(unit));
    service.is_some_and(
        |service| matches!(&service.body, Body::Service(service) if service.masked == Some(true)),
    )
}

/// The resource that a unit goes by.
pub(crate) fn service_of(unit: &str) -> ResourceId {
    ResourceId::new(Kind::Service, unit.strip_suffix(".service").unwrap_or(unit))
}

/// The change of whether the unit starts at boot.
pub(super) fn enablement(
    resource: &Resource,
    service: &Service,
    state: &ServiceState,
    coming: Coming,
    turn: &Turn<'_>,
) -> Result<Option<Change>, Obstacle> {
    let Some(wanted) = service.enabled.filter(|_| service.masked != Some(true)) else {
        return Ok(None);
    };
    let shipped = shipped_by_what_moves(state, turn);
    let sure = coming.certainty();
    let by_role = linked_by_role(service, turn);
    if let (false, Some(link)) = (wanted, by_role.first()) {
        return Err(Obstacle(format!(
            "it is not to be enabled, and link:{link} of the role enables it: let the role say one of the two"
        )));
    }
    // A link of the role enables it as well, once it is made.
    let enabled = match state.enabled {
        Enabled::No | Enabled::ForNow | Enabled::Unknown if !by_role.is_empty() => Enabled::Yes,
        enabled => enabled,
    };
    let (action, certainty) = match (wanted, enabled) {
        (true, Enabled::No | Enabled::ForNow) => (Action::Enable, Certainty::Certain),
        (true, Enabled::Unknown) => (Action::Enable, sure),
        (true, Enabled::Yes) => return Ok(linked_anew(resource, service, state, turn)),
        // The role's own unit file says more than the one that it replaces.
        (true, Enabled::Fixed)
            if brought(service, turn).is_some_and(|install| install.enables()) =>
        {
            (Action::Enable, Certainty::Certain)
        }
        (true, Enabled::Fixed) if shipped => (Action::Enable, Certainty::Assumed),
        (true, Enabled::Fixed) => return fixed(service, state),
        (false, Enabled::Yes | Enabled::ForNow) => (Action::Disable, Certainty::Certain),
        // A package enables what it brings, as a rule.
        (false, Enabled::Unknown) if matches!(coming, Coming::Ahead | Coming::Perhaps) => {
            (Action::Disable, Certainty::Assumed)
        }
        (false, Enabled::No) if shipped => (Action::Disable, Certainty::Assumed),
        (false, _) => return Ok(None),
    };
    Ok(Some(Change::new(&resource.id, action).at_most(certainty)))
}

/// A unit that cannot be enabled is so where something else starts it at boot.
fn fixed(service: &Service, state: &ServiceState) -> Result<Option<Change>, Obstacle> {
    if !state.wanted_by.is_empty() {
        return Ok(None);
    }
    let unit = &service.unit;
    let triggers: Vec<&str> = state.triggered_by.iter().map(|t| t.unit.as_str()).collect();
    let remedy = match triggers[..] {
        [] => "leave `enabled` out, or give it a unit file that has one".to_owned(),
        _ => format!("enable {}, which starts it", triggers.join(", ")),
    };
    Err(Obstacle(format!(
        "{unit} cannot be enabled: no [Install] section says what would start it at boot; {remedy}"
    )))
}

/// The [Install] section of the unit file that the role brings, its own or that of its template.
fn brought(service: &Service, turn: &Turn<'_>) -> Option<Install> {
    let template = service.template.as_ref();
    let file = match template.and_then(|id| turn.desired.get(id)) {
        Some(Resource {
            body: Body::Service(template),
            ..
        }) => template.unit_file.as_ref(),
        _ => service.unit_file.as_ref(),
    };
    Some(Install::parse(&String::from_utf8_lossy(&file?.content)))
}

/// Where its links are not those that its unit file asks for: it was enabled by another one.
fn linked_anew(
    resource: &Resource,
    service: &Service,
    state: &ServiceState,
    turn: &Turn<'_>,
) -> Option<Change> {
    let install = brought(service, turn)?;
    if !install.enables() || drops_in(service, turn) {
        return None;
    }
    let mut links = install.links(&service.unit)?;
    let mut there: BTreeSet<String> = state.links.as_ref()?.keys().cloned().collect();
    // What the role links by itself is not of its [Install], and what it has of that is there already.
    let by_itself = |link: &String| {
        let id = ResourceId::new(Kind::Link, format!("{UNITS}/{link}"));
        turn.desired.get(&id).is_some()
    };
    there.retain(|link| !by_itself(link));
    links.must.retain(|link| !by_itself(link));
    let stale = there
        .iter()
        .any(|link| !links.must.contains(link) && !links.may.contains(link));
    let missing = !links.must.is_subset(&there);
    (stale || missing).then(|| {
        let (before, after) = (json!({ "links": there }), json!({ "links": links.must }));
        Change::new(&resource.id, Action::Enable).showing(before, after)
    })
}

/// Links of the role by which the unit starts at boot.
fn linked_by_role(service: &Service, turn: &Turn<'_>) -> Vec<AbsPath> {
    let links = turn.desired.resources.iter();
    let paths = links.filter_map(|other| match &other.body {
        Body::Link(link) if link.state == Presence::Present => Some(&link.path),
        _ => None,
    });
    let enables = |path: &&AbsPath| {
        let within = path.as_str().strip_prefix(UNITS);
        let named = within.and_then(|within| within.strip_prefix('/')?.split_once('/'));
        let ends = [".wants", ".requires", ".upholds"];
        named.is_some_and(|(folder, name)| {
            name == service.unit && ends.iter().any(|end| folder.ends_with(end))
        })
    };
    paths.filter(enables).cloned().collect()
}

/// Whether the role has drop-ins for the unit, which may add to its [Install].
fn drops_in(service: &Service, turn: &Turn<'_>) -> bool {
    let folder = format!("{UNITS}/{}.d/", service.unit);
    turn.desired
        .resources
        .iter()
        .any(|other| other.id.name.starts_with(&folder))
}
