//! YAML, as far as a scalar stands at a path of mappings. Anything else on the way is refused.

use super::Document;
use super::error::EditError;
use super::text::Text;
use super::tree::Tree;
use super::wanted::joined;
use super::yaml_node::{Kind, Node, read};
use super::yaml_scalar::{key, value as scalar, written};
use saphyr_parser::ScalarStyle;
use serde_json::Value;
use std::ops::Range;

/// One level where no other shows how far.
const INDENT: &str = "  ";

/// Key and value.
type Entry = (Node, Node);

/// A text and where what is in it stands.
pub struct Yaml {
    text: String,
    root: Option<Node>,
}

impl Yaml {
    fn refused(&self, at: usize, path: &[String], what: &str) -> EditError {
        let path = match path {
            [] => "the whole".to_owned(),
            path => format!("`{}`", joined(path)),
        };
        EditError::at(&self.text, at, format!("{path} {what} here"))
            .help("an edit sets scalars at a path of mappings alone: write the whole file")
    }

    /// The entries of a mapping on the way, and whether it stands in braces.
    fn mapping<'n>(
        &self,
        node: &'n Node,
        path: &[String],
    ) -> Result<(&'n [Entry], bool), EditError> {
        match &node.kind {
            Kind::Mapping { entries, flow } if !node.marked => Ok((entries, *flow)),
            _ => Err(self.refused(node.span.start, path, &is(node))),
        }
    }

    /// The entry of a key; refused where it is there twice, or may come from elsewhere.
    fn entry<'n>(
        &self,
        entries: &'n [Entry],
        path: &[String],
    ) -> Result<Option<(usize, &'n Node, &'n Node)>, EditError> {
        let name = path.last().map(String::as_str);
        let mut of_name = entries
            .iter()
            .enumerate()
            .filter(|(_, (key, _))| key.key() == name);
        let first = of_name.next();
        if let Some((_, (again, _))) = of_name.next() {
            return Err(self.refused(again.span.start, path, "is a key for the second time"));
        }
        if let (None, Some((merge, _))) = (
            first,
            entries.iter().find(|(key, _)| key.key() == Some("<<")),
        ) {
            return Err(self.refused(merge.span.start, path, "may be merged from elsewhere"));
        }
        Ok(first.map(|(at, (key, value))| (at, key, value)))
    }

    fn splice(&self, range: Range<usize>, with: &str) -> String {
        let (before, after) = (&self.text[..range.start], &self.text[range.end..]);
        format!("{before}{with}{after}")
    }

    /// White space before what stands here, if nothing else is on its line.
    fn indent(&self, at: usize) -> Option<&str> {
        let start = self.text[..at].rfind('\n').map_or(0, |at| at + 1);
        let indent = &self.text[start..at];
        indent.chars().all(|c| c == ' ').then_some(indent)
    }

    /// What one level is indented by here.
    fn unit(&self) -> String {
        let Some(Node {
            kind: Kind::Mapping { entries, .. },
            ..
        }) = &self.root
        else {
            return INDENT.into();
        };
        let inner = entries.iter().find_map(|(_, value)| match &value.kind {
            Kind::Mapping { flow: false, .. } => self.indent(value.span.start),
            _ => None,
        });
        inner
            .filter(|unit| !unit.is_empty())
            .unwrap_or(INDENT)
            .into()
    }

    /// The lines of a value below these keys.
    fn block(&self, indent: &str, keys: &[String], value: &str) -> Vec<String> {
        let unit = self.unit();
        let mut indent = indent.to_owned();
        let mut lines = Vec::new();
        for (at, name) in keys.iter().enumerate() {
            let last = at + 1 == keys.len();
            let value = if last {
                format!(" {value}")
            } else {
                String::new()
            };
            lines.push(format!("{indent}{}:{value}", key(name)));
            indent.push_str(&unit);
        }
        lines
    }

    /// The text with lines after the one in which this byte is the last.
    fn below(&self, at: usize, lines: &[String]) -> String {
        let read = Text::read(&self.text);
        let line = match self.text.is_empty() {
            true => 0,
            false => read.line_at(at.saturating_sub(1)) + 1,
        };
        read.replaced(line..line, lines)
    }

    fn replace(
        &self,
        node: &Node,
        path: &[String],
        value: &Value,
    ) -> Result<Option<String>, EditError> {
        let Kind::Scalar { value: old, style } = &node.kind else {
            return Err(self.refused(node.span.start, path, &is(node)));
        };
        let block = matches!(style, ScalarStyle::Literal | ScalarStyle::Folded);
        if node.marked || block {
            return Err(self.refused(node.span.start, path, &is(node)));
        }
        if scalar(old, *style).as_ref() == Some(value) && !node.is_empty() {
            return Ok(None);
        }
        let text = written(value, Some(*style)).unwrap_or_default();
        Ok(Some(match node.is_empty() {
            true => self.splice(node.span.clone(), &format!(" {text}")),
            false => self.splice(node.span.clone(), &text),
        }))
    }

    /// A new entry of a mapping.
    fn insert(
        &self,
        mapping: &Node,
        path: &[String],
        rest: &[String],
        value: &str,
    ) -> Result<String, EditError> {
        let (entries, flow) = self.mapping(mapping, path)?;
        if flow {
            let inner = rest[1..].iter().rev();
            let value = inner.fold(value.to_owned(), |value, name| {
                format!("{{{}: {value}}}", key(name))
            });
            let new = format!("{}: {value}", key(&rest[0]));
            return Ok(match entries.last() {
                None => self.splice(mapping.span.start + 1..mapping.span.end - 1, &new),
                Some((name, last)) => {
                    let end = last.span.end.max(name.span.end);
                    self.splice(end..end, &format!(", {new}"))
                }
            });
        }
        let first = entries
            .first()
            .map_or(mapping.span.start, |(key, _)| key.span.start);
        let Some(indent) = self.indent(first) else {
            return Err(self.refused(first, path, "has no lines of its own"));
        };
        Ok(self.below(mapping.span.end, &self.block(indent, rest, value)))
    }

    /// The text without an entry of a mapping in braces, and the comma beside it; refused where a comment would go too.
    fn out_of_braces(
        &self,
        mapping: &Node,
        entries: &[Entry],
        at: usize,
        path: &[String],
    ) -> Result<String, EditError> {
        let end = |(key, value): &Entry| value.span.end.max(key.span.end);
        let here = entries[at].0.span.start..end(&entries[at]);
        let range = match (at, entries.get(at + 1)) {
            (0, None) => mapping.span.start + 1..mapping.span.end - 1,
            (0, Some((next, _))) => here.start..next.span.start,
            _ => end(&entries[at - 1])..here.end,
        };
        let beside = [range.start..here.start, here.end..range.end];
        if beside.into_iter().any(|gap| self.text[gap].contains('#')) {
            let why = format!("`{}` cannot go without the comment beside it", joined(path));
            return Err(EditError::at(&self.text, here.start, why)
                .help("remove it by hand first, or write the whole file"));
        }
        Ok(self.splice(range, ""))
    }

    /// The text with these lines for those of an entry of a mapping that is no flow.
    fn for_lines(
        &self,
        key: &Node,
        value: &Node,
        path: &[String],
        lines: &[String],
    ) -> Result<String, EditError> {
        if self.indent(key.span.start).is_none() {
            return Err(self.refused(key.span.start, path, "has no line of its own"));
        }
        let read = Text::read(&self.text);
        let last = value.span.end.max(key.span.end).saturating_sub(1);
        Ok(read.replaced(read.line_at(key.span.start)..read.line_at(last) + 1, lines))
    }

    /// The text with these lines for the braces that are all of it; none where something else is, or shares their line.
    fn for_braces(&self, lines: &[String]) -> Option<String> {
        let root = self.root.as_ref().filter(|root| !root.marked)?;
        let read = Text::read(&self.text);
        let line = read.line_at(root.span.start);
        let bare =
            matches!(&root.kind, Kind::Mapping { entries, flow: true } if entries.is_empty());
        let alone = bare && read.lines[line].trim() == &self.text[root.span.clone()];
        alone.then(|| read.replaced(line..line + 1, lines))
    }
}

