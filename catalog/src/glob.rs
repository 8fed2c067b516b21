//! Globs: `*`, `?`, `[…]`, `{…,…}`, and over names `**`, which alone crosses `/`.

use regex_lite::Regex;
use std::iter::Peekable;
use std::str::Chars;

/// A glob, ready to be matched.
#[derive(Clone, Debug)]
pub struct Glob {
    /// How everything begins that it matches; most names differ here already.
    head: String,
    regex: Regex,
}

/// Why a text is no glob.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadGlob {
    /// `[` without `]`.
    #[error("unclosed character class; missing ']'")]
    Class,
    /// A range of characters from a later to an earlier one.
    #[error("invalid range; '{0}' > '{1}'")]
    Range(char, char),
    /// `{` without `}`.
    #[error("unclosed alternate group; missing '}}'")]
    Unclosed,
    /// `}` without `{`.
    #[error("unopened alternate group; missing '{{'")]
    Unopened,
    /// A `\` at the end.
    #[error("dangling '\\'")]
    Dangling,
    /// More than any name is worth.
    #[error("too long")]
    Long,
}

impl Glob {
    /// Over names with `/` in them: `*`, `?` and `**` as in .gitignore, `\` takes the next character as it is.
    ///
    /// # Errors
    /// Where it is none.
    pub fn of_names(glob: &str) -> Result<Self, BadGlob> {
        Self::new(glob, true)
    }

    /// Over any text: `/` and `\` are characters like others, and `**` is as `*`.
    ///
    /// # Errors
    /// Where it is none.
    pub fn of_text(glob: &str) -> Result<Self, BadGlob> {
        Self::new(glob, false)
    }

    fn new(glob: &str, names: bool) -> Result<Self, BadGlob> {
        let mut reading = Reading {
            rest: glob.chars().peekable(),
            names,
            depth: 0,
        };
        let pieces = reading.branch()?;
        let mut whole = String::new();
        match pieces.as_slice() {
            [Piece::Leading] => whole.push_str(".*"),
            pieces => spell(pieces, names, &mut whole),
        }
        let regex = Regex::new(&format!(r"(?s)\A(?:{whole})\z")).map_err(|_| BadGlob::Long)?;
        let head = pieces.iter().map_while(|piece| match piece {
            Piece::Char(literal) => Some(literal),
            _ => None,
        });
        Ok(Self {
            head: head.collect(),
            regex,
        })
    }

    /// Whether the whole text is meant.
    pub fn matches(&self, text: &str) -> bool {
        text.starts_with(&self.head) && self.regex.is_match(text)
    }
}

/// What a glob is made of.
enum Piece {
    /// This.
    Char(char),
    /// `?`
    One,
    /// `*`
    Many,
    /// `**/` at the beginning: any folders, or none.
    Leading,
    /// `/**/`: any folders between, or none.
    Between,
    /// `/**` at the end: all that lies below.
    Below,
    /// `[…]`, as in a regular expression.
    Class(String),
    /// `{…,…}`
    Either(Vec<Vec<Piece>>),
}

struct Reading<'a> {
    rest: Peekable<Chars<'a>>,
    names: bool,
    /// How many `{` are open.
    depth: usize,
}

impl Reading<'_> {
    /// Up to the end, or up to the `,` or `}` that ends an alternative.
    fn branch(&mut self) -> Result<Vec<Piece>, BadGlob> {
        let mut pieces = Vec::new();
        while let Some(&next) = self.rest.peek() {
            match next {
                ',' | '}' if self.depth > 0 => return Ok(pieces),
                '}' => return Err(BadGlob::Unopened),
                _ => self.rest.next(),
            };
            match next {
                '?' => pieces.push(Piece::One),
                '*' if self.names => self.stars(&mut pieces),
                '*' => pieces.push(Piece::Many),
                '[' => pieces.push(self.class()?),
                '{' => pieces.push(self.either()?),
                '\\' if self.names => {
                    let escaped = self.rest.next().ok_or(BadGlob::Dangling)?;
                    pieces.push(Piece::Char(escaped));
                }
                other => pieces.push(Piece::Char(other)),
            }
        }
        match self.depth {
            0 => Ok(pieces),
            _ => Err(BadGlob::Unclosed),
        }
    }

    /// After a `*`. Two of them mean folders where they stand alone between `/`, or else the same as one.
    fn stars(&mut self, pieces: &mut Vec<Piece>) {
        if self.rest.next_if_eq(&'*').is_none() {
            return pieces.push(Piece::Many);
        }
        let next = self.rest.peek().copied();
        let slash = next == Some('/');
        let ends = next.is_none() || (self.depth > 0 && matches!(next, Some(',' | '}')));
        match pieces.last() {
            None if slash || next.is_none() => pieces.push(Piece::Leading),
            Some(Piece::Leading) if slash || ends => {}
            Some(Piece::Char('/') | Piece::Between) if slash || ends => {
                pieces.pop();
                pieces.push(if ends { Piece::Below } else { Piece::Between });
            }
            _ => return pieces.push(Piece::Many),
        }
        self.rest.next_if_eq(&'/');
    }

    /// After a `{`.
    fn either(&mut self) -> Result<Piece, BadGlob> {
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err(BadGlob::Long);
        }
        let mut branches = vec![self.branch()?];
        while self.rest.next_if_eq(&',').is_some() {
            branches.push(self.branch()?);
        }
        self.rest.next();
        self.depth -= 1;
        Ok(Piece::Either(branches))
    }

    /// After a `[`. A `]` at the beginning is one of its characters, and so is a `-` at either end or behind a range.
    fn class(&mut self) -> Result<Piece, BadGlob> {
        let mut class = String::from("[");
        if self.rest.next_if(|c| matches!(c, '!' | '^')).is_some() {
            class.push('^');
        }
        let mut next = self.rest.next();
        loop {
            let first = next.ok_or(BadGlob::Class)?;
            class.push_str(&literal(first));
            next = self.rest.next();
            if next == Some('-') && self.rest.peek().is_some_and(|c| *c != ']') {
                let last = self.rest.next().ok_or(BadGlob::Class)?;
                if last < first {
                    return Err(BadGlob::Range(first, last));
                }
                class.push('-');
                class.push_str(&literal(last));
                next = self.rest.next();
            }
            if next == Some(']') {
                class.push(']');
                return Ok(Piece::Class(class));
            }
        }
    }
}

