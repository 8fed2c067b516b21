//! What a failure skips, and what it does not.

use super::declared::{command, desired, file, health, id, package, purged, service};
use super::fake::Fake;
use cfg_catalog::plan::document::{Done, Failure};
use cfg_catalog::resource::{Body, Desired};

const CONF: &str = "/etc/daemon/conf";

fn role() -> Desired {
    desired(vec![
        package("2"),
        file(CONF, "new"),
        file("/etc/motd", "hello"),
        command("format", &[&format!("file:{CONF}")], &[]),
        service("one", &[&format!("file:{CONF}")], &[]),
        service("two", &[], &["service:one"]),
    ])
}

fn run(fake: &mut Fake, desired: &Desired) -> Done {
    let (_, done) = fake.run(desired).unwrap();
    assert!(done.unforeseen.is_empty(), "{:?}", done.unforeseen);
    done
}

fn changed(done: &Done) -> Vec<String> {
    let words = |change: &cfg_catalog::plan::Change| {
        format!("{} {}", change.action.word(), change.resource)
    };
    done.changes.iter().map(words).collect()
}

#[test]
fn a_failed_file_skips_what_restarts_on_it_and_nothing_else() {
    let mut fake = Fake::with(Some("2"), &[(CONF, "old")], &["one", "two"]);
    let conf = id(&format!("file:{CONF}"));
    fake.failing.insert(conf.clone(), "the disk is full".into());
    let done = run(&mut fake, &role());
    assert_eq!(changed(&done), ["create file:/etc/motd"]);
    assert_eq!(done.failures.len(), 1);
    assert_eq!(done.failures[0].resource.as_ref(), Some(&conf));
    assert_eq!(done.failures[0].message, "the disk is full");
    assert!(fake.starts.is_empty(), "{:?}", fake.starts);
    // Mended, the next run does what this one could not.
    fake.failing.clear();
    let done = run(&mut fake, &role());
    assert!(done.failures.is_empty());
    assert_eq!(fake.starts["one"], 1);
}

/// The restart of `one` is only assumed, since the command could bring it about; with the failure it is skipped, and so
/// is `two`. That it turns out not to be due changes nothing of that: the plan has no start of `two`.
#[test]
fn what_is_skipped_for_a_change_that_was_only_assumed_stays_skipped() {
    let mut fake = Fake::with(Some("2"), &[(CONF, "new")], &["one"]);
    let mut folder = purged("/etc/daemon");
    if let Body::Directory(folder) = &mut folder.body {
        folder.purge = false;
    }
    let inputs = ["package:daemon", "directory:/etc/daemon"];
    let desired = desired(vec![
        package("3"),
        file("/etc/motd", "hello"),
        folder,
        command("format", &["file:/etc/motd"], &[]),
        service("one", &inputs, &[]),
        service("two", &[], &["service:one"]),
    ]);
    let done = run(&mut fake, &desired);
    assert_eq!(
        changed(&done),
        ["create file:/etc/motd", "run command:format"]
    );
    assert_eq!(
        done.failures[0].skipped,
        [id("service:one"), id("service:two")]
    );
}

#[test]
fn a_failed_package_says_what_apt_said() {
    let mut fake = Fake::with(None, &[], &[]);
    fake.failing
        .insert(id("package:daemon"), "E: Unable to fetch".into());
    let done = run(&mut fake, &role());
    let Failure { message, .. } = &done.failures[0];
    assert_eq!(message, "E: Unable to fetch");
    assert!(changed(&done).contains(&format!("create file:{CONF}")));
}

#[test]
fn a_service_that_dies_fails_and_skips_what_comes_after_it() {
    let mut fake = Fake::with(Some("2"), &[(CONF, "new"), ("/etc/motd", "hello")], &[]);
    fake.dying.insert("one".into());
    fake.told
        .insert(id("service:one"), "exit status 3\nbad conf".into());
    let done = run(&mut fake, &role());
    let failure = &done.failures[0];
    assert_eq!(failure.resource, Some(id("service:one")));
    assert_eq!(
        failure.message,
        "it was started, and ended within 2 s: exit status 3\nbad conf"
    );
    assert_eq!(failure.skipped, [id("service:two")]);
    assert!(!fake.starts.contains_key("two"));
}

