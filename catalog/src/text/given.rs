//! Values on their way into resources: read from JSON after rendering, or before where no template is in them.

use super::shape::or;
use super::{date, names};
use crate::digest::Digest;
use crate::path::{AbsPath, BadPath};
use crate::render::engine;
use crate::resource::{Mode, Shell, sysctl};
use serde_json::Value;
use std::collections::BTreeMap;

/// A value on its way into a resource.
#[derive(Clone, Debug)]
pub struct Given {
    /// What.
    pub value: Value,
    /// An expression gave it, whole: a number then does as text too.
    pub computed: bool,
}

/// What a value is called in messages.
pub fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "none",
        Value::Bool(_) => "a boolean",
        Value::Number(number) if number.is_f64() => "a float",
        Value::Number(_) => "an integer",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) if date::of(value).is_some() => "a date",
        Value::Object(_) => "a table",
    }
}

pub(super) fn unlike(wanted: &str, value: &Value) -> String {
    format!("expected {wanted}, found {}", kind_of(value))
}

/// Each reads the value as one shape, or says what is wrong with it.
impl Given {
    pub fn text(&self) -> Result<String, String> {
        match &self.value {
            Value::String(text) if text.contains('\0') => Err("a NUL in the text".into()),
            Value::String(text) => Ok(text.clone()),
            Value::Number(_) | Value::Bool(_) if self.computed => Ok(engine::written(&self.value)),
            other => Err(unlike("a string", other)),
        }
    }

    pub fn line(&self) -> Result<String, String> {
        let text = self.text()?;
        match text.chars().find(|c| c.is_control()) {
            Some('\n') => Err("a line break where one line is wanted".into()),
            Some(_) => Err("a control character in the text".into()),
            None if text.is_empty() => Err("expected some text, found an empty string".into()),
            None => Ok(text),
        }
    }

