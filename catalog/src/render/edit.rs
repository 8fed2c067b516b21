//! What an edit asks for; and edits that cannot both have their way.

use super::claims::{ITEMS, PATH, claims};
use super::instances::{Instance, Instances};
use super::reader::Keys;
use crate::edit::{Conflict, Edit, Format, LineWanted, Pattern, Unwanted, joined};
use crate::id::ResourceId;
use crate::path::AbsPath;
use crate::resource::edit::FileEdit;
use crate::resource::{Body, Presence};
use crate::text::diagnostic::{Diagnostic, Diagnostics};
use crate::text::edits::Removal;
use crate::text::given::Given;
use std::collections::{BTreeMap, BTreeSet};

pub fn build(keys: &mut Keys<'_, '_>, name: &str) -> Option<FileEdit> {
    let path = match keys.read("path", Given::path) {
        Some(path) => path,
        // Where it is written and wrong, that is noted.
        None if keys.declared.keys.contains_key("path") => return None,
        None => name.parse().ok()?,
    };
    let format = keys.read("format", |given| given.word(Format::WORDS))?;
    let mut edit = Edit::of(Format::of_word(format)?);
    if let Some(table) = keys.read("set", Given::settings) {
        for why in edit.set(&table).err().into_iter().flatten() {
            keys.misfit("set", why);
        }
    }
    for removal in keys.read("remove", Given::removals).unwrap_or_default() {
        if let Err(why) = remove(&mut edit, removal) {
            keys.misfit("remove", why);
        }
    }
    for (line, pattern) in keys.read("lines", Given::wanted_lines).unwrap_or_default() {
        match pattern.map(|text| Pattern::new(&text)).transpose() {
            Ok(matching) => edit.lines.push(LineWanted { line, matching }),
            Err(why) => keys.misfit("lines", why),
        }
    }
    Some(FileEdit {
        path,
        edit,
        create: keys.read("create", Given::boolean).unwrap_or_default(),
    })
}

fn remove(edit: &mut Edit, removal: Removal) -> Result<(), String> {
    match (edit.format, removal) {
        (Format::Lines, Removal::Name(line)) => edit.drop.push(Unwanted::Line(line)),
        (Format::Lines, Removal::Matching(text)) => {
            edit.drop.push(Unwanted::Matching(Pattern::new(&text)?));
        }
        (Format::Lines, Removal::Path(_)) => {
            return Err("lines have no keys: a line, or a table with `match`, is wanted".into());
        }
        (_, Removal::Matching(_)) => {
            return Err("`match` is for format = \"lines\" alone".into());
        }
        (_, Removal::Name(name)) => edit.remove(edit.path_of(&name))?,
        (_, Removal::Path(path)) => edit.remove(path)?,
    }
    Ok(())
}

/// What counts for a file counts for all edits of it: whether it is made, and whether it is secret.
pub fn share(instances: &mut Instances) {
    let mut made: BTreeSet<AbsPath> = BTreeSet::new();
    let mut secret: BTreeSet<AbsPath> = BTreeSet::new();
    for Instance { resource, .. } in &instances.on {
        let path = match &resource.body {
            Body::Edit(edit) => &edit.path,
            Body::File(file) => &file.path,
            _ => continue,
        };
        if matches!(&resource.body, Body::Edit(edit) if edit.create) {
            made.insert(path.clone());
        }
        if resource.sensitive {
            secret.insert(path.clone());
        }
    }
    for Instance { resource, .. } in &mut instances.on {
        if let Body::Edit(edit) = &mut resource.body {
            edit.create |= made.contains(&edit.path);
            resource.sensitive |= secret.contains(&edit.path);
        }
    }
}

