//! The schemas that editors are given: valid themselves, and of one mind with the check.

use cfg_catalog::text::{keys, schema, words};
use cfg_catalog::{Catalog, CatalogFiles};
use jsonschema::{Draft, Validator};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

fn validator(schema: &serde_json::Value) -> Validator {
    assert!(jsonschema::meta::is_valid(schema));
    let options = jsonschema::options().with_draft(Draft::Draft202012);
    options.build(schema).unwrap()
}

/// What the schema has against a text; an error of TOML is one too.
fn wrong(validator: &Validator, text: &str) -> Vec<String> {
    match toml::from_str::<toml::Table>(text) {
        Err(why) => vec![why.to_string()],
        Ok(table) => {
            let value = serde_json::to_value(table).unwrap();
            let errors = validator.iter_errors(&value);
            errors
                .map(|e| format!("{}: {e}", e.instance_path()))
                .collect()
        }
    }
}

fn texts(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            texts(&path, found);
        } else if path.ends_with("role.toml") {
            found.push(path);
        }
    }
}

/// The roles and fleet.toml of stories whose catalogs are good.
fn good_stories() -> Vec<(String, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/stories");
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let story = super::stories::story(&std::fs::read_to_string(entry.unwrap().path()).unwrap());
        if Catalog::load(&story.files).is_ok() {
            let texts = story.files.bytes.into_iter();
            found.extend(texts.map(|(path, bytes)| (path, String::from_utf8(bytes).unwrap())));
        }
    }
    found
}

#[test]
fn what_is_good_is_let_pass() {
    let role = validator(&schema::role());
    let fleet = validator(&schema::fleet());
    let mut files = Vec::new();
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    for folder in ["../roles", "tests/scenarios"] {
        texts(&here.join(folder), &mut files);
    }
    assert!(files.len() > 20);
    for path in files {
        let text = std::fs::read_to_string(&path).unwrap();
        assert_eq!(wrong(&role, &text), [""; 0], "{}", path.display());
    }
    let shipped = std::fs::read_to_string(here.join("../roles/fleet.toml")).unwrap();
    assert_eq!(wrong(&fleet, &shipped), [""; 0]);
    let mut seen = 0;
    for (path, text) in good_stories() {
        let validator = match path.ends_with("role.toml") {
            true => &role,
            false if path == "fleet.toml" => &fleet,
            false => continue,
        };
        seen += 1;
        assert_eq!(wrong(validator, &text), [""; 0], "{path}:\n{text}");
    }
    assert!(seen > 5, "no good stories");
}

#[test]
fn each_form_of_a_key_is_let_pass() {
    let role = validator(&schema::role());
    let text = r#"
        [package]
        python3.11 = "*"
        gcc.12 = { hold = true }
        python3-zope.interface = "*"
        libjs-jquery.event.drag.version = "1.*"
        [package.node-color.js]
        state = "absent"
        [sysctl]
        net.ipv4.conf."eth0.1".forwarding = 1
        [sysctl.kernel]
        printk = "4 4 1 7"
        sysrq = { value = 0, when = true }
        [sysctl.dev.raid]
        value = "1"
        when = "params.raid"
        speed_limit_min = 100
        nginx = { version = "{{ params.v }}", hold = "{{ params.hold }}", when = true }
        [file."/etc/a"]
        content = ""
        mode = "{{ params.mode }}"
        owner = 0
        group = "www-data"
        validate = ["check", "%s"]
        each = "params.list"
        after = ["package:nginx", "{{ item }}"]
        [user.joe]
        uid = "{{ facts.local.uid }}"
        gid = 4294967294
        groups = "{{ params.groups }}"
        [command.x]
        run = "x"
        creates = "{{ params.folder }}/x"
        env = { A = "b" }
        timeout = "{{ params.minutes }}m"
        "#;
    assert_eq!(wrong(&role, text), [""; 0]);
}

#[test]
fn what_the_check_refuses_by_its_form_is_told() {
    let role = validator(&schema::role());
    for (text, good) in [
        ("[fleet]\nmax_unavailable = 1", true),
        ("[fleet]\nmax_unavailable = \"{{ params.n }}\"", false),
        ("[fleet]\nhealth_timeout = \"{{ params.n }}m\"", false),
        ("[fleet]\ngone_after = \"5m\"", true),
        ("[command.x]\ntimeout = \"0s\"", false),
        ("[command.x]\ntimeout = \"000m\"", false),
        ("[command.x]\ntimeout = \"010s\"", true),
        ("[command.x]\ntimeout = \"{{ params.n }}\"", true),
        ("[file.\"/x\"]\nmode = \"0\"", true),
        ("[file.\"/x\"]\nmode = \"01777\"", true),
        ("[file.\"/x\"]\nmode = \"11777\"", false),
    ] {
        assert_eq!(wrong(&role, text).is_empty(), good, "{text}");
    }
}

