//! Keys that a user logs in with.

use super::given::Given;

impl Given {
    /// Without the blanks around each, which sshd passes over.
    pub fn login_keys(&self) -> Result<Vec<String>, String> {
        self.items(|item| {
            let text = item.text()?;
            let blank = |c: char| c.is_whitespace() && !matches!(c, '\n' | '\r');
            let key = item.part(&text.trim_matches(blank).into()).line()?;
            match key.starts_with('#') {
                true => Err("a comment is no key: write it into role.toml".into()),
                false => Ok(key),
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    #[test]
    fn keys_stand_one_a_line() {
        let read = |value: Value| {
            let given = Given {
                value,
                computed: false,
            };
            given.login_keys()
        };
        // What comes of a paste is what the agent reads in the file.
        let pasted = read(json!(["\u{a0} ssh-rsa A  a \t", "ssh-rsa B"]));
        assert_eq!(pasted, Ok(vec!["ssh-rsa A  a".into(), "ssh-rsa B".into()]));
        assert_eq!(read(json!([])), Ok(Vec::new()));
        for (value, part) in [
            (json!(["A", " # c"]), "item 2: a comment is no key"),
            (json!(["\t "]), "found an empty string"),
            (json!(["A\nB"]), "line break"),
            (json!(["A\n"]), "line break"),
            (json!(["A\tB"]), "control character"),
            (json!("A"), "expected an array"),
        ] {
            let why = read(value).unwrap_err();
            assert!(why.contains(part), "{why}");
        }
    }
}
