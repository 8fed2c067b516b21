//! Where in a TOML string's source a byte of its value stands.

use std::ops::Range;

/// The bytes of the source that a range of the value came from; `raw` is the string as written, quotes
/// and all, and the answer counts from its start.
pub fn source_range(raw: &str, value: &Range<usize>) -> Range<usize> {
    let (mut at, basic) = opening(raw);
    let mut decoded = 0;
    let mut start = None;
    while at < raw.len() {
        let wanted = if start.is_none() {
            value.start
        } else {
            value.end
        };
        let plain = plain(&raw[at..], basic).min(wanted.saturating_sub(decoded));
        let skipped = raw.floor_char_boundary(at + plain) - at;
        if skipped > 0 {
            at += skipped;
            decoded += skipped;
            continue;
        }
        let (written, meant) = step(&raw[at..], basic);
        if start.is_none() && decoded >= value.start && meant > 0 {
            start = Some(at);
        }
        if decoded >= value.end {
            break;
        }
        at += written;
        decoded += meant;
    }
    let start = start.unwrap_or(at).min(raw.len());
    start..at.min(raw.len()).max(start)
}

/// How many bytes the opening quotes take, and whether backslashes mean something.
fn opening(raw: &str) -> (usize, bool) {
    for (quotes, basic) in [("\"\"\"", true), ("'''", false)] {
        if raw.starts_with(quotes) && raw.len() >= 6 {
            let newline = match &raw.as_bytes()[3..] {
                [b'\n', ..] => 1,
                [b'\r', b'\n', ..] => 2,
                _ => 0,
            };
            return (3 + newline, basic);
        }
    }
    (1, raw.starts_with('"'))
}

/// So many bytes are written as they are meant.
fn plain(raw: &str, basic: bool) -> usize {
    let escape = if basic { raw.find('\\') } else { None };
    escape.unwrap_or(raw.len())
}

/// How many bytes the next character takes as written, and in the value.
fn step(raw: &str, basic: bool) -> (usize, usize) {
    let mut chars = raw.chars();
    let first = chars.next().map_or(1, char::len_utf8);
    if !basic || !raw.starts_with('\\') {
        return (first, first);
    }
    let digits = |n: usize| {
        let code = raw
            .get(2..2 + n)
            .and_then(|hex| u32::from_str_radix(hex, 16).ok());
        let meant = code.and_then(char::from_u32).map_or(1, char::len_utf8);
        (2 + n, meant)
    };
    match chars.next() {
        Some('x') => digits(2),
        Some('u') => digits(4),
        Some('U') => digits(8),
        Some(c) if c.is_whitespace() => {
            let rest = raw[1..].trim_start();
            (raw.len() - rest.len(), 0)
        }
        _ => (2, 1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_what_was_meant() {
        for (raw, value, piece, written) in [
            ("\"a{{ x }}\"", "a{{ x }}", "x", "x"),
            (r#""\n\t{{ x }}\n""#, "\n\t{{ x }}\n", "x", "x"),
            (r#""\u00e4 x""#, "ä x", "x", "x"),
            (r#""\u00e4 x""#, "ä x", "ä", r"\u00e4"),
            ("'a\\n x'", "a\\n x", "x", "x"),
            ("\"\"\"\none\nx\n\"\"\"", "one\nx\n", "x", "x"),
            ("'''\r\nx'''", "x", "x", "x"),
            ("\"\"\"one \\\n    x\"\"\"", "one x", "x", "x"),
        ] {
            let at = value.find(piece).unwrap();
            let range = source_range(raw, &(at..at + piece.len()));
            assert_eq!(&raw[range], written, "{raw}");
        }
    }

    #[test]
    fn never_leaves_the_text() {
        for raw in ["", "\"", "\"\\", "'", "\"\"\"", "\"\\u12\""] {
            let range = source_range(raw, &(3..9));
            assert!(
                range.start <= range.end && range.end <= raw.len().max(1),
                "{raw}"
            );
        }
    }
}
