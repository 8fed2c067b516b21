//! When the index must be refreshed.

use anyhow::Context as _;
use cfg_catalog::digest::Digest;
use cfg_catalog::id::ResourceId;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// Why the index must be refreshed before packages change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stale {
    /// There is no list at all.
    Missing,
    /// The sources are not those of the last refresh.
    Sources,
    /// It is older than it may be.
    Old,
}

/// What the stamp says of an index that is not whole.
#[derive(Serialize, Deserialize)]
struct Lacking {
    /// The digest of all sources.
    sources: Digest,
    of: BTreeMap<ResourceId, String>,
}

/// The index of one root, and where its last refresh is written down.
pub struct Index<'a> {
    /// The root.
    pub root: &'a Path,
    /// A file of cfg's own that holds the digest of the sources at the last refresh that succeeded.
    pub stamp: PathBuf,
}

impl<'a> Index<'a> {
    /// The index of this root; cfg remembers things of it in `state`.
    pub fn of(root: &'a Path, state: &Path) -> Self {
        Self {
            root,
            stamp: state.join("apt-refreshed"),
        }
    }

    /// Whether, and why, a refresh is due.
    ///
    /// # Errors
    /// Where the sources cannot be read.
    pub fn stale(&self, max_age: Duration, now: SystemTime) -> anyhow::Result<Option<Stale>> {
        if !self.has_lists() {
            return Ok(Some(Stale::Missing));
        }
        let refreshed = self.refreshed();
        let same_sources = match std::fs::read_to_string(&self.stamp) {
            Ok(stamp) => stamp.trim() == self.sources()?.to_string(),
            // cfg never refreshed it; whoever did had the sources that are older than the lists.
            Err(_) => self.sources_changed() <= refreshed,
        };
        if !same_sources {
            return Ok(Some(Stale::Sources));
        }
        let age = refreshed.and_then(|at| now.duration_since(at).ok());
        Ok(age.is_some_and(|age| age > max_age).then_some(Stale::Old))
    }

    /// Writes down that the index was refreshed with the sources there are.
    ///
    /// # Errors
    /// Where the stamp cannot be written.
    pub fn refreshed_now(&self) -> anyhow::Result<()> {
        std::fs::write(&self.stamp, format!("{}\n", self.sources()?))
            .with_context(|| format!("cannot write {}", self.stamp.display()))
    }

    /// Writes down which sources that matter are not in the index, with apt's words, so that each run tries again.
    ///
    /// # Errors
    /// Where the stamp cannot be written.
    pub fn lacks(&self, of: &BTreeMap<ResourceId, String>) -> anyhow::Result<()> {
        let lacking = Lacking {
            sources: self.sources()?,
            of: of.clone(),
        };
        let text = serde_json::to_string(&lacking).context("apt's words do not go into JSON")?;
        std::fs::write(&self.stamp, format!("{text}\n"))
            .with_context(|| format!("cannot write {}", self.stamp.display()))
    }

    /// What the last refresh could not fetch of the sources there are, with apt's words; nothing where that cannot be read.
    pub fn lacking(&self) -> BTreeMap<ResourceId, String> {
        let stamp = std::fs::read(&self.stamp).unwrap_or_default();
        match serde_json::from_slice::<Lacking>(&stamp) {
            Ok(lacking) if self.sources().is_ok_and(|now| now == lacking.sources) => lacking.of,
            _ => BTreeMap::new(),
        }
    }

    fn lists(&self) -> PathBuf {
        self.root.join("var/lib/apt/lists")
    }

    fn has_lists(&self) -> bool {
        entries(&self.lists()).iter().any(|path| {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            name.ends_with("_InRelease") || name.ends_with("_Release") || name.contains("_Packages")
        })
    }

    /// The latest trace of a refresh by anybody.
    fn refreshed(&self) -> Option<SystemTime> {
        let lists = self.lists();
        [
            self.stamp.clone(),
            self.root.join("var/lib/apt/periodic/update-success-stamp"),
            lists.join("partial"),
            lists,
        ]
        .iter()
        .filter_map(|path| std::fs::metadata(path).ok()?.modified().ok())
        .max()
    }

