//! Before a run disrupts what a machine does: whether it may, now. What may not be is withheld, and all else goes on.

use super::engine::Engine;
use super::health::{self, SURE, ask_until};
use super::site::{Hand, Healthy, Stage};
use cfg_catalog::id::{Kind, ResourceId};
use cfg_catalog::plan::disruption::disruptive;
use cfg_catalog::plan::document::{Done, Failure};
use cfg_catalog::plan::{Change, Plan, Snapshot, inputs};
use cfg_catalog::resource::service::Active;
use cfg_catalog::resource::{Desired, Health, Observed, Resource};
use std::collections::BTreeSet;
use std::sync::Arc;

/// Gives slots.
pub trait Accord: Send + Sync {
    /// Asks for one; `leads` says whether this machine is the one that goes last.
    ///
    /// # Errors
    /// Why there is none now.
    fn take(&self, leads: bool) -> Result<Box<dyn Slot>, NoSlot>;

    /// Asks for one to mend this machine, which is not healthy: how others are is no matter then, only who has a slot.
    ///
    /// # Errors
    /// Why there is none now.
    fn mend(&self) -> Result<Box<dyn Slot>, NoSlot>;
}

/// Why there is no slot, for a person.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoSlot {
    /// Whoever gives them says so.
    #[error("{0}")]
    Refused(String),
    /// Who gives them cannot be asked.
    #[error("the server is not reached")]
    Away,
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
    /// Nothing, and why not.
    Harmless(String),
    /// All, while the slot is held.
    Slot(Taken),
    /// What mends the machine, while it is not healthy.
    Sick(Sick),
}

/// What a machine that is not healthy may do, and what it needs when it gets well.
pub(super) struct Sick {
    accord: Arc<dyn Accord>,
    former: Option<Health>,
    mending: Mending,
    /// It was looked at already at this turn.
    looked: bool,
}

/// How a machine that is not healthy may disrupt what runs on it nevertheless: it may be what others count on.
enum Mending {
    /// Nothing that ran when the run began has to be disrupted.
    NoNeed,
    /// While this slot is held.
    Slot(Taken),
    /// By itself: nobody can keep a slot for long while who gives them is away, and mending does not wait for that.
    Alone,
}

impl Sick {
    /// Has it disrupt what runs.
    fn mend(&mut self, desired: &Desired, plan: &Plan) -> Result<(), NoSlot> {
        if let Mending::NoNeed = self.mending {
            self.mending = match self.accord.mend() {
                Ok(slot) => Mending::Slot(Taken::of(slot, desired, plan)),
                Err(NoSlot::Away) => Mending::Alone,
                Err(refused) => return Err(refused),
            };
        }
        Ok(())
    }
}

/// Whether there is anything to be disrupted. What still runs as a former release made it may be healthy by the former health alone: a new
/// one may ask at another port, or for another service. Of what cannot be asked nobody knows, and so it may be healthy.
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
    now || former.is_some_and(|former| !matches!(hand.healthy(former), Healthy::No(_)))
}

/// Whether a service of the role runs, if it names any: else there is nothing to be disrupted, and no health to be asked for.
fn works(desired: &Desired, seen: &Snapshot) -> bool {
    let services = desired.resources.iter();
    let mut services = services.filter_map(|one| runs(one, seen)).peekable();
    services.peek().is_none() || services.any(|runs| runs)
}

/// Whether this service runs; none of anything else.
fn runs(resource: &Resource, seen: &Snapshot) -> Option<bool> {
    match seen.observed.get(&resource.id) {
        Some(Observed::Service(state)) => Some(state.active == Active::Running),
        _ => None,
    }
}

/// Whether a change disrupts something that runs: a service, or one that reads what is changed. What none is known to read may be of each.
fn hits(desired: &Desired, seen: &Snapshot, change: &Change) -> bool {
    let id = &change.resource;
    let reads = |one: &&Resource| {
        one.id.kind == Kind::Service
            && (one.id == *id || inputs::ids(one, seen.observed.get(&one.id)).contains(id))
    };
    let mut readers = desired.resources.iter().filter(reads).peekable();
    change.disrupts()
        && match readers.peek() {
            None => works(desired, seen),
            Some(_) => readers.any(|one| runs(one, seen) == Some(true)),
        }
}

/// A slot with what hangs on it.
pub(super) struct Taken {
    slot: Box<dyn Slot>,
    given: bool,
    /// What disrupts, and what that is for.
    with: BTreeSet<ResourceId>,
}

impl Taken {
    /// For what this plan disrupts.
    fn of(slot: Box<dyn Slot>, desired: &Desired, plan: &Plan) -> Self {
        let with = desired.without_slot(plan, plan, "");
        Self {
            slot,
            given: false,
            with: with.map_or_else(BTreeSet::new, |less| less.withheld.resources),
        }
    }

