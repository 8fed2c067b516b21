//! A document as text for a terminal: grouped by resource, with diffs, and a summary at the end.

mod escape;
mod failures;
mod paint;
mod phrase;
mod summary;

pub use escape::escape;
pub use paint::Style;
pub use summary::summary;

use super::document::{Document, Held};
use super::{Action, Change};
use crate::id::ResourceId;
use paint::Ink;
use std::collections::{BTreeMap, BTreeSet};

/// So many leftovers are named: a machine may have had another role.
const MOST_LEFT: usize = 20;

/// Under the line of a resource.
const INDENT: &str = "    ";

/// The whole document, for a terminal of this many columns.
pub fn text(document: &Document, style: Style, width: usize) -> String {
    let mut page = Page {
        text: String::new(),
        style,
        width: width.max(20),
    };
    page.title(document);
    let failed = failures::groups(document);
    page.body(document, &failed);
    if !page.text.is_empty() {
        page.line("", "");
    }
    let summary = summary(document);
    let ink = match document.exit_code() {
        0 => Ink::Added,
        1 => Ink::Failed,
        _ => Ink::Title,
    };
    page.line("", &style.paint(ink, &summary));
    if !document.dry_run && failed.iter().any(|group| group.first.resource.is_some()) {
        page.line(
            "",
            "Run it again when that is mended: what is done stays done.",
        );
    }
    page.text
}

/// What a document has on resources, without its title and its summary.
pub fn body(document: &Document, style: Style, width: usize) -> String {
    let mut page = Page {
        text: String::new(),
        style,
        width: width.max(20),
    };
    page.body(document, &failures::groups(document));
    page.text
}

/// One change on one line, as a run makes it, or would.
pub fn line(change: &Change, style: Style, dry_run: bool) -> String {
    let (ink, symbol) = symbol(&[change]);
    format!(
        "{} {}  {}",
        style.paint(ink, symbol),
        escape(&change.resource.to_string()),
        escape(&phrase::done(change, dry_run))
    )
}

/// The changes of each resource, in the order in which the first of each comes.
fn groups(document: &Document) -> Vec<Vec<&Change>> {
    let mut groups: Vec<Vec<&Change>> = Vec::new();
    let mut places: BTreeMap<&ResourceId, usize> = BTreeMap::new();
    for change in &document.changes {
        let place = *places.entry(&change.resource).or_insert(groups.len());
        match groups.get_mut(place) {
            Some(group) => group.push(change),
            None => groups.push(vec![change]),
        }
    }
    groups
}

/// What is held of each resource, in the order in which the first of each comes.
fn held(document: &Document) -> Vec<(&ResourceId, Vec<&str>)> {
    let mut groups: Vec<(&ResourceId, Vec<&str>)> = Vec::new();
    let mut places: BTreeMap<&ResourceId, usize> = BTreeMap::new();
    for Held {
        resource, detail, ..
    } in &document.held
    {
        let place = *places.entry(resource).or_insert(groups.len());
        match groups.get_mut(place) {
            Some((_, details)) => details.push(detail),
            None => groups.push((resource, vec![detail])),
        }
    }
    groups
}

/// What a group of changes amounts to.
fn symbol(changes: &[&Change]) -> (Ink, &'static str) {
    let any = |actions: &[Action]| changes.iter().any(|c| actions.contains(&c.action));
    if any(&[Action::Create, Action::Install]) {
        (Ink::Added, "+")
    } else if any(&[Action::Remove, Action::Purge]) {
        (Ink::Removed, "-")
    } else {
        (Ink::Changed, "~")
    }
}

struct Page {
    text: String,
    style: Style,
    width: usize,
}

impl Page {
    fn line(&mut self, indent: &str, text: &str) {
        self.text.push_str(indent);
        self.text.push_str(text);
        self.text.push('\n');
    }

    fn title(&mut self, document: &Document) {
        let mut words = Vec::new();
        if !document.host.is_empty() {
            words.push(document.host.clone());
        }
        words.extend(document.role.as_ref().map(|role| format!("role {role}")));
        if let Some(release) = &document.release {
            let short: String = release.to_string().chars().take(12).collect();
            words.push(format!("release {short}"));
        }
        if document.partial {
            words.push("in part".into());
        }
        if document.dry_run {
            words.push("dry run".into());
        }
        if let Some(why) = &document.without_slot {
            words.push(format!("without a slot: {why}"));
        }
        words.extend(document.run.as_ref().map(|run| format!("run {run}")));
        if words.is_empty() {
            return;
        }
        let title = escape(&words.join(" · "));
        let title = self.style.paint(Ink::Title, &title);
        self.line("", &title);
        let empty = document.changes.is_empty() && document.leftovers.is_empty();
        if !empty || document.exit_code() != 0 {
            self.line("", "");
        }
    }

