//! How apt and dpkg are called: never asking, never overwriting a conffile, never removing what nobody listed.

use cfg_catalog::resource::package::Wanted;
use std::collections::{BTreeMap, BTreeSet};

/// One version of one package, or whichever apt's policy prefers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Install {
    /// As the role wrote it, perhaps with `:arch`.
    pub name: String,
    /// Exactly this one.
    pub version: Option<String>,
}

impl Install {
    pub(super) fn argument(&self) -> String {
        match &self.version {
            Some(version) => format!("{}={version}", self.name),
            None => self.name.clone(),
        }
    }
}

/// What one call of apt-get is to bring about.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Transaction {
    /// To be installed, or brought to another version.
    pub install: Vec<Install>,
    /// To be removed, configuration left.
    pub remove: Vec<String>,
    /// To be removed with its configuration.
    pub purge: Vec<String>,
    /// What is as it should be and is to stay so whatever comes, in apt's words: `NAME-` of what is not there,
    /// `NAME=VERSION` of what is.
    pub beside: Vec<String>,
    /// Versions that the role names: no package of these goes to another one.
    pub pinned: BTreeMap<String, Wanted>,
    /// Some of `install` go to an older version.
    pub downgrades: Downgrades,
}

/// Whether a transaction may take a package to an older version.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Downgrades {
    /// It may not.
    #[default]
    Refused,
    /// The plan lists one.
    Listed,
}

impl Transaction {
    /// Nothing to do.
    pub fn is_empty(&self) -> bool {
        self.install.is_empty() && self.remove.is_empty() && self.purge.is_empty()
    }

    /// Every package it lists.
    pub fn packages(&self) -> impl Iterator<Item = &str> {
        let installed = self.install.iter().map(|install| install.name.as_str());
        installed
            .chain(self.remove.iter().map(String::as_str))
            .chain(self.purge.iter().map(String::as_str))
    }

    /// Both in one.
    #[must_use]
    pub fn and(mut self, other: &Transaction) -> Self {
        self.install.extend_from_slice(&other.install);
        self.remove.extend_from_slice(&other.remove);
        self.purge.extend_from_slice(&other.purge);
        if self.beside.is_empty() {
            self.beside.clone_from(&other.beside);
        }
        if self.pinned.is_empty() {
            self.pinned.clone_from(&other.pinned);
        }
        if other.downgrades == Downgrades::Listed {
            self.downgrades = Downgrades::Listed;
        }
        self
    }

    /// The same without these packages.
    #[must_use]
    pub fn without(mut self, packages: &BTreeSet<&str>) -> Self {
        let stays = |name: &String| !packages.contains(name.as_str());
        self.install.retain(|install| stays(&install.name));
        self.remove.retain(stays);
        self.purge.retain(stays);
        self
    }

    /// Whether apt is not told itself of all versions that the role names, so that only a simulation tells what comes of them.
    pub fn leaves_pins_to_apt(&self) -> bool {
        let told = |name: &str| {
            let mut beside = self.beside.iter().filter_map(|word| word.split_once('='));
            let mut coming = self.install.iter();
            beside.any(|(beside, _)| beside == name)
                || coming.any(|coming| coming.name == name && coming.version.is_some())
        };
        !self.install.is_empty() && !self.pinned.keys().all(|name| told(name))
    }

    /// The same, a package at a time.
    pub fn one_by_one(&self) -> Vec<Transaction> {
        let mut singles = Vec::new();
        for install in &self.install {
            singles.push(Transaction {
                install: vec![install.clone()],
                beside: self.beside.clone(),
                pinned: self.pinned.clone(),
                downgrades: self.downgrades,
                ..Self::default()
            });
        }
        for name in &self.remove {
            singles.push(Transaction {
                remove: vec![name.clone()],
                ..Self::default()
            });
        }
        for name in &self.purge {
            singles.push(Transaction {
                purge: vec![name.clone()],
                ..Self::default()
            });
        }
        singles
    }

    /// The calls that bring it about. What is purged is removed in the same call as the rest goes in, so that one may
    /// take another's place, and its configuration goes after.
    pub fn calls(&self) -> Vec<Vec<String>> {
        let mut calls = Vec::new();
        if !self.install.is_empty() || !self.remove.is_empty() {
            let mut call = self.apt_get();
            call.extend(["install".into(), "--".into()]);
            call.extend(self.install.iter().map(Install::argument));
            let gone = self.remove.iter().chain(&self.purge);
            call.extend(gone.map(|name| format!("{name}-")));
            if !self.install.is_empty() {
                call.extend(self.beside.iter().cloned());
            }
            calls.push(call);
        }
        if !self.purge.is_empty() {
            let mut call = self.apt_get();
            call.extend(["purge".into(), "--".into()]);
            call.extend(self.purge.iter().cloned());
            calls.push(call);
        }
        calls
    }

    fn apt_get(&self) -> Vec<String> {
        let mut call = apt_get();
        if self.remove.is_empty() && self.purge.is_empty() {
            call.push("--no-remove".into());
        }
        if self.downgrades == Downgrades::Listed {
            call.push("--allow-downgrades".into());
        }
        call
    }
}

/// apt-get with the options that every call has. It waits for no lock: who calls it does, and says so.
fn apt_get() -> Vec<String> {
    [
        "apt-get",
        "-y",
        "-q",
        "--no-install-recommends",
        "-o",
        "Dpkg::Options::=--force-confdef",
        "-o",
        "Dpkg::Options::=--force-confold",
        "-o",
        "Dpkg::Use-Pty=0",
        "-o",
        "DPkg::Lock::Timeout=0",
    ]
    .map(str::to_owned)
    .to_vec()
}

