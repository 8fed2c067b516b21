//! Who has a slot and who has not, case by case.

use super::*;
use crate::state::publish::Over;
use crate::state::tests::{began, candidate, enrol, fold, make_token, revoke, role};
use cfg_catalog::fleet::Limit;

/// The age of slots that were taken just now.
const NEW: Duration = Duration::ZERO;
/// And of those that ended.
const OVER: Duration = Duration::from_secs(1000);

/// Members of zk, which reads itself and lets so many be disrupted, all level.
fn fleet(machines: &[&str], limit: Limit) -> State {
    let mut state = began();
    let mut candidate = candidate("r1", &[("zk", &["zk"])], Over::Anything);
    let count = u32::try_from(machines.len()).unwrap();
    candidate.cohorts.insert("zk".into(), count);
    let leader = true;
    candidate
        .slots
        .insert("zk".into(), SlotRule { limit, leader });
    let (events, _) = state.publish(&candidate).unwrap();
    fold(&mut state, events);
    for name in machines {
        make_token(&mut state, name, role("zk"), 1, 60);
        enrol(&mut state, name, name, name).unwrap();
    }
    for name in machines {
        settle(&mut state, name);
    }
    state
}

fn settle(state: &mut State, name: &str) {
    let of = asked(state, name).of;
    let events = state.settle(name, of).unwrap();
    fold(state, events);
}

fn asked(state: &State, name: &str) -> Asked {
    Asked {
        of: state.news(&state.nodes[name]),
        leads: false,
        mending: false,
    }
}

/// It takes a slot when all that there are are so old, with all others healthy but one.
fn takes(
    state: &mut State,
    name: &str,
    age: Duration,
    but: Option<(&str, Health)>,
) -> Result<u64, String> {
    let health = |other: &str| match but {
        Some((name, health)) if name == other => health,
        _ => Health::Healthy,
    };
    let known = Known {
        age: &|_| age,
        health: &health,
        leads: &|_| false,
    };
    let (events, taken) = state.take_slot(name, asked(state, name), known).unwrap();
    fold(state, events);
    taken
}

fn refused(state: &mut State, name: &str, age: Duration, why: &str) {
    assert_eq!(takes(state, name, age, None), Err(why.to_owned()));
}

/// The verdict on new slots, with all others like this.
fn verdict(state: &State, name: &str, asked: Asked, health: Health) -> Verdict {
    let known = Known {
        age: &|_| NEW,
        health: &|_| health,
        leads: &|_| false,
    };
    state.slot_for(name, asked, known).unwrap()
}

#[test]
fn one_at_a_time_while_the_others_are_healthy() {
    let mut state = fleet(&["a", "b", "c"], Limit::Count(1));
    for (health, why) in [
        (Health::Unhealthy, "b is not healthy"),
        (Health::Silent, "b does not say whether it is healthy"),
        (Health::Away, "b is not connected to this server"),
        (
            Health::Unclear,
            "not all others have said yet whether they are healthy",
        ),
    ] {
        assert_eq!(
            takes(&mut state, "a", NEW, Some(("b", health))),
            Err(why.to_owned())
        );
    }
    // How it is itself is its own affair.
    let fence = takes(&mut state, "a", NEW, Some(("a", Health::Unhealthy))).unwrap();
    refused(&mut state, "b", NEW, "a has the slot");
    let events = state.give_slot("a", fence, true).unwrap();
    fold(&mut state, events);
    let next = takes(&mut state, "b", NEW, None).unwrap();
    assert!(next > fence, "{next} follows {fence}");
    revoke(&mut state, "b");
    refused(&mut state, "a", NEW, "b is revoked");
}

#[test]
fn a_slot_ends_by_itself_unless_it_is_kept() {
    let mut state = fleet(&["a", "b", "c"], Limit::Count(1));
    let fence = takes(&mut state, "a", NEW, None).unwrap();
    let keeps = |state: &State, fence: u64, age: Duration| state.keep_slot("a", fence, &|_| age);
    let second = Duration::from_secs(1);
    assert_eq!(keeps(&state, fence, NEW).unwrap(), [], "it lasts");
    let events = keeps(&state, fence, LEASE - second).unwrap();
    fold(&mut state, events);
    assert_eq!(state.slots["a"].renewed, state.events);
    assert!(keeps(&state, fence, LEASE).is_err(), "too late");
    refused(&mut state, "b", LEASE, "a has the slot");
    let later = takes(&mut state, "b", LEASE + SLACK, None).unwrap();
    // The first one comes back, and has nothing to keep and nothing to lose.
    assert!(keeps(&state, fence, LEASE + SLACK).is_err());
    assert!(keeps(&state, later, NEW).is_err(), "another's");
    assert!(state.give_slot("b", fence, true).is_err(), "another's");
}

#[test]
fn who_is_not_healthy_after_it_stops_the_wave() {
    let mut state = fleet(&["a", "b", "c"], Limit::Count(1));
    let fence = takes(&mut state, "a", NEW, None).unwrap();
    let events = state.give_slot("a", fence, false).unwrap();
    fold(&mut state, events);
    refused(
        &mut state,
        "b",
        OVER,
        "a was not healthy after its last change",
    );
    assert!(state.give_slot("a", fence, true).is_err(), "it was given");
    let mut again = state.clone();
    takes(&mut again, "a", NEW, None).unwrap();
    // It settles at what it had settled at before: that is news now.
    settle(&mut state, "a");
    takes(&mut state, "b", OVER, None).unwrap();
    let of = asked(&state, "a").of;
    assert_eq!(state.settle("a", of).unwrap(), [], "twice is once");
}

