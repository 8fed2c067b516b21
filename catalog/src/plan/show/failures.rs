//! What failed, for a person: why, what was skipped because of it, and what to do. Many failures of one cause are one.

use crate::id::{Kind, ResourceId};
use crate::plan::document::{Document, Failure};

/// So many names are listed; the rest is counted.
const NAMES: usize = 8;

/// Failures of one cause.
pub(super) struct Group<'a> {
    /// The first of them.
    pub(super) first: &'a Failure,
    /// The others.
    others: Vec<&'a ResourceId>,
    skipped: Vec<&'a ResourceId>,
}

/// What failed, in the order in which the first of each cause did.
pub(super) fn groups(document: &Document) -> Vec<Group<'_>> {
    let mut groups: Vec<Group<'_>> = Vec::new();
    for failure in &document.failures {
        let same = groups
            .iter_mut()
            .find(|group| is_same(group.first, failure));
        match (same, &failure.resource) {
            (Some(group), Some(id)) => {
                group.others.push(id);
                group.skipped.extend(&failure.skipped);
            }
            _ => groups.push(Group {
                first: failure,
                others: Vec::new(),
                skipped: failure.skipped.iter().collect(),
            }),
        }
    }
    groups
}

/// Whether two resources of one kind failed for one reason: in the same words, but for their names.
fn is_same(one: &Failure, other: &Failure) -> bool {
    let (Some(a), Some(b)) = (&one.resource, &other.resource) else {
        return false;
    };
    let nameless = |failure: &Failure, id: &ResourceId| failure.message.replace(&*id.name, "\0");
    a.kind == b.kind && nameless(one, a) == nameless(other, b)
}

impl Group<'_> {
    /// The lines below the first one's name that come after its message.
    pub(super) fn words(&self) -> Vec<String> {
        let mut words = Vec::new();
        if !self.others.is_empty() {
            words.push(format!("the same of {}", listed(&self.others)));
        }
        if !self.skipped.is_empty() {
            words.push(format!("skipped because of it: {}", listed(&self.skipped)));
        }
        if let Some(advice) = advice(self.first) {
            words.push(format!("to do: {advice}"));
        }
        words
    }
}

fn listed(ids: &[&ResourceId]) -> String {
    let shown: Vec<String> = ids.iter().take(NAMES).map(ToString::to_string).collect();
    match ids.len().saturating_sub(NAMES) {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

/// Under these words in the message of this kind, this is to do.
const ADVICE: &[(Kind, &str, &str)] = &[
    (
        Kind::Package,
        "NO_PUBKEY",
        "give the repository the key that it is signed with, as its `signed_by`",
    ),
    (
        Kind::Package,
        "the index could not be refreshed whole",
        "see to the repository that apt could not read; if it has no such package, correct the name",
    ),
    (
        Kind::Package,
        "no repository has",
        "correct the name, or declare the repository that has it",
    ),
    (
        Kind::Package,
        "no version of",
        "ask for a version that there is, or declare the repository that has it",
    ),
    (
        Kind::Package,
        "another apt or dpkg is at work",
        "run again once it has ended; `lock_timeout` in agent.toml is how long a run waits for it",
    ),
    (
        Kind::Package,
        "unmet dependencies",
        "see the whole of it with apt-get -s install",
    ),
    (
        Kind::Package,
        "script subprocess",
        "mend what its script wants; the next run configures it again",
    ),
    (
        Kind::File,
        "its validate command",
        "correct what the role writes; what stood there is still in use",
    ),
    (
        Kind::Service,
        "there is no unit",
        "correct the name, or declare what brings it: a package, or its own `unit`",
    ),
    (
        Kind::Service,
        "does not say masked = false",
        "let the role say masked = false, or say nothing of the service",
    ),
    (
        Kind::Service,
        "it is to be masked, and",
        "let the role say one of the two",
    ),
    (
        Kind::Service,
        "Type=oneshot without",
        "give it RemainAfterExit=yes, or say nothing of its `state`: a timer, or a command, runs what ends by itself",
    ),
    (
        Kind::Service,
        "systemd cannot load",
        "see what is wrong with its file: systemd-analyze verify",
    ),
    (
        Kind::Mount,
        "it is held by",
        "stop what holds it, or let what is mounted there stay",
    ),
    (
        Kind::Mount,
        "busy",
        "see what holds it (fuser -vm, and what is mounted below it: findmnt -R), and stop that",
    ),
    (
        Kind::Mount,
        "special device",
        "correct its `device`, or see to it that it is there: lsblk -f lists those that are",
    ),
    (
        Kind::Mount,
        "can't find",
        "correct its `device`: lsblk -f lists those that are there, with their labels and UUIDs",
    ),
    (
        Kind::Mount,
        "unknown filesystem type",
        "correct its `fstype`, or declare the package that brings it",
    ),
    (
        Kind::Mount,
        "wrong fs type, bad option",
        "correct its `fstype` (lsblk -f) and `options`, or declare the package that brings mount.FSTYPE; dmesg says more",
    ),
    (
        Kind::Mount,
        "took too long",
        "see whether its server can be reached, and answers",
    ),
    (
        Kind::Command,
        "took too long",
        "see what it waits for, or give it a longer `timeout`",
    ),
    (
        Kind::Command,
        "guard",
        "let its guard tell that it is done, as by `creates`",
    ),
];

/// What to do about it, where its message does not say so itself.
fn advice(failure: &Failure) -> Option<String> {
    let id = failure.resource.as_ref()?;
    let message = failure.message.as_str();
    let known = ADVICE
        .iter()
        .find(|(kind, words, _)| *kind == id.kind && message.contains(words));
    if let Some((_, _, advice)) = known {
        return Some((*advice).to_owned());
    }
    if message.contains("there is no user") || message.contains("there is no group") {
        return Some("declare it in the role, or let a package bring it".to_owned());
    }
    if message.ends_with("stands there") {
        return Some("move it away; cfg removes nothing that holds something".to_owned());
    }
    match id.kind {
        // It says so itself.
        Kind::Service if message.contains("cannot be enabled") => None,
        Kind::Service => Some(format!("see what it said: journalctl -b -u {}", id.name)),
        _ => None,
    }
}
