//! Who is a member of a role, as the others are told. In a role that reads its own members one comes or goes at a time,
//! and the next when all who live have made of the last what they had to.

use super::event::Event;
use super::fleet::Revision;
use super::{Misfit, Node, State};
use crate::refusal::Refusal;
use std::collections::BTreeSet;

impl State {
    /// A machine has made of itself what this release and this view say. Nothing happens where nobody would ask for it.
    ///
    /// # Errors
    /// Where there is no such machine, or no such release or view.
    pub fn settle(&self, name: &str, settled: Revision) -> Result<Vec<Event>, Refusal> {
        let node = self.nodes.get(name);
        let node = node.ok_or_else(|| Refusal::Unknown(format!("node {name}")))?;
        let news = self.news(node);
        if settled.sequence > news.sequence || settled.view > news.view {
            return Err(Refusal::Invalid(format!(
                "there is no release {} with view {} yet",
                settled.sequence, settled.view
            )));
        }
        let asked = self.is_stepwise(&node.role) || self.has_leader(&node.role);
        let mends = self.slots.get(name).is_some_and(|slot| slot.failed);
        let is_news = (settled > node.settled && asked) || (settled >= node.settled && mends);
        if !is_news {
            return Ok(Vec::new());
        }
        Ok(vec![Event::NodeSettled {
            name: name.to_owned(),
            settled,
        }])
    }

    /// Who comes and goes now: to be folded in behind whatever happened, until there is nobody.
    pub fn steps(&self) -> Vec<Event> {
        let roles: BTreeSet<&String> = self.nodes.values().map(|node| &node.role).collect();
        roles
            .into_iter()
            .flat_map(|role| self.steps_of(role))
            .collect()
    }

    fn steps_of(&self, role: &str) -> Vec<Event> {
        // What its machines make of the list is known again when a release has the role: until then all stays as it is.
        if self.lacks(role) {
            return Vec::new();
        }
        if let Some(swap) = self.swap(role) {
            return swap.into();
        }
        let leaving: Vec<&str> = self.leaving(role).collect();
        let mut coming = self.candidates(role).into_iter();
        if !self.is_stepwise(role) {
            let leaving = leaving.into_iter().map(left);
            return leaving.chain(coming.map(admitted)).collect();
        }
        let (members, cohort) = (self.member_names(role).len(), self.cohort(role));
        if !self.formed.contains(role) {
            // Nothing was made of the list yet, nor will be while it is too short.
            let missing = cohort.saturating_sub(members).max(1);
            let leaving = leaving.into_iter().map(left);
            return leaving.chain(coming.take(missing).map(admitted)).collect();
        }
        if let Some(known) = self.known_to_all(role) {
            return vec![known];
        }
        if !self.is_settled(role) {
            return Vec::new();
        }
        // A list that was whole once is never too short again: who goes last makes room for somebody. Who is gone leaves in any
        // case, since the role says so.
        let gone = leaving.iter().find(|name| self.gone.contains(**name));
        let Some(first) = gone.or(leaving.first()) else {
            return coming.take(1).map(admitted).collect();
        };
        if gone.is_some() || members > cohort {
            return vec![left(first)];
        }
        let Some(comes) = coming.next() else {
            return Vec::new();
        };
        // No list has an address twice.
        let namesake = self.nodes.get(comes).and_then(|node| self.namesake(node));
        vec![left(namesake.unwrap_or(first)), admitted(comes)]
    }

    /// That one who came is new no more: all others who live have made of its coming what they had to.
    fn known_to_all(&self, role: &str) -> Option<Event> {
        let members = self.member_names(role);
        let name = members.iter().find(|name| self.joining.contains(*name))?;
        let changed = self.changed.get(role).copied().unwrap_or(0);
        let mut others = members.iter().filter(|other| *other != name);
        let known = others.all(|other| !self.takes_part(other) || self.has_made(other, changed));
        let name = name.clone();
        known.then_some(Event::MemberJoined { name })
    }

