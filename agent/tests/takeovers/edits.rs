//! Edits of one file, one beside the other and one after the other.

use crate::{
    FILE, GONE, MODE, NONE, OLD, applies, comes_back, comes_back_after, edit, machine, of, srv,
};
use serde_json::json;

#[test]
fn a_file_without_content_keeps_what_an_edit_beside_it_found() {
    let line = of("lines", "e", "lines = [{ line = \"E\" }]");
    let mode = [MODE, &line].concat();
    let begun = [FILE, "create_only = true\n", &line].concat();
    for first in [&mode, &begun] {
        comes_back(&[
            (OLD, &[first, FILE]),
            (OLD, &[first, GONE]),
            (OLD, &[first, FILE, MODE]),
            (OLD, &[first, MODE]),
            (OLD, &[first, &line]),
        ]);
    }
}

#[test]
fn what_an_edit_says_no_more_goes_with_the_file_that_was_made_for_it() {
    for (format, two, one, other) in [
        (
            "env",
            "set = { A = 1, B = 2 }",
            "set = { B = 2 }",
            "set = { C = 3 }",
        ),
        (
            "ini",
            "set = { S = { A = 1, B = 2 } }",
            "set = { S = { B = 2 } }",
            "set = { T = { C = 3 } }",
        ),
        (
            "json",
            "set = { a = 1, b = { c = 2 } }",
            "set = { b = { c = 2 } }",
            "set = { d = 3 }",
        ),
        (
            "toml",
            "set = { a = 1, b = { c = 2 } }",
            "set = { b = { c = 2 } }",
            "set = { d = 3 }",
        ),
        (
            "yaml",
            "set = { a = 1, b = { c = 2 } }",
            "set = { b = { c = 2 } }",
            "set = { d = 3 }",
        ),
        (
            "lines",
            "lines = [{ line = \"A\" }, { line = \"B\" }]",
            "lines = [{ line = \"B\" }]",
            "lines = [{ line = \"C\" }]",
        ),
    ] {
        let made = |what: &str| of(format, "e", &format!("create = true\n{what}"));
        let (two, one, other) = (made(two), made(one), made(other));
        comes_back(&[
            ("", &[&two, &one]),
            ("", &[&two, &other]),
            ("", &[&two, &one, &other, &two, &one]),
        ]);
    }
}

/// Nothing is run between the roles, as `comes_back` does.
#[test]
fn an_edit_that_comes_back_after_a_file_had_its_place_finds_what_stands_there() {
    let line = |line: &str, more: &str| {
        of(
            "lines",
            "e",
            &format!("lines = [{{ line = \"{line}\"{more} }}]"),
        )
    };
    let matching = ", match = \"^#?New \"";
    let desk = machine("printf 'a\\nb\\n' >p");
    let before = srv(&desk);
    for role in [&*line("New yes", ""), FILE, &line("New no", matching)] {
        desk.role("web", role);
        assert_eq!(desk.applied("web", &[]).0, 0, "{role}");
    }
    applies(&desk, NONE);
    assert_eq!(srv(&desk), before);
    // Nor does what a person took out again count as there.
    desk.role("web", &line("New yes", ""));
    desk.applied("web", &[]);
    std::fs::write(desk.path("root/srv/p"), "a\nb\nc\n").unwrap();
    applies(&desk, &line("New no", matching));
    applies(&desk, NONE);
    assert_eq!(
        std::fs::read_to_string(desk.path("root/srv/p")).unwrap(),
        "a\nb\nc\n"
    );
}

#[test]
fn what_a_role_took_away_outlives_an_edit_that_makes_room_for_something_else() {
    let made = of("lines", "e", "create = true\nlines = [{ line = \"L\" }]");
    let link = "[link.\"/srv/p\"]\ntarget = \"t\"\n";
    comes_back(&[
        (OLD, &[GONE, &made, link]),
        (OLD, &[GONE, &made, link, FILE]),
    ]);
}

