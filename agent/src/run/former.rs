//! Contents that were there before cfg, beside those of the role.

use super::Context;
use super::state::StateDir;
use crate::machine::BlobSource;
use cfg_catalog::digest::Digest;
use std::io::{Cursor, Read, Result};

/// What a run may need: of the role, and of before.
pub(super) struct Former<'a> {
    /// The role's.
    role: &'a dyn BlobSource,
    /// Where those of before are.
    state: &'a StateDir,
}

impl<'a> Former<'a> {
    /// For this run.
    pub(super) fn of(context: &Context<'a>) -> Self {
        Self {
            role: context.blobs,
            state: context.state,
        }
    }
}

impl BlobSource for Former<'_> {
    fn open(&self, digest: &Digest) -> Result<Box<dyn Read>> {
        match self.role.open(digest) {
            Ok(content) => Ok(content),
            Err(missing) => match self.state.former_content(digest) {
                Ok(content) => Ok(Box::new(Cursor::new(content))),
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => Err(missing),
                Err(error) => Err(error),
            },
        }
    }
}
