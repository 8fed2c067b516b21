use super::super::Conflict;
use super::super::{Edit, Format, MOST, apply};
use super::{edit, table};

#[test]
fn what_cannot_be_edited_is_told_with_its_place() {
    let mut told = String::new();
    for (format, set, remove, text) in [
        ("env", "A = 'x'", "", "B='\n"),
        ("env", "A = 'x'", "", "if b; then\n  A=1\nfi\n"),
        ("env", "A = 'x'", "", "b && A=1\n"),
        ("env", "A = 'x'", "", "b &&\n  A=1\n"),
        ("env", "A = 'x'", "", "A=1 run\n"),
        ("env", "A = 'x'", "", "A+=1\n"),
        ("env", "A = 'x'", "", "readonly A=1\n"),
        ("env", "A = 'x'", "", "f() {\n  A=1\n}\n"),
        ("env", "A = 'x'", "", "B=1 \\"),
        ("env", "A = 'x'", "", "A=x\nunset B A\n"),
        ("env", "A = 'x'", "", "A=x\n[ $B ] || unset 'A'\n"),
        ("env", "A = 'x'", "", "B=1\nexit 0\n"),
        ("env", "A = 'x'", "", "A=x\nexit\n"),
        ("env", "A = 'x'", "", "return\nA=x\n"),
        ("env", "A = 'x'", "", "[ -x b ] || exit 0\nA=x\n"),
        ("env", "A = 'x'", "", "if b; then\n  return\nfi\nB=1\n"),
        ("env", "A = 'x'", "", "\u{feff}A=x\n"),
        ("env", "", "A", "A=1; B=2\n"),
        ("ini", "[s]\nk = 'x'", "", "[s]\nK = 1\n"),
        ("ini", "[s]\nk = 'x'", "", "[s]\nk = x\nK = 1\n"),
        ("ini", "[s]\nk = 'x'", "", "[s]\nK = 1\nj = 1\n[s]\nk = 2\n"),
        ("ini", "[s]\nk = 'x'", "", "[t]\n[S]\nj = 1\n"),
        ("ini", "[s]\nk = 'x'", "", "[s]\nk = x\n[S]\nK = 1\n"),
        ("ini", "", "[s]", "[S]\nk = 1\n"),
        ("ini", "[s]\nk = 'x'", "", "[s]\nk = 1\n  j = 2\n"),
        ("ini", "[s]\nj = 'x'", "", "[s]\nk = 1 \\\nj = 2\n"),
        ("ini", "[s]\nk = 'x'", "", "[t]\nj = 1\n[s\nk = 1\n"),
        ("ini", "", "[s]", "[]\nk = 1\n"),
        ("ini", "[s]\nk = 'x'", "", "j = 1\n[s] # see [t]\nk = 1\n"),
        ("ini", "[s]\nk = 'x'", "", "[s]; x]\nk = 1\n"),
        ("ini", "[s]\nk = 'x'", "", "[s] # see t\nk = 1\n"),
        ("json", "a = 1", "", "{\"b\": 1,}"),
        ("json", "a = 1", "", "{\n  // why\n  \"b\": 1\n}"),
        ("json", "a = 1", "", "[1]"),
        ("json", "a.b = 1", "", "{\"a\": [1]}"),
        ("json", "a = 1", "", "{\"a\": {\"b\": 1}}"),
        ("json", "a = 1", "", "{} {}"),
        ("toml", "a = 1", "", "b = \n"),
        ("toml", "a = 1", "", "[a]\nb = 1\n"),
        ("toml", "a.b = 1", "", "a = 1\n"),
        ("toml", "a.b = 1", "", "[[a]]\nb = 2\n"),
        ("toml", "a.b.c = 1", "", "[[a]]\n[a.b]\nc = 2\n"),
        ("yaml", "a = 1", "", "a: [1]\n"),
        ("yaml", "a = 1", "", "a:\n  - 1\n"),
        ("yaml", "a = 1", "", "a:\n  b: 1\n"),
        ("yaml", "a = 1", "", "a: &x 2\nb: *x\n"),
        ("yaml", "b = 1", "", "a: &x 2\nb: *x\n"),
        ("yaml", "a.b = 1", "", "x: &x\n  b: 2\na: *x\n"),
        ("yaml", "a.b = 1", "", "a: &x\n  b: 2\n"),
        ("yaml", "a.b = 1", "", "a:\n  <<: *x\n"),
        ("yaml", "a.b = 1", "", "x: &x {c: 1}\na:\n  <<: *x\n"),
        ("yaml", "a = 1", "", "a: !!int 2\n"),
        ("yaml", "a = 1", "", "a: |\n  text\n"),
        ("yaml", "a = 1", "", "a: 1\na: 2\n"),
        ("yaml", "a = 1", "", "a: 0\n---\na: 0\n"),
        ("yaml", "a = 1", "", "? a\n: 0\n"),
        ("yaml", "b = 1", "", "? [a]\n: 0\n"),
        ("yaml", "a = 1", "", "- a\n"),
        ("yaml", "a.b = 1", "", "a: text\n"),
        ("yaml", "a = 1", "", "\tb: 1\n"),
        ("yaml", "", "a", "? a\n: 0\n"),
        ("yaml", "", "a", "a: &x 2\nb: *x\n"),
        ("yaml", "", "a.c", "a: {b: 1, # why\n  c: 2}\n"),
        ("yaml", "c = 1", "", "a: |+\n  x\n\n\n"),
        ("yaml", "c = 1", "", "a: |+\n  x\n\n\nb: 1\n"),
        ("yaml", "", "b", "a: |+\n  x\n\nb: 1\n"),
        ("yaml", "[a]\nc = 1", "", "a: {b}\n"),
        ("yaml", "[a]\nc = 1", "", "a: {b: 1,}\n"),
    ] {
        let names: Vec<&str> = remove.split_whitespace().collect();
        let answer = apply(text.as_bytes(), &edit(format, set, &names));
        let answer = answer.map(|bytes| String::from_utf8(bytes).unwrap());
        let answer = match answer {
            Ok(edited) => format!("-> {edited:?}"),
            Err(why) => why.to_string(),
        };
        told.push_str(&format!("{format} {text:?}\n    {answer}\n"));
    }
    insta::assert_snapshot!(told);
}

