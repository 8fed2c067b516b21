//! Services, and the files of units and of sources of packages.

use super::super::before::{Before, Stood};
use super::super::made::Made;
use super::super::stand_in::{file, file_of, resource, service};
use super::{CHANGED, Entry, Fate, Judge, UNKNOWN, lost};
use crate::id::{Kind, ResourceId};
use crate::resource::file::File;
use crate::resource::repository::Repository;
use crate::resource::service::{Active, Activity, Enabled, Service, ServiceState, UnitFile};
use crate::resource::{Attributes, Body, Mode, Presence, Resource};
use crate::text::names;

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
        let comes = file.is_some() && old == &Some(Stood::Nothing);
        let mut was = service(unit);
        let state = |runs| match runs {
            true => Activity::Running,
            false => Activity::Stopped,
        };
        was.state = ran.map(|_| state(*running));
        // What has no file any more neither runs nor starts.
        if comes && matches!(seen.active, Active::Running | Active::Retrying) {
            was.state = Some(Activity::Stopped);
        }
        was.enabled = started.map(|_| *enabled).or(comes.then_some(false));
        was.masked = hidden.map(|_| *masked);
        if was.masked == Some(true) {
            was.enabled = None;
        }
        let is = [
            (
                was.state.map(|state| state == Activity::Running),
                seen.active == Active::Running,
            ),
            (was.enabled, seen.enabled == Enabled::Yes),
        ];
        let again = is
            .iter()
            .all(|(was, now)| was.is_none_or(|was| was == *now));
        if changed && !(again && file.is_none()) {
            return Fate::Stays(CHANGED.into());
        }
        let mut parts = Vec::new();
        if file.is_some() {
            let probe = Service {
                unit_file: Some(UnitFile {
                    content: Vec::new(),
                }),
                ..service(was.unit.clone())
            };
            let Some(path) = probe.unit_path() else {
                return Fate::Stays(UNKNOWN.into());
            };
            match self.own(path.as_str(), entry, old.as_ref()) {
                Ok(mut part) => {
                    if let Some(part) = &mut part {
                        part.after.push(id.clone());
                    }
                    parts.extend(part);
                }
                Err(why) => return Fate::Stays(why),
            }
        }
        parts.insert(0, resource(id, &entry.role, Body::Service(was)));
        Fate::Back(parts, None)
    }

    /// A file of cfg's own as it was; none where the role has it.
    fn own(
        &self,
        path: &str,
        entry: &Entry,
        old: Option<&Stood>,
    ) -> Result<Option<Resource>, String> {
        let parsed = path.parse().map_err(|why| format!("{path}: {why}"))?;
        let id = ResourceId::new(Kind::File, path);
        if self.claims.needs(&parsed) {
            return Ok(None);
        }
        let body = match old {
            Some(Stood::Nothing) | None => File {
                state: Presence::Absent,
                ..file(parsed)
            },
            Some(
                stood @ Stood::File {
                    sha256: Some(digest),
                    size,
                    ..
                },
            ) => match lost(stood) {
                Some(why) => return Err(why),
                None => File {
                    attributes: Attributes {
                        mode: Some(Mode(0o644)),
                        ..Attributes::default()
                    },
                    ..file_of(parsed, *digest, *size)
                },
            },
            Some(_) => return Err(UNKNOWN.into()),
        };
        Ok(Some(resource(&id, &entry.role, Body::File(body))))
    }

    pub(super) fn repository(
        &self,
        id: &ResourceId,
        entry: &Entry,
        (sources, key): (&Stood, Option<&Stood>),
        made: &Made,
    ) -> Fate {
        let repository = Repository {
            name: id.name.to_string(),
            sources: Vec::new(),
            key: made.key(),
        };
        let stanza = self.own(&repository.sources_path(), entry, Some(sources));
        let key = repository
            .key_path()
            .map(|path| self.own(&path, entry, key))
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
