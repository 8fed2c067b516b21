//! What a role's expressions can read: params, facts, fleet, member.

use super::watch::{Seen, Watch, Watched};
use super::{Inputs, Purpose};
use crate::facts::Facts;
use crate::fleet::{FleetView, Incomplete};
use crate::release::part::{Param, Part};
use crate::secrets::Secrets;
use crate::text::diagnostic::{Diagnostic, Diagnostics, Fault};
use crate::text::near;
use crate::text::param_value;
use crate::text::unclear::Unclear;
use minijinja::value::{Object, Serde, Value, from_args};
use minijinja::{Error, ErrorKind, State};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::sync::Arc;

/// What every secret is at check: nothing may hang on it there.
const SAMPLE: &str = "sample";

/// A node's own layer, as it travels.
#[derive(Deserialize)]
struct Leaf {
    params: BTreeMap<String, serde_json::Value>,
}

/// The value of each param: the default, then the role's layers, the node's, and those of the command line. Which has
/// none, that is said, is not among them.
pub fn of_params(
    part: &Part,
    inputs: &Inputs<'_>,
    purpose: Purpose<'_>,
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
    let unclear = purpose.unclear();
    for (name, param) in &part.params {
        let layer = leaf.get(name).or(part.values.get(name));
        let said = inputs.set.contains_key(name) || layer.is_some() || param.default.is_some();
        let is_told =
            |unclear: &Unclear| unclear.params.contains(name) || (!said && unclear.has_value(name));
        if unclear.is_some_and(is_told) {
            continue;
        }
        let given =
            given(name, param, inputs.set.get(name), layer).and_then(|value| match param.secret {
                true => secret(name, param, &value, inputs.secrets, purpose),
                false => Ok(value),
            });
        match given {
            Ok(value) => {
                values.insert(name.clone(), value);
            }
            Err(diagnostic) => wrong.push(*diagnostic),
        }
    }
    values
}

/// What is said of a param.
fn given(
    name: &str,
    param: &Param,
    set: Option<&String>,
    layer: Option<&serde_json::Value>,
) -> Result<serde_json::Value, Box<Diagnostic>> {
    if let Some(text) = set {
        return param_value::from_text(name, param, text)
            .map_err(|why| Box::new(Diagnostic::of_call(format!("--set: {why}"))));
    }
    if let Some(value) = layer {
        return param_value::check(name, param, value)
            .map_err(|why| Box::new(Diagnostic::error(&param.place, why)));
    }
    param.default.clone().ok_or_else(|| {
        let missing = Diagnostic::error(&param.place, format!("the param `{name}` has no value"));
        Box::new(missing.help(match param.secret {
            true => "give it a value in fleet.toml: { secret = \"NAME\" }",
            false => "give it a default, or a value in fleet.toml, or with --set",
        }))
    })
}

/// The secret that a value of a param names.
fn secret(
    name: &str,
    param: &Param,
    value: &serde_json::Value,
    secrets: &Secrets,
    purpose: Purpose<'_>,
) -> Result<serde_json::Value, Box<Diagnostic>> {
    let called = param_value::named(value).unwrap_or_default();
    let bad = |message: String, help: String| {
        Box::new(Diagnostic::of_setup(&param.place, message).help(help))
    };
    match (purpose, secrets.get(called), secrets.source()) {
        (Purpose::Check(_), ..) => Ok(SAMPLE.into()),
        (Purpose::Machine, Some(secret), source) => param_value::check_secret(name, param, secret)
            .map_err(|why| {
                let source = source.unwrap_or_default();
                bad(
                    format!("the secret {called}: {why}"),
                    format!("it comes from {source}"),
                )
            }),
        (Purpose::Machine, None, Some(source)) => Err(bad(
            format!("the param `{name}` is the secret {called}, which is not in {source}"),
            format!("put it there: {called} = \"…\""),
        )),
        (Purpose::Machine, None, None) => Err(bad(
            format!("the param `{name}` is the secret {called}, and no secrets are at hand"),
            format!("give --secrets FILE, with {called} = \"…\" in it"),
        )),
    }
}

