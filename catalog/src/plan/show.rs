//! A document as text for a terminal.

use super::Change;
use super::document::Document;

/// Whether the text has colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// None.
    Plain,
    /// Those of a terminal.
    Colour,
}

/// The whole document, for a terminal of this width.
pub fn text(document: &Document, style: Style, width: usize) -> String {
    let _ = (style, width);
    document.changes.iter().map(line).collect()
}

/// One change as one line.
pub fn line(change: &Change) -> String {
    format!("{} {}\n", change.resource, change.action.word())
}
