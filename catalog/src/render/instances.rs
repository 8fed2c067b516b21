//! Declared resources become those of one machine: `when` leaves some out, `each` makes several of one.

use super::body;
use super::reader::Reader;
use super::scan::{self, Uses};
use super::watch::Seen;
use super::whole;
use crate::fleet::Incomplete;
use crate::id::{Kind, ResourceId};
use crate::release::nodes;
use crate::release::part::{Declared, Part};
use crate::resource::{Body, Place, Resource};
use crate::text::declared::is_template;
use crate::text::diagnostic::Diagnostic;
use crate::text::names;
use crate::text::param_value;
use crate::text::secrets::Stand;
use crate::waiting::{NamePattern, Waiting};
use minijinja::value::{Serde, Value as Seeable};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// So many resources a role may have on one machine.
pub const MOST: usize = 20_000;

/// Keys that say whether something is there, what is in it, or what it edits.
const DECIDING: [&str; 12] = [
    "state",
    "content",
    "template",
    "source",
    "url",
    "sha256",
    "create_only",
    "unit",
    "path",
    "format",
    "set",
    "lines",
];

/// A resource whose references are still as written.
pub struct Instance {
    pub resource: Resource,
    /// By key: the references and where they stand.
    pub references: BTreeMap<&'static str, (Vec<String>, Place)>,
}

/// All resources of one machine.
#[derive(Default)]
pub struct Instances {
    pub on: Vec<Instance>,
    /// Declared, but not for this machine.
    pub off: BTreeSet<ResourceId>,
    /// Among those: they are for it, but of them no more is known than the name, and where it stands.
    pub named: Vec<(ResourceId, Place)>,
    /// Names that depend on the machine: any of them may be off here.
    pub patterns: Vec<NamePattern>,
    /// Those of them that may come to more on another machine, or to something where they are nothing here.
    pub open: Vec<NamePattern>,
    /// What reads members of whom some are waited for; what names such a thing is among `on` too.
    pub waiting: Waiting,
}

pub fn all(part: &Part, reader: &mut Reader<'_>) -> Instances {
    let mut instances = Instances::default();
    for declared in &part.resources {
        let before = instances.on.len() + instances.off.len();
        each(declared, reader, &mut instances);
        if let Some(pattern) = pattern(declared) {
            let none = instances.on.len() + instances.off.len() == before;
            if none || !is_settled(declared, part) {
                instances.open.push(pattern.clone());
            }
            instances.patterns.push(pattern);
        }
        if instances.on.len() > MOST {
            let message = format!("more than {MOST} resources");
            let wrong = Diagnostic::error(&declared.place, message);
            reader
                .wrong
                .push(wrong.help("so many are the most that a machine may have"));
            break;
        }
    }
    instances
}

/// What a declared resource comes to.
fn each(declared: &Declared, reader: &mut Reader<'_>, instances: &mut Instances) {
    let Some(each) = declared.keys.get("each") else {
        return one(declared, None, false, reader, instances);
    };
    reader.begin();
    let before = reader.wrong.len();
    let items = items(&each.value, &each.place, reader);
    let secret = reader.secret;
    if let Some(incomplete) = reader.incomplete.take() {
        reader.wrong.truncate(before);
        return waits(declared, None, incomplete, &mut instances.waiting);
    }
    for item in items {
        if instances.on.len() > MOST {
            break;
        }
        one(declared, Some(&item), secret, reader, instances);
    }
}

/// Whether a resource has the same names on every machine of the role, as far as expressions say.
fn is_settled(declared: &Declared, part: &Part) -> bool {
    let same = |uses: &Uses| {
        let params = uses.all_params || !uses.params.is_empty();
        let node = params && part.nodes != nodes::root(&BTreeMap::new());
        let machine = !uses.facts.is_empty() || !uses.member.is_empty();
        let fleet = !uses.members.is_empty() || !uses.peers.is_empty();
        !(node || machine || fleet)
    };
    let template = |text: &str| scan::template(text, "").is_ok_and(|uses| same(&uses));
    let each = match declared.keys.get("each").map(|each| &each.value) {
        Some(Value::String(text)) => scan::expression(text).is_ok_and(|(uses, _)| same(&uses)),
        Some(array) => template(&array.to_string()),
        None => true,
    };
    each && template(&declared.name)
}

