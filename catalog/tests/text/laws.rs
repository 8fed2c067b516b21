//! What holds for every catalog.

use crate::common::{files, on_machine};
use cfg_catalog::release::part::Part;
use cfg_catalog::resource::Place;
use cfg_catalog::{Catalog, CatalogFiles};
use proptest::prelude::*;
use std::path::Path;

/// Tables of a role, each with its lines; their order means nothing.
const TABLES: &[(&str, &[&str])] = &[
    ("", &["description = 'x'", "include = ['base']"]),
    (
        "[params]",
        &[
            "port = { default = 80, type = 'integer', max = 99 }",
            "name = { type = 'string', default = 'n' }",
        ],
    ),
    ("[set]", &["level = 2"]),
    ("[fleet]", &["health = 'true'", "health_timeout = '1m'"]),
    (
        "[package]",
        &["nginx = '*'", "curl = { version = '8.*', hold = true }"],
    ),
    (
        "[file.'/etc/a']",
        &[
            "content = '{{ params.port }}'",
            "mode = '0600'",
            "owner = 'root'",
        ],
    ),
    (
        "[file.'/etc/{{ item }}']",
        &[
            "each = ['x', 'y']",
            "content = '{{ params.name }}'",
            "when = 'params.port'",
        ],
    ),
    (
        "[service.web]",
        &[
            "state = 'running'",
            "restart_on = ['file:/etc/*']",
            "enabled = true",
        ],
    ),
];

fn written(tables: &[(&str, Vec<&str>)]) -> String {
    let table = |(head, lines): &(&str, Vec<&str>)| format!("{head}\n{}\n", lines.join("\n"));
    tables.iter().map(table).collect()
}

fn with_base(role: &str) -> Vec<(String, Vec<u8>)> {
    let base = "partial = true\n[params]\nlevel = { type = 'integer', default = 1 }";
    vec![
        ("base/role.toml".into(), base.into()),
        ("web/role.toml".into(), role.into()),
    ]
}

fn part_without_places(role: &str) -> Part {
    let files = CatalogFiles::from_iter(with_base(role));
    let loaded = Catalog::load(&files).unwrap_or_else(|wrong| panic!("{wrong}"));
    let mut part = loaded.0.part("web").unwrap().clone();
    let nowhere = Place {
        role: "".into(),
        file: "".into(),
        line: 0,
        column: 0,
    };
    part.params
        .values_mut()
        .for_each(|p| p.place = nowhere.clone());
    for resource in &mut part.resources {
        resource.place = nowhere.clone();
        resource
            .keys
            .values_mut()
            .for_each(|k| k.place = nowhere.clone());
    }
    part.health
        .iter_mut()
        .for_each(|h| h.command.place = nowhere.clone());
    part
}

