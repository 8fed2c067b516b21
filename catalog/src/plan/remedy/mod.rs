//! What to do about a failure, where its message does not say so itself.

mod paths;
#[cfg(test)]
mod tests;
mod tools;

use super::document::Failure;
use crate::id::Kind;
use crate::text::names;

/// What a message must have. What a tool of the machine printed stands at a message's end and may be anything: so but for
/// those of tools that are known, only cfg's own words are looked at.
enum Words {
    /// It begins so.
    Begin(&'static str),
    /// Its first line has this.
    Have(&'static str),
    /// Its first line ends so.
    End(&'static str),
    /// It has this somewhere.
    Print(&'static str),
    /// Whatever it says.
    Any,
}

impl Words {
    fn are_in(&self, message: &str) -> bool {
        let own = message.lines().next().unwrap_or_default();
        match self {
            Words::Begin(words) => message.starts_with(words),
            Words::Have(words) => own.contains(words),
            Words::End(words) => own.ends_with(words),
            Words::Print(words) => message.contains(words),
            Words::Any => true,
        }
    }
}

/// What to do where a message has these words; none where it says so itself.
type Row = (Words, Option<&'static str>);

/// Rows for failures of these kinds.
type Rows = (&'static [Kind], &'static [Row]);

const fn to_do(words: Words, remedy: &'static str) -> Row {
    (words, Some(remedy))
}

const fn said(words: &'static str) -> Row {
    (Words::Have(words), None)
}

/// What to do about it. The first row that fits says it; `NAME` in it is the resource's, and `UNIT` that of its unit.
pub(super) fn remedy(failure: &Failure) -> Option<String> {
    let message = failure.message.as_str();
    let Some(id) = failure.resource.as_ref() else {
        let health = message.starts_with("the role is not healthy");
        let remedy = "mend what its `health` complains of; the next run asks it again";
        return health.then(|| remedy.to_owned());
    };
    let (_, remedy) = tools::ROWS
        .iter()
        .chain(paths::ROWS)
        .chain(tools::ELSE)
        .filter(|(kinds, _)| kinds.contains(&id.kind))
        .flat_map(|(_, rows)| *rows)
        .find(|(words, _)| words.are_in(message))?;
    let unit = names::unit(&id.name).unwrap_or_default();
    remedy.map(|remedy| remedy.replace("NAME", &id.name).replace("UNIT", &unit))
}
