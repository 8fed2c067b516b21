//! What one role says, before includes are followed.

use super::diagnostic::Spot;
use super::source::Source;
use super::tree::Node;
use super::unclear::Unclear;
use crate::few::Few;
use crate::id::Kind;
use crate::release::part::Param;
use crate::resource::{Leftovers, Place};
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

/// One key as written.
#[derive(Clone, Debug)]
pub struct KeyText {
    /// The file it stands in.
    pub source: Arc<Source>,
    /// Where its name stands.
    pub span: Range<usize>,
    /// Its value.
    pub node: Node,
}

impl KeyText {
    /// The role that says it.
    pub fn role(&self) -> &str {
        &self.source.role
    }

    /// Where its value begins.
    pub fn value_place(&self) -> Place {
        self.source.place(&self.node.span)
    }

    /// Where its value stands.
    pub fn value_spot(&self) -> Spot {
        self.source.spot(&self.node.span)
    }

    /// Where its name stands.
    pub fn name_spot(&self) -> Spot {
        self.source.spot(&self.span)
    }
}

/// One resource as a role declares it.
#[derive(Clone, Debug)]
pub struct ResourceText {
    /// Its kind.
    pub kind: Kind,
    /// As written.
    pub name: String,
    /// The file it stands in.
    pub source: Arc<Source>,
    /// Where its name stands.
    pub span: Range<usize>,
    /// By name.
    pub keys: Few<KeyText>,
}

impl ResourceText {
    /// Where its name stands.
    pub fn spot(&self) -> Spot {
        self.source.spot(&self.span)
    }

    /// The same as a place.
    pub fn place(&self) -> Place {
        self.source.place(&self.span)
    }

    /// Whether its name is a template.
    pub fn is_template(&self) -> bool {
        self.keys.contains_key("each") || is_template(&self.name)
    }
}

/// Whether a string is more than text.
pub fn is_template(text: &str) -> bool {
    let mut marks = text.match_indices('{');
    marks.any(|(at, _)| matches!(text.as_bytes().get(at + 1), Some(b'{' | b'%' | b'#')))
}

/// What one role.toml says.
#[derive(Clone, Debug)]
pub struct RoleText {
    /// The role.
    pub name: String,
    /// The text.
    pub source: Arc<Source>,
    /// For people.
    pub description: Option<String>,
    /// Only included, never given to a machine.
    pub partial: bool,
    /// What becomes of what leaves it; counts in a machine's own role.
    pub leftovers: Leftovers,
    /// The roles it includes, with where it says so.
    pub include: Vec<(String, Range<usize>)>,
    /// Its own params.
    pub params: BTreeMap<String, Param>,
    /// Values for params of included roles.
    pub set: BTreeMap<String, KeyText>,
    /// `health` and `health_timeout`.
    pub fleet: BTreeMap<String, KeyText>,
    /// Its resources, in the order of kinds and names as written.
    pub resources: Vec<ResourceText>,
    /// What in it could not be understood.
    pub unclear: Unclear,
}

impl RoleText {
    /// A role whose text cannot be read.
    pub fn unread(name: &str, source: Source) -> Self {
        let mut role = Self::empty(name, Arc::new(source));
        role.unclear.all = true;
        role
    }

    pub(super) fn empty(name: &str, source: Arc<Source>) -> Self {
        Self {
            name: name.into(),
            source,
            description: None,
            partial: false,
            leftovers: Leftovers::default(),
            include: Vec::new(),
            params: BTreeMap::new(),
            set: BTreeMap::new(),
            fleet: BTreeMap::new(),
            resources: Vec::new(),
            unclear: Unclear::default(),
        }
    }
}
