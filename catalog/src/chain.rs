//! An error with all that it comes from, in one line.

use std::error::Error;

/// The words of the error and of each of its causes. What was said before is not said again: many errors
/// repeat their cause in their own words.
pub fn chain(error: &(dyn Error + 'static)) -> String {
    let mut words: Vec<String> = Vec::new();
    let mut next = Some(error);
    while let Some(error) = next {
        let word = error.to_string();
        if !word.is_empty() && !words.iter().any(|said| says(said, &word)) {
            words.push(word);
        }
        next = error.source();
    }
    words.join(": ")
}

/// Whether the text has the words whole, not as a part of longer ones.
fn says(text: &str, words: &str) -> bool {
    let inside = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
    text.match_indices(words).any(|(at, _)| {
        !inside(text[..at].chars().next_back()) && !inside(text[at + words.len()..].chars().next())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fmt;

    #[derive(Debug)]
    struct Link(&'static str, Option<Box<Link>>);

    impl fmt::Display for Link {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str(self.0)
        }
    }

    impl Error for Link {
        fn source(&self) -> Option<&(dyn Error + 'static)> {
            self.1.as_deref().map(|link| link as _)
        }
    }

    #[test]
    fn each_cause_once() {
        for (causes, told) in [
            (&["reading /x", "disk gone"][..], "reading /x: disk gone"),
            (&["no key", "no key", "no key", "no key"], "no key"),
            (
                &["store: no key", "Azure: no key", "no key"],
                "store: no key: Azure: no key",
            ),
            (
                &["the CA: /x: denied", "/x: denied", "denied"],
                "the CA: /x: denied",
            ),
            (&["the token is gone", "to"], "the token is gone: to"),
            (&["x", ""], "x"),
        ] {
            let link =
                |below: Option<Box<Link>>, words: &&'static str| Some(Box::new(Link(words, below)));
            let error = causes.iter().rev().fold(None, link).unwrap();
            assert_eq!(chain(error.as_ref()), told);
        }
    }
}
