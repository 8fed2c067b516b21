//! Words that other tools have for what roles say by another: the one table of them, for what is unknown here.

mod rows;

use crate::id::Kind;
use rows::*;

fn find(rows: &[Row], word: &str) -> Option<&'static str> {
    let row = rows.iter().find(|(words, _)| words.contains(&word));
    row.map(|(_, advice)| *advice)
}

/// What to write for a word at the top of a role.
pub fn top(word: &str) -> Option<&'static str> {
    find(TOP, word)
}

/// The key of a role that a word stands for, where what it says is missing elsewhere.
pub fn of_role(word: &str) -> Option<&'static str> {
    match word {
        word if PARAMS.contains(&word) => Some("params"),
        word if INCLUDE.contains(&word) => Some("include"),
        _ => None,
    }
}

/// Whether a word says which resources there are.
pub fn is_guard(word: &str) -> bool {
    EACH.contains(&word) || WHEN.contains(&word)
}

/// What to write for a word among the keys of this kind.
pub fn key(kind: Kind, word: &str) -> Option<String> {
    let own: &[&[Row]] = match kind {
        Kind::File => &[FILE, OWNED],
        Kind::Directory => &[DIRECTORY, OWNED],
        Kind::Archive => &[ARCHIVE, OWNED],
        Kind::Link => &[LINK],
        Kind::Edit => &[EDIT],
        Kind::Package => &[PACKAGE],
        Kind::Repository => &[REPOSITORY],
        Kind::Service => &[SERVICE],
        Kind::User => &[USER],
        Kind::Group => &[GROUP],
        Kind::Command => &[COMMAND],
        Kind::Mount => &[MOUNT],
        Kind::Sysctl => &[],
    };
    let own = own.iter().find_map(|rows| find(rows, word));
    if let Some(advice) = own.or_else(|| find(KEYS, word)) {
        return Some(advice.into());
    }
    match word {
        "ensure" | "status" => state(kind),
        "name" | "title" | "path" | "dest" | "destination" | "mountpoint" => Some(format!(
            "the name is in the header: [{}.{}]",
            kind.word(),
            example(kind)
        )),
        _ => None,
    }
}

/// What to write for a word of another tool where one of these is wanted.
fn state(kind: Kind) -> Option<String> {
    let shape = super::keys::shape(kind, "state")?;
    let super::shape::Shape::Words(words) = shape else {
        return None;
    };
    let words = super::shape::or(words.iter().map(|word| format!("{word:?}")));
    let more = match kind {
        Kind::File => "; a directory or a link is a kind of its own",
        Kind::Package => "; which one is `version`: \"*\", \"latest\", \"1.2.*\"",
        _ => "",
    };
    Some(format!("that is `state`: {words}{more}"))
}

/// What to write for a word where a state is wanted.
pub fn value(word: &str) -> Option<&'static str> {
    find(STATES, word)
}

/// A name as this kind has it in a header.
fn example(kind: Kind) -> &'static str {
    match kind {
        Kind::File | Kind::Link | Kind::Edit => "\"/etc/app.conf\"",
        Kind::Directory | Kind::Mount | Kind::Archive => "\"/srv/app\"",
        Kind::Sysctl => "\"net.ipv4.ip_forward\"",
        _ => "NAME",
    }
}

/// What is called by a variable of another tool.
pub fn variable(name: &str) -> Option<&'static str> {
    let facts = [
        "grains",
        "facter",
        "ansible_facts",
        "hostvars",
        "inventory_hostname",
        "sys",
        "trusted",
    ];
    if facts.contains(&name) || name.starts_with("ansible_") {
        return Some("what is known of a machine is in `facts`: facts.hostname, facts.os.id");
    }
    match name {
        "pillar" | "vars" | "hiera" | "data_bag" => Some("what is set from outside is in `params`"),
        "groups" | "mine" => Some("the machines of a role are fleet.members(\"ROLE\")"),
        "lookup" | "env" | "environ" => {
            Some("no template reads files or the environment: give it a param")
        }
        "secret" | "secrets" | "vault" => {
            Some("a secret is a param with secret = true, read as params.NAME")
        }
        _ => None,
    }
}

/// What to write for a filter that other tools have.
pub fn filter(name: &str) -> Option<&'static str> {
    Some(match name {
        "quote" | "shquote" | "shell_quote" | "shellquote" | "cmd_encode" => "that is `sh`",
        "to_json" | "to_nice_json" | "to_yaml" | "to_nice_yaml" | "yaml" | "json"
        | "yaml_encode" => "that is `tojson`, which YAML reads too",
        "regex_replace" | "regex_search" | "regex_findall" | "regex_match" => {
            "no filter knows patterns: `replace` takes one text for another, and `split` takes one apart"
        }
        "ternary" => "write {{ a if b else c }}",
        "mandatory" => "leave it out: what is undefined is an error",
        "b64encode" | "b64decode" | "hash" | "password_hash" | "sha256" | "md5" => {
            "there is none for it: give the value as a param"
        }
        "to_upper" | "upcase" => "that is `upper`",
        "to_lower" | "downcase" => "that is `lower`",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::{keys, words};

    /// A word that roles have themselves needs no advice, and would get none.
    #[test]
    fn no_word_here_is_one_of_a_role() {
        for kind in Kind::ALL {
            assert_eq!(top(kind.word()), None, "{}", kind.word());
            let own = keys::of(kind).map(|row| row.name);
            for word in own {
                let general = KEYS.iter().any(|(words, _)| words.contains(&word));
                assert!(
                    key(kind, word).is_none() || general || word == "path",
                    "{word}"
                );
            }
        }
        for row in words::ROLE {
            assert_eq!(top(row.name), None, "{}", row.name);
        }
    }

    #[test]
    fn each_word_stands_once_in_its_table() {
        let tables: [&[Row]; 15] = [
            KEYS, OWNED, FILE, DIRECTORY, LINK, EDIT, PACKAGE, REPOSITORY, SERVICE, USER, GROUP,
            COMMAND, MOUNT, ARCHIVE, STATES,
        ];
        for table in tables {
            let mut all: Vec<&str> = table
                .iter()
                .flat_map(|(words, _)| *words)
                .copied()
                .collect();
            let count = all.len();
            all.sort_unstable();
            all.dedup();
            assert_eq!(all.len(), count, "{table:?}");
        }
    }
}
