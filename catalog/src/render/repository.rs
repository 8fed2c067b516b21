//! The deb822 stanza of a repository.

use super::reader::Keys;
use crate::resource::repository::{Key, Repository};
use crate::text::given::Given;

pub fn build(keys: &mut Keys<'_, '_>, name: &str) -> Option<Repository> {
    let uris = keys.read("uris", Given::uris);
    let mut field = |key: &str| keys.read(key, words);
    let suites = field("suites");
    let components = field("components");
    let architectures = field("architectures").unwrap_or_default();
    let (uris, suites) = (uris?, suites?);
    let flat = suites.iter().all(|suite| suite.ends_with('/'));
    // Where they are written and wrong, that is noted.
    let unknown = keys.declared.keys.contains_key("components") && components.is_none()
        || keys.reader.may_have_keys(&keys.declared.place);
    let components = components.unwrap_or_default();
    if components.is_empty() != flat && !unknown {
        keys.wrong(
            if flat { "components" } else { "suites" },
            "a suite needs components, unless it is a path with `/` at its end, which has none",
        );
    }
    let mut repository = Repository {
        name: name.to_owned(),
        sources: Vec::new(),
        key: key(keys),
    };
    let mut stanza = String::from("Types: deb\n");
    let signed_by: Vec<String> = repository.key_path().into_iter().collect();
    for (field, words) in [
        ("URIs", &uris),
        ("Suites", &suites),
        ("Components", &components),
        ("Architectures", &architectures),
        ("Signed-By", &signed_by),
    ] {
        if !words.is_empty() {
            stanza.push_str(&format!("{field}: {}\n", words.join(" ")));
        }
    }
    repository.sources = stanza.into_bytes();
    Some(repository)
}

/// Words of a deb822 field.
fn words(given: &Given) -> Result<Vec<String>, String> {
    let words = given.lines()?;
    match words.iter().find(|word| word.contains(char::is_whitespace)) {
        Some(word) => Err(format!("white space in {word:?}")),
        None => Ok(words),
    }
}

fn key(keys: &mut Keys<'_, '_>) -> Option<Key> {
    let name = keys.role_path("signed_by")?;
    let place = keys.place("signed_by");
    let blob = keys.reader.blob(&name, &place)?;
    let bytes = keys.reader.bytes(&name, &place)?;
    Some(Key {
        armoured: bytes.starts_with(b"-----BEGIN PGP"),
        digest: blob.digest,
        size: blob.size,
    })
}
