//! Why a user will not come to what he must be: asked by the dry run, and by the run before it makes half of it.

use super::keys_path;
use crate::machine::Machine;
use crate::machine::error::EnactError;
use crate::machine::hands::Hands;
use cfg_catalog::path::AbsPath;
use cfg_catalog::plan::refusals::Refusal;
use cfg_catalog::plan::{Action, Change};
use cfg_catalog::resource::account::User;

impl Machine {
    /// Why what is planned for a user will not come about; none also where that cannot be seen.
    pub(crate) fn of_user(&self, user: &User, change: &Change) -> Option<Refusal> {
        let says = |keys: &[&str]| keys.iter().any(|key| change.after.get(key).is_some());
        let comes = change.action == Action::Create;
        let refusal = self
            .twice(user, change)
            .or_else(|| self.of_tables(&tables(change)))
            .or_else(|| self.busy(user, change));
        if refusal.is_some() || change.action == Action::Remove || self.bound().is_some() {
            return refusal;
        }
        let seen = self.names().user(&user.name).ok()?.map(|line| line.home);
        let seen = seen.filter(|_| user.home.is_none());
        let home = seen.unwrap_or_else(|| user.place());
        let keys = says(&["authorized_keys", "authorized_keys_file"]);
        let given = says(&["home"]) || (keys && user.home.is_some());
        let made = user.gets_home() && (comes || given);
        let place: Option<AbsPath> = home.parse().ok();
        let missing = place
            .filter(|home| matches!(self.root().folder(home), Ok(to) if !to.missing.is_empty()));
        let refusal = missing.and_then(|home| match made {
            true => self.of_home(&home),
            false => keys.then(|| homeless(&home)),
        });
        refusal.or_else(|| {
            let spot = self.spot_seen(&keys_path(&home).filter(|_| keys)?)?;
            self.making(&spot, "making a file in")
        })
    }

    /// Why the tools that know accounts cannot write these files anew.
    pub(crate) fn of_tables(&self, tables: &[&str]) -> Option<Refusal> {
        if self.bound().is_some() {
            return None;
        }
        tables.iter().find_map(|table| {
            let spot = self.spot_seen(&table.parse().ok()?)?;
            self.making(&spot, "making a file in")
        })
    }

    /// Why a home that is to be made, and is not there, cannot be.
    fn of_home(&self, home: &AbsPath) -> Option<Refusal> {
        self.making(&self.spot_seen(home)?, "making a directory in")
    }

    /// The tools change nobody who is there twice.
    fn twice(&self, user: &User, change: &Change) -> Option<Refusal> {
        if !tables(change).contains(&PASSWD) {
            return None;
        }
        let users = self.names().users().ok()?;
        let lines = users.iter().filter(|line| line.name == user.name).count();
        (lines > 1).then(|| {
            Refusal::Fails(format!(
                "{PASSWD} has {lines} lines for {}: leave one",
                user.name
            ))
        })
    }
}

impl Hands<'_> {
    /// Whether nothing stands in the way of these changes: what the tools make before they fail would stay.
    ///
    /// # Errors
    /// With what does.
    pub(crate) fn may_change(&self, user: &User, changes: &[Change]) -> Result<(), EnactError> {
        let mut refusals = changes
            .iter()
            .filter_map(|change| self.machine().of_user(user, change));
        match refusals.next() {
            Some(Refusal::Fails(why) | Refusal::Blocked(why) | Refusal::Busy { why, .. }) => {
                Err(EnactError::Unfit(why))
            }
            _ => Ok(()),
        }
    }
}

/// Keys are nowhere without a home.
fn homeless(home: &AbsPath) -> Refusal {
    Refusal::Blocked(format!(
        "the home {home} is not there, and so it cannot hold keys"
    ))
}

const PASSWD: &str = "/etc/passwd";

/// The files that a change of a user is written to; his keys are elsewhere.
fn tables(change: &Change) -> Vec<&'static str> {
    let says = |keys: &[&str]| keys.iter().any(|key| change.after.get(key).is_some());
    let whole = change.action != Action::Update;
    let mut tables = Vec::new();
    if whole || says(&["uid", "gid", "shell", "home"]) {
        tables.push(PASSWD);
    }
    if whole || says(&["groups"]) {
        tables.extend(["/etc/group", "/etc/gshadow"]);
    }
    if whole || says(&["password"]) {
        tables.push("/etc/shadow");
    }
    tables
}
