//! A run: one application of a plan to this machine; and the same plan without it.

mod batch;
mod consequence;
mod difference;
mod engine;
mod eyes;
mod files;
mod foreseen;
mod former;
pub mod health;
mod history;
mod host;
mod machine;
mod own;
mod packages;
mod partly;
mod record;
mod refused;
mod reverted;
mod services;
pub mod site;
pub mod slot;
mod sources;
mod state;
#[cfg(test)]
mod tests;
mod unpacked;
mod unsettled;

pub use services::SETTLE;
pub use state::{Lock, StateDir};

use crate::apt::{self, index::Index};
use crate::effect::Effects;
use crate::machine::{BlobSource, Caller, Machine, Root};
use anyhow::Context as _;
use cfg_catalog::digest::Digest;
use cfg_catalog::id::{Kind, ResourceId};
use cfg_catalog::plan::disruption::disruptive;
use cfg_catalog::plan::document::{Document, Done, Head};
use cfg_catalog::plan::leftovers::Managed;
use cfg_catalog::plan::order::closure;
use cfg_catalog::plan::{Cycle, Ledger, Plan, Snapshot, begin, plan, plan_within};
use cfg_catalog::resource::{Desired, Health, Resource, Shell};
use engine::Engine;
use eyes::Eyes;
use former::Former;
use machine::Whole;
use record::Record;
use reverted::Aim;
use site::{Look, Site, Stage, Trouble};
use slot::{Asks, Licence};
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Instant;

/// What a run is given.
pub struct Context<'a> {
    /// The machine, or the tree of `--root`.
    pub root: &'a Root,
    /// What cfg remembers of it.
    pub state: &'a StateDir,
    /// What else is cfg's own.
    pub own: &'a [PathBuf],
    /// What it must be.
    pub desired: &'a Desired,
    /// The contents of the role's files.
    pub blobs: &'a dyn BlobSource,
    /// The machine's name, for the document.
    pub host: &'a str,
    /// The release that it comes from, for the document.
    pub release: Option<Digest>,
    /// The number of the view of the fleet, for the document.
    pub view: Option<u64>,
    /// Only these, with what they must come after.
    pub only: Option<&'a BTreeSet<ResourceId>>,
    /// What left the role is brought back to what was there before cfg, whatever the role says of that.
    pub prune: bool,
    /// Who is asked before anything is disrupted.
    pub asks: &'a Asks,
    /// How apt is used.
    pub apt: apt::Settings,
    /// Hears what is waited for.
    pub told: &'a dyn Fn(&str),
}

