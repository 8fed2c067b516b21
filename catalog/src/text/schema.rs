//! JSON Schemas (draft 2020-12) of role.toml and fleet.toml, by which editors complete and check: made from the one table
//! of kinds and keys.
//!
//! They know the form of each value and not what a whole role comes to: what `cfg check` lets pass, they let pass too.

use super::keys::{self, Key, Shape};
use super::words::{self, Word};
use crate::fleet::MOST_MEMBERS;
use crate::id::Kind;
use crate::resource::Leftovers;
use serde_json::{Map, Value, json};

const DRAFT: &str = "https://json-schema.org/draft/2020-12/schema";

/// A string that has a template in it: what comes of it is nobody's to say here.
const TEMPLATE: &str = r"\{[{%#]";

/// More than nothing.
const DURATION: &str = "^0{0,8}[1-9][0-9]{0,8}[smhd]$";

/// The schema of role.toml.
pub fn role() -> Value {
    let mut properties = Map::new();
    for row in words::ROLE {
        properties.insert(
            row.name.into(),
            described(top(row), row.meaning, row.default),
        );
    }
    for kind in Kind::ALL {
        let one = json!({ "$ref": format!("#/$defs/{}", kind.word()) });
        let table = json!({
            "description": format!("{}, by its name.", keys::about(kind)),
            "type": "object",
            "additionalProperties": one,
        });
        properties.insert(kind.word().into(), table);
    }
    let kinds = Kind::ALL.map(|kind| (kind.word().to_owned(), resource(kind)));
    json!({
        "$schema": DRAFT,
        "title": "role.toml",
        "description": "A role of cfg: what one kind of machine must be.",
        "type": "object",
        "additionalProperties": false,
        "properties": properties,
        "$defs": Map::from_iter(kinds),
    })
}

/// The schema of fleet.toml.
pub fn fleet() -> Value {
    let rows = words::FLEET_FILE.iter();
    let properties = rows.map(|row| {
        (
            row.name.to_owned(),
            described(top(row), row.meaning, row.default),
        )
    });
    json!({
        "$schema": DRAFT,
        "title": "fleet.toml",
        "description": "Values for the params of roles: for all, for a role, for a machine.",
        "type": "object",
        "additionalProperties": false,
        "properties": Map::from_iter(properties),
    })
}

/// The same with what it means and, where that is a value, what holds without it.
fn described(mut schema: Value, meaning: &str, default: &str) -> Value {
    schema["description"] = plain(meaning).into();
    let literal = default.strip_prefix('`').and_then(|d| d.strip_suffix('`'));
    if let Some(value) = literal.and_then(|text| super::tree::value(text).ok()) {
        schema["default"] = value.json();
    }
    schema
}

/// Links of Markdown lead nowhere in an editor.
fn plain(meaning: &str) -> String {
    match (meaning.find('['), meaning.find("](#")) {
        (Some(open), Some(close)) if open < close => {
            format!("{}{}", &meaning[..open], &meaning[open + 1..close])
        }
        _ => meaning.to_owned(),
    }
}

fn table(rows: impl Iterator<Item = (&'static str, Value)>) -> Value {
    let rows = rows.map(|(name, schema)| (name.to_owned(), schema));
    json!({
        "type": "object",
        "additionalProperties": false,
        "properties": Map::from_iter(rows),
    })
}

fn rows<'a>(rows: impl Iterator<Item = &'a Key>) -> Value {
    table(rows.map(|row| {
        (
            row.name,
            described(shape(row.shape), row.meaning, row.default),
        )
    }))
}

fn resource(kind: Kind) -> Value {
    let mut keys = rows(keys::of(kind));
    match kind {
        Kind::Package => {}
        Kind::Sysctl => {
            // `net.ipv4.ip_forward = 1` is tables in one another.
            let deeper =
                json!({ "type": "object", "additionalProperties": { "$ref": "#/$defs/sysctl" } });
            return json!({ "anyOf": [shape(Shape::Setting), keys, deeper] });
        }
        _ => return keys,
    }
    // The rest of a dotted name: `python3.11 = "*"`.
    keys["patternProperties"] = json!({ "^[0-9]": { "$ref": "#/$defs/package" } });
    let version = json!({ "type": "string", "minLength": 1 });
    json!({ "anyOf": [version, keys] })
}

fn top(row: &Word) -> Value {
    match (row.name, row.takes) {
        ("params", "table") => named(param()),
        ("set", _) | (_, "values") => named(json!(true)),
        ("fleet", _) => fleet_keys(),
        (_, "values by name") => {
            json!({ "type": "object", "additionalProperties": named(json!(true)) })
        }
        (_, "array of roles") => {
            json!({ "type": "array", "items": { "type": "string" }, "uniqueItems": true })
        }
        (_, "type") => json!({ "enum": words::PARAM_TYPES }),
        (_, words::LEFTOVERS) => json!({ "enum": Leftovers::WORDS }),
        (_, "boolean") => json!({ "type": "boolean" }),
        (_, "number") => json!({ "type": "number" }),
        (_, "array") => json!({ "type": "array", "minItems": 1 }),
        (_, "text" | "regular expression") => json!({ "type": "string" }),
        _ => json!({}),
    }
}

/// The keys of `[fleet]`: what is for the server has no template in it.
fn fleet_keys() -> Value {
    let mut keys = rows(keys::FLEET.iter());
    for row in keys::FLEET
        .iter()
        .filter(|row| row.shape == Shape::Duration)
    {
        keys["properties"][row.name]["pattern"] = DURATION.into();
    }
    keys
}

