//! The one document of a plan or a run: printed by `--json`, shown as text, kept in the history, reported.

use super::planned::Plan;
use super::remedy::remedy;
use super::{Action, Change};
use crate::digest::Digest;
use crate::id::ResourceId;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// The version of the document's format.
pub const VERSION: u32 = 1;

/// A plan or a run, as everybody is told of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Document {
    /// [`VERSION`].
    pub version: u32,
    /// The machine's name.
    pub host: String,
    /// The run's name; null for a plan.
    pub run: Option<String>,
    /// The role; null where it is not known.
    pub role: Option<String>,
    /// The release; null without a server.
    pub release: Option<Digest>,
    /// The number of the view of the fleet; none without a server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub view: Option<u64>,
    /// Why it disrupted what the machine does without a slot, where a person said so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub without_slot: Option<String>,
    /// Why the server's word was not taken, and the role is the one that was kept; none where it was, or nobody answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rejected: Option<String>,
    /// Whether nothing was done.
    pub dry_run: bool,
    /// Only some of the role was looked at (`--only`).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub partial: bool,
    /// The worst of what came of it.
    pub result: Outcome,
    /// When it began, in RFC 3339.
    pub started: String,
    /// How long it took.
    pub took_ms: u64,
    /// Resources by what came of them.
    pub counts: Counts,
    /// What is to be done, or was, in order.
    pub changes: Vec<Change>,
    /// What would be done and may not be.
    pub held: Vec<Held>,
    /// What failed, or will.
    pub failures: Vec<Failure>,
    /// What cfg once managed, and the role names no more.
    pub leftovers: Vec<Leftover>,
    /// Effects of a run that its plan did not have; each a bug. They are among the changes too.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unforeseen: Vec<Unforeseen>,
}

/// What came of it, the best first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// Nothing differed.
    Converged,
    /// All that differed was changed.
    Applied,
    /// A dry run found changes.
    Changes,
    /// The rest is held by a pause or an undo.
    Paused,
    /// The rest is held by something that will end.
    Waiting,
    /// Something failed.
    Failed,
}

/// Resources by what came of them: `resources` is the sum of the others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// All: declared ones, folders that something needs, victims of a purge.
    pub resources: usize,
    /// As they must be.
    pub in_sync: usize,
    /// Changed, or to be changed.
    pub changed: usize,
    /// Failed.
    pub failed: usize,
    /// Left alone, since what they need failed.
    pub skipped: usize,
    /// Held, and nothing else.
    pub held: usize,
}

/// What would be done to a resource and may not be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Held {
    /// Which.
    pub resource: ResourceId,
    /// Why.
    pub why: Why,
    /// The same for a person.
    pub detail: String,
}

/// Why something is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Why {
    /// A cohort is not complete.
    Cohort,
    /// Others are disrupted at the moment.
    Slot,
    /// A pause.
    Paused,
    /// It was undone.
    Undone,
    /// Below `--root`, as an ordinary user.
    Unprivileged,
}

/// What failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// Which; null where it is none's.
    pub resource: Option<ResourceId>,
    /// Why, for a person.
    pub message: String,
    /// What was left alone on its account.
    pub skipped: Vec<ResourceId>,
    /// What to do about it, where the message does not say so itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remedy: Option<String>,
}

impl Failure {
    /// A failure that has skipped nothing yet.
    pub fn of(resource: &ResourceId, message: impl Into<String>) -> Self {
        Self {
            resource: Some(resource.clone()),
            message: message.into(),
            skipped: Vec::new(),
            remedy: None,
        }
    }

    /// One that is no resource's.
    pub fn of_none(message: impl Into<String>) -> Self {
        Self {
            resource: None,
            message: message.into(),
            skipped: Vec::new(),
            remedy: None,
        }
    }
}

/// What cfg once managed, and the role names no more.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Leftover {
    /// Which.
    pub resource: ResourceId,
    /// The machine's role when it was managed last.
    #[serde(default)]
    pub role: String,
    /// Why it is not brought back to what was there before cfg, or not all of it; only where leftovers are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

/// An effect that the plan did not have.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unforeseen {
    /// On what.
    pub resource: ResourceId,
    /// Which.
    pub action: Action,
}

/// What a document says of its occasion.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Head {
    /// The machine's name.
    pub host: String,
    /// The run's name.
    pub run: Option<String>,
    /// The role.
    pub role: Option<String>,
    /// The release.
    pub release: Option<Digest>,
    /// The number of the view of the fleet.
    pub view: Option<u64>,
    /// Why it took no slot, where a person said so.
    pub without_slot: Option<String>,
    /// Only some of the role was looked at.
    pub partial: bool,
    /// When it began, in RFC 3339.
    pub started: String,
    /// How long it took.
    pub took_ms: u64,
}

