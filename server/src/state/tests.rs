//! What the state decides, case by case.

use super::enrol::{Machine, Person, Place};
use super::event::{About, Event, Purpose, Record};
use super::identity::{Identity, Who};
use super::publish::{Candidate, Over};
use super::token::{self, Wanted};
use super::{Misfit, State};
use crate::refusal::Refusal;
use cfg_catalog::digest::Digest;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

pub(crate) const NOW: u64 = 1_000_000;

fn fold_alone(state: &mut State, events: Vec<Event>) {
    for event in events {
        let record = Record {
            at: NOW,
            by: "test".into(),
            event,
        };
        state.fold(&record).expect("what was decided folds");
    }
}

/// What happened, and whoever comes and goes on account of it, as the log has it.
pub(crate) fn fold(state: &mut State, events: Vec<Event>) {
    fold_alone(state, events);
    for _ in 0..50 {
        let steps = state.steps();
        if steps.is_empty() {
            return;
        }
        fold_alone(state, steps);
    }
    panic!(
        "steps without an end: {:?} of {:?}",
        state.steps(),
        state.nodes
    );
}

pub(crate) fn began() -> State {
    let mut state = State::default();
    let event = Event::Initialised {
        fleet: "f".into(),
        ca: Digest::of(b"ca"),
    };
    fold(&mut state, vec![event]);
    state
}

pub(crate) fn make_token(state: &mut State, text: &str, purpose: Purpose, uses: u32, ttl_s: u64) {
    let wanted = Wanted {
        purpose,
        uses,
        ttl_s,
    };
    let events = state.create_token(token::hash(text), &wanted, NOW).unwrap();
    fold(state, events);
}

pub(crate) fn role(name: &str) -> Purpose {
    Purpose::Role(name.into())
}

pub(crate) fn about(address: &str) -> About {
    About {
        address: address.into(),
        os: "debian".into(),
        arch: "amd64".into(),
        cpus: 2,
        memory_mb: 2048,
    }
}

/// A machine's own.
fn address(name: &str) -> String {
    let digest = Digest::of(name.as_bytes()).to_string();
    format!("fd00::{}", &digest[..4])
}

pub(crate) fn machine(token: &str, name: &str, key: &str) -> Machine {
    Machine {
        token: token::hash(token),
        name: name.into(),
        key: Digest::of(key.as_bytes()),
        about: about(&address(name)),
    }
}

pub(crate) fn enrol(
    state: &mut State,
    token: &str,
    name: &str,
    key: &str,
) -> Result<Place, Refusal> {
    let (events, place) = state.enrol(&machine(token, name, key), NOW)?;
    fold(state, events);
    Ok(place)
}

pub(crate) fn revoke(state: &mut State, name: &str) {
    let events = state.revoke_node(name).unwrap();
    fold(state, events);
}

pub(crate) fn candidate(release: &str, reads: &[(&str, &[&str])], over: Over) -> Candidate {
    let reads = reads.iter().map(|(role, reads)| {
        let reads = reads.iter().map(|role| (*role).to_owned()).collect();
        ((*role).to_owned(), reads)
    });
    Candidate {
        release: Digest::of(release.as_bytes()),
        reads: reads.collect(),
        cohorts: BTreeMap::new(),
        slots: BTreeMap::new(),
        gone_after: BTreeMap::new(),
        over,
        above: 0,
    }
}

#[test]
fn an_enrolment_repeated_is_one() {
    let mut state = began();
    make_token(&mut state, "t", role("zk"), 1, 60);
    let place = enrol(&mut state, "t", "vm-1", "k").unwrap();
    let before = state.clone();
    assert_eq!(enrol(&mut state, "t", "vm-1", "k").unwrap(), place);
    assert_eq!(state, before);
    let other_key = enrol(&mut state, "t", "vm-1", "other").unwrap_err();
    assert!(matches!(other_key, Refusal::SpentToken(_)), "{other_key}");
}

#[test]
fn a_name_is_taken_once() {
    let mut state = began();
    make_token(&mut state, "t", role("zk"), 9, 60);
    make_token(&mut state, "u", role("web"), 9, 60);
    enrol(&mut state, "t", "vm-1", "k").unwrap();
    for (token, key) in [("t", "other"), ("u", "k"), ("u", "other")] {
        let refusal = enrol(&mut state, token, "vm-1", key).unwrap_err();
        assert!(
            matches!(refusal, Refusal::NameTaken(_)),
            "{token} {key}: {refusal}"
        );
    }
    let spelt = enrol(&mut state, "t", "VM-1", "other").unwrap_err();
    assert!(matches!(spelt, Refusal::NameSpelt { .. }), "{spelt}");
}

