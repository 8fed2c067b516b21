//! What an archive brings where something else of the role is to be: where that can only fail, a dry run says so.

use super::Context;
use super::foreseen::path_of;
use crate::machine::{Imagined, Machine, Stands};
use cfg_catalog::id::{Kind, ResourceId};
use cfg_catalog::path::AbsPath;
use cfg_catalog::plan::claims::presence;
use cfg_catalog::plan::refusals::Refusal;
use cfg_catalog::plan::{Action, Plan};
use cfg_catalog::resource::archive::Archive;
use cfg_catalog::resource::{Body, Desired, Presence, Resource};

/// What of the role will find something else in its place that an archive brings before it.
pub(super) fn in_the_way(
    context: &Context<'_>,
    machine: &Machine,
    desired: &Desired,
    plan: &Plan,
) -> Vec<(ResourceId, Refusal)> {
    let mut found = Vec::new();
    let mut brought: Vec<(&Archive, Imagined)> = Vec::new();
    // By then a command may have changed anything.
    let acts = |kind| matches!(kind, Kind::Command | Kind::Mount);
    let steps = plan.steps.iter();
    let known = steps.take_while(|step| !acts(step.step.resource.kind) || step.changes.is_empty());
    for step in known {
        let Some(resource) = desired.get(&step.step.resource) else {
            continue;
        };
        if let Some((archive, ground)) = around(&brought, resource)
            && let Some(why) = fails(desired, resource, archive, ground)
        {
            found.push((resource.id.clone(), Refusal::Never(why)));
        }
        let comes = step
            .changes
            .iter()
            .any(|change| change.action != Action::Remove);
        if let (Body::Archive(archive), true) = (&resource.body, comes) {
            let holds = |one: &Resource| path_of(one).is_some_and(|path| is_in(path, archive));
            if desired.resources.iter().any(holds)
                && let Ok(Some(ground)) = machine.walk_archive(archive, context.blobs)
            {
                brought.push((archive, ground));
            }
        }
    }
    found
}

fn is_in(path: &AbsPath, archive: &Archive) -> bool {
    *path != archive.path && path.is_within(&archive.path)
}

/// The archive that brings what is around a resource.
fn around<'a>(
    brought: &'a [(&'a Archive, Imagined)],
    resource: &Resource,
) -> Option<(&'a Archive, &'a Imagined)> {
    let path = path_of(resource)?;
    let around = brought.iter().filter(|(archive, _)| is_in(path, archive));
    let nearest = around.max_by_key(|(archive, _)| archive.path.as_str().len())?;
    Some((nearest.0, &nearest.1))
}

/// Why a resource can only fail where this archive lies by then.
fn fails(
    desired: &Desired,
    resource: &Resource,
    archive: &Archive,
    ground: &Imagined,
) -> Option<String> {
    let path = path_of(resource)?;
    let skip = archive.path.components().count();
    let stands = ground.stands(path.components().skip(skip));
    let absent = presence(&resource.body) == Presence::Absent;
    // Others may go from it before.
    if stands == (Stands::Folder { full: true }) && is_emptied(desired, path) {
        return None;
    }
    let why = match (&resource.body, stands) {
        (_, Stands::Nothing | Stands::Elsewhere | Stands::Link) => return None,
        (_, Stands::Below) if absent => return None,
        (_, Stands::Below) => "is below a file that it holds",
        (Body::File(_) | Body::Edit(_), Stands::File) => return None,
        (Body::Directory(_), Stands::Folder { full }) if !absent || !full => return None,
        (Body::File(_) | Body::Link(_) | Body::Archive(_), Stands::Folder { full: false })
            if !absent =>
        {
            return None;
        }
        (_, Stands::File) => "is a file that it holds",
        (_, Stands::Folder { .. }) => "is a directory that it holds",
    };
    Some(format!(
        "archive:{} comes before it, and {path} {why}",
        archive.path
    ))
}

/// Whether the role takes something away that lies in a folder.
fn is_emptied(desired: &Desired, folder: &AbsPath) -> bool {
    desired.resources.iter().any(|one| {
        let takes = match &one.body {
            Body::Directory(directory) => directory.purge && folder.is_within(&directory.path),
            _ => false,
        };
        let gone = presence(&one.body) == Presence::Absent;
        let inside = |path: &AbsPath| path != folder && path.is_within(folder);
        takes || (gone && path_of(one).is_some_and(inside))
    })
}
