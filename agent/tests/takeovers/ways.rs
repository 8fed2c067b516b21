//! One place by several ways, of which some lead through links of the machine: what lies where decides what comes first.

use crate::{NONE, applies, comes_back, comes_back_after, machine, run, srv};
use cfg_tests::desk::changes as words;
use cfg_tests::tar::{FILE as PLAIN, tar};
use serde_json::json;

fn file(path: &str) -> String {
    format!("[file.\"/srv/{path}\"]\ncontent = \"x\\n\"\n")
}

fn directory(path: &str) -> String {
    format!("[directory.\"/srv/{path}\"]\n")
}

fn link(path: &str, target: &str) -> String {
    format!("[link.\"/srv/{path}\"]\ntarget = \"{target}\"\n")
}

#[test]
fn a_file_gives_way_to_a_tree_by_another_way() {
    comes_back(&[
        ("mkdir b; ln -s b c", &[&file("c/x"), &file("b/x/z")]),
        ("mkdir b; ln -s b c", &[&file("b/x"), &file("c/x/z")]),
        (
            "mkdir t; ln -s /srv/t a",
            &[&file("t/x"), &directory("a/x/z")],
        ),
    ]);
}

#[test]
fn what_lies_behind_a_link_comes_after_what_makes_the_way_where_the_role_says_so() {
    let after = |first: &str| format!("{}after = [\"{first}\"]\n", file("a/x/z"));
    let [led, turned] = [("c/x", "link:/srv/c/x"), ("t/u", "link:/srv/t/u")]
        .map(|(path, id)| [link(path, "/srv/t"), after(id)].concat());
    let made = [directory("z/u"), after("directory:/srv/z/u")].concat();
    comes_back(&[
        ("mkdir t; ln -s /srv/c/x a", &[&led]),
        ("mkdir t; ln -s /srv/t/u a", &[&turned]),
        ("ln -s /srv/z/u a", &[&made]),
        // In a circle.
        ("mkdir t c; ln -s /srv/c/x a; ln -s ../a c/x", &[&led]),
        ("mkdir t; ln -s /srv/t/u a; ln -s /srv/t/u t/u", &[&turned]),
    ]);
}

/// A link leads to a link of which the role makes a folder: it leads on then, to that.
#[test]
fn a_role_that_contradicts_itself_behind_a_link_that_leads_to_what_it_turns_is_told_so() {
    let setup = "mkdir t; ln -s /srv/t b; ln -s b c";
    let by_two_ways = [directory("b"), directory("c/x"), file("b/x")].concat();
    comes_back_after(&[(setup, &[&by_two_ways])], true);
    let desk = machine(setup);
    let why = json!(
        "directory:/srv/c/x and file:/srv/b/x are both /srv/b/x on this machine: declare one of them alone"
    );
    for failure in applies(&desk, &by_two_ways)["failures"].as_array().unwrap() {
        assert_eq!(failure["message"], why);
    }
    comes_back(&[(setup, &[&[directory("b"), directory("c/x")].concat()])]);
}

/// Though the role names the link by another way, and nothing is brought back yet.
#[test]
fn what_lies_behind_a_link_that_goes_is_known_by_where_it_lies() {
    let desk = machine("mkdir t; ln -s /srv/t/u c; ln -s /srv/t t/u");
    let before = srv(&desk);
    applies(&desk, &file("c/x"));
    desk.role("web", &directory("t/u"));
    let (code, ran) = desk.applied("web", &[]);
    assert_eq!(
        (code, &ran["leftovers"][0]["resource"]),
        (0, &json!("file:/srv/t/x")),
        "{ran}"
    );
    applies(&desk, NONE);
    assert_eq!(srv(&desk), before);
}

/// As an alternative of Debian's does.
#[test]
fn nothing_is_laid_behind_a_link_that_the_role_is_yet_to_turn() {
    let setup = "mkdir t n; ln -s /srv/t u; ln -s /srv/u a";
    let turned = link("u", "/srv/n");
    for below in [file("a/x"), directory("a/x")] {
        let desk = machine(setup);
        desk.role("web", &[&*turned, &below].concat());
        for more in [&["--dry-run"][..], &[]] {
            let (code, ran) = run(&desk, more);
            assert_eq!(
                (code, words(&ran)),
                (1, vec!["link:/srv/u update".to_owned()]),
                "{ran}"
            );
            let why = ran["failures"][0]["message"].as_str().unwrap();
            assert!(why.contains("let it come `after` link:/srv/u"), "{why}");
        }
        assert!(!desk.path("root/srv/t/x").exists());
        let ordered = below.replacen("]\n", "]\nafter = [\"link:/srv/u\"]\n", 1);
        comes_back(&[(setup, &[&*[turned.clone(), ordered].concat()])]);
    }
    // An edit comes after links anyway.
    let edit = "[edit.\"/srv/a/x\"]\nformat = \"env\"\ncreate = true\nset = { A = 1 }\n";
    comes_back(&[(setup, &[&*[&turned, edit].concat()])]);
}

