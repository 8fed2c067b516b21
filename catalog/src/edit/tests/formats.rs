use super::super::apply;
use super::{edit, lines, same};

#[test]
fn lines_stand_once() {
    for (wanted, before, after) in [
        ("b", "a\n", "a\nb\n"),
        ("b", "a", "a\nb"),
        ("b", "", "b\n"),
        ("b", "a\r\nc\r\n", "a\r\nc\r\nb\r\n"),
        ("b", "b\na\nb\n", "b\na\n"),
        (
            "^#?Port => Port 22",
            "x\n#Port 1\ny\nPort 2\n",
            "x\nPort 22\ny\n",
        ),
        ("^#?Port => Port 22", "#Port 1\nPort 22\n", "Port 22\n"),
        ("^#?Port => Port 22", "#Port 1", "Port 22"),
        ("^#?Port => Port 22", "none\n", "none\nPort 22\n"),
        ("^gone => here", "here\n", "here\n"),
        ("\u{e4}", "\u{f6}\n", "\u{f6}\n\u{e4}\n"),
    ] {
        same(&lines(&[wanted], &[]), before, after);
    }
    same(&lines(&[], &["a", "~^b"]), "a\nba\ncb\na\n", "cb\n");
    same(&lines(&[], &["b"]), "a\nb", "a");
    same(&lines(&["a", "b"], &["~x"]), "x\r\nb\r\n", "b\r\na\r\n");
}

#[test]
fn env_keeps_what_it_does_not_set() {
    for (set, remove, before, after) in [
        (
            "A = 'x'",
            "",
            "# c\nA=1 # why\nB=2\n",
            "# c\nA=x # why\nB=2\n",
        ),
        ("A = 'x'", "", "export A='1'\n", "export A='x'\n"),
        ("A = 'x y'", "", "A=1\n", "A=\"x y\"\n"),
        ("A = 'x'", "", "A=\"1\"\r\nB=2\r\n", "A=\"x\"\r\nB=2\r\n"),
        ("A = '$x'", "", "A=\"1\"\n", "A='$x'\n"),
        ("A = ''", "", "A=\n", "A=\n"),
        ("A = 1", "", "#A=1\n", "#A=1\nA=1\n"),
        ("A = true", "", "B=1", "B=1\nA=true"),
        ("A = 'x'", "", "A=x\\\ny\nB=1\n", "A=x\nB=1\n"),
        (
            "A = 'x'",
            "",
            "A=1\nB=\"\nA=2\n\"\nA=3\n",
            "A=1\nB=\"\nA=2\n\"\nA=x\n",
        ),
        (
            "A = 'x'",
            "",
            "cat <<E\nA=1\nE\nA=2\n",
            "cat <<E\nA=1\nE\nA=x\n",
        ),
        ("A = 'x'", "", "[ -f b ] && . b\n", "[ -f b ] && . b\nA=x\n"),
        (
            "A = 'x'",
            "",
            "if true; then\n  B=1\nfi\nA=1\n",
            "if true; then\n  B=1\nfi\nA=x\n",
        ),
        ("A = \"it's\"", "", "", "A=\"it's\"\n"),
        ("A = 'x'", "", "unset A\nB=1\n", "unset A\nB=1\nA=x\n"),
        ("A = 'x'", "", "A=1\nunset -f A\n", "A=x\nunset -f A\n"),
        ("A = 'x'", "", "A=1\nreturn\n", "A=x\nreturn\n"),
        ("A = 'x'", "", "A=1\nb || exit 1\n", "A=x\nb || exit 1\n"),
        ("A = 'x'", "", "(exit 1)\nA=1\n", "(exit 1)\nA=x\n"),
        (
            "A = 'x'",
            "",
            "f() {\n  if b; then exit 1; fi\n}\nA=1\n",
            "f() {\n  if b; then exit 1; fi\n}\nA=x\n",
        ),
        ("", "A", "A=1\nunset A\n", "unset A\n"),
        ("", "A", "A=1\nB=2\nA=\"x\ny\"\n", "B=2\n"),
        ("", "A", "  A=1 # c\nB=2", "B=2"),
        ("", "A", "B=2\n", "B=2\n"),
    ] {
        let remove: Vec<&str> = remove.split_whitespace().collect();
        same(&edit("env", set, &remove), before, after);
    }
}

