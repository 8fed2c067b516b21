//! TOML as a tree that owns its values and knows where each stands.

use super::MAX_TEXT;
use super::date;
use super::diagnostic::{Diagnostic, Diagnostics, Spot};
use super::source::Source;
use crate::id::Kind;
use serde_json::Value;
use std::collections::BTreeSet;
use std::ops::Range;
use toml::de::{DeInteger, DeTable, DeValue, Error};
use toml::value::Datetime;

/// A value and where it stands, in bytes.
#[derive(Clone, Debug)]
pub struct Node {
    /// What.
    pub value: NodeValue,
    /// Where.
    pub span: Range<usize>,
}

/// A value.
#[derive(Clone, Debug)]
pub enum NodeValue {
    /// Text.
    String(String),
    /// A whole number.
    Integer(i64),
    /// A finite number.
    Float(f64),
    /// true or false.
    Boolean(bool),
    /// A date, a time, or both.
    Date(Datetime),
    /// What no key here takes: a number that is not one, or too large a one; with its name.
    Other(&'static str),
    /// A list.
    Array(Vec<Node>),
    /// A table, in the order of its keys' names.
    Table(Vec<Entry>),
}

/// One key of a table.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Its name.
    pub key: String,
    /// Where the name stands.
    pub span: Range<usize>,
    /// What it is.
    pub node: Node,
}

impl Node {
    /// For messages.
    pub fn kind(&self) -> &'static str {
        match &self.value {
            NodeValue::String(_) => "a string",
            NodeValue::Integer(_) => "an integer",
            NodeValue::Float(_) => "a float",
            NodeValue::Boolean(_) => "a boolean",
            NodeValue::Date(_) => "a date",
            NodeValue::Other(kind) => kind,
            NodeValue::Array(_) => "an array",
            NodeValue::Table(_) => "a table",
        }
    }

    /// The text of a string.
    pub fn text(&self) -> Option<&str> {
        match &self.value {
            NodeValue::String(text) => Some(text),
            _ => None,
        }
    }

    /// The keys of a table.
    pub fn entries(&self) -> Option<&[Entry]> {
        match &self.value {
            NodeValue::Table(entries) => Some(entries),
            _ => None,
        }
    }

    /// The same as JSON. What has no form in JSON is null; callers that allow such a value refuse it first.
    pub fn json(&self) -> Value {
        match &self.value {
            NodeValue::String(text) => Value::from(text.as_str()),
            NodeValue::Integer(number) => Value::from(*number),
            NodeValue::Float(number) => Value::from(*number),
            NodeValue::Boolean(yes) => Value::from(*yes),
            NodeValue::Date(date) => date::value(date),
            NodeValue::Other(_) => Value::Null,
            NodeValue::Array(items) => items.iter().map(Node::json).collect(),
            NodeValue::Table(entries) => entries
                .iter()
                .map(|entry| (entry.key.clone(), entry.node.json()))
                .collect(),
        }
    }

    /// Calls `found` with every string in this value.
    pub fn strings<'a>(&'a self, found: &mut dyn FnMut(&'a str, &'a Node)) {
        match &self.value {
            NodeValue::String(text) => found(text, self),
            NodeValue::Array(items) => items.iter().for_each(|item| item.strings(found)),
            NodeValue::Table(entries) => entries.iter().for_each(|e| e.node.strings(found)),
            _ => {}
        }
    }

    /// The first value inside that JSON cannot hold.
    pub fn unusable(&self) -> Option<&Node> {
        self.all_unusable().into_iter().next()
    }

    /// All values inside that JSON cannot hold.
    pub fn all_unusable(&self) -> Vec<&Node> {
        self.all(&|value| matches!(value, NodeValue::Other(_) | NodeValue::Date(_)))
    }

    /// All values inside that TOML itself could not hold either.
    pub fn all_unwritable(&self) -> Vec<&Node> {
        self.all(&|value| matches!(value, NodeValue::Other(_)))
    }

    fn all(&self, is: &dyn Fn(&NodeValue) -> bool) -> Vec<&Node> {
        match &self.value {
            value if is(value) => vec![self],
            NodeValue::Array(items) => items.iter().flat_map(|item| item.all(is)).collect(),
            NodeValue::Table(entries) => entries
                .iter()
                .flat_map(|entry| entry.node.all(is))
                .collect(),
            _ => Vec::new(),
        }
    }
}

