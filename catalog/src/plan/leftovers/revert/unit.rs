//! Services, and the files of units and of sources of packages.

use super::super::before::{Before, Stood};
use super::super::made::Made;
use super::super::stand_in::{directory, file, link, repository, resource, service};
use super::path::{to, whole};
use super::{CHANGED, Entry, Fate, Judge, UNKNOWN};
use crate::digest::Digest;
use crate::id::{Kind, ResourceId};
use crate::path::AbsPath;
use crate::resource::directory::Directory;
use crate::resource::file::File;
use crate::resource::service::{Active, Activity, Enabled, Service, ServiceState, UNITS};
use crate::resource::{Attributes, Body, Observed, PathState, Presence, Resource};
use crate::text::names;
use std::collections::{BTreeMap, BTreeSet};

/// What stood at the place of a unit's own file before cfg, and what that means for it.
struct OldFile<'a> {
    stood: Option<&'a Stood>,
    /// It stands again in the place of the role's own, or comes to light once that is gone.
    older: bool,
    /// A mask, or a unit file that is empty, where the role's own stands or nothing does any more.
    covers: bool,
    /// The unit has no file any more: it neither runs nor starts.
    ends: bool,
}

impl<'a> OldFile<'a> {
    /// Of a service that ran or started at boot, or not, by what a role made of its file and its mask.
    fn of(
        stood: Option<&'a Stood>,
        was_used: bool,
        (file, hidden): (Option<Digest>, Option<bool>),
    ) -> Self {
        let own = file.is_some();
        let hid = matches!(stood, Some(Stood::Link(target)) if target == "/dev/null");
        let older = match stood {
            Some(Stood::File { size, .. }) => *size > 0,
            Some(Stood::Nothing) => was_used,
            Some(Stood::Link(_)) => !hid,
            _ => false,
        };
        Self {
            stood,
            older,
            covers: own || (hidden == Some(false) && matches!(stood, Some(Stood::File { .. }))),
            ends: own && (hid || (matches!(stood, Some(Stood::Nothing)) && !older)),
        }
    }
}

