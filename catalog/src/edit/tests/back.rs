//! What an edit did is taken back.

use super::{edit, lines};
use crate::edit::apply;
use crate::edit::back::{self, says_the_same};

#[test]
fn former_values_come_back_and_new_keys_go() {
    for (format, text, set, remove) in [
        ("env", "A=1\nB='x y' # c\n", "A = \"2\"\nC = 3", &["B"][..]),
        (
            "ini",
            "[s]\na = 1\nb = x y\n",
            "s.a = 2\ns.c = 3\nt.d = 4",
            &["s.b"],
        ),
        (
            "json",
            "{\"a\": {\"b\": [1]}, \"c\": null}",
            "a.b = 5\na.d = 6",
            &["c"],
        ),
        (
            "toml",
            "a = 1\n[t]\nb = 'x'\n",
            "a = 2\nt.b = \"y\"\nt.c = 1",
            &[],
        ),
        (
            "yaml",
            "a: 1\nt:\n  b: \"x\"\n  n: yes please\n",
            "a = 2\nt.b = \"y\"\nt.c = true",
            &["t.n"],
        ),
        ("toml", "a = 1979-05-27\n", "a = 'x'", &[]),
        ("yaml", "a: 'true'\nb: true\n", "a = \"x\"\nb = \"x\"", &[]),
    ] {
        let edit = edit(format, set, remove);
        let edited = apply(text.as_bytes(), &edit).unwrap();
        assert_ne!(edited, text.as_bytes(), "{format}");
        let back =
            back::back(text.as_bytes(), &edit).unwrap_or_else(|| panic!("{format} {text:?}"));
        let again = apply(&edited, &back).unwrap();
        let again = std::str::from_utf8(&again).unwrap();
        assert!(
            says_the_same(edit.format, text, again),
            "{format}: {again:?}"
        );
        assert_eq!(apply(again.as_bytes(), &back).unwrap(), again.as_bytes());
    }
}

#[test]
fn what_an_env_file_had_is_written_as_it_was() {
    for (text, set, remove) in [
        ("B=1\nexport A=1\n", "B = 2", &["A"][..]),
        ("A=1 # why\r\nB='2'\r\n", "A = 'x y'\nB = \"it's\"", &[]),
        ("B=1\n  export A='x\ny' # why", "", &["A"]),
        ("export A=1; B=2\nC=", "A = 'x y'\nB = ''\nC = 1", &[]),
    ] {
        let edit = edit("env", set, remove);
        let edited = apply(text.as_bytes(), &edit).unwrap();
        let back = back::back(text.as_bytes(), &edit).unwrap();
        let kept = serde_json::to_string(&back).unwrap();
        let again = apply(&edited, &serde_json::from_str(&kept).unwrap()).unwrap();
        assert_eq!(std::str::from_utf8(&again), Ok(text));
        assert_eq!(apply(&again, &back).unwrap(), again);
    }
}

#[test]
fn former_lines_come_back() {
    let edit = lines(&["^a => a = 2", "new", "b"], &["gone"]);
    let text = b"x\na = 1\nb\ngone\n";
    let back = back::back(text, &edit).unwrap();
    let again = apply(&apply(text, &edit).unwrap(), &back).unwrap();
    assert_eq!(again, b"x\na = 1\nb\ngone\n");
    // Which of two alike stood where, nobody can tell.
    assert_eq!(back::back(b"gone\nx\ngone\n", &edit), None);
}

#[test]
fn a_table_that_was_made_goes_unless_somebody_wrote_in_it() {
    let text = b"a = 1\n";
    for format in ["ini", "toml"] {
        let edit = edit(format, "t.b = 1", &[]);
        let edited = apply(text, &edit).unwrap();
        let back = back::back(text, &edit).unwrap();
        assert_eq!(apply(&edited, &back).unwrap(), text, "{format}");
        let theirs = [&*edited, b"# theirs\n"].concat();
        let left = apply(&theirs, &back).unwrap();
        assert_eq!(left, b"a = 1\n\n[t]\n# theirs\n", "{format}");
    }
}

