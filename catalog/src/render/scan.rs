//! What a template reads, found without running it: so that an unknown param is an error with its place,
//! whatever branch it stands in, and so that the server knows whose members a role reads.

pub mod guard;
pub mod slips;
mod tree;
mod visit;

use minijinja::Error;
use minijinja::machinery::{Span, ast, parse, parse_expr};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

/// A name that a template uses, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Use {
    /// As written; dots between attributes: `os.codename`.
    pub name: String,
    /// Bytes of the template.
    pub span: Range<usize>,
}

/// Something that ought to be written as a constant, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Constant {
    /// What is written; none where it is computed.
    pub name: Option<String>,
    /// Bytes of the template.
    pub span: Range<usize>,
}

/// What a template includes, imports or extends, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Include {
    /// As written; of several the first that is there counts. None where they are computed.
    pub names: Option<Vec<String>>,
    /// Whether nothing is amiss where none of them is there.
    pub may_miss: bool,
    /// Whether the template takes its place in the other: each sees what the other sets.
    pub extends: bool,
    /// Bytes of the template.
    pub span: Range<usize>,
}

impl Include {
    /// The paths in the catalog of what is written in this template file: it stands in the same role.
    pub fn paths(&self, file: &str) -> Vec<String> {
        let role = file.split('/').next().unwrap_or_default();
        let names = self.names.iter().flatten();
        names.map(|name| format!("{role}/{name}")).collect()
    }
}

/// All that a template uses.
#[derive(Clone, Debug, Default)]
pub struct Uses {
    /// `params.NAME`.
    pub params: Vec<Use>,
    /// `params` by itself: any of them may be read.
    pub all_params: bool,
    /// `facts.NAME`, with what follows.
    pub facts: Vec<Use>,
    /// Arguments of `fleet.members(…)`.
    pub members: Vec<Constant>,
    /// Where `fleet.peers()` is called.
    pub peers: Vec<Range<usize>>,
    /// Other attributes of fleet and member: what is not known of them.
    pub unknown: Vec<(Use, &'static [&'static str])>,
    /// Variables that are none of ours, and that the template neither sets nor asks for: `is defined`, `default`.
    pub variables: Vec<Use>,
    /// What of these is called like a function, with one argument, which is a path, as `params.a`, or not.
    pub called: BTreeMap<String, Option<String>>,
    /// Variables that are there for what it includes: those that it sets, and those that it asks for.
    pub sets: BTreeSet<String>,
    /// Filters.
    pub filters: Vec<Use>,
    /// Tests.
    pub tests: Vec<Use>,
    /// Files that are included or imported.
    pub includes: Vec<Include>,
    /// Every expression, from where it begins: minijinja's spans begin at the last operator.
    pub extents: Vec<Range<usize>>,
    /// `item`, where it is used.
    pub item: Vec<Range<usize>>,
    /// Where `member.id` or `member.joining` is used.
    pub member: Vec<Range<usize>>,
    /// Expressions that put a value of facts or fleet into the text without the filter `sh`.
    pub unquoted: Vec<Unquoted>,
}

/// An expression that a shell would take apart, and what the filter `sh` should stand behind.
#[derive(Clone, Debug, Default)]
pub struct Unquoted {
    /// The expression.
    pub span: Range<usize>,
    /// The same, or what of it comes before a filter `sh` that does not reach all of it.
    pub inner: Range<usize>,
    /// Whether that needs parentheses.
    pub open: bool,
    /// Whether that is a list, each word of which was to be quoted.
    pub list: bool,
}

impl Uses {
    /// Whether it reads facts whose names only a machine knows.
    pub fn is_open(&self) -> bool {
        let open = ["local", "azure", "interfaces"];
        self.facts
            .iter()
            .any(|fact| open.contains(&fact.name.split('.').next().unwrap_or_default()))
    }
}

/// What a template uses.
///
/// # Errors
/// Where its syntax is wrong.
pub fn template(text: &str, name: &str) -> Result<Uses, Error> {
    tainted_template(text, name, false)
}

/// What a template uses; `item` is a value of facts or fleet if `item_tainted`.
///
/// # Errors
/// Where its syntax is wrong.
pub fn tainted_template(text: &str, name: &str, item_tainted: bool) -> Result<Uses, Error> {
    visited(text, name, visit::Visit::new(item_tainted))
}

/// What a template uses beside variables that whoever includes it brings along.
///
/// # Errors
/// Where its syntax is wrong.
pub fn included_template(text: &str, name: &str, known: &BTreeSet<String>) -> Result<Uses, Error> {
    visited(text, name, visit::Visit::within(known))
}

fn visited(text: &str, name: &str, mut visit: visit::Visit) -> Result<Uses, Error> {
    guard::check(text, false)?;
    let tree = parse(text, name, super::engine::syntax())?;
    visit.learn(&tree);
    visit.statement(&tree);
    Ok(visit.finish())
}

/// What a bare expression uses, and whether its value comes from facts or fleet.
///
/// # Errors
/// Where its syntax is wrong.
pub fn expression(text: &str) -> Result<(Uses, bool), Error> {
    guard::check(text, true)?;
    let tree = parse_expr(text)?;
    let mut visit = visit::Visit::new(false);
    visit.expression(&tree);
    let tainted = visit.is_tainted(&tree);
    Ok((visit.finish(), tainted))
}

/// The whole expression that minijinja means by a range of a text.
pub fn whole_range(text: &str, range: Range<usize>) -> Range<usize> {
    let uses = match crate::text::declared::is_template(text) {
        true => template(text, ""),
        false => expression(text).map(|(uses, _)| uses),
    };
    let extents = uses.map(|uses| uses.extents).unwrap_or_default();
    extents
        .into_iter()
        .filter(|whole| whole.end == range.end && whole.start <= range.start)
        .min_by_key(|whole| whole.len())
        .unwrap_or(range)
}

/// The expression of a text that is wholly one `{{ … }}`, and at which byte of it that begins.
pub fn whole(text: &str) -> Option<(&str, usize)> {
    let inner = text.strip_prefix("{{")?.strip_suffix("}}")?;
    let tree = tree(text)?;
    let ast::Stmt::Template(template) = &tree else {
        return None;
    };
    let [ast::Stmt::EmitExpr(_)] = template.children.as_slice() else {
        return None;
    };
    let start = 2 + usize::from(inner.starts_with(['-', '+']));
    let expression = &text[start..text.len() - 2];
    Some((
        expression.strip_suffix(['-', '+']).unwrap_or(expression),
        start,
    ))
}

fn tree(text: &str) -> Option<ast::Stmt<'_>> {
    guard::check(text, false).ok()?;
    parse(text, "", super::engine::syntax()).ok()
}

/// The literal pieces of a template, with `None` where something computed stands between them.
pub fn pieces(text: &str) -> Option<Vec<Option<String>>> {
    let tree = tree(text)?;
    let ast::Stmt::Template(template) = &tree else {
        return None;
    };
    let piece = |child: &ast::Stmt<'_>| match child {
        ast::Stmt::EmitRaw(raw) => Some(raw.raw.to_owned()),
        _ => None,
    };
    Some(template.children.iter().map(piece).collect())
}

fn range(span: Span) -> Range<usize> {
    span.start_offset as usize..span.end_offset as usize
}
