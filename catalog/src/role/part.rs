//! One role's part, checked.

use super::check::{self, Found};
use super::include::Includes;
use super::merge::{Merged, MergedRole};
use super::{Texts, layers, quorum, sample};
use crate::edit::joined;
use crate::release::FORMAT;
use crate::release::nodes;
use crate::release::part::{Declared, HealthDeclared, Key, Part, SlotsDeclared};
use crate::render::{self, Inputs, Purpose};
use crate::resource::Desired;
use crate::secrets::Secrets;
use crate::text::declared::KeyText;
use crate::text::diagnostic::{Diagnostic, Diagnostics};
use crate::text::given::Given;
use crate::text::param_value;
use crate::text::tree::{Entry, Node, NodeValue};
use crate::text::unclear::Unclear;
use serde_json::Value;
use std::collections::BTreeMap;

/// How long a started service may take to be healthy if nobody says.
const HEALTH_TIMEOUT_S: u64 = 120;

/// A part and its node layers.
pub struct Built {
    pub part: Part,
    pub leaves: BTreeMap<String, Vec<u8>>,
    /// What every machine of the samples' architecture must be, where nothing in the role hangs on the machine.
    pub constant: Option<Desired>,
}

/// Builds a role's part; what is wrong with the role is noted.
pub fn build(
    role: &MergedRole<'_>,
    texts: &Texts,
    includes: &Includes,
    set: &BTreeMap<String, String>,
    wrong: &mut Diagnostics,
) -> Built {
    let found = check::role(role, &texts.roles, &texts.files, wrong);
    let leaves = layers::leaves(role, &texts.fleet);
    let mut unclear = role.unclear.clone();
    let values = layers::values(
        role,
        &texts.roles,
        includes,
        &texts.fleet,
        &mut unclear,
        wrong,
    );
    let files = found.files.iter().filter_map(|path| {
        let blob = texts.files.get(path)?;
        Some((path.clone(), blob))
    });
    let part = Part {
        format: FORMAT,
        role: role.own.name.clone(),
        nodes: nodes::root(&leaves),
        params: role.params.clone(),
        values,
        resources: role.resources.values().map(declared).collect(),
        files: files.collect(),
        reads: found.reads.clone(),
        health: health(role),
        wait_for: found.wait_for.clone(),
        slots: slots(role),
        join_last: role.own.fleet.get("join_last").map(key),
        gone_after_s: role.own.fleet.get("gone_after").and_then(seconds),
        leftovers: role.own.leftovers,
    };
    let constant = try_out(&part, role, texts, &leaves, set, (&found, &unclear), wrong);
    Built {
        constant: constant.filter(|_| part.params.is_empty()),
        part,
        leaves,
    }
}

fn declared(merged: &Merged) -> Declared {
    let key = |(name, text): (&String, &KeyText)| (name.clone(), key(text));
    Declared {
        kind: merged.kind,
        name: merged.name.clone(),
        place: merged.at.place.clone(),
        keys: merged.keys.iter().map(key).collect(),
    }
}

fn key(text: &KeyText) -> Key {
    Key {
        value: text.node.json(),
        place: text.value_place(),
    }
}

fn given(text: &KeyText) -> Given {
    Given {
        value: text.node.json(),
        computed: false,
    }
}

fn seconds(text: &KeyText) -> Option<u64> {
    given(text).duration().ok()
}

fn slots(role: &MergedRole<'_>) -> Option<SlotsDeclared> {
    let limit = role.own.fleet.get("max_unavailable")?;
    Some(SlotsDeclared {
        limit: given(limit).limit().ok()?,
        leader: role.own.fleet.get("leader").map(key),
    })
}

fn health(role: &MergedRole<'_>) -> Option<HealthDeclared> {
    let timeout = role.own.fleet.get("health_timeout").and_then(seconds);
    Some(HealthDeclared {
        command: key(role.own.fleet.get("health")?),
        timeout_s: timeout.unwrap_or(HEALTH_TIMEOUT_S),
    })
}

