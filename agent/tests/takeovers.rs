//! One path over several roles: what takes it over comes when it is free, and what was there before cfg comes back in the end.

use cfg_tests::Desk;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::process::Command;

/// A machine on which this was done before cfg came.
fn machine(setup: &str) -> Desk {
    let desk = Desk::new(env!("CARGO_BIN_EXE_cfg"));
    std::fs::create_dir(desk.path("root/srv")).unwrap();
    let mut shell = Command::new("sh");
    let done = shell
        .args(["-ec", setup])
        .current_dir(desk.path("root/srv"));
    assert!(done.status().unwrap().success(), "{setup}");
    desk
}

fn run(desk: &Desk, more: &[&str]) -> (i32, Value) {
    desk.applied("web", &[more, &["--prune"]].concat())
}

/// All that stands in /srv: by path its kind and mode, whose it is, and what it holds or leads to.
fn srv(desk: &Desk) -> BTreeMap<String, String> {
    fn list(folder: &Path, at: &str, found: &mut BTreeMap<String, String>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = format!("{at}/{}", path.file_name().unwrap().to_str().unwrap());
            let seen = path.symlink_metadata().unwrap();
            let holds = match seen.file_type() {
                kind if kind.is_symlink() => path.read_link().unwrap().display().to_string(),
                kind if kind.is_file() => std::fs::read_to_string(&path).unwrap(),
                _ => String::new(),
            };
            if seen.is_dir() {
                list(&path, &name, found);
            }
            let whose = (seen.uid(), seen.gid());
            found.insert(name, format!("{:o} {whose:?} {holds}", seen.mode()));
        }
    }
    let mut found = BTreeMap::new();
    list(&desk.path("root/srv"), "", &mut found);
    found
}

/// What is foretold is done, with the same end, and then there is nothing left to do.
fn applies(desk: &Desk, role: &str) -> Value {
    desk.role("web", role);
    let (foretold, dry) = run(desk, &["--dry-run"]);
    let (code, ran) = run(desk, &[]);
    assert_eq!(dry["changes"], ran["changes"], "{role}");
    assert_eq!(dry["failures"], ran["failures"], "{role}");
    assert_eq!(foretold == 1, code == 1, "{role}: {ran}");
    let (again, idle) = run(desk, &[]);
    assert_eq!((again, &idle["changes"]), (code, &json!([])), "{role}");
    assert_eq!(idle["leftovers"], ran["leftovers"], "{role}");
    ran
}

const NONE: &str = "description = \"none\"\n";
const DIRECTORY: &str = "[directory.\"/srv/p\"]\n";
const LINK: &str = "[link.\"/srv/p\"]\ntarget = \"t\"\n";
const FILE: &str = "[file.\"/srv/p\"]\ncontent = \"x\\n\"\n";
const BELOW: &str = "[file.\"/srv/p/q\"]\ncontent = \"q\\n\"\n";
const NO_MORE: &str = "[file.\"/srv/p/q\"]\nstate = \"absent\"\n";
const MADE: &str = "[edit.\"/srv/p\"]\nformat = \"env\"\ncreate = true\nset = { A = 1 }\n";
const DEEP: &str = "[directory.\"/srv/p\"]\n[file.\"/srv/p/a\"]\ncontent = \"a\\n\"\n[file.\"/srv/p/b/c\"]\ncontent = \"c\\n\"\n";

#[test]
fn nothing_is_brought_back_where_the_role_leaves_no_room_for_it() {
    for (role, of) in [(NO_DIRECTORY, "directory"), (FILE, "file")] {
        let desk = machine("mkdir -p p/q");
        let before = srv(&desk);
        applies(&desk, "[directory.\"/srv/p/q\"]\nstate = \"absent\"\n");
        let ran = applies(&desk, role);
        assert_eq!(ran["failures"], json!([]));
        let why = format!("{of}:/srv/p of the role leaves no room for it");
        assert_eq!(ran["leftovers"][0]["why"], why);
        applies(&desk, NONE);
        assert_eq!(srv(&desk), before);
    }
}

/// All of these roles get there, one after the other, and then the machine is as it was.
fn comes_back(cases: &[(&str, &[&str])]) {
    comes_back_after(cases, false);
}

