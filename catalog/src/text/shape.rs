//! The forms that values of keys take.

use super::given::Given;

/// What a key takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// A bare expression.
    Expression,
    /// An array, or a bare expression that gives one.
    Each,
    /// Names or globs of resources.
    References,
    /// One line of text.
    Line,
    /// Any text.
    Text,
    /// One of these words.
    Words(&'static [&'static str]),
    /// true or false.
    Boolean,
    /// A user's or group's number.
    Number,
    /// A user's or group's name or number.
    Account,
    /// Names of groups.
    Accounts,
    /// A string of octal digits.
    Mode,
    /// An array of one-line strings.
    Lines,
    /// An array of keys for logins.
    LoginKeys,
    /// An array of addresses that apt knows how to fetch from.
    Uris,
    /// A list is argv, a string is for the shell.
    Shell,
    /// An absolute path.
    Path,
    /// A file of the role, rendered.
    Template,
    /// A file of the role, as it is.
    File,
    /// A folder of the role.
    Tree,
    /// Names and values for a command's environment.
    Environment,
    /// 90s, 2m, 1h.
    Duration,
    /// A table of what an edit sets.
    Settings,
    /// What an edit removes.
    Removals,
    /// Lines that an edit wants to be there.
    WantedLines,
    /// Where something is fetched from.
    Url,
    /// What it must hash to.
    Sha256,
    /// A value of the kernel: words, or a number.
    Setting,
    /// Questions of debconf with their answers.
    Debconf,
    /// Numbers of members by role.
    Cohorts,
    /// A number of members, or a part of them.
    Limit,
}

impl Shape {
    /// Whether a value without templates is of this shape.
    ///
    /// # Errors
    /// With what is wrong.
    pub(crate) fn check(self, given: &Given) -> Result<(), String> {
        match self {
            Shape::Expression | Shape::Each | Shape::Cohorts => Ok(()),
            Shape::References => given.references().map(drop),
            Shape::Line => given.line().map(drop),
            Shape::Text => given.text().map(drop),
            Shape::Words(words) => given.word(words).map(drop),
            Shape::Boolean => given.boolean().map(drop),
            Shape::Number => given.number().map(drop),
            Shape::Account => given.account().map(drop),
            Shape::Accounts => given.accounts().map(drop),
            Shape::Mode => given.mode().map(drop),
            Shape::Lines => given.lines().map(drop),
            Shape::LoginKeys => given.login_keys().map(drop),
            Shape::Uris => given.uris().map(drop),
            Shape::Shell => given.shell().map(drop),
            Shape::Path => given.path().map(drop),
            Shape::Template | Shape::File | Shape::Tree => given.role_path().map(drop),
            Shape::Environment => given.environment().map(drop),
            Shape::Duration => given.duration().map(drop),
            Shape::Settings => given.settings().map(drop),
            Shape::Removals => given.removals().map(drop),
            Shape::WantedLines => given.wanted_lines().map(drop),
            Shape::Url => given.url().map(drop),
            Shape::Sha256 => given.sha256().map(drop),
            Shape::Setting => given.setting().map(drop),
            Shape::Debconf => given.debconf().map(drop),
            Shape::Limit => given.limit().map(drop),
        }
    }
}

