//! Names in expressions and templates: each is known, or the word that was meant is shown.

use super::cohort;
use super::files::Files;
use super::include::Roles;
use super::merge::MergedRole;
use super::templates::Seen;
use crate::id::Kind;
use crate::render::builtin;
use crate::render::engine::{self, Engine};
use crate::render::scan::slips::{self, Slip};
use crate::render::scan::{self, Unquoted, Use, Uses};
use crate::resource::Place;
use crate::text::declared::KeyText;
use crate::text::diagnostic::{Diagnostic, Diagnostics, Spot};
use crate::text::foreign;
use crate::text::near::nearest;
use crate::text::secrets::Stand;
use crate::text::tree::NodeValue;
use std::collections::BTreeSet;
use std::ops::Range;

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

/// Variables and functions that expressions know.
const VARIABLES: [&str; 7] = [
    "params",
    "facts",
    "fleet",
    "member",
    "range",
    "dict",
    "namespace",
];

/// Where a range of bytes of a template stands in the catalog.
pub type SpotOf<'s> = &'s dyn Fn(&Range<usize>) -> Spot;

/// A string of a role that may be a template.
pub struct Text<'t> {
    pub text: &'t str,
    /// Whether there is an item, and whether it comes from facts or fleet.
    pub item: Option<bool>,
    /// It is a command line.
    pub shell: bool,
    /// Where it stands.
    pub stand: Stand<'t>,
    /// Where the value of its key begins.
    pub key: Place,
}

