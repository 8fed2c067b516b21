//! The files that a service, a setting or a repository has beside its name, where a resource of that path had it before, or has it
//! since: who has it last knows what was there before cfg.

use super::before::{Before, Stood};
use super::heir::Estate;
use super::made::Made;
use super::stand_in::{path_of, repository, sysctl};
use super::{Entry, Managed, at_path};
use crate::digest::Digest;
use crate::id::{Kind, ResourceId};
use crate::path::AbsPath;
use crate::resource::repository::{Key, RepositoryState};
use crate::resource::service::UNITS;
use crate::resource::sysctl::Sysctl;
use crate::resource::{Attributes, Body, Desired, Mode, Observed, PathState, Resource};
use crate::text::names;
use std::collections::BTreeMap;

/// Which of its files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// The one that it has, or a repository's stanza.
    Main,
    /// A repository's key.
    Key,
}

/// A file of this one.
pub(super) type Owned<'a> = (&'a ResourceId, Part);

/// Where the files of a service, a setting or a repository are; of a repository with this key.
pub(super) fn places_of(id: &ResourceId, key: Option<Key>) -> Vec<(Part, AbsPath)> {
    let main = match id.kind {
        Kind::Service => names::unit(&id.name)
            .ok()
            .and_then(|unit| format!("{UNITS}/{unit}").parse().ok()),
        Kind::Sysctl => sysctl(&id.name).file().ok(),
        Kind::Repository => {
            let repository = repository(&id.name, key);
            let paths = [
                (Part::Main, Some(repository.sources_path())),
                (Part::Key, repository.key_path()),
            ];
            let parsed = paths
                .into_iter()
                .filter_map(|(part, path)| Some((part, path?.parse().ok()?)));
            return parsed.collect();
        }
        _ => None,
    };
    main.into_iter().map(|path| (Part::Main, path)).collect()
}

/// Those in which a role has a say.
fn had_by(id: &ResourceId, body: &Body) -> Vec<(Part, AbsPath)> {
    match body {
        Body::Service(service) if service.unit_file.is_none() && service.masked != Some(true) => {
            Vec::new()
        }
        Body::Repository(repository) => places_of(id, repository.key.clone()),
        _ => places_of(id, None),
    }
}

/// The files that the role has no say in any more of what is on record, with whose they were.
pub(super) fn given_up<'a>(
    managed: &'a Managed,
    desired: &Desired,
) -> BTreeMap<AbsPath, Owned<'a>> {
    // What waits may have it.
    let known = managed.0.iter();
    let known = known.filter(|(id, _)| desired.get(id).is_some() || !desired.names(id));
    let files = known.flat_map(|(id, entry)| {
        let had = desired.get(id).map(|one| had_by(id, &one.body));
        let mut files = places_of(id, entry.made.as_ref().and_then(Made::key));
        files.retain(|file| !had.iter().flatten().any(|had| had == file));
        files
            .into_iter()
            .map(move |(part, path)| (path, (id, part)))
    });
    files.collect()
}

impl Managed {
    /// Who had a path is on record no more; whose file was there, without that.
    pub(super) fn pass(&mut self, had: &[ResourceId], files: &[Owned<'_>], desired: &Desired) {
        self.0.retain(|id, entry| {
            let mut parts = files.iter().filter(|(of, _)| *of == id);
            let stays = parts.all(|(_, part)| entry.gives_up(*part, desired.get(id)));
            stays && !had.contains(id)
        });
    }
}

impl Estate<'_> {
    /// What was there before cfg where this path was the file of something else, with what cfg made of it.
    pub(super) fn of_file(&self, resource: &Resource) -> Option<(Before, Made)> {
        let (owner, part) = *self.files.get(&path_of(&resource.id)?)?;
        let entry = self.managed.0.get(owner)?;
        let seen = match (self.snapshot.observed.get(owner), part) {
            (Some(Observed::Service(state)), _) => state.unit_file.as_ref(),
            (Some(Observed::Sysctl(state)), _) => Some(&state.file),
            (Some(Observed::Repository(state)), Part::Main) => Some(&state.sources),
            (Some(Observed::Repository(state)), Part::Key) => state.key.as_ref(),
            _ => None,
        };
        let (stood, made) = match (seen, self.snapshot.observed.get(&resource.id)) {
            (Some(seen), _) | (None, Some(Observed::Path(seen))) => {
                entry.file(owner, part, seen)?
            }
            _ => return None,
        };
        Some((Before::Path(stood), made.given(&self.snapshot.host)))
    }

