//! What a token opens, and for how long.

use super::*;
use crate::state::enrol::Person;
use crate::state::event::Record;
use crate::state::publish::Over;
use crate::state::tests::{NOW, began, candidate, fold, machine, make_token, role};

#[test]
fn tokens_open_one_door_for_a_while() {
    let mut state = began();
    make_token(&mut state, "zk", role("zk"), 1, 60);
    make_token(&mut state, "desk", Purpose::Operator, 1, 60);
    make_token(&mut state, "gone", role("zk"), 1, 60);
    let gone = id(&hash("gone"));
    let events = state.revoke_token(&gone).unwrap();
    fold(&mut state, events);
    assert_eq!(state.revoke_token(&gone).unwrap(), [], "twice is once");

    let says = |token: &str, now: u64| {
        let refusal = state.enrol(&machine(token, "vm-1", "k"), now);
        refusal.map(|_| ()).map_err(|refusal| refusal.to_string())
    };
    let id = |text: &str| id(&hash(text));
    assert_eq!(says("zk", NOW + 59), Ok(()));
    for (token, now, words) in [
        ("zk", NOW + 60, format!("token {} has expired", id("zk"))),
        ("zq", NOW, "the token is unknown".into()),
        ("gone", NOW, format!("token {} was revoked", id("gone"))),
        ("desk", NOW, "is for operators, not for machines".into()),
    ] {
        let says = says(token, now).unwrap_err();
        assert!(says.contains(&words), "{words}: {says}");
    }
    let person = Person {
        token: hash("zk"),
        name: "alice".into(),
        key: Digest::of(b"k"),
    };
    let says = state.enrol_operator(&person, NOW).unwrap_err().to_string();
    assert!(
        says.contains("is for machines of role zk, not for operators"),
        "{says}"
    );
}

#[test]
fn tokens_name_roles_that_there_are() {
    let mut state = began();
    let wanted = Wanted {
        purpose: role("wbe"),
        uses: 1,
        ttl_s: 60,
    };
    assert!(
        state.create_token(Digest::of(b"t"), &wanted, NOW).is_ok(),
        "nothing is published"
    );
    let candidate = candidate("r1", &[("web", &[]), ("zk", &[])], Over::Anything);
    let (events, _) = state.publish(&candidate).unwrap();
    fold(&mut state, events);
    let says = state
        .create_token(Digest::of(b"t"), &wanted, NOW)
        .unwrap_err();
    assert!(
        says.to_string().contains("no role \"wbe\"; it has web, zk"),
        "{says}"
    );
}

#[test]
fn long_expired_tokens_are_forgotten() {
    let mut state = began();
    make_token(&mut state, "old", role("zk"), 1, 60);
    let later = Record {
        at: NOW + 60 + REMEMBERED_S,
        by: "test".into(),
        event: Event::TokenCreated {
            hash: hash("new"),
            purpose: role("zk"),
            uses: 1,
            expires: u64::MAX / 2,
        },
    };
    state.fold(&later).unwrap();
    assert_eq!(state.tokens.keys().collect::<Vec<_>>(), [&hash("new")]);
}
