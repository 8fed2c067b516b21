//! What the agent keeps of the server's answers: the last good role in one file, and its blobs beside it.

use super::assignment::{Assignment, Documents, For, Rejection};
use crate::durable;
use cfg_catalog::digest::Digest;
use std::collections::BTreeSet;
use std::fs::{File, TryLockError};
use std::io::{self, Read, Seek as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How often a lock that another process holds is tried.
const LOCK_POLL: Duration = Duration::from_millis(100);

/// The state folder, as far as the server's answers are concerned.
#[derive(Clone, Debug)]
pub struct Kept {
    state: PathBuf,
}

/// Why what is kept could not be used or changed.
#[derive(Debug, thiserror::Error)]
pub enum KeptError {
    /// The file system.
    #[error("{}", path.display())]
    Disk {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// What lies there is not what was put there.
    #[error("what is kept in {} is damaged: {why}", path.display())]
    Damaged {
        /// Which file.
        path: PathBuf,
        /// How.
        why: String,
    },
}

impl Kept {
    /// Below this state folder; nothing is made yet.
    pub fn new(state: &Path) -> Self {
        Self {
            state: state.to_path_buf(),
        }
    }

    fn current(&self) -> PathBuf {
        self.state.join("current.json")
    }

    fn blobs(&self) -> PathBuf {
        self.state.join("blobs")
    }

    fn blob(&self, digest: &Digest) -> PathBuf {
        self.blobs().join(digest.to_string())
    }

    /// The last good role, checked again; none before the first.
    ///
    /// # Errors
    /// Where it cannot be read, or is no longer what was kept.
    pub fn load(&self, whose: For<'_>) -> Result<Option<Assignment>, KeptError> {
        let path = self.current();
        let Some(bytes) = durable::read(&path).map_err(|source| failed(&path, source))? else {
            return Ok(None);
        };
        let damaged = |why: String| KeptError::Damaged {
            path: path.clone(),
            why,
        };
        let documents: Documents =
            serde_json::from_slice(&bytes).map_err(|error| damaged(error.to_string()))?;
        documents
            .verify(whose)
            .map(Some)
            .map_err(|rejection: Rejection| damaged(rejection.to_string()))
    }

    /// Keeps other processes from changing the role until the lock is dropped.
    ///
    /// # Errors
    /// Of the file system.
    pub async fn lock(&self) -> Result<File, KeptError> {
        let path = self.state.join("sync.lock");
        let failed = |source| failed(&path, source);
        durable::private_folder(&self.state).map_err(failed)?;
        let file = File::create(&path).map_err(failed)?;
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(file),
                Err(TryLockError::WouldBlock) => tokio::time::sleep(LOCK_POLL).await,
                Err(TryLockError::Error(source)) => return Err(failed(source)),
            }
        }
    }

    /// Takes the place of the last good role in one step, and lets go of all blobs but these: its own, which were
    /// kept before, and those of a run that may be under way with the last role.
    ///
    /// # Errors
    /// Of the file system; the last role then stays.
    pub fn store(&self, documents: &Documents, blobs: &BTreeSet<Digest>) -> Result<(), KeptError> {
        let path = self.current();
        let bytes = serde_json::to_vec(documents).map_err(|error| KeptError::Damaged {
            path: path.clone(),
            why: error.to_string(),
        })?;
        let unchanged = durable::read(&path).is_ok_and(|kept| kept.as_deref() == Some(&bytes[..]));
        if unchanged {
            return Ok(());
        }
        durable::private_folder(&self.state)
            .and_then(|_made| durable::write(&path, &bytes))
            .map_err(|source| failed(&path, source))?;
        self.sweep(blobs)
    }

    /// Forgets the role, for a machine that enrols elsewhere.
    ///
    /// # Errors
    /// Of the file system.
    pub fn forget(&self) -> Result<(), KeptError> {
        let path = self.current();
        durable::remove(&path).map_err(|source| failed(&path, source))
    }

    /// Removes every blob but these, and what a crash left half-written.
    fn sweep(&self, wanted: &BTreeSet<Digest>) -> Result<(), KeptError> {
        let folder = self.blobs();
        let entries = match std::fs::read_dir(&folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(failed(&folder, error)),
        };
        for entry in entries {
            let path = entry.map_err(|source| failed(&folder, source))?.path();
            let digest = path
                .file_name()
                .and_then(|name| name.to_str()?.parse().ok());
            if digest.is_none_or(|digest: Digest| !wanted.contains(&digest)) {
                durable::remove(&path).map_err(|source| failed(&path, source))?;
            }
        }
        Ok(())
    }

    /// Whether a blob of this digest and size lies there.
    pub fn has(&self, digest: &Digest, size: u64) -> bool {
        std::fs::metadata(self.blob(digest)).is_ok_and(|meta| meta.is_file() && meta.len() == size)
    }

    /// Keeps a blob, whose digest the caller has checked.
    ///
    /// # Errors
    /// Of the file system.
    pub fn put(&self, digest: &Digest, content: &[u8]) -> Result<(), KeptError> {
        let path = self.blob(digest);
        durable::private_folder(&self.blobs())
            .and_then(|_made| durable::write(&path, content))
            .map_err(|source| failed(&path, source))
    }

    /// Opens a blob, after its content was checked again. A damaged one is thrown away, so that it is fetched anew.
    ///
    /// # Errors
    /// Where it is not there, or was damaged.
    pub fn open(&self, digest: &Digest) -> io::Result<File> {
        let path = self.blob(digest);
        let mut file = File::open(&path)?;
        if digest_of(&mut file)? != *digest {
            durable::remove(&path)?;
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                format!("the kept content {digest} was damaged; it will be fetched again"),
            ));
        }
        file.rewind()?;
        Ok(file)
    }
}

