//! Assignments in a text that a shell might read: where each stands, whether a reader surely comes by, and what ends
//! them again.
//!
//! Nothing is expanded. What goes beyond assignments (conditions, loops, functions, pipes, here-documents) is walked
//! over so that nothing inside is taken for an assignment.

use super::error::EditError;
use std::ops::Range;

/// Quotes and substitutions in one another, at most.
const DEEPEST: usize = 64;

/// `KEY=word` in a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assignment {
    pub key: String,
    /// Where the key begins, in bytes of the text.
    pub at: usize,
    /// Where its command does.
    pub command: usize,
    /// The word after `=`.
    pub word: Range<usize>,
    /// It is a command of its own (or of `export`), under no condition.
    pub plain: bool,
}

impl Assignment {
    /// Whether nothing but white space and a comment shares its lines.
    pub fn is_alone(&self, text: &str) -> bool {
        let line = text[..self.command].rfind('\n').map_or(0, |at| at + 1);
        let rest = &text[self.word.end..];
        let rest = rest[..rest.find('\n').unwrap_or(rest.len())].trim_start();
        text[line..self.command].trim().is_empty() && (rest.is_empty() || rest.starts_with('#'))
    }
}

/// Words that open something in which a command runs only under a condition, or later.
const OPENERS: [&str; 7] = ["if", "case", "for", "while", "until", "select", "{"];
const CLOSERS: [&str; 4] = ["fi", "esac", "done", "}"];
/// Words after which a command comes.
const PREFIXES: [&str; 10] = [
    "if", "while", "until", "then", "else", "elif", "do", "{", "!", "time",
];
const DECLARERS: [&str; 4] = ["export", "readonly", "declare", "typeset"];

/// What a text does with variables.
#[derive(Default)]
pub struct Script {
    /// All assignments, in order.
    pub assignments: Vec<Assignment>,
    /// Keys that are taken away again, with where.
    pub unset: Vec<(String, usize)>,
    /// Where a reader stops, or may.
    pub ends: Vec<End>,
}

/// `exit` or `return`.
pub struct End {
    pub at: usize,
    /// Nobody reads on after it, nor has what stands before it: `exit`, under no condition.
    pub surely: bool,
}

/// What a text does, walked over to its end.
pub fn script(text: &str) -> Result<Script, EditError> {
    let mut shell = Shell {
        text,
        at: 0,
        script: Script::default(),
        words: Vec::new(),
        under: 0,
        braces: 0,
        parens: 0,
        joined: false,
        here: Vec::new(),
    };
    shell.text()?;
    Ok(shell.script)
}

/// The key of a word that assigns, and where its value begins; `key+=` gives no value.
fn assigned(word: &str) -> Option<(&str, Option<usize>)> {
    let end = word.find(|c: char| !c.is_ascii_alphanumeric() && c != '_')?;
    let key = &word[..end];
    if !is_key(key) {
        return None;
    }
    match &word.as_bytes()[end..] {
        [b'=', ..] => Some((key, Some(end + 1))),
        [b'+', b'=', ..] => Some((key, None)),
        _ => None,
    }
}

/// Whether it can be the name of a variable.
pub fn is_key(key: &str) -> bool {
    !key.is_empty()
        && !key.starts_with(|c: char| c.is_ascii_digit())
        && key.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

struct Shell<'t> {
    text: &'t str,
    at: usize,
    script: Script,
    /// Of the present command.
    words: Vec<Range<usize>>,
    /// Compound commands that are open.
    under: usize,
    /// Those of them that may be bodies of functions.
    braces: usize,
    /// Parentheses that are open.
    parens: usize,
    /// The present command is joined to the one before, which may keep it from running.
    joined: bool,
    /// Here-documents that begin after this line: what ends them, and whether tabs before it are dropped.
    here: Vec<(String, bool)>,
}