/// What the names of a declared resource are like, where an expression gives them.
fn pattern(declared: &Declared) -> Option<NamePattern> {
    let pieces = is_template(&declared.name).then(|| scan::pieces(&declared.name))??;
    Some(NamePattern {
        kind: declared.kind,
        written: declared.name.clone(),
        pieces,
    })
}

/// Notes what waits, by its name if it has one.
fn waits(
    declared: &Declared,
    id: Option<ResourceId>,
    incomplete: Incomplete,
    waiting: &mut Waiting,
) {
    let literal = || names::canonical(declared.kind, &declared.name).ok();
    let known = || (!is_template(&declared.name)).then(literal)?;
    let path = declared.keys.get("path").and_then(|key| key.value.as_str());
    if let Some(path) = path.and_then(|path| path.parse().ok()) {
        waiting.add_path(path);
    }
    match id.or_else(|| known().map(|name| ResourceId::new(declared.kind, name))) {
        Some(id) => waiting.add(id, incomplete),
        None => {
            let open = || NamePattern {
                kind: declared.kind,
                written: declared.name.clone(),
                pieces: vec![None],
            };
            waiting.add_nameless(pattern(declared).unwrap_or_else(open), incomplete);
        }
    }
}

fn items(each: &Value, place: &Place, reader: &mut Reader<'_>) -> Vec<Seen> {
    let value = match each {
        Value::Array(items) => {
            if items.iter().any(param_value::names_secret) {
                let message = format!(
                    "a secret has no place in an item of `each`: {}",
                    param_value::A_PARAM_OF_ITS_OWN
                );
                let help = "let the item read that param: \"{{ params.NAME }}\"";
                reader
                    .wrong
                    .push(Diagnostic::error(place, message).help(help));
                return Vec::new();
            }
            let items: Option<Vec<Seen>> =
                items.iter().map(|item| reader.item(item, place)).collect();
            return items.unwrap_or_default();
        }
        Value::String(text) => reader.expression(text, place, None),
        other => Some(other.clone()),
    };
    let secret = reader.secret;
    match value {
        // An expression is one whole: which of its items read the secret is not known.
        Some(Value::Array(items)) => items
            .into_iter()
            .map(|item| Seen {
                value: Seeable::from(Serde(item)),
                secret,
            })
            .collect(),
        Some(_) if reader.is_open(each) || (secret && reader.is_check()) => Vec::new(),
        Some(_) if secret => {
            let message = "`each` is an array; what it comes to read a secret, and is not shown";
            reader.wrong.push(Diagnostic::error(place, message));
            Vec::new()
        }
        Some(other) => {
            let found = crate::text::given::kind_of(&other);
            let mut wrong = Diagnostic::error(place, format!("`each` is an array, not {found}"));
            if other.is_object() {
                wrong = wrong
                    .help("its pairs are one: TABLE | items, with {{ item[0] }} and {{ item[1] }}");
            }
            reader.wrong.push(wrong);
            Vec::new()
        }
        None => Vec::new(),
    }
}