fn comes_back_after(cases: &[(&str, &[&str])], failing: bool) {
    for (setup, roles) in cases {
        let desk = machine(setup);
        let before = srv(&desk);
        let mut failed = false;
        for role in *roles {
            failed |= applies(&desk, role)["failures"] != json!([]);
        }
        assert_eq!(failed, failing, "{setup}: {roles:?}");
        let ran = applies(&desk, NONE);
        assert_eq!(ran["leftovers"], json!([]), "{setup}: {roles:?}");
        assert_eq!(srv(&desk), before, "{setup}: {roles:?}");
    }
}

#[test]
fn what_is_cfgs_own_makes_room_for_another_kind() {
    comes_back(&[
        ("", &[MADE, LINK]),
        ("", &[MADE, DIRECTORY]),
        ("", &[MADE, BELOW]),
        ("", &[FILE, LINK]),
        ("", &[FILE, DIRECTORY]),
        ("", &[FILE, BELOW]),
        ("", &[DEEP, FILE]),
        ("", &[DEEP, LINK]),
        ("", &[BELOW, FILE]),
        ("", &[BELOW, &[FILE, NO_MORE].concat()]),
        (
            "ln -s nowhere p",
            &[DEEP, "[file.\"/srv/p/b/c\"]\nstate = \"absent\"\n"],
        ),
        ("mkdir p", &[NO_DIRECTORY, MADE]),
        ("mkdir p; touch p/q", &[&[FILE, NO_MORE].concat()]),
        (
            "",
            &[BELOW, "[directory.\"/srv/p/q\"]\nstate = \"absent\"\n"],
        ),
        (
            "mkdir t",
            &[BELOW, &[LINK, "[directory.\"/srv/p/q\"]\n"].concat()],
        ),
        ("ln -s nowhere p", &[DEEP, FILE]),
        ("mkdir -m 700 p", &[NO_DIRECTORY, BELOW]),
        ("mkdir -m 700 p", &[BELOW, FILE]),
        ("mkdir -m 700 p", &[FILE, DEEP, LINK, DIRECTORY]),
    ]);
}

#[test]
fn what_is_not_cfgs_makes_no_room() {
    for (setup, roles) in [
        ("echo old >p", [FILE, LINK]),
        ("echo old >p", [FILE, DIRECTORY]),
        ("mkdir p; echo of somebody >p/a", [BELOW, FILE]),
    ] {
        let desk = machine(setup);
        let before = srv(&desk);
        applies(&desk, roles[0]);
        let ran = applies(&desk, roles[1]);
        let other = "link:/srv/p directory:/srv/p file:/srv/p";
        let failed = ran["failures"][0]["resource"].as_str().unwrap();
        assert!(other.contains(failed), "{ran}");
        applies(&desk, NONE);
        assert_eq!(srv(&desk), before, "{roles:?}");
    }
}

#[test]
fn what_lies_behind_a_link_goes_while_that_leads_there() {
    let led = "[link.\"/srv/p\"]\ntarget = \"/srv/t\"\n";
    let there = "[directory.\"/srv/t\"]\nmode = \"0700\"\n";
    comes_back(&[
        ("mkdir t; ln -s t p", &[BELOW, FILE]),
        ("mkdir t; ln -s t p", &[BELOW, DIRECTORY]),
        ("mkdir t; ln -s t p", &[DEEP, LINK]),
        ("mkdir t u; ln -s u p", &[BELOW, LINK]),
        ("ln -s nowhere p", &[&[led, there, BELOW].concat()]),
        ("mkdir t; ln -s nowhere p", &[&[led, BELOW].concat()]),
        ("", &[&[led, there, BELOW].concat()]),
    ]);
}

#[test]
fn what_the_role_wants_in_place_of_a_way_is_another_thing_than_what_lies_behind_it() {
    let [a, b] = ["a", "b/c"].map(|at| format!("[file.\"/srv/p/{at}\"]\ncontent = \"{at}\\n\"\n"));
    let folder = "[directory.\"/srv/p/b\"]\nmode = \"0711\"\n";
    let link = "[link.\"/srv/p\"]\ntarget = \"u\"\n";
    comes_back(&[
        ("mkdir t; ln -s t p", &[&b, DEEP]),
        ("mkdir t; ln -s t p", &[&[&*a, &b].concat(), DEEP]),
        ("mkdir t; ln -s t p", &[&b, &[DIRECTORY, folder].concat()]),
        ("mkdir t; ln -s t p", &[&b, &[DIRECTORY, &b].concat()]),
        (
            "mkdir t; ln -s t p",
            &[
                &b,
                &[DIRECTORY, "[file.\"/srv/p/b\"]\ncontent = \"\"\n"].concat(),
            ],
        ),
        ("mkdir t u; ln -s t p", &[&a, &[link, &a].concat()]),
        ("mkdir t; ln -s t p", &[&b, DEEP, FILE]),
    ]);
}

