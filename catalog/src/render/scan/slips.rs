//! What somebody has forgotten or written as elsewhere, where a template or an expression cannot be read: minijinja says
//! where it stopped, which may be far from that.

use super::range;
use crate::render::engine::{message, syntax};
use crate::text::near::nearest;
use crate::text::remedy;
use minijinja::Error;
use minijinja::machinery::{Token, tokenize};
use std::ops::Range;

/// What is wrong with a text, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slip {
    /// In one line.
    pub message: String,
    /// Bytes of the text; none where nobody knows.
    pub span: Option<Range<usize>>,
    /// Another place that has a part in it.
    pub note: Option<(Range<usize>, &'static str)>,
    /// What to write.
    pub help: Option<String>,
}

/// Words that open what an `end…` closes.
const OPENERS: [&str; 10] = [
    "if",
    "for",
    "macro",
    "call",
    "filter",
    "block",
    "with",
    "set",
    "autoescape",
    "raw",
];

/// Other words that a tag begins with.
const WORDS: [&str; 7] = ["elif", "else", "include", "import", "from", "extends", "do"];

/// A `{% … %}`, or `{{ … }}`.
struct Tag<'t> {
    /// Its first word; none of `{{ … }}`.
    word: Option<&'t str>,
    /// Its second one.
    second: Option<&'t str>,
    /// Whether it sets something to a value.
    assigns: bool,
    /// All of it, or what begins it where it has no end.
    span: Range<usize>,
    closed: bool,
}

/// The tags of a text, up to where its words are none.
fn tags(text: &str) -> Vec<Tag<'_>> {
    let mut tags: Vec<Tag<'_>> = Vec::new();
    for token in tokenize(text, false, syntax()) {
        let Ok((token, span)) = token else { break };
        let span = range(span);
        let (open, is_first) = match tags.last_mut() {
            Some(tag) if !tag.closed => (Some(tag), false),
            _ => (None, true),
        };
        match (token, open) {
            (Token::BlockStart | Token::VariableStart, _) if is_first => tags.push(Tag {
                word: None,
                second: None,
                assigns: false,
                span,
                closed: false,
            }),
            (Token::BlockEnd | Token::VariableEnd, Some(tag)) => {
                (tag.span.end, tag.closed) = (span.end, true);
            }
            (Token::Ident(word), Some(tag)) if text[tag.span.clone()].starts_with("{%") => {
                match tag.word {
                    None => tag.word = Some(word),
                    Some(_) => {
                        tag.second.get_or_insert(word);
                    }
                }
            }
            (Token::Assign, Some(tag)) => tag.assigns = true,
            _ => {}
        }
    }
    tags
}

/// What is wrong with a template that cannot be read.
pub fn of_template(text: &str, why: &Error) -> Slip {
    let plain = Slip {
        message: message(why),
        span: why.range(),
        note: None,
        help: None,
    };
    let tags = tags(text);
    let at = why.range().map_or(text.len(), |range| range.start);
    let says = |words: &str| plain.message.contains(words);
    let unended = || says("unexpected").then(|| unended(text, &tags, at))?;
    let unpaired =
        || (says("end of input") || says("unknown statement end")).then(|| unpaired(&tags, at))?;
    unended()
        .or_else(unpaired)
        .or_else(|| unknown(&tags, at, &plain))
        .unwrap_or_else(|| Slip {
            help: asked(text, at).and_then(operator).map(str::to_owned),
            ..plain
        })
}

/// The expression of a `{{ … }}`, an `if` or an `elif` that this place lies in; elsewhere one `=` is right.
fn asked(text: &str, at: usize) -> Option<&str> {
    let before = text.get(..at)?;
    let start = before.rfind("{%").max(before.rfind("{{"))?;
    let inner = &text[start + 2..];
    let (ends, inner) = match text[start..].starts_with("{%") {
        true => {
            let inner = inner.trim_start_matches(['-', '+']).trim_start();
            let tag = inner.strip_prefix("if").or(inner.strip_prefix("elif"))?;
            ("%}", tag.strip_prefix(char::is_whitespace)?)
        }
        false => ("}}", inner),
    };
    Some(inner.split(ends).next().unwrap_or(inner))
}

