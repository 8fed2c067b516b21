//! An edited file comes back byte for byte where what each edit found is known, and else key by key.

use crate::{NONE, applies, comes_back, comes_back_after, machine, of, srv};

#[test]
fn an_edit_by_another_name_brings_back_what_only_the_whole_file_tells() {
    let c = of("yaml", "b", "set = { c = 2 }");
    for name in ["a", "c"] {
        let grown = of("yaml", name, "set = { d = 1 }\nremove = [\"l\"]");
        comes_back(&[("printf 'a: 1\\nl:\\n  - 1\\n' >p", &[&c, &grown])]);
    }
}

/// A format, a text in it, and what sets a key that is there to something else, removes it, and sets another.
const FORMATS: [(&str, &str, &str, &str, &str); 5] = [
    (
        "env",
        "A=1\n",
        "set = { A = 2 }",
        "remove = [\"A\"]",
        "set = { B = 3 }",
    ),
    (
        "ini",
        "[s]\na = 1\n",
        "set = { s.a = 2 }",
        "remove = [\"s.a\"]",
        "set = { s.b = 3 }",
    ),
    (
        "json",
        "{\n  \"a\": 1\n}\n",
        "set = { a = 2 }",
        "remove = [\"a\"]",
        "set = { b = 3 }",
    ),
    (
        "toml",
        "a = 1\n",
        "set = { a = 2 }",
        "remove = [\"a\"]",
        "set = { b = 3 }",
    ),
    (
        "yaml",
        "a: 1\n",
        "set = { a = 2 }",
        "remove = [\"a\"]",
        "set = { b = 3 }",
    ),
];

#[test]
fn what_an_edit_hands_to_another_while_it_changes_itself_comes_back() {
    for (format, text, set, remove, other) in FORMATS {
        let setup = format!("printf '{text}' >p");
        for (one, two) in [("a", "b"), ("b", "a")] {
            let first = of(format, one, remove);
            let then = [of(format, one, other), of(format, two, set)].concat();
            comes_back(&[(&setup, &[&first, &then, &of(format, two, set)])]);
        }
    }
}

#[test]
fn what_an_edit_found_comes_back_though_another_says_again_what_a_third_said() {
    for (format, text, set, _, other) in FORMATS {
        let setup = format!("printf '{text}' >p");
        for (one, two, three) in [("a", "b", "c"), ("c", "b", "a"), ("b", "a", "c")] {
            let stays = of(format, one, set);
            let first = [stays.clone(), of(format, two, other)].concat();
            let then = [stays.clone(), of(format, three, other)].concat();
            comes_back(&[(&setup, &[&first, &stays, &then])]);
        }
    }
}

/// What stands there is what was there before cfg, and so the edit is no more to be taken back than the file.
#[test]
fn an_edit_is_forgotten_with_a_file_of_cfgs_that_it_made_what_it_was() {
    for (format, text, _, remove, _) in FORMATS {
        let setup = format!("printf '{text}' >p");
        let desk = machine(&setup);
        let removes = of(format, "e", remove);
        applies(&desk, &removes);
        let bare = std::fs::read_to_string(desk.path("root/srv/p")).unwrap();
        let file = format!("[file.\"/srv/p\"]\ncontent = {text:?}\n");
        comes_back(&[(&*format!("printf '{bare}' >p"), &[&*file, &*removes])]);
    }
}

/// Else nobody would know any more who said what the file holds.
#[test]
fn an_edit_keeps_what_another_is_to_say_that_fails() {
    for (text, first, then) in [
        (
            "[s]\na = 1\n",
            "set = { b = 1, s.c = 1 }",
            "set = { s.A = 2, s.c = 1 }",
        ),
        (
            "[s]\na = 1\n",
            "set = { b = 1, s.c = 1 }",
            "set = { b = 1 }\nremove = [\"S.a\"]",
        ),
        (
            "[s]\na = 1\n",
            "set = { s.c = 1 }",
            "set = { s.A = 2, s.c = 1 }",
        ),
        (
            "[s]\na = 1\n",
            "set = { t.x = 1 }",
            "set = { s.A = 2 }\nremove = [\"t.x\"]",
        ),
    ] {
        let setup = format!("printf '{text}' >p");
        let roles = [of("ini", "e1", first), of("ini", "e2", then)];
        comes_back_after(&[(&*setup, &[&*roles[0], &*roles[1]])], true);
        // So it does where it says something else itself.
        let changed = of("ini", "e1", "set = { u.z = 1 }") + &roles[1];
        comes_back_after(&[(&*setup, &[&*roles[0], &*changed, &*roles[1]])], true);
    }
}

#[test]
fn what_an_edit_did_is_known_still_where_it_is_to_do_what_it_cannot() {
    let first = of(
        "ini",
        "e1",
        "set = { s.c = 2, u.z = 1 }\nremove = [\"s.a\"]",
    );
    let failing = of("ini", "e1", "set = { S.a = 1, t.x = 1 }");
    for other in [
        "set = { u.z = 2 }",
        "set = { v.z = 2 }",
        "remove = [\"u.z\"]",
    ] {
        let both = [&failing, &*of("ini", "e2", other)].concat();
        let setup = "printf '[s]\na = 1\n' >p";
        comes_back_after(&[(setup, &[&*first, &*both])], true);
    }
}

/// What it said in between was what had been there before cfg.
#[test]
fn an_edit_that_said_what_was_there_does_not_take_what_another_did_for_that() {
    let first = of("env", "e2", "set = { B = 1, C = 1 }");
    let as_was = of("env", "e1", "set = { B = 2 }");
    let then = of("env", "e1", "set = { C = 2 }");
    let desk = machine("printf 'A=1\nB=2\n' >p");
    let before = srv(&desk);
    applies(&desk, &first);
    desk.role("web", &as_was);
    assert_eq!(desk.applied("web", &[]).0, 0);
    applies(&desk, &then);
    applies(&desk, NONE);
    assert_eq!(srv(&desk), before);
}

#[test]
fn a_line_that_took_the_place_of_another_goes_though_its_edit_says_no_more_of_it() {
    let took = of(
        "lines",
        "e1",
        "lines = [{ line = \"B=3\", match = \"^[ab]$\" }]",
    );
    let beside = of("lines", "e2", "remove = [\"b\"]");
    for then in [
        "remove = [\"a\"]",
        "lines = [{ line = \"C\", match = \"^[aC]$\" }]",
    ] {
        let then = of("lines", "e1", then);
        let roles = [took.clone() + &beside, then + &beside];
        comes_back(&[("echo a >p", &[&*roles[0], &*roles[1]])]);
    }
}