/// Refreshes the index; a source that cannot be reached is an error, which apt-get alone only warns of.
pub fn refresh() -> Vec<String> {
    let mut call = apt_get();
    call.extend(["-o", "APT::Update::Error-Mode=any", "update"].map(str::to_owned));
    call
}

/// Ends what an interrupted dpkg left halfway.
pub fn configure() -> Vec<String> {
    [
        "dpkg",
        "--force-confdef",
        "--force-confold",
        "--configure",
        "-a",
    ]
    .map(str::to_owned)
    .to_vec()
}

/// Installs what half-installed packages miss.
pub fn fix() -> Vec<String> {
    let mut call = apt_get();
    call.extend(["--no-remove", "--fix-broken", "install"].map(str::to_owned));
    call
}

/// Unpacks packages again in the version that they have: apt takes them for installed, whatever is missing of them.
pub fn reinstall(packages: &[Install]) -> Vec<String> {
    let mut call = apt_get();
    call.extend(["--no-remove", "--reinstall", "install", "--"].map(str::to_owned));
    call.extend(packages.iter().map(Install::argument));
    call
}

/// The same call, only told what it would do.
pub fn simulated(call: &[String]) -> Vec<String> {
    let mut call = call.to_vec();
    call.insert(1, "--simulate".into());
    call
}

/// The same call, which only fetches what it needs.
pub fn fetched(call: &[String]) -> Vec<String> {
    let mut call = call.to_vec();
    call.insert(1, "--download-only".into());
    call
}

/// The same call where some of its packages are on hold, and are not unheld for it.
pub fn past_holds(mut call: Vec<String>) -> Vec<String> {
    call.insert(1, "--allow-change-held-packages".into());
    call
}

/// `apt-mark WORD`: hold, unhold, manual, auto.
pub fn mark(word: &str, packages: &[String]) -> Vec<String> {
    let mut call = vec!["apt-mark".into(), word.into(), "--".into()];
    call.extend(packages.iter().cloned());
    call
}

/// The environment of every call: minimal, so that what the agent was started with changes nothing but the proxy.
pub fn environment() -> BTreeMap<String, String> {
    [
        (
            "PATH",
            "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        ),
        ("HOME", "/root"),
        ("LC_ALL", "C.UTF-8"),
        ("DEBIAN_FRONTEND", "noninteractive"),
        ("DEBCONF_NONINTERACTIVE_SEEN", "true"),
        ("APT_LISTCHANGES_FRONTEND", "none"),
        ("APT_LISTBUGS_FRONTEND", "none"),
        ("NEEDRESTART_SUSPEND", "1"),
        ("UCF_FORCE_CONFFOLD", "1"),
    ]
    .into_iter()
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn install(name: &str, version: Option<&str>) -> Install {
        Install {
            name: name.into(),
            version: version.map(str::to_owned),
        }
    }

    #[test]
    fn removals_only_when_listed() {
        let mut transaction = Transaction {
            install: vec![install("a", None), install("b:i386", Some("1:2-3"))],
            ..Transaction::default()
        };
        let calls = transaction.calls();
        assert_eq!(calls.len(), 1);
        let call = calls[0].join(" ");
        assert!(call.contains(" --no-remove "), "{call}");
        assert!(call.ends_with(" install -- a b:i386=1:2-3"), "{call}");
        assert!(call.contains("DPkg::Lock::Timeout=0"), "{call}");
        assert!(!call.contains("--allow-downgrades"), "{call}");

        transaction.purge.push("c".into());
        transaction.downgrades = Downgrades::Listed;
        let calls: Vec<_> = transaction
            .calls()
            .iter()
            .map(|call| call.join(" "))
            .collect();
        assert_eq!(calls.len(), 2);
        assert!(calls[0].ends_with(" install -- a b:i386=1:2-3 c-"));
        assert!(calls[1].ends_with(" purge -- c"));
        for call in &calls {
            assert!(!call.contains("--no-remove"), "{call}");
            assert!(call.contains("--allow-downgrades"), "{call}");
        }
    }

    #[test]
    fn what_is_fetched_is_what_the_call_needs() {
        let transaction = Transaction {
            install: vec![install("a", Some("1"))],
            ..Transaction::default()
        };
        let call = &transaction.calls()[0];
        let mut fetched = past_holds(fetched(call));
        let options = ["--allow-change-held-packages", "--download-only"];
        assert_eq!(fetched.drain(1..3).collect::<Vec<_>>(), options);
        assert_eq!(&fetched, call);
    }

    #[test]
    fn what_is_unpacked_again_keeps_its_version() {
        let call = reinstall(&[install("a:amd64", Some("1-2")), install("b", None)]).join(" ");
        assert!(call.contains(" --no-remove "), "{call}");
        let end = " --reinstall install -- a:amd64=1-2 b";
        assert!(call.ends_with(end), "{call}");
    }

    #[test]
    fn one_by_one_lists_the_same() {
        let whole = Transaction {
            install: vec![install("a", None), install("b", Some("1"))],
            remove: vec!["c".into()],
            purge: vec!["d".into()],
            beside: vec!["e-".into()],
            pinned: [("f".to_owned(), Wanted::Glob("1*".into()))].into(),
            downgrades: Downgrades::Refused,
        };
        let singles = whole.one_by_one();
        assert!(singles.iter().all(|single| single.packages().count() == 1));
        let again = singles
            .iter()
            .fold(Transaction::default(), Transaction::and);
        assert_eq!(again, whole);
        let all: Vec<_> = singles.iter().flat_map(Transaction::packages).collect();
        assert_eq!(all, whole.packages().collect::<Vec<_>>());
    }
}
