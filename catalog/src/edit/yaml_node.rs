//! What a YAML text holds, and where it stands.

use super::error::EditError;
use super::tree::Tree;
use saphyr_parser::{Event, Parser, ScalarStyle, Span, StrInput};
use std::ops::Range;

/// Nodes in one another, at most.
const DEEPEST: usize = 128;

/// A value.
pub struct Node {
    /// From its first byte to the last one of what is in it; empty where nothing is written.
    pub span: Range<usize>,
    /// It has an anchor or a tag.
    pub marked: bool,
    pub kind: Kind,
}

/// What a value is.
pub enum Kind {
    Scalar {
        value: String,
        style: ScalarStyle,
    },
    Mapping {
        entries: Vec<(Node, Node)>,
        /// In braces.
        flow: bool,
    },
    Sequence {
        items: Vec<Node>,
    },
    Alias(usize),
}

impl Node {
    /// The text of a scalar that is a key.
    pub fn key(&self) -> Option<&str> {
        match &self.kind {
            Kind::Scalar { value, .. } if !self.marked => Some(value),
            _ => None,
        }
    }

    /// Nothing is written where a value could be.
    pub fn is_empty(&self) -> bool {
        self.span.is_empty() && !self.marked
    }

    /// What it is called in messages.
    pub fn called(&self) -> &'static str {
        match &self.kind {
            _ if self.marked => "a value with an anchor or a tag",
            Kind::Scalar { style, .. } => match style {
                ScalarStyle::Literal | ScalarStyle::Folded => "a block of text",
                _ => "a scalar",
            },
            Kind::Mapping { .. } => "a mapping",
            Kind::Sequence { .. } => "a sequence",
            Kind::Alias(_) => "an alias",
        }
    }

    /// All that it says.
    pub fn tree(&self) -> Tree {
        match &self.kind {
            _ if self.is_empty() => Tree::Table(Vec::new()),
            Kind::Mapping { entries, .. } if !self.marked => {
                let entries = entries.iter().map(|(key, value)| {
                    let name = match key.key() {
                        Some(name) => name.to_owned(),
                        None => format!("\0{:?}", key.tree()),
                    };
                    (name, value.tree())
                });
                Tree::Table(entries.collect())
            }
            _ => Tree::Leaf(self.told()),
        }
    }

    fn told(&self) -> String {
        let mark = if self.marked { "&" } else { "" };
        match &self.kind {
            Kind::Scalar { value, style } => {
                let plain = matches!(style, ScalarStyle::Plain);
                format!("{mark}{}{value:?}", if plain { "" } else { "quoted " })
            }
            Kind::Mapping { entries, .. } => {
                let entries: Vec<_> = entries.iter().map(|(k, v)| (k.tree(), v.tree())).collect();
                format!("{mark}{entries:?}")
            }
            Kind::Sequence { items } => {
                let items: Vec<_> = items.iter().map(Node::tree).collect();
                format!("{mark}{items:?}")
            }
            Kind::Alias(which) => format!("*{which}"),
        }
    }
}

/// How long what is in quotes is, with both of them.
fn quoted(text: &str, quote: char) -> usize {
    let mut chars = text.char_indices().skip(1).peekable();
    while let Some((at, c)) = chars.next() {
        let twice = c == '\'' && chars.peek().is_some_and(|(_, next)| *next == c);
        match c {
            // What comes next is no quote that closes.
            '\\' if quote == '"' => drop(chars.next()),
            _ if c == quote && twice => drop(chars.next()),
            _ if c == quote => return at + c.len_utf8(),
            _ => {}
        }
    }
    text.len()
}

struct Reader<'t> {
    text: &'t str,
    parser: Parser<'t, StrInput<'t>>,
    /// Where each character begins, unless all are of one byte.
    places: Option<Vec<usize>>,
}

/// The one document of a text; none where there is nothing in it.
pub fn read(text: &str) -> Result<Option<Node>, EditError> {
    let places = (!text.is_ascii()).then(|| {
        let starts = text.char_indices().map(|(at, _)| at);
        starts.chain([text.len()]).collect()
    });
    let mut reader = Reader {
        text,
        parser: Parser::new_from_str(text),
        places,
    };
    let mut root = None;
    loop {
        let (event, span) = reader.next()?;
        match event {
            Event::StreamEnd => return Ok(root),
            Event::DocumentStart(_) if root.is_some() => {
                let at = reader.bytes(span).start;
                return Err(EditError::at(text, at, "a second document begins here")
                    .help("which of them is meant cannot be said: write the whole file"));
            }
            Event::DocumentStart(_) => {
                let (event, span) = reader.next()?;
                root = Some(reader.node(event, span, 0)?);
            }
            _ => {}
        }
    }
}

