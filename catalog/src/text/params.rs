//! Params: how a role declares them.

use super::diagnostic::{Diagnostic, Diagnostics};
use super::names;
use super::param_value::{compare, one, value, whole};
use super::source::Source;
use super::tree::{Entry, Node, NodeValue};
use crate::release::part::{Param, ParamType};
use serde_json::{Number, Value};
use std::cmp::Ordering;

pub(super) const TYPES: [(&str, ParamType); 6] = [
    ("string", ParamType::String),
    ("integer", ParamType::Integer),
    ("float", ParamType::Float),
    ("boolean", ParamType::Boolean),
    ("list", ParamType::List),
    ("table", ParamType::Table),
];

pub(super) const KEYS: [&str; 7] = [
    "type", "default", "min", "max", "choices", "pattern", "secret",
];

/// Reads one `NAME = { type = … }` of `[params]`: what is clear of it, where its type is.
pub fn declare(source: &Source, entry: &Entry, wrong: &mut Diagnostics) -> Option<Param> {
    let at = source.spot(&entry.span);
    if !names::is_param(&entry.key) {
        wrong.push(
            Diagnostic::error(at, format!("{:?} cannot be the name of a param", entry.key))
                .help("letters, digits and `_`, as expressions write it: params.client_port"),
        );
        return None;
    }
    let Some(keys) = entry.node.entries() else {
        let found = entry.node.kind();
        let ty = match &entry.node.value {
            NodeValue::Integer(_) => "integer",
            NodeValue::Float(_) => "float",
            NodeValue::Boolean(_) => "boolean",
            NodeValue::Array(_) => "list",
            _ => "string",
        };
        let spot = source.spot(&entry.node.span);
        wrong.push(
            Diagnostic::error(
                spot,
                format!("expected the table of a param, found {found}"),
            )
            .help(format!(
                "{} = {{ type = \"{ty}\", default = … }}",
                entry.key
            )),
        );
        return None;
    };
    for key in keys {
        unknown(source, key, wrong);
    }
    let find = |name: &str| keys.iter().find(|key| key.key == name).map(|key| &key.node);
    let ty = ty(source, entry, find("type"), wrong)?;
    let secret = find("secret").map(|node| secret(source, node, wrong));
    // What may be secret is not judged: its value would be shown.
    let unclear = secret == Some(None);
    let secret = secret.flatten().unwrap_or_default();
    let mut param = Param {
        ty,
        default: None,
        min: find("min").and_then(|node| bound(source, ty, node, f64::ceil, wrong)),
        max: find("max").and_then(|node| bound(source, ty, node, f64::floor, wrong)),
        choices: None,
        pattern: find("pattern").and_then(|node| pattern(source, ty, node, wrong)),
        secret,
        place: source.place(&entry.span),
    };
    apart(source, &mut param, find("max"), wrong);
    if secret {
        fits_secret(source, ty, keys, wrong);
    }
    let choices = find("choices").filter(|_| !secret);
    param.choices = choices.and_then(|node| self::choices(source, &entry.key, &param, node, wrong));
    if let Some(node) = find("default").filter(|_| !unclear) {
        param.default = value(source, &entry.key, &param, node, wrong);
    }
    (!unclear).then_some(param)
}

/// Between its bounds there is room for a value.
fn apart(source: &Source, param: &mut Param, max: Option<&Node>, wrong: &mut Diagnostics) {
    let (Some(least), Some(most), Some(node)) = (&param.min, &param.max, max) else {
        return;
    };
    if compare(least, most) == Some(Ordering::Greater) {
        let message = format!("no value would do: {most} is less than {least}, the least");
        wrong.push(Diagnostic::error(source.spot(&node.span), message));
        (param.min, param.max) = (None, None);
    }
}

fn unknown(source: &Source, key: &Entry, wrong: &mut Diagnostics) {
    if !KEYS.contains(&key.key.as_str()) {
        wrong.push(
            Diagnostic::error(
                source.spot(&key.span),
                format!("unknown key `{}` of a param", key.key),
            )
            .among(&key.key, KEYS),
        );
    }
}