impl Shell<'_> {
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn is_next(&self, text: &str) -> bool {
        self.text.as_bytes()[self.at..].starts_with(text.as_bytes())
    }

    fn wrong<T>(&self, at: usize, why: &str) -> Result<T, EditError> {
        Err(EditError::at(self.text, at, why))
    }

    fn text(&mut self) -> Result<(), EditError> {
        while let Some(byte) = self.peek() {
            match byte {
                b' ' | b'\t' | b'\r' => self.at += 1,
                b'\\' if self.is_next("\\\n") => self.at += 2,
                b'\\' if self.is_next("\\\r\n") => self.at += 3,
                b'#' => self.line_end(),
                b'\n' => self.newline()?,
                b';' => {
                    self.command(false);
                    self.at += 1;
                }
                b'&' | b'|' => {
                    self.command(true);
                    let both = self.is_next("&&") || self.is_next("||");
                    // What is sent to the background does not keep the next command from running.
                    self.joined = both || byte == b'|';
                    self.at += 1 + usize::from(both);
                }
                b'(' => {
                    self.command(true);
                    self.parens += 1;
                    self.at += 1;
                }
                b')' => {
                    self.command(true);
                    self.joined = false;
                    self.parens = self.parens.saturating_sub(1);
                    self.at += 1;
                }
                b'<' if self.is_next("<<") && !self.is_next("<<<") => self.here_document()?,
                b'<' | b'>' => {
                    // What follows is a file, or `&` and a number.
                    self.words.push(self.at..self.at + 1);
                    while matches!(self.peek(), Some(b'<' | b'>' | b'&' | b'|')) {
                        self.at += 1;
                    }
                }
                _ => {
                    let start = self.at;
                    self.word(0)?;
                    self.words.push(start..self.at);
                }
            }
        }
        self.command(false);
        if self.under > 0 || self.parens > 0 || !self.here.is_empty() {
            return self.wrong(self.at, "the text ends in the middle of a command");
        }
        if self.text.ends_with('\\') {
            return self.wrong(self.at, "the last line ends with a backslash");
        }
        Ok(())
    }

    fn line_end(&mut self) {
        let rest = &self.text[self.at..];
        self.at += rest.find('\n').unwrap_or(rest.len());
    }

    fn newline(&mut self) -> Result<(), EditError> {
        // After `&&` the command may come on the next line.
        let joined = self.joined && self.words.is_empty();
        self.command(joined);
        self.at += 1;
        for (end, tabs) in std::mem::take(&mut self.here) {
            loop {
                if self.at >= self.text.len() {
                    return self.wrong(self.at, "a here-document without an end");
                }
                let start = self.at;
                self.line_end();
                let line = self.text[start..self.at].trim_end_matches('\r');
                self.at = (self.at + 1).min(self.text.len());
                let line = if tabs {
                    line.trim_start_matches('\t')
                } else {
                    line
                };
                if line == end {
                    break;
                }
            }
        }
        Ok(())
    }

    fn here_document(&mut self) -> Result<(), EditError> {
        self.at += 2;
        let tabs = self.peek() == Some(b'-');
        self.at += usize::from(tabs);
        while matches!(self.peek(), Some(b' ' | b'\t')) {
            self.at += 1;
        }
        let start = self.at;
        self.word(0)?;
        let end = self.text[start..self.at].replace(['\'', '"', '\\'], "");
        self.words.push(start..self.at);
        self.here.push((end, tabs));
        Ok(())
    }

    /// One word, with all that is quoted in it.
    fn word(&mut self, depth: usize) -> Result<(), EditError> {
        let start = self.at;
        while let Some(byte) = self.peek() {
            match byte {
                b' ' | b'\t' | b'\n' | b';' | b'&' | b'|' | b'(' | b')' | b'<' | b'>' => break,
                b'\r' if self.is_next("\r\n") => break,
                _ => self.piece(byte, depth)?,
            }
        }
        match self.at == start {
            // An operator where a word was wanted.
            true => self.wrong(start, "a word is missing here"),
            false => Ok(()),
        }
    }

    /// One character, or all that is quoted by it.
    fn piece(&mut self, byte: u8, depth: usize) -> Result<(), EditError> {
        let start = self.at;
        if depth > DEEPEST {
            return self.wrong(start, "nested too deeply");
        }
        match byte {
            b'\\' => self.escaped(),
            b'\'' => {
                let end = self.text[start + 1..].find('\'');
                let Some(end) = end else {
                    return self.wrong(start, "a quote that is not closed");
                };
                self.at = start + 1 + end + 1;
            }
            b'"' | b'`' => {
                self.at += 1;
                self.until(byte, start, depth + 1)?;
            }
            b'$' if self.is_next("$(") => {
                self.at += 2;
                self.until(b')', start, depth + 1)?;
            }
            b'$' if self.is_next("${") => {
                self.at += 2;
                self.until(b'}', start, depth + 1)?;
            }
            _ => self.at += 1,
        }
        Ok(())
    }

    fn escaped(&mut self) {
        let next = self.text[self.at + 1..].chars().next();
        self.at += 1 + next.map_or(0, char::len_utf8);
    }

    /// To the byte that closes what began at `start`.
    fn until(&mut self, close: u8, start: usize, depth: usize) -> Result<(), EditError> {
        let mut open = 0;
        while let Some(byte) = self.peek() {
            if byte == close && open == 0 {
                self.at += 1;
                return Ok(());
            }
            match byte {
                b'\'' if close == b'"' || close == b'`' => self.at += 1,
                b'(' if close == b')' => {
                    open += 1;
                    self.at += 1;
                }
                b')' if close == b')' => {
                    open -= 1;
                    self.at += 1;
                }
                _ => self.piece(byte, depth)?,
            }
        }
        self.wrong(start, "a quote that is not closed")
    }

    /// The end of a command: notes what it assigns.
    fn command(&mut self, joins: bool) {
        let words = std::mem::take(&mut self.words);
        let joined = std::mem::replace(&mut self.joined, joins);
        let mut rest = words.as_slice();
        let mut closes = 0;
        while let Some(first) = rest.first().map(|word| &self.text[word.clone()]) {
            if OPENERS.contains(&first) {
                self.under += 1;
            }
            closes += usize::from(CLOSERS.contains(&first));
            match first {
                "{" => self.braces += 1,
                "}" => self.braces = self.braces.saturating_sub(1),
                _ => {}
            }
            if !PREFIXES.contains(&first) {
                break;
            }
            rest = &rest[1..];
        }
        let surely = self.under == 0 && self.parens == 0 && !joined && !joins;
        self.under = self.under.saturating_sub(closes);
        self.ends_or_unsets(rest, surely && rest.len() == words.len());
        let exports = rest.first().map(|word| &self.text[word.clone()]);
        let exports = exports.is_some_and(|word| DECLARERS.contains(&word));
        let plain = surely && rest.len() == words.len() && {
            let export = exports && &self.text[rest[0].clone()] == "export";
            rest.len() == 1 + usize::from(export)
        };
        let taken = rest.iter().skip(usize::from(exports));
        for word in taken {
            let text = &self.text[word.clone()];
            let Some((key, value)) = assigned(text) else {
                if exports {
                    continue;
                }
                break;
            };
            let value = value.filter(|_| plain);
            let assignment = Assignment {
                key: key.to_owned(),
                at: word.start,
                command: words.first().map_or(word.start, |first| first.start),
                word: word.start + value.unwrap_or(key.len() + 1)..word.end,
                plain: value.is_some(),
            };
            self.script.assignments.push(assignment);
        }
    }

    /// Notes what takes variables away again, and what ends the reading.
    fn ends_or_unsets(&mut self, words: &[Range<usize>], surely: bool) {
        let Some((first, rest)) = words.split_first() else {
            return;
        };
        let at = first.start;
        match &self.text[first.clone()] {
            "unset" => {
                let text = self.text;
                let keys = rest.iter().map(|word| &text[word.clone()]);
                // Functions are others.
                if keys.clone().all(|word| word != "-f") {
                    let keys = keys.map(|word| word.trim_matches(['"', '\'']));
                    let keys = keys.filter(|word| is_key(word));
                    self.script
                        .unset
                        .extend(keys.map(|key| (key.to_owned(), at)));
                }
            }
            // In parentheses only these end, and a function ends when it is called.
            word @ ("exit" | "return") if self.parens == 0 && self.braces == 0 => {
                let surely = surely && word == "exit";
                self.script.ends.push(End { at, surely });
            }
            _ => {}
        }
    }
}