    /// A member comes. In a role that reads its own members, and had as many as it waits for, it is new among them; but for one that comes
    /// in another's place: the others need not know of more than there were.
    pub(super) fn admit(&mut self, name: &str, in_place: bool) -> Result<(), Misfit> {
        let role = self.node_mut(name)?.role.clone();
        if self.is_one_at_a_time(&role) {
            if !in_place {
                self.joining.insert(name.to_owned());
            }
            let now = self.events;
            self.node_mut(name)?.since = now;
        }
        let members = self.members.entry(role.clone()).or_default();
        members.insert(name.to_owned());
        self.touch(role.clone());
        self.form(&role);
        Ok(())
    }

    /// Notes that a role has as many members as it waits for: from now on they come and go one at a time.
    pub(super) fn form(&mut self, role: &str) {
        let count = self.member_names(role).len();
        let whole = self.is_stepwise(role) && count > 0 && count >= self.cohort(role);
        if whole && self.formed.insert(role.to_owned()) {
            let changed = self.changed.get(role).copied().unwrap_or(0);
            for name in self.members.get(role).into_iter().flatten() {
                if let Some(node) = self.nodes.get_mut(name) {
                    node.since = changed;
                }
            }
        }
    }

    /// Whether others of the role are told of this machine, and it of itself.
    pub fn is_member(&self, name: &str) -> bool {
        let node = self.nodes.get(name);
        node.is_some_and(|node| {
            node.former.is_none() && self.member_names(&node.role).contains(name)
        })
    }

    /// Whether it comes after the others, and not all of them know it yet: nobody does while it waits for its turn. One that takes
    /// another's place is not more than there was.
    pub fn is_joining(&self, name: &str) -> bool {
        let new = |node: &Node| {
            let waits = !self.is_member(name) && self.has_place(node).is_none();
            self.is_one_at_a_time(&node.role) && (waits || self.joining.contains(name))
        };
        self.nodes.get(name).is_some_and(new)
    }

    /// Whether a role's members come and go one at a time: it reads them, and had as many as it waits for.
    pub(super) fn is_one_at_a_time(&self, role: &str) -> bool {
        self.is_stepwise(role) && self.formed.contains(role)
    }

    /// Whether there is a release, and it lacks this role.
    pub(super) fn lacks(&self, role: &str) -> bool {
        let release = self.release.as_ref();
        release.is_some_and(|release| !release.reads.contains_key(role))
    }

    /// Whether what a role's machines make of themselves hangs on who its members are.
    fn is_stepwise(&self, role: &str) -> bool {
        let reads = self
            .release
            .as_ref()
            .and_then(|release| release.reads.get(role));
        reads.is_some_and(|reads| reads.contains(role))
    }

    /// So many members a role waits for before it makes anything of them.
    pub(super) fn cohort(&self, role: &str) -> usize {
        let cohorts = self.release.as_ref().map(|release| &release.cohorts);
        let count = cohorts.and_then(|cohorts| cohorts.get(role)).copied();
        usize::try_from(count.unwrap_or(0)).unwrap_or(usize::MAX)
    }

    /// Whether all members that live have made of the present list what they had to.
    fn is_settled(&self, role: &str) -> bool {
        let changed = self.changed.get(role).copied().unwrap_or(0);
        let mut names = self.member_names(role).iter();
        names.all(|name| !self.takes_part(name) || self.has_made(name, changed))
    }

    /// Whether anything is to be expected of a machine.
    pub(super) fn lives(&self, name: &str) -> bool {
        let node = self.nodes.get(name);
        node.is_some_and(|node| node.revoked.is_none()) && !self.gone.contains(name)
    }

    /// Whether anything is to be expected of a member.
    pub(super) fn takes_part(&self, name: &str) -> bool {
        self.lives(name) && self.is_member(name)
    }

    /// Whether it has made of itself what a view of this number says, and what it was to look at since.
    fn has_made(&self, name: &str, view: u64) -> bool {
        let node = self.nodes.get(name);
        node.is_some_and(|node| node.settled.view >= view.max(node.nudged))
    }

    /// Whether it is shut out, so that nobody is to take its place.
    pub(super) fn is_shut_out(&self, name: &str) -> bool {
        let node = self.nodes.get(name);
        node.is_none_or(|node| node.revoked.is_some() && !node.replaced)
    }

