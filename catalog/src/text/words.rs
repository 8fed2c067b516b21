//! The words around resources: what each is called, what it takes, and what it means; checks, schemas, helps and tables follow this.

use super::keys::{NEEDED, NONE};

/// A key whose value is no resource's: a row of the tables around them.
#[derive(Clone, Copy, Debug)]
pub struct Word {
    /// As it is written.
    pub name: &'static str,
    /// What it takes, in words that `schema` knows too.
    pub takes: &'static str,
    /// What holds without it.
    pub default: &'static str,
    /// What it means, in Markdown of one line.
    pub meaning: &'static str,
}

/// A row without its meaning, which [`Word::is`] gives.
pub const fn word(name: &'static str, takes: &'static str, default: &'static str) -> Word {
    Word {
        name,
        takes,
        default,
        meaning: "",
    }
}

impl Word {
    /// The same with its meaning.
    pub const fn is(self, meaning: &'static str) -> Word {
        Word { meaning, ..self }
    }
}

/// The rows for the help of a program: `name = default`, and the meaning below.
pub fn help(title: &str, rows: &[Word]) -> String {
    let mut text = format!("{title}:\n");
    for row in rows {
        let plain = |markdown: &str| markdown.replace('`', "");
        let (name, default) = (row.name, plain(row.default));
        text.push_str(&format!("  {name}  [without it: {default}]\n"));
        text.push_str(&format!("          {}\n", plain(row.meaning)));
    }
    text.truncate(text.trim_end().len());
    text
}

/// The choices of `leftovers`, in words that `schema` knows too.
pub const LEFTOVERS: &str = "`\"show\"`, `\"revert\"`";

/// Keys of a role beside its resources.
pub const ROLE: &[Word] = &[
    word("description", "text", NONE).is("for people"),
    word("include", "array of roles", "`[]`").is("roles that this one is made of, beside itself"),
    word("partial", "boolean", "`false`")
        .is("only included: no machine can have it, and it is checked within its includers"),
    word("leftovers", LEFTOVERS, "`\"show\"`")
        .is("what becomes of what leaves the role, see [leftovers](#what-is-brought-back); counts in a machine's own role alone"),
    word("params", "table", NONE)
        .is("what can be set from outside, see [params](#params-and-their-layers)"),
    word("set", "table", NONE).is("values for params of included roles"),
    word("fleet", "table", NONE).is("see [fleet](#fleet)"),
];

/// Keys of a role that a later version brings.
pub const ROLE_LATER: &[&str] = &["confirm"];

/// Keys of a param.
pub const PARAM: &[Word] = &[
    word("type", "type", NEEDED).is("a wrong value is an error at check, not on a machine"),
    word("default", "a value of that type", NONE).is("without one, a value must be given"),
    word("min", "number", NONE).is("for `integer` and `float`"),
    word("max", "number", NONE).is("for `integer` and `float`"),
    word("choices", "array", NONE).is("the only values"),
    word("pattern", "regular expression", NONE).is("for `string`; it must match the whole"),
    word("secret", "boolean", "`false`").is("for `string`; see [secrets](#secrets)"),
];

/// What a param can be.
pub const PARAM_TYPES: [&str; 6] = ["string", "integer", "float", "boolean", "list", "table"];

/// Tables of `fleet.toml`.
pub const FLEET_FILE: &[Word] = &[
    word("params", "values", NONE).is("for all roles"),
    word("role", "values by name", NONE)
        .is("`[role.NAME]`: for included roles, then for the machine's own"),
    word("node", "values by name", NONE).is("`[node.\"NAME\"]`: for one machine alone"),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::params;

    #[test]
    fn what_is_told_of_params_is_what_they_take() {
        for row in PARAM {
            assert!(params::KEYS.contains(&row.name), "{}", row.name);
        }
        for key in params::KEYS {
            assert!(PARAM.iter().any(|row| row.name == key), "{key}");
        }
        assert_eq!(params::TYPES.map(|(word, _)| word), PARAM_TYPES);
    }
}