fn secret(source: &Source, node: &Node, wrong: &mut Diagnostics) -> Option<bool> {
    match node.value {
        NodeValue::Boolean(secret) => Some(secret),
        _ => {
            let message = format!("expected a boolean, found {}", node.kind());
            wrong.push(Diagnostic::error(source.spot(&node.span), message));
            None
        }
    }
}

/// A secret is text, and what it can be is not told by the catalog.
fn fits_secret(source: &Source, ty: ParamType, keys: &[Entry], wrong: &mut Diagnostics) {
    for key in keys {
        let message = match key.key.as_str() {
            "type" if ty != ParamType::String => "a secret param is of the type string",
            "choices" => "the choices of a secret param would tell what it can be",
            _ => continue,
        };
        wrong.push(Diagnostic::error(source.spot(&key.span), message));
    }
}

fn ty(
    source: &Source,
    entry: &Entry,
    node: Option<&Node>,
    wrong: &mut Diagnostics,
) -> Option<ParamType> {
    let words = TYPES.map(|(word, _)| word);
    let list = words.join(", ");
    let Some(node) = node else {
        let message = format!("the param `{}` has no type", entry.key);
        wrong.push(
            Diagnostic::error(source.spot(&entry.span), message)
                .help(format!("type is one of {list}")),
        );
        return None;
    };
    let written = node.text().unwrap_or_default();
    let found = TYPES.iter().find(|(word, _)| *word == written);
    if found.is_none() {
        let spot = source.spot(&node.span);
        let message = format!("the type of a param is one of {list}");
        wrong.push(Diagnostic::error(spot, message).near(written, words));
    }
    found.map(|(_, ty)| *ty)
}

/// From here on every float is a whole number, and not every whole number is one.
const WHOLE_FLOATS: f64 = 9_007_199_254_740_992.0;

/// A limit; of an integer it is the next one inside.
fn bound(
    source: &Source,
    ty: ParamType,
    node: &Node,
    inside: fn(f64) -> f64,
    wrong: &mut Diagnostics,
) -> Option<Number> {
    let spot = source.spot(&node.span);
    if !matches!(ty, ParamType::Integer | ParamType::Float) {
        let message = format!("`min` and `max` are for numbers, not for {}", one(ty));
        wrong.push(Diagnostic::error(spot, message));
        return None;
    }
    match node.value {
        NodeValue::Integer(number) => Some(number.into()),
        NodeValue::Float(number) => {
            let number = match ty {
                ParamType::Integer => inside(number),
                _ => number,
            };
            match number.fract() == 0.0 && number.abs() < WHOLE_FLOATS {
                true => Some((number as i64).into()),
                false => Number::from_f64(number),
            }
        }
        _ => {
            let message = format!("expected a number, found {}", node.kind());
            wrong.push(Diagnostic::error(spot, message));
            None
        }
    }
}

fn pattern(source: &Source, ty: ParamType, node: &Node, wrong: &mut Diagnostics) -> Option<String> {
    let spot = source.spot(&node.span);
    let message = match (ty, node.text()) {
        (ParamType::String, Some(text)) => match whole(text) {
            Ok(_) => return Some(text.to_owned()),
            Err(why) => format!("not a regular expression: {why}"),
        },
        (ParamType::String, None) => format!("expected a string, found {}", node.kind()),
        _ => format!("`pattern` is for strings, not for {}", one(ty)),
    };
    wrong.push(Diagnostic::error(spot, message));
    None
}

fn choices(
    source: &Source,
    name: &str,
    param: &Param,
    node: &Node,
    wrong: &mut Diagnostics,
) -> Option<Vec<Value>> {
    let NodeValue::Array(items) = &node.value else {
        let message = format!("expected an array, found {}", node.kind());
        wrong.push(Diagnostic::error(source.spot(&node.span), message));
        return None;
    };
    let values: Vec<Value> = items
        .iter()
        .filter_map(|item| value(source, name, param, item, wrong))
        .collect();
    if items.is_empty() {
        let message = "an empty array: no value would do";
        wrong.push(Diagnostic::error(source.spot(&node.span), message));
    }
    (values.len() == items.len() && !items.is_empty()).then_some(values)
}
