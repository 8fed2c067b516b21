//! Which versions the index offers.

use anyhow::{Context as _, bail};
use cfg_catalog::resource::package::Offered;
use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Stdio};

/// What the index of this root has of each package, and which of it apt would take. Of a package it does not know it has nothing.
///
/// # Errors
/// Where apt-cache cannot be run or fails.
pub fn versions(root: &Path, packages: &[&str]) -> anyhow::Result<BTreeMap<String, Offered>> {
    let mut found: BTreeMap<_, _> = packages
        .iter()
        .map(|name| ((*name).to_owned(), Offered::default()))
        .collect();
    for table in tables(root, packages)? {
        // apt-cache adds the architecture where it is a foreign one, as the role wrote it too.
        found.insert(table.package.clone(), table.offered());
    }
    Ok(found)
}

/// From where the index of this root has this version of each package, in apt's words.
///
/// # Errors
/// Where apt-cache cannot be run or fails.
pub fn origins(
    root: &Path,
    packages: &BTreeMap<&str, &str>,
) -> anyhow::Result<BTreeMap<String, Vec<String>>> {
    let names: Vec<&str> = packages.keys().copied().collect();
    let of_table = |table: Table| {
        let version = packages.get(table.package.as_str())?;
        let row = table.rows.into_iter().find(|row| row.version == *version);
        Some((table.package, row?.sources))
    };
    let tables = tables(root, &names)?;
    Ok(tables.into_iter().filter_map(of_table).collect())
}

/// What `apt-cache policy` has of each of these that it knows.
fn tables(root: &Path, packages: &[&str]) -> anyhow::Result<Vec<Table>> {
    if packages.is_empty() {
        return Ok(Vec::new());
    }
    let output = Command::new("apt-cache")
        .args(options(root))
        .args(["policy", "--"])
        .args(packages)
        .env_clear()
        .envs(super::get::environment())
        .stdin(Stdio::null())
        .output()
        .context("cannot run apt-cache")?;
    if !output.status.success() {
        let told = String::from_utf8_lossy(&output.stderr);
        bail!("apt-cache policy: {}", told.trim());
    }
    Ok(parse(&String::from_utf8_lossy(&output.stdout)))
}

/// Looks into another root, and writes neither a cache nor what was asked of its planner, which apt logs of simulations
/// too: a dry run must leave nothing behind.
pub(super) fn options(root: &Path) -> Vec<String> {
    let mut options = vec![
        "-o".into(),
        "Dir::Cache::pkgcache=".into(),
        "-o".into(),
        "Dir::Cache::srcpkgcache=".into(),
        "-o".into(),
        "Dir::Log::Planner=/dev/null".into(),
    ];
    if root != Path::new("/") {
        options.extend(["-o".into(), format!("Dir={}", root.display())]);
        let status = root.join("var/lib/dpkg/status");
        options.extend([
            "-o".into(),
            format!("Dir::State::status={}", status.display()),
        ]);
    }
    options
}

/// Reads `apt-cache policy`.
fn parse(text: &str) -> Vec<Table> {
    let mut tables: Vec<Table> = Vec::new();
    for line in text.lines() {
        if !line.starts_with(' ') {
            tables.extend(line.strip_suffix(':').map(Table::new));
        } else if let Some(table) = tables.last_mut() {
            table.line(line);
        }
    }
    tables
}

struct Table {
    package: String,
    candidate: String,
    rows: Vec<Row>,
}

struct Row {
    version: String,
    pin: i64,
    /// What indexes have it; dpkg's status does not count.
    sources: Vec<String>,
}

impl Table {
    fn new(package: &str) -> Self {
        Self {
            package: package.to_owned(),
            candidate: String::new(),
            rows: Vec::new(),
        }
    }

    fn line(&mut self, line: &str) {
        if let Some(candidate) = line.strip_prefix("  Candidate: ") {
            candidate.clone_into(&mut self.candidate);
        } else if let Some(source) = line.strip_prefix("        ") {
            if let (Some(row), false) = (
                self.rows.last_mut(),
                source.ends_with("/var/lib/dpkg/status"),
            ) {
                row.sources.push(source.trim().to_owned());
            }
        } else if let Some(row) = line
            .strip_prefix(" *** ")
            .or_else(|| line.strip_prefix("     "))
        {
            let mut words = row.split_ascii_whitespace();
            if let (Some(version), Some(pin)) = (words.next(), words.next()) {
                self.rows.push(Row {
                    version: version.to_owned(),
                    pin: pin.parse().unwrap_or(0),
                    sources: Vec::new(),
                });
            }
        }
    }

    fn offered(self) -> Offered {
        // A negative pin forbids a version, and apt chooses none of priority 0.
        let offered = self
            .rows
            .into_iter()
            .filter(|row| !row.sources.is_empty() && row.pin > 0);
        Offered {
            candidate: Some(self.candidate).filter(|version| version != "(none)"),
            versions: offered.map(|row| row.version).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_policy() {
        let tables = parse(
            "\
bash:
  Installed: 5.2.15-2+b8
  Candidate: 5.2.15-2+b13
  Version table:
     5.2.15-2+b13 500
        500 http://deb.debian.org/debian bookworm/main amd64 Packages
 *** 5.2.15-2+b8 100
        100 /var/lib/dpkg/status
pinned:
  Installed: (none)
  Candidate: 2:1.0
  Package pin: 2:1.0
  Version table:
     2:3.0 -1
        500 file:/srv/repo ./ Packages
     2:2.0 100
        100 http://deb.debian.org/debian bookworm-backports/main amd64 Packages
     2:1.0 990
        500 file:/srv/repo ./ Packages
        100 /var/lib/dpkg/status
virtual:
  Installed: (none)
  Candidate: (none)
  Version table:
",
        );
        let mut all = tables
            .into_iter()
            .map(|table| (table.package.clone(), table));
        let mut next = || all.next().map(|(name, table)| (name, table.offered()));
        let offered = |name: &str, candidate: Option<&str>, versions: &[&str]| {
            let offered = Offered {
                candidate: candidate.map(str::to_owned),
                versions: versions.iter().map(|v| (*v).to_owned()).collect(),
            };
            Some((name.to_owned(), offered))
        };
        assert_eq!(
            next(),
            offered("bash", Some("5.2.15-2+b13"), &["5.2.15-2+b13"])
        );
        assert_eq!(
            next(),
            offered("pinned", Some("2:1.0"), &["2:2.0", "2:1.0"]),
            "what a pin forbids never"
        );
        assert_eq!(next(), offered("virtual", None, &[]));
    }
}
