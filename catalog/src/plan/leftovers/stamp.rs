//! What the record of what is managed hangs on in a role: while that is the same and nothing changes, so is the record.

use crate::digest::Digest;
use crate::resource::Desired;
use sha2::{Digest as _, Sha256};
use std::hash::{Hash as _, Hasher};

/// Tells one role on a machine from another one; none where what it names hangs on more than itself.
pub fn stamp(desired: &Desired) -> Option<Digest> {
    if !desired.waiting.is_empty() || !desired.reverts.is_empty() {
        return None;
    }
    let mut feed = Feed::default();
    (&desired.role, desired.leftovers).hash(&mut feed);
    for resource in &desired.resources {
        (&resource.id, resource.sensitive, &resource.body).hash(&mut feed);
    }
    Some(feed.digest())
}

/// What is hashed goes here piece by piece, and on to SHA-256 in larger ones.
#[derive(Default)]
struct Feed {
    sha: Sha256,
    pieces: Vec<u8>,
}

/// So many bytes go on together.
const TOGETHER: usize = 4096;

impl Feed {
    fn digest(mut self) -> Digest {
        self.sha.update(&self.pieces);
        <[u8; 32]>::from(self.sha.finalize()).into()
    }
}

impl Hasher for Feed {
    fn write(&mut self, bytes: &[u8]) {
        self.pieces.extend_from_slice(bytes);
        if self.pieces.len() >= TOGETHER {
            self.sha.update(&self.pieces);
            self.pieces.clear();
        }
    }

    /// Nobody asks for a shorter one.
    fn finish(&self) -> u64 {
        0
    }
}
