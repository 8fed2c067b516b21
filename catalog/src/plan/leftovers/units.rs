//! Services that are left over without a unit to see: what was taken from them, and masks in the place of what a role took away.

use super::before::Before;
use super::made::Made;
use super::{Entry, Managed};
use crate::id::ResourceId;
use crate::resource::boot::service_of;
use crate::resource::mount::MountPresence;
use crate::resource::service::{Active, Enabled, Load, ServiceState, UNITS};
use crate::resource::{Observed, PathState};

impl Managed {
    /// Whether a mask of cfg's own stands where a role took something away.
    pub(super) fn masks(&self, id: &ResourceId, entry: &Entry, seen: &Observed) -> bool {
        let Observed::Path(PathState::Link(link)) = seen else {
            return false;
        };
        let unit = id
            .name
            .strip_prefix(UNITS)
            .and_then(|rest| rest.strip_prefix('/'));
        let service = unit.and_then(|unit| self.0.get(&service_of(unit)));
        let masked = service.and_then(|service| service.made.as_ref());
        entry.made == Some(Made::Gone)
            && link.target == "/dev/null"
            && matches!(
                masked,
                Some(Made::Service {
                    masked: Some(true),
                    ..
                })
            )
    }
}

impl Entry {
    /// Whether a role took a line out of the table of file systems.
    pub(super) fn took_its_line(&self) -> bool {
        matches!(
            &self.made,
            Some(Made::Mount {
                state: MountPresence::Absent,
                ..
            })
        )
    }

    /// Whether a service was taken something that it had before.
    pub(super) fn took_from(&self, now: &ServiceState) -> bool {
        let (
            Some(Before::Service {
                running, enabled, ..
            }),
            Some(Made::Service {
                running: ran,
                enabled: started,
                ..
            }),
        ) = (&self.before, &self.made)
        else {
            return false;
        };
        let stopped = *ran == Some(false) && *running && now.active == Active::Stopped;
        let disabled = *started == Some(false) && *enabled && now.enabled == Enabled::No;
        stopped || disabled
    }

    /// Whether it was masked before, and is not since a role said so. Of what is masked there may be no unit.
    pub(super) fn lost_its_mask(&self, now: &ServiceState) -> bool {
        matches!(
            (&self.before, &self.made),
            (
                Some(Before::Service { masked: true, .. }),
                Some(Made::Service {
                    masked: Some(false),
                    ..
                })
            )
        ) && now.load != Load::Masked
    }
}
