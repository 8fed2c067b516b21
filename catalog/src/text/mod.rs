//! The operators' text: bytes of a catalog in, declarations with their places out.
//!
//! Everything here collects what is wrong and goes on, so that one check shows all errors.

mod answers;
pub mod date;
pub(crate) mod declare;
pub(crate) mod declared;
pub mod diagnostic;
mod dotted;
pub(crate) mod edits;
pub(crate) mod fleet;
pub(crate) mod foreign;
pub(crate) mod given;
pub mod keys;
mod limit;
pub(crate) mod literal;
mod logins;
pub(crate) mod names;
pub mod near;
pub(crate) mod param_value;
pub(crate) mod params;
pub(crate) mod remedy;
mod same;
pub mod schema;
pub(crate) mod secrets;
pub(crate) mod shape;
pub(crate) mod source;
pub(crate) mod tree;
pub(crate) mod unclear;
mod uris;
pub mod words;

use std::collections::{BTreeMap, BTreeSet};

/// A catalog's files, by path relative to `roles/`: `zookeeper/role.toml`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CatalogFiles {
    /// What they hold.
    pub bytes: BTreeMap<String, Vec<u8>>,
    /// Those that their owner may execute. It is all that counts of modes, so that the same catalog is the same release
    /// whatever umask it was checked out with.
    pub executable: BTreeSet<String>,
}

impl FromIterator<(String, Vec<u8>)> for CatalogFiles {
    /// None of them executable.
    fn from_iter<I: IntoIterator<Item = (String, Vec<u8>)>>(files: I) -> Self {
        Self {
            bytes: files.into_iter().collect(),
            executable: BTreeSet::new(),
        }
    }
}

/// The largest role.toml or template that is read, in bytes.
pub const MAX_TEXT: usize = 1 << 20;

/// The largest file of a catalog, in bytes.
pub const MAX_FILE: u64 = 64 << 20;
