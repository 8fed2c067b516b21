//! What a role says of a unit against what the unit file that it brings says.

use super::instances::Instances;
use crate::id::{Kind, ResourceId};
use crate::resource::install::Install;
use crate::resource::service::{Activity, Service, UnitFile, template_of};
use crate::resource::{Body, Resource};
use crate::text::diagnostic::{Diagnostic, Diagnostics};
use crate::text::unclear::Unclear;

const UNITS: &str = "/etc/systemd/system";

/// Units that can start another of the same name.
const TRIGGERS: [&str; 3] = ["socket", "timer", "path"];

/// Notes every unit file of the role that is empty, every unit that must be enabled by one which does not say what would
/// start it, and every instance that must run of a template that must be masked.
pub fn check(instances: &Instances, unclear: Option<&Unclear>, wrong: &mut Diagnostics) {
    let role = Role(instances, unclear.is_some_and(|unclear| unclear.all));
    for resource in role.resources() {
        if let Body::Service(service) = &resource.body {
            let found = [
                empty(resource, service),
                role.fixed(resource, service),
                role.masked(resource, service),
            ];
            found
                .into_iter()
                .flatten()
                .for_each(|found| wrong.push(found));
        }
    }
}

fn empty(resource: &Resource, service: &Service) -> Option<Diagnostic> {
    let file = service.unit_file.as_ref()?;
    let message = format!(
        "the unit file of {} is empty, which systemd takes for a mask",
        resource.id
    );
    let diagnostic = Diagnostic::error(&resource.place, message)
        .help("write what it is to do; if nothing may start it: masked = true, without `unit`");
    file.content.is_empty().then_some(diagnostic)
}

/// All there is, and whether there may be more.
struct Role<'a>(&'a Instances, bool);

impl Role<'_> {
    fn resources(&self) -> impl Iterator<Item = &Resource> {
        self.0.on.iter().map(|instance| &instance.resource)
    }

    fn has(&self, id: &ResourceId) -> bool {
        self.resources().any(|resource| resource.id == *id)
    }

    fn fixed(&self, resource: &Resource, service: &Service) -> Option<Diagnostic> {
        if service.enabled != Some(true) || self.1 {
            return None;
        }
        let file = self.unit_file(service)?;
        let install = Install::parse(&String::from_utf8_lossy(&file.content));
        if install.enables() || self.installs(service) {
            return None;
        }
        let id = &resource.id;
        let message = format!(
            "{id} must be enabled, and its unit file has no [Install] section that says what would start it at boot"
        );
        let mut diagnostic = Diagnostic::error(&resource.place, message);
        diagnostic.help = Some(self.remedy(service, &install));
        Some(diagnostic)
    }

    fn masked(&self, resource: &Resource, service: &Service) -> Option<Diagnostic> {
        let runs = service.state == Some(Activity::Running) || service.enabled == Some(true);
        let unit = template_of(&service.unit).filter(|_| runs)?;
        let template = self.resources().find(|other| {
            matches!(&other.body, Body::Service(body) if body.unit == unit && body.masked == Some(true))
        })?;
        let (id, template_id) = (&resource.id, &template.id);
        let message =
            format!("{id} must run or be enabled, and its template {template_id} must be masked");
        let diagnostic = Diagnostic::error(&resource.place, message);
        Some(diagnostic.note(&template.place, "the other one"))
    }

    fn unit_file<'a>(&'a self, service: &'a Service) -> Option<&'a UnitFile> {
        let template = self.resources().find_map(|resource| match &resource.body {
            Body::Service(body) if Some(&resource.id) == service.template.as_ref() => Some(body),
            _ => None,
        });
        template.unwrap_or(service).unit_file.as_ref()
    }

    /// Whether the role has drop-ins for the unit, or links it into another itself.
    fn installs(&self, service: &Service) -> bool {
        let drop_ins = format!("{UNITS}/{}.d/", service.unit);
        let link = format!("/{}", service.unit);
        let known = self.resources().map(|resource| &resource.id);
        let mut ids = known.chain(self.0.named.iter().map(|(id, _)| id));
        ids.any(|id| {
            let folder = id.name.strip_suffix(&link).unwrap_or_default();
            let wanted = folder.ends_with(".wants") || folder.ends_with(".requires");
            id.name.starts_with(&drop_ins) || (id.kind == Kind::Link && wanted)
        })
    }

    fn remedy(&self, service: &Service, install: &Install) -> String {
        let (stem, ending) = service.unit.rsplit_once('.').unwrap_or_default();
        let mut others = install.also.clone();
        if others.is_empty() && ending == "service" {
            let triggers = TRIGGERS.iter().map(|ending| format!("{stem}.{ending}"));
            others.extend(
                triggers.filter(|unit| self.has(&ResourceId::new(Kind::Service, unit.as_str()))),
            );
        }
        if !others.is_empty() {
            return format!("enable {} instead", others.join(", "));
        }
        let target = match ending {
            "socket" | "timer" | "path" => format!("{ending}s.target"),
            _ => "multi-user.target".into(),
        };
        format!("give the file an [Install] section with WantedBy={target}, or leave `enabled` out")
    }
}
