//! The tables of the README's role reference are those of the code.
//! `UPDATE=1 cargo test -p cfg-catalog --test text reference` writes them anew.

use cfg_catalog::id::Kind;
use cfg_catalog::text::keys::{self, Key};
use cfg_catalog::text::words::{self, Word};
use cfg_tests::readme::Readme;

fn row(name: &str, takes: &str, default: &str, meaning: &str) -> Vec<String> {
    [&format!("`{name}`"), takes, default, meaning]
        .map(|cell| cell.to_owned())
        .to_vec()
}

fn of_keys(rows: &[Key]) -> Vec<Vec<String>> {
    let rows = rows.iter();
    rows.map(|key| row(key.name, &key.shape.word(), key.default, key.meaning))
        .collect()
}

fn of_words(rows: &[Word]) -> Vec<Vec<String>> {
    let takes = |word: &Word| match word.takes {
        "type" => quoted(words::PARAM_TYPES.into_iter()),
        takes => takes.to_owned(),
    };
    let rows = rows.iter();
    rows.map(|word| row(word.name, &takes(word), word.default, word.meaning))
        .collect()
}

/// `a`, `b`.
fn quoted<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let names: Vec<String> = names.map(|name| format!("`{name}`")).collect();
    names.join(", ")
}

fn later() -> Vec<Vec<String>> {
    let words = quoted(words::ROLE_LATER.iter().copied());
    vec![vec!["top of role.toml".to_owned(), words]]
}

#[test]
fn the_role_reference_is_the_codes() {
    const KEYS: &[&str] = &["key", "type", "default", "meaning"];
    let mut readme = Readme::read("UPDATE=1 cargo test -p cfg-catalog --test text reference");
    readme.table("### role.toml", KEYS, &of_words(words::ROLE));
    readme.table("### Every resource", KEYS, &of_keys(keys::COMMON));
    let types: Vec<Vec<String>> = keys::TYPES
        .iter()
        .map(|(word, meaning)| vec![(*word).to_owned(), (*meaning).to_owned()])
        .collect();
    readme.table("### Types", &["type", "is"], &types);
    for kind in Kind::ALL {
        readme.table(
            &format!("### {}", kind.word()),
            KEYS,
            &of_keys(keys::own(kind)),
        );
    }
    readme.table("### fleet", KEYS, &of_keys(keys::FLEET));
    readme.table("### Params and their layers", KEYS, &of_words(words::PARAM));
    readme.table("### Not in this version", &["where", "what"], &later());
    readme.compare();
}

#[test]
fn every_type_is_told() {
    let known = |word: &str| {
        let plural = word
            .strip_prefix("array of ")
            .and_then(|word| word.strip_suffix('s'));
        let word = plural.unwrap_or(word);
        let composed = [
            "array or expression",
            "table of strings",
            "group",
            "table",
            "array",
        ];
        composed.contains(&word) || keys::TYPES.iter().any(|(known, _)| *known == word)
    };
    let all = Kind::ALL.into_iter().flat_map(keys::of).chain(keys::FLEET);
    for row in all {
        let word = row.shape.word();
        assert!(
            word.starts_with('`') || known(&word),
            "{}: {word}",
            row.name
        );
    }
}
