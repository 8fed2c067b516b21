//! What is true of a machine as a whole and bears on a plan.

use crate::machine::{BlobSource, Machine};
use crate::systemd;
use crate::systemd::foreseen::is_beneath;
use anyhow::Context as _;
use cfg_catalog::digest::Digest;
use cfg_catalog::id::{Kind, ResourceId};
use cfg_catalog::plan::{Host, of_each};
use cfg_catalog::resource::file::Content;
use cfg_catalog::resource::service::UNITS;
use cfg_catalog::resource::{Body, Desired, Observed, PathState, Presence, Resource};
use std::collections::{BTreeMap, BTreeSet};
use std::io::Read as _;
use std::path::Path;

/// Larger files of a role get no diff.
const DIFFED: u64 = 1 << 20;

/// What is true of this machine; `seen` tells whose contents are worth a diff.
pub(super) fn host(
    machine: &Machine,
    desired: &Desired,
    seen: &BTreeMap<ResourceId, Observed>,
    blobs: &dyn BlobSource,
) -> anyhow::Result<Host> {
    let unknown = "cannot tell who is who on this machine";
    let host = machine.host().context(unknown)?;
    Ok(Host {
        nobody: machine.nobody(desired).context(unknown)?,
        uncovered: uncovered(machine, desired),
        blobs: contents(desired, seen, blobs),
        also: also(machine, desired),
        ..host
    })
}

/// Units that `enable` links along with those of the role: of interest only to a purge that could take these links.
fn also(machine: &Machine, desired: &Desired) -> BTreeSet<String> {
    let units = Path::new(UNITS);
    let purged = desired
        .resources
        .iter()
        .any(|resource| match &resource.body {
            Body::Directory(directory) if directory.purge => {
                let folder = Path::new(directory.path.as_str());
                folder.starts_with(units) || units.starts_with(folder)
            }
            _ => false,
        });
    if !purged {
        return BTreeSet::new();
    }
    let enabled = desired.resources.iter().filter_map(|one| match &one.body {
        Body::Service(service) if service.enabled == Some(true) => Some(service.unit.as_str()),
        _ => None,
    });
    systemd::also(machine.root().path(), enabled)
}

/// Units whose own file the role takes away, and that have another one.
fn uncovered(machine: &Machine, desired: &Desired) -> BTreeSet<String> {
    let gone = |unit: &str| {
        let path = format!("{UNITS}/{unit}");
        let file = desired.get(&ResourceId::new(Kind::File, path.as_str()));
        let link = desired.get(&ResourceId::new(Kind::Link, path.as_str()));
        let absent = |one: &Resource| match &one.body {
            Body::File(file) => file.state == Presence::Absent,
            Body::Link(link) => link.state == Presence::Absent,
            _ => false,
        };
        file.is_some_and(absent) || link.is_some_and(absent)
    };
    let units = desired.resources.iter().filter_map(|one| match &one.body {
        Body::Service(service) => Some(service.unit.as_str()),
        _ => None,
    });
    let root = machine.root().path();
    units
        .filter(|unit| gone(unit) && is_beneath(root, unit))
        .map(str::to_owned)
        .collect()
}

/// The contents of the role's files that differ from what stands there.
fn contents(
    desired: &Desired,
    seen: &BTreeMap<ResourceId, Observed>,
    blobs: &dyn BlobSource,
) -> BTreeMap<Digest, Vec<u8>> {
    let each = desired.resources.iter().zip(of_each(seen, desired));
    let wanted = each.filter_map(|(resource, there)| {
        let Body::File(file) = &resource.body else {
            return None;
        };
        let Some(Content::Blob { digest, size }) = &file.content else {
            return None;
        };
        let differs = match there {
            Some(Observed::Path(PathState::File(there))) => there.digest != Some(*digest),
            _ => true,
        };
        (differs && *size <= DIFFED && !resource.sensitive).then_some(*digest)
    });
    wanted
        .filter_map(|digest| {
            let mut bytes = Vec::new();
            let blob = blobs.open(&digest).ok()?;
            blob.take(DIFFED).read_to_end(&mut bytes).ok()?;
            Some((digest, bytes))
        })
        .collect()
}