/// The bytes of a text file as text.
///
/// # Errors
/// Where they are too many or not UTF-8.
pub fn text_of(role: &str, file: &str, bytes: &[u8]) -> Result<Source, Diagnostics> {
    let start = |bytes: &[u8]| {
        let valid = String::from_utf8_lossy(bytes);
        Source::new(role, file, valid)
    };
    if bytes.len() > MAX_TEXT {
        let spot = Spot::from(&Source::new(role, file, "").place(&(0..0)));
        let message = format!("larger than {} KiB, the most for a text", MAX_TEXT / 1024);
        let help = "what is large goes into a file beside it, taken as it is: source = \"NAME\"";
        return Err(Diagnostic::error(spot, message).help(help).into());
    }
    match std::str::from_utf8(bytes) {
        Ok(text) => Ok(Source::new(role, file, text)),
        Err(bad) => {
            let good = &bytes[..bad.valid_up_to()];
            let source = start(bytes);
            let at = good.len()..good.len() + 1;
            let diagnostic = Diagnostic::error(source.spot(&at), "not UTF-8");
            let help = "save it as UTF-8: iconv -f latin1 -t utf8";
            Err(diagnostic.help(help).into())
        }
    }
}

/// The document as a table, and whether it is whole; none where its syntax is wrong. What is wrong is among the diagnostics.
pub fn document(source: &Source, wrong: &mut Diagnostics) -> Option<(Vec<Entry>, bool)> {
    let (table, errors) = DeTable::parse_recoverable(&source.text);
    let mut unquoted = BTreeSet::new();
    let mut again = BTreeSet::new();
    for error in &errors {
        let spot = source.spot(&error.span().unwrap_or(0..0));
        if error.message().contains("recursion") {
            // What follows is but its consequence.
            wrong.push(Diagnostic::error(spot, "nested too deeply"));
            return None;
        }
        if error.message() == "duplicate key" {
            let at = error.span().unwrap_or(0..0).start;
            let (line, header) = headed(&source.text, at);
            // What a table has that is begun twice is but its consequence.
            if line != header && again.contains(&header) {
                continue;
            }
            again.insert(line);
        }
        // Of a name without its quotes each sign may be an error.
        if !error.message().starts_with(UNQUOTED) || unquoted.insert(spot.place.line) {
            wrong.push(syntax(source, table.get_ref(), spot, error));
        }
    }
    // Beside what stands there twice, all has its place.
    let twice = |error: &Error| {
        let message = error.message();
        message == "duplicate key" || message.starts_with("cannot extend value")
    };
    let read = errors.iter().all(twice);
    read.then(|| (entries(table.get_ref()), errors.is_empty()))
}

/// How the parser begins to say that a key wants quotes.
const UNQUOTED: &str = "invalid unquoted key";

/// The line of a table or key, with the name in quotes.
fn quoted(line: &str) -> Option<String> {
    let header = line.trim_start().strip_prefix('[')?;
    let (kind, name) = header.split(']').next()?.split_once('.')?;
    let known = Kind::of_word(kind.trim()).is_some() && !name.contains(['"', '\'']);
    known.then(|| format!("[{}.{:?}]", kind.trim(), name.trim()))
}

/// An error of the syntax; where the parser's words leave something open, in better ones.
fn syntax(source: &Source, table: &DeTable<'_>, spot: Spot, error: &Error) -> Diagnostic {
    let span = error.span().unwrap_or(0..0);
    let rest = source.text.get(span.start..).unwrap_or_default();
    let line = rest.lines().next().unwrap_or_default().trim_start();
    match error.message() {
        "duplicate key" => {
            let key = source.text.get(span.clone()).unwrap_or_default();
            let key = key.trim_matches(['"', '\'']);
            let mut first = None;
            before(table, key, span.start, &mut first);
            let diagnostic = Diagnostic::error(spot, format!("`{key}` stands here a second time"));
            match first.or_else(|| header_before(&source.text, &span)) {
                Some(first) => diagnostic.note(source.spot(&first), "and here the first time"),
                None => diagnostic,
            }
        }
        message if message.starts_with("cannot extend value") => {
            let key = source.text.get(span.clone()).unwrap_or_default();
            let key = key.trim_matches(['"', '\'']);
            let mut first = None;
            before(table, key, span.start, &mut first);
            let message = format!("`{key}` has its value already, and no more can go into it");
            match first {
                Some(first) => Diagnostic::error(spot, message).note(source.spot(&first), "here"),
                None => Diagnostic::error(spot, message),
            }
        }
        message if message.contains("must be quoted") => match line {
            "" => Diagnostic::error(spot, "the value is missing"),
            line if line.starts_with('#') => Diagnostic::error(spot, "the value is missing"),
            _ => Diagnostic::error(spot, "this is no value").help("text stands in quotes: \"…\""),
        },
        message if message.starts_with(UNQUOTED) => {
            let line = source.line(spot.place.line as usize - 1);
            let as_it_is = || "a name with other signs stands in quotes: \"…\"".to_owned();
            let help = quoted(line).map(|line| format!("quote the name: {line}"));
            Diagnostic::error(spot, message).help(help.unwrap_or_else(as_it_is))
        }
        message if message.contains("leading zero") => {
            Diagnostic::error(spot, "a number does not begin with a zero")
                .help("a mode stands in quotes: \"0644\"")
        }
        message => Diagnostic::error(spot, message),
    }
}

