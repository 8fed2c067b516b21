//! Where apt's packages come from, as its files say, and what apt says of it.

use cfg_catalog::path::AbsPath;
use cfg_catalog::resource::repository::Repository;
use std::path::{Path, PathBuf};

/// One suite at one place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// Without a `/` at its end.
    uri: String,
    suite: String,
    key: Option<String>,
}

/// The sources of a repository of a role.
pub fn of(repository: &Repository) -> Vec<Source> {
    deb822(&String::from_utf8_lossy(&repository.sources))
}

/// The files of others in this root that name a source of this repository with another key, so that apt would read none at
/// all. apt takes a key from whichever file comes first, and then wants the same of all that follow.
pub fn rivals(root: &Path, repository: &Repository) -> Vec<AbsPath> {
    let own = of(repository);
    let own_path = repository.sources_path();
    let mut rivals = Vec::new();
    for path in files(root) {
        let Some(inside) = path.strip_prefix(root).ok().and_then(Path::to_str) else {
            continue;
        };
        let inside = format!("/{inside}");
        let Ok(text) = std::fs::read_to_string(&path) else {
            continue;
        };
        let theirs = match inside.ends_with(".sources") {
            true => deb822(&text),
            false => one_line(&text),
        };
        // The one list comes before all in the folder, and those go by name.
        let first = !inside.contains(".list.d/") || inside < own_path;
        let clash = |own: &Source, other: &Source| {
            let (earlier, later) = if first { (other, own) } else { (own, other) };
            own.is_at(other) && earlier.key.is_some() && earlier.key != later.key
        };
        let clashes = theirs
            .iter()
            .any(|other| own.iter().any(|own| clash(own, other)));
        if clashes && inside != own_path {
            rivals.extend(inside.parse::<AbsPath>().ok());
        }
    }
    rivals
}

impl Source {
    fn is_at(&self, other: &Source) -> bool {
        self.uri == other.uri && self.suite == other.suite
    }

    /// Whether a line of apt's is about this source: `URI SUITE …` or an address below it.
    pub fn is_in(&self, line: &str) -> bool {
        line.match_indices(&self.uri).any(|(at, uri)| {
            let rest = &line[at + uri.len()..];
            let rest = rest.strip_prefix('/').unwrap_or(rest);
            let words = rest.strip_prefix(' ');
            let below = rest.strip_prefix("dists/").or_else(|| {
                let flat = self.suite.ends_with('/');
                flat.then_some(rest)
            });
            let ends = |rest: &str| rest.is_empty() || rest.starts_with([' ', '/', ':', '\'']);
            let suite = self.suite.trim_end_matches('/');
            let names = |rest: &str| rest.strip_prefix(suite).is_some_and(ends);
            words.is_some_and(names) || below.is_some_and(names)
        })
    }
}

/// The files in which apt looks for sources, in its order.
fn files(root: &Path) -> Vec<PathBuf> {
    let etc = root.join("etc/apt");
    let mut files = vec![etc.join("sources.list")];
    let listing = std::fs::read_dir(etc.join("sources.list.d"));
    let mut folder: Vec<PathBuf> = listing
        .into_iter()
        .flatten()
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| {
            let ending = path.extension().unwrap_or_default();
            ending == "list" || ending == "sources"
        })
        .collect();
    folder.sort();
    files.extend(folder);
    files
}

/// One source, as apt speaks of it.
pub(super) fn source(uri: &str, suite: &str, key: Option<&str>) -> Source {
    Source {
        uri: uri.trim_end_matches('/').to_owned(),
        suite: suite.to_owned(),
        key: key.map(str::to_owned),
    }
}

fn deb822(text: &str) -> Vec<Source> {
    let mut sources = Vec::new();
    let lines: Vec<&str> = text.lines().filter(|line| !line.starts_with('#')).collect();
    for stanza in lines.split(|line| line.trim().is_empty()) {
        let field = |name: &str| {
            let at = stanza.iter().position(|line| {
                let field = line.split_once(':').map(|(field, _)| field);
                field.is_some_and(|field| field.eq_ignore_ascii_case(name))
            })?;
            let first = stanza[at].split_once(':')?.1.to_owned();
            let more = stanza[at + 1..]
                .iter()
                .take_while(|line| line.starts_with([' ', '\t']));
            Some(more.fold(first, |all, line| all + "\n" + line))
        };
        if field("Enabled").is_some_and(|word| word.trim() == "no") {
            continue;
        }
        let (uris, suites) = (field("URIs"), field("Suites"));
        let key = field("Signed-By");
        let key = key.as_deref().map(str::trim);
        for uri in uris.iter().flat_map(|uris| uris.split_ascii_whitespace()) {
            let suites = suites
                .iter()
                .flat_map(|suites| suites.split_ascii_whitespace());
            sources.extend(suites.map(|suite| source(uri, suite, key)));
        }
    }
    sources
}

