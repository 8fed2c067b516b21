//! A machine in words that a person can write: `before.toml`, `since.toml`, `after.toml` of a scenario.
//!
//! What a word leaves out is as usual: files 0644, directories 0755, all of root's; folders above come by themselves.
//! Everything stands since before the units started.

mod from;
mod onto;

pub use from::told;

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Told {
    /// The machine's role, where the catalog has several.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    /// Paths that stand no more, with all below them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub gone: Vec<String>,
    /// Who runs cfg, where it is not root: below `--root`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub run_by: Option<RunBy>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub group: BTreeMap<String, Group>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub user: BTreeMap<String, User>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub directory: BTreeMap<String, Owned>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub file: BTreeMap<String, File>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub link: BTreeMap<String, Link>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub index: BTreeMap<String, Offer>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub package: BTreeMap<String, Package>,
    /// What is at a URL.
    #[serde(skip_serializing)]
    pub web: BTreeMap<String, String>,
    /// Settings of the kernel.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub kernel: BTreeMap<String, String>,
    /// What is mounted, by where.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub mounted: BTreeMap<String, Mounted>,
    /// What debconf has, by question.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub debconf: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub unit: BTreeMap<String, Unit>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub command: BTreeMap<String, Command>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunBy {
    pub user: String,
    /// The primary one first.
    pub groups: Vec<String>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Group {
    pub gid: u32,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct User {
    pub uid: u32,
    pub group: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<String>,
    pub shell: String,
    pub home: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authorized_keys: Option<Vec<String>>,
}

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Owned {
    /// Octal.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mode: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
}

#[derive(Debug, Serialize, Deserialize)]
pub struct File {
    pub content: String,
    #[serde(flatten)]
    pub owned: Owned,
}

/// Where it leads to a folder that is told as well, paths below it lead there.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Link {
    pub target: String,
}

/// What apt could install.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Offer {
    /// The newest first.
    pub versions: Vec<String>,
    /// Path to content; conffiles, all of them.
    pub files: BTreeMap<String, String>,
    pub units: Vec<String>,
    pub needs: Vec<String>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Package {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// dpkg's word, where it is not that it is installed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub held: bool,
    /// Marked as installed for others only.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub auto: bool,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mounted {
    pub device: String,
    pub fstype: String,
    pub options: String,
}

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Unit {
    /// The package that ships it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub package: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<Life>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enabled: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub masked: Option<bool>,
    /// It has an ExecReload.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reloads: Option<bool>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Life {
    Running,
    Stopped,
    /// By hand, after all else that is told.
    Restarted,
}

/// What a command of the role does when it runs.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Command {
    /// A path that it makes, or makes anew.
    pub touches: String,
}

/// The unit of a short name.
fn whole(unit: &str) -> String {
    if unit.contains('.') {
        unit.to_owned()
    } else {
        format!("{unit}.service")
    }
}
