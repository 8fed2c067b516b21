//! A part of a file, brought to what it must be; the rest of it is what it is at that moment.

use super::directory::in_the_way;
use super::error::EnactError;
use super::hands::{Hands, Spot};
use super::walk::What;
use cfg_catalog::edit::apply;
use cfg_catalog::resource::edit::FileEdit;
use cfg_catalog::resource::file::{Content, File};
use cfg_catalog::resource::{Attributes, Presence};

impl Hands<'_> {
    /// Makes an edit. Owner, mode and all else that the file carries stay; a new one gets 0644, or 0600 if `sensitive`.
    ///
    /// # Errors
    /// Where it could not be done; then what stood there stands there still.
    pub fn edit(&self, edit: &FileEdit, sensitive: bool) -> Result<(), EnactError> {
        let path = edit.path.to_string();
        let spot = match edit.create {
            true => Some(self.spot(&edit.path)?),
            false => self.spot_if_there(&edit.path)?,
        };
        let spot = spot.ok_or(EnactError::NoContent { path: path.clone() })?;
        let old = self.content(edit, &spot)?;
        let new = apply(&old, &edit.edit).map_err(|why| EnactError::Edit { path, why })?;
        if new == old && spot.entry.is_some() {
            return Ok(());
        }
        let content = Content::Text(new);
        let file = File {
            path: edit.path.clone(),
            state: Presence::Present,
            content: None,
            attributes: Attributes::default(),
            validate: None,
            sensitive,
            create_only: false,
        };
        let draft = self.write(&file, &content, &spot)?;
        draft.sync()?;
        draft.settle(self, &file)
    }

    /// What the file holds now; nothing where it is to be made.
    fn content(&self, edit: &FileEdit, spot: &Spot) -> Result<Vec<u8>, EnactError> {
        let path = || edit.path.to_string();
        let Some(entry) = &spot.entry else {
            return match edit.create {
                true => Ok(Vec::new()),
                false => Err(EnactError::NoContent { path: path() }),
            };
        };
        if entry.what != What::File {
            return Err(in_the_way(spot, entry.what.words()));
        }
        let held = spot.folder.held(&spot.name, entry)?;
        let content = held.and_then(|held| held.content);
        content.ok_or_else(|| EnactError::Unread { path: path() })
    }
}
