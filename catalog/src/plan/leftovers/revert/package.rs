//! Packages.

use super::super::before::Before;
use super::super::made::Made;
use super::super::stand_in::{package, resource};
use super::{CHANGED, Entry, Fate, Judge, UNKNOWN};
use crate::id::ResourceId;
use crate::resource::package::{DpkgState, Package, PackagePresence, PackageState};
use crate::resource::{Body, Observed};

impl Judge<'_> {
    pub(super) fn package(
        &self,
        id: &ResourceId,
        entry: &Entry,
        before: &Before,
        seen: &PackageState,
    ) -> Fate {
        let (
            Before::Package {
                version,
                held,
                auto,
            },
            Some(Made::Package { version: had, hold }),
        ) = (before, &entry.made)
        else {
            return Fate::Stays(UNKNOWN.into());
        };
        let back = |body| resource(id, &entry.role, Body::Package(body));
        let Some(version) = version else {
            if hold.is_some_and(|hold| hold != seen.held) {
                return Fate::Stays(CHANGED.into());
            }
            if let Some(service) = self.service_of(id) {
                return Fate::Stays(format!("{service} of the role comes with it"));
            }
            return Fate::back(back(Package {
                state: PackagePresence::Absent,
                ..package(id.name.to_string())
            }));
        };
        let body = Package {
            hold: hold.filter(|made| *made == seen.held).map(|_| *held),
            auto: Some(*auto || seen.auto),
            ..package(id.name.to_string())
        };
        let moved = match &seen.dpkg {
            DpkgState::Installed { version: now, .. } => *had && now != version,
            _ => false,
        };
        let why = format!(
            "it was {version} before: cfg takes no package back to another version by itself"
        );
        Fate::Back(vec![back(body)], moved.then_some(why))
    }

    /// A service of the role that a package brings.
    fn service_of(&self, package: &ResourceId) -> Option<&ResourceId> {
        let services = self.desired.resources.iter().filter(|resource| {
            match (&resource.body, self.snapshot.observed.get(&resource.id)) {
                (Body::Service(service), Some(Observed::Service(state))) => {
                    let shipped = state.package.as_ref();
                    service.unit_file.is_none()
                        && shipped.is_some_and(|(name, _)| **name == *package.name)
                }
                _ => false,
            }
        });
        services.map(|resource| &resource.id).next()
    }
}
