//! JSON. New members come last in their object, spaced as the one before them.

use super::Document;
use super::error::EditError;
use super::text::eol;
use super::tree::Tree;
use super::wanted::joined;
use serde::de::IgnoredAny;
use serde_json::Value;
use std::ops::Range;

/// Values in one another, at most.
const DEEPEST: usize = 128;

/// A text and where what is in it stands.
pub struct Json {
    text: String,
    root: Node,
}

struct Node {
    span: Range<usize>,
    /// Of an object.
    members: Option<Vec<Member>>,
}

struct Member {
    key: String,
    /// Where the key begins.
    start: usize,
    /// Where its quotes end.
    key_end: usize,
    value: Node,
}

struct Reader<'t> {
    text: &'t str,
    at: usize,
}

impl Reader<'_> {
    fn wrong<T>(&self, why: &str) -> Result<T, EditError> {
        Err(EditError::at(
            self.text,
            self.at,
            format!("this is no JSON: {why}"),
        ))
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn byte(&mut self, wanted: u8) -> Result<(), EditError> {
        self.space();
        if self.peek() != Some(wanted) {
            return self.wrong(&format!("`{}` is missing here", char::from(wanted)));
        }
        self.at += 1;
        Ok(())
    }

    fn value(&mut self, depth: usize) -> Result<Node, EditError> {
        self.space();
        if depth > DEEPEST {
            return self.wrong("nested too deeply");
        }
        let start = self.at;
        let members = match self.peek() {
            Some(b'{') => Some(self.object(depth)?),
            Some(b'[') => {
                self.array(depth)?;
                None
            }
            Some(b'"') => {
                self.string()?;
                None
            }
            _ => {
                self.word()?;
                None
            }
        };
        Ok(Node {
            span: start..self.at,
            members,
        })
    }

    /// Whether another item follows, and its comma is taken; else the closing byte is.
    fn more(&mut self, close: u8, first: bool) -> Result<bool, EditError> {
        self.space();
        if self.peek() == Some(close) {
            self.at += 1;
            return Ok(false);
        }
        if !first {
            self.byte(b',')?;
            let comma = self.at - 1;
            self.space();
            if self.peek() == Some(close) {
                self.at = comma;
                return self.wrong("nothing follows this comma");
            }
        }
        Ok(true)
    }

    fn object(&mut self, depth: usize) -> Result<Vec<Member>, EditError> {
        self.at += 1;
        let mut members = Vec::new();
        while self.more(b'}', members.is_empty())? {
            self.space();
            let start = self.at;
            let key = self.string()?;
            let key_end = self.at;
            self.byte(b':')?;
            let value = self.value(depth + 1)?;
            members.push(Member {
                key,
                start,
                key_end,
                value,
            });
        }
        Ok(members)
    }

    fn array(&mut self, depth: usize) -> Result<(), EditError> {
        self.at += 1;
        let mut first = true;
        while self.more(b']', first)? {
            self.value(depth + 1)?;
            first = false;
        }
        Ok(())
    }

    fn string(&mut self) -> Result<String, EditError> {
        let start = self.at;
        match self.peek() {
            Some(b'"') => self.at += 1,
            Some(b'/' | b'#') => return self.wrong("comments are no part of it"),
            _ => return self.wrong("a string in double quotes is missing here"),
        }
        loop {
            match self.peek() {
                None => return self.wrong("a string without an end"),
                Some(b'"') => break,
                Some(b'\\') => self.at += 2,
                Some(_) => self.at += 1,
            }
        }
        self.at += 1;
        let text = self.text.get(start..self.at).unwrap_or_default();
        let read = serde_json::from_str(text);
        self.at = if read.is_err() { start } else { self.at };
        read.or_else(|_| self.wrong("a string that cannot be"))
    }

    fn word(&mut self) -> Result<(), EditError> {
        let start = self.at;
        while self
            .peek()
            .is_some_and(|b| b.is_ascii_alphanumeric() || b"+-.".contains(&b))
        {
            self.at += 1;
        }
        // Nothing is made of it: a number that no reader here could hold is one all the same.
        match serde_json::from_str::<IgnoredAny>(&self.text[start..self.at]) {
            Ok(_) => Ok(()),
            Err(_) => {
                self.at = start;
                match self.peek() {
                    Some(b'/' | b'#') => self.wrong("comments are no part of it"),
                    _ => self.wrong("a value is missing here"),
                }
            }
        }
    }
}

