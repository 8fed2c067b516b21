//! Which package ships a unit.

use crate::apt::status::Status;
use anyhow::Context as _;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// For each of these paths the installed package that ships it, with its version.
pub fn owners(
    root: &Path,
    paths: &BTreeSet<&str>,
) -> anyhow::Result<BTreeMap<String, (String, String)>> {
    let mut owners = BTreeMap::new();
    if paths.is_empty() {
        return Ok(owners);
    }
    let info = root.join("var/lib/dpkg/info");
    let listing = match std::fs::read_dir(&info) {
        Ok(listing) => listing,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(owners),
        Err(error) => return Err(error).context(format!("cannot read {}", info.display())),
    };
    // One of two spellings is in the list: a package may still ship /lib on a machine whose /lib is a link.
    let spelled: BTreeMap<String, &str> = paths
        .iter()
        .flat_map(|path| {
            spellings(path)
                .into_iter()
                .map(|spelling| (spelling, *path))
        })
        .collect();
    let status = Status::read(root)?;
    for entry in listing {
        let file = entry.context("cannot read dpkg's lists")?.path();
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        let Some(package) = name.strip_suffix(".list") else {
            continue;
        };
        let bytes =
            std::fs::read(&file).with_context(|| format!("cannot read {}", file.display()))?;
        let text = String::from_utf8_lossy(&bytes);
        for path in text.lines().filter_map(|line| spelled.get(line)) {
            // A package whose configuration alone is left keeps the list of that.
            if let Some(entry) = status
                .find(package)
                .filter(|entry| entry.state != "config-files")
            {
                // Lists of packages that may be there in several architectures have that in their names.
                let of_here = entry.arch == "all" || entry.arch == status.native();
                let package = if of_here { &entry.name } else { package };
                owners.insert(
                    (*path).to_owned(),
                    (package.to_owned(), entry.version.clone()),
                );
            }
        }
    }
    Ok(owners)
}

fn spellings(path: &str) -> Vec<String> {
    let mut spellings = vec![path.to_owned()];
    if let Some(rest) = path.strip_prefix("/usr/lib/") {
        spellings.push(format!("/lib/{rest}"));
    } else if path.starts_with("/lib/") {
        spellings.push(format!("/usr{path}"));
    }
    spellings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn by_either_spelling() {
        let root = tempfile::tempdir().unwrap();
        let dpkg = root.path().join("var/lib/dpkg");
        std::fs::create_dir_all(dpkg.join("info")).unwrap();
        let mut status = String::new();
        for (name, state, listed) in [
            ("zookeeperd", "installed", "/.\n/etc/init.d/zookeeper\n"),
            (
                "mesos",
                "installed",
                "/lib/systemd/system/mesos-master.service\n",
            ),
            ("old", "config-files", "/etc/init.d/old\n"),
        ] {
            std::fs::write(dpkg.join(format!("info/{name}.list")), listed).unwrap();
            status += &format!(
                "Package: {name}\nStatus: install ok {state}\nArchitecture: all\nVersion: 1\n\n"
            );
        }
        std::fs::write(dpkg.join("status"), status).unwrap();
        let asked = [
            "/etc/init.d/zookeeper",
            "/usr/lib/systemd/system/mesos-master.service",
            "/etc/init.d/old",
            "/etc/systemd/system/own.service",
        ];
        let owners = owners(root.path(), &asked.into()).unwrap();
        assert_eq!(owners.len(), 2);
        assert_eq!(owners[asked[0]], ("zookeeperd".into(), "1".into()));
        assert_eq!(owners[asked[1]], ("mesos".into(), "1".into()));
    }
}