/// A table of params by their names.
fn named(of: Value) -> Value {
    json!({
        "type": "object",
        "propertyNames": { "pattern": "^[A-Za-z_][A-Za-z0-9_]{0,63}$" },
        "additionalProperties": of,
    })
}

fn param() -> Value {
    let rows = words::PARAM.iter();
    let rows = rows.map(|row| (row.name, described(top(row), row.meaning, row.default)));
    let mut param = table(rows);
    param["required"] = json!(["type"]);
    param
}

fn shape(shape: Shape) -> Value {
    // A string that is wholly one expression keeps the type of what that gives.
    let or_computed = |value: Value| json!({ "anyOf": [value, { "type": "string", "pattern": r"^\{\{(.|\n)*\}\}$" }] });
    let text =
        |pattern: &str| json!({ "type": "string", "pattern": format!("{pattern}|{TEMPLATE}") });
    let line = json!({ "type": "string", "minLength": 1 });
    let lines = |item: &Value| or_computed(json!({ "type": "array", "items": item }));
    match shape {
        Shape::Expression => json!({ "type": ["string", "boolean"] }),
        Shape::Each => json!({ "type": ["array", "string"] }),
        Shape::References => {
            let kinds = Kind::ALL.map(Kind::word).join("|");
            lines(&text(&format!("^({kinds}):.")))
        }
        Shape::Line => line,
        Shape::Text => json!({ "type": "string" }),
        Shape::Words(words) => {
            json!({ "anyOf": [{ "enum": words }, { "type": "string", "pattern": TEMPLATE }] })
        }
        Shape::Boolean => or_computed(json!({ "type": "boolean" })),
        Shape::Number => {
            or_computed(json!({ "type": "integer", "minimum": 0, "maximum": u32::MAX - 1 }))
        }
        Shape::Account => {
            json!({ "anyOf": [text("^[A-Za-z_0-9]"), { "type": "integer", "minimum": 0 }] })
        }
        Shape::Accounts => lines(&text("^[A-Za-z_]")),
        Shape::Mode => text("^0?[0-7]{1,4}$"),
        Shape::Lines => lines(&line),
        Shape::LoginKeys => lines(&text(r"^\s*[^#\s]")),
        Shape::Uris => lines(&text("^[a-z0-9+]+:")),
        Shape::Shell => {
            json!({ "anyOf": [line, { "type": "array", "items": { "type": "string" }, "minItems": 1 }] })
        }
        Shape::Path => text("^/"),
        Shape::Template | Shape::File | Shape::Tree => text("^[^/]"),
        Shape::Environment => or_computed(json!({
            "type": "object",
            "propertyNames": { "pattern": "^[A-Za-z_][A-Za-z0-9_]*$" },
            "additionalProperties": { "type": "string" },
        })),
        Shape::Duration => text(DURATION),
        Shape::Settings => or_computed(json!({ "type": "object", "minProperties": 1 })),
        Shape::Removals => {
            let matching = json!({
                "type": "object",
                "properties": { "match": line },
                "required": ["match"],
                "additionalProperties": false,
            });
            let path = json!({ "type": "array", "items": { "type": "string" } });
            lines(&json!({ "anyOf": [line, path, matching] }))
        }
        Shape::WantedLines => lines(&json!({
            "type": "object",
            "properties": { "line": { "type": "string" }, "match": line },
            "required": ["line"],
            "additionalProperties": false,
        })),
        Shape::Url => text("^https?://"),
        Shape::Sha256 => text("^[0-9A-Fa-f]{64}$"),
        Shape::Setting => json!({ "type": ["string", "integer"], "minLength": 1 }),
        Shape::Debconf => {
            let answer = json!({ "type": ["string", "boolean", "integer"] });
            let typed = json!({
                "type": "object",
                "properties": { "type": { "type": "string" }, "value": answer },
                "required": ["value"],
                "additionalProperties": false,
            });
            or_computed(json!({
                "type": "object",
                "additionalProperties": { "anyOf": [answer, typed] },
            }))
        }
        Shape::Cohorts => json!({
            "type": "object",
            "additionalProperties": { "type": "integer", "minimum": 1, "maximum": MOST_MEMBERS },
        }),
        Shape::Limit => json!({ "anyOf": [
            { "type": "integer", "minimum": 1, "maximum": MOST_MEMBERS },
            { "type": "string", "pattern": "^([1-9]|[1-9][0-9]|100)%$" },
        ] }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_type_of_the_tables_around_resources_has_a_form() {
        let words = [words::ROLE, words::PARAM, words::FLEET_FILE].concat();
        for row in words.iter().filter(|row| row.name != "default") {
            assert_ne!(top(row), json!({}), "{}", row.name);
            assert!(crate::text::names::is_word(row.name));
        }
    }

    #[test]
    fn descriptions_are_for_editors() {
        let text = role().to_string();
        assert!(!text.contains("](#"), "a link");
        let mode = &role()["$defs"]["file"]["properties"]["mode"];
        assert_eq!(
            mode["description"],
            "a new one gets `0644`, or `0600` if sensitive"
        );
        let purge = &role()["$defs"]["directory"]["properties"]["purge"];
        assert_eq!(purge["default"], false);
        assert!(
            role()["$defs"]["file"]["properties"]
                .get("url")
                .is_none_or(|url| url.is_object())
        );
    }
}