impl Node {
    fn member(&self, key: &str) -> Option<&Member> {
        // Of several of one name readers take the last.
        let members = self.members.iter().flatten();
        members.rev().find(|member| member.key == key)
    }
}

impl Json {
    /// The value of a node.
    fn value(&self, node: &Node) -> Option<Value> {
        serde_json::from_str(&self.text[node.span.clone()]).ok()
    }

    /// What indents a member of this object, and one level; none where it is written on one line.
    fn indents(&self, node: &Node) -> Option<(String, String)> {
        let before = |at: usize| {
            let line = self.text[..at].rfind('\n').map_or(0, |at| at + 1);
            let rest = &self.text[line..at];
            let indent = &rest[..rest.len() - rest.trim_start().len()];
            (indent, rest.trim().is_empty())
        };
        let (outer, _) = before(node.span.start);
        match node.members.iter().flatten().next_back() {
            Some(last) => {
                let (own, alone) = before(last.start);
                let unit = own.strip_prefix(outer).filter(|unit| !unit.is_empty());
                alone.then(|| (own.to_owned(), unit.unwrap_or("  ").to_owned()))
            }
            None => {
                let whole = &self.text;
                let one_line =
                    whole.trim_end().contains('\n') || node.span.len() == whole.trim().len();
                let unit = self.unit().unwrap_or("  ");
                one_line.then(|| (format!("{outer}{unit}"), unit.to_owned()))
            }
        }
    }

    /// What indents the first member of the whole.
    fn unit(&self) -> Option<&str> {
        let first = self.root.members.iter().flatten().next()?;
        let line = self.text[..first.start].rfind('\n')?;
        let unit = &self.text[line + 1..first.start];
        (!unit.is_empty() && unit.trim().is_empty()).then_some(unit)
    }

    /// A value as it is written in an object with these indents.
    fn written(&self, value: &Value, indents: Option<&(String, String)>) -> String {
        let Some((own, unit)) = indents.filter(|_| value.is_array() || value.is_object()) else {
            return value.to_string();
        };
        let mut text = Vec::new();
        let pretty = serde_json::ser::PrettyFormatter::with_indent(unit.as_bytes());
        let mut out = serde_json::Serializer::with_formatter(&mut text, pretty);
        if serde::Serialize::serialize(value, &mut out).is_err() {
            return value.to_string();
        }
        let text = String::from_utf8_lossy(&text);
        text.replace('\n', &format!("{}{own}", eol(&self.text)))
    }

    fn splice(&self, range: Range<usize>, with: &str) -> String {
        let (before, after) = (&self.text[..range.start], &self.text[range.end..]);
        format!("{before}{with}{after}")
    }

    fn insert(&self, object: &Node, key: &str, value: &Value) -> String {
        let indents = self.indents(object);
        let key = Value::from(key).to_string();
        let value = self.written(value, indents.as_ref());
        let members = object.members.as_deref().unwrap_or_default();
        if let [.., last] = members {
            let start = match members {
                [.., before, _] => before.value.span.end + 1,
                _ => object.span.start + 1,
            };
            let gap = &self.text[start..last.start];
            let gap = gap.trim_start_matches(',');
            // In one line the first member is not set apart, and the others are.
            let gap = if gap.is_empty() && members.len() == 1 {
                " "
            } else {
                gap
            };
            let colon = &self.text[last.key_end..last.value.span.start];
            let end = last.value.span.end;
            return self.splice(end..end, &format!(",{gap}{key}{colon}{value}"));
        }
        let inner = match &indents {
            None => format!("{key}: {value}"),
            Some((own, unit)) => {
                let outer = own.strip_suffix(unit.as_str()).unwrap_or_default();
                let eol = eol(&self.text);
                format!("{eol}{own}{key}: {value}{eol}{outer}")
            }
        };
        self.splice(object.span.start + 1..object.span.end - 1, &inner)
    }

