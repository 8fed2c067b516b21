//! A role's part, with facts and fleet, becomes the desired resources of one machine.

mod body;
pub(crate) mod builtin;
mod claims;
mod cycles;
mod doubt;
mod edit;
pub(crate) mod engine;
mod fleet;
mod instances;

mod quote;
mod reader;
pub(crate) mod references;
mod repository;
pub(crate) mod scan;
mod sources;
mod trees;
mod units;
pub(crate) mod values;
mod watch;
pub(crate) mod whole;

use crate::digest::Digest;
use crate::facts::Facts;
use crate::fleet::{FleetView, Me};
use crate::release::part::Part;
use crate::resource::{Desired, Withheld};
use crate::secrets::Secrets;
use crate::text::diagnostic::{Diagnostics, Spot};
use crate::text::source::Source;
use crate::text::unclear::Unclear;
use minijinja::value::Value;
use std::collections::BTreeMap;

/// Where the bytes of a role's files come from.
pub trait Blobs {
    /// The bytes of this digest, if they are at hand.
    fn get(&self, digest: &Digest) -> Option<Vec<u8>>;

    /// A text of the catalog by its path, if it is at hand: to show what stands there.
    fn shown(&self, _path: &str) -> Option<String> {
        None
    }
}

/// Everything beside the role that a rendering reads.
#[derive(Clone, Copy, Debug)]
pub struct Inputs<'a> {
    /// What the agent found out about its machine.
    pub facts: &'a Facts,
    /// The other machines.
    pub fleet: &'a FleetView,
    /// Which of them this is.
    pub me: Option<&'a Me>,
    /// What this machine is called among them, whether it is there or not.
    pub node: &'a str,
    /// The node's own layer: `{"node": NAME, "params": {…}}`.
    pub leaf: Option<&'a [u8]>,
    /// `--set`: param to text.
    pub set: &'a BTreeMap<String, String>,
    /// What params that are secret name.
    pub secrets: &'a Secrets,
}

/// Whose facts they are.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Purpose<'a> {
    /// A machine's own: all must be there.
    Machine,
    /// Made up, at check: what only a machine can know is let pass, and what hangs on a secret, or on what could not be
    /// understood.
    Check(&'a Unclear),
}

impl<'a> Purpose<'a> {
    /// What could not be understood, where that is let pass.
    fn unclear(self) -> Option<&'a Unclear> {
        match self {
            Purpose::Machine => None,
            Purpose::Check(unclear) => Some(unclear),
        }
    }
}

/// A rendering with what is odd about it.
pub(crate) struct Rendered {
    pub desired: Desired,
    pub warnings: Diagnostics,
    /// Nothing was evaluated: on every machine of one architecture it comes to the same.
    pub constant: bool,
}

/// What this machine must be.
///
/// # Errors
/// All that is wrong, each with its place in the role; nothing is rendered by halves.
pub fn render(part: &Part, inputs: &Inputs<'_>, blobs: &dyn Blobs) -> Result<Desired, Diagnostics> {
    let facts = values::of_facts(inputs.facts);
    render_for(part, inputs, facts, blobs, Purpose::Machine).map(|rendered| rendered.desired)
}

pub(crate) fn render_for(
    part: &Part,
    inputs: &Inputs<'_>,
    facts: Value,
    blobs: &dyn Blobs,
    purpose: Purpose<'_>,
) -> Result<Rendered, Diagnostics> {
    let mut wrong = Diagnostics::new();
    let params = values::of_params(part, inputs, purpose, &mut wrong);
    let unclear = purpose.unclear();
    if wrong.has_errors() && unclear.is_none() {
        return Err(wrong.finish(|spot| filled(part, blobs, spot)));
    }
    let watch = watch::Watch::default();
    let known = params.keys().cloned().collect();
    let context = values::context(part, inputs, facts, params, &watch);
    let doubt = doubt::Doubt::new(purpose, part, known);
    let mut reader = reader::Reader::new(part, blobs, context, watch, doubt);
    let mut instances = instances::all(part, &mut reader);
    trees::expand(part, &mut instances, unclear, &mut reader.wrong);
    let role = fleet::read(part, &mut reader);
    if let Some(incomplete) = reader.incomplete.take() {
        fleet::waits(&mut instances, &incomplete);
    }
    let constant = !reader.evaluated;
    wrong.extend(reader.wrong);
    references::resolve(&mut instances, unclear, &mut wrong);
    let joining = inputs.me.is_some_and(|me| me.joining);
    fleet::join_last(&role, part, joining, (&mut instances, unclear), &mut wrong);
    references::templates(&mut instances);
    units::check(&instances, unclear, &mut wrong);
    edit::share(&mut instances);
    claims::check(&instances, &inputs.facts.arch, &mut wrong);
    sources::check(&instances, &mut wrong);
    let mut resources: Vec<_> = instances.on.into_iter().map(|i| i.resource).collect();
    resources.sort_by(|a, b| a.id.cmp(&b.id));
    let desired = Desired {
        role: part.role.clone(),
        resources,
        health: role.health,
        slots: role.slots,
        withheld: Withheld::default(),
        waiting: instances.waiting,
        leftovers: part.leftovers,
        reverts: Default::default(),
    };
    cycles::check(&desired, &mut wrong);
    if wrong.has_errors() {
        return Err(wrong.finish(|spot| filled(part, blobs, spot)));
    }
    Ok(Rendered {
        desired,
        warnings: wrong,
        constant,
    })
}

/// The spot with its source line, where the text is at hand: templates are files of the part, role.toml is not.
fn filled(part: &Part, blobs: &dyn Blobs, spot: &Spot) -> Spot {
    let file = &spot.place.file;
    let text = reader::text_of(part, blobs, file).ok().flatten();
    match text.or_else(|| blobs.shown(file)) {
        Some(text) => Source::new(spot.place.role.clone(), file.clone(), text).filled(spot),
        None => spot.clone(),
    }
}
