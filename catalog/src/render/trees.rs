//! A directory's `source`: a tree of the role, one resource a file and one a folder in it.

use super::instances::{Instance, Instances};
use super::reader::Keys;
use crate::id::ResourceId;
use crate::path::{AbsPath, BadPath};
use crate::plan::claims::own_path;
use crate::release::part::Part;
use crate::resource::directory::{Directory, TreeFile};
use crate::resource::file::{Content, File};
use crate::resource::{Attributes, Body, Presence, Resource};
use crate::text::diagnostic::{Diagnostic, Diagnostics};
use crate::text::unclear::Unclear;
use std::collections::{BTreeMap, BTreeSet};

/// The files below the folder that `source` names.
pub fn files(keys: &mut Keys<'_, '_>) -> Vec<TreeFile> {
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
            Some(TreeFile {
                path: path.strip_prefix(&prefix)?.to_owned(),
                digest: blob.digest,
                size: blob.size,
                executable: blob.executable,
            })
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

/// Adds a resource for each file of each directory's tree, and for each folder in it. One that the role declares
/// itself wins, and takes from the tree what it does not say.
pub fn expand(
    part: &Part,
    instances: &mut Instances,
    unclear: Option<&Unclear>,
    wrong: &mut Diagnostics,
) {
    let mut added = folders(instances);
    added.extend(entries(instances, wrong));
    if added.is_empty() {
        return without_content(instances, unclear, wrong);
    }
    let mut declared: BTreeMap<ResourceId, &mut Instance> = BTreeMap::new();
    for instance in &mut instances.on {
        declared
            .entry(instance.resource.id.clone())
            .or_insert(instance);
    }
    // Each declared file does so once: the same path in another tree stays, and is found to be claimed twice.
    added.retain(|entry| match declared.remove(&entry.resource.id) {
        Some(instance) => {
            complete(&mut instance.resource, &entry.resource.body);
            false
        }
        None => true,
    });
    if instances.on.len() + added.len() > super::instances::MOST {
        wrong.push(too_many(part, instances));
        return;
    }
    instances.on.extend(added);
    without_content(instances, unclear, wrong);
}

/// It is told of the largest tree.
fn too_many(part: &Part, instances: &Instances) -> Diagnostic {
    let most = super::instances::MOST;
    let message = format!("with this tree the role has more than {most} resources");
    let size = |instance: &&Instance| match &instance.resource.body {
        Body::Directory(tree) => tree.source.len(),
        _ => 0,
    };
    let largest = instances.on.iter().max_by_key(size);
    let place = largest.map(|instance| instance.resource.place.clone());
    let key = part.resources.iter().find_map(|declared| {
        let here = Some(&declared.place) == place.as_ref();
        declared.keys.get("source").filter(|_| here)
    });
    let at = key.map(|key| key.place.clone()).or(place);
    let wrong = match &at {
        Some(at) => Diagnostic::error(at, message),
        None => Diagnostic::bare(message),
    };
    wrong.help("an archive is one resource, however much it holds: [archive.\"/PATH\"] with source")
}

/// The folders that lie in trees and that the role does not declare. Those that it does are completed here, before
/// what lies in a tree of their own takes after them.
fn folders(instances: &mut Instances) -> Vec<Instance> {
    let is_tree = |instance: &Instance| matches!(&instance.resource.body, Body::Directory(tree) if !tree.source.is_empty());
    if !instances.on.iter().any(is_tree) {
        return Vec::new();
    }
    let mut declared: BTreeMap<AbsPath, usize> = BTreeMap::new();
    for (at, instance) in instances.on.iter().enumerate() {
        if let Some(path) = own_path(&instance.resource.body) {
            declared.entry(path.clone()).or_insert(at);
        }
    }
    let mut found = BTreeMap::new();
    // Where a tree lies in another, the inner one has the last word.
    for at in declared.values() {
        let Body::Directory(tree) = &instances.on[*at].resource.body else {
            continue;
        };
        for folder in tree.folders() {
            match declared.get(&folder.path) {
                // A link may stand for a folder; a file there is found to be in the way of what lies in it.
                Some(other) => {
                    complete(&mut instances.on[*other].resource, &Body::Directory(folder));
                }
                None => {
                    let path = folder.path.clone();
                    let folder = of_tree(&path, Body::Directory(folder), &instances.on[*at]);
                    found.insert(path, folder);
                }
            }
        }
    }
    found.into_values().collect()
}

impl Directory {
    /// The folders in its tree, with its attributes.
    fn folders(&self) -> Vec<Directory> {
        let files = self.source.iter().filter_map(|file| {
            // One whose name cannot be a path is told of as a file.
            self.path.join(&file.path).ok()
        });
        let paths: BTreeSet<AbsPath> = files
            .flat_map(|path| {
                path.ancestors()
                    .take_while(|above| *above != self.path)
                    .collect::<Vec<_>>()
            })
            .collect();
        let folder = |path| Directory {
            path,
            state: Presence::Present,
            attributes: self.attributes.clone(),
            purge: false,
            source: Vec::new(),
            over_file: false,
        };
        paths.into_iter().map(folder).collect()
    }
}

fn entries(instances: &Instances, wrong: &mut Diagnostics) -> Vec<Instance> {
    let mut entries = Vec::new();
    for instance in &instances.on {
        let Body::Directory(directory) = &instance.resource.body else {
            continue;
        };
        for file in &directory.source {
            match entry(directory, file) {
                Ok(file) => {
                    entries.push(of_tree(&file.path.clone(), Body::File(file), instance));
                }
                Err(why) => {
                    let message = format!("{}: {why}", file.path);
                    wrong.push(Diagnostic::error(&instance.resource.place, message));
                }
            }
        }
    }
    entries
}

fn entry(directory: &Directory, file: &TreeFile) -> Result<File, BadPath> {
    Ok(File {
        path: directory.path.join(&file.path)?,
        state: Presence::Present,
        content: Some(Content::Blob {
            digest: file.digest,
            size: file.size,
        }),
        attributes: Attributes {
            mode: Some(file.mode()),
            ..directory.attributes.clone()
        },
        validate: None,
        sensitive: false,
        create_only: false,
    })
}

/// A resource that stands where its tree does.
fn of_tree(path: &AbsPath, body: Body, tree: &Instance) -> Instance {
    Instance {
        resource: Resource {
            id: ResourceId::new(body.kind(), path.as_str()),
            place: tree.resource.place.clone(),
            after: Vec::new(),
            sensitive: tree.resource.sensitive,
            body,
        },
        references: BTreeMap::new(),
    }
}

/// What a declared file or folder does not say is as the tree has it.
fn complete(declared: &mut Resource, entry: &Body) {
    let secret = declared.sensitive;
    match (&mut declared.body, entry) {
        (Body::File(file), Body::File(entry)) if file.state == Presence::Present => {
            if file.content.is_none() {
                file.content.clone_from(&entry.content);
            }
            let mode = file.attributes.mode;
            attributes(&mut file.attributes, &entry.attributes);
            if file.sensitive || secret {
                // A tree's files are for everybody to read.
                file.attributes.mode = mode;
            }
        }
        (Body::Directory(folder), Body::Directory(entry)) if folder.state == Presence::Present => {
            attributes(&mut folder.attributes, &entry.attributes);
        }
        _ => {}
    }
}

fn attributes(own: &mut Attributes, tree: &Attributes) {
    own.mode = own.mode.or(tree.mode);
    own.owner = own.owner.take().or_else(|| tree.owner.clone());
    own.group = own.group.take().or_else(|| tree.group.clone());
}

/// Only now it is known that no tree has it either.
fn without_content(instances: &Instances, unclear: Option<&Unclear>, wrong: &mut Diagnostics) {
    let has_all = |place| unclear.is_none_or(|unclear| !unclear.has_keys(place));
    for instance in &instances.on {
        let resource = &instance.resource;
        if !has_all(&resource.place) {
            continue;
        }
        let Body::File(file) = &resource.body else {
            continue;
        };
        let about_content = [
            ("create_only", file.create_only),
            ("validate", file.validate.is_some()),
        ];
        for (key, said) in about_content {
            if said && file.content.is_none() && file.state == Presence::Present {
                let message = format!("`{key}` needs content, template, source or url");
                wrong.push(Diagnostic::error(&resource.place, message));
            }
        }
    }
}
