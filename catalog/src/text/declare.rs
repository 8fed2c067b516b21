//! Reads a role.toml, and notes all in it that is wrong.

use super::declared::{KeyText, ResourceText, RoleText};
use super::diagnostic::{Diagnostic, Diagnostics};
use super::dotted::{is_of_name, is_plain, short, whole_name};
use super::foreign;
use super::keys;
use super::names;
use super::near::nearest;
use super::params;
use super::remedy;
use super::shape::Shape;
use super::source::Source;
use super::tree::{self, Entry, Node, NodeValue};
use super::words;
use crate::few::Few;
use crate::id::Kind;
use crate::resource::Leftovers;
use std::ops::Range;
use std::sync::Arc;

/// Reads one role.toml.
pub fn role(name: &str, source: Source, wrong: &mut Diagnostics) -> RoleText {
    let source = Arc::new(source);
    let mut reading = Reading {
        role: RoleText::empty(name, source.clone()),
        source,
        wrong: Diagnostics::new(),
    };
    match tree::document(&reading.source, &mut reading.wrong) {
        Some((entries, whole)) => {
            reading.role.unclear.all = !whole;
            entries.into_iter().for_each(|entry| reading.top(entry));
        }
        None => reading.role.unclear.all = true,
    }
    wrong.extend(reading.wrong);
    reading.role
}

struct Reading {
    role: RoleText,
    source: Arc<Source>,
    wrong: Diagnostics,
}

impl Reading {
    fn error(&mut self, span: &Range<usize>, message: impl Into<String>) {
        let spot = self.source.spot(span);
        self.wrong.push(Diagnostic::error(spot, message));
    }

    fn expected(&mut self, wanted: &str, node: &Node) {
        let wrong = self.mismatch(wanted, node);
        self.wrong.push(wrong);
    }

    fn mismatch(&self, wanted: &str, node: &Node) -> Diagnostic {
        let message = format!("expected {wanted}, found {}", node.kind());
        Diagnostic::error(self.source.spot(&node.span), message)
    }

    /// The same of a value of this shape.
    fn unlike(&mut self, shape: Shape, wanted: &str, node: &Node) {
        let mut wrong = self.mismatch(wanted, node);
        wrong.help = remedy::of(shape, node, &self.source.text[node.span.clone()]);
        self.wrong.push(wrong);
    }

    fn key(&self, span: Range<usize>, node: Node) -> KeyText {
        KeyText {
            source: self.source.clone(),
            span,
            node,
        }
    }

    fn top(&mut self, entry: Entry) {
        match entry.key.as_str() {
            "description" => match entry.node.text() {
                Some(text) => self.role.description = Some(text.to_owned()),
                None => self.unlike(Shape::Text, "a string", &entry.node),
            },
            "partial" => match entry.node.value {
                NodeValue::Boolean(partial) => self.role.partial = partial,
                _ => {
                    self.role.unclear.partial = true;
                    self.unlike(Shape::Boolean, "a boolean", &entry.node);
                }
            },
            "leftovers" => self.leftovers(&entry.node),
            "include" => self.include(&entry.node),
            "params" => self.params(&entry.node),
            "set" => self.set(&entry.node),
            "fleet" => self.fleet(&entry.node),
            word => match Kind::of_word(word) {
                Some(kind) => self.kind(kind, entry.node),
                None => self.unknown_top(&entry),
            },
        }
    }

    fn unknown_top(&mut self, entry: &Entry) {
        let word = entry.key.as_str();
        if words::ROLE_LATER.contains(&word) {
            let message = format!("`{word}` is not in this version");
            return self.error(&entry.span, message);
        }
        let kinds = Kind::ALL.map(Kind::word);
        let words = words::ROLE.iter().map(|row| row.name).chain(kinds);
        match foreign::of_role(word).or_else(|| nearest(word, words.clone())) {
            Some("partial") => self.role.unclear.partial = true,
            Some("include") => self.role.unclear.all = true,
            Some("params" | "set") => self.role.unclear.any_param = true,
            Some("fleet") => self.role.unclear.fleet = true,
            _ => self.refused(entry.node.entries().unwrap_or_default()),
        }
        let spot = self.source.spot(&entry.span);
        let wrong = Diagnostic::error(spot, format!("unknown key or kind `{word}`"));
        self.wrong.push(match foreign::top(word) {
            Some(advice) => wrong.help(advice),
            None => wrong.among(word, words),
        });
    }

    /// What may be meant for resources.
    fn refused(&mut self, entries: &[Entry]) {
        let names = entries.iter().map(|entry| entry.key.clone());
        self.role.unclear.resources.extend(names);
    }

