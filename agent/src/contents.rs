//! Where the contents of a role's files come from: the kept ones on disk, a catalog's folder, or memory.

use crate::client::kept::Kept;
use crate::folder;
use crate::machine::BlobSource;
use cfg_catalog::Blobs;
use cfg_catalog::digest::Digest;
use std::collections::BTreeMap;
use std::io::{self, Cursor, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Contents in memory.
pub type Memory = BTreeMap<Digest, Vec<u8>>;

/// The contents that a run may need.
#[derive(Clone, Debug)]
pub struct Contents {
    kept: Option<Kept>,
    folder: Option<Arc<Folder>>,
    memory: Memory,
}

/// A catalog's folder, and which of its files hold what.
#[derive(Debug)]
struct Folder {
    path: PathBuf,
    files: BTreeMap<Digest, String>,
}

impl Contents {
    /// Those in memory alone.
    pub fn memory(memory: Memory) -> Self {
        Self {
            kept: None,
            folder: None,
            memory,
        }
    }

    /// Those that are read from a catalog's folder when somebody asks for them: these files by their paths below it.
    pub fn folder<'a>(path: &Path, files: impl Iterator<Item = (Digest, &'a str)>) -> Self {
        let folder = Folder {
            path: path.to_owned(),
            files: files
                .map(|(digest, below)| (digest, below.to_owned()))
                .collect(),
        };
        Self {
            kept: None,
            folder: Some(Arc::new(folder)),
            memory: Memory::new(),
        }
    }

    /// Those in memory, which were read from a catalog's folder.
    pub fn read(path: &Path, memory: Memory) -> Self {
        Self {
            memory,
            ..Self::folder(path, std::iter::empty())
        }
    }

    /// Those that are kept on disk, and some in memory.
    pub fn kept(kept: Kept, memory: Memory) -> Self {
        Self {
            kept: Some(kept),
            folder: None,
            memory,
        }
    }
}

impl Folder {
    /// None where no file of it has this content.
    fn get(&self, digest: &Digest) -> Option<io::Result<Vec<u8>>> {
        let below = self.files.get(digest)?;
        let content = folder::read_one(&self.path, below).map_err(io::Error::other);
        Some(
            content.and_then(|content| match Digest::of(&content) == *digest {
                true => Ok(content),
                false => {
                    let path = self.path.join(below);
                    let changed = format!("{} was changed during the run", path.display());
                    Err(io::Error::other(changed))
                }
            }),
        )
    }
}

impl BlobSource for Contents {
    fn open(&self, digest: &Digest) -> io::Result<Box<dyn Read>> {
        if let Some(content) = self.memory.get(digest) {
            return Ok(Box::new(Cursor::new(content.clone())));
        }
        if let Some(content) = self.folder.as_ref().and_then(|folder| folder.get(digest)) {
            return Ok(Box::new(Cursor::new(content?)));
        }
        match &self.kept {
            Some(kept) => Ok(Box::new(kept.open(digest)?)),
            None => Err(io::Error::new(
                io::ErrorKind::NotFound,
                format!("there is no content {digest}"),
            )),
        }
    }
}

impl Blobs for Contents {
    fn get(&self, digest: &Digest) -> Option<Vec<u8>> {
        let mut content = Vec::new();
        self.open(digest).ok()?.read_to_end(&mut content).ok()?;
        Some(content)
    }

    fn shown(&self, path: &str) -> Option<String> {
        let folder = self.folder.as_ref()?;
        let text = folder::read_one(&folder.path, path).ok()?;
        String::from_utf8(text).ok()
    }
}
