//! Who reads a secret is sensitive, by whatever way; and nothing of it is said where it does not fit.

use crate::common::{catalog, command, text, with_secrets};
use cfg_catalog::resource::Desired;
use cfg_catalog::{Catalog, CatalogFiles, Diagnostics, Fault, Secrets};

const PARAMS: &str = "[params]\n\
    key = { type = 'string', secret = true, default = { secret = 'web-key' } }\n\
    port = { type = 'integer', default = 80 }\n\
    users = { type = 'list', default = ['ann', 'bob'] }\n";

fn secrets() -> Secrets {
    let key = ("web-key".to_owned(), "hunter2".to_owned());
    Secrets::new("--secrets FILE", [key].into())
}

fn rendered(role: &str, more: &[(&str, &str)]) -> Result<Desired, Diagnostics> {
    let role = format!("{PARAMS}{role}");
    let files: Vec<(&str, &str)> = [("web/role.toml", role.as_str())]
        .into_iter()
        .chain(more.iter().copied())
        .collect();
    with_secrets(&catalog(&files), None, &[], &secrets())
}

/// The names of those that are sensitive.
fn sensitive(desired: &Desired) -> Vec<String> {
    let found = desired.resources.iter().filter(|r| r.sensitive);
    found.map(|r| r.id.to_string()).collect()
}

#[test]
fn every_way_to_a_secret_is_seen() {
    let part = ("web/part.j2", "{{ params.key }}");
    let module = (
        "web/module.j2",
        "{% macro key() %}{{ params.key }}{% endmacro %}{% macro port() %}{{ params.port }}{% endmacro %}",
    );
    for (template, reads) in [
        ("{{ params.key }}", true),
        ("{{ params['key'] }}", true),
        ("{{ params['k' ~ 'ey'] }}", true),
        ("{{ params.key | upper | replace('U', 'x') }}", true),
        ("{{ params.key | length }}", true),
        ("{{ 'yes' if params.key == 'x' else 'no' }}", true),
        ("{% if params.key %}yes{% endif %}", true),
        ("{% set k = params.key %}static", true),
        ("{% set p = params %}{{ p.key }}", true),
        (
            "{% for name, value in params | items %}{{ value }}{% endfor %}",
            true,
        ),
        ("{{ params }}", true),
        ("{{ params | tojson }}", true),
        (
            "{% macro m() %}{{ params.key }}{% endmacro %}{{ m() }}",
            true,
        ),
        ("{% with k = params.key %}x{% endwith %}", true),
        ("{% include 'part.j2' %}", true),
        ("{% import 'module.j2' as m %}{{ m.key() }}", true),
        ("{% from 'module.j2' import key %}{{ key() }}", true),
        ("{% import 'module.j2' as m %}{{ m.port() }}", false),
        ("{% macro m() %}{{ params.key }}{% endmacro %}x", false),
        (
            "{% if params.port > 1024 %}{{ params.key }}{% endif %}",
            false,
        ),
        (
            "{{ params.port }} {{ params | length }} {{ facts.hostname }}",
            false,
        ),
        ("{% for name in params %}{{ name }}{% endfor %}", false),
    ] {
        let role = "[file.'/x']\ntemplate = 'x.j2'\n[file.'/y']\ncontent = 'y'";
        let desired = rendered(role, &[("web/x.j2", template), part, module])
            .unwrap_or_else(|wrong| panic!("{template}: {wrong}"));
        let expected: &[&str] = if reads { &["file:/x"] } else { &[] };
        assert_eq!(sensitive(&desired), expected, "{template}");
    }
}

#[test]
fn each_and_when_count_too_and_one_resource_does_not_taint_another() {
    let role = "[file.'/a-{{ item.name }}']\n\
         each = [{ name = 'one', key = '{{ params.key }}' }, { name = 'two', key = 'open' }]\n\
         content = '{{ item.key }}'\n\
         [file.'/b-{{ item.name }}']\n\
         each = [{ name = 'one', key = '{{ params.key }}' }]\n\
         content = '{{ item.name }}'\n\
         [file.'/c']\nwhen = \"params.key != 'x'\"\ncontent = 'c'\n\
         [file.'/d']\nwhen = \"params.key == 'x'\"\ncontent = 'd'\n\
         [directory.'/e']\nwhen = 'params.key'\nsource = 'tree'\n\
         [package.nginx]\nwhen = 'params.key'\n\
         [file.'/open']\ncontent = '{{ params.port }}'\n\
         [user.'{{ item }}']\neach = 'params.users'\n\
         [command.x]\nrun = 'true'\ncreates = '/x'\nenv = { KEY = '{{ params.key }}', A = 'b' }\n\
         [user.root]\npassword_hash = '{{ params.key }}'";
    let desired = rendered(role, &[("web/tree/a", "x")]).unwrap();
    assert_eq!(
        sensitive(&desired),
        [
            "user:root",
            "package:nginx",
            "directory:/e",
            "file:/a-one",
            "file:/a-two",
            "file:/b-one",
            "file:/c",
            "file:/e/a",
            "command:x"
        ]
    );
    assert_eq!(text(&desired, "file:/a-one"), "hunter2");
    assert_eq!(text(&desired, "file:/a-two"), "open");
    assert_eq!(command(&desired, "command:x").env["KEY"], "hunter2");
}

