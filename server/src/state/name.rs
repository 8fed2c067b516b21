//! Names that travel in certificates, paths and other machines' files.

use cfg_catalog::fleet::{MOST_NAME, is_name};

/// A name that cannot be one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{text:?} cannot be the name of a {what}: letters, digits, \".\", \"_\" and \"-\", the first a letter or a digit, at most {most}"
)]
pub struct BadName {
    what: &'static str,
    text: String,
    most: usize,
}

/// A node's name: a host name, or something like it.
///
/// # Errors
/// Where it has other characters or is too long.
pub fn node(text: &str) -> Result<String, BadName> {
    plain("machine", text, MOST_NAME)
}

/// An operator's name.
///
/// # Errors
/// Where it has other characters or is too long.
pub fn operator(text: &str) -> Result<String, BadName> {
    plain("person", text, 64)
}

/// A role's name.
///
/// # Errors
/// Where it has other characters or is too long.
pub fn role(text: &str) -> Result<String, BadName> {
    plain("role", text, 128)
}

/// A fleet's name.
///
/// # Errors
/// Where it has other characters or is too long.
pub fn fleet(text: &str) -> Result<String, BadName> {
    plain("fleet", text, 64)
}

fn plain(what: &'static str, text: &str, most: usize) -> Result<String, BadName> {
    if is_name(text, most) {
        return Ok(text.to_owned());
    }
    // An attacker's text goes into the log: escaped by {:?}, and cut.
    let text = text.chars().take(64).collect();
    Err(BadName { what, text, most })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        for good in ["vm-1", "VM1.example.org", "0a", "zk_3", &"a".repeat(253)] {
            assert_eq!(node(good).unwrap(), good);
        }
        for bad in [
            "",
            ".",
            "..",
            "../x",
            "a/b",
            "-rf",
            "_x",
            "a b",
            "a\nb",
            "a\0",
            "ä",
            "a{{b}}",
            "a#1",
            &"a".repeat(254),
        ] {
            assert!(node(bad).is_err(), "{bad:?}");
        }
    }
}
