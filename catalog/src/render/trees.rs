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

/// Adds a file resource for each file of each directory's tree.
pub fn expand(part: &Part, instances: &mut Instances, wrong: &mut Diagnostics) {
    let mut added = Vec::new();
    for instance in &instances.on {
        let Body::Directory(directory) = &instance.resource.body else {
            continue;
        };
        for (below, digest, size) in &directory.source {
            match file(directory, below, *digest, *size, instance) {
                Ok(file) => added.push(file),
                Err(why) => {
                    let message = format!("{below}: {why}");
                    wrong.push(Diagnostic::error(&instance.resource.place, message));
                }
            }
        }
    }
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
