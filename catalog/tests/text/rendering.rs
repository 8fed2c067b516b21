//! What a role becomes on one machine.

use crate::common::{
    catalog, command, facts, file, files, ids, on_machine, package, repository, role, service, text,
};
use cfg_catalog::Catalog;
use cfg_catalog::resource::Shell;
use cfg_catalog::resource::package::Wanted;

#[test]
fn a_whole_expression_keeps_its_type() {
    let desired = role(
        r#"
        [params]
        hold = { type = "boolean", default = true }
        words = { type = "list", default = ["a b", "c"] }
        port = { type = "integer", default = 80 }
        [package.nginx]
        hold = "{{ params.hold }}"
        [command.x]
        run = "{{ params.words }}"
        creates = "/x"
        env = { PORT = "{{ params.port }}" }
        [file."/etc/port"]
        content = "{{ params.port }}"
        [file."/etc/line"]
        content = "{{ params.port }}\n"
        "#,
    );
    assert_eq!(package(&desired, "package:nginx").hold, Some(true));
    let x = command(&desired, "command:x");
    assert_eq!(x.run, Shell::Argv(vec!["a b".into(), "c".into()]));
    assert_eq!(x.env["PORT"], "80");
    assert_eq!(text(&desired, "file:/etc/port"), "80");
    assert_eq!(text(&desired, "file:/etc/line"), "80\n");
}

#[test]
fn blocks_are_trimmed_as_in_jinja_and_a_final_newline_is_kept() {
    let desired = role(
        "[file.\"/a\"]\ncontent = \"\"\"\none\n  {% if true %}\ntwo & <b>\n  {% endif %}\n\"\"\"\n\
         [file.\"/b\"]\ncontent = 'x'",
    );
    assert_eq!(text(&desired, "file:/a"), "one\ntwo & <b>\n");
    assert_eq!(text(&desired, "file:/b"), "x");
}

#[test]
fn where_text_is_wanted_a_whole_expression_is_written_as_within_a_text() {
    let desired = role(
        r#"
        [params]
        yes = { type = "boolean", default = true }
        small = { type = "float", default = 1e-7 }
        whole = { type = "float", default = 3 }
        big = { type = "integer", default = 9223372036854775807 }
        [file."/whole/{{ item }}"]
        each = ["yes", "small", "whole", "big"]
        content = "{{ params[item] }}"
        [file."/within/{{ item }}"]
        each = ["yes", "small", "whole", "big"]
        content = "{{ params[item] }}\n"
        [command.x]
        run = ["echo", "{{ params.yes }}"]
        env = { A = "{{ params.yes }}", B = "{{ params.yes }} " }
        creates = "/x"
        "#,
    );
    for (name, written) in [
        ("yes", "True"),
        ("small", "0.0000001"),
        ("whole", "3.0"),
        ("big", "9223372036854775807"),
    ] {
        assert_eq!(text(&desired, &format!("file:/whole/{name}")), written);
        let within = text(&desired, &format!("file:/within/{name}"));
        assert_eq!(within, format!("{written}\n"));
    }
    let x = command(&desired, "command:x");
    assert_eq!(x.run, Shell::Argv(vec!["echo".into(), "True".into()]));
    assert_eq!((&*x.env["A"], &*x.env["B"]), ("True", "True "));
}

/// What one template file comes to, with others beside it.
fn template(main: &str, others: &[(&str, &str)]) -> String {
    let role = "[params]\nnames = { type = 'list', default = ['a', 'b'] }\n\
        [file.'/x']\ntemplate = 'main.j2'";
    let mut all = vec![("web/role.toml", role), ("web/main.j2", main)];
    all.extend(others);
    text(&on_machine(&all, None, &[]).unwrap(), "file:/x")
}

#[test]
fn a_template_file_sees_the_variables_of_who_includes_it() {
    let line = [("web/line.j2", "{{ s }}{{ loop.index }} ")];
    let many = "{% for s in params.names %}{% include 'line.j2' %}{% endfor %}";
    assert_eq!(template(many, &line), "a1 b2 ");
    let base = "{% set port = 5 %}<{{ title | default('none') }}:{% block b %}{% endblock %}>";
    let base = [("web/base.j2", base)];
    let child = "{% set title = 'T' %}{% extends 'base.j2' %}{% block b %}{{ port }}{% endblock %}";
    assert_eq!(template(child, &base), "<T:5>");
    assert_eq!(template("{% extends 'base.j2' %}", &base), "<none:>");
    let asks = "{% if s is defined %}{{ s }}{% else %}no s{% endif %}";
    let asks = [("web/asks.j2", asks)];
    assert_eq!(template("{% include 'asks.j2' %}", &asks), "no s");
    let with = "{% with s = 1 %}{% include 'asks.j2' %}{% endwith %}";
    assert_eq!(template(with, &asks), "1");
}

