//! Names in expressions and templates: each is known, or the word that was meant is shown.

use super::files::Files;
use super::include::Roles;
use super::merge::MergedRole;
use crate::render::engine::{self, Engine};
use crate::render::scan::{self, Uses};
use crate::resource::Place;
use crate::text::declare::KeyText;
use crate::text::diagnostic::{Diagnostic, Diagnostics, Spot};
use crate::text::source::Source;
use crate::text::tree::NodeValue;
use std::collections::BTreeSet;

/// What `facts.` can be followed by; what is open has any name below.
const FACTS: &[(&str, &[&str])] = &[
    ("hostname", &[]),
    ("fqdn", &[]),
    ("address", &[]),
    ("os", &["id", "version", "codename"]),
    ("arch", &[]),
    ("cpus", &[]),
    ("memory_mb", &[]),
    ("interfaces", &["*"]),
    ("local", &["*"]),
    ("azure", &["*"]),
];

/// A string of a role that may be a template.
pub struct Text<'t> {
    pub text: &'t str,
    /// Where it stands.
    pub at: Spot,
    /// Whether there is an item, and whether it comes from facts or fleet.
    pub item: Option<bool>,
    /// It is a command line.
    pub shell: bool,
    /// Where the value of its key begins.
    pub key: Place,
}

/// All expressions of one merged role.
pub struct Expressions<'a> {
    role: &'a MergedRole<'a>,
    roles: &'a Roles,
    catalog: &'a Files,
    engine: Engine,
    pub files: BTreeSet<String>,
    pub reads: BTreeSet<String>,
    pub said: Vec<Place>,
    pub wrong: Diagnostics,
    /// Template files looked at, with an item and without.
    seen: BTreeSet<(String, bool)>,
}

impl<'a> Expressions<'a> {
    pub fn new(role: &'a MergedRole<'a>, roles: &'a Roles, catalog: &'a Files) -> Self {
        Self {
            role,
            roles,
            catalog,
            engine: Engine::new(),
            files: BTreeSet::new(),
            reads: BTreeSet::new(),
            said: Vec::new(),
            wrong: Diagnostics::new(),
            seen: BTreeSet::new(),
        }
    }

    /// Looks at `when`.
    pub fn when(&mut self, name: &str, key: &KeyText, item: Option<bool>) {
        match &key.node.value {
            NodeValue::Boolean(_) => {}
            NodeValue::String(text) => {
                self.bare(name, text, key, item);
            }
            _ => {
                let message = format!("expected an expression, found {}", key.node.kind());
                self.error(key, Diagnostic::error(key.value_spot(), message));
            }
        }
    }

    /// Looks at `each`; whether its items come from facts or fleet.
    pub fn each(&mut self, key: &KeyText) -> bool {
        match &key.node.value {
            NodeValue::String(text) => self.bare("each", text, key, None),
            NodeValue::Array(_) => {
                let mut tainted = false;
                key.node.strings(&mut |text, node| {
                    let span = node.span.clone();
                    let mut text = Text {
                        text,
                        at: key.source.spot(&span),
                        item: None,
                        shell: false,
                        key: key.value_spot().place,
                    };
                    let spot = |fragment: &str| key.source.spot_within(&span, fragment);
                    tainted |= self.template(&mut text, spot);
                });
                tainted
            }
            _ => {
                let found = key.node.kind();
                let message = format!("`each` is an array or an expression, not {found}");
                self.error(key, Diagnostic::error(key.value_spot(), message));
                false
            }
        }
    }

    fn error(&mut self, key: &KeyText, diagnostic: Diagnostic) {
        self.said.push(key.value_spot().place);
        self.wrong.push(diagnostic);
    }

    fn bare(&mut self, name: &str, text: &str, key: &KeyText, item: Option<bool>) -> bool {
        match scan::expression(text) {
            Ok((uses, tainted)) => {
                let span = key.node.span.clone();
                let spot = |fragment: &str| key.source.spot_within(&span, fragment);
                self.uses(&uses, text, item, &key.value_spot().place, &spot);
                tainted
            }
            Err(why) => {
                let mut diagnostic =
                    Diagnostic::error(key.value_spot(), engine::trouble(&why).message);
                if text.contains("{{") {
                    diagnostic = diagnostic
                        .help(format!("`{name}` is a bare expression, without {{{{ }}}}"));
                }
                self.error(key, diagnostic);
                false
            }
        }
    }

