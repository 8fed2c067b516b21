//! Two resources that claim one thing conflict, whatever their kind or spelling.

use super::instances::{Instance, Instances};
use crate::path::AbsPath;
use crate::resource::fstab::FSTAB;
use crate::resource::{Body, Presence, Resource};
use crate::text::diagnostic::{Diagnostic, Diagnostics};
use std::collections::BTreeMap;

/// Notes every thing that is claimed twice, and what lies in something that is no folder here.
pub fn check(instances: &Instances, arch: &str, wrong: &mut Diagnostics) {
    twice(instances, arch, wrong);
    below(instances, wrong);
    super::edit::check(instances, arch, wrong);
    mounts(instances, wrong);
}

/// The path of a file, directory, link or archive, and whether it must be there.
fn stands(body: &Body) -> Option<(&AbsPath, Presence)> {
    match body {
        Body::File(file) => Some((&file.path, file.state)),
        Body::Directory(directory) => Some((&directory.path, directory.state)),
        Body::Link(link) => Some((&link.path, link.state)),
        Body::Edit(edit) => Some((&edit.path, Presence::Present)),
        Body::Archive(archive) => Some((&archive.path, archive.state)),
        _ => None,
    }
}

fn below(instances: &Instances, wrong: &mut Diagnostics) {
    let all = || instances.on.iter().map(|instance| &instance.resource);
    let no_folder: BTreeMap<&AbsPath, &Resource> = all()
        .filter_map(|resource| {
            let (path, state) = stands(&resource.body)?;
            let file = matches!(resource.body, Body::File(_) | Body::Edit(_));
            (file || state == Presence::Absent).then_some((path, resource))
        })
        .collect();
    for resource in all() {
        let Some((path, Presence::Present)) = stands(&resource.body) else {
            continue;
        };
        let above = path
            .ancestors()
            .find_map(|above| no_folder.get(&above).copied());
        if let Some(above) = above {
            let why = match stands(&above.body) {
                Some((_, Presence::Absent)) => "must not be there",
                _ => "is a file",
            };
            let message = format!("{} lies in {}, which {why}", resource.id, above.id);
            let diagnostic = Diagnostic::error(&resource.place, message);
            wrong.push(diagnostic.note(&above.place, "the other one"));
        }
    }
}

/// What a file system is mounted on is a folder, and its table is written line by line.
fn mounts(instances: &Instances, wrong: &mut Diagnostics) {
    let all = || instances.on.iter().map(|instance| &instance.resource);
    for mount in all() {
        let Body::Mount(body) = &mount.body else {
            continue;
        };
        for other in all() {
            let Some((path, state)) = stands(&other.body) else {
                continue;
            };
            let folder = matches!(other.body, Body::Directory(_)) && state == Presence::Present;
            let message = match path.as_str() {
                FSTAB => format!("{} is a line of it, and {} is it whole", mount.id, other.id),
                _ if body.point.is_within(path) && !folder && body.line().is_some() => {
                    format!("{} is mounted where {} is", mount.id, other.id)
                }
                _ => continue,
            };
            let diagnostic = Diagnostic::error(&mount.place, message);
            wrong.push(diagnostic.note(&other.place, "the other one"));
        }
    }
}

fn twice(instances: &Instances, arch: &str, wrong: &mut Diagnostics) {
    let mut claimed: BTreeMap<String, &Instance> = BTreeMap::new();
    for instance in &instances.on {
        for claim in claims(&instance.resource.body, arch) {
            match claimed.get(&claim) {
                None => {
                    claimed.insert(claim, instance);
                }
                Some(first) => {
                    let (first, second) = (&first.resource, &instance.resource);
                    let message = match first.id == second.id {
                        true if first.place == second.place => {
                            format!(
                                "{} is declared twice: two items of `each` name it",
                                second.id
                            )
                        }
                        true => format!("{} is declared twice", second.id),
                        false => format!("{} and {} both claim {claim}", first.id, second.id),
                    };
                    let diagnostic = Diagnostic::error(&second.place, message);
                    wrong.push(match first.place == second.place {
                        true => diagnostic,
                        false => diagnostic.note(&first.place, "the other one"),
                    });
                }
            }
        }
    }
}

/// What a body claims for itself, in words.
pub(super) fn claims(body: &Body, arch: &str) -> Vec<String> {
    let path = |path: &str| format!("the path {path}");
    match body {
        Body::File(file) => vec![path(file.path.as_str())],
        Body::Directory(directory) => vec![path(directory.path.as_str())],
        Body::Link(link) => vec![path(link.path.as_str())],
        Body::Repository(repository) => [Some(repository.sources_path()), repository.key_path()]
            .iter()
            .flatten()
            .map(|p| path(p))
            .collect(),
        Body::Service(service) => {
            let file = service.unit_path().map(|p| path(p.as_str()));
            let unit = format!("the unit {}", service.unit);
            std::iter::once(unit).chain(file).collect()
        }
        Body::Package(package) => {
            let name = package.name.as_str();
            let native = name.strip_suffix(arch).and_then(|n| n.strip_suffix(':'));
            vec![format!("the package {}", native.unwrap_or(name))]
        }
        Body::User(user) => {
            let keys = user.authorized_keys.as_ref().and(user.home.as_ref());
            let keys = keys.map(|home| path(&format!("{home}/.ssh/authorized_keys")));
            let name = format!("the user {}", user.name);
            std::iter::once(name).chain(keys).collect()
        }
        Body::Group(group) => vec![format!("the group {}", group.name)],
        Body::Sysctl(sysctl) => {
            let file = sysctl.file().ok().map(|p| path(p.as_str()));
            let name = format!("the setting {}", sysctl.name);
            std::iter::once(name).chain(file).collect()
        }
        Body::Archive(archive) => vec![path(archive.path.as_str())],
        Body::Mount(mount) => vec![format!("the mount point {}", mount.point)],
        Body::Command(command) => vec![format!("the command {}", command.name)],
        // Several may edit one path; see `edit::check`.
        Body::Edit(_) => Vec::new(),
    }
}