#[test]
fn what_was_only_skipped_is_what_it_was() {
    let desk = machine("mkdir p; echo person >p/f; touch p/g");
    let before = srv(&desk);
    let file = |content: &str| format!("[file.\"/srv/p/f\"]\ncontent = \"{content}\\n\"\n");
    applies(&desk, &file("3"));
    applies(
        &desk,
        "[edit.\"/srv/p/f\"]\nformat = \"lines\"\nlines = [{ line = \"L\" }]\n",
    );
    let fails = "[directory.\"/srv/p/g\"]\n";
    let skipped = format!("{fails}{}after = [\"directory:/srv/p/g\"]\n", file("2"));
    assert_eq!(applies(&desk, &skipped)["counts"]["skipped"], 1);
    assert_eq!(applies(&desk, NONE)["leftovers"], json!([]));
    assert_eq!(srv(&desk), before);
}

/// A person's own stays, without what cfg has ever put beside it.
#[test]
fn what_an_edit_says_no_more_leaves_what_a_person_added() {
    let made = |what: &str| of("env", "e", &format!("create = true\n{what}"));
    let desk = machine("");
    applies(&desk, &made("set = { A = 1, B = 2 }"));
    let place = desk.path("root/srv/p");
    let now = std::fs::read_to_string(&place).unwrap();
    std::fs::write(&place, format!("{now}MINE=1\n")).unwrap();
    applies(&desk, &made("set = { B = 3 }"));
    applies(&desk, NONE);
    assert_eq!(std::fs::read_to_string(&place).unwrap(), "MINE=1\n");
}

#[test]
fn keys_and_lines_that_move_between_edits_keep_what_was_there_first() {
    let (a, b) = (edit("a", "set = { A = 5 }"), edit("b", "set = { B = 6 }"));
    let two = edit("b", "set = { A = 5, B = 6 }");
    let other = edit("b", "set = { A = 7, B = 6 }");
    let swapped = [edit("a", "set = { B = 6 }"), edit("b", "set = { A = 5 }")].concat();
    let one = [&*a, &b].concat();
    let new = [edit("0", "set = { B = 6 }"), edit("z", "set = { A = 7 }")].concat();
    let line = |line: &str| {
        let wanted = format!("lines = [{{ line = \"{line}\", match = \"^A=\" }}]");
        of("lines", "l", &wanted)
    };
    let ini = of("ini", "l", "set = { S = { A = 5 } }");
    let c = of("lines", "c", "lines = [{ line = \"C\" }]");
    let d = of("ini", "d", "set = { S = { D = 5 } }");
    let (first, second) = (line("A=5"), line("A=6"));
    comes_back(&[
        (OLD, &[&one, &two]),
        (OLD, &[&one, &other]),
        (OLD, &[&one, &swapped]),
        (OLD, &[&one, &swapped, &one]),
        ("echo B=1 >p", &[&one, &two]),
        (OLD, &[&a, &new]),
        (OLD, &[&two, &a, &edit("z", "set = { B = 7 }")]),
        (
            OLD,
            &[
                &two,
                &edit("b", "set = { A = 5 }"),
                &edit("z", "set = { B = 7 }"),
            ],
        ),
        (OLD, &[&first, &second]),
        (OLD, &[&[&*c, &first].concat(), &[&*c, &second].concat()]),
        (OLD, &[&ini, &first]),
        (OLD, &[&first, &ini, &second]),
        (OLD, &[&[&*d, &ini].concat(), &first]),
        (OLD, &[&first, &[&*d, &ini].concat(), &second]),
    ]);
}

#[test]
fn what_an_edit_found_outlives_that_it_has_nothing_left() {
    let desk = machine("echo A=0 >p; echo B=1 >>p; echo C=2 >>p");
    let before = srv(&desk);
    applies(&desk, &edit("y", "set = { A = 5 }"));
    desk.role("web", &edit("x", "set = { B = 7 }\nremove = [\"A\"]"));
    for _ in 0..3 {
        let (code, output) = desk.apply("web", &["--json"]);
        assert_eq!(code, 0, "{output:?}");
    }
    assert_eq!(applies(&desk, NONE)["leftovers"], json!([]));
    assert_eq!(srv(&desk), before);
}

