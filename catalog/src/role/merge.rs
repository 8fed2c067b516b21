//! A role with all that it includes, as one: key by key, the includer wins, siblings that differ conflict.

use super::files::Files;
use super::include::{Includes, Roles};
use crate::few::Few;
use crate::id::Kind;
use crate::release::part::{Blob, Param};
use crate::text::declared::{KeyText, ResourceText, RoleText};
use crate::text::diagnostic::{Diagnostic, Diagnostics, Spot};
use crate::text::keys;
use crate::text::names;
use crate::text::shape::Shape;
use crate::text::unclear::Unclear;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// Who says it, under which key, and what.
type Saying<'a> = (&'a str, (&'a str, &'a KeyText));

/// One resource after the merge.
#[derive(Clone, Debug)]
pub struct Merged {
    /// Its kind.
    pub kind: Kind,
    /// As written where it is declared first.
    pub name: String,
    /// Where it is declared: by the outermost role that says anything of it.
    pub at: Spot,
    /// By name.
    pub keys: Few<KeyText>,
}

/// A role, merged.
#[derive(Debug)]
pub struct MergedRole<'a> {
    /// The role itself.
    pub own: &'a RoleText,
    /// What it is made of, itself last.
    pub closure: &'a [String],
    /// By kind and name in its one spelling.
    pub resources: BTreeMap<(Kind, String), Merged>,
    /// By name.
    pub params: BTreeMap<String, Param>,
    /// What of its members could not be understood, or contradicts itself.
    pub unclear: Unclear,
}

/// Merges a role with what it includes.
pub fn merge<'a>(
    role: &'a RoleText,
    roles: &'a Roles,
    includes: &'a Includes,
    files: &Files,
    wrong: &mut Diagnostics,
) -> MergedRole<'a> {
    let closure = includes.closure(&role.name);
    let members: Vec<&RoleText> = closure.iter().filter_map(|name| roles.get(name)).collect();
    let mut unclear = unclear(&members, closure);
    unclear.all |= role.unclear.partial;
    let all = members.iter().flat_map(|member| &member.resources);
    let mut declared: Vec<((Kind, String), &ResourceText)> =
        all.map(|resource| (identity(resource), resource)).collect();
    // Of one resource, who is included first speaks first.
    declared.sort_by(|(a, _), (b, _)| a.cmp(b));
    let resources = declared
        .chunk_by(|(a, _), (b, _)| a == b)
        .map(|same| {
            let id = &same[0].0;
            let said: Vec<&ResourceText> = same.iter().map(|(_, said)| *said).collect();
            let merged = resource(id, &said, includes, files, wrong);
            for places in [&mut unclear.keys, &mut unclear.guards] {
                if said.iter().any(|one| places.contains(&one.place())) {
                    places.insert(merged.at.place.clone());
                }
            }
            (id.clone(), merged)
        })
        .collect();
    MergedRole {
        own: role,
        closure,
        resources,
        params: params(&members, includes, &mut unclear, wrong),
        unclear,
    }
}

/// What is unclear of any of a role's members, and of the role by what it lacks.
fn unclear(members: &[&RoleText], closure: &[String]) -> Unclear {
    let mut unclear = Unclear::default();
    for member in members {
        unclear.extend(&member.unclear);
        unclear.all |= member
            .include
            .iter()
            .any(|(name, _)| !closure.contains(name));
    }
    unclear
}

fn identity(resource: &ResourceText) -> (Kind, String) {
    let name = match resource.is_template() {
        true => None,
        false => names::canonical(resource.kind, &resource.name).ok(),
    };
    (resource.kind, name.unwrap_or_else(|| resource.name.clone()))
}

fn resource(
    (kind, name): &(Kind, String),
    said: &[&ResourceText],
    includes: &Includes,
    files: &Files,
    wrong: &mut Diagnostics,
) -> Merged {
    match said {
        // With one key nothing can contradict another.
        [one] if one.keys.iter().count() <= 1 => Merged {
            kind: *kind,
            name: one.name.clone(),
            at: one.spot(),
            keys: one.keys.clone(),
        },
        _ => joined((*kind, name), said, includes, files, wrong),
    }
}

/// Of several who say something of it, or of one who says several things.
fn joined(
    (kind, name): (Kind, &str),
    said: &[&ResourceText],
    includes: &Includes,
    files: &Files,
    wrong: &mut Diagnostics,
) -> Merged {
    let mut counted: Vec<&ResourceText> = Vec::new();
    for one in said {
        // What a second declaration says beside the first is not judged: one of them will go.
        let Some(other) = counted.iter().find(|s| s.source.role == one.source.role) else {
            counted.push(one);
            continue;
        };
        let message = format!("{}:{name} is declared twice", kind.word());
        let diagnostic = Diagnostic::error(one.spot(), message);
        wrong.push(diagnostic.note(other.spot(), "here as well"));
    }
    let mut slots: BTreeMap<&str, Vec<Saying<'_>>> = BTreeMap::new();
    for resource in &counted {
        for (key, text) in resource.keys.iter() {
            let slot = slots.entry(keys::slot(kind, key)).or_default();
            slot.push((text.role(), (key, text)));
        }
    }
    let mut merged = Few::new();
    for slot in slots.values() {
        let count = includes.count(slot);
        let Some((_, (key, text))) = count.first() else {
            continue;
        };
        for (_, (other_key, other)) in &count[1..] {
            if !agree(kind, (key, text), (other_key, other), files) {
                wrong.push(conflict((key, text), (other_key, other)));
            }
        }
        merged.insert((*key).to_owned(), (*text).clone());
    }
    if !merged.contains_key("url") {
        // It belonged to a URL whose place other content has taken.
        let of_url = |key: &KeyText| {
            let mut others = counted.iter().filter_map(|one| one.keys.get("url"));
            others.any(|url| url.role() == key.role())
        };
        if merged.get("sha256").is_some_and(of_url) {
            merged.remove("sha256");
        }
    }
    // The outermost role is the last of the closure.
    let (first, last) = (counted[0], counted[counted.len() - 1]);
    Merged {
        kind,
        name: first.name.clone(),
        at: last.spot(),
        keys: merged,
    }
}