/// The last place before this byte where a key of this name stands.
fn before(table: &DeTable<'_>, name: &str, byte: usize, found: &mut Option<Range<usize>>) {
    for (key, value) in table {
        let span = key.span();
        let later = found.as_ref().is_none_or(|found| found.start < span.start);
        if key.get_ref() == name && span.start < byte && later {
            *found = Some(span);
        }
        if let DeValue::Table(table) = value.get_ref() {
            before(table, name, byte, found);
        }
    }
}

/// Where the line of this byte begins, and where the header of the table that it stands in.
fn headed(text: &str, byte: usize) -> (usize, usize) {
    let (mut line, mut header, mut at) = (0, 0, 0);
    for one in text.split_inclusive('\n') {
        if at > byte {
            break;
        }
        line = at;
        if one.trim_start().starts_with('[') {
            header = at;
        }
        at += one.len();
    }
    (line, header)
}

/// The same name in an earlier line that is the same, where a table is begun twice: the parser keeps the later place.
fn header_before(text: &str, span: &Range<usize>) -> Option<Range<usize>> {
    let start = text.get(..span.start)?.rfind('\n').map_or(0, |at| at + 1);
    let line = text.get(start..)?.lines().next()?;
    let mut at = 0;
    for earlier in text.get(..start)?.split_inclusive('\n') {
        if earlier.trim() == line.trim() {
            let indent = earlier.len() - earlier.trim_start().len();
            let within = span.start - start - (line.len() - line.trim_start().len());
            let first = at + indent + within;
            return Some(first..first + span.len());
        }
        at += earlier.len();
    }
    None
}

/// One value, as `--set` takes lists and tables.
///
/// # Errors
/// With what is wrong about it.
pub fn value(text: &str) -> Result<Node, String> {
    if text.len() > MAX_TEXT {
        return Err("too long".into());
    }
    let parsed = DeValue::parse(text).map_err(|error| error.message().to_owned())?;
    Ok(node(parsed.get_ref(), parsed.span()))
}

fn entries(table: &DeTable<'_>) -> Vec<Entry> {
    table
        .iter()
        .map(|(key, value)| Entry {
            key: key.get_ref().to_string(),
            span: key.span(),
            node: node(value.get_ref(), value.span()),
        })
        .collect()
}

fn node(value: &DeValue<'_>, span: Range<usize>) -> Node {
    let value = match value {
        DeValue::String(text) => NodeValue::String(text.to_string()),
        DeValue::Integer(number) => integer(number),
        DeValue::Float(number) => match number.as_str().parse::<f64>() {
            Ok(number) if number.is_finite() => NodeValue::Float(number),
            _ if number.as_str().contains(|c: char| c.is_ascii_digit()) => {
                NodeValue::Other("a number beyond 64 bits")
            }
            _ => NodeValue::Other("a number without a value"),
        },
        DeValue::Boolean(yes) => NodeValue::Boolean(*yes),
        DeValue::Datetime(date) => NodeValue::Date(*date),
        DeValue::Array(items) => NodeValue::Array(
            items
                .iter()
                .map(|item| node(item.get_ref(), item.span()))
                .collect(),
        ),
        DeValue::Table(table) => NodeValue::Table(entries(table)),
    };
    Node { value, span }
}

fn integer(number: &DeInteger<'_>) -> NodeValue {
    match i64::from_str_radix(number.as_str(), number.radix()) {
        Ok(number) => NodeValue::Integer(number),
        Err(_) => NodeValue::Other("an integer beyond 64 bits"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn depth_is_bounded() {
        let deep = 100_000;
        for text in [
            format!("a = {}{}", "[".repeat(deep), "]".repeat(deep)),
            format!("a = {}1{}", "{a = ".repeat(deep), "}".repeat(deep)),
            format!("{}a = 1", "a.".repeat(deep)),
            format!("[{}a]\nb = 1", "a.".repeat(deep)),
            format!("[[{}a]]\nb = 1", "a.".repeat(deep)),
            format!("a = {}", "[".repeat(deep)),
            format!("a = {}1", "[{a.b.c.d = ".repeat(deep / 4)),
        ] {
            let mut wrong = Diagnostics::new();
            let source = Source::new("r", "r/role.toml", text);
            assert!(document(&source, &mut wrong).is_none());
            assert!(wrong.has_errors());
            assert!(wrong.to_string().len() < 1 << 20, "too much text");
        }
    }

    #[test]
    fn values_of_the_command_line() {
        assert_eq!(value("[1, 2]").unwrap().json(), serde_json::json!([1, 2]));
        assert!(value(&"[".repeat(100_000)).is_err());
        assert!(value("1 2").is_err());
    }
}
