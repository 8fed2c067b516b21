//! A restart is a state: what each service's present start read is on record, and where that is not what is there now,
//! a restart is owed. Neither a failed run nor a kill loses it, since the record is on disk before the first effect.

use super::Snapshot;
use super::early;
use super::inputs::{self, Inputs};
use crate::digest::Digest;
use crate::id::ResourceId;
use crate::resource::file::Content;
use crate::resource::service::{Input, ServiceState, Start};
use crate::resource::{Body, Desired, Observed, PathState, Resource};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// What services and commands read when they last started or succeeded.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Ledger {
    /// By service.
    pub services: BTreeMap<ResourceId, StartRecord>,
    /// By command, for each resource of its `on`, what it last succeeded with.
    pub commands: BTreeMap<ResourceId, BTreeMap<ResourceId, Digest>>,
    /// Commands that were begun and have not succeeded since: what they left halfway is not what they last succeeded with.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub tried: BTreeSet<ResourceId>,
    /// Files that may hold what was sensitive, whatever the role says of them now: what stands there is not shown.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub sensitive: BTreeSet<ResourceId>,
    /// Services that cfg has masked until they wait no more: see [`super::early`].
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub masked: BTreeSet<ResourceId>,
}

/// What one start of a service read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StartRecord {
    /// systemd's InvocationID.
    pub start: String,
    /// Who made it.
    pub by: By,
    /// By input.
    pub inputs: BTreeMap<ResourceId, Read>,
}

/// Who started a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum By {
    /// A run of cfg.
    Cfg,
    /// Boot, a person, a package.
    Other,
}

/// What a start read of one input.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Read {
    /// Just this.
    This {
        /// Its digest.
        digest: Digest,
        /// When it had last changed, in µs since 1970.
        changed_us: u64,
    },
    /// Nobody knows: it changed after a start that cfg did not make.
    Unknown,
}

/// The inputs on account of which something is owed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Owed {
    /// A restart.
    pub restart: Vec<ResourceId>,
    /// A reload.
    pub reload: Vec<ResourceId>,
}

/// The ledger with which a run begins: starts that cfg did not make are taken up, inputs never recorded count as what
/// is there before the run, what left a list is forgotten, and which masks are cfg's own is known. It must be on disk before the first effect.
pub fn begin(desired: &Desired, snapshot: &Snapshot, ledger: &Ledger) -> Ledger {
    let inputs = inputs::inputs(desired, snapshot);
    let mut begun = Ledger {
        sensitive: sensitive(desired, snapshot, ledger),
        masked: early::masked(desired, snapshot, ledger),
        ..Ledger::default()
    };
    // A service that left the role still runs with what it read: it may come back under the same start.
    let left = ledger
        .services
        .iter()
        .filter(|(id, _)| desired.get(id).is_none());
    begun
        .services
        .extend(left.map(|(id, record)| (id.clone(), record.clone())));
    let readers = desired
        .resources
        .iter()
        .filter(|resource| matches!(resource.body, Body::Service(_) | Body::Command(_)));
    for resource in readers {
        let id = &resource.id;
        match (&resource.body, snapshot.observed.get(id)) {
            (Body::Service(_), Some(Observed::Service(state))) => {
                if let Some(start) = &state.start {
                    let wanted = inputs::of_service(resource, state);
                    let record = adopted(ledger.services.get(id), start, &wanted, &inputs);
                    begun.services.insert(id.clone(), record);
                }
            }
            (Body::Service(_), _) => {
                // Not seen this time: nothing is known to have ended.
                let kept = ledger.services.get(id).cloned();
                begun.services.extend(kept.map(|kept| (id.clone(), kept)));
            }
            (Body::Command(command), _) => {
                if let Some(known) = ledger.commands.get(id) {
                    let known = carried(known, &command.on, &inputs);
                    begun.commands.insert(id.clone(), known);
                }
                if ledger.tried.contains(id) {
                    begun.tried.insert(id.clone());
                }
            }
            _ => {}
        }
    }
    begun
}

/// What is sensitive, and what was and may stand there still.
fn sensitive(desired: &Desired, snapshot: &Snapshot, ledger: &Ledger) -> BTreeSet<ResourceId> {
    let now = desired
        .resources
        .iter()
        .filter_map(|resource| match &resource.body {
            Body::File(file) if resource.sensitive || file.sensitive => Some(resource.id.clone()),
            Body::Edit(edit) if resource.sensitive => Some(edit.file()),
            _ => None,
        });
    let known = ledger.sensitive.iter().filter(|id| {
        let body = desired.get(id).map(|resource| &resource.body);
        match (body, snapshot.observed.get(*id)) {
            (_, Some(Observed::Path(PathState::Absent { .. }))) => false,
            (Some(Body::File(file)), Some(Observed::Path(PathState::File(there)))) => {
                let wanted = file.content.as_ref().map(Content::digest);
                wanted.is_none() || wanted != there.digest
            }
            _ => true,
        }
    });
    now.chain(known.cloned()).collect()
}

/// The record of a start, from what stands in the ledger and what is there.
fn adopted(
    known: Option<&StartRecord>,
    start: &Start,
    wanted: &[ResourceId],
    inputs: &Inputs,
) -> StartRecord {
    let same = known.filter(|known| known.start == start.id);
    let by = same.map_or(By::Other, |known| known.by);
    let mut read = BTreeMap::new();
    for id in wanted {
        let before = known.and_then(|known| known.inputs.get(id));
        let now = inputs.get(id);
        let entry = match (same, before, now) {
            (Some(_), Some(before), _) => Some(*before),
            (_, _, None) => None,
            (Some(_), None, Some(now)) if by == By::Cfg => Some(Read::of(now)),
            (_, before, Some(now)) => Some(under_foreign_start(before, now, start)),
        };
        read.extend(entry.map(|entry| (id.clone(), entry)));
    }
    StartRecord {
        start: start.id.clone(),
        by,
        inputs: read,
    }
}

