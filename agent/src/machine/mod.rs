//! The machine below a [`Root`]: files, directories, links, accounts, and apt's sources.
//!
//! A [`Machine`] can only look. [`Hands`] can change it, and a dry run never has any.

mod account;
mod archive;
mod attributes;
mod below;
mod directory;
mod edit;
mod error;
mod file;
mod hands;
mod keep;
mod link;
mod mount;
mod observe;
mod read;
mod remove;
mod repository;
mod resource;
mod root;
mod spared;
mod sysctl;
mod temporary;
#[cfg(test)]
mod tests;
pub(crate) mod tool;
mod unpack;
mod validate;
mod walk;

pub use error::{EnactError, SysError, WalkError};
pub use hands::{BlobSource, Hands};
pub use observe::Wanted;
pub use read::ReadError;
pub use root::{Caller, Root};

use account::names::Names;

/// Looks at what stands below a root. It cannot write.
#[derive(Debug)]
pub struct Machine {
    root: Root,
    names: Names,
}

impl Machine {
    /// Looks below this root.
    pub fn new(root: &Root) -> Self {
        Self {
            root: root.clone(),
            names: Names::new(root),
        }
    }

    /// Where it looks.
    pub fn root(&self) -> &Root {
        &self.root
    }

    pub(crate) fn names(&self) -> &Names {
        &self.names
    }
}
