//! Values of params, by every layer; and the release that holds them.

use crate::common::{catalog, files, in_catalog, on_machine, text};
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

/// Roles with the text of each; `web` is the machine's own. What `x` comes to, or a part of what is said.
type Layered<'a> = (&'a str, &'a [(&'a str, &'a str)], Result<&'a str, &'a str>);

/// `x` in the roles of a catalog: who says what of it, and who wins.
const SAID_BY_ROLES: &[Layered<'_>] = &[
    (
        "the default of who declares it",
        &[
            ("base", "[params]\nx = { type = 'integer', default = 1 }"),
            ("web", "include = ['base']"),
        ],
        Ok("1"),
    ),
    (
        "an includer sets it",
        &[
            ("base", "[params]\nx = { type = 'integer', default = 1 }"),
            ("left", "include = ['base']\n[set]\nx = 2"),
            ("web", "include = ['left']"),
        ],
        Ok("2"),
    ),
    (
        "an includer of that one sets it too",
        &[
            ("base", "[params]\nx = { type = 'integer', default = 1 }"),
            ("left", "include = ['base']\n[set]\nx = 2"),
            ("web", "include = ['left']\n[set]\nx = 3"),
        ],
        Ok("3"),
    ),
    (
        "an includer declares it anew, over what it includes sets",
        &[
            ("base", "[params]\nx = { type = 'integer', default = 1 }"),
            ("left", "include = ['base']\n[set]\nx = 2"),
            (
                "web",
                "include = ['left']\n[params]\nx = { type = 'integer', default = 9 }",
            ),
        ],
        Ok("9"),
    ),
    (
        "and one further out sets it again",
        &[
            ("base", "[params]\nx = { type = 'integer', default = 1 }"),
            ("left", "include = ['base']\n[set]\nx = 2"),
            (
                "mid",
                "include = ['left']\n[params]\nx = { type = 'integer', default = 9 }",
            ),
            ("web", "include = ['mid']\n[set]\nx = 4"),
        ],
        Ok("4"),
    ),
    (
        "declared anew without a default, it is what is set below",
        &[
            ("base", "[params]\nx = { type = 'integer', default = 1 }"),
            ("left", "include = ['base']\n[set]\nx = 2"),
            (
                "web",
                "include = ['left']\n[params]\nx = { type = 'integer', max = 5 }",
            ),
        ],
        Ok("2"),
    ),
    (
        "and what is set below must fit",
        &[
            ("base", "[params]\nx = { type = 'integer', default = 1 }"),
            ("left", "include = ['base']\n[set]\nx = 2"),
            (
                "web",
                "include = ['left']\n[params]\nx = { type = 'integer', min = 5 }",
            ),
        ],
        Err("2 is less than 5, the least for `x`"),
    ),
    (
        "declared anew without a default, it needs a value",
        &[
            ("base", "[params]\nx = { type = 'integer', default = 1 }"),
            (
                "web",
                "include = ['base']\n[params]\nx = { type = 'integer' }",
            ),
        ],
        Err("the param `x` has no value"),
    ),
    (
        "who declares it itself does not set it",
        &[
            ("base", "[params]\nx = { type = 'integer', default = 1 }"),
            (
                "web",
                "include = ['base']\n[params]\nx = { type = 'integer', default = 9 }\n[set]\nx = 9",
            ),
        ],
        Err("write it as the default"),
    ),
    (
        "siblings with the same default",
        &[
            (
                "a",
                "[params]\nx = { type = 'integer', default = 1, min = 0 }",
            ),
            (
                "b",
                "[params]\nx = { type = 'integer', default = 1, min = 0.0 }",
            ),
            ("web", "include = ['a', 'b']"),
        ],
        Ok("1"),
    ),
    (
        "siblings with other defaults",
        &[
            ("a", "[params]\nx = { type = 'integer', default = 1 }"),
            ("b", "[params]\nx = { type = 'integer', default = 2 }"),
            ("web", "include = ['a', 'b']"),
        ],
        Err("gives it a value in [set] decides"),
    ),
    (
        "and their includer sets it",
        &[
            ("a", "[params]\nx = { type = 'integer', default = 1 }"),
            ("b", "[params]\nx = { type = 'integer' }"),
            ("web", "include = ['a', 'b']\n[set]\nx = 3"),
        ],
        Ok("3"),
    ),
    (
        "or declares it",
        &[
            ("a", "[params]\nx = { type = 'integer', default = 1 }"),
            ("b", "[params]\nx = { type = 'string', default = '2' }"),
            (
                "web",
                "include = ['a', 'b']\n[params]\nx = { type = 'integer', default = 3 }",
            ),
        ],
        Ok("3"),
    ),
    (
        "siblings with other types are not settled by a value",
        &[
            ("a", "[params]\nx = { type = 'integer', default = 1 }"),
            ("b", "[params]\nx = { type = 'string', default = '2' }"),
            ("web", "include = ['a', 'b']\n[set]\nx = 3"),
        ],
        Err("declares it in its own [params] decides"),
    ),
    (
        "nor by an includer of one of them",
        &[
            ("a", "[params]\nx = { type = 'integer', default = 1 }"),
            ("b", "[params]\nx = { type = 'integer', default = 2 }"),
            ("over-b", "include = ['b']\n[set]\nx = 3"),
            ("web", "include = ['a', 'over-b']"),
        ],
        Err("the roles a and b declare the param `x` differently"),
    ),
    (
        "siblings that set it differently",
        &[
            ("base", "[params]\nx = { type = 'integer', default = 1 }"),
            ("a", "include = ['base']\n[set]\nx = 2"),
            ("b", "include = ['base']\n[set]\nx = 3"),
            ("web", "include = ['a', 'b']"),
        ],
        Err("the roles a and b give the param `x` different values"),
    ),
    (
        "and their includer declares it anew",
        &[
            ("base", "[params]\nx = { type = 'integer', default = 1 }"),
            ("a", "include = ['base']\n[set]\nx = 2"),
            ("b", "include = ['base']\n[set]\nx = 3"),
            (
                "web",
                "include = ['a', 'b']\n[params]\nx = { type = 'integer', default = 9 }",
            ),
        ],
        Ok("9"),
    ),
    (
        "a sibling's default yields to what is set: it is what holds where nobody says",
        &[
            ("base", "[params]\nx = { type = 'integer', default = 1 }"),
            ("a", "[params]\nx = { type = 'integer', default = 1 }"),
            ("b", "include = ['base']\n[set]\nx = 3"),
            ("web", "include = ['a', 'b']"),
        ],
        Ok("3"),
    ),
    (
        "the fleet's layers come after all that",
        &[
            ("base", "[params]\nx = { type = 'integer', default = 1 }"),
            ("left", "include = ['base']\n[set]\nx = 2"),
            (
                "web",
                "include = ['left']\n[params]\nx = { type = 'integer', default = 9 }",
            ),
            ("fleet.toml", "[role.base]\nx = 7"),
        ],
        Ok("7"),
    ),
];

