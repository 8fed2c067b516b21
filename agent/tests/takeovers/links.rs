//! What lies behind links of the machine, or of the role.

use crate::{
    BELOW, DEEP, DIRECTORY, FILE, LINK, NONE, applies, comes_back, comes_back_after, machine, run,
    srv,
};
use cfg_tests::tar::{FILE as PLAIN, tar};
use serde_json::{Value, json};

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
fn who_wants_no_file_in_place_of_a_way_has_no_say_in_the_folder_behind_it() {
    let deep = "[file.\"/srv/p/q/z\"]\ncontent = \"z\\n\"\n";
    for kind in ["file", "link"] {
        let gone = format!("[{kind}.\"/srv/p/q\"]\nstate = \"absent\"\n");
        comes_back(&[("mkdir t; ln -s t p", &[deep, &[DIRECTORY, &gone].concat()])]);
        // It may lie there still when its turn comes, as far as a plan can know.
        let desk = machine("mkdir t; ln -s t p");
        let before = srv(&desk);
        applies(&desk, deep);
        desk.role(
            "web",
            &[LINK, &gone].concat().replace("\"t\"", "\"nowhere\""),
        );
        assert_eq!(run(&desk, &[]).0, 0);
        assert_eq!(applies(&desk, NONE)["leftovers"], json!([]));
        assert_eq!(srv(&desk), before);
    }
}

#[test]
fn what_must_not_be_there_goes_with_what_lies_in_it_before_the_way_does() {
    let deep = "[file.\"/srv/p/q/z\"]\ncontent = \"z\\n\"\n";
    let gone = "[directory.\"/srv/p/q\"]\nstate = \"absent\"\n";
    for way in [FILE, LINK, DIRECTORY] {
        comes_back(&[("mkdir t; ln -s /srv/t p", &[deep, &[way, gone].concat()])]);
    }
}

#[test]
fn one_file_by_two_names_comes_back_at_once() {
    let named = |name: &str, path: &str, set: &str| {
        format!(
            "[edit.{name}]\npath = \"/srv/{path}\"\nformat = \"env\"\ncreate = true\nset = {{ {set} }}\n"
        )
    };
    let (a, b) = (named("a", "t/f", "A = 5"), named("b", "p/f", "B = 5"));
    let (there, empty) = ("mkdir t; ln -s t p; echo A=0 >t/f", "mkdir t; ln -s t p");
    let begun = "[file.\"/srv/p/f\"]\ncontent = \"A=0\\n\"\ncreate_only = true\n";
    let mode = "[file.\"/srv/p/f\"]\nmode = \"0640\"\n";
    let whole = "[file.\"/srv/p/f\"]\ncontent = \"x\\n\"\n";
    let gone = "[file.\"/srv/p/f\"]\nstate = \"absent\"\n";
    let both = [&*a, &b].concat();
    for setup in [there, empty] {
        comes_back(&[
            (setup, &[&both]),
            (setup, &[&[begun, &a].concat()]),
            (setup, &[&[begun, &both].concat()]),
            (setup, &[gone, &a]),
            (setup, &[&a, whole]),
            (setup, &[&both, whole]),
            (setup, &[&a, gone]),
        ]);
    }
    comes_back(&[(there, &[&[mode, &a].concat()]), (there, &[&a, mode])]);
}