    fn give(mut self, healthy: bool) {
        self.given = true;
        self.slot.give(healthy);
    }
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
    /// Asks for what this plan needs. A machine that is not healthy counts as missing, and needs less.
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
        let (Asks::First(accord), Some(_)) = (asks, &desired.slots) else {
            return Ok(Licence::Free);
        };
        if disruptive(plan).is_empty() {
            return Ok(Licence::harmless());
        }
        if !is_healthy(hand, (desired, seen), former) {
            let mut sick = Sick {
                accord: Arc::clone(accord),
                former: former.cloned(),
                mending: Mending::NoNeed,
                looked: false,
            };
            let mut changes = plan.steps.iter().flat_map(|step| &step.changes);
            if changes.any(|change| hits(desired, seen, change)) {
                sick.mend(desired, plan).map_err(|none| none.to_string())?;
            }
            return Ok(Licence::Sick(sick));
        }
        Self::take(&**accord, hand, desired, plan)
    }

    /// That of a plan that has nothing that disrupts, or has it withheld.
    pub(super) fn harmless() -> Self {
        Licence::Harmless("it needs a slot, which was not known when the run began".into())
    }

    fn take(
        accord: &dyn Accord,
        hand: &mut impl Hand,
        desired: &Desired,
        plan: &Plan,
    ) -> Result<Self, String> {
        let leader = desired
            .slots
            .as_ref()
            .and_then(|slots| slots.leader.as_ref());
        let leads = leader.is_some_and(|leader| hand.leads(leader));
        let slot = accord.take(leads).map_err(|none| none.to_string())?;
        Ok(Licence::Slot(Taken::of(slot, desired, plan)))
    }

    /// The slot that it hangs on.
    fn taken(&self) -> Option<&Taken> {
        match self {
            Licence::Slot(taken) => Some(taken),
            Licence::Sick(sick) => match &sick.mending {
                Mending::Slot(taken) => Some(taken),
                Mending::NoNeed | Mending::Alone => None,
            },
            Licence::Free | Licence::Harmless(_) => None,
        }
    }

    /// Whether what is allowed now may not be in a while.
    pub(super) fn may_be_lost(&self) -> bool {
        self.taken().is_some()
    }

    /// What comes now has not been looked at.
    pub(super) fn at_next_turn(&mut self) {
        if let Licence::Sick(sick) = self {
            sick.looked = false;
        }
    }

    /// Why these changes of a turn may not be made now; none where they may.
    pub(super) fn forbids(&self, id: &ResourceId, changes: &[Change]) -> Option<String> {
        let disrupts = changes.iter().any(Change::disrupts);
        if let Licence::Harmless(why) = self {
            return disrupts.then(|| why.clone());
        }
        let taken = self.taken()?;
        let lost = (disrupts || taken.with.contains(id)) && !taken.slot.is_held();
        lost.then(|| "the slot was lost during the run".into())
    }

    /// Notes as a failure where the machine is not healthy after a run with a slot.
    pub(super) fn prove(&self, hand: &mut impl Hand, desired: &Desired, done: &mut Done) {
        let (Licence::Slot(_), Some(health), true) =
            (self, &desired.health, done.failures.is_empty())
        else {
            return;
        };
        // Where services were started they have passed it just now, and so they do at once.
        let answer = ask_until(hand, health, health::timeout(health));
        if let Healthy::No(said) | Healthy::Unknown(said) = answer {
            let s = health.timeout_s;
            done.failures.push(Failure::of_none(format!(
                "the role is not healthy {s} s after it was disrupted{}",
                health::told(&said)
            )));
        }
    }

    /// The run is over, and this came of it.
    pub(super) fn end(self, failures: &[Failure]) {
        if let Some(taken) = self.into_taken() {
            taken.give(failures.is_empty());
        }
    }

    fn into_taken(self) -> Option<Taken> {
        match self {
            Licence::Slot(taken)
            | Licence::Sick(Sick {
                mending: Mending::Slot(taken),
                ..
            }) => Some(taken),
            Licence::Free | Licence::Harmless(_) | Licence::Sick(_) => None,
        }
    }
}

impl<H: Hand> Engine<'_, H> {
    /// Before a turn that disrupts, where the machine was not healthy when the run began: once it is, what is left needs a slot. Until then
    /// it needs one that mends, be it that what runs was not known to be disrupted.
    pub(super) fn look_whether_well(&mut self, needed: &[Change]) {
        let Licence::Sick(sick) = &mut *self.licence else {
            return;
        };
        if !std::mem::replace(&mut sick.looked, true) {
            let (accord, former) = (Arc::clone(&sick.accord), sick.former.clone());
            if self.is_well(former.as_ref()) {
                let sick = std::mem::replace(self.licence, Licence::harmless());
                // It was for who counts as missing.
                if let Some(taken) = sick.into_taken() {
                    taken.give(true);
                }
                let taken = Licence::take(&*accord, self.hand, self.desired, self.plan);
                *self.licence = taken.unwrap_or_else(Licence::Harmless);
                return;
            }
        }
        let runs = |change| hits(self.desired, self.begun, change);
        if let Licence::Sick(sick) = &mut *self.licence
            && needed.iter().any(runs)
            && let Err(none) = sick.mend(self.desired, self.plan)
        {
            *self.licence = Licence::Harmless(none.to_string());
        }
    }

    /// Asks once: who is well for a moment is.
    fn is_well(&mut self, former: Option<&Health>) -> bool {
        let desired = self.desired;
        let mut passes = |asked: &Health| !matches!(self.hand.healthy(asked), Healthy::No(_));
        if former.is_some_and(&mut passes) {
            return true;
        }
        if desired.health.as_ref().is_some_and(|asked| !passes(asked)) {
            return false;
        }
        let services = desired.resources.iter();
        let services = services.filter(|resource| resource.id.kind == Kind::Service);
        self.look_again(&services.collect::<Vec<_>>(), Stage::Turn);
        works(desired, &self.now)
    }
}
