//! Units of a root where no systemd runs: their files and their links.

use super::foreseen::over_mask;
use super::{Boot, sysv};
use crate::{beneath, errno};
use anyhow::{Context as _, bail};
use cfg_catalog::resource::install::Install;
use cfg_catalog::resource::service::{Active, Enabled, Load, ServiceState, template_of};
use rustix::fs::{AtFlags, readlinkat, symlinkat, unlinkat};
use rustix::io::Errno;
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::CStr;
use std::path::{Path, PathBuf};

pub(super) const OWN: &str = "etc/systemd/system";
/// Where unit files lie, the first wins.
pub(super) const FOLDERS: [&str; 5] = [
    OWN,
    "usr/local/lib/systemd/system",
    "usr/lib/systemd/system",
    "lib/systemd/system",
    "run/systemd/system",
];

/// What can be known of these units.
pub fn states(root: &Path, units: &[&str]) -> BTreeMap<String, ServiceState> {
    units
        .iter()
        .map(|unit| ((*unit).to_owned(), state(root, unit)))
        .collect()
}

fn state(root: &Path, unit: &str) -> ServiceState {
    let (load, enabled) = if is_masked(root, unit) {
        (Load::Masked, Enabled::No)
    } else {
        match enabled(root, unit) {
            Enabled::Unknown => (Load::NotFound, Enabled::Unknown),
            known => (Load::Loaded, known),
        }
    };
    let mut state = ServiceState::new(load, Active::Unjudged, enabled);
    if enabled == Enabled::Fixed {
        state.wanted_by = wanted_by(root, unit);
    }
    state
}

/// Whether a unit starts at boot, whatever masks it; unknown where there is none.
pub fn enabled(root: &Path, unit: &str) -> Enabled {
    let Some(file) = file(root, unit) else {
        return match sysv::starts_at_boot(root, unit) {
            Some(true) => Enabled::Yes,
            Some(false) => Enabled::No,
            None => Enabled::Unknown,
        };
    };
    match text(&file) {
        _ if is_enabled(root, unit) => Enabled::Yes,
        _ if is_linked(root, UNTIL_BOOT, unit) => Enabled::ForNow,
        Ok(text) if !Install::parse(&text).enables() => Enabled::Fixed,
        _ => Enabled::No,
    }
}

/// Units that packages link this one into.
fn wanted_by(root: &Path, unit: &str) -> Vec<String> {
    let folders = FOLDERS.iter().flat_map(|folder| {
        let named = link_folders(root, folder);
        named.into_iter().map(move |name| (*folder, name))
    });
    folders
        .filter(|(folder, name)| {
            let link = root.join(folder).join(name).join(unit);
            std::fs::symlink_metadata(link).is_ok()
        })
        .filter_map(|(_, name)| Some(name.rsplit_once('.')?.0.to_owned()))
        .collect()
}

/// The links below `/etc/systemd/system` that `enable` makes for this unit, by path from there, with their targets; none
/// where drop-ins have a say in what those are.
pub fn links(root: &Path, unit: &str) -> Option<BTreeMap<String, String>> {
    let template = template_of(unit);
    let named = [Some(unit.to_owned()), template];
    let installs = |name: &String| {
        FOLDERS.iter().any(|folder| {
            let folder = root.join(folder).join(format!("{name}.d"));
            let Ok(listing) = std::fs::read_dir(folder) else {
                return false;
            };
            listing.flatten().any(|file| {
                std::fs::read_to_string(file.path()).is_ok_and(|t| t.contains("[Install]"))
            })
        })
    };
    if named.iter().flatten().any(installs) {
        return None;
    }
    let folders = link_folders(root, OWN).into_iter();
    let wants = folders.filter_map(|folder| {
        let link = format!("{folder}/{unit}");
        let target = std::fs::read_link(root.join(OWN).join(&link));
        Some((link, target.ok()?.into_os_string().into_string().ok()?))
    });
    Some(wants.chain(aliases(root, unit)).collect())
}

/// Units that are enabled along with these, as the unit files say that are there.
pub fn also<'a>(root: &Path, units: impl Iterator<Item = &'a str>) -> BTreeSet<String> {
    let mut open: Vec<String> = units.map(str::to_owned).collect();
    let mut found = BTreeSet::new();
    while let Some(unit) = open.pop() {
        let text = file(root, &unit).and_then(|file| text(&file).ok());
        let also = text.map(|text| Install::parse(&text).also);
        let new = also.into_iter().flatten();
        open.extend(new.filter(|unit| found.insert(unit.clone())));
    }
    found
}

