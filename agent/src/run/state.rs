//! The folder in which cfg keeps what it must remember of a machine.

use crate::{durable, errno};
use anyhow::Context as _;
use cfg_catalog::digest::Digest;
use cfg_catalog::id::ResourceId;
use cfg_catalog::plan::Ledger;
use cfg_catalog::plan::leftovers::{Contents, Managed};
use cfg_catalog::resource::Shell;
use rustix::fs::{FallocateFlags, FlockOperation};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::fs::{File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

/// Locked while a run may disrupt what the machine does.
const DISRUPTING: &str = "disrupting";

/// Bytes: more than the document of all but the largest runs has.
const RESERVE: u64 = 1 << 20;

/// `/var/lib/cfg`, or its like below `--root`.
#[derive(Clone, Debug)]
pub struct StateDir {
    path: PathBuf,
}

/// The machine's one run, or that it disrupts, for as long as this lives.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

/// Which record of what is managed stays as it is, and for which role.
#[derive(Serialize, Deserialize)]
struct Settled {
    /// The record.
    record: Digest,
    /// The role, by its stamp.
    role: Digest,
}

/// Space that is set aside until this is dropped.
#[derive(Debug)]
pub struct Reserve {
    path: PathBuf,
}

impl Drop for Reserve {
    fn drop(&mut self) {
        // What stays is taken over by the next run.
        let _ = std::fs::remove_file(&self.path);
    }
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
        self.locked("lock", FlockOperation::NonBlockingLockExclusive)
    }

    /// The lock of the daemon; none while another one runs.
    ///
    /// # Errors
    /// Where it cannot be opened.
    pub fn watch(&self) -> anyhow::Result<Option<Lock>> {
        let made = durable::private_folder(&self.path);
        made.with_context(|| format!("cannot make {}", self.path.display()))?;
        self.locked("agent", FlockOperation::NonBlockingLockExclusive)
    }

    /// From now on a run may disrupt what the machine does, for as long as this lives, or its process.
    ///
    /// # Errors
    /// Where that cannot be noted.
    pub fn disrupt(&self) -> anyhow::Result<Option<Lock>> {
        // Who looks whether it is so has it for a moment.
        self.locked(DISRUPTING, FlockOperation::LockExclusive)
    }

    /// Whether a run of any process may disrupt what the machine does, or nobody can tell.
    pub fn is_disrupted(&self) -> bool {
        if !self.path.join(DISRUPTING).exists() {
            return false;
        }
        match self.locked(DISRUPTING, FlockOperation::NonBlockingLockShared) {
            Ok(free) => free.is_none(),
            Err(error) => {
                tracing::warn!("{error:#}");
                true
            }
        }
    }

    /// The lock of this name, which its file and its process keep; none where it would have to be waited for.
    fn locked(&self, name: &str, how: FlockOperation) -> anyhow::Result<Option<Lock>> {
        let path = self.path.join(name);
        let file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&path)
            .map_err(errno::explained)
            .with_context(|| format!("cannot open {}", path.display()))?;
        match rustix::fs::flock(&file, how) {
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

    /// The stamp of the role whose run has nothing to put on record as long as it changes nothing, and knows of nothing
    /// left over; none where the record is another than it was then, or that cannot be told.
    pub fn settled_for(&self) -> Option<Digest> {
        let Settled { record, role } = self.read::<Option<Settled>>("settled.json").ok()??;
        let same = Digest::of(&std::fs::read(self.path.join("managed.json")).ok()?) == record;
        same.then_some(role)
    }

    /// Notes that it is so of the record as it is, and of this role.
    ///
    /// # Errors
    /// Where that cannot be written.
    pub fn settle_for(&self, role: &Digest) -> anyhow::Result<()> {
        let Ok(record) = std::fs::read(self.path.join("managed.json")) else {
            // Where there is none, nothing is saved.
            return Ok(());
        };
        let record = Digest::of(&record);
        self.write(
            "settled.json",
            &Settled {
                record,
                role: *role,
            },
        )
    }

    /// Where contents are that were there before cfg changed them.
    fn former(&self) -> PathBuf {
        self.path.join("former")
    }

    /// Keeps contents that were there before, for root alone; to be done before the record that counts on them.
    ///
    /// # Errors
    /// Where they cannot be written.
    pub fn keep_former(&self, contents: &Contents) -> anyhow::Result<()> {
        if contents.is_empty() {
            return Ok(());
        }
        let folder = self.former();
        durable::private_folder(&folder)
            .with_context(|| format!("cannot make {}", folder.display()))?;
        for (digest, content) in contents {
            let path = folder.join(digest.to_string());
            if std::fs::metadata(&path).is_ok_and(|seen| seen.len() == content.len() as u64) {
                continue;
            }
            durable::write(&path, content)
                .with_context(|| format!("cannot write {}", path.display()))?;
        }
        Ok(())
    }

    /// Forgets all of them but these; to be done after the record that counts on them.
    ///
    /// # Errors
    /// Where they cannot be listed or removed.
    pub fn forget_former(&self, but: &BTreeSet<Digest>) -> anyhow::Result<()> {
        let folder = self.former();
        let listing = match std::fs::read_dir(&folder) {
            Ok(listing) => listing,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
            Err(error) => {
                return Err(error).context(format!("cannot list {}", folder.display()));
            }
        };
        for entry in listing.flatten() {
            let name = entry.file_name();
            let digest = name.to_str().and_then(|name| name.parse().ok());
            if digest.is_none_or(|digest| !but.contains(&digest)) {
                let path = entry.path();
                durable::remove(&path)
                    .with_context(|| format!("cannot remove {}", path.display()))?;
            }
        }
        Ok(())
    }

    /// One of them, whole and checked.
    ///
    /// # Errors
    /// Where it is not there, cannot be read, or is another by now.
    pub fn former_content(&self, digest: &Digest) -> std::io::Result<Vec<u8>> {
        let content = std::fs::read(self.former().join(digest.to_string()))?;
        match Digest::of(&content) == *digest {
            true => Ok(content),
            false => Err(std::io::Error::other(format!("{digest} is damaged"))),
        }
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

    /// How the health was asked of what this machine was last made to be as a whole.
    ///
    /// # Errors
    /// Where it is there and cannot be read.
    pub fn health(&self) -> anyhow::Result<Option<Shell>> {
        self.read("health.json")
    }

    /// Keeps it.
    ///
    /// # Errors
    /// Where it cannot be written.
    pub fn keep_health(&self, command: &Shell) -> anyhow::Result<()> {
        self.write("health.json", &Some(command))
    }

    fn read<T: DeserializeOwned + Default>(&self, name: &str) -> anyhow::Result<T> {
        let path = self.path.join(name);
        match std::fs::read(&path) {
            Ok(text) => serde_json::from_slice(&text).with_context(|| {
                let loss = loss(name);
                format!("{} is damaged; to remove it {loss}", path.display())
            }),
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

    /// Sets aside what writing down the end of a run takes, before the run begins: a run that could not be remembered
    /// changes nothing.
    ///
    /// # Errors
    /// Where there is no room.
    pub fn reserve(&self) -> anyhow::Result<Reserve> {
        let reserve = Reserve {
            path: self.path.join("reserve"),
        };
        let took = || -> std::io::Result<()> {
            let mut options = OpenOptions::new();
            let file = options
                .write(true)
                .create(true)
                .truncate(true)
                .mode(0o600)
                .open(&reserve.path)?;
            match rustix::fs::fallocate(&file, FallocateFlags::empty(), 0, RESERVE) {
                // Some file systems set nothing aside.
                Ok(()) | Err(rustix::io::Errno::OPNOTSUPP) => Ok(()),
                Err(error) => Err(error.into()),
            }
        };
        took().map_err(errno::explained).with_context(|| {
            let path = self.path.display();
            format!("nothing is changed, since the run could not be written down in {path}")
        })?;
        Ok(reserve)
    }

    /// Where effects of runs are.
    pub fn effects(&self) -> PathBuf {
        self.path.join("effects")
    }
}

/// What comes of it where a file of the state is removed.
fn loss(name: &str) -> &'static str {
    match name {
        "ledger.json" => {
            "runs each command on changes once more, and restarts what started before the last change of what it reads"
        }
        "managed.json" => {
            "forgets what was there before cfg, which can then not be brought back, and what is left over"
        }
        _ => "forgets what cfg last knew of the health of the role",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
    fn space_is_set_aside_until_it_is_needed() {
        let (folder, state) = state();
        let reserve = state.reserve().unwrap();
        let file = state.path().join("reserve");
        assert_eq!(std::fs::metadata(&file).unwrap().len(), RESERVE);
        drop(reserve);
        assert!(!file.exists());
        let none = StateDir::new(folder.path().join("none"));
        let error = format!("{:#}", none.reserve().unwrap_err());
        assert!(error.starts_with("nothing is changed, since "), "{error}");
    }

    #[test]
    fn contents_of_before_are_private_whole_and_forgotten() {
        use std::os::unix::fs::PermissionsExt as _;
        let (_folder, state) = state();
        state.forget_former(&BTreeSet::new()).unwrap();
        let digests = [b"one", b"two"].map(|content| Digest::of(content));
        let contents: Contents =
            [(digests[0], b"one".to_vec()), (digests[1], b"two".to_vec())].into();
        state.keep_former(&contents).unwrap();
        state.keep_former(&contents).unwrap();
        assert_eq!(state.former_content(&digests[0]).unwrap(), b"one");
        let file = state.former().join(digests[0].to_string());
        for (path, mode) in [(file.clone(), 0o600), (state.former(), 0o700)] {
            let seen = std::fs::metadata(path).unwrap().permissions().mode();
            assert_eq!(seen & 0o777, mode);
        }
        std::fs::write(&file, "eno").unwrap();
        let error = state.former_content(&digests[0]).unwrap_err();
        assert!(error.to_string().contains("damaged"), "{error}");
        state.forget_former(&[digests[1]].into()).unwrap();
        assert!(state.former_content(&digests[0]).is_err());
        assert_eq!(state.former_content(&digests[1]).unwrap(), b"two");
    }

    #[test]
    fn a_damaged_ledger_is_an_error_and_none_is_empty() {
        let (_folder, state) = state();
        assert_eq!(state.ledger().unwrap(), Ledger::default());
        std::fs::write(state.path().join("ledger.json"), "{").unwrap();
        let error = format!("{:#}", state.ledger().unwrap_err());
        assert!(
            error.contains("ledger.json is damaged; to remove it"),
            "{error}"
        );
    }
}
