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
    if packages.is_empty() {
        return Ok(found);
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
    for (name, offered) in parse(&String::from_utf8_lossy(&output.stdout)) {
        // apt-cache adds the architecture where it is a foreign one, as the role wrote it too.
        found.insert(name, offered);
    }
    Ok(found)
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
fn parse(text: &str) -> BTreeMap<String, Offered> {
    let mut all = BTreeMap::new();
    let mut current: Option<Table> = None;
    for line in text.lines() {
        if !line.starts_with(' ') {
            finish(&mut all, current.take());
            current = line.strip_suffix(':').map(Table::new);
        } else if let Some(table) = &mut current {
            table.line(line);
        }
    }
    finish(&mut all, current);
    all
}

fn finish(all: &mut BTreeMap<String, Offered>, table: Option<Table>) {
    if let Some(table) = table {
        all.insert(table.package.clone(), table.offered());
    }
}

struct Table {
    package: String,
    candidate: String,
    /// Version, its pin, and whether any index has it (dpkg's status alone does not count).
    rows: Vec<(String, i64, bool)>,
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
                row.2 = true;
            }
        } else if let Some(row) = line
            .strip_prefix(" *** ")
            .or_else(|| line.strip_prefix("     "))
        {
            let mut words = row.split_ascii_whitespace();
            if let (Some(version), Some(pin)) = (words.next(), words.next()) {
                let pin = pin.parse().unwrap_or(0);
                self.rows.push((version.to_owned(), pin, false));
            }
        }
    }

    fn offered(self) -> Offered {
        // A negative pin forbids a version, and apt chooses none of priority 0.
        let offered = self
            .rows
            .into_iter()
            .filter(|(_, pin, offered)| *offered && *pin > 0);
        Offered {
            candidate: Some(self.candidate).filter(|version| version != "(none)"),
            versions: offered.map(|(version, ..)| version).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_policy() {
        let all = parse(
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
        let offered = |candidate: Option<&str>, versions: &[&str]| Offered {
            candidate: candidate.map(str::to_owned),
            versions: versions.iter().map(|v| (*v).to_owned()).collect(),
        };
        assert_eq!(
            all["bash"],
            offered(Some("5.2.15-2+b13"), &["5.2.15-2+b13"])
        );
        assert_eq!(
            all["pinned"],
            offered(Some("2:1.0"), &["2:2.0", "2:1.0"]),
            "what a pin forbids never"
        );
        assert_eq!(all["virtual"], offered(None, &[]));
    }
}
