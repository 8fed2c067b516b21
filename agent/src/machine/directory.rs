//! A directory and its attributes.

use super::attributes::Origin;
use super::below::names_in;
use super::error::EnactError;
use super::hands::{Hands, Spot};
use super::temporary::Over;
use super::walk::What;
use cfg_catalog::resource::Presence;
use cfg_catalog::resource::directory::Directory;

impl Hands<'_> {
    /// Brings a directory to what it must be; what it holds is the matter of others.
    ///
    /// # Errors
    /// Where it could not be done.
    pub fn directory(&self, directory: &Directory) -> Result<(), EnactError> {
        if directory.state == Presence::Absent {
            return self.remove(&directory.path, What::Directory);
        }
        let spot = self.spot(&directory.path)?;
        let over = match spot.entry.as_ref().map(|entry| (entry.what, entry)) {
            Some((What::Directory, entry)) => {
                let attributes = &directory.attributes;
                return self
                    .machine()
                    .amend(&spot.folder, &spot.name, entry, attributes);
            }
            None => Over::Rename,
            Some((What::Link, _)) => Over::Exchange,
            Some((What::File, _)) if directory.over_file => Over::File,
            Some((what @ (What::File | What::Special), _)) => {
                return Err(in_the_way(&spot, what.words()));
            }
        };
        let shown = directory.path.as_str();
        let origin = Origin::New(0o755);
        let numbers = self
            .machine()
            .numbers(shown, &directory.attributes, origin)?;
        self.new_directory(&spot.folder, &spot.name, &numbers, over)
    }

    /// Refuses a directory that has something in it, before anything is made to take its place.
    pub(crate) fn seems_empty(&self, spot: &Spot) -> Result<(), EnactError> {
        let Some(entry) = spot.folder.entry(&spot.name)? else {
            return Ok(());
        };
        let inner = spot.folder.below(self.machine().root(), &spot.name, entry);
        self.swept().sweep(&inner);
        if names_in(&inner)?.is_empty() {
            Ok(())
        } else {
            Err(in_the_way(spot, "a directory with content"))
        }
    }
}

/// Something stands there that is not replaced.
pub(crate) fn in_the_way(spot: &Spot, what: &'static str) -> EnactError {
    EnactError::InTheWay {
        path: spot.folder.shown(&spot.name),
        what,
    }
}
