//! Files, directories, links and edits at one path.

use crate::{
    ADDED, BELOW, CLOSED, DEEP, DIRECTORY, FILE, GONE, LINK, MADE, MODE, NO_DIRECTORY, NO_LINK,
    NO_MORE, NONE, OLD, applies, comes_back, comes_back_after, edit, machine, run, srv,
};
use cfg_tests::Desk;
use cfg_tests::tar::{FILE as PLAIN, tar};
use serde_json::json;

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

/// What the role looks for behind it is looked for when the link is there, which only a run can.
#[test]
fn what_is_cfgs_own_makes_room_for_a_link_behind_which_something_must_not_be() {
    let desk = machine("mkdir t");
    applies(&desk, BELOW);
    let gone = "[file.\"/srv/p/z\"]\nstate = \"absent\"\n";
    desk.role("web", &[LINK, gone].concat());
    assert_eq!(run(&desk, &["--dry-run"]).0, 2);
    assert_eq!(run(&desk, &[]).0, 0);
    assert!(desk.path("root/srv/p").is_symlink());
}

/// As long as that is in the way, there is no link behind which it could not be.
#[test]
fn what_must_not_be_behind_a_link_does_not_go_before_it() {
    let own = "[link.\"/srv/p/q\"]\ntarget = \"nowhere\"\n";
    let led = [LINK, NO_MORE].concat();
    comes_back_after(&[("mkdir p", &[own, &led]), ("", &[BELOW, &led])], true);
}

/// What lies behind the link is something else.
#[test]
fn what_was_taken_from_a_folder_comes_back_when_the_link_in_its_place_goes() {
    let setup = "mkdir p t; echo old >p/q; echo other >t/a";
    for gone in [NO_MORE, &[NO_DIRECTORY, NO_MORE].concat()] {
        let desk = machine(setup);
        let before = srv(&desk);
        applies(&desk, gone);
        for _run in 0..2 {
            let why = "link:/srv/p of the role leaves no room for it";
            assert_eq!(applies(&desk, LINK)["leftovers"][0]["why"], why);
        }
        assert_eq!(applies(&desk, NONE)["leftovers"], json!([]));
        assert_eq!(srv(&desk), before);
    }
    comes_back(&[
        (setup, &[NO_MORE, LINK, DIRECTORY]),
        (setup, &[NO_MORE, LINK, FILE]),
    ]);
    let desk = machine(setup);
    let before = srv(&desk);
    applies(&desk, NO_MORE);
    desk.role("web", &[LINK, NO_MORE].concat());
    assert_eq!(run(&desk, &[]).0, 0);
    applies(&desk, NONE);
    assert_eq!(srv(&desk), before);
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
        ("", &[DIRECTORY, GONE]),
        ("ln -s nowhere p", &[DIRECTORY, GONE]),
        ("mkdir -m 711 p", &[FILE, NO_LINK]),
        ("ln -s nowhere p", &[FILE, NO_DIRECTORY]),
        ("", &[BELOW, NO_LINK]),
        ("", &[FILE, NO_LINK]),
        (
            "mkdir t",
            &[BELOW, &[LINK, "[directory.\"/srv/p/q\"]\n"].concat()],
        ),
        ("ln -s nowhere p", &[DEEP, FILE]),
        ("mkdir -m 700 p", &[BELOW, FILE]),
        ("mkdir -m 700 p", &[FILE, DEEP, LINK, DIRECTORY]),
        // Also where it was edited meanwhile.
        ("", &[FILE, ADDED, DIRECTORY]),
        ("", &[FILE, ADDED, LINK]),
        ("", &[FILE, ADDED, BELOW]),
        ("mkdir -m 711 p", &[FILE, ADDED, DEEP]),
        ("ln -s nowhere p", &[FILE, ADDED, BELOW]),
        ("ln -s nowhere p", &[FILE, ADDED, DIRECTORY, FILE]),
    ]);
}

#[test]
fn a_file_of_cfgs_gives_way_to_an_archive() {
    let archive = "[archive.\"/srv/p\"]\nsource = \"app.tar\"\n";
    for first in [FILE, MADE] {
        let desk = machine("");
        desk.write("roles/web/app.tar", tar(&[("in", PLAIN, "x")]));
        applies(&desk, first);
        let ran = applies(&desk, archive);
        assert_eq!(ran["failures"], json!([]), "{ran}");
        assert!(desk.path("root/srv/p/in").exists());
        applies(&desk, "[archive.\"/srv/p\"]\nstate = \"absent\"\n");
        assert_eq!(applies(&desk, NONE)["leftovers"], json!([]));
        assert!(srv(&desk).is_empty(), "{:?}", srv(&desk));
    }
}

#[test]
fn an_archive_that_failed_since_it_came_is_left_over_still() {
    let archive = "[archive.\"/srv/p\"]\nsource = \"app.tar\"\n";
    let clash = "[file.\"/srv/l/y\"]\ncontent = \"y\\n\"\n";
    let desk = machine("ln -s p l");
    desk.write("roles/web/app.tar", tar(&[("in", PLAIN, "x")]));
    applies(&desk, archive);
    let ran = applies(&desk, &[archive, clash].concat());
    assert_eq!(ran["counts"]["failed"], 2, "{ran}");
    let ran = applies(&desk, NONE);
    assert_eq!(ran["leftovers"][0]["resource"], "archive:/srv/p", "{ran}");
}

