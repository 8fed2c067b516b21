//! Template files with what they include: a file that is included or extended sees the variables of the one that does it.

use super::expressions::{Expressions, slipped};
use crate::render::scan::{self, Include, Uses};
use crate::resource::Place;
use crate::text::MAX_TEXT;
use crate::text::diagnostic::Diagnostic;
use crate::text::secrets::Stand;
use crate::text::source::Source;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

/// Names, and files.
type Names = BTreeSet<String>;

/// What was looked at: with an item or without, and whether secrets may be in it.
#[derive(Debug, Default)]
pub struct Seen {
    /// Files that keys name.
    named: BTreeSet<(String, bool, bool)>,
    /// Each file with the variables that are brought along.
    files: BTreeSet<(String, bool, bool, Names)>,
}

impl Expressions<'_> {
    /// Looks at a template file and what it includes.
    pub fn file(&mut self, path: &str, item: bool, stand: Stand<'_>, from: &Place) {
        let secrets = stand.takes_secrets();
        if !self.seen.named.insert((path.to_owned(), item, secrets)) {
            return;
        }
        for (path, known) in self.brought(path) {
            let key = (path.clone(), item, secrets, known.clone());
            if self.seen.files.insert(key) {
                self.file_within(&path, &known, item, stand, from);
            }
        }
    }

    /// The files of a template, each with the variables that others bring along.
    fn brought(&self, path: &str) -> BTreeMap<String, Names> {
        let mut sets = BTreeMap::new();
        // By file, those whose variables it sees.
        let mut sees: BTreeMap<String, Names> = BTreeMap::new();
        let mut wanted = vec![path.to_owned()];
        while let Some(path) = wanted.pop() {
            if sets.contains_key(&path) {
                continue;
            }
            let uses = self.uses(&path);
            for include in &uses.includes {
                let Some(other) = self.included(&path, include) else {
                    continue;
                };
                sees.entry(other.clone()).or_default().insert(path.clone());
                if include.extends {
                    sees.entry(path.clone()).or_default().insert(other.clone());
                }
                wanted.push(other);
            }
            sets.insert(path, uses.sets);
        }
        let known = |path: &String| {
            let mut all = Names::new();
            let mut wanted: Vec<&String> = sees.get(path).into_iter().flatten().collect();
            while let Some(other) = wanted.pop() {
                if all.insert(other.clone()) {
                    wanted.extend(sees.get(other).into_iter().flatten());
                }
            }
            let sets = all.iter().filter_map(|other| sets.get(other));
            sets.flatten().cloned().collect()
        };
        let files = sets.keys();
        files.map(|path| (path.clone(), known(path))).collect()
    }

    /// What a file uses; nothing where it is wrong, which is said when it is looked at by itself.
    fn uses(&self, path: &str) -> Uses {
        let text = self.catalog.text(path);
        let text = text.filter(|text| text.len() <= MAX_TEXT);
        let uses = text.and_then(|text| scan::template(text, path).ok());
        uses.unwrap_or_default()
    }

    /// The file that counts.
    fn included(&self, path: &str, include: &Include) -> Option<String> {
        let mut paths = include.paths(path).into_iter();
        paths.find(|path| self.catalog.get(path).is_some())
    }

    fn file_within(
        &mut self,
        path: &str,
        known: &Names,
        item: bool,
        stand: Stand<'_>,
        from: &Place,
    ) {
        self.files.insert(path.to_owned());
        let Some(text) = self.catalog.text(path) else {
            self.said.push(from.clone());
            let message = format!("{path} is not UTF-8, which a template must be");
            let help =
                "save it as UTF-8 (iconv -f latin1 -t utf8), or take it as it is: source = …";
            self.wrong.push(Diagnostic::error(from, message).help(help));
            return;
        };
        if text.len() > MAX_TEXT {
            self.said.push(from.clone());
            let message = format!("{path} is too large for a template");
            self.wrong.push(Diagnostic::error(from, message));
            return;
        }
        let role = path.split('/').next().unwrap_or_default();
        let source = Source::new(role, path, text);
        match scan::included_template(text, path, known) {
            Ok(uses) => {
                let spot = |span: &Range<usize>| source.spot(span);
                self.names(&uses, item.then_some(false), from, &spot);
                self.secrets(&uses, stand, from, &spot);
                for include in &uses.includes {
                    self.include(include, path, &source, from);
                }
            }
            Err(why) => {
                let end = why.line().unwrap_or(1);
                let mut slip = scan::slips::of_template(text, &why);
                let span = slip.span.take().or_else(|| scan::guard::place(text));
                slip.span = Some(span.unwrap_or_else(|| source.line_start(end)));
                self.said.push(from.clone());
                self.wrong
                    .push(slipped(slip, text, &|span| source.spot(span)));
            }
        }
    }

    /// What a file includes is there.
    fn include(&mut self, include: &Include, path: &str, source: &Source, from: &Place) {
        let at = source.spot(&include.span);
        let Some(names) = &include.names else {
            self.said.push(from.clone());
            let message = "the file to include must be written as a string";
            self.wrong.push(Diagnostic::error(at, message));
            return;
        };
        let (Some(name), None) = (names.first(), self.included(path, include)) else {
            return;
        };
        if include.may_miss {
            return;
        }
        self.said.push(from.clone());
        let prefix = format!("{}/", source.role);
        // What includes is not what was meant.
        let below = self.catalog.below(&source.role);
        let below = below.filter(|(other, _)| *other != path);
        let there: Vec<&str> = below.filter_map(|(p, _)| p.strip_prefix(&prefix)).collect();
        let quoted: Vec<String> = names.iter().map(|name| format!("{name:?}")).collect();
        let message = format!(
            "no file {} in the folder of {}",
            quoted.join(" or "),
            source.role
        );
        let wrong = Diagnostic::error(at, message).near_path(name, there);
        self.wrong.push(match wrong.help {
            Some(_) => wrong,
            None => wrong.help(format!("it would be {prefix}{name} in the catalog")),
        });
    }
}
