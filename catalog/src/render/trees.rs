//! A directory's `source`: a tree of the role, one file resource a file.

use super::instances::{Instance, Instances};
use super::reader::Keys;
use crate::digest::Digest;
use crate::id::{Kind, ResourceId};
use crate::release::part::Part;
use crate::resource::directory::Directory;
use crate::resource::file::{Content, File};
use crate::resource::{Attributes, Body, Presence, Resource};
use crate::text::diagnostic::{Diagnostic, Diagnostics};
use std::collections::BTreeMap;

/// The files below the folder that `source` names: path below it, digest, size.
pub fn files(keys: &mut Keys<'_, '_>) -> Vec<(String, Digest, u64)> {
    let Some(folder) = keys.role_path("source") else {
        return Vec::new();
    };
    let prefix = format!("{folder}/");
    let files: Vec<_> = keys
        .reader
        .part()
        .files
        .iter()
        .filter_map(|(path, blob)| {
            let below = path.strip_prefix(&prefix)?;
            Some((below.to_owned(), blob.digest, blob.size))
        })
        .collect();
    if files.is_empty() {
        keys.wrong(
            "source",
            format!("no such folder, or nothing in it: {folder}"),
        );
    }
    files
}

/// Adds a file resource for each file of each directory's tree. One that the role declares itself wins, and
/// takes from the tree what it does not say.
pub fn expand(part: &Part, instances: &mut Instances, wrong: &mut Diagnostics) {
    let mut added = entries(instances, wrong);
    let mut declared: BTreeMap<ResourceId, &mut Instance> = BTreeMap::new();
    for instance in &mut instances.on {
        declared
            .entry(instance.resource.id.clone())
            .or_insert(instance);
    }
    // Each declared file does so once: the same path in another tree stays, and is found to be claimed twice.
    added.retain(|entry| match declared.remove(&entry.resource.id) {
        Some(file) => {
            complete(&mut file.resource.body, &entry.resource.body);
            false
        }
        None => true,
    });
    if instances.on.len() + added.len() > super::instances::MOST {
        let message = format!(
            "{}: more than {} resources",
            part.role,
            super::instances::MOST
        );
        wrong.push(Diagnostic::bare(message));
        return;
    }
    instances.on.extend(added);
    without_content(instances, wrong);
}

fn entries(instances: &Instances, wrong: &mut Diagnostics) -> Vec<Instance> {
    let mut entries = Vec::new();
    for instance in &instances.on {
        let Body::Directory(directory) = &instance.resource.body else {
            continue;
        };
        for (below, digest, size) in &directory.source {
            match file(directory, below, *digest, *size, instance) {
                Ok(file) => entries.push(file),
                Err(why) => {
                    let message = format!("{below}: {why}");
                    wrong.push(Diagnostic::error(&instance.resource.place, message));
                }
            }
        }
    }
    entries
}

/// What a declared file does not say is as the tree has it.
fn complete(declared: &mut Body, entry: &Body) {
    let (Body::File(file), Body::File(entry)) = (declared, entry) else {
        return;
    };
    if file.state == Presence::Absent {
        return;
    }
    if file.content.is_none() {
        file.content.clone_from(&entry.content);
    }
    let (own, tree) = (&mut file.attributes, &entry.attributes);
    own.owner = own.owner.take().or_else(|| tree.owner.clone());
    own.group = own.group.take().or_else(|| tree.group.clone());
}

/// Only now it is known that no tree has it either.
fn without_content(instances: &Instances, wrong: &mut Diagnostics) {
    for instance in &instances.on {
        let resource = &instance.resource;
        if matches!(&resource.body, Body::File(file) if file.create_only && file.content.is_none())
        {
            let message = "`create_only` needs content, template or source";
            wrong.push(Diagnostic::error(&resource.place, message));
        }
    }
}

fn file(
    directory: &Directory,
    below: &str,
    digest: Digest,
    size: u64,
    from: &Instance,
) -> Result<Instance, crate::path::BadPath> {
    let path = directory.path.join(below)?;
    Ok(Instance {
        resource: Resource {
            id: ResourceId::new(Kind::File, path.as_str()),
            place: from.resource.place.clone(),
            after: Vec::new(),
            sensitive: false,
            body: Body::File(File {
                path,
                state: Presence::Present,
                content: Some(Content::Blob { digest, size }),
                attributes: Attributes {
                    mode: None,
                    ..directory.attributes.clone()
                },
                validate: None,
                sensitive: false,
                create_only: false,
            }),
        },
        references: BTreeMap::new(),
    })
}
