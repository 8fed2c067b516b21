//! Bringing what is kept up to what the server says.

use super::assignment::{Assignment, Documents, For, Rejection};
use super::channel::CallError;
use super::kept::{Kept, KeptError};
use super::server::Server;
use cfg_catalog::digest::Digest;
use std::collections::BTreeMap;
use tonic::Code;

/// Why the server's word could not be taken.
#[derive(Debug, thiserror::Error)]
pub enum SyncError {
    /// The call.
    #[error(transparent)]
    Call(#[from] CallError),
    /// The answer.
    #[error(transparent)]
    Rejected(#[from] Rejection),
    /// The disk.
    #[error(transparent)]
    Kept(#[from] KeptError),
}

impl SyncError {
    /// Whether the same might go through soon, without anybody doing anything.
    pub fn is_passing(&self) -> bool {
        matches!(self, SyncError::Call(CallError::Away { .. }))
    }

    /// Whether this cfg is too old for the release. The server answers UNIMPLEMENTED where it need not even send it.
    pub fn asks_for_upgrade(&self) -> bool {
        match self {
            SyncError::Rejected(Rejection::Newer { .. }) => true,
            SyncError::Call(CallError::Said { code, .. }) => *code == Code::Unimplemented,
            _ => false,
        }
    }
}

/// Fetches the assignment and its blobs, and keeps them.
///
/// # Errors
/// Where any of it fails; what was kept before then stays as it was.
pub async fn update(server: &Server, whose: For<'_>, kept: &Kept) -> Result<Assignment, SyncError> {
    let lock = kept.lock().await?;
    // A role that was kept and is damaged is as good as none: the server has it.
    let before = kept.load(whose).ok().flatten();
    let (documents, assignment) = ask(server, whose, before.as_ref()).await?;
    for blob in assignment.part.files.values() {
        if !kept.has(&blob.digest, blob.size) {
            kept.put(&blob.digest, &server.blob(blob).await?)?;
        }
    }
    let mut blobs = assignment.part.blobs();
    blobs.extend(before.iter().flat_map(|before| before.part.blobs()));
    kept.store(&documents, &blobs)?;
    drop(lock);
    Ok(assignment)
}

/// The same for a dry run, which keeps nothing: blobs that are not there already come in memory.
///
/// # Errors
/// Where any of it fails.
pub async fn look(
    server: &Server,
    whose: For<'_>,
    kept: &Kept,
) -> Result<(Assignment, BTreeMap<Digest, Vec<u8>>), SyncError> {
    let before = kept.load(whose).ok().flatten();
    let (_, assignment) = ask(server, whose, before.as_ref()).await?;
    let mut blobs = BTreeMap::new();
    for blob in assignment.part.files.values() {
        if !kept.has(&blob.digest, blob.size) && !blobs.contains_key(&blob.digest) {
            blobs.insert(blob.digest, server.blob(blob).await?);
        }
    }
    Ok((assignment, blobs))
}

async fn ask(
    server: &Server,
    whose: For<'_>,
    before: Option<&Assignment>,
) -> Result<(Documents, Assignment), SyncError> {
    let documents = Documents::of(server.assignment().await?)?;
    let assignment = documents.verify(whose)?;
    if let Some(before) = before {
        assignment.follows(before)?;
    }
    Ok((documents, assignment))
}