#[test]
fn what_edits_did_is_undone_where_somebody_wrote_between_them() {
    let desk = machine("echo A=0 >p; echo B=1 >>p");
    let path = desk.path("root/srv/p");
    applies(&desk, &edit("y", "set = { A = 5 }"));
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, text + "D=1\n").unwrap();
    applies(&desk, &edit("x", "set = { A = 6, B = 7 }"));
    assert_eq!(applies(&desk, NONE)["leftovers"], json!([]));
    let text = std::fs::read_to_string(&path).unwrap();
    assert_eq!(text, "A=0\nB=1\nD=1\n");
}

#[test]
fn a_table_that_an_edit_made_goes_with_it() {
    for format in ["ini", "toml", "json", "yaml"] {
        let one = of(format, "a", "create = true\nset = { s = { a = \"1\" } }");
        let two = of(format, "b", "create = true\nset = { t = { b = \"1\" } }");
        let none = of(format, "b", "create = true\nremove = [[\"t\", \"b\"]]");
        let longer = of(
            format,
            "a",
            "create = true\nset = { s = { a = \"2\" }, r = { a = \"1\" } }",
        );
        let old = match format {
            "json" => "{\"a\":\"cfg\"}",
            "yaml" => "a: cfg",
            _ => "a=\"cfg\"",
        };
        let setup = format!("echo '{}' >p", old.replace("cfg", "admin"));
        let file = format!("[file.\"/srv/p\"]\ncontent = '{old}'\n");
        let (both, beside) = ([&*one, &two].concat(), [&*one, &none].concat());
        comes_back(&[
            ("", &[&both]),
            ("", &[&beside]),
            (&setup, &[&file, &one]),
            (&setup, &[&[MODE, &one].concat()]),
            (&setup, &[MODE, &one]),
            (&setup, &[&one, MODE]),
            (&setup, &[&both, &two]),
            (
                &setup,
                &[&one, &of(format, "b", "remove = [[\"s\", \"a\"]]")],
            ),
            ("", &[&both, &[&*longer, &two].concat()]),
        ]);
    }
}

/// Whether leftovers are brought back with each of the roles, or once there is none.
#[test]
fn what_edits_did_in_other_formats_goes_in_the_end() {
    let made = |format: &str, what: &str| of(format, "e", &format!("create = true\n{what}"));
    let lines = made("lines", "lines = [{ line = \"A=1\", match = \"^A\" }]");
    let (env, ini) = (
        made("env", "set = { A = 2 }"),
        made("ini", "set = { A = 3 }"),
    );
    let section = made("ini", "set = { s = { b = 2 } }");
    for setup in ["", "echo X=1 >p", "echo A=0 >p"] {
        for roles in [
            [&lines, &section],
            [&section, &lines],
            [&lines, &env],
            [&env, &lines],
            [&env, &ini],
            [&ini, &env],
        ] {
            for pruned in 0..4 {
                let desk = machine(setup);
                let before = srv(&desk);
                for (at, role) in roles.into_iter().enumerate() {
                    desk.role("web", role);
                    let prune: &[&str] = if pruned & 1 << at == 0 {
                        &[]
                    } else {
                        &["--prune"]
                    };
                    let (code, ran) = desk.applied("web", prune);
                    assert_eq!(code, 0, "{setup} {roles:?} {pruned}: {ran}");
                    let idle = desk.applied("web", prune).1;
                    assert_eq!(idle["changes"], json!([]), "{setup} {roles:?} {pruned}");
                }
                let ran = applies(&desk, NONE);
                assert_eq!(ran["leftovers"], json!([]), "{setup} {roles:?} {pruned}");
                assert_eq!(srv(&desk), before, "{setup} {roles:?} {pruned}");
            }
        }
    }
}

#[test]
fn a_file_that_edits_began_goes_with_the_last_of_them() {
    let line = of("lines", "e", "create = true\nlines = [{ line = \"A=1\" }]");
    let none = of("lines", "e", "create = true\nremove = [\"A=1\"]");
    let env = of("env", "f", "create = true\nset = { B = 1 }");
    let json = |what: &str| of("json", "e", &format!("create = true\n{what}"));
    let toml = of("toml", "f", "create = true\nset = { a = 1 }");
    comes_back(&[
        ("", &[&line, &none]),
        ("", &[&line, &env, &none]),
        ("", &[&line, &env, &of("lines", "f", "remove = [\"c\"]")]),
        (
            "",
            &[
                &json("remove = [\"a\"]"),
                &json("set = { a = 1, s = { b = 1 } }"),
            ],
        ),
        ("", &[&json("set = { a = 1 }"), &toml]),
    ]);
}

