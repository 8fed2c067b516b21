//! Users and groups are changed by the system's own tools: they know its locks and its caches.

use super::argv::{OwnGroup, change_group, change_user, fit_name, fit_user, make_group, make_user};
use crate::machine::error::EnactError;
use crate::machine::hands::Hands;
use crate::machine::read::ReadError;
use crate::machine::root::Caller;
use crate::machine::tool::{self, Ended};
use cfg_catalog::plan::nobody::primary_of;
use cfg_catalog::resource::Presence;
use cfg_catalog::resource::account::{Group, GroupState, User, UserState};
use std::ffi::OsString;
use std::time::Duration;

/// More time than one of the tools takes; removing a user looks at all processes.
const LIMIT: Duration = Duration::from_secs(120);
/// How often, and after which pause, a tool is run again where another has its locks.
const MOST_AGAIN: usize = 20;
const PAUSE: Duration = Duration::from_millis(500);

impl Hands<'_> {
    /// Brings a group to what it must be.
    ///
    /// # Errors
    /// Where a tool refuses.
    pub fn group(&self, group: &Group) -> Result<(), EnactError> {
        fit_name(&group.name)?;
        self.root_alone(&group.name)?;
        let seen = self.machine().observe_group(group).map_err(unseen)?;
        match (group.state, seen) {
            (Presence::Absent, GroupState::Absent) => Ok(()),
            (Presence::Absent, GroupState::Present { gid }) => {
                let names = self.machine().names();
                let users = names.users().map_err(unseen)?;
                if let Some(user) = users.iter().find(|user| user.gid == gid) {
                    return Err(EnactError::Unfit(primary_of(&user.name)));
                }
                self.tool(&words(["groupdel", "--", &group.name]))
            }
            (Presence::Present, GroupState::Absent) => self.tool(&make_group(group)),
            (Presence::Present, GroupState::Present { gid }) => {
                match group.gid.filter(|wanted| *wanted != gid) {
                    Some(wanted) => self.tool(&change_group(group, wanted)),
                    None => Ok(()),
                }
            }
        }
    }

    /// Brings a user to what it must be.
    ///
    /// # Errors
    /// Where a tool refuses, or the keys cannot be written.
    pub fn user(&self, user: &User) -> Result<(), EnactError> {
        fit_user(user)?;
        self.root_alone(&user.name)?;
        let seen = self.machine().observe_user(user).map_err(unseen)?;
        match (user.state, &seen) {
            (Presence::Absent, UserState::Absent) => return Ok(()),
            (Presence::Absent, UserState::Present(_)) => {
                return self.tool(&words(["userdel", "--", &user.name]));
            }
            (Presence::Present, UserState::Absent) => {
                let own = self.machine().names().group(&user.name).map_err(unseen)?;
                let own = own.map_or(OwnGroup::Missing, |_| OwnGroup::There);
                self.tool(&make_user(user, own))?;
            }
            (Presence::Present, UserState::Present(seen)) => {
                if let Some(argv) = change_user(user, seen) {
                    self.tool(&argv)?;
                }
            }
        }
        let home = match &seen {
            UserState::Present(seen) => Some(seen.home.clone()),
            UserState::Absent => None,
        };
        // The tools have a say in what a new user is: he is looked at again.
        let UserState::Present(seen) = self.machine().observe_user(user).map_err(unseen)? else {
            return Err(EnactError::Unfit(format!(
                "{} was made and is not there",
                user.name
            )));
        };
        // One that the role has given him, in this run or in one that was killed before his keys were there.
        let moved = home.is_some_and(|home| home != seen.home);
        let keyed = user.home.is_some() && user.authorized_keys.is_some();
        if user.gets_home() && (moved || keyed) {
            self.home(&seen)?;
        }
        if let Some(hash) = &user.password_hash
            && seen.password_hash.as_ref() != Some(hash)
        {
            self.password(&user.name, hash)?;
        }
        match &user.authorized_keys {
            Some(keys) if keys.is_empty() && seen.authorized_keys.is_none() => Ok(()),
            Some(keys) if seen.authorized_keys.as_ref() != Some(keys) => self.keys(&seen, keys),
            Some(_) if seen.keys_drifted.is_some() => self.same_keys(&seen),
            _ => Ok(()),
        }
    }

    /// The hash goes through a pipe: argv is for all to read.
    fn password(&self, user: &str, hash: &str) -> Result<(), EnactError> {
        let line = format!("{user}:{hash}\n");
        self.run(&words(["chpasswd", "--encrypted"]), Some(line.as_bytes()))
    }

    fn tool(&self, argv: &[String]) -> Result<(), EnactError> {
        self.run(argv, None)
    }

    /// Runs a tool on the root's own files. `--root` makes it see the tree as the machine; under `--prefix`
    /// some of its answers would still come from the machine that runs this.
    fn run(&self, argv: &[String], stdin: Option<&[u8]>) -> Result<(), EnactError> {
        let root = self.machine().root();
        let mut whole: Vec<OsString> = argv.iter().map(OsString::from).collect();
        if !root.is_machine() {
            whole.splice(1..1, ["--root".into(), root.path().into()]);
        }
        let failed = |said: String| EnactError::Tool {
            program: argv.first().cloned().unwrap_or_default(),
            said,
        };
        let ended = patiently(|| tool::run(&whole, stdin, LIMIT));
        self.machine().names().forget();
        match ended {
            Ok(ended) if ended.succeeded() => Ok(()),
            Ok(ended) => Err(failed(ended.told())),
            Err(error) => Err(failed(format!("could not be started: {error}"))),
        }
    }

    fn root_alone(&self, name: &str) -> Result<(), EnactError> {
        match self.machine().root().caller() {
            Caller::Superuser => Ok(()),
            Caller::Ordinary { .. } => Err(EnactError::OutOfReach(format!(
                "{name}: only root can change users and groups"
            ))),
        }
    }
}

/// Tries again for a while where somebody else has passwd or group open.
fn patiently(run: impl Fn() -> std::io::Result<Ended>) -> std::io::Result<Ended> {
    for _again in 0..MOST_AGAIN {
        let ended = run()?;
        if ended.succeeded() || !ended.err.contains("cannot lock") {
            return Ok(ended);
        }
        std::thread::sleep(PAUSE);
    }
    run()
}

fn words<const N: usize>(words: [&str; N]) -> [String; N] {
    words.map(Into::into)
}

fn unseen(error: ReadError) -> EnactError {
    EnactError::Unfit(error.to_string())
}