/// So deep may `{` stand in one another.
const DEEPEST: usize = 20;

/// As a regular expression.
fn spell(pieces: &[Piece], names: bool, out: &mut String) {
    for piece in pieces {
        match piece {
            Piece::Char(char) => out.push_str(&literal(*char)),
            Piece::One => out.push_str(if names { "[^/]" } else { "." }),
            Piece::Many => out.push_str(if names { "[^/]*" } else { ".*" }),
            Piece::Leading => out.push_str("(?:/?|.*/)"),
            Piece::Between => out.push_str("(?:/|/.*/)"),
            Piece::Below => out.push_str("/.*"),
            Piece::Class(class) => out.push_str(class),
            Piece::Either(branches) => {
                out.push_str("(?:");
                for (at, branch) in branches.iter().enumerate() {
                    if at > 0 {
                        out.push('|');
                    }
                    spell(branch, names, out);
                }
                out.push(')');
            }
        }
    }
}

/// One character, whatever it means elsewhere.
fn literal(char: char) -> String {
    match char.is_alphanumeric() || char == '/' {
        true => char.to_string(),
        false => format!("\\x{{{:X}}}", u32::from(char)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn over_names() {
        for (glob, text, does) in [
            ("/etc/*", "/etc/hosts", true),
            ("/etc/*", "/etc/apt/x", false),
            ("/etc/**", "/etc/apt/x", true),
            ("/etc/**", "/etc", false),
            ("/etc/**/x", "/etc/x", true),
            ("/etc/**/x", "/etc/a/b/x", true),
            ("**/x", "/etc/x", true),
            ("**", "/etc/x", true),
            ("/etc/h?sts", "/etc/hästs", true),
            ("/etc?hosts", "/etc/hosts", false),
            ("/etc/{hosts,group}", "/etc/group", true),
            ("/etc/{hosts,gr{ou,uo}p}", "/etc/gruop", true),
            (r"/etc/\*", "/etc/*", true),
            (r"/etc/\*", "/etc/x", false),
            ("/e.c", "/etc", false),
            ("/x[]-]", "/x]", true),
            ("/x[a-]", "/x-", true),
            ("/x[!a-c]", "/xb", false),
            ("/x[a-c-e]", "/x-", true),
            ("/x[a-c-e]", "/xd", false),
        ] {
            let found = Glob::of_names(glob).unwrap().matches(text);
            assert_eq!(found, does, "{glob} {text}");
        }
    }

    #[test]
    fn over_text() {
        for (glob, text, does) in [("a*b", "a/b", true), (r"\*", r"\x", true), ("?", "/", true)] {
            let found = Glob::of_text(glob).unwrap().matches(text);
            assert_eq!(found, does, "{glob} {text}");
        }
    }

    #[test]
    fn what_is_none() {
        for (glob, why) in [
            ("[a", BadGlob::Class),
            ("[]", BadGlob::Class),
            ("[b-a]", BadGlob::Range('b', 'a')),
            ("{a", BadGlob::Unclosed),
            ("{a,", BadGlob::Unclosed),
            ("a}", BadGlob::Unopened),
            (r"a\", BadGlob::Dangling),
        ] {
            assert_eq!(Glob::of_names(glob).unwrap_err(), why, "{glob}");
        }
        let deep = |times: usize| "{".repeat(times) + &"}".repeat(times);
        assert!(Glob::of_names(&deep(DEEPEST)).is_ok());
        assert_eq!(Glob::of_names(&deep(100_000)).unwrap_err(), BadGlob::Long);
    }

    proptest! {
        /// The field's own globs are the measure. (They leave out an empty alternative, and widen a range by a `-` behind it, which
        /// is a character to fnmatch and to .gitignore; neither is copied.)
        #[test]
        fn as_others_match(glob in r"[ab/*?\[\]{},!\\-]{0,12}", texts in prop::collection::vec("[ab/]{0,6}", 20)) {
            prop_assume!(!["{,", ",,", ",}", "{}"].iter().any(|empty| glob.contains(empty)));
            prop_assume!(!glob.as_bytes().windows(3).any(|three| three[0] == b'-' && three[2] == b'-'));
            let theirs = globset::GlobBuilder::new(&glob).literal_separator(true).backslash_escape(true).build();
            let ours = Glob::of_names(&glob);
            prop_assert_eq!(ours.is_ok(), theirs.is_ok(), "{:?} {:?}", ours, theirs);
            if let (Ok(ours), Ok(theirs)) = (ours, theirs) {
                let theirs = theirs.compile_matcher();
                for text in texts {
                    prop_assert_eq!(ours.matches(&text), theirs.is_match(&text), "{} {:?}", text, ours);
                }
            }
        }
    }
}
