//! What an edit asks for, and where two edits of one text cannot both have their way.

use super::lines::{LineWanted, Unwanted};
use super::shell;
use crate::text::date;
use crate::text::edits::NOTHING;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// How a text is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Format {
    /// Any lines.
    Lines,
    /// `KEY=value`, as a shell reads it.
    Env,
    /// Sections of `key = value`.
    Ini,
    /// JSON.
    Json,
    /// YAML: scalars at a path of mappings.
    Yaml,
    /// TOML.
    Toml,
}

impl Format {
    /// Every format, as roles write it.
    pub const WORDS: &'static [&'static str] = &["lines", "env", "ini", "json", "yaml", "toml"];

    /// The format of a word.
    pub fn of_word(word: &str) -> Option<Self> {
        Some(match word {
            "lines" => Format::Lines,
            "env" => Format::Env,
            "ini" => Format::Ini,
            "json" => Format::Json,
            "yaml" => Format::Yaml,
            "toml" => Format::Toml,
            _ => return None,
        })
    }

    /// The word in roles.
    pub fn word(self) -> &'static str {
        Self::WORDS[self as usize]
    }
}

/// Where a value stands: a key in each table on the way.
pub type KeyPath = Vec<String>;

/// A value that must stand somewhere.
#[derive(Clone, Debug, PartialEq, Hash, Serialize, Deserialize)]
pub struct Setting {
    /// Where.
    pub path: KeyPath,
    /// What; never a table, never null.
    pub value: Value,
    /// The line of an env file in which it stood; of what brings back alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<String>,
}

/// All that is to be edited in one text.
#[derive(Clone, Debug, PartialEq, Hash, Serialize, Deserialize)]
pub struct Edit {
    /// How the text is written.
    pub format: Format,
    /// Values that must be there.
    pub set: Vec<Setting>,
    /// What must not be there.
    pub remove: Vec<KeyPath>,
    /// Lines that must be there; for [`Format::Lines`] alone.
    pub lines: Vec<LineWanted>,
    /// Lines that must not; for [`Format::Lines`] alone.
    pub drop: Vec<Unwanted>,
    /// Tables that go where nothing is left in them, the inner ones first, and last the whole, which no key leads to; of what
    /// brings back alone.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tables: Vec<KeyPath>,
}

/// What two edits cannot both have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Conflict<'a> {
    /// What stands at this path.
    Key(&'a [String]),
    /// What stands at the first path, which the second one differs from in case alone.
    Case(&'a [String], &'a [String]),
    /// This line.
    Line(&'a str),
}

impl Conflict<'_> {
    /// For a person; a line's text is not shown where it may hold a secret.
    pub fn said(self, sensitive: bool) -> String {
        match self {
            Conflict::Key(path) => format!("`{}`", joined(path)),
            Conflict::Case(path, other) => {
                let (path, other) = (joined(path), joined(other));
                format!("`{path}` (`{other}` is the same to many readers)")
            }
            Conflict::Line(_) if sensitive => "a line".to_owned(),
            Conflict::Line(line) => format!("the line {line:?}"),
        }
    }
}

/// A path as a person writes it: keys with dots between.
pub fn joined(path: &[String]) -> String {
    let keys = path.iter().map(|key| match key.contains('.') {
        true => format!("{key:?}"),
        false => key.clone(),
    });
    keys.collect::<Vec<_>>().join(".")
}

/// A scalar as text.
pub(super) fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

impl Edit {
    /// An edit that asks for nothing yet.
    pub fn of(format: Format) -> Self {
        Self {
            format,
            set: Vec::new(),
            remove: Vec::new(),
            lines: Vec::new(),
            drop: Vec::new(),
            tables: Vec::new(),
        }
    }

    /// Whether nothing need be there.
    pub fn only_removes(&self) -> bool {
        self.set.is_empty() && self.lines.is_empty()
    }

    /// Adds all values of a table.
    ///
    /// # Errors
    /// With all that this format cannot have.
    pub fn set(&mut self, table: &Map<String, Value>) -> Result<(), Vec<String>> {
        let mut wrong = Vec::new();
        self.set_below(table, &mut Vec::new(), &mut wrong);
        match wrong.is_empty() {
            true => Ok(()),
            false => Err(wrong),
        }
    }