#[test]
fn what_is_read_after_a_secret_is_judged_by_itself() {
    let role = "[file.'/x']\ncontent = '{{ params.key }}'\n\
        [fleet]\nhealth = 'curl localhost:{{ params.port }}'";
    let desired = rendered(role, &[]).unwrap_or_else(|wrong| panic!("{wrong}"));
    assert!(desired.health.is_some());
}

#[test]
fn a_secret_from_every_layer() {
    let base = "partial = true\n[params]\nkey = { type = 'string', secret = true }\n[file.'/x']\ncontent = '{{ params.key }}'";
    let key = "{ secret = 'web-key' }";
    let other = "{ secret = 'other' }";
    for (set, fleet, leaf) in [
        (key, String::new(), None),
        (other, format!("[params]\nkey = {key}"), None),
        (other, format!("[role.base]\nkey = {key}"), None),
        (other, format!("[role.web]\nkey = {key}"), None),
        (
            other,
            format!("[node.vm-3]\nkey = {key}"),
            Some(r#"{"node": "vm-3", "params": {"key": {"secret": "web-key"}}}"#),
        ),
    ] {
        let role = format!("include = ['base']\n[set]\nkey = {set}");
        let files = [
            ("web/role.toml", role.as_str()),
            ("base/role.toml", base),
            ("fleet.toml", fleet.as_str()),
        ];
        let desired = with_secrets(&catalog(&files), leaf, &[], &secrets()).unwrap();
        assert_eq!(text(&desired, "file:/x"), "hunter2", "{fleet}");
    }
}

#[test]
fn a_secret_that_is_not_at_hand_names_all_that_is_needed() {
    let role = format!("{PARAMS}[file.'/x']\ncontent = 'x'");
    let files = [("web/role.toml", role.as_str())];
    let empty = Secrets::new("--secrets /etc/x.toml", Default::default());
    for (secrets, words) in [
        (
            &empty,
            &[
                "`key`",
                "web-key",
                "--secrets /etc/x.toml",
                "web/role.toml:2:1",
            ][..],
        ),
        (
            &Secrets::default(),
            &["`key`", "web-key", "give --secrets FILE"],
        ),
    ] {
        let wrong = with_secrets(&catalog(&files), None, &[], secrets).unwrap_err();
        assert_eq!(wrong.fault(), Fault::Setup);
        let wrong = wrong.to_string();
        for word in words {
            assert!(wrong.contains(word), "{wrong}");
        }
    }
    let set = [("key", "hunter2")];
    let wrong = with_secrets(&catalog(&files), None, &set, &secrets()).unwrap_err();
    assert_eq!(wrong.fault(), Fault::Call);
    assert!(wrong.to_string().contains("`key` is secret"), "{wrong}");
    assert!(!wrong.to_string().contains("hunter2"), "{wrong}");
}

#[test]
fn what_does_not_fit_is_not_shown() {
    for (role, said) in [
        (
            "[file.'/x']\ncontent = '{{ params.key | int }}'",
            "it read a secret",
        ),
        (
            "[file.'/x']\ncontent = '{{ params.key + 1 }}'",
            "it read a secret",
        ),
        (
            "[file.'/x']\ncontent = '{{ params.key.a.b }}'",
            "`params.key.a.b` is undefined",
        ),
        (
            "[file.'/x']\ncontent = '{{ {params.key: 1}[params.port] }}'",
            "undefined",
        ),
        (
            "[file.'/x']\ncontent = '{{ range(params.key) }}'",
            "it read a secret",
        ),
        (
            "[file.'/x']\ncontent = '{{ params.key | batch }}'",
            "it read a secret",
        ),
        (
            "[file.'/x']\ncontent = '{{ [params.key] }}'",
            "it read a secret",
        ),
        (
            "[file.'/x']\nwhen = 'params.key + 1'\ncontent = ''",
            "it read a secret",
        ),
        (
            "[file.'/{{ item }}']\neach = 'params.key'\ncontent = ''",
            "`each` is an array",
        ),
        (
            "[command.x]\nrun = 'x'\ncreates = '/x'\nenv = '{{ {params.key ~ \"=\": 1} }}'",
            "it read a secret",
        ),
        (
            "[user.x]\npassword_hash = '{{ params.key }}:'",
            "it read a secret",
        ),
        ("[file.'/x']\ntemplate = 'x.j2'", "it read a secret"),
    ] {
        let wrong = rendered(role, &[("web/x.j2", "a\n{{ params.key | int }}")]).unwrap_err();
        assert_eq!(wrong.fault(), Fault::Catalog);
        let wrong = wrong.to_string();
        assert!(wrong.contains(said), "{wrong}");
        assert!(!wrong.to_lowercase().contains("hunter2"), "{wrong}");
        assert!(wrong.contains("web/"), "no place: {wrong}");
    }
    let pattern = PARAMS.replace("secret = true", "secret = true, pattern = '[0-9]+'");
    let files = [("web/role.toml", pattern.as_str())];
    let wrong = with_secrets(&catalog(&files), None, &[], &secrets()).unwrap_err();
    let said = "the secret web-key: it does not match the pattern of `key`, \"[0-9]+\"";
    assert!(wrong.to_string().contains(said), "{wrong}");
    assert!(!wrong.to_string().contains("hunter2"), "{wrong}");
}

#[test]
fn a_secret_where_none_may_stand_is_refused_on_a_machine_if_no_check_could_see_it() {
    let role = "[file.'/x']\ncontent = 'x'\nmode = \"{{ params['ke' ~ facts.local.y] }}\"";
    let all = format!("{PARAMS}{role}");
    let mut files = CatalogFiles::default();
    files.bytes.insert("web/role.toml".into(), all.into());
    assert!(Catalog::load(&files).is_ok(), "only a machine knows");
    let hidden = role.replace("facts.local.y", "(facts.local.rack | replace('r7', 'y'))");
    let wrong = rendered(&hidden, &[]).unwrap_err().to_string();
    assert!(wrong.contains("a secret cannot stand here"), "{wrong}");
    assert!(!wrong.contains("hunter2"), "{wrong}");
}

#[test]
fn a_check_hangs_on_nothing_that_a_secret_is() {
    for role in [
        "[file.'/x']\ncontent = '{{ params.key | int }}'",
        "[file.'/x']\ncontent = '{{ params.key[100] }}'",
        "[file.'/{{ item }}']\neach = ['a']\nwhen = \"params.key == 'y'\"\ncontent = ''\n\
         [service.x]\nrestart_on = ['file:/a']",
        "[user.x]\npassword_hash = '{{ params.key }}:'",
    ] {
        let mut files = CatalogFiles::default();
        let role = format!("{PARAMS}{role}");
        files.bytes.insert("web/role.toml".into(), role.into());
        let (_, warnings) = Catalog::load(&files).unwrap_or_else(|wrong| panic!("{wrong}"));
        assert!(warnings.is_empty(), "{warnings}");
    }
    // A resource that a secret decides over is checked whatever the sample decides.
    let mut files = CatalogFiles::default();
    let role = format!("{PARAMS}[file.'/x']\nwhen = \"params.key == 'y'\"\nmode = '{{{{ 1 }}}}'");
    files.bytes.insert("web/role.toml".into(), role.into());
    let wrong = Catalog::load(&files).unwrap_err().to_string();
    assert!(wrong.contains("octal"), "{wrong}");
}

#[test]
fn a_secret_is_not_published() {
    let role = format!("{PARAMS}[file.'/x']\ncontent = 'x'");
    let published = catalog(&[("web/role.toml", &role)]);
    let wrong = published.publishable().unwrap_err();
    assert_eq!(wrong.fault(), Fault::Call);
    let wrong = wrong.to_string();
    assert!(wrong.contains("`key` is secret"), "{wrong}");
    assert!(wrong.contains("not in this version"), "{wrong}");
    assert!(wrong.contains("web/role.toml:2:1"), "{wrong}");
    let open = catalog(&[("web/role.toml", "")]);
    assert!(open.publishable().is_ok());
}