#[test]
fn a_header_that_was_made_beside_tables_below_it_goes() {
    let set = edit("toml", "s.a = 1", &[]);
    for text in [
        "[s.u]\nb = 1\n",
        "[s.u]\nb = 1\n\n[[s.v]]\nc = 1\n",
        "[s.u.w]\n[t]\n# c\n",
    ] {
        let edited = apply(text.as_bytes(), &set).unwrap();
        let back = back::back(text.as_bytes(), &set).unwrap();
        let again = apply(&edited, &back).unwrap();
        assert_eq!(std::str::from_utf8(&again), Ok(text));
        let theirs = [&*edited, b"# theirs\n"].concat();
        let left = String::from_utf8(apply(&theirs, &back).unwrap()).unwrap();
        assert!(left.ends_with("\n[s]\n# theirs\n"), "{left}");
    }
    // What a person had stays, and so does what somebody put in it.
    let text = b"[s]\n[s.u]\nb = 1\n";
    let back = back::back(text, &set).unwrap();
    assert_eq!(apply(&apply(text, &set).unwrap(), &back).unwrap(), text);
    let set = edit("toml", "s.a = 1", &[]);
    let back = back::back(b"[s.u]\n", &set).unwrap();
    let theirs = b"[s.u]\n\n[s]\na = 1\nc = 2\n";
    assert_eq!(apply(theirs, &back).unwrap(), b"[s.u]\n\n[s]\nc = 2\n");
}

#[test]
fn an_empty_json_file_is_empty_again() {
    let set = edit("json", "a = 1\nt.b = 1", &[]);
    for (text, again) in [("", ""), ("\n", ""), ("{}\n", "{}\n"), ("{ }", "{}")] {
        let edited = apply(text.as_bytes(), &set).unwrap();
        let back = back::back(text.as_bytes(), &set).unwrap();
        assert_eq!(apply(&edited, &back).unwrap(), again.as_bytes());
    }
}

#[test]
fn a_yaml_file_without_keys_is_without_them_again() {
    let set = edit("yaml", "a = 1\nt.b = 1", &[]);
    for text in [
        "",
        "\n",
        "# c\n",
        "# c",
        "# c\r\n",
        "# c\n\n",
        "---\n# c\n",
        "{}\n",
        "# c\n{}\n# d\n",
        "{}",
        "--- {}\n",
        "{} # c\n",
    ] {
        let edited = apply(text.as_bytes(), &set).unwrap_or_else(|why| panic!("{text:?} {why}"));
        let back = back::back(text.as_bytes(), &set).unwrap();
        let again = apply(&edited, &back).unwrap();
        assert_eq!(std::str::from_utf8(&again), Ok(text));
        let theirs = [&*edited, b"\n"].concat();
        let left = apply(&theirs, &back).unwrap();
        assert_eq!(apply(&left, &back).unwrap(), left, "{text:?}");
    }
    // What a person had is a mapping still, without its last key.
    let last = edit("yaml", "", &["a"]);
    assert_eq!(apply(b"a: 1\n# c\n", &last).unwrap(), b"{}\n# c\n");
}

#[test]
fn a_table_that_goes_does_not_come_back() {
    assert_eq!(back::back(b"[t]\nb = 1\n", &edit("toml", "", &["t"])), None);
}

#[test]
fn what_an_edit_comes_to_ask_for_is_added() {
    let first = edit("json", "a = 1", &[]);
    let then = edit("json", "a = 2\nb = 2", &[]);
    let mut kept = back::back(b"{\"a\": 0, \"b\": 0}", &first).unwrap();
    kept = kept.and(back::back(b"{\"a\": 1, \"b\": 0}", &then).unwrap());
    let again = apply(b"{\"a\": 2, \"b\": 2}", &kept).unwrap();
    assert_eq!(again, b"{\"a\": 0, \"b\": 0}");
}