    /// Looks at a string; whether something of facts or fleet is in it.
    pub fn template(&mut self, text: &mut Text<'_>, spot: impl Fn(&str) -> Spot) -> bool {
        let item_tainted = text.item.unwrap_or_default();
        let uses = match scan::tainted_template(text.text, "", item_tainted) {
            Ok(uses) => uses,
            Err(why) => {
                let mut at = text.at.clone();
                if let Some(range) = why.range() {
                    at = spot(text.text.get(range).unwrap_or_default());
                }
                self.said.push(text.key.clone());
                self.wrong
                    .push(Diagnostic::error(at, engine::trouble(&why).message));
                return false;
            }
        };
        self.uses(&uses, text.text, text.item, &text.key, &spot);
        for include in &uses.includes {
            let at = spot(text.text.get(include.span.clone()).unwrap_or_default());
            self.said.push(text.key.clone());
            self.wrong.push(
                Diagnostic::error(at, "only a template file can include others")
                    .help("put it in a file beside role.toml: template = \"NAME.j2\""),
            );
        }
        if text.shell {
            for span in &uses.unquoted {
                let fragment = text.text.get(span.clone()).unwrap_or_default();
                self.said.push(text.key.clone());
                self.wrong.push(
                    Diagnostic::error(
                        spot(fragment),
                        "a value from facts or fleet in a command line without the filter `sh`",
                    )
                    .help(format!(
                        "write {{{{ {fragment} | sh }}}}, or the command as an array"
                    )),
                );
            }
        }
        !uses.unquoted.is_empty()
    }

    /// Looks at a template file and what it includes.
    pub fn file(&mut self, path: &str, item: bool, from: &Place) {
        if !self.seen.insert((path.to_owned(), item)) {
            return;
        }
        self.files.insert(path.to_owned());
        let Some(text) = self.catalog.text(path) else {
            self.said.push(from.clone());
            let message = format!("{path} is not UTF-8, which a template must be");
            self.wrong.push(Diagnostic::error(from, message));
            return;
        };
        if text.len() > crate::text::MAX_TEXT {
            self.said.push(from.clone());
            let message = format!("{path} is too large for a template");
            self.wrong.push(Diagnostic::error(from, message));
            return;
        }
        let role = path.split('/').next().unwrap_or_default();
        let source = Source::new(role, path, text);
        match scan::template(text, path) {
            Ok(uses) => self.file_uses(&uses, &source, item, from),
            Err(why) => {
                let end = why.line().unwrap_or(1);
                let span = why.range().unwrap_or_else(|| source.line_start(end));
                self.said.push(from.clone());
                let message = engine::trouble(&why).message;
                self.wrong
                    .push(Diagnostic::error(source.spot(&span), message));
            }
        }
    }

    fn file_uses(&mut self, uses: &Uses, source: &Source, item: bool, from: &Place) {
        // Fragments are found again by where they stand: names may come more than once.
        let spot = |span: &std::ops::Range<usize>| source.spot(span);
        self.names(uses, &source.text, item.then_some(false), from, &spot);
        for include in &uses.includes {
            let at = source.spot(&include.span);
            let Some(name) = &include.name else {
                self.said.push(from.clone());
                let message = "the file to include must be written as a string";
                self.wrong.push(Diagnostic::error(at, message));
                continue;
            };
            let path = format!("{}/{name}", source.role);
            if self.catalog.get(&path).is_some() {
                self.file(&path, item, from);
                continue;
            }
            self.said.push(from.clone());
            let prefix = format!("{}/", source.role);
            let below = self.catalog.below(&source.role);
            let names: Vec<&str> = below.filter_map(|(p, _)| p.strip_prefix(&prefix)).collect();
            let message = format!("no file {name:?} in the folder of {}", source.role);
            self.wrong
                .push(Diagnostic::error(at, message).near(name, names));
        }
    }

    fn uses(
        &mut self,
        uses: &Uses,
        text: &str,
        item: Option<bool>,
        key: &Place,
        spot: &dyn Fn(&str) -> Spot,
    ) {
        let at = |span: &std::ops::Range<usize>| spot(text.get(span.clone()).unwrap_or_default());
        self.names(uses, text, item, key, &at);
    }