/// What a word comes to, where nothing in it is expanded.
pub fn literal(word: &str) -> Option<String> {
    let mut value = String::new();
    let mut chars = word.chars().peekable();
    if word.starts_with('~') {
        return None;
    }
    while let Some(c) = chars.next() {
        match c {
            '\'' => loop {
                match chars.next()? {
                    '\'' => break,
                    c => value.push(c),
                }
            },
            '"' => loop {
                match chars.next()? {
                    '"' => break,
                    '$' | '`' => return None,
                    '\\' => match chars.next()? {
                        '\n' => {}
                        c @ ('"' | '\\' | '$' | '`') => value.push(c),
                        c => value.extend(['\\', c]),
                    },
                    c => value.push(c),
                }
            },
            '\\' => match chars.next()? {
                '\n' => {}
                c => value.push(c),
            },
            '$' | '`' | '*' | '?' | '[' => return None,
            c => value.push(c),
        }
    }
    Some(value)
}

/// A word that comes to this value, quoted as the word that it replaces where that does.
pub fn word(value: &str, old: &str) -> String {
    let bare = |c: char| c.is_ascii_alphanumeric() || "_./:@%+,-=".contains(c);
    let in_double = !value.contains(['"', '\\', '$', '`']);
    let quoted = |quote: char| old.len() >= 2 && old.starts_with(quote) && old.ends_with(quote);
    if quoted('\'') && !value.contains('\'') {
        format!("'{value}'")
    } else if quoted('"') && in_double {
        format!("\"{value}\"")
    } else if !value.is_empty() && value.chars().all(bare) {
        value.to_owned()
    } else if in_double {
        format!("\"{value}\"")
    } else if !value.contains('\'') {
        format!("'{value}'")
    } else {
        let mut word = String::from("\"");
        for c in value.chars() {
            if matches!(c, '"' | '\\' | '$' | '`') {
                word.push('\\');
            }
            word.push(c);
        }
        word.push('"');
        word
    }
}
