//! Values for params: `[set]` of roles, then the layers of fleet.toml.

use super::include::{Includes, Roles};
use super::merge::MergedRole;
use crate::id::Kind;
use crate::release::part::Param;
use crate::text::declared::KeyText;
use crate::text::diagnostic::{Diagnostic, Diagnostics};
use crate::text::fleet::{FleetText, Layer};
use crate::text::param_value;
use crate::text::source::Source;
use crate::text::unclear::Unclear;
use serde_json::Value;
use std::collections::BTreeMap;

/// Notes what fleet.toml names that is not there; `merged` are all roles, merged.
pub fn check_names(
    fleet: &FleetText,
    merged: &mut BTreeMap<String, MergedRole<'_>>,
    wrong: &mut Diagnostics,
) {
    let Some(source) = &fleet.source else {
        return;
    };
    let strangers = strangers(fleet, source, merged, wrong);
    for role in merged.values_mut() {
        if fleet.unclear {
            let all = role.params.keys().cloned();
            role.unclear.params.extend(all);
        }
        role.unclear.values.extend(strangers.iter().cloned());
    }
}

/// The names that are given a value and are no param's, or not of that value.
fn strangers(
    fleet: &FleetText,
    source: &Source,
    merged: &BTreeMap<String, MergedRole<'_>>,
    wrong: &mut Diagnostics,
) -> Vec<String> {
    let mut strangers = Vec::new();
    let everywhere: BTreeMap<&str, Vec<&Param>> = merged.values().fold(
        BTreeMap::new(),
        |mut all: BTreeMap<&str, Vec<&Param>>, role| {
            for (name, param) in &role.params {
                all.entry(name).or_default().push(param);
            }
            all
        },
    );
    let nodes = fleet.nodes.values().map(|(layer, _)| layer);
    for layer in std::iter::once(&fleet.params).chain(nodes) {
        for (name, key) in layer {
            match everywhere.get(name.as_str()) {
                None if merged.values().any(|role| role.unclear.has_param(name)) => {}
                None => {
                    strangers.push(name.clone());
                    let words = everywhere.keys().copied();
                    wrong.push(unknown(name, key, words, "no role has it", merged));
                }
                Some(params) if !fits_one(name, key, params, wrong) => strangers.push(name.clone()),
                Some(_) => {}
            }
        }
    }
    for (name, (layer, span)) in &fleet.roles {
        let Some(role) = merged.get(name) else {
            strangers.extend(layer.keys().cloned());
            let words = merged.keys().map(String::as_str);
            let message = format!("no role `{name}`");
            wrong.push(Diagnostic::error(source.spot(span), message).near(name, words));
            continue;
        };
        let known = |name: &str| role.params.contains_key(name) || role.unclear.has_param(name);
        for (param, key) in layer.iter().filter(|(name, _)| !known(name)) {
            strangers.push(param.clone());
            let words = role.params.keys().map(String::as_str);
            let whose = format!("the role {name} has no such param");
            wrong.push(unknown(param, key, words, &whose, merged));
        }
    }
    strangers
}

fn unknown<'a>(
    name: &str,
    key: &KeyText,
    words: impl Iterator<Item = &'a str>,
    whose: &str,
    merged: &BTreeMap<String, MergedRole<'_>>,
) -> Diagnostic {
    let message = format!("unknown param `{name}`: {whose}");
    let diagnostic = Diagnostic::error(key.name_spot(), message);
    let is_table = key.node.entries().is_some();
    match name {
        "role" | "roles" => diagnostic.help("which role a machine has is said where it enrols"),
        "params" | "set" | "vars" if is_table => {
            diagnostic.help("values of params stand in [role.NAME] and [node.\"NAME\"] themselves")
        }
        name if is_table && Kind::of_word(name).is_some() => {
            diagnostic.help("resources stand in a role; here are values of params alone")
        }
        name if is_table && merged.contains_key(name) => {
            diagnostic.help(format!("values for a role stand in [role.{name}]"))
        }
        name => match diagnostic.near(name, words) {
            near if near.help.is_none() && is_table => {
                near.help("a name with dots is quoted: [node.\"vm-1.example.org\"]")
            }
            near => near,
        },
    }
}

/// Whether a value for whichever role has the param does for one of them, as it must.
fn fits_one(name: &str, key: &KeyText, params: &[&Param], wrong: &mut Diagnostics) -> bool {
    let mut first = None;
    for param in params {
        let mut bad = Diagnostics::new();
        if param_value::value(&key.source, name, param, &key.node, &mut bad).is_some() {
            return true;
        }
        first.get_or_insert(bad);
    }
    wrong.extend(first.unwrap_or_default());
    false
}

