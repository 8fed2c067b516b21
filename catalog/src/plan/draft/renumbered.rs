//! What is of a user or group that gets another number: it keeps the old one, which is nobody's then, and what has the new one
//! comes to be the account's. In his home usermod(8) gives to a user himself what was his.

use super::Draft;
use crate::id::{Kind, ResourceId};
use crate::path::AbsPath;
use crate::plan::claims::own_path;
use crate::plan::{Action, Change, Host, Snapshot};
use crate::resource::account::{GroupState, KEYS_MODE, Present, User, UserState};
use crate::resource::{Body, DirectoryState, FileState, Observed, Ownership, PathState, Resource};

/// What was planned for accounts, in this order.
#[derive(Default)]
pub(super) struct Renumbered(Vec<Move>);

enum Move {
    /// From one number, where it was there, to another.
    Group {
        name: String,
        from: Option<u32>,
        to: u32,
    },
    /// The same; what is in the home stays the user's.
    User {
        name: String,
        from: Option<u32>,
        to: u32,
        home: Option<AbsPath>,
    },
    /// What is in the home goes from one primary group to another.
    Primary {
        home: AbsPath,
        from: String,
        to: String,
    },
}

impl Renumbered {
    fn note(&mut self, resource: &Resource, seen: &Observed, (begun, host): (&Snapshot, &Host)) {
        match (&resource.body, seen) {
            (Body::User(user), Observed::User(state)) => {
                self.note_user(user, state, (begun, host));
            }
            (Body::Group(group), Observed::Group(state)) => {
                let from = match state {
                    GroupState::Present { gid } => Some(*gid),
                    GroupState::Absent => None,
                };
                let to = group.gid.filter(|to| Some(*to) != from);
                let name = group.name.clone();
                self.0.extend(to.map(|to| Move::Group { name, from, to }));
            }
            _ => {}
        }
    }

    fn note_user(&mut self, user: &User, state: &UserState, (begun, host): (&Snapshot, &Host)) {
        let seen = match state {
            UserState::Present(seen) => Some(seen),
            UserState::Absent => None,
        };
        let home = seen.and_then(|seen| user.home.as_ref().unwrap_or(&seen.home).parse().ok());
        let home = home.filter(|home| is_his(home, &user.name, begun));
        let from = seen.map(|seen| seen.uid);
        if let Some(to) = user.uid.filter(|to| Some(*to) != from) {
            let (name, home) = (user.name.clone(), home.clone());
            self.0.push(Move::User {
                name,
                from,
                to,
                home,
            });
        }
        if let (Some(seen), Some(home), Some(gid)) = (seen, home, &user.gid) {
            let (from, to) = (seen.group.clone(), name_of(gid, host));
            if from != to {
                self.0.push(Move::Primary { home, from, to });
            }
        }
    }

    /// Whose a thing at this path will be; none where that is as it was.
    fn of(&self, path: &AbsPath, seen: &Ownership) -> Option<Ownership> {
        let mut now = seen.clone();
        for step in &self.0 {
            match step {
                Move::Group { name, from, to } => renumber(&mut now.group, name, *from, *to),
                Move::User {
                    name,
                    from,
                    to,
                    home,
                } => {
                    let his = home.as_ref().is_some_and(|home| path.is_within(home));
                    renumber(&mut now.owner, name, from.filter(|_| !his), *to);
                }
                Move::Primary { home, from, to } => {
                    if path.is_within(home) && now.group == *from {
                        now.group.clone_from(to);
                    }
                }
            }
        }
        (now != *seen).then_some(now)
    }

    /// What will be seen of a user: what passwd says follows the number of the primary group, and the keys do not.
    fn user(&self, name: &str, seen: &Present) -> Option<Present> {
        let mut now = seen.clone();
        for step in &self.0 {
            if let Move::Group { name, from, to } = step
                && *name == now.group
                && from.is_some()
            {
                now.gid = *to;
            }
        }
        let keys = format!("{}/.ssh/authorized_keys", seen.home.trim_end_matches('/'));
        if let (Some(file), Ok(path)) = (&mut now.keys_file, keys.parse())
            && let PathState::File(file) = &mut **file
            && let Some(will) = self.of(&path, &file.ownership)
        {
            let own = will.mode == KEYS_MODE && will.owner == name && will.group == seen.group;
            now.keys_drifted = (!own).then(|| Box::new(will.clone()));
            file.ownership = will;
        }
        (now != *seen).then_some(now)
    }
}

/// A name that leaves its number to nobody, or a number that gets a name.
fn renumber(seen: &mut String, name: &str, from: Option<u32>, to: u32) {
    match from {
        Some(from) if seen == name => *seen = from.to_string(),
        _ if *seen == to.to_string() => *seen = name.to_owned(),
        _ => {}
    }
}

impl Draft<'_> {
    pub(super) fn account_moves(
        &mut self,
        resource: &Resource,
        observed: Option<&Observed>,
        change: &Change,
    ) {
        if let (Some(seen), Action::Create | Action::Update) = (observed, change.action) {
            let known = (self.snapshot, &*self.host);
            self.renumbered.note(resource, seen, known);
            let number = match &resource.body {
                Body::User(user) => user.uid,
                Body::Group(group) => group.gid,
                _ => None,
            };
            if let Some(number) = number {
                self.host.to_mut().numbered(&resource.id, number);
            }
        }
    }

    /// What will be seen of a resource whose owner has another number by then; none where that is what was seen.
    pub(super) fn disowned(
        &self,
        resource: &Resource,
        seen: Option<&Observed>,
    ) -> Option<Observed> {
        if self.renumbered.0.is_empty() {
            return None;
        }
        match seen? {
            Observed::User(UserState::Present(seen)) => {
                let now = self.renumbered.user(&resource.id.name, seen)?;
                Some(Observed::User(UserState::Present(now)))
            }
            Observed::Path(seen) => {
                let old = match seen {
                    PathState::File(file) => &file.ownership,
                    PathState::Directory(directory) => &directory.ownership,
                    _ => return None,
                };
                let new = self.renumbered.of(own_path(&resource.body)?, old)?;
                let mut now = seen.clone();
                if let PathState::File(FileState { ownership, .. })
                | PathState::Directory(DirectoryState { ownership, .. }) = &mut now
                {
                    *ownership = new;
                }
                Some(Observed::Path(now))
            }
            _ => None,
        }
    }
}

/// Whether a home is the user's, as far as it was seen: in that of another usermod gives nothing away.
fn is_his(home: &AbsPath, user: &str, begun: &Snapshot) -> bool {
    let id = ResourceId::new(Kind::Directory, home.as_str());
    match begun.observed.get(&id) {
        Some(Observed::Path(PathState::Directory(seen))) => seen.ownership.owner == user,
        _ => home.as_str() != "/",
    }
}

/// Of a group that a role gives by name or number.
fn name_of(group: &str, host: &Host) -> String {
    let number = group.parse().ok();
    let name = number.and_then(|number: u32| host.groups.get(&number));
    name.map_or(group, String::as_str).to_owned()
}