    /// What has files beside its name takes over the paths of these from others, which are on record no more.
    pub(super) fn takes_over(
        &self,
        resource: &Resource,
        known: Option<&Entry>,
        entry: &mut Entry,
    ) -> Vec<ResourceId> {
        let mut all = Vec::new();
        for (part, place) in had_by(&resource.id, &resource.body) {
            let ids = at_path(&ResourceId::new(Kind::File, place.as_str()));
            let mut ids = Vec::from(ids);
            ids.retain(|id| !self.desired.names(id) && self.managed.0.contains_key(id));
            if !known.is_some_and(|known| known.has_file(part)) {
                let mut made = ids.iter().filter_map(|id| self.standing(id, id));
                if let Some((Before::Path(stood), made)) = made.next() {
                    entry.inherits(part, stood, made);
                }
            }
            all.extend(ids);
        }
        all
    }
}

impl Entry {
    /// What stood there before cfg, and what cfg made of it, where that is what is seen.
    fn file(&self, id: &ResourceId, part: Part, seen: &PathState) -> Option<(Stood, Made)> {
        let made = self.made.iter().chain(&self.was);
        let mut made = made.filter_map(|made| of_file(id, part, made));
        let seen = Observed::Path(seen.clone());
        let made = made.find(|made| made.stands(&seen))?;
        let stood = match (&self.before, &made) {
            (
                Some(
                    Before::Service { unit: Some(it), .. } | Before::Sysctl { file: Some(it), .. },
                ),
                _,
            ) => it.clone(),
            (Some(Before::Repository { sources, key }), _) => match part {
                Part::Main => sources.clone()?,
                Part::Key => key.clone()?,
            },
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

    /// Whether any file of a repository's own is there.
    pub(super) fn has_files(&self, state: &RepositoryState) -> bool {
        let stands = |state: &PathState| !matches!(state, PathState::Absent { .. });
        match self.made {
            Some(Made::Repository { sha256: None, .. }) => state.key.as_ref().is_some_and(stands),
            _ => stands(&state.sources),
        }
    }

    fn has_file(&self, part: Part) -> bool {
        match (&self.before, &self.made) {
            (Some(Before::Repository { sources, key }), _) => match part {
                Part::Main => sources.is_some(),
                Part::Key => key.is_some(),
            },
            (Some(Before::Sysctl { file, .. }), _) => file.is_some(),
            (_, Some(Made::Service { unit, masked, .. })) => {
                unit.is_some() || *masked == Some(true)
            }
            _ => false,
        }
    }

    /// This stood at the place of its file before cfg, which had made that of it, and may fail to make more.
    fn inherits(&mut self, part: Part, stood: Stood, made: Made) {
        let was = match &mut self.before {
            Some(Before::Repository { sources, key }) => {
                let of = match part {
                    Part::Main => sources,
                    Part::Key => key,
                };
                *of = Some(stood);
                return;
            }
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

    /// This file of it is another's now. Says whether anything of it is left.
    fn gives_up(&mut self, part: Part, role: Option<&Resource>) -> bool {
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
            Some(Before::Repository { sources, key }) => match part {
                Part::Main => *sources = None,
                Part::Key => *key = None,
            },
            _ => {}
        }
        for made in self.made.iter_mut().chain(&mut self.was) {
            match made {
                Made::Service { unit, masked, .. } => {
                    *unit = None;
                    *masked = said;
                }
                Made::Repository { sha256, key } => match part {
                    Part::Main => *sha256 = None,
                    Part::Key => *key = None,
                },
                _ => {}
            }
        }
        let nothing = Made::Service {
            running: None,
            enabled: None,
            masked: None,
            unit: None,
        };
        let bare = Made::Repository {
            sha256: None,
            key: None,
        };
        let left = |made: &Made| ![&nothing, &bare, &Made::Gone].contains(&made);
        role.is_some() || self.made.as_ref().is_none_or(left)
    }
}

/// What was made of a file of this one.
fn of_file(id: &ResourceId, part: Part, made: &Made) -> Option<Made> {
    let holds = |digest| Made::File {
        sha256: Some(digest),
        attributes: Attributes::default(),
    };
    Some(match made {
        Made::Service {
            unit: Some(digest), ..
        } => holds(*digest),
        Made::Repository { sha256, key } => holds(match part {
            Part::Main => (*sha256)?,
            Part::Key => key.as_ref()?.1,
        }),
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
