//! Values of params: which a param takes, and which name a secret.

use super::diagnostic::{Diagnostic, Diagnostics, Spot};
use super::given::kind_of;
use super::names;
use super::params::TYPES;
use super::remedy;
use super::source::Source;
use super::tree::{self, Node};
use crate::release::part::{Param, ParamType};
use regex_lite::Regex;
use serde_json::{Number, Value};
use std::cmp::Ordering;

/// The word for a type.
fn word(ty: ParamType) -> &'static str {
    TYPES
        .iter()
        .find(|(_, other)| *other == ty)
        .map_or("", |(word, _)| word)
}

/// The same with its article.
pub(super) fn one(ty: ParamType) -> String {
    format!("a {}", word(ty)).replace("a integer", "an integer")
}

/// Integers as integers: as floats large ones are not told apart.
pub(super) fn compare(one: &Number, other: &Number) -> Option<Ordering> {
    match (one.as_i64(), other.as_i64()) {
        (Some(one), Some(other)) => Some(one.cmp(&other)),
        _ => one.as_f64()?.partial_cmp(&other.as_f64()?),
    }
}

pub(super) fn whole(pattern: &str) -> Result<Regex, String> {
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
    use super::super::params::declare;
    use super::super::tree::Entry;
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
