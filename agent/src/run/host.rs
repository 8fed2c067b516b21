//! What is true of a machine as a whole and bears on a plan.

use crate::machine::{BlobSource, Machine};
use crate::systemd;
use anyhow::Context as _;
use cfg_catalog::digest::Digest;
use cfg_catalog::id::ResourceId;
use cfg_catalog::plan::{Host, of_each};
use cfg_catalog::resource::file::Content;
use cfg_catalog::resource::service::UNITS;
use cfg_catalog::resource::{Body, Desired, Observed, PathState};
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