fn failed(path: &Path, source: io::Error) -> KeptError {
    KeptError::Disk {
        path: path.to_path_buf(),
        source,
    }
}

fn digest_of(file: &mut File) -> io::Result<Digest> {
    use sha2::Digest as _;
    let mut hash = sha2::Sha256::new();
    let mut buffer = vec![0; 64 << 10];
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(Digest::from(<[u8; 32]>::from(hash.finalize()))),
            count => hash.update(&buffer[..count]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::assignment::tests::{VM1, reply};
    use super::*;

    fn documents(sequence: u64) -> Documents {
        Documents::of(reply(sequence, None, &[])).unwrap()
    }

    #[test]
    fn the_last_good_role_survives() {
        let folder = tempfile::tempdir().unwrap();
        let kept = Kept::new(&folder.path().join("state"));
        assert!(kept.load(VM1).unwrap().is_none());
        kept.store(&documents(1), &BTreeSet::new()).unwrap();
        kept.store(&documents(2), &BTreeSet::new()).unwrap();
        assert_eq!(kept.load(VM1).unwrap().unwrap().envelope.sequence, 2);
        let elsewhere = For {
            name: "vm-2",
            ..VM1
        };
        assert!(kept.load(elsewhere).is_err(), "never another machine's");
        kept.forget().unwrap();
        assert!(kept.load(VM1).unwrap().is_none());
    }

    #[tokio::test]
    async fn one_at_a_time() {
        let folder = tempfile::tempdir().unwrap();
        let kept = Kept::new(&folder.path().join("state"));
        let held = kept.lock().await.unwrap();
        let second = tokio::time::timeout(LOCK_POLL * 3, kept.lock()).await;
        assert!(second.is_err(), "it waits");
        drop(held);
        kept.lock().await.unwrap();
    }

    #[test]
    fn damage_is_found() {
        let folder = tempfile::tempdir().unwrap();
        let kept = Kept::new(folder.path());
        kept.store(&documents(1), &BTreeSet::new()).unwrap();
        let path = folder.path().join("current.json");
        let text = std::fs::read_to_string(&path).unwrap();
        for damaged in [
            text.replace("web", "wab"),
            text[..text.len() / 2].to_string(),
        ] {
            std::fs::write(&path, damaged).unwrap();
            let why = kept.load(VM1).unwrap_err().to_string();
            assert!(why.contains("damaged"), "{why}");
        }
    }

    #[test]
    fn blobs_are_checked_and_swept() {
        let folder = tempfile::tempdir().unwrap();
        let kept = Kept::new(folder.path());
        let [a, b] = [b"a", b"b"].map(|bytes| Digest::of(bytes));
        kept.put(&a, b"a").unwrap();
        kept.put(&b, b"b").unwrap();
        assert!(kept.has(&a, 1) && !kept.has(&a, 2));
        std::fs::write(folder.path().join("blobs/.half"), "x").unwrap();
        kept.store(&documents(1), &[a].into()).unwrap();
        assert!(kept.has(&a, 1) && !kept.has(&b, 1));
        assert_eq!(
            std::fs::read_dir(folder.path().join("blobs"))
                .unwrap()
                .count(),
            1
        );
        let mut content = String::new();
        kept.open(&a).unwrap().read_to_string(&mut content).unwrap();
        assert_eq!(content, "a");
        std::fs::write(folder.path().join("blobs").join(a.to_string()), "x").unwrap();
        assert!(kept.has(&a, 1));
        assert!(kept.open(&a).is_err());
        assert!(!kept.has(&a, 1), "so that it is fetched again");
    }
}
