use super::remedy;
use crate::plan::document::Failure;

fn of(id: &str, message: &str) -> Option<String> {
    remedy(&Failure::of(&id.parse().unwrap(), message))
}

/// Each with a word of what is said of it.
fn answered(rows: &[(&str, &str, &str)]) {
    for (id, message, has) in rows {
        let said = of(id, message).unwrap_or_default();
        assert!(said.contains(has), "{id}: {message}: {said:?}, not {has:?}");
        assert!(!message.contains(&said), "{message}: said twice");
    }
}

#[test]
fn what_a_command_prints_decides_nothing() {
    answered(&[
        (
            "command:x",
            "it exited with 3, and said last:\nthe guard dog\nit took too long",
            "the next run tries it again",
        ),
        (
            "command:x",
            "it exited with 1: it took too long",
            "tries it again",
        ),
        (
            "command:x",
            "it exited with 127: /bin/sh: 1: nginx: not found",
            "let a package of the role bring it",
        ),
        (
            "command:x",
            "it took too long and was killed: its guard would",
            "`timeout`",
        ),
        (
            "command:x",
            "done, and yet it differs still: its guard would have it run again",
            "`creates`",
        ),
        (
            "command:x",
            "its guard gave no answer: it took too long",
            "by hand",
        ),
    ]);
}

#[test]
fn a_unit_that_cannot_be_loaded_is_verified_by_its_whole_name() {
    answered(&[
        (
            "service:x",
            "systemd cannot load x.service",
            "systemd-analyze verify x.service",
        ),
        (
            "service:x.timer",
            "systemd cannot load x.timer",
            "systemd-analyze verify x.timer",
        ),
    ]);
}

#[test]
fn what_stands_in_the_way_is_told_apart() {
    answered(&[
        ("file:/x", "a directory stands there", "rmdir"),
        ("link:/x", "a directory stands there", "[directory]"),
        (
            "file:/x",
            "a directory that is not empty stands there",
            "what is in it",
        ),
        ("link:/x", "a file stands there", "[file]"),
        ("mount:/x", "/etc/fstab: a link stands there", "leads to"),
        (
            "file:/x",
            "a device, a FIFO or a socket stands there",
            "move it away",
        ),
        (
            "directory:/x",
            "it is not empty: /x/a stands in it",
            "`state` absent",
        ),
        ("directory:/etc", "purge is refused on /etc", "further down"),
        (
            "directory:/x",
            "/ is never removed or emptied by cfg",
            "path in the role",
        ),
        (
            "file:/x",
            "a link stands there, and the role gives the file no content",
            "the file that the link leads to",
        ),
        (
            "file:/x",
            "it does not exist, and the role gives it no content",
            "`content`",
        ),
        (
            "file:/a/b",
            "/a is not a directory, and so nothing can be below it",
            "move it away",
        ),
        (
            "file:/a/b",
            "/a is a link to b, and that does not exist",
            "in the place of the link",
        ),
        (
            "file:/a/b",
            "/a: its links lead in a circle, or through more than 40 links",
            "namei -l",
        ),
    ]);
}

#[test]
fn what_the_machine_refuses_can_be_undone() {
    let fixed = "making a file in /d: Operation not permitted; \
                 that folder is immutable or append-only (see lsattr -d)";
    answered(&[
        ("file:/d/x", fixed, "chattr -i"),
        ("mount:/d/x", fixed, "chattr -i"),
        (
            "service:b",
            &format!("cannot write /etc/systemd/system/b.service: {fixed}"),
            "chattr -i",
        ),
        (
            "user:u",
            "making a file in /etc: Read-only file system; the file system is mounted read-only",
            "findmnt",
        ),
        (
            "file:/x",
            "opening /x: Permission denied; this needs root",
            "as root",
        ),
        (
            "file:/x",
            "/x may not be read by this user, and so what it holds is not known",
            "as root",
        ),
        (
            "file:/x",
            "removing /x: Device or resource busy; it is a mount of its own",
            "unmount",
        ),
        ("mount:/x", "/etc/fstab is not a regular file", "put a file"),
        ("repository:x", "its file could not be read", "as root"),
    ]);
}

#[test]
fn the_journal_is_named_where_a_unit_may_have_spoken() {
    let journal = "journalctl -b -u s";
    answered(&[
        (
            "service:s",
            "it was started, and ended within 2 s\nthere is no unit",
            journal,
        ),
        (
            "service:s",
            "an earlier run started it, and the role is still not healthy",
            journal,
        ),
        (
            "service:s",
            "Job for s.service failed because the control process exited with error code.",
            journal,
        ),
        (
            "service:s",
            "Failed to reload s.service: Job type reload is not applicable for unit s.service.",
            journal,
        ),
        (
            "service:s",
            "done, and yet it differs still: start service:s",
            journal,
        ),
        (
            "service:s",
            "/etc/systemd/system/s.service is a file, and a mask would stand in its place",
            "`state = \"absent\"`",
        ),
        (
            "service:s",
            "cannot enable s.service: cannot make the link /etc/x: Not a directory",
            "a folder",
        ),
        (
            "service:s",
            "cannot enable s.service: cannot make the link /etc/x: File exists",
            "move away",
        ),
        (
            "service:s",
            "done, and yet it differs still: enable service:s",
            "another tool",
        ),
        ("service:s", "there is no unit s.service", "a package"),
    ]);
}