fn is(node: &Node) -> String {
    format!("is {}", node.called())
}

impl Document for Yaml {
    fn read(text: &str) -> Result<Self, EditError> {
        Ok(Self {
            root: read(text)?,
            text: text.to_owned(),
        })
    }

    fn set(&self, path: &[String], value: &Value) -> Result<Option<String>, EditError> {
        let Some(text) = written(value, None) else {
            return Err(EditError::whole("an edit of YAML sets scalars alone"));
        };
        let root = match &self.root {
            Some(root) if !root.is_empty() => root,
            _ => {
                return Ok(Some(
                    self.below(self.text.len(), &self.block("", path, &text)),
                ));
            }
        };
        if let Some(edited) = self.for_braces(&self.block("", path, &text)) {
            return Ok(Some(edited));
        }
        let mut node = root;
        for depth in 0..path.len() {
            let (entries, _) = self.mapping(node, &path[..depth])?;
            let Some((_, name, value_there)) = self.entry(entries, &path[..=depth])? else {
                return self
                    .insert(node, &path[..depth], &path[depth..], &text)
                    .map(Some);
            };
            if depth + 1 == path.len() {
                return self.replace(value_there, path, value);
            }
            if value_there.is_empty() {
                let Some(indent) = self.indent(name.span.start) else {
                    return Err(self.refused(name.span.start, &path[..=depth], "is empty"));
                };
                let indent = format!("{indent}{}", self.unit());
                let lines = self.block(&indent, &path[depth + 1..], &text);
                return Ok(Some(self.below(value_there.span.end, &lines)));
            }
            node = value_there;
        }
        Ok(None)
    }