#[test]
fn a_revoked_node_comes_back_only_by_a_newer_token() {
    let mut state = began();
    make_token(&mut state, "old", role("zk"), 9, 60);
    let first = enrol(&mut state, "old", "vm-1", "k").unwrap();
    revoke(&mut state, "vm-1");
    assert_eq!(state.revoke_node("vm-1").unwrap(), [], "twice is once");
    for key in ["k", "other"] {
        let refusal = enrol(&mut state, "old", "vm-1", key).unwrap_err();
        assert!(matches!(refusal, Refusal::RevokedSince(_)), "{refusal}");
    }
    make_token(&mut state, "new", role("zk"), 9, 60);
    let second = enrol(&mut state, "new", "vm-1", "k").unwrap();
    assert_eq!(
        (second.id, second.generation),
        (first.id, first.generation + 1)
    );

    let node = |generation| Identity {
        fleet: "f".into(),
        who: Who::Node {
            name: "vm-1".into(),
            generation,
        },
    };
    assert!(state.node_of(&node(2)).is_ok());
    let refusal = state.node_of(&node(1)).unwrap_err();
    assert!(matches!(refusal, Refusal::Superseded(_)), "{refusal}");
}

#[test]
fn who_is_refused() {
    let mut state = began();
    make_token(&mut state, "t", role("zk"), 9, 60);
    make_token(&mut state, "desk", Purpose::Operator, 2, 60);
    enrol(&mut state, "t", "vm-1", "k").unwrap();
    let person = |key: &str| Person {
        token: token::hash("desk"),
        name: "alice".into(),
        key: Digest::of(key.as_bytes()),
    };
    for key in ["old", "new"] {
        let events = state.enrol_operator(&person(key), NOW).unwrap();
        fold(&mut state, events);
    }
    assert!(
        state.enrol_operator(&person("third"), NOW).is_err(),
        "spent"
    );

    let identity = |text: &str| text.parse::<Identity>().unwrap();
    let alice = identity("cfg://f/operator/alice");
    let key = |text: &str| Digest::of(text.as_bytes());
    assert_eq!(state.operator_of(&alice, &key("new")).unwrap(), "alice");
    for (who, key, words) in [
        ("cfg://f/operator/alice", key("old"), "enrolled again"),
        ("cfg://f/operator/bob", key("new"), "not of this fleet"),
        ("cfg://g/operator/alice", key("new"), "not of this fleet"),
        (
            "cfg://f/node/vm-1/1",
            key("k"),
            "may not call what is for operators",
        ),
    ] {
        let says = state
            .operator_of(&identity(who), &key)
            .unwrap_err()
            .to_string();
        assert!(says.contains(words), "{who}: {says}");
    }
    for (who, words) in [
        ("cfg://f/node/vm-2/1", "not of this fleet"),
        ("cfg://g/node/vm-1/1", "not of this fleet"),
        ("cfg://f/node/vm-1/2", "enrolled again"),
        (
            "cfg://f/operator/alice",
            "may not call what is for machines",
        ),
    ] {
        let says = state.node_of(&identity(who)).unwrap_err().to_string();
        assert!(says.contains(words), "{who}: {says}");
    }
}

#[test]
fn the_view_moves_only_for_those_who_read() {
    let mut state = began();
    let reads: &[(&str, &[&str])] = &[("zk", &["zk"]), ("web", &["zk"]), ("lone", &[])];
    let (events, _) = state
        .publish(&candidate("r1", reads, Over::Seen(None)))
        .unwrap();
    fold(&mut state, events);
    for (name, of_role) in [("zk-1", "zk"), ("web-1", "web"), ("lone-1", "lone")] {
        make_token(&mut state, name, role(of_role), 1, 60);
        enrol(&mut state, name, name, name).unwrap();
    }
    let views =
        |state: &State| ["zk-1", "web-1", "lone-1"].map(|name| state.news(&state.nodes[name]).view);
    let before = views(&state);
    assert_eq!(before[2], 0, "it reads nothing");

    let change = |state: &mut State, name: &str, address: &str| {
        let events = state.change(name, &about(address)).unwrap();
        fold(state, events);
    };
    change(&mut state, "web-1", "10.0.0.9");
    assert_eq!(views(&state), before, "nobody reads web");
    change(&mut state, "zk-1", &address("zk-1"));
    assert_eq!(views(&state), before, "the same as before is no change");
    change(&mut state, "zk-1", "10.0.0.7");
    let after = views(&state);
    assert!(after[0] > before[0] && after[1] > before[1] && after[2] == 0);
    let view = state.view(&state.nodes["zk-1"], &BTreeSet::from(["zk".to_owned()]));
    assert_eq!(
        (view.number, view.roles["zk"][0].address.as_str()),
        (after[0], "10.0.0.7")
    );
    revoke(&mut state, "zk-1");
    assert!(views(&state)[1] > after[1]);
    assert_eq!(state.members("zk"), []);
}

