//! What a check cannot know: what only a machine can say, and what hangs on something that is wrong elsewhere.

use super::reader::text_of;
use super::scan::{self, Uses};
use super::{Blobs, Purpose};
use crate::release::part::Part;
use crate::text::unclear::Unclear;
use std::collections::BTreeSet;

/// Who is asked whether something can be known.
pub struct Doubt<'a> {
    /// What could not be understood; none where a machine renders for itself.
    pub unclear: Option<&'a Unclear>,
    /// The params that have a value.
    known: BTreeSet<String>,
    /// Whether others may be read.
    lacks: bool,
}

impl<'a> Doubt<'a> {
    /// `known` are the params that have a value.
    pub fn new(purpose: Purpose<'a>, part: &Part, known: BTreeSet<String>) -> Self {
        let unclear = purpose.unclear();
        let all = part.params.keys().all(|name| known.contains(name));
        let more = |unclear: &Unclear| unclear.has_param("") || !unclear.params.is_empty();
        Self {
            lacks: unclear.is_some_and(|unclear| !all || more(unclear)),
            unclear,
            known,
        }
    }

    /// Whether it is a check.
    pub fn is_check(&self) -> bool {
        self.unclear.is_some()
    }

    /// Whether it reads a param of which it is not known what it is.
    fn reads(&self, uses: &Uses) -> bool {
        let unknown = |name: &String| !self.known.contains(name);
        uses.all_params || uses.params.iter().any(|used| unknown(&used.name))
    }

    /// Whether a template is left alone.
    pub fn of_template(&self, text: &str) -> bool {
        self.lacks && scan::template(text, "").is_ok_and(|uses| self.reads(&uses))
    }

    /// Whether a bare expression is left alone.
    pub fn of_expression(&self, text: &str) -> bool {
        self.lacks && scan::expression(text).is_ok_and(|(uses, _)| self.reads(&uses))
    }

    /// Whether a template file is left alone.
    pub fn of_file(&self, part: &Part, blobs: &dyn Blobs, name: &str) -> bool {
        self.lacks && in_file(part, blobs, name, &|uses| self.reads(uses))
    }
}

/// Whether a template file, or one that it includes, reads something like this.
pub fn in_file(part: &Part, blobs: &dyn Blobs, name: &str, reads: &dyn Fn(&Uses) -> bool) -> bool {
    let mut wanted = vec![name.to_owned()];
    let mut seen = BTreeSet::new();
    while let Some(name) = wanted.pop() {
        let text = text_of(part, blobs, &name).unwrap_or_default();
        let text = text.unwrap_or_default();
        let uses = scan::template(&text, &name).unwrap_or_default();
        if reads(&uses) {
            return true;
        }
        if seen.insert(name.clone()) {
            let includes = uses.includes.iter();
            wanted.extend(includes.flat_map(|include| include.paths(&name)));
        }
    }
    false
}
