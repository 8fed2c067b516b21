//! About what tools of the machine say: apt, systemd, mount, those that know accounts, and commands of the role.

use super::Words::{Any, Begin, End, Have, Print};
use super::{Row, Rows, said, to_do};
use crate::id::Kind;

/// Before all others.
pub(super) const ROWS: &[Rows] = &[
    (&Kind::ALL, OWN),
    (&[Kind::Package], PACKAGES),
    (&[Kind::Repository, Kind::Package], SOURCES),
    (&[Kind::Service], SERVICES),
    (&[Kind::Mount], MOUNTS),
    (&Kind::ALL, DIFFERING),
    (&[Kind::Command], COMMANDS),
    (&[Kind::User, Kind::Group], ACCOUNTS),
    (&Kind::ALL, NAMES),
    (&[Kind::Sysctl], SETTINGS),
];

/// Where no other says anything: what a tool has said last is known to nobody.
pub(super) const ELSE: &[Rows] = &[
    (
        &[Kind::Package, Kind::Repository],
        &[to_do(
            Any,
            "mend what apt complains of; the next run tries it again",
        )],
    ),
    (
        &[Kind::User, Kind::Group, Kind::Mount],
        &[to_do(
            Any,
            "mend what it complains of, or correct the role; the next run tries it again",
        )],
    ),
    (
        &[Kind::Service],
        &[to_do(Any, "see how systemd has it: systemctl status NAME")],
    ),
];

const OWN: &[Row] = &[
    to_do(
        Begin("it was not looked at"),
        "run again; where it says so then, too, that is a fault of cfg",
    ),
    to_do(
        Begin("what was looked at is of another kind"),
        "run again; where it says so then, too, that is a fault of cfg",
    ),
    said(": declare one of them alone"),
    said(": name both by one way"),
    to_do(
        Begin("done, and yet it differs still: its guard would"),
        "let its guard tell that it is done, as by `creates`",
    ),
];

const DIFFERING: &[Row] = &[to_do(Begin("done, and yet it differs still"), DIFFERS)];

const DIFFERS: &str = "something else changes it too: another tool, or another resource of the role; let one of them have its say";

const PACKAGES: &[Row] = &[
    to_do(
        Have("wanted is debconf "),
        "give an answer that the package takes: where the question has choices, one of them (debconf-show NAME)",
    ),
    to_do(
        Print("NO_PUBKEY"),
        "give the repository the key that it is signed with, as its `signed_by`",
    ),
    to_do(
        Print("the index could not be refreshed whole"),
        "see to the repository that apt could not read; if it has no such package, correct the name",
    ),
    to_do(
        Print("no repository has"),
        "correct the name, or declare the repository that has it",
    ),
    to_do(
        Print("no version of"),
        "ask for a version that there is, or declare the repository that has it",
    ),
    to_do(
        Print("another apt or dpkg is at work"),
        "run again once it has ended; `lock_timeout` in agent.toml is how long a run waits for it",
    ),
    to_do(
        Print("unmet dependencies"),
        "see the whole of it with apt-get -s install NAME",
    ),
    to_do(
        Print("removal script subprocess"),
        "mend what its script wants; the next run removes it",
    ),
    to_do(
        Print("script subprocess"),
        "mend what its script wants; the next run configures it again",
    ),
    said("declare what may go with state"),
    said("leave packages out with --only"),
    to_do(
        Begin("apt would also bring"),
        "let the role want them in versions that go together, or leave one of them open",
    ),
];

const SOURCES: &[Row] = &[
    said("take the source out of it by hand"),
    to_do(
        Print("NO_PUBKEY"),
        "give it the key that it is signed with, as its `signed_by`",
    ),
    to_do(
        Print("is not signed"),
        "give it the key that it is signed with, as its `signed_by`; one that is not signed at all is not used",
    ),
    to_do(
        Print("does not have a Release file"),
        "correct its `uris` and `suites`: at URI/dists/SUITE there must be an InRelease",
    ),
    to_do(
        Print("Could not resolve"),
        "correct the name in its `uris`, or see to this machine's DNS",
    ),
    to_do(
        Print("Could not connect"),
        "see that this machine reaches it, through a proxy where it must; or correct its `uris`",
    ),
    to_do(
        Print("No space left on device"),
        "free space on that file system, and run again",
    ),
    to_do(
        Begin("Err:"),
        "see that this machine reaches it, and that it has what its index says; or correct its `uris`",
    ),
    to_do(
        Print("Failed to fetch"),
        "see that this machine reaches it, and that it has what its index says; or correct its `uris`",
    ),
];

