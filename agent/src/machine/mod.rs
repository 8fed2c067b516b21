//! The machine below a [`Root`]: files, directories, links, accounts, and apt's sources.
//!
//! A [`Machine`] can only look. [`Hands`] can change it, and a dry run never has any.

mod account;
mod archive;
mod around;
mod attributes;
mod below;
mod directory;
mod edit;
mod error;
mod file;
mod files;
mod hands;
mod keep;
mod link;
mod mount;
mod observe;
mod outlook;
mod read;
mod refusal;
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
mod trees;
mod unpack;
mod validate;
mod walk;

pub use error::{EnactError, SysError, WalkError};
pub use hands::{BlobSource, Hands};
pub(crate) use mount::{file_of_table, path_of_table};
pub use observe::Wanted;
pub(crate) use outlook::{Foreseen, Outlook};
pub use read::ReadError;
pub use root::{Caller, Root};
pub(crate) use temporary::Swept;
pub(crate) use unpack::{Imagined, Stands};

use account::names::Names;
use cfg_catalog::path::AbsPath;
use cfg_catalog::plan::Places;
use std::borrow::Borrow;
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use walk::Reached;

/// Looks at what stands below a root. It cannot write.
#[derive(Debug)]
pub struct Machine {
    root: Root,
    names: Names,
    /// The folder that was walked to last, where all looks belong to one moment.
    last: Option<Mutex<Last>>,
}

/// What looks that belong together have walked.
#[derive(Debug, Default)]
struct Last {
    walked: Option<Walked>,
    /// Folders that links led to.
    places: Places,
    /// Folders to which no way led.
    lost: BTreeSet<AbsPath>,
}

/// A path, and where the walk to it ended.
type Walked = (AbsPath, Arc<Reached>);

impl Machine {
    /// Looks below this root.
    pub fn new(root: &Root) -> Self {
        Self {
            root: root.clone(),
            names: Names::new(root, false),
            last: None,
        }
    }

    /// Looks below this root at many things together: who is who is read once, and what lies in one folder is looked at
    /// from the folder, which stays open meanwhile.
    pub fn at_once(root: &Root) -> Self {
        Self {
            root: root.clone(),
            names: Names::new(root, true),
            last: Some(Mutex::default()),
        }
    }

    /// Walks to a folder; not again where the last walk was to it, in looks that belong together.
    fn reach(&self, path: &AbsPath) -> Result<Arc<Reached>, WalkError> {
        let Some(last) = &self.last else {
            return self.root.folder(path).map(Arc::new);
        };
        let mut last = last.lock().unwrap_or_else(|broken| broken.into_inner());
        if let Some((walked, reached)) = &last.walked
            && walked == path
        {
            return Ok(Arc::clone(reached));
        }
        let walked = self.root.folder(path).map(Arc::new);
        self.note(path, &walked, &mut last);
        let reached = walked?;
        last.walked = Some((path.clone(), Arc::clone(&reached)));
        Ok(reached)
    }

    /// Where a folder is, or would be, that was walked to through links, and the folders on the way to it that lie elsewhere too.
    fn note(
        &self,
        path: &AbsPath,
        walked: &Result<impl Borrow<Reached>, WalkError>,
        last: &mut Last,
    ) {
        let elsewhere = match walked {
            Ok(reached) => reached.borrow().elsewhere(path),
            Err(WalkError::Dangling { there, .. } | WalkError::NotAFolder { there, .. }) => {
                there.as_deref().cloned()
            }
            // What leads in a circle is nowhere; the way to that may lead elsewhere all the same.
            Err(_) => None,
        };
        match elsewhere {
            Some(place) => last.places.note(path.clone(), place),
            None if walked.is_ok() || !last.lost.insert(path.clone()) => return,
            None => {}
        }
        let known = |above: &AbsPath| last.places.has(above) || last.lost.contains(above);
        if let Some(above) = path.parent().filter(|above| !known(above)) {
            self.note(&above, &self.root.folder(&above), last);
        }
    }

    /// Where the folders really are that looks which belong together have come to through links.
    pub fn places(&self) -> Places {
        let last = self.last.as_ref();
        let last = last.map(|last| last.lock().unwrap_or_else(|broken| broken.into_inner()));
        last.map(|last| last.places.clone()).unwrap_or_default()
    }

    /// Where it looks.
    pub fn root(&self) -> &Root {
        &self.root
    }

    pub(crate) fn names(&self) -> &Names {
        &self.names
    }
}