/// A start that cfg did not make read what is older than it. What was on record under a start before and has not
/// been touched since is older whatever the clocks said.
fn under_foreign_start(before: Option<&Read>, now: &Input, start: &Start) -> Read {
    let untouched = before == Some(&Read::of(now));
    if now.changed_us < start.at_us || untouched {
        Read::of(now)
    } else {
        Read::Unknown
    }
}

/// What a command succeeded with, over the list as it is now.
fn carried(
    known: &BTreeMap<ResourceId, Digest>,
    on: &[ResourceId],
    inputs: &Inputs,
) -> BTreeMap<ResourceId, Digest> {
    on.iter()
        .filter_map(|id| {
            let digest = known.get(id).copied();
            let digest = digest.or_else(|| inputs.get(id).map(|input| input.digest))?;
            Some((id.clone(), digest))
        })
        .collect()
}

impl Read {
    fn of(input: &Input) -> Self {
        Read::This {
            digest: input.digest,
            changed_us: input.changed_us,
        }
    }

    /// Whether this is not what is there now. What cannot be read now owes nothing: its own resource fails, or the role
    /// does not have it.
    fn differs(&self, now: Option<&Input>) -> bool {
        match (self, now) {
            (_, None) => false,
            (Read::Unknown, Some(_)) => true,
            (Read::This { digest, .. }, Some(now)) => *digest != now.digest,
        }
    }
}

impl Ledger {
    /// What the present start of a service owes, by what is there now. Nothing where it does not run.
    pub fn owed(&self, resource: &Resource, state: &ServiceState, inputs: &Inputs) -> Owed {
        let (Body::Service(service), Some(start)) = (&resource.body, &state.start) else {
            return Owed::default();
        };
        let wanted = inputs::of_service(resource, state);
        let record = adopted(self.services.get(&resource.id), start, &wanted, inputs);
        let stale = wanted.into_iter().filter(|id| {
            let read = record.inputs.get(id);
            read.is_some_and(|read| read.differs(inputs.get(id)))
        });
        let (reload, restart) = stale
            .partition(|id| service.reload_on.contains(id) && !service.restart_on.contains(id));
        Owed { restart, reload }
    }

    /// What is on record of an input of a service or a command.
    pub fn read(&self, reader: &ResourceId, input: &ResourceId) -> Option<Read> {
        let of_start = self.services.get(reader);
        let of_start = of_start.and_then(|record| record.inputs.get(input).copied());
        of_start.or_else(|| {
            let digest = *self.commands.get(reader)?.get(input)?;
            Some(Read::This {
                digest,
                changed_us: 0,
            })
        })
    }

    /// Whether a command is owed on account of its `on`, and which of them have changed since it succeeded (none
    /// where it never did, or was tried in vain with what is there no more).
    pub fn owed_command(
        &self,
        command: &ResourceId,
        on: &[ResourceId],
        inputs: &Inputs,
    ) -> Option<Vec<ResourceId>> {
        let Some(known) = self.commands.get(command) else {
            return Some(Vec::new());
        };
        let changed: Vec<ResourceId> = on
            .iter()
            .filter(|id| match (known.get(id), inputs.get(id)) {
                (Some(known), Some(now)) => *known != now.digest,
                _ => false,
            })
            .cloned()
            .collect();
        (!changed.is_empty() || self.tried.contains(command)).then_some(changed)
    }

    /// cfg started or restarted the service: `state` is what was seen after it, `inputs` what was there just before.
    pub fn started(&mut self, resource: &Resource, state: &ServiceState, inputs: &Inputs) {
        let Some(start) = &state.start else {
            self.services.remove(&resource.id);
            return;
        };
        let record = StartRecord {
            start: start.id.clone(),
            by: By::Cfg,
            inputs: inputs::of_service(resource, state)
                .into_iter()
                .filter_map(|id| Some((id.clone(), Read::of(inputs.get(&id)?))))
                .collect(),
        };
        self.services.insert(resource.id.clone(), record);
    }

    /// cfg reloaded the service: `inputs` is what was there just before.
    pub fn reloaded(&mut self, resource: &Resource, inputs: &Inputs) {
        let Body::Service(service) = &resource.body else {
            return;
        };
        if let Some(record) = self.services.get_mut(&resource.id) {
            for id in &service.reload_on {
                if let Some(now) = inputs.get(id) {
                    record.inputs.insert(id.clone(), Read::of(now));
                }
            }
        }
    }

    /// The command is about to run: until it has succeeded it is owed, whatever its inputs come to be. Says whether
    /// that must be on disk before it runs.
    pub fn tries(&mut self, resource: &Resource) -> bool {
        let known = self.commands.contains_key(&resource.id);
        known && self.tried.insert(resource.id.clone())
    }

    /// The command has succeeded with these inputs.
    pub fn settled(&mut self, command: &ResourceId, inputs: BTreeMap<ResourceId, Digest>) {
        self.tried.remove(command);
        self.commands.insert(command.clone(), inputs);
    }

    /// The command succeeded: `inputs` is what was there just before.
    pub fn succeeded(&mut self, resource: &Resource, inputs: &Inputs) {
        let Body::Command(command) = &resource.body else {
            return;
        };
        if !command.runs_once() {
            return;
        }
        let known = carried(&BTreeMap::new(), &command.on, inputs);
        self.settled(&resource.id, known);
    }
}
