//! A release is stored only when it holds together: every part, every blob, every node layer.

use super::{Layers, LoadedRelease, LoadedRole, blob_path, layers_path};
use crate::refusal::Refusal;
use crate::state::name;
use crate::state::publish::{Candidate, Over};
use crate::store::Store;
use bytes::Bytes;
use cfg_catalog::digest::Digest;
use cfg_catalog::release::part::Part;
use cfg_catalog::release::{FORMAT, Manifest};
use futures::{StreamExt, TryStreamExt};
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};

/// Questions to the store at a time.
const AT_ONCE: usize = 32;

/// What an operator hands in; the blobs were uploaded before.
#[derive(Clone, Debug)]
pub struct Submitted {
    /// The manifest's bytes.
    pub manifest: Bytes,
    /// Node layers by role and node.
    pub layers: BTreeMap<String, BTreeMap<String, Vec<u8>>>,
}

/// What every leaf says of itself.
#[derive(Deserialize)]
struct Leaf {
    node: String,
}

/// Checks all of it against what is in the store.
///
/// # Errors
/// Where it does not hold together, or the store does not answer.
pub async fn check(
    store: &Store,
    submitted: Submitted,
    over: Over,
) -> Result<(LoadedRelease, Candidate), Refusal> {
    let manifest: Manifest = serde_json::from_slice(&submitted.manifest)
        .map_err(|error| refused(format!("the manifest: {error}")))?;
    readable("the manifest", manifest.format)?;
    let mut layers = leaves(submitted.layers)?;
    let mut roles = BTreeMap::new();
    let mut blobs = BTreeMap::new();
    for (role, digest) in &manifest.roles {
        name::role(role)?;
        let (bytes, part) = part(store, role, digest).await?;
        for blob in part.files.values() {
            blobs.insert(blob.digest, blob.size);
        }
        let own = layers.0.remove(role).unwrap_or_default();
        let loaded = LoadedRole::new(*digest, bytes, &part, own);
        if loaded.root() != part.nodes {
            let why =
                format!("role {role}: its node layers are not those that its part was made with");
            return Err(refused(why));
        }
        roles.insert(role.clone(), loaded);
    }
    if let Some(role) = layers.0.keys().next() {
        let why = format!("node layers for a role that it has not: {role:?}");
        return Err(refused(why));
    }
    all_there(store, blobs).await?;
    let candidate = Candidate {
        release: Digest::of(&submitted.manifest),
        reads: of_each(&roles, |role| Some(role.reads.clone())),
        cohorts: of_each(&roles, |role| role.cohort),
        slots: of_each(&roles, |role| role.slots),
        gone_after: of_each(&roles, |role| role.gone_after),
        over,
        above: 0,
    };
    let loaded = LoadedRelease {
        manifest: submitted.manifest,
        format: manifest.format,
        roles,
    };
    Ok((loaded, candidate))
}

/// What a release says of each role of which it says it.
fn of_each<T>(
    roles: &BTreeMap<String, LoadedRole>,
    says: impl Fn(&LoadedRole) -> Option<T>,
) -> BTreeMap<String, T> {
    let said = |(role, loaded): (&String, &LoadedRole)| Some((role.clone(), says(loaded)?));
    roles.iter().filter_map(said).collect()
}

/// Stores what a publish brings beside the blobs.
///
/// # Errors
/// Where the store does not answer.
pub async fn store(store: &Store, release: &LoadedRelease) -> Result<(), Refusal> {
    let digest = Digest::of(&release.manifest);
    let layers = release
        .roles
        .iter()
        .map(|(role, loaded)| (role.clone(), loaded.layers.clone()));
    let layers = serde_json::to_vec(&Layers(layers.collect()))
        .map_err(|error| Refusal::Internal(error.to_string()))?;
    store
        .write(&blob_path(&digest), release.manifest.clone())
        .await?;
    store.write(&layers_path(&digest), layers.into()).await?;
    Ok(())
}

async fn part(store: &Store, role: &str, digest: &Digest) -> Result<(Bytes, Part), Refusal> {
    let Some(bytes) = store.read(&blob_path(digest)).await? else {
        return Err(refused(format!(
            "role {role}: its part {digest} was not uploaded"
        )));
    };
    if Digest::of(&bytes) != *digest {
        return Err(refused(format!(
            "role {role}: its part {digest} is damaged in the store"
        )));
    }
    let part: Part = serde_json::from_slice(&bytes)
        .map_err(|error| refused(format!("role {role}: its part: {error}")))?;
    readable(&format!("role {role}"), part.format)?;
    if part.role != role {
        return Err(refused(format!(
            "role {role}: its part is that of {}",
            part.role
        )));
    }
    Ok((bytes, part))
}

/// That every leaf is text, and says whose it is.
fn leaves(layers: BTreeMap<String, BTreeMap<String, Vec<u8>>>) -> Result<Layers, Refusal> {
    let mut read = Layers::default();
    for (role, leaves) in layers {
        let of_role = read.0.entry(role.clone()).or_default();
        for (node, leaf) in leaves {
            let bad = |why: String| refused(format!("role {role}: the layer of {node:?}: {why}"));
            name::node(&node)?;
            let leaf = String::from_utf8(leaf).map_err(|error| bad(error.to_string()))?;
            let says: Leaf = serde_json::from_str(&leaf).map_err(|error| bad(error.to_string()))?;
            if says.node != node {
                return Err(bad(format!("it says that it is of {:?}", says.node)));
            }
            of_role.insert(node, leaf);
        }
    }
    Ok(read)
}

async fn all_there(store: &Store, blobs: BTreeMap<Digest, u64>) -> Result<(), Refusal> {
    let asked = blobs.into_iter().map(|(digest, wanted)| async move {
        let size = store.size(&blob_path(&digest)).await?;
        Ok::<_, Refusal>((size != Some(wanted)).then_some(digest))
    });
    let lacking: BTreeSet<Digest> = futures::stream::iter(asked)
        .buffer_unordered(AT_ONCE)
        .try_filter_map(|lacking| std::future::ready(Ok(lacking)))
        .try_collect()
        .await?;
    match lacking.first() {
        None => Ok(()),
        Some(digest) => {
            let count = lacking.len();
            Err(refused(format!(
                "{count} of its blobs were not uploaded, {digest} for one"
            )))
        }
    }
}

fn readable(what: &str, format: u32) -> Result<(), Refusal> {
    match format {
        1..=FORMAT => Ok(()),
        _ => Err(refused(format!(
            "{what} is of format {format}, this server reads up to {FORMAT}: upgrade cfg-server"
        ))),
    }
}

fn refused(why: String) -> Refusal {
    Refusal::Release(why)
}
