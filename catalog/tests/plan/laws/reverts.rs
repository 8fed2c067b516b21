//! Laws of what leaves a role and is brought back to what was there before cfg.

use super::world::{machines, roles};
use crate::build::{edit, file_with, made, no_file, role};
use crate::model::machine::{Machine, What};
use crate::model::reverting::{Kept, aim, converge};
use crate::model::run::words;
use crate::running::apart;
use cfg_catalog::id::Kind;
use cfg_catalog::plan::{Certainty, Ledger};
use cfg_catalog::resource::file::Content;
use cfg_catalog::resource::{Attributes, Body, Desired, Leftovers, Presence};
use proptest::prelude::*;
use std::collections::BTreeSet;

/// Kinds of which everything can be brought back.
const WHOLE: [Kind; 5] = [
    Kind::File,
    Kind::Directory,
    Kind::Link,
    Kind::Edit,
    Kind::Group,
];

/// What of a role can be brought back, and what of it does not purge.
fn of_kinds(desired: &Desired, kinds: &[Kind]) -> Desired {
    let mut some = desired.resources.clone();
    some.retain(|one| kinds.contains(&one.id.kind));
    // A group that was there and went does not come back.
    some.retain(|one| !matches!(&one.body, Body::Group(group) if group.state == Presence::Absent));
    for one in &mut some {
        one.after.retain(|id| kinds.contains(&id.kind));
        match &mut one.body {
            Body::Directory(directory) => {
                directory.purge = false;
                // Its owner may be a user, who is of another kind.
                directory.attributes = Attributes {
                    owner: None,
                    ..directory.attributes.clone()
                };
            }
            Body::File(file) => file.attributes.owner = None,
            _ => {}
        }
    }
    reverting(role(some))
}

/// Folders that are never removed are there on every machine.
fn on_a_machine(mut machine: Machine) -> Machine {
    for path in ["/home", "/var", "/usr"] {
        if !machine.nodes.contains_key(&crate::build::path(path)) {
            machine.put(path, What::Directory);
        }
    }
    machine
}

fn nothing() -> Desired {
    reverting(role(Vec::new()))
}

fn reverting(desired: Desired) -> Desired {
    Desired {
        leftovers: Leftovers::Revert,
        ..desired
    }
}

const ENOUGH: usize = usize::MAX;

