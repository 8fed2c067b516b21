//! Names of users and groups to numbers and back.
//!
//! They come from the root's own /etc/passwd and /etc/group, else from `getent`: the agent itself calls
//! no name service.

use super::lines::{self, GroupLine, PasswdLine};
use crate::machine::read::{ReadError, Stamp, steadily};
use crate::machine::root::Root;
use crate::machine::tool;
use cfg_catalog::path::AbsPath;
use cfg_catalog::resource::{Attributes, Mode, Ownership};
use rustix::fs::Stat;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

/// More bytes than any passwd or group file has.
pub(crate) const MOST: u64 = 64 << 20;

/// Who is who below a root.
#[derive(Debug)]
pub(crate) struct Names {
    root: Root,
    /// All questions belong to one moment: files are read once.
    at_once: bool,
    users: Kept<PasswdLine>,
    groups: Kept<GroupLine>,
}

/// What getent said since accounts may have changed last: each question is a process, and perhaps a network.
#[derive(Debug, Default)]
pub(crate) struct Answers(Mutex<BTreeMap<(Database, String), Option<String>>>);

impl Answers {
    /// The line of a user or group; none where there is none.
    fn line(&self, database: Database, key: &str) -> Option<String> {
        let question = (database, key.to_string());
        let mut asked = lock(&self.0);
        let answer = asked
            .entry(question)
            .or_insert_with(|| tool::getent(database.word(), key));
        answer.clone()
    }

    /// Accounts may have changed.
    pub(crate) fn forget(&self) {
        lock(&self.0).clear();
    }
}

/// The lines of a file as they were last read, for as long as it is the same file.
#[derive(Debug)]
struct Kept<T> {
    path: AbsPath,
    lines: Mutex<Option<(Stamp, Arc<[T]>)>>,
}

impl<T> Kept<T> {
    fn of(name: &str) -> Self {
        Self {
            path: etc(name),
            lines: Mutex::default(),
        }
    }

    /// Its lines; empty where it is not there. `at_once`: as they were the first time.
    fn lines(
        &self,
        root: &Root,
        at_once: bool,
        parse: fn(&[u8]) -> Vec<T>,
    ) -> Result<Arc<[T]>, ReadError> {
        if let Some((_, lines)) = lock(&self.lines).as_ref().filter(|_| at_once) {
            return Ok(Arc::clone(lines));
        }
        steadily(|| {
            let Some(found) = root.find(&self.path)? else {
                return Ok(Vec::new().into());
            };
            let mut kept = lock(&self.lines);
            match &*kept {
                Some((stamp, lines)) if *stamp == found.stamp() => Ok(Arc::clone(lines)),
                _ => {
                    let lines: Arc<[T]> = parse(&found.bytes(&self.path, MOST)?).into();
                    *kept = Some((found.stamp(), Arc::clone(&lines)));
                    Ok(lines)
                }
            }
        })
    }
}

/// What a thread that panicked left is as good as before: it is only ever replaced whole.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(|broken| broken.into_inner())
}

/// A database of getent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Database {
    Passwd,
    Group,
}

impl Database {
    fn word(self) -> &'static str {
        match self {
            Database::Passwd => "passwd",
            Database::Group => "group",
        }
    }
}

impl Names {
    pub(crate) fn new(root: &Root, at_once: bool) -> Self {
        Self {
            root: root.clone(),
            at_once,
            users: Kept::of("passwd"),
            groups: Kept::of("group"),
        }
    }

    /// All users of the root's own file.
    pub(crate) fn users(&self) -> Result<Arc<[PasswdLine]>, ReadError> {
        self.users.lines(&self.root, self.at_once, lines::passwd)
    }

    /// All groups of the root's own file.
    pub(crate) fn groups(&self) -> Result<Arc<[GroupLine]>, ReadError> {
        self.groups.lines(&self.root, self.at_once, lines::group)
    }

    /// The user of this name, wherever he is kept.
    pub(crate) fn user(&self, name: &str) -> Result<Option<PasswdLine>, ReadError> {
        let here = self.users()?.iter().find(|user| user.name == name).cloned();
        Ok(here.or_else(|| {
            let line = self.ask(Database::Passwd, name)?;
            let found = lines::passwd(line.as_bytes()).into_iter().next()?;
            (found.name == name).then_some(found)
        }))
    }

