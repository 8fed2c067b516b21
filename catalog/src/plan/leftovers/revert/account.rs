//! Users and groups.

use super::super::stand_in::{group, resource, user};
use super::{Entry, Fate, Judge};
use crate::id::ResourceId;
use crate::resource::account::{Group, GroupState, Present, User, UserState};
use crate::resource::{Body, Observed, Presence};

impl Judge<'_> {
    pub(super) fn user(
        &self,
        id: &ResourceId,
        entry: &Entry,
        made: &User,
        before: Option<&Present>,
    ) -> Fate {
        let back = |body| resource(id, &entry.role, Body::User(body));
        let seen = match self.snapshot.observed.get(id) {
            Some(Observed::User(UserState::Present(seen))) => seen,
            _ => return Fate::Back(Vec::new(), None),
        };
        let Some(old) = before else {
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
        if made.authorized_keys.is_some() {
            was.authorized_keys = Some(old.authorized_keys.clone().unwrap_or_default());
        }
        let mut why = None;
        if made.password_hash.is_some() {
            was.password_hash.clone_from(&old.password_hash);
            why = old
                .password_hash
                .is_none()
                .then(|| "its password stays: it had none before".to_owned());
        }
        // System or not, it is no new one.
        was.system = true;
        Fate::Back(vec![back(was)], why)
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