#[test]
fn the_includer_wins_and_siblings_agree() {
    for (case, roles, expected) in SAID_BY_ROLES {
        let texts: Vec<(String, String)> = roles
            .iter()
            .map(|(name, text)| match *name {
                "fleet.toml" => ((*name).to_owned(), (*text).to_owned()),
                "web" => {
                    let file = "[file.'/x']\ncontent = '{{ params.x }}'";
                    ("web/role.toml".into(), format!("{text}\n{file}"))
                }
                name => (
                    format!("{name}/role.toml"),
                    format!("partial = true\n{text}"),
                ),
            })
            .collect();
        let all: Vec<(&str, &str)> = texts.iter().map(|(a, b)| (&**a, &**b)).collect();
        match (Catalog::load(&files(&all)), expected) {
            (Ok((catalog, _)), Ok(value)) => {
                let desired = in_catalog(&catalog, None, &[]).unwrap();
                assert_eq!(text(&desired, "file:/x"), *value, "{case}");
            }
            (Err(wrong), Err(part)) => {
                assert!(wrong.to_string().contains(part), "{case}\n{wrong}");
            }
            (Ok(_), Err(part)) => panic!("{case}: expected {part}"),
            (Err(wrong), Ok(_)) => panic!("{case}\n{wrong}"),
        }
    }
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
