//! What a role's expressions can read: params, facts, fleet, member.

use super::Inputs;
use crate::fleet::{FleetView, Member};
use crate::release::part::Part;
use crate::text::diagnostic::{Diagnostic, Diagnostics};
use crate::text::near;
use crate::text::params;
use minijinja::value::{Object, Serde, Value, from_args};
use minijinja::{Error, ErrorKind, State};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::sync::Arc;

/// A node's own layer, as it travels.
#[derive(Deserialize)]
struct Leaf {
    params: BTreeMap<String, serde_json::Value>,
}

/// The value of each param: the default, then the role's layers, the node's, and those of the command line.
pub fn of_params(
    part: &Part,
    inputs: &Inputs<'_>,
    wrong: &mut Diagnostics,
) -> BTreeMap<String, serde_json::Value> {
    let mut leaf = BTreeMap::new();
    if let Some(bytes) = inputs.leaf {
        match serde_json::from_slice::<Leaf>(bytes) {
            Ok(read) => leaf = read.params,
            Err(why) => wrong.push(Diagnostic::bare(format!("this node's own layer: {why}"))),
        }
    }
    for name in inputs
        .set
        .keys()
        .filter(|name| !part.params.contains_key(*name))
    {
        let message = format!("--set: the role {} has no param `{name}`", part.role);
        let words = part.params.keys().map(String::as_str);
        wrong.push(Diagnostic::of_call(message).near(name, words));
    }
    let mut values = BTreeMap::new();
    for (name, param) in &part.params {
        let given = match inputs.set.get(name) {
            Some(text) => params::from_text(name, param, text)
                .map(Some)
                .map_err(|why| Diagnostic::of_call(format!("--set: {why}"))),
            None => match leaf.get(name).or(part.values.get(name)) {
                Some(value) => params::check(name, param, value)
                    .map(Some)
                    .map_err(|why| Diagnostic::error(&param.place, why)),
                None => Ok(param.default.clone()),
            },
        };
        match given {
            Ok(Some(value)) => {
                values.insert(name.clone(), value);
            }
            Ok(None) => wrong.push(
                Diagnostic::error(&param.place, format!("the param `{name}` has no value"))
                    .help("give it a default, or a value in fleet.toml, or with --set"),
            ),
            Err(diagnostic) => wrong.push(diagnostic),
        }
    }
    values
}

/// What all expressions of a role can read.
pub fn context(
    part: &Part,
    inputs: &Inputs<'_>,
    facts: Value,
    params: BTreeMap<String, serde_json::Value>,
) -> BTreeMap<&'static str, Value> {
    let fleet = Fleet {
        view: inputs.fleet.clone(),
        role: part.role.clone(),
        alone: inputs.me.is_none() && inputs.fleet.roles.is_empty(),
    };
    let member = Membership {
        id: inputs.me.map(|me| me.id),
    };
    BTreeMap::from([
        ("params", Value::from(Serde(params))),
        ("facts", facts),
        ("fleet", Value::from_object(fleet)),
        ("member", Value::from_object(member)),
    ])
}

/// `fleet`.
#[derive(Debug)]
struct Fleet {
    view: FleetView,
    role: String,
    /// Nobody said what the fleet is.
    alone: bool,
}

impl Fleet {
    fn members(&self, role: &str) -> Result<Value, Error> {
        let bad = |message: String| Error::new(ErrorKind::InvalidOperation, message);
        if self.alone {
            return Err(bad("the fleet is not known here: give --fleet FILE".into()));
        }
        let mut members: Vec<&Member> = self.view.roles.get(role).into_iter().flatten().collect();
        members.sort_by_key(|member| member.id);
        Ok(members
            .into_iter()
            .map(|member| Value::from(Serde(member)))
            .collect())
    }
}

impl Object for Fleet {
    fn call_method(
        self: &Arc<Self>,
        _: &mut State<'_, '_>,
        method: &str,
        args: &[Value],
    ) -> Result<Value, Error> {
        match method {
            "members" => {
                let (role,): (String,) = from_args(args)?;
                self.members(&role)
            }
            "peers" => {
                let () = from_args(args)?;
                self.members(&self.role)
            }
            other => {
                let near = near::nearest(other, ["members", "peers"]);
                let meant = near.map_or(String::new(), |word| format!("; did you mean {word}?"));
                let message = format!("fleet has no {other}(){meant}");
                Err(Error::new(ErrorKind::UnknownMethod, message))
            }
        }
    }
}

/// `member`.
#[derive(Debug)]
struct Membership {
    id: Option<u32>,
}

impl Object for Membership {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        match (key.as_str()?, self.id) {
            ("id", Some(id)) => Some(Value::from(id)),
            ("id", None) => Some(Value::from(Error::new(
                ErrorKind::InvalidOperation,
                "this machine has no id in its role: give --fleet FILE with this machine in it",
            ))),
            _ => None,
        }
    }
}
