//! What apt refuses of a transaction: heard of its resolver by a simulation, which anybody may run and which writes nothing.

use super::get::{self, Transaction};
use super::transaction::Failed;
use super::{available, needed, words};
use crate::effect::Outcome;
use anyhow::Context as _;
use std::collections::BTreeSet;
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::{Command, Stdio};

/// Asks apt about the packages of a root.
pub struct Question<'a> {
    /// The root.
    pub root: &'a Path,
    /// Packages on hold; those of a transaction are unheld for it.
    pub held: &'a BTreeSet<String>,
}

/// What apt says of a transaction.
#[derive(Debug, Default)]
pub struct Answer {
    /// What would not come about, by package. The rest would, without it.
    pub failed: Failed,
    /// The rest, a package at a time.
    pub(super) taken: Vec<Transaction>,
    /// What apt would do for the rest, in its own words.
    pub(super) simulation: String,
}

impl Question<'_> {
    /// What would come of a transaction.
    ///
    /// # Errors
    /// Where apt-get cannot be run.
    pub fn ask(&self, transaction: &Transaction) -> anyhow::Result<Answer> {
        let mut answer = Answer::default();
        self.divide(&transaction.one_by_one(), &mut answer)?;
        Ok(answer)
    }

    /// Adds to what is `taken` all of these that go with it, and halves them where they do not.
    fn divide(&self, singles: &[Transaction], answer: &mut Answer) -> anyhow::Result<()> {
        if singles.is_empty() {
            return Ok(());
        }
        let taken = together(&answer.taken);
        let whole = singles.iter().fold(taken.clone(), Transaction::and);
        match (singles, self.simulate(&whole, singles)?) {
            (_, Ok(simulation)) => {
                answer.taken.extend_from_slice(singles);
                answer.simulation = simulation;
            }
            ([single], Err(why)) => {
                let why = explained(self.root, single, &taken, why);
                answer.failed.extend(all(single, &why));
            }
            (_, Err(_)) => {
                let (first, second) = singles.split_at(singles.len() / 2);
                self.divide(first, answer)?;
                self.divide(second, answer)?;
            }
        }
        Ok(())
    }

    /// What apt would do, in its own words; or why it would not, about what was `added`.
    pub(super) fn simulate(
        &self,
        whole: &Transaction,
        added: &[Transaction],
    ) -> anyhow::Result<Result<String, String>> {
        // What is purged is removed in the first call.
        let Some(call) = whole.calls().into_iter().next() else {
            return Ok(Ok(String::new()));
        };
        let mut call = get::simulated(&call);
        if whole.packages().any(|package| self.held.contains(package)) {
            call = get::past_holds(call);
        }
        let [program, arguments @ ..] = call.as_slice() else {
            return Ok(Ok(String::new()));
        };
        let output = Command::new(program)
            .args(available::options(self.root))
            .args(arguments)
            .env_clear()
            .envs(get::environment())
            .stdin(Stdio::null())
            .output()
            .context("cannot run apt-get")?;
        let mut told = String::from_utf8_lossy(&output.stdout).into_owned();
        told.push_str(&String::from_utf8_lossy(&output.stderr));
        let asked = match added {
            [single] => single,
            _ => whole,
        };
        if !output.status.success() {
            let outcome = match output.status.code() {
                Some(code) => Outcome::Exited(code),
                None => Outcome::Signal(output.status.signal().unwrap_or_default()),
            };
            return Ok(Err(complaint(asked, &told, &outcome)));
        }
        Ok(match unlisted(whole, asked, &told) {
            Some(why) => Err(why),
            None => Ok(told),
        })
    }
}

/// All of these as one.
pub(super) fn together(singles: &[Transaction]) -> Transaction {
    singles
        .iter()
        .fold(Transaction::default(), Transaction::and)
}

/// Each package of a transaction with this complaint.
pub(super) fn all(transaction: &Transaction, complaint: &str) -> Failed {
    transaction
        .packages()
        .map(|package| (package.to_owned(), complaint.to_owned()))
        .collect()
}