#[test]
fn what_is_no_text_of_a_file_is_refused() {
    let edit = edit("ini", "a = 1", &[]);
    for (bytes, told) in [
        (
            &b"a\n\xffb"[..],
            "line 2, column 1: not UTF-8; convert the file, or write it whole",
        ),
        (b"a\0", "line 1, column 2: a NUL: this is no text"),
        (
            &vec![b'#'; MOST + 1],
            "it has more than 1024 KiB, the most that an edit reads",
        ),
    ] {
        assert_eq!(apply(bytes, &edit).unwrap_err().to_string(), told);
    }
    let full = vec![b'#'; MOST];
    let told = apply(&full, &edit).unwrap_err().to_string();
    assert_eq!(
        told,
        "it would have more than 1024 KiB, the most that an edit reads"
    );
}

#[test]
fn what_a_format_cannot_have_is_refused_at_once() {
    let told = |format: &str, set: &str| {
        let mut edit = Edit::of(Format::of_word(format).unwrap());
        edit.set(&table(set)).unwrap_err().join(", ")
    };
    for (format, set, why) in [
        (
            "env",
            "'A-B' = 1",
            "`A-B`: this cannot be the name of a variable",
        ),
        ("env", "[a]\nb = 1", "`a.b`: env files have no tables"),
        (
            "env",
            "A = [1]",
            "`A`: expected a string, a number or a boolean, the values of env that an edit sets; found an array",
        ),
        (
            "ini",
            "a.b.c = 1",
            "`a.b.c`: ini files have sections and keys: quote a name that has dots in it",
        ),
        (
            "ini",
            "'a=b' = 1",
            "`a=b`: this cannot be a key of an ini file",
        ),
        (
            "ini",
            "a = 'x '",
            "`a`: readers drop white space at the ends of a value",
        ),
        (
            "ini",
            "a = 'x\\'",
            "`a`: a backslash at the end joins the next line to it",
        ),
        (
            "ini",
            "a = \"x\\ny\"",
            "`a`: a line break or control character in the value",
        ),
        (
            "yaml",
            "a = [1]",
            "`a`: expected a string, a number or a boolean, the values of yaml that an edit sets; found an array",
        ),
        (
            "json",
            "a = {}",
            "`a`: an empty table sets nothing: leave it out, or write a key and its value into it",
        ),
        ("json", "'' = 1", "``: an empty key"),
        (
            "json",
            "a = [{ b = 1979-05-27 }]",
            "`a`: no date is set in json, but in toml alone: write it as text, \"1979-05-27\"",
        ),
        (
            "ini",
            "a.b = 07:32:00",
            "`a.b`: no date is set in ini, but in toml alone: write it as text, \"07:32:00\"",
        ),
    ] {
        assert_eq!(told(format, set), why);
    }
}

