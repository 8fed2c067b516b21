//! TOML. A new key comes last in its table; a new table comes last of all.

use super::Document;
use super::error::EditError;
use super::text::Text;
use super::toml_node::{Pair, Section, sections};
use super::tree::Tree;
use super::wanted::joined;
use crate::text::date;
use crate::text::tree::value as read_value;
use ::toml::de::{DeTable, DeValue};
use serde_json::Value;
use std::ops::Range;

/// A text and where what is in it stands.
pub struct Toml {
    text: String,
    sections: Vec<Section>,
    tree: Tree,
}

/// What stands at a path.
enum Found<'d> {
    /// A pair; where the path goes on into its inline table, the rest of the path.
    Pair(&'d Pair, &'d Pair, usize),
    /// A table.
    Table(usize),
    /// Nothing.
    Nothing,
}

impl Toml {
    /// The pair of a section at the path, or one whose inline table holds it.
    fn find<'d>(&'d self, path: &[String]) -> Result<Found<'d>, EditError> {
        for section in &self.sections {
            if section.array && path.starts_with(&section.path) {
                let why = format!("`{}` is an array of tables here", joined(&section.path));
                return Err(EditError::at(&self.text, section.start, why)
                    .help("which of them is meant cannot be said: write the whole file"));
            }
            if section.path.starts_with(path) && !path.is_empty() {
                return Ok(Found::Table(section.start));
            }
            let Some(below) = path.strip_prefix(section.path.as_slice()) else {
                continue;
            };
            for pair in &section.pairs {
                if pair.keys.starts_with(below) && pair.keys.len() > below.len() {
                    return Ok(Found::Table(pair.start));
                }
                if let Some(found) = self.inside(pair, pair, path, below)? {
                    return Ok(found);
                }
            }
        }
        Ok(Found::Nothing)
    }

    fn inside<'d>(
        &'d self,
        outer: &'d Pair,
        pair: &'d Pair,
        path: &[String],
        below: &[String],
    ) -> Result<Option<Found<'d>>, EditError> {
        let Some(rest) = below.strip_prefix(pair.keys.as_slice()) else {
            return Ok(None);
        };
        if rest.is_empty() {
            return Ok(Some(Found::Pair(outer, pair, 0)));
        }
        let Some(inline) = &pair.inline else {
            let way = &path[..path.len() - rest.len()];
            let why = format!("`{}` is no table here", joined(way));
            return Err(EditError::at(&self.text, pair.start, why)
                .help("remove it by hand first, or write the whole file"));
        };
        for inner in inline {
            if inner.keys.starts_with(rest) && inner.keys.len() > rest.len() {
                return Ok(Some(Found::Table(inner.start)));
            }
            if let Some(found) = self.inside(outer, inner, path, rest)? {
                return Ok(Some(found));
            }
        }
        Ok(Some(Found::Pair(outer, pair, rest.len())))
    }

    fn splice(&self, range: Range<usize>, with: &str) -> String {
        let (before, after) = (&self.text[..range.start], &self.text[range.end..]);
        format!("{before}{with}{after}")
    }

    /// A new pair in an inline table.
    fn beside_inline(&self, pair: &Pair, rest: &[String], value: &str) -> String {
        let new = format!("{} = {value}", dotted(rest));
        match pair.inline.as_deref() {
            Some([.., last]) => {
                let end = last.value.end;
                self.splice(end..end, &format!(", {new}"))
            }
            _ => self.splice(pair.value.clone(), &format!("{{ {new} }}")),
        }
    }

    /// A new pair where nothing of it is there.
    fn insert(&self, path: &[String], value: &str) -> String {
        let read = Text::read(&self.text);
        let parent = &path[..path.len() - 1];
        for depth in (0..path.len()).rev() {
            let way = &path[..depth];
            let home = self.sections.iter().find(|s| !s.array && s.path == way);
            if let Some(home) = home.filter(|_| depth == parent.len()) {
                let at = match (home.pairs.last(), home.path.is_empty()) {
                    (Some(last), _) => read.line_at(last.value.end) + 1,
                    (None, true) => read.head(is_comment),
                    (None, false) => read.line_at(home.start) + 1,
                };
                let line = self.line(home.pairs.last(), &path[depth..], value);
                return read.replaced(at..at, &[line]);
            }
            for section in self.sections.iter().filter(|s| !s.array) {
                let Some(below) = way.strip_prefix(section.path.as_slice()) else {
                    continue;
                };
                let siblings = section.pairs.iter();
                let mut sibling =
                    siblings.filter(|p| p.keys.starts_with(below) && !below.is_empty());
                if let Some(last) = sibling.next_back() {
                    let at = read.line_at(last.value.end) + 1;
                    let line = self.line(Some(last), &path[section.path.len()..], value);
                    return read.replaced(at..at, &[line]);
                }
            }
        }
        let header = format!("[{}]", dotted(parent));
        let line = format!("{} = {value}", dotted(&path[parent.len()..]));
        let (end, lines) = read.at_end([header, line]);
        read.replaced(end..end, &lines)
    }

    /// A pair on a line of its own, written as the one before it.
    fn line(&self, model: Option<&Pair>, keys: &[String], value: &str) -> String {
        let (indent, between) = match model {
            None => ("", " = "),
            Some(model) => {
                let start = self.text[..model.start].rfind('\n').map_or(0, |at| at + 1);
                let between = match &self.text[model.key_end..model.value.start] {
                    "=" => "=",
                    _ => " = ",
                };
                (&self.text[start..model.start], between)
            }
        };
        format!("{indent}{}{between}{value}", dotted(keys))
    }

    /// The text without a pair of an inline table.
    fn out_of_inline(&self, outer: &Pair, gone: &Pair) -> Option<String> {
        let pairs = outer.inline.as_deref()?;
        let Some(at) = pairs.iter().position(|pair| pair.start == gone.start) else {
            return pairs.iter().find_map(|pair| self.out_of_inline(pair, gone));
        };
        let range = match (at, pairs.get(at + 1)) {
            (0, None) => return Some(self.splice(outer.value.clone(), "{}")),
            (0, Some(next)) => gone.start..next.start,
            _ => pairs[at - 1].value.end..gone.value.end,
        };
        Some(self.splice(range, ""))
    }

    /// Which section the header of a table opens.
    fn header(&self, table: &[String]) -> Option<usize> {
        let own = |one: &Section| !one.array && !table.is_empty() && one.path == table;
        self.sections.iter().position(own)
    }

    /// The lines of a section.
    fn lines_of(&self, read: &Text<'_>, section: usize) -> Range<usize> {
        let (next, section) = (self.sections.get(section + 1), &self.sections[section]);
        let last = section.pairs.last();
        let filled = last.map_or(section.start, |last| last.value.end);
        read.section(
            read.line_at(section.start),
            read.line_at(filled) + 1,
            next.map(|next| read.line_at(next.start)),
            is_comment,
        )
    }

    /// The text without all tables and pairs below a path.
    fn without_table(&self, path: &[String]) -> String {
        let read = Text::read(&self.text);
        let mut gone = vec![false; read.lines.len()];
        for (at, section) in self.sections.iter().enumerate() {
            if section.path.starts_with(path) {
                gone[self.lines_of(&read, at)].fill(true);
            } else if let Some(below) = path.strip_prefix(section.path.as_slice()) {
                for pair in section.pairs.iter().filter(|p| p.keys.starts_with(below)) {
                    gone[read.line_at(pair.start)..=read.line_at(pair.value.end)].fill(true);
                }
            }
        }
        read.without(&gone)
    }
}

