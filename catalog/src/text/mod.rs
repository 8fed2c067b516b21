//! The operators' text: bytes of a catalog in, declarations with their places out.
//!
//! Everything here collects what is wrong and goes on, so that one check shows all errors.

mod answers;
pub(crate) mod declare;
pub mod diagnostic;
pub(crate) mod fleet;
pub(crate) mod keys;
pub(crate) mod literal;
pub(crate) mod names;
pub(crate) mod near;
pub(crate) mod params;
pub(crate) mod shape;
pub(crate) mod source;
pub(crate) mod tree;

use std::collections::BTreeMap;

/// A catalog as bytes, by path relative to `roles/`: `zookeeper/role.toml`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CatalogFiles(pub BTreeMap<String, Vec<u8>>);

/// The largest role.toml or template that is read, in bytes.
pub const MAX_TEXT: usize = 1 << 20;

/// The largest file of a catalog, in bytes.
pub const MAX_FILE: u64 = 64 << 20;
