//! The forms of what an edit sets and removes.

use super::date;
use super::given::{Given, unlike};
use serde_json::{Map, Value};

/// Something that must not be there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Removal {
    /// By its name, with dots between keys; or a line, as it is.
    Name(String),
    /// By a key in each table on the way.
    Path(Vec<String>),
    /// Lines in which this regular expression is found.
    Matching(String),
}

/// A line that must be there, with the regular expression for those that it takes the place of.
pub type LineText = (String, Option<String>);

/// What is wrong with a table that has nothing in it.
pub const NOTHING: &str =
    "an empty table sets nothing: leave it out, or write a key and its value into it";

impl Given {
    /// A table of values.
    ///
    /// # Errors
    /// With what is wrong.
    pub fn settings(&self) -> Result<Map<String, Value>, String> {
        match &self.value {
            Value::Object(table) if table.is_empty() => Err(NOTHING.into()),
            Value::Object(table) if date::of(&self.value).is_none() => Ok(table.clone()),
            other => Err(unlike("a table", other)),
        }
    }

    /// Names, arrays of keys, and tables with `match`.
    ///
    /// # Errors
    /// With what is wrong.
    pub fn removals(&self) -> Result<Vec<Removal>, String> {
        self.items(|item| match &item.value {
            Value::String(_) => Ok(Removal::Name(item.whole_line()?)),
            Value::Array(_) => Ok(Removal::Path(item.items(Given::text)?)),
            Value::Object(_) => match item.words(&["match"])?.remove("match") {
                Some(pattern) => Ok(Removal::Matching(pattern)),
                None => Err("a table needs `match`".into()),
            },
            other => Err(unlike(
                "a name, an array of keys, or a table with `match`",
                other,
            )),
        })
    }

    /// Tables with `line`, and perhaps `match`.
    ///
    /// # Errors
    /// With what is wrong.
    pub fn wanted_lines(&self) -> Result<Vec<LineText>, String> {
        self.items(|item| {
            let mut words = item.words(&["line", "match"])?;
            let line = words.remove("line").ok_or("`line` is missing")?;
            Ok((line, words.remove("match")))
        })
    }

    /// The lines of a table of these keys.
    fn words(&self, keys: &[&str]) -> Result<std::collections::BTreeMap<String, String>, String> {
        let Value::Object(table) = &self.value else {
            let table = format!("a table, as {{ {} = \"…\" }}", keys.first().unwrap_or(&""));
            return Err(unlike(&table, &self.value));
        };
        table
            .iter()
            .map(|(key, value)| {
                if !keys.contains(&key.as_str()) {
                    let known = super::shape::or(keys.iter().map(|key| format!("`{key}`")));
                    return Err(format!("unknown key `{key}`, {known} is wanted"));
                }
                let line = self.part(value).whole_line();
                Ok((key.clone(), line.map_err(|why| format!("{key}: {why}"))?))
            })
            .collect()
    }

    /// A line of a file: tabs may be in it.
    fn whole_line(&self) -> Result<String, String> {
        let text = self.text()?;
        match text.chars().find(|c| c.is_control() && *c != '\t') {
            Some('\n' | '\r') => Err("a line break where one line is wanted".into()),
            Some(_) => Err("a control character in the text".into()),
            None if text.is_empty() => Err("empty".into()),
            None => Ok(text),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn given(value: Value) -> Given {
        Given {
            value,
            computed: false,
        }
    }

    #[test]
    fn a_date_is_no_table() {
        let date = date::value(&"1979-05-27".parse().unwrap());
        let told = given(date).settings().unwrap_err();
        assert_eq!(told, "expected a table, found a date");
    }

    #[test]
    fn what_is_removed_has_three_forms() {
        let removals = given(json!(["a.b", ["a", "b.c"], { "match": "^#?x" }])).removals();
        let expected = [
            Removal::Name("a.b".into()),
            Removal::Path(vec!["a".into(), "b.c".into()]),
            Removal::Matching("^#?x".into()),
        ];
        assert_eq!(removals.unwrap(), expected);
        for (value, why) in [
            (json!("a"), "expected an array, found a string"),
            (
                json!([1]),
                "item 1: expected a name, an array of keys, or a table with `match`, found an integer",
            ),
            (json!([{}]), "item 1: a table needs `match`"),
            (
                json!(["a\nb"]),
                "item 1: a line break where one line is wanted",
            ),
        ] {
            assert_eq!(given(value).removals().unwrap_err(), why);
        }
    }

    #[test]
    fn a_line_has_a_match_or_none() {
        let lines = given(json!([{ "line": "\ta" }, { "line": "b", "match": "^b" }]));
        let expected = [("\ta".into(), None), ("b".into(), Some("^b".into()))];
        assert_eq!(lines.wanted_lines().unwrap(), expected);
        for (value, why) in [
            (json!([{ "match": "x" }]), "item 1: `line` is missing"),
            (
                json!([{ "lin": "x" }]),
                "item 1: unknown key `lin`, `line` or `match` is wanted",
            ),
            (
                json!(["x"]),
                "item 1: expected a table, as { line = \"…\" }, found a string",
            ),
            (json!([{ "line": "" }]), "item 1: line: empty"),
        ] {
            assert_eq!(given(value).wanted_lines().unwrap_err(), why);
        }
    }
}
