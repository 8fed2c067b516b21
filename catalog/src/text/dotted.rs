//! Dots in names: TOML makes tables of them. Packages and settings of the kernel are joined back, elsewhere a name is quoted.

use super::keys;
use super::tree::{Entry, Node, NodeValue};
use crate::id::Kind;

/// The key that a value stands for where a kind's resource is written without a table.
pub fn short(kind: Kind, node: &Node) -> Option<&'static str> {
    match (kind, &node.value) {
        (Kind::Package, NodeValue::String(_)) => Some("version"),
        (Kind::Sysctl, NodeValue::String(_) | NodeValue::Integer(_)) => Some("value"),
        _ => None,
    }
}

/// Whether what stands there as a key is rather a part of a name: a table that no key of the kind takes.
pub fn is_of_name(kind: Kind, key: &Entry) -> bool {
    use keys::Shape::{Cohorts, Debconf, Environment, Settings};
    let shape = keys::shape(kind, &key.key);
    let takes = matches!(shape, Some(Cohorts | Debconf | Environment | Settings));
    key.node.entries().is_some() && !takes
}

/// A name of which dots have made tables, as far as these hold nothing else.
pub fn whole_name(kind: Kind, name: &str, entry: &Entry) -> String {
    let mut parts = vec![name, entry.key.as_str()];
    let mut node = &entry.node;
    while let Some([only]) = node.entries()
        && is_of_name(kind, only)
    {
        parts.push(&only.key);
        node = &only.node;
    }
    let paths = [
        Kind::Archive,
        Kind::Directory,
        Kind::File,
        Kind::Link,
        Kind::Mount,
    ];
    match paths.contains(&kind) && !name.starts_with('/') {
        true => format!("/{}", parts.join("/")),
        false => parts.join("."),
    }
}

/// Whether TOML takes a key without quotes.
pub fn is_plain(name: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    !name.is_empty() && name.chars().all(plain)
}
