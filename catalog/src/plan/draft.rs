//! Drafting the plan: each resource takes its turn, seeing what is planned before it.

mod below;
mod emptied;
mod moves;
mod parents;
mod renumbered;

use super::ahead::Ahead;
use super::claims::{Claims, by_path, path_of, presence};
use super::document::{Failure, Held, Why};
use super::elsewhere::perhaps;
use super::folders::Folders;
use super::inputs::{self, Inputs};
use super::ledger::{Ledger, begin};
use super::order::{Cycle, Phase, Step, turns};
use super::planned::{Fate, Plan, PlannedStep};
use super::refusals::Refusal;
use super::texts::Texts;
use super::turn::{Turn, Verdict, turn};
use super::written;
use super::{Action, Certainty, Change, Host, Places, Snapshot, of_each};
use crate::id::{Kind, ResourceId};
use crate::path::AbsPath;
use crate::resource::mount;
use crate::resource::through::Links;
use crate::resource::{Body, Desired, Observed, PathState, Presence, Resource};
use renumbered::Renumbered;
use std::borrow::Cow;
use std::cell::OnceCell;
use std::collections::{BTreeMap, BTreeSet};

/// The plan for a whole role.
///
/// # Errors
/// Where resources come after each other in a circle.
pub fn plan(desired: &Desired, snapshot: &Snapshot, ledger: &Ledger) -> Result<Plan, Cycle> {
    drafted(desired, snapshot, ledger, |_id| true)
}

/// The plan for some resources of a role; see [`super::order::closure`].
///
/// # Errors
/// Where resources come after each other in a circle.
pub fn plan_within(
    desired: &Desired,
    snapshot: &Snapshot,
    ledger: &Ledger,
    scope: &BTreeSet<ResourceId>,
) -> Result<Plan, Cycle> {
    drafted(desired, snapshot, ledger, |id| scope.contains(id))
}

fn drafted(
    desired: &Desired,
    snapshot: &Snapshot,
    ledger: &Ledger,
    within: impl Fn(&ResourceId) -> bool,
) -> Result<Plan, Cycle> {
    let turns = turns(desired)?;
    let seen = of_each(&snapshot.observed, desired);
    let mut draft = Draft::new(desired, snapshot, ledger);
    draft.wait(&within);
    for (at, step) in turns {
        if within(&step.resource) {
            draft.take(step, &desired.resources[at], seen[at]);
        }
    }
    Ok(draft.plan)
}

struct Draft<'a> {
    desired: &'a Desired,
    snapshot: &'a Snapshot,
    /// Who is who, as it will be at the turn that is judged.
    host: Cow<'a, Host>,
    ledger: Ledger,
    claims: Claims,
    declared: BTreeMap<AbsPath, &'a Resource>,
    /// As they will be at the turn that is judged.
    inputs: Inputs,
    ahead: Ahead,
    /// Those of the inputs that are directories.
    folders: Folders,
    /// What edits are about, as it will be.
    texts: Texts,
    /// The files, links and edits that are inputs, by path.
    at: BTreeMap<AbsPath, Vec<ResourceId>>,
    /// Homes that come with users who are to be made.
    homes: BTreeMap<AbsPath, ResourceId>,
    /// Folders that are to stand where a link or a file stands, and links that are to lead elsewhere: what was seen
    /// below them is not what will be there.
    moved: BTreeMap<AbsPath, Certainty>,
    /// Where file systems are to be mounted or unmounted, and archives come or go: what was seen there, and below, is
    /// not what will be.
    renewed: BTreeSet<AbsPath>,
    renumbered: Renumbered,
    /// What a run may find that it must refuse, and what comes after that.
    doubted: BTreeSet<ResourceId>,
    /// What failed or is skipped, with the failure that it comes from.
    broken: BTreeMap<ResourceId, ResourceId>,
    /// What waits and would be changed else, with what it waits for.
    waiting: BTreeMap<ResourceId, (Why, String)>,
    /// Folders that stand by then, by where they really lie; only where links of the machine lead anywhere.
    standing: BTreeMap<AbsPath, ResourceId>,
    /// Where paths lie when what must not be there is looked for, and the links of the role; only where ways turn.
    passed: OnceCell<(Places, Links<'a>)>,
    plan: Plan,
}