    fn set_below(
        &mut self,
        table: &Map<String, Value>,
        path: &mut KeyPath,
        wrong: &mut Vec<String>,
    ) {
        for (key, value) in table {
            path.push(key.clone());
            match value {
                Value::Object(inner) if !inner.is_empty() && date::of(value).is_none() => {
                    self.set_below(inner, path, wrong);
                }
                value => match self.takes_path(path).and(self.takes_value(value)) {
                    Ok(()) => self.set.push(Setting {
                        path: path.clone(),
                        value: value.clone(),
                        line: None,
                    }),
                    Err(why) => wrong.push(format!("`{}`: {why}", joined(path))),
                },
            }
            path.pop();
        }
    }

    /// Adds something that must not be there: by its path, or by its name where dots stand between keys.
    ///
    /// # Errors
    /// With what this format cannot have.
    pub fn remove(&mut self, path: KeyPath) -> Result<(), String> {
        let at = |why| format!("`{}`: {why}", joined(&path));
        self.takes_path(&path).map_err(at)?;
        self.remove.push(path);
        Ok(())
    }

    /// The path that a name with dots means in this format.
    pub fn path_of(&self, name: &str) -> KeyPath {
        match self.format {
            Format::Env => vec![name.to_owned()],
            Format::Ini if name.starts_with('[') => vec![name.to_owned()],
            _ => name.split('.').map(str::to_owned).collect(),
        }
    }

    fn takes_path(&self, path: &[String]) -> Result<(), String> {
        if path.is_empty() || path.iter().any(String::is_empty) {
            return Err("an empty key".into());
        }
        if path.iter().any(|key| key.chars().any(char::is_control)) {
            return Err("a control character in a key".into());
        }
        match (self.format, path) {
            (Format::Env, [key]) if shell::is_key(key) => Ok(()),
            (Format::Env, [_]) => Err("this cannot be the name of a variable".into()),
            (Format::Env, _) => Err("env files have no tables".into()),
            (Format::Ini, [key]) if is_section(key) => Ok(()),
            (Format::Ini, [key]) => ini_key(key),
            (Format::Ini, [section, key]) => match section.contains(']') {
                true => Err("a `]` cannot be in the name of a section".into()),
                false => ini_key(key),
            },
            (Format::Ini, _) => {
                Err("ini files have sections and keys: quote a name that has dots in it".into())
            }
            _ => Ok(()),
        }
    }

    fn takes_value(&self, value: &Value) -> Result<(), String> {
        if let (Some(date), true) = (date::within(value), self.format != Format::Toml) {
            let format = self.format.word();
            return Err(format!(
                "no date is set in {format}, but in toml alone: write it as text, \"{date}\""
            ));
        }
        let scalar = match value {
            Value::Null => return Err("it has no value; `remove` takes a key away".into()),
            Value::Object(_) if date::of(value).is_none() => {
                return Err(NOTHING.into());
            }
            Value::Array(_) => false,
            _ => true,
        };
        let text = plain(value);
        match self.format {
            Format::Json => Ok(()),
            Format::Toml if holds_null(value) => Err("TOML has no null".into()),
            Format::Toml => Ok(()),
            _ if !scalar => Err(format!(
                "expected a string, a number or a boolean, the values of {} that an edit sets; found an array",
                self.format.word()
            )),
            Format::Ini if text.trim() != text => {
                Err("readers drop white space at the ends of a value".into())
            }
            Format::Ini if text.ends_with('\\') => {
                Err("a backslash at the end joins the next line to it".into())
            }
            Format::Ini if text.chars().any(|c| c.is_control() && c != '\t') => {
                Err("a line break or control character in the value".into())
            }
            Format::Env
                if text
                    .chars()
                    .any(|c| c.is_control() && !matches!(c, '\t' | '\n')) =>
            {
                Err("a control character in the value".into())
            }
            _ => Ok(()),
        }
    }