/// Whether a run of a role came to an end without a failure.
fn clean(machine: &mut Machine, desired: &Desired, kept: &mut Kept) -> bool {
    converge(machine, desired, kept, ENOUGH).is_some_and(|ran| ran.document.failures.is_empty())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, max_global_rejects: 100_000, ..ProptestConfig::default() })]

    /// Of whatever role, on whatever machine: what is planned is done, a second run has nothing to do, and what stays
    /// says why.
    #[test]
    fn a_revert_is_a_run_like_any_other(
        first in roles(),
        second in roles(),
        before in machines().prop_map(on_a_machine),
    ) {
        prop_assume!(!super::contradicts(&second, &before));
        let (first, second) = (reverting(first), reverting(second));
        let (mut machine, mut kept) = (before, Kept::default());
        converge(&mut machine, &first, &mut kept, ENOUGH).unwrap();
        let aimed = aim(&machine, &second, &kept);
        let promised: BTreeSet<String> = aimed
            .plan
            .changes()
            .map(|change| format!("{} {}", change.resource, change.action.word()))
            .collect();
        let ran = converge(&mut machine, &second, &mut kept, ENOUGH).unwrap();
        prop_assert_eq!(&ran.document.unforeseen, &[]);
        let made: BTreeSet<String> = words(&ran.document).into_iter().collect();
        prop_assert!(made.is_subset(&promised), "{:?} are not of {:?}", made, promised);
        for change in aimed.plan.changes() {
            let word = format!("{} {}", change.resource, change.action.word());
            let excused = change.certainty == Certainty::Assumed
                || super::failed(&ran.document).contains(&format!("{:?}", Some(&change.resource)));
            prop_assert!(excused || made.contains(&word), "{}", word);
        }
        for shown in &aimed.reverts.shown {
            prop_assert!(shown.why.is_some());
        }
        let again = aim(&machine, &second, &kept);
        let plan = cfg_catalog::plan::document::Document::of_plan(Default::default(), &again.plan);
        prop_assert_eq!(super::left(&ran, &plan), Vec::<String>::new());
    }

    /// From one role to none: the machine is what it was.
    #[test]
    fn what_leaves_is_as_it_was(first in roles(), before in machines().prop_map(on_a_machine)) {
        let first = of_kinds(&first, &WHOLE);
        let (mut machine, mut kept) = (before.clone(), Kept::default());
        prop_assume!(clean(&mut machine, &first, &mut kept));
        let aimed = aim(&machine, &nothing(), &kept);
        prop_assume!(aimed.reverts.shown.is_empty());
        prop_assert!(clean(&mut machine, &nothing(), &mut kept));
        prop_assert_eq!(apart(&machine, &before), [""; 0]);
        prop_assert_eq!(&kept.managed, &Default::default());
    }

    /// From one role to another: the machine is what the other alone makes of it.
    #[test]
    fn another_role_finds_the_machine_as_it_was(
        first in roles(),
        second in roles(),
        before in machines().prop_map(on_a_machine),
    ) {
        let (first, mut second) = (of_kinds(&first, &WHOLE), of_kinds(&second, &WHOLE));
        // What both name is no leftover.
        second.resources.retain(|one| first.get(&one.id).is_none());
        // A folder that was made for the first, and is needed by the second, stays as it is.
        second.resources.retain(|one| !first.resources.iter().any(|other| {
            let inner = one.id.name.strip_prefix(&*other.id.name);
            inner.is_some_and(|inner| inner.starts_with('/'))
        }));
        // Nor is a file left over that the other edits.
        second.resources.retain(|one| match &one.body {
            Body::Edit(edit) => !first.resources.iter().any(|other| &*other.id.name == edit.path.as_str()),
            _ => true,
        });
        // What was reached by a link is out of reach when another role puts a folder there.
        prop_assume!(before.through.is_empty());
        let (mut alone, mut fresh) = (before.clone(), Kept::default());
        prop_assume!(clean(&mut alone, &second, &mut fresh));
        let (mut machine, mut kept) = (before, Kept::default());
        prop_assume!(clean(&mut machine, &first, &mut kept));
        prop_assume!(aim(&machine, &second, &kept).reverts.shown.is_empty());
        prop_assume!(clean(&mut machine, &second, &mut kept));
        prop_assert_eq!(apart(&machine, &alone), [""; 0]);
    }

    /// Wherever a run is killed, what was there before is known still.
    #[test]
    fn what_was_there_before_outlives_a_crash(
        first in roles(),
        second in roles(),
        before in machines().prop_map(on_a_machine),
        lives in 0usize..12,
        then in 0usize..12,
    ) {
        let (first, second) = (of_kinds(&first, &WHOLE), of_kinds(&second, &WHOLE));
        prop_assume!(before.through.is_empty());
        // That cfg began a file for one edit is not known of another role's edit of it.
        let edits = |role: &Desired| -> BTreeSet<_> {
            let edits = role.resources.iter().filter_map(|one| match &one.body {
                Body::Edit(edit) => Some(edit.path.clone()),
                _ => None,
            });
            edits.collect()
        };
        prop_assume!(edits(&first).is_disjoint(&edits(&second)));
        let (mut machine, mut kept) = (before.clone(), Kept::default());
        converge(&mut machine, &first, &mut kept, lives);
        prop_assume!(aim(&machine, &second, &kept).reverts.shown.is_empty());
        prop_assume!(clean(&mut machine, &second, &mut kept));
        prop_assume!(aim(&machine, &nothing(), &kept).reverts.shown.is_empty());
        converge(&mut machine, &nothing(), &mut kept, then);
        prop_assert!(clean(&mut machine, &nothing(), &mut kept));
        prop_assert_eq!(apart(&machine, &before), [""; 0]);
        prop_assert!(aim(&machine, &nothing(), &kept).plan.changes().next().is_none());
    }
}

#[test]
fn the_record_of_nothing_is_empty() {
    let (mut machine, mut kept) = (Machine::blank(), Kept::default());
    assert!(clean(&mut machine, &nothing(), &mut kept));
    assert_eq!(kept.ledger, Ledger::default());
}

/// What cfg began is another once an edit has come to it, and is of cfg's making still.
#[test]
fn what_a_role_took_away_outlives_a_crash_around_an_edit_of_what_came_there() {
    let gone = reverting(role(vec![no_file("/srv/p")]));
    let begun = file_with("/srv/p", |file| {
        file.content = Some(Content::Text("a\n".into()));
        file.create_only = true;
    });
    let last = made(edit("z", "/srv/z", &["z"]));
    let edited = reverting(role(vec![begun, edit("e", "/srv/p", &["b"]), last]));
    for (lives, again) in (0..4).flat_map(|lives| [(lives, false), (lives, true)]) {
        let (mut machine, mut kept) = (on_a_machine(Machine::blank()), Kept::default());
        machine.write("/srv/p", "old\n");
        let before = machine.clone();
        assert!(clean(&mut machine, &gone, &mut kept));
        converge(&mut machine, &edited, &mut kept, lives);
        assert!(!again || clean(&mut machine, &edited, &mut kept));
        assert!(clean(&mut machine, &nothing(), &mut kept));
        assert_eq!(apart(&machine, &before), [""; 0], "{lives} {again}");
    }
}