/// `secret`: a secret was read on the way to it.
fn one(
    declared: &Declared,
    item: Option<&Seen>,
    mut secret: bool,
    reader: &mut Reader<'_>,
    instances: &mut Instances,
) {
    reader.begin();
    let before = reader.wrong.len();
    let mut on = !reader.may_be_left_out(&declared.place) && is_on(declared, item, reader);
    let unknown = reader.incomplete.take();
    secret |= reader.secret;
    // No check hangs on what a secret is.
    on |= reader.secret && reader.is_check();
    reader.begin();
    if !on || unknown.is_some() {
        return left_out(declared, item, unknown, reader, instances);
    }
    let id = name(declared, item, reader);
    let stand = match declared.keys.get("each").map(|each| &each.value) {
        Some(Value::String(_)) => Stand::ItemName,
        _ => Stand::Name,
    };
    if reader.takes_no_secret(stand, &declared.place) {
        return;
    }
    if let Some(incomplete) = reader.incomplete.take() {
        reader.wrong.truncate(before);
        return waits(declared, None, incomplete, &mut instances.waiting);
    }
    let Some(id) = id else {
        return;
    };
    reader.open = false;
    let mut keys = reader.keys(declared, item);
    let built = body::build(&mut keys, &id);
    whole::rendered(&mut keys, &id.name);
    secret |= keys.secret;
    let open = std::mem::take(&mut reader.open);
    if let Some(incomplete) = reader.incomplete.take() {
        reader.wrong.truncate(before);
        return waits(declared, Some(id), incomplete, &mut instances.waiting);
    }
    let mut found = reader.wrong.iter().skip(before);
    let broken = found.any(|wrong| decides(declared, wrong));
    let Some(built) = built.filter(|_| !open && !broken) else {
        // What is wrong with it is noted, or it is for a machine to know; others may still refer to it.
        instances.off.insert(id.clone());
        instances.named.push((id, declared.place.clone()));
        return;
    };
    instances.on.push(Instance {
        resource: Resource {
            id,
            place: declared.place.clone(),
            after: Vec::new(),
            sensitive: secret || matches!(&built.body, Body::File(file) if file.sensitive),
            body: built.body,
        },
        references: built.references,
    });
}

/// Notes what `when` leaves out, or cannot tell yet. It may have a name; one that is wrong is no error.
fn left_out(
    declared: &Declared,
    item: Option<&Seen>,
    unknown: Option<Incomplete>,
    reader: &mut Reader<'_>,
    instances: &mut Instances,
) {
    let before = reader.wrong.len();
    let id = name(declared, item, reader);
    let id = id.filter(|_| reader.incomplete.is_none() && !reader.secret);
    reader.wrong.truncate(before);
    match unknown {
        Some(incomplete) => waits(declared, id, incomplete, &mut instances.waiting),
        None => instances.off.extend(id),
    }
}

/// Whether what is wrong decides what else may be said of the resource.
fn decides(declared: &Declared, wrong: &Diagnostic) -> bool {
    let notes = wrong.notes.iter().map(|(at, _)| at);
    let places: Vec<&Place> = wrong.at.iter().chain(notes).map(|at| &at.place).collect();
    let decides = |key: &str| DECIDING.contains(&key);
    let mut keys = declared.keys.iter().filter(|(key, _)| decides(key));
    keys.any(|(_, key)| places.contains(&&key.place))
        || (declared.kind == Kind::File && places.contains(&&declared.place))
}

fn name(declared: &Declared, item: Option<&Seen>, reader: &mut Reader<'_>) -> Option<ResourceId> {
    let place = &declared.place;
    let given = reader.string(&declared.name, place, item)?;
    let name = given
        .text()
        .and_then(|name| names::canonical(declared.kind, &name));
    match name {
        Ok(name) => Some(ResourceId::new(declared.kind, name)),
        // What is no template was judged as it was read.
        Err(_) if reader.is_check() && !is_template(&declared.name) => None,
        Err(why) => {
            reader.wrong.push(Diagnostic::error(place, why));
            None
        }
    }
}

fn is_on(declared: &Declared, item: Option<&Seen>, reader: &mut Reader<'_>) -> bool {
    let Some(when) = declared.keys.get("when") else {
        return true;
    };
    let value = match &when.value {
        Value::String(text) => reader.expression(text, &when.place, item),
        Value::Bool(_) => Some(when.value.clone()),
        // What it is to say is not known.
        other => Some(other.clone()).filter(|_| !reader.is_check()),
    };
    match value {
        Some(value) => is_true(&value),
        None => false,
    }
}

/// As Jinja sees truth: nothing and what is empty is false.
fn is_true(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Bool(yes) => *yes,
        Value::Number(number) => number.as_f64() != Some(0.0),
        Value::String(text) => !text.is_empty(),
        Value::Array(items) => !items.is_empty(),
        Value::Object(table) => !table.is_empty(),
    }
}