impl<'a> Draft<'a> {
    fn new(desired: &'a Desired, snapshot: &'a Snapshot, ledger: &Ledger) -> Self {
        let inputs = inputs::inputs(desired, snapshot);
        let claims = Claims::of(desired, snapshot);
        Self {
            desired,
            snapshot,
            host: Cow::Borrowed(&snapshot.host),
            ledger: begin(desired, snapshot, ledger),
            declared: by_path(desired)
                .into_iter()
                .filter(|(_, resource)| presence(&resource.body) == Presence::Present)
                .collect(),
            folders: Folders::of(desired, snapshot, &inputs),
            texts: Texts::of(desired, snapshot, claims.places()),
            claims,
            at: inputs::at(desired, &inputs),
            inputs,
            ahead: Ahead::of_a_plan().among(&snapshot.places),
            homes: BTreeMap::new(),
            moved: BTreeMap::new(),
            renewed: BTreeSet::new(),
            renumbered: Renumbered::default(),
            doubted: BTreeSet::new(),
            broken: BTreeMap::new(),
            waiting: BTreeMap::new(),
            standing: BTreeMap::new(),
            passed: OnceCell::new(),
            plan: Plan::default(),
        }
    }

    fn take(&mut self, step: Step, resource: &'a Resource, seen: Option<&'a Observed>) {
        let (below, sure) = self.below_moved(resource);
        let edited = self.texts.seen(resource);
        let left = self.emptied(resource, seen);
        let ahead = edited.as_ref().or(below.as_ref()).or(left.as_ref());
        let observed = ahead.or(seen);
        let disowned = self.disowned(resource, observed);
        let observed = disowned.as_ref().or(observed);
        for input in inputs::ids(resource, observed) {
            self.loosen(&input);
        }
        let mut verdict = self.judge(step.phase, resource, observed);
        let sure = match self.is_filled(resource) {
            true => Certainty::Assumed,
            false => sure,
        };
        for change in &mut verdict.changes {
            change.certainty = change.certainty.max(sure);
        }
        let open = || self.claims.clash(&resource.id).is_none() && self.is_open(resource, seen);
        let open = below.is_some() && sure == Certainty::Assumed && open();
        if open {
            perhaps(resource, &mut verdict);
        }
        if let Some((why, detail)) = self.waits(&step, &verdict) {
            self.hold(&step.resource, why, detail);
            self.push(step, Vec::new(), Fate::Waits);
            return;
        }
        let fate = self.fate(&step, &verdict);
        if fate != Fate::Goes {
            self.fail(&step.resource, &fate, verdict);
            self.push(step, Vec::new(), fate);
            return;
        }
        if let Some(missed) = verdict.missed {
            let failure = Failure::of(&step.resource, missed);
            self.plan.failures.push(failure);
        }
        for detail in verdict.held {
            self.plan.held.push(Held {
                resource: step.resource.clone(),
                why: Why::Unprivileged,
                detail,
            });
            if step.resource.kind == Kind::Package {
                // Who brings it in another way brings its units too.
                self.ahead
                    .note(&Change::new(&step.resource, Action::Install));
            }
        }
        let mut changes = verdict.changes;
        // A purge of the folder above has it already.
        changes.retain(|c| {
            let gone = path_of(&c.resource).is_some_and(|path| self.ahead.removes(&path));
            c.action != Action::Remove || !gone || (open && c.resource == resource.id)
        });
        self.doubt(&step, resource, sure, &mut changes);
        let mut step = step;
        if changes
            .iter()
            .any(|change| change.resource == step.resource)
        {
            let parents = self.parents(resource, observed, sure);
            step.needs.extend(parents);
        }
        self.foresee(resource, observed, &changes);
        self.stands(resource);
        self.push(step, changes, Fate::Goes);
    }

    /// What only a run can judge may be refused there: a file by its `validate`, an archive that is yet to be fetched, and what is
    /// not surely where it is to be. Then what needs it is skipped.
    fn doubt(&mut self, step: &Step, resource: &Resource, sure: Certainty, changes: &mut [Change]) {
        if step.needs.iter().any(|need| self.doubted.contains(need)) {
            for change in &mut *changes {
                change.certainty = Certainty::Assumed;
            }
            if !changes.is_empty() {
                self.doubted.insert(step.resource.clone());
            }
        }
        let judged = match &resource.body {
            Body::File(file) if file.validate.is_some() => true,
            Body::Archive(_) => true,
            _ => {
                let refusal = self.host.refusals.get(&step.resource);
                sure == Certainty::Assumed || refusal == Some(&Refusal::Perhaps)
            }
        };
        if judged
            && changes
                .iter()
                .any(|one| one.certainty == Certainty::Assumed)
        {
            self.doubted.insert(step.resource.clone());
        }
    }

    fn push(&mut self, step: Step, changes: Vec<Change>, fate: Fate) {
        self.plan.steps.push(PlannedStep {
            step,
            changes,
            fate,
        });
    }

    fn judge(&self, phase: Phase, resource: &Resource, observed: Option<&Observed>) -> Verdict {
        let context = Turn {
            desired: self.desired,
            claims: &self.claims,
            ledger: &self.ledger,
            inputs: &self.inputs,
            host: &self.host,
            ahead: &self.ahead,
        };
        turn(phase, resource, observed, &context)
    }

