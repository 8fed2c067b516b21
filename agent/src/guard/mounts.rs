//! Making every mount that can be reached read-only, without devices.

use anyhow::{Context as _, bail};
use cfg_catalog::resource::fstab;
use rustix::fs::{FileType, Mode, OFlags, makedev, open, stat};
use rustix::mount::{MountFlags, mount_bind, mount_remount};
use std::collections::BTreeSet;
use std::ffi::OsString;
use std::os::fd::AsRawFd as _;
use std::os::unix::ffi::OsStringExt as _;
use std::path::{Path, PathBuf};

/// The devices that a guard may open, which hold nothing: their names, and their numbers.
const NODES: [(&str, u32, u32); 6] = [
    ("null", 1, 3),
    ("zero", 1, 5),
    ("full", 1, 7),
    ("random", 1, 8),
    ("urandom", 1, 9),
    ("tty", 5, 0),
];

/// Makes all mounts of this process' namespace read-only, and has no device opened by a name in them but those that
/// hold nothing, of the machine and of the root that the guard is asked in.
pub fn make_harmless(root: &Path) -> anyhow::Result<()> {
    let kept = keep_nodes(&[Path::new("/"), root])?;
    let opens = |mount: &Mount| kept.contains(&mount.point);
    for mount in mounts()? {
        let mut flags = MountFlags::BIND | MountFlags::RDONLY | mount.flags;
        if !opens(&mount) {
            flags |= MountFlags::NODEV;
        }
        // What another mount covers cannot be named; the look below tells whether that was the reason.
        let _ = mount_remount(&mount.point, flags, c"");
    }
    for mount in mounts()? {
        let harmless =
            mount.read_only && (opens(&mount) || mount.flags.contains(MountFlags::NODEV));
        if !harmless && is_reachable(&mount)? {
            bail!("{} stays writable", mount.point.display());
        }
    }
    Ok(())
}

/// Gives these devices mounts of their own, which need not be as the others are. Says where.
fn keep_nodes(roots: &[&Path]) -> anyhow::Result<BTreeSet<PathBuf>> {
    let mut kept = BTreeSet::new();
    for root in roots {
        for (name, major, minor) in NODES {
            let Ok(node) = root.join("dev").join(name).canonicalize() else {
                continue;
            };
            let seen = stat(&node).with_context(|| format!("cannot look at {}", node.display()))?;
            let is_device = FileType::from_raw_mode(seen.st_mode) == FileType::CharacterDevice;
            if is_device && seen.st_rdev == makedev(major, minor) && !kept.contains(&node) {
                mount_bind(&node, &node)
                    .with_context(|| format!("cannot keep {}", node.display()))?;
                kept.insert(node);
            }
        }
    }
    Ok(kept)
}

/// One line of mountinfo.
#[derive(Debug, PartialEq, Eq)]
struct Mount {
    id: u64,
    point: PathBuf,
    read_only: bool,
    flags: MountFlags,
}

fn mounts() -> anyhow::Result<Vec<Mount>> {
    let text = std::fs::read("/proc/self/mountinfo").context("cannot read the list of mounts")?;
    text.split(|byte| *byte == b'\n')
        .filter(|line| !line.is_empty())
        .map(|line| parse(line).context("cannot read a line of the list of mounts"))
        .collect()
}

/// `ID PARENT MAJOR:MINOR ROOT POINT OPTIONS …`
fn parse(line: &[u8]) -> Option<Mount> {
    let mut fields = line.split(|byte| *byte == b' ');
    let id = std::str::from_utf8(fields.next()?).ok()?.parse().ok()?;
    let point = fstab::plain_bytes(fields.nth(3)?);
    let options = std::str::from_utf8(fields.next()?).ok()?;
    let mut mount = Mount {
        id,
        point: PathBuf::from(OsString::from_vec(point)),
        read_only: false,
        flags: MountFlags::empty(),
    };
    for option in options.split(',') {
        match option {
            "ro" => mount.read_only = true,
            "nosuid" => mount.flags |= MountFlags::NOSUID,
            "nodev" => mount.flags |= MountFlags::NODEV,
            "noexec" => mount.flags |= MountFlags::NOEXEC,
            "noatime" => mount.flags |= MountFlags::NOATIME,
            "nodiratime" => mount.flags |= MountFlags::NODIRATIME,
            "relatime" => mount.flags |= MountFlags::RELATIME,
            _ => {}
        }
    }
    Some(mount)
}

/// Whether the mount's own path leads to it, and not to one that covers it.
fn is_reachable(mount: &Mount) -> anyhow::Result<bool> {
    let flags = OFlags::PATH | OFlags::CLOEXEC | OFlags::NOFOLLOW;
    let Ok(there) = open(&mount.point, flags, Mode::empty()) else {
        return Ok(false);
    };
    let info = std::fs::read_to_string(format!("/proc/self/fdinfo/{}", there.as_raw_fd()))
        .context("cannot look at an open file")?;
    let id = info
        .lines()
        .find_map(|line| line.strip_prefix("mnt_id:"))
        .and_then(|id| id.trim().parse::<u64>().ok());
    Ok(id == Some(mount.id))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines() {
        let mount = parse(
            b"36 35 98:0 /mnt1 /mnt\\0402\\134x rw,noatime,nosuid master:1 - ext3 /dev/root rw,errors=continue",
        )
        .unwrap();
        assert_eq!(mount.id, 36);
        assert_eq!(mount.point, PathBuf::from("/mnt 2\\x"));
        assert!(!mount.read_only);
        assert_eq!(mount.flags, MountFlags::NOATIME | MountFlags::NOSUID);
        assert!(parse(b"1 2 3:4 / / ro - x y z").unwrap().read_only);
        assert_eq!(parse(b"nonsense"), None);
    }
}