/// A machine's own facts. Whoever reads one that could not be had is told why: it is not as if it were not there.
pub fn of_facts(facts: &Facts) -> Value {
    let known = Value::from(Serde(facts));
    let Some(Err(why)) = &facts.azure else {
        return known;
    };
    let why = Error::new(
        ErrorKind::InvalidOperation,
        format!("it could not be had: {why}"),
    );
    let mut all = each_of(&known);
    all.insert("azure".into(), Value::from(why));
    Value::from_pairs(all)
}

/// What a table has, by name.
pub fn each_of(table: &Value) -> BTreeMap<String, Value> {
    let keys = table.try_iter().into_iter().flatten();
    let named = keys.filter_map(|key| Some((key.as_str()?.to_owned(), table.get_item(&key).ok()?)));
    named.collect()
}

/// What all expressions of a role can read; secrets under this watch.
pub fn context(
    part: &Part,
    inputs: &Inputs<'_>,
    facts: Value,
    params: BTreeMap<String, serde_json::Value>,
    watch: &Watch,
) -> BTreeMap<String, Seen> {
    let alone = inputs.me.is_none() && inputs.fleet.roles.is_empty();
    let fleet = Fleet {
        view: inputs.fleet.clone(),
        role: part.role.clone(),
        wait_for: part.wait_for.clone(),
        admitted: inputs.me.is_none_or(|me| me.admitted),
        alone,
        watch: watch.clone(),
    };
    let member = Membership {
        id: inputs.me.map(|me| me.id),
        joining: inputs.me.is_some_and(|me| me.joining),
        node: inputs.node.to_owned(),
        role: part.role.clone(),
        alone,
        watch: watch.clone(),
    };
    let params = params.into_iter().map(|(name, value)| {
        let secret = part.params.get(&name).is_some_and(|param| param.secret);
        let value = Value::from(Serde(value));
        (name, Seen { value, secret })
    });
    [
        ("params", Watched::table(params.collect(), watch)),
        ("facts", facts),
        ("fleet", Value::from_object(fleet)),
        ("member", Value::from_object(member)),
    ]
    .into_iter()
    .map(|(name, value)| (name.to_owned(), Seen::plain(value)))
    .collect()
}

/// `fleet`.
#[derive(Debug)]
struct Fleet {
    view: FleetView,
    role: String,
    wait_for: BTreeMap<String, u32>,
    /// Whether this machine is among the members of its role.
    admitted: bool,
    /// Nobody said what the fleet is.
    alone: bool,
    watch: Watch,
}

impl Fleet {
    fn members(&self, role: &str) -> Result<Value, Error> {
        let bad = |message: String| Error::new(ErrorKind::InvalidOperation, message);
        if self.alone {
            self.watch.note_fault(Fault::Call);
            return Err(bad("the fleet is not known here: give --fleet FILE".into()));
        }
        let not_yet = (role == self.role && !self.admitted).then(|| Incomplete::NotYet {
            role: role.to_owned(),
        });
        if let Some(incomplete) = self.view.lacks(role, &self.wait_for).or(not_yet) {
            self.watch.note_incomplete(incomplete);
        }
        let members = self.view.members(role).into_iter();
        Ok(members.map(|member| Value::from(Serde(member))).collect())
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
    joining: bool,
    node: String,
    role: String,
    /// Nobody said what the fleet is.
    alone: bool,
    watch: Watch,
}

impl Membership {
    fn none(&self) -> Error {
        let (node, role) = (&self.node, &self.role);
        let (fault, message) = match self.alone {
            true => (
                Fault::Call,
                format!(
                    "this machine has no id in its role: give --fleet FILE, with {node} in it as a member of {role}"
                ),
            ),
            false => (
                Fault::Setup,
                format!(
                    "this machine has no id in its role: in --fleet no member of {role} is called {node}"
                ),
            ),
        };
        self.watch.note_fault(fault);
        Error::new(ErrorKind::InvalidOperation, message)
    }
}

impl Object for Membership {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        match (key.as_str()?, self.id) {
            ("joining", _) => Some(Value::from(self.joining)),
            ("id", Some(id)) => Some(Value::from(id)),
            ("id", None) => Some(Value::from(self.none())),
            _ => None,
        }
    }
}
