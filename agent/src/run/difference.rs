//! What still differs after a turn, in words.

use cfg_catalog::plan::{Action, Change, Verdict};
use serde_json::Value;

/// The words; none where nothing differs.
pub(super) fn difference(left: &Verdict) -> Option<String> {
    if let Some(why) = &left.obstacle {
        return Some(why.clone());
    }
    let left: Vec<String> = left.changes.iter().map(words).collect();
    (!left.is_empty()).then(|| format!("done, and yet it differs still: {}", left.join("; ")))
}

fn words(change: &Change) -> String {
    let word = change.action.word();
    if change.action == Action::Run {
        return "its guard would have it run again".into();
    }
    if change.before.is_null() && change.after.is_null() {
        return format!("{word} {}", change.resource);
    }
    format!(
        "{word} {} (it is {}, wanted is {})",
        change.resource,
        plain(&change.before),
        plain(&change.after)
    )
}

/// A value as a person writes it.
fn plain(value: &Value) -> String {
    let some = |words: Vec<String>| match words.is_empty() {
        true => "nothing".to_owned(),
        false => words.join(", "),
    };
    match value {
        Value::Null => "nothing".to_owned(),
        Value::String(text) => text.clone(),
        Value::Bool(_) | Value::Number(_) => value.to_string(),
        Value::Array(all) => some(all.iter().map(plain).collect()),
        Value::Object(keys) => {
            let words = keys
                .iter()
                .map(|(key, value)| format!("{key} {}", plain(value)));
            some(words.collect())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_value_is_told_without_braces() {
        let value = json!({ "links": ["a.wants/x", "b"], "mode": null, "none": [], "on": true });
        assert_eq!(
            plain(&value),
            "links a.wants/x, b, mode nothing, none nothing, on true"
        );
        assert_eq!(plain(&json!({})), "nothing");
    }
}
