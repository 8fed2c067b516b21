//! A date of TOML among the values of JSON, which has none: a table of one key that no edit can set.

use serde_json::{Value, json};
use toml::value::Datetime;

const KEY: &str = "\0date";

/// A date as a value.
pub fn value(date: &Datetime) -> Value {
    json!({ KEY: date.to_string() })
}

/// The date that a value stands for.
pub fn of(value: &Value) -> Option<Datetime> {
    let table = value.as_object().filter(|table| table.len() == 1)?;
    table.get(KEY)?.as_str()?.parse().ok()
}

/// The first date in a value.
pub fn within(value: &Value) -> Option<Datetime> {
    of(value).or_else(|| match value {
        Value::Array(items) => items.iter().find_map(within),
        Value::Object(table) => table.values().find_map(within),
        _ => None,
    })
}

/// The value with its dates as text, for a person.
pub fn shown(value: &Value) -> Value {
    match (of(value), value) {
        (Some(date), _) => date.to_string().into(),
        (None, Value::Array(items)) => items.iter().map(shown).collect(),
        (None, Value::Object(table)) => {
            let entries = table.iter().map(|(key, value)| (key.clone(), shown(value)));
            entries.collect()
        }
        (None, value) => value.clone(),
    }
}

/// A value as TOML has it; none for what has no form there.
pub fn toml(value: &Value) -> Option<toml::Value> {
    match (of(value), value) {
        (Some(date), _) => Some(toml::Value::Datetime(date)),
        (None, Value::Array(items)) => {
            let items: Option<Vec<toml::Value>> = items.iter().map(toml).collect();
            items.map(toml::Value::Array)
        }
        (None, Value::Object(table)) => {
            let entries = table
                .iter()
                .map(|(key, value)| Some((key.clone(), toml(value)?)));
            entries
                .collect::<Option<toml::Table>>()
                .map(toml::Value::Table)
        }
        (None, value) => toml::Value::try_from(value).ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_told_from_tables() {
        for text in ["1979-05-27", "07:32:00", "1979-05-27T07:32:00Z"] {
            let date: Datetime = text.parse().unwrap();
            assert_eq!(of(&value(&date)), Some(date));
            let list = json!([1, { "a": value(&date) }]);
            assert_eq!(within(&list), Some(date));
            assert_eq!(shown(&list), json!([1, { "a": text }]));
            let written = toml(&list).unwrap().to_string();
            assert_eq!(written, format!("[1, {{ a = {text} }}]"));
        }
        for other in [
            json!({ KEY: "no date" }),
            json!({ KEY: "1979-05-27", "a": 1 }),
            json!("1979-05-27"),
        ] {
            assert_eq!(of(&other), None);
        }
    }
}