#[test]
fn what_an_edit_did_below_one_of_another_format_is_not_what_the_next_finds() {
    let yaml = |set: &str| of("yaml", "e", &format!("set = {{ {set} }}"));
    let line = of("lines", "e", "lines = [{ line = \"B=3\" }]");
    let desk = machine("printf 's:\\n  a: yes\\n' >p");
    let before = srv(&desk);
    applies(&desk, &yaml("b = 1, s.u.a = 1"));
    desk.role("web", &line);
    assert_eq!(desk.applied("web", &[]).0, 0);
    applies(&desk, &yaml("s.u.a = 2, s.u.c = 2"));
    assert_eq!(applies(&desk, NONE)["leftovers"], json!([]));
    assert_eq!(srv(&desk), before);
}

#[test]
fn a_table_that_an_edit_makes_where_it_took_a_key_goes_with_it() {
    for format in ["ini", "json", "toml", "yaml"] {
        let took = of(
            format,
            "e",
            "create = true\nset = { s = { a = 1 } }\nremove = [[\"u\", \"z\"]]",
        );
        let sets = of(format, "e", "create = true\nset = { u = { z = 1 } }");
        let beside = of(format, "f", "create = true\nset = { s = { b = 1 } }");
        let old = match format {
            "json" => "{\\n  \"s\": {\\n    \"c\": 0\\n  }\\n}",
            "yaml" => "s:\\n  c: 0",
            _ => "[s]\\nc = 0",
        };
        let setup = format!("printf '{old}\\n' >p");
        for setup in ["", &setup] {
            comes_back(&[(
                setup,
                &[
                    &[&*took, &beside].concat(),
                    &[&*sets, &beside].concat(),
                    &sets,
                ],
            )]);
        }
    }
}

#[test]
fn a_line_that_an_edit_left_is_not_what_another_finds() {
    let line = |name: &str, what: &str| of("lines", name, what);
    comes_back(&[(
        "printf 'b\\n' >p",
        &[
            &line("e", "lines = [{ line = \"B=3\" }]"),
            &line("e", "lines = [{ line = \"A=2\" }]"),
            &[
                line("e", "lines = [{ line = \"A=2\" }]"),
                line("f", "lines = [{ line = \"b\", match = \"^B\" }]"),
            ]
            .concat(),
            &line("f", "lines = [{ line = \"b\", match = \"^B\" }]"),
        ],
    )]);
}

#[test]
fn a_line_of_an_env_file_comes_back_as_it_was_written() {
    let setup = "printf 'B=0\\nexport A=1 # why\\n' >p";
    let (a, b) = (
        edit("a", "remove = [\"A\"]"),
        edit("b", "set = { B = 'x y' }"),
    );
    let both = [&*a, &b].concat();
    comes_back(&[
        (setup, &[&both, &a]),
        (setup, &[&both, &b]),
        (setup, &[&a, &edit("c", "set = { A = 2 }"), &both, &b]),
    ]);
}

#[test]
fn a_yaml_file_without_keys_is_without_them_in_the_end() {
    let (a, b) = (
        of("yaml", "a", "set = { a = 1 }"),
        of("yaml", "b", "set = { t = { b = 1 } }"),
    );
    let both = [&*a, &b].concat();
    for setup in [
        "touch p",
        "printf '# c\n' >p",
        "printf '# c' >p",
        "printf '# c\n\n{}\n' >p",
    ] {
        comes_back(&[
            (setup, &[&both]),
            (setup, &[&both, &a]),
            (setup, &[&both, &b]),
            (setup, &[&a, &both, &b]),
            (setup, &[&b, &both, &a]),
            (setup, &[&b, &a]),
        ]);
    }
    let desk = machine("printf '# c\n' >p");
    desk.role("web", &both);
    assert_eq!(desk.applied("web", &[]).0, 0);
    let place = desk.path("root/srv/p");
    let now = std::fs::read_to_string(&place).unwrap();
    std::fs::write(&place, now + "# mine\n").unwrap();
    applies(&desk, NONE);
    assert_eq!(std::fs::read_to_string(&place).unwrap(), "# c\n# mine\n");
}

