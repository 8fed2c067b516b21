//! Who needs an installed package, by dpkg's own record. Versions do not count: what is there satisfies them.

use super::status::{fields, stanzas};
use super::words::plain;
use anyhow::Context as _;
use std::collections::BTreeSet;
use std::path::Path;

/// The installed packages that need this one, without those that go as well; names without architectures, sorted.
///
/// # Errors
/// Where dpkg's database cannot be read.
pub fn by(root: &Path, package: &str, going: &BTreeSet<&str>) -> anyhow::Result<Vec<String>> {
    let file = root.join("var/lib/dpkg/status");
    let text = std::fs::read(&file).with_context(|| format!("cannot read {}", file.display()))?;
    let installed: Vec<Installed<'_>> = stanzas(&text).filter_map(Installed::read).collect();
    let staying: Vec<&Installed<'_>> = installed
        .iter()
        .filter(|other| other.name != plain(package) && !going.contains(other.name))
        .collect();
    let stays = |name: &str| staying.iter().any(|other| other.offers(name));
    let is_it = |name: &str| {
        let mut all = installed.iter();
        all.any(|other| other.name == plain(package) && other.offers(name))
    };
    let needs = |other: &&&Installed<'_>| {
        let mut groups = other.needs.iter();
        groups.any(|group| {
            let mut names = group.iter();
            names.clone().any(|name| is_it(name)) && !names.any(|name| stays(name))
        })
    };
    let found = staying.iter().filter(needs);
    let names: BTreeSet<String> = found.map(|other| other.name.to_owned()).collect();
    Ok(names.into_iter().collect())
}

/// As far as it bears on the matter.
#[derive(Default)]
struct Installed<'a> {
    name: &'a str,
    provides: Vec<&'a str>,
    /// Of each, one is enough.
    needs: Vec<Vec<&'a str>>,
}

impl<'a> Installed<'a> {
    fn read(stanza: &'a [u8]) -> Option<Self> {
        let mut found = Self::default();
        let mut there = false;
        for (field, value) in fields(stanza) {
            // Names and relations of packages are ASCII.
            let Ok(value) = std::str::from_utf8(value) else {
                continue;
            };
            match field {
                b"Package" => found.name = value,
                b"Status" => {
                    let state = value.split_ascii_whitespace().last();
                    there = !matches!(state, None | Some("config-files" | "not-installed"));
                }
                b"Provides" => found.provides.extend(value.split(',').map(name)),
                b"Depends" | b"Pre-Depends" => {
                    let groups = value.split(',').map(|group| group.split('|').map(name));
                    found.needs.extend(groups.map(Iterator::collect));
                }
                _ => {}
            }
        }
        there.then_some(found)
    }

    fn offers(&self, name: &str) -> bool {
        self.name == name || self.provides.contains(&name)
    }
}

/// Of `perl:any (>= 5.36)`, the name.
fn name(relation: &str) -> &str {
    let name = relation.split_ascii_whitespace().next().unwrap_or_default();
    plain(name.split('(').next().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn by_name_by_what_it_provides_and_not_where_another_does() {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("var/lib/dpkg");
        std::fs::create_dir_all(&folder).unwrap();
        let status = "\
Package: mta
Status: install ok installed
Provides: mail-agent, other (= 1)

Package: second
Status: install ok installed
Provides: mail-agent

Package: reader
Status: install ok installed
Depends: libc6 (>= 2), mta (>= 1) | mail-agent

Package: lister
Status: install ok unpacked
Pre-Depends: other(>= 1) | nothing
Depends: perl:any

Package: once
Status: deinstall ok config-files
Depends: mta, second, perl

Package: perl
Status: hold ok installed
Depends: perl-base
";
        std::fs::write(folder.join("status"), status).unwrap();
        for (package, going, wanted) in [
            ("mta", &[][..], &["lister"][..]),
            ("mta", &["second"], &["lister", "reader"]),
            ("mta", &["second", "lister"], &["reader"]),
            ("second", &[], &[]),
            ("perl:amd64", &[], &["lister"]),
            ("lister", &[], &[]),
            ("nowhere", &[], &[]),
        ] {
            let going = going.iter().copied().collect();
            let found = by(root.path(), package, &going).unwrap();
            assert_eq!(found, wanted, "{package} beside {going:?}");
        }
    }
}
