//! Two resources that claim one thing conflict, whatever their kind or spelling.

use super::instances::{Instance, Instances};
use crate::id::{Kind, ResourceId};
use crate::path::{AbsPath, Nearest};
use crate::resource::fstab::FSTAB;
use crate::resource::through::Links;
use crate::resource::{Body, Place, Presence, Resource};
use crate::text::diagnostic::{Diagnostic, Diagnostics};
use crate::text::names;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

/// Notes every thing that is claimed twice, and what lies in something that is no folder here.
pub fn check(instances: &Instances, arch: &str, wrong: &mut Diagnostics) {
    twice(instances, arch, wrong);
    led(instances, arch, wrong);
    below(instances, wrong);
    super::edit::check(instances, arch, wrong);
    mounts(instances, wrong);
    tables(instances, wrong);
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
    let no_folder: BTreeMap<&str, &Resource> = all()
        .filter_map(|resource| {
            let (path, state) = stands(&resource.body)?;
            let file = matches!(resource.body, Body::File(_) | Body::Edit(_));
            (file || state == Presence::Absent).then_some((path.as_str(), resource))
        })
        .collect();
    let mut no_folder = Nearest::of(no_folder);
    for resource in all() {
        let Some((path, Presence::Present)) = stands(&resource.body) else {
            continue;
        };
        if let Some(above) = no_folder.above(path) {
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

/// What a file system is mounted on is a folder.
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
            if body.point.is_within(path) && !folder && body.line().is_some() {
                let message = format!("{} is mounted where {} is", mount.id, other.id);
                let diagnostic = Diagnostic::error(&mount.place, message);
                wrong.push(diagnostic.note(&other.place, "the other one"));
            }
        }
    }
}

/// The tables that a resource is a line of.
fn line_of(body: &Body) -> &'static [&'static str] {
    match body {
        Body::Mount(_) => &[FSTAB],
        Body::User(_) => &["/etc/passwd", "/etc/shadow"],
        Body::Group(_) => &["/etc/group", "/etc/gshadow"],
        _ => &[],
    }
}

/// Tables are written line by line, or are one thing of the role.
fn tables(instances: &Instances, wrong: &mut Diagnostics) {
    let all = || instances.on.iter().map(|instance| &instance.resource);
    let mut lines: BTreeMap<&str, Vec<&Resource>> = BTreeMap::new();
    for line in all() {
        for table in line_of(&line.body) {
            lines.entry(table).or_default().push(line);
        }
    }
    for whole in all() {
        let path = match (&whole.body, stands(&whole.body)) {
            (Body::File(file), _) if file.state == Presence::Present && file.is_open() => continue,
            (Body::Edit(edit), _) if edit.path.as_str() != FSTAB => continue,
            (_, Some((path, _))) => path.as_str(),
            _ => continue,
        };
        for line in lines.get(path).into_iter().flatten() {
            let message = format!("{} is a line of it, and {} is it whole", line.id, whole.id);
            let help = format!("leave out {}, or all that are lines of it", whole.id);
            let diagnostic = Diagnostic::error(&line.place, message).help(help);
            wrong.push(diagnostic.note(&whole.place, "the other one"));
        }
    }
}

/// What is claimed: its kind in words, and its name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Claim<'a> {
    pub(super) what: &'static str,
    pub(super) name: Cow<'a, str>,
}

/// What is claimed of paths.
pub(super) const PATH: &str = "the path";

impl fmt::Display for Claim<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.what, self.name)
    }
}

/// Where two items of one `each` name the same.
pub(super) const ITEMS: &str = "let {{ item }}, or something of it, tell them apart in the name; and let no item stand there twice";

fn twice(instances: &Instances, arch: &str, wrong: &mut Diagnostics) {
    let mut claimed: Vec<(Claim<'_>, &ResourceId, &Place)> = Vec::new();
    for Instance { resource, .. } in &instances.on {
        let claims = claims(resource, arch).into_iter();
        claimed.extend(claims.map(|claim| (claim, &resource.id, &resource.place)));
    }
    let named = instances.named.iter();
    claimed.extend(named.filter_map(|(id, place)| Some((by_name(id, arch)?, id, place))));
    // Who is declared first stays first.
    claimed.sort_by(|a, b| a.0.cmp(&b.0));
    for same in claimed.chunk_by(|a, b| a.0 == b.0) {
        let Some(((claim, id, place), others)) = same.split_first() else {
            continue;
        };
        for (_, second, there) in others {
            let message = match id == second {
                true if place == there => {
                    format!("{second} is declared twice: two items of `each` name it")
                }
                true => format!("{second} is declared twice"),
                false => format!("{id} and {second} both claim {claim}"),
            };
            let diagnostic = Diagnostic::error(*there, message);
            wrong.push(match place == there {
                true if id == second => diagnostic.help(ITEMS),
                true => diagnostic,
                false => diagnostic.note(*place, "the other one"),
            });
        }
    }
}

/// A path that is claimed, under the name that links of the role lead to.
struct Led<'a> {
    path: AbsPath,
    /// As the role writes it.
    name: AbsPath,
    of: &'a Resource,
    by: Vec<&'a Resource>,
}

