//! Small releases, as `cfg publish` would send them.

use cfg_catalog::digest::Digest;
use cfg_catalog::fleet::Limit;
use cfg_catalog::release::part::{Blob, Key, Part, SlotsDeclared};
use cfg_catalog::release::{FORMAT, Manifest, nodes};
use cfg_catalog::resource::Place;
use cfg_wire::{NodeLayers, PublishRequest};
use std::collections::{BTreeMap, BTreeSet};

/// A role of a release in the making.
#[derive(Clone, Default)]
pub struct Role {
    pub files: BTreeMap<&'static str, Vec<u8>>,
    pub reads: BTreeSet<String>,
    pub leaves: BTreeMap<String, Vec<u8>>,
    pub slots: Option<SlotsDeclared>,
    pub gone_after_s: Option<u64>,
}

/// A release in the making.
#[derive(Clone, Default)]
pub struct Release {
    pub roles: BTreeMap<&'static str, Role>,
}

/// What is sent.
pub struct Sent {
    pub blobs: Vec<Vec<u8>>,
    pub request: PublishRequest,
}

impl Release {
    /// With these roles; each has one file, which says its name and `version`, and reads its own members.
    pub fn of(roles: &[&'static str], version: u32) -> Self {
        let role = |name: &&'static str| {
            let content = format!("{name} {version}\n").into_bytes();
            let role = Role {
                files: BTreeMap::from([("file", content)]),
                reads: BTreeSet::from([(*name).to_owned()]),
                ..Role::default()
            };
            (*name, role)
        };
        Self {
            roles: roles.iter().map(role).collect(),
        }
    }

    /// Of whose role's members one at a time may be disrupted.
    pub fn with_slots(mut self, role: &str) -> Self {
        let role = self.roles.get_mut(role).expect("the role is in it");
        role.slots = Some(SlotsDeclared {
            limit: Limit::Count(1),
            leader: None,
        });
        self
    }

    /// And who leads them goes last.
    pub fn with_leader(self, role: &str) -> Self {
        let mut release = self.with_slots(role);
        let declared = release.roles.get_mut(role).expect("the role is in it");
        let slots = declared.slots.as_mut().expect("it has some");
        slots.leader = Some(Key {
            value: "true".into(),
            place: Place {
                role: role.into(),
                file: "role.toml".into(),
                line: 1,
                column: 1,
            },
        });
        release
    }

    /// With a layer for a node.
    pub fn with_leaf(mut self, role: &str, node: &str, params: &str) -> Self {
        let leaf = format!("{{\"node\": \"{node}\", \"params\": {params}}}");
        let role = self.roles.get_mut(role).expect("the role is in it");
        role.leaves.insert(node.to_owned(), leaf.into_bytes());
        self
    }

    /// A role's part.
    pub fn part(&self, name: &str) -> Vec<u8> {
        let role = &self.roles[name];
        let files = role.files.iter().map(|(path, content)| {
            let blob = Blob {
                digest: Digest::of(content),
                size: content.len() as u64,
                executable: false,
            };
            (format!("{name}/{path}"), blob)
        });
        let part = Part {
            slots: role.slots.clone(),
            join_last: None,
            gone_after_s: role.gone_after_s,
            format: FORMAT,
            role: name.to_owned(),
            nodes: nodes::root(&role.leaves),
            params: BTreeMap::new(),
            values: BTreeMap::new(),
            resources: Vec::new(),
            files: files.collect(),
            reads: role.reads.clone(),
            health: None,
            wait_for: BTreeMap::new(),
            leftovers: Default::default(),
        };
        serde_json::to_vec(&part).expect("a part is JSON")
    }

    /// Its manifest.
    pub fn manifest(&self) -> Vec<u8> {
        let roles = self.roles.keys();
        let manifest = Manifest {
            format: FORMAT,
            roles: roles
                .map(|name| ((*name).to_owned(), Digest::of(&self.part(name))))
                .collect(),
        };
        serde_json::to_vec(&manifest).expect("a manifest is JSON")
    }

    /// What its publish sends, over whatever is current.
    pub fn sent(&self) -> Sent {
        let mut blobs: Vec<Vec<u8>> = self.roles.keys().map(|name| self.part(name)).collect();
        for role in self.roles.values() {
            blobs.extend(role.files.values().cloned());
        }
        let layers = self.roles.iter().map(|(name, role)| NodeLayers {
            role: (*name).to_owned(),
            leaves: role.leaves.clone().into_iter().collect(),
        });
        let request = PublishRequest {
            manifest: self.manifest(),
            layers: layers.collect(),
            expected: String::new(),
            force: true,
            above: 0,
        };
        Sent { blobs, request }
    }
}
