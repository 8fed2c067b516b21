//! A symbolic link.

use super::directory::in_the_way;
use super::error::EnactError;
use super::hands::Hands;
use super::temporary::{Over, Temporary};
use super::walk::What;
use cfg_catalog::resource::Presence;
use cfg_catalog::resource::link::Link;

impl Hands<'_> {
    /// Brings a link to its target.
    ///
    /// # Errors
    /// Where it could not be done; then what stood there stands there still.
    pub fn link(&self, link: &Link) -> Result<(), EnactError> {
        let target = match (link.state, &link.target) {
            (Presence::Present, Some(target)) => target,
            (Presence::Absent, _) => return self.remove(&link.path, What::Link),
            (Presence::Present, None) => {
                return Err(EnactError::NoContent {
                    path: link.path.to_string(),
                });
            }
        };
        let spot = self.spot(&link.path)?;
        let over = match spot.entry.as_ref().map(|entry| entry.what) {
            None | Some(What::Link) => Over::Rename,
            Some(What::File) if link.over_file => Over::Rename,
            Some(What::Directory) => {
                self.seems_empty(&spot)?;
                Over::Exchange
            }
            Some(what @ (What::File | What::Special)) => {
                return Err(in_the_way(&spot, what.words()));
            }
        };
        Temporary::link(&spot.folder, target)?.settle(&spot.name, over)
    }
}
