//! What to do about a failure, where its message does not say so itself.

use super::document::Failure;
use crate::id::Kind;

/// What a message must have. What a tool of the machine printed stands at a message's end and may be anything: so but for
/// those of apt and mount, which are known, only cfg's own words are looked at.
enum Words {
    /// It begins so.
    Begin(&'static str),
    /// Its first line has this.
    Have(&'static str),
    /// It has this somewhere.
    Print(&'static str),
}
use Words::{Begin, Have, Print};

impl Words {
    fn are_in(&self, message: &str) -> bool {
        match self {
            Begin(words) => message.starts_with(words),
            Have(words) => message
                .lines()
                .next()
                .is_some_and(|own| own.contains(words)),
            Print(words) => message.contains(words),
        }
    }
}

const PLACES: &[Kind] = &[
    Kind::File,
    Kind::Directory,
    Kind::Link,
    Kind::Edit,
    Kind::Archive,
];

const NO_JUDGE: &str =
    "correct the program's name, or let a package bring it that the file comes `after`";

/// Of failures of these kinds with these words. The first that fits is taken.
const REMEDIES: &[(&[Kind], Words, &str)] = &[
    (
        &[Kind::Package],
        Print("NO_PUBKEY"),
        "give the repository the key that it is signed with, as its `signed_by`",
    ),
    (
        &[Kind::Package],
        Print("the index could not be refreshed whole"),
        "see to the repository that apt could not read; if it has no such package, correct the name",
    ),
    (
        &[Kind::Package],
        Print("no repository has"),
        "correct the name, or declare the repository that has it",
    ),
    (
        &[Kind::Package],
        Print("no version of"),
        "ask for a version that there is, or declare the repository that has it",
    ),
    (
        &[Kind::Package],
        Print("another apt or dpkg is at work"),
        "run again once it has ended; `lock_timeout` in agent.toml is how long a run waits for it",
    ),
    (
        &[Kind::Package],
        Print("unmet dependencies"),
        "see the whole of it with apt-get -s install",
    ),
    (
        &[Kind::Package],
        Print("script subprocess"),
        "mend what its script wants; the next run configures it again",
    ),
    (
        PLACES,
        Have("its validate command could not be started"),
        NO_JUDGE,
    ),
    (
        PLACES,
        Have("its validate command ended with exit code 127"),
        NO_JUDGE,
    ),
    (
        PLACES,
        Have("its validate command"),
        "correct what the role writes; what stood there is still in use",
    ),
    (
        PLACES,
        Have(" cannot be reached: "),
        "see that this machine reaches it, through a proxy where it must; or correct the `url`",
    ),
    (
        PLACES,
        Have(" said \""),
        "correct the `url`, or see to what answers there",
    ),
    (
        PLACES,
        Have("the archive is not unpacked"),
        "mend the archive; where it is another than was meant, correct its `url` or `source`",
    ),
    (
        PLACES,
        Have("is not a directory, and so nothing can be below it"),
        "move it away, or correct the path in the role",
    ),
    (
        &[Kind::Service],
        Have("and a mask would stand in its place"),
        "move it away, or let the role do so: `state = \"absent\"` for its path",
    ),
    (
        &[Kind::Service],
        Have("is not a directory, and so nothing can be below it"),
        "move it away; the links of units lie in folders",
    ),
    (
        &[Kind::Service],
        Have("is not a link, and is not replaced by one"),
        "move it away, or take its name out of the unit's [Install]",
    ),
    (
        &[Kind::Service],
        Begin("there is no unit"),
        "correct the name, or declare what brings it: a package, or its own `unit`",
    ),
    (
        &[Kind::Service],
        Have("does not say masked = false"),
        "let the role say masked = false, or say nothing of the service",
    ),
    (
        &[Kind::Service],
        Begin("it is to be masked, and"),
        "let the role say one of the two",
    ),
    (
        &[Kind::Service],
        Print("it is of Type=oneshot without"),
        "give it RemainAfterExit=yes, or say nothing of its `state`: a timer, or a command, runs what ends by itself",
    ),
    (
        &[Kind::Service],
        Have("systemd cannot load"),
        "see what is wrong with its file: systemd-analyze verify",
    ),
    (
        &[Kind::Mount],
        Print("it is held by"),
        "stop what holds it, or let what is mounted there stay",
    ),
    (
        &[Kind::Mount],
        Print("busy"),
        "see what holds it (fuser -vm, and what is mounted below it: findmnt -R), and stop that",
    ),
    (
        &[Kind::Mount],
        Print("special device"),
        "correct its `device`, or see to it that it is there: lsblk -f lists those that are",
    ),
    (
        &[Kind::Mount],
        Print("can't find"),
        "correct its `device`: lsblk -f lists those that are there, with their labels and UUIDs",
    ),
    (
        &[Kind::Mount],
        Print("unknown filesystem type"),
        "correct its `fstype`, or declare the package that brings it",
    ),
    (
        &[Kind::Mount],
        Print("wrong fs type, bad option"),
        "correct its `fstype` (lsblk -f) and `options`, or declare the package that brings mount.FSTYPE; dmesg says more",
    ),
    (
        &[Kind::Mount],
        Print("took too long"),
        "see whether its server can be reached, and answers",
    ),
    (
        &[Kind::Command],
        Begin("it took too long"),
        "see what it waits for, or give it a longer `timeout`",
    ),
    (
        &[Kind::Command],
        Begin("done, and yet it differs still: its guard would"),
        "let its guard tell that it is done, as by `creates`",
    ),
    (
        &[Kind::Command],
        Begin("its guard"),
        "try the guard by hand, as its `user` and in its `cwd`",
    ),
    (
        &[Kind::Command],
        Begin("it exited with 127"),
        "correct the program's name, or let a package of the role bring it; 127 is a shell's word for one that is not there",
    ),
    (
        &[Kind::Command],
        Begin("it exited with"),
        "mend what it complains of, or the command; the next run tries it again",
    ),
    (
        &[Kind::User],
        Have("is currently used by process"),
        "end what it runs, and run again",
    ),
    (
        &[Kind::User],
        Have(" does not exist"),
        "declare it in the role, or let a package bring it",
    ),
];

/// What to do about it.
pub(super) fn remedy(failure: &Failure) -> Option<String> {
    let id = failure.resource.as_ref()?;
    let message = failure.message.as_str();
    let known = REMEDIES
        .iter()
        .find(|(kinds, words, _)| kinds.contains(&id.kind) && words.are_in(message));
    if let Some((_, _, remedy)) = known {
        return Some((*remedy).to_owned());
    }
    let own = message.lines().next().unwrap_or_default();
    if own.contains(": declare [") || own.contains("it is the primary group of") {
        return None;
    }
    if own.contains("there is no user") || own.contains("there is no group") {
        return Some("declare it in the role, or let a package bring it".to_owned());
    }
    if message.ends_with("stands there") {
        return Some("move it away; cfg removes nothing that holds something".to_owned());
    }
    match id.kind {
        // It says so itself.
        Kind::Service
            if [
                "cannot be enabled",
                "say one of the two",
                "(see lsattr)",
                "read-only",
            ]
            .iter()
            .any(|words| own.contains(words)) =>
        {
            None
        }
        Kind::Service => Some(format!("see what it said: journalctl -b -u {}", id.name)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(id: &str, message: &str) -> String {
        let failure = Failure::of(&id.parse().unwrap(), message);
        remedy(&failure).unwrap_or_default()
    }

    #[test]
    fn what_a_command_prints_decides_nothing() {
        for (message, has) in [
            (
                "it exited with 3, and said last:\nthe guard dog\nit took too long",
                "the next run tries it again",
            ),
            ("it exited with 1: it took too long", "tries it again"),
            (
                "it exited with 127: /bin/sh: 1: nginx: not found",
                "let a package of the role bring it",
            ),
            (
                "it took too long and was killed: its guard would",
                "`timeout`",
            ),
            (
                "done, and yet it differs still: its guard would have it run again",
                "`creates`",
            ),
            ("its guard gave no answer: it took too long", "by hand"),
        ] {
            let said = of("command:x", message);
            assert!(said.contains(has), "{message}: {said}");
        }
    }

    #[test]
    fn each_has_something_to_do() {
        for (id, message, has) in [
            (
                "file:/x",
                "the content of /x (9c1f): https://h/x said \"404 Not Found\"",
                "correct the `url`",
            ),
            (
                "file:/x",
                "h:443 cannot be reached: no route to host",
                "reaches it",
            ),
            (
                "file:/a/b",
                "/a is not a directory, and so nothing can be below it",
                "move it away",
            ),
            (
                "archive:/x",
                "/x is left as it was: the archive is not unpacked, since it is none",
                "mend the archive",
            ),
            (
                "user:u",
                "useradd ended with exit code 6: group 'g' does not exist",
                "declare it",
            ),
            (
                "service:s",
                "it was started, and ended within 2 s\nthere is no unit",
                "journalctl -b -u s",
            ),
        ] {
            let said = of(id, message);
            assert!(said.contains(has), "{message}: {said}");
        }
    }
}