    /// What could not be rendered is held as it is; what has no name yet only where the whole role is planned.
    fn wait(&mut self, within: &impl Fn(&ResourceId) -> bool) {
        let waiting = &self.desired.waiting;
        let unrendered = |id: &ResourceId| within(id) && self.desired.get(id).is_none();
        let named: Vec<_> = waiting.named().filter(|(id, _)| unrendered(id)).collect();
        for (id, incomplete) in named {
            self.hold(id, Why::Cohort, incomplete.to_string());
        }
        let mut nameless = waiting.nameless().peekable();
        if nameless.peek().is_none() || !self.desired.resources.iter().all(|r| within(&r.id)) {
            return;
        }
        for (pattern, incomplete) in nameless {
            self.hold(&pattern.shown(), Why::Cohort, incomplete.to_string());
        }
    }

    fn hold(&mut self, id: &ResourceId, why: Why, detail: String) {
        let known = self.waiting.insert(id.clone(), (why, detail.clone()));
        // One that waits has all its turns waiting.
        if known.is_none() {
            self.plan.held.push(Held {
                resource: id.clone(),
                why,
                detail,
            });
        }
    }

    /// What a turn waits for that would change something. A mask starts nothing, and waits for no cohort. What is withheld waits
    /// also where nothing is to be done to it before what it is for, which waits too.
    fn waits(&self, step: &Step, verdict: &Verdict) -> Option<(Why, String)> {
        let withheld = &self.desired.withheld;
        if withheld.resources.contains(&step.resource) {
            return Some((Why::Slot, withheld.why.clone()));
        }
        if verdict.is_converged() || step.phase == Phase::Mask {
            return None;
        }
        let own = self.desired.waiting.of(&step.resource);
        let own = own.map(|incomplete| (Why::Cohort, incomplete.to_string()));
        own.or_else(|| {
            let mut needs = step.needs.iter();
            needs.find_map(|need| self.waiting.get(need)).cloned()
        })
    }

    fn fate(&self, step: &Step, verdict: &Verdict) -> Fate {
        if self.broken.get(&step.resource) == Some(&step.resource) {
            return Fate::Fails;
        }
        let idle = verdict.changes.is_empty() && verdict.obstacle.is_none();
        let root = step.needs.iter().find_map(|need| self.broken.get(need));
        match root {
            Some(root) if !idle => Fate::Skipped(root.clone()),
            _ if verdict.obstacle.is_some() => Fate::Fails,
            _ => Fate::Goes,
        }
    }

    fn fail(&mut self, id: &ResourceId, fate: &Fate, verdict: Verdict) {
        match fate {
            Fate::Goes | Fate::Waits => {}
            Fate::Skipped(root) => {
                self.broken.insert(id.clone(), root.clone());
                let of_root = |failure: &&mut Failure| failure.resource.as_ref() == Some(root);
                if let Some(failure) = self.plan.failures.iter_mut().find(of_root) {
                    failure.skipped.push(id.clone());
                }
            }
            Fate::Fails => {
                let known = self.broken.insert(id.clone(), id.clone());
                if let (None, Some(message)) = (known, verdict.obstacle) {
                    self.plan.failures.push(Failure::of(id, message));
                }
            }
        }
    }

    /// Notes what the changes will have made of the machine by the turns that come after.
    fn foresee(&mut self, resource: &Resource, observed: Option<&Observed>, changes: &[Change]) {
        for change in changes {
            self.ahead.note(change);
            if let Body::Edit(edit) = &resource.body {
                self.ahead.note_path(edit.path.clone());
                self.ahead.note_new(&edit.path);
            }
            self.texts.note(resource, observed, change, &self.host);
            self.structure_moves(resource, observed, change);
            self.links_go(resource, observed, change);
            self.account_moves(resource, observed, change);
            if let Body::Package(_) = resource.body {
                self.package_moves(change);
            }
            for (path, to) in written::by(resource, observed, change) {
                self.path_moves(&change.resource, &path, to);
            }
        }
    }

    fn structure_moves(
        &mut self,
        resource: &Resource,
        observed: Option<&Observed>,
        change: &Change,
    ) {
        let stays = matches!(observed, Some(Observed::Path(PathState::Directory(_))));
        match (&resource.body, change.action) {
            (Body::User(user), Action::Create) if user.gets_home() => {
                if let Ok(home) = user.place().parse() {
                    self.homes.insert(home, resource.id.clone());
                }
            }
            (Body::Directory(body), Action::Update) if !stays => {
                self.moved.insert(body.path.clone(), change.certainty);
            }
            (Body::Archive(body), _) => {
                self.renewed.insert(body.path.clone());
            }
            (Body::Mount(body), _) if mount::renews(change) => {
                self.renewed.insert(body.point.clone());
            }
            (Body::Link(body), Action::Create | Action::Update) => {
                self.moved.insert(body.path.clone(), Certainty::Assumed);
                self.ahead.note_link(&body.path);
            }
            _ => {}
        }
    }
}
