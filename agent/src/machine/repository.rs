//! A source of packages: its stanza, and its key before it, so that apt never sees one without the other.

use super::error::EnactError;
use super::hands::Hands;
use cfg_catalog::path::AbsPath;
use cfg_catalog::resource::file::{Content, File};
use cfg_catalog::resource::repository::Repository;
use cfg_catalog::resource::{Attributes, Mode, Presence};

impl Hands<'_> {
    /// Brings a source's two files to what they must be.
    ///
    /// # Errors
    /// Where one could not be written.
    pub fn repository(&self, repository: &Repository) -> Result<(), EnactError> {
        let files = files_of(repository)?;
        files.iter().try_for_each(|file| self.file(file))
    }
}

/// A source's files, in the order in which they come.
pub(crate) fn files_of(repository: &Repository) -> Result<Vec<File>, EnactError> {
    let mut files = Vec::new();
    if let Some((path, key)) = repository.key_path().zip(repository.key.as_ref()) {
        let content = Content::Blob {
            digest: key.digest,
            size: key.size,
        };
        files.push(for_everybody(&path, content)?);
    }
    let content = Content::Text(repository.sources.clone());
    files.push(for_everybody(&repository.sources_path(), content)?);
    Ok(files)
}

/// A file of root's that all may read: apt reads its sources as another user.
pub(crate) fn for_everybody(path: &str, content: Content) -> Result<File, EnactError> {
    let path: AbsPath = path
        .parse()
        .map_err(|error| EnactError::Unfit(format!("{path}: {error}")))?;
    Ok(File {
        path,
        state: Presence::Present,
        content: Some(content),
        attributes: Attributes {
            mode: Some(Mode(0o644)),
            owner: Some("root".into()),
            group: Some("root".into()),
        },
        validate: None,
        sensitive: false,
        create_only: false,
    })
}
