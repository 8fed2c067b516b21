//! `after`, `restart_on`, `reload_on`, `on`: names and globs become exact resources.

use super::instances::{Instance, Instances};
use crate::fleet::Incomplete;
use crate::glob::Glob;
use crate::id::{Kind, ResourceId};
use crate::resource::service::{is_template, template_of};
use crate::resource::{Body, Place};
use crate::text::diagnostic::{Diagnostic, Diagnostics};
use crate::text::names;
use crate::text::near::nearest;
use crate::text::unclear::Unclear;
use crate::waiting::{NamePattern, Waiting};
use std::collections::{BTreeMap, BTreeSet};

/// The kinds that a service can be restarted or reloaded for.
const INPUTS: &[Kind] = &[Kind::File, Kind::Edit, Kind::Directory, Kind::Package];

/// The kinds that a command can be run for.
const CAUSES: &[Kind] = &[
    Kind::File,
    Kind::Edit,
    Kind::Directory,
    Kind::Link,
    Kind::Package,
];

/// What a reference may name, by key.
pub fn allowed(key: &str) -> &'static [Kind] {
    match key {
        "restart_on" | "reload_on" => INPUTS,
        "on" => CAUSES,
        _ => &Kind::ALL,
    }
}

/// A reference as written, taken apart.
pub enum Reference {
    /// One resource, by its name in its one spelling.
    Exact(ResourceId),
    /// All whose names match.
    Glob(Pattern),
}

/// A glob over the names of one kind.
pub struct Pattern {
    kind: Kind,
    text: String,
    glob: Glob,
}

impl Pattern {
    /// Whether a resource is meant: a service also by the whole name of its unit.
    fn matches(&self, id: &ResourceId) -> bool {
        let unit = || format!("{}.service", id.name);
        self.kind == id.kind
            && (self.glob.matches(&id.name)
                || (id.kind == Kind::Service && self.glob.matches(&unit())))
    }

    /// Whether something may be meant whose name is not known yet.
    fn may_match(&self, name: &NamePattern) -> bool {
        let (own, begins) = (self.begins(), name.begins());
        self.kind == name.kind && (own.starts_with(begins) || begins.starts_with(own))
    }

    /// What all that matches begins with.
    fn begins(&self) -> &str {
        let text = self.text.as_str();
        &text[..text.find(['*', '?', '[', '{', '\\']).unwrap_or(text.len())]
    }
}

/// Takes a reference apart; `is_declared` says whether a name is one as it stands, which beats a glob.
///
/// # Errors
/// With the reason why it is no reference, and the word that may be meant.
pub fn parse(
    key: &str,
    text: &str,
    is_declared: impl Fn(&ResourceId) -> bool,
) -> Result<Reference, (String, Option<String>)> {
    let Some((word, name)) = text.split_once(':') else {
        let message = format!("{text:?} is no resource: kind:name is wanted, as file:/etc/hosts");
        return Err((message, None));
    };
    let Some(kind) = Kind::of_word(word) else {
        let near = nearest(word, Kind::ALL.map(Kind::word));
        let help = near.map(|word| format!("did you mean `{word}`?"));
        return Err((format!("unknown kind `{word}`"), help));
    };
    let kinds = allowed(key);
    if !kinds.contains(&kind) {
        let kinds = crate::text::shape::or(kinds.iter().map(|k| k.word().to_owned()));
        return Err((format!("`{key}` takes a {kinds}, not {}", kind.one()), None));
    }
    let exact = names::canonical(kind, name).map(|name| ResourceId::new(kind, name));
    if let Ok(id) = &exact
        && (is_declared(id) || !is_glob(name))
    {
        return Ok(Reference::Exact(id.clone()));
    }
    if !is_glob(name) {
        let why = exact.err().unwrap_or_default();
        return Err((why, None));
    }
    let mut single = name.to_owned();
    while single.contains("//") {
        single = single.replace("//", "/");
    }
    match Glob::of_names(&single) {
        Ok(glob) => Ok(Reference::Glob(Pattern {
            kind,
            text: single,
            glob,
        })),
        Err(why) => Err((format!("{name:?} is no glob: {why}"), None)),
    }
}

fn is_glob(name: &str) -> bool {
    name.contains(['*', '?', '[', '{'])
}

/// Gives instances of templates whose unit files the role brings their template.
pub fn templates(instances: &mut Instances) {
    let brought: BTreeMap<String, ResourceId> = instances
        .on
        .iter()
        .filter_map(|instance| match &instance.resource.body {
            Body::Service(service) if is_template(&service.unit) && service.unit_file.is_some() => {
                Some((service.unit.clone(), instance.resource.id.clone()))
            }
            _ => None,
        })
        .collect();
    for instance in &mut instances.on {
        if let Body::Service(service) = &mut instance.resource.body
            && service.unit_file.is_none()
        {
            let template = template_of(&service.unit);
            service.template = template.and_then(|unit| brought.get(&unit).cloned());
        }
    }
}

