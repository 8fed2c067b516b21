//! Answers for a package's configuration, and what debconf has of them.

use super::Obstacle;
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// One question with its answer.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Answer {
    /// Its name: `postfix/main_mailer_type`.
    pub question: String,
    /// Its type, for a debconf that does not know the question yet: `string`, `boolean`, `password` and so on.
    pub kind: String,
    /// The answer, as debconf keeps it: one line, perhaps empty.
    pub value: String,
}

/// The type that a password is of: debconf keeps those where root alone reads them, and scripts erase them after use.
pub const PASSWORD: &str = "password";

/// What debconf has of the questions that a role answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answers {
    /// Their answers, by question; a question that is not in it has none.
    Known(BTreeMap<String, String>),
    /// The same, and why one of the role's answers can only become another.
    Unfit {
        /// Their answers.
        known: BTreeMap<String, String>,
        /// The whole reason, for a person.
        why: String,
    },
    /// The database could not be read.
    Unread {
        /// The whole reason, for a person.
        why: String,
    },
}

impl Default for Answers {
    fn default() -> Self {
        Self::Known(BTreeMap::new())
    }
}

/// Stands for an answer that is never shown.
const HIDDEN: &str = "(sensitive)";

/// All answers, as shown of a package that is to be installed with them; none where the role gives none.
pub(crate) fn wanted(answers: &[Answer], sensitive: bool) -> Option<Value> {
    let all = answers.iter().map(|answer| {
        let value = shown(answer, &answer.value, sensitive);
        (answer.question.clone(), value)
    });
    let all: Map<String, Value> = all.collect();
    (!all.is_empty()).then(|| all.into())
}

/// What debconf has and what it is to have, as far as they differ; none where they do not.
pub(crate) fn difference(
    answers: &[Answer],
    seen: &Answers,
    sensitive: bool,
) -> Result<Option<(Value, Value)>, Obstacle> {
    let seen = match seen {
        _ if answers.is_empty() => return Ok(None),
        Answers::Unread { why } => return Err(Obstacle(why.clone())),
        Answers::Known(seen) | Answers::Unfit { known: seen, .. } => seen,
    };
    let (mut before, mut after) = (Map::new(), Map::new());
    for answer in answers {
        let old = seen.get(&answer.question);
        // A script takes a password out of the database once it has used it.
        let used = answer.kind == PASSWORD && old.is_none_or(|old| old.is_empty());
        if used || old == Some(&answer.value) {
            continue;
        }
        let show = |value: &String| shown(answer, value, sensitive);
        before.insert(answer.question.clone(), old.map_or(Value::Null, show));
        after.insert(answer.question.clone(), show(&answer.value));
    }
    Ok((!after.is_empty()).then(|| (before.into(), after.into())))
}

fn shown(answer: &Answer, value: &str, sensitive: bool) -> Value {
    match sensitive || answer.kind == PASSWORD {
        true => HIDDEN.into(),
        false => value.into(),
    }
}
