//! What can be said of a merged role without rendering it: shapes, files, names in expressions.

use super::cohort;
use super::expressions::{Expressions, Text};
use super::files::Files;
use super::forms::{Part, is_never, of_part, parts, template_keys};
use super::include::Roles;
use super::merge::{Merged, MergedRole};
use crate::id::{Kind, ResourceId};
use crate::render::references::{self, Reference, fits};
use crate::render::scan;
use crate::render::whole::{At, Said, Sayings};
use crate::resource::Place;
use crate::text::declared::{KeyText, is_template};
use crate::text::diagnostic::{Diagnostic, Diagnostics};
use crate::text::given::Given;
use crate::text::remedy;
use crate::text::secrets::Stand;
use crate::text::shape::Shape;
use crate::text::tree::{Node, NodeValue};
use crate::text::{keys, names};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

/// What a role needs, and where something is wrong already.
#[derive(Debug, Default)]
pub struct Found {
    /// Files it may read, by path in the catalog.
    pub files: BTreeSet<String>,
    /// Roles whose members it reads.
    pub reads: BTreeSet<String>,
    /// How many members of them it waits for.
    pub wait_for: BTreeMap<String, u32>,
    /// Where a value begins, or a resource's name, that is wrong: rendering need not say it again.
    pub said: Vec<Place>,
}

/// The least `gone_after`, in seconds.
const LEAST_GONE_AFTER_S: u64 = 5 * 60;

/// Checks one merged role.
pub fn role(role: &MergedRole<'_>, roles: &Roles, files: &Files, wrong: &mut Diagnostics) -> Found {
    let mut check = Check {
        role,
        files,
        expressions: Expressions::new(role, roles, files),
        wrong: Diagnostics::new(),
        said: Vec::new(),
    };
    for member in role.closure {
        for (path, _) in files.below(member) {
            if path.ends_with(".j2") {
                check.expressions.files.insert(path.to_owned());
            }
        }
    }
    for resource in role.resources.values() {
        check.resource(resource);
    }
    // A resource that is wrong may be what reads members.
    let clear =
        check.said.is_empty() && check.expressions.said.is_empty() && role.unclear.is_clear();
    for (name, key) in &role.own.fleet {
        check.fleet_key(name, key);
    }
    if let Some(key) = role.own.fleet.get("gone_after") {
        check.gone_after(key);
    }
    let pairs = [("health_timeout", "health"), ("leader", "max_unavailable")];
    for (name, needed) in pairs.into_iter().filter(|_| !role.own.unclear.fleet) {
        if let (None, Some(key)) = (role.own.fleet.get(needed), role.own.fleet.get(name)) {
            let message = format!("`{name}` needs {needed}");
            check.error(key, Diagnostic::error(key.name_spot(), message));
        }
    }
    let Check {
        expressions,
        mut said,
        wrong: found,
        ..
    } = check;
    said.extend(expressions.said);
    wrong.extend(found);
    wrong.extend(expressions.wrong);
    let reads = expressions.reads;
    let wait_for = role.own.fleet.get("wait_for");
    let reads_of = |name: &str| !clear || reads.contains(name);
    let wait_for = wait_for.map(|key| cohort::wait_for(key, roles, &reads_of, wrong));
    if let Some(key) = role.own.fleet.get("join_last") {
        cohort::join_last(key, &role.own.name, &reads_of, wrong);
    }
    Found {
        files: expressions.files,
        reads,
        wait_for: wait_for.unwrap_or_default(),
        said,
    }
}

struct Check<'a> {
    role: &'a MergedRole<'a>,
    files: &'a Files,
    expressions: Expressions<'a>,
    wrong: Diagnostics,
    said: Vec<Place>,
}

