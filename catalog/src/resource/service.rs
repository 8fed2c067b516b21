//! A systemd unit.

use crate::digest::Digest;
use crate::id::ResourceId;
use crate::path::AbsPath;

/// A unit and what must be so of it; what is none is not managed.
#[derive(Clone, Debug, PartialEq)]
pub struct Service {
    /// The unit's whole name: `zookeeper.service`, `foo.socket`.
    pub unit: String,
    /// Whether it runs.
    pub state: Option<Activity>,
    /// Whether it starts at boot.
    pub enabled: Option<bool>,
    /// Whether nothing may start it.
    pub masked: Option<bool>,
    /// Its own unit file, from the role, at `/etc/systemd/system/UNIT`.
    pub unit_file: Option<UnitFile>,
    /// Restarted when one of these is not what it started with.
    pub restart_on: Vec<ResourceId>,
    /// Reloaded when one of these is not what it last read.
    pub reload_on: Vec<ResourceId>,
}

/// A unit file of the role.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnitFile {
    /// Its content, rendered.
    pub content: Vec<u8>,
}

impl Service {
    /// Where its own unit file stands.
    pub fn unit_path(&self) -> Option<AbsPath> {
        self.unit_file.as_ref()?;
        format!("/etc/systemd/system/{}", self.unit).parse().ok()
    }
}

/// Whether a unit must run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Activity {
    /// It must.
    Running,
    /// It must not.
    Stopped,
}

/// What systemd says of a unit.
#[derive(Clone, Debug, PartialEq)]
pub struct ServiceState {
    /// Whether its file is there.
    pub load: Load,
    /// Whether it runs.
    pub active: Active,
    /// Whether it starts at boot.
    pub enabled: Enabled,
    /// Its present start; none where it does not run.
    pub start: Option<Start>,
    /// systemd knows a main process or a cgroup with processes of it: its word on `active` can be believed.
    pub judged: bool,
    /// It has an ExecReload.
    pub can_reload: bool,
    /// Its file changed since systemd read it.
    pub needs_daemon_reload: bool,
    /// The package that ships its unit file or init script, with its version; none where none does.
    pub package: Option<(String, String)>,
    /// What stands at [`Service::unit_path`], where the role brings a unit file.
    pub unit_file: Option<crate::resource::PathState>,
}

/// Whether systemd has the unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Load {
    /// No such unit.
    NotFound,
    /// Loaded.
    Loaded,
    /// Masked; it may or may not have a file.
    Masked,
    /// Its file is bad; systemd says so.
    Bad,
}

/// Whether a unit runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Active {
    /// active, reloading, activating.
    Running,
    /// inactive, deactivating.
    Stopped,
    /// failed.
    Failed,
    /// There is no systemd to ask (a chroot, `--root`): never judged.
    Unjudged,
}

/// Whether a unit starts at boot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Enabled {
    /// enabled, enabled-runtime, alias; or rc links of a SysV script.
    Yes,
    /// disabled.
    No,
    /// static, indirect, generated without rc links, transient: nothing to enable.
    Fixed,
    /// Unit not found.
    Unknown,
}

/// One start of a unit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Start {
    /// systemd's InvocationID, hexadecimal.
    pub id: String,
    /// When it left inactive, in µs since 1970.
    pub at_us: u64,
}

/// What stands in the ledger for an input: its digest, or that it is unknown what was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Input {
    /// Of the content, the link's target, the directory's listing, or the package's version.
    pub digest: Digest,
    /// When it last changed, in µs since 1970.
    pub changed_us: u64,
}
