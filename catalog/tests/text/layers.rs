//! Values of params, by every layer; and the release that holds them.

use crate::common::{catalog, files, on_machine, text};
use cfg_catalog::Catalog;
use std::collections::BTreeMap;

const LAYERED: &[(&str, &str)] = &[
    (
        "base/role.toml",
        "partial = true\n[params]\nlevel = { type = 'integer', default = 0 }\n\
      [file.'/etc/level']\ncontent = '{{ params.level }}'",
    ),
    ("web/role.toml", "include = ['base']"),
];

#[test]
fn layers_of_params() {
    let level = |extra: &str, set: &str, leaf: Option<&str>, arg: &[(&str, &str)]| {
        let web = format!("include = ['base']\n{set}");
        let all = [
            LAYERED[0],
            ("web/role.toml", web.as_str()),
            ("fleet.toml", extra),
        ];
        text(&on_machine(&all, leaf, arg).unwrap(), "file:/etc/level")
    };
    let leaf = Some(r#"{"node": "vm-3", "params": {"level": 5}}"#);
    let set = "[set]\nlevel = 1";
    let all = "[params]\nlevel = 2\n";
    let included = "[params]\nlevel = 2\n[role.base]\nlevel = 3\n";
    let own = "[params]\nlevel = 2\n[role.base]\nlevel = 3\n[role.web]\nlevel = 4\n";
    assert_eq!(level("", "", None, &[]), "0");
    assert_eq!(level("", set, None, &[]), "1");
    assert_eq!(level(all, set, None, &[]), "2");
    assert_eq!(level(included, set, None, &[]), "3");
    assert_eq!(level(own, set, None, &[]), "4");
    assert_eq!(level(own, set, leaf, &[]), "5");
    assert_eq!(level(own, set, leaf, &[("level", "6")]), "6");
}

#[test]
fn leaves_hold_what_the_role_has() {
    let fleet = "[node.vm-1]\nlevel = 7\n[node.vm-2]\nother = 'x'\n";
    let other = "[params]\nother = { type = 'string', default = 'y' }";
    let all = [
        LAYERED[0],
        LAYERED[1],
        ("other/role.toml", other),
        ("fleet.toml", fleet),
    ];
    let catalog = catalog(&all);
    let leaves = catalog.leaves("web").unwrap();
    let names: Vec<&String> = leaves.keys().collect();
    assert_eq!(names, ["vm-1"]);
    assert_eq!(leaves["vm-1"], br#"{"node":"vm-1","params":{"level":7}}"#);
    assert_eq!(
        catalog.part("web").unwrap().nodes,
        cfg_catalog::release::nodes::root(leaves)
    );
}

#[test]
fn set_is_read_by_type() {
    let role = "[params]\n\
        s = { type = 'string', default = '' }\ni = { type = 'integer', default = 0, max = 9 }\n\
        f = { type = 'float', default = 0 }\nb = { type = 'boolean', default = false }\n\
        l = { type = 'list', default = [] }\nt = { type = 'table', default = {} }\n\
        [file.'/x']\ncontent = '{{ params|tojson }}\n'";
    let role = role.replace("\n'", "'");
    let all = [("web/role.toml", role.as_str())];
    let good = [
        ("s", "1 = 'x'"),
        ("i", "-3"),
        ("f", "2"),
        ("b", "true"),
        ("l", "['a', 1]"),
        ("t", "{ a = { b = 1 } }"),
    ];
    let desired = on_machine(&all, None, &good).unwrap();
    let params: serde_json::Value = serde_json::from_str(&text(&desired, "file:/x")).unwrap();
    assert_eq!(
        params,
        serde_json::json!({"s": "1 = 'x'", "i": -3, "f": 2.0, "b": true, "l": ["a", 1], "t": {"a": {"b": 1}}})
    );
    for (key, value, why) in [
        ("i", "x", "`i` is an integer, which \"x\" is not"),
        ("i", "10", "more than 9"),
        ("b", "yes", "boolean"),
        ("f", "inf", "float"),
        ("l", "a", "`l`"),
        ("l", "{}", "`l` is a list, not a table"),
        ("t", "{ secret = 'x' }", "takes no secret"),
        ("ss", "x", "has no param `ss`"),
    ] {
        let wrong = on_machine(&all, None, &[(key, value)]).unwrap_err();
        assert!(wrong.contains(why), "{wrong}");
    }
}

#[test]
fn a_release_is_whole_and_the_same_each_time() {
    let all = [
        LAYERED[0],
        LAYERED[1],
        ("db/role.toml", "[file.'/x']\nsource = 'x'"),
        ("db/x", "x"),
        ("fleet.toml", "[node.vm-1]\nlevel = 7"),
    ];
    let release = catalog(&all).release();
    assert_eq!(release, catalog(&all).release());
    let manifest: cfg_catalog::release::Manifest =
        serde_json::from_slice(&release.manifest).unwrap();
    let roles: Vec<&String> = manifest.roles.keys().collect();
    assert_eq!(roles, ["db", "web"], "a partial role has no part");
    for (role, digest) in &manifest.roles {
        let bytes = &release.parts[digest];
        assert_eq!(cfg_catalog::digest::Digest::of(bytes), *digest);
        let part: cfg_catalog::release::part::Part = serde_json::from_slice(bytes).unwrap();
        assert_eq!(&part, catalog(&all).part(role).unwrap());
        assert!(
            part.blobs()
                .iter()
                .all(|blob| release.blobs.contains_key(blob))
        );
    }
    assert_eq!(release.leaves.keys().collect::<Vec<_>>(), ["web"]);
}

#[test]
fn a_missing_value_may_come_from_the_command_line() {
    let all = files(&[(
        "web/role.toml",
        "[params]\nx = { type = 'string' }\n[file.'/x']\ncontent = '{{ params.x }}'",
    )]);
    let wrong = Catalog::load(&all).unwrap_err().to_string();
    assert!(wrong.contains("the param `x` has no value"), "{wrong}");
    let set = BTreeMap::from([("x".to_owned(), "v".to_owned())]);
    assert!(Catalog::load_with(all, &set).is_ok());
}
