//! A directory.

use super::{Attributes, Presence};
use crate::digest::Digest;
use crate::path::AbsPath;

/// A directory that must stand there.
#[derive(Clone, Debug, PartialEq)]
pub struct Directory {
    /// Where.
    pub path: AbsPath,
    /// Whether it must be there.
    pub state: Presence,
    /// Mode, owner, group.
    pub attributes: Attributes,
    /// Everything below that no resource of the role claims is removed.
    pub purge: bool,
    /// A tree of the role: relative path to digest and size, sorted. The expansion into `file:` resources
    /// happens at rendering, so this is kept only to know that `below` must be observed.
    pub source: Vec<(String, Digest, u64)>,
}