/// What a run has done.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Done {
    /// Made, as they were planned; unforeseen ones too, as they were made.
    pub changes: Vec<Change>,
    /// Made and not planned.
    pub unforeseen: Vec<Unforeseen>,
    /// What may not be done.
    pub held: Vec<Held>,
    /// What failed, the plan's own failures among it.
    pub failures: Vec<Failure>,
    /// What the role names no more.
    pub leftovers: Vec<Leftover>,
    /// Commands that were started, whatever came of it.
    pub begun: BTreeSet<ResourceId>,
}

impl Document {
    /// Of a plan that was not enacted.
    pub fn of_plan(head: Head, plan: &Plan) -> Self {
        let done = Done {
            changes: plan.changes().cloned().collect(),
            unforeseen: Vec::new(),
            held: plan.held.clone(),
            failures: plan.failures.clone(),
            leftovers: plan.leftovers.clone(),
            begun: BTreeSet::new(),
        };
        Self {
            dry_run: true,
            ..Self::of(head, plan.resources(), done, Outcome::Changes)
        }
    }

    /// Of a run of a plan.
    pub fn of_run(head: Head, plan: &Plan, done: Done) -> Self {
        Self::of(head, plan.resources(), done, Outcome::Applied)
    }

    /// Of an error before anything was looked at.
    pub fn of_error(head: Head, dry_run: DryRun, message: impl Into<String>) -> Self {
        let done = Done {
            failures: vec![Failure::of_none(message)],
            ..Done::default()
        };
        Self {
            dry_run: dry_run == DryRun::Yes,
            ..Self::of(head, BTreeSet::new(), done, Outcome::Applied)
        }
    }

    fn of(head: Head, resources: BTreeSet<&ResourceId>, mut done: Done, changed: Outcome) -> Self {
        for failure in &mut done.failures {
            failure.remedy = remedy(failure);
        }
        let counts = Counts::of(resources, &done);
        let result = result(&done, changed);
        Self {
            version: VERSION,
            host: head.host,
            run: head.run,
            role: head.role,
            release: head.release,
            view: head.view,
            without_slot: head.without_slot,
            rejected: None,
            dry_run: false,
            partial: head.partial,
            result,
            started: head.started,
            took_ms: head.took_ms,
            counts,
            changes: done.changes,
            held: done.held,
            failures: done.failures,
            leftovers: done.leftovers,
            unforeseen: done.unforeseen,
        }
    }

    /// Whether a run has made of the machine all that its release and its view say, but for what waits for a cohort.
    pub fn is_settled(&self) -> bool {
        let cohort = |held: &Held| held.why == Why::Cohort;
        !self.dry_run && !self.partial && self.failures.is_empty() && self.held.iter().all(cohort)
    }

    /// Whether a run has made of the machine all that its release and its view say.
    pub fn is_whole(&self) -> bool {
        self.is_settled() && self.held.is_empty()
    }

    /// The exit code of `cfg apply`.
    pub fn exit_code(&self) -> u8 {
        match self.result {
            Outcome::Converged | Outcome::Applied => 0,
            Outcome::Failed => 1,
            Outcome::Changes => 2,
            Outcome::Waiting | Outcome::Paused => 3,
        }
    }
}

/// Whether a run was to do nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DryRun {
    /// It was.
    Yes,
    /// It was not.
    No,
}

fn result(done: &Done, changed: Outcome) -> Outcome {
    let held = done.held.iter().map(|held| match held.why {
        Why::Paused | Why::Undone => Outcome::Paused,
        Why::Cohort | Why::Slot | Why::Unprivileged => Outcome::Waiting,
    });
    let failed = done.failures.iter().map(|_| Outcome::Failed);
    let changed = done.changes.iter().map(|_| changed);
    let all = held.chain(failed).chain(changed);
    all.max().unwrap_or(Outcome::Converged)
}

impl Counts {
    fn of(resources: BTreeSet<&ResourceId>, done: &Done) -> Self {
        let failed: BTreeSet<&ResourceId> =
            ids(done.failures.iter().filter_map(|f| f.resource.as_ref()));
        let skipped = ids(done.failures.iter().flat_map(|f| &f.skipped));
        let changed = ids(done.changes.iter().map(|c| &c.resource));
        let held = ids(done.held.iter().map(|h| &h.resource));
        let mut all = resources;
        for more in [&failed, &skipped, &changed, &held] {
            all.extend(more.iter().copied());
        }
        let mut counts = Self::default();
        for id in all {
            counts.resources += 1;
            let count = if failed.contains(id) {
                &mut counts.failed
            } else if skipped.contains(id) {
                &mut counts.skipped
            } else if changed.contains(id) {
                &mut counts.changed
            } else if held.contains(id) {
                &mut counts.held
            } else {
                &mut counts.in_sync
            };
            *count += 1;
        }
        counts
    }
}

fn ids<'a>(found: impl Iterator<Item = &'a ResourceId>) -> BTreeSet<&'a ResourceId> {
    found.collect()
}
