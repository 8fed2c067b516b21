//! Whether a cgroup has processes, where systemd does not count tasks.

use std::path::{Path, PathBuf};

/// How many processes there are in a cgroup and below it; none where no cgroup file system says.
pub fn processes(mounted: &Path, control_group: &str) -> Option<u64> {
    let inside = control_group.strip_prefix('/')?;
    let unified = mounted.join(inside);
    let folder = if mounted.join("cgroup.controllers").exists() {
        unified
    } else {
        mounted.join("systemd").join(inside)
    };
    // systemd removes the cgroup of a unit that has no process any more.
    if !mounted.exists() {
        return None;
    }
    Some(count(&folder))
}

fn count(folder: &Path) -> u64 {
    let own = std::fs::read_to_string(folder.join("cgroup.procs")).unwrap_or_default();
    let own = u64::try_from(own.lines().count()).unwrap_or(u64::MAX);
    let Ok(listing) = std::fs::read_dir(folder) else {
        return own;
    };
    let below: Vec<PathBuf> = listing
        .flatten()
        .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()))
        .map(|entry| entry.path())
        .collect();
    below
        .iter()
        .fold(own, |sum, folder| sum.saturating_add(count(folder)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_below() {
        let mounted = tempfile::tempdir().unwrap();
        let mounted = mounted.path();
        std::fs::write(mounted.join("cgroup.controllers"), "").unwrap();
        std::fs::create_dir_all(mounted.join("system.slice/a.service/sub")).unwrap();
        std::fs::write(mounted.join("system.slice/a.service/cgroup.procs"), "").unwrap();
        let procs = mounted.join("system.slice/a.service/sub/cgroup.procs");
        std::fs::write(procs, "7\n8\n").unwrap();
        assert_eq!(processes(mounted, "/system.slice/a.service"), Some(2));
        assert_eq!(processes(mounted, "/system.slice/gone.service"), Some(0));
        assert_eq!(processes(mounted, ""), None, "the unit has none");
        assert_eq!(processes(&mounted.join("none"), "/x"), None);
    }
}
