//! What is wrong with a catalog, shown with its place, its source line and the word that was meant.

use crate::plan::show::escape;
use crate::resource::Place;
use annotate_snippets::{AnnotationKind, Level, Origin, Renderer, Snippet};
use std::collections::BTreeSet;
use std::fmt;
use std::ops::Range;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The catalog cannot be used.
    Error,
    /// It can, but this is hardly meant.
    Warning,
}

/// A place in the text, with the line that stands there where the text is at hand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spot {
    /// Where.
    pub place: Place,
    /// The whole source line.
    pub line: Option<String>,
    /// How many characters are meant, at least 1.
    pub width: u32,
}

impl From<&Place> for Spot {
    fn from(place: &Place) -> Self {
        Self {
            place: place.clone(),
            line: None,
            width: 1,
        }
    }
}

/// Whose fault it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The catalog's.
    Catalog,
    /// The call's: a value of `--set`.
    Call,
    /// That of what it was set up with: a secret is not at hand.
    Setup,
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// How bad.
    pub severity: Severity,
    /// Whose fault.
    pub fault: Fault,
    /// What, in one line.
    pub message: String,
    /// Where, if it is in the text.
    pub at: Option<Spot>,
    /// Other places that have a part in it, with what each is.
    pub notes: Vec<(Spot, String)>,
    /// What to do about it.
    pub help: Option<String>,
    /// Which bytes of which string are meant, where `at` is but where a value begins.
    pub(crate) within: Option<(String, Range<usize>)>,
}

impl Diagnostic {
    /// An error at a place.
    pub fn error(at: impl Into<Spot>, message: impl Into<String>) -> Self {
        Self {
            severity: Severity::Error,
            fault: Fault::Catalog,
            message: message.into(),
            at: Some(at.into()),
            notes: Vec::new(),
            help: None,
            within: None,
        }
    }

    /// An error that is nowhere in the text.
    pub fn bare(message: impl Into<String>) -> Self {
        Self {
            severity: Severity::Error,
            fault: Fault::Catalog,
            message: message.into(),
            at: None,
            notes: Vec::new(),
            help: None,
            within: None,
        }
    }

    /// An error of the call, not of the text.
    pub fn of_call(message: impl Into<String>) -> Self {
        Self {
            fault: Fault::Call,
            ..Self::bare(message)
        }
    }

    /// An error of what a run was set up with, which shows at a place.
    pub fn of_setup(at: impl Into<Spot>, message: impl Into<String>) -> Self {
        Self {
            fault: Fault::Setup,
            ..Self::error(at, message)
        }
    }

    /// A warning at a place.
    pub fn warning(at: impl Into<Spot>, message: impl Into<String>) -> Self {
        Self {
            severity: Severity::Warning,
            ..Self::error(at, message)
        }
    }

    /// The same with advice.
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// The same with the word that was meant, where one is near.
    pub fn near<'a>(self, written: &str, words: impl IntoIterator<Item = &'a str>) -> Self {
        match super::near::nearest(written, words) {
            Some(word) => self.help(format!("did you mean `{word}`?")),
            None => self,
        }
    }

    /// The same for a path: one of that name in another folder is meant before one that is spelled alike.
    pub fn near_path<'a>(self, written: &str, paths: impl IntoIterator<Item = &'a str>) -> Self {
        let paths: Vec<&str> = paths.into_iter().collect();
        let last = |path: &'a str| path.rsplit('/').next();
        let name = written.trim_end_matches('/').rsplit('/').next();
        match paths.iter().find(|path| last(path) == name) {
            Some(path) => self.help(format!("did you mean `{path}`?")),
            None => self.near(written, paths),
        }
    }

    /// The same with the word that was meant, else with all that could be, where those are few: `there is a, b and c`.
    pub fn among<'a>(self, written: &str, words: impl IntoIterator<Item = &'a str>) -> Self {
        let words: Vec<&str> = words.into_iter().collect();
        match (
            super::near::nearest(written, words.iter().copied()),
            &words[..],
        ) {
            (None, [rest @ .., last]) if words.len() <= MOST_LISTED => self.help(match rest {
                [] => format!("there is {last}"),
                rest => format!("there are {} and {last}", rest.join(", ")),
            }),
            _ => self.near(written, words),
        }
    }

    /// The same with another place.
    pub fn note(mut self, at: impl Into<Spot>, what: impl Into<String>) -> Self {
        self.notes.push((at.into(), what.into()));
        self
    }

    fn order(&self) -> (Option<(&str, u32, u32)>, Severity, &str) {
        let at = self.at.as_ref().map(|spot| {
            let place = &spot.place;
            (&*place.file, place.line, place.column)
        });
        (at, self.severity, &self.message)
    }

    fn report(&self) -> Vec<annotate_snippets::Group<'_>> {
        let level = match self.severity {
            Severity::Error => Level::ERROR,
            Severity::Warning => Level::WARNING,
        };
        let mut group = level.primary_title(self.message.as_str()).elements(
            self.at
                .iter()
                .flat_map(|spot| spot.elements(AnnotationKind::Primary, None)),
        );
        for (spot, what) in &self.notes {
            group = group.elements(spot.elements(AnnotationKind::Context, Some(what)));
        }
        if let Some(help) = &self.help {
            group = group.element(Level::HELP.message(help.as_str()));
        }
        vec![group]
    }
}