    fn no_object(&self, node: &Node, path: &[String]) -> EditError {
        let at = node.span.start;
        match path {
            [] => EditError::at(&self.text, at, "the whole is no object"),
            path => EditError::at(
                &self.text,
                at,
                format!("`{}` is no object here", joined(path)),
            )
            .help("remove it by hand first, or write the whole file"),
        }
    }
}

impl Document for Json {
    fn read(text: &str) -> Result<Self, EditError> {
        if text.trim().is_empty() {
            return Self::read("{}\n");
        }
        let mut reader = Reader { text, at: 0 };
        let root = reader.value(0)?;
        reader.space();
        if reader.at < text.len() {
            return reader.wrong("something follows the end");
        }
        Ok(Self {
            text: text.to_owned(),
            root,
        })
    }

    fn set(&self, path: &[String], value: &Value) -> Result<Option<String>, EditError> {
        let mut node = &self.root;
        for (depth, key) in path.iter().enumerate() {
            if node.members.is_none() {
                return Err(self.no_object(node, &path[..depth]));
            }
            let Some(member) = node.member(key) else {
                let rest = path[depth + 1..].iter().rev();
                let value = rest.fold(value.clone(), |value, key| {
                    Value::Object([(key.clone(), value)].into_iter().collect())
                });
                return Ok(Some(self.insert(node, key, &value)));
            };
            if depth + 1 == path.len() {
                if member.value.members.is_some() {
                    let why = format!("`{}` is an object here", joined(path));
                    return Err(EditError::at(&self.text, member.start, why)
                        .help("set the keys in it, or remove it by hand first"));
                }
                if self.value(&member.value).as_ref() == Some(value) {
                    return Ok(None);
                }
                let indents = self.indents(node);
                let text = self.written(value, indents.as_ref());
                return Ok(Some(self.splice(member.value.span.clone(), &text)));
            }
            node = &member.value;
        }
        Ok(None)
    }

    /// All of one name; by no key, the whole.
    fn remove(&self, path: &[String]) -> Result<Option<String>, EditError> {
        let Some((last, way)) = path.split_last() else {
            return Ok(Some(String::new()));
        };
        let mut node = &self.root;
        for key in way {
            match node.member(key) {
                Some(member) => node = &member.value,
                None => return Ok(None),
            }
        }
        let members = node.members.as_deref().unwrap_or_default();
        let kept: Vec<usize> = (0..members.len())
            .filter(|at| members[*at].key != *last)
            .collect();
        let (Some(first), false) = (kept.first(), kept.len() == members.len()) else {
            let inner = node.span.start + 1..node.span.end.saturating_sub(1);
            return Ok((kept.len() < members.len()).then(|| self.splice(inner, "")));
        };
        // Each that stays takes along what stands before it; the first one, what stood before the first of all.
        let gap = |at: usize| match at {
            0 => node.span.start + 1,
            at => members[at - 1].value.span.end,
        };
        let mut text = self.text[..gap(0)].to_owned();
        text.push_str(&self.text[gap(0)..members[0].start]);
        for at in &kept {
            let member = &members[*at];
            let start = if at == first { member.start } else { gap(*at) };
            text.push_str(&self.text[start..member.value.span.end]);
        }
        let end = members.last().map_or(0, |member| member.value.span.end);
        text.push_str(&self.text[end..]);
        Ok(Some(text))
    }

    fn tree(&self) -> Tree {
        self.branch(&self.root)
    }
}

impl Json {
    fn branch(&self, node: &Node) -> Tree {
        match &node.members {
            None => Tree::Leaf(self.text[node.span.clone()].to_owned()),
            Some(members) => Tree::Table(
                members
                    .iter()
                    .map(|member| (member.key.clone(), self.branch(&member.value)))
                    .collect(),
            ),
        }
    }
}
