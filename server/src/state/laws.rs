//! Laws of the state: whatever is decided folds, and what it promises stays true.

use super::State;
use super::enrol::Machine;
use super::event::{Event, SlotRule};
use super::fleet::Revision;
use super::publish::Over;
use super::slot::{Asked, Health, Known};
use super::tests::{NOW, about, began, candidate, fold, role};
use super::token::Wanted;
use cfg_catalog::digest::Digest;
use cfg_catalog::fleet::Limit;
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// One thing that somebody does.
#[derive(Clone, Debug)]
enum Deed {
    Token(u8, u8, u8),
    Enrol(u8, u8, u8),
    Revoke(u8),
    Replace(u8),
    Publish(u8),
    Settle(u8),
    Move(u8, u8),
    Lose(u8),
    Find(u8),
    TakeSlot(u8),
    GiveSlot(u8, bool),
}

fn deeds() -> impl Strategy<Value = Vec<Deed>> {
    let deed = prop_oneof![
        (0..3u8, 0..2u8, 1..4u8).prop_map(|(token, role, uses)| Deed::Token(token, role, uses)),
        (0..3u8, 0..4u8, 0..3u8).prop_map(|(token, node, key)| Deed::Enrol(token, node, key)),
        (0..4u8).prop_map(Deed::Revoke),
        (0..3u8).prop_map(Deed::Publish),
        (0..4u8).prop_map(Deed::Settle),
        (0..4u8).prop_map(Deed::TakeSlot),
        (0..4u8, any::<bool>()).prop_map(|(node, healthy)| Deed::GiveSlot(node, healthy)),
    ];
    proptest::collection::vec(deed, 0..60)
}

/// This release lacks the role that reads itself.
const LACKS: u8 = 2;

/// With this one machines that nobody sees count no more.
const FORGETS: u8 = 3;

/// Not every machine has one of its own.
fn address(number: u8) -> String {
    format!("10.0.0.{number}")
}

/// Much coming and going in the role that reads itself, once it is published.
fn changes() -> impl Strategy<Value = Vec<Deed>> {
    after_the_first(coming_and_going())
}

/// The same, of machines that change their addresses and are lost and found.
fn moves() -> impl Strategy<Value = Vec<Deed>> {
    after_the_first(prop_oneof![
        9 => coming_and_going(),
        2 => (0..5u8, 0..5u8).prop_map(|(node, to)| Deed::Move(node, to)),
        1 => Just(Deed::Publish(FORGETS)),
        1 => (0..5u8).prop_map(Deed::Lose),
        1 => (0..5u8).prop_map(Deed::Find),
    ])
}

fn coming_and_going() -> impl Strategy<Value = Deed> {
    prop_oneof![
        2 => (1..3u8).prop_map(|uses| Deed::Token(0, 1, uses)),
        6 => (0..6u8, 0..5u8, 0..2u8).prop_map(|(token, node, key)| Deed::Enrol(token, node, key)),
        1 => (0..5u8).prop_map(Deed::Revoke),
        3 => (0..5u8).prop_map(Deed::Replace),
        2 => (0..3u8).prop_map(Deed::Publish),
        8 => (0..5u8).prop_map(Deed::Settle),
    ]
}

/// These, once three have come to a role that waits for two.
fn after_the_first(deed: impl Strategy<Value = Deed>) -> impl Strategy<Value = Vec<Deed>> {
    proptest::collection::vec(deed, 0..120).prop_map(|deeds| {
        let mut all = vec![Deed::Publish(0), Deed::Token(0, 1, 3)];
        all.extend((0..3).flat_map(|node| [Deed::Enrol(0, node, 0), Deed::Settle(node)]));
        all.extend((0..3).map(Deed::Settle));
        all.extend(deeds);
        all
    })
}

/// What is current for a machine.
fn current(state: &State, name: &str) -> Option<Revision> {
    Some(state.news(state.nodes.get(name)?))
}

