//! The folder in which cfg keeps what it must remember of a machine.

use crate::durable;
use anyhow::Context as _;
use cfg_catalog::id::ResourceId;
use cfg_catalog::plan::Ledger;
use cfg_catalog::plan::document::Document;
use cfg_catalog::plan::leftovers::Managed;
use rustix::fs::FlockOperation;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::collections::BTreeSet;
use std::fs::{File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

/// How many runs are remembered.
const RUNS: usize = 100;

/// `/var/lib/cfg`, or its like below `--root`.
#[derive(Clone, Debug)]
pub struct StateDir {
    path: PathBuf,
}

/// The machine's one run, for as long as this lives.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

impl StateDir {
    /// This folder; it is made when something is first written.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Makes it, readable by its owner alone. Gives the folders that were not there, the outermost first.
    ///
    /// # Errors
    /// Where that cannot be done.
    pub fn make(&self) -> anyhow::Result<Vec<PathBuf>> {
        let mut made = Vec::new();
        for folder in [self.path.clone(), self.runs()] {
            let new = durable::private_folder(&folder);
            made.extend(new.with_context(|| format!("cannot make {}", folder.display()))?);
        }
        Ok(made)
    }

    /// The lock of runs; none while another run has it.
    ///
    /// # Errors
    /// Where it cannot be opened.
    pub fn lock(&self) -> anyhow::Result<Option<Lock>> {
        let path = self.path.join("lock");
        let file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&path)
            .with_context(|| format!("cannot open {}", path.display()))?;
        match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Some(Lock { _file: file })),
            Err(rustix::io::Errno::WOULDBLOCK) => Ok(None),
            Err(error) => Err(error).with_context(|| format!("cannot lock {}", path.display())),
        }
    }

    /// What services and commands last read.
    ///
    /// # Errors
    /// Where it is there and cannot be read.
    pub fn ledger(&self) -> anyhow::Result<Ledger> {
        self.read("ledger.json")
    }

    /// Keeps it.
    ///
    /// # Errors
    /// Where it cannot be written.
    pub fn keep_ledger(&self, ledger: &Ledger) -> anyhow::Result<()> {
        self.write("ledger.json", ledger)
    }

    /// What cfg manages of the machine, or has managed.
    ///
    /// # Errors
    /// Where it is there and cannot be read.
    pub fn managed(&self) -> anyhow::Result<Managed> {
        self.read("managed.json")
    }

    /// Keeps it.
    ///
    /// # Errors
    /// Where it cannot be written.
    pub fn keep_managed(&self, managed: &Managed) -> anyhow::Result<()> {
        self.write("managed.json", managed)
    }

    /// Services that were started and not yet seen to pass the role's health.
    ///
    /// # Errors
    /// Where they are there and cannot be read.
    pub fn unproven(&self) -> anyhow::Result<BTreeSet<ResourceId>> {
        self.read("unproven.json")
    }

    /// Keeps them.
    ///
    /// # Errors
    /// Where they cannot be written.
    pub fn keep_unproven(&self, services: &BTreeSet<ResourceId>) -> anyhow::Result<()> {
        self.write("unproven.json", services)
    }

    fn read<T: DeserializeOwned + Default>(&self, name: &str) -> anyhow::Result<T> {
        let path = self.path.join(name);
        match std::fs::read(&path) {
            Ok(text) => serde_json::from_slice(&text)
                .with_context(|| format!("{} is damaged", path.display())),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(T::default()),
            Err(error) => Err(error).context(format!("cannot read {}", path.display())),
        }
    }

    fn write<T: Serialize>(&self, name: &str, value: &T) -> anyhow::Result<()> {
        let path = self.path.join(name);
        let text = serde_json::to_vec(value).context("what is kept does not go into JSON")?;
        // What is on disk already need not be written again.
        let stands = std::fs::read(&path).is_ok_and(|there| there == text);
        if stands {
            return Ok(());
        }
        durable::write(&path, &text).with_context(|| format!("cannot write {}", path.display()))
    }

    fn runs(&self) -> PathBuf {
        self.path.join("runs")
    }

    /// Where effects of runs are.
    pub fn effects(&self) -> PathBuf {
        self.path.join("effects")
    }

    /// Keeps the document of a run, and forgets the oldest.
    ///
    /// # Errors
    /// Where it cannot be written.
    pub fn keep_run(&self, run: &str, document: &Document) -> anyhow::Result<()> {
        let path = self.runs().join(format!("{run}.json"));
        let text = serde_json::to_vec(document).context("a run does not go into JSON")?;
        durable::replace(&path, &text)
            .with_context(|| format!("cannot write {}", path.display()))?;
        let mut names = self.run_names()?;
        let surplus = names.len().saturating_sub(RUNS);
        for name in names.drain(..surplus) {
            let path = self.runs().join(format!("{name}.json"));
            std::fs::remove_file(&path)
                .with_context(|| format!("cannot remove {}", path.display()))?;
        }
        Ok(())
    }

    /// The names of the runs that are remembered, the oldest first.
    ///
    /// # Errors
    /// Where they cannot be listed.
    pub fn run_names(&self) -> anyhow::Result<Vec<String>> {
        let listing = match std::fs::read_dir(self.runs()) {
            Ok(listing) => listing,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(error).context("cannot list the runs"),
        };
        let mut names: Vec<String> = listing
            .flatten()
            .filter_map(|entry| {
                Some(
                    entry
                        .file_name()
                        .to_str()?
                        .strip_suffix(".json")?
                        .to_owned(),
                )
            })
            .collect();
        names.sort();
        Ok(names)
    }

    /// The document of a run.
    ///
    /// # Errors
    /// Where it is not there or cannot be read.
    pub fn run(&self, name: &str) -> anyhow::Result<Document> {
        let path = self.runs().join(format!("{name}.json"));
        let text =
            std::fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
        serde_json::from_slice(&text).with_context(|| format!("{} is damaged", path.display()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use cfg_catalog::plan::document::{DryRun, Head};

    fn state() -> (tempfile::TempDir, StateDir) {
        let folder = tempfile::tempdir().unwrap();
        let state = StateDir::new(folder.path().join("var/lib/cfg"));
        state.make().unwrap();
        (folder, state)
    }

    #[test]
    fn one_run_at_a_time() {
        let (_folder, state) = state();
        let first = state.lock().unwrap();
        assert!(first.is_some());
        assert!(state.lock().unwrap().is_none());
        drop(first);
        assert!(state.lock().unwrap().is_some());
    }

    #[test]
    fn the_last_hundred_runs_are_kept() {
        let (_folder, state) = state();
        let document = Document::of_error(Head::default(), DryRun::No, "x");
        for run in 0..105 {
            state.keep_run(&format!("{run:03}"), &document).unwrap();
        }
        let names = state.run_names().unwrap();
        assert_eq!(names.len(), 100);
        assert_eq!(names[0], "005");
        assert_eq!(state.run("104").unwrap(), document);
        assert!(state.run("004").is_err());
    }

    #[test]
    fn a_damaged_ledger_is_an_error_and_none_is_empty() {
        let (_folder, state) = state();
        assert_eq!(state.ledger().unwrap(), Ledger::default());
        std::fs::write(state.path().join("ledger.json"), "{").unwrap();
        let error = format!("{:#}", state.ledger().unwrap_err());
        assert!(error.contains("ledger.json is damaged"), "{error}");
    }
}
