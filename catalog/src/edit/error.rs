//! Why a text cannot be edited.

use super::place::Place;
use std::fmt;

/// Why a text cannot be edited, where in it, and what to do. It never quotes a value: that may be a secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EditError {
    place: Option<Place>,
    why: String,
    help: Option<String>,
}

impl EditError {
    /// About the text as a whole.
    pub(super) fn whole(why: impl Into<String>) -> Self {
        Self {
            place: None,
            why: why.into(),
            help: None,
        }
    }

    /// About what stands at this byte of the text.
    pub(super) fn at(text: &str, offset: usize, why: impl Into<String>) -> Self {
        Self {
            place: Some(Place::of(text, offset)),
            ..Self::whole(why)
        }
    }

    /// With what can be done about it.
    #[must_use]
    pub(super) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

impl fmt::Display for EditError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(place) = &self.place {
            write!(f, "line {}, column {}: ", place.line, place.column)?;
        }
        f.write_str(&self.why)?;
        match &self.help {
            Some(help) => write!(f, "; {help}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for EditError {}
