//! What is true of a machine as a whole and bears on a plan.

use crate::machine::{BlobSource, Caller, Machine};
use cfg_catalog::digest::Digest;
use cfg_catalog::id::ResourceId;
use cfg_catalog::plan::{Host, Power};
use cfg_catalog::resource::file::Content;
use cfg_catalog::resource::{Body, Desired, Observed, PathState};
use std::collections::BTreeMap;
use std::io::Read as _;

/// Larger files of a role get no diff.
const DIFFED: u64 = 1 << 20;

/// What is true of this machine; `seen` tells whose contents are worth a diff.
pub(super) fn host(
    machine: &Machine,
    desired: &Desired,
    seen: &BTreeMap<ResourceId, Observed>,
    blobs: &dyn BlobSource,
) -> Host {
    let users = machine.names().users().unwrap_or_default();
    let groups = machine.names().groups().unwrap_or_default();
    Host {
        users: users
            .into_iter()
            .map(|user| (user.uid, user.name))
            .collect(),
        groups: groups
            .into_iter()
            .map(|group| (group.gid, group.name))
            .collect(),
        power: power(machine),
        blobs: contents(desired, seen, blobs),
    }
}

fn power(machine: &Machine) -> Power {
    let Caller::Ordinary { uid, gid } = machine.root().caller() else {
        return Power::Root;
    };
    if machine.root().is_machine() {
        return Power::Root;
    }
    let name = |gid: u32| {
        machine
            .names()
            .group_name(gid)
            .unwrap_or_else(|_| gid.to_string())
    };
    let mut groups = vec![name(gid)];
    let others = rustix::process::getgroups().unwrap_or_default();
    groups.extend(others.into_iter().map(|gid| name(gid.as_raw())));
    Power::Own {
        user: machine
            .names()
            .user_name(uid)
            .unwrap_or_else(|_| uid.to_string()),
        groups,
    }
}

/// The contents of the role's files that differ from what stands there.
fn contents(
    desired: &Desired,
    seen: &BTreeMap<ResourceId, Observed>,
    blobs: &dyn BlobSource,
) -> BTreeMap<Digest, Vec<u8>> {
    let wanted = desired.resources.iter().filter_map(|resource| {
        let Body::File(file) = &resource.body else {
            return None;
        };
        let Some(Content::Blob { digest, size }) = &file.content else {
            return None;
        };
        let differs = match seen.get(&resource.id) {
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
