//! Declared resources become those of one machine: `when` leaves some out, `each` makes several of one.

use super::body;
use super::reader::Reader;
use super::scan;
use super::whole;
use crate::id::{Kind, ResourceId};
use crate::release::part::{Declared, Part};
use crate::resource::{Body, Place, Resource};
use crate::text::declare::is_template;
use crate::text::diagnostic::Diagnostic;
use crate::text::names;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// So many resources a role may have on one machine.
pub const MOST: usize = 20_000;

/// A resource whose references are still as written.
pub struct Instance {
    pub resource: Resource,
    /// By key: the references and where they stand.
    pub references: BTreeMap<&'static str, (Vec<String>, Place)>,
}

/// A name that an expression gives: its literal pieces.
pub struct NamePattern {
    pub kind: Kind,
    pub pieces: Vec<Option<String>>,
}

/// All resources of one machine.
#[derive(Default)]
pub struct Instances {
    pub on: Vec<Instance>,
    /// Declared, but not for this machine.
    pub off: BTreeSet<ResourceId>,
    /// Names that depend on the machine: any of them may be off here.
    pub patterns: Vec<NamePattern>,
}

pub fn all(part: &Part, reader: &mut Reader<'_>) -> Instances {
    let mut instances = Instances::default();
    for declared in &part.resources {
        if is_template(&declared.name)
            && let Some(pieces) = scan::pieces(&declared.name)
        {
            let kind = declared.kind;
            instances.patterns.push(NamePattern { kind, pieces });
        }
        match declared.keys.get("each") {
            None => one(declared, None, reader, &mut instances),
            Some(each) => {
                for item in items(&each.value, &each.place, reader) {
                    if instances.on.len() > MOST {
                        break;
                    }
                    one(declared, Some(&item), reader, &mut instances);
                }
            }
        }
        if instances.on.len() > MOST {
            let message = format!("more than {MOST} resources");
            reader
                .wrong
                .push(Diagnostic::error(&declared.place, message));
            break;
        }
    }
    instances
}

fn items(each: &Value, place: &Place, reader: &mut Reader<'_>) -> Vec<Value> {
    let value = match each {
        Value::String(text) => reader.expression(text, place, None),
        array => reader.value(array, place, None).map(|given| given.value),
    };
    match value {
        Some(Value::Array(items)) => items,
        Some(_) if reader.is_open(each) => Vec::new(),
        Some(other) => {
            let found = crate::text::shape::kind_of(&other);
            let message = format!("`each` is an array, not {found}");
            reader.wrong.push(Diagnostic::error(place, message));
            Vec::new()
        }
        None => Vec::new(),
    }
}

fn one(
    declared: &Declared,
    item: Option<&Value>,
    reader: &mut Reader<'_>,
    instances: &mut Instances,
) {
    let Some(id) = name(declared, item, reader) else {
        return;
    };
    if !is_on(declared, item, reader) {
        instances.off.insert(id);
        return;
    }
    reader.open = false;
    let before = reader.wrong.len();
    let mut keys = reader.keys(declared, item);
    let built = body::build(&mut keys, &id);
    whole::rendered(&mut keys, &id.name);
    let open = std::mem::take(&mut reader.open);
    let broken = reader.wrong.len() > before;
    let Some(built) = built.filter(|_| !open && !broken) else {
        // What is wrong with it is noted, or it is for a machine to know; others may still refer to it.
        instances.off.insert(id);
        return;
    };
    instances.on.push(Instance {
        resource: Resource {
            id,
            place: declared.place.clone(),
            after: Vec::new(),
            sensitive: matches!(&built.body, Body::File(file) if file.sensitive),
            body: built.body,
        },
        references: built.references,
    });
}

fn name(declared: &Declared, item: Option<&Value>, reader: &mut Reader<'_>) -> Option<ResourceId> {
    let place = &declared.place;
    let given = reader.string(&declared.name, place, item)?;
    let name = given
        .text()
        .and_then(|name| names::canonical(declared.kind, &name));
    match name {
        Ok(name) => Some(ResourceId::new(declared.kind, name)),
        Err(why) => {
            reader.wrong.push(Diagnostic::error(place, why));
            None
        }
    }
}

fn is_on(declared: &Declared, item: Option<&Value>, reader: &mut Reader<'_>) -> bool {
    let Some(when) = declared.keys.get("when") else {
        return true;
    };
    let value = match &when.value {
        Value::String(text) => reader.expression(text, &when.place, item),
        other => Some(other.clone()),
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