/// One path under two names, where a link that the role makes stands above one of them.
fn led(instances: &Instances, arch: &str, wrong: &mut Diagnostics) {
    let links = Links::of(instances.on.iter().map(|instance| &instance.resource));
    if links.is_empty() {
        return;
    }
    let mut all: Vec<Led<'_>> = Vec::new();
    for Instance { resource, .. } in &instances.on {
        let edited = match &resource.body {
            Body::Edit(edit) => Some(edit.path.clone()),
            _ => None,
        };
        let paths = claims(resource, arch).into_iter();
        let paths = paths.filter(|claim| claim.what == PATH);
        let paths = paths.filter_map(|claim| claim.name.parse().ok());
        for name in paths.chain(edited) {
            let led = links.lead(&name);
            let (path, by) =
                led.map_or_else(|| (name.clone(), Vec::new()), |led| (led.path, led.by));
            all.push(Led {
                path,
                name,
                of: resource,
                by,
            });
        }
    }
    // Who is declared first stays first.
    all.sort_by(|a, b| a.path.cmp(&b.path));
    for same in all.chunk_by(|a, b| a.path == b.path) {
        let others = same.iter().filter(|other| other.name != same[0].name);
        others.for_each(|other| wrong.push(one_by_links(&same[0], other)));
    }
}

fn one_by_links(first: &Led<'_>, second: &Led<'_>) -> Diagnostic {
    let mut links: Vec<&Resource> = first.by.iter().chain(&second.by).copied().collect();
    links.sort_by(|a, b| a.id.cmp(&b.id));
    links.dedup_by(|a, b| a.id == b.id);
    let names: Vec<String> = links.iter().map(|link| link.id.to_string()).collect();
    let message = format!(
        "{} and {} both claim {PATH} {}, through {}",
        first.of.id,
        second.of.id,
        first.path,
        names.join(" and ")
    );
    let mut diagnostic = Diagnostic::error(&second.of.place, message);
    if first.of.place != second.of.place {
        diagnostic = diagnostic.note(&first.of.place, "the other one");
    }
    let places = links.iter().map(|link| &link.place);
    places.fold(diagnostic, |told, place| told.note(place, "the link"))
}

/// The number of a user or group that must be there; it has one name.
fn number(what: &'static str, number: Option<u32>, state: Presence) -> Option<Claim<'static>> {
    let number = number.filter(|_| state == Presence::Present)?;
    Some(Claim {
        what,
        name: number.to_string().into(),
    })
}

/// What a resource claims by its name alone.
fn by_name<'a>(id: &'a ResourceId, arch: &str) -> Option<Claim<'a>> {
    let name = &*id.name;
    let (what, name) = match id.kind {
        Kind::File | Kind::Directory | Kind::Link | Kind::Archive => (PATH, name),
        Kind::Service => ("the unit", name),
        Kind::Package => {
            let native = name.strip_suffix(arch).and_then(|n| n.strip_suffix(':'));
            ("the package", native.unwrap_or(name))
        }
        Kind::User => ("the user", name),
        Kind::Group => ("the group", name),
        Kind::Sysctl => ("the setting", name),
        Kind::Mount => ("the mount point", name),
        Kind::Command => ("the command", name),
        // Several may edit one path; see `edit::check`.
        Kind::Repository | Kind::Edit => return None,
    };
    let name = match id.kind {
        Kind::Service => names::unit(name).ok()?.into(),
        _ => name.into(),
    };
    Some(Claim { what, name })
}

/// What a resource claims for itself.
pub(super) fn claims<'a>(resource: &'a Resource, arch: &str) -> Vec<Claim<'a>> {
    let files = match &resource.body {
        Body::Repository(repository) => {
            vec![Some(repository.sources_path()), repository.key_path()]
        }
        Body::Service(service) => vec![service.unit_path().map(|file| file.to_string())],
        Body::User(user) => {
            let keys = user.authorized_keys.as_ref().and(user.home.as_ref());
            vec![keys.map(|home| format!("{home}/.ssh/authorized_keys"))]
        }
        Body::Sysctl(sysctl) => vec![sysctl.file().ok().map(|file| file.to_string())],
        _ => Vec::new(),
    };
    let files = files.into_iter().flatten().map(|path| Claim {
        what: PATH,
        name: path.into(),
    });
    let number = match &resource.body {
        Body::User(user) => number("the uid", user.uid, user.state),
        Body::Group(group) => number("the gid", group.gid, group.state),
        _ => None,
    };
    by_name(&resource.id, arch)
        .into_iter()
        .chain(number)
        .chain(files)
        .collect()
}