    fn leftovers(&mut self, node: &Node) {
        const WANTED: &str = "\"show\" or \"revert\"";
        match node.text().map(|word| (word, Leftovers::of_word(word))) {
            Some((_, Some(choice))) => self.role.leftovers = choice,
            Some((word, None)) => {
                let spot = self.source.spot(&node.span);
                let message = format!("expected {WANTED}, found {word:?}");
                let wrong = Diagnostic::error(spot, message);
                self.wrong.push(wrong.among(word, Leftovers::WORDS));
            }
            None => self.expected(WANTED, node),
        }
    }

    fn include(&mut self, node: &Node) {
        let NodeValue::Array(items) = &node.value else {
            self.role.unclear.all = true;
            return self.unlike(Shape::Lines, "an array of roles", node);
        };
        for item in items {
            match item.text() {
                None => {
                    self.role.unclear.all = true;
                    self.expected("a role's name", item);
                }
                Some(name) if self.role.include.iter().any(|(other, _)| other == name) => {
                    self.error(&item.span, format!("`{name}` is included twice"));
                }
                Some(name) => self.role.include.push((name.into(), item.span.clone())),
            }
        }
    }

    fn params(&mut self, node: &Node) {
        let Some(entries) = node.entries() else {
            self.role.unclear.any_param = true;
            return self.expected("a table", node);
        };
        for entry in entries {
            let before = self.wrong.len();
            let param = params::declare(&self.source, entry, &mut self.wrong);
            if self.wrong.len() > before {
                self.role.unclear.params.insert(entry.key.clone());
            }
            if let Some(param) = param {
                self.role.params.insert(entry.key.clone(), param);
            }
        }
    }

    fn set(&mut self, node: &Node) {
        let Some(entries) = node.entries() else {
            self.role.unclear.any_param = true;
            return self.expected("a table", node);
        };
        for entry in entries {
            let key = self.key(entry.span.clone(), entry.node.clone());
            self.role.set.insert(entry.key.clone(), key);
        }
    }

    fn fleet(&mut self, node: &Node) {
        let Some(entries) = node.entries() else {
            self.role.unclear.fleet = true;
            return self.expected("a table", node);
        };
        for entry in entries {
            match keys::FLEET.iter().find(|row| row.name == entry.key) {
                Some(row) => {
                    let text = self.key(entry.span.clone(), entry.node.clone());
                    self.role.fleet.insert(row.name.to_owned(), text);
                }
                None => {
                    self.role.unclear.fleet = true;
                    let spot = self.source.spot(&entry.span);
                    let message = format!("unknown key `{}` of [fleet]", entry.key);
                    let words = names_of(keys::FLEET.iter());
                    self.wrong
                        .push(Diagnostic::error(spot, message).among(&entry.key, words));
                }
            }
        }
    }

    fn kind(&mut self, kind: Kind, node: Node) {
        let NodeValue::Table(entries) = node.value else {
            let word = kind.word();
            let message = format!("expected a table of {word}s by name, found {}", node.kind());
            let wrong = Diagnostic::error(self.source.spot(&node.span), message);
            let several = self.source.text[node.span.start..].starts_with("[[");
            self.wrong.push(wrong.help(match (several, kind) {
                (true, _) => format!("write [{word}] or [{word}.NAME], with one bracket"),
                (false, Kind::Package) => {
                    "begin them with [package], and give each a line: nginx = \"*\"".into()
                }
                (false, _) => format!("begin each with [{word}.NAME], its keys below"),
            }));
            return;
        };
        for entry in entries {
            self.resource(kind, entry);
        }
    }

    fn resource(&mut self, kind: Kind, entry: Entry) {
        let mut resource = ResourceText {
            kind,
            name: entry.key,
            source: self.source.clone(),
            span: entry.span.clone(),
            keys: Few::new(),
        };
        if let Some(short) = short(kind, &entry.node) {
            let value = self.key(entry.span, entry.node);
            resource.keys.insert(short.into(), value);
            return self.named(resource);
        }
        let inline = self.is_inline(&entry.node);
        let NodeValue::Table(keys) = entry.node.value else {
            let wanted = match kind {
                Kind::Package => "a version or a table".to_owned(),
                Kind::Sysctl => "a value or a table".to_owned(),
                _ => format!("the table of {}", kind.one()),
            };
            let found = entry.node.kind();
            let at = self.source.spot(&entry.node.span);
            let written = match is_plain(&resource.name) {
                true => resource.name.clone(),
                false => format!("{:?}", resource.name),
            };
            // A key where a name is wanted: the name was forgotten.
            let written = match keys::shape(kind, &resource.name) {
                Some(_) => "NAME".to_owned(),
                None => written,
            };
            let word = kind.word();
            let several = self.source.text[entry.node.span.start..].starts_with("[[");
            let wrong = Diagnostic::error(at, format!("expected {wanted}, found {found}"));
            let keys_below = || format!("begin it with [{word}.{written}], its keys below");
            self.wrong.push(wrong.help(match kind {
                _ if several => format!("write [{word}.{written}], with one bracket"),
                Kind::Package if written != "NAME" => {
                    format!("any version of it is {written} = \"*\"")
                }
                Kind::Sysctl if written != "NAME" => match entry.node.value {
                    NodeValue::Boolean(_) => {
                        "write it as the kernel does: 1 is on, 0 is off".into()
                    }
                    NodeValue::Float(_) => {
                        let number = &self.source.text[entry.node.span.clone()];
                        format!("write it in quotes: \"{number}\"")
                    }
                    _ => keys_below(),
                },
                _ => keys_below(),
            }));
            self.role.unclear.resources.insert(resource.name);
            return;
        };
        let mut other = 0;
        for mut key in keys {
            if !inline && self.continues(kind, &key) {
                other += 1;
                key.key = format!("{}.{}", resource.name, key.key);
                self.resource(kind, key);
            } else if !inline && self.splits(kind, &key) {
                other += 1;
                self.unquoted(&resource, &key);
            } else {
                self.resource_key(&mut resource, key);
            }
        }
        if other == 0 || !resource.keys.is_empty() {
            self.named(resource);
        }
    }