#[test]
fn what_systemd_starts_again_for_ever_fails_until_it_stays_up() {
    let mut fake = Fake::with(Some("2"), &[(CONF, "new"), ("/etc/motd", "hello")], &[]);
    fake.looping.insert("one".into());
    let told = |done: &Done| {
        let failures = done.failures.iter();
        failures.map(|it| it.message.clone()).collect::<Vec<_>>()
    };
    let first = run(&mut fake, &role());
    let words = "and died and came again within 2 s";
    assert_eq!(told(&first), [format!("it was started, {words}")]);
    fake.services.get_mut("one").unwrap().enabled = true;
    let starts = fake.starts.clone();
    for _ in 0..2 {
        let again = run(&mut fake, &role());
        let one = told(&again).remove(0);
        assert_eq!(
            one,
            "an earlier run started it, and it died and came again within 2 s"
        );
    }
    assert_eq!(fake.starts["one"], starts["one"]);
    fake.looping.clear();
    assert_eq!(told(&run(&mut fake, &role())), [] as [&str; 0]);
    let now = fake.now;
    assert_eq!(told(&run(&mut fake, &role())), [] as [&str; 0]);
    assert!(fake.now - now < 1_000_000, "nobody waits any more");
}

#[test]
fn a_role_that_does_not_get_healthy_fails_until_it_is() {
    let desired = Desired {
        health: health(),
        ..role()
    };
    let mut fake = Fake::with(Some("2"), &[(CONF, "new"), ("/etc/motd", "hello")], &[]);
    fake.sick = true;
    let done = run(&mut fake, &desired);
    assert_eq!(done.failures.len(), 2);
    for failure in &done.failures {
        assert!(failure.message.contains("no quorum"), "{}", failure.message);
        assert!(failure.message.contains("5 s"), "{}", failure.message);
    }
    // Nothing is restarted on that account, and the run does not say that all is well.
    let starts = fake.starts.clone();
    let done = run(&mut fake, &desired);
    assert!(done.changes.is_empty());
    assert!(done.failures[0].message.contains("still not healthy"));
    assert_eq!(fake.starts, starts);
    fake.sick = false;
    assert!(run(&mut fake, &desired).failures.is_empty());
    fake.sick = true;
    assert!(
        run(&mut fake, &desired).failures.is_empty(),
        "nothing was started, so nothing is judged"
    );
}

#[test]
fn a_failed_command_is_owed_still() {
    let mut fake = Fake::with(Some("2"), &[(CONF, "old")], &["one", "two"]);
    run(&mut fake, &role());
    let role = desired(vec![
        file(CONF, "newer"),
        command("format", &[&format!("file:{CONF}")], &[]),
    ]);
    fake.failing
        .insert(id("command:format"), "it exited with 1".into());
    let done = run(&mut fake, &role);
    assert_eq!(done.failures[0].message, "it exited with 1");
    assert!(
        done.begun.contains(&id("command:format")),
        "it may have done something"
    );
    fake.failing.clear();
    let done = run(&mut fake, &role);
    assert_eq!(changed(&done), ["run command:format"]);
    assert!(run(&mut fake, &role).changes.is_empty());
}

/// That the role's file lies in the folder is known by a link that the package brings.
#[test]
fn a_purge_knows_the_link_that_a_package_has_just_brought() {
    let all = [package("2"), purged("/c"), file("/d/x", "shipped")];
    let role = desired(all.into());
    let mut fake = Fake {
        ships: Some(("/d", "/c")),
        ..Fake::with(None, &[("/c/stray", "s")], &[])
    };
    let done = run(&mut fake, &role);
    assert_eq!(done.failures, []);
    assert!(!fake.files.contains_key("/c/stray"));
    let (_, installed_us) = fake.package.clone().unwrap();
    let (_, written_us) = fake.files["/c/x"];
    assert_eq!(written_us - installed_us, 1000, "it was written once");
    assert!(fake.plan(&role).changes().next().is_none());
}

#[test]
fn a_command_whose_guard_would_have_it_run_again_says_what_it_said() {
    let mut fake = Fake::with(None, &[], &[]);
    let mut once = command("once", &[], &[]);
    if let Body::Command(command) = &mut once.body {
        command.creates = Some("/var/lib/once".parse().unwrap());
    }
    let told = |fake: &mut Fake| {
        run(fake, &desired(vec![once.clone()])).failures[0]
            .message
            .clone()
    };
    let again = "done, and yet it differs still: its guard would have it run again";
    assert_eq!(told(&mut fake), again);
    let mut says = |words: &str| {
        fake.told.insert(id("command:once"), words.into());
        told(&mut fake)
    };
    assert_eq!(
        says("cannot write"),
        format!("{again}; it said last: cannot write")
    );
    assert_eq!(
        says("one\ntwo"),
        format!("{again}; it said last:\none\ntwo")
    );
}