#[test]
fn ini_keeps_separators_and_comments() {
    let git = "[user]\n\tname = x\n\temail = y\n# c\n\n[core]\n\tbare = no\n";
    for (set, remove, before, after) in [
        ("[s]\nk = 'v'", "", "[s]\nk=1\n", "[s]\nk=v\n"),
        (
            "[s]\nk = 'v'",
            "",
            "[s]\n; c\nk  :  1\nx = 2\n",
            "[s]\n; c\nk  :  v\nx = 2\n",
        ),
        (
            "[s]\nk = 'v'",
            "",
            "[s]\na=1\n\n[t]\nb=1\n",
            "[s]\na=1\nk=v\n\n[t]\nb=1\n",
        ),
        ("[s]\nk = 'v'", "", "[t]\nb = 1", "[t]\nb = 1\n\n[s]\nk = v"),
        ("[s]\nk = 'v'", "", "", "[s]\nk = v\n"),
        (
            "[s]\nk = 'v'",
            "",
            "[s]\nk = 1\n# in it\n  2\ny=1\n",
            "[s]\nk = v\n# in it\ny=1\n",
        ),
        ("[s]\nk = 'v'", "", "[s]\nk\n", "[s]\nk = v\n"),
        ("[s]\nk = 'v'", "", "[s]\nk =\nj=1\n", "[s]\nk = v\nj=1\n"),
        (
            "[s]\nk = 'v'",
            "",
            "[s]\nk=1\nk=2\n[s]\nk=3\n",
            "[s]\nk=1\nk=2\n[s]\nk=v\n",
        ),
        ("[s]\nk = 'v'", "", "[s]\r\nk=1\r\n", "[s]\r\nk=v\r\n"),
        (
            "k = 'v'",
            "",
            "# head\n\n[s]\nk=1\n",
            "# head\n\nk=v\n[s]\nk=1\n",
        ),
        ("k = 'v'", "", "k=1\n[s]\nk=1\n", "k=v\n[s]\nk=1\n"),
        (
            "[s]\nk = 'v'",
            "",
            "# to x = y\n[s]\n#j=\n",
            "# to x = y\n[s]\nk=v\n#j=\n",
        ),
        ("[s]\nk = 'v'", "", "[s]\n;j = 1\n", "[s]\nk = v\n;j = 1\n"),
        (
            "[user]\nage = 3",
            "",
            git,
            "[user]\n\tname = x\n\temail = y\n\tage = 3\n# c\n\n[core]\n\tbare = no\n",
        ),
        (
            "",
            "user.name",
            git,
            "[user]\n\temail = y\n# c\n\n[core]\n\tbare = no\n",
        ),
        ("", "[core]", git, "[user]\n\tname = x\n\temail = y\n# c\n"),
        ("", "[s]", "[s]\nk=1\n\n# of t\n[t]\n", "# of t\n[t]\n"),
        ("", "s.k", "[s]\nk=1\nk=2\nj=1\n", "[s]\nj=1\n"),
    ] {
        let remove: Vec<&str> = remove.split_whitespace().collect();
        same(&edit("ini", set, &remove), before, after);
    }
}

#[test]
fn json_keeps_its_layout() {
    for (set, remove, before, after) in [
        ("a = 1", "", "{}", "{\n  \"a\": 1\n}"),
        ("a = 1", "", "", "{\n  \"a\": 1\n}\n"),
        ("a = 1", "", "{\"b\":1e400}", "{\"b\":1e400, \"a\":1}"),
        ("a = 1", "", "{\"a\":1e400}", "{\"a\":1}"),
        ("a = 1", "", "{\"b\":2}", "{\"b\":2, \"a\":1}"),
        (
            "a = 1",
            "",
            "{\"c\":1,\"b\":2}",
            "{\"c\":1,\"b\":2,\"a\":1}",
        ),
        (
            "a = 1",
            "",
            "{\n\t\"b\" : 2\n}\n",
            "{\n\t\"b\" : 2,\n\t\"a\" : 1\n}\n",
        ),
        (
            "a.b = true",
            "",
            "{\n  \"x\": 1\n}\n",
            "{\n  \"x\": 1,\n  \"a\": {\n    \"b\": true\n  }\n}\n",
        ),
        (
            "a.b = 'x'",
            "",
            "{\n  \"a\": {}\n}\n",
            "{\n  \"a\": {\n    \"b\": \"x\"\n  }\n}\n",
        ),
        (
            "a = ['x', 1]",
            "",
            "{\n  \"a\": []\n}\n",
            "{\n  \"a\": [\n    \"x\",\n    1\n  ]\n}\n",
        ),
        (
            "a = 2.5",
            "",
            "{\"a\": 1 , \"b\": [1,  2]}",
            "{\"a\": 2.5 , \"b\": [1,  2]}",
        ),
        ("a = 'x\"y'", "", "{\"a\": null}", "{\"a\": \"x\\\"y\"}"),
        ("\"a.b\" = 1", "", "{\"a.b\": 0}", "{\"a.b\": 1}"),
        (
            "a = 1",
            "",
            "{\r\n  \"b\": 2\r\n}\r\n",
            "{\r\n  \"b\": 2,\r\n  \"a\": 1\r\n}\r\n",
        ),
        ("", "a", "{\"a\": 1, \"b\": 2}", "{\"b\": 2}"),
        (
            "",
            "b",
            "{\n  \"a\": 1,\n  \"b\": 2\n}\n",
            "{\n  \"a\": 1\n}\n",
        ),
        (
            "",
            "b",
            "{\"a\": 1, \"b\": 2, \"c\": 3, \"b\": 4}",
            "{\"a\": 1, \"c\": 3}",
        ),
        ("", "a", "{ \"a\": 1 }", "{}"),
        ("", "x.y", "{\"x\": 1}", "{\"x\": 1}"),
    ] {
        let remove: Vec<&str> = remove.split_whitespace().collect();
        same(&edit("json", set, &remove), before, after);
    }
}