    /// The group of this name, wherever it is kept.
    pub(crate) fn group(&self, name: &str) -> Result<Option<GroupLine>, ReadError> {
        let here = self
            .groups()?
            .iter()
            .find(|group| group.name == name)
            .cloned();
        Ok(here.or_else(|| {
            let line = self.ask(Database::Group, name)?;
            let found = lines::group(line.as_bytes()).into_iter().next()?;
            (found.name == name).then_some(found)
        }))
    }

    /// The number of a user that a role names, by name or by number.
    pub(crate) fn uid(&self, text: &str) -> Result<Option<u32>, ReadError> {
        if let Some(number) = lines::number(text) {
            return Ok(Some(number));
        }
        let user = self.user(text)?.map(|user| user.uid);
        Ok(user.or((text == "root").then_some(0)))
    }

    /// The number of a group that a role names, by name or by number.
    pub(crate) fn gid(&self, text: &str) -> Result<Option<u32>, ReadError> {
        if let Some(number) = lines::number(text) {
            return Ok(Some(number));
        }
        let group = self.group(text)?.map(|group| group.gid);
        Ok(group.or((text == "root").then_some(0)))
    }

    /// The name of a user, or the number again.
    pub(crate) fn user_name(&self, uid: u32) -> Result<String, ReadError> {
        if let Some(user) = self.users()?.iter().find(|user| user.uid == uid) {
            return Ok(user.name.clone());
        }
        let line = self.ask(Database::Passwd, &uid.to_string());
        let found = line.and_then(|line| lines::passwd(line.as_bytes()).into_iter().next());
        let found = found.filter(|user| user.uid == uid).map(|user| user.name);
        Ok(found.unwrap_or_else(|| nameless(uid)))
    }

    /// The name of a group, or the number again.
    pub(crate) fn group_name(&self, gid: u32) -> Result<String, ReadError> {
        if let Some(group) = self.groups()?.iter().find(|group| group.gid == gid) {
            return Ok(group.name.clone());
        }
        let line = self.ask(Database::Group, &gid.to_string());
        let found = line.and_then(|line| lines::group(line.as_bytes()).into_iter().next());
        let found = found
            .filter(|group| group.gid == gid)
            .map(|group| group.name);
        Ok(found.unwrap_or_else(|| nameless(gid)))
    }

    /// Owner, group and mode. What the role spells otherwise but means the same is shown as the role spells
    /// it, so that a number, or the second name of a number, is no difference.
    pub(crate) fn ownership(
        &self,
        stat: &Stat,
        wanted: Option<&Attributes>,
    ) -> Result<Ownership, ReadError> {
        let owner = wanted.and_then(|wanted| wanted.owner.as_deref());
        let group = wanted.and_then(|wanted| wanted.group.as_deref());
        let owner = match owner {
            Some(text) if self.uid(text)? == Some(stat.st_uid) => text.into(),
            _ => self.user_name(stat.st_uid)?,
        };
        let group = match group {
            Some(text) if self.gid(text)? == Some(stat.st_gid) => text.into(),
            _ => self.group_name(stat.st_gid)?,
        };
        Ok(Ownership {
            mode: Mode(stat.st_mode & 0o7777),
            owner,
            group,
        })
    }

    /// A tree with accounts of its own answers for itself; the machine's getent answers for the machine, and
    /// for a tree that has none.
    fn ask(&self, database: Database, key: &str) -> Option<String> {
        if !self.root.is_machine() {
            let own = self.root.read(&etc(database.word()), MOST);
            if !matches!(own, Ok(None)) {
                return None;
            }
        }
        self.root.answers().line(database, key)
    }

    /// Forgets what was read and what getent said: accounts have changed.
    pub(crate) fn forget(&self) {
        *lock(&self.users.lines) = None;
        *lock(&self.groups.lines) = None;
        self.root.answers().forget();
    }
}

fn nameless(number: u32) -> String {
    if number == 0 {
        "root".into()
    } else {
        number.to_string()
    }
}

/// A file of /etc.
pub(crate) fn etc(name: &str) -> AbsPath {
    format!("/etc/{name}")
        .parse()
        .expect("a plain name in /etc is a path")
}
