//! One resource explained: where it is said, what it comes to, what it has to do with others, and whether it would change.

use super::{output, shown};
use crate::error::Error;
use crate::job::Document;
use anyhow::Context as _;
use cfg_catalog::id::{Kind, ResourceId};
use cfg_catalog::plan::explain::{Tie, Ties, ties};
use cfg_catalog::plan::show::escape;
use cfg_catalog::release::part::{Declared, Part};
use cfg_catalog::resource::{Desired, Place};
use cfg_catalog::text::date;
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;

/// So many lines of a text are shown.
const LINES: usize = 20;

/// Keys that name other resources.
const NAMING: [&str; 4] = ["after", "on", "restart_on", "reload_on"];

/// Before each line of a list.
const INDENT: &str = "  ";

pub struct Explained {
    id: ResourceId,
    role: String,
    place: Place,
    keys: Vec<Key>,
    /// It waits: some of its values, or all, are as they are written.
    waits: bool,
    ties: Ties,
    /// The plan, with nothing in it but what is about this resource.
    plan: Document,
}

/// A key with its value as rendered.
struct Key {
    name: String,
    value: Value,
    /// Not rendered, since that hangs on what is not known yet.
    as_written: bool,
    /// Where it is written, under which name; none where it is nowhere but what holds without it.
    written: Option<(String, Place)>,
}

impl Explained {
    /// None where the role has no such resource. `plan` is a dry run of the whole role.
    pub fn of(id: &ResourceId, desired: &Desired, part: &Part, mut plan: Document) -> Option<Self> {
        let resource = desired.get(id);
        let declared = part.resources.iter().find(|declared| match resource {
            Some(resource) => declared.place == resource.place,
            // It waits, and is not rendered.
            None => declares(declared, id),
        });
        let place = resource.map(|resource| &resource.place);
        let place = place.or(declared.map(|declared| &declared.place))?;
        let waits = resource.is_none() || desired.waiting.of(id).is_some();
        let written_keys = || declared.map_or_else(Map::new, |it| as_written(it, part));
        let mut keys = resource.map_or_else(written_keys, shown::keys);
        let mut unrendered: BTreeSet<String> = BTreeSet::new();
        if waits {
            // Of what is rendered these may name what is not.
            let open = |name: &str| resource.is_none() || NAMING.contains(&name);
            let open = written_keys().into_iter().filter(|(name, _)| open(name));
            for (name, value) in open {
                unrendered.insert(name.clone());
                keys.insert(name, value);
            }
        }
        let about = |other: &ResourceId| other == id;
        plan.changes.retain(|change| about(&change.resource));
        plan.held.retain(|held| about(&held.resource));
        plan.leftovers.retain(|left| about(&left.resource));
        plan.failures.retain(|failure| {
            failure.resource.as_ref().is_some_and(about) || failure.skipped.iter().any(about)
        });
        Some(Self {
            id: id.clone(),
            role: desired.role.clone(),
            place: place.clone(),
            waits,
            keys: keys
                .into_iter()
                .map(|(name, value)| Key {
                    written: declared.and_then(|declared| written(declared, &name)),
                    as_written: unrendered.contains(&name),
                    name,
                    value,
                })
                .collect(),
            ties: ties(desired, id),
            plan,
        })
    }

    /// As one JSON document.
    pub fn json(&self) -> Value {
        let place =
            |place: &Place| json!({"role": place.role, "file": place.file, "line": place.line});
        let keys = self.keys.iter().map(|key| {
            let mut shown = json!({ "value": key.value });
            if let Some((name, at)) = &key.written {
                shown["key"] = name.as_str().into();
                shown["place"] = place(at);
            }
            if key.as_written {
                shown["rendered"] = false.into();
            }
            (key.name.clone(), shown)
        });
        let tied = |ties: &[Tie]| -> Vec<Value> {
            let ties = ties.iter();
            ties.map(|(id, why)| json!({"resource": id, "why": why.words()}))
                .collect()
        };
        json!({
            "version": 1,
            "resource": self.id,
            "role": self.role,
            "place": place(&self.place),
            "keys": Map::from_iter(keys),
            "after": tied(&self.ties.after),
            "before": tied(&self.ties.before),
            "wakes": tied(&self.ties.wakes),
            "changes": self.plan.changes,
            "held": self.plan.held,
            "failures": self.plan.failures,
        })
    }

