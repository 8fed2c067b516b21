//! The edit that brings back what another one changes in a text: former values, former lines.

use super::env::Env;
use super::ini::Ini;
use super::json::Json;
use super::lines::{LineWanted, Pattern, Unwanted};
use super::shell::literal;
use super::toml::Toml;
use super::tree::Tree;
use super::yaml::Yaml;
use super::{Document, Edit, Format, KeyPath, Setting, apply, marked, readable};
use serde_json::Value;
use std::cmp::Reverse;

/// What brings back all that `edit` changes in this text; none where that cannot be said, as of comments, of a whole
/// section, or of lines that stood there twice.
pub fn back(bytes: &[u8], edit: &Edit) -> Option<Edit> {
    let (_, text) = marked(readable(bytes).ok()?);
    let edited = apply(text.as_bytes(), edit).ok()?;
    let edited = std::str::from_utf8(&edited).ok()?;
    let back = match edit.format {
        Format::Lines => Some(of_lines(text, edited, edit)),
        Format::Env => of_keys::<Env>(text, edit),
        Format::Ini => of_keys::<Ini>(text, edit),
        Format::Json => of_keys::<Json>(text, edit),
        Format::Yaml => of_keys::<Yaml>(text, edit),
        Format::Toml => of_keys::<Toml>(text, edit),
    }?;
    let again = apply(edited.as_bytes(), &back).ok()?;
    let again = std::str::from_utf8(&again).ok()?;
    says_the_same(edit.format, text, again).then_some(back)
}

fn of_keys<D: Document>(text: &str, edit: &Edit) -> Option<Edit> {
    let document = D::read(text).ok()?;
    let tree = document.tree();
    let mut back = Edit::of(edit.format);
    let paths = edit.remove.iter().chain(edit.set.iter().map(|s| &s.path));
    for path in paths {
        match tree.at(&D::in_tree(path)) {
            None => back.remove.push(path.clone()),
            Some(Tree::Leaf(told)) => {
                let mut values = meanings(edit.format, told).into_iter();
                let value = values.find(|value| matches!(document.set(path, value), Ok(None)))?;
                back.set.push(Setting {
                    path: path.clone(),
                    value,
                    line: document.line(path),
                });
            }
            // A whole table goes with it.
            Some(Tree::Table(_)) => return None,
        }
    }
    for setting in &edit.set {
        for table in edit.tables_above(&setting.path) {
            if !document.has(&table) && !back.tables.contains(&table) {
                back.tables.push(table);
            }
        }
    }
    let bare = match edit.format {
        Format::Json => text.trim().is_empty(),
        Format::Yaml => tree == Tree::Table(Vec::new()) && matches!(document.remove(&[]), Ok(None)),
        _ => false,
    };
    if bare && !edit.set.is_empty() {
        back.tables.push(KeyPath::new());
    }
    back.tables.sort_by_key(|table| Reverse(table.len()));
    Some(back)
}

/// What a leaf may mean; which of them, its own reader says.
fn meanings(format: Format, told: &str) -> Vec<Value> {
    let json = || serde_json::from_str(told).ok();
    match format {
        Format::Lines => Vec::new(),
        Format::Env => literal(told).map(Value::from).into_iter().collect(),
        Format::Ini => vec![told.into()],
        Format::Json => json().into_iter().collect(),
        Format::Toml => {
            let node = crate::text::tree::value(told);
            node.into_iter().map(|node| node.json()).collect()
        }
        Format::Yaml => {
            let quoted = told.strip_prefix("quoted ");
            let Ok(Value::String(text)) = serde_json::from_str(quoted.unwrap_or(told)) else {
                return Vec::new();
            };
            let other = serde_json::from_str(&text).ok();
            let other = other.filter(|_: &Value| quoted.is_none());
            other.into_iter().chain([text.into()]).collect()
        }
    }
}

