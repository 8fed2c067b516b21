//! Edits of a part of a text: keys are set and removed, and every other byte stays as it is.
//!
//! One file a format. Each reads the text with the places of what is in it, and splices; none writes a text anew.
//! What comes out is read again: it says what was wanted, and all else as before, or the edit is refused.

mod back;
mod empty;
mod env;
mod error;
mod ini;
mod json;
mod lines;
mod place;
mod shell;
mod text;
mod toml;
mod toml_node;
mod tree;
mod wanted;
mod yaml;
mod yaml_node;
mod yaml_scalar;

#[cfg(test)]
mod tests;

pub use back::back;
pub use error::EditError;
pub use lines::{LineWanted, Pattern, Unwanted};
pub use wanted::{Conflict, Edit, Format, KeyPath, Setting, joined};

use serde_json::Value;
use tree::Tree;

/// No larger text is edited, in bytes.
pub const MOST: usize = 1 << 20;

/// A mark that some editors put before a text.
const BOM: &str = "\u{feff}";

/// The text with the edit made. A text that says so already comes back byte for byte.
///
/// # Errors
/// Where the text is not of the format, is too large, or cannot be edited without a guess; with the place in it.
pub fn apply(bytes: &[u8], edit: &Edit) -> Result<Vec<u8>, EditError> {
    if bytes.len() > MOST {
        return Err(too_large("has"));
    }
    let (mark, text) = marked(readable(bytes)?);
    let edited = match edit.format {
        Format::Lines => of_lines(mark, text, edit),
        Format::Env if !mark.is_empty() => Err(EditError::whole(
            "a byte order mark stands at its beginning, which a shell takes for a part of the first word",
        )
        .help("remove the mark, or write the whole file")),
        Format::Env => keyed::<env::Env>(text, edit),
        Format::Ini => keyed::<ini::Ini>(text, edit),
        Format::Json => keyed::<json::Json>(text, edit),
        Format::Yaml => keyed::<yaml::Yaml>(text, edit),
        Format::Toml => keyed::<toml::Toml>(text, edit),
    }?;
    let edited = format!("{mark}{edited}").into_bytes();
    match edited.len() > MOST && edited != bytes {
        true => Err(too_large("would have")),
        false => Ok(edited),
    }
}

/// Whether a text is as bare as a new one, in whatever format.
pub fn holds_nothing(bytes: &[u8]) -> bool {
    matches!(bytes.trim_ascii(), b"" | b"{}")
}

/// The mark of a text, and what comes after it.
fn marked(whole: &str) -> (&str, &str) {
    let text = whole.strip_prefix(BOM).unwrap_or(whole);
    whole.split_at(whole.len() - text.len())
}

/// A mark may be a part of the first line, or none: who reads lines is not known.
fn of_lines(mark: &str, text: &str, edit: &Edit) -> Result<String, EditError> {
    let edited = lines::edit(text, &edit.lines, &edit.drop);
    let whole = format!("{mark}{text}");
    match mark.is_empty()
        || lines::edit(&whole, &edit.lines, &edit.drop) == format!("{mark}{edited}")
    {
        true => Ok(edited),
        false => Err(EditError::at(
            text,
            0,
            "a byte order mark stands before this line, and for some readers it is a part of it",
        )
        .help("remove the mark, or write the whole file")),
    }
}

fn too_large(has: &str) -> EditError {
    EditError::whole(format!(
        "it {has} more than {} KiB, the most that an edit reads",
        MOST / 1024
    ))
}

fn readable(bytes: &[u8]) -> Result<&str, EditError> {
    let text = std::str::from_utf8(bytes).map_err(|bad| {
        let good = String::from_utf8_lossy(&bytes[..bad.valid_up_to()]);
        EditError::at(&good, good.len(), "not UTF-8").help("convert the file, or write it whole")
    })?;
    match text.find('\0') {
        Some(at) => Err(EditError::at(text, at, "a NUL: this is no text")),
        None => Ok(text),
    }
}

/// A text whose keys can be set and removed.
trait Document: Sized {
    /// Reads it.
    fn read(text: &str) -> Result<Self, EditError>;

    /// The text in which the path has this value; none where it has it already.
    fn set(&self, path: &[String], value: &Value) -> Result<Option<String>, EditError>;

    /// The line in which what is at the path stands, where it is to come back as that.
    fn line(&self, _path: &[String]) -> Option<String> {
        None
    }

    /// The same as [`Document::set`], by the line in which the value stood.
    fn bring(
        &self,
        path: &[String],
        value: &Value,
        _line: &str,
    ) -> Result<Option<String>, EditError> {
        self.set(path, value)
    }

    /// The text without what is at the path; none where nothing is.
    fn remove(&self, path: &[String]) -> Result<Option<String>, EditError>;

    /// The path in [`Document::tree`] of a path as edits write it.
    fn in_tree(path: &[String]) -> Vec<String> {
        path.to_vec()
    }

    /// All that it says.
    fn tree(&self) -> Tree;

    /// Whether a table has text of its own.
    fn has(&self, table: &[String]) -> bool {
        self.tree().at(&Self::in_tree(table)).is_some()
    }

    /// The text without a table in which nothing is; none where there is none, or something is in it.
    fn without_empty(&self, table: &[String]) -> Option<String> {
        let tree = self.tree();
        match tree.at(&Self::in_tree(table))? {
            Tree::Table(entries) if entries.is_empty() => self.remove(table).ok().flatten(),
            _ => None,
        }
    }
}

fn keyed<D: Document>(text: &str, edit: &Edit) -> Result<String, EditError> {
    let mut text = text.to_owned();
    let mut document = D::read(&text)?;
    for path in &edit.remove {
        if let Some(edited) = document.remove(path)? {
            let next = checked(&document, &edited, path)?;
            match next.remove(path)? {
                None => (text, document) = (edited, next),
                Some(_) => return Err(unsure(path)),
            }
        }
    }
    for Setting { path, value, line } in &edit.set {
        let edited = match line {
            Some(line) => document.bring(path, value, line),
            None => document.set(path, value),
        };
        if let Some(edited) = edited? {
            let next = checked(&document, &edited, path)?;
            match next.set(path, value)? {
                None => (text, document) = (edited, next),
                Some(_) => return Err(unsure(path)),
            }
        }
    }
    for path in &edit.tables {
        // What cannot go so that all else stays may stay.
        if let Some(bare) = document
            .without_empty(path)
            .and_then(|bare| match path.is_empty() {
                true => Some(bare),
                false => empty::without(&text, &bare),
            })
            && let Ok(next) = checked(&document, &bare, path)
        {
            (text, document) = (bare, next);
        }
    }
    Ok(text)
}

/// The edited text, read: beside the path it must say what it said.
fn checked<D: Document>(before: &D, edited: &str, path: &[String]) -> Result<D, EditError> {
    let after = D::read(edited).map_err(|_| unsure(path))?;
    let place = D::in_tree(path);
    match before.tree().without(&place) == after.tree().without(&place) {
        true => Ok(after),
        false => Err(unsure(path)),
    }
}

fn unsure(path: &[String]) -> EditError {
    EditError::whole(format!(
        "`{}` cannot be edited here so that all else stays as it is",
        joined(path)
    ))
    .help("write the whole file, or edit it by hand first")
}
