//! Sections of `key = value` lines, as Python's configparser, systemd and many others read them.
//!
//! A comment begins a line with `#` or `;`. A value goes on in lines that are indented deeper than its key, and after a
//! line that ends with a backslash. Which of the two a reader knows differs, so what only one of them would see is left
//! alone.

use super::Document;
use super::error::EditError;
use super::text::Text;
use super::tree::Tree;
use super::wanted::plain;
use serde_json::Value;
use std::collections::BTreeMap;
use std::ops::Range;

/// A text with its keys.
pub struct Ini {
    text: String,
    /// Before any section, then one an opening line.
    sections: Vec<Section>,
}

struct Section {
    /// None for what comes before any section.
    name: Option<String>,
    /// The line after its opening line.
    start: usize,
    keys: Vec<Key>,
}

struct Key {
    name: String,
    value: String,
    /// Its lines; what goes on after the first is part of the value, or a comment in it.
    lines: Range<usize>,
    /// Where in the first line the key ends, and the value begins.
    split: Range<usize>,
    indent: usize,
    /// Lines of the value that another reader may take for a key.
    doubtful: Vec<(String, usize)>,
}

/// Splits a line into key, and the place between key and value.
fn key_of(line: &str) -> (&str, Range<usize>) {
    let separator = line.find(['=', ':']);
    let key = line[..separator.unwrap_or(line.len())].trim();
    let end = line.len() - line.trim_start().len() + key.len();
    let value = separator.map_or(end, |at| {
        let rest = &line[at + 1..];
        at + 1 + rest.len() - rest.trim_start().len()
    });
    (key, end..value)
}

fn is_comment(line: &str) -> bool {
    line.trim_start().starts_with(['#', ';'])
}

fn indent(line: &str) -> usize {
    line.len() - line.trim_start().len()
}

impl Section {
    fn opened(name: Option<String>, start: usize) -> Self {
        Self {
            name,
            start,
            keys: Vec::new(),
        }
    }

    /// The line after the last one that counts.
    fn end(&self) -> usize {
        self.keys.last().map_or(self.start, |key| key.lines.end)
    }

    fn line(&mut self, at: usize, line: &str) {
        let (name, split) = key_of(line);
        self.keys.push(Key {
            name: name.to_owned(),
            value: line[split.end..].trim().to_owned(),
            lines: at..at + 1,
            indent: indent(line),
            split,
            doubtful: Vec::new(),
        });
    }
}

impl Key {
    fn goes_on(&mut self, at: usize, line: &str, surely: bool) {
        self.lines.end = at + 1;
        self.value.push('\n');
        self.value.push_str(line.trim());
        if !surely && line.contains(['=', ':']) {
            self.doubtful.push((key_of(line).0.to_owned(), at));
        }
    }
}

fn section_name(line: &str) -> Option<&str> {
    let inner = line.trim().strip_prefix('[')?;
    let end = inner.rfind(']')?;
    (end > 0).then(|| &inner[..end])
}

/// Where such a name ends is what readers do not agree on: at the first `]`, or at the last.
fn ends_twice(text: &str, line: usize) -> EditError {
    let at = Text::read(text).start(line);
    EditError::at(
        text,
        at,
        "readers do not agree on which `]` ends the name of this section",
    )
    .help("leave one `]` in the line, or write the whole file")
}

/// Whether what comes below is of a section, and of which, readers do not agree on.
fn unclosed(text: &str, line: usize) -> EditError {
    let at = Text::read(text).start(line);
    EditError::at(text, at, "this line opens no section, as [NAME] does")
        .help("give it its name and its `]`, or write the whole file")
}

impl Ini {
    fn named(&self, name: Option<&str>) -> Vec<&Section> {
        self.sections
            .iter()
            .filter(|section| section.name.as_deref() == name)
            .collect()
    }

    /// All keys of this name, in order; refused where it is not sure that they are all.
    fn of(&self, section: Option<&str>, name: &str) -> Result<Vec<&Key>, EditError> {
        let read = Text::read(&self.text);
        let at = |line: usize| read.start(line);
        let sections = self.named(section);
        for key in sections.iter().flat_map(|section| &section.keys) {
            let doubtful = key
                .doubtful
                .iter()
                .find(|(inner, _)| inner == name || (key.name == name && !inner.is_empty()));
            if let Some((_, line)) = doubtful {
                let why = format!(
                    "this line may be a key, or part of the value of `{}`",
                    key.name
                );
                return Err(EditError::at(&self.text, at(*line), why)
                    .help("indent it as the keys above, or write the whole file"));
            }
        }
        self.alike(section, name)?;
        let all = sections.iter().flat_map(|section| &section.keys);
        Ok(all.filter(|key| key.name == name).collect())
    }

