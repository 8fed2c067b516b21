//! Names that travel in certificates, paths and other machines' files.

use cfg_catalog::fleet::{MOST_NAME, is_name};

/// A name that cannot be one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadName {
    /// It has other characters, or is too long.
    #[error(
        "{text:?} cannot be the name of a {what}: letters, digits, \".\", \"_\" and \"-\", the first a letter or a digit, at most {most}"
    )]
    Plain {
        /// Of what.
        what: &'static str,
        /// The name, or its beginning.
        text: String,
        /// So many characters it may have.
        most: usize,
    },
    /// It is no host's.
    #[error(
        "{0:?} cannot be the name of a machine: a host name is wanted, of labels of letters, digits and \"-\" with dots between them, no address, and not localhost; `--name`, or `node` in agent.toml, gives it another"
    )]
    Host(String),
}

/// The name of a machine that enrols: a host name, by RFC 1123. It stands in other machines' files beside its address.
///
/// # Errors
/// Where it is none, or every machine's.
pub fn host(text: &str) -> Result<String, BadName> {
    let name = node(text)?;
    let label = |label: &str| {
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '-';
        let ends = label.starts_with('-') || label.ends_with('-');
        (1..=63).contains(&label.len()) && !ends && label.chars().all(plain)
    };
    // Of numbers alone is an address, however many they are.
    let number = |label: &str| label.chars().all(|c| c.is_ascii_digit());
    let mut labels = name.split('.');
    let last = name.rsplit('.').next().unwrap_or_default();
    if labels.clone().all(number)
        || last.eq_ignore_ascii_case("localhost")
        || name.eq_ignore_ascii_case("localhost.localdomain")
        || !labels.all(label)
    {
        return Err(BadName::Host(text.chars().take(64).collect()));
    }
    Ok(name)
}

/// A name that a machine has, or may have got from a former version, which took more than host names.
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
    Err(BadName::Plain { what, text, most })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts() {
        for good in [
            "vm-1",
            "VM1.example.org",
            "0a",
            "1.example",
            &"a".repeat(63),
        ] {
            assert_eq!(host(good).unwrap(), good);
        }
        for bad in [
            "localhost",
            "LocalHost",
            "a.localhost",
            "localhost.localdomain",
            "10.0.0.1",
            "127.1",
            "7",
            "a.",
            "a..b",
            "a-",
            "a.-b",
            "zk_3",
            &"a".repeat(64),
            "::1",
        ] {
            assert!(host(bad).is_err(), "{bad:?}");
        }
    }

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
