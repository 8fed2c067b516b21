//! Lines that must be in a text, and lines that must not.

use super::text::Text;
use regex_lite::{Regex, RegexBuilder};
use serde::{Deserialize, Serialize};
use std::hash::{Hash, Hasher};

/// A line that must be there, just once.
#[derive(Clone, Debug, PartialEq, Hash, Serialize, Deserialize)]
pub struct LineWanted {
    /// The whole line.
    pub line: String,
    /// The lines that it takes the place of.
    pub matching: Option<Pattern>,
}

/// Lines that must not be there.
#[derive(Clone, Debug, PartialEq, Hash, Serialize, Deserialize)]
pub enum Unwanted {
    /// Just this one.
    Line(String),
    /// All in which this is found.
    Matching(Pattern),
}

/// A regular expression, found anywhere in a line.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Pattern {
    text: String,
    regex: Regex,
}

/// The most that a regular expression may take when compiled, in bytes: what bounds the work a byte of text.
const COMPILED: usize = 256 * 1024;

impl Pattern {
    /// Compiles it.
    ///
    /// # Errors
    /// With what is wrong with it.
    pub fn new(text: &str) -> Result<Self, String> {
        let regex = RegexBuilder::new(text).size_limit(COMPILED).build();
        Ok(Self {
            regex: regex.map_err(|why| format!("{text:?} is no regular expression: {why}"))?,
            text: text.to_owned(),
        })
    }

    /// As written.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Whether it is found in a line.
    pub fn is_in(&self, line: &str) -> bool {
        self.regex.is_match(line)
    }
}

impl TryFrom<String> for Pattern {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        Pattern::new(&text)
    }
}

impl From<Pattern> for String {
    fn from(pattern: Pattern) -> Self {
        pattern.text
    }
}

impl Hash for Pattern {
    fn hash<H: Hasher>(&self, to: &mut H) {
        self.text.hash(to);
    }
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl LineWanted {
    /// Whether a line is this one, or gives way to it.
    pub fn takes(&self, line: &str) -> bool {
        line == self.line || self.matching.as_ref().is_some_and(|p| p.is_in(line))
    }
}

impl Unwanted {
    /// Whether a line must go.
    pub fn takes(&self, line: &str) -> bool {
        match self {
            Unwanted::Line(unwanted) => line == unwanted,
            Unwanted::Matching(pattern) => pattern.is_in(line),
        }
    }
}

/// Makes the edit. A wanted line stays where it stands; else it takes the place of the first line that it matches; else
/// it comes last. Whatever else it matches goes.
pub fn edit(text: &str, wanted: &[LineWanted], unwanted: &[Unwanted]) -> String {
    let read = Text::read(text);
    let mut lines: Vec<(&str, &'static str)> = read
        .pairs()
        .filter(|(line, _)| !unwanted.iter().any(|unwanted| unwanted.takes(line)))
        .collect();
    for wanted in wanted {
        let place = lines
            .iter()
            .position(|(line, _)| *line == wanted.line)
            .or_else(|| lines.iter().position(|(line, _)| wanted.takes(line)));
        let Some(place) = place else {
            lines.push((&wanted.line, ""));
            continue;
        };
        lines[place].0 = &wanted.line;
        let mut at = 0;
        lines.retain(|(line, _)| {
            at += 1;
            at - 1 == place || !wanted.takes(line)
        });
    }
    read.join(lines.into_iter())
}