/// The values that the layers above the node's give to a role's params. Which have another, that is wrong, is unclear then.
pub fn values(
    role: &MergedRole<'_>,
    roles: &Roles,
    includes: &Includes,
    fleet: &FleetText,
    unclear: &mut Unclear,
    wrong: &mut Diagnostics,
) -> BTreeMap<String, Value> {
    let mut values = BTreeMap::new();
    let sets: Vec<(&str, &Layer)> = role
        .closure
        .iter()
        .filter_map(|name| Some((name.as_str(), &roles.get(name)?.set)))
        .collect();
    for (name, layer) in &sets {
        check_set(name, layer, roles, includes, unclear, wrong);
    }
    // Who declares a param anew, with a default, says what it is in all that it includes.
    let declared_over = |name: &str, set: &str| {
        role.closure.iter().any(|other| {
            let param = roles.get(other).and_then(|other| other.params.get(name));
            includes.includes(other, set) && param.is_some_and(|param| param.default.is_some())
        })
    };
    let everywhere = [("", &fleet.params)];
    let layers: Vec<(&str, &Layer)> = role
        .closure
        .iter()
        .filter_map(|name| Some((name.as_str(), &fleet.roles.get(name)?.0)))
        .collect();
    for (name, param) in &role.params {
        let mut set = said(name, &sets);
        set.retain(|(set, _)| !declared_over(name, set));
        for said in [set, said(name, &everywhere), said(name, &layers)] {
            let before = wrong.len();
            if let Some(value) = one(name, param, &said, includes, wrong) {
                values.insert(name.clone(), value);
            }
            if wrong.len() > before {
                unclear.params.insert(name.clone());
            }
        }
    }
    values
}

/// What layers say of a param.
fn said<'a>(name: &str, layers: &[(&'a str, &'a Layer)]) -> Vec<(&'a str, &'a KeyText)> {
    let layers = layers.iter();
    layers
        .filter_map(|(role, layer)| Some((*role, layer.get(name)?)))
        .collect()
}

fn one(
    name: &str,
    param: &Param,
    said: &[(&str, &KeyText)],
    includes: &Includes,
    wrong: &mut Diagnostics,
) -> Option<Value> {
    let count = includes.count(said);
    let (role, key) = *count.first()?;
    for (other_role, other) in &count[1..] {
        if other.node.json() != key.node.json() {
            let message = format!(
                "the roles {role} and {other_role} give the param `{name}` different values"
            );
            wrong.push(
                Diagnostic::error(other.value_spot(), message)
                    .note(key.value_spot(), "the other one")
                    .help("a role that includes both and sets it decides"),
            );
        }
    }
    param_value::value(&key.source, name, param, &key.node, wrong)
}

/// `[set]` is for params of included roles.
fn check_set(
    name: &str,
    layer: &Layer,
    roles: &Roles,
    includes: &Includes,
    unclear: &mut Unclear,
    wrong: &mut Diagnostics,
) {
    for (param, key) in layer {
        let own = roles
            .get(name)
            .is_some_and(|r| r.params.contains_key(param));
        let included = || {
            let names = includes.closure(name).iter().filter(|other| *other != name);
            names.filter_map(|other| roles.get(other))
        };
        if own {
            wrong.push(
                Diagnostic::error(
                    key.name_spot(),
                    format!("`{param}` is a param of this role itself"),
                )
                .help("[set] is for params of included roles; write it as the default"),
            );
        } else if !unclear.has_param(param)
            && !included().any(|other| other.params.contains_key(param))
        {
            unclear.values.insert(param.clone());
            let words = included().flat_map(|other| other.params.keys().map(String::as_str));
            let message = format!("unknown param `{param}`: no included role has such a param");
            wrong.push(Diagnostic::error(key.name_spot(), message).near(param, words));
        }
    }
}

/// The leaves of a role's tree of node layers: by node, the params that the role has.
pub fn leaves(role: &MergedRole<'_>, fleet: &FleetText) -> BTreeMap<String, Vec<u8>> {
    let leaf = |(node, (layer, _)): (&String, &(Layer, _))| {
        let params: BTreeMap<&str, Value> = layer
            .iter()
            .filter(|(name, _)| role.params.contains_key(*name))
            .map(|(name, key)| (name.as_str(), key.node.json()))
            .collect();
        if params.is_empty() {
            return None;
        }
        let leaf = serde_json::json!({"node": node, "params": params});
        Some((node.clone(), leaf.to_string().into_bytes()))
    };
    fleet.nodes.iter().filter_map(leaf).collect()
}