#[test]
fn what_lies_in_a_folder_goes_before_that_has_its_mode_again() {
    let behind = [link("b/x", "/srv/t"), link("b/x/z", "nowhere")].concat();
    let closed = directory("b") + "mode = \"0711\"\n";
    let deep = [closed, link("b/x", "../b"), file("b/x/z")].concat();
    comes_back(&[
        ("mkdir t; mkdir -m 777 b", &[&file("b"), &behind]),
        ("mkdir -m 777 b; ln -s nowhere b/x", &[&deep]),
    ]);
}

#[test]
fn a_role_that_contradicts_itself_by_two_ways_does_so_in_every_run() {
    let gone = "[directory.\"/srv/a/x\"]\nstate = \"absent\"\n";
    let edit = |name, path| {
        format!(
            "[edit.{name}]\npath = \"{path}\"\nformat = \"env\"\ncreate = true\nset = {{ A = 1 }}\n"
        )
    };
    let purge = "[directory.\"/srv/b\"]\npurge = true\n";
    // What an edit is to take out of a file is not there where there is none.
    let [file_b, removes] = [
        file("b"),
        "[edit.\"/srv/c/x\"]\nformat = \"env\"\nremove = [\"C\"]\n".to_owned(),
    ];
    let desk = machine("ln -s /srv/c/x b; ln -s b c");
    desk.role("web", &[file_b, removes].concat());
    assert_eq!([run(&desk, &[]).0, run(&desk, &[]).0], [0, 0]);
    comes_back_after(
        &[
            (
                "ln -s b a; mkdir b; ln -s b b/x",
                &[&[gone, &directory("b/x/z")].concat()],
            ),
            (
                "",
                &[
                    &link("b/x/z", "nowhere"),
                    &[link("b", "/srv/t/u"), link("b/x", "b")].concat(),
                ],
            ),
            (
                "ln -s /srv/b a",
                &[
                    &[&edit("e1", "/srv/a/x/z"), purge].concat(),
                    &[link("a/x", "/srv/b"), edit("e2", "/srv/b/x")].concat(),
                ],
            ),
        ],
        true,
    );
}

/// What such a link will lead to, and whether to anything, only a run finds.
#[test]
fn nothing_is_certain_behind_a_link_that_leads_nowhere_yet() {
    let tree = "[archive.\"/srv/b\"]\nsource = \"app.tar\"\n[directory.\"/srv/a/x\"]\nsource = \"tree\"\nafter = [\"archive:/srv/b\"]\n";
    let edit = "[edit.\"/srv/a/x/z\"]\nformat = \"ini\"\nremove = [\"s.A\"]\n";
    let after = "after = [\"link:/srv/c/x\"]\n";
    let led = [
        link("c", "../a"),
        link("c/x", "../a"),
        link("b/x", "/srv/t"),
    ]
    .concat()
        + after;
    for (setup, first, then, certain) in [
        ("ln -s nowhere a", NONE, tree, "archive:/srv/b"),
        ("ln -s b a; ln -s b b", &file("b"), edit, "file:/srv/b"),
        (
            "ln -s nowhere c",
            NONE,
            &led,
            "link:/srv/c directory:/srv/b",
        ),
    ] {
        let desk = machine(setup);
        desk.write("roles/web/app.tar", tar(&[("in", PLAIN, "x")]));
        desk.write("roles/web/tree/in/f", "f");
        applies(&desk, first);
        desk.role("web", then);
        let (code, foretold) = run(&desk, &["--dry-run"]);
        assert_eq!(code, 2, "{foretold}");
        for change in foretold["changes"].as_array().unwrap() {
            let sure = change["certainty"] == "certain";
            let id = change["resource"].as_str().unwrap();
            assert_eq!(sure, certain.split(' ').any(|one| one == id), "{change}");
        }
        let (code, ran) = run(&desk, &[]);
        assert_eq!((code, &ran["unforeseen"]), (1, &json!(null)), "{ran}");
        let (code, again) = run(&desk, &[]);
        assert_eq!((code, &again["changes"]), (1, &json!([])), "{again}");
    }
}

