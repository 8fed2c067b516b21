//! A source of packages, as one deb822 file with its keyring beside it.

use crate::digest::Digest;
use crate::resource::PathState;

/// An apt source: `/etc/apt/sources.list.d/cfg-NAME.sources`, and its key `/etc/apt/keyrings/cfg-NAME.asc` (or `.gpg`).
#[derive(Clone, Debug, PartialEq)]
pub struct Repository {
    /// Its name in the role.
    pub name: String,
    /// The rendered deb822 stanza, whole.
    pub sources: Vec<u8>,
    /// The key, from the role.
    pub key: Option<Key>,
}

/// A signing key that lies in the role.
#[derive(Clone, Debug, PartialEq)]
pub struct Key {
    /// ASCII-armoured (`.asc`) or binary (`.gpg`).
    pub armoured: bool,
    /// Its content.
    pub digest: Digest,
    /// Bytes.
    pub size: u64,
}

impl Repository {
    /// The stanza's path.
    pub fn sources_path(&self) -> String {
        format!("/etc/apt/sources.list.d/cfg-{}.sources", self.name)
    }

    /// The key's path, where it has one.
    pub fn key_path(&self) -> Option<String> {
        let key = self.key.as_ref()?;
        let ending = if key.armoured { "asc" } else { "gpg" };
        Some(format!("/etc/apt/keyrings/cfg-{}.{ending}", self.name))
    }
}

/// What stands at the two paths.
#[derive(Clone, Debug, PartialEq)]
pub struct RepositoryState {
    /// At [`Repository::sources_path`].
    pub sources: PathState,
    /// At [`Repository::key_path`].
    pub key: Option<PathState>,
}