    /// For a person at this terminal.
    pub fn text(&self) -> Result<String, Error> {
        let mut text = format!(
            "{} of the role {}, {}\n",
            escape(&self.id.to_string()),
            self.role,
            at(&self.place)
        );
        if !self.keys.is_empty() {
            text.push_str(
                match (self.waits, self.keys.iter().all(|key| key.as_written)) {
                    (true, true) => "\nIt waits, so that these are as they are written\n",
                    (true, false) => "\nIt waits, so that what it names is as it is written\n",
                    (false, _) => "\n",
                },
            );
        }
        for key in &self.keys {
            text.push_str(&key.text()?);
        }
        for (title, ties) in [
            ("It comes after", &self.ties.after),
            ("After it come", &self.ties.before),
            ("When it changes, it wakes", &self.ties.wakes),
        ] {
            if !ties.is_empty() {
                text.push_str(&format!("\n{title}\n"));
            }
            for (id, why) in ties {
                let id = escape(&id.to_string());
                text.push_str(&format!("{INDENT}{id}  ({})\n", why.words()));
            }
        }
        let now = output::body(&self.plan, INDENT.len());
        text.push_str(match now.is_empty() {
            true => "\nNow nothing of it would change.\n",
            false => "\nNow\n",
        });
        for line in now.lines() {
            text.push_str(&format!("{INDENT}{line}\n"));
        }
        Ok(text)
    }
}

impl Key {
    /// The value, with where it is written beside it, or below where there is no room.
    fn text(&self) -> Result<String, Error> {
        let written = match &self.written {
            Some((name, place)) if *name == self.name => at(place),
            Some((name, place)) => format!("`{name}`, {}", at(place)),
            None => "what holds without a word".into(),
        };
        let lines = value(&self.value)?;
        let text = format!(
            "{INDENT}{} = {}",
            self.name,
            lines.join(&format!("\n{INDENT}"))
        );
        let room =
            output::width().saturating_sub(text.chars().count() + written.chars().count() + 4);
        Ok(match room > 0 && lines.len() == 1 {
            true => format!("{text}  # {written}\n"),
            false => format!("{text}\n{INDENT}{INDENT}# {written}\n"),
        })
    }
}

/// The keys of what is not rendered yet, templates and all; of what may be secret by itself none is shown.
fn as_written(declared: &Declared, part: &Part) -> Map<String, Value> {
    let sensitive = |declared: &Declared| declared.keys.contains_key("sensitive");
    // An edit is as secret as its file, wherever that is.
    let hides = match declared.kind {
        Kind::Edit => part.resources.iter().any(sensitive),
        _ => sensitive(declared),
    };
    let shown = |name: &str, value: &Value| match name {
        "password_hash" | "debconf" => shown::HIDDEN.into(),
        "content" | "set" | "lines" if hides => shown::HIDDEN.into(),
        _ => date::shown(value),
    };
    let keys = declared.keys.iter();
    keys.map(|(name, key)| (name.to_string(), shown(name, &key.value)))
        .collect()
}

/// Whether this is the declaration of a resource of this name.
pub fn declares(declared: &Declared, id: &ResourceId) -> bool {
    let declared = ResourceId::new(declared.kind, declared.name.as_str());
    declared.in_one_spelling().is_ok_and(|other| other == *id)
}

/// Where a key of the rendered resource is written: its content by one of several keys.
fn written(declared: &Declared, name: &str) -> Option<(String, Place)> {
    let names: &[&str] = match name {
        "content" | "sha256" | "size" => &["content", "template", "source", "sha256"],
        "sources" => &["uris"],
        name => &[name],
    };
    names.iter().find_map(|name| {
        let key = declared.keys.get(name)?;
        Some(((*name).to_owned(), key.place.clone()))
    })
}

fn at(place: &Place) -> String {
    format!("{}:{}", place.file, place.line)
}

/// A value as TOML; the lines of a text one by one.
fn value(value: &Value) -> Result<Vec<String>, Error> {
    if let Some(text) = value.as_str().filter(|text| text.trim_end().contains('\n')) {
        let mut lines: Vec<String> = vec!["\"\"\"".into()];
        lines.extend(text.lines().take(LINES).map(escape));
        match text.lines().count().saturating_sub(LINES) {
            0 => lines.push("\"\"\"".into()),
            more => lines.push(format!("… and {more} lines more")),
        }
        return Ok(lines);
    }
    let value = toml::Value::try_from(value).context("printing a value")?;
    Ok(vec![escape(&value.to_string())])
}
