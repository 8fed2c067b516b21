//! Data on a terminal: what could steer it is spelled out.

/// The text with control characters, and those that turn the direction of writing or are not seen, as escapes.
/// A newline is one of them: who shows several lines splits them first.
pub fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        if steers(c) {
            escaped.extend(c.escape_default());
        } else {
            escaped.push(c);
        }
    }
    escaped
}

fn steers(c: char) -> bool {
    c.is_control()
        || matches!(
            c,
            '\u{ad}'
                | '\u{61c}'
                | '\u{180e}'
                | '\u{200b}'..='\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}'
                | '\u{feff}'
                | '\u{fff9}'..='\u{fffb}'
                | '\u{e0000}'..='\u{e007f}'
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_steers_the_terminal() {
        for (text, shown) in [
            ("plain é ✓", "plain é ✓"),
            ("\x1b[31mred", "\\u{1b}[31mred"),
            ("a\tb\r\n", "a\\tb\\r\\n"),
            ("\u{9b}2J", "\\u{9b}2J"),
            ("gpj.\u{202e}exe", "gpj.\\u{202e}exe"),
            ("\u{7f}", "\\u{7f}"),
            ("a\u{61c}b\u{ad}", "a\\u{61c}b\\u{ad}"),
            ("a\u{e0041}", "a\\u{e0041}"),
        ] {
            assert_eq!(escape(text), shown);
        }
    }
}
