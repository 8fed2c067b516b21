//! How a document looks on a terminal.

use crate::build::*;
use crate::documents::{change, document, head, held, left};
use crate::model::machine::Machine;
use crate::running::{dry, run};
use cfg_catalog::plan::document::{Document, Done, DryRun, Failure, Head, Leftover, Why};
use cfg_catalog::plan::show::{Style, line, summary, text};
use cfg_catalog::plan::{Action, Certainty, Ledger, Plan, plan};
use serde_json::{Value, json};

/// Something of everything that a dry run can show.
fn rich() -> Document {
    let mut machine = Machine::blank();
    machine.offer("zookeeperd", &["3.8.0-11+deb12u1"], |_| {});
    machine.offer("tool", &["2.0"], |_| {});
    machine.unpack("tool", "1.0", false);
    machine.write("/etc/app/app.conf", "one\ntwo\nthree\n");
    machine.write("/etc/app/stray", "");
    machine.write("/etc/secret", "old");
    let desired = role(vec![
        package("zookeeperd", "3.8.*"),
        package("tool", "latest"),
        purged("/etc/app"),
        file("/etc/app/app.conf", "one\n2\nthree\n"),
        sensitive(file("/etc/secret", "new")),
        file("/srv/data/file", "x\n"),
        user_with("alice", |user| user.groups = vec!["sudo".into()]),
        until("migrate", "/var/migrated"),
        service_with("zookeeper", |service| {
            service.enabled = Some(true);
            service.state = Some(cfg_catalog::resource::service::Activity::Running);
            service.restart_on = ids(&["file:/etc/app/app.conf"]);
        }),
        after(package("nowhere", "1.*"), &["user:alice"]),
        after(link("/etc/l", "/etc/app"), &["package:nowhere"]),
    ]);
    let plan = plan(&desired, &machine.snapshot(&desired), &Ledger::default()).unwrap();
    let mut document = Document::of_plan(head(), &plan);
    document.held.push(held("file:/etc/held", Why::Cohort));
    document.leftovers = vec![
        left("file:/etc/old", "zookeeper"),
        left("package:nginx", "web"),
    ];
    document
}