    /// Members who are gone, or shut out so that nobody is to take their place.
    fn leaving(&self, role: &str) -> impl Iterator<Item = &str> {
        let over = |name: &&String| self.is_shut_out(name) || self.gone.contains(*name);
        self.member_names(role)
            .iter()
            .filter(over)
            .map(String::as_str)
    }

    /// Machines of the role that come now as one more, by id.
    fn candidates(&self, role: &str) -> Vec<&str> {
        let leaving: Vec<&str> = self.leaving(role).collect();
        let stays = |name: &str| !leaving.contains(&name);
        let mut coming: Vec<(u32, &str)> = self
            .ready(role)
            .filter(|(_, node)| self.has_place(node).is_none())
            .filter(|(_, node)| !self.namesake(node).is_some_and(stays))
            .map(|(name, node)| (node.id, name))
            .collect();
        coming.sort_unstable();
        coming.into_iter().map(|(_, name)| name).collect()
    }

    /// Machines of the role of whom nobody is told yet. Where members come one at a time, one that has not made of itself yet what it
    /// can alone would keep the others waiting.
    pub(super) fn ready(&self, role: &str) -> impl Iterator<Item = (&str, &Node)> {
        let late = self.is_one_at_a_time(role);
        let made = move |node: &Node| !late || node.settled.sequence >= self.sequence();
        let of_role = self.nodes.iter().filter(move |(_, node)| node.role == role);
        let new = of_role
            .filter(move |(name, node)| !self.is_member(name) && self.lives(name) && made(node));
        new.map(|(name, node)| (name.as_str(), node))
    }

    pub(super) fn member_names(&self, role: &str) -> &BTreeSet<String> {
        static NOBODY: BTreeSet<String> = BTreeSet::new();
        self.members.get(role).unwrap_or(&NOBODY)
    }
}

fn left(name: &str) -> Event {
    Event::MemberLeft { name: name.into() }
}

