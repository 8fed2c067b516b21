//! Two repositories that name one source: apt takes the key of the first, and beside another it reads no source at all.

use super::instances::Instances;
use crate::resource::repository::Repository;
use crate::resource::{Body, Resource};
use crate::text::diagnostic::{Diagnostic, Diagnostics};
use std::collections::BTreeMap;

/// Notes every repository whose source another one names with a key of its own.
pub fn check(instances: &Instances, wrong: &mut Diagnostics) {
    let all = instances.on.iter().map(|instance| &instance.resource);
    let mut all: Vec<(&Resource, &Repository)> = all
        .filter_map(|resource| match &resource.body {
            Body::Repository(repository) => Some((resource, repository)),
            _ => None,
        })
        .collect();
    // As apt reads their files.
    all.sort_by_key(|(_, repository)| repository.sources_path());
    let mut known: BTreeMap<String, &Resource> = BTreeMap::new();
    for (resource, repository) in all {
        let sources = sources(repository);
        let first = sources
            .iter()
            .find_map(|source| known.get_key_value(source));
        if let Some((source, first)) = first {
            wrong.push(one_source(source, first, resource));
        }
        if repository.key.is_some() {
            for source in sources {
                known.entry(source).or_insert(resource);
            }
        }
    }
}

/// Each suite at each address.
fn sources(repository: &Repository) -> Vec<String> {
    let text = String::from_utf8_lossy(&repository.sources);
    let words = |field: &str| {
        let of_field = |line: &str| Some(line.strip_prefix(field)?.to_owned());
        let line = text.lines().find_map(of_field).unwrap_or_default();
        let words = line.split_ascii_whitespace().map(str::to_owned);
        words.collect::<Vec<String>>()
    };
    let suites = words("Suites:");
    let uris = words("URIs:").into_iter();
    uris.flat_map(|uri| {
        let uri = uri.trim_end_matches('/').to_owned();
        let at = move |suite: &String| format!("{uri} {suite}");
        suites.iter().map(at).collect::<Vec<String>>()
    })
    .collect()
}

fn one_source(source: &str, first: &Resource, second: &Resource) -> Diagnostic {
    let message = format!(
        "{} and {} both name the source {source}, and apt takes one key for it: let one of them name all of it",
        first.id, second.id
    );
    let diagnostic = Diagnostic::error(&second.place, message);
    match first.place == second.place {
        true => diagnostic,
        false => diagnostic.note(&first.place, "the other one"),
    }
}