/// All expressions of one merged role.
pub struct Expressions<'a> {
    role: &'a MergedRole<'a>,
    roles: &'a Roles,
    pub(super) catalog: &'a Files,
    engine: Engine,
    pub files: BTreeSet<String>,
    pub reads: BTreeSet<String>,
    pub said: Vec<Place>,
    pub wrong: Diagnostics,
    pub(super) seen: Seen,
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
            seen: Seen::default(),
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
                    let text = Text {
                        text,
                        item: None,
                        shell: false,
                        stand: Stand::Key(Kind::File, "each"),
                        key: key.value_place(),
                    };
                    let spot = |range: &Range<usize>| key.source.spot_within(&span, range);
                    tainted |= self.template(&text, &spot);
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
        self.said.push(key.value_place());
        self.wrong.push(diagnostic);
    }

    fn bare(&mut self, name: &str, text: &str, key: &KeyText, item: Option<bool>) -> bool {
        match scan::expression(text) {
            Ok((uses, tainted)) => {
                let span = key.node.span.clone();
                let spot = |range: &Range<usize>| key.source.spot_within(&span, range);
                let is_word = uses.variables.iter().any(|used| used.name == text);
                if name == "each" && is_word {
                    let message = format!("unknown variable `{text}`");
                    let wrong = Diagnostic::error(key.value_spot(), message);
                    self.error(
                        key,
                        wrong.help(format!("words are an array: each = [{text:?}]")),
                    );
                    return false;
                }
                self.names(&uses, item, &key.value_place(), &spot);
                tainted
            }
            Err(why) => {
                let mut diagnostic = Diagnostic::error(key.value_spot(), engine::message(&why));
                diagnostic.help = slips::of_expression(text, name);
                self.error(key, diagnostic);
                false
            }
        }
    }

    /// Looks at a string; whether something of facts or fleet is in it.
    pub fn template(&mut self, text: &Text<'_>, spot: SpotOf<'_>) -> bool {
        let item_tainted = text.item.unwrap_or_default();
        let uses = match scan::tainted_template(text.text, "", item_tainted) {
            Ok(uses) => uses,
            Err(why) => {
                let mut slip = slips::of_template(text.text, &why);
                slip.span = slip.span.or_else(|| scan::guard::place(text.text));
                self.said.push(text.key.clone());
                self.wrong.push(slipped(slip, text.text, spot));
                return false;
            }
        };
        self.names(&uses, text.item, &text.key, spot);
        self.secrets(&uses, text.stand, &text.key, spot);
        for include in &uses.includes {
            let at = spot(&include.span);
            self.said.push(text.key.clone());
            self.wrong.push(
                Diagnostic::error(at, "only a template file can include others")
                    .help("put it in a file beside role.toml: template = \"NAME.j2\""),
            );
        }
        if text.shell {
            for unquoted in &uses.unquoted {
                self.said.push(text.key.clone());
                let message =
                    "a value from facts or fleet in a command line without the filter `sh`";
                let at = spot(&unquoted.span);
                let help = quote(unquoted, text.text);
                self.wrong.push(Diagnostic::error(at, message).help(help));
            }
        }
        !uses.unquoted.is_empty()
    }

    pub(super) fn names(&mut self, uses: &Uses, item: Option<bool>, key: &Place, spot: SpotOf<'_>) {
        let mut wrong = Vec::new();
        for used in &uses.params {
            let known = self.role.params.contains_key(&used.name);
            if !known && !self.role.unclear.has_param(&used.name) {
                let words = self.role.params.keys().map(String::as_str);
                let message = format!("unknown param `{}`", used.name);
                wrong.push(Diagnostic::error(spot(&used.span), message).among(&used.name, words));
            }
        }
        for used in &uses.facts {
            wrong.extend(unknown_fact(&used.name, || spot(&used.span)));
        }
        let unknown = uses.unknown.iter();
        wrong.extend(unknown.map(|(used, words)| unknown_attribute(used, words, spot)));
        for used in &uses.variables {
            let message = format!("unknown variable or function `{}`", used.name);
            let unknown = Diagnostic::error(spot(&used.span), message);
            wrong.push(
                match self.read_as(&used.name).or_else(|| test(used, uses)) {
                    Some(help) => unknown.help(help),
                    None => {
                        let words = || VARIABLES.into_iter().chain(item.map(|_| "item"));
                        let set = uses.sets.iter().map(String::as_str);
                        match unknown.near(&used.name, words().chain(set)) {
                            near if near.help.is_none() => near.help(format!(
                                "there are {}; text stands in quotes: '{}'",
                                words().collect::<Vec<_>>().join(", "),
                                used.name
                            )),
                            near => near,
                        }
                    }
                },
            );
        }
        self.filters(uses, spot, &mut wrong);
        if item.is_none() {
            for span in &uses.item {
                wrong.push(Diagnostic::error(
                    spot(span),
                    "there is no item: the resource has no `each`",
                ));
            }
        }
        self.fleet(uses, spot, &mut wrong);
        for diagnostic in wrong {
            self.said.push(key.clone());
            self.wrong.push(diagnostic);
        }
    }

    /// How something is read that has such a name.
    fn read_as(&self, name: &str) -> Option<String> {
        if self.role.params.contains_key(name) {
            return Some(format!("a param is read as params.{name}"));
        }
        if FACTS.iter().any(|(fact, _)| *fact == name) {
            return Some(format!("a fact is read as facts.{name}"));
        }
        foreign::variable(name).map(str::to_owned)
    }

    /// Secrets by name where none may stand, in whatever branch; one that gets there in another way, rendering finds.
    pub(super) fn secrets(&mut self, uses: &Uses, stand: Stand<'_>, key: &Place, spot: SpotOf<'_>) {
        if stand.takes_secrets() {
            return;
        }
        let params = &self.role.params;
        let secret = |name: &String| params.get(name).is_some_and(|param| param.secret);
        for used in uses.params.iter().filter(|used| secret(&used.name)) {
            let refusal = stand.refuse(|message| Diagnostic::error(spot(&used.span), message));
            self.said.push(key.clone());
            self.wrong.push(refusal);
        }
    }

    fn filters(&self, uses: &Uses, spot: SpotOf<'_>, wrong: &mut Vec<Diagnostic>) {
        for used in &uses.filters {
            if !self.engine.has_filter(&used.name) {
                let message = format!("unknown filter `{}`", used.name);
                let at = spot(&used.span);
                let unknown = Diagnostic::error(at, message);
                wrong.push(match foreign::filter(&used.name) {
                    Some(help) => unknown.help(help),
                    None => unknown.near(&used.name, builtin::meant(&builtin::FILTERS)),
                });
            }
        }
        for used in &uses.tests {
            if !self.engine.has_test(&used.name) {
                let message = format!("unknown test `{}`", used.name);
                let at = spot(&used.span);
                wrong.push(
                    Diagnostic::error(at, message)
                        .near(&used.name, builtin::meant(&builtin::TESTS)),
                );
            }
        }
    }

    fn fleet(&mut self, uses: &Uses, spot: SpotOf<'_>, wrong: &mut Vec<Diagnostic>) {
        if !uses.peers.is_empty() {
            self.reads.insert(self.role.own.name.clone());
        }
        for used in &uses.members {
            match &used.name {
                None => wrong.push(Diagnostic::error(
                    spot(&used.span),
                    "fleet.members takes one role, written as a string",
                )),
                Some(name) => match cohort::no_member(name, || spot(&used.span), self.roles) {
                    Some(diagnostic) => wrong.push(diagnostic),
                    None => {
                        self.reads.insert(name.clone());
                    }
                },
            }
        }
    }
}