const JOURNAL: &str = "see what it said: journalctl -b -u NAME";

const SERVICES: &[Row] = &[
    to_do(
        Have("there is no unit"),
        "correct the name, or declare what brings it: a package, or its own `unit`",
    ),
    to_do(
        Have("does not say masked = false"),
        "let the role say masked = false, or say nothing of the service",
    ),
    to_do(
        Begin("it is to be masked, and"),
        "let the role say one of the two",
    ),
    to_do(
        Have("and a mask would stand in its place"),
        "move it away, or let the role do so: `state = \"absent\"` for its path",
    ),
    to_do(
        Have("is not a directory, and so nothing can be below it"),
        "move it away; the links of units lie in folders",
    ),
    to_do(
        Have("is not a link, and is not replaced by one"),
        "move it away, or take its name out of the unit's [Install]",
    ),
    said("say one of the two"),
    to_do(
        Print("it is of Type=oneshot without"),
        "give it RemainAfterExit=yes, or say nothing of its `state`: a timer, or a command, runs what ends by itself",
    ),
    // It says so itself.
    said("cannot be enabled"),
    to_do(
        Have("what only a running systemd knows"),
        "enable it on the machine itself, without --root",
    ),
    to_do(
        Begin("no systemd runs here"),
        "say nothing of its `state` here, or run it where systemd does",
    ),
    to_do(
        Have("systemd cannot load"),
        "see what is wrong with its file: systemd-analyze verify UNIT",
    ),
    to_do(
        Have("bad unit file setting"),
        "see what is wrong with its file: systemd-analyze verify UNIT",
    ),
    to_do(
        Print("because of an unmet condition"),
        "meet that condition, or take it out of the unit; or say nothing of its `state`",
    ),
    to_do(
        Have("a condition of its unit is not met"),
        "see which with systemctl status NAME, and meet it; or say nothing of its `state`",
    ),
    to_do(Begin("it was "), JOURNAL),
    to_do(Begin("an earlier run started it"), JOURNAL),
    to_do(Have("Job for "), JOURNAL),
    to_do(Have("Failed to start"), JOURNAL),
    to_do(Have("Failed to stop"), JOURNAL),
    to_do(Have("Failed to restart"), JOURNAL),
    to_do(Have("Failed to reload"), JOURNAL),
    to_do(Have("still: start "), JOURNAL),
    to_do(Have("still: stop "), JOURNAL),
    to_do(Have("still: restart "), JOURNAL),
    to_do(Have("still: reload "), JOURNAL),
    to_do(Begin("systemctl start"), JOURNAL),
    to_do(Begin("systemctl stop"), JOURNAL),
    to_do(Begin("systemctl restart"), JOURNAL),
    to_do(Begin("systemctl reload"), JOURNAL),
    to_do(
        Have("File exists"),
        "move away what stands there, or give the unit another [Install] section",
    ),
    to_do(
        Have("already exists"),
        "move away what stands there, or give the unit another [Install] section",
    ),
    to_do(
        Have("Not a directory"),
        "put a folder in the place of the file that stands on the way",
    ),
];

const MOUNTS: &[Row] = &[
    said(": leave one"),
    said("so name that"),
    said("name what it leads to"),
    to_do(
        Print("it is held by"),
        "stop what holds it, or let what is mounted there stay",
    ),
    to_do(
        Have("is neither mounted nor unmounted"),
        "let root own that folder, and nobody else write there",
    ),
    to_do(
        Have("file systems are mounted there"),
        "unmount them by hand: findmnt lists them",
    ),
    to_do(
        Print("busy"),
        "see what holds it (fuser -vm, and what is mounted below it: findmnt -R), and stop that",
    ),
    to_do(
        Print("special device"),
        "correct its `device`, or see to it that it is there: lsblk -f lists those that are",
    ),
    to_do(
        Print("can't find"),
        "correct its `device`: lsblk -f lists those that are there, with their labels and UUIDs",
    ),
    to_do(
        Print("unknown filesystem type"),
        "correct its `fstype`, or declare the package that brings it",
    ),
    to_do(
        Print("wrong fs type, bad option"),
        "correct its `fstype` (lsblk -f) and `options`, or declare the package that brings mount.FSTYPE; dmesg says more",
    ),
    to_do(
        Print("took too long"),
        "see whether its server can be reached, and answers",
    ),
];

