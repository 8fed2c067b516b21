//! One change in words.

use crate::id::Kind;
use crate::plan::{Action, Certainty, Change};
use serde_json::{Map, Value};

/// What is done: `upgrade 3.8.0-1 → 3.8.1-1`, `restart`; where it is yet to be done, how sure that is.
pub(super) fn done(change: &Change, dry_run: bool) -> String {
    let word = change.action.word();
    let version = |value: &Value| value.get("version").map(text);
    let mut phrase = match (
        change.action,
        version(&change.before),
        version(&change.after),
    ) {
        (Action::Upgrade | Action::Downgrade, Some(before), Some(after)) => {
            format!("{word} {before} → {after}")
        }
        (Action::Install, _, Some(after)) => format!("{word} {after}"),
        (Action::Remove | Action::Purge, Some(before), _) => format!("{word} {before}"),
        _ => word.to_owned(),
    };
    if dry_run && change.certainty == Certainty::Assumed {
        phrase.push_str(match change.action {
            Action::Run => " (assumed: guards are asked at its turn)",
            _ => " (assumed)",
        });
    }
    phrase
}

/// What differs beside the text that a diff shows, each in a few words.
pub(super) fn differences(change: &Change) -> Vec<String> {
    let mut words = Vec::new();
    match (&change.before, &change.after) {
        (Value::Object(before), Value::Object(after)) if change.resource.kind == Kind::Package => {
            match after
                .get("auto")
                .filter(|_| change.action == Action::Update)
            {
                Some(Value::Bool(true)) => words.push("marked as there for others only".into()),
                Some(_) => words.push("marked as wanted for itself".into()),
                None => {}
            }
            words.extend(answers(before, after));
        }
        (_, Value::Object(after)) if change.resource.kind == Kind::Package => {
            words.extend(answers(&Map::new(), after));
        }
        (Value::Null, Value::Object(after)) => match (after.get("woken_by"), after.get("restarts"))
        {
            (Some(by), _) => words.push(format!("{} can start it again", text(by))),
            (_, Some(services)) => words.push(format!("restarts {}", text(services))),
            _ => words.extend(new(after)),
        },
        (Value::Object(before), Value::Object(after)) => {
            match (before.get("target"), before.get("type")) {
                (Some(target), _) if !after.contains_key("target") => {
                    words.push(format!("replaces a link to {}", text(target)));
                }
                (_, Some(kind)) if kind == "file" => {
                    words.push(match after.get("target") {
                        Some(target) => format!("a link to {} again", text(target)),
                        None => "a directory again".into(),
                    });
                }
                (_, Some(_)) => words.push("replaces an empty directory".into()),
                _ => words.extend(moved(before, after)),
            }
        }
        _ => {}
    }
    words.extend(change.after.get("by").map(text));
    words.extend(unseen(change).map(str::to_owned));
    words
}

/// The answers that a package's configuration is given, and those that it had.
fn answers(before: &Map<String, Value>, after: &Map<String, Value>) -> Vec<String> {
    let of = |shown: &Map<String, Value>| shown.get("debconf").and_then(Value::as_object).cloned();
    let old = of(before);
    let answered = |(question, new): (String, Value)| match &old {
        None => format!("{question}: {}", text(&new)),
        Some(old) => {
            let old = old.get(&question).unwrap_or(&Value::Null);
            format!("{question}: {} → {}", text(old), text(&new))
        }
    };
    of(after).into_iter().flatten().map(answered).collect()
}

/// Keys that stand for content or that the action says already; words say more than they do.
const SAID: [&str; 5] = ["sha256", "sensitive", "version", "held", "by"];

/// What new things have that nobody said anything about.
const USUAL: [(&str, &[&str]); 3] = [
    ("mode", &["0644", "0755"]),
    ("owner", &["root"]),
    ("group", &["root"]),
];

fn new(after: &Map<String, Value>) -> Vec<String> {
    let usual = |key: &str, value: &Value| {
        let mut usual = USUAL.iter().filter(|(of, _)| *of == key);
        usual.any(|(_, values)| values.iter().any(|usual| value == usual))
    };
    after
        .iter()
        .filter(|(key, value)| {
            !SAID.contains(&key.as_str())
                && !value.is_null()
                && !value.is_object()
                && !usual(key, value)
        })
        .map(|(key, value)| format!("{key} {}", text(value)))
        .collect()
}

fn moved(before: &Map<String, Value>, after: &Map<String, Value>) -> Vec<String> {
    let mut words = Vec::new();
    for (key, value) in after {
        let old = before.get(key).unwrap_or(&Value::Null);
        if old == value || SAID.contains(&key.as_str()) {
            continue;
        }
        words.push(match (old, value) {
            (Value::Array(old), Value::Array(new)) => listed(key, old, new),
            (Value::Null, Value::Object(_)) => format!("{key} is new"),
            (_, Value::Object(_)) => format!("{key} differs"),
            _ => format!("{key} {} → {}", text(old), text(value)),
        });
    }
    words
}

/// What a list gains and loses.
fn listed(key: &str, before: &[Value], after: &[Value]) -> String {
    let gained = after.iter().filter(|item| !before.contains(item));
    let lost = before.iter().filter(|item| !after.contains(item));
    let words: Vec<String> = gained
        .map(|item| format!("+{}", text(item)))
        .chain(lost.map(|item| format!("-{}", text(item))))
        .collect();
    format!("{key} {}", words.join(" "))
}

/// Why content that differs is not shown.
fn unseen(change: &Change) -> Option<&'static str> {
    if change.diff.is_some() || change.action == Action::Remove {
        return None;
    }
    if change.after.get("sensitive").is_some() {
        return Some("sensitive: its content is not shown");
    }
    let differs = change.before.is_object()
        && change.before.get("sha256") != change.after.get("sha256")
        && change.after.get("sha256").is_some();
    differs.then_some("its content differs and is not shown")
}

fn text(value: &Value) -> String {
    match value {
        Value::Null => "none".into(),
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().map(text).collect::<Vec<_>>().join(", "),
        other => other.to_string(),
    }
}
