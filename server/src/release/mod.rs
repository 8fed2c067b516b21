//! Releases as they lie in the store, and as they are served.

pub mod publish;

use crate::log::LogError;
use crate::refusal::Refusal;
use crate::state::event::SlotRule;
use crate::store::Store;
use bytes::Bytes;
use cfg_catalog::digest::Digest;
use cfg_catalog::release::Manifest;
use cfg_catalog::release::nodes::{Proof, Tree};
use cfg_catalog::release::part::Part;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use tokio::sync::Mutex;

/// The current one and the one before, and one that comes.
const KEPT: usize = 3;

/// Where a blob lies.
pub fn blob_path(digest: &Digest) -> String {
    let text = digest.to_string();
    format!("blobs/{}/{text}", &text[..2])
}

/// Where a release's node layers lie.
pub(crate) fn layers_path(release: &Digest) -> String {
    format!("layers/{release}")
}

/// A digest that came over the wire.
///
/// # Errors
/// Where it is none.
pub fn parse_digest(text: &str) -> Result<Digest, Refusal> {
    text.parse()
        .map_err(|error: cfg_catalog::digest::NotADigest| Refusal::Invalid(error.to_string()))
}

/// Node layers, by role and node.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Layers(pub BTreeMap<String, BTreeMap<String, String>>);

/// A release, ready to be served.
#[derive(Debug)]
pub struct LoadedRelease {
    /// Its manifest's bytes.
    pub manifest: Bytes,
    /// Its format.
    pub format: u32,
    /// Its roles.
    pub roles: BTreeMap<String, LoadedRole>,
}

/// A role of a release, ready to be served.
#[derive(Debug)]
pub struct LoadedRole {
    /// Its part's bytes.
    pub part: Bytes,
    /// The roles whose members it reads.
    pub reads: BTreeSet<String>,
    /// So many of its own members it waits for.
    pub cohort: Option<u32>,
    /// How many of its members may be disrupted at a time.
    pub slots: Option<SlotRule>,
    /// After so many seconds unseen its members count no more.
    pub gone_after: Option<u64>,
    /// What its machines may fetch, its part too.
    closed: BTreeSet<Digest>,
    layers: BTreeMap<String, String>,
    tree: Tree,
}

impl LoadedRelease {
    /// A role of it.
    ///
    /// # Errors
    /// Where it has no such role.
    pub fn role(&self, role: &str, sequence: u64) -> Result<&LoadedRole, Refusal> {
        self.roles.get(role).ok_or_else(|| {
            let known: Vec<&str> = self.roles.keys().map(String::as_str).collect();
            Refusal::NoSuchRole {
                role: role.to_owned(),
                sequence,
                known: known.join(", "),
            }
        })
    }
}

impl LoadedRole {
    /// From a part, its bytes, and its node layers.
    pub(crate) fn new(
        digest: Digest,
        bytes: Bytes,
        part: &Part,
        layers: BTreeMap<String, String>,
    ) -> Self {
        let mut closed = part.blobs();
        closed.insert(digest);
        let leaves = layers
            .iter()
            .map(|(name, leaf)| (name.clone(), leaf.clone().into_bytes()));
        let tree = Tree::new(&leaves.collect());
        Self {
            part: bytes,
            reads: part.reads.clone(),
            cohort: part.wait_for.get(&part.role).copied(),
            slots: part.slots.as_ref().map(|slots| SlotRule {
                limit: slots.limit,
                leader: slots.leader.is_some(),
            }),
            gone_after: part.gone_after_s,
            closed,
            layers,
            tree,
        }
    }

    /// The root of its tree of node layers.
    pub fn root(&self) -> Digest {
        self.tree.root()
    }

    /// Whether its machines may fetch this.
    pub fn may_read(&self, digest: &Digest) -> bool {
        self.closed.contains(digest)
    }

    /// A node's own layer.
    pub fn leaf(&self, node: &str) -> Option<&[u8]> {
        self.layers.get(node).map(String::as_bytes)
    }

    /// That the leaf, or its absence, belongs to the part.
    pub fn prove(&self, node: &str) -> Proof {
        self.tree.prove(node)
    }
}

/// Releases that are in use, each read from the store once.
#[derive(Debug)]
pub struct Releases {
    store: Store,
    loaded: Mutex<VecDeque<(Digest, Arc<LoadedRelease>)>>,
}

impl Releases {
    /// Of this store.
    pub fn new(store: Store) -> Self {
        Self {
            store,
            loaded: Mutex::default(),
        }
    }

    /// One of them. Many may ask at once after a publish; one reads.
    ///
    /// # Errors
    /// Where the store does not answer, or what it has is damaged.
    pub async fn get(&self, release: Digest) -> Result<Arc<LoadedRelease>, Refusal> {
        let mut loaded = self.loaded.lock().await;
        if let Some((_, found)) = loaded.iter().find(|(digest, _)| *digest == release) {
            return Ok(found.clone());
        }
        let read = Arc::new(load(&self.store, &release).await?);
        keep(&mut loaded, release, read.clone());
        Ok(read)
    }

    /// One that was just published need not be read.
    pub async fn put(&self, release: Digest, read: LoadedRelease) {
        let mut loaded = self.loaded.lock().await;
        if !loaded.iter().any(|(digest, _)| *digest == release) {
            keep(&mut loaded, release, Arc::new(read));
        }
    }
}

fn keep(
    loaded: &mut VecDeque<(Digest, Arc<LoadedRelease>)>,
    release: Digest,
    read: Arc<LoadedRelease>,
) {
    loaded.push_back((release, read));
    if loaded.len() > KEPT {
        loaded.pop_front();
    }
}

async fn load(store: &Store, release: &Digest) -> Result<LoadedRelease, Refusal> {
    let manifest = blob(store, release).await?;
    let parsed: Manifest = parsed(&blob_path(release), &manifest)?;
    let path = layers_path(release);
    let Layers(mut layers) = match store.read(&path).await? {
        Some(bytes) => self::parsed(&path, &bytes)?,
        None => return Err(LogError::Lost { path }.into()),
    };
    let mut roles = BTreeMap::new();
    for (role, digest) in &parsed.roles {
        let bytes = blob(store, digest).await?;
        let part: Part = self::parsed(&blob_path(digest), &bytes)?;
        let own = layers.remove(role).unwrap_or_default();
        let loaded = LoadedRole::new(*digest, bytes, &part, own);
        if loaded.root() != part.nodes {
            let why = format!("the layers of role {role} are not what was published");
            return Err(LogError::Damaged { path, why }.into());
        }
        roles.insert(role.clone(), loaded);
    }
    Ok(LoadedRelease {
        manifest,
        format: parsed.format,
        roles,
    })
}

/// A blob that must be there and be what its name says.
async fn blob(store: &Store, digest: &Digest) -> Result<Bytes, Refusal> {
    let path = blob_path(digest);
    match store.read(&path).await? {
        Some(bytes) if Digest::of(&bytes) == *digest => Ok(bytes),
        Some(_) => {
            let why = "its content is not what its name says".to_owned();
            Err(LogError::Damaged { path, why }.into())
        }
        None => Err(LogError::Lost { path }.into()),
    }
}

fn parsed<T: serde::de::DeserializeOwned>(path: &str, bytes: &[u8]) -> Result<T, Refusal> {
    serde_json::from_slice(bytes).map_err(|error| {
        LogError::Damaged {
            path: path.to_owned(),
            why: error.to_string(),
        }
        .into()
    })
}