/// Only some of a role is applied, and turns the way to what is left over elsewhere.
#[test]
fn what_lies_behind_a_link_that_goes_is_known_though_only_that_is_applied() {
    let archive = "[archive.\"/srv/a/y\"]\nsource = \"app.tar\"\n".to_owned();
    for (there, kind) in [(link("a/y", "x"), "link"), (archive, "archive")] {
        let desk = machine("mkdir b; ln -s b a");
        desk.write("roles/web/app.tar", tar(&[("in", PLAIN, "x")]));
        applies(&desk, &there);
        desk.role("web", &directory("a"));
        let (code, ran) = desk.applied("web", &["--only", "directory:/srv/a"]);
        assert_eq!((code, words(&ran).len()), (0, 1), "{ran}");
        let (code, ran) = desk.applied("web", &[]);
        let left = &ran["leftovers"][0]["resource"];
        assert_eq!(
            (code, left),
            (0, &json!(format!("{kind}:/srv/b/y"))),
            "{ran}"
        );
    }
}

/// A file of a tree lay by that way where another resource has a file, and does not once the tree's folder is there.
#[test]
fn what_comes_behind_a_link_that_goes_is_not_what_an_edit_will_find() {
    let edit = "[edit.\"/srv/a/x\"]\nformat = \"lines\"\nlines = [{ line = \"more\" }]\n";
    let desk = machine("mkdir a; ln -s ../a a/y");
    let ran = applies(&desk, &[&directory("a/y"), &file("a/y/x"), edit].concat());
    assert_eq!(ran["failures"][0]["resource"], "edit:/srv/a/x", "{ran}");
}

#[test]
fn a_folder_that_went_comes_back_though_the_way_to_it_was_led_in_a_circle() {
    let circle = [link("b/x", "x"), file("b/x/z")].concat();
    let inside = file("b/x/z/q");
    for first in [inside.clone(), directory("b/x/z") + &inside] {
        let setup = "mkdir -p b/x; mkdir -m 700 b/x/z";
        comes_back_after(&[(setup, &[&first, &circle])], true);
    }
}

#[test]
fn what_a_file_and_an_edit_name_by_two_ways_is_known_by_the_files_name() {
    let edit = "[edit.e]\npath = \"/srv/a/x/z\"\nformat = \"yaml\"\nset = { s.A = 1 }\n";
    let whole = file("b/x/z") + "create_only = true\n";
    comes_back_after(
        &[("ln -s b a", &[&directory("b/x/z"), &(whole + edit)])],
        true,
    );
}

#[test]
fn a_link_in_a_folder_that_is_purged_goes_though_something_is_left_over_behind_it() {
    let led = [directory("c"), link("c/x", "../a"), file("c/x/z")].concat();
    let purged = directory("c") + "purge = true\n";
    comes_back(&[("mkdir a", &[&led, &purged])]);
}

#[test]
fn what_comes_behind_a_link_of_the_role_takes_the_place_of_a_folder_or_a_link_of_cfgs() {
    let (below, led) = (file("t/x/y"), link("t/x", "q"));
    let folder = directory("t/x");
    for (first, then) in [
        (&below, file("c/x")),
        (&below, link("c/x", "q")),
        (&folder, file("c/x")),
        (&folder, link("c/x", "q")),
        (&led, directory("c/x")),
        (&led, file("c/x")),
    ] {
        for target in ["t", "/srv/t"] {
            let role = link("c", target) + &then;
            let desk = machine("mkdir t");
            let before = srv(&desk);
            applies(&desk, first);
            desk.role("web", &role);
            let foretold = words(&run(&desk, &["--dry-run"]).1);
            let (code, ran) = run(&desk, &[]);
            assert_eq!((code, words(&ran)), (0, foretold), "{first}{role}: {ran}");
            assert_eq!(applies(&desk, &role)["changes"], json!([]), "{first}{role}");
            applies(&desk, NONE);
            assert_eq!(srv(&desk), before, "{first}{role}");
        }
    }
}

#[test]
fn what_failed_in_a_folder_comes_where_the_link_in_its_place_leads_and_that_comes_back() {
    for then in [link("b/x", "q"), directory("b/x"), file("b/x/y")] {
        let role = link("b", "/srv/t") + &then;
        let desk = machine("mkdir t; ln -s nowhere t/x");
        let before = srv(&desk);
        applies(&desk, &file("b/x"));
        desk.role("web", &role);
        let name = then.lines().next().unwrap();
        let name = name.trim_matches(&['[', ']'][..]).replace(".\"", ":");
        let only = ["--only", name.trim_matches('"')];
        assert_eq!(desk.apply("web", &only).0, 1, "a folder stands there");
        applies(&desk, &role);
        applies(&desk, NONE);
        assert_eq!(srv(&desk), before, "{role}");
    }
}