/// Notes edits that contradict themselves, each other, or what else claims their path.
pub fn check(instances: &Instances, arch: &str, wrong: &mut Diagnostics) {
    let mut edits: BTreeMap<&AbsPath, Vec<(&Instance, &FileEdit)>> = BTreeMap::new();
    let mut names: BTreeMap<&ResourceId, &Instance> = BTreeMap::new();
    for instance in &instances.on {
        let Body::Edit(edit) = &instance.resource.body else {
            continue;
        };
        let resource = &instance.resource;
        if let Some(first) = names.insert(&resource.id, instance) {
            let message = format!("{} is declared twice", resource.id);
            wrong.push(match first.resource.place == resource.place {
                true => {
                    let message = format!("{message}: two items of `each` name it");
                    Diagnostic::error(&resource.place, message).help(ITEMS)
                }
                false => beside(Diagnostic::error(&resource.place, message), first, instance),
            });
            continue;
        }
        alone(instance, edit, wrong);
        let others = edits.entry(&edit.path).or_default();
        for (other, theirs) in others.iter() {
            together((other, theirs), (instance, edit), wrong);
        }
        others.push((instance, edit));
    }
    for owner in instances.on.iter().filter(|_| !edits.is_empty()) {
        for claim in claims(&owner.resource, arch) {
            let path = (claim.what == PATH).then(|| claim.name.parse::<AbsPath>());
            let path = path.and_then(Result::ok);
            let of_path = path.as_ref().and_then(|path| edits.get(path));
            for (edit, _) in of_path.into_iter().flatten() {
                owned(edit, owner, wrong);
            }
        }
    }
}

fn alone(instance: &Instance, edit: &FileEdit, wrong: &mut Diagnostics) {
    let resource = &instance.resource;
    let Some(what) = edit.edit.own_conflict() else {
        return;
    };
    if let Conflict::Case(one, other) = what {
        let (id, one, other) = (&resource.id, joined(one), joined(other));
        let message =
            format!("{id} names both `{one}` and `{other}`: many readers take both for one");
        return wrong.push(Diagnostic::error(&resource.place, message).help("leave one of them"));
    }
    let what = what.said(resource.sensitive);
    let message = format!("{} contradicts itself about {what}", resource.id);
    wrong.push(Diagnostic::error(&resource.place, message));
}

fn together(
    (first, one): (&Instance, &FileEdit),
    (second, other): (&Instance, &FileEdit),
    wrong: &mut Diagnostics,
) {
    let (a, b) = (one.edit.format, other.edit.format);
    let names = (&first.resource.id, &second.resource.id);
    let message = if a != b {
        let (a, b) = (a.word(), b.word());
        let path = &one.path;
        format!("{} edits {path} as {a}, and {} as {b}", names.0, names.1)
    } else {
        let Some(what) = one.edit.both_claim(&other.edit) else {
            return;
        };
        let what = what.said(first.resource.sensitive || second.resource.sensitive);
        format!(
            "{} and {} both claim {what} of {}",
            names.0, names.1, one.path
        )
    };
    let diagnostic = Diagnostic::error(&second.resource.place, message);
    wrong.push(beside(diagnostic, first, second));
}

/// With the other one's place, where that is another.
fn beside(diagnostic: Diagnostic, first: &Instance, second: &Instance) -> Diagnostic {
    match first.resource.place == second.resource.place {
        true => diagnostic,
        false => diagnostic.note(&first.resource.place, "the other one"),
    }
}

/// A path that something else claims too.
fn owned(edit: &Instance, owner: &Instance, wrong: &mut Diagnostics) {
    let (edit, owner) = (&edit.resource, &owner.resource);
    let why = match &owner.body {
        Body::File(file) if file.state == Presence::Absent => "must not be there",
        Body::File(file) if file.is_open() => return,
        Body::Directory(_) => "is a directory",
        Body::Link(_) => "is a link",
        _ => "writes it whole",
    };
    let message = match why {
        "writes it whole" => format!("{} edits what {} writes whole", edit.id, owner.id),
        why => format!("{} edits {}, which {why}", edit.id, owner.id),
    };
    let diagnostic = Diagnostic::error(&edit.place, message).note(&owner.place, "the other one");
    wrong.push(match &owner.body {
        Body::File(file) if file.state == Presence::Present => diagnostic.help(
            "put it into the content, or let the file say `create_only`, so that its content is only a beginning",
        ),
        _ => diagnostic,
    });
}