/// Whether two keys say the same, however they are written: paths do where they lead to the same bytes.
fn agree(kind: Kind, one: (&str, &KeyText), other: (&str, &KeyText), files: &Files) -> bool {
    let Some(shape) = keys::shape(kind, one.0).filter(|_| one.0 == other.0) else {
        return false;
    };
    let (a, b) = (one.1.node.json(), other.1.node.json());
    let at = |key: &KeyText, path: &Value| {
        let path = path.as_str().unwrap_or_default().trim_end_matches('/');
        format!("{}/{path}", key.role())
    };
    let (at_one, at_other) = (at(one.1, &a), at(other.1, &b));
    match shape {
        Shape::Template | Shape::File | Shape::Tree if at_one == at_other => true,
        Shape::Template | Shape::File => {
            let digest = files.digest(&at_one);
            digest.is_some() && digest == files.digest(&at_other)
        }
        Shape::Tree => {
            let tree = |folder: &str| -> Vec<(String, Blob)> {
                let below = files.below(folder);
                below
                    .map(|(path, blob)| (path[folder.len()..].to_owned(), blob))
                    .collect()
            };
            let tree_one = tree(&at_one);
            !tree_one.is_empty() && tree_one == tree(&at_other)
        }
        shape => shape.same(&a, &b),
    }
}

fn conflict(one: (&str, &KeyText), other: (&str, &KeyText)) -> Diagnostic {
    let ((key, a), (other_key, b)) = (one, other);
    let (role, other_role) = (a.role(), b.role());
    if role == other_role {
        return Diagnostic::error(
            b.name_spot(),
            format!("`{key}` and `{other_key}` are two ways to say one thing"),
        )
        .note(a.name_spot(), "the other one");
    }
    let message = match key == other_key {
        true if a.node.json() == b.node.json() => {
            format!(
                "the roles {role} and {other_role} differ in `{key}`: each has its own, and they are not the same"
            )
        }
        true => format!("the roles {role} and {other_role} differ in `{key}`"),
        false => {
            format!("the roles {role} and {other_role} differ: `{key}` here, `{other_key}` there")
        }
    };
    Diagnostic::error(b.value_spot(), message)
        .note(a.value_spot(), "the other one")
        .help("a role that includes both and sets it decides")
}

fn params(
    members: &[&RoleText],
    includes: &Includes,
    unclear: &mut Unclear,
    wrong: &mut Diagnostics,
) -> BTreeMap<String, Param> {
    let mut said: BTreeMap<&str, Vec<(&str, &Param)>> = BTreeMap::new();
    for member in members {
        for (name, param) in &member.params {
            let all = said.entry(name).or_default();
            all.push((member.name.as_str(), param));
        }
    }
    let mut params = BTreeMap::new();
    let mut unlike = BTreeSet::new();
    for (name, said) in &said {
        let count = includes.count(said);
        let Some(first) = count.first() else {
            continue;
        };
        for other in &count[1..] {
            // Who includes both and sets it says what it is, whatever they have for a default.
            let settled = members.iter().any(|member| {
                let both = [first.0, other.0];
                let over = both
                    .iter()
                    .all(|role| includes.includes(&member.name, role));
                over && member.set.contains_key(*name)
            });
            // Of two that are wrong, what is left of them may differ.
            if unclear.params.contains(*name) {
                continue;
            }
            let found = differ(name, first, other, settled);
            if !found.is_empty() {
                unlike.insert((*name).to_owned());
            }
            wrong.extend(found);
        }
        params.insert((*name).to_owned(), first.1.clone());
    }
    unclear.params.extend(unlike);
    params
}

/// What two roles that do not include one another declare differently; their defaults may differ where that is settled.
fn differ(
    name: &str,
    (role, param): &(&str, &Param),
    (other_role, other): &(&str, &Param),
    settled: bool,
) -> Diagnostics {
    let same_but_default = **param
        == Param {
            place: param.place.clone(),
            default: param.default.clone(),
            ..(*other).clone()
        };
    if same_but_default && (settled || param.default == other.default) {
        return Diagnostics::new();
    }
    let message =
        format!("the roles {role} and {other_role} declare the param `{name}` differently");
    let help = match same_but_default {
        true => "a role that includes both and gives it a value in [set] decides",
        false => "a role that includes both and declares it in its own [params] decides",
    };
    Diagnostic::error(&other.place, message)
        .note(&param.place, "the other one")
        .help(help)
        .into()
}