const COMMANDS: &[Row] = &[
    to_do(
        Begin("it took too long"),
        "see what it waits for, or give it a longer `timeout`",
    ),
    to_do(
        Begin("its guards cannot be asked: there is no directory"),
        "correct its `cwd`, or let what makes it come before",
    ),
    to_do(
        Begin("its guard cannot be asked: there is no user"),
        "correct its `user`, or declare that user in the role",
    ),
    to_do(
        Begin("its guard"),
        "try the guard by hand, as its `user` and in its `cwd`",
    ),
    to_do(
        Begin("it exited with 127"),
        "correct the program's name, or let a package of the role bring it; 127 is a shell's word for one that is not there",
    ),
    to_do(
        Begin("it exited with"),
        "mend what it complains of, or the command; the next run tries it again",
    ),
    to_do(
        Begin("it was killed by signal"),
        "see who ended it: the kernel's log says where memory was short; the next run tries it again",
    ),
    to_do(
        Begin("it was killed with all"),
        "run again: whoever ended it ended cfg's own process too",
    ),
    to_do(
        Have("not its interpreter or loader"),
        "see its first line, or what loads it (file says that), and let a package bring it",
    ),
    to_do(
        Begin("cannot run "),
        "correct the path of the program in its `run`, or let it come `after` what brings it",
    ),
    to_do(
        Begin("cannot change the directory to"),
        "correct its `cwd`, or let what makes it come before",
    ),
    to_do(
        Begin("cannot change the root to"),
        "run cfg as root: below --root a command runs in a chroot",
    ),
    to_do(
        Begin("there is no user"),
        "correct its `user`, or declare that user in the role",
    ),
    to_do(
        Any,
        "run again; where it says so then, too, see to the machine's memory, disk and /run",
    ),
];

const ACCOUNTS: &[Row] = &[
    to_do(
        Have("is currently used by process"),
        "end what it runs, and run again; where a service of the role runs it, let the user come `after` the service",
    ),
    to_do(
        Have("cannot remove the primary group"),
        "let the role take that user away too, or give him another group first",
    ),
    to_do(
        Begin("the uid "),
        "give it another number; where the role takes that one away, let this come `after` it",
    ),
    to_do(
        Begin("the gid "),
        "give it another number; where the role takes that one away, let this come `after` it",
    ),
    to_do(
        Have("' already exists"),
        "give it another number, or let the role take away who has it",
    ),
    to_do(
        Have("is not unique"),
        "give it another number; where one that the role gives no number has just got it, let that one come `after`",
    ),
    to_do(
        Have("' does not exist"),
        "declare that group in the role, or let the user come `after` the package that brings it",
    ),
    to_do(
        Have("cannot lock"),
        "run again when nothing else changes accounts; where nothing does, remove its lock: /etc/*.lock",
    ),
    to_do(
        Have("could not be started"),
        "declare the package passwd, which brings it",
    ),
    to_do(
        Have("took too long and was killed"),
        "see what it waits for: a name service that does not answer, perhaps; the next run tries it again",
    ),
    to_do(
        End("is not there, and so it cannot hold keys"),
        "say in the role which `home` the user has: then it is made",
    ),
    to_do(End("cannot hold keys"), "give the user another `home`"),
    to_do(End("is no place for keys"), "give the user another `home`"),
    to_do(
        Have("cannot stand in passwd or group"),
        "correct that value in the role",
    ),
    to_do(
        End("was made and is not there"),
        "see which service knows users here: /etc/nsswitch.conf",
    ),
];

const NAMES: &[Row] = &[
    said("or let it come `after` what brings it"),
    to_do(
        Have("there is no user"),
        "declare it in the role, or let a package bring it",
    ),
    to_do(
        Have("there is no group"),
        "declare it in the role, or let a package bring it",
    ),
    to_do(
        Have(" has the number "),
        "declare the one that is to have it, or name one that there is",
    ),
    to_do(
        Have("who is who is not known"),
        "mend the root's /etc/passwd and /etc/group, from which cfg reads names",
    ),
];

const SETTINGS: &[Row] = &[
    to_do(
        Have("the kernel has no "),
        "correct the name, or load the module that has it before",
    ),
    to_do(
        End("Read-only file system (os error 30)"),
        "/proc/sys is read-only here, as in a container: set NAME on the host, or leave it out of the role",
    ),
    to_do(
        Have("the kernel does not take "),
        "correct the value: the kernel's documentation says what it may be",
    ),
];
