//! What passwd, group and shadow have of a user or a group.

mod argv;
mod busy;
mod enact;
mod keys;
mod lines;
pub(crate) mod names;
mod refusal;

use crate::machine::read::ReadError;
use crate::machine::root::Caller;
use crate::machine::{Machine, Wanted};
use cfg_catalog::path::AbsPath;
use cfg_catalog::plan::nobody::{Nobody, needed};
use cfg_catalog::plan::{Host, Power};
use cfg_catalog::resource::Desired;
use cfg_catalog::resource::account::{Group, GroupState, KEYS_MODE, Present, User, UserState};
use cfg_catalog::resource::{Attributes, Ownership, PathState};
use lines::{PasswdLine, hash_in_shadow};
use names::{MOST, etc};

/// More bytes than any list of keys has.
const MOST_KEYS: u64 = 1 << 20;

impl Machine {
    /// Who is who here, and what this process may do; blobs for diffs are the caller's to add.
    ///
    /// # Errors
    /// Where passwd or group cannot be read.
    pub fn host(&self) -> Result<Host, ReadError> {
        let names = self.names();
        let mut host = Host::default();
        for user in names.users()?.iter() {
            host.users
                .entry(user.uid)
                .or_insert_with(|| user.name.clone());
        }
        for user in names.users()?.iter() {
            let of_group = host.primary.entry(user.gid).or_default();
            of_group.insert(user.name.clone());
        }
        for group in names.groups()?.iter() {
            host.groups
                .entry(group.gid)
                .or_insert_with(|| group.name.clone());
        }
        if let Caller::Ordinary { uid, gid } = self.root().caller()
            && !self.root().is_machine()
        {
            let further = self.root().groups().iter().filter(|group| **group != gid);
            let groups = std::iter::once(&gid).chain(further);
            host.power = Power::Own {
                user: names.user_name(uid)?,
                groups: groups
                    .map(|gid| names.group_name(*gid))
                    .collect::<Result<_, _>>()?,
            };
        }
        Ok(host)
    }

    /// Which of the users and groups that a role names are nobody's here.
    ///
    /// # Errors
    /// Where passwd or group cannot be read.
    pub fn nobody(&self, desired: &Desired) -> Result<Nobody, ReadError> {
        let mut nobody = Nobody::default();
        for resource in &desired.resources {
            let (users, groups) = needed(resource);
            for user in users {
                if self.names().uid(user)?.is_none() {
                    nobody.users.insert(user.into());
                }
            }
            for group in groups {
                let there = match lines::number(group) {
                    Some(gid) => self.names().group_name(gid)? != gid.to_string(),
                    None => self.names().gid(group)?.is_some(),
                };
                if !there {
                    nobody.groups.insert(group.into());
                }
            }
        }
        Ok(nobody)
    }

    pub(crate) fn observe_group(&self, group: &Group) -> Result<GroupState, ReadError> {
        let found = self.names().group(&group.name)?;
        Ok(
            found.map_or(GroupState::Absent, |line| GroupState::Present {
                gid: line.gid,
            }),
        )
    }

    pub(crate) fn observe_user(&self, user: &User) -> Result<UserState, ReadError> {
        let Some(line) = self.names().user(&user.name)? else {
            return Ok(UserState::Absent);
        };
        let mut groups: Vec<String> = self
            .names()
            .groups()?
            .iter()
            .filter(|group| group.members.contains(&line.name))
            .map(|group| group.name.clone())
            .collect();
        groups.sort();
        groups.dedup();
        let path = user.authorized_keys.as_ref();
        let path = path.and_then(|_| keys_path(&line.home));
        let keys = path.map(|path| self.keys(&path, &line)).transpose()?;
        let keys = keys.unwrap_or_default();
        let password_hash = match &user.password_hash {
            Some(_) => self.hash_of(&line.name)?,
            None => None,
        };
        Ok(UserState::Present(Present {
            uid: line.uid,
            gid: line.gid,
            group: self.names().group_name(line.gid)?,
            groups,
            shell: line.shell,
            home: line.home,
            authorized_keys: keys.lines,
            keys_drifted: keys.drifted,
            keys_file: keys.file,
            password_hash,
        }))
    }

    /// What a file of keys has. What is not a file there, a link above all, is replaced when the keys are written.
    fn keys(&self, path: &AbsPath, user: &PasswdLine) -> Result<Keys, ReadError> {
        let attributes = Attributes::default();
        let wanted = Wanted {
            content: true,
            attributes: Some(&attributes),
            ..Wanted::default()
        };
        let seen = self.observe_path(path, &wanted);
        let mut keys = Keys::default();
        let mut content = None;
        match &seen {
            PathState::File(file) => {
                let own = Ownership {
                    mode: KEYS_MODE,
                    owner: self.names().user_name(user.uid)?,
                    group: self.names().group_name(user.gid)?,
                };
                let drifted = file.ownership != own;
                keys.drifted = drifted.then(|| Box::new(file.ownership.clone()));
                content.clone_from(&file.content);
            }
            PathState::Absent { .. } | PathState::Link(_) | PathState::Directory(_) => {
                keys.file = Some(Box::new(seen));
                return Ok(keys);
            }
            PathState::Special | PathState::Unreadable { .. } => {}
        }
        let bytes = match content {
            Some(bytes) => Some(bytes),
            None => match self.root().read(path, MOST_KEYS) {
                Err(ReadError::NotAFile(_)) => None,
                bytes => Some(bytes?.unwrap_or_default()),
            },
        };
        keys.lines = bytes.as_deref().map(lines_of);
        keys.file = Some(Box::new(seen));
        Ok(keys)
    }

    /// The hash in shadow; none where only root may read it.
    fn hash_of(&self, user: &str) -> Result<Option<String>, ReadError> {
        match self.root().read(&etc("shadow"), MOST) {
            Ok(bytes) => Ok(hash_in_shadow(&bytes.unwrap_or_default(), user)),
            Err(error) if error.is_denied() => Ok(None),
            Err(error) => Err(error),
        }
    }
}

/// Of a file of keys.
#[derive(Default)]
struct Keys {
    /// The lines that are keys.
    lines: Option<Vec<String>>,
    /// Its mode and owner, where they are not what the user's own are.
    drifted: Option<Box<Ownership>>,
    /// What stands there.
    file: Option<Box<PathState>>,
}

fn lines_of(keys: &[u8]) -> Vec<String> {
    let text = String::from_utf8_lossy(keys);
    let lines = text.lines().map(str::trim);
    let keys = lines.filter(|line| !line.is_empty() && !line.starts_with('#'));
    keys.map(Into::into).collect()
}

/// Where the keys of a user with this home are; none where the home is no path that could hold them.
pub(crate) fn keys_path(home: &str) -> Option<AbsPath> {
    let home: AbsPath = home.parse().ok()?;
    home.join(".ssh/authorized_keys").ok()
}
