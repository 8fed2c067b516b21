//! Bounds on the shape of templates: syntax trees are walked by recursion, here and in minijinja.

use crate::render::engine::syntax;
use minijinja::machinery::{Token, tokenize};
use minijinja::{Error, ErrorKind};
use std::ops::Range;

/// So many words and operators may one expression or tag have; strings, numbers and commas are free.
const MOST_TOKENS: usize = 500;

/// So many `elif` may a template have: each lies in the one before.
const MOST_ELIFS: usize = 100;

/// What is too much in a text, and where it begins.
struct Excess {
    what: &'static str,
    span: Range<usize>,
}

/// Whether a template, or a bare expression, is one that can be looked at.
///
/// # Errors
/// Where it is too long, or its words are none.
pub fn check(text: &str, is_expression: bool) -> Result<(), Error> {
    match excess(text, is_expression)? {
        Some(excess) => Err(Error::new(ErrorKind::SyntaxError, excess.what)),
        None => Ok(()),
    }
}

/// Where in a template [`check`] finds too much, which its error cannot say.
pub fn place(text: &str) -> Option<Range<usize>> {
    Some(excess(text, false).ok()??.span)
}

fn excess(text: &str, is_expression: bool) -> Result<Option<Excess>, Error> {
    let mut tokens = 0;
    let mut elifs = 0;
    let mut start = 0..text.len();
    for token in tokenize(text, is_expression, syntax()) {
        let (token, span) = token?;
        let span = super::range(span);
        match token {
            Token::VariableStart | Token::BlockStart | Token::TemplateData(_) => {
                (tokens, start) = (0, span);
            }
            Token::Comma | Token::Colon => {}
            Token::Str(_) | Token::String(_) | Token::Int(_) | Token::Float(_) => {}
            token => {
                tokens += 1;
                if matches!(token, Token::Ident("elif")) {
                    elifs += 1;
                }
                if elifs > MOST_ELIFS {
                    let what = "too many `elif`";
                    return Ok(Some(Excess { what, span }));
                }
            }
        }
        if tokens > MOST_TOKENS {
            let what = "the expression is too long";
            return Ok(Some(Excess { what, span: start }));
        }
    }
    Ok(None)
}