impl Judge<'_> {
    pub(super) fn service(
        &self,
        id: &ResourceId,
        entry: &Entry,
        (made, before, seen): (&Made, &Before, &ServiceState),
        changed: bool,
    ) -> Fate {
        let (
            Ok(unit),
            Before::Service {
                running,
                enabled,
                masked,
                unit: old,
                links,
            },
            Made::Service {
                running: ran,
                enabled: started,
                masked: hidden,
                unit: file,
            },
        ) = (names::unit(&id.name), before, made)
        else {
            return Fate::Stays(UNKNOWN.into());
        };
        let old = OldFile::of(old.as_ref(), *running || *enabled, (*file, *hidden));
        let mut was = service(unit);
        was.state = ran.map(|_| match running {
            true => Activity::Running,
            false => Activity::Stopped,
        });
        if old.ends && matches!(seen.active, Active::Running | Active::Retrying) {
            was.state = Some(Activity::Stopped);
        }
        was.enabled = started.map(|_| *enabled).or(old.ends.then_some(false));
        if changed && !(is_again(&was, seen) && file.is_none()) {
            return Fate::Stays(CHANGED.into());
        }
        let place = path_of_unit(&was.unit).parse().ok();
        if let Some(under) = place.and_then(|place: AbsPath| self.masked.get(&place)) {
            // What comes back there takes the place of the mask.
            return match says_more(&was) {
                false => Fate::With(under.clone()),
                true => Fate::back(resource(id, &entry.role, Body::Service(was))),
            };
        }
        // The mask of before comes last: nothing can be said of what is masked.
        let masked = hidden.map(|_| *masked);
        let by_a_file = old.covers || (masked == Some(true) && says_more(&was));
        was.masked = masked.filter(|masked| !(by_a_file && *masked));
        let mask = Stood::Link("/dev/null".into());
        let (stood, now) = match old.covers {
            true => (old.stood, seen.unit_file.as_ref()),
            false => (Some(&mask), None),
        };
        let file = match by_a_file {
            true => self.own(&path_of_unit(&was.unit), entry, stood, now),
            false => Ok(None),
        };
        let file = match file {
            Ok(file) => file,
            Err(why) => return Fate::Stays(why),
        };
        let mut by = Vec::new();
        if let (Some(true), Some(links), Some(now)) = (was.enabled, links, &seen.links) {
            was.enabled = None;
            by = self.links(entry, links, now);
        }
        let starts = was.state == Some(Activity::Running) && seen.active != Active::Running;
        let begins = starts || (was.enabled == Some(true) && seen.enabled != Enabled::Yes);
        let it = resource(id, &entry.role, Body::Service(was));
        Fate::Back(in_order(it, file, by, old.older && begins), None)
    }

    /// The links by which a unit started at boot, where another unit file has led to others since.
    fn links(
        &self,
        entry: &Entry,
        before: &BTreeMap<String, String>,
        now: &BTreeMap<String, String>,
    ) -> Vec<Resource> {
        let mut links = Vec::new();
        let mut say = |path: &str, target: Option<&String>| {
            let Ok(path) = path_of_unit(path).parse::<AbsPath>() else {
                return;
            };
            let body = match target {
                Some(target) => to(path.clone(), target, false),
                None => Body::Link(link(path.clone())),
            };
            let id = ResourceId::new(Kind::Link, path.as_str());
            if !self.claims.needs(&path) {
                links.push(resource(&id, &entry.role, body));
            }
        };
        for (path, target) in before
            .iter()
            .filter(|(path, to)| now.get(*path) != Some(to))
        {
            say(path, Some(target));
        }
        for path in now.keys().filter(|path| !before.contains_key(*path)) {
            say(path, None);
        }
        let gone: BTreeSet<AbsPath> = links.iter().filter_map(goes).collect();
        let folders: BTreeSet<AbsPath> = gone.iter().filter_map(AbsPath::parent).collect();
        for folder in folders.iter().filter(|folder| folder.as_str() != UNITS) {
            let inside = self.around.inside.get(folder);
            if inside.is_some_and(|inside| inside.is_subset(&gone)) {
                let id = ResourceId::new(Kind::Directory, folder.as_str());
                let body = Body::Directory(Directory {
                    state: Presence::Absent,
                    ..directory(folder.clone())
                });
                links.push(resource(&id, &entry.role, body));
            }
        }
        links
    }

    /// Links that go with the unit's enabling or its mask, and folders in which nothing is left then.
    pub(super) fn note_links(&mut self, part: &Resource, service: &Service) {
        let seen = self.snapshot.observed.get(&part.id);
        let Some(Observed::Service(state)) = seen.filter(|_| service.enabled == Some(false)) else {
            if service.masked == Some(false) {
                self.going.extend(path_of_unit(&service.unit).parse().ok());
            }
            return;
        };
        let links = state.links.iter().flatten();
        let paths: Vec<AbsPath> = links
            .filter_map(|(link, _)| path_of_unit(link).parse().ok())
            .collect();
        self.going.extend(paths.iter().cloned());
        for folder in paths.iter().filter_map(AbsPath::parent) {
            let inside = self.around.inside.get(&folder);
            let empty = inside.is_some_and(|inside| inside.is_subset(&self.going));
            self.going
                .extend(Some(folder).filter(|folder| empty && folder.as_str() != UNITS));
        }
    }

    /// A file of cfg's own as it was; none where the role has it.
    pub(super) fn own(
        &self,
        path: &str,
        entry: &Entry,
        old: Option<&Stood>,
        now: Option<&PathState>,
    ) -> Result<Option<Resource>, String> {
        let parsed = path.parse().map_err(|why| format!("{path}: {why}"))?;
        if self.claims.needs(&parsed) {
            return Ok(None);
        }
        let body = match old {
            Some(Stood::Nothing) | None => Body::File(File {
                state: Presence::Absent,
                ..file(parsed)
            }),
            Some(stood @ Stood::File { ownership, .. }) => Body::File(match now {
                Some(now) if stood.is_there(now) => File {
                    attributes: Attributes::all(ownership),
                    ..file(parsed)
                },
                _ => whole(parsed, stood)?,
            }),
            Some(Stood::Link(target)) => to(parsed, target, true),
            Some(_) => return Err(UNKNOWN.into()),
        };
        let id = ResourceId::new(body.kind(), path);
        Ok(Some(resource(&id, &entry.role, body)))
    }

    pub(super) fn repository(
        &self,
        id: &ResourceId,
        entry: &Entry,
        (sources, key): (Option<&Stood>, Option<&Stood>),
        made: &Made,
    ) -> Fate {
        let repository = repository(&id.name, made.key());
        let (stanza_now, key_now) = match self.snapshot.observed.get(id) {
            Some(Observed::Repository(state)) => (Some(&state.sources), state.key.as_ref()),
            _ => (None, None),
        };
        let stanza = match sources {
            Some(_) => self.own(&repository.sources_path(), entry, sources, stanza_now),
            None => Ok(None),
        };
        let key = repository
            .key_path()
            .map(|path| self.own(&path, entry, key, key_now))
            .transpose();
        match (stanza, key) {
            (Ok(stanza), Ok(key)) => {
                let mut key = key.flatten();
                // apt never sees a source without its key.
                if let (Some(stanza), Some(key)) = (&stanza, &mut key) {
                    key.after.push(stanza.id.clone());
                }
                Fate::Back(stanza.into_iter().chain(key).collect(), None)
            }
            (Err(why), _) | (_, Err(why)) => Fate::Stays(why),
        }
    }
}

/// Whether a service is to be more than masked or not.
fn says_more(was: &Service) -> bool {
    was.state.is_some() || was.enabled.is_some()
}

/// Whether a unit runs and starts at boot as it was to.
fn is_again(was: &Service, now: &ServiceState) -> bool {
    let runs = now.active == Active::Running;
    let starts = now.enabled == Enabled::Yes;
    was.state
        .is_none_or(|state| (state == Activity::Running) == runs)
        && was.enabled.is_none_or(|enabled| enabled == starts)
}

/// A service, its unit file and its links, each after what it needs: what begins as its older file says comes after that.
fn in_order(
    mut service: Resource,
    mut file: Option<Resource>,
    mut links: Vec<Resource>,
    begins: bool,
) -> Vec<Resource> {
    match &mut file {
        Some(file) if begins => service.after.push(file.id.clone()),
        Some(file) => file.after.push(service.id.clone()),
        None => {}
    }
    for link in &mut links {
        link.after.push(service.id.clone());
    }
    std::iter::once(service).chain(file).chain(links).collect()
}

fn goes(part: &Resource) -> Option<AbsPath> {
    match &part.body {
        Body::Link(link) if link.state == Presence::Absent => Some(link.path.clone()),
        _ => None,
    }
}

/// Where the machine's own file of a unit is.
fn path_of_unit(unit: &str) -> String {
    format!("{UNITS}/{unit}")
}
