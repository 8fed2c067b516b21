//! A local directory.

use super::{Store, StoreError};
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use std::sync::Arc;

pub(super) fn open(folder: &str) -> Result<Store, StoreError> {
    let at = |source| StoreError::Here {
        path: folder.to_owned(),
        source,
    };
    crate::folder::make(std::path::Path::new(folder)).map_err(at)?;
    // Without fsync an entry that was acknowledged could be gone after a power cut.
    let objects = LocalFileSystem::new_with_prefix(folder)
        .map_err(|error| at(std::io::Error::other(error)))?
        .with_fsync(true);
    Ok(Store {
        objects: Arc::new(objects),
        name: folder.into(),
        prefix: Path::ROOT,
    })
}
