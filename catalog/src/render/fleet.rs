//! What `[fleet]` of a role comes to on one machine: its health, its slots, and what joins last.

use super::instances::Instances;
use super::reader::Reader;
use super::references;
use crate::fleet::Incomplete;
use crate::id::{Kind, ResourceId};
use crate::release::part::{Key, Part};
use crate::resource::{Health, Place, Shell, Slots};
use crate::text::diagnostic::{Diagnostic, Diagnostics};
use crate::text::given::Given;
use crate::text::secrets::Stand;
use crate::text::unclear::Unclear;

/// `[fleet]`, rendered.
pub struct OfRole {
    pub health: Option<Health>,
    pub slots: Option<Slots>,
    join_last: Vec<(String, Place)>,
}

/// Renders it.
pub fn read(part: &Part, reader: &mut Reader<'_>) -> OfRole {
    let health = part.health.as_ref().and_then(|declared| {
        let command = given("health", &declared.command, Given::shell, reader)?;
        let timeout_s = declared.timeout_s;
        Some(Health { command, timeout_s })
    });
    let slots = part.slots.as_ref().map(|declared| Slots {
        limit: declared.limit,
        leader: leader(declared.leader.as_ref(), reader),
    });
    let join_last = part.join_last.as_ref().and_then(|key| {
        let references = given("join_last", key, Given::references, reader)?;
        let placed = |text| (text, key.place.clone());
        Some(references.into_iter().map(placed).collect())
    });
    OfRole {
        health,
        slots,
        join_last: join_last.unwrap_or_default(),
    }
}

fn leader(declared: Option<&Key>, reader: &mut Reader<'_>) -> Option<Shell> {
    given("leader", declared?, Given::shell, reader)
}

fn given<T>(
    name: &'static str,
    key: &Key,
    read: impl Fn(&Given) -> Result<T, String>,
    reader: &mut Reader<'_>,
) -> Option<T> {
    // What an earlier key waited for, this one does too.
    let before = reader.incomplete.take();
    reader.begin();
    let given = reader.value(&key.value, &key.place, None);
    if let Some(incomplete) = before.or(reader.incomplete.take()) {
        reader.incomplete = Some(incomplete);
        return None;
    }
    if reader.takes_no_secret(Stand::Fleet(name), &key.place) {
        return None;
    }
    match read(&given?) {
        Ok(value) => Some(value),
        Err(why) => {
            reader.wrong.push(Diagnostic::error(&key.place, why));
            None
        }
    }
}

/// What cannot be asked whether it is healthy, or whether it leads, is not started.
pub fn waits(instances: &mut Instances, incomplete: &Incomplete) {
    let ids = instances.on.iter().map(|instance| &instance.resource.id);
    let services: Vec<ResourceId> = ids.filter(|id| id.kind == Kind::Service).cloned().collect();
    for id in services {
        instances.waiting.add(id, incomplete.clone());
    }
}

/// What joins last waits while this machine is new among the members of its role.
pub fn join_last(
    role: &OfRole,
    part: &Part,
    joining: bool,
    (instances, unclear): (&mut Instances, Option<&Unclear>),
    wrong: &mut Diagnostics,
) {
    for (text, place) in &role.join_last {
        let meant = references::named("join_last", text, place, (instances, unclear), wrong);
        for id in meant.into_iter().filter(|_| joining) {
            let role = part.role.clone();
            instances.waiting.add(id, Incomplete::Joining { role });
        }
    }
}