/// What is wrong with a template that cannot be read.
pub(super) fn slipped(slip: Slip, text: &str, spot: SpotOf<'_>) -> Diagnostic {
    let at = spot(&slip.span.unwrap_or(0..text.len()));
    let mut diagnostic = Diagnostic::error(at, slip.message);
    diagnostic.help = slip.help;
    match slip.note {
        Some((span, what)) => diagnostic.note(spot(&span), what),
        None => diagnostic,
    }
}

/// How a test is written that is called like a function.
fn test(used: &Use, uses: &Uses) -> Option<String> {
    let first = uses.called.get(&used.name)?;
    let name = builtin::TESTS.iter().find(|name| **name == used.name)?;
    let first = first.as_deref().unwrap_or("…");
    Some(format!("it is a test: write `{first} is {name}`"))
}

/// Of fleet or member: what is not known of them, or what is no value without more.
fn unknown_attribute(used: &Use, words: &[&str], spot: SpotOf<'_>) -> Diagnostic {
    let within = |word: &&str| {
        let rest = word.strip_prefix(&used.name);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    };
    let itself = words.iter().any(within);
    let message = match itself {
        true => format!("`{}` by itself is no value", used.name),
        false => format!("unknown `{}`", used.name),
    };
    let last = |path: &str| path.rsplit('.').next().unwrap_or_default().to_owned();
    let near = |word: &&&str| nearest(&last(&used.name), [last(word).as_str()]).is_some();
    let help = match words.iter().find(near).filter(|_| !itself) {
        Some(word) => format!("did you mean `{word}`?"),
        None => format!("there is {}", words.join(" and ")),
    };
    Diagnostic::error(spot(&used.span), message).help(help)
}

/// How to quote it.
fn quote(unquoted: &Unquoted, text: &str) -> String {
    let inner = text.get(unquoted.inner.clone()).unwrap_or_default();
    let inner = match unquoted.open {
        true => format!("({inner})"),
        false => inner.to_owned(),
    };
    match unquoted.list {
        true => format!(
            "write {{{{ {inner} | sh }}}}: it quotes each word of a list, with spaces between"
        ),
        false => format!("write {{{{ {inner} | sh }}}}, or the command as an array"),
    }
}

/// Where it is costs a walk over the text, and most are known.
fn unknown_fact(path: &str, at: impl Fn() -> Spot) -> Option<Diagnostic> {
    let mut parts = path.split('.');
    let first = parts.next().filter(|first| !first.is_empty())?;
    let Some((_, below)) = FACTS.iter().find(|(name, _)| *name == first) else {
        let message = format!("unknown fact `{first}`");
        let words = FACTS.iter().map(|(name, _)| *name);
        return Some(Diagnostic::error(at(), message).among(first, words));
    };
    let next = parts.next()?;
    if below == &["*"] || below.contains(&next) || below.is_empty() {
        return None;
    }
    let message = format!("unknown fact `{first}.{next}`");
    Some(Diagnostic::error(at(), message).among(next, below.iter().copied()))
}
