//! Where the contents of a role's files come from: the kept ones on disk, or memory.

use crate::client::kept::Kept;
use crate::machine::BlobSource;
use cfg_catalog::Blobs;
use cfg_catalog::digest::Digest;
use std::collections::BTreeMap;
use std::io::{self, Cursor, Read};

/// Contents in memory.
pub type Memory = BTreeMap<Digest, Vec<u8>>;

/// The contents that a run may need.
#[derive(Clone, Debug)]
pub struct Contents {
    kept: Option<Kept>,
    memory: Memory,
}

impl Contents {
    /// Those in memory alone.
    pub fn memory(memory: Memory) -> Self {
        Self { kept: None, memory }
    }

    /// Those that are kept on disk, and some in memory.
    pub fn kept(kept: Kept, memory: Memory) -> Self {
        Self {
            kept: Some(kept),
            memory,
        }
    }
}

impl BlobSource for Contents {
    fn open(&self, digest: &Digest) -> io::Result<Box<dyn Read>> {
        if let Some(content) = self.memory.get(digest) {
            return Ok(Box::new(Cursor::new(content.clone())));
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
}
