//! What the agent finds out about its machine.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;

/// The facts of one machine, as `facts.*` in roles and as `cfg facts` prints them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Facts {
    /// The kernel's host name, up to the first dot.
    pub hostname: String,
    /// The full name, or the host name again where there is none.
    pub fqdn: String,
    /// The machine's own address on the route to the server (or to anywhere, without a server).
    pub address: String,
    /// The operating system.
    pub os: Os,
    /// Debian's word: amd64, arm64.
    pub arch: String,
    /// Processors online.
    pub cpus: u32,
    /// Memory in MiB.
    pub memory_mb: u64,
    /// Interfaces by name, without virtual ones.
    pub interfaces: BTreeMap<String, Interface>,
    /// `/etc/cfg/facts.d/*.toml`, by the file's name without its ending.
    pub local: BTreeMap<String, Value>,
    /// The cloud's instance metadata; absent elsewhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub azure: Option<Value>,
}

/// `/etc/os-release`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Os {
    /// ID: debian.
    pub id: String,
    /// VERSION_ID: 12.
    pub version: String,
    /// VERSION_CODENAME: bookworm.
    pub codename: String,
}

/// One interface.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Interface {
    /// Hardware address, colons between.
    pub mac: String,
    /// IPv4 and IPv6 addresses without prefix lengths, sorted.
    pub addresses: Vec<String>,
}
