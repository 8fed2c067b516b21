//! What the server knows of the other machines.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// One machine as others see it: an item of `fleet.members("ROLE")`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    /// Its id in its role: 1 and up, kept for life.
    pub id: u32,
    /// Its node name.
    pub name: String,
    /// Its address.
    pub address: String,
    /// Its operating system's id.
    pub os: String,
    /// Debian's word for its architecture.
    pub arch: String,
    /// Processors.
    pub cpus: u32,
    /// Memory in MiB.
    pub memory_mb: u64,
}

/// The fleet as one machine is shown it: a numbered value. `--fleet FILE` holds the same in TOML or JSON.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FleetView {
    /// Rises with every change; 0 where no server gave it.
    #[serde(default)]
    pub number: u64,
    /// Members by their own role, each list sorted by id.
    #[serde(default)]
    pub roles: BTreeMap<String, Vec<Member>>,
}

/// Which member this machine is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Me {
    /// Its node name.
    pub name: String,
    /// Its id in its role.
    pub id: u32,
}
