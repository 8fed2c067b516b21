//! What is published: a manifest, one part a role, a tree of node layers, and blobs; all by digest.

pub mod nodes;
pub mod part;
pub mod publish;

use crate::digest::Digest;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The format this version writes, and the newest it reads.
pub const FORMAT: u32 = 1;

/// A release: its name is the digest of these bytes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// [`FORMAT`] of the writer.
    pub format: u32,
    /// The digest of each role's part, by the role's name. Partial roles are not among them.
    pub roles: BTreeMap<String, Digest>,
}

/// Says which release a fleet runs; detached from it, so that it can be signed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Envelope {
    /// [`FORMAT`] of the writer.
    pub format: u32,
    /// The fleet's name, given at `cfg-server init`.
    pub fleet: String,
    /// The manifest's digest.
    pub release: Digest,
    /// 1 and up, each above the one before; a gap is what machines have seen before the server was restored.
    pub sequence: u64,
    /// The release before, where there is one.
    pub previous: Option<Digest>,
}
