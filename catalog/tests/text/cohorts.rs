//! Which resources wait for members that have not enrolled: by whatever way they read them, or name what does.

use crate::common::{as_member, catalog, ids, on_machine};
use cfg_catalog::fleet::Limit;
use cfg_catalog::resource::{Desired, Shell};

/// `web` has two members, `db` one: this role waits for a third of each.
fn waiting(text: &str) -> Desired {
    let web = format!("[fleet]\nwait_for = {{ web = 3, db = 2 }}\n{text}");
    let files = [
        ("web/role.toml", web.as_str()),
        (
            "web/peers.j2",
            "{% for peer in fleet.peers() %}{{ peer.id }}{% endfor %}",
        ),
        ("web/through.j2", "{% include 'peers.j2' %}"),
        ("db/role.toml", ""),
        ("free/role.toml", ""),
    ];
    on_machine(&files, None, &[]).unwrap()
}

fn held(desired: &Desired) -> Vec<String> {
    let all = desired.waiting.all();
    let mut all: Vec<String> = all.map(|(id, _)| id.to_string()).collect();
    all.sort();
    all
}

#[test]
fn whoever_reads_the_members() {
    for (keys, waits) in [
        ("content = '{{ fleet.peers() | length }}'", true),
        ("content = \"{{ fleet.members('db')[1].address }}\"", true),
        ("content = \"{{ fleet.members('free') | length }}\"", false),
        ("content = '{{ member.id }}'", false),
        ("content = 'x'\nwhen = 'fleet.peers() | length > 2'", true),
        ("content = 'x'\nwhen = 'false and fleet.peers()'", false),
        (
            "content = 'x'\nmode = '{{ 0 ~ fleet.peers()[2].id ~ 44 }}'",
            true,
        ),
        ("template = 'peers.j2'", true),
        ("template = 'through.j2'", true),
        (
            "content = '{% set p = fleet.peers() %}{{ p | length }}'",
            true,
        ),
        (
            "content = '{% if member.id == 9 %}{{ fleet.peers() | length }}{% endif %}'",
            false,
        ),
    ] {
        let desired = waiting(&format!("[file.\"/x\"]\n{keys}"));
        let name = "file:/x".to_owned();
        assert_eq!(held(&desired).contains(&name), waits, "{keys}");
        assert_eq!(
            desired.names(&"file:/x".parse().unwrap()),
            waits || ids(&desired).contains(&name)
        );
        if waits {
            assert!(!ids(&desired).contains(&name), "{keys}");
        }
    }
}

#[test]
fn for_whom_it_waits() {
    let desired = waiting(
        "[file.\"/x\"]\ncontent = \"{{ fleet.members('db') | length }}{{ fleet.peers() | length }}\"",
    );
    let told = desired.waiting.of(&"file:/x".parse().unwrap()).unwrap();
    assert_eq!(told.to_string(), "waiting for db: 1 of 2");
}

#[test]
fn whoever_names_what_waits() {
    const READER: &str = "
        [file.\"/etc/a/x\"]\ncontent = '{{ fleet.peers() | length }}'
        [file.\"/etc/b/{{ item.name }}\"]\neach = 'fleet.peers()'\ncontent = ''
        [file.\"/etc/c\"]\ncontent = ''\n";
    for (keys, waits) in [
        ("restart_on = ['file:/etc/a/x']", true),
        ("restart_on = ['file:/etc/a/*']", true),
        ("restart_on = ['file:/etc/*/x']", true),
        ("restart_on = ['file:/etc/b/web-1']", true),
        ("restart_on = ['file:/etc/b/*']", true),
        ("reload_on = ['file:/**']", true),
        ("after = ['file:/etc/a/x']", true),
        ("restart_on = ['file:/etc/c']", false),
        ("restart_on = ['file:/etc/c*']", false),
        ("after = ['file:/etc/c']", false),
    ] {
        let desired = waiting(&format!("{READER}[service.web]\nstate = 'running'\n{keys}"));
        assert_eq!(
            held(&desired).contains(&"service:web".into()),
            waits,
            "{keys}"
        );
        assert!(
            ids(&desired).contains(&"service:web".into()),
            "it is rendered all the same"
        );
    }
}

#[test]
fn nothing_starts_whose_health_cannot_be_asked() {
    let desired = waiting(
        "health = ['ask', '{{ fleet.peers()[2].address }}']\n[service.web]\nstate = 'running'\n[file.\"/x\"]\ncontent = ''",
    );
    assert_eq!(held(&desired), ["service:web"]);
    assert_eq!(desired.health, None);
}

#[test]
fn what_has_no_name_yet_may_be_what_is_asked_for() {
    let desired =
        waiting("[file.\"/etc/b/{{ item.name }}.conf\"]\neach = 'fleet.peers()'\ncontent = ''");
    for (name, may) in [
        ("file:/etc/b/web-9.conf", true),
        ("file:/etc/b/web-9", false),
        ("link:/etc/b/web-9.conf", false),
        ("file:/etc/web-9.conf", false),
    ] {
        assert_eq!(desired.names(&name.parse().unwrap()), may, "{name}");
    }
    for (path, may) in [
        ("/etc/b/x", true),
        ("/etc/b", true),
        ("/etc", true),
        ("/etc/c", false),
    ] {
        assert_eq!(
            desired.waiting.may_stand(&path.parse().unwrap()),
            may,
            "{path}"
        );
    }
}

#[test]
fn what_joins_last_waits_while_the_machine_is_new() {
    let text = "[fleet]
wait_for = { web = 1 }
health = \"srv{% if not member.joining %} && late{% endif %}\"
max_unavailable = \"10%\"
leader = [\"leads\"]
join_last = [\"service:la*\"]

[service.first]
state = \"running\"

[service.late]
state = \"running\"

[file.\"/x\"]
content = \"{{ fleet.peers() | length }}\"
";
    let catalog = catalog(&[("web/role.toml", text)]);
    for (joining, waits, command) in [
        (false, &[][..], "srv && late"),
        (true, &["service:late"], "srv"),
    ] {
        let desired = as_member(&catalog, joining).unwrap();
        assert_eq!(held(&desired), waits);
        let asked = desired.health.map(|health| health.command);
        assert_eq!(asked, Some(Shell::Line(command.into())));
        let slots = desired.slots.unwrap();
        assert_eq!(slots.limit, Limit::Percent(10));
        assert_eq!(slots.leader, Some(Shell::Argv(vec!["leads".into()])));
        for (id, whom) in desired.waiting.all() {
            let said = whom.to_string();
            assert_eq!(
                said, "waiting until the other members of web know this one",
                "{id}"
            );
        }
    }
}
