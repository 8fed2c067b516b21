//! Answers to debconf's questions, as roles write them.

use super::given::{Given, unlike};
use crate::resource::debconf::Answer;
use serde_json::Value;

/// The types of debconf's questions that have answers.
const TYPES: &[&str] = &[
    "boolean",
    "multiselect",
    "password",
    "select",
    "string",
    "text",
];

impl Given {
    /// Questions with their answers.
    pub fn debconf(&self) -> Result<Vec<Answer>, String> {
        let table = self.value.as_object();
        let table = table.ok_or_else(|| unlike("a table", &self.value))?;
        let answer = |(question, value): (&String, &Value)| {
            let answer = self.part(value).answer(question);
            answer.map_err(|why| format!("{question}: {why}"))
        };
        table.iter().map(answer).collect()
    }

    /// The answer to one question: a string, a boolean or a number, or a table with its type.
    fn answer(&self, question: &str) -> Result<Answer, String> {
        let good = question.contains('/')
            && !question.starts_with('#')
            && question.chars().all(|c| c.is_ascii_graphic());
        if !good {
            return Err("no name of a question, as \"postfix/main_mailer_type\"".into());
        }
        let none = Value::Null;
        let (kind, value) = match &self.value {
            Value::Object(table) => {
                if let Some(key) = table.keys().find(|key| *key != "type" && *key != "value") {
                    return Err(format!("unknown key `{key}` of an answer"));
                }
                (table.get("type"), table.get("value").unwrap_or(&none))
            }
            value => (None, value),
        };
        let (usual, value) = match value {
            Value::Bool(_) => ("boolean", value.to_string()),
            Value::Number(_) => ("string", value.to_string()),
            Value::String(text) => ("string", text.clone()),
            other => return Err(unlike("a string, a boolean or a number", other)),
        };
        if value.chars().any(char::is_control) {
            return Err("a control character in the answer".into());
        }
        if value.trim() != value || value.ends_with('\\') {
            return Err("debconf keeps no space around an answer, and no `\\` at its end".into());
        }
        let kind = match kind {
            Some(kind) => self.part(kind).word(TYPES)?,
            None => usual,
        };
        Ok(Answer {
            question: question.to_owned(),
            kind: kind.to_owned(),
            value,
        })
    }
}
