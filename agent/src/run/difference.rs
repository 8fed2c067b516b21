//! What still differs after a turn, in words.

use cfg_catalog::plan::{Action, Change, Verdict};

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
        change.resource, change.before, change.after
    )
}
