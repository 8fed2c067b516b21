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
    pub fn of(catalog: &CatalogFiles) -> Self {
        let mut files = Self::default();
        for (path, bytes) in &catalog.bytes {
            let Some((_, below)) = path.split_once('/') else {
                continue;
            };
            if below == "role.toml" {
                continue;
            }
            let digest = Digest::of(bytes);
            let size = bytes.len() as u64;
            let blob = Blob {
                digest,
                size,
                executable: catalog.executable.contains(path),
            };
            files.by_path.insert(path.clone(), blob);
            files
                .by_digest
                .entry(digest)
                .or_insert_with(|| bytes.clone());
        }
        files
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
