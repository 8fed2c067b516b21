//! One transaction, retried package by package where it fails before dpkg is touched.

use super::get::{self, Install, Transaction};
use super::refused::{Question, all, complaint, explained, unlisted};
use super::status::Status;
use super::{Apt, unheld, words};
use anyhow::Context as _;
use cfg_catalog::digest::Digest;
use std::collections::{BTreeMap, BTreeSet};

/// What went wrong, by package; a package that is not named may still not be what it should, which only looking tells.
pub type Failed = BTreeMap<String, String>;

impl Apt<'_> {
    /// Fetches what a transaction needs into apt's cache, all but what cannot be had; gives why, by package. Packages in `held` are
    /// on hold.
    ///
    /// # Errors
    /// Where apt cannot be run at all.
    pub fn fetch(
        &self,
        transaction: &Transaction,
        held: &BTreeSet<String>,
    ) -> anyhow::Result<Failed> {
        let Some(complaint) = self.fetch_whole(transaction, held)? else {
            return Ok(Failed::new());
        };
        let singles = transaction.one_by_one();
        if singles.len() < 2 || words::is_of_lock(&complaint) {
            return Ok(all(transaction, &complaint));
        }
        let mut failed = Failed::new();
        let mut taken = Transaction::default();
        for single in singles {
            // One may need another.
            let more = taken.clone().and(&single);
            match self.fetch_whole(&more, held)? {
                None => taken = more,
                Some(complaint) => failed.extend(all(&single, &complaint)),
            }
        }
        Ok(failed)
    }

    /// Gives apt's complaint where it failed.
    fn fetch_whole(
        &self,
        transaction: &Transaction,
        held: &BTreeSet<String>,
    ) -> anyhow::Result<Option<String>> {
        if transaction.install.is_empty() {
            return Ok(None);
        }
        // The one that purges fetches nothing.
        let Some(call) = transaction.calls().into_iter().next() else {
            return Ok(None);
        };
        let mut call = get::fetched(&call);
        if transaction.packages().any(|package| held.contains(package)) {
            call = get::past_holds(call);
        }
        let ended = self.call(call)?;
        let failed = !ended.outcome.is_success();
        Ok(failed.then(|| complaint(transaction, &ended.output, &ended.outcome)))
    }

    /// Brings a transaction about. Packages in `held` are unheld for it and held again.
    ///
    /// # Errors
    /// Where apt cannot be run at all.
    pub fn transact(
        &self,
        transaction: &Transaction,
        held: &BTreeSet<String>,
    ) -> anyhow::Result<Failed> {
        if transaction.is_empty() {
            return Ok(Failed::new());
        }
        let listed: Vec<String> = transaction
            .packages()
            .filter(|package| held.contains(*package))
            .map(str::to_owned)
            .collect();
        // What goes away is not held again.
        let stay: Vec<String> = transaction
            .install
            .iter()
            .map(|install| install.name.clone())
            .filter(|package| held.contains(package))
            .collect();
        unheld::remember(&self.state, &stay)?;
        self.mark("unhold", &listed)?;
        let failed = self.attempt(transaction, held);
        let again = self.hold_again(&BTreeSet::new());
        let mut failed = failed?;
        again?;
        if !failed.is_empty() {
            spare(&mut failed, transaction, &Status::read(&self.root)?);
        }
        Ok(failed)
    }

    /// Holds again what a transaction, perhaps of a run that was killed, unheld; but for those that a plan holds, which says so.
    ///
    /// # Errors
    /// Where that cannot be done.
    pub fn hold_again(&self, planned: &BTreeSet<&str>) -> anyhow::Result<()> {
        let mut packages = unheld::remembered(&self.state)?;
        packages.retain(|package| !planned.contains(package.as_str()));
        self.mark("hold", &packages)?;
        unheld::forget(&self.state)
    }

    /// The complaint of a call goes to all packages in it. What apt refuses by itself is left out, as a plan has it; what fails
    /// in another way before dpkg has begun is tried package by package.
    fn attempt(
        &self,
        transaction: &Transaction,
        held: &BTreeSet<String>,
    ) -> anyhow::Result<Failed> {
        if transaction.is_empty() {
            return Ok(Failed::new());
        }
        let before = self.database()?;
        let Some(complaint) = self.once(transaction)? else {
            return Ok(Failed::new());
        };
        if self.database()? != before {
            // dpkg began. What it left unpacked beside the one that failed is configured; the next run tries the rest.
            if let Some(told) = self.repair()? {
                tracing::debug!("{told}");
            }
            return Ok(all(transaction, &complaint));
        }
        let nothing = Transaction::default();
        let told = |single: &Transaction, complaint: String| {
            let why = explained(&self.root, single, &nothing, complaint);
            all(single, &why)
        };
        let singles = transaction.one_by_one();
        if singles.len() < 2 || words::is_of_lock(&complaint) {
            return Ok(told(transaction, complaint));
        }
        let root = &self.root;
        let refused = Question { root, held }.ask(transaction)?.failed;
        if !refused.is_empty() {
            tracing::warn!("apt refuses the whole, now without what it refuses: {complaint}");
            let out = refused.keys().map(String::as_str).collect();
            let mut failed = self.attempt(&transaction.clone().without(&out), held)?;
            failed.extend(refused);
            return Ok(failed);
        }
        tracing::warn!("apt fails over the whole, now package by package: {complaint}");
        let mut failed = Failed::new();
        let mut came = Vec::new();
        for mut single in singles {
            single.beside.extend_from_slice(&came);
            match self.once(&single)? {
                Some(complaint) => failed.extend(told(&single, complaint)),
                // None of the next moves it again.
                None => came.extend(single.install.iter().map(Install::argument)),
            }
        }
        Ok(failed)
    }

    /// Gives apt's complaint where it failed.
    fn once(&self, transaction: &Transaction) -> anyhow::Result<Option<String>> {
        for call in transaction.calls() {
            if let Some(refusal) = self.unlisted(transaction, &call)? {
                return Ok(Some(refusal));
            }
            let ended = self.call(call)?;
            if !ended.outcome.is_success() {
                return Ok(Some(complaint(transaction, &ended.output, &ended.outcome)));
            }
        }
        Ok(None)
    }

    /// Nothing is removed that the plan does not list, and no package goes to another version than the role names: apt sees to
    /// that where nothing is listed and it knows all these versions, else a simulation tells.
    fn unlisted(
        &self,
        transaction: &Transaction,
        call: &[String],
    ) -> anyhow::Result<Option<String>> {
        let removes = !transaction.remove.is_empty() || !transaction.purge.is_empty();
        if !removes && !transaction.leaves_pins_to_apt() {
            return Ok(None);
        }
        let ended = self.call(get::simulated(call))?;
        if !ended.outcome.is_success() {
            return Ok(Some(complaint(transaction, &ended.output, &ended.outcome)));
        }
        Ok(unlisted(transaction, transaction, &ended.output))
    }

    /// What dpkg's database is now; another value means that dpkg was at work.
    fn database(&self) -> anyhow::Result<Digest> {
        let file = self.root.join("var/lib/dpkg/status");
        let bytes = match std::fs::read(&file) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Vec::new(),
            read => read.with_context(|| format!("cannot read {}", file.display()))?,
        };
        Ok(Digest::of(&bytes))
    }
}

