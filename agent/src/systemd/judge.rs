//! From systemd's words to what a plan needs to know.

use super::properties::{Properties, ServiceProperties};
use cfg_catalog::resource::service::{Active, Enabled, Load, ServiceState, Start};

/// `rc`: whether SysV links start it at boot; none where it has no init script.
pub fn state(properties: &Properties, rc: Option<bool>) -> ServiceState {
    let active = active(properties);
    let start = (active == Active::Running && !properties.invocation.is_empty()).then(|| Start {
        id: properties.invocation.clone(),
        at_us: properties.inactive_exit_us,
    });
    ServiceState {
        load: load(properties),
        active,
        enabled: enabled(&properties.unit_file_state, rc),
        start,
        judged: properties.service.as_ref().is_none_or(judged),
        can_reload: properties.can_reload,
        needs_daemon_reload: properties.need_daemon_reload,
        package: None,
        unit_file: None,
        links: None,
        wanted_by: properties.wanted_by.clone(),
        triggered_by: properties.triggered_by.clone(),
        triggers: properties.triggers.clone(),
    }
}

fn load(properties: &Properties) -> Load {
    let masked = properties.unit_file_state.starts_with("masked");
    match properties.load_state.as_str() {
        _ if masked => Load::Masked,
        "masked" => Load::Masked,
        "loaded" | "merged" | "stub" => Load::Loaded,
        "not-found" => Load::NotFound,
        _ => Load::Bad,
    }
}

fn active(properties: &Properties) -> Active {
    match (
        properties.active_state.as_str(),
        properties.sub_state.as_str(),
    ) {
        (_, "auto-restart" | "auto-restart-queued") => Active::Retrying,
        ("active" | "reloading" | "refreshing" | "activating" | "maintenance", _) => {
            Active::Running
        }
        ("failed", _) => Active::Failed,
        _ => Active::Stopped,
    }
}

fn enabled(unit_file_state: &str, rc: Option<bool>) -> Enabled {
    match (unit_file_state, rc) {
        ("enabled", _) => Enabled::Yes,
        ("enabled-runtime", _) => Enabled::ForNow,
        // Masked units start at no boot, whatever links they have.
        ("disabled" | "linked" | "linked-runtime" | "masked" | "masked-runtime", _) => Enabled::No,
        ("generated", Some(true)) => Enabled::Yes,
        ("generated", Some(false)) => Enabled::No,
        // An alias that is no other unit's name stands alone.
        ("static" | "indirect" | "generated" | "transient" | "alias", _) => Enabled::Fixed,
        _ => Enabled::Unknown,
    }
}

/// A forking service without a main process that stays active after its processes are gone, as every SysV script is,
/// proves nothing by being active once they are gone.
fn judged(service: &ServiceProperties) -> bool {
    let blind = service.remain_after_exit && service.main_pid == 0 && service.kind != "oneshot";
    !blind || service.tasks.is_some_and(|tasks| tasks > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sysv(tasks: u64) -> Properties {
        Properties {
            load_state: "loaded".into(),
            active_state: "active".into(),
            sub_state: "exited".into(),
            unit_file_state: "generated".into(),
            invocation: "ab".into(),
            inactive_exit_us: 7,
            service: Some(ServiceProperties {
                kind: "forking".into(),
                remain_after_exit: true,
                tasks: Some(tasks),
                ..ServiceProperties::default()
            }),
            ..Properties::default()
        }
    }

    #[test]
    fn a_sysv_unit_is_believed_while_it_has_processes() {
        let alive = state(&sysv(9), Some(true));
        assert!(alive.judged);
        assert_eq!(alive.enabled, Enabled::Yes);
        assert_eq!(alive.start.unwrap().at_us, 7);
        let dead = state(&sysv(0), Some(false));
        assert!(!dead.judged);
        assert_eq!(dead.active, Active::Running);
        assert_eq!(dead.enabled, Enabled::No);
        assert_eq!(state(&sysv(1), None).enabled, Enabled::Fixed);
    }

    #[test]
    fn oneshots_are_believed() {
        let mut unit = sysv(0);
        if let Some(service) = &mut unit.service {
            service.kind = "oneshot".into();
        }
        assert!(state(&unit, None).judged);
    }

    #[test]
    fn activity() {
        for (active, sub, wanted) in [
            ("active", "running", Active::Running),
            ("reloading", "reload", Active::Running),
            ("activating", "start", Active::Running),
            ("activating", "auto-restart", Active::Retrying),
            ("failed", "failed", Active::Failed),
            ("deactivating", "stop-sigterm", Active::Stopped),
            ("inactive", "dead", Active::Stopped),
        ] {
            let unit = Properties {
                active_state: active.into(),
                sub_state: sub.into(),
                invocation: "ab".into(),
                ..Properties::default()
            };
            let state = state(&unit, None);
            assert_eq!(state.active, wanted, "{active} {sub}");
            assert_eq!(state.start.is_some(), wanted == Active::Running);
        }
    }

    #[test]
    fn boot() {
        for (word, wanted) in [
            ("enabled", Enabled::Yes),
            ("enabled-runtime", Enabled::ForNow),
            ("disabled", Enabled::No),
            ("linked", Enabled::No),
            ("linked-runtime", Enabled::No),
            ("static", Enabled::Fixed),
            ("indirect", Enabled::Fixed),
            ("transient", Enabled::Fixed),
            ("generated", Enabled::Fixed),
            ("masked", Enabled::No),
            ("bad", Enabled::Unknown),
            ("", Enabled::Unknown),
        ] {
            assert_eq!(enabled(word, None), wanted, "{word}");
        }
    }

    #[test]
    fn masks() {
        for (load_state, file_state, wanted) in [
            ("masked", "masked", Load::Masked),
            ("loaded", "masked", Load::Masked),
            ("loaded", "masked-runtime", Load::Masked),
            ("not-found", "", Load::NotFound),
            ("bad-setting", "enabled", Load::Bad),
            ("error", "", Load::Bad),
            ("loaded", "enabled", Load::Loaded),
        ] {
            let unit = Properties {
                load_state: load_state.into(),
                unit_file_state: file_state.into(),
                ..Properties::default()
            };
            assert_eq!(state(&unit, None).load, wanted, "{load_state} {file_state}");
        }
    }
}