impl Spot {
    fn elements<'a>(
        &'a self,
        kind: AnnotationKind,
        label: Option<&'a str>,
    ) -> Vec<annotate_snippets::Element<'a>> {
        // Of a line too long to be shown whole, only the beginning is at hand.
        let reached =
            |line: &&String| line.chars().count() >= self.place.column.saturating_sub(1) as usize;
        let Some(line) = self.line.as_ref().filter(reached) else {
            let origin = Origin::path(escape(&self.place.file))
                .line(self.place.line as usize)
                .char_column(self.place.column as usize);
            let mut elements = vec![origin.into()];
            if let Some(label) = label {
                elements.push(Level::NOTE.message(label).into());
            }
            return elements;
        };
        let byte = |chars: u32| {
            line.char_indices()
                .nth(chars as usize)
                .map_or(line.len(), |(at, _)| at)
        };
        let start = byte(self.place.column.saturating_sub(1));
        let end = byte((self.place.column.saturating_sub(1)).saturating_add(self.width.max(1)));
        vec![
            Snippet::source(line.as_str())
                .line_start(self.place.line as usize)
                .path(escape(&self.place.file))
                .annotation(kind.span(start..end).label(label))
                .into(),
        ]
    }
}

/// So many words are listed where none of them is near what was written.
const MOST_LISTED: usize = 20;

/// All that is wrong, each thing once, sorted by place.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Diagnostics(Vec<Diagnostic>);

/// So many are shown, more than anybody mends at once; the rest is counted.
const MOST_SHOWN: usize = 1000;

impl Diagnostics {
    /// Nothing wrong so far.
    pub fn new() -> Self {
        Self::default()
    }

    /// Another one.
    pub fn push(&mut self, diagnostic: Diagnostic) {
        self.0.push(diagnostic);
    }

    /// Those of another collection too.
    pub fn extend(&mut self, others: Diagnostics) {
        self.0.extend(others.0);
    }

    /// Whether one of them is an error.
    pub fn has_errors(&self) -> bool {
        self.0.iter().any(|d| d.severity == Severity::Error)
    }

    /// Whose fault it is that there are errors: the catalog's, unless all are another's.
    pub fn fault(&self) -> Fault {
        let errors = self.0.iter().filter(|d| d.severity == Severity::Error);
        let faults: Vec<Fault> = errors.map(|error| error.fault).collect();
        match faults.first() {
            Some(first) if faults.iter().all(|fault| fault == first) => *first,
            _ => Fault::Catalog,
        }
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Only the first so many.
    pub(crate) fn truncate(&mut self, count: usize) {
        self.0.truncate(count);
    }

    /// How many.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Each.
    pub fn iter(&self) -> impl Iterator<Item = &Diagnostic> {
        self.0.iter()
    }

    /// Sorted, each once; every spot without its line gets it from `line_of` (file and line number).
    pub(crate) fn finish(mut self, spot_of: impl Fn(&Spot) -> Spot) -> Self {
        for diagnostic in &mut self.0 {
            let notes = diagnostic.notes.iter_mut().map(|(spot, _)| spot);
            for spot in diagnostic.at.iter_mut().chain(notes) {
                if spot.line.is_none() {
                    *spot = spot_of(spot);
                }
            }
        }
        self.0.sort_by(|a, b| a.order().cmp(&b.order()));
        let mut seen = BTreeSet::new();
        self.0.retain(|diagnostic| {
            let (at, severity, message) = diagnostic.order();
            let at = at.map(|(file, line, column)| (file.to_owned(), line, column));
            seen.insert((at, severity, message.to_owned()))
        });
        self
    }

    /// As text for a terminal, with colours.
    pub fn coloured(&self) -> String {
        self.text(&Renderer::styled())
    }

    fn text(&self, renderer: &Renderer) -> String {
        let mut text = String::new();
        for diagnostic in self.0.iter().take(MOST_SHOWN) {
            text.push_str(&renderer.render(&diagnostic.report()));
            text.push_str("\n\n");
        }
        if self.0.len() > MOST_SHOWN {
            text.push_str(&format!("and {} more\n", self.0.len() - MOST_SHOWN));
        }
        text.truncate(text.trim_end().len());
        text
    }
}

impl IntoIterator for Diagnostics {
    type Item = Diagnostic;
    type IntoIter = std::vec::IntoIter<Diagnostic>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl From<Diagnostic> for Diagnostics {
    fn from(diagnostic: Diagnostic) -> Self {
        Self(vec![diagnostic])
    }
}

impl fmt::Display for Diagnostics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text(&Renderer::plain()))
    }
}

impl std::error::Error for Diagnostics {}
