//! Whose an address is: no two machines that live have one, and no list of members has one twice.

use super::{Node, State};
use crate::refusal::Refusal;

/// A machine that says what its address is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Claim<'a> {
    /// The address.
    pub address: &'a str,
    /// The machine's name.
    pub name: &'a str,
    /// Its role.
    pub role: &'a str,
    /// Its id there: of a member with this id it takes the place, and the address with it.
    pub id: u32,
}

impl<'a> Claim<'a> {
    /// What this machine may claim.
    pub(super) fn of(name: &'a str, node: &'a Node, address: &'a str) -> Self {
        Self {
            address,
            name,
            role: &node.role,
            id: node.id,
        }
    }
}

impl State {
    /// That an address is no other machine's that lives or is still told of. That of a member who is shut out is for whoever makes it
    /// leave: one more of its role, not one that is a member, or takes the place of another.
    pub(super) fn unclaimed(&self, claim: Claim<'_>) -> Result<(), Refusal> {
        let place = self.holder(claim.role, claim.id);
        let taken = self.nodes.iter().find(|(other, node)| {
            // Ten thousand are asked each time one enrols, and nearly all have another.
            let at = [&node.about, node.told()].map(|about| about.address == claim.address);
            if at == [false; 2] || *other == claim.name || Some(other.as_str()) == place {
                return false;
            }
            let waits = self.is_shut_out(other) && (node.role != claim.role || place.is_none());
            let lives = self.lives(other) && node.about.address == claim.address;
            lives || (!waits && self.is_told_at(other, claim.address))
        });
        let Some((of, node)) = taken else {
            return Ok(());
        };
        let (address, of) = (claim.address.to_owned(), of.clone());
        Err(match node.revoked {
            None => Refusal::AddressTaken { address, of },
            Some(_) => Refusal::AddressKept { address, of },
        })
    }

    /// Whether others are told that a machine of this name is there.
    fn is_told_at(&self, name: &str, address: &str) -> bool {
        let node = self.nodes.get(name);
        node.is_some_and(|node| {
            node.told().address == address && self.member_names(&node.role).contains(name)
        })
    }

    /// A member of the machine's role, beside the one whose place it takes, that is told of at its address.
    pub(super) fn namesake(&self, node: &Node) -> Option<&str> {
        let address = &node.about.address;
        let mut here = self
            .nodes
            .iter()
            .filter(|(_, other)| other.told().address == *address);
        let (other, _) = here.find(|(other, of)| {
            let counts = of.role == node.role && self.is_told_at(other, address);
            counts && self.has_place(node) != Some(other.as_str())
        })?;
        Some(other)
    }
}

#[cfg(test)]
mod tests {
    use super::super::cohort::tests::{fleet, members, settle};
    use super::super::enrol::Machine;
    use super::super::tests::{NOW, about, fold, machine, make_token, revoke, role};
    use super::super::{State, token};

    /// Three, who made of themselves what they had to, and a token for more.
    fn three() -> State {
        let mut state = fleet(&["zk-a", "zk-b", "zk-c"]);
        settle(&mut state, &["zk-a", "zk-b", "zk-c"]);
        make_token(&mut state, "zk", role("zk"), 9, 60);
        state
    }

    fn replace(state: &mut State, name: &str) {
        let hash = token::hash(&format!("new-{name}"));
        let events = state.replace_node(name, hash, 60, NOW).unwrap();
        fold(state, events);
    }

    /// It enrols at another's address and makes of itself what it can alone, or is told why not.
    fn come(state: &mut State, token: &str, name: &str, at: &str) -> Result<(), String> {
        let machine = Machine {
            about: about(&address(state, at)),
            ..machine(token, name, name)
        };
        let enrolled = state.enrol(&machine, NOW);
        let (events, _) = enrolled.map_err(|refusal| refusal.to_string())?;
        fold(state, events);
        settle(state, &[name]);
        Ok(())
    }

    fn address(state: &State, of: &str) -> String {
        state.nodes[of].about.address.clone()
    }

    #[test]
    fn the_address_of_one_that_is_to_be_replaced_is_its_successors() {
        let mut state = three();
        replace(&mut state, "zk-b");
        let kept = come(&mut state, "zk", "zk-d", "zk-b").unwrap_err();
        assert!(
            kept.contains("is that of zk-b, of which others are told"),
            "{kept}"
        );
        let taken = state.change("zk-c", &about(&address(&state, "zk-b")));
        assert!(taken.is_err());
        come(&mut state, "new-zk-b", "vm-9", "zk-b").unwrap();
        assert_eq!(members(&state), ["1 zk-a", "2 vm-9", "3 zk-c"]);
        revoke(&mut state, "vm-9");
        assert_eq!(members(&state).len(), 3, "it is still told of");
    }

    #[test]
    fn who_has_the_address_of_one_that_is_shut_out_makes_that_one_leave() {
        let mut state = three();
        revoke(&mut state, "zk-a");
        revoke(&mut state, "zk-b");
        let told = state.change("zk-c", &about(&address(&state, "zk-b")));
        assert!(told.is_err(), "a member would have it beside the other");
        come(&mut state, "zk", "zk-d", "zk-b").unwrap();
        assert_eq!(members(&state), ["1 zk-a", "3 zk-c", "4 zk-d"]);
        // Of another role it may be whose it is: that is another list.
        make_token(&mut state, "web", role("web"), 1, 60);
        come(&mut state, "web", "web-a", "zk-a").unwrap();
    }

    #[test]
    fn one_that_is_replaced_after_all_keeps_whoever_has_its_address_waiting() {
        let mut state = three();
        make_token(&mut state, "late", role("zk"), 1, 60);
        revoke(&mut state, "zk-b");
        let early = Machine {
            about: about(&address(&state, "zk-b")),
            ..machine("late", "zk-d", "k")
        };
        let (events, _) = state.enrol(&early, NOW).unwrap();
        fold(&mut state, events);
        replace(&mut state, "zk-b");
        settle(&mut state, &["zk-d", "zk-a", "zk-c"]);
        assert_eq!(members(&state), ["1 zk-a", "2 zk-b", "3 zk-c"]);
        let machine = machine("new-zk-b", "vm-9", "k");
        let (events, _) = state.enrol(&machine, NOW).unwrap();
        fold(&mut state, events);
        settle(&mut state, &["vm-9"]);
        settle(&mut state, &["vm-9", "zk-a", "zk-c"]);
        let four = ["1 zk-a", "2 vm-9", "3 zk-c", "4 zk-d"];
        assert_eq!(members(&state), four);
    }
}