    /// Refuses a name that another in the file differs from only in case: git reads both as one, configparser keys
    /// alone, systemd neither.
    fn alike(&self, section: Option<&str>, name: &str) -> Result<(), EditError> {
        let same = |one: &str, other: &str| one.eq_ignore_ascii_case(other);
        let there = !self.named(section).is_empty();
        let own_keys = self.named(section).into_iter().flat_map(|own| &own.keys);
        let key_there = own_keys.into_iter().any(|key| key.name == name);
        let refused = |line: usize, what: &str, both: bool, one: &str, other: &str| {
            let at = Text::read(&self.text).start(line);
            let why = format!("many readers take `{one}` for the same as `{other}`");
            let help = match both {
                true => {
                    "the file has both: leave one of them by hand, or write the whole file".into()
                }
                false => format!("write the {what} as the file does"),
            };
            Err(EditError::at(&self.text, at, why).help(help))
        };
        for one in &self.sections {
            let (opened, wanted) = match (&one.name, section) {
                (None, None) => ("", ""),
                (Some(opened), Some(wanted)) if same(opened, wanted) => (&**opened, wanted),
                _ => continue,
            };
            let mut keys = one.keys.iter().filter(|key| same(&key.name, name));
            if opened != wanted {
                if !there || keys.next().is_some() {
                    let (one_name, other) = (format!("[{opened}]"), format!("[{wanted}]"));
                    return refused(one.start - 1, "section", there, &one_name, &other);
                }
            } else if let Some(key) = keys.find(|key| key.name != name) {
                return refused(key.lines.start, "key", key_there, &key.name, name);
            }
        }
        Ok(())
    }

    /// Where a new key goes, and how it is written.
    fn place(&self, section: Option<&str>, name: &str, value: &str) -> (usize, Vec<String>) {
        let read = Text::read(&self.text);
        let section_there = self
            .named(section)
            .into_iter()
            .max_by_key(|section| !section.keys.is_empty());
        let of_section = section_there.and_then(|section| section.keys.last());
        let any = self.sections.iter().flat_map(|section| &section.keys);
        let model = of_section.or_else(|| any.last());
        let line = match model {
            Some(model) if !model.split.is_empty() => {
                let old = read.lines[model.lines.start];
                let between = match model.value.is_empty() {
                    true => spaced(&old[model.split.clone()]),
                    false => old[model.split.clone()].to_owned(),
                };
                let before = if of_section.is_some() {
                    &old[..model.indent]
                } else {
                    ""
                };
                format!("{before}{name}{between}{value}")
            }
            _ => format!("{name}{}{value}", commented(&read.lines)),
        };
        match (section_there, section) {
            (Some(there), Some(_)) => (there.end(), vec![line]),
            (Some(there), None) if !there.keys.is_empty() => (there.end(), vec![line]),
            (_, None) => (read.head(is_comment), vec![line]),
            (None, Some(section)) => read.at_end([format!("[{section}]"), line]),
        }
    }

    fn without_section(&self, name: &str) -> Option<String> {
        let read = Text::read(&self.text);
        let mut gone = vec![false; read.lines.len()];
        for (at, section) in self.sections.iter().enumerate() {
            if section.name.as_deref() == Some(name) {
                let next = self.sections.get(at + 1).map(|next| next.start - 1);
                let range = read.section(section.start - 1, section.end(), next, is_comment);
                gone[range].fill(true);
            }
        }
        gone.contains(&true).then(|| read.without(&gone))
    }
}

/// What separates key and value in a text where all keys are commented out.
fn commented(lines: &[&str]) -> String {
    let between = lines
        .iter()
        .filter(|line| is_comment(line))
        .find_map(|line| {
            let line = line.trim_start().trim_start_matches(['#', ';']);
            let (name, split) = key_of(line);
            let between = &line[split];
            let word = !name.is_empty() && !name.contains(char::is_whitespace);
            (word && between.trim() == "=").then(|| spaced(between))
        });
    between.unwrap_or_else(|| " = ".into())
}