    /// A table where a key wants none: a name with dots, without its quotes.
    fn unquoted(&mut self, resource: &ResourceText, entry: &Entry) {
        let (word, one) = (resource.kind.word(), resource.kind.one());
        let at = resource.place();
        self.role.unclear.keys.insert(at);
        let message = match keys::shape(resource.kind, &entry.key) {
            Some(_) => format!("`{}` of {one} takes no table", entry.key),
            None => format!("unknown key `{}` of {one}", entry.key),
        };
        let whole = whole_name(resource.kind, &resource.name, entry);
        let spot = self.source.spot(&entry.span);
        let help = format!("if {whole:?} is the name, quote it: [{word}.{whole:?}]");
        self.wrong.push(Diagnostic::error(spot, message).help(help));
        let names = [resource.name.clone(), whole];
        self.role.unclear.resources.extend(names);
    }

    /// Whether dots in a name have made tables of it: what is written as a value is rather a key that is wrong, or wrongly spelled.
    fn splits(&self, kind: Kind, key: &Entry) -> bool {
        let near = nearest(&key.key, names_of(keys::of(kind)));
        is_of_name(kind, key) && (near.is_none() || !self.is_inline(&key.node))
    }

    fn is_inline(&self, node: &Node) -> bool {
        self.source.text[node.span.start..].starts_with('{')
    }

    /// Whether a key is the rest of a dotted name: `python3.11 = "*"`, `net.ipv4.ip_forward = 1`.
    fn continues(&self, kind: Kind, key: &Entry) -> bool {
        let words = keys::of(kind).map(|row| row.name);
        // What has a line of its own below [package.NAME] is a key, and a wrong one; settings are little but names.
        let before = self.source.text[..key.span.start].trim_end_matches([' ', '\t']);
        let joins = match kind {
            Kind::Package => before.ends_with('.'),
            kind => kind == Kind::Sysctl,
        };
        joins && keys::shape(kind, &key.key).is_none() && nearest(&key.key, words).is_none()
    }

    fn resource_key(&mut self, resource: &mut ResourceText, entry: Entry) {
        let kind = resource.kind;
        let one = kind.one();
        match keys::shape(kind, &entry.key) {
            Some(_) => {
                let key = self.key(entry.span, entry.node);
                resource.keys.insert(entry.key, key);
            }
            None => {
                let at = resource.place();
                let near = nearest(&entry.key, names_of(keys::of(kind)));
                if matches!(near, Some("when" | "each")) || foreign::is_guard(&entry.key) {
                    self.role.unclear.guards.insert(at.clone());
                }
                self.role.unclear.keys.insert(at);
                let spot = self.source.spot(&entry.span);
                let message = format!("unknown key `{}` of {one}", entry.key);
                let wrong = Diagnostic::error(spot, message);
                self.wrong.push(match foreign::key(kind, &entry.key) {
                    Some(advice) => wrong.help(advice),
                    None => wrong.among(&entry.key, names_of(keys::of(kind))),
                });
            }
        }
    }

    fn named(&mut self, resource: ResourceText) {
        if !resource.is_template()
            && let Err(why) = names::canonical(resource.kind, &resource.name)
        {
            let meant = [resource.name.clone(), names::straight(&resource.name)];
            self.role.unclear.resources.extend(meant);
            self.error(&resource.span, why);
        }
        // An edit with its own `path` is only called so.
        let is_path = resource.kind != Kind::Edit || !resource.keys.contains_key("path");
        if let Some(why) = names::like_a_glob(resource.kind, &resource.name).filter(|_| is_path) {
            let warning = Diagnostic::warning(resource.spot(), why);
            self.wrong.push(warning.help(
                "several are an `each`; what is not in the role goes from a [directory] with `purge`",
            ));
        }
        self.role.resources.push(resource);
    }
}

fn names_of<'a>(rows: impl Iterator<Item = &'a keys::Key>) -> impl Iterator<Item = &'a str> {
    rows.map(|row| row.name)
}