#[test]
fn two_edits_that_want_the_same_are_found() {
    for (format, one, other, found) in [
        ("json", ("a.b = 1", ""), ("a.c = 1", ""), None),
        ("json", ("a.b = 1", ""), ("a.b = 1", ""), Some("`a.b`")),
        ("json", ("a = [1]", ""), ("a.b = 1", ""), Some("`a`")),
        ("json", ("a.b = 1", ""), ("", "a"), Some("`a.b`")),
        ("ini", ("[s]\nk = 1", ""), ("s = 1", ""), None),
        ("ini", ("[s]\nk = 1", ""), ("", "[s]"), Some("`s.k`")),
        (
            "ini",
            ("[s]\nk = 1", ""),
            ("[s]\nK = 1", ""),
            Some("`s.k` (`s.K` is the same to many readers)"),
        ),
        (
            "ini",
            ("[s]\nk = 1", ""),
            ("", "S.k"),
            Some("`s.k` (`S.k` is the same to many readers)"),
        ),
        (
            "ini",
            ("[s]\nk = 1", ""),
            ("", "[S]"),
            Some("`s.k` (`[S]` is the same to many readers)"),
        ),
        ("ini", ("[s]\nk = 1", ""), ("[S]\nj = 1", ""), None),
        ("json", ("a.b = 1", ""), ("a.B = 1", ""), None),
        ("env", ("A = 1", ""), ("", "A"), Some("`A`")),
    ] {
        let of = |(set, remove): (&str, &str)| {
            edit(format, set, &remove.split_whitespace().collect::<Vec<_>>())
        };
        let (one, other) = (of(one), of(other));
        let told = one.conflict(&other).or_else(|| other.conflict(&one));
        assert_eq!(told.map(|what| what.said(true)).as_deref(), found);
    }
    let lines = |wanted: &[&str], unwanted: &[&str]| super::lines(wanted, unwanted);
    let line = Some(Conflict::Line("a"));
    assert_eq!(Conflict::Line("a").said(false), "the line \"a\"");
    assert_eq!(Conflict::Line("a").said(true), "a line");
    assert_eq!(lines(&["a"], &[]).conflict(&lines(&["^a => b"], &[])), line);
    assert_eq!(lines(&["a"], &[]).conflict(&lines(&[], &["~^a"])), line);
    assert_eq!(
        lines(&["a", "b"], &[]).conflict(&lines(&["c"], &["d"])),
        None
    );
    let own = lines(&["a", "^a => b"], &[]);
    assert_eq!(own.conflict(&own), line);
    let own = lines(&["^a => a"], &[]);
    assert_eq!(own.conflict(&own), None);
    let own = edit("json", "a = 1\nb = 2", &["a"]);
    assert_eq!(own.conflict(&own), Some(Conflict::Key(&["a".to_owned()])));
}