fn is_comment(line: &str) -> bool {
    line.trim_start().starts_with('#')
}

fn dotted(keys: &[String]) -> String {
    let bare = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    let keys = keys.iter().map(|key| match key.chars().all(bare) {
        true => key.clone(),
        false => ::toml::Value::from(key.as_str()).to_string(),
    });
    keys.collect::<Vec<_>>().join(".")
}

impl Document for Toml {
    fn read(text: &str) -> Result<Self, EditError> {
        let table = DeTable::parse(text).map_err(|error| {
            let at = error.span().map_or(0, |span| span.start);
            let why = match error.message().contains("recursion") {
                true => "nested too deeply",
                false => error.message(),
            };
            EditError::at(text, at, format!("this is no TOML: {why}"))
        })?;
        Ok(Self {
            tree: branch(text, table.get_ref()),
            sections: sections(text),
            text: text.to_owned(),
        })
    }

    fn set(&self, path: &[String], value: &Value) -> Result<Option<String>, EditError> {
        let Some(written) = date::toml(value).map(|value| value.to_string()) else {
            return Err(EditError::whole("the value has no form in TOML"));
        };
        match self.find(path)? {
            Found::Table(at) => {
                let why = format!("`{}` is a table here", joined(path));
                Err(EditError::at(&self.text, at, why)
                    .help("set the keys in it, or remove it by hand first"))
            }
            Found::Pair(_, pair, 0) if pair.inline.is_some() => {
                let why = format!("`{}` is a table here", joined(path));
                Err(EditError::at(&self.text, pair.start, why)
                    .help("set the keys in it, or remove it by hand first"))
            }
            Found::Pair(_, pair, 0) => {
                let old = read_value(&self.text[pair.value.clone()]);
                let same =
                    old.is_ok_and(|old| old.all_unwritable().is_empty() && old.json() == *value);
                Ok((!same).then(|| self.splice(pair.value.clone(), &written)))
            }
            Found::Pair(_, pair, rest) => {
                let rest = &path[path.len() - rest..];
                Ok(Some(self.beside_inline(pair, rest, &written)))
            }
            Found::Nothing => Ok(Some(self.insert(path, &written))),
        }
    }