    fn source_files(&self) -> Vec<PathBuf> {
        let etc = self.root.join("etc/apt");
        let mut files = vec![etc.join("sources.list")];
        for folder in ["sources.list.d", "keyrings", "trusted.gpg.d"] {
            files.extend(entries(&etc.join(folder)));
        }
        files.retain(|file| file.is_file());
        files
    }

    /// One digest over all sources and keys.
    fn sources(&self) -> anyhow::Result<Digest> {
        let mut hash = Sha256::new();
        for file in self.source_files() {
            let bytes =
                std::fs::read(&file).with_context(|| format!("cannot read {}", file.display()))?;
            hash.update(file.as_os_str().as_encoded_bytes());
            hash.update(b"\0");
            hash.update(Digest::of(&bytes).as_bytes());
        }
        Ok(Digest::from(<[u8; 32]>::from(hash.finalize())))
    }

    fn sources_changed(&self) -> Option<SystemTime> {
        self.source_files()
            .iter()
            .filter_map(|file| std::fs::metadata(file).ok()?.modified().ok())
            .max()
    }
}

/// A folder's entries by name; none where it is not there.
fn entries(folder: &Path) -> Vec<PathBuf> {
    let Ok(listing) = std::fs::read_dir(folder) else {
        return Vec::new();
    };
    let mut paths: Vec<_> = listing.flatten().map(|entry| entry.path()).collect();
    paths.sort();
    paths
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: Duration = Duration::from_secs(86_400);

    fn stale(root: &Path, later: Duration) -> Option<Stale> {
        index(root).stale(DAY, SystemTime::now() + later).unwrap()
    }

    fn index(root: &Path) -> Index<'_> {
        Index {
            root,
            stamp: root.join("stamp"),
        }
    }

    #[test]
    fn a_life() {
        let root = tempfile::tempdir().unwrap();
        let root = root.path();
        assert_eq!(stale(root, Duration::ZERO), Some(Stale::Missing));
        let etc = root.join("etc/apt/sources.list.d");
        std::fs::create_dir_all(&etc).unwrap();
        std::fs::write(etc.join("a.sources"), "one").unwrap();
        let lists = root.join("var/lib/apt/lists/partial");
        std::fs::create_dir_all(&lists).unwrap();
        assert_eq!(stale(root, Duration::ZERO), Some(Stale::Missing));
        std::fs::write(root.join("var/lib/apt/lists/x_InRelease"), "").unwrap();
        assert_eq!(
            stale(root, Duration::ZERO),
            None,
            "refreshed by somebody after the sources were written"
        );
        assert_eq!(stale(root, 2 * DAY), Some(Stale::Old));

        index(root).refreshed_now().unwrap();
        assert_eq!(stale(root, Duration::ZERO), None);
        std::fs::write(etc.join("a.sources"), "two").unwrap();
        assert_eq!(stale(root, Duration::ZERO), Some(Stale::Sources));
        std::fs::write(etc.join("a.sources"), "one").unwrap();
        assert_eq!(stale(root, Duration::ZERO), None, "the same sources again");
        std::fs::create_dir_all(root.join("etc/apt/keyrings")).unwrap();
        std::fs::write(root.join("etc/apt/keyrings/k.asc"), "key").unwrap();
        assert_eq!(stale(root, Duration::ZERO), Some(Stale::Sources));
        index(root).refreshed_now().unwrap();
        assert!(index(root).lacking().is_empty());
        let of = BTreeMap::from([("repository:a".parse().unwrap(), "E: no".to_owned())]);
        index(root).lacks(&of).unwrap();
        assert_eq!(stale(root, Duration::ZERO), Some(Stale::Sources));
        assert_eq!(index(root).lacking(), of);
        std::fs::write(etc.join("a.sources"), "three").unwrap();
        assert!(index(root).lacking().is_empty(), "of other sources");
    }
}