/// Renders the role for a made-up machine; gives what it comes to, where that hangs on nothing.
fn try_out(
    part: &Part,
    role: &MergedRole<'_>,
    texts: &Texts,
    leaves: &BTreeMap<String, Vec<u8>>,
    set: &BTreeMap<String, String>,
    (found, unclear): (&Found, &Unclear),
    wrong: &mut Diagnostics,
) -> Option<Desired> {
    let facts = sample::facts();
    let fleet = sample::fleet(part.reads.iter(), &part.wait_for);
    let set = set
        .iter()
        .filter(|(name, _)| part.params.contains_key(*name));
    let set = set
        .map(|(name, text)| (name.clone(), text.clone()))
        .collect();
    let leaf = sample_leaf(part, leaves);
    let me = sample::me(&role.own.name);
    let inputs = Inputs {
        facts: &facts,
        fleet: &fleet,
        me: Some(&me),
        node: &me.name,
        leaf: leaf.as_deref(),
        set: &set,
        secrets: &Secrets::default(),
    };
    let value = sample::facts_value(&facts);
    let rendered = render::render_for(part, &inputs, value, &texts.files, Purpose::Check(unclear));
    let (constant, results) = match rendered {
        Ok(mut rendered) => {
            quorum::check(part, &rendered.desired, &mut rendered.warnings);
            let constant = rendered.constant.then_some(rendered.desired);
            (constant, rendered.warnings)
        }
        Err(wrong) => (None, wrong),
    };
    for mut diagnostic in results {
        if !is_said(&diagnostic, found) {
            point(&mut diagnostic, role);
            if !is_said(&diagnostic, found) {
                wrong.push(diagnostic);
            }
        }
    }
    constant
}

/// Rendering knows where a key's value begins; what is wrong is an expression in a text, or a part of an array or a table.
fn point(diagnostic: &mut Diagnostic, role: &MergedRole<'_>) {
    let Some(at) = &mut diagnostic.at else {
        return;
    };
    let resources = role.resources.values().flat_map(|r| r.keys.values());
    let mut keys = resources.chain(role.own.fleet.values());
    let Some(key) = keys.find(|key| key.value_place() == at.place) else {
        return;
    };
    if let Some((text, range)) = &diagnostic.within {
        let mut written = None;
        key.node.strings(&mut |string, node| {
            if string == text {
                written.get_or_insert(&node.span);
            }
        });
        if let Some(span) = written {
            *at = key.source.spot_within(span, range);
        }
        return;
    }
    let item = |items: &[Node]| {
        let rest = diagnostic.message.strip_prefix("item ")?;
        let (number, why) = rest.split_once(": ")?;
        let at = number.parse::<usize>().ok()?.checked_sub(1)?;
        Some((items.get(at)?.span.clone(), why.to_owned()))
    };
    if let NodeValue::Array(items) = &key.node.value
        && let Some((span, why)) = item(items)
    {
        *at = key.source.spot(&span);
        diagnostic.message = why;
        return;
    }
    let message = &diagnostic.message;
    let named = |item: &&Node| {
        let text = item.text();
        text.is_some_and(|text| message.contains(&format!("{text:?}")))
    };
    let part = match &key.node.value {
        NodeValue::Array(items) => items.iter().find(named),
        NodeValue::Table(entries) => of_path(entries, &mut Vec::new(), message),
        _ => None,
    };
    if let Some(part) = part {
        *at = key.source.spot(&part.span);
    }
}

/// The value in a table whose path a message begins with.
fn of_path<'t>(entries: &'t [Entry], path: &mut Vec<String>, message: &str) -> Option<&'t Node> {
    entries.iter().find_map(|entry| {
        path.push(entry.key.clone());
        let found = match entry.node.entries() {
            Some(inner) if !inner.is_empty() => of_path(inner, path, message),
            _ => {
                let begins = format!("`{}`: ", joined(path));
                message.starts_with(&begins).then_some(&entry.node)
            }
        };
        path.pop();
        found
    })
}

/// Whether the check before rendering has said what is wrong there.
fn is_said(diagnostic: &Diagnostic, found: &Found) -> bool {
    diagnostic
        .at
        .iter()
        .any(|at| found.said.contains(&at.place))
        || (diagnostic.notes.iter())
            .any(|(at, what)| what == "for this key" && found.said.contains(&at.place))
}

/// Values for params that only nodes' own layers give: those of the first node that has one.
fn sample_leaf(part: &Part, leaves: &BTreeMap<String, Vec<u8>>) -> Option<Vec<u8>> {
    let mut given: BTreeMap<&str, Value> = BTreeMap::new();
    for leaf in leaves.values() {
        let leaf: Value = serde_json::from_slice(leaf).ok()?;
        for (name, param) in &part.params {
            let needed = param.default.is_none() && !part.values.contains_key(name);
            let fits = |value: &&Value| needed && param_value::check(name, param, value).is_ok();
            if let Some(value) = leaf["params"].get(name).filter(fits) {
                given.entry(name).or_insert_with(|| value.clone());
            }
        }
    }
    (!given.is_empty()).then(|| {
        serde_json::json!({"params": given})
            .to_string()
            .into_bytes()
    })
}