#[test]
fn one_folder_by_two_names_is_made_and_removed_once() {
    let setup = "mkdir t; ln -s t p; ln -s t b";
    let also = "[file.\"/srv/b/q/z\"]\ncontent = \"z\\n\"\n";
    let into = "[file.\"/srv/p/q/y\"]\ncontent = \"y\\n\"\n";
    let folder = "[directory.\"/srv/p/q\"]\n";
    comes_back(&[
        (setup, &[&[also, into].concat()]),
        (setup, &[&[also, folder].concat()]),
        (setup, &[also, &[also, folder].concat(), into]),
    ]);
    let desk = machine(setup);
    let ran = applies(&desk, &[also, into].concat());
    assert_eq!(ran["changes"].as_array().unwrap().len(), 3, "{ran}");
}

/// The order is the role's own, and by name: so that fails at first, as foretold, unless it comes `after` that.
#[test]
fn what_is_reached_by_a_link_of_the_machine_before_the_role_makes_its_target_fails() {
    let there = "[file.\"/srv/z/t/main\"]\ncontent = \"m\\n\"\n";
    let tree = "[directory.\"/srv/p/d\"]\nsource = \"tree\"\n";
    for below in [BELOW, tree] {
        let desk = machine("ln -s /srv/z/t p");
        desk.write("roles/web/tree/one", "1");
        desk.role("web", &[below, there].concat());
        let (foretold, dry) = run(&desk, &["--dry-run"]);
        let (code, ran) = run(&desk, &[]);
        assert_eq!((foretold, code), (1, 1), "{dry} {ran}");
        assert_eq!(dry["changes"], ran["changes"]);
        assert_eq!(dry["failures"], ran["failures"]);
        let message = ran["failures"][0]["message"].as_str().unwrap();
        assert!(message.contains("/srv/p is a link to /srv/z/t"), "{ran}");
        let ordered = format!("{below}after = [\"file:/srv/z/t/main\"]\n{there}");
        let desk = machine("ln -s /srv/z/t p");
        desk.write("roles/web/tree/one", "1");
        assert_eq!(applies(&desk, &ordered)["failures"], json!([]));
    }
}

#[test]
fn what_must_not_be_there_and_stays_is_still_of_who_made_it() {
    let gone =
        "[directory.\"/srv/p\"]\nstate = \"absent\"\n[link.\"/srv/p/q\"]\nstate = \"absent\"\n";
    let edit = |set: &str| {
        format!("[edit.\"/srv/p/q\"]\nformat = \"env\"\ncreate = true\nset = {{ {set} }}\n")
    };
    comes_back(&[("", &[BELOW, gone])]);
    let more = [LINK, &edit("A = 3, B = 4")].concat();
    comes_back_after(
        &[
            ("mkdir t; ln -s t p", &[BELOW, gone]),
            ("", &[&edit("A = 3"), &more]),
        ],
        true,
    );
}

#[test]
fn what_lies_behind_a_link_that_goes_is_left_over_where_it_lies() {
    for role in [DIRECTORY, FILE] {
        let desk = machine("mkdir t; ln -s t p");
        let before = srv(&desk);
        applies(&desk, BELOW);
        desk.role("web", role);
        for run in 0..3 {
            let (code, output) = desk.apply("web", &["--json"]);
            let ran: Value = serde_json::from_slice(&output.stdout).unwrap();
            assert_eq!(code, 0, "{ran}");
            let left = ran["leftovers"][0]["resource"].as_str();
            assert!(run == 0 || left == Some("file:/srv/t/q"), "{ran}");
        }
        assert_eq!(applies(&desk, NONE)["leftovers"], json!([]));
        assert_eq!(srv(&desk), before);
    }
}

#[test]
fn what_stood_where_a_directory_came_is_back_once_that_is_empty() {
    comes_back(&[
        ("ln -s nowhere p", &[DEEP]),
        ("ln -s nowhere p", &[&[DIRECTORY, BELOW].concat()]),
    ]);
    let desk = machine("ln -s nowhere p");
    applies(&desk, DEEP);
    std::fs::write(desk.path("root/srv/p/theirs"), "x").unwrap();
    let why = "it is not empty: /srv/p/theirs stands in it";
    assert_eq!(
        applies(&desk, NONE)["leftovers"],
        json!([{ "resource": "directory:/srv/p", "role": "web", "why": why }])
    );
    std::fs::remove_file(desk.path("root/srv/p/theirs")).unwrap();
    assert_eq!(applies(&desk, NONE)["leftovers"], json!([]));
    assert!(desk.path("root/srv/p").is_symlink());
}