#[test]
fn an_address_is_one_machines() {
    let mut state = began();
    make_token(&mut state, "t", role("zk"), 9, 60);
    enrol(&mut state, "t", "vm-1", "k").unwrap();
    enrol(&mut state, "t", "vm-2", "k").unwrap();
    let says = |outcome: Result<Vec<Event>, Refusal>| outcome.unwrap_err().to_string();
    let taken = says(state.change("vm-2", &about(&address("vm-1"))));
    assert!(taken.contains("is that of vm-1"), "{taken}");
    let third = Machine {
        about: about(&address("vm-1")),
        ..machine("t", "vm-3", "k")
    };
    let taken = says(state.enrol(&third, NOW).map(|(events, _)| events));
    assert!(taken.contains("is that of vm-1"), "{taken}");
    revoke(&mut state, "vm-1");
    assert!(state.enrol(&third, NOW).is_ok(), "it is nobody's any more");
}

#[test]
fn who_is_gone_leaves_its_address_to_others() {
    let mut state = began();
    let mut candidate = candidate("r1", &[("lb", &["web"]), ("web", &[])], Over::Anything);
    candidate.gone_after.insert("web".into(), 300);
    let (events, _) = state.publish(&candidate).unwrap();
    fold(&mut state, events);
    make_token(&mut state, "t", role("web"), 9, 60);
    enrol(&mut state, "t", "vm-1", "k").unwrap();
    let lost = state.lose(&["vm-1".to_owned()].into(), &|_| Duration::ZERO);
    assert_eq!(lost.len(), 1);
    let back = state.clone();
    fold(&mut state, lost);
    assert_eq!(state.members("web"), []);
    let second = Machine {
        about: about(&address("vm-1")),
        ..machine("t", "vm-2", "k")
    };
    let (events, _) = state.enrol(&second, NOW).unwrap();
    fold(&mut state, events);
    // Both would be told of under one address.
    assert_eq!(state.find("vm-1"), []);
    let says = |outcome: Result<Vec<Event>, Refusal>| outcome.unwrap_err().to_string();
    let taken = says(state.change("vm-1", &about(&address("vm-1"))));
    assert!(taken.contains("is that of vm-2"), "{taken}");
    // Under another one it is welcome.
    let events = state.change("vm-1", &about("10.9.9.9")).unwrap();
    fold(&mut state, events);
    let events = state.find("vm-1");
    fold(&mut state, events);
    let told = state.members("web").into_iter();
    let told: Vec<String> = told.map(|member| member.address).collect();
    assert_eq!(told, ["10.9.9.9", &address("vm-1")]);
    let taken = says(back.enrol(&second, NOW).map(|(events, _)| events));
    assert!(
        taken.contains("is that of vm-1"),
        "it was not gone: {taken}"
    );
}

#[test]
fn a_publish_follows_what_was_seen() {
    let mut state = began();
    let digest = |release: &str| Digest::of(release.as_bytes());
    let seen = |release: &str| Over::Seen(Some(digest(release)));
    for (release, over, outcome) in [
        ("r1", seen("r0"), Err("none is current, not")),
        ("r1", Over::Seen(None), Ok(1)),
        // Answered, though the answer before was lost.
        ("r1", Over::Seen(None), Ok(1)),
        ("r2", Over::Seen(None), Err("is current, not none")),
        ("r2", seen("r1"), Ok(2)),
        ("r3", seen("r1"), Err("somebody published meanwhile")),
        ("r1", Over::Anything, Ok(3)),
    ] {
        match (state.publish(&candidate(release, &[], over)), outcome) {
            (Ok((events, _)), Ok(sequence)) => {
                fold(&mut state, events);
                assert_eq!(state.sequence(), sequence, "{release}");
            }
            (Err(refusal), Err(words)) => {
                assert!(refusal.to_string().contains(words), "{release}: {refusal}");
            }
            (got, wanted) => panic!("{release}: {got:?}, not {wanted:?}"),
        }
    }
    let current = state.release.unwrap();
    assert_eq!(
        (current.release, current.previous),
        (digest("r1"), Some(digest("r2")))
    );
}

