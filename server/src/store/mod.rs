//! Where everything lies: a local directory, or a container of Azure Blob Storage. Bytes by path.

mod azure;
mod local;

use crate::config::StoreConfig;
use bytes::Bytes;
use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt};
use object_store::path::Path;
use object_store::{ObjectMeta, ObjectStore, ObjectStoreExt, PutMode, PutPayload};
use std::sync::Arc;

/// A store. A write is durable, and seen by all, once it returns.
#[derive(Clone, Debug)]
pub struct Store {
    objects: Arc<dyn ObjectStore>,
    name: Arc<str>,
    prefix: Path,
}

/// What became of a creation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Created {
    /// It is there now.
    Now,
    /// Something stood there before; it is untouched.
    Before,
}

/// The store does not do what it should.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The configuration does not name a store.
    #[error("[store] url {url:?}: {why}")]
    Url {
        /// As configured.
        url: String,
        /// What is wrong with it.
        why: String,
    },
    /// A file or a folder here cannot be made or used.
    #[error("{path}")]
    Here {
        /// Which.
        path: String,
        /// Why.
        source: std::io::Error,
    },
    /// The container is not there.
    #[error(
        "the container of {store} does not exist; make it, for example by az storage container create"
    )]
    NoContainer {
        /// The store.
        store: String,
    },
    /// The credentials do not open it.
    #[error(
        "{store} refuses the credentials (AZURE_STORAGE_ACCOUNT_KEY, AZURE_STORAGE_SAS_KEY or an identity)"
    )]
    Credentials {
        /// The store.
        store: String,
        /// What it said.
        source: object_store::Error,
    },
    /// Anything else that went wrong there.
    #[error("{path} in {store}")]
    Failed {
        /// The store.
        store: String,
        /// What was read or written.
        path: String,
        /// What it said.
        source: object_store::Error,
    },
}

/// What a configuration names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place<'a> {
    /// A folder here.
    Folder(&'a str),
    /// A container of Azure Blob Storage, perhaps with a prefix.
    Azure(&'a str),
}

/// What a configuration names, wherever that may be.
///
/// # Errors
/// [`StoreError::Url`] where it is no store.
pub fn place(config: &StoreConfig) -> Result<Place<'_>, StoreError> {
    let why = match config.url.split_once("://") {
        Some(("azure", place)) => return Ok(Place::Azure(place)),
        Some(("file", path)) if path.starts_with('/') => return Ok(Place::Folder(path)),
        Some(("file", _)) => {
            "the path is not absolute: three slashes, as in file:///var/lib/cfg-server/store"
        }
        _ => "file:///FOLDER or azure://CONTAINER is wanted",
    };
    Err(StoreError::Url {
        url: config.url.clone(),
        why: why.into(),
    })
}

impl Store {
    /// Opens the store that is configured and sees whether it answers.
    ///
    /// # Errors
    /// Where it cannot be opened, with what an operator can do about it.
    pub async fn open(config: &StoreConfig) -> Result<Self, StoreError> {
        let store = match place(config)? {
            Place::Azure(place) => azure::open(config, place)?,
            Place::Folder(path) => local::open(path)?,
        };
        // Azure says "no such container" to a listing, and "no such blob" to nearly all else.
        store.list("log").next().await.transpose()?;
        Ok(store)
    }

    /// Over any other kind of store.
    #[cfg(test)]
    pub(crate) fn of(objects: Arc<dyn ObjectStore>) -> Self {
        Self {
            objects,
            name: "test".into(),
            prefix: Path::ROOT,
        }
    }

    /// What it is called in messages.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Creates what must not be there yet.
    ///
    /// # Errors
    /// Where the store fails; whether the bytes are there is then unknown.
    pub async fn create(&self, path: &str, bytes: Bytes) -> Result<Created, StoreError> {
        let (at, payload) = (self.at(path), PutPayload::from_bytes(bytes));
        let put = self.objects.put_opts(&at, payload, PutMode::Create.into());
        match put.await {
            Ok(_) => Ok(Created::Now),
            Err(object_store::Error::AlreadyExists { .. }) => Ok(Created::Before),
            Err(error) => Err(self.failed(path, error)),
        }
    }

