//! `roles/fleet.toml`: values for params, for all, for a role, for a node.

use super::declare::KeyText;
use super::diagnostic::{Diagnostic, Diagnostics};
use super::source::Source;
use super::tree::{self, Entry};
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
            "params" => fleet.params = layer(&source, &entry, wrong),
            "role" => fleet.roles = layers(&source, &entry, wrong),
            "node" => fleet.nodes = layers(&source, &entry, wrong),
            word => wrong.push(
                Diagnostic::error(
                    source.spot(&entry.span),
                    format!("unknown table `{word}` of fleet.toml"),
                )
                .among(word, ["params", "role", "node"]),
            ),
        }
    }
    fleet.unclear = wrong.len() > before;
    fleet
}

fn layer(source: &Arc<Source>, entry: &Entry, wrong: &mut Diagnostics) -> Layer {
    let Some(entries) = entry.node.entries() else {
        let message = format!("expected a table, found {}", entry.node.kind());
        wrong.push(Diagnostic::error(source.spot(&entry.node.span), message));
        return Layer::new();
    };
    let key = |entry: &Entry| KeyText {
        source: source.clone(),
        span: entry.span.clone(),
        node: entry.node.clone(),
    };
    entries.iter().map(|e| (e.key.clone(), key(e))).collect()
}

fn layers(
    source: &Arc<Source>,
    entry: &Entry,
    wrong: &mut Diagnostics,
) -> BTreeMap<String, (Layer, Range<usize>)> {
    let Some(entries) = entry.node.entries() else {
        let message = format!("expected a table, found {}", entry.node.kind());
        wrong.push(Diagnostic::error(source.spot(&entry.node.span), message));
        return BTreeMap::new();
    };
    entries
        .iter()
        .map(|e| {
            let layer = layer(source, e, wrong);
            (e.key.clone(), (layer, e.span.clone()))
        })
        .collect()
}
