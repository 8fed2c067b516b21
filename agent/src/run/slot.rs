//! Before a run disrupts what a machine does: whether it may, now. What may not be is withheld, and all else goes on.

use super::health::{self, SURE, ask_until};
use super::site::{Hand, Healthy};
use cfg_catalog::id::ResourceId;
use cfg_catalog::plan::disruption::disruptive;
use cfg_catalog::plan::document::{Done, Failure};
use cfg_catalog::plan::{Change, Plan, Snapshot};
use cfg_catalog::resource::service::Active;
use cfg_catalog::resource::{Desired, Health, Observed, Resource};
use std::collections::BTreeSet;
use std::sync::Arc;

/// Gives slots.
pub trait Accord: Send + Sync {
    /// Asks for one; `leads` says whether this machine is the one that goes last.
    ///
    /// # Errors
    /// Why there is none now, for a person.
    fn take(&self, leads: bool) -> Result<Box<dyn Slot>, String>;
}

/// The right to disrupt what this machine does, for one run.
pub trait Slot {
    /// Whether it still is; once it is lost it stays lost. Costs nothing.
    fn is_held(&self) -> bool;

    /// The run is over; `healthy` says whether the machine is what it should be.
    fn give(&mut self, healthy: bool);
}

/// Who is asked before a run disrupts anything.
#[derive(Clone, Default)]
pub enum Asks {
    /// Nobody: there is no server.
    #[default]
    Nobody,
    /// Nobody, since a person said so, and why.
    Not(String),
    /// This one.
    First(Arc<dyn Accord>),
}

impl Asks {
    /// What a person said instead of asking.
    pub fn without(&self) -> Option<&str> {
        match self {
            Asks::Not(why) => Some(why),
            Asks::Nobody | Asks::First(_) => None,
        }
    }
}

/// What a run may do to what its machine does.
pub(super) enum Licence {
    /// All: nobody counts, or there is nothing that could be disrupted.
    Free,
    /// Nothing: its plan has nothing that disrupts, or has it withheld.
    Harmless,
    /// All, while the slot is held.
    Slot(Taken),
}

/// Whether there is anything to be disrupted. What still runs as a former release made it may be healthy by the former health alone: a new
/// one may ask at another port, or for another service.
fn is_healthy(
    hand: &mut impl Hand,
    (desired, seen): (&Desired, &Snapshot),
    former: Option<&Health>,
) -> bool {
    let now = works(desired, seen)
        && desired.health.as_ref().is_none_or(|health| {
            let answer = ask_until(hand, health, SURE);
            !matches!(answer, Healthy::No(_))
        });
    now || former.is_some_and(|former| matches!(hand.healthy(former), Healthy::Yes))
}

/// Whether a service of the role runs, if it names any: else there is nothing to be disrupted, and no health to be asked for.
fn works(desired: &Desired, seen: &Snapshot) -> bool {
    let of = |resource: &Resource| match seen.observed.get(&resource.id) {
        Some(Observed::Service(state)) => Some(state.active),
        _ => None,
    };
    let mut services = desired.resources.iter().filter_map(of).peekable();
    services.peek().is_none() || services.any(|active| active == Active::Running)
}

/// A slot with what hangs on it.
pub(super) struct Taken {
    slot: Box<dyn Slot>,
    given: bool,
    /// What disrupts, and what that is for.
    with: BTreeSet<ResourceId>,
}

impl Drop for Taken {
    /// The run did not come to its end.
    fn drop(&mut self) {
        if !self.given {
            self.slot.give(false);
        }
    }
}

impl Licence {
    /// Asks for what this plan needs. A machine that is not healthy has nothing that could be disrupted.
    ///
    /// # Errors
    /// Why there is no slot.
    pub(super) fn ask(
        asks: &Asks,
        hand: &mut impl Hand,
        (desired, seen): (&Desired, &Snapshot),
        former: Option<&Health>,
        plan: &Plan,
    ) -> Result<Self, String> {
        let (Asks::First(accord), Some(slots)) = (asks, &desired.slots) else {
            return Ok(Licence::Free);
        };
        if disruptive(plan).is_empty() {
            return Ok(Licence::Harmless);
        }
        if !is_healthy(hand, (desired, seen), former) {
            return Ok(Licence::Free);
        }
        let leads = slots
            .leader
            .as_ref()
            .is_some_and(|leader| hand.leads(leader));
        let slot = accord.take(leads)?;
        let with = desired.without_slot(plan, plan, "");
        Ok(Licence::Slot(Taken {
            slot,
            given: false,
            with: with.map_or_else(BTreeSet::new, |less| less.withheld.resources),
        }))
    }

    /// Why these changes of a turn may not be made now; none where they may.
    pub(super) fn forbids(&self, id: &ResourceId, changes: &[Change]) -> Option<&'static str> {
        let disrupts = changes.iter().any(Change::disrupts);
        match self {
            Licence::Harmless if disrupts => {
                Some("it needs a slot, which was not known when the run began")
            }
            Licence::Slot(taken) if disrupts || taken.with.contains(id) => {
                (!taken.slot.is_held()).then_some("the slot was lost during the run")
            }
            Licence::Free | Licence::Harmless | Licence::Slot(_) => None,
        }
    }

    /// Notes as a failure where the machine is not healthy after a run with a slot.
    pub(super) fn prove(&self, hand: &mut impl Hand, desired: &Desired, done: &mut Done) {
        let (Licence::Slot(_), Some(health), true) =
            (self, &desired.health, done.failures.is_empty())
        else {
            return;
        };
        // Where services were started they have passed it just now, and so they do at once.
        if let Healthy::No(said) = ask_until(hand, health, health::timeout(health)) {
            let s = health.timeout_s;
            done.failures.push(Failure {
                resource: None,
                message: format!(
                    "the role is not healthy {s} s after it was disrupted{}",
                    health::told(&said)
                ),
                skipped: Vec::new(),
            });
        }
    }

    /// The run is over, and this came of it.
    pub(super) fn end(self, failures: &[Failure]) {
        if let Licence::Slot(mut taken) = self {
            taken.given = true;
            taken.slot.give(failures.is_empty());
        }
    }
}
