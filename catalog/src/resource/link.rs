//! A symbolic link.

use super::Presence;
use crate::path::AbsPath;

/// A link that must stand there.
#[derive(Clone, Debug, PartialEq)]
pub struct Link {
    /// Where.
    pub path: AbsPath,
    /// Whether it must be there.
    pub state: Presence,
    /// Where it points, as written; none only when absent.
    pub target: Option<String>,
}
