//! A regular file.

use super::{Attributes, Presence, Shell};
use crate::digest::Digest;
use crate::path::AbsPath;

/// A file that must stand there with this content.
#[derive(Clone, Debug, PartialEq)]
pub struct File {
    /// Where.
    pub path: AbsPath,
    /// Whether it must be there.
    pub state: Presence,
    /// What it holds; none manages attributes alone.
    pub content: Option<Content>,
    /// Mode, owner, group.
    pub attributes: Attributes,
    /// Judges the new file (`%s`) before it takes its place.
    pub validate: Option<Shell>,
    /// Content is never shown, new ones get 0600.
    pub sensitive: bool,
    /// Content counts only while the file does not exist.
    pub create_only: bool,
}

/// Where a file's bytes come from, after rendering.
#[derive(Clone, Debug, PartialEq)]
pub enum Content {
    /// Rendered text, from `content` or `template`.
    Text(Vec<u8>),
    /// A file of the role, by digest, kept outside memory.
    Blob {
        /// Which.
        digest: Digest,
        /// Bytes.
        size: u64,
    },
}

impl Content {
    /// The digest of the bytes.
    pub fn digest(&self) -> Digest {
        match self {
            Content::Text(bytes) => Digest::of(bytes),
            Content::Blob { digest, .. } => *digest,
        }
    }
}
