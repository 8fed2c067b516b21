//! A catalog becomes a release: everything by its digest.

use super::{FORMAT, Manifest};
use crate::digest::Digest;
use crate::role::Catalog;
use crate::text::diagnostic::{Diagnostic, Diagnostics};
use serde::Serialize;
use std::collections::BTreeMap;

/// All that is uploaded when a catalog is published.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Release {
    /// JSON of [`Manifest`]; the release is named by its digest.
    pub manifest: Vec<u8>,
    /// JSON of each role's part.
    pub parts: BTreeMap<Digest, Vec<u8>>,
    /// By role, the leaves of its tree of node layers: node to bytes.
    pub leaves: BTreeMap<String, BTreeMap<String, Vec<u8>>>,
    /// The files that parts name.
    pub blobs: BTreeMap<Digest, Vec<u8>>,
}

impl Release {
    /// The release's name.
    pub fn digest(&self) -> Digest {
        Digest::of(&self.manifest)
    }
}

impl Catalog {
    /// What no release can have yet, though a run without a server can: params that are secret.
    ///
    /// # Errors
    /// Each with its place; the fault is the call's.
    pub fn publishable(&self) -> Result<(), Diagnostics> {
        let mut wrong = Diagnostics::new();
        let params = self.parts().values().flat_map(|part| &part.params);
        for (name, param) in params.filter(|(_, param)| param.secret) {
            let mut refusal = Diagnostic::of_call(format!(
                "`{name}` is secret: publishing secrets is not in this version"
            ))
            .help("`cfg apply --catalog DIR --role NAME --secrets FILE` has them");
            refusal.at = Some((&param.place).into());
            wrong.push(refusal);
        }
        match wrong.is_empty() {
            true => Ok(()),
            false => Err(wrong.finish(|spot| spot.clone())),
        }
    }

    /// The catalog as a release; the same catalog always gives the same bytes.
    pub fn release(&self) -> Release {
        let mut manifest = Manifest {
            format: FORMAT,
            roles: BTreeMap::new(),
        };
        let mut parts = BTreeMap::new();
        let mut leaves = BTreeMap::new();
        let mut blobs = BTreeMap::new();
        for (role, part) in self.parts() {
            let bytes = json(part);
            let digest = Digest::of(&bytes);
            manifest.roles.insert(role.clone(), digest);
            parts.insert(digest, bytes);
            for blob in part.blobs() {
                if let Some(bytes) = self.files().bytes(&blob) {
                    blobs.insert(blob, bytes.to_owned());
                }
            }
            if let Some(layers) = self.leaves(role).filter(|layers| !layers.is_empty()) {
                leaves.insert(role.clone(), layers.clone());
            }
        }
        Release {
            manifest: json(&manifest),
            parts,
            leaves,
            blobs,
        }
    }
}

fn json(value: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(value).expect("maps with text as keys, and no value that JSON lacks")
}