/// The path, within the root, that a package would ship for this unit.
pub fn source(root: &Path, unit: &str) -> Option<String> {
    let inside = match file(root, unit) {
        Some(file) => file.strip_prefix(root).ok()?.to_owned(),
        None => {
            sysv::starts_at_boot(root, unit)?;
            PathBuf::from("etc/init.d").join(unit.strip_suffix(".service")?)
        }
    };
    Some(format!("/{}", inside.display()))
}

pub(super) fn is_masked(root: &Path, unit: &str) -> bool {
    let link = root.join(OWN).join(unit);
    is_null(&link)
        || std::fs::symlink_metadata(&link).is_ok_and(|file| file.is_file() && file.len() == 0)
}

fn is_null(link: &Path) -> bool {
    std::fs::read_link(link).is_ok_and(|target| target == Path::new("/dev/null"))
}

/// The unit's file; that of its template for an instance. A mask is none.
pub(super) fn file(root: &Path, unit: &str) -> Option<PathBuf> {
    [Some(unit.to_owned()), template_of(unit)]
        .into_iter()
        .flatten()
        .flat_map(|name| FOLDERS.map(|folder| root.join(folder).join(&name)))
        .find(|path| {
            // A link of the root means something within it, which is not followed from here.
            let stands = std::fs::symlink_metadata(path);
            let empty = |file: &std::fs::Metadata| file.is_file() && file.len() == 0;
            stands.is_ok_and(|file| !empty(&file)) && !is_null(path)
        })
}

pub(super) fn text(file: &Path) -> anyhow::Result<String> {
    let metadata = std::fs::symlink_metadata(file)?;
    if !metadata.is_file() {
        bail!("{} is not a file", file.display());
    }
    Ok(String::from_utf8_lossy(&std::fs::read(file)?).into_owned())
}

/// The folders of links to units: `multi-user.target.wants`.
fn link_folders(root: &Path, folder: &str) -> Vec<String> {
    let Ok(listing) = std::fs::read_dir(root.join(folder)) else {
        return Vec::new();
    };
    let mut names: Vec<String> = listing
        .flatten()
        .filter_map(|entry| entry.file_name().into_string().ok())
        .filter(|name| {
            [".wants", ".requires", ".upholds"]
                .iter()
                .any(|end| name.ends_with(end))
        })
        .collect();
    names.sort();
    names
}

fn is_enabled(root: &Path, unit: &str) -> bool {
    is_linked(root, OWN, unit) || !aliases(root, unit).is_empty()
}

/// Where `enable --runtime` makes its links.
const UNTIL_BOOT: &str = "run/systemd/system";

fn is_linked(root: &Path, below: &str, unit: &str) -> bool {
    let below = root.join(below);
    let linked = |folder: &String| std::fs::symlink_metadata(below.join(folder).join(unit)).is_ok();
    link_folders(&below, "").iter().any(linked)
}

/// Links beside unit files that stand for this unit.
fn aliases(root: &Path, unit: &str) -> Vec<(String, String)> {
    let Ok(listing) = std::fs::read_dir(root.join(OWN)) else {
        return Vec::new();
    };
    listing
        .flatten()
        .filter_map(|entry| {
            let target = std::fs::read_link(entry.path()).ok()?;
            let leads = target.file_name() == Some(unit.as_ref());
            let name = entry.file_name().into_string().ok()?;
            let target = target.into_os_string().into_string().ok()?;
            (leads && name != unit).then_some((name, target))
        })
        .collect()
}

/// Changes what happens to this unit at boot.
pub fn boot(root: &Path, boot: Boot, unit: &str) -> anyhow::Result<()> {
    match boot {
        Boot::Mask => {
            if let Some(why) = over_mask(root, unit) {
                bail!("{why}");
            }
            link(root, OWN, unit, "/dev/null")
        }
        Boot::Unmask if is_masked(root, unit) => unlink(root, OWN, unit).map(|_| ()),
        Boot::Unmask => Ok(()),
        Boot::Enable => enable(root, unit, &mut BTreeSet::new()),
        Boot::Disable => disable(root, unit),
        Boot::EnableAnew => {
            disable(root, unit)?;
            enable(root, unit, &mut BTreeSet::new())
        }
    }
}

fn enable(root: &Path, unit: &str, seen: &mut BTreeSet<String>) -> anyhow::Result<()> {
    if !seen.insert(unit.to_owned()) {
        return Ok(());
    }
    let Some(path) = file(root, unit) else {
        if sysv::starts_at_boot(root, unit).is_some() {
            return rc(root, unit, "enable");
        }
        bail!("there is no unit {unit}");
    };
    let install = Install::parse(&text(&path)?);
    let source = source(root, unit).context("the unit's path is not text")?;
    let Some(links) = install.links(unit) else {
        bail!("what only a running systemd knows is in [Install] of {unit}");
    };
    for path in links.must.iter().chain(&links.may) {
        let (folder, name) = match path.rsplit_once('/') {
            Some((folder, name)) => (format!("{OWN}/{folder}"), name),
            None => (OWN.to_owned(), path.as_str()),
        };
        link(root, &folder, name, &source)?;
    }
    for other in &install.also {
        enable(root, other, seen)?;
    }
    Ok(())
}

