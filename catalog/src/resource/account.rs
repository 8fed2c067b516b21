//! Users and groups.

use super::Presence;

/// A group.
#[derive(Clone, Debug, PartialEq)]
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
#[derive(Clone, Debug, PartialEq)]
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
    /// A new one takes its number from the system's range, and no home is made.
    pub system: bool,
    /// Exactly these lines in `.ssh/authorized_keys`; none leaves them alone.
    pub authorized_keys: Option<Vec<String>>,
    /// As in /etc/shadow; never shown.
    pub password_hash: Option<String>,
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
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UserState {
    /// No such user.
    Absent,
    /// It is there.
    Present(Present),
}

/// A user that is there.
#[derive(Clone, Debug, PartialEq, Eq)]
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
    /// Its hash; none where shadow could not be read or has none.
    pub password_hash: Option<String>,
}
