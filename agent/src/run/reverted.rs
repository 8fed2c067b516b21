//! What leaves the role is planned beside it, where leftovers are brought back to what was there before cfg.

use super::site::{Look, Site, Stage};
use super::{Context, foreseen, refused, unasked};
use crate::machine::Machine;
use anyhow::Context as _;
use cfg_catalog::id::{Kind, ResourceId};
use cfg_catalog::path::AbsPath;
use cfg_catalog::plan::leftovers::{Managed, Reverts};
use cfg_catalog::plan::{Cycle, Ledger, Plan, Snapshot};
use cfg_catalog::resource::account::UserState;
use cfg_catalog::resource::service::UNITS;
use cfg_catalog::resource::{Body, Desired, Leftovers, Observed};
use std::borrow::Cow;

/// What one run is to bring about.
pub(super) struct Aim<'a> {
    /// The role, with what brings back its leftovers.
    pub(super) desired: Cow<'a, Desired>,
    /// These.
    pub(super) reverts: Reverts,
    /// The role alone.
    role: &'a Desired,
    /// Leftovers are brought back.
    brings_back: bool,
}

impl<'a> Aim<'a> {
    /// What a run aims at, of a role and a machine of which all that the role names, and all that is left over, was seen.
    pub(super) fn of(
        context: &Context<'a>,
        site: &mut dyn Site,
        managed: &Managed,
        snapshot: &mut Snapshot,
    ) -> anyhow::Result<Self> {
        let role = context.desired;
        let wanted = context.prune || role.leftovers == Leftovers::Revert;
        let mut aim = Self {
            desired: Cow::Borrowed(role),
            reverts: Reverts::default(),
            role,
            brings_back: wanted && context.only.is_none(),
        };
        if !aim.brings_back {
            return Ok(aim);
        }
        let machine = Machine::new(context.root);
        let left = managed.left(role);
        let beside = left.iter().flat_map(|resource| match &resource.body {
            Body::Service(_) => folders_of_links(snapshot.observed.get(&resource.id)),
            Body::User(_) => folder_of_keys(snapshot.observed.get(&resource.id)),
            _ => Vec::new(),
        });
        let mut folders = managed.folders(role, snapshot);
        folders.extend(beside);
        let around = machine.around(&folders);
        let around = around.context("cannot tell who is who on this machine")?;
        aim.reverts = managed.reverts(role, snapshot, &around);
        if aim.reverts.resources.is_empty() {
            return Ok(aim);
        }
        aim.desired = Cow::Owned(aim.reverts.with(role));
        let again = Look::ahead(&aim.desired, &aim.reverts.resources);
        snapshot.observed.extend(site.look(&again, Stage::Plan));
        snapshot.places = site.places();
        snapshot.host =
            super::host::host(&machine, &aim.desired, &snapshot.observed, context.blobs)?;
        Ok(aim)
    }

    /// The plan. What cannot be brought back is no failure: it stays, and is shown with why.
    pub(super) fn draft(
        &mut self,
        context: &Context<'_>,
        snapshot: &mut Snapshot,
        ledger: &Ledger,
        managed: &Managed,
    ) -> Result<Plan, Cycle> {
        let mut plan = loop {
            match self.heard(context, snapshot, ledger) {
                Ok(plan) if !self.withdraw_failing(managed, &plan, snapshot) => break plan,
                Ok(_) => {}
                // The role alone has an order, or is told that it has none.
                Err(cycle) if !self.withdraw_cycle(managed, &cycle) => return Err(cycle),
                Err(_) => {}
            }
        };
        if self.brings_back {
            plan.leftovers = self.reverts.shown.clone();
        } else if context.only.is_none() {
            plan.leftovers = managed.leftovers(self.role, snapshot, &plan);
        }
        Ok(plan)
    }

    /// The plan without what disrupts, which waits for a slot, and why there is none.
    pub(super) fn withhold(
        &mut self,
        why: &str,
        full: Plan,
        context: &Context<'_>,
        snapshot: &mut Snapshot,
        (ledger, managed): (&Ledger, &Managed),
    ) -> Result<Plan, Cycle> {
        let mut now = full.clone();
        while let Some(less) = self.desired.without_slot(&full, &now, why) {
            self.desired = Cow::Owned(less);
            forget_refusals(snapshot);
            now = self.draft(context, snapshot, ledger, managed)?;
        }
        Ok(now)
    }