/// Of what a run is not to touch, nothing is another's either.
#[test]
fn what_a_part_of_the_role_leaves_alone_is_still_of_who_made_it() {
    let (a, e) = (edit("a", "set = { A = 5 }"), edit("e", "set = { B = 5 }"));
    let (both, none) = (
        edit("e", "set = { A = 5, B = 5 }"),
        "description = \"none\"\n",
    );
    let lines = of("lines", "e", "lines = [{ line = \"D=7\" }]");
    let other = "[file.\"/srv/o\"]\ncontent = \"o\\n\"\n";
    for now in [&*both, &lines] {
        for only in ["file:/srv/o", "edit:e"] {
            let desk = machine(OLD);
            let path = desk.path("root/srv/p");
            applies(&desk, &[&*a, &e].concat());
            let text = std::fs::read_to_string(&path).unwrap();
            std::fs::write(&path, text + "C=1\n").unwrap();
            desk.role("web", &[now, other].concat());
            let (code, output) = desk.apply("web", &["--only", only]);
            assert_eq!(code, 0, "{output:?}");
            assert_eq!(applies(&desk, none)["leftovers"], json!([]));
            let text = std::fs::read_to_string(&path).unwrap();
            assert_eq!(text, "A=0\nB=1\nC=1\n", "{now} {only}");
        }
    }
}

/// An edit that is refused has taken nothing over.
#[test]
fn what_an_edit_asked_for_in_vain_is_none_of_its_own() {
    let ini = |set: &str| of("ini", "a", &format!("set = {{ {set} }}"));
    let spelled = [ini("s = { Key = 1 }"), ini("s = { key = 2 }")];
    for setup in [
        "printf '[s]\\nz=0\\n' >p",
        "printf '[s]\\nKey=0\\nz=0\\n' >p",
    ] {
        comes_back_after(&[(setup, &[&spelled[0], &spelled[1]])], true);
        comes_back_after(&[(setup, &[&spelled[0], &spelled[1], &spelled[0]])], true);
    }
}

/// Nor what another had, in whose place it came.
#[test]
fn what_an_edit_was_to_take_over_in_vain_is_still_the_others() {
    let toml = |name: &str, set: &str| of("toml", name, &format!("set = {{ {set} }}"));
    let (first, other) = (toml("a", "c = '1'"), toml("b", "c = '2', s.y = '1'"));
    let setup = "printf 'a = 1\\nc = \"user\"\\n[[s]]\\nx = 1\\n' >p";
    comes_back_after(&[(setup, &[&first, &other])], true);
    comes_back_after(&[(setup, &[&first, &other, &first])], true);
}

/// What an edit took as a whole only the whole file tells, with what a role said of the file beside it.
#[test]
fn what_an_edit_took_comes_back_with_what_the_role_left_open() {
    let setup = "printf 'a: 1\\nt: {b: 2}\\n' >p; chmod 600 p";
    let edit = of("yaml", "a", "remove = [\"t\"]");
    let begun = "[file.\"/srv/p\"]\ncontent = \"x\\n\"\ncreate_only = true\n";
    for beside in [MODE, begun] {
        let both = [beside, &edit].concat();
        comes_back(&[(setup, &[&both]), (setup, &[&both, beside])]);
    }
}

#[test]
fn a_file_for_edits_alone_that_say_the_same_in_two_formats_goes_with_them() {
    let line = of("lines", "a", "create = true\nlines = [{ line = \"A=1\" }]");
    let keys = of("env", "b", "set = { A = 1, C = 4 }");
    for [first, then] in [[&line, &keys], [&keys, &line]] {
        let desk = machine("true");
        let before = srv(&desk);
        applies(&desk, &first.replace("set", "create = true\nset"));
        desk.role("web", then);
        assert_eq!(desk.applied("web", &[]).0, 0);
        assert_eq!(applies(&desk, NONE)["leftovers"], json!([]));
        assert_eq!(srv(&desk), before, "{first}");
    }
}
