//! What waits for its cohort must not start early. Its package enables it, and the next boot would start it as the package
//! configures it. So it is masked before the package comes, and unmasked at its turn once it waits no more.
//!
//! The ledger knows which masks are cfg's own: no other is ever taken away. A service that has a unit already is left as it is.
//! It may have run with the cohort for years, and be about to start again at this boot.

use super::Snapshot;
use super::ledger::Ledger;
use super::turn::Turn;
use crate::id::ResourceId;
use crate::resource::service::{Activity, Load, Service, ServiceState};
use crate::resource::{Body, Desired, Observed, Resource};
use std::collections::BTreeSet;

/// Whether a service waits that something but cfg could start: one that must run, of which the role leaves open whether it
/// is masked, and whose unit file comes from elsewhere.
pub(crate) fn waits(resource: &Resource, desired: &Desired) -> bool {
    let of_package = |service: &Service| service.unit_file.is_none() && service.template.is_none();
    match &resource.body {
        Body::Service(service) => {
            service.masked.is_none()
                && service.must_start()
                && of_package(service)
                && desired.waiting.of(&resource.id).is_some()
        }
        _ => false,
    }
}

/// The services whose mask is cfg's own, or will be when the run has begun.
pub(crate) fn masked(
    desired: &Desired,
    snapshot: &Snapshot,
    ledger: &Ledger,
) -> BTreeSet<ResourceId> {
    let known = ledger.masked.iter();
    let stays = |id: &&ResourceId| match (desired.get(id), snapshot.observed.get(*id)) {
        (Some(_), Some(Observed::Service(state))) => state.load == Load::Masked,
        // It left the role, or was not seen: nothing is known to have ended.
        _ => true,
    };
    let new = desired.resources.iter().filter(|resource| {
        let observed = snapshot.observed.get(&resource.id);
        let coming = |state: &ServiceState| state.load == Load::NotFound;
        matches!(observed, Some(Observed::Service(state)) if coming(state))
            && waits(resource, desired)
    });
    let new = new.map(|resource| resource.id.clone());
    known.filter(stays).cloned().chain(new).collect()
}

/// The service as if the role said that it is not masked, where it wears a mask of cfg's that has done its work.
pub(crate) fn lifted(
    resource: &Resource,
    service: &Service,
    state: &ServiceState,
    turn: &Turn<'_>,
) -> Option<Service> {
    let own = state.load == Load::Masked && turn.ledger.masked.contains(&resource.id);
    let over = own && service.masked.is_none() && !waits(resource, turn.desired);
    over.then(|| Service {
        masked: Some(false),
        ..service.clone()
    })
}

impl Service {
    /// Whether it must run, or start at boot.
    pub fn must_start(&self) -> bool {
        self.state == Some(Activity::Running) || self.enabled == Some(true)
    }
}
