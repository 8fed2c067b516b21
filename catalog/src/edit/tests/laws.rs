use super::super::{Edit, Format, apply};
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