/// A tag without its end, which shows in a later line.
fn unended(text: &str, tags: &[Tag<'_>], at: usize) -> Option<Slip> {
    let before = |tag: &&Tag<'_>| tag.span.start < at;
    let tag = tags.iter().rev().find(before)?;
    let start = tag.span.start;
    if tag.closed {
        return None;
    }
    let rest = &text[start..];
    let line = rest.lines().next().unwrap_or_default();
    let over = start + line.len() < at || at >= text.len();
    let (opens, ends) = match rest.starts_with("{%") {
        true => ("{%", "%}"),
        false => ("{{", "}}"),
    };
    (over && !line.contains(ends)).then(|| Slip {
        message: format!("this `{opens}` has no `{ends}`"),
        span: Some(start..start + line.trim_end().len()),
        note: None,
        help: None,
    })
}

/// What is opened and not closed, or closed and not opened.
fn unpaired(tags: &[Tag<'_>], at: usize) -> Option<Slip> {
    let mut open: Vec<&Tag<'_>> = Vec::new();
    for tag in tags.iter().filter(|tag| tag.closed && tag.span.start <= at) {
        let Some(word) = tag.word else { continue };
        if let Some(closes) = word.strip_prefix("end").filter(|it| OPENERS.contains(it)) {
            match open.last() {
                Some(last) if last.word == Some(closes) => drop(open.pop()),
                Some(last) => {
                    let opened = last.word.unwrap_or_default();
                    return Some(Slip {
                        message: format!("`{word}` stands where `end{opened}` is wanted"),
                        span: Some(tag.span.clone()),
                        note: Some((last.span.clone(), "what is open")),
                        help: None,
                    });
                }
                None => {
                    return Some(Slip {
                        message: format!("`{word}` ends nothing: no `{closes}` is open"),
                        span: Some(tag.span.clone()),
                        note: None,
                        help: None,
                    });
                }
            }
        } else if OPENERS.contains(&word) && !(word == "set" && tag.assigns) {
            open.push(tag);
        }
    }
    let last = open.last()?;
    let all = tags.iter().all(|tag| tag.closed && tag.span.end <= at);
    let word = last.word?;
    all.then(|| Slip {
        message: format!("this `{word}` has no end"),
        span: Some(last.span.clone()),
        note: None,
        help: Some(format!("{{% end{word} %}} is wanted")),
    })
}

/// A tag that begins with a word that Jinja does not have, or goes on with one.
fn unknown(tags: &[Tag<'_>], at: usize, plain: &Slip) -> Option<Slip> {
    let tag = tags.iter().find(|tag| tag.span.contains(&at))?;
    let word = tag.word?;
    let help = match (word, tag.second) {
        ("else", Some("if")) | ("elseif" | "elsif", _) => "write `elif`".to_owned(),
        ("unless", _) => "write `if not`, and `endif`".to_owned(),
        ("end", Some(what)) if OPENERS.contains(&what) => format!("write `end{what}`"),
        ("end" | "fi" | "done", _) => "write `endif` or `endfor`, as what is open".to_owned(),
        ("break" | "continue", _) => {
            "no loop ends early: `for x in … if …` leaves items out".to_owned()
        }
        ("else" | "elif", _) if plain.message.contains("unknown statement") => {
            "it stands between `if` and `endif`: any `elif`, then one `else` at most".to_owned()
        }
        ("foreach" | "each", _) => "write `for x in …`, and `endfor`".to_owned(),
        (word, _) if plain.message.contains("unknown statement") => {
            let ends = OPENERS.map(|word| format!("end{word}"));
            let all = ends.iter().map(String::as_str).chain(OPENERS).chain(WORDS);
            format!("did you mean `{}`?", nearest(word, all)?)
        }
        _ => return None,
    };
    Some(Slip {
        help: Some(help),
        ..plain.clone()
    })
}

/// What to write for a bare expression that cannot be read; `key` is where it stands.
pub fn of_expression(text: &str, key: &str) -> Option<String> {
    if text.contains("{{") {
        return Some(format!("`{key}` is a bare expression, without {{{{ }}}}"));
    }
    if let Some(help) = operator(text) {
        return Some(help.into());
    }
    let bare = unquoted(text);
    (key == "each" && bare.contains(',') && !bare.contains(['[', '(', '{']))
        .then(|| format!("items are an array: each = {}", remedy::array(text)))
}

/// What to write for an operator of another language.
fn operator(text: &str) -> Option<&'static str> {
    let bare = unquoted(text);
    Some(if bare.contains("&&") {
        "write `and` for `&&`"
    } else if bare.contains("||") {
        "write `or` for `||`"
    } else if bare.contains("===") {
        "write `==`"
    } else if bare.contains("=>") {
        "write `>=` for `=>`"
    } else if bare.contains("=<") {
        "write `<=` for `=<`"
    } else if compares_with_one(&bare) {
        "write `==`: one `=` compares nothing"
    } else if bare.replace("!=", "").contains('!') {
        "write `not` for `!`"
    } else if bare.contains("=~") || bare.contains("!~") {
        "no expression matches a pattern: compare with `==`, `in`, or the tests startingwith and endingwith"
    } else {
        return None;
    })
}

/// Whether one `=` stands there, and not behind the name of an argument.
fn compares_with_one(bare: &str) -> bool {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let mut calls = Vec::new();
    for (at, c) in bare.char_indices() {
        let (before, after) = (&bare[..at], &bare[at + c.len_utf8()..]);
        match c {
            '(' => {
                let word = before.rsplit(|c| !is_word(c)).next().unwrap_or_default();
                calls.push(!["", "not", "and", "or", "in", "if", "else", "is"].contains(&word));
            }
            ')' => drop(calls.pop()),
            '=' if before.ends_with(['=', '!', '<', '>']) || after.starts_with('=') => {}
            '=' => {
                let rest = before.trim_end().trim_end_matches(is_word).trim_end();
                if calls.last() != Some(&true) || !rest.ends_with(['(', ',']) {
                    return true;
                }
            }
            _ => {}
        }
    }
    false
}

/// The text without what stands in quotes.
fn unquoted(text: &str) -> String {
    let mut quote = None;
    let mut escaped = false;
    let outside = |c: &char| match (quote, *c) {
        (None, '\'' | '"') => {
            quote = Some(*c);
            false
        }
        (Some(open), c) => {
            if open == c && !escaped {
                quote = None;
            }
            escaped = c == '\\' && !escaped;
            false
        }
        (None, _) => true,
    };
    text.chars().filter(outside).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::scan;

    #[test]
    fn what_stands_in_quotes_is_not_looked_at() {
        assert_eq!(unquoted("a == 'b && c' or \"=\""), "a ==  or ");
        assert_eq!(unquoted(r"'it\'s && x' == 'a\\' b"), " ==  b");
        assert_eq!(of_expression("a == 'x = y' b", "when"), None);
    }

    #[test]
    fn the_name_of_an_argument_has_one_sign() {
        let one = "write `==`: one `=` compares nothing";
        for (text, help) in [
            ("range(a=3) foo", None),
            ("range(1, a = 3) foo", None),
            ("f(g(a=1), b=2) foo", None),
            ("f(a.b = 3)", Some(one)),
            ("f(a=3) = 1", Some(one)),
            ("not (a = 3)", Some(one)),
            ("b and(a = 3)", Some(one)),
            ("a == b = 3", Some(one)),
            ("x => 3", Some("write `>=` for `=>`")),
            ("x =< 3", Some("write `<=` for `=<`")),
        ] {
            assert_eq!(operator(text), help, "{text}");
        }
    }

    #[test]
    fn the_engine_has_every_word() {
        let unknown = |text: &str| {
            let why = scan::template(text, "").err();
            why.is_some_and(|why| message(&why).contains("unknown statement"))
        };
        assert!(unknown("{% if x %}{% break %}"));
        for word in OPENERS.into_iter().chain(WORDS) {
            assert!(!unknown(&format!("{{% if x %}}{{% {word} %}}")), "{word}");
        }
    }
}