#[test]
fn an_archive_comes_below_a_file_of_cfgs_that_goes_for_it() {
    for setup in ["", "mkdir p", "ln -s nowhere p"] {
        let desk = machine(setup);
        desk.write("roles/web/app.tar", tar(&[("in", PLAIN, "x")]));
        applies(&desk, FILE);
        let below = "[archive.\"/srv/p/x\"]\nsource = \"app.tar\"\n";
        let ran = applies(&desk, below);
        assert_eq!(ran["failures"], json!([]), "{setup}: {ran}");
    }
}

#[test]
fn what_is_not_cfgs_makes_no_room() {
    for (setup, roles) in [
        ("echo old >p", [FILE, LINK]),
        ("echo old >p", [FILE, DIRECTORY]),
        ("echo old >p", [ADDED, DIRECTORY]),
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

/// It would be looked for behind the link, where only the next run could look.
#[test]
fn a_link_of_before_waits_for_what_the_role_does_not_want_behind_it() {
    let setup = "mkdir t; echo A=0 >t/q; ln -s t p";
    let no_link = "[link.\"/srv/p/q\"]\nstate = \"absent\"\n";
    for first in [DIRECTORY, DEEP, FILE, NO_LINK] {
        for (then, of) in [(NO_MORE, "file"), (no_link, "link")] {
            let desk = machine(setup);
            let before = srv(&desk);
            applies(&desk, first);
            let why = format!("{of}:/srv/p/q of the role must not be behind it");
            let ran = applies(&desk, then);
            assert_eq!(ran["failures"], json!([]), "{first}: {ran}");
            let mut left = ran["leftovers"].as_array().unwrap().iter();
            assert!(left.any(|one| one["why"] == why), "{first}: {ran}");
            assert_eq!(applies(&desk, NONE)["leftovers"], json!([]));
            assert_eq!(srv(&desk), before, "{first}");
        }
    }
    let led = LINK.replace("\"t\"", "\"nowhere\"");
    comes_back(&[(setup, &[&led, NO_MORE])]);
}

#[test]
fn what_is_there_behind_a_link_of_before_is_found_when_that_is_back() {
    let no_line = "[edit.\"/srv/p/q\"]\nformat = \"env\"\ncreate = true\nremove = [\"A\"]\n";
    let mode = "[file.\"/srv/p/q\"]\nmode = \"0600\"\n";
    let there = "mkdir t; echo A=0 >t/q; ln -s t p";
    for (setup, then, found) in [
        (there, no_line, 2),
        (there, mode, 2),
        ("ln -s nowhere p", no_line, 1),
    ] {
        let desk = machine(setup);
        let before = srv(&desk);
        applies(&desk, FILE);
        desk.role("web", then);
        let (foretold, dry) = run(&desk, &["--dry-run"]);
        let sure = &dry["changes"][1]["certainty"];
        assert_eq!((foretold, sure), (2, &json!("assumed")), "{dry}");
        let (code, ran) = run(&desk, &[]);
        let made = ran["changes"].as_array().unwrap().len();
        assert_eq!((code, made), (0, found), "{ran}");
        assert_eq!(ran["unforeseen"], json!(null), "{ran}");
        assert_eq!(run(&desk, &[]).1["changes"], json!([]));
        applies(&desk, NONE);
        assert_eq!(srv(&desk), before);
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

/// Then nobody looks at what is left over.
#[test]
fn what_a_role_took_away_comes_back_though_only_some_of_one_was_applied_since() {
    let gone = ["link", "file"].map(|kind| format!("[{kind}.\"/srv/p\"]\nstate = \"absent\"\n"));
    for (setup, gone) in ["ln -s b p", "echo old >p"].into_iter().zip(gone) {
        let desk = machine(setup);
        let before = srv(&desk);
        applies(&desk, &gone);
        desk.role("web", BELOW);
        for more in [&["--only", "file:/srv/p/q"][..], &[]] {
            assert_eq!(desk.applied("web", more).0, 0);
        }
        applies(&desk, NONE);
        assert_eq!(srv(&desk), before);
    }
}

#[test]
fn what_a_file_that_gave_way_stood_for_comes_back_though_nothing_came_below() {
    let failing = "[file.\"/srv/t\"]\ncontent = \"1\"\n";
    let below = format!("{BELOW}after = [\"file:/srv/t\"]\n");
    for there in ["ln -s x p", "mkdir -m 711 p"] {
        let setup = format!("{there}; mkdir -p t/full");
        let fails = [failing, &below].concat();
        comes_back_after(&[(&setup, &[FILE, &fails])], true);
        // It is mended meanwhile.
        comes_back_after(&[(&setup, &[FILE, &fails, BELOW])], true);
    }
}

/// What one edit said and another in another format changed is not known any more: it comes back with the file.
#[test]
fn a_folder_of_cfgs_in_which_something_comes_back_stays() {
    let edit = |what: &str| format!("[edit.e]\npath = \"/srv/p/q\"\n{what}");
    let keys = edit("format = \"env\"\ncreate = true\nset = { A = 4, B = 1 }\n");
    let line = "format = \"lines\"\nlines = [{ line = \"A=5\", match = \"^A=\" }]\n";
    let desk = machine("true");
    for role in [&keys, &edit(line).replace("edit.e", "edit.f"), NO_MORE] {
        desk.role("web", role);
        assert_eq!(desk.applied("web", &[]).0, 0, "{role}");
    }
    applies(&desk, NONE);
    assert_eq!(srv(&desk).len(), 2);
}