fn admitted(name: &str) -> Event {
    Event::MemberAdmitted {
        name: name.into(),
        in_place: false,
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::super::publish::Over;
    use super::super::tests::{began, candidate, enrol, fold, make_token, revoke, role};
    use super::*;
    use std::time::Duration;

    /// Roles `zk`, which reads itself and waits for three, and `web`, which reads zk; machines with tokens of their names.
    pub(in super::super) fn fleet(machines: &[&str]) -> State {
        let mut state = began();
        let reads: &[(&str, &[&str])] = &[("zk", &["zk"]), ("web", &["zk"])];
        let mut candidate = candidate("r1", reads, Over::Seen(None));
        candidate.cohorts.insert("zk".into(), 3);
        let (events, _) = state.publish(&candidate).unwrap();
        fold(&mut state, events);
        for name in machines {
            join(&mut state, name);
        }
        state
    }

    pub(in super::super) fn join(state: &mut State, name: &str) {
        let of_role = name.split('-').next().unwrap();
        make_token(state, name, role(of_role), 1, 60);
        enrol(state, name, name, name).unwrap();
        // It makes of itself what it can alone, and waits for its turn.
        if !state.is_member(name) {
            settle(state, &[name]);
        }
    }

    /// These machines have made of themselves what there is to be made.
    pub(in super::super) fn settle(state: &mut State, names: &[&str]) {
        for name in names {
            let news = state.news(&state.nodes[*name]);
            let events = state.settle(name, news).unwrap();
            fold(state, events);
        }
    }

    pub(in super::super) fn members(state: &State) -> Vec<String> {
        let members = state.members("zk").into_iter();
        members
            .map(|member| format!("{} {}", member.id, member.name))
            .collect()
    }

    #[test]
    fn a_cohort_comes_at_once_and_who_comes_later_one_at_a_time() {
        let mut state = fleet(&["zk-a", "zk-b", "zk-c", "zk-d", "zk-e", "web-a"]);
        assert_eq!(members(&state), ["1 zk-a", "2 zk-b", "3 zk-c"]);
        assert!(state.is_member("web-a"), "nobody reads web");
        settle(&mut state, &["zk-a", "zk-b", "web-a"]);
        assert_eq!(members(&state).len(), 3, "zk-c is not there yet");
        assert!(state.joining.is_empty(), "those came together");
        settle(&mut state, &["zk-c"]);
        assert_eq!(members(&state)[3..], ["4 zk-d"]);
        settle(&mut state, &["zk-d", "zk-a", "zk-b"]);
        assert!(state.joining.contains("zk-d"), "zk-c does not know it");
        let before = state.news(&state.nodes["zk-d"]);
        settle(&mut state, &["zk-c"]);
        assert!(state.joining.is_empty());
        assert!(
            state.news(&state.nodes["zk-d"]).view > before.view,
            "it is told"
        );
        assert_eq!(members(&state).len(), 4, "the new one must be there too");
        settle(&mut state, &["zk-d"]);
        assert_eq!(members(&state)[4..], ["5 zk-e"]);
    }

    #[test]
    fn who_waits_for_its_turn_is_known_to_nobody() {
        let mut state = fleet(&["zk-a", "zk-b"]);
        assert!(!state.is_joining("zk-a"), "they never were whole");
        join(&mut state, "zk-c");
        join(&mut state, "zk-d");
        assert!(!state.is_member("zk-d") && state.is_joining("zk-d"));
        assert!(!state.is_joining("zk-c") && !state.is_joining("vm-9"));
        settle(&mut state, &["zk-a", "zk-b", "zk-c"]);
        assert!(state.is_member("zk-d") && state.is_joining("zk-d"));
        settle(&mut state, &["zk-a", "zk-b", "zk-c"]);
        assert!(state.is_member("zk-d") && !state.is_joining("zk-d"));
    }

    #[test]
    fn one_that_cannot_make_anything_of_itself_keeps_nobody_waiting() {
        let mut state = fleet(&["zk-a", "zk-b", "zk-c"]);
        settle(&mut state, &["zk-a", "zk-b", "zk-c"]);
        make_token(&mut state, "zk-d", role("zk"), 1, 60);
        enrol(&mut state, "zk-d", "zk-d", "zk-d").unwrap();
        assert_eq!(members(&state).len(), 3, "it has not said that it is ready");
        join(&mut state, "zk-e");
        assert_eq!(members(&state)[3..], ["5 zk-e"]);
    }

    #[test]
    fn who_is_gone_leaves_and_comes_back_as_one_who_is_new() {
        let mut state = fleet(&["zk-a", "zk-b", "zk-c"]);
        settle(&mut state, &["zk-a", "zk-b", "zk-c"]);
        let mut candidate = candidate("r2", &[("zk", &["zk"])], Over::Anything);
        candidate.cohorts.insert("zk".into(), 3);
        candidate.gone_after.insert("zk".into(), 60);
        let (events, _) = state.publish(&candidate).unwrap();
        fold(&mut state, events);
        let patient: Vec<_> = state
            .patient()
            .map(|(name, after)| (name.as_str(), after))
            .collect();
        assert_eq!(patient, [("zk-a", 60), ("zk-b", 60), ("zk-c", 60)]);
        let lost = ["zk-b".to_owned(), "web-x".to_owned()].into();
        let events = state.lose(&lost, &|_| Duration::ZERO);
        fold(&mut state, events);
        assert_eq!(
            members(&state),
            ["1 zk-a", "3 zk-c"],
            "even where too few are left"
        );
        assert_eq!(state.lose(&lost, &|_| Duration::ZERO), [], "twice is once");
        let events = state.find("zk-b");
        fold(&mut state, events);
        assert_eq!(members(&state).len(), 2, "the others are not level");
        settle(&mut state, &["zk-a", "zk-c", "zk-b"]);
        assert_eq!(members(&state), ["1 zk-a", "2 zk-b", "3 zk-c"]);
        assert!(state.joining.contains("zk-b"));
        assert_eq!(state.find("zk-b"), []);
    }

    #[test]
    fn before_it_was_whole_a_cohort_is_whoever_there_is() {
        let mut state = fleet(&["zk-a", "zk-b"]);
        revoke(&mut state, "zk-a");
        assert_eq!(members(&state), ["2 zk-b"]);
        join(&mut state, "zk-c");
        assert_eq!(members(&state), ["2 zk-b", "3 zk-c"]);
        assert!(state.formed.is_empty());
        join(&mut state, "zk-d");
        assert!(state.formed.contains("zk"));
    }

    #[test]
    fn a_cohort_that_was_whole_is_never_too_short_again() {
        let mut state = fleet(&["zk-a", "zk-b", "zk-c"]);
        settle(&mut state, &["zk-a", "zk-b", "zk-c"]);
        revoke(&mut state, "zk-a");
        revoke(&mut state, "zk-b");
        assert_eq!(members(&state).len(), 3, "nobody is there in their place");
        join(&mut state, "zk-d");
        assert_eq!(members(&state), ["2 zk-b", "3 zk-c", "4 zk-d"]);
        join(&mut state, "zk-e");
        settle(&mut state, &["zk-c"]);
        assert_eq!(members(&state).len(), 3, "zk-d is not level");
        settle(&mut state, &["zk-d"]);
        assert_eq!(members(&state), ["3 zk-c", "4 zk-d", "5 zk-e"]);
    }

    #[test]
    fn who_is_shut_out_leaves_where_enough_are_left() {
        let mut state = fleet(&["zk-a", "zk-b", "zk-c", "zk-d"]);
        settle(&mut state, &["zk-a", "zk-b", "zk-c"]);
        revoke(&mut state, "zk-b");
        join(&mut state, "zk-e");
        assert_eq!(members(&state).len(), 4, "zk-d is not level");
        settle(&mut state, &["zk-a", "zk-c", "zk-d"]);
        assert_eq!(members(&state), ["1 zk-a", "3 zk-c", "4 zk-d"]);
        settle(&mut state, &["zk-a", "zk-c", "zk-d"]);
        assert_eq!(members(&state)[3..], ["5 zk-e"]);
    }

    #[test]
    fn a_release_without_the_role_leaves_its_list_as_it_is() {
        let mut state = fleet(&["zk-a", "zk-b", "zk-c", "zk-d", "zk-e"]);
        settle(&mut state, &["zk-a", "zk-b", "zk-c"]);
        revoke(&mut state, "zk-b");
        let before = (members(&state), state.joining.clone());
        assert_eq!((before.0.len(), before.1.len()), (4, 1));
        make_token(&mut state, "late", role("zk"), 1, 60);
        let (events, _) = state
            .publish(&candidate("r2", &[("web", &[])], Over::Anything))
            .unwrap();
        fold(&mut state, events);
        revoke(&mut state, "zk-a");
        enrol(&mut state, "late", "zk-f", "zk-f").unwrap();
        assert_eq!((members(&state), state.joining.clone()), before);
        assert!(!state.is_member("zk-f") && !state.is_member("zk-e"));
        let mut again = candidate("r1", &[("zk", &["zk"]), ("web", &["zk"])], Over::Anything);
        again.cohorts.insert("zk".into(), 3);
        let (events, _) = state.publish(&again).unwrap();
        fold(&mut state, events);
        assert_eq!((members(&state), state.joining.clone()), before);
        settle(&mut state, &["zk-c", "zk-d", "zk-e"]);
        settle(&mut state, &["zk-c", "zk-d", "zk-e"]);
        assert_eq!(members(&state), ["3 zk-c", "4 zk-d", "5 zk-e"]);
    }

    #[test]
    fn nobody_is_ahead_of_what_there_is() {
        let state = fleet(&["zk-a"]);
        let news = state.news(&state.nodes["zk-a"]);
        for (sequence, view) in [(news.sequence + 1, 0), (1, news.view + 1), (1, u64::MAX)] {
            let refusal = state
                .settle("zk-a", Revision { sequence, view })
                .unwrap_err();
            assert!(matches!(refusal, Refusal::Invalid(_)), "{refusal}");
        }
        assert!(state.settle("vm-9", Revision::default()).is_err());
    }

    #[test]
    fn a_machine_that_settles_where_nobody_asks_leaves_no_trace() {
        let mut state = fleet(&["web-a", "zk-a"]);
        let before = state.clone();
        settle(&mut state, &["web-a"]);
        assert_eq!(state, before);
        settle(&mut state, &["zk-a"]);
        let settled = state.clone();
        assert_ne!(settled, before);
        settle(&mut state, &["zk-a"]);
        assert_eq!(state, settled, "twice is once");
    }
}
