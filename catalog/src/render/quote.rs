//! The filter `sh`: a value as one word, or a list as words, of a POSIX shell.

use minijinja::value::{Value, ValueKind};
use minijinja::{Error, ErrorKind};

/// Quotes for `/bin/sh`.
///
/// # Errors
/// For what has no form as words: tables, none, a NUL.
pub fn sh(value: &Value) -> Result<String, Error> {
    match value.kind() {
        ValueKind::Seq | ValueKind::Iterable => {
            let words: Result<Vec<String>, Error> =
                value.try_iter()?.map(|item| word(&item)).collect();
            Ok(words?.join(" "))
        }
        _ => word(value),
    }
}

fn word(value: &Value) -> Result<String, Error> {
    let bad = |what: &str| Error::new(ErrorKind::InvalidOperation, format!("sh: {what}"));
    let text = match value.kind() {
        ValueKind::String | ValueKind::Number | ValueKind::Bool => value.to_string(),
        ValueKind::Undefined => return Err(Error::from(ErrorKind::UndefinedError)),
        kind => return Err(bad(&format!("a {kind} is no word of a shell"))),
    };
    if text.contains('\0') {
        return Err(bad("a NUL is no part of a word of a shell"));
    }
    Ok(quoted(&text))
}

fn quoted(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-./:,@%+".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::process::Command;

    #[test]
    fn words() {
        for (text, word) in [
            ("10.0.0.1", "10.0.0.1"),
            ("", "''"),
            ("a b", "'a b'"),
            ("it's", r"'it'\''s'"),
            ("$(reboot)", "'$(reboot)'"),
            ("A=b", "'A=b'"),
            ("~", "'~'"),
        ] {
            assert_eq!(quoted(text), word);
        }
        assert_eq!(sh(&Value::from(vec!["a b", "c"])).unwrap(), "'a b' c");
        assert!(sh(&Value::from("a\0b")).is_err());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(40))]
        #[test]
        fn the_shell_reads_back_what_was_quoted(text in "[^\0]{0,40}") {
            let line = format!("printf %s {}", quoted(&text));
            let read = Command::new("/bin/sh").args(["-c", &line]).output().unwrap();
            prop_assert_eq!(String::from_utf8(read.stdout).unwrap(), text);
        }
    }
}