/// Why a simulation is a refusal: it removes what nobody listed, or takes a package to another version than the role
/// names. `asked` is what the answer is about.
pub(super) fn unlisted(
    whole: &Transaction,
    asked: &Transaction,
    simulation: &str,
) -> Option<String> {
    let listed: BTreeSet<&str> = goes(whole).into_iter().collect();
    let also: Vec<String> = words::removals(simulation)
        .into_iter()
        .filter(|name| !listed.contains(name.as_str()))
        .collect();
    if !also.is_empty() {
        return Some(refusal(asked, &also));
    }
    let coming = |name: &str| whole.install.iter().any(|install| install.name == name);
    let mut moved = words::unpacked(simulation).filter(|one| !coming(one.name));
    moved.find_map(|one| {
        let wanted = whole.pinned.get(one.name)?;
        let (name, to, wanted_text) = (one.name, one.to, wanted.text());
        (!wanted.matches(to)).then(|| {
            format!("apt would also bring {name} to {to}, and the role wants {name} {wanted_text}")
        })
    })
}

/// Why one package may not go, where that is what was asked: apt's resolver, once it finds no way, often names others.
pub(super) fn explained(
    root: &Path,
    asked: &Transaction,
    beside: &Transaction,
    told: String,
) -> String {
    let ([package], true) = (&goes(asked)[..], asked.install.is_empty()) else {
        return told;
    };
    let going = goes(beside).into_iter().collect();
    match needed::by(root, package, &going) {
        Ok(by) if !by.is_empty() => refusal(asked, &by),
        Ok(_) | Err(_) => told,
    }
}

/// What a transaction takes away, without architectures.
fn goes(transaction: &Transaction) -> Vec<&str> {
    let names = transaction.remove.iter().chain(&transaction.purge);
    names.map(|name| words::plain(name)).collect()
}

/// What apt said of its own failure.
pub(super) fn complaint(asked: &Transaction, output: &str, outcome: &Outcome) -> String {
    let removed: Vec<String> = words::would_remove(output).into_iter().collect();
    if output.contains("remove is disabled") && !removed.is_empty() {
        return refusal(asked, &removed);
    }
    match words::complaint(output) {
        told if told.is_empty() => outcome.to_string(),
        told => told,
    }
}