fn of_lines(text: &str, edited: &str, edit: &Edit) -> Edit {
    let mut back = Edit::of(Format::Lines);
    let old: Vec<&str> = text.lines().collect();
    let stays: Vec<&str> = edited.lines().collect();
    let mut gone: Vec<&str> = old
        .iter()
        .copied()
        .filter(|line| !stays.contains(line))
        .collect();
    for wanted in edit
        .lines
        .iter()
        .filter(|one| !old.contains(&one.line.as_str()))
    {
        let replaced = gone.iter().position(|line| wanted.takes(line));
        let whole = format!("^{}$", regex_lite::escape(&wanted.line));
        match (replaced, Pattern::new(&whole)) {
            (Some(place), Ok(pattern)) => back.lines.push(LineWanted {
                line: gone.remove(place).to_owned(),
                matching: Some(pattern),
            }),
            _ => back.drop.push(Unwanted::Line(wanted.line.clone())),
        }
    }
    let again = gone.into_iter().map(|line| LineWanted {
        line: line.to_owned(),
        matching: None,
    });
    back.lines.extend(again);
    back
}

/// Whether two texts say the same, in whatever order.
pub(super) fn says_the_same(format: Format, one: &str, other: &str) -> bool {
    fn same<D: Document>(format: Format, one: &str, other: &str) -> bool {
        let tree = |text| D::read(text).ok().map(|read| plain(format, read.tree()));
        tree(one).is_some_and(|one| Some(one) == tree(other))
    }
    match format {
        Format::Lines => {
            let sorted = |text: &str| {
                let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
                lines.sort();
                lines
            };
            sorted(one) == sorted(other)
        }
        Format::Env => same::<Env>(format, one, other),
        Format::Ini => same::<Ini>(format, one, other),
        Format::Json => same::<Json>(format, one, other),
        Format::Yaml => same::<Yaml>(format, one, other),
        Format::Toml => same::<Toml>(format, one, other),
    }
}

/// A tree in one order, without tables that hold nothing, and without the ways in which the same can be written.
fn plain(format: Format, tree: Tree) -> Tree {
    let entries = match tree {
        Tree::Table(entries) => entries,
        Tree::Leaf(told) => {
            let meant = meanings(format, &told).into_iter().next();
            return Tree::Leaf(meant.map_or(told, |value| value.to_string()));
        }
    };
    let entries = entries
        .into_iter()
        .map(|(key, tree)| (key, plain(format, tree)));
    let mut entries: Vec<(String, Tree)> = entries
        .filter(|(_, tree)| !matches!(tree, Tree::Table(inner) if inner.is_empty()))
        .collect();
    entries.sort_by(|a, b| a.0.cmp(&b.0));
    Tree::Table(entries)
}

impl Edit {
    /// Every path that it sets or removes.
    pub(super) fn paths(&self) -> impl Iterator<Item = &KeyPath> {
        self.remove
            .iter()
            .chain(self.set.iter().map(|one| &one.path))
    }

    /// What of it is not in another, which was made before.
    #[must_use]
    pub fn beside(&self, other: &Edit) -> Edit {
        let known: Vec<&KeyPath> = other.paths().collect();
        let mut rest = self.clone();
        rest.remove.retain(|path| !known.contains(&path));
        rest.set.retain(|one| !known.contains(&&one.path));
        rest.lines.retain(|one| !other.lines.contains(one));
        rest.drop.retain(|one| !other.drop.contains(one));
        rest
    }

    /// Whether it and another are about different things, as far as one format can tell.
    pub fn is_beside(&self, other: &Edit) -> bool {
        let conflict = self.conflict(other).or_else(|| other.conflict(self));
        self.format != other.format || (conflict.is_none() && self.beside(other) == *self)
    }

    /// Whether this may find something else in a text once another has been made of it, or taken back: the two are of different
    /// formats, about the same, or what many readers take for the same, or the other takes a table along in which this puts something,
    /// or a line that gives way to one of this.
    pub fn hangs_on(&self, other: &Edit) -> bool {
        let tables = || self.set.iter().flat_map(|one| self.tables_above(&one.path));
        self.format != other.format
            || !self.is_beside(other)
            || self.is_spelled_as(other)
            || tables().any(|table| other.tables.contains(&table))
            || other
                .drop
                .iter()
                .any(|one| matches!(one, Unwanted::Line(line) if self.takes(line)))
    }