fn one_line(text: &str) -> Vec<Source> {
    let of_line = |line: &str| {
        let rest = line.trim().strip_prefix("deb")?.trim_start_matches("-src");
        let (options, rest) = match rest.trim_start().strip_prefix('[') {
            Some(rest) => rest.split_once(']')?,
            None => ("", rest),
        };
        let mut options = options.split_ascii_whitespace();
        let key = options.find_map(|option| option.strip_prefix("signed-by="));
        let mut words = rest.split_ascii_whitespace();
        Some(source(words.next()?, words.next()?, key))
    };
    text.lines().filter_map(of_line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_apt_are_about_one_suite_at_one_place() {
        let suite = source("http://h/debian/", "bookworm", None);
        let flat = source("file:/srv/x", "./", None);
        for (source, line, about) in [
            (
                &suite,
                "E: The repository 'http://h/debian bookworm InRelease' is not signed.",
                true,
            ),
            (
                &suite,
                "E: Failed to fetch http://h/debian/dists/bookworm/InRelease  403",
                true,
            ),
            (
                &suite,
                "E: Conflicting values set for option Signed-By regarding source http://h/debian/ bookworm: a != b",
                true,
            ),
            (
                &suite,
                "E: The repository 'http://h/debian bookworm-updates InRelease' is not",
                false,
            ),
            (
                &suite,
                "E: Failed to fetch http://h/debian/dists/bookworm-updates/InRelease",
                false,
            ),
            (
                &suite,
                "E: Failed to fetch http://h/debian-security/dists/bookworm/InRelease",
                false,
            ),
            (
                &flat,
                "W: GPG error: file:/srv/x ./ InRelease: no key",
                true,
            ),
            (
                &flat,
                "E: Failed to fetch file:/srv/x/./Packages  File not found",
                true,
            ),
            (&flat, "E: Failed to fetch file:/srv/xy/./Packages", false),
        ] {
            assert_eq!(source.is_in(line), about, "{line}");
        }
    }

    #[test]
    fn a_rival_names_another_key_where_apt_compares() {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("etc/apt/sources.list.d");
        std::fs::create_dir_all(&folder).unwrap();
        let stanza = |key: &str| {
            format!("Types: deb\nURIs: http://h/debian\nSuites: a b\nComponents: main\n{key}")
        };
        let keyed = Repository {
            name: "m".into(),
            sources: stanza("Signed-By: /etc/apt/keyrings/cfg-m.asc\n").into_bytes(),
            key: None,
        };
        let keyless = Repository {
            sources: stanza("").into_bytes(),
            ..keyed.clone()
        };
        for (file, text, of_keyed, of_keyless) in [
            ("z.list", "deb http://h/debian/ b main", true, false),
            ("a.list", "deb http://h/debian/ b main", false, false),
            (
                "z.list",
                "deb [signed-by=/k] http://h/debian b main",
                true,
                false,
            ),
            (
                "a.list",
                "deb [arch=amd64 signed-by=/k] http://h/debian b main",
                true,
                true,
            ),
            (
                "a.list",
                "deb [signed-by=/k] http://h/debian c main",
                false,
                false,
            ),
            (
                "a.list",
                "# deb [signed-by=/k] http://h/debian b main",
                false,
                false,
            ),
            (
                "a.sources",
                "URIs: http://h/debian\nSuites:\n c\n b\nSigned-By: /k\n",
                true,
                true,
            ),
            (
                "a.sources",
                "Enabled: no\nURIs: http://h/debian\nSuites: b\nSigned-By: /k\n",
                false,
                false,
            ),
            (
                "a.sources",
                "URIs: http://h/debian\nSuites: b\nSigned-By: /etc/apt/keyrings/cfg-m.asc\n",
                false,
                true,
            ),
            (
                "cfg-m.sources",
                "URIs: http://h/debian\nSuites: b\nSigned-By: /k\n",
                false,
                false,
            ),
            (
                "a.list.off",
                "deb [signed-by=/k] http://h/debian b main",
                false,
                false,
            ),
        ] {
            std::fs::write(folder.join(file), text).unwrap();
            let found = |repository| !rivals(root.path(), repository).is_empty();
            assert_eq!(found(&keyed), of_keyed, "{file}: {text}");
            assert_eq!(found(&keyless), of_keyless, "keyless, {file}: {text}");
            std::fs::remove_file(folder.join(file)).unwrap();
        }
    }
}