    /// A table goes with all that is in it.
    fn remove(&self, path: &[String]) -> Result<Option<String>, EditError> {
        let array = |section: &&Section| section.array && section.path == path;
        if self.sections.iter().any(|section| array(&section)) {
            return Ok(Some(self.without_table(path)));
        }
        match self.find(path) {
            // What is no table has nothing below it.
            Err(_) if self.is_below_value(path) => Ok(None),
            Err(error) => Err(error),
            Ok(Found::Nothing) => Ok(None),
            Ok(Found::Pair(_, _, rest)) if rest > 0 => Ok(None),
            Ok(Found::Pair(outer, pair, _)) if outer.start != pair.start => {
                Ok(self.out_of_inline(outer, pair))
            }
            Ok(Found::Pair(..) | Found::Table(_)) => Ok(Some(self.without_table(path))),
        }
    }

    fn tree(&self) -> Tree {
        self.tree.clone()
    }

    /// One that the headers of others imply has none.
    fn has(&self, table: &[String]) -> bool {
        let mut sections = self.sections.iter();
        self.tree.at(table).is_some()
            && (self.header(table).is_some() || !sections.any(|one| one.path.starts_with(table)))
    }

    /// A header in which nothing is goes from above the tables below it too: they imply it.
    fn without_empty(&self, table: &[String]) -> Option<String> {
        let at = self.header(table)?;
        if !self.sections[at].pairs.is_empty() {
            return None;
        }
        let read = Text::read(&self.text);
        let mut gone = vec![false; read.lines.len()];
        gone[self.lines_of(&read, at)].fill(true);
        let bare = read.without(&gone);
        let says = Self::read(&bare).ok()?.tree;
        let own = matches!(self.tree.at(table)?, Tree::Table(entries) if entries.is_empty());
        (own || says == self.tree).then_some(bare)
    }
}

impl Toml {
    fn is_below_value(&self, path: &[String]) -> bool {
        !self
            .sections
            .iter()
            .any(|section| section.array && path.starts_with(&section.path))
    }
}

fn branch(text: &str, table: &DeTable<'_>) -> Tree {
    let entries = table.iter().map(|(key, value)| {
        let tree = match value.get_ref() {
            DeValue::Table(table) => branch(text, table),
            // An array of tables has no one place.
            DeValue::Array(items)
                if items
                    .iter()
                    .any(|i| matches!(i.get_ref(), DeValue::Table(_))) =>
            {
                let items = items.iter().map(|item| match item.get_ref() {
                    DeValue::Table(table) => branch(text, table),
                    _ => Tree::Leaf(text.get(item.span()).unwrap_or_default().to_owned()),
                });
                let items = items.enumerate();
                Tree::Table(items.map(|(at, item)| (format!("[{at}]"), item)).collect())
            }
            _ => Tree::Leaf(text.get(value.span()).unwrap_or_default().to_owned()),
        };
        (key.get_ref().to_string(), tree)
    });
    Tree::Table(entries.collect())
}