fn shuffled() -> impl Strategy<Value = Vec<(&'static str, Vec<&'static str>)>> {
    let top = Just(TABLES[0].1.to_vec())
        .prop_shuffle()
        .prop_map(|lines| ("", lines));
    let table = |(head, lines): &(&'static str, &'static [&'static str])| {
        let head = *head;
        Just(lines.to_vec())
            .prop_shuffle()
            .prop_map(move |lines| (head, lines))
            .boxed()
    };
    let rest: Vec<_> = TABLES[1..].iter().map(table).collect();
    // What has no table of its own must stand first.
    (top, rest.prop_shuffle()).prop_map(|(top, rest)| std::iter::once(top).chain(rest).collect())
}

/// The text of a good role with some of it gone, doubled or replaced.
fn spoilt() -> impl Strategy<Value = String> {
    let pieces = prop_oneof![
        Just(""),
        Just("{{"),
        Just("}}"),
        Just("{%"),
        Just("%}"),
        Just("'"),
        Just("\""),
        Just("'''"),
        Just("["),
        Just("]"),
        Just("= "),
        Just("."),
        Just("\\"),
        Just("\n"),
        Just("ä"),
        Just("\0"),
        Just("params"),
        Just("| sh"),
        Just("-"),
        Just("{"),
        Just("#"),
        Just("each = 'facts'\n"),
    ];
    let good: Vec<_> = TABLES.iter().map(|(h, l)| (*h, l.to_vec())).collect();
    let good = written(&good);
    let cut = (0..good.len(), 0..12usize, pieces);
    prop::collection::vec(cut, 1..6).prop_map(move |cuts| {
        let mut text = good.clone();
        for (at, length, piece) in cuts {
            let start = text.floor_char_boundary(at.min(text.len()));
            let end = text.ceil_char_boundary((start + length).min(text.len()));
            text.replace_range(start..end, piece);
        }
        text
    })
}

/// Every place that is named lies in the text.
fn places_hold(files: &CatalogFiles) {
    let said = match Catalog::load(files) {
        Ok((_, warnings)) => warnings,
        Err(wrong) => wrong,
    };
    for diagnostic in said.iter() {
        for spot in diagnostic.at.iter() {
            let text = String::from_utf8_lossy(&files.bytes[&*spot.place.file]).into_owned();
            let line = text.split('\n').nth(spot.place.line as usize - 1);
            let line = line.unwrap_or_else(|| panic!("no such line: {spot:?}"));
            let column = spot.place.column as usize;
            assert!(
                column <= line.chars().count() + 1,
                "no such column: {spot:?}"
            );
        }
    }
    let _ = said.to_string();
    let _ = said.coloured();
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn order_in_the_text_means_nothing(tables in shuffled()) {
        let plain: Vec<_> = TABLES.iter().map(|(h, l)| (*h, l.to_vec())).collect();
        prop_assert_eq!(
            part_without_places(&written(&tables)),
            part_without_places(&written(&plain))
        );
    }

    #[test]
    fn spoilt_text_is_an_error_and_no_more(text in spoilt()) {
        places_hold(&CatalogFiles::from_iter(with_base(&text)));
    }

    #[test]
    fn any_bytes_are_an_error_and_no_more(
        role in prop::collection::vec(any::<u8>(), 0..200),
        fleet in "\\PC{0,80}",
    ) {
        let mut files = CatalogFiles::from_iter(with_base(""));
        files.bytes.insert("web/role.toml".into(), role);
        files.bytes.insert("fleet.toml".into(), fleet.into_bytes());
        places_hold(&files);
    }

    #[test]
    fn any_template_is_an_error_and_no_more(template in "[a-z{}%#|.'\" \\[\\]()~+-]{0,60}") {
        let mut files = files(&[("web/role.toml", "[file.'/x']\ntemplate = 'x.j2'")]);
        files.bytes.insert("web/x.j2".into(), template.into_bytes());
        places_hold(&files);
    }
}

#[test]
fn rendering_twice_gives_the_same() {
    let tables: Vec<_> = TABLES.iter().map(|(h, l)| (*h, l.to_vec())).collect();
    let role = written(&tables)
        .replace("include = ['base']", "")
        .replace("[set]\nlevel = 2", "");
    let all = [("web/role.toml", role.as_str())];
    let one = on_machine(&all, None, &[]).unwrap();
    assert_eq!(one, on_machine(&all, None, &[]).unwrap());
    let sorted = one.resources.windows(2).all(|pair| pair[0].id < pair[1].id);
    assert!(sorted, "resources are sorted, each once");
}

/// The shipped roles with a key left out, one after the other, are never worse than an error.
#[test]
fn shipped_roles_without_a_line() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../roles/zookeeper");
    let role = std::fs::read_to_string(path.join("role.toml")).unwrap();
    let template = std::fs::read(path.join("zoo.cfg.j2")).unwrap();
    let lines: Vec<&str> = role.lines().collect();
    for left_out in 0..lines.len() {
        let kept = lines.iter().enumerate().filter(|(at, _)| *at != left_out);
        let text: Vec<&str> = kept.map(|(_, line)| *line).collect();
        let mut files = files(&[("base/role.toml", "partial = true")]);
        files
            .bytes
            .insert("zookeeper/role.toml".into(), text.join("\n").into_bytes());
        files
            .bytes
            .insert("zookeeper/zoo.cfg.j2".into(), template.clone());
        places_hold(&files);
    }
}