    /// Changes, what is held and left over, and last what failed.
    fn body(&mut self, document: &Document, failed: &[failures::Group<'_>]) {
        for group in groups(document) {
            self.group(&group, document);
        }
        for (resource, details) in held(document) {
            let words = format!("held: {}", details.join("; "));
            self.head(Ink::Held, "=", &resource.to_string(), &words);
        }
        self.leftovers(document);
        for group in failed {
            self.failure(group, document.dry_run);
        }
    }

    /// The line of a resource; what does not fit beside the name goes below it.
    fn head(&mut self, ink: Ink, symbol: &str, name: &str, words: &str) {
        let name = escape(name);
        let words = escape(words);
        let symbol = self.style.paint(ink, symbol);
        let taken = 2 + name.chars().count() + 2 + words.chars().count();
        if taken <= self.width {
            let words = self.style.paint(ink, &words);
            self.line("", &format!("{symbol} {name}  {words}"));
        } else {
            self.line("", &format!("{symbol} {name}"));
            self.wrapped(ink, &words);
        }
    }

    fn group(&mut self, changes: &[&Change], document: &Document) {
        let Some(first) = changes.first() else { return };
        let (ink, symbol) = symbol(changes);
        let words: Vec<String> = changes.iter().map(|c| self.words(c, document)).collect();
        let name = first.resource.to_string();
        self.head(ink, symbol, &name, &words.join(", "));
        for change in changes {
            let differences = phrase::differences(change);
            if !differences.is_empty() {
                self.wrapped(Ink::Faint, &escape(&differences.join(", ")));
            }
            if let Some(diff) = &change.diff {
                self.diff(diff);
            }
        }
        let causes: BTreeSet<String> = changes
            .iter()
            .flat_map(|change| &change.causes)
            .map(ToString::to_string)
            .collect();
        if !causes.is_empty() {
            let causes: Vec<String> = causes.into_iter().collect();
            let causes = format!("because of {}", causes.join(", "));
            self.wrapped(Ink::Faint, &escape(&causes));
        }
    }

    fn words(&self, change: &Change, document: &Document) -> String {
        let unforeseen = document
            .unforeseen
            .iter()
            .any(|u| u.resource == change.resource && u.action == change.action);
        let done = phrase::done(change, document.dry_run);
        if unforeseen {
            format!("{done} (unforeseen)")
        } else {
            done
        }
    }

    fn diff(&mut self, diff: &str) {
        // A carriage return at the end of a line may be all that differs.
        for line in diff.split_terminator('\n') {
            let ink = match line.as_bytes().first() {
                Some(b'+') => Some(Ink::Added),
                Some(b'-') => Some(Ink::Removed),
                Some(b'@') => Some(Ink::Hunk),
                Some(b' ') => None,
                _ => Some(Ink::Faint),
            };
            let line = escape(line);
            let line = ink.map_or(line.clone(), |ink| self.style.paint(ink, &line));
            self.line(INDENT, &line);
        }
    }

    fn failure(&mut self, group: &failures::Group<'_>, dry_run: bool) {
        let word = if dry_run { "would fail" } else { "failed" };
        match &group.first.resource {
            Some(resource) => self.head(Ink::Failed, "!", &resource.to_string(), word),
            None => {
                let line = self.style.paint(Ink::Failed, &format!("! {word}"));
                self.line("", &line);
            }
        }
        for line in group.first.message.lines() {
            self.wrapped(Ink::Failed, &escape(line));
        }
        for words in group.words() {
            self.wrapped(Ink::Faint, &escape(&words));
        }
    }

    fn leftovers(&mut self, document: &Document) {
        for leftover in document.leftovers.iter().take(MOST_LEFT) {
            let words = match &document.role {
                Some(role) if *role != leftover.role => {
                    format!("left over from the role {}", leftover.role)
                }
                _ => "left over: the role names it no more".into(),
            };
            self.head(Ink::Faint, "·", &leftover.resource.to_string(), &words);
            if let Some(why) = &leftover.why {
                self.wrapped(Ink::Faint, &escape(why));
            }
        }
        let more = document.leftovers.len().saturating_sub(MOST_LEFT);
        if more > 0 {
            self.head(Ink::Faint, "·", &format!("and {more} more"), "left over");
        }
    }

    /// Words, in as many lines as they need.
    fn wrapped(&mut self, ink: Ink, words: &str) {
        let room = self.width - INDENT.len();
        let mut line = String::new();
        let mut length = 0;
        for word in words.split(' ') {
            let more = word.chars().count();
            if length > 0 && length + 1 + more > room {
                let painted = self.style.paint(ink, &line);
                self.line(INDENT, &painted);
                line.clear();
                length = 0;
            }
            if length > 0 {
                line.push(' ');
                length += 1;
            }
            line.push_str(word);
            length += more;
        }
        let painted = self.style.paint(ink, &line);
        self.line(INDENT, &painted);
    }
}
