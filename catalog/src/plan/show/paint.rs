//! Colours of a terminal, or none.

/// Whether text has colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// None.
    Plain,
    /// Those of a terminal.
    Colour,
}

/// What a text is, so that it looks it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ink {
    Title,
    Added,
    Removed,
    Changed,
    Failed,
    Held,
    Hunk,
    Faint,
}

impl Style {
    pub(super) fn paint(self, ink: Ink, text: &str) -> String {
        let code = match ink {
            Ink::Title => "1",
            Ink::Added => "32",
            Ink::Removed => "31",
            Ink::Changed => "33",
            Ink::Failed => "1;31",
            Ink::Held => "35",
            Ink::Hunk => "36",
            Ink::Faint => "2",
        };
        match self {
            Style::Colour if !text.is_empty() => format!("\x1b[{code}m{text}\x1b[0m"),
            Style::Colour | Style::Plain => text.to_owned(),
        }
    }
}