/// `a, b or c`.
pub fn or(words: impl Iterator<Item = String>) -> String {
    let mut words: Vec<String> = words.collect();
    match words.pop() {
        Some(last) if words.is_empty() => last,
        Some(last) => format!("{} or {last}", words.join(", ")),
        None => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn given(value: Value) -> Given {
        Given {
            value,
            computed: false,
        }
    }

    #[test]
    fn shapes() {
        let cases: &[(Shape, Value, Result<(), &str>)] = &[
            (Shape::Mode, json!("0644"), Ok(())),
            (Shape::Url, json!("https://h/x?y"), Ok(())),
            (Shape::Url, json!("ftp://h/"), Err("expected http")),
            (Shape::Url, json!("https:///x"), Err("expected http")),
            (Shape::Url, json!("https://u:p@h/"), Err("a user")),
            (Shape::Url, json!("https://h/a b"), Err("%XX")),
            (Shape::Sha256, json!("0".repeat(64)), Ok(())),
            (Shape::Sha256, json!("A".repeat(64)), Ok(())),
            (Shape::Sha256, json!("0".repeat(63)), Err("64 hex")),
            (Shape::Sha256, json!("g".repeat(64)), Err("64 hex")),
            (Shape::Setting, json!(1), Ok(())),
            (Shape::Setting, json!("1 2\t3"), Ok(())),
            (Shape::Setting, json!(" "), Err("empty")),
            (Shape::Setting, json!("1\n2"), Err("control")),
            (
                Shape::Setting,
                json!(true),
                Err("or an integer, found a bool"),
            ),
            (
                Shape::Setting,
                json!(0.5),
                Err("or an integer, found a float"),
            ),
            (Shape::Mode, json!("755"), Ok(())),
            (Shape::Mode, json!("0"), Ok(())),
            (Shape::Mode, json!("44"), Ok(())),
            (Shape::Mode, json!("01"), Ok(())),
            (Shape::Mode, json!("7777"), Ok(())),
            (Shape::Mode, json!(""), Err("octal digits")),
            (Shape::Mode, json!("10000"), Err("octal digits")),
            (Shape::Mode, json!("000755"), Err("octal digits")),
            (Shape::Mode, json!("0o644"), Err("octal digits")),
            (Shape::Mode, json!("04755"), Ok(())),
            (Shape::Mode, json!("77777"), Err("octal digits")),
            (Shape::Mode, json!("0888"), Err("octal digits")),
            (Shape::Mode, json!(644), Err("found an integer")),
            (Shape::Mode, json!("u+x"), Err("octal digits")),
            (
                Shape::Boolean,
                json!("yes"),
                Err("expected a boolean, found a string"),
            ),
            (Shape::Number, json!(-1), Err("not between")),
            (Shape::Number, json!(4294967295u32), Err("not between")),
            (Shape::Account, json!("root"), Ok(())),
            (Shape::Account, json!("0"), Ok(())),
            (Shape::Account, json!("-x"), Err("cannot be the name")),
            (Shape::Shell, json!([]), Err("empty command")),
            (Shape::Shell, json!(" "), Err("empty command")),
            (
                Shape::Shell,
                json!(["a", 1]),
                Err("item 2: expected a string"),
            ),
            (Shape::Shell, json!(true), Err("a string or an array")),
            (Shape::File, json!("../x"), Err("inside the role")),
            (Shape::File, json!("/x"), Err("inside the role")),
            (Shape::File, json!("a//x"), Err("inside the role")),
            (Shape::Tree, json!("a/"), Ok(())),
            (Shape::Path, json!("x"), Err("expected an absolute path")),
            (Shape::Environment, json!({"A": "b"}), Ok(())),
            (
                Shape::Environment,
                json!({"A=B": "b"}),
                Err("name of a variable"),
            ),
            (Shape::Duration, json!("2m"), Ok(())),
            (Shape::Duration, json!("0s"), Err("duration")),
            (Shape::Duration, json!("2"), Err("duration")),
            (Shape::Duration, json!("ä"), Err("duration")),
            (
                Shape::Debconf,
                json!({"a/b": "c", "a/d": true, "a/e": 1}),
                Ok(()),
            ),
            (
                Shape::Debconf,
                json!({"a/b": {"type": "select", "value": ""}}),
                Ok(()),
            ),
            (
                Shape::Debconf,
                json!({"b": "c"}),
                Err("no name of a question"),
            ),
            (Shape::Debconf, json!({"a /b": "c"}), Err("no name")),
            (Shape::Debconf, json!({"#a/b": "c"}), Err("no name")),
            (Shape::Debconf, json!({"a/b": "c\nd"}), Err("control")),
            (Shape::Debconf, json!({"a/b": "c\\"}), Err("at its end")),
            (Shape::Debconf, json!({"a/b": " c"}), Err("no space")),
            (Shape::Debconf, json!({"a/b": ["c"]}), Err("found an array")),
            (
                Shape::Debconf,
                json!({"a/b": {"type": "text"}}),
                Err("none"),
            ),
            (
                Shape::Debconf,
                json!({"a/b": {"type": "seen", "value": "x"}}),
                Err("\"boolean\", "),
            ),
            (
                Shape::Debconf,
                json!({"a/b": {"kind": "text"}}),
                Err("unknown key `kind`"),
            ),
            (Shape::Line, json!("a\nb"), Err("line break")),
            (Shape::Line, json!("a\u{1b}b"), Err("control character")),
            (Shape::Text, json!("a\0b"), Err("NUL")),
            (
                Shape::Words(&["a", "b", "c"]),
                json!("d"),
                Err("\"a\", \"b\" or \"c\""),
            ),
        ];
        for (shape, value, expected) in cases {
            match (shape.check(&given(value.clone())), expected) {
                (Ok(()), Ok(())) => {}
                (Err(why), Err(part)) => assert!(why.contains(part), "{why} / {part}"),
                (got, _) => panic!("{shape:?} {value}: {got:?}"),
            }
        }
    }

    #[test]
    fn what_is_computed_is_text_as_a_template_writes_it() {
        for (value, text) in [
            (json!(2181), "2181"),
            (json!(i64::MIN), "-9223372036854775808"),
            (json!(true), "True"),
            (json!(3.0), "3.0"),
            (json!(1e-7), "0.0000001"),
            (json!(1e20), "100000000000000000000.0"),
        ] {
            let mut given = given(value);
            assert!(given.text().is_err());
            given.computed = true;
            assert_eq!(given.text().as_deref(), Ok(text));
            assert!(given.lines().is_err());
        }
    }
}
