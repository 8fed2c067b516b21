//! JSON Schemas (draft 2020-12) of role.toml and fleet.toml, by which editors complete and check: made from the one table
//! of kinds and keys.
//!
//! They know the form of each value and not what a whole role comes to: what `cfg check` lets pass, they let pass too.

use super::keys::{self, Key, Shape};
use super::words::{self, Word};
use crate::fleet::MOST_MEMBERS;
use crate::id::Kind;
use crate::render::references::allowed;
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
    table(rows.map(|row| (row.name, described(form(row), row.meaning, row.default))))
}

fn form(row: &Key) -> Value {
    match row.shape {
        Shape::References => references(row.name),
        of_whichever_key => shape(of_whichever_key),
    }
}

fn resource(kind: Kind) -> Value {
    let mut keys = rows(keys::of(kind));
    let short = match kind {
        Kind::Package => json!({ "type": "string", "minLength": 1 }),
        Kind::Sysctl => shape(Shape::Setting),
        _ => return keys,
    };
    // The rest of a dotted name, `net.ipv4.ip_forward = 1`: what is nearly a key is one that is spelled wrongly.
    let names: Vec<&str> = keys::of(kind).map(|row| row.name).collect();
    keys["patternProperties"] = json!({ slips(&names): false });
    keys["additionalProperties"] = json!({ "$ref": format!("#/$defs/{}", kind.word()) });
    json!({ "anyOf": [short, keys] })
}

/// A pattern of what one slip makes of these words: a character too few, another one, one too many, or two that change places.
fn slips(words: &[&str]) -> String {
    let mut slips = Vec::new();
    for word in words {
        for at in 0..word.len() {
            let (before, from) = word.split_at(at);
            let (one, after) = from.split_at(1);
            slips.push(format!("{before}[^{one}]?{after}"));
            slips.push(format!("{before}.{from}"));
            if let Some(next) = after.get(..1) {
                slips.push(format!("{before}{next}{one}{}", &after[1..]));
            }
        }
        slips.push(format!("{word}."));
    }
    format!("^({})$", slips.join("|"))
}

/// Names or globs of the kinds that a key takes.
fn references(key: &str) -> Value {
    let kinds: Vec<&str> = allowed(key).iter().map(|kind| kind.word()).collect();
    lines(&text(&format!("^({}):.", kinds.join("|"))))
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

/// A string that is wholly one expression keeps the type of what that gives.
fn or_computed(value: Value) -> Value {
    json!({ "anyOf": [value, { "type": "string", "pattern": r"^\{\{(.|\n)*\}\}$" }] })
}

fn text(pattern: &str) -> Value {
    json!({ "type": "string", "pattern": format!("{pattern}|{TEMPLATE}") })
}

fn lines(item: &Value) -> Value {
    or_computed(json!({ "type": "array", "items": item }))
}

fn shape(shape: Shape) -> Value {
    let line = json!({ "type": "string", "minLength": 1 });
    let number = json!({ "type": "integer", "minimum": 0, "maximum": u32::MAX - 1 });
    match shape {
        Shape::Expression => json!({ "type": ["string", "boolean"] }),
        Shape::Each => json!({ "type": ["array", "string"] }),
        Shape::References => references("after"),
        Shape::Line => line,
        Shape::Text => json!({ "type": "string" }),
        Shape::Words(words) => {
            json!({ "anyOf": [{ "enum": words }, { "type": "string", "pattern": TEMPLATE }] })
        }
        Shape::Boolean => or_computed(json!({ "type": "boolean" })),
        Shape::Number => or_computed(number),
        Shape::Account => json!({ "anyOf": [text("^[A-Za-z_0-9]"), number] }),
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
            let answer = json!({ "type": ["string", "boolean", "number"] });
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
    use crate::render::references;
    use crate::text::given::Given;

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
    /// Whatever a key takes, its form lets pass.
    #[test]
    fn no_form_is_narrower_than_the_check() {
        let texts = [
            "",
            " ",
            "*",
            "0644",
            "01777",
            "/",
            "//x/",
            "x",
            "x/y/",
            "root",
            "_a.b-c$",
            "4294967294",
            "0",
            "file:/x",
            "service:x",
            "package:a*",
            "90s",
            "00001d",
            "100%",
            "10%",
            "https://h",
            "mirror+file:/x",
            "http://h:1/x?y#z",
            "1 2\t3",
            "ssh-rsa A",
            "present",
            "running",
            "mounted",
            "lines",
            "\ttrue",
            "a\nb",
            "é",
            "{{ 1 }}",
            "{{ 'a' }}b",
        ];
        let texts = texts.map(Value::from);
        let numbers = [
            json!(0),
            json!(1),
            json!(-1),
            json!(10_000),
            json!(u32::MAX - 1),
            json!(i64::MAX),
            json!(1.5),
        ];
        let plain = [json!(true), json!("x".repeat(300)), json!("aB".repeat(32))];
        let single: Vec<Value> = texts.into_iter().chain(numbers).chain(plain).collect();
        let lists = single.iter().map(|one| json!([one]));
        let nested = [
            json!([]),
            json!({}),
            json!([["a", "b.c"]]),
            json!([{ "match": "x" }]),
        ];
        let wanted = [
            json!([{ "line": "\tx", "match": "y" }]),
            json!([{ "line": "x" }]),
        ];
        let names = ["a/b", "A_1", "x.y"];
        let tables = names.iter().flat_map(|name| {
            let typed = json!({ *name: { "type": "boolean", "value": true } });
            single
                .iter()
                .map(move |one| json!({ *name: one }))
                .chain([typed])
        });
        let all: Vec<Value> = lists
            .chain(nested)
            .chain(wanted)
            .chain(tables)
            .chain(single.clone())
            .collect();
        let rows = Kind::ALL.into_iter().flat_map(keys::of).chain(keys::FLEET);
        for row in rows {
            // What these take is an expression, or has roles in it.
            if matches!(row.shape, Shape::Expression | Shape::Each | Shape::Cohorts) {
                continue;
            }
            let form = jsonschema::draft202012::new(&form(row)).unwrap();
            let mut taken = 0;
            for value in &all {
                let given = Given {
                    value: value.clone(),
                    computed: false,
                };
                let fits = match (row.shape, value.as_array()) {
                    // Which kinds a key takes is looked at with the role.
                    (Shape::References, Some(items)) => items.iter().all(|item| {
                        item.as_str()
                            .is_some_and(|text| references::parse(row.name, text, |_| true).is_ok())
                    }),
                    _ => row.shape.check(&given).is_ok(),
                };
                taken += u32::from(fits);
                assert!(!fits || form.is_valid(value), "{}: {value}", row.name);
            }
            assert!(taken > 0, "{}", row.name);
        }
    }

    #[test]
    fn a_slip_is_near_the_word() {
        let words: Vec<&str> = keys::of(Kind::Package).map(|row| row.name).collect();
        let form = jsonschema::draft202012::new(&json!({ "pattern": slips(&words) })).unwrap();
        for slip in [
            "verson", "versoin", "versionn", "vversion", "Version", "hodl", "tate", "whe", "xeach",
            "aftre",
        ] {
            assert!(form.is_valid(&json!(slip)), "{slip}");
            assert!(
                crate::text::near::nearest(slip, words.iter().copied()).is_some(),
                "{slip}"
            );
        }
        for word in words
            .iter()
            .copied()
            .chain(["interface", "11", "12", "utf8"])
        {
            assert!(!form.is_valid(&json!(word)), "{word}");
        }
    }
}