fn refusal(asked: &Transaction, also: &[String]) -> String {
    let also = also.join(", ");
    let hint = "declare what may go with state = \"absent\"";
    match asked.install.is_empty() {
        true => format!("needed by {also}; {hint}"),
        false => format!("apt would also remove {also}; {hint}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::apt::get::{Downgrades, Install};
    use cfg_catalog::resource::package::Wanted;

    /// A root where `app` needs `lib` or what provides `other`, and where the index has some more.
    fn root() -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        let write = |path: &str, text: &str| {
            let path = root.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        let stanza = |words: &str| {
            format!("{words}\nArchitecture: all\nVersion: 1\nMaintainer: m\nDescription: d\n\n")
        };
        let installed = |name: &str, words: &str| {
            stanza(&format!(
                "Package: {name}\nStatus: install ok installed{words}"
            ))
        };
        let held = stanza("Package: held\nStatus: hold ok installed");
        let status = [
            installed("lib", ""),
            installed("app", "\nDepends: lib | other"),
            installed("alone", ""),
            installed("fixed", ""),
            installed("base", "").replace("Version: 1", "Version: 2"),
            installed("holder", "\nDepends: base (>= 2)"),
            held,
        ];
        let offered = |words: &str| stanza(&format!("{words}\nFilename: ./x.deb\nSize: 1"));
        let index = [
            offered("Package: good"),
            offered("Package: needy\nDepends: nowhere (>= 2)"),
            offered("Package: rival\nConflicts: alone"),
            offered("Package: instead\nConflicts: alone\nProvides: other"),
            offered("Package: newer\nDepends: fixed (>= 2)"),
            offered("Package: fixed").replace("Version: 1", "Version: 2"),
            offered("Package: base"),
            offered("Package: whole\nDepends: part (>= 2)"),
            offered("Package: part"),
            offered("Package: part").replace("Version: 1", "Version: 2"),
            offered("Package: unwanted"),
            offered("Package: pinned"),
            offered("Package: taker\nDepends: pinned"),
            offered("Package: bringer\nDepends: unwanted"),
            offered("Package: chooser\nDepends: unwanted | good"),
        ];
        write("var/lib/dpkg/status", &status.concat());
        write("var/lib/apt/lists/_repo_._Packages", &index.concat());
        write("etc/apt/sources.list", "deb [trusted=yes] file:/repo ./\n");
        write("etc/apt/preferences.d/none", "");
        write("var/lib/apt/lists/partial/none", "");
        root
    }

    fn transaction(install: &[&str], remove: &[&str]) -> Transaction {
        let install = install.iter().map(|name| Install {
            name: (*name).to_owned(),
            version: Some("1".into()),
        });
        Transaction {
            install: install.collect(),
            remove: remove.iter().map(|name| (*name).to_owned()).collect(),
            beside: vec!["unwanted-".into(), "fixed=1".into()],
            pinned: [("pinned".to_owned(), Wanted::Glob("3*".into()))].into(),
            downgrades: Downgrades::Listed,
            ..Transaction::default()
        }
    }

    #[test]
    fn apt_tells_what_it_refuses_and_why() {
        let root = root();
        let held = BTreeSet::from(["held".to_owned()]);
        let question = Question {
            root: root.path(),
            held: &held,
        };
        for (install, remove, wanted) in [
            (&["good"][..], &["alone"][..], &[][..]),
            (&[], &["held"], &[]),
            (&[], &["lib", "app"], &[]),
            (&["rival"], &["alone"], &[]),
            (
                &["rival"],
                &[],
                &[("rival", "apt would also remove alone;")],
            ),
            (
                &["good", "needy"],
                &["lib", "alone"],
                &[
                    (
                        "needy",
                        " needy : Depends: nowhere (>= 2) but it is not installable\n",
                    ),
                    // Nothing that goes with what stays is another way.
                    ("lib", "needed by app;"),
                ],
            ),
            // `alone` may not go, and `instead` does not come with it.
            (
                &["instead"],
                &["lib"],
                &[
                    ("instead", "apt would also remove alone;"),
                    ("lib", "needed by app;"),
                ],
            ),
            (&["instead"], &["lib", "alone"], &[]),
            // The role says that `unwanted` must not be there, and names the version of `fixed`.
            (&["newer"], &[], &[("newer", "Depends: fixed (>= 2)")]),
            (&["bringer"], &[], &[("bringer", "Depends: unwanted")]),
            (&["chooser"], &[], &[]),
            // Who is there keeps what it needs; of two that come, the first does.
            (&["base"], &[], &[("base", "apt would also remove holder;")]),
            (
                &["part", "whole"],
                &[],
                &[("whole", "Depends: part (>= 2)")],
            ),
            (&["whole", "part"], &[], &[("part", "Depends: part (>= 2)")]),
            // The role wants another version of it than there is.
            (
                &["taker", "good"],
                &[],
                &[(
                    "taker",
                    "apt would also bring pinned to 1, and the role wants pinned 3*",
                )],
            ),
        ] {
            let asked = transaction(install, remove);
            let refused = question.ask(&asked).unwrap().failed;
            let names: BTreeSet<&str> = refused.keys().map(String::as_str).collect();
            let expected: BTreeSet<&str> = wanted.iter().map(|(name, _)| *name).collect();
            assert_eq!(names, expected, "{asked:?}: {refused:?}");
            for (name, why) in wanted {
                assert!(refused[*name].contains(why), "{name}: {}", refused[*name]);
            }
        }
        let left: Vec<_> = std::fs::read_dir(root.path().join("var"))
            .unwrap()
            .collect();
        assert_eq!(left.len(), 1, "no cache is written: {left:?}");
    }
}
