//! The file that a service or a setting has beside its name, where a resource of that path had it before, or has it since: who has
//! it last knows what was there before cfg.

use super::before::{Before, Stood};
use super::heir::Estate;
use super::made::Made;
use super::stand_in::{path_of, sysctl};
use super::{Entry, Managed, at_path};
use crate::digest::Digest;
use crate::id::{Kind, ResourceId};
use crate::path::AbsPath;
use crate::resource::service::UNITS;
use crate::resource::sysctl::Sysctl;
use crate::resource::{Attributes, Body, Desired, Mode, Observed, PathState, Resource};
use crate::text::names;
use std::collections::BTreeMap;

/// Where the file of a service or a setting is.
fn place_of(id: &ResourceId) -> Option<AbsPath> {
    match id.kind {
        Kind::Service => format!("{UNITS}/{}", names::unit(&id.name).ok()?)
            .parse()
            .ok(),
        Kind::Sysctl => sysctl(&id.name).file().ok(),
        _ => None,
    }
}

/// Whether a role has a say in the file of this service or setting.
fn has_its_file(body: &Body) -> bool {
    match body {
        Body::Service(service) => service.unit_file.is_some() || service.masked == Some(true),
        body => matches!(body, Body::Sysctl(_)),
    }
}

/// What is on record of services and settings whose files the role has no say in any more, by these files.
pub(super) fn given_up<'a>(
    managed: &'a Managed,
    desired: &Desired,
) -> BTreeMap<AbsPath, &'a ResourceId> {
    let left = managed.0.keys().filter(|id| match desired.get(id) {
        Some(one) => !has_its_file(&one.body),
        // What waits may have it.
        None => !desired.names(id),
    });
    left.filter_map(|id| Some((place_of(id)?, id))).collect()
}

impl Managed {
    /// Who had a path is on record no more; whose file was there, without that.
    pub(super) fn pass(&mut self, had: &[ResourceId], files: &[ResourceId], desired: &Desired) {
        self.0.retain(|id, entry| {
            let stays = !files.contains(id) || entry.gives_up_its_file(desired.get(id));
            stays && !had.contains(id)
        });
    }
}

impl Estate<'_> {
    /// What was there before cfg where this path was the file of a service or a setting, with what cfg made of it.
    pub(super) fn of_file(&self, resource: &Resource) -> Option<(Before, Made)> {
        let owner = self.files.get(&path_of(&resource.id)?)?;
        let entry = self.managed.0.get(owner)?;
        let seen = match self.snapshot.observed.get(owner) {
            Some(Observed::Service(state)) => state.unit_file.as_ref(),
            Some(Observed::Sysctl(state)) => Some(&state.file),
            _ => None,
        };
        let (stood, made) = match (seen, self.snapshot.observed.get(&resource.id)) {
            (Some(seen), _) | (None, Some(Observed::Path(seen))) => entry.file(owner, seen)?,
            _ => return None,
        };
        Some((Before::Path(stood), made.given(&self.snapshot.host)))
    }

    /// A service or a setting takes over the path of its file from these, which are on record no more.
    pub(super) fn takes_over(
        &self,
        resource: &Resource,
        known: Option<&Entry>,
        entry: &mut Entry,
    ) -> Vec<ResourceId> {
        let place = has_its_file(&resource.body).then(|| place_of(&resource.id));
        let Some(place) = place.flatten() else {
            return Vec::new();
        };
        let ids = at_path(&ResourceId::new(Kind::File, place.as_str()));
        let mut ids = Vec::from(ids);
        ids.retain(|id| !self.desired.names(id) && self.managed.0.contains_key(id));
        if !known.is_some_and(|known| known.has_file()) {
            let mut made = ids.iter().filter_map(|id| self.standing(id, id));
            if let Some((Before::Path(stood), made)) = made.next() {
                entry.inherits(stood, made);
            }
        }
        ids
    }
}

impl Entry {
    /// What stood there before cfg, and what cfg made of it, where that is what is seen.
    fn file(&self, id: &ResourceId, seen: &PathState) -> Option<(Stood, Made)> {
        let made = self.made.iter().chain(&self.was);
        let mut made = made.filter_map(|made| of_file(id, made));
        let seen = Observed::Path(seen.clone());
        let made = made.find(|made| made.stands(&seen))?;
        let stood = match (&self.before, &made) {
            (
                Some(
                    Before::Service { unit: Some(it), .. } | Before::Sysctl { file: Some(it), .. },
                ),
                _,
            ) => it.clone(),
            (Some(Before::Service { masked: true, .. }), _) => Stood::Link("/dev/null".into()),
            // A mask takes the place of nothing.
            (Some(Before::Service { .. }), Made::Link(_)) => Stood::Nothing,
            _ => return None,
        };
        let all = Attributes {
            mode: Some(Mode(0o644)),
            owner: Some("root".into()),
            group: Some("root".into()),
        };
        let made = match made {
            Made::File { sha256, .. } => Made::File {
                sha256,
                attributes: all,
            },
            made => made,
        };
        Some((stood, made))
    }

    fn has_file(&self) -> bool {
        match (&self.before, &self.made) {
            (Some(Before::Sysctl { file, .. }), _) => file.is_some(),
            (_, Some(Made::Service { unit, masked, .. })) => {
                unit.is_some() || *masked == Some(true)
            }
            _ => false,
        }
    }

    /// This stood at the place of its file before cfg, which had made that of it, and may fail to make more.
    fn inherits(&mut self, stood: Stood, made: Made) {
        let was = match &mut self.before {
            Some(Before::Service { unit, .. }) => {
                *unit = Some(stood);
                match made {
                    Made::File { sha256, .. } => Made::Service {
                        running: None,
                        enabled: None,
                        masked: None,
                        unit: sha256,
                    },
                    _ => return,
                }
            }
            Some(Before::Sysctl { file, .. }) => {
                *file = Some(stood);
                made
            }
            _ => return,
        };
        if self.pending {
            self.was.push(was);
        }
    }

    /// Its file is another's now. Says whether anything of it is left.
    pub(super) fn gives_up_its_file(&mut self, role: Option<&Resource>) -> bool {
        let said = match role.map(|one| &one.body) {
            Some(Body::Service(service)) => service.masked,
            _ => None,
        };
        self.unit = false;
        match &mut self.before {
            Some(Before::Service { unit, masked, .. }) => {
                *unit = None;
                *masked &= said.is_some();
            }
            Some(Before::Sysctl { file, .. }) => *file = None,
            _ => {}
        }
        for made in self.made.iter_mut().chain(&mut self.was) {
            if let Made::Service { unit, masked, .. } = made {
                *unit = None;
                *masked = said;
            }
        }
        let nothing = Made::Service {
            running: None,
            enabled: None,
            masked: None,
            unit: None,
        };
        role.is_some()
            || !matches!(&self.made, Some(made) if *made == nothing || *made == Made::Gone)
    }
}

/// What was made of the file of a service or a setting.
fn of_file(id: &ResourceId, made: &Made) -> Option<Made> {
    let holds = |digest| Made::File {
        sha256: Some(digest),
        attributes: Attributes::default(),
    };
    Some(match made {
        Made::Service {
            unit: Some(digest), ..
        } => holds(*digest),
        Made::Service {
            masked: Some(true), ..
        } => Made::Link("/dev/null".into()),
        Made::Service {
            masked: Some(false),
            ..
        }
        | Made::Gone => Made::Gone,
        Made::Sysctl(value) => {
            let set = Sysctl {
                value: Some(value.clone()),
                ..sysctl(&id.name)
            };
            holds(Digest::of(&set.line()))
        }
        _ => return None,
    })
}