/// What happens, or nothing where it is refused.
fn decide(state: &State, at: usize, deed: &Deed) -> Vec<Event> {
    match deed {
        Deed::Token(token, of_role, uses) => {
            let wanted = Wanted {
                purpose: role(&format!("role-{of_role}")),
                uses: u32::from(*uses),
                ttl_s: 60,
            };
            // Each token of one number is another.
            let hash = Digest::of(format!("{token}-{at}").as_bytes());
            state.create_token(hash, &wanted, NOW).unwrap_or_default()
        }
        Deed::Enrol(token, node, key) => {
            let token = state.tokens.keys().nth(usize::from(*token));
            let machine = Machine {
                token: token.copied().unwrap_or(Digest::of(b"none")),
                name: format!("vm-{node}"),
                key: Digest::of(&[*key]),
                about: about(&address((node + 3 * key) % 5)),
            };
            state
                .enrol(&machine, NOW)
                .map(|(events, _)| events)
                .unwrap_or_default()
        }
        Deed::Revoke(node) => state.revoke_node(&format!("vm-{node}")).unwrap_or_default(),
        Deed::Replace(node) => {
            let hash = Digest::of(format!("in its place {at}").as_bytes());
            let replaced = state.replace_node(&format!("vm-{node}"), hash, 60, NOW);
            replaced.unwrap_or_default()
        }
        Deed::Publish(release) => {
            let whole: &[(&str, &[&str])] = &[("role-0", &["role-1"]), ("role-1", &["role-1"])];
            // By mistake, perhaps.
            let reads = if *release == LACKS {
                &[("role-0", &[][..])][..]
            } else {
                whole
            };
            let mut candidate = candidate(&release.to_string(), reads, Over::Anything);
            candidate.cohorts.insert("role-1".into(), 2);
            if *release == FORGETS {
                candidate.gone_after.insert("role-1".into(), 300);
            }
            let rule = SlotRule {
                limit: Limit::Count(1),
                leader: false,
            };
            let slots = reads.iter().map(|(role, _)| ((*role).to_owned(), rule));
            candidate.slots = slots.collect();
            state
                .publish(&candidate)
                .map(|(events, _)| events)
                .unwrap_or_default()
        }
        Deed::Settle(node) => {
            let name = format!("vm-{node}");
            let settled = current(state, &name).map(|settled| state.settle(&name, settled));
            settled.and_then(Result::ok).unwrap_or_default()
        }
        Deed::Move(node, to) => {
            let moved = state.change(&format!("vm-{node}"), &about(&address(*to)));
            moved.unwrap_or_default()
        }
        Deed::Lose(node) => {
            let lost = [format!("vm-{node}")].into();
            state.lose(&lost, &|_| Duration::ZERO)
        }
        Deed::Find(node) => state.find(&format!("vm-{node}")),
        Deed::TakeSlot(node) => {
            let name = format!("vm-{node}");
            let taken = current(state, &name).map(|of| {
                let asked = Asked {
                    of,
                    leads: false,
                    mending: false,
                };
                let known = Known {
                    age: &|_| Duration::ZERO,
                    health: &|_| Health::Healthy,
                    leads: &|_| false,
                };
                state.take_slot(&name, asked, known)
            });
            let taken = taken.and_then(Result::ok);
            taken.map(|(events, _)| events).unwrap_or_default()
        }
        Deed::GiveSlot(node, healthy) => {
            let name = format!("vm-{node}");
            let fence = state.slots.get(&name).map_or(0, |slot| slot.fence);
            state.give_slot(&name, fence, *healthy).unwrap_or_default()
        }
    }
}

