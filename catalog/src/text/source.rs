//! One file of text, with what is needed to say where in it something stands.

use super::diagnostic::Spot;
use super::literal;
use crate::resource::Place;
use std::ops::Range;
use std::sync::Arc;

/// A file of the catalog as text.
#[derive(Clone, Debug)]
pub struct Source {
    /// The role whose folder it lies in; empty for `fleet.toml`.
    pub role: Arc<str>,
    /// Relative to the catalog.
    pub file: Arc<str>,
    /// What it holds.
    pub text: String,
    /// The byte at which each line begins.
    lines: Vec<usize>,
}

impl Source {
    /// A file and its text.
    pub fn new(
        role: impl Into<Arc<str>>,
        file: impl Into<Arc<str>>,
        text: impl Into<String>,
    ) -> Self {
        let text = text.into();
        let ends = text.match_indices('\n').map(|(at, _)| at + 1);
        let lines = std::iter::once(0).chain(ends).collect();
        Self {
            role: role.into(),
            file: file.into(),
            text,
            lines,
        }
    }

    /// The line of this byte, from 0.
    fn line_of(&self, byte: usize) -> usize {
        self.lines.partition_point(|start| *start <= byte) - 1
    }

    /// A line without its end, from 0; empty beyond the last.
    pub fn line(&self, line: usize) -> &str {
        let Some(&start) = self.lines.get(line) else {
            return "";
        };
        let end = self.lines.get(line + 1).copied();
        let text = &self.text[start..end.unwrap_or(self.text.len())];
        text.trim_end_matches(['\n', '\r'])
    }

    /// The first byte of a line, from 1.
    pub fn line_start(&self, line: usize) -> Range<usize> {
        let start = self.lines.get(line.saturating_sub(1)).copied();
        let start = start.unwrap_or(self.text.len());
        start..start + 1
    }

    /// Where this span of bytes begins.
    pub fn place(&self, span: &Range<usize>) -> Place {
        let byte = floor(&self.text, span.start);
        let line = self.line_of(byte);
        let column = self.text[self.lines[line]..byte].chars().count() + 1;
        Place {
            role: self.role.clone(),
            file: self.file.clone(),
            line: number(line + 1),
            column: number(column),
        }
    }

    /// The place of a span with its line; a span over several lines is cut at the first.
    pub fn spot(&self, span: &Range<usize>) -> Spot {
        let place = self.place(span);
        let line = self.line(place.line as usize - 1);
        let start = floor(&self.text, span.start);
        let end = floor(&self.text, span.end.max(start));
        let width = self.text[start..end]
            .chars()
            .take_while(|c| *c != '\n')
            .count()
            .max(1);
        Spot {
            line: Some(clipped(line)),
            width: number(width),
            place,
        }
    }

    /// Where a range of the value of the string that stands at `span` was written.
    pub fn spot_within(&self, span: &Range<usize>, value: &Range<usize>) -> Spot {
        let raw = self.text.get(span.clone()).unwrap_or_default();
        let range = literal::source_range(raw, value);
        self.spot(&(span.start + range.start..span.start + range.end))
    }

    /// The same spot with its line, and the width of the word that stands there.
    pub fn filled(&self, spot: &Spot) -> Spot {
        let line = self.line((spot.place.line as usize).saturating_sub(1));
        let from = line
            .chars()
            .skip((spot.place.column as usize).saturating_sub(1))
            .collect::<Vec<_>>();
        Spot {
            place: spot.place.clone(),
            line: Some(clipped(line)),
            width: number(word_width(&from)),
        }
    }
}

/// How many characters the word at the start has; a quoted one counts whole.
fn word_width(from: &[char]) -> usize {
    let quote = from.first().copied().filter(|c| matches!(c, '"' | '\''));
    let width = match quote {
        Some(quote) => from[1..].iter().position(|c| *c == quote).map(|at| at + 2),
        None => from
            .iter()
            .position(|c| !(c.is_alphanumeric() || matches!(c, '_' | '-'))),
    };
    width.unwrap_or(from.len()).max(1)
}

/// A line of a minified file would fill the screen; its beginning does.
fn clipped(line: &str) -> String {
    let end = line.floor_char_boundary(2000);
    line[..end].to_owned()
}

fn floor(text: &str, byte: usize) -> usize {
    text.floor_char_boundary(byte)
}

fn number(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_characters() {
        let source = Source::new("r", "r/role.toml", "a = 1\n\"ä\" = 2\r\nend");
        let at = source.text.find('2').unwrap();
        let spot = source.spot(&(at..at + 1));
        assert_eq!((spot.place.line, spot.place.column), (2, 7));
        assert_eq!(spot.line.as_deref(), Some("\"ä\" = 2"));
        assert_eq!(source.place(&(9999..9999)).line, 3);
    }

    #[test]
    fn filled_by_word() {
        let source = Source::new("r", "r/role.toml", "[file.\"/etc/x\"]\nmode = 3");
        for (line, column, width) in [(1, 2, 4), (1, 7, 8), (2, 1, 4), (2, 8, 1)] {
            let mut place = source.place(&(0..0));
            (place.line, place.column) = (line, column);
            assert_eq!(source.filled(&Spot::from(&place)).width, width);
        }
    }
}
