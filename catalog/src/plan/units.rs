//! What the services of a role have in systemd's folder for this machine: unit files, masks, and the links of `enable`. No purge
//! takes it, since the service would be brought to it again in each run.

use crate::path::AbsPath;
use crate::resource::BelowKind;
use crate::resource::install::Install;
use crate::resource::service::{Service, UNITS, template_of};
use std::collections::BTreeSet;

/// The folders of links that start units beside others.
const FOLDERS: [&str; 3] = [".wants", ".requires", ".upholds"];

/// The units of these services.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Units {
    named: BTreeSet<String>,
    enabled: BTreeSet<String>,
}

impl Units {
    pub(crate) fn add(&mut self, service: &Service) {
        self.named.insert(service.unit.clone());
        self.named.extend(template_of(&service.unit));
        if service.enabled == Some(true) {
            self.enabled.insert(service.unit.clone());
            let file = service.unit_file.as_ref();
            let text = file.map(|file| String::from_utf8_lossy(&file.content));
            let also = text.map(|text| Install::parse(&text).also);
            self.enabled.extend(also.unwrap_or_default());
        }
    }

    /// These are enabled along with others.
    pub(crate) fn enable(&mut self, also: &BTreeSet<String>) {
        self.enabled.extend(also.iter().cloned());
    }

    /// Whether what really lies at this path is a service's.
    pub(crate) fn have(&self, real: &AbsPath, what: &BelowKind) -> bool {
        let inside = real.as_str().strip_prefix(UNITS);
        let Some(inside) = inside.and_then(|rest| rest.strip_prefix('/')) else {
            return false;
        };
        match (inside.split_once('/'), what) {
            (None, _) if self.named.contains(inside) => true,
            (None, BelowKind::Link(target)) => {
                let unit = target.rsplit('/').next();
                unit.is_some_and(|unit| self.enabled.contains(unit))
            }
            (Some((folder, unit)), BelowKind::Link(_)) => {
                let links = FOLDERS.iter().any(|end| folder.ends_with(end));
                links && self.enabled.contains(unit)
            }
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resource::service::UnitFile;

    #[test]
    fn files_masks_and_links_are_a_services() {
        let service = |unit: &str, enabled, text: Option<&str>| Service {
            unit: unit.into(),
            enabled,
            unit_file: text.map(|text| UnitFile {
                content: text.into(),
            }),
            ..Service::default()
        };
        let mut units = Units::default();
        units.add(&service("on.service", Some(true), None));
        units.add(&service("t@a.service", None, None));
        let also = "[Install]\nAlso=x.socket\n";
        units.add(&service("also.service", Some(true), Some(also)));
        let link = |target: &str| BelowKind::Link(target.into());
        for (path, what, have) in [
            ("on.service", link("/dev/null"), true),
            ("on.service", BelowKind::Special, true),
            ("t@.service", BelowKind::Special, true),
            ("m.target.wants/on.service", link("anything"), true),
            ("m.target.requires/x.socket", link("anything"), true),
            ("m.target.wants/on.service", BelowKind::Special, false),
            ("m.target.d/on.service", link("anything"), false),
            ("m.target.wants/t@a.service", link("anything"), false),
            (
                "alias.service",
                link("/lib/systemd/system/on.service"),
                true,
            ),
            ("alias.service", link("t@a.service"), false),
            ("on.service.d/a.conf", BelowKind::Special, false),
        ] {
            let path = format!("{UNITS}/{path}").parse().unwrap();
            assert_eq!(units.have(&path, &what), have, "{path} {what:?}");
        }
        let elsewhere = "/srv/on.service".parse().unwrap();
        assert!(!units.have(&elsewhere, &link("on.service")));
    }
}
