use super::super::{Edit, apply};
use super::{edit, lines};
use proptest::prelude::*;

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