#[test]
fn every_key_is_let_pass() {
    let role = validator(&schema::role());
    let every = include_str!("../every_key/role.toml");
    let dry = include_str!("../../../tests/tests/dry_runs/role/role.toml");
    let around = r#"
        description = "x"
        include = ["base"]
        partial = true
        leftovers = "revert"
        [params.a]
        type = "integer"
        default = 1
        min = 0
        max = 2
        choices = [1, 2]
        [params.b]
        type = "string"
        pattern = "x.*"
        secret = true
        [set]
        a = 2
        [fleet]
        health = "true"
        health_timeout = "5s"
        wait_for = { web = 3 }
        max_unavailable = "10%"
        leader = ["true"]
        join_last = ["service:x"]
        gone_after = "5m"
        "#;
    for text in [every, dry, around] {
        assert_eq!(wrong(&role, text), [""; 0]);
    }
    let given = |table: &toml::Table| -> BTreeSet<String> { table.keys().cloned().collect() };
    let parsed = |text: &str| toml::from_str::<toml::Table>(text).unwrap();
    let kinds = parsed(every);
    for kind in cfg_catalog::id::Kind::ALL {
        let all = kinds[kind.word()].as_table().unwrap().values();
        let found: BTreeSet<_> = all
            .filter_map(|one| one.as_table())
            .flat_map(given)
            .collect();
        for key in keys::own(kind) {
            assert!(found.contains(key.name), "no {} of {kind:?}", key.name);
        }
    }
    let around = parsed(around);
    let inside = |table: &str| around[table].as_table().unwrap().clone();
    let params: toml::Table = inside("params")
        .values()
        .flat_map(|param| param.as_table().unwrap().clone())
        .collect();
    for (found, wanted) in [
        (given(&around), words::ROLE),
        (given(&params), words::PARAM),
    ] {
        let wanted: BTreeSet<_> = wanted.iter().map(|row| row.name.to_owned()).collect();
        assert_eq!(found, wanted);
    }
    let wanted: BTreeSet<_> = keys::FLEET.iter().map(|key| key.name.to_owned()).collect();
    assert_eq!(given(&inside("fleet")), wanted);
    assert!(
        keys::COMMON
            .iter()
            .all(|key| every.contains(&format!("\n{} = ", key.name)))
    );
}

#[test]
fn what_is_bad_in_itself_is_not_let_pass() {
    let role = validator(&schema::role());
    for text in [
        "descriptoin = 'x'",
        "include = 'base'",
        "partial = 'no'",
        "leftovers = 'remove'",
        "[pakage]",
        "[package]\nnginx = 1",
        "[package]\nnginx = { verson = '1' }",
        "[package.nginx]\nstate = 'gone'",
        "[package.nginx]\nhold = 'yes'",
        "[file.'/etc/a']\nmode = 644",
        "[file.'/etc/a']\nmode = 'rw-r--r--'",
        "[file.'/etc/a']\nmdoe = '0644'",
        "[file.'/etc/a']\nsource = '/etc/passwd'",
        "[file.'/etc/a']\nowner = true",
        "[file]\n'/etc/a' = 'text'",
        "[directory.'/srv']\npurge = 1",
        "[service.x]\nrestart_on = 'file:/etc/a'",
        "[service.x]\nrestart_on = ['fle:/etc/a']",
        "[service.x]\nrestart_on = ['user:a']",
        "[service.x]\nreload_on = ['link:/etc/a']",
        "[command.x]\nrun = 'x'\non = ['service:a']",
        "[user.x]\ngid = 4294967295",
        "[file.'/x']\nowner = 4294967295",
        "[sysctl]\nvm.valeu = 1",
        "[service.x]\nstate = true",
        "[user.joe]\nuid = -1",
        "[user.joe]\nshell = 'bash'",
        "[command.x]\nrun = []",
        "[command.x]\ntimeout = '5 minutes'",
        "[command.x]\nenv = { 'A-B' = 'c' }",
        "[params]\n'a-b' = { type = 'string' }",
        "[params]\na = { type = 'strin' }",
        "[params]\na = { default = 1 }",
        "[params]\na = 3",
        "[fleet]\nhealthy = true",
    ] {
        let mut files = CatalogFiles::default();
        files.bytes.insert("web/role.toml".into(), text.into());
        assert!(Catalog::load(&files).is_err(), "cfg lets pass: {text}");
        assert!(
            !wrong(&role, text).is_empty(),
            "the schema lets pass: {text}"
        );
    }
    let fleet = validator(&schema::fleet());
    for text in [
        "[parms]\na = 1",
        "params = 1",
        "[role]\nweb = 1",
        "[node.vm-1]\n'a-b' = 1",
    ] {
        assert!(!wrong(&fleet, text).is_empty(), "{text}");
    }
}

#[test]
fn every_key_has_its_words() {
    let role = schema::role();
    for kind in cfg_catalog::id::Kind::ALL {
        let mut one = &role["$defs"][kind.word()];
        if let Some(forms) = one["anyOf"].as_array() {
            one = &forms[1];
        }
        let properties = one["properties"].as_object().unwrap();
        for row in keys::of(kind) {
            assert!(
                properties[row.name]["description"].is_string(),
                "{}",
                row.name
            );
        }
    }
}