#[test]
fn a_folder_and_what_is_in_it_by_another_name_come_back_at_once() {
    for (link, at) in [("t", "p/d/f"), ("t/d", "p/f")] {
        let gone = format!(
            "[file.\"/srv/{at}\"]\nstate = \"absent\"\n[directory.\"/srv/t/d\"]\nstate = \"absent\"\nafter = [\"file:/srv/{at}\"]\n"
        );
        let setup = format!("mkdir -p t/d; chmod 711 t/d; echo x >t/d/f; ln -s {link} p");
        comes_back(&[(&setup, &[&gone])]);
    }
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

/// A folder that others may write is walked with care; one that is made so again at the end is not yet.
#[test]
fn what_a_folder_is_given_counts_from_its_turn_on() {
    let desk = machine("mkdir p; chmod 777 p; ln -s nowhere p/x");
    applies(&desk, "[directory.\"/srv/p\"]\nmode = \"0640\"\n");
    desk.role("web", "[file.\"/srv/p/x/z\"]\nstate = \"absent\"\n");
    let foretold = run(&desk, &["--dry-run"]);
    assert_eq!((foretold.0, run(&desk, &[]).0), (2, 0), "{}", foretold.1);
    // By then anybody could have laid the link.
    assert_eq!(run(&desk, &[]).0, 1);
}

/// What goes from between does not loosen what lies in a link from the link.
#[test]
fn what_lies_below_what_goes_comes_after_what_stands_above_both() {
    let desk = machine("true");
    applies(&desk, "[file.\"/srv/p/q\"]\ncontent = \"q\\n\"\n");
    let lost =
        "[link.\"/srv/p\"]\ntarget = \"nowhere\"\n[file.\"/srv/p/q/z\"]\ncontent = \"z\\n\"\n";
    let ran = applies(&desk, lost);
    assert_eq!(ran["failures"][0]["resource"], "file:/srv/p/q/z", "{ran}");
    applies(&desk, NONE);
    assert_eq!(srv(&desk).len(), 0);
}

/// So it is where nothing is brought back, too.
#[test]
fn a_link_by_which_the_role_names_something_stays() {
    let led = "[link.\"/srv/p\"]\ntarget = \"/srv/t\"\n";
    let folder = "[directory.\"/srv/p/q\"]\n";
    let made = "[directory.\"/srv/t/q\"]\n";
    comes_back(&[
        ("mkdir t", &[led, BELOW]),
        ("mkdir t", &[&[led, folder].concat(), BELOW]),
        ("mkdir t", &[&[led, made].concat(), BELOW]),
        ("mkdir -p t/q", &[led, folder]),
    ]);
    let dangling = led.replace("/srv/t", "/srv/z");
    let both = [folder, made].concat();
    comes_back_after(
        &[("mkdir t", &[led, &both]), ("", &[&dangling, BELOW])],
        true,
    );
}

#[test]
fn what_lies_by_another_name_in_what_leaves_no_room_for_it_is_a_conflict() {
    let setup = "mkdir t; ln -s t p; ln -s t b";
    let full = "mkdir -p t/q; echo old >t/q/y; ln -s t p; ln -s t b";
    let gone = |kind| format!("[{kind}.\"/srv/b/q\"]\nstate = \"absent\"\n");
    let [no_file, no_link, no_directory] = ["file", "link", "directory"].map(gone);
    let link = "[link.\"/srv/b/q\"]\ntarget = \"nowhere\"\n";
    let archive = "[archive.\"/srv/b/q\"]\nsource = \"app.tar\"\n";
    let below = "[file.\"/srv/p/q/y\"]\ncontent = \"y\\n\"\n";
    let no_more = "[file.\"/srv/p/q/y\"]\nstate = \"absent\"\n";
    for (setup, whole, below, remedy) in [
        (setup, link, below, "declare one of them alone"),
        (setup, &*no_file, below, "declare one of them alone"),
        (setup, &*no_link, below, "declare one of them alone"),
        (setup, &*no_directory, below, "declare one of them alone"),
        (setup, archive, below, "name both by one way"),
        (setup, archive, no_more, "name both by one way"),
        (full, link, no_more, "name both by one way"),
        (full, &*no_directory, no_more, "name both by one way"),
    ] {
        let desk = machine(setup);
        desk.write("roles/web/app.tar", tar(&[("in", PLAIN, "x")]));
        let ran = applies(&desk, &[whole, below].concat());
        assert_eq!(ran["changes"], json!([]), "{ran}");
        assert_eq!(ran["failures"].as_array().unwrap().len(), 2, "{ran}");
        let told = ran["failures"][0]["message"].as_str().unwrap();
        assert!(
            told.contains("/srv/b/q on this machine, at /srv/t/q/y: "),
            "{told}"
        );
        assert!(told.contains(remedy), "{told}");
    }
    // By one way, or where nothing is in the way of the other, both come about.
    let one_way = archive.replace("/b/", "/p/");
    for role in [[&*one_way, no_more], [link, no_more]] {
        let desk = machine(setup);
        desk.write("roles/web/app.tar", tar(&[("in", PLAIN, "x")]));
        let ran = applies(&desk, &role.concat());
        assert_eq!(ran["failures"], json!([]), "{ran}");
    }
}

#[test]
fn what_is_made_behind_a_link_that_comes_with_it_is_known_by_where_it_lies() {
    let led = "[link.\"/srv/p\"]\ntarget = \"/srv/t\"\n";
    let folder = "[directory.\"/srv/p/x\"]\n";
    let deep = "[link.\"/srv/p/x/z\"]\ntarget = \"nowhere\"\n";
    let gone = "[file.\"/srv/t/x\"]\nstate = \"absent\"\n";
    let desk = machine("mkdir -p t/x");
    let before = srv(&desk);
    desk.role("web", &[led, folder].concat());
    let (_, ran) = run(&desk, &[]);
    assert_eq!(ran["counts"]["changed"], 1, "its folder is there: {ran}");
    applies(&desk, NONE);
    assert_eq!(srv(&desk), before);
    comes_back(&[
        ("mkdir t; echo old >t/x", &[gone, &[led, folder].concat()]),
        ("mkdir t; echo old >t/x", &[gone, &[led, deep].concat()]),
    ]);
}

#[test]
fn what_a_dangling_link_leads_to_is_known_by_that_place() {
    let setup = "ln -s /srv/z d";
    let no_file = "[file.\"/srv/d/x\"]\nstate = \"absent\"\n";
    let made = "[edit.e]\npath = \"/srv/z/x\"\nformat = \"env\"\ncreate = true\nset = { A = 1 }\n";
    let desk = machine(setup);
    let ran = applies(&desk, &[no_file, made].concat());
    assert_eq!(ran["changes"], json!([]), "{ran}");
    assert_eq!(ran["failures"].as_array().unwrap().len(), 2, "{ran}");
    // It is made before, and an edit says no less than a file of what it finds there.
    let folder = "[directory.\"/srv/z\"]\nmode = \"0711\"\n";
    let [file, edit] = ["file", "edit"].map(|kind| {
        let what = match kind {
            "file" => "content = \"x\\n\"\n",
            _ => "format = \"env\"\ncreate = true\nset = { A = 1 }\n",
        };
        [folder, &format!("[{kind}.\"/srv/d/x\"]\n{what}")].concat()
    });
    comes_back(&[(setup, &[&file]), (setup, &[&edit])]);
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
fn an_archive_behind_a_link_that_is_replaced_is_left_over_where_it_lies() {
    let desk = machine("mkdir t; ln -s t p");
    desk.write("roles/web/app.tar", tar(&[("in", PLAIN, "x")]));
    applies(&desk, "[archive.\"/srv/p/q\"]\nsource = \"app.tar\"\n");
    for role in [FILE, NONE, NONE] {
        let ran = applies(&desk, role);
        assert_eq!(ran["leftovers"][0]["resource"], "archive:/srv/t/q", "{ran}");
    }
}

#[test]
fn links_that_lead_to_each_other_go_after_what_lies_behind_both() {
    let chain = "[link.\"/srv/a\"]\ntarget = \"/srv/t\"\n[link.\"/srv/p\"]\ntarget = \"/srv/a\"\n";
    let desk = machine("mkdir t");
    let before = srv(&desk);
    desk.role("web", &[chain, BELOW].concat());
    assert_eq!(run(&desk, &[]).0, 0);
    applies(&desk, NONE);
    assert_eq!(srv(&desk), before);
}

#[test]
fn what_lies_behind_a_link_in_whose_place_an_archive_comes_goes() {
    let led = "[link.\"/srv/p\"]\ntarget = \"/srv/t\"\n";
    for (setup, first) in [("mkdir t", led), ("mkdir t; ln -s t p", "")] {
        let desk = machine(setup);
        desk.write("roles/web/app.tar", tar(&[("in", PLAIN, "x")]));
        applies(&desk, &[first, BELOW].concat());
        applies(&desk, "[archive.\"/srv/p\"]\nsource = \"app.tar\"\n");
        assert!(!desk.path("root/srv/t/q").exists());
        assert!(desk.path("root/srv/p/in").exists());
    }
    let desk = machine("true");
    desk.write("roles/web/app.tar", tar(&[("in", PLAIN, "x")]));
    applies(&desk, FILE);
    applies(&desk, "[archive.\"/srv/p/a\"]\nsource = \"app.tar\"\n");
    assert!(desk.path("root/srv/p/a/in").exists());
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

/// Where one link leads to the next, a path says nothing of the second.
#[test]
fn what_changes_on_the_way_that_a_link_of_the_machine_leads_is_no_certain_ground() {
    let led = "[link.\"/srv/t/d\"]\ntarget = \"/srv/t\"\n";
    let gone = "[file.\"/srv/t/d\"]\nstate = \"absent\"\n";
    let folder = "[directory.\"/srv/t/d\"]\n";
    let edit = "[edit.\"/srv/w/x/z\"]\nformat = \"env\"\ncreate = true\nset = { A = 1 }\n";
    let whole = "[link.\"/srv/t/x\"]\ntarget = \"nowhere\"\n";
    let inside = "[link.\"/srv/p/x/z\"]\ntarget = \"b\"\n";
    let behind = "[file.\"/srv/p/x/z\"]\ncontent = \"z\"\nafter = [\"link:/srv/t/x\"]\n";
    for (setup, first, then, codes) in [
        ("mkdir t; ln -s /srv/t/d w", led, [edit, gone], (1, 1)),
        ("mkdir -p t/x; ln -s /srv/t/d w", led, [edit, gone], (1, 1)),
        (
            "mkdir -p t/x; echo A=0 >t/x/z; ln -s /srv/t/d w",
            led,
            [edit, folder],
            (2, 0),
        ),
        ("mkdir t; ln -s t p", NONE, [whole, inside], (2, 1)),
        ("mkdir t; ln -s t p", NONE, [whole, behind], (2, 1)),
    ] {
        let desk = machine(setup);
        desk.role("web", first);
        assert_eq!(run(&desk, &[]).0, 0, "{setup}");
        desk.role("web", &then.concat());
        let (foretold, dry) = run(&desk, &["--dry-run"]);
        let (code, ran) = run(&desk, &[]);
        assert_eq!((foretold, code), codes, "{dry}\n{ran}");
        assert_eq!(ran["unforeseen"], json!(null), "{ran}");
        let mut sure = dry["changes"].as_array().unwrap().clone();
        sure.retain(|one| one["certainty"] == "certain");
        for one in sure {
            assert!(
                ran["changes"].as_array().unwrap().contains(&one),
                "{one}\n{ran}"
            );
        }
    }
}