impl<'t> Reader<'t> {
    fn next(&mut self) -> Result<(Event<'t>, Span), EditError> {
        match self.parser.next_event() {
            Some(Ok(event)) => Ok(event),
            Some(Err(error)) => {
                let at = self.place(error.marker().index());
                let why = format!("this is no YAML: {}", error.info());
                Err(EditError::at(self.text, at, why))
            }
            None => Ok((Event::StreamEnd, Span::default())),
        }
    }

    /// Characters as bytes.
    fn place(&self, index: usize) -> usize {
        let at = match &self.places {
            None => index,
            Some(places) => places.get(index).copied().unwrap_or(self.text.len()),
        };
        at.min(self.text.len())
    }

    fn bytes(&self, span: Span) -> Range<usize> {
        let start = self.place(span.start.index());
        start..self.place(span.end.index()).max(start)
    }

    fn node(&mut self, event: Event<'t>, span: Span, depth: usize) -> Result<Node, EditError> {
        let bytes = self.bytes(span);
        if depth > DEEPEST {
            return Err(EditError::at(self.text, bytes.start, "nested too deeply"));
        }
        match event {
            Event::Alias(which) => Ok(Node {
                span: bytes,
                marked: false,
                kind: Kind::Alias(which),
            }),
            Event::Scalar(value, style, anchor, tag) => Ok(Node {
                span: self.written(bytes, style),
                marked: anchor != 0 || tag.is_some(),
                kind: Kind::Scalar {
                    value: value.into_owned(),
                    style,
                },
            }),
            Event::SequenceStart(anchor, tag) => {
                let marked = anchor != 0 || tag.is_some();
                self.sequence(bytes, marked, depth)
            }
            Event::MappingStart(anchor, tag) => {
                let marked = anchor != 0 || tag.is_some();
                self.mapping(bytes, marked, depth)
            }
            _ => Err(EditError::at(
                self.text,
                bytes.start,
                "a value is missing here",
            )),
        }
    }

    /// Without the white space and comments behind it that the parser may count to a scalar.
    fn written(&self, span: Range<usize>, style: ScalarStyle) -> Range<usize> {
        let text = &self.text[span.clone()];
        let long = match style {
            ScalarStyle::SingleQuoted => quoted(text, '\''),
            ScalarStyle::DoubleQuoted => quoted(text, '"'),
            _ => text.trim_end().len(),
        };
        span.start..span.start + long
    }

    fn sequence(
        &mut self,
        start: Range<usize>,
        marked: bool,
        depth: usize,
    ) -> Result<Node, EditError> {
        let mut items = Vec::new();
        let mut end = start.start;
        loop {
            let (event, span) = self.next()?;
            if matches!(event, Event::SequenceEnd | Event::StreamEnd) {
                end = self.end(end, span, b']');
                break;
            }
            let item = self.node(event, span, depth + 1)?;
            end = end.max(item.span.end);
            items.push(item);
        }
        Ok(Node {
            span: start.start..end,
            marked,
            kind: Kind::Sequence { items },
        })
    }

    fn mapping(
        &mut self,
        start: Range<usize>,
        marked: bool,
        depth: usize,
    ) -> Result<Node, EditError> {
        let mut entries = Vec::new();
        let flow = self.text[start.start..].starts_with('{');
        let mut end = start.start;
        loop {
            let (event, span) = self.next()?;
            if matches!(event, Event::MappingEnd | Event::StreamEnd) {
                end = self.end(end, span, b'}');
                break;
            }
            let key = self.node(event, span, depth + 1)?;
            let (event, span) = self.next()?;
            let mut value = self.node(event, span, depth + 1)?;
            if value.is_empty() {
                // Where nothing is written, it would stand after the colon.
                let rest = &self.text[key.span.end..];
                let blank = rest.len() - rest.trim_start().len();
                let colon = usize::from(rest.trim_start().starts_with(':'));
                let at = key.span.end + if colon > 0 { blank + colon } else { 0 };
                value.span = at..at;
            }
            end = end.max(key.span.end).max(value.span.end);
            entries.push((key, value));
        }
        Ok(Node {
            span: start.start..end,
            marked,
            kind: Kind::Mapping { entries, flow },
        })
    }

    /// Where a collection ends: at its bracket, which what stands behind it on its line may be counted to, or with the last thing
    /// in it.
    fn end(&self, last: usize, span: Span, bracket: u8) -> usize {
        let close = self.bytes(span).start;
        match self.text.as_bytes().get(close) {
            Some(byte) if *byte == bracket && close >= last => close + 1,
            _ => last,
        }
    }
}
