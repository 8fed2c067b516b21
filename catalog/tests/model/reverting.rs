//! Runs that keep a record of what was there before, as the agent's have it.

use super::machine::Machine;
use super::run::{Ran, run_for};
use cfg_catalog::path::AbsPath;
use cfg_catalog::plan::leftovers::{Around, Contents, Managed, Reverts};
use cfg_catalog::plan::{Ledger, Places, Plan, Snapshot, plan};
use cfg_catalog::resource::{Desired, Leftovers};
use std::collections::BTreeSet;

/// What cfg keeps of a machine.
#[derive(Clone, Debug, Default)]
pub struct Kept {
    pub managed: Managed,
    pub ledger: Ledger,
}

/// What a run is to do.
pub struct Aim {
    pub desired: Desired,
    pub reverts: Reverts,
    pub snapshot: Snapshot,
    pub plan: Plan,
}

/// All that the role names, and all that is left over.
pub fn seen(machine: &Machine, desired: &Desired, managed: &Managed) -> Snapshot {
    let mut all = desired.clone();
    all.resources.extend(managed.left(desired));
    all.resources.sort_by(|a, b| a.id.cmp(&b.id));
    machine.snapshot(&all)
}

fn around(machine: &Machine, managed: &Managed, desired: &Desired, snapshot: &Snapshot) -> Around {
    let mut around = Around::default();
    for (name, user) in &machine.users {
        let of_group = around.primary.entry(user.gid).or_default();
        of_group.insert(name.clone());
        around
            .homes
            .insert(user.home.parse().unwrap(), name.clone());
    }
    for folder in managed.folders(desired, snapshot) {
        let inside = machine.nodes.keys();
        let inside = inside.filter(|path| path.parent().as_ref() == Some(&folder));
        let inside: BTreeSet<AbsPath> = inside.cloned().collect();
        around.inside.insert(folder, inside);
    }
    around
}

/// The plan of a role, and of what brings back its leftovers where it does.
pub fn aim(machine: &Machine, role: &Desired, kept: &Kept) -> Aim {
    let mut snapshot = seen(machine, role, &kept.managed);
    let around = around(machine, &kept.managed, role, &snapshot);
    let mut reverts = match role.leftovers {
        Leftovers::Show => Reverts::default(),
        Leftovers::Revert => kept.managed.reverts(role, &snapshot, &around),
    };
    loop {
        let desired = reverts.with(role);
        let again = machine.snapshot(&desired);
        snapshot.observed.extend(again.observed);
        snapshot.host = again.host;
        let mut plan = plan(&desired, &snapshot, &kept.ledger).unwrap();
        let mut any = false;
        for failure in &plan.failures {
            let id = failure.resource.as_ref().unwrap();
            any |= desired.reverts.contains(id)
                && reverts.withdraw(&kept.managed, id, &failure.message);
        }
        if !any {
            plan.leftovers = match role.leftovers {
                Leftovers::Show => kept.managed.leftovers(role, &snapshot, &plan),
                Leftovers::Revert => reverts.shown.clone(),
            };
            return Aim {
                desired,
                reverts,
                snapshot,
                plan,
            };
        }
    }
}

/// A run of a role, for so many effects; none where it was killed.
pub fn converge(
    machine: &mut Machine,
    role: &Desired,
    kept: &mut Kept,
    lives: usize,
) -> Option<Ran> {
    let aim = aim(machine, role, kept);
    let begun = kept.managed.begun(role, &aim.snapshot, None, &aim.plan);
    let mut keep = begun.keep;
    let former = std::mem::replace(&mut kept.managed, begun.managed);
    machine.host.blobs.extend(keep.clone());
    let managed = &mut kept.managed;
    let sharing = managed.sharing();
    let ran = run_for(
        machine,
        &aim.desired,
        &kept.ledger,
        lives,
        &mut |resource, seen| {
            managed.meets(resource, seen, (&sharing, &Places::default()), &mut keep);
        },
    );
    machine.host.blobs.extend(keep);
    // It survives being written down.
    let written = serde_json::to_string(&kept.managed).unwrap();
    assert_eq!(
        serde_json::from_str::<Managed>(&written).unwrap(),
        kept.managed
    );
    let ran = ran?;
    kept.managed = kept.managed.ended(&ran.done, &aim.reverts, &former, None);
    kept.ledger = ran.ledger.clone();
    let contents: Contents = machine.host.blobs.clone();
    for digest in kept.managed.contents() {
        assert!(contents.contains_key(&digest), "{digest} is kept");
    }
    Some(ran)
}
