//! Params: how a role declares them, and which values they take.

use super::diagnostic::{Diagnostic, Diagnostics, Spot};
use super::given::kind_of;
use super::names;
use super::remedy;
use super::source::Source;
use super::tree::{self, Entry, Node, NodeValue};
use crate::release::part::{Param, ParamType};
use regex_lite::Regex;
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

/// The word for a type.
fn word(ty: ParamType) -> &'static str {
    TYPES
        .iter()
        .find(|(_, other)| *other == ty)
        .map_or("", |(word, _)| word)
}

/// The same with its article.
fn one(ty: ParamType) -> String {
    format!("a {}", word(ty)).replace("a integer", "an integer")
}

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
        param.default = self::value(source, &entry.key, &param, node, wrong);
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

/// Integers as integers: as floats large ones are not told apart.
fn compare(one: &Number, other: &Number) -> Option<Ordering> {
    match (one.as_i64(), other.as_i64()) {
        (Some(one), Some(other)) => Some(one.cmp(&other)),
        _ => one.as_f64()?.partial_cmp(&other.as_f64()?),
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

fn whole(pattern: &str) -> Result<Regex, String> {
    Regex::new(&format!("^(?:{pattern})$")).map_err(|why| why.to_string())
}

/// A value given to a param in the text, if it does.
pub fn value(
    source: &Source,
    name: &str,
    param: &Param,
    node: &Node,
    wrong: &mut Diagnostics,
) -> Option<Value> {
    let given = node.json();
    let result = match node.unusable() {
        Some(bad) => Err(format!("{} has no place in a param", bad.kind())),
        None => check(name, param, &given),
    };
    match result {
        Ok(value) => Some(value),
        Err(why) if param.secret => {
            wrong.push(Diagnostic::error(masked(source.spot(&node.span)), why));
            None
        }
        Err(why) => {
            let mut refused =
                Diagnostic::error(source.spot(&node.span), why).note(&param.place, "declared here");
            let is_table = param.ty == ParamType::Table && is_secret(&given);
            if is_table || names_secret(&given) {
                refused = refused.help(NO_SECRET);
            }
            wrong.push(refused);
            None
        }
    }
}

/// The same spot without what stands there: somebody may have written the secret itself.
fn masked(mut spot: Spot) -> Spot {
    const MASK: &str = "***";
    let start = spot.place.column.saturating_sub(1) as usize;
    let end = start + spot.width as usize;
    let masked = |line: String| {
        let before = line.chars().take(start);
        before
            .chain(MASK.chars())
            .chain(line.chars().skip(end))
            .collect()
    };
    spot.line = spot.line.map(masked);
    spot.width = 3;
    spot
}

/// The value as the param takes it: a float takes an integer too.
///
/// # Errors
/// With the reason why it does not do.
pub fn check(name: &str, param: &Param, value: &Value) -> Result<Value, String> {
    if param.secret {
        // What stands there in its place is not said: it may be the secret itself.
        return match named(value) {
            Some(_) => Ok(value.clone()),
            None => Err(format!(
                "`{name}` is secret: its value here is {{ secret = \"NAME\" }}, and NAME stands in the file of --secrets"
            )),
        };
    }
    if is_secret(value) {
        return Err(format!(
            "`{name}` takes no secret: it is not declared with secret = true"
        ));
    }
    if names_secret(value) {
        return Err(format!(
            "a secret has no place within `{name}`: {A_PARAM_OF_ITS_OWN}"
        ));
    }
    let right = match param.ty {
        ParamType::String => value.is_string(),
        ParamType::Integer => value.is_i64(),
        ParamType::Float => value.is_number(),
        ParamType::Boolean => value.is_boolean(),
        ParamType::List => value.is_array(),
        ParamType::Table => value.is_object(),
    };
    if !right {
        let (wanted, found) = (one(param.ty), kind_of(value));
        return Err(format!("`{name}` is {wanted}, not {found}"));
    }
    let value = match (param.ty, value.as_f64()) {
        (ParamType::Float, Some(number)) => Value::from(number),
        _ => value.clone(),
    };
    limits(name, param, &value)?;
    Ok(value)
}

/// The value of a secret param, which a value in the catalog only names.
///
/// # Errors
/// With the reason why it does not do, and nothing of the value.
pub fn check_secret(name: &str, param: &Param, secret: &str) -> Result<Value, String> {
    if let Some(pattern) = &param.pattern
        && !whole(pattern)?.is_match(secret)
    {
        return Err(format!(
            "it does not match the pattern of `{name}`, {pattern:?}"
        ));
    }
    Ok(Value::from(secret))
}

fn limits(name: &str, param: &Param, value: &Value) -> Result<(), String> {
    let number = value.as_number();
    if let (Some(min), Some(number)) = (&param.min, number)
        && compare(number, min) == Some(Ordering::Less)
    {
        return Err(format!(
            "{value} is less than {min}, the least for `{name}`"
        ));
    }
    if let (Some(max), Some(number)) = (&param.max, number)
        && compare(number, max) == Some(Ordering::Greater)
    {
        return Err(format!("{value} is more than {max}, the most for `{name}`"));
    }
    if let Some(choices) = &param.choices
        && !choices.contains(value)
    {
        let choices = super::shape::or(choices.iter().map(Value::to_string));
        return Err(format!(
            "{value} is none of the choices for `{name}`: {choices}"
        ));
    }
    if let (Some(pattern), Some(text)) = (&param.pattern, value.as_str()) {
        let regex = whole(pattern)?;
        if !regex.is_match(text) {
            return Err(format!(
                "{value} does not match the pattern of `{name}`, {pattern:?}"
            ));
        }
    }
    Ok(())
}

/// Where a secret may be named.
pub const A_PARAM_OF_ITS_OWN: &str = "{ secret = \"NAME\" } is the value of a param that is declared with secret = true, and of nothing else";

/// What is written for a table that only looks like the name of a secret.
const NO_SECRET: &str = "a secret is a param of its own; if this is none, write another key than `secret`, or one more beside it";

/// Whether a list or a table names a secret somewhere in it.
pub fn names_secret(value: &Value) -> bool {
    let inner = |value: &Value| named(value).is_some() || names_secret(value);
    match value {
        Value::Array(items) => items.iter().any(inner),
        Value::Object(table) => table.values().any(inner),
        _ => false,
    }
}

fn is_secret(value: &Value) -> bool {
    value
        .as_object()
        .is_some_and(|table| table.len() == 1 && table.contains_key("secret"))
}

/// The NAME of `{ secret = "NAME" }`.
pub fn named(value: &Value) -> Option<&str> {
    let name = value.as_object().filter(|_| is_secret(value))?;
    let name = name.get("secret")?.as_str()?;
    names::is_word(name).then_some(name)
}

/// What `--set NAME=TEXT` gives: the text read by the param's type.
///
/// # Errors
/// With the reason why it does not do.
pub fn from_text(name: &str, param: &Param, text: &str) -> Result<Value, String> {
    if param.secret {
        return Err(format!(
            "`{name}` is secret, and arguments can be seen by others: its value comes from --secrets FILE"
        ));
    }
    let wanted = |kind| format!("`{name}` is {kind}, which {text:?} is not");
    let value = match param.ty {
        ParamType::String => Value::from(text),
        ParamType::Integer => Value::from(text.parse::<i64>().map_err(|_| wanted("an integer"))?),
        ParamType::Float => match text.parse::<f64>() {
            Ok(number) if number.is_finite() => Value::from(number),
            _ => return Err(wanted("a float")),
        },
        ParamType::Boolean => match text {
            "true" => Value::from(true),
            "false" => Value::from(false),
            _ => return Err(format!("{}: true or false", wanted("a boolean"))),
        },
        ParamType::List | ParamType::Table => {
            let node = tree::value(text).map_err(|why| match param.ty {
                ParamType::List if !text.trim_start().starts_with('[') => {
                    format!("{}: '{name}={}'", wanted("a list"), remedy::array(text))
                }
                ParamType::Table if !text.trim_start().starts_with('{') => {
                    format!("{}: '{name}={{ key = \"value\" }}'", wanted("a table"))
                }
                _ => format!("`{name}`: {why}"),
            })?;
            if let Some(bad) = node.unusable() {
                return Err(format!("`{name}`: {} has no place in a param", bad.kind()));
            }
            node.json()
        }
    };
    check(name, param, &value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_list_or_table_is_shown_as_one() {
        let source = Source::new("web", "web/role.toml", "");
        for (ty, text, told) in [
            (
                "list",
                "a, b",
                "`p` is a list, which \"a, b\" is not: 'p=[\"a\", \"b\"]'",
            ),
            ("list", "1", "`p` is a list, not an integer"),
            ("list", "[a", "`p`: "),
            (
                "table",
                "a",
                "`p` is a table, which \"a\" is not: 'p={ key = \"value\" }'",
            ),
            (
                "boolean",
                "yes",
                "`p` is a boolean, which \"yes\" is not: true or false",
            ),
        ] {
            let text_of = format!("{{ type = {ty:?} }}");
            let entry = Entry {
                key: "p".into(),
                span: 0..0,
                node: tree::value(&text_of).unwrap(),
            };
            let param = declare(&source, &entry, &mut Diagnostics::new()).unwrap();
            let why = from_text("p", &param, text).unwrap_err();
            assert!(why.starts_with(told), "{why}");
        }
    }
}
