//! Users and groups.

use super::{Mode, Ownership, PathState, Presence, Resource, attributes};
use crate::plan::turn::Found;
use crate::plan::{Action, Certainty, Change};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;

/// The mode of an authorized_keys that cfg writes.
pub const KEYS_MODE: Mode = Mode(0o600);

/// A group.
#[derive(Clone, Debug, Default, PartialEq, Hash)]
pub struct Group {
    /// Its name.
    pub name: String,
    /// Whether it must be there.
    pub state: Presence,
    /// Its number; none takes what is there, or the next free one.
    pub gid: Option<u32>,
    /// A new one takes its number from the system's range.
    pub system: bool,
}

/// A user.
#[derive(Clone, Debug, Default, PartialEq, Hash, Serialize, Deserialize)]
pub struct User {
    /// Its name.
    pub name: String,
    /// Whether it must be there.
    pub state: Presence,
    /// Its number.
    pub uid: Option<u32>,
    /// Its primary group, by name or number.
    pub gid: Option<String>,
    /// Groups it must be in.
    pub groups: Vec<String>,
    /// And in no others.
    pub exact_groups: bool,
    /// Login shell.
    pub shell: Option<String>,
    /// Home directory; made when the user is made, never moved.
    pub home: Option<String>,
    /// A new one takes its number from the system's range, and a home is made only for keys.
    pub system: bool,
    /// Exactly these lines in `.ssh/authorized_keys`; none leaves them alone.
    pub authorized_keys: Option<Vec<String>>,
    /// As in /etc/shadow; never shown.
    pub password_hash: Option<String>,
}

impl User {
    /// Where a new one has his home, as useradd has it on Debian.
    pub fn place(&self) -> String {
        let home = self.home.clone();
        home.unwrap_or_else(|| format!("/home/{}", self.name))
    }

    /// Whether a home is made for him: one of the system's has none, unless it is to hold his keys.
    pub fn gets_home(&self) -> bool {
        let mut keys = self.authorized_keys.iter().flatten();
        !self.system || keys.next().is_some()
    }
}

/// What /etc/group has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GroupState {
    /// No such group.
    Absent,
    /// It is there.
    Present {
        /// Its number.
        gid: u32,
    },
}

/// What /etc/passwd, /etc/group and /etc/shadow have.
#[derive(Clone, Debug, PartialEq)]
pub enum UserState {
    /// No such user.
    Absent,
    /// It is there.
    Present(Present),
}

/// A user that is there.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Present {
    /// Its number.
    pub uid: u32,
    /// Its primary group's number.
    pub gid: u32,
    /// Its primary group's name, or the number again.
    pub group: String,
    /// Groups that name it, sorted.
    pub groups: Vec<String>,
    /// Login shell.
    pub shell: String,
    /// Home directory.
    pub home: String,
    /// Lines of its authorized_keys that are not comments; none where the file is not there or was not asked for.
    pub authorized_keys: Option<Vec<String>>,
    /// What its authorized_keys has where that is not what cfg gives it: mode 0600, the user's own. Seen anew each time.
    #[serde(skip)]
    pub keys_drifted: Option<Box<Ownership>>,
    /// What stands where its authorized_keys is, where that was asked for. Seen anew each time.
    #[serde(skip)]
    pub keys_file: Option<Box<PathState>>,
    /// Its hash; none where shadow could not be read or has none.
    pub password_hash: Option<String>,
}

/// What would bring the group about.
pub(crate) fn diff_group(resource: &Resource, group: &Group, state: &GroupState) -> Found {
    let change = |action| Change::new(&resource.id, action);
    match (group.state, state) {
        (Presence::Absent, GroupState::Absent) => Found::default(),
        (Presence::Absent, GroupState::Present { gid }) => {
            vec![change(Action::Remove).showing(json!({ "gid": gid }), Value::Null)].into()
        }
        (Presence::Present, GroupState::Absent) => {
            vec![change(Action::Create).showing(Value::Null, json!({ "gid": group.gid }))].into()
        }
        (Presence::Present, GroupState::Present { gid }) => match group.gid {
            Some(wanted) if wanted != *gid => vec![
                change(Action::Update).showing(json!({ "gid": gid }), json!({ "gid": wanted })),
            ]
            .into(),
            _ => Found::default(),
        },
    }
}

