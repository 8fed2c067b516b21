//! What systemd says of one unit, as it says it.

use super::cgroup;
use cfg_catalog::resource::service::Trigger;
use std::collections::BTreeMap;
use std::path::Path;

/// Properties of a unit, in systemd's own words.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Properties {
    /// Its main name.
    pub id: String,
    /// All its names.
    pub names: Vec<String>,
    /// loaded, not-found, masked, bad-setting, error.
    pub load_state: String,
    /// active, inactive, failed, activating, deactivating, reloading.
    pub active_state: String,
    /// Finer, by kind of unit: running, exited, auto-restart.
    pub sub_state: String,
    /// enabled, disabled, static, generated, masked; empty where there is no such unit.
    pub unit_file_state: String,
    /// Its file.
    pub fragment_path: String,
    /// What its file was generated from: an init script.
    pub source_path: String,
    /// Of the present or last start, in hexadecimal.
    pub invocation: String,
    /// When it last left inactive, in µs since 1970.
    pub inactive_exit_us: u64,
    /// Its file changed since systemd read it.
    pub need_daemon_reload: bool,
    /// It can be reloaded.
    pub can_reload: bool,
    /// Units that want or require it.
    pub wanted_by: Vec<String>,
    /// Units that start it when something happens.
    pub triggered_by: Vec<Trigger>,
    /// Of a socket, what it starts.
    pub triggers: Vec<Trigger>,
    /// For services.
    pub service: Option<ServiceProperties>,
}

/// What only services have.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ServiceProperties {
    /// simple, forking, oneshot, notify.
    pub kind: String,
    /// 0 where systemd knows none.
    pub main_pid: u32,
    /// It counts as active after its processes are gone.
    pub remain_after_exit: bool,
    /// How many tasks its cgroup has; none where nobody can tell.
    pub tasks: Option<u64>,
}

/// systemd's count of tasks; where it does not count, that of the cgroup's processes.
pub fn tasks(counted: Option<u64>, control_group: &str) -> Option<u64> {
    counted
        .filter(|tasks| *tasks != u64::MAX)
        .or_else(|| cgroup::processes(Path::new("/sys/fs/cgroup"), control_group))
}

/// Says of services what their sockets say: systemd does not know that of a socket which it had yet to load.
pub fn complete(found: &mut BTreeMap<String, Properties>) {
    let sockets: Vec<(Trigger, String)> = found
        .iter()
        .flat_map(|(unit, socket)| {
            let active = socket.active_state == "active";
            let unit = unit.clone();
            let trigger = Trigger { unit, active };
            let services = socket.triggers.iter();
            services.map(move |service| (trigger.clone(), service.unit.clone()))
        })
        .collect();
    for (socket, service) in sockets {
        if let Some(service) = found.get_mut(&service)
            && !service
                .triggered_by
                .iter()
                .any(|one| one.unit == socket.unit)
        {
            service.triggered_by.push(socket);
        }
    }
}

impl Properties {
    /// The file that a package would ship: the init script of a generated unit, else the unit's own.
    pub fn source(&self) -> Option<String> {
        let generated = self.fragment_path.is_empty() || self.fragment_path.starts_with("/run/");
        let path = if generated {
            &self.source_path
        } else {
            &self.fragment_path
        };
        (!path.is_empty()).then(|| path.clone())
    }
}
