//! What a command makes of what comes after it.

use super::declared::{command, desired, file, id, package, service};
use super::fake::Fake;
use cfg_catalog::plan::document::Done;
use cfg_catalog::resource::{Desired, Resource};

const CONF: &str = "/etc/daemon/conf";

fn after(mut resource: Resource, first: &[&str]) -> Resource {
    resource.after = first.iter().map(|text| id(text)).collect();
    resource
}

/// The command writes over a file that stands as it must.
fn fake() -> Fake {
    let mut fake = Fake::with(Some("2"), &[(CONF, "ours"), ("/etc/motd", "old")], &["one"]);
    fake.spoils.insert("c".into(), (CONF.into(), "its".into()));
    fake
}

fn role(conf: Resource) -> Desired {
    desired(vec![
        package("2"),
        file("/etc/motd", "hello"),
        command("c", &["file:/etc/motd"], &[]),
        conf,
        service("one", &[&format!("file:{CONF}")], &[]),
    ])
}

fn told(done: &Done) -> Vec<String> {
    let words = |change: &cfg_catalog::plan::Change| {
        let causes: Vec<String> = change.causes.iter().map(ToString::to_string).collect();
        let word = change.action.word();
        format!("{word} {} {}", change.resource, causes.join(" "))
    };
    done.changes.iter().map(words).collect()
}

#[test]
fn it_is_the_cause_of_what_it_made_necessary() {
    let mut fake = fake();
    let role = role(after(file(CONF, "ours"), &["command:c"]));
    let (plan, done) = fake.run(&role).unwrap();
    let planned: Vec<_> = plan
        .changes()
        .map(|change| change.resource.to_string())
        .collect();
    assert_eq!(planned, ["file:/etc/motd", "command:c"]);
    assert_eq!(
        told(&done),
        [
            "update file:/etc/motd ",
            "run command:c ",
            "update file:/etc/daemon/conf command:c",
        ]
    );
    assert_eq!(done.unforeseen, []);
    assert!(fake.starts.is_empty(), "it reads what it has read before");
}

/// By way of another, and what is there differs from what was: then what that owes is its consequence too.
#[test]
fn it_is_the_cause_by_way_of_others() {
    let mut fake = fake();
    let first = after(file("/etc/first", "x"), &["command:c"]);
    fake.write("/etc/first", "x");
    let mut role = role(after(file(CONF, "ours"), &["file:/etc/first"]));
    role.resources.push(first);
    role.resources.sort_by(|a, b| a.id.cmp(&b.id));
    let (_, done) = fake.run(&role).unwrap();
    assert!(told(&done).contains(&"update file:/etc/daemon/conf command:c".to_owned()));
    assert_eq!(done.unforeseen, []);
}

/// Two resources that fight: that a plan cannot know what a command does is no excuse where they do not come after it.
#[test]
fn what_does_not_come_after_it_is_unforeseen() {
    let mut fake = fake();
    let conf = file(CONF, "ours");
    let other = service("one", &[&format!("file:{CONF}")], &[]);
    let role = desired(vec![
        package("2"),
        file("/etc/motd", "hello"),
        command("c", &["file:/etc/motd"], &[]),
        conf,
        other,
    ]);
    let (_, done) = fake.run(&role).unwrap();
    let unforeseen: Vec<_> = done
        .unforeseen
        .iter()
        .map(|it| it.resource.to_string())
        .collect();
    assert_eq!(unforeseen, ["service:one"]);
}