    /// An entry goes with all that is in it; a mapping that is left without any stays, as `{}`. That of all, by no key, goes where
    /// nothing is in it.
    fn remove(&self, path: &[String]) -> Result<Option<String>, EditError> {
        let Some((_, way)) = path.split_last() else {
            return Ok(self.for_braces(&[]));
        };
        let Some(mut node) = self.root.as_ref() else {
            return Ok(None);
        };
        let mut holder: Option<&Node> = None;
        for depth in 0..way.len() {
            let Kind::Mapping { entries, .. } = &node.kind else {
                return Ok(None);
            };
            if node.marked {
                return Err(self.refused(node.span.start, &path[..depth], &is(node)));
            }
            match self.entry(entries, &path[..=depth])? {
                None => return Ok(None),
                Some((_, name, value)) => (holder, node) = (Some(name), value),
            }
        }
        let Kind::Mapping { entries, flow } = &node.kind else {
            return Ok(None);
        };
        if node.marked {
            return Err(self.refused(node.span.start, way, &is(node)));
        }
        let Some((at, name, value)) = self.entry(entries, path)? else {
            return Ok(None);
        };
        if *flow {
            return self.out_of_braces(node, entries, at, path).map(Some);
        }
        Ok(Some(match holder {
            None if entries.len() == 1 => self.for_lines(name, value, path, &["{}".to_owned()])?,
            // What is before the lines that go stands where it stood.
            Some(holder) if entries.len() == 1 => {
                let text = self.for_lines(name, value, path, &[])?;
                let rest = &self.text[holder.span.end..node.span.start];
                let colon = rest.find(':').map_or(0, |at| at + 1);
                let at = holder.span.end + colon;
                format!("{} {{}}{}", &text[..at], &text[at..])
            }
            _ => self.for_lines(name, value, path, &[])?,
        }))
    }

    fn tree(&self) -> Tree {
        match &self.root {
            None => Tree::Table(Vec::new()),
            Some(root) => root.tree(),
        }
    }
}
