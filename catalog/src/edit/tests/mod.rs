//! What edits make of texts, and what they refuse.

mod back;
mod formats;
mod kept;
mod laws;
mod refused;

use super::{Edit, EditError, Format, LineWanted, Pattern, Unwanted, apply};
use crate::text::diagnostic::Diagnostics;
use crate::text::source::Source;
use crate::text::tree::document;
use serde_json::{Map, Value};

/// An edit as a role writes it: `set` is a TOML table, `remove` names with dots.
pub(super) fn edit(format: &str, set: &str, remove: &[&str]) -> Edit {
    let mut edit = Edit::of(Format::of_word(format).unwrap());
    edit.set(&table(set)).unwrap();
    for name in remove {
        edit.remove(edit.path_of(name)).unwrap();
    }
    edit
}

/// Values as a role has them.
pub(super) fn table(text: &str) -> Map<String, Value> {
    let mut wrong = Diagnostics::new();
    let (entries, _) = document(&Source::new("r", "r/role.toml", text), &mut wrong).unwrap();
    let entries = entries.iter();
    entries
        .map(|entry| (entry.key.clone(), entry.node.json()))
        .collect()
}

/// An edit of lines: `match => line`, or a line alone; what must go, `~` before a regular expression.
pub(super) fn lines(wanted: &[&str], unwanted: &[&str]) -> Edit {
    let mut edit = Edit::of(Format::Lines);
    for line in wanted {
        let (pattern, line) = match line.split_once(" => ") {
            Some((pattern, line)) => (Some(pattern), line),
            None => (None, *line),
        };
        edit.lines.push(LineWanted {
            line: line.into(),
            matching: pattern.map(|text| Pattern::new(text).unwrap()),
        });
    }
    for line in unwanted {
        edit.drop.push(match line.strip_prefix('~') {
            Some(pattern) => Unwanted::Matching(Pattern::new(pattern).unwrap()),
            None => Unwanted::Line((*line).into()),
        });
    }
    edit
}

/// The edited text; a second time nothing changes.
pub(super) fn edited(edit: &Edit, text: &str) -> Result<String, EditError> {
    let once = apply(text.as_bytes(), edit)?;
    assert_eq!(apply(&once, edit).unwrap(), once, "a second time: {text:?}");
    Ok(String::from_utf8(once).unwrap())
}

pub(super) fn same(edit: &Edit, before: &str, after: &str) {
    match edited(edit, before) {
        Ok(got) => assert_eq!(got, after, "{edit:?}\nof {before:?}"),
        Err(why) => panic!("{why}: {edit:?}\nof {before:?}"),
    }
}