#[test]
fn of_several_files_to_include_the_first_that_is_there_counts() {
    let others = [("web/a.txt", "A"), ("web/b.txt", "B")];
    for (main, expected) in [
        ("{% include ['c', 'b.txt', 'a.txt'] %}", "B"),
        ("{% include ('a.txt', 'b.txt') %}", "A"),
        ("<{% include 'c' ignore missing %}>", "<>"),
        ("<{% include ['c', 'd'] ignore missing %}>", "<>"),
        ("{% include ['c', 'a.txt'] ignore missing %}", "A"),
    ] {
        assert_eq!(template(main, &others), expected, "{main}");
    }
    assert_eq!(template("{{ 'a b/c' | urlencode }}", &[]), "a%20b/c");
}

#[test]
fn when_and_each() {
    let desired = role(
        r#"
        [params]
        users = { type = "list", default = [{ name = "ann", admin = true }, { name = "bob", admin = false }] }
        [user."{{ item.name }}"]
        each = "params.users"
        when = "item.admin"
        [file."/etc/sites/{{ item }}"]
        each = ["a", "b-{{ facts.hostname }}"]
        content = "{{ item }}"
        [package.never]
        when = "facts.os.id == 'plan9'"
        [service.app]
        restart_on = ["package:never", "file:/etc/sites/*", "file:/etc/sites/elsewhere"]
        "#,
    );
    assert_eq!(
        ids(&desired),
        [
            "user:ann",
            "file:/etc/sites/a",
            "file:/etc/sites/b-vm-3",
            "service:app"
        ]
    );
    let inputs = &service(&desired, "service:app").restart_on;
    let inputs: Vec<String> = inputs.iter().map(ToString::to_string).collect();
    assert_eq!(inputs, ["file:/etc/sites/a", "file:/etc/sites/b-vm-3"]);
}