proptest! {
    #[test]
    fn ids_stick_and_are_never_given_twice(deeds in deeds()) {
        let mut state = began();
        let mut given: BTreeMap<(String, u32), String> = BTreeMap::new();
        for (at, deed) in deeds.iter().enumerate() {
            let events = decide(&state, at, deed);
            fold(&mut state, events);
            for (name, node) in &state.nodes {
                let owner = given.entry((node.role.clone(), node.id)).or_insert(name.clone());
                prop_assert_eq!(owner, name);
            }
            for (role, ids) in &state.ids {
                let all: BTreeSet<u32> = ids.values().copied().collect();
                let dense: BTreeSet<u32> = (1..=u32::try_from(ids.len()).unwrap()).collect();
                prop_assert_eq!(all, dense, "{}", role);
            }
        }
    }

    /// Of each role one may be disrupted here: nobody goes beside it, nor beside one that was not healthy after.
    #[test]
    fn no_two_have_a_slot(deeds in deeds()) {
        let mut state = began();
        let mut fences = 0;
        for (at, deed) in deeds.iter().enumerate() {
            let events = decide(&state, at, deed);
            for event in &events {
                if let Event::SlotTaken { name, fence, .. } = event {
                    prop_assert!(*fence > fences);
                    fences = *fence;
                    let role = &state.nodes[name].role;
                    let others = state.member_names(role).iter().filter(|other| *other != name);
                    for other in others {
                        prop_assert!(!state.slots.contains_key(other), "{name} beside {other}");
                    }
                }
            }
            fold(&mut state, events);
        }
    }

    /// Where members come one at a time: whoever came since they were whole, and has made nothing of that yet, is alone, or those
    /// who live can decide nothing without one who has. And no view has an id twice, none is too short once it was whole, and nobody
    /// comes or goes while the release lacks the role.
    #[test]
    fn those_who_are_new_never_decide_alone(deeds in changes()) {
        let mut state = began();
        let mut came: BTreeMap<(String, u32), u64> = BTreeMap::new();
        for (at, deed) in deeds.iter().enumerate() {
            let events = decide(&state, at, deed);
            let before = (state.lacks("role-1"), state.member_names("role-1").clone());
            fold(&mut state, events);
            if before.0 && state.lacks("role-1") {
                prop_assert_eq!(&before.1, state.member_names("role-1"));
            }
            let members = state.members("role-1");
            prop_assert!(members.len() >= 2 || !state.formed.contains("role-1"), "{:?}", members);
            let ids: BTreeSet<u32> = members.iter().map(|member| member.id).collect();
            prop_assert_eq!(ids.len(), members.len(), "{:?}", members);
            let now = state.changed.get("role-1").copied().unwrap_or(0);
            let since = if state.formed.contains("role-1") { now } else { 0 };
            let living = members.iter().filter(|member| state.takes_part(&member.name));
            let living: Vec<(String, u32)> = living
                .map(|member| (member.name.clone(), state.nodes[&member.name].generation))
                .collect();
            came.retain(|who, _| living.contains(who));
            for who in &living {
                came.entry(who.clone()).or_insert(since);
            }
            let new = came.iter().filter(|((name, _), since)| state.nodes[name].settled.view < **since);
            prop_assert!(new.count() <= 1 || living.len() <= members.len() / 2 + 1, "{:?} of {:?}", came, members);
        }
    }

    /// No list has an address twice, nor an id.
    #[test]
    fn an_address_is_one_members(deeds in moves()) {
        let mut state = began();
        for (at, deed) in deeds.iter().enumerate() {
            let events = decide(&state, at, deed);
            fold(&mut state, events);
            for role in ["role-0", "role-1"] {
                let members = state.members(role);
                let ids: BTreeSet<u32> = members.iter().map(|member| member.id).collect();
                let addresses: BTreeSet<&str> = members.iter().map(|member| member.address.as_str()).collect();
                prop_assert_eq!((ids.len(), addresses.len()), (members.len(), members.len()), "{:?}", members);
            }
        }
    }

    #[test]
    fn a_state_survives_its_snapshot(deeds in deeds()) {
        let mut state = began();
        for (at, deed) in deeds.iter().enumerate() {
            let events = decide(&state, at, deed);
            fold(&mut state, events);
        }
        let json = serde_json::to_vec(&state).unwrap();
        prop_assert_eq!(serde_json::from_slice::<State>(&json).unwrap(), state);
    }
}