/// What would bring the user about.
pub(crate) fn diff_user(resource: &Resource, user: &User, state: &UserState) -> Found {
    let change = |action| Change::new(&resource.id, action);
    match (user.state, state) {
        (Presence::Absent, UserState::Absent) => Found::default(),
        (Presence::Absent, UserState::Present(seen)) => {
            let before = json!({ "uid": seen.uid, "home": seen.home });
            vec![change(Action::Remove).showing(before, Value::Null)].into()
        }
        (Presence::Present, UserState::Absent) => {
            vec![change(Action::Create).showing(Value::Null, newly(resource, user))].into()
        }
        (Presence::Present, UserState::Present(seen)) => {
            let differences = differences(resource, user, seen);
            if differences.before.is_empty() {
                return Found::default();
            }
            vec![
                change(Action::Update)
                    .at_most(differences.certainty)
                    .showing(differences.before.into(), differences.after.into()),
            ]
            .into()
        }
    }
}

/// A user that is made, as far as the role says what it is.
fn newly(resource: &Resource, user: &User) -> Value {
    let mut after = Map::new();
    let mut say = |key: &str, value: Value| {
        if !value.is_null() {
            after.insert(key.into(), value);
        }
    };
    say("uid", user.uid.into());
    say("gid", user.gid.clone().into());
    say("shell", user.shell.clone().into());
    say("home", user.home.clone().into());
    if !user.groups.is_empty() {
        say("groups", sorted(&user.groups).into());
    }
    if user.system {
        say("system", true.into());
    }
    if let Some(keys) = &user.authorized_keys {
        say("authorized_keys", shown_keys(resource, keys));
    }
    if user.password_hash.is_some() {
        say("password", "set".into());
    }
    Value::Object(after)
}

/// Only what differs, before and after.
struct Differences {
    before: Map<String, Value>,
    after: Map<String, Value>,
    certainty: Certainty,
}

impl Differences {
    fn say(&mut self, key: &str, before: Value, after: Value) {
        if before != after {
            self.before.insert(key.into(), before);
            self.after.insert(key.into(), after);
        }
    }
}

fn differences(resource: &Resource, user: &User, seen: &Present) -> Differences {
    let mut found = Differences {
        before: Map::new(),
        after: Map::new(),
        certainty: Certainty::Certain,
    };
    if let Some(uid) = user.uid {
        found.say("uid", seen.uid.into(), uid.into());
    }
    if let Some(gid) = &user.gid
        && *gid != seen.group
        && *gid != seen.gid.to_string()
    {
        found.say("gid", seen.group.clone().into(), gid.clone().into());
    }
    let groups = sorted(&seen.groups);
    let mut wanted = sorted(&user.groups);
    if !user.exact_groups {
        wanted.extend(groups.iter().cloned());
        wanted = sorted(&wanted);
    }
    // The primary group needs no line that names the user.
    let primary = |name: &String| *name == seen.group || user.gid.as_ref() == Some(name);
    wanted.retain(|name| groups.contains(name) || !primary(name));
    found.say("groups", groups.into(), wanted.into());
    if let Some(shell) = &user.shell {
        found.say("shell", seen.shell.clone().into(), shell.clone().into());
    }
    if let Some(home) = &user.home {
        found.say("home", seen.home.clone().into(), home.clone().into());
    }
    keys(resource, user, seen, &mut found);
    if let Some(hash) = &user.password_hash
        && seen.password_hash.as_ref() != Some(hash)
    {
        found.say("password", "another".into(), "set".into());
        if seen.password_hash.is_none() {
            // It has none, or an ordinary user may not see it.
            found.certainty = Certainty::Assumed;
        }
    }
    found
}

fn keys(resource: &Resource, user: &User, seen: &Present, found: &mut Differences) {
    let Some(wanted) = &user.authorized_keys else {
        return;
    };
    let there = seen.authorized_keys.as_deref().unwrap_or_default();
    if sorted(there) != sorted(wanted) {
        found
            .before
            .insert("authorized_keys".into(), shown_keys(resource, there));
        found
            .after
            .insert("authorized_keys".into(), shown_keys(resource, wanted));
    }
    if let Some(there) = &seen.keys_drifted {
        let own = Ownership {
            mode: KEYS_MODE,
            owner: user.name.clone(),
            group: seen.group.clone(),
        };
        let shown = |ownership: &Ownership| attributes::shown(ownership, &[]);
        let key = "authorized_keys_file";
        found.before.insert(key.into(), shown(there));
        found.after.insert(key.into(), shown(&own));
    }
}

fn shown_keys(resource: &Resource, keys: &[String]) -> Value {
    if resource.sensitive {
        return "not shown".into();
    }
    sorted(keys).into()
}

fn sorted(names: &[String]) -> Vec<String> {
    let names: BTreeSet<&String> = names.iter().collect();
    names.into_iter().cloned().collect()
}
