//! What the apt of the machine in memory refuses.

use super::machine::Machine;
use cfg_catalog::id::{Kind, ResourceId};
use cfg_catalog::plan::Certainty;
use cfg_catalog::resource::package::{DpkgState, PackagePresence, Refusal};
use cfg_catalog::resource::{Body, Desired};

impl Machine {
    /// What the model's apt says against a move of a package: it needs what must not be there, or a newer version than
    /// the role names, or somebody needs it who stays or comes. What is needed is needed in the newest version.
    pub fn refusal(&self, desired: &Desired, name: &str) -> Option<Refusal> {
        let says = |name: &str| {
            let id = ResourceId::new(Kind::Package, name);
            let resource = desired.get(&id).map(|resource| &resource.body);
            match resource {
                Some(Body::Package(package)) => Some(package.state == PackagePresence::Present),
                _ => None,
            }
        };
        let there = |name: &str| match self.dpkg.get(name).map(|i| &i.dpkg) {
            Some(DpkgState::Installed { .. } | DpkgState::Broken { .. }) => true,
            Some(DpkgState::Absent | DpkgState::ConfigFiles) | None => false,
        };
        let needs = |name: &str| self.debs.get(name).into_iter().flat_map(|deb| &deb.needs);
        let never = |name: &String| says(name) == Some(false) && !there(name);
        let stays = |name: &str| says(name).unwrap_or(there(name)) && !needs(name).any(never);
        let needed_by = |name: &str, who: &dyn Fn(&str) -> bool| {
            let mut others = self.debs.keys();
            others.find(|other| who(other) && needs(other).any(|needed| needed == name))
        };
        // Who is there already has what it needs, and keeps it.
        let kept_new = |name: &str| needed_by(name, &|other| there(other) && stays(other));
        let kept_old = |name: &str| self.is_kept_old(desired, name) && kept_new(name).is_none();
        let why = match (says(name)?, there(name)) {
            (true, _) => match needs(name).find(|needed| never(needed) || kept_old(needed)) {
                Some(unwanted) => format!("{unwanted} must not come along"),
                None if self.is_kept_old(desired, name) => {
                    format!("needed newer by {}", kept_new(name)?)
                }
                None => return None,
            },
            (false, true) => format!("needed by {}", needed_by(name, &stays)?),
            (false, false) => return None,
        };
        Some(Refusal {
            why,
            certainty: Certainty::Certain,
        })
    }

    /// Whether the role names a version of a package that is not the newest.
    fn is_kept_old(&self, desired: &Desired, name: &str) -> bool {
        let id = ResourceId::new(Kind::Package, name);
        let newest = self.debs.get(name).and_then(|deb| deb.versions.first());
        match (desired.get(&id).map(|resource| &resource.body), newest) {
            (Some(Body::Package(package)), Some(newest)) => !package.version.matches(newest),
            _ => false,
        }
    }
}