impl Check<'_> {
    fn resource(&mut self, resource: &Merged) {
        let each = resource.keys.get("each");
        let item = each.map(|each| self.expressions.each(each));
        let guards = &self.role.unclear.guards;
        let item = item.or(guards.contains(&resource.at.place).then_some(false));
        let name = Text {
            text: &resource.name,
            item,
            shell: false,
            stand: Stand::Name,
            key: resource.at.place.clone(),
        };
        if is_template(&resource.name) {
            self.expressions.template(&name, &|_| resource.at.clone());
        }
        for (key, text) in resource.keys.iter() {
            if let Some(shape) = keys::shape(resource.kind, key) {
                self.key(key, text, shape, Stand::Key(resource.kind, key), item);
            }
        }
        self.whole(resource);
    }

    fn fleet_key(&mut self, name: &str, key: &KeyText) {
        let Some(row) = keys::FLEET.iter().find(|row| row.name == name) else {
            return;
        };
        // What is not of its form at all is told as that.
        let counts_for_all = matches!(row.shape, Shape::Duration | Shape::Limit);
        if counts_for_all && key.node.text().is_some_and(is_template) {
            let message =
                format!("`{name}` takes no template: it counts for all machines of the role");
            let wrong = Diagnostic::error(key.value_spot(), message);
            self.error(key, wrong);
        } else {
            self.key(row.name, key, row.shape, Stand::Fleet(row.name), None);
        }
    }

    /// Machines report every few minutes: who is only between two reports is not gone.
    fn gone_after(&mut self, key: &KeyText) {
        let given = Given {
            value: key.node.json(),
            computed: false,
        };
        if given
            .duration()
            .is_ok_and(|seconds| seconds < LEAST_GONE_AFTER_S)
        {
            let written = key.source.text[key.node.span.clone()].to_owned();
            let message = format!("expected \"5m\" or more, found {written}");
            let wrong = Diagnostic::error(key.value_spot(), message);
            self.error(key, wrong.help("machines report every few minutes"));
        }
    }

    fn error(&mut self, key: &KeyText, diagnostic: Diagnostic) {
        self.said.push(key.value_place());
        self.wrong.push(diagnostic);
    }

    /// `item`: whether there is one, and whether it comes from facts or fleet.
    fn key(
        &mut self,
        name: &str,
        key: &KeyText,
        shape: Shape,
        stand: Stand<'_>,
        item: Option<bool>,
    ) {
        let unusable = match shape {
            // Which formats take a date, the edit says.
            Shape::Settings => key.node.all_unwritable(),
            _ => key.node.all_unusable(),
        };
        if !unusable.is_empty() {
            return self.unusable(name, key, shape, &unusable);
        }
        match shape {
            Shape::Expression => return self.expressions.when(name, key, item),
            // Looked at with the resource, which says whether there is an item; and with all that the role reads.
            Shape::Each | Shape::Cohorts => return,
            _ => {}
        }
        for entry in template_keys(&key.node) {
            let at = key.source.spot(&entry.span);
            let warning = Diagnostic::warning(
                at,
                "a key is taken as it stands: no template is rendered in it",
            );
            self.wrong.push(warning);
        }
        let mut templated = false;
        key.node
            .strings(&mut |text, _| templated |= is_template(text));
        if templated {
            self.templates(key, shape, stand, item);
            for part in parts(key, shape) {
                self.part(key, of_part(shape), part);
            }
        }
        if !templated || is_never(shape, &key.node) {
            let given = Given {
                value: key.node.json(),
                computed: false,
            };
            if let Err(why) = shape.check(&given) {
                return self.misfit(key, shape, why);
            }
        }
        match shape {
            Shape::Template | Shape::File | Shape::Tree => self.file(key, shape, stand, item),
            Shape::References => self.references(name, key),
            _ => {}
        }
    }

    /// A value with what JSON cannot hold in it: that is told, and what is wrong with the rest.
    fn unusable(&mut self, name: &str, key: &KeyText, shape: Shape, all: &[&Node]) {
        for bad in all {
            let kind = bad.kind().trim_start_matches("a ");
            let spot = key.source.spot(&bad.span);
            // Of a table that is set, rendering looks at each value.
            self.said.push(match shape {
                Shape::Settings => spot.place.clone(),
                _ => key.value_place(),
            });
            let message = format!("`{name}` takes no {kind}");
            self.wrong.push(Diagnostic::error(spot, message));
        }
        for part in parts(key, shape) {
            self.part(key, of_part(shape), part);
        }
    }

    /// A value of another form than the key takes; what is wrong with parts of it, at each of them.
    fn misfit(&mut self, key: &KeyText, shape: Shape, why: String) {
        let parts = parts(key, shape);
        if parts.is_empty() {
            return self.part(key, shape, (&key.node.span, &key.node, why));
        }
        for part in parts {
            self.part(key, of_part(shape), part);
        }
    }

    fn part(&mut self, key: &KeyText, shape: Shape, (span, node, why): Part<'_>) {
        let written = key.source.text.get(node.span.clone()).unwrap_or_default();
        let mut diagnostic = Diagnostic::error(key.source.spot(span), why);
        diagnostic.help = remedy::of(shape, node, written);
        self.error(key, diagnostic);
    }

    fn templates(&mut self, key: &KeyText, shape: Shape, stand: Stand<'_>, item: Option<bool>) {
        let mut texts = Vec::new();
        key.node.strings(&mut |text, node| texts.push((text, node)));
        for (text, node) in texts {
            let span = node.span.clone();
            let text = Text {
                text,
                item,
                shell: shape == Shape::Shell && key.node.text().is_some(),
                stand,
                key: key.value_place(),
            };
            let spot = |range: &Range<usize>| key.source.spot_within(&span, range);
            self.expressions.template(&text, &spot);
        }
    }

    /// The files that a key names are there, and go into the part.
    fn file(&mut self, key: &KeyText, shape: Shape, stand: Stand<'_>, item: Option<bool>) {
        let Some(text) = key.node.text() else {
            return;
        };
        let path = format!("{}/{}", key.role(), text.trim_end_matches('/'));
        let mut found: Vec<String> = Vec::new();
        if is_template(text) {
            let pieces = scan::pieces(&path).unwrap_or_default();
            let folder = |path: &str| {
                let ends = path.match_indices('/').map(|(at, _)| at);
                ends.into_iter().any(|at| fits(&pieces, &path[..at]))
            };
            let all = self.files.below(key.role()).map(|(path, _)| path);
            found.extend(
                all.filter(|path| fits(&pieces, path) || (shape == Shape::Tree && folder(path)))
                    .map(str::to_owned),
            );
        } else if shape == Shape::Tree {
            found.extend(self.files.below(&path).map(|(path, _)| path.to_owned()));
        } else if self.files.get(&path).is_some() {
            found.push(path.clone());
        }
        if found.is_empty() && !is_template(text) {
            return self.no_file(key, text, shape);
        }
        for path in found {
            if shape == Shape::Template {
                let place = key.value_place();
                let stand = match stand {
                    Stand::Key(Kind::File, _) => Stand::Key(Kind::File, "content"),
                    _ => Stand::Unit,
                };
                // Of files that may be meant, each may belong to whoever has an item.
                let item = item.is_some() || is_template(text);
                self.expressions.file(&path, item, stand, &place);
            }
            self.expressions.files.insert(path);
        }
    }

    fn no_file(&mut self, key: &KeyText, text: &str, shape: Shape) {
        let role = key.role().to_owned();
        if let Some(other) = self.is_other(&format!("{role}/{}", text.trim_end_matches('/')), shape)
        {
            let (message, help) = other;
            let wrong = Diagnostic::error(key.value_spot(), format!("{text:?} {message}"));
            return self.error(key, wrong.help(help));
        }
        let below = self.files.below(&role);
        let paths = below.filter_map(|(path, _)| path.strip_prefix(&role)?.strip_prefix('/'));
        let names: BTreeSet<&str> = match shape {
            Shape::Tree => paths.flat_map(folders).collect(),
            _ => paths.collect(),
        };
        let message = match shape {
            Shape::Tree => {
                format!("no folder {text:?} with files in it beside role.toml of {role}")
            }
            _ => format!("no file {text:?} beside role.toml of {role}"),
        };
        let mut diagnostic = Diagnostic::error(key.value_spot(), message).near_path(text, names);
        if diagnostic.help.is_none() {
            let elsewhere = |member: &&String| {
                let path = format!("{member}/{}", text.trim_end_matches('/'));
                self.files.get(&path).is_some() || self.files.below(&path).next().is_some()
            };
            diagnostic = diagnostic.help(match self.role.closure.iter().find(elsewhere) {
                Some(other) => format!(
                    "the role {other} has one, but a path is looked for in the folder of the role that says it"
                ),
                None if names::is_of_shell(text) && text.contains('/') => {
                    "no shell reads it: write where it is in the folder of the role, as \"files/a\"".into()
                }
                None => format!("it would be {role}/{text} in the catalog"),
            });
        }
        self.error(key, diagnostic);
    }

    /// What is wrong where a folder stands for a file, or a file for a folder.
    fn is_other(&self, path: &str, shape: Shape) -> Option<(&'static str, &'static str)> {
        let folder = self.files.below(path).next().is_some();
        match shape {
            Shape::Tree => self.files.get(path).map(|_| {
                (
                    "is a file, and a folder is wanted here",
                    "one file is brought by a [file], as its `source`",
                )
            }),
            Shape::File => folder.then_some((
                "is a folder, and a file is wanted here",
                "a folder with all that is in it is brought by a [directory], as its `source`",
            )),
            _ => folder.then_some((
                "is a folder, and a file is wanted here",
                "name the one that is meant: several are an `each`, with {{ item }} in it",
            )),
        }
    }

    fn references(&mut self, name: &str, key: &KeyText) {
        let NodeValue::Array(items) = &key.node.value else {
            return;
        };
        for item in items {
            let Some(text) = item.text().filter(|text| !is_template(text)) else {
                continue;
            };
            let declared = |id: &ResourceId| self.is_declared(id);
            match references::parse(name, text, declared) {
                Err((why, help)) => {
                    let mut diagnostic = Diagnostic::error(key.source.spot(&item.span), why);
                    diagnostic.help = help;
                    self.error(key, diagnostic);
                }
                Ok(Reference::Exact(id)) if !self.is_declared(&id) && !self.may_be(&id) => {
                    self.unknown_reference(key, item, &id);
                }
                _ => {}
            }
        }
    }

    fn is_declared(&self, id: &ResourceId) -> bool {
        self.role
            .resources
            .contains_key(&(id.kind, id.name.to_string()))
    }

    /// Whether a template's name, a file of a directory's tree, or what could not be understood might be this resource.
    fn may_be(&self, id: &ResourceId) -> bool {
        if self.role.unclear.has_resource(id) {
            return true;
        }
        let resources = self.role.resources.values();
        let templates = resources.clone().filter(|resource| {
            resource.kind == id.kind
                && is_template(&resource.name)
                && scan::pieces(&resource.name).is_some_and(|pieces| fits(&pieces, &id.name))
        });
        let mut trees = resources.filter(|resource| {
            id.kind == Kind::File
                && resource.kind == Kind::Directory
                && resource.keys.contains_key("source")
                && (is_template(&resource.name)
                    || id.name.starts_with(resource.name.trim_end_matches('/')))
        });
        templates.count() > 0 || trees.next().is_some()
    }

    fn unknown_reference(&mut self, key: &KeyText, item: &Node, id: &ResourceId) {
        let ids: Vec<String> = self
            .role
            .resources
            .keys()
            .map(|(kind, name)| ResourceId::new(*kind, name.as_str()).to_string())
            .collect();
        let message = format!("no resource `{id}` in the role {}", self.role.own.name);
        let diagnostic = Diagnostic::error(key.source.spot(&item.span), message)
            .near(&id.to_string(), ids.iter().map(String::as_str));
        self.error(key, diagnostic);
    }

    fn whole(&mut self, resource: &Merged) {
        let literal = |node: &Node| -> Option<Value> {
            let mut template = false;
            node.strings(&mut |text, _| template |= is_template(text));
            (!template).then(|| node.json())
        };
        let keys = resource.keys.iter().map(|(name, key)| {
            let said = Said {
                value: literal(&key.node),
                at: At::Value(key),
            };
            (name.as_str(), said)
        });
        let name = crate::text::names::canonical(resource.kind, &resource.name);
        let sayings = Sayings {
            kind: resource.kind,
            name: &name.unwrap_or_default(),
            at: At::Spot(&resource.at),
            keys: keys.collect(),
            all: !self.role.unclear.has_keys(&resource.at.place),
        };
        sayings.check(&mut self.wrong);
    }
}

/// The folders that lead to a file.
fn folders(path: &str) -> impl Iterator<Item = &str> {
    path.match_indices('/').map(|(at, _)| &path[..at])
}