    /// Writes, over whatever was there.
    ///
    /// # Errors
    /// Where the store fails.
    pub async fn write(&self, path: &str, bytes: Bytes) -> Result<(), StoreError> {
        let (at, payload) = (self.at(path), PutPayload::from_bytes(bytes));
        let put = self.objects.put(&at, payload).await;
        put.map(drop).map_err(|error| self.failed(path, error))
    }

    /// All bytes; none where nothing is there.
    ///
    /// # Errors
    /// Where the store fails.
    pub async fn read(&self, path: &str) -> Result<Option<Bytes>, StoreError> {
        let failed = |error| self.failed(path, error);
        match self.objects.get(&self.at(path)).await {
            Ok(found) => Ok(Some(found.bytes().await.map_err(failed)?)),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(failed(error)),
        }
    }

    /// The bytes as they come; none where nothing is there.
    ///
    /// # Errors
    /// Where the store fails.
    pub async fn stream(
        &self,
        path: &str,
    ) -> Result<Option<BoxStream<'static, Result<Bytes, StoreError>>>, StoreError> {
        match self.objects.get(&self.at(path)).await {
            Ok(found) => {
                let (store, path) = (self.clone(), path.to_owned());
                let failed = move |error| store.failed(&path, error);
                Ok(Some(found.into_stream().map_err(failed).boxed()))
            }
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(self.failed(path, error)),
        }
    }

    /// How many bytes are there; none where nothing is.
    ///
    /// # Errors
    /// Where the store fails.
    pub async fn size(&self, path: &str) -> Result<Option<u64>, StoreError> {
        match self.objects.head(&self.at(path)).await {
            Ok(meta) => Ok(Some(meta.size)),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(self.failed(path, error)),
        }
    }

    /// What is below a folder, in no order.
    pub fn list(&self, folder: &str) -> BoxStream<'static, Result<Listed, StoreError>> {
        self.found(folder, self.objects.list(Some(&self.at(folder))))
    }

    /// What is below a folder and sorts after a path; cheaper than all of it where the store can.
    pub fn list_after(
        &self,
        folder: &str,
        after: &str,
    ) -> BoxStream<'static, Result<Listed, StoreError>> {
        let (prefix, offset) = (self.at(folder), self.at(after));
        let listing = self.objects.list_with_offset(Some(&prefix), &offset);
        let after = after.to_owned();
        // An Azurite that is not called the emulator ignores the offset.
        self.found(folder, listing)
            .try_filter(move |found| std::future::ready(found.path > after))
            .boxed()
    }

    fn found(
        &self,
        folder: &str,
        listing: BoxStream<'static, object_store::Result<ObjectMeta>>,
    ) -> BoxStream<'static, Result<Listed, StoreError>> {
        let (store, folder) = (self.clone(), folder.to_owned());
        listing
            .map(move |found| match found {
                Ok(meta) => Ok(store.listed(meta)),
                Err(error) => Err(store.failed(&folder, error)),
            })
            .boxed()
    }

    /// Removes; what is not there is fine.
    ///
    /// # Errors
    /// Where the store fails.
    pub async fn remove(&self, path: &str) -> Result<(), StoreError> {
        match self.objects.delete(&self.at(path)).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(self.failed(path, error)),
        }
    }

    fn at(&self, path: &str) -> Path {
        self.prefix
            .parts()
            .chain(Path::from(path).parts())
            .collect()
    }

    fn listed(&self, meta: ObjectMeta) -> Listed {
        let path = meta.location.prefix_match(&self.prefix).map_or_else(
            || meta.location.to_string(),
            |parts| parts.collect::<Path>().to_string(),
        );
        Listed {
            path,
            version: meta.e_tag.unwrap_or_else(|| meta.last_modified.to_string()),
        }
    }

    fn failed(&self, path: &str, source: object_store::Error) -> StoreError {
        let store = self.name.to_string();
        // Of a listing, object_store gives only the text of what the other end said.
        let said = source.to_string();
        match &source {
            _ if said.contains("ContainerNotFound") => StoreError::NoContainer { store },
            object_store::Error::PermissionDenied { .. }
            | object_store::Error::Unauthenticated { .. } => {
                StoreError::Credentials { store, source }
            }
            _ if said.contains("status code: 401") || said.contains("status code: 403") => {
                StoreError::Credentials { store, source }
            }
            _ => StoreError::Failed {
                store,
                path: path.to_owned(),
                source,
            },
        }
    }
}

/// One thing of a listing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Where it is.
    pub path: String,
    /// Changes whenever its bytes do.
    pub version: String,
}
