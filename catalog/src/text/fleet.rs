//! `roles/fleet.toml`: values for params, for all, for a role, for a node.

use super::declared::KeyText;
use super::diagnostic::{Diagnostic, Diagnostics};
use super::source::Source;
use super::tree::{self, Entry, Node};
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

/// Values by param.
pub type Layer = BTreeMap<String, KeyText>;

/// What fleet.toml says.
#[derive(Clone, Debug, Default)]
pub struct FleetText {
    /// `[params]`.
    pub params: Layer,
    /// `[role.NAME]`, with where the name stands.
    pub roles: BTreeMap<String, (Layer, Range<usize>)>,
    /// `[node.NAME]`, with where the name stands.
    pub nodes: BTreeMap<String, (Layer, Range<usize>)>,
    /// The text, where there is one.
    pub source: Option<Arc<Source>>,
    /// Something in it could not be understood: any param may have a value.
    pub unclear: bool,
}

/// Reads fleet.toml.
pub fn fleet(source: Source, wrong: &mut Diagnostics) -> FleetText {
    let source = Arc::new(source);
    let mut fleet = FleetText {
        source: Some(source.clone()),
        ..FleetText::default()
    };
    let before = wrong.len();
    let read = tree::document(&source, wrong);
    for entry in read.map(|(entries, _)| entries).unwrap_or_default() {
        match entry.key.as_str() {
            "params" => {
                fleet.params = layer(&source, &entry, "[params]", wrong).unwrap_or_default()
            }
            "role" => fleet.roles = layers(&source, &entry, "[role.NAME]", wrong),
            "node" => fleet.nodes = layers(&source, &entry, "[node.\"NAME\"]", wrong),
            _ => wrong.push(unknown(&source, &entry)),
        }
    }
    fleet.unclear = wrong.len() > before;
    fleet
}

fn unknown(source: &Source, entry: &Entry) -> Diagnostic {
    let word = entry.key.as_str();
    let at = source.spot(&entry.span);
    if entry.node.entries().is_none() {
        return Diagnostic::error(at, format!("`{word}` stands in no table of fleet.toml")).help(
            "a value stands in [params] for all roles, in [role.NAME] for one, in [node.\"NAME\"] for a machine",
        );
    }
    let wrong = Diagnostic::error(at, format!("unknown table `{word}` of fleet.toml"));
    match word {
        "vars" | "variables" | "default" | "defaults" | "all" | "common" | "global" => {
            wrong.help("values for all roles stand in [params]")
        }
        "host" | "hosts" | "machine" | "machines" => {
            wrong.help("values for a machine stand in [node.\"NAME\"]")
        }
        _ => match wrong.near(word, ["params", "role", "node"]) {
            near if near.help.is_none() => near.help(format!(
                "[params] is for all roles, [role.{word}] for a role of that name, [node.\"{word}\"] for a machine"
            )),
            near => near,
        },
    }
}

/// What a layer is not; `named` is how its table begins.
fn no_table(source: &Source, node: &Node, named: &str) -> Diagnostic {
    let message = format!("expected a table, found {}", node.kind());
    let several = source.text[node.span.start..].starts_with("[[");
    Diagnostic::error(source.spot(&node.span), message).help(match several {
        true => format!("write {named}, with one bracket"),
        false => format!("begin it with {named}, with values of params below"),
    })
}

fn layer(
    source: &Arc<Source>,
    entry: &Entry,
    named: &str,
    wrong: &mut Diagnostics,
) -> Option<Layer> {
    let Some(entries) = entry.node.entries() else {
        wrong.push(no_table(source, &entry.node, named));
        return None;
    };
    let key = |entry: &Entry| KeyText {
        source: source.clone(),
        span: entry.span.clone(),
        node: entry.node.clone(),
    };
    Some(entries.iter().map(|e| (e.key.clone(), key(e))).collect())
}

fn layers(
    source: &Arc<Source>,
    entry: &Entry,
    named: &str,
    wrong: &mut Diagnostics,
) -> BTreeMap<String, (Layer, Range<usize>)> {
    let Some(entries) = entry.node.entries() else {
        wrong.push(no_table(source, &entry.node, named));
        return BTreeMap::new();
    };
    entries
        .iter()
        .filter_map(|e| {
            let layer = layer(source, e, named, wrong)?;
            Some((e.key.clone(), (layer, e.span.clone())))
        })
        .collect()
}