    /// Whether a line gives way to one of this.
    fn takes(&self, line: &str) -> bool {
        self.lines.iter().any(|one| one.takes(line))
    }

    /// Whether a name of ini differs from one of another only in case: see `Ini::alike`.
    fn is_spelled_as(&self, other: &Edit) -> bool {
        let same = |one: &str, other: &str| one.eq_ignore_ascii_case(other);
        let alike = |one: &KeyPath, other: &KeyPath| match (&**one, &**other) {
            ([section, name], [of, other]) if section == of => name != other && same(name, other),
            ([one, ..], [other, ..]) => one != other && same(one, other),
            _ => false,
        };
        let in_order = |edit: &Edit| -> Vec<KeyPath> {
            edit.paths().map(|path| edit.in_order(path)).collect()
        };
        if self.format != Format::Ini {
            return false;
        }
        let others = in_order(other);
        let mut paths = in_order(self).into_iter();
        paths.any(|one| others.iter().any(|other| alike(&one, other)))
    }

    /// What of it is in another too.
    #[must_use]
    pub fn within(&self, other: &Edit) -> Edit {
        let beside = self.beside(other);
        let mut both = self.clone();
        both.remove.retain(|path| !beside.remove.contains(path));
        both.set.retain(|one| !beside.set.contains(one));
        both.lines.retain(|one| !beside.lines.contains(one));
        both.drop.retain(|one| !beside.drop.contains(one));
        both
    }

    /// Whether nothing is to be.
    pub fn is_empty(&self) -> bool {
        self.only_removes() && self.remove.is_empty() && self.drop.is_empty()
    }

    /// The tables that a path leads through.
    fn tables_above(&self, path: &[String]) -> Vec<KeyPath> {
        match (self.format, path) {
            (Format::Lines | Format::Env, _) => Vec::new(),
            (Format::Ini, [section, _]) => vec![vec![format!("[{section}]")]],
            (Format::Ini, _) => Vec::new(),
            _ => (1..path.len()).map(|end| path[..end].to_vec()).collect(),
        }
    }

    /// Whether a line of another gives way to one of this.
    pub fn takes_of(&self, other: &Edit) -> bool {
        other.lines.iter().any(|one| self.takes(&one.line))
    }

    /// With what another brings back, where this brings back nothing yet.
    #[must_use]
    pub fn and(mut self, other: Edit) -> Edit {
        let more = other.beside(&self);
        self.remove.extend(more.remove);
        self.set.extend(more.set);
        for line in more.lines {
            let mut known = self.lines.iter_mut();
            match known.find(|one| one.line == line.line) {
                None => self.lines.push(line),
                // What each of the two put in its place goes.
                Some(known) if known.matching.is_none() => known.matching = line.matching,
                Some(known) if known.matching != line.matching => {
                    self.drop.extend(line.matching.map(Unwanted::Matching));
                }
                Some(_) => {}
            }
        }
        self.drop.extend(more.drop);
        self.join_tables(&more.tables);
        self
    }

    /// These tables too go where nothing is left in them.
    pub fn join_tables(&mut self, tables: &[KeyPath]) {
        for table in tables {
            if !self.tables.contains(table) {
                self.tables.push(table.clone());
            }
        }
        self.tables.sort_by_key(|table| Reverse(table.len()));
    }

    /// What of an edit, and of what brings it back, is another's from now on is taken out of both.
    pub fn cede(&mut self, back: &mut Edit, to: &Edit) {
        let gone = |line: &LineWanted| {
            to.lines.iter().any(|one| one.takes(&line.line))
                || to.drop.iter().any(|one| one.takes(&line.line))
        };
        let lines = std::mem::take(&mut self.lines);
        let (gone, stay): (Vec<_>, Vec<_>) = lines.into_iter().partition(gone);
        self.lines = stay;
        back.lines
            .retain(|line| !gone.iter().any(|one| line.takes(&one.line)));
        back.drop
            .retain(|drop| !gone.iter().any(|one| drop.takes(&one.line)));
        *self = self.beside(to);
        *back = back.beside(to);
    }
}