/// Why there was no run, or no plan.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// Another run is under way: exit code 75.
    #[error("another run is under way")]
    Busy,
    /// The machine itself can be changed by root alone: exit code 77.
    #[error("only root can change this machine; --dry-run shows what would be done")]
    NeedsRoot,
    /// The role's resources come after each other in a circle: exit code 65.
    #[error(transparent)]
    Cycle(#[from] Cycle),
    /// What cfg remembers could not be read or written, or the run had to stop: exit code 1.
    #[error(transparent)]
    Other(#[from] anyhow::Error),
}

/// What a run would change. Writes nothing.
///
/// It blocks: not for a thread that others' asynchronous tasks wait for.
///
/// # Errors
/// Where no plan could be made.
pub fn dry_run(context: &Context<'_>) -> Result<Document, RunError> {
    let clock = Clock::start();
    let contents = Former::of(context);
    let context = &Context {
        blobs: &contents,
        ..*context
    };
    // Only root may read what starts have read, where their times tell then, and what was managed.
    let former = former(context, readable(context, context.state.health())?);
    let mut eyes = Eyes::new(context.root, context.desired, former);
    let mut record = readable(context, Record::of(context).map(Some))?;
    let kept = context.state.ledger();
    let unread = kept.is_err();
    let mut ledger = readable(context, kept)?;
    let under_way = readable(context, unsettled::foresee(context, &mut ledger))?;
    let mut snapshot = look(context, &mut eyes, record.as_mut())?;
    let nothing = Managed::default();
    let managed = record.as_ref().map_or(&nothing, Record::managed);
    let mut aim = Aim::of(context, &mut eyes, managed, &mut snapshot)?;
    let mut plan = aim.draft(context, &mut snapshot, &ledger, managed)?;
    if under_way {
        plan.assume();
    }
    if unread {
        plan.assume_owed(context.desired);
    }
    let unproven = readable(context, context.state.unproven())?;
    unsettled::tell_unproven(context, &unproven, &plan);
    Ok(Document::of_plan(clock.head(context, None), &plan))
}

/// One run, now. Its document is kept in the state directory as well.
///
/// It blocks: not for a thread that others' asynchronous tasks wait for.
///
/// # Errors
/// Where there was no run, or it had to stop where it stood; the next one finishes it.
pub fn apply(context: &Context<'_>) -> Result<Document, RunError> {
    if context.root.is_machine() && context.root.caller() != Caller::Superuser {
        return Err(RunError::NeedsRoot);
    }
    let clock = Clock::start();
    let contents = Former::of(context);
    let context = &Context {
        blobs: &contents,
        ..*context
    };
    let made = context.state.make()?;
    let _lock = context.state.lock()?.ok_or(RunError::Busy)?;
    let run = name_of_run()?;
    let effects = Effects::new(context.state.effects());
    let known = unsettled::settle(context, &effects)?;
    let former = former(context, context.state.health()?);
    let mut whole = Whole::new(
        context,
        Eyes::new(context.root, context.desired, former.clone()),
        effects,
        &run,
    );
    whole.undo_leftovers()?;
    if let Some(complaint) = whole.refresh_for_latest()? {
        tracing::warn!("the index could not be refreshed whole: {complaint}");
    }

    let mut record = Record::of(context)?;
    let mut snapshot = look(context, &mut whole, Some(&mut record))?;
    let root = context.root.path();
    own::look_past(&made, root, context.desired, &mut snapshot.observed);
    let mut aim = Aim::of(context, &mut whole, record.managed(), &mut snapshot)?;
    let mut plan = aim.draft(context, &mut snapshot, &known, record.managed())?;
    let aimed = (&*aim.desired, &snapshot);
    let asked = Licence::ask(context.asks, &mut whole, aimed, former.as_ref(), &plan);
    if let Err(why) = &asked {
        let kept = (&known, record.managed());
        plan = aim.withhold(why, plan, context, &mut snapshot, kept)?;
    }
    let mut licence = asked.unwrap_or_else(|_| Licence::harmless());
    let disrupts = !disruptive(&plan).is_empty();
    let disrupting = disrupts.then(|| context.state.disrupt()).transpose()?;
    whole.manages(record.begin(context, &aim.role(), &snapshot, &plan)?);
    let desired = &*aim.desired;
    // From here on an interrupted run still restarts what it must: what starts have read is on disk.
    let ledger = begin(desired, &snapshot, &known);
    context.state.keep_ledger(&ledger)?;
    let planned = (desired, &plan, &snapshot);
    let done = enact(context, &mut whole, planned, ledger, &mut licence)?;
    record.end(context, &plan, whole.managed(), (&done, &aim.reverts))?;
    let document = Document::of_run(clock.head(context, Some(run.clone())), &plan, done);
    context.state.keep_run(&run, &document)?;
    // Once the slot is back, others ask how this machine is.
    drop(disrupting);
    licence.end(&document.failures);
    if let (Some(health), true) = (&desired.health, document.is_whole()) {
        context.state.keep_health(&health.command)?;
    }
    Ok(document)
}

/// Takes all turns of a plan, and asks then how this machine is.
fn enact(
    context: &Context<'_>,
    whole: &mut Whole<'_>,
    (desired, plan, begun): (&Desired, &Plan, &Snapshot),
    ledger: Ledger,
    licence: &mut Licence,
) -> Result<Done, RunError> {
    let unproven = context.state.unproven()?;
    let changes = plan.steps.iter().any(|step| !step.changes.is_empty());
    // Free again once all is done, for the document.
    let _reserve = changes.then(|| context.state.reserve()).transpose()?;
    let engine = Engine::new(whole, desired, plan, begun, ledger, unproven, licence);
    let mut done = engine.run().map_err(|trouble| match trouble {
        Trouble::Failed(why) => RunError::Other(anyhow::anyhow!("{why}")),
        Trouble::Stop(error) => RunError::Other(error),
    })?;
    licence.prove(whole, desired, &mut done);
    Ok(done)
}

/// How the role's health was asked before this one came, where that is another way.
fn former(context: &Context<'_>, kept: Option<Shell>) -> Option<Health> {
    health::former(context.desired.health.as_ref()?, kept)
}

/// What a dry run reads of what cfg remembers: nothing where only root may.
fn readable<T: Default>(context: &Context<'_>, read: anyhow::Result<T>) -> anyhow::Result<T> {
    match read {
        Err(error) if context.root.caller() != Caller::Superuser => {
            tracing::debug!("{error:#}");
            Ok(T::default())
        }
        read => read,
    }
}

/// Looks at all that the role names, and at all that is left over.
fn look(
    context: &Context<'_>,
    site: &mut dyn Site,
    record: Option<&mut Record<'_>>,
) -> anyhow::Result<Snapshot> {
    let desired = context.desired;
    // Where only some of the role is applied, what is left over elsewhere lies behind ways that it may turn.
    let looked_at = |one: &Resource| context.only.is_none() || lies_at_a_path(one.id.kind);
    let left = record.as_ref().map(|record| {
        let mut left = record.managed().left(desired);
        left.retain(looked_at);
        left
    });
    let all = desired.resources.iter().chain(left.iter().flatten());
    let observed = site.look(&Look::ahead(desired, all), Stage::Plan);
    let machine = Machine::new(context.root);
    let mut host = host::host(&machine, desired, &observed, context.blobs)?;
    let mut kinds = desired.resources.iter().map(|resource| resource.id.kind);
    if kinds.any(|kind| kind == Kind::Repository) {
        host.unfetched = Index::of(context.root.path(), context.state.path()).lacking();
    }
    let mut snapshot = Snapshot {
        observed,
        host,
        places: site.places(),
        own: own::paths(context),
    };
    if let Some(record) = record
        && record.rename(desired, &snapshot, scope(context).as_ref())
    {
        let left = record.managed().left(desired);
        let new = left
            .iter()
            .filter(|one| looked_at(one) && !snapshot.observed.contains_key(&one.id));
        let new = site.look(&Look::ahead(desired, new), Stage::Plan);
        snapshot.observed.extend(new);
        snapshot.places = site.places();
    }
    Ok(snapshot)
}

fn lies_at_a_path(kind: Kind) -> bool {
    matches!(
        kind,
        Kind::File | Kind::Directory | Kind::Link | Kind::Edit | Kind::Archive
    )
}

/// The plan, before apt is asked.
fn unasked(
    context: &Context<'_>,
    desired: &Desired,
    snapshot: &Snapshot,
    ledger: &Ledger,
) -> Result<Plan, Cycle> {
    match scope(context) {
        None => plan(desired, snapshot, ledger),
        Some(scope) => plan_within(desired, snapshot, ledger, &scope),
    }
}

/// What of the role is applied; none where all is.
fn scope(context: &Context<'_>) -> Option<BTreeSet<ResourceId>> {
    let only = context.only?;
    Some(closure(context.desired, only))
}

/// Sorts by time.
fn name_of_run() -> anyhow::Result<String> {
    let mut unique = [0; 3];
    getrandom::fill(&mut unique).context("the kernel gives no random bytes")?;
    let now = jiff::Timestamp::now().strftime("%Y%m%dT%H%M%SZ");
    Ok(format!("{now}-{}", hex::encode(unique)))
}

/// When something began, and how long it took.
struct Clock {
    began: jiff::Timestamp,
    since: Instant,
}

impl Clock {
    fn start() -> Self {
        Self {
            began: crate::clock::now(),
            since: Instant::now(),
        }
    }

    fn head(&self, context: &Context<'_>, run: Option<String>) -> Head {
        Head {
            host: context.host.to_owned(),
            run,
            role: Some(context.desired.role.clone()),
            release: context.release,
            view: context.view,
            without_slot: context.asks.without().map(str::to_owned),
            partial: context.only.is_some(),
            started: self.began.to_string(),
            took_ms: u64::try_from(self.since.elapsed().as_millis()).unwrap_or(u64::MAX),
        }
    }
}