#[test]
fn toml_keeps_comments() {
    for (set, remove, before, after) in [
        ("a = 1", "", "a = 0 # why\nb = 1\n", "a = 1 # why\nb = 1\n"),
        ("a = 1", "", "[t]\nb = 1\n", "a = 1\n[t]\nb = 1\n"),
        (
            "[t]\na = 1",
            "",
            "[t]\nb=1\n# c\n\n[u]\n",
            "[t]\nb=1\na=1\n# c\n\n[u]\n",
        ),
        ("[t]\na = 1", "", "[t] # c\n", "[t] # c\na = 1\n"),
        (
            "[t.u]\na = 'x'",
            "",
            "[t]\nb = 1",
            "[t]\nb = 1\n\n[t.u]\na = \"x\"",
        ),
        (
            "[t.u]\na = 1",
            "",
            "[t]\nu = { b = 2 }\n",
            "[t]\nu = { b = 2, a = 1 }\n",
        ),
        (
            "[t.u]\na = 1",
            "",
            "[t]\nu.b = 2\nc = 3\n",
            "[t]\nu.b = 2\nu.a = 1\nc = 3\n",
        ),
        (
            "[t]\nu = 2",
            "",
            "[t.v]\na = 1\n",
            "[t.v]\na = 1\n\n[t]\nu = 2\n",
        ),
        (
            "[t]\na = [1, 2]",
            "",
            "[t]\n  a = [\n    3, # c\n  ]\n  b = 1\n",
            "[t]\n  a = [1, 2]\n  b = 1\n",
        ),
        (
            "[t]\na = 'x'",
            "",
            "[t]\na = '''\n[t]\n'''\n",
            "[t]\na = \"x\"\n",
        ),
        (
            "[t]\na = 1979-05-27T07:32:00Z",
            "",
            "[t]\na = 1979-05-27 # why\n",
            "[t]\na = 1979-05-27T07:32:00Z # why\n",
        ),
        (
            "a = 1979-05-27T07:32:00Z",
            "",
            "a = 1979-05-27 07:32:00z\n",
            "a = 1979-05-27 07:32:00z\n",
        ),
        ("a = [{ b = 07:32:00 }]", "", "", "a = [{ b = 07:32:00 }]\n"),
        ("a = 1", "", "a = 0\r\n[t]\r\n", "a = 1\r\n[t]\r\n"),
        ("\"a.b\" = 1", "", "", "\"a.b\" = 1\n"),
        ("", "t.a", "[t]\na = 1 # c\nb = 2\n", "[t]\nb = 2\n"),
        (
            "",
            "t.u.a",
            "[t]\nu = { a = 1, b = 2 }\n",
            "[t]\nu = { b = 2 }\n",
        ),
        (
            "",
            "t",
            "x = 1\n\n[t]\na = 1\n\n[t.u]\n# of v\n[v]\n",
            "x = 1\n\n# of v\n[v]\n",
        ),
        ("", "t", "[[t]]\na = 1\n[[t]]\na = 2\n[v]\n", "[v]\n"),
        ("", "x.y", "x = 1\n", "x = 1\n"),
    ] {
        let remove: Vec<&str> = remove.split_whitespace().collect();
        same(&edit("toml", set, &remove), before, after);
    }
}

