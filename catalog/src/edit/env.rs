//! `KEY=value` lines: /etc/default, /etc/environment, EnvironmentFile of units, .env.

use super::Document;
use super::error::EditError;
use super::shell::{Assignment, Script, literal, script, word};
use super::text::Text;
use super::tree::Tree;
use super::wanted::plain;
use serde_json::Value;

/// Assignments and their text.
pub struct Env {
    text: String,
    script: Script,
}

impl Env {
    /// All assignments of a key, which must be such that the last one counts.
    fn of(&self, key: &str) -> Result<Vec<&Assignment>, EditError> {
        let all = self.script.assignments.iter();
        let all: Vec<&Assignment> = all.filter(|a| a.key == key).collect();
        match all.iter().find(|a| !a.plain) {
            None => Ok(all),
            Some(other) => Err(EditError::at(
                &self.text,
                other.at,
                format!("`{key}` is set here under a condition, or together with something else"),
            )
            .help(SCRIPT)),
        }
    }

    /// Refuses where a reader does not surely have in the end what is set here.
    fn lasts(&self, key: &str, at: usize) -> Result<(), EditError> {
        let mut unset = self.script.unset.iter();
        if let Some((_, place)) = unset.find(|(name, place)| name == key && *place > at) {
            let why = format!("`{key}` is taken away again here");
            return Err(EditError::at(&self.text, *place, why)
                .help("remove that line, or write the whole file"));
        }
        let mut ends = self.script.ends.iter();
        match ends.find(|end| end.surely || end.at < at) {
            None => Ok(()),
            Some(end) => {
                let why = format!("whoever reads this may stop here, and then has no `{key}`");
                Err(EditError::at(&self.text, end.at, why).help(SCRIPT))
            }
        }
    }
}

const SCRIPT: &str = "only a script could tell what it comes to: write the whole file";

impl Document for Env {
    fn read(text: &str) -> Result<Self, EditError> {
        Ok(Self {
            script: script(text)?,
            text: text.to_owned(),
        })
    }

    /// The last assignment counts; a new one comes last.
    fn set(&self, path: &[String], value: &Value) -> Result<Option<String>, EditError> {
        self.bring(path, value, "")
    }

    fn line(&self, path: &[String]) -> Option<String> {
        let last = self.of(&path[path.len() - 1]).ok()?.pop()?;
        if !last.is_alone(&self.text) {
            return Some(self.text[last.at..last.word.end].to_owned());
        }
        let read = Text::read(&self.text);
        let end = read.line_at(last.word.end);
        let end = read.start(end) + read.lines[end].len();
        Some(self.text[read.start(read.line_at(last.at))..end].to_owned())
    }

    /// The line comes anew, or in the place of one that is as bare as [`Document::set`] writes it; else its word alone comes.
    fn bring(
        &self,
        path: &[String],
        value: &Value,
        line: &str,
    ) -> Result<Option<String>, EditError> {
        let key = &path[path.len() - 1];
        let value = plain(value);
        let last = self.of(key)?.pop();
        self.lasts(key, last.map_or(self.text.len(), |last| last.at))?;
        let former = script(line)?.assignments.pop();
        let former = former.map(|former| &line[former.word]);
        let whole = match former {
            Some(_) => line.to_owned(),
            None => format!("{key}={}", word(&value, "")),
        };
        let read = Text::read(&self.text);
        let Some(last) = last else {
            let end = read.lines.len();
            return Ok(Some(read.replaced(end..end, &[whole])));
        };
        let old = &self.text[last.word.clone()];
        if literal(old).as_ref() == Some(&value) {
            return Ok(None);
        }
        let at = read.line_at(last.at);
        if former.is_some() && read.lines[at] == format!("{key}={old}") {
            return Ok(Some(read.replaced(at..at + 1, &[whole])));
        }
        let (before, after) = (&self.text[..last.word.start], &self.text[last.word.end..]);
        let new = former.map_or_else(|| word(&value, old), str::to_owned);
        Ok(Some(format!("{before}{new}{after}")))
    }

    fn remove(&self, path: &[String]) -> Result<Option<String>, EditError> {
        let key = &path[path.len() - 1];
        let all = self.of(key)?;
        if let Some(shared) = all.iter().find(|a| !a.is_alone(&self.text)) {
            let why = format!("`{key}` shares its line with something else");
            return Err(EditError::at(&self.text, shared.at, why)
                .help("give it a line of its own, or write the whole file"));
        }
        if all.is_empty() {
            return Ok(None);
        }
        let read = Text::read(&self.text);
        let mut gone = vec![false; read.lines.len()];
        for assignment in all {
            let last = read.line_at(assignment.word.end);
            gone[read.line_at(assignment.at)..=last].fill(true);
        }
        Ok(Some(read.without(&gone)))
    }

    fn tree(&self) -> Tree {
        let entry = |a: &Assignment| {
            let word = &self.text[a.word.clone()];
            (a.key.clone(), Tree::Leaf(word.to_owned()))
        };
        Tree::Table(self.script.assignments.iter().map(entry).collect())
    }
}
