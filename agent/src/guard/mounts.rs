//! Making every mount that can be reached read-only.

use anyhow::{Context as _, bail};
use rustix::fs::{Mode, OFlags, open};
use rustix::mount::{MountFlags, mount_remount};
use std::ffi::OsString;
use std::os::fd::AsRawFd as _;
use std::os::unix::ffi::OsStringExt as _;
use std::path::PathBuf;

/// Makes all mounts of this process' namespace read-only.
pub fn make_read_only() -> anyhow::Result<()> {
    for mount in mounts()? {
        let flags = MountFlags::BIND | MountFlags::RDONLY | mount.flags;
        // What another mount covers cannot be named; the look below tells whether that was the reason.
        let _ = mount_remount(&mount.point, flags, c"");
    }
    for mount in mounts()? {
        if !mount.read_only && is_reachable(&mount)? {
            bail!("{} stays writable", mount.point.display());
        }
    }
    Ok(())
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
    let point = unescape(fields.nth(3)?);
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

/// mountinfo writes blanks and backslashes as three octal digits.
fn unescape(text: &[u8]) -> Vec<u8> {
    let mut plain = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((first, after)) = rest.split_first() {
        let octal = after
            .get(..3)
            .filter(|_| *first == b'\\')
            .and_then(|digits| std::str::from_utf8(digits).ok())
            .and_then(|digits| u8::from_str_radix(digits, 8).ok());
        match octal {
            Some(byte) => {
                plain.push(byte);
                rest = &after[3..];
            }
            None => {
                plain.push(*first);
                rest = after;
            }
        }
    }
    plain
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