const GONE: &str = "[file.\"/srv/p\"]\nstate = \"absent\"\n";
const NO_DIRECTORY: &str = "[directory.\"/srv/p\"]\nstate = \"absent\"\n";
const NO_LINK: &str = "[link.\"/srv/p\"]\nstate = \"absent\"\n";
const MODE: &str = "[file.\"/srv/p\"]\nmode = \"0640\"\n";
const CLOSED: &str = "[directory.\"/srv/p\"]\nmode = \"0711\"\n";
const OLD: &str = "echo A=0 >p; echo B=1 >>p; chmod 604 p";

fn edit(name: &str, what: &str) -> String {
    format!("[edit.{name}]\npath = \"/srv/p\"\nformat = \"env\"\n{what}\n")
}

#[test]
fn what_was_there_first_is_known_whatever_has_come_since() {
    let five = edit("x", "set = { A = 5 }");
    let seven = edit("y", "set = { A = 7 }");
    let none = edit("z", "remove = [\"A\"]");
    let both = [FILE, "mode = \"0640\"\n"].concat();
    let owned = "[file.\"/srv/p\"]\nmode = \"0600\"\n";
    comes_back(&[
        ("", &[LINK, FILE]),
        ("", &[LINK, CLOSED]),
        ("", &[CLOSED, LINK]),
        ("", &[CLOSED, FILE, LINK]),
        ("", &[MADE, FILE]),
        (OLD, &[GONE, LINK]),
        (OLD, &[GONE, DIRECTORY]),
        (OLD, &[GONE, BELOW]),
        (OLD, &[GONE, MADE]),
        (OLD, &[GONE, FILE]),
        (OLD, &[FILE, GONE, LINK, GONE, FILE]),
        (OLD, &[FILE, owned]),
        (OLD, &[&both, owned, &five]),
        (OLD, &[FILE, &five, FILE]),
        (OLD, &[&five, FILE]),
        (OLD, &[&five, &seven, &none]),
        (OLD, &[&five, &seven, FILE]),
        ("", &[MADE, &seven]),
        ("", &[MADE, NO_DIRECTORY]),
        ("", &[FILE, NO_DIRECTORY]),
        ("", &[FILE, NO_LINK]),
        ("mkdir -m 711 p", &[FILE, NO_DIRECTORY]),
        ("ln -s nowhere p", &[FILE, NO_LINK]),
        ("mkdir -m 711 p", &[NO_DIRECTORY, DIRECTORY]),
        ("ln -s nowhere p", &[NO_DIRECTORY, BELOW]),
        ("mkdir -m 711 p", &[NO_DIRECTORY, LINK, CLOSED]),
        ("ln -s nowhere p", &[CLOSED, FILE, CLOSED]),
        ("ln -s nowhere p", &[FILE, BELOW]),
    ]);
}

/// An edit of a format, with what it says.
fn of(format: &str, name: &str, what: &str) -> String {
    format!("[edit.{name}]\npath = \"/srv/p\"\nformat = \"{format}\"\n{what}\n")
}

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

#[test]
fn a_folder_that_comes_back_is_told_of_as_one() {
    let desk = Desk::new(env!("CARGO_BIN_EXE_cfg"));
    std::fs::create_dir_all(desk.path("root/srv/p")).unwrap();
    applies(&desk, FILE);
    desk.role("web", NONE);
    let (_, output) = desk.apply("web", &["--prune", "--dry-run"]);
    let told = String::from_utf8(output.stdout).unwrap();
    assert!(told.contains("a directory again"), "{told}");
}

#[test]
fn what_failed_changed_nothing_of_what_was_there_first() {
    comes_back_after(
        &[
            ("", &[MODE, FILE]),
            ("ln -s nowhere p", &[MODE, FILE]),
            ("mkdir p", &[MODE, FILE]),
            (OLD, &[GONE, MODE]),
            (OLD, &[MODE, LINK]),
            ("mkdir p; echo >p/q", &[CLOSED, NO_DIRECTORY]),
            ("mkdir p; echo >p/q", &[CLOSED, FILE]),
            ("echo >p", &[BELOW]),
            ("mkdir p", &[FILE, "[file.\"/srv/p/q\"]\nmode = \"0600\"\n"]),
        ],
        true,
    );
}