/// Takes out what dpkg has in the very version that was to come: what was said is about another package.
fn spare(failed: &mut Failed, transaction: &Transaction, status: &Status) {
    for install in &transaction.install {
        let entry = status.find(&install.name);
        let there = entry.filter(|entry| entry.state == "installed" && !entry.is_broken());
        if there.is_some_and(|entry| install.version.as_ref() == Some(&entry.version)) {
            failed.remove(&install.name);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::apt::{Patience, Settings};
    use crate::effect::Effects;

    /// It is the plan that holds what its role holds: else a run would do it and not say so.
    #[test]
    fn what_a_plan_holds_is_not_held_behind_its_back() {
        let state = tempfile::tempdir().unwrap();
        let settings = Settings::default();
        let apt = Apt {
            root: state.path().to_owned(),
            state: state.path().to_owned(),
            effects: &Effects::new(state.path().join("effects")),
            settings,
            patience: &Patience::new(settings),
            told: &|_| {},
            run: "r".into(),
        };
        unheld::remember(state.path(), &["a".into()]).unwrap();
        // No apt-mark is called, which could only fail here.
        apt.hold_again(&BTreeSet::from(["a"])).unwrap();
        assert!(unheld::remembered(state.path()).unwrap().is_empty());
    }

    #[test]
    fn the_complaint_about_one_package_is_not_of_those_that_came() {
        let root = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(root.path().join("var/lib/dpkg")).unwrap();
        let status: String = [
            ("came", "install ok installed", "2"),
            ("held", "hold ok installed", "2"),
            ("licensed", "install ok half-configured", "2"),
            ("half", "install reinstreq installed", "2"),
            ("old", "install ok installed", "1"),
            ("gone", "deinstall ok config-files", "2"),
        ]
        .iter()
        .map(|(name, status, version)| {
            format!("Package: {name}\nStatus: {status}\nArchitecture: all\nVersion: {version}\n\n")
        })
        .collect();
        std::fs::write(root.path().join("var/lib/dpkg/status"), status).unwrap();
        let names = ["came", "held", "licensed", "half", "old", "gone", "absent"];
        let install = names.map(|name| Install {
            name: name.into(),
            version: Some("2".into()),
        });
        let transaction = Transaction {
            install: install.to_vec(),
            remove: vec!["old-one".into()],
            ..Transaction::default()
        };
        let mut failed = all(&transaction, "no licence");
        spare(
            &mut failed,
            &transaction,
            &Status::read(root.path()).unwrap(),
        );
        let failed: Vec<&str> = failed.keys().map(String::as_str).collect();
        assert_eq!(
            failed,
            ["absent", "gone", "half", "licensed", "old", "old-one"]
        );
    }
}
