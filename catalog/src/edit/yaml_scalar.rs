//! Scalars of YAML, in such a form that readers of YAML 1.1 and of 1.2 take them for the same.

use saphyr_parser::ScalarStyle;
use serde_json::Value;

/// Plain words that YAML 1.1 or 1.2 takes for something else than a string, in small letters.
const WORDS: [&str; 12] = [
    "null", "true", "false", "yes", "no", "on", "off", "y", "n", ".inf", ".nan", "~",
];

/// What a scalar comes to; none where readers differ.
pub fn value(text: &str, style: ScalarStyle) -> Option<Value> {
    match (style, text) {
        (ScalarStyle::Plain, "" | "~" | "null") => Some(Value::Null),
        (ScalarStyle::Plain, "true") => Some(Value::Bool(true)),
        (ScalarStyle::Plain, "false") => Some(Value::Bool(false)),
        (ScalarStyle::Plain, text) if is_number(text) => serde_json::from_str(text).ok(),
        (ScalarStyle::Plain, text) if is_plain(text) => Some(text.into()),
        (ScalarStyle::Plain, _) => None,
        (_, text) => Some(text.into()),
    }
}

/// A decimal number as JSON has it. Readers of YAML 1.1 take an exponent for part of a string, unless it has a sign and
/// a point comes before it.
fn is_number(text: &str) -> bool {
    let exponent = text.find(['e', 'E']);
    let for_all = exponent
        .is_none_or(|at| text[..at].contains('.') && text[at + 1..].starts_with(['+', '-']));
    for_all && serde_json::from_str::<serde_json::Number>(text).is_ok()
}

/// Whether a string needs no quotes, for any reader, in a flow mapping too.
fn is_plain(text: &str) -> bool {
    let within = |c: char| c.is_ascii_alphanumeric() || "_./@%+- ".contains(c);
    text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '/' || c == '_')
        && text.chars().all(within)
        && !text.ends_with(' ')
        && !WORDS.contains(&text.to_ascii_lowercase().as_str())
}

/// A scalar as it is written, quoted as the one whose place it takes where that does; none for what is no scalar.
pub fn written(value: &Value, old: Option<ScalarStyle>) -> Option<String> {
    let text = match value {
        Value::String(text) => text,
        Value::Number(number) => {
            let text = number.to_string();
            // Readers of YAML 1.1 take 1e30 for a string, and 1.0e+30 for a number.
            return match text.split_once('e') {
                None => Some(text),
                Some((mantissa, exponent)) => {
                    let point = if mantissa.contains('.') { "" } else { ".0" };
                    let sign = if exponent.starts_with(['-', '+']) {
                        ""
                    } else {
                        "+"
                    };
                    Some(format!("{mantissa}{point}e{sign}{exponent}"))
                }
            };
        }
        Value::Bool(_) => return Some(value.to_string()),
        _ => return None,
    };
    let printable = !text.chars().any(|c| c.is_control() || c == '\u{feff}');
    Some(match old {
        Some(ScalarStyle::SingleQuoted) if printable => format!("'{}'", text.replace('\'', "''")),
        Some(ScalarStyle::DoubleQuoted) => quoted(text),
        _ if is_plain(text) => text.clone(),
        _ => quoted(text),
    })
}

/// In double quotes, with all that is not printed escaped.
fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            '\r' => out.push_str("\\r"),
            c if c.is_control() || matches!(c, '\u{2028}' | '\u{2029}' | '\u{feff}') => {
                out.push_str(&format!("\\u{:04x}", u32::from(c)));
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

/// A key as it is written.
pub fn key(name: &str) -> String {
    match is_plain(name) {
        true => name.to_owned(),
        false => quoted(name),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_readers_differ_about_is_quoted() {
        for (value_, text) in [
            (json!("yes"), "\"yes\""),
            (json!("No"), "\"No\""),
            (json!("1"), "\"1\""),
            (json!("010"), "\"010\""),
            (json!("22:30"), "\"22:30\""),
            (json!("a: b"), "\"a: b\""),
            (json!("a #b"), "\"a #b\""),
            (json!("- a"), "\"- a\""),
            (json!(""), "\"\""),
            (json!("a b"), "a b"),
            (json!("/etc/x.d"), "/etc/x.d"),
            (json!("a\nb"), "\"a\\nb\""),
            (json!(true), "true"),
            (json!(-3), "-3"),
            (json!(1.5), "1.5"),
            (json!(1e30), "1.0e+30"),
            (json!(1.5e-7), "1.5e-7"),
            (json!(-1e16), "-1.0e+16"),
        ] {
            assert_eq!(written(&value_, None).as_deref(), Some(text));
        }
    }

    #[test]
    fn a_plain_scalar_is_what_all_readers_take_it_for() {
        for (text, value_) in [
            ("yes", None),
            ("010", None),
            ("0x1", None),
            ("1_000", None),
            ("2024-01-01", None),
            ("1:30", None),
            ("true", Some(json!(true))),
            ("True", None),
            ("12", Some(json!(12))),
            ("1.5", Some(json!(1.5))),
            ("1e3", None),
            ("1.0e3", None),
            ("1e+3", None),
            ("1.0e+3", Some(json!(1000.0))),
            ("-1.5E-7", Some(json!(-1.5e-7))),
            ("+1.5", None),
            ("1.", None),
            ("", Some(json!(null))),
            ("eth0", Some(json!("eth0"))),
        ] {
            assert_eq!(value(text, ScalarStyle::Plain), value_, "{text}");
        }
    }
}