    /// The role alone, with what of it is withheld.
    pub(super) fn role(&self) -> Cow<'a, Desired> {
        match self.desired.withheld.is_empty() {
            true => Cow::Borrowed(self.role),
            false => Cow::Owned(Desired {
                withheld: self.desired.withheld.clone(),
                ..self.role.clone()
            }),
        }
    }

    /// What the machine and apt say against it belongs to what was seen, and is heard only once it is known what changes.
    fn heard(
        &self,
        context: &Context<'_>,
        snapshot: &mut Snapshot,
        ledger: &Ledger,
    ) -> Result<Plan, Cycle> {
        snapshot.host.refusals.clear();
        let mut plan = unasked(context, &self.desired, snapshot, ledger)?;
        if foreseen::hear(context, &self.desired, &plan, snapshot) {
            plan = unasked(context, &self.desired, snapshot, ledger)?;
        }
        match refused::hear(context, &self.desired, &plan, snapshot) {
            true => unasked(context, &self.desired, snapshot, ledger),
            false => Ok(plan),
        }
    }

    /// Takes out what only a failure could come of, if there is any.
    fn withdraw_failing(
        &mut self,
        managed: &Managed,
        plan: &Plan,
        snapshot: &mut Snapshot,
    ) -> bool {
        let mut failing: Vec<(ResourceId, String)> = Vec::new();
        for failure in &plan.failures {
            if let Some(id) = &failure.resource {
                failing.push((id.clone(), failure.message.clone()));
                let edit = self.role.get(id).map(|one| &one.body);
                if let Some(Body::Edit(edit)) = edit {
                    let why = format!("{id} is to say the same, and fails");
                    let giving = managed.giving_to(id, edit);
                    failing.extend(giving.map(|giving| (giving.clone(), why.clone())));
                }
            }
        }
        let packages = self
            .desired
            .reverts
            .iter()
            .filter(|id| id.kind == Kind::Package);
        for id in packages {
            if let Some(Observed::Package(state)) = snapshot.observed.get(id)
                && let Some(refusal) = &state.refusal
            {
                failing.push((id.clone(), refusal.why.clone()));
            }
        }
        let any = self.withdraw(managed, &failing);
        if any {
            forget_refusals(snapshot);
        }
        any
    }

    /// Takes out what must come after itself, if there is any.
    fn withdraw_cycle(&mut self, managed: &Managed, cycle: &Cycle) -> bool {
        let why = format!("there is no order in which it could be brought back: {cycle}");
        let of_cycle = cycle.path.iter().map(|(id, _)| (id.clone(), why.clone()));
        self.withdraw(managed, &of_cycle.collect::<Vec<_>>())
    }

    /// Says whether any of these was to be brought back.
    fn withdraw(&mut self, managed: &Managed, these: &[(ResourceId, String)]) -> bool {
        let mut any = false;
        for (id, why) in these {
            let first = why.lines().next().unwrap_or_default();
            any |= self.desired.reverts.contains(id) && self.reverts.withdraw(managed, id, first);
        }
        if any {
            let role = self.role();
            self.desired = match self.reverts.resources.is_empty() {
                true => role,
                false => Cow::Owned(self.reverts.with(&role)),
            };
        }
        any
    }
}

/// Folders in which links of a unit stand.
fn folders_of_links(seen: Option<&Observed>) -> Vec<AbsPath> {
    let Some(Observed::Service(state)) = seen else {
        return Vec::new();
    };
    let links = state.links.iter().flat_map(|links| links.keys());
    links
        .filter_map(|link| format!("{UNITS}/{}", link.rsplit_once('/')?.0).parse().ok())
        .collect()
}

/// The folder of a user's keys.
fn folder_of_keys(seen: Option<&Observed>) -> Vec<AbsPath> {
    match seen {
        Some(Observed::User(UserState::Present(user))) if user.keys_file.is_some() => {
            let folder = format!("{}/.ssh", user.home).parse();
            folder.into_iter().collect()
        }
        _ => Vec::new(),
    }
}

/// What apt said was of a plan that is none any more.
fn forget_refusals(snapshot: &mut Snapshot) {
    for seen in snapshot.observed.values_mut() {
        if let Observed::Package(state) = seen {
            state.refusal = None;
            state.drawn = None;
            state.unsure = false;
        }
    }
}