fn disable(root: &Path, unit: &str) -> anyhow::Result<()> {
    if file(root, unit).is_none() && sysv::starts_at_boot(root, unit).is_some() {
        return rc(root, unit, "disable");
    }
    for folder in link_folders(root, OWN) {
        if unlink(root, &format!("{OWN}/{folder}"), unit)? {
            // As systemctl has it: a folder of links goes with its last one.
            let _stays_with_others = beneath::folder(root, OWN)
                .map(|own| unlinkat(own, folder.as_str(), AtFlags::REMOVEDIR));
        }
    }
    for (alias, _) in aliases(root, unit) {
        unlink(root, OWN, &alias)?;
    }
    Ok(())
}

/// SysV scripts keep their links in order by their dependencies, which update-rc.d knows.
fn rc(root: &Path, unit: &str, word: &str) -> anyhow::Result<()> {
    let name = unit.strip_suffix(".service").unwrap_or(unit);
    let mut command = if root == Path::new("/") {
        std::process::Command::new("update-rc.d")
    } else {
        let mut command = std::process::Command::new("chroot");
        command.arg(root).arg("update-rc.d");
        command
    };
    let output = command
        .args([name, word])
        .env_clear()
        .envs(crate::apt::get::environment())
        .stdin(std::process::Stdio::null())
        .output()
        .context("cannot run update-rc.d")?;
    if !output.status.success() {
        bail!(
            "update-rc.d: {}",
            String::from_utf8_lossy(&output.stderr).trim()
        );
    }
    Ok(())
}

/// Whether a link in a folder of the root leads to this path of it, by dots or not.
fn leads_to(folder: &str, link: &CStr, target: &str) -> bool {
    let mut parts: Vec<&str> = folder.split('/').collect();
    let Ok(link) = link.to_str() else {
        return false;
    };
    if link.starts_with('/') {
        parts.clear();
    }
    for part in link.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            name => parts.push(name),
        }
    }
    target.strip_prefix('/') == Some(&parts.join("/"))
}

fn link(root: &Path, within: &str, name: &str, target: &str) -> anyhow::Result<()> {
    let make = || -> std::io::Result<()> {
        let folder = beneath::made_folder(root, within)?;
        match symlinkat(target, &folder, name) {
            // As systemctl has it: what is no link is somebody's, and what leads there already stays.
            Err(Errno::EXIST) => {
                let there = readlinkat(&folder, name, Vec::new()).map_err(|_| Errno::EXIST)?;
                if leads_to(within, &there, target) {
                    return Ok(());
                }
                unlinkat(&folder, name, AtFlags::empty())?;
                symlinkat(target, &folder, name)?;
            }
            made => made?,
        }
        rustix::fs::fsync(&folder)?;
        Ok(())
    };
    make()
        .map_err(errno::explained)
        .with_context(|| format!("cannot make the link /{within}/{name}"))
}