    fn names(
        &mut self,
        uses: &Uses,
        text: &str,
        item: Option<bool>,
        key: &Place,
        spot: &dyn Fn(&std::ops::Range<usize>) -> Spot,
    ) {
        let mut wrong = Vec::new();
        for used in &uses.params {
            if !self.role.params.contains_key(&used.name) {
                let words = self.role.params.keys().map(String::as_str);
                let message = format!("unknown param `{}`", used.name);
                wrong.push(Diagnostic::error(spot(&used.span), message).near(&used.name, words));
            }
        }
        for used in &uses.facts {
            wrong.extend(unknown_fact(&used.name, spot(&used.span)));
        }
        for (used, words) in &uses.unknown {
            let message = format!("unknown `{}`", used.name);
            let near = Diagnostic::error(spot(&used.span), message)
                .near(&used.name, words.iter().copied());
            wrong.push(match near.help {
                Some(_) => near,
                None => near.help(format!("there is {}", words.join(" and "))),
            });
        }
        for used in &uses.variables {
            let message = format!("unknown variable or function `{}`", used.name);
            let mut words = vec![
                "params",
                "facts",
                "fleet",
                "member",
                "range",
                "dict",
                "namespace",
            ];
            words.extend(item.map(|_| "item"));
            wrong.push(Diagnostic::error(spot(&used.span), message).near(&used.name, words));
        }
        for (what, used) in uses
            .filters
            .iter()
            .filter(|used| !self.engine.has_filter(&used.name))
            .map(|used| ("filter", used))
            .chain(
                uses.tests
                    .iter()
                    .filter(|used| !self.engine.has_test(&used.name))
                    .map(|used| ("test", used)),
            )
        {
            let message = format!("unknown {what} `{}`", used.name);
            wrong.push(Diagnostic::error(spot(&used.span), message));
        }
        if item.is_none() {
            for span in &uses.item {
                wrong.push(Diagnostic::error(
                    spot(span),
                    "there is no item: the resource has no `each`",
                ));
            }
        }
        self.fleet(uses, spot, &mut wrong);
        debug_assert!(
            uses.params
                .iter()
                .all(|used| text.get(used.span.clone()).is_some())
        );
        for diagnostic in wrong {
            self.said.push(key.clone());
            self.wrong.push(diagnostic);
        }
    }

    fn fleet(
        &mut self,
        uses: &Uses,
        spot: &dyn Fn(&std::ops::Range<usize>) -> Spot,
        wrong: &mut Vec<Diagnostic>,
    ) {
        if !uses.peers.is_empty() {
            self.reads.insert(self.role.own.name.clone());
        }
        for used in &uses.members {
            let at = spot(&used.span);
            match &used.name {
                None => wrong.push(Diagnostic::error(
                    at,
                    "fleet.members takes one role, written as a string",
                )),
                Some(name) => match self.roles.get(name) {
                    None => {
                        let words = self.roles.values().filter(|role| !role.partial);
                        let message = format!("no role `{name}`");
                        let words = words.map(|role| role.name.as_str());
                        wrong.push(Diagnostic::error(at, message).near(name, words));
                    }
                    Some(role) if role.partial => wrong.push(Diagnostic::error(
                        at,
                        format!("`{name}` is partial: no machine has it as its role"),
                    )),
                    Some(_) => {
                        self.reads.insert(name.clone());
                    }
                },
            }
        }
    }
}

fn unknown_fact(path: &str, at: Spot) -> Option<Diagnostic> {
    let mut parts = path.split('.');
    let first = parts.next().filter(|first| !first.is_empty())?;
    let Some((_, below)) = FACTS.iter().find(|(name, _)| *name == first) else {
        let message = format!("unknown fact `{first}`");
        let words = FACTS.iter().map(|(name, _)| *name);
        return Some(Diagnostic::error(at, message).near(first, words));
    };
    let next = parts.next()?;
    if below == &["*"] || below.contains(&next) || below.is_empty() {
        return None;
    }
    let message = format!("unknown fact `{first}.{next}`");
    Some(Diagnostic::error(at, message).near(next, below.iter().copied()))
}