/// Brings all references to exact ids. Who names something that waits does so too.
pub fn resolve(instances: &mut Instances, unclear: Option<&Unclear>, wrong: &mut Diagnostics) {
    let refers = |instance: &Instance| !instance.references.is_empty();
    if !instances.on.iter().any(refers) {
        return;
    }
    let on: BTreeSet<ResourceId> = instances.on.iter().map(|i| i.resource.id.clone()).collect();
    let known = Known {
        on: &on,
        off: &instances.off,
        patterns: &instances.patterns,
        open: &instances.open,
        waiting: &instances.waiting,
        unclear,
    };
    let mut waiting = instances.waiting.clone();
    for instance in &mut instances.on {
        let own = instance.resource.id.clone();
        let mut resolved: BTreeMap<&str, Vec<ResourceId>> = BTreeMap::new();
        for (key, (references, place)) in &instance.references {
            let mut ids = BTreeSet::new();
            for text in references {
                if let Some(incomplete) = known.incomplete(key, text) {
                    waiting.add(own.clone(), incomplete.clone());
                }
                ids.extend(known.resolve(key, text, place, Some(&own), wrong));
            }
            resolved.insert(key, ids.into_iter().collect());
        }
        let mut take = |key: &str| resolved.remove(key).unwrap_or_default();
        instance.resource.after = take("after");
        match &mut instance.resource.body {
            Body::Service(service) => {
                service.restart_on = take("restart_on");
                service.reload_on = take("reload_on");
            }
            Body::Command(command) => command.on = take("on"),
            _ => {}
        }
    }
    instances.waiting = waiting;
}

/// The resources of this machine that a reference outside of them names.
pub fn named(
    key: &str,
    text: &str,
    place: &Place,
    (instances, unclear): (&Instances, Option<&Unclear>),
    wrong: &mut Diagnostics,
) -> Vec<ResourceId> {
    let on = instances.on.iter().map(|i| i.resource.id.clone()).collect();
    let known = Known {
        on: &on,
        off: &instances.off,
        patterns: &instances.patterns,
        open: &instances.open,
        waiting: &instances.waiting,
        unclear,
    };
    known.resolve(key, text, place, None, wrong)
}

struct Known<'a> {
    on: &'a BTreeSet<ResourceId>,
    off: &'a BTreeSet<ResourceId>,
    patterns: &'a [NamePattern],
    open: &'a [NamePattern],
    waiting: &'a Waiting,
    unclear: Option<&'a Unclear>,
}

impl Known<'_> {
    fn resolve(
        &self,
        key: &str,
        text: &str,
        place: &Place,
        own: Option<&ResourceId>,
        wrong: &mut Diagnostics,
    ) -> Vec<ResourceId> {
        match parse(key, text, |id| self.is_declared(id)) {
            Err((why, help)) => {
                let mut diagnostic = Diagnostic::error(place, why);
                diagnostic.help = help;
                wrong.push(diagnostic);
                Vec::new()
            }
            Ok(Reference::Exact(id)) if Some(&id) == own => {
                let message = format!("`{key}` of {id} names itself: {text:?}");
                wrong.push(Diagnostic::error(place, message));
                Vec::new()
            }
            Ok(Reference::Exact(id)) if self.on.contains(&id) => vec![id],
            Ok(Reference::Exact(id)) => {
                if !self.is_declared(&id) && !self.may_be(&id) {
                    wrong.push(self.unknown(&id, place));
                }
                Vec::new()
            }
            Ok(Reference::Glob(glob)) => {
                let found = self.on.iter().filter(|id| glob.matches(id));
                let found: Vec<ResourceId> = found.cloned().collect();
                let waits = self.waiting.named().map(|(id, _)| id);
                let off = self.off.iter().chain(waits).any(|id| glob.matches(id));
                let pattern = self.open.iter().any(|name| glob.may_match(name));
                let unclear = self.unclear.is_some_and(Unclear::has_resources);
                if found.is_empty() && !off && !pattern && !unclear {
                    let message = format!("{text:?} matches no resource of the role");
                    wrong.push(Diagnostic::warning(place, message));
                }
                found.into_iter().filter(|id| Some(id) != own).collect()
            }
        }
    }

    fn is_declared(&self, id: &ResourceId) -> bool {
        self.on.contains(id) || self.off.contains(id) || self.waiting.of(id).is_some()
    }

    /// For whom something waits that this names, or may name.
    fn incomplete(&self, key: &str, text: &str) -> Option<&Incomplete> {
        // As nearly always: then no reference is taken apart for it.
        if self.waiting.is_empty() {
            return None;
        }
        match parse(key, text, |id| self.is_declared(id)).ok()? {
            Reference::Exact(id) if self.on.contains(&id) => None,
            Reference::Exact(id) => self.waiting.perhaps(&id),
            Reference::Glob(glob) => {
                let mut named = self.waiting.named();
                let mut nameless = self.waiting.nameless();
                let named = named.find_map(|(id, who)| glob.matches(id).then_some(who));
                named.or_else(|| {
                    nameless.find_map(|(name, who)| glob.may_match(name).then_some(who))
                })
            }
        }
    }

    /// Whether a name that an expression gives might be this one on another machine, or one that was refused.
    fn may_be(&self, id: &ResourceId) -> bool {
        let mut patterns = self.patterns.iter();
        patterns.any(|pattern| pattern.kind == id.kind && fits(&pattern.pieces, &id.name))
            || self.unclear.is_some_and(|unclear| unclear.has_resource(id))
    }

    fn unknown(&self, id: &ResourceId, place: &Place) -> Diagnostic {
        let all: Vec<String> = self
            .on
            .iter()
            .chain(self.off)
            .map(ToString::to_string)
            .collect();
        let message = format!("no resource `{id}` in the role");
        let near = all.iter().map(String::as_str);
        Diagnostic::error(place, message).near(&id.to_string(), near)
    }
}

/// Whether a text can be made of these pieces, with anything where none is literal.
pub fn fits(pieces: &[Option<String>], text: &str) -> bool {
    match pieces {
        [] => text.is_empty(),
        [Some(literal), rest @ ..] => text
            .strip_prefix(literal.as_str())
            .is_some_and(|text| fits(rest, text)),
        [None] => true,
        [None, rest @ ..] => text
            .char_indices()
            .map(|(at, _)| at)
            .chain([text.len()])
            .any(|at| fits(rest, &text[at..])),
    }
}