/// Says whether it was there.
fn unlink(root: &Path, folder: &str, name: &str) -> anyhow::Result<bool> {
    let remove = || -> std::io::Result<bool> {
        match unlinkat(beneath::folder(root, folder)?, name, AtFlags::empty()) {
            Ok(()) => Ok(true),
            Err(Errno::NOENT) => Ok(false),
            Err(error) => Err(error.into()),
        }
    };
    remove()
        .map_err(errno::explained)
        .with_context(|| format!("cannot remove the link /{folder}/{name}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn root(units: &[(&str, &str)]) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        for (path, text) in units {
            let path = root.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        root
    }

    const UNIT: &str = "[Service]\nWantedBy=not.here\n[Install]\nWantedBy=multi-user.target \\\n b.target\nAlias=other.service\nAlso=x.socket\n";

    #[test]
    fn an_alias_replaces_nothing_but_a_link() {
        let root = root(&[
            ("lib/systemd/system/x.service", UNIT),
            ("etc/systemd/system/other.service", "somebody's"),
        ]);
        let error = boot(root.path(), Boot::Enable, "x.service").unwrap_err();
        assert!(format!("{error:#}").contains("other.service"), "{error:#}");
        let kept = std::fs::read_to_string(root.path().join(OWN).join("other.service"));
        assert_eq!(kept.unwrap(), "somebody's");
    }

    #[test]
    fn a_life() {
        let root = root(&[
            ("lib/systemd/system/x.service", UNIT),
            (
                "lib/systemd/system/x.socket",
                "[Install]\nWantedBy=sockets.target\n",
            ),
            ("lib/systemd/system/fixed.service", "[Unit]\n"),
        ]);
        let root = root.path();
        let now = |unit: &str| {
            let state = state(root, unit);
            (state.load, state.enabled)
        };
        assert_eq!(now("x.service"), (Load::Loaded, Enabled::No));
        assert_eq!(now("fixed.service"), (Load::Loaded, Enabled::Fixed));
        assert_eq!(now("none.service"), (Load::NotFound, Enabled::Unknown));

        boot(root, Boot::Enable, "x.service").unwrap();
        boot(root, Boot::Enable, "x.service").unwrap();
        for link in [
            "multi-user.target.wants/x.service",
            "b.target.wants/x.service",
            "other.service",
        ] {
            let target = std::fs::read_link(root.join(OWN).join(link)).unwrap();
            assert_eq!(target, Path::new("/lib/systemd/system/x.service"), "{link}");
        }
        assert_eq!(now("x.service"), (Load::Loaded, Enabled::Yes));
        assert_eq!(now("x.socket"), (Load::Loaded, Enabled::Yes));

        let has = |unit: &str| links(root, unit).unwrap().into_keys().collect::<Vec<_>>();
        let both = [
            "b.target.wants/x.service",
            "multi-user.target.wants/x.service",
            "other.service",
        ];
        assert_eq!(has("x.service"), both);
        let changed = UNIT.replace("multi-user.target", "c.target");
        std::fs::write(root.join("lib/systemd/system/x.service"), changed).unwrap();
        boot(root, Boot::EnableAnew, "x.service").unwrap();
        assert_eq!(has("x.service")[1], "c.target.wants/x.service");
        assert_eq!(has("x.service").len(), 3, "what is stale is gone");

        boot(root, Boot::Mask, "x.service").unwrap();
        assert_eq!(now("x.service"), (Load::Masked, Enabled::No));
        assert_eq!(enabled(root, "x.service"), Enabled::Yes, "under the mask");
        boot(root, Boot::Unmask, "x.service").unwrap();
        assert_eq!(now("x.service"), (Load::Loaded, Enabled::Yes));
        boot(root, Boot::Disable, "x.service").unwrap();
        assert_eq!(now("x.service"), (Load::Loaded, Enabled::No));
        assert!(!root.join(OWN).join("other.service").is_symlink());
    }

    #[test]
    fn masking_needs_no_unit_and_destroys_none() {
        let root = root(&[("etc/systemd/system/own.service", "[Unit]\n")]);
        boot(root.path(), Boot::Mask, "later.service").unwrap();
        assert_eq!(state(root.path(), "later.service").load, Load::Masked);
        assert_eq!(enabled(root.path(), "later.service"), Enabled::Unknown);
        assert!(boot(root.path(), Boot::Mask, "own.service").is_err());
        boot(root.path(), Boot::Unmask, "own.service").unwrap();
        assert!(root.path().join("etc/systemd/system/own.service").is_file());
    }

    #[test]
    fn what_a_mask_hides_may_be_enabled_until_the_next_boot() {
        let root = root(&[
            (
                "usr/lib/systemd/system/x.service",
                "[Install]\nWantedBy=a\n",
            ),
            ("run/systemd/system/a.wants/x.service", ""),
        ]);
        assert_eq!(enabled(root.path(), "x.service"), Enabled::ForNow);
    }

    #[test]
    fn what_is_fixed_may_be_wanted() {
        let root = root(&[
            ("lib/systemd/system/f.service", "[Unit]\n"),
            ("lib/systemd/system/a.target.wants/f.service", ""),
            ("lib/systemd/system/g.service", "[Unit]\n"),
            (
                "etc/systemd/system/d.service.d/a.conf",
                "[Install]\nWantedBy=x\n",
            ),
        ]);
        let seen = state(root.path(), "f.service");
        assert_eq!(seen.enabled, Enabled::Fixed);
        assert_eq!(seen.wanted_by, ["a.target"]);
        assert!(state(root.path(), "g.service").wanted_by.is_empty());
        assert_eq!(links(root.path(), "d.service"), None, "a drop-in has a say");
    }

    #[test]
    fn instances_come_from_templates() {
        let root = root(&[("usr/lib/systemd/system/t@.service", UNIT)]);
        assert_eq!(state(root.path(), "t@a.service").load, Load::Loaded);
        assert_eq!(
            source(root.path(), "t@a.service").as_deref(),
            Some("/usr/lib/systemd/system/t@.service")
        );
    }
}
