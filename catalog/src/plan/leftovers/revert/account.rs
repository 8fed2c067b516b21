//! Users and groups.

use super::super::before::Before;
use super::super::stand_in::{directory, group, resource, user};
use super::{Entry, Fate, Judge, UNKNOWN};
use crate::id::{Kind, ResourceId};
use crate::path::AbsPath;
use crate::resource::account::{Group, GroupState, Present, User};
use crate::resource::directory::Directory;
use crate::resource::{Body, Presence, Resource};

impl Judge<'_> {
    pub(super) fn user(&self, id: &ResourceId, entry: &Entry, made: &User, seen: &Present) -> Fate {
        let back = |body| resource(id, &entry.role, Body::User(body));
        let Some(Before::User { was: before, .. }) = &entry.before else {
            return Fate::Stays(UNKNOWN.into());
        };
        let Some(old) = before.as_deref() else {
            let gone = User {
                state: Presence::Absent,
                ..user(id.name.to_string())
            };
            let home = format!("{} stays: a home is never removed", seen.home);
            return Fate::Back(vec![back(gone)], (!made.system).then_some(home));
        };
        let mut was = user(id.name.to_string());
        was.uid = made.uid.map(|_| old.uid);
        was.gid = made.gid.as_ref().map(|_| old.group.clone());
        was.shell = made.shell.as_ref().map(|_| old.shell.clone());
        was.home = made.home.as_ref().map(|_| old.home.clone());
        if made.exact_groups || !made.groups.is_empty() {
            let came = |name: &&String| made.groups.contains(name) && !old.groups.contains(name);
            let mut groups: Vec<String> = seen
                .groups
                .iter()
                .filter(|name| !came(name))
                .cloned()
                .collect();
            if made.exact_groups {
                groups.extend(old.groups.iter().cloned());
            }
            groups.sort();
            groups.dedup();
            (was.groups, was.exact_groups) = (groups, true);
        }
        let moved = made.home.is_some() && seen.home != old.home;
        let mut why = moved.then(|| format!("{} stays: a home is never removed", seen.home));
        let keys = match made.authorized_keys {
            // In the former home cfg has written none.
            Some(_) if !moved => self.keys(id, entry, seen),
            _ => Ok(Vec::new()),
        };
        let keys = match keys {
            Ok(keys) => keys,
            Err(why) => return Fate::Stays(why),
        };
        if made.password_hash.is_some() {
            was.password_hash.clone_from(&old.password_hash);
            if old.password_hash.is_none() {
                why = Some("its password stays: it had none before".to_owned());
            }
        }
        // System or not, it is no new one.
        was.system = true;
        Fate::Back(std::iter::once(back(was)).chain(keys).collect(), why)
    }

    /// The file of a user's keys as it was, and their folder where that comes to nothing.
    fn keys(
        &self,
        id: &ResourceId,
        entry: &Entry,
        seen: &Present,
    ) -> Result<Vec<Resource>, String> {
        let Some(Before::User {
            keys: Some(old),
            bare,
            ..
        }) = &entry.before
        else {
            return Err(UNKNOWN.into());
        };
        let path = format!("{}/.ssh/authorized_keys", seen.home);
        let file = self.own(&path, entry, Some(old), seen.keys_file.as_deref())?;
        let mut parts: Vec<Resource> = file.into_iter().collect();
        for part in &mut parts {
            part.after.push(id.clone());
        }
        let folder: Option<AbsPath> = format!("{}/.ssh", seen.home).parse().ok();
        let empty = |folder: &AbsPath| {
            let inside = self.around.inside.get(folder);
            let mut inside = inside.into_iter().flatten();
            inside.all(|one| one.as_str() == path)
        };
        if let Some(folder) = folder.filter(|folder| *bare && empty(folder)) {
            let id = ResourceId::new(Kind::Directory, folder.as_str());
            let body = Body::Directory(Directory {
                state: Presence::Absent,
                ..directory(folder)
            });
            parts.push(resource(&id, &entry.role, body));
        }
        Ok(parts)
    }

    pub(super) fn group(
        &self,
        id: &ResourceId,
        entry: &Entry,
        before: Option<u32>,
        seen: &GroupState,
    ) -> Fate {
        let body = match (before, seen) {
            (_, GroupState::Absent) => return Fate::Back(Vec::new(), None),
            (Some(gid), _) => Group {
                gid: Some(gid),
                ..group(id.name.to_string())
            },
            (None, GroupState::Present { gid }) => {
                let members = self.around.primary.get(gid).into_iter().flatten();
                let mut stay = members.filter(|user| !self.leaving.contains(*user));
                if let Some(user) = stay.next() {
                    return Fate::Stays(format!("it is the primary group of {user}"));
                }
                Group {
                    state: Presence::Absent,
                    ..group(id.name.to_string())
                }
            }
        };
        Fate::back(resource(id, &entry.role, Body::Group(body)))
    }
}