#[test]
fn references_become_exact() {
    let desired = role(
        r#"
        [file."/etc/web/a"]
        [file."/etc/web/sub/b"]
        [file."/etc/web/[a]"]
        [directory."/etc/web"]
        [package.nginx]
        [service.nginx]
        restart_on = ["file:/etc//web/*", "package:ngin?"]
        [service.deep]
        restart_on = ["file:/etc/web/**"]
        [service.exact]
        restart_on = ["file:/etc/web/[a]", "directory:/etc/web/"]
        after = ["service:ngin*.service", "service:deep.service"]
        [link."/etc/l"]
        target = "x"
        after = ["*:x"]
        "#
        .replace("after = [\"*:x\"]\n", "")
        .as_str(),
    );
    let inputs = |id: &str| {
        let ids = &service(&desired, id).restart_on;
        ids.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    assert_eq!(
        inputs("service:nginx"),
        ["package:nginx", "file:/etc/web/[a]", "file:/etc/web/a"]
    );
    assert_eq!(
        inputs("service:deep"),
        [
            "file:/etc/web/[a]",
            "file:/etc/web/a",
            "file:/etc/web/sub/b"
        ]
    );
    assert_eq!(
        inputs("service:exact"),
        ["directory:/etc/web", "file:/etc/web/[a]"]
    );
    let exact = desired
        .resources
        .iter()
        .find(|r| &*r.id.name == "exact")
        .unwrap();
    let after: Vec<String> = exact.after.iter().map(ToString::to_string).collect();
    assert_eq!(after, ["service:deep", "service:nginx"]);
}

#[test]
fn a_repository_is_a_whole_stanza() {
    let all = [
        (
            "web/role.toml",
            "[repository.site]\nuris = ['https://deb.example.org/x']\nsuites = ['stable']\n\
             components = ['main', 'extra']\narchitectures = ['amd64']\nsigned_by = 'site.asc'\n\
             [repository.flat]\nuris = ['file:/srv/debs']\nsuites = ['./']",
        ),
        ("web/site.asc", "-----BEGIN PGP PUBLIC KEY BLOCK-----\n"),
    ];
    let desired = on_machine(&all, None, &[]).unwrap();
    let site = repository(&desired, "repository:site");
    assert_eq!(
        String::from_utf8_lossy(&site.sources),
        "Types: deb\nURIs: https://deb.example.org/x\nSuites: stable\nComponents: main extra\n\
         Architectures: amd64\nSigned-By: /etc/apt/keyrings/cfg-site.asc\n"
    );
    let flat = repository(&desired, "repository:flat");
    assert_eq!(
        String::from_utf8_lossy(&flat.sources),
        "Types: deb\nURIs: file:/srv/debs\nSuites: ./\n"
    );
    let bad = all[0]
        .1
        .replace("['stable']", "['stable', 'a b\\nc']")
        .replace("'a b\\nc'", "\"a\\nEvil: x\"");
    let wrong = Catalog::load(&files(&[("web/role.toml", &bad), all[1]])).unwrap_err();
    assert!(wrong.to_string().contains("line break"), "{wrong}");
}

#[test]
fn versions() {
    let desired = role(
        "[package]\naa = '*'\nbb = 'latest'\ncc = '1:3.8.*'\ndd = '1.2-3~bpo+1'\n[package.ee]\nstate = 'absent'",
    );
    for (name, wanted) in [
        ("aa", Wanted::Any),
        ("bb", Wanted::Latest),
        ("cc", Wanted::Glob("1:3.8.*".into())),
        ("dd", Wanted::Glob("1.2-3~bpo+1".into())),
        ("ee", Wanted::Any),
    ] {
        assert_eq!(
            package(&desired, &format!("package:{name}")).version,
            wanted
        );
    }
}

#[test]
fn paths_belong_to_the_role_that_says_them() {
    let all = [
        (
            "base/role.toml",
            "partial = true\n[file.'/etc/a']\ntemplate = 'a.j2'\n[file.'/etc/b']\nsource = 'b'\n\
          [service.x]\nunit = 'x.service'",
        ),
        ("base/a.j2", "{% include 'part.j2' %}"),
        ("base/part.j2", "base {{ params.who }}"),
        ("base/b", "b of base"),
        (
            "base/x.service",
            "[Service]\nExecStart=/bin/x {{ params.who }}\n",
        ),
        (
            "web/role.toml",
            "include = ['base']\n[params]\nwho = { type = 'string', default = 'web' }\n\
          [file.'/etc/b']\nsource = 'b'",
        ),
        ("web/a.j2", "never"),
        ("web/b", "b of web"),
        ("web/unused", "u"),
    ];
    let desired = on_machine(&all, None, &[]).unwrap();
    assert_eq!(text(&desired, "file:/etc/a"), "base web");
    let digest = cfg_catalog::digest::Digest::of(b"b of web");
    assert_eq!(
        file(&desired, "file:/etc/b")
            .content
            .as_ref()
            .unwrap()
            .digest(),
        digest
    );
    let unit = service(&desired, "service:x").unit_file.as_ref().unwrap();
    assert_eq!(unit.content, b"[Service]\nExecStart=/bin/x web\n");
    let part = catalog(&all);
    let files: Vec<&String> = part.part("web").unwrap().files.keys().collect();
    assert_eq!(
        files,
        [
            "base/a.j2",
            "base/part.j2",
            "base/x.service",
            "web/a.j2",
            "web/b"
        ]
    );
}

#[test]
fn leftovers_count_in_a_machines_own_role() {
    use cfg_catalog::resource::Leftovers;
    let base = ("base/role.toml", "partial = true\nleftovers = 'revert'\n");
    for (own, wanted) in [
        ("include = ['base']", Leftovers::Show),
        ("include = ['base']\nleftovers = 'show'", Leftovers::Show),
        (
            "include = ['base']\nleftovers = 'revert'",
            Leftovers::Revert,
        ),
    ] {
        let catalog = catalog(&[base, ("web/role.toml", own)]);
        let part = catalog.part("web").unwrap();
        assert_eq!(part.leftovers, wanted, "{own}");
        let written = serde_json::to_string(part).unwrap();
        assert_eq!(written.contains("leftovers"), wanted == Leftovers::Revert);
    }
}

#[test]
fn what_the_check_has_rendered_is_taken_only_where_nothing_hangs_on_the_machine() {
    for (text, constant) in [
        (
            "[file.'/x']\nsource = 'a'\n[package.pp]\nversion = '1*'\n",
            true,
        ),
        (
            "[directory.'/d']\nsource = 't'\n[service.ss]\nrestart_on = ['file:/d/*']\n",
            true,
        ),
        ("[file.'/x']\ncontent = '{{ facts.hostname }}'", false),
        ("[file.'/x']\ncontent = 'x'\nwhen = 'facts.cpus > 1'", false),
        ("[file.'/{{ item }}']\ncontent = 'x'\neach = ['a']", false),
        ("[file.'/x']\ntemplate = 'a'", false),
        (
            "[params]\np = { type = 'string', default = 'x' }\n[file.'/x']\nsource = 'a'",
            false,
        ),
    ] {
        let all = [("web/role.toml", text), ("web/a", "a"), ("web/t/b", "b")];
        let rendered = on_machine(&all, None, &[]).unwrap();
        let taken = catalog(&all).take("web", &facts()).unwrap();
        assert_eq!(taken.desired, constant.then_some(rendered), "{text}");
        let mut elsewhere = facts();
        elsewhere.arch = "arm64".into();
        let taken = catalog(&all).take("web", &elsewhere).unwrap();
        assert_eq!(taken.desired, None, "{text}");
    }
}