#[test]
fn what_stays_in_a_folder_that_does_not_give_way_to_a_link_is_on_record_still() {
    for inside in [link("b/x", "q"), directory("b/x"), file("b/x")] {
        let turned = link("b", "/srv/t") + &inside;
        comes_back_after(&[("mkdir t", &[&inside, &turned])], true);
    }
}

#[test]
fn a_link_that_leads_to_itself_stays_as_long_as_the_role_names_what_lies_behind_it() {
    let circle = link("t/x", "x") + &directory("a/y");
    comes_back_after(
        &[("mkdir t; ln -s t a", &[&circle, &link("a/x/z", "q")])],
        true,
    );
}

#[test]
fn what_must_not_be_there_goes_before_the_folder_that_it_lies_in_by_another_way() {
    let made = "[edit.e]\npath = \"/srv/b/x/z\"\ncreate = true\nformat = \"lines\"\nlines = [{ line = \"A\" }]\n";
    let gone = "[file.\"/srv/a/x/z\"]\nstate = \"absent\"\n";
    comes_back(&[("ln -s b a", &[made, gone])]);
}

#[test]
fn what_comes_after_what_may_not_be_possible_is_not_certain() {
    let desk = machine("mkdir t; ln -s t/d a");
    applies(&desk, &file("t/d"));
    let role = directory("a/y") + &directory("t/d") + "after = [\"directory:/srv/a/y\"]\n";
    desk.role("web", &role);
    let (_, dry) = run(&desk, &["--dry-run"]);
    let folder = dry["changes"].as_array().unwrap().iter();
    let folder: Vec<_> = folder.filter(|one| one["action"] != "remove").collect();
    assert!(
        !folder.is_empty() && folder.iter().all(|one| one["certainty"] == "assumed"),
        "{dry}"
    );
    assert_eq!(run(&desk, &[]).0, 1);
}

/// It cannot take the place of a file of cfg's: then what was there before that is not forgotten.
#[test]
fn what_stood_before_cfg_comes_back_though_something_was_to_come_there_by_a_link_of_the_role() {
    let first = file("t/x");
    for then in [link("c/x", "q"), directory("c/x"), file("c/x/y")] {
        for setup in [
            "mkdir t; ln -s elsewhere t/x",
            "mkdir -p t; mkdir -m 700 t/x",
            "mkdir t",
            "mkdir t c; touch c/foreign; ln -s elsewhere t/x",
        ] {
            let desk = machine(setup);
            let before = srv(&desk);
            applies(&desk, &first);
            desk.role("web", &(link("c", "t") + &then));
            run(&desk, &[]);
            assert_eq!(
                applies(&desk, NONE)["leftovers"],
                json!([]),
                "{setup} {then}"
            );
            assert_eq!(srv(&desk), before, "{setup} {then}");
        }
    }
}

#[test]
fn a_file_that_is_taken_over_by_a_link_of_the_role_keeps_its_mode_and_what_was_there_before() {
    let setup = "mkdir t; echo foreign >t/x; chmod 600 t/x";
    let desk = machine(setup);
    let before = srv(&desk);
    applies(&desk, &file("t/x"));
    desk.role(
        "web",
        &(link("c", "t") + &file("c/x").replace("x\\n", "other\\n")),
    );
    for _run in 0..2 {
        assert_eq!(run(&desk, &[]).0, 0);
    }
    applies(&desk, NONE);
    assert_eq!(srv(&desk), before);
}

/// What stands where the way leads then is not what goes by the old one.
#[test]
fn what_must_not_be_there_by_a_way_that_turns_is_foretold_and_comes_back() {
    let gone = "[file.\"/srv/c/x\"]\nstate = \"absent\"\n";
    let led = link("c", "t") + &file("c/x");
    for (setup, first) in [("", &led), ("; ln -s t c", &file("c/x"))] {
        let desk = machine(&format!("mkdir t u; echo foreign >u/x{setup}"));
        let before = srv(&desk);
        applies(&desk, first);
        desk.role("web", &(link("c", "u") + gone));
        let foretold = words(&run(&desk, &["--dry-run"]).1);
        let (code, ran) = run(&desk, &[]);
        assert_eq!((code, words(&ran)), (0, foretold), "{ran}");
        assert_eq!(applies(&desk, NONE)["leftovers"], json!([]));
        assert_eq!(srv(&desk), before);
    }
}

#[test]
fn what_comes_after_what_takes_a_place_does_not_go_before_it() {
    let gone = "[file.\"/srv/a/x/z\"]\nstate = \"absent\"\nafter = [\"file:/srv/b/x\"]\n";
    comes_back(&[(
        "mkdir b; ln -s b a",
        &[&file("b/x/w"), &(file("b/x") + gone)],
    )]);
}
