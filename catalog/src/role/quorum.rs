//! What is called a quorum, and is not more than half of the members that are waited for.
//!
//! A catalog cannot tell what decides by majority. It is told by its name: a file or an integer param called `quorum`.

use crate::release::part::{ParamType, Part};
use crate::resource::file::Content;
use crate::resource::{Body, Desired, Place};
use crate::text::diagnostic::{Diagnostic, Diagnostics};

const NAME: &str = "quorum";

/// Warns of those of a role, which was rendered for a cohort that is complete.
pub fn check(part: &Part, desired: &Desired, wrong: &mut Diagnostics) {
    let Some((role, members)) = cohort(part) else {
        return;
    };
    for (at, quorum) in of_params(part).chain(of_files(desired)) {
        let members_of = format!("the {members} members of `{role}` that are waited for");
        let message = if quorum > u64::from(members) {
            format!("a quorum of {quorum} can never be reached by {members_of}")
        } else if quorum * 2 <= u64::from(members) {
            format!("a quorum of {quorum} is not more than half of {members_of}")
        } else {
            continue;
        };
        let right = members / 2 + 1;
        wrong.push(Diagnostic::warning(&at, message).help(format!(
            "it is {right} of {members}; {{{{ fleet.members('{role}') | length // 2 + 1 }}}} follows their number"
        )));
    }
}

/// Whose quorum it is: that of the role's own members, or of the only ones it waits for.
fn cohort(part: &Part) -> Option<(&str, u32)> {
    let own = part.wait_for.get_key_value(&part.role);
    let only = part
        .wait_for
        .iter()
        .next()
        .filter(|_| part.wait_for.len() == 1);
    own.or(only)
        .map(|(role, members)| (role.as_str(), *members))
}

fn of_params(part: &Part) -> impl Iterator<Item = (Place, u64)> {
    let named = part.params.iter().filter(|(name, param)| {
        let called = name.as_str() == NAME || name.ends_with("_quorum");
        called && param.ty == ParamType::Integer
    });
    named.filter_map(|(name, param)| {
        let value = part.values.get(name).or(param.default.as_ref())?;
        Some((param.place.clone(), value.as_u64()?))
    })
}

fn of_files(desired: &Desired) -> impl Iterator<Item = (Place, u64)> {
    desired.resources.iter().filter_map(|resource| {
        let Body::File(file) = &resource.body else {
            return None;
        };
        let name = file.path.as_str().rsplit('/').next()?;
        let Some(Content::Text(text)) = file.content.as_ref().filter(|_| name == NAME) else {
            return None;
        };
        let number = str::from_utf8(text).ok()?.trim().parse().ok()?;
        Some((resource.place.clone(), number))
    })
}