#[test]
fn what_cannot_have_happened() {
    let state = began();
    for event in [
        Event::Initialised {
            fleet: "g".into(),
            ca: Digest::of(b"ca"),
        },
        Event::TokenRevoked {
            hash: Digest::of(b"x"),
        },
        Event::NodeRevoked {
            name: "vm-1".into(),
        },
        Event::OperatorEnrolled {
            name: "alice".into(),
            key: Digest::of(b"k"),
            token: Digest::of(b"x"),
        },
    ] {
        let record = Record {
            at: NOW,
            by: "test".into(),
            event,
        };
        assert!(
            matches!(state.clone().fold(&record), Err(Misfit(_))),
            "{record:?}"
        );
    }
}

#[test]
fn facts_that_could_mean_more() {
    let facts = |address: &str, os: &str, arch: &str| cfg_catalog::facts::Facts {
        hostname: "vm-1".into(),
        fqdn: "vm-1".into(),
        address: address.into(),
        os: cfg_catalog::facts::Os {
            id: os.into(),
            version: "12".into(),
            codename: "bookworm".into(),
        },
        arch: arch.into(),
        cpus: 1,
        memory_mb: 1,
        interfaces: BTreeMap::new(),
        local: BTreeMap::new(),
        azure: None,
    };
    assert!(About::of(&facts("fd00::1", "debian", "amd64")).is_ok());
    let mapped = About::of(&facts("::ffff:10.0.0.1", "debian", "amd64")).unwrap();
    assert_eq!(mapped.address, "10.0.0.1");
    for (address, os, arch) in [
        ("10.0.0.1\nserver.9=evil", "debian", "amd64"),
        ("", "debian", "amd64"),
        ("vm-1", "debian", "amd64"),
        ("10.0.0.1", "a b", "amd64"),
        ("10.0.0.1", "debian", "$(reboot)"),
        ("10.0.0.1", "", "amd64"),
    ] {
        assert!(
            About::of(&facts(address, os, arch)).is_err(),
            "{address} {os} {arch}"
        );
    }
}

#[test]
fn words_of_the_log() {
    // Once written, read for ever: a change here is a change of format.
    let event = Event::NodeEnrolled {
        name: "vm-1".into(),
        role: "zk".into(),
        id: 1,
        generation: 1,
        key: Digest::of(b"key"),
        token: Digest::of(b"token"),
        about: about("10.0.0.1"),
        replaces: None,
    };
    let record = Record {
        at: NOW,
        by: "token 3c469e9d6c58".into(),
        event,
    };
    insta::assert_json_snapshot!(record);
    let json = serde_json::to_string(&record).unwrap();
    assert_eq!(serde_json::from_str::<Record>(&json).unwrap(), record);
}

#[test]
fn every_later_word_of_the_log_is_read_again() {
    // As above: these lines are in logs.
    for line in [
        r#"{"at":1,"by":"cfg-server","event":"member_joined","name":"vm-1"}"#,
        r#"{"at":1,"by":"cfg-server","event":"node_gone","name":"vm-1"}"#,
        r#"{"at":1,"by":"node vm-1","event":"node_back","name":"vm-1"}"#,
        r#"{"at":1,"by":"node vm-1","event":"slot_taken","name":"vm-1","fence":7}"#,
        r#"{"at":1,"by":"node vm-1","event":"slot_kept","name":"vm-1"}"#,
        r#"{"at":1,"by":"node vm-1","event":"slot_given","name":"vm-1","healthy":false}"#,
        r#"{"at":1,"by":"node vm-1","event":"slot_waived","name":"vm-1","why":"fire"}"#,
    ] {
        let record: Record = serde_json::from_str(line).unwrap();
        assert_eq!(serde_json::to_string(&record).unwrap(), line);
    }
    // And so are states and releases that know nothing of them.
    let mut state = began();
    let candidate = candidate("r1", &[("zk", &["zk"])], Over::Anything);
    let (events, _) = state.publish(&candidate).unwrap();
    fold(&mut state, events);
    let written = serde_json::to_string(&state).unwrap();
    for word in ["slots", "gone", "joining", "nudged"] {
        assert!(!written.contains(word), "{word} in {written}");
    }
}
