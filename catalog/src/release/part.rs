//! A role's part of a release: all that a machine of that role needs but its own node layer.

use crate::digest::Digest;
use crate::few::Few;
use crate::fleet::Limit;
use crate::id::Kind;
use crate::resource::{Leftovers, Place};
use serde::{Deserialize, Serialize};
use serde_json::{Number, Value};
use std::collections::{BTreeMap, BTreeSet};

/// One role, merged and checked, not yet rendered: the agent renders.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Part {
    /// [`super::FORMAT`] of the writer.
    pub format: u32,
    /// The role.
    pub role: String,
    /// The root of the tree of node layers, see [`super::nodes`].
    pub nodes: Digest,
    /// Its params, by name.
    pub params: BTreeMap<String, Param>,
    /// Values that the layers above the node's give, by param.
    pub values: BTreeMap<String, Value>,
    /// Its resources as declared and merged, sorted by kind and name as written.
    pub resources: Vec<Declared>,
    /// The files of the catalog that it may read, by path relative to the catalog: `zookeeper/zoo.cfg.j2`.
    pub files: BTreeMap<String, Blob>,
    /// The roles whose members it reads, its own among them if it reads peers or members of it.
    pub reads: BTreeSet<String>,
    /// How its health is asked: a command and seconds, unrendered.
    pub health: Option<HealthDeclared>,
    /// So many members of these roles must have enrolled before what reads them is looked at.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub wait_for: BTreeMap<String, u32>,
    /// How many of its members may be disrupted at a time; none where nobody counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slots: Option<SlotsDeclared>,
    /// What a machine that comes after the others leaves until all of them know it: references, unrendered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub join_last: Option<Key>,
    /// After so many seconds unseen a member counts no more; none where it always does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gone_after_s: Option<u64>,
    /// What becomes of what leaves it.
    #[serde(default, skip_serializing_if = "Leftovers::is_show")]
    pub leftovers: Leftovers,
}

impl Part {
    /// The closed set of blobs that a machine of this role may ask for.
    pub fn blobs(&self) -> BTreeSet<Digest> {
        self.files.values().map(|blob| blob.digest).collect()
    }
}

/// A file of the catalog, by content.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Blob {
    /// Its SHA-256.
    pub digest: Digest,
    /// Bytes.
    pub size: u64,
    /// Its owner may execute it in the catalog; counts for what comes by a directory's tree.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub executable: bool,
}

/// A param as its role declares it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Param {
    /// string, integer, float, boolean, list, table.
    #[serde(rename = "type")]
    pub ty: ParamType,
    /// What it is when nobody says; none: it must be given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default: Option<Value>,
    /// Smallest number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min: Option<Number>,
    /// Largest number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max: Option<Number>,
    /// The only values.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub choices: Option<Vec<Value>>,
    /// A regular expression that the whole string must match.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pattern: Option<String>,
    /// Its value is kept apart from the catalog, which only names it: `{ secret = "NAME" }`.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub secret: bool,
    /// Where it is declared.
    pub place: Place,
}

/// The types of params.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ParamType {
    /// Text.
    String,
    /// A whole number.
    Integer,
    /// A number.
    Float,
    /// true or false.
    Boolean,
    /// An array.
    List,
    /// A table.
    Table,
}

/// A resource as declared: strings are still templates.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Declared {
    /// Its kind.
    pub kind: Kind,
    /// Its name, a template where `each` is there.
    pub name: String,
    /// Where it is declared.
    pub place: Place,
    /// Its keys with their values, `when`, `each` and `after` among them.
    pub keys: Few<Key>,
}

/// One key of a resource.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Key {
    /// As written.
    pub value: Value,
    /// Where; its role is the one that paths in the value are relative to.
    pub place: Place,
}

/// How many members of a role may be disrupted at a time, and who of them goes last, unrendered.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SlotsDeclared {
    /// So many.
    pub limit: Limit,
    /// Succeeds on the member that goes last: a list is argv, a string is for `/bin/sh -c`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub leader: Option<Key>,
}

/// How a role's health is asked, unrendered.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HealthDeclared {
    /// A list is argv, a string is for `/bin/sh -c`.
    pub command: Key,
    /// Seconds.
    pub timeout_s: u64,
}