#[test]
fn the_leader_goes_last() {
    let mut state = fleet(&["a", "b", "c"], Limit::Count(1));
    let mut candidate = candidate("r2", &[("zk", &["zk"])], Over::Anything);
    candidate.slots = state.release.as_ref().unwrap().slots.clone();
    candidate.cohorts.insert("zk".into(), 3);
    let (events, _) = state.publish(&candidate).unwrap();
    fold(&mut state, events);
    let leads = |state: &State| {
        let asked = Asked {
            leads: true,
            ..asked(state, "c")
        };
        verdict(state, "c", asked, Health::Healthy)
    };
    let waits = |name: &str| {
        Verdict::Not(format!(
            "the leader goes last, and {name} has not come so far"
        ))
    };
    assert_eq!(leads(&state), waits("a"));
    settle(&mut state, "a");
    assert_eq!(leads(&state), waits("b"));
    settle(&mut state, "b");
    assert_eq!(leads(&state), Verdict::Free);
}

#[test]
fn who_is_not_healthy_mends_itself_unless_another_has_the_slot() {
    let mut state = fleet(&["a", "b", "c"], Limit::Count(1));
    let mends = |state: &State, name: &str, of: Revision, age: Duration| {
        let known = Known {
            age: &|_| age,
            health: &|_| Health::Unhealthy,
            leads: &|_| false,
        };
        let asked = Asked {
            of,
            leads: true,
            mending: true,
        };
        state.take_slot(name, asked, known).unwrap()
    };
    // Whatever the others are, and whatever it is made of.
    let old = Revision {
        sequence: 0,
        view: 0,
    };
    let (events, first) = mends(&state, "a", old, NEW);
    fold(&mut state, events);
    let first = first.unwrap();
    let now = asked(&state, "b").of;
    let refused = Err("a has the slot".to_owned());
    assert_eq!(mends(&state, "b", now, NEW), (vec![], refused.clone()));
    assert_eq!(takes(&mut state, "b", NEW, None), refused);
    assert!(mends(&state, "b", now, OVER).1.is_ok(), "its time is over");
    assert!(mends(&state, "a", now, NEW).1.is_ok(), "its own");

    // What was in vain stops the wave, and no other who is not healthy either; each has its turn.
    let events = state.give_slot("a", first, false).unwrap();
    fold(&mut state, events);
    let why = "a was not healthy after its last change";
    assert_eq!(takes(&mut state, "b", NEW, None), Err(why.into()));
    let (events, second) = mends(&state, "b", now, NEW);
    fold(&mut state, events);
    assert!(second.unwrap() > first);
    let refused = Err("b has the slot".to_owned());
    assert_eq!(mends(&state, "a", now, NEW).1, refused);

    // Of many it is as many as may be disrupted.
    let mut state = fleet(&["a", "b", "c", "d"], Limit::Count(2));
    takes(&mut state, "a", NEW, None).unwrap();
    assert!(mends(&state, "d", old, NEW).1.is_ok());
    takes(&mut state, "b", NEW, None).unwrap();
    let refused = Err("a has the slot, b has the slot".to_owned());
    assert_eq!(mends(&state, "d", old, NEW).1, refused);
}

#[test]
fn a_slot_is_for_what_is_current() {
    let state = fleet(&["a", "b", "c"], Limit::Count(1));
    let now = asked(&state, "a");
    for of in [
        Revision {
            sequence: 0,
            ..now.of
        },
        Revision {
            view: now.of.view - 1,
            ..now.of
        },
    ] {
        let verdict = verdict(&state, "a", Asked { of, ..now }, Health::Healthy);
        assert!(matches!(verdict, Verdict::Not(why) if why.contains("newer")));
    }
}

#[test]
fn some_of_many() {
    let machines = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j"];
    let mut state = fleet(&machines, Limit::Percent(20));
    takes(&mut state, "a", NEW, None).unwrap();
    let of = asked(&state, "c");
    let one = verdict(&state, "c", of, Health::Unclear);
    assert_eq!(one, Verdict::Unclear);
    takes(&mut state, "b", NEW, None).unwrap();
    refused(&mut state, "c", NEW, "a has the slot, b has the slot");
    let verdict = verdict(&state, "c", of, Health::Unhealthy);
    let Verdict::Not(why) = verdict else {
        panic!("{verdict:?}")
    };
    assert!(why.ends_with("6 more"), "{why}");
}

#[test]
fn who_is_new_joins_first_and_who_is_gone_is_no_loss() {
    let mut state = fleet(&["a", "b", "c"], Limit::Count(1));
    make_token(&mut state, "d", role("zk"), 1, 60);
    enrol(&mut state, "d", "d", "d").unwrap();
    settle(&mut state, "d");
    assert!(state.joining.contains("d"));
    refused(&mut state, "a", NEW, "d is new, and joins first");
    settle(&mut state, "d");
    assert!(state.joining.contains("d"), "the others do not know it");
    let sick = Some(("d", Health::Unhealthy));
    assert_eq!(
        takes(&mut state, "a", NEW, sick),
        Err("d is not healthy".into())
    );
    takes(&mut state, "a", NEW, None).unwrap();
    let mut gone = fleet(&["a", "b", "c"], Limit::Count(1));
    gone.gone.insert("b".into());
    takes(&mut gone, "a", NEW, Some(("b", Health::Away))).unwrap();
}

#[test]
fn a_role_without_slots_gives_none() {
    let mut state = fleet(&["a"], Limit::Count(1));
    state.release.as_mut().unwrap().slots.clear();
    let known = Known {
        age: &|_| NEW,
        health: &|_| Health::Healthy,
        leads: &|_| false,
    };
    let refusal = state.slot_for("a", asked(&state, "a"), known).unwrap_err();
    assert!(
        refusal.to_string().contains("has no max_unavailable"),
        "{refusal}"
    );
}