#[test]
fn what_tools_say_has_something_to_do() {
    answered(&[
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
            "archive:/x",
            "/x is left as it was: the archive is not unpacked, since it is none",
            "mend the archive",
        ),
        (
            "archive:/x",
            "/x is left as it was: the archive is not unpacked, since `strip` leaves nothing of it",
            "smaller `strip`",
        ),
        (
            "user:u",
            "useradd ended with exit code 6: group 'g' does not exist",
            "`after` the package",
        ),
        (
            "user:u",
            "there is no user \"g\" on this machine",
            "declare it",
        ),
        ("group:g", "the gid 1001 is ada's", "another number"),
        (
            "group:g",
            "groupdel ended with exit code 8: groupdel: cannot remove the primary group of user 'ada'",
            "another group",
        ),
        (
            "user:u",
            "usermod ended with exit code 1: usermod: cannot lock /etc/passwd; try again later.",
            "/etc/*.lock",
        ),
        ("mount:/m", "mount: it exited with 32", "complains of"),
        (
            "sysctl:a.b",
            "the kernel has no a.b: it is misspelt",
            "module",
        ),
        (
            "sysctl:a.b",
            "the kernel does not take a.b = 1: Invalid argument (os error 22)",
            "correct the value",
        ),
        (
            "sysctl:a.b",
            "the kernel does not take a.b = 1: Read-only file system (os error 30)",
            "on the host",
        ),
        (
            "command:x",
            "cannot run /no/such: No such file or directory (os error 2)",
            "the path",
        ),
        (
            "command:x",
            "its guards cannot be asked: there is no directory /x",
            "`cwd`",
        ),
        ("command:x", "it was killed by signal 9", "memory"),
        ("package:p", "E: something new", "complains of"),
        (
            "package:p",
            "done, and yet it differs still: update package:p (it is debconf p/q red, wanted is debconf p/q purple)",
            "debconf-show p",
        ),
        (
            "service:s",
            "it was started, and ended within 2 s: systemd skipped it, since a condition of its unit is not met",
            "systemctl status s",
        ),
        (
            "service:s",
            "it was started, and ended within 2 s: s.service was skipped because of an unmet condition check (ConditionPathExists=/x).",
            "meet that condition",
        ),
        (
            "user:u",
            "userdel ended with exit code 8: userdel: user u is currently used by process 9",
            "`after`",
        ),
        (
            "package:p",
            "dpkg: error processing package p (--remove):\n installed p package pre-removal script subprocess returned error exit status 1",
            "removes it",
        ),
        (
            "repository:r",
            "Err:3 http://h x InRelease No route to host",
            "reaches it",
        ),
        ("repository:r", "E: something new", "complains of"),
        (
            "repository:r",
            "W: GPG error: http://h x: the keys are not there: NO_PUBKEY 12",
            "`signed_by`",
        ),
        (
            "edit:/x",
            "line 2, column 1: this is no JSON: a value is missing here",
            "by a [file]",
        ),
        (
            "edit:/x",
            "it has 9 bytes; no file over 8 KiB is edited",
            "[file]",
        ),
    ]);
    let unhealthy = Failure::of_none("the role is not healthy 5 s after it was disrupted");
    assert!(remedy(&unhealthy).unwrap().contains("`health`"));
}

#[test]
fn what_a_message_says_itself_is_not_said_again() {
    for (id, message) in [
        (
            "file:/x",
            "there is no user nope, and nothing before it makes one: declare [user.nope], or let it come `after` what brings it",
        ),
        (
            "edit:/x",
            "there is no such file, and nothing before brings it: `create = true` makes it",
        ),
        (
            "edit:/x",
            "a link to y stands there: let the edit name the file that it leads to",
        ),
        (
            "edit:/x",
            "line 1, column 1: not UTF-8; convert the file, or write it whole",
        ),
        (
            "file:/a/b",
            "/a is a link that is not followed: user 7 owns it; replace it by a directory, or let root own link and folder",
        ),
        (
            "archive:/x",
            "a directory stands there that is not empty and that cfg did not unpack: move it away",
        ),
        ("mount:/x", "/etc/fstab has 2 lines for /x: leave one"),
        (
            "file:/x",
            "/x and /y are both /z on this machine: declare one of them alone",
        ),
        (
            "archive:/x",
            "file:/y/x lies in archive:/x on this machine, at /z/x: name both by one way, or let one come `after` the other",
        ),
        (
            "file:/x",
            "writing to disk /x: No space left on device; free space (or inodes) on that file system and run again",
        ),
        (
            "package:p",
            "needed by q; declare what may go with state = \"absent\"",
        ),
        (
            "package:p",
            "there is no apt-get in /srv/tree, so that no package can come or go there: make it a Debian first (mmdebstrap or \
             debootstrap), or leave packages out with --only",
        ),
    ] {
        assert_eq!(of(id, message), None, "{message}");
    }
}
