//! What only a machine and its fleet can say, and what is said where they do not.

use crate::common::{catalog, facts, member, on_machine, role, text};
use cfg_catalog::facts::Facts;
use cfg_catalog::fleet::FleetView;
use cfg_catalog::resource::Desired;
use cfg_catalog::text::diagnostic::Diagnostics;
use cfg_catalog::{Fault, Inputs, Secrets, render};
use std::collections::BTreeMap;

/// This role on a machine that is no member of this fleet.
fn alone(role: &str, facts: &Facts, fleet: &FleetView) -> Result<Desired, Diagnostics> {
    let catalog = catalog(&[("web/role.toml", role)]);
    let inputs = Inputs {
        facts,
        fleet,
        me: None,
        node: "vm-3",
        leaf: None,
        set: &BTreeMap::new(),
        secrets: &Secrets::default(),
    };
    render(catalog.part("web").unwrap(), &inputs, catalog.files())
}

#[test]
fn fleet_and_member() {
    let desired = role(
        "[file.'/p']\ncontent = '''{% for p in fleet.peers() %}{{ p.id }}={{ p.address }} {% endfor %}'''\n\
         [file.'/me']\ncontent = '{{ member.id }}'\n\
         [file.'/none']\ncontent = \"{{ fleet.members('web') | length }}\"",
    );
    assert_eq!(text(&desired, "file:/p"), "1=10.0.0.1 3=10.0.0.3 ");
    assert_eq!(text(&desired, "file:/me"), "3");
    assert_eq!(text(&desired, "file:/none"), "2");
    let all = [
        (
            "web/role.toml",
            "[file.'/x']\ncontent = \"{{ fleet.members('db')[0].name }}\"",
        ),
        ("db/role.toml", "[file.'/x']\ncontent = '{{ member.id }}'"),
    ];
    assert_eq!(
        catalog(&all).part("web").unwrap().reads,
        ["db".to_owned()].into()
    );
    assert_eq!(
        text(&on_machine(&all, None, &[]).unwrap(), "file:/x"),
        "db-2"
    );
}

#[test]
fn without_a_fleet_what_reads_it_says_so() {
    for (content, why) in [
        (
            "{{ member.id }}",
            "this machine has no id in its role: give --fleet FILE, with vm-3 in it as a member of web",
        ),
        (
            "{{ fleet.peers() | length }}",
            "the fleet is not known here: give --fleet FILE",
        ),
    ] {
        let text = format!("\n[file.'/x']\ncontent = '{content}'");
        let wrong = alone(&text, &facts(), &FleetView::default()).unwrap_err();
        assert_eq!(wrong.fault(), Fault::Call, "{wrong}");
        let wrong = wrong.to_string();
        assert!(wrong.contains(why), "{wrong}");
        assert!(wrong.contains("web/role.toml:3:11"), "{wrong}");
    }
}

#[test]
fn a_fleet_without_this_machine_is_told_whom_it_lacks() {
    let text = "\n[file.'/x']\ncontent = '{{ member.id }}'";
    let fleet = FleetView {
        roles: BTreeMap::from([("web".into(), vec![member(1, "web")])]),
        ..FleetView::default()
    };
    let wrong = alone(text, &facts(), &fleet).unwrap_err();
    assert_eq!(wrong.fault(), Fault::Setup, "{wrong}");
    let why = "in --fleet no member of web is called vm-3";
    assert!(wrong.to_string().contains(why), "{wrong}");
}

#[test]
fn what_is_missing_on_a_machine_names_the_template_line() {
    let all = [
        (
            "web/role.toml",
            "[file.'/x']\ntemplate = 'x.j2'\n[file.'/y']\ncontent = '{{ facts.local.rack }}'",
        ),
        ("web/x.j2", "{% include 'y.j2' %}\n"),
        ("web/y.j2", "one\n  {{ facts.azure.compute.zone }}\n"),
    ];
    let wrong = on_machine(&all, None, &[]).unwrap_err();
    assert!(
        wrong.contains("`facts.azure.compute` is undefined"),
        "{wrong}"
    );
    assert!(wrong.contains("web/y.j2:2:6"), "{wrong}");
    let line = "2 |   {{ facts.azure.compute.zone }}";
    assert!(wrong.contains(line), "its text is at hand: {wrong}");
    assert!(wrong.contains("web/role.toml:2:"), "{wrong}");
    assert!(
        !wrong.contains("r7") && !wrong.contains("10.0.0.3"),
        "a value leaks: {wrong}"
    );
}

#[test]
fn who_reads_a_fact_that_could_not_be_had_is_told_why() {
    let unanswered = Facts {
        azure: Some(Err("the metadata service said nothing".into())),
        ..facts()
    };
    let role = |content: &str| {
        let text = format!("[file.'/x']\ncontent = '{{{{ {content} }}}}'");
        alone(&text, &unanswered, &FleetView::default()).map_err(|wrong| wrong.to_string())
    };
    assert!(role("facts.hostname").is_ok());
    // A role must not take it for a machine elsewhere.
    for content in [
        "facts.azure.compute.zone",
        "facts.azure",
        "facts.azure is defined",
        "facts.azure.compute.zone | default(\"none\")",
        "\"yes\" if facts.azure else \"no\"",
        "facts | tojson",
    ] {
        let wrong = role(content).unwrap_err();
        let why = "it could not be had: the metadata service said nothing";
        assert!(wrong.contains(why), "{content}: {wrong}");
    }
}