#[test]
fn on_a_terminal() {
    insta::assert_snapshot!(text(&rich(), Style::Plain, 80), @r"
    vm-3 · role zookeeper · release a4d451ec2346 · dry run

    + user:alice  create
        groups sudo
    ~ package:tool  upgrade 1.0 → 2.0
    + package:zookeeperd  install 3.8.0-11+deb12u1
    - file:/etc/app/stray  remove
        because of directory:/etc/app
    ~ file:/etc/app/app.conf  update
        @@ -1,3 +1,3 @@
         one
        -two
        +2
         three
    ~ file:/etc/secret  update
        sensitive: its content is not shown
    + directory:/srv  create
        because of file:/srv/data/file
    + directory:/srv/data  create
        because of file:/srv/data/file
    + file:/srv/data/file  create
        @@ -0,0 +1 @@
        +x
    ~ command:migrate  run (assumed: guards are asked at its turn)
    ~ service:zookeeper  enable, start
    = file:/etc/held  held: waiting for zookeeper: 2 of 3
    · file:/etc/old  left over: the role names it no more
    · package:nginx  left over from the role web
    ! package:nowhere  would fail
        no repository has a package nowhere
        skipped because of it: link:/etc/l
        to do: correct the name, or declare the repository that has it

    11 to change (1 assumed), 1 in sync, 1 failed, 1 skipped, 2 left over
    ");
}

/// Each counts once, and what else is said of it above is counted beside that.
#[test]
fn what_failed_or_was_changed_and_is_more_than_that() {
    let both = Done {
        changes: vec![
            change("command:c", Action::Run),
            change("file:/a", Action::Update),
        ],
        failures: vec![Failure::of(&id("command:c"), "its guard")],
        held: vec![
            held("file:/a", Why::Unprivileged),
            held("file:/a", Why::Unprivileged),
            held("file:/b", Why::Unprivileged),
        ],
        ..Done::default()
    };
    let document = document(both);
    let told = "1 changed, 0 in sync, 1 failed (1 of them changed), 1 held, 1 held in part";
    assert_eq!(summary(&document), told);
    let page = text(&document, Style::Plain, 80);
    assert_eq!(page.matches("= file:/a").count(), 1, "{page}");
    let ran = self::document(Done {
        changes: vec![change("command:c", Action::Run)],
        failures: vec![Failure::of(&id("command:c"), "its guard")],
        ..Done::default()
    });
    assert_eq!(
        summary(&ran),
        "0 changed, 0 in sync, 1 failed (1 of them changed)"
    );
}

#[test]
fn not_all_of_another_role_is_named() {
    let left: Vec<Leftover> = (0..23)
        .map(|n| left(&format!("file:/{n}"), "web"))
        .collect();
    let page = text(
        &document(Done {
            leftovers: left,
            ..Done::default()
        }),
        Style::Plain,
        80,
    );
    assert!(
        page.contains("file:/19 ") && !page.contains("file:/20"),
        "{page}"
    );
    assert!(page.contains("and 3 more"), "{page}");
    assert!(page.contains("23 left over"), "{page}");
}

#[test]
fn in_colours_the_words_are_the_same() {
    let rich = rich();
    let coloured = text(&rich, Style::Colour, 80);
    assert!(coloured.contains("\x1b[32m+two") || coloured.contains("\x1b[32m+2"));
    let mut plain = String::new();
    let mut rest = coloured.as_str();
    while let Some((before, code)) = rest.split_once("\x1b[") {
        plain.push_str(before);
        rest = code.split_once('m').unwrap().1;
    }
    plain.push_str(rest);
    assert_eq!(plain, text(&rich, Style::Plain, 80));
}

#[test]
fn narrow_and_hostile() {
    let mut document = document(Done {
        changes: vec![
            change("file:/etc/\u{202e}evil", Action::Update)
                .with_diff(Some("@@ -1 +1 @@\n-a\x1b[2J\n+b\tc\r\n".into())),
        ],
        failures: vec![Failure::of(
            &id("command:c"),
            "exit code 1\n\x1b]0;title\x07",
        )],
        ..Done::default()
    });
    document.host = "vm\x1b[31m".into();
    for width in [1, 20, 40, 80, 200] {
        let text = text(&document, Style::Plain, width);
        assert!(!text.chars().any(|c| c.is_control() && c != '\n'), "{text}");
        assert!(!text.contains('\u{202e}'), "{text}");
    }
    for line in text(&rich(), Style::Plain, 80).lines() {
        assert!(line.chars().count() <= 80, "{line}");
    }
}

#[test]
fn line_ends_that_differ_are_seen() {
    let document = document(Done {
        changes: vec![
            change("file:/etc/x", Action::Update)
                .with_diff(Some("@@ -1,2 +1,2 @@\n-a\r\n-\r\n+a\n+\n".into())),
        ],
        ..Done::default()
    });
    let text = text(&document, Style::Plain, 80);
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    assert!(
        lines
            .windows(4)
            .any(|four| four == ["-a\\r", "-\\r", "+a", "+"]),
        "{text}"
    );
}

#[test]
fn in_a_few_words() {
    let seen = |before: Value, after: Value, resource: &str, action| {
        let changes = vec![change(resource, action).showing(before, after)];
        let text = text(
            &document(Done {
                changes,
                ..Done::default()
            }),
            Style::Plain,
            80,
        );
        let lines: Vec<&str> = text.lines().skip(2).map(str::trim).collect();
        lines[..lines.len() - 2].join(" | ")
    };
    let sum = |digit: &str| digit.repeat(64);
    for (before, after, resource, action, wanted) in [
        (
            json!({"held": false}),
            json!({"held": true}),
            "package:p",
            Action::Hold,
            "~ package:p  hold",
        ),
        (
            json!({"auto": true}),
            json!({"auto": false}),
            "package:p",
            Action::Update,
            "~ package:p  update | marked as wanted for itself",
        ),
        (
            json!({"version": "1"}),
            Value::Null,
            "package:p",
            Action::Purge,
            "- package:p  purge 1",
        ),
        (
            json!({"mode": "0644", "owner": "root", "sha256": sum("a")}),
            json!({"mode": "0600", "owner": "me", "sha256": sum("a")}),
            "file:/f",
            Action::Update,
            "~ file:/f  update | mode 0644 → 0600, owner root → me",
        ),
        (
            json!({"mode": "0644", "sha256": sum("a")}),
            json!({"mode": "0644", "sha256": sum("b")}),
            "file:/f",
            Action::Update,
            "~ file:/f  update | its content differs and is not shown",
        ),
        (
            json!({"target": "/a"}),
            json!({"mode": "0644", "sha256": sum("b")}),
            "file:/f",
            Action::Update,
            "~ file:/f  update | replaces a link to /a, its content differs and is not shown",
        ),
        (
            json!({"target": "/a"}),
            json!({"target": "/b"}),
            "link:/l",
            Action::Update,
            "~ link:/l  update | target /a → /b",
        ),
        (
            json!({"groups": ["adm", "us"]}),
            json!({"groups": ["adm", "sudo"]}),
            "user:u",
            Action::Update,
            "~ user:u  update | groups +sudo -us",
        ),
        (
            Value::Null,
            json!({"mode": "0700", "owner": "root", "group": "adm"}),
            "directory:/d",
            Action::Create,
            "+ directory:/d  create | group adm, mode 0700",
        ),
    ] {
        assert_eq!(seen(before, after, resource, action), wanted);
    }
}

#[test]
fn one_line() {
    let restart = change("service:s", Action::Restart);
    assert_eq!(line(&restart, Style::Plain, true), "~ service:s  restart");
    let machine = Machine::blank();
    let nothing = dry(&machine, &role(vec![no_file("/a")]), &Ledger::default());
    assert_eq!(summary(&nothing), "nothing to change, 1 in sync");
    let one = dry(
        &machine,
        &role(vec![no_file("/a"), file("/b", "")]),
        &Ledger::default(),
    );
    assert_eq!(summary(&one), "1 to change, 1 in sync");
    let mut machine = machine;
    let ran = run(
        &mut machine,
        &role(vec![no_file("/a"), file("/b", "")]),
        &Ledger::default(),
    );
    assert_eq!(summary(&ran.document), "1 changed, 1 in sync");
}

#[test]
fn what_is_done_is_not_assumed() {
    let restart = change("service:s", Action::Restart).at_most(Certainty::Assumed);
    let assumed = "~ service:s  restart (assumed)";
    assert_eq!(line(&restart, Style::Plain, true), assumed);
    assert_eq!(line(&restart, Style::Plain, false), "~ service:s  restart");
    let run = change("command:c", Action::Run).at_most(Certainty::Assumed);
    let done = Done {
        changes: vec![restart, run],
        ..Done::default()
    };
    let shown = text(&document(done), Style::Plain, 80);
    assert!(shown.contains("~ command:c  run\n"), "{shown}");
    assert!(!shown.contains("assumed"), "{shown}");
}

/// A run in which something of every kind failed.
fn failed() -> Document {
    let failure = |resource: &str, message: &str, skipped: &[&str]| Failure {
        skipped: ids(skipped),
        ..Failure::of(&id(resource), message)
    };
    let full = "/var/lib/app/NAME: No space left on device; free space (or inodes) on that file system and run again";
    let mut failures = vec![
        failure(
            "package:nosuch",
            "no repository has a package nosuch",
            &["service:nosuch"],
        ),
        failure(
            "package:nginx",
            "dpkg: error processing package nginx (--configure):\n installed nginx package post-installation script \
             subprocess returned error exit status 1\nE: Sub-process /usr/bin/dpkg returned an error code (1)",
            &[
                "file:/etc/nginx/conf.d/a.conf",
                "file:/etc/nginx/conf.d/b.conf",
                "service:nginx",
            ],
        ),
        failure(
            "user:joe",
            "usermod ended with exit code 8: usermod: user joe is currently used by process 712",
            &[],
        ),
        failure("directory:/srv/x", "a file stands there", &[]),
        failure(
            "file:/etc/sudoers",
            "/etc/sudoers is left as it was: its validate command ended with exit code 1: /etc/.sudoers.cfg:3:12: syntax error",
            &[],
        ),
        failure(
            "file:/srv/owned",
            "/srv/owned: there is no user \"www-data\" on this machine",
            &[],
        ),
        failure(
            "command:migrate",
            "it exited with 3, and said last:\nstep one\ncannot open the database: no such table: users",
            &["command:seed"],
        ),
        failure(
            "command:slow",
            "it took too long and was killed: waiting for the lock",
            &[],
        ),
        failure(
            "command:again",
            "done, and yet it differs still: its guard would have it run again",
            &[],
        ),
        failure(
            "service:zookeeper",
            "it was started, and failed within 2 s: exit status 1",
            &[],
        ),
        failure("service:s", "there is no unit s.service", &[]),
        failure(
            "service:fixed",
            "fixed.service cannot be enabled: no [Install] section says what would start it at boot; \
             leave `enabled` out, or give it a unit file that has one",
            &[],
        ),
        failure(
            "service:once",
            "it was started, and ended within 2 s\nit is of Type=oneshot without RemainAfterExit=yes, \
             and so never runs once it is done",
            &[],
        ),
        failure(
            "mount:/srv/a",
            "mount: it exited with 32, and said last:\nmount: /srv/a: special device /dev/sdz1 does not exist.",
            &[],
        ),
        failure(
            "mount:/srv/b",
            "umount: it exited with 32, and said last:\numount: /srv/b: target is busy.\nit is held by sleep (7)",
            &[],
        ),
        failure(
            "service:hidden",
            "it is masked, and the role does not say masked = false",
            &[],
        ),
    ];
    for at in 0..30 {
        let path = format!("/var/lib/app/{at}");
        let name = format!("file:{path}");
        failures.push(failure(
            &name,
            &full.replace("/var/lib/app/NAME", &path),
            &[],
        ));
    }
    let mut document = document(Done {
        changes: vec![change("file:/etc/motd", Action::Create)],
        failures,
        ..Done::default()
    });
    document.run = Some("20261125T182306Z-552a9e".into());
    document
}

#[test]
fn a_run_that_fails_ends_with_what_failed_why_and_what_to_do() {
    insta::assert_snapshot!(text(&failed(), Style::Plain, 80));
}

#[test]
fn an_error_that_is_no_resources_is_shown_too() {
    let error = Document::of_error(head(), DryRun::No, "the state folder cannot be written");
    let text = text(&error, Style::Plain, 80);
    assert!(
        text.contains("! failed\n    the state folder cannot be written\n"),
        "{text}"
    );
    assert!(!text.contains("Run it again"), "{text}");
}

#[test]
fn a_run_without_a_slot_says_why() {
    let head = Head {
        without_slot: Some("the other site is down".into()),
        ..head()
    };
    let document = Document::of_run(head, &Plan::default(), Done::default());
    let text = text(&document, Style::Plain, 200);
    let words = " · without a slot: the other site is down\n";
    assert!(text.contains(words), "{text}");
}
