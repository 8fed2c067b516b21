//! What sockets and their services do to each other.

use super::boot::service_of;
use super::service::{Activity, Service, ServiceState, Trigger};
use super::{Body, Desired};
use crate::id::{Kind, ResourceId};
use crate::plan::turn::Turn;
use crate::plan::{Action, Certainty, Change};
use serde_json::{Value, json};

/// The sockets that are started before and take a service that runs, and must, down with them: it is started at its turn.
pub(super) fn taken_down(
    service: &Service,
    state: &ServiceState,
    turn: &Turn<'_>,
) -> Option<(Vec<ResourceId>, Certainty)> {
    let of = |trigger: &Trigger| ResourceId::new(Kind::Service, &*trigger.unit);
    let sockets = state.triggered_by.iter().map(of);
    let sockets = sockets.filter_map(|id| Some((turn.ahead.start(&id)?, id)));
    let (sure, sockets): (Vec<Certainty>, Vec<ResourceId>) = sockets
        .filter(|(_, id)| id.name.ends_with(".socket"))
        .unzip();
    let sure = sure.into_iter().min()?;
    (service.state == Some(Activity::Running)).then_some((sockets, sure))
}

/// With the services that run and that the role lets run or not: they go down and up again with a socket that comes.
pub(super) fn over_services(change: Change, state: &ServiceState, turn: &Turn<'_>) -> Change {
    let open = |unit: &str| state_of(turn.desired, unit).is_none();
    let services = state.triggers.iter().filter(|service| service.active);
    let services: Vec<&str> = services
        .map(|service| service.unit.as_str())
        .filter(|unit| open(unit))
        .collect();
    match change.action {
        Action::Start | Action::Restart if !services.is_empty() => {
            change.showing(Value::Null, json!({ "restarts": services }))
        }
        _ => change,
    }
}

/// The sockets, timers and paths that can start it again once it is stopped.
pub(super) fn woken_by<'a>(state: &'a ServiceState, turn: &Turn<'_>) -> Vec<&'a str> {
    let goes = |unit: &str| state_of(turn.desired, unit) == Some(Activity::Stopped);
    let awake = state.triggered_by.iter().filter(|trigger| trigger.active);
    awake
        .map(|trigger| trigger.unit.as_str())
        .filter(|unit| !goes(unit))
        .collect()
}

/// What the role says of whether a unit runs.
fn state_of(desired: &Desired, unit: &str) -> Option<Activity> {
    match &desired.get(&service_of(unit))?.body {
        Body::Service(service) => service.state,
        _ => None,
    }
}
