use super::super::{Edit, Format, apply, back};
use super::{edit, lines};
use proptest::prelude::*;
use serde_json::{Value, json};

fn edits() -> Vec<Edit> {
    let mut all = vec![lines(&["^a => a=1", "b"], &["~c"])];
    for format in ["env", "ini", "json", "yaml", "toml"] {
        all.push(edit(format, "a = 'x y'\nd = 1", &["b"]));
        if format != "env" {
            all.push(edit(format, "[a]\nb = \"it's\"\nc = true", &["b.c", "d"]));
        }
    }
    all.push(edit("json", "a = [1, {b = 2}]", &["c"]));
    all
}

/// Pieces of which texts of all formats are made.
const PIECES: [&str; 40] = [
    "a", "b", "c", "d", "=", ":", " ", "  ", "\t", "\n", "\n", "\r\n", "\"", "'", "{", "}", "[",
    "]", ",", "#", "\\", "- ", "? ", ": ", "|\n", ">\n", "&a ", "*a", "!t ", "---\n", "...\n",
    "<<", "$(", "${", "`", "(", ")", "1", "\u{e4}", "'''",
];

fn text() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(PIECES.to_vec());
    prop::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat())
}

fn holds(bytes: &[u8]) -> Result<(), TestCaseError> {
    for edit in edits() {
        if let Ok(once) = apply(bytes, &edit) {
            let twice = apply(&once, &edit).map_err(|why| TestCaseError::fail(why.to_string()))?;
            prop_assert_eq!(
                String::from_utf8_lossy(&once),
                String::from_utf8_lossy(&twice)
            );
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn a_second_time_changes_nothing(text in text()) {
        holds(text.as_bytes())?;
    }

    #[test]
    fn any_bytes_are_borne(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        holds(&bytes)?;
    }

    #[test]
    fn any_text_is_borne(text in any::<String>()) {
        holds(text.as_bytes())?;
    }
}

/// Values that roles can have, none of which a template has to be read for.
fn value() -> impl Strategy<Value = Value> {
    prop_oneof![
        any::<f64>()
            .prop_filter("finite", |float| float.is_finite())
            .prop_map(Value::from),
        (-400i32..400, -9i32..=9).prop_map(|(power, digit)| {
            let text = format!("{digit}e{power}");
            Value::from(
                text.parse::<f64>()
                    .unwrap_or_default()
                    .clamp(f64::MIN, f64::MAX),
            )
        }),
        any::<i64>().prop_map(Value::from),
        any::<bool>().prop_map(Value::from),
        "[ -~\u{e4}\u{2028}\n\t]{0,12}".prop_map(Value::from),
    ]
}

proptest! {
    #[test]
    fn what_a_format_takes_can_be_written(value in value()) {
        for format in Format::WORDS.iter().filter(|word| **word != "lines") {
            let mut edit = Edit::of(Format::of_word(format).unwrap());
            if edit.set(json!({ "a": value }).as_object().unwrap()).is_err() {
                continue;
            }
            for text in ["", "b=1\n", "a=2\n", "a: 2\n", "a: 'x'\n", "{\"a\": 1}"] {
                // What is not of the format is told elsewhere.
                let edited = apply(text.as_bytes(), &edit);
                let refused = edited.as_ref().err().map(ToString::to_string).unwrap_or_default();
                let fits = !text.is_empty() && !refused.contains("so that all else stays");
                prop_assert!(edited.is_ok() || fits, "{format} {text:?}: {refused}");
            }
        }
    }
}

/// Texts of a format, each with something of what [`said`] is about.
fn texts(format: &str) -> &'static [&'static str] {
    match format {
        "lines" => &["", "a\nb\n", "a=1\nb\nc\n", "b\na\nb\n", "c\na=2\n"],
        "env" => &["", "A=1\nB='x y'\n", "B=2\nC=3\n", "# A\nA=1\nA=2\n"],
        "ini" => &[
            "",
            "a=1\n",
            "[s]\na=1\nb=2\n",
            "[t]\n",
            "a=1\n[t]\na=2\n[s]\n",
        ],
        "json" => &["{}", "{\"a\":1}", "{\"s\":{\"a\":1}}", "{\"t\":{},\"a\":2}"],
        "yaml" => &["", "a: 1\n", "s:\n  a: 1\n  b: x\n", "a: 2\nt:\n  a: 1\n"],
        _ => &["", "a = 1\n", "[s]\na = 1\nb = 2\n", "a = 2\n[t]\n"],
    }
}

/// One of so many things that an edit can say.
fn said(format: &str, number: usize) -> Edit {
    match format {
        "lines" => match number % 8 {
            0 => lines(&["a"], &[]),
            1 => lines(&["a=1"], &[]),
            2 => lines(&["^a= => a=2"], &[]),
            3 => lines(&["^b => b=1"], &[]),
            4 => lines(&["c"], &["b"]),
            5 => lines(&["d"], &["~^a"]),
            6 => lines(&[], &["c"]),
            _ => lines(&["^d => a=3"], &[]),
        },
        "env" => match number % 4 {
            0 => edit(format, "A = 1", &[]),
            1 => edit(format, "B = 2\nC = 1", &[]),
            2 => edit(format, "D = 1", &["A"]),
            _ => edit(format, "", &["B"]),
        },
        _ => match number % 10 {
            0 => edit(format, "a = 1", &[]),
            1 => edit(format, "s.a = 2", &[]),
            2 => edit(format, "s.b = 1\nt.a = 1", &[]),
            3 => edit(format, "t.b = 1", &["s.a"]),
            4 => edit(format, "u.a = 1", &["a"]),
            5 => edit(format, "u.b = 1", &[]),
            6 => edit(format, "", &["s.b", "t.a"]),
            7 => edit(format, "A = 1", &[]),
            8 => edit(format, "S.b = 1", &[]),
            _ => edit(format, "b = 1\nt.c = 1", &[]),
        },
    }
}

/// What an edit finds is the same whether another, on which it does not hang, was made or not.
#[test]
fn what_does_not_hang_on_another_finds_the_same() {
    let mut free = 0;
    for format in Format::WORDS {
        for (text, one, other) in texts(format).iter().flat_map(|text| {
            (0..100).map(move |at| (*text, said(format, at / 10), said(format, at % 10)))
        }) {
            let (Ok(made), Some(taken)) =
                (apply(text.as_bytes(), &one), back(text.as_bytes(), &one))
            else {
                continue;
            };
            if other.hangs_on(&one) || other.hangs_on(&taken) {
                continue;
            }
            let bare = apply(&made, &taken).unwrap();
            let shown = String::from_utf8_lossy(&made);
            // Whether there was anything at all edits of one file tell each other.
            let found = |text: &[u8]| {
                let mut back = back(text, &other)?;
                back.tables.retain(|table| !table.is_empty());
                Some(back)
            };
            assert_eq!(found(&bare), found(&made), "{shown} {one:?} {other:?}");
            free += 1;
        }
    }
    assert!(free > 100, "{free}");
}

#[test]
fn depth_is_bounded() {
    let deep = 50_000;
    for (open, close) in [
        ("[", "]"),
        ("{\"a\":", "}"),
        ("{a: ", "}"),
        ("a = {", "}"),
        ("\"$(", ""),
        ("- ", ""),
        ("? ", ""),
    ] {
        let text = format!("{}{}", open.repeat(deep), close.repeat(deep));
        for edit in edits() {
            let _told = apply(text.as_bytes(), &edit);
        }
    }
}
