//! The files of a catalog, by digest, and which of them a role may read.

use crate::digest::Digest;
use crate::release::part::Blob;
use crate::render::Blobs;
use crate::text::CatalogFiles;
use std::collections::BTreeMap;

/// The files beside the texts of roles.
#[derive(Clone, Debug, Default)]
pub struct Files {
    by_path: BTreeMap<String, Blob>,
    by_digest: BTreeMap<Digest, Vec<u8>>,
}

impl Files {
    /// All files that lie in a role's folder, without the role.toml.
    pub fn of(catalog: CatalogFiles) -> Self {
        let mut by_digest = Vec::with_capacity(catalog.bytes.len());
        let beside = |path: &str| {
            let below = path.split_once('/');
            below.is_some_and(|(_, below)| below != "role.toml")
        };
        let files = catalog.bytes.into_iter().filter(|(path, _)| beside(path));
        let by_path = files.map(|(path, bytes)| {
            let blob = Blob {
                digest: Digest::of(&bytes),
                size: bytes.len() as u64,
                executable: catalog.executable.contains(&path),
            };
            by_digest.push((blob.digest, bytes));
            (path, blob)
        });
        Self {
            by_path: by_path.collect(),
            by_digest: by_digest.into_iter().collect(),
        }
    }

    /// The digest of a file, by its path in the catalog.
    pub fn digest(&self, path: &str) -> Option<Digest> {
        self.by_path.get(path).map(|blob| blob.digest)
    }

    /// A file by its path in the catalog.
    pub fn get(&self, path: &str) -> Option<Blob> {
        self.by_path.get(path).copied()
    }

    /// The text of a file, if it is one.
    pub fn text(&self, path: &str) -> Option<&str> {
        let bytes = self.by_digest.get(&self.digest(path)?)?;
        std::str::from_utf8(bytes).ok()
    }

    /// The bytes of a file.
    pub fn bytes(&self, digest: &Digest) -> Option<&[u8]> {
        self.by_digest.get(digest).map(Vec::as_slice)
    }

    /// The bytes of all files.
    pub fn into_bytes(self) -> BTreeMap<Digest, Vec<u8>> {
        self.by_digest
    }

    /// All files below a folder, or in a role.
    pub fn below<'a>(&'a self, folder: &'a str) -> impl Iterator<Item = (&'a str, Blob)> {
        self.by_path.iter().filter_map(move |(path, blob)| {
            let below = path.strip_prefix(folder)?.starts_with('/');
            below.then_some((path.as_str(), *blob))
        })
    }
}

impl Blobs for Files {
    fn get(&self, digest: &Digest) -> Option<Vec<u8>> {
        self.by_digest.get(digest).cloned()
    }
}