/// A separator before a value, from one before none.
fn spaced(between: &str) -> String {
    match between.starts_with(char::is_whitespace) && !between.ends_with(char::is_whitespace) {
        true => format!("{between} "),
        false => between.to_owned(),
    }
}

/// Section and key of a path.
fn taken(path: &[String]) -> (Option<&str>, &str) {
    match path {
        [section, key] => (Some(section), key),
        [key, ..] => (None, key),
        [] => (None, ""),
    }
}

impl Document for Ini {
    fn read(text: &str) -> Result<Self, EditError> {
        let mut sections = vec![Section::opened(None, 0)];
        let mut joined = false;
        for (at, line) in Text::read(text).lines.into_iter().enumerate() {
            let was_joined = std::mem::take(&mut joined);
            if line.trim().is_empty() || is_comment(line) {
                // systemd reads on after a comment in a joined value.
                joined = was_joined && is_comment(line);
                continue;
            }
            joined = line.ends_with('\\');
            let section = &mut sections.last_mut();
            let Some(section) = section else { continue };
            match section.keys.last_mut() {
                Some(key) if was_joined || indent(line) > key.indent => {
                    let surely = was_joined && indent(line) > key.indent;
                    key.goes_on(at, line, surely);
                }
                _ => match section_name(line) {
                    Some(name) if name.contains(']') => return Err(ends_twice(text, at)),
                    Some(name) => sections.push(Section::opened(Some(name.into()), at + 1)),
                    None if line.trim_start().starts_with('[') => return Err(unclosed(text, at)),
                    None => section.line(at, line),
                },
            }
        }
        Ok(Self {
            text: text.to_owned(),
            sections,
        })
    }

    /// Of several of one name the last one counts.
    fn set(&self, path: &[String], value: &Value) -> Result<Option<String>, EditError> {
        let (section, name) = taken(path);
        let value = plain(value);
        let read = Text::read(&self.text);
        let Some(key) = self.of(section, name)?.pop() else {
            let (at, lines) = self.place(section, name, &value);
            return Ok(Some(read.replaced(at..at, &lines)));
        };
        if key.value == value && !key.split.is_empty() {
            return Ok(None);
        }
        let old = read.lines[key.lines.start];
        let between = match (key.split.len(), key.value.is_empty()) {
            (0, _) => " = ".to_owned(),
            (_, true) => spaced(&old[key.split.clone()]),
            (_, false) => old[key.split.clone()].to_owned(),
        };
        let line = format!("{}{between}{value}", &old[..key.split.start]);
        // Comments that stand in a value stay.
        let rest = read.lines[key.lines.clone()].iter().skip(1);
        let rest = rest
            .filter(|line| is_comment(line))
            .map(|line| (*line).to_owned());
        let lines: Vec<String> = std::iter::once(line).chain(rest).collect();
        Ok(Some(read.replaced(key.lines.clone(), &lines)))
    }

    /// All of one name.
    fn remove(&self, path: &[String]) -> Result<Option<String>, EditError> {
        let (section, name) = taken(path);
        if let (None, Some(name)) = (section, section_name(name)) {
            self.alike(Some(name), "")?;
            return Ok(self.without_section(name));
        }
        let all = self.of(section, name)?;
        let read = Text::read(&self.text);
        let mut gone = vec![false; read.lines.len()];
        for line in all.iter().flat_map(|key| key.lines.clone()) {
            gone[line] = !is_comment(read.lines[line]);
        }
        Ok((!all.is_empty()).then(|| read.without(&gone)))
    }

    fn in_tree(path: &[String]) -> Vec<String> {
        match taken(path) {
            (Some(section), key) => vec![format!("[{section}]"), key.to_owned()],
            (None, key) => vec![key.to_owned()],
        }
    }

    fn tree(&self) -> Tree {
        let mut tables: BTreeMap<String, Vec<(String, Tree)>> = BTreeMap::new();
        let mut top = Vec::new();
        for section in &self.sections {
            let leaf = |key: &Key| (key.name.clone(), Tree::Leaf(key.value.clone()));
            let keys = section.keys.iter().map(leaf);
            match &section.name {
                None => top.extend(keys),
                Some(name) => tables.entry(format!("[{name}]")).or_default().extend(keys),
            }
        }
        let tables = tables
            .into_iter()
            .map(|(name, keys)| (name, Tree::Table(keys)));
        Tree::Table(top.into_iter().chain(tables).collect())
    }
}
