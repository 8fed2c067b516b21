//! `wait_for`: how many members of a role must have enrolled before what reads them is looked at; and who joins last.

use super::include::Roles;
use crate::fleet::MOST_MEMBERS;
use crate::text::declared::KeyText;
use crate::text::diagnostic::{Diagnostic, Diagnostics, Spot};
use crate::text::tree::{Entry, NodeValue};
use std::collections::BTreeMap;

/// Reads `wait_for`; `reads` says of which roles the role reads the members.
pub fn wait_for(
    key: &KeyText,
    roles: &Roles,
    reads: &dyn Fn(&str) -> bool,
    wrong: &mut Diagnostics,
) -> BTreeMap<String, u32> {
    let mut cohorts = BTreeMap::new();
    let Some(entries) = key.node.entries() else {
        let message = format!(
            "expected a table of numbers by role, as {{ zookeeper = 3 }}, found {}",
            key.node.kind()
        );
        wrong.push(Diagnostic::error(key.value_spot(), message));
        return cohorts;
    };
    for entry in entries {
        let at = key.source.spot(&entry.span);
        match (no_member(&entry.key, || at.clone(), roles), members(entry)) {
            (Some(diagnostic), _) => wrong.push(diagnostic),
            (_, Err(why)) => {
                let at = key.source.spot(&entry.node.span);
                wrong.push(Diagnostic::error(at, why));
            }
            (None, Ok(count)) => {
                if !reads(&entry.key) {
                    let message = format!(
                        "nothing of this role reads the members of `{}`: nothing waits for them",
                        entry.key
                    );
                    wrong.push(Diagnostic::warning(at, message));
                }
                cohorts.insert(entry.key.clone(), count);
            }
        }
    }
    cohorts
}

/// Warns of `join_last` where members come without waiting for one another.
pub fn join_last(key: &KeyText, role: &str, reads: &dyn Fn(&str) -> bool, wrong: &mut Diagnostics) {
    if !reads(role) {
        let message =
            format!("nothing of this role reads the members of `{role}`: nobody joins last");
        wrong.push(Diagnostic::warning(key.name_spot(), message));
    }
}

/// Why no machine can have this role, which is named here; none where one can.
pub fn no_member(name: &str, at: impl Fn() -> Spot, roles: &Roles) -> Option<Diagnostic> {
    match roles.get(name) {
        Some(role) if !role.partial => None,
        Some(_) => {
            let message = format!("`{name}` is partial: no machine has it as its role");
            Some(Diagnostic::error(at(), message))
        }
        None => {
            let words = roles.values().filter(|role| !role.partial);
            let words = words.map(|role| role.name.as_str());
            Some(Diagnostic::error(at(), format!("no role `{name}`")).among(name, words))
        }
    }
}

fn members(entry: &Entry) -> Result<u32, String> {
    match &entry.node.value {
        NodeValue::Integer(count) => u32::try_from(*count)
            .ok()
            .filter(|count| (1..=MOST_MEMBERS).contains(count))
            .ok_or_else(|| format!("{count} is not between 1 and {MOST_MEMBERS}")),
        _ => Err(format!(
            "expected a number of members, found {}",
            entry.node.kind()
        )),
    }
}
