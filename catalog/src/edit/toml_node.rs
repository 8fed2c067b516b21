//! Where the tables and pairs of a TOML text stand. Only of a text that is known to be TOML.

use std::ops::Range;
use toml_parser::Source;
use toml_parser::parser::{Event, EventKind, parse_document};

/// What stands under one header, or before the first.
pub struct Section {
    /// Of its header; empty for what comes before the first.
    pub path: Vec<String>,
    /// It is one of an array of tables.
    pub array: bool,
    /// Where its header begins, in bytes of the text.
    pub start: usize,
    pub pairs: Vec<Pair>,
}

/// A key with its value.
pub struct Pair {
    /// With dots between.
    pub keys: Vec<String>,
    /// Where they begin, in bytes of the text.
    pub start: usize,
    /// Where they end.
    pub key_end: usize,
    pub value: Range<usize>,
    /// The pairs of an inline table.
    pub inline: Option<Vec<Pair>>,
}

struct Reader<'t> {
    source: Source<'t>,
    events: Vec<Event>,
    at: usize,
}

/// All of a text, in order.
pub fn sections(text: &str) -> Vec<Section> {
    let source = Source::new(text);
    let tokens = source.lex().into_vec();
    let mut events = Vec::with_capacity(tokens.len());
    let mut keep = |event: Event| {
        let blank = [
            EventKind::Whitespace,
            EventKind::Comment,
            EventKind::Newline,
        ];
        if !blank.contains(&event.kind()) {
            events.push(event);
        }
    };
    parse_document(&tokens, &mut keep, &mut ());
    let mut reader = Reader {
        source,
        events,
        at: 0,
    };
    reader.sections()
}

impl Reader<'_> {
    fn next(&mut self) -> Option<Event> {
        let event = self.events.get(self.at)?;
        self.at += 1;
        Some(*event)
    }

    fn peek(&self) -> Option<EventKind> {
        self.events.get(self.at).map(Event::kind)
    }

    fn sections(&mut self) -> Vec<Section> {
        let mut found = vec![Section {
            path: Vec::new(),
            array: false,
            start: 0,
            pairs: Vec::new(),
        }];
        while let Some(kind) = self.peek() {
            match kind {
                EventKind::StdTableOpen | EventKind::ArrayTableOpen => {
                    let start = self.next().map_or(0, |open| open.span().start());
                    let (path, _) = self.keys();
                    found.push(Section {
                        path,
                        array: kind == EventKind::ArrayTableOpen,
                        start,
                        pairs: Vec::new(),
                    });
                }
                EventKind::SimpleKey => {
                    let pair = self.pair();
                    if let (Some(section), Some(pair)) = (found.last_mut(), pair) {
                        section.pairs.push(pair);
                    }
                }
                _ => self.at += 1,
            }
        }
        found
    }

    /// Keys with dots between, and where they stand.
    fn keys(&mut self) -> (Vec<String>, Range<usize>) {
        let mut keys = Vec::new();
        let mut span: Option<Range<usize>> = None;
        while let Some(EventKind::SimpleKey | EventKind::KeySep) = self.peek() {
            let Some(event) = self.next() else { break };
            if event.kind() == EventKind::SimpleKey {
                let mut key = String::new();
                if let Some(raw) = self.source.get(event) {
                    raw.decode_key(&mut key, &mut ());
                }
                keys.push(key);
                let at = event.span();
                let start = span.map_or(at.start(), |span| span.start);
                span = Some(start..at.end());
            }
        }
        (keys, span.unwrap_or_default())
    }

    fn pair(&mut self) -> Option<Pair> {
        let (keys, span) = self.keys();
        if self.next()?.kind() != EventKind::KeyValSep {
            return None;
        }
        let open = self.next()?;
        let mut value = open.span().start()..open.span().end();
        let inline = match open.kind() {
            EventKind::InlineTableOpen => {
                let mut pairs = Vec::new();
                while let Some(EventKind::SimpleKey | EventKind::ValueSep) = self.peek() {
                    match self.peek() {
                        Some(EventKind::SimpleKey) => pairs.extend(self.pair()),
                        _ => self.at += 1,
                    }
                }
                value.end = self.next()?.span().end();
                Some(pairs)
            }
            EventKind::ArrayOpen => {
                let mut depth = 1;
                while depth > 0 {
                    let event = self.next()?;
                    match event.kind() {
                        EventKind::ArrayOpen => depth += 1,
                        EventKind::ArrayClose => depth -= 1,
                        _ => {}
                    }
                    value.end = event.span().end();
                }
                None
            }
            _ => None,
        };
        Some(Pair {
            keys,
            start: span.start,
            key_end: span.end,
            value,
            inline,
        })
    }
}
