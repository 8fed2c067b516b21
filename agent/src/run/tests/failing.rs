//! Whatever fails, what needs it is skipped on its account, all else is done, and the next run does the rest.

use super::declared::{command, desired, file, service};
use super::fake::Fake;
use cfg_catalog::id::{Kind, ResourceId};
use cfg_catalog::plan::Action;
use cfg_catalog::resource::Resource;
use proptest::prelude::*;
use proptest::sample::Index;
use std::collections::{BTreeMap, BTreeSet};

/// A resource that needs these: files as `on` or `restart_on` says, all others by `after`.
fn needing(at: usize, kind: usize, needs: &BTreeSet<ResourceId>) -> Resource {
    let texts: Vec<String> = needs.iter().map(ToString::to_string).collect();
    let texts = texts.iter().map(String::as_str);
    let (read, after): (Vec<&str>, Vec<&str>) = texts.partition(|id| id.starts_with("file:"));
    match kind {
        0 => Resource {
            after: needs.iter().cloned().collect(),
            ..file(&format!("/f/{at}"), "new")
        },
        // Without anything to run for it would run always.
        1 => command(
            &format!("c{at}"),
            &[&read[..], &["package:daemon"]].concat(),
            &after,
        ),
        _ => service(&format!("s{at}"), &read, &after),
    }
}

/// Resources, each with what it needs of those before it.
fn roles() -> impl Strategy<Value = Vec<(Resource, BTreeSet<ResourceId>)>> {
    let needs = proptest::collection::vec(any::<Index>(), 0..3);
    proptest::collection::vec((0usize..3, needs), 2..10).prop_map(|all| {
        let mut role: Vec<(Resource, BTreeSet<ResourceId>)> = Vec::new();
        for (at, (kind, needs)) in all.iter().enumerate() {
            let needs = needs.iter().filter(|_| at > 0);
            let needs: BTreeSet<_> = needs
                .map(|need| role[need.index(at)].0.id.clone())
                .collect();
            role.push((needing(at, *kind, &needs), needs));
        }
        role
    })
}

#[test]
fn a_command_that_failed_with_other_inputs_is_owed_when_they_are_back() {
    let role = |content: &str| desired(vec![file("/f", content), command("c", &["file:/f"], &[])]);
    let mut fake = Fake::with(None, &[], &[]);
    fake.run(&role("1")).unwrap();
    assert_eq!(fake.commands.len(), 1);
    fake.failing
        .insert("command:c".parse().unwrap(), "no".into());
    for _again in 0..2 {
        let (plan, done) = fake.run(&role("2")).unwrap();
        assert_eq!(done.failures.len(), 1);
        let run = plan.changes().find(|change| change.action == Action::Run);
        assert_eq!(run.unwrap().causes, ["file:/f".parse().unwrap()]);
    }
    fake.failing.clear();
    // Its half of 2 is there still.
    let (_, done) = fake.run(&role("1")).unwrap();
    assert_eq!((done.failures.len(), fake.commands.len()), (0, 2));
    fake.run(&role("1")).unwrap();
    assert_eq!(fake.commands.len(), 2);
}

proptest! {
    #[test]
    fn a_failure_in_a_run_skips_what_needs_it_and_all_else_goes_on(
        resources in roles(),
        failing in proptest::collection::vec(any::<Index>(), 1..3),
    ) {
        let failing: BTreeSet<usize> = failing.iter().map(|one| one.index(resources.len())).collect();
        let mut causes: BTreeMap<ResourceId, BTreeSet<ResourceId>> = BTreeMap::new();
        for (at, (resource, needs)) in resources.iter().enumerate() {
            let mut of: BTreeSet<_> = needs.iter().flat_map(|need| causes[need].clone()).collect();
            if of.is_empty() && failing.contains(&at) {
                of.insert(resource.id.clone());
            }
            causes.insert(resource.id.clone(), of);
        }
        let mut fake = Fake::with(Some("2"), &[], &[]);
        for at in &failing {
            fake.failing.insert(resources[*at].0.id.clone(), "no".into());
        }
        let role = desired(resources.into_iter().map(|(resource, _)| resource).collect());
        let (_, done) = fake.run(&role).unwrap();
        let changed: BTreeSet<_> = done.changes.iter().map(|change| change.resource.clone()).collect();
        let mut named = BTreeMap::new();
        for failure in &done.failures {
            let root = failure.resource.clone().unwrap();
            prop_assert_eq!(&failure.message, "no");
            for id in failure.skipped.iter().chain([&root]) {
                prop_assert!(named.insert(id.clone(), root.clone()).is_none(), "{} twice", id);
            }
        }
        for (id, of) in &causes {
            prop_assert_eq!(changed.contains(id), of.is_empty(), "{} because of {:?}", id, of);
            match named.get(id) {
                None => prop_assert!(of.is_empty(), "{id} is not named under one of {of:?}"),
                Some(root) => prop_assert!(of.contains(root), "{id} is named under {root}, not {of:?}"),
            }
        }
        prop_assert!(fake.commands.iter().all(|name| causes[&ResourceId::new(Kind::Command, name.as_str())].is_empty()));
        fake.failing.clear();
        let (_, done) = fake.run(&role).unwrap();
        prop_assert_eq!(done.failures, []);
        let left = fake.plan(&role).steps.into_iter().flat_map(|step| step.changes);
        prop_assert_eq!(left.collect::<Vec<_>>(), []);
    }
}
