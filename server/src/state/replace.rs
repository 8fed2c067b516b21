//! One machine takes another's place, with its id. In a role whose members come and go one at a time this is a step of its own: until
//! then the former one stays in the list, dead, so that what it had is missing once, and the one that comes is not counted too soon.

use super::event::Event;
use super::{Node, State};

impl State {
    /// One that takes its place now, if one may; in one step, so that no view has the id twice.
    pub(super) fn swap(&self, role: &str) -> Option<[Event; 2]> {
        let mut waiting = self.ready(role);
        let (before, by) = waiting.find_map(|(name, node)| Some((self.has_place(node)?, name)))?;
        let may = !self.is_one_at_a_time(role) || self.has_room(role);
        let (before, by) = (before.to_owned(), by.to_owned());
        may.then_some([
            Event::MemberLeft { name: before },
            Event::MemberAdmitted {
                name: by,
                in_place: true,
            },
        ])
    }

    /// The member that has this machine's id.
    pub(super) fn has_place(&self, node: &Node) -> Option<&str> {
        self.holder(&node.role, node.id)
    }

    /// The member of this role that has this id.
    pub(super) fn holder(&self, role: &str, id: u32) -> Option<&str> {
        let mut of_id = self
            .nodes
            .iter()
            .filter(|(_, of)| of.id == id && of.role == role);
        let (name, _) = of_id.find(|(name, _)| self.member_names(role).contains(*name))?;
        Some(name)
    }

    /// Whether another may come in the place of one that is lost: two who know nothing could decide together, and what the others know
    /// would be lost. So whoever is new has made something of itself first; unless those who live are too few to decide anything, and
    /// the new with them.
    ///
    /// Who is no more new is not waited for, though it may not have made of the present list what it has to: it may need a slot for
    /// that, and there is none while a member is missing.
    fn has_room(&self, role: &str) -> bool {
        let members = self.member_names(role);
        let living = members.iter().filter(|name| self.takes_part(name));
        let new = |name: &String| {
            let node = self.nodes.get(name);
            node.is_some_and(|node| node.settled.view < node.since)
        };
        living.clone().count() <= members.len() / 2 || !living.clone().any(new)
    }
}

