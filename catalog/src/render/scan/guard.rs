//! Bounds on the shape of templates: syntax trees are walked by recursion, here and in minijinja.

use crate::render::engine::syntax;
use minijinja::machinery::{Token, tokenize};
use minijinja::{Error, ErrorKind};

/// So many words and operators may one expression or tag have; strings, numbers and commas are free.
const MOST_TOKENS: usize = 500;

/// So many `elif` may a template have: each lies in the one before.
const MOST_ELIFS: usize = 100;

/// Whether a template, or a bare expression, is one that can be looked at.
///
/// # Errors
/// Where it is too long, or its words are none.
pub fn check(text: &str, is_expression: bool) -> Result<(), Error> {
    let mut tokens = 0;
    let mut elifs = 0;
    for token in tokenize(text, is_expression, syntax()) {
        match token?.0 {
            Token::VariableStart | Token::BlockStart | Token::TemplateData(_) => tokens = 0,
            Token::Comma | Token::Colon => {}
            Token::Str(_) | Token::String(_) | Token::Int(_) | Token::Float(_) => {}
            token => {
                tokens += 1;
                elifs += usize::from(matches!(token, Token::Ident("elif")));
            }
        }
        if tokens > MOST_TOKENS {
            return Err(Error::new(
                ErrorKind::SyntaxError,
                "the expression is too long",
            ));
        }
        if elifs > MOST_ELIFS {
            return Err(Error::new(ErrorKind::SyntaxError, "too many `elif`"));
        }
    }
    Ok(())
}