    pub fn word(&self, words: &'static [&'static str]) -> Result<&'static str, String> {
        let wanted = || or(words.iter().map(|w| format!("{w:?}")));
        let text = self.text().map_err(|_| unlike(&wanted(), &self.value))?;
        words
            .iter()
            .find(|word| **word == text)
            .copied()
            .ok_or_else(|| format!("expected {}, found {text:?}", wanted()))
    }

    pub fn boolean(&self) -> Result<bool, String> {
        self.value
            .as_bool()
            .ok_or_else(|| unlike("a boolean", &self.value))
    }

    pub fn number(&self) -> Result<u32, String> {
        let number = self.value.as_i64();
        let number = number.ok_or_else(|| unlike("an integer", &self.value))?;
        match u32::try_from(number) {
            Ok(number) if number != u32::MAX => Ok(number),
            _ => Err(format!("{number} is not between 0 and {}", u32::MAX - 1)),
        }
    }

    pub fn account(&self) -> Result<String, String> {
        if self.value.is_i64() {
            return self.number().map(|number| number.to_string());
        }
        let text = self.text()?;
        names::owner(&text)?;
        Ok(text)
    }

    pub fn accounts(&self) -> Result<Vec<String>, String> {
        self.items(|item| {
            let name = item.text()?;
            names::account(&name)?;
            Ok(name)
        })
    }

    pub fn mode(&self) -> Result<Mode, String> {
        if self.value.is_i64() {
            return Err("expected a string of octal digits, as \"0644\", found an integer".into());
        }
        let text = self.text()?;
        let digits =
            (1..=5).contains(&text.len()) && text.chars().all(|c| ('0'..='7').contains(&c));
        match u32::from_str_radix(&text, 8) {
            Ok(mode) if digits && mode <= 0o7777 => Ok(Mode(mode)),
            _ => Err(format!(
                "expected octal digits, as \"0644\", found {text:?}"
            )),
        }
    }

    pub fn lines(&self) -> Result<Vec<String>, String> {
        self.items(Given::line)
    }

    pub fn references(&self) -> Result<Vec<String>, String> {
        self.items(Given::line)
    }

    pub fn shell(&self) -> Result<Shell, String> {
        if self.value.is_array() {
            let argv = self.items(Given::text)?;
            return match argv.first().map(String::as_str) {
                None | Some("") => Err("an empty command".into()),
                Some(_) => Ok(Shell::Argv(argv)),
            };
        }
        let line = self
            .text()
            .map_err(|_| unlike("a string or an array", &self.value))?;
        if line.trim().is_empty() {
            return Err("an empty command".into());
        }
        Ok(Shell::Line(line))
    }

    pub fn path(&self) -> Result<AbsPath, String> {
        let text = self.text()?;
        text.parse().map_err(|why| match why {
            BadPath::Relative if names::is_of_shell(&text) => {
                format!(
                    "expected an absolute path, found {text:?}; {}",
                    names::NO_SHELL
                )
            }
            BadPath::Relative => format!("expected an absolute path, found {text:?}"),
            why => format!("{why}: {text:?}"),
        })
    }

    pub fn role_path(&self) -> Result<String, String> {
        let text = self.line()?;
        let text = text.trim_end_matches('/');
        let good = !text.split('/').any(|part| matches!(part, "" | "." | ".."));
        if good {
            Ok(text.to_owned())
        } else {
            Err(format!(
                "{text:?} is not a path inside the role's folder: no `/` at its beginning, no `.` and no `..` in it"
            ))
        }
    }

    pub fn environment(&self) -> Result<BTreeMap<String, String>, String> {
        let table = self
            .value
            .as_object()
            .ok_or_else(|| unlike("a table", &self.value))?;
        let mut env = BTreeMap::new();
        for (name, value) in table {
            let good = !name.is_empty()
                && !name.starts_with(|c: char| c.is_ascii_digit())
                && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
            if !good {
                return Err(format!("{name:?} cannot be the name of a variable"));
            }
            let value = self
                .part(value)
                .text()
                .map_err(|why| format!("{name}: {why}"))?;
            env.insert(name.clone(), value);
        }
        Ok(env)
    }

    pub fn url(&self) -> Result<String, String> {
        let text = self.line()?;
        let rest = text
            .strip_prefix("https://")
            .or_else(|| text.strip_prefix("http://"));
        let host = rest.and_then(|rest| rest.split(['/', '?', '#']).next());
        match host {
            None | Some("") => Err(format!("expected http:// or https://, found {text:?}")),
            Some(host) if host.contains('@') => Err("a user has no place in a URL".into()),
            Some(_) if !text.chars().all(|c| c.is_ascii_graphic()) => {
                Err("what is no letter, digit or sign in a URL is written as %XX".into())
            }
            Some(_) => Ok(text),
        }
    }

    pub fn sha256(&self) -> Result<Digest, String> {
        let text = self.text()?.to_ascii_lowercase();
        let bad = |_| "expected 64 hexadecimal digits, as sha256sum prints them".to_owned();
        text.parse().map_err(bad)
    }

    /// With one space between its fields.
    pub fn setting(&self) -> Result<String, String> {
        let text = match &self.value {
            Value::Number(number) if !number.is_f64() => number.to_string(),
            Value::String(_) => self.text()?,
            other => return Err(unlike("a string or an integer", other)),
        };
        if text.chars().any(|c| c.is_control() && c != '\t') {
            return Err("a control character in the value".into());
        }
        match sysctl::plain(&text) {
            plain if plain.is_empty() => Err("empty".into()),
            plain => Ok(plain),
        }
    }

    pub fn duration(&self) -> Result<u64, String> {
        let wanted = "a duration, as \"90s\", \"2m\" or \"1h\"";
        let text = self.text().map_err(|_| unlike(wanted, &self.value))?;
        let bad = || format!("expected {wanted}, found {text:?}");
        let unit = text.chars().last().ok_or_else(bad)?;
        let factor = match unit {
            's' => 1,
            'm' => 60,
            'h' => 3600,
            'd' => 86400,
            _ => return Err(bad()),
        };
        let digits = &text[..text.len() - 1];
        if digits.is_empty() || digits.len() > 9 || !digits.chars().all(|c| c.is_ascii_digit()) {
            return Err(bad());
        }
        match digits.parse::<u64>().map(|n| n * factor) {
            Ok(0) => Err(format!("a duration is more than 0, found {text:?}")),
            Ok(seconds) => Ok(seconds),
            Err(_) => Err(bad()),
        }
    }

    pub(super) fn items<T>(
        &self,
        read: impl Fn(&Given) -> Result<T, String>,
    ) -> Result<Vec<T>, String> {
        let items = self.value.as_array();
        let items = items.ok_or_else(|| unlike("an array", &self.value))?;
        let read =
            |(at, item)| read(&self.part(item)).map_err(|why| format!("item {}: {why}", at + 1));
        items.iter().enumerate().map(read).collect()
    }

    pub(super) fn part(&self, value: &Value) -> Given {
        Given {
            value: value.clone(),
            computed: self.computed,
        }
    }
}