#[test]
fn yaml_sets_scalars() {
    for (set, remove, before, after) in [
        ("a = 1", "", "a: 0  # why\nb: 1\n", "a: 1  # why\nb: 1\n"),
        ("a = 'x'", "", "a: 'y'\n", "a: 'x'\n"),
        ("a = 'x'", "", "a: 'it''s' # why\n", "a: 'x' # why\n"),
        (
            "a = 'x'",
            "",
            "\"a\" : \"\\\" #\"  # why\n",
            "\"a\" : \"x\"  # why\n",
        ),
        (
            "[a]\nc = 1",
            "",
            "a: {b: 'x' # why\n  }\n",
            "a: {b: 'x', c: 1 # why\n  }\n",
        ),
        ("a = 'yes'", "", "a: yes\n", "a: \"yes\"\n"),
        ("a = true", "", "a:\nb: 1\n", "a: true\nb: 1\n"),
        (
            "a = true",
            "",
            "a:   # why\nb: 1\n",
            "a: true   # why\nb: 1\n",
        ),
        ("c = 1", "", "a: 1\n# tail\n", "a: 1\nc: 1\n# tail\n"),
        (
            "c = 1",
            "",
            "a:\n  - x: \"\n     c: 2\"\n",
            "a:\n  - x: \"\n     c: 2\"\nc: 1\n",
        ),
        (
            "c = 1",
            "",
            "a: |\n  c: 2\n\nb: 1\n",
            "a: |\n  c: 2\n\nb: 1\nc: 1\n",
        ),
        (
            "[a]\nc = 1",
            "",
            "a:\n    b: 1\nd: 2\n",
            "a:\n    b: 1\n    c: 1\nd: 2\n",
        ),
        ("[a]\nc = 1", "", "a: {b: 1}\n", "a: {b: 1, c: 1}\n"),
        ("[a]\nc = 1", "", "a: {}\n", "a: {c: 1}\n"),
        ("[a]\nc = 1", "", "a: { } # }\n", "a: {c: 1} # }\n"),
        ("", "a.b", "a: {b: 1 }  # }\n", "a: {}  # }\n"),
        ("[a]\nc = 1", "", "a:\nb: 1\n", "a:\n  c: 1\nb: 1\n"),
        ("[a.b]\nc = 'x'", "", "d: 1", "d: 1\na:\n  b:\n    c: x"),
        ("a = 'x'", "", "", "a: x\n"),
        ("a = 'x'", "", "# c\n---\n", "# c\n---\na: x\n"),
        (
            "a = 'x'",
            "",
            "--- # c\r\na: y\r\n...\r\n",
            "--- # c\r\na: x\r\n...\r\n",
        ),
        ("b = 'x'", "", "---\na: y\n...\n", "---\na: y\nb: x\n...\n"),
        (
            "a = '\u{e4}'",
            "",
            "\u{f6}: \u{fc}\na: 1\n",
            "\u{f6}: \u{fc}\na: \"\u{e4}\"\n",
        ),
        ("", "a", "a:\n  - 1\n  - 2\nb: 1 # c\n", "b: 1 # c\n"),
        ("", "a.b", "a:\n  b: 1\nc: 1\n", "a: {}\nc: 1\n"),
        ("", "a.b", "a: {b: 1, c: 2}\n", "a: {c: 2}\n"),
        ("", "a", "# c\na: 1\n", "# c\n{}\n"),
        ("", "x.y", "x: 1\n", "x: 1\n"),
    ] {
        let remove: Vec<&str> = remove.split_whitespace().collect();
        same(&edit("yaml", set, &remove), before, after);
    }
}

#[test]
fn a_mark_at_the_beginning_stays() {
    same(
        &edit("json", "a = 1", &[]),
        "\u{feff}{\"a\": 0}",
        "\u{feff}{\"a\": 1}",
    );
    same(&lines(&["b"], &[]), "\u{feff}a\n", "\u{feff}a\nb\n");
    same(&lines(&["b"], &["~^b"]), "\u{feff}a\nb\n", "\u{feff}a\nb\n");
    for (wanted, unwanted) in [(&["a"][..], &[][..]), (&["^a => b"], &[]), (&[], &["a"])] {
        let told = apply("\u{feff}a\n".as_bytes(), &lines(wanted, unwanted)).unwrap_err();
        assert!(
            told.to_string()
                .contains("a byte order mark stands before this line"),
            "{told}"
        );
    }
}