    /// What two edits, or one with itself, ask for that cannot both be.
    pub fn conflict<'a>(&'a self, other: &'a Edit) -> Option<Conflict<'a>> {
        let same = std::ptr::eq(self, other);
        for (at, setting) in self.set.iter().enumerate() {
            let later = other.set.iter().skip(if same { at + 1 } else { 0 });
            let mut paths = later.map(|setting| &setting.path).chain(&other.remove);
            let found = paths.find_map(|path| self.clash(&setting.path, path));
            if found.is_some() {
                return found;
            }
        }
        for (at, wanted) in self.lines.iter().enumerate() {
            let line = &wanted.line;
            if other.drop.iter().any(|unwanted| unwanted.takes(line)) {
                return Some(Conflict::Line(line));
            }
            for (there, other) in other.lines.iter().enumerate() {
                if !(same && at == there) && other.takes(line) {
                    return Some(Conflict::Line(line));
                }
            }
        }
        None
    }

    /// Whether it makes something of an empty file.
    pub fn adds(&self) -> bool {
        !(self.set.is_empty() && self.lines.is_empty())
    }

    /// What two edits of one format cannot share.
    pub fn both_claim<'a>(&'a self, other: &'a Edit) -> Option<Conflict<'a>> {
        let conflict = self.conflict(other).or_else(|| other.conflict(self));
        let conflict = conflict.or_else(|| self.both_remove(other));
        conflict.or_else(|| self.spells_a_section_as(other))
    }

    /// What it asks for that cannot both be.
    pub fn own_conflict(&self) -> Option<Conflict<'_>> {
        let conflict = self.conflict(self);
        conflict.or_else(|| self.spells_a_section_as(self))
    }

    /// A section of ini that one of two edits, or of one, writes otherwise: the second of them to come is refused.
    fn spells_a_section_as<'a>(&'a self, other: &'a Edit) -> Option<Conflict<'a>> {
        let mut paths = self.paths().filter(|_| self.format == Format::Ini);
        paths.find_map(|one| {
            let alike = |other: &&KeyPath| match (&**one, &***other) {
                ([of, _], [section, _]) => of != section && of.eq_ignore_ascii_case(section),
                _ => false,
            };
            let other = other.paths().find(alike)?;
            Some(Conflict::Case(&one[..1], &other[..1]))
        })
    }

    /// A key that two edits remove: what was there would be brought back by one, and removed by the other.
    fn both_remove<'a>(&'a self, other: &'a Edit) -> Option<Conflict<'a>> {
        let mut paths = self.remove.iter();
        paths.find_map(|path| {
            let mut others = other.remove.iter();
            others.find_map(|other| self.clash(path, other))
        })
    }

    /// Whether two paths are one, or one lies in the other.
    fn clash<'a>(&self, one: &'a [String], other: &'a [String]) -> Option<Conflict<'a>> {
        let (own, others) = (self.in_order(one), self.in_order(other));
        let case = |path: &[String]| -> KeyPath {
            // An edit of ini refuses a name that is there in another case.
            let keys = path.iter().map(|key| key.to_ascii_lowercase());
            keys.collect()
        };
        if overlap(&own, &others) {
            Some(Conflict::Key(one))
        } else if self.format == Format::Ini && overlap(&case(&own), &case(&others)) {
            Some(Conflict::Case(one, other))
        } else {
            None
        }
    }

    /// A path in which sections of ini stand apart from keys.
    pub(super) fn in_order(&self, path: &[String]) -> KeyPath {
        match (self.format, path) {
            (Format::Ini, [section, key]) => vec![format!("[{section}]"), key.clone()],
            _ => path.to_vec(),
        }
    }
}

fn overlap(one: &[String], other: &[String]) -> bool {
    one.iter().zip(other).all(|(one, other)| one == other)
}

fn is_section(key: &str) -> bool {
    key.starts_with('[') && key.ends_with(']') && key.len() > 2
}

fn ini_key(key: &str) -> Result<(), String> {
    if key.contains(['=', ':']) || key.starts_with(['[', '#', ';']) || key.trim() != key {
        return Err("this cannot be a key of an ini file".into());
    }
    Ok(())
}

fn holds_null(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(items) => items.iter().any(holds_null),
        Value::Object(table) => table.values().any(holds_null),
        _ => false,
    }
}