impl Node {
    /// Whether the member of its name is one whose place another is to take.
    pub(super) fn is_to_be_replaced(&self) -> bool {
        match self.revoked {
            None => self.former.is_some(),
            Some(_) => self.replaced,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::cohort::tests::{fleet, join, members, settle};
    use super::super::event::SlotRule;
    use super::super::fleet::Revision;
    use super::super::publish::Over;
    use super::super::slot::{Asked, Health, Known, Verdict};
    use super::super::tests::{NOW, about, candidate, enrol, fold, make_token, revoke, role};
    use super::super::token;
    use super::*;
    use crate::refusal::Refusal;
    use cfg_catalog::fleet::Limit;
    use std::time::Duration;

    /// It is to be replaced, by whoever has the token `new-NAME`.
    fn replace(state: &mut State, name: &str) {
        let hash = token::hash(&format!("new-{name}"));
        let events = state.replace_node(name, hash, 60, NOW).unwrap();
        fold(state, events);
    }

    /// It enrols in the place of another, and makes of itself what it can alone.
    fn come(state: &mut State, name: &str, of: &str) {
        enrol(state, &format!("new-{of}"), name, name).unwrap();
        settle(state, &[name]);
    }

    /// Three, who made of themselves what they had to.
    fn three() -> State {
        let mut state = fleet(&["zk-a", "zk-b", "zk-c"]);
        settle(&mut state, &["zk-a", "zk-b", "zk-c"]);
        state
    }

    #[test]
    fn of_two_who_are_lost_the_second_is_replaced_when_the_first_is_there_again() {
        let mut state = three();
        for lost in ["zk-a", "zk-b"] {
            replace(&mut state, lost);
        }
        come(&mut state, "vm-1", "zk-a");
        come(&mut state, "vm-2", "zk-b");
        assert_eq!(members(&state), ["1 vm-1", "2 zk-b", "3 zk-c"]);
        assert!(state.joining.is_empty() && !state.is_member("vm-2"));
        assert!(!state.is_joining("vm-2"), "in another's place");
        // It needs nobody but those who have something: zk-c may get no slot while zk-b is missing.
        settle(&mut state, &["vm-1"]);
        assert_eq!(members(&state), ["1 vm-1", "2 vm-2", "3 zk-c"]);
        settle(&mut state, &["vm-2", "zk-c", "vm-1"]);
        settle(&mut state, &["vm-1", "vm-2", "zk-c"]);
        assert!(state.joining.is_empty());
    }

    #[test]
    fn who_says_what_was_before_it_came_is_still_new() {
        let mut state = three();
        for lost in ["zk-a", "zk-b"] {
            replace(&mut state, lost);
        }
        let before = state.news(&state.nodes["zk-c"]);
        come(&mut state, "vm-2", "zk-b");
        come(&mut state, "vm-1", "zk-a");
        let late = state.settle("vm-2", before).unwrap();
        fold(&mut state, late);
        assert_eq!(members(&state), ["1 zk-a", "2 vm-2", "3 zk-c"]);
    }

    #[test]
    fn where_nobody_is_left_all_are_replaced() {
        let mut state = three();
        for lost in ["zk-a", "zk-b", "zk-c"] {
            replace(&mut state, lost);
        }
        come(&mut state, "vm-1", "zk-a");
        assert_eq!(members(&state), ["1 vm-1", "2 zk-b", "3 zk-c"]);
        come(&mut state, "vm-2", "zk-b");
        come(&mut state, "vm-3", "zk-c");
        assert_eq!(
            members(&state),
            ["1 vm-1", "2 vm-2", "3 zk-c"],
            "one of three can make nothing of itself, two can"
        );
        settle(&mut state, &["vm-1", "vm-2"]);
        assert_eq!(members(&state), ["1 vm-1", "2 vm-2", "3 vm-3"]);
    }

    #[test]
    fn one_that_never_was_there_is_not_replaced_beside_another() {
        let mut state = fleet(&["zk-a", "zk-b", "zk-c"]);
        settle(&mut state, &["zk-a", "zk-b"]);
        replace(&mut state, "zk-a");
        come(&mut state, "vm-1", "zk-a");
        assert_eq!(members(&state)[0], "1 zk-a", "zk-c knows nothing yet");
        settle(&mut state, &["zk-c"]);
        assert_eq!(members(&state)[0], "1 vm-1");
    }

    /// From now on one of three may be disrupted at a time.
    fn one_slot(state: &mut State) {
        let mut slots = candidate("r2", &[("zk", &["zk"])], Over::Anything);
        slots.cohorts.insert("zk".into(), 3);
        let rule = SlotRule {
            limit: Limit::Count(1),
            leader: false,
        };
        slots.slots.insert("zk".into(), rule);
        let (events, _) = state.publish(&slots).unwrap();
        fold(state, events);
    }

    /// Whether this one would get a slot, all being healthy.
    fn slot(state: &State, name: &str) -> Verdict {
        let asked = Asked {
            of: state.news(&state.nodes[name]),
            leads: false,
            mending: false,
        };
        let known = Known {
            age: &|_| Duration::ZERO,
            health: &|_| Health::Healthy,
            leads: &|_| false,
        };
        state.slot_for(name, asked, known).unwrap()
    }

    #[test]
    fn one_is_replaced_while_three_become_five() {
        let mut state = three();
        one_slot(&mut state);
        settle(&mut state, &["zk-a", "zk-b", "zk-c"]);
        join(&mut state, "zk-d");
        join(&mut state, "zk-e");
        assert_eq!(members(&state).len(), 4);
        replace(&mut state, "zk-b");
        come(&mut state, "vm-2", "zk-b");
        assert_eq!(members(&state)[1], "2 zk-b", "zk-d is new");
        settle(&mut state, &["zk-d"]);
        // zk-a and zk-c did not get so far as to know zk-d, and need not have: that would be for ever.
        assert_eq!(members(&state)[1], "2 vm-2");
        assert!(matches!(slot(&state, "zk-a"), Verdict::Not(why) if why.contains("is new")));
        let all = ["zk-d", "vm-2", "zk-a", "zk-c"];
        for name in all {
            assert_eq!(slot(&state, name), Verdict::Free, "{name}");
            settle(&mut state, &[name]);
        }
        for _ in 0..3 {
            settle(&mut state, &all);
        }
        let five = ["1 zk-a", "2 vm-2", "3 zk-c", "4 zk-d", "5 zk-e"];
        assert_eq!(members(&state), five);
    }

    #[test]
    fn who_is_to_be_replaced_is_missing_until_then() {
        let mut state = fleet(&["zk-a", "zk-b", "zk-c"]);
        one_slot(&mut state);
        settle(&mut state, &["zk-c"]);
        for (name, of) in [("vm-1", "zk-a"), ("zk-b", "zk-b")] {
            replace(&mut state, of);
            enrol(&mut state, &format!("new-{of}"), name, "other").unwrap();
            let told = slot(&state, "zk-c");
            let missing = format!("{of} is to be replaced");
            assert!(
                matches!(&told, Verdict::Not(why) if why.contains(&missing)),
                "{told:?}"
            );
        }
        // Not for the one that comes in its place.
        revoke(&mut state, "zk-b");
        assert!(matches!(slot(&state, "vm-1"), Verdict::Not(why) if why == "zk-b is revoked"));
    }

    #[test]
    fn who_replaces_another_has_its_place_and_its_id() {
        let mut state = three();
        replace(&mut state, "zk-b");
        assert_eq!(members(&state).len(), 3, "its place is kept");
        let before = state.changed["zk"];
        let place = enrol(&mut state, "new-zk-b", "vm-9", "k").unwrap();
        assert_eq!((place.role.as_str(), place.id), ("zk", 2));
        assert_eq!(members(&state)[1], "2 zk-b", "it has to be ready first");
        settle(&mut state, &["vm-9"]);
        assert_eq!(members(&state), ["1 zk-a", "2 vm-9", "3 zk-c"]);
        assert!(state.changed["zk"] > before, "the others hear of it");
        let again = state
            .replace_node("zk-b", token::hash("x"), 60, NOW)
            .unwrap_err();
        assert!(again.to_string().contains("is taken already"), "{again}");
        // One who comes back by the old name is another.
        make_token(&mut state, "back", role("zk"), 1, 60);
        assert_eq!(enrol(&mut state, "back", "zk-b", "k").unwrap().id, 4);
    }

    #[test]
    fn who_replaces_another_may_have_its_name() {
        let mut state = three();
        for lost in ["zk-a", "zk-b"] {
            replace(&mut state, lost);
        }
        come(&mut state, "zk-a", "zk-a");
        let place = enrol(&mut state, "new-zk-b", "zk-b", "other").unwrap();
        assert_eq!((place.id, place.generation), (2, 2));
        assert!(!state.is_member("zk-b") && !state.is_joining("zk-b"));
        assert_eq!(state.nodes["zk-b"].settled, Revision::default());
        let before = state.changed["zk"];
        let events = state.change("zk-b", &about("10.0.0.9")).unwrap();
        fold(&mut state, events);
        settle(&mut state, &["zk-b"]);
        assert_eq!(members(&state), ["1 zk-a", "2 zk-b", "3 zk-c"]);
        assert!(state.is_member("zk-a") && !state.is_member("zk-b"));
        assert_eq!(state.changed["zk"], before, "the dead one is as it was");
        assert_ne!(state.members("zk")[1].address, "10.0.0.9");
        settle(&mut state, &["zk-a"]);
        assert!(state.is_member("zk-b") && state.joining.is_empty());
        assert_eq!(state.members("zk")[1].address, "10.0.0.9");
    }

    #[test]
    fn where_nobody_reads_them_or_they_never_were_whole_it_is_at_once() {
        let mut state = fleet(&["web-a", "web-b", "zk-a"]);
        for (lost, by) in [("web-a", "vm-1"), ("web-b", "web-b"), ("zk-a", "vm-2")] {
            replace(&mut state, lost);
            enrol(&mut state, &format!("new-{lost}"), by, "other").unwrap();
            assert!(
                state.is_member(by) && state.nodes[by].former.is_none(),
                "{by}"
            );
        }
        assert_eq!(members(&state), ["1 vm-2"]);
    }

    #[test]
    fn one_that_waits_may_be_shut_out_or_replaced_itself() {
        let mut state = three();
        replace(&mut state, "zk-b");
        enrol(&mut state, "new-zk-b", "vm-8", "k").unwrap();
        replace(&mut state, "vm-8");
        come(&mut state, "vm-9", "vm-8");
        assert_eq!(members(&state), ["1 zk-a", "2 vm-9", "3 zk-c"]);

        // Not by the name of another member, though that one is shut out.
        let mut state = three();
        replace(&mut state, "zk-b");
        revoke(&mut state, "zk-a");
        let refused = enrol(&mut state, "new-zk-b", "zk-a", "k").unwrap_err();
        assert!(
            matches!(refused, Refusal::RevokedSince(_)),
            "by a token from before"
        );
        replace(&mut state, "zk-b");
        let refused = enrol(&mut state, "new-zk-b", "zk-a", "k").unwrap_err();
        assert!(matches!(refused, Refusal::NameOfAnother(_)), "{refused}");

        let mut state = three();
        replace(&mut state, "zk-b");
        enrol(&mut state, "new-zk-b", "zk-b", "other").unwrap();
        revoke(&mut state, "zk-b");
        join(&mut state, "zk-d");
        assert_eq!(members(&state), ["1 zk-a", "3 zk-c", "4 zk-d"]);
    }

    #[test]
    fn a_place_that_nobody_is_to_take_is_given_up() {
        let mut state = three();
        replace(&mut state, "zk-b");
        revoke(&mut state, "zk-b");
        join(&mut state, "zk-d");
        assert_eq!(members(&state), ["1 zk-a", "3 zk-c", "4 zk-d"]);
    }
}
