//! What is mounted at a mount point, and what /etc/fstab says of it. Reads only.

use super::Machine;
use super::Wanted;
use super::error::{EnactError, SysError};
use super::read::ReadError;
use super::walk::{Trust, What};
use cfg_catalog::path::AbsPath;
use cfg_catalog::resource::file::{Content, File};
use cfg_catalog::resource::fstab::{self, FSTAB};
use cfg_catalog::resource::mount::{Live, Mount, MountState};
use cfg_catalog::resource::{Attributes, Presence};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

/// No table is longer.
const MOST: u64 = 1 << 20;
/// All that is mounted, as this process sees it; the agent has no mounts of its own.
const MOUNTS: &str = "/proc/self/mountinfo";

impl Machine {
    /// What is seen of a mount point.
    ///
    /// # Errors
    /// Where the table or the kernel's list could not be read.
    pub(crate) fn mount(&self, mount: &Mount) -> Result<MountState, ReadError> {
        let table = self.fstab()?;
        let entries = fstab::entries(&table, &mount.point);
        let listed = Mount {
            entry: entries.first().cloned(),
            ..mount.clone()
        };
        Ok(MountState {
            point: self.observe_path(&mount.point, &Wanted::default()),
            table: self.observe_path(&path_of_table(), &Wanted::default()),
            entries,
            place: fstab::place(&table, &mount.point),
            open: !table.is_empty() && !table.ends_with('\n'),
            live: self.live(mount, &listed)?,
        })
    }

    /// The table; empty where there is none.
    ///
    /// # Errors
    /// Where it cannot be read, or is not UTF-8: the lines of others are written anew as they are, or not at all.
    pub(crate) fn fstab(&self) -> Result<String, ReadError> {
        let bytes = self.root().read(&path_of_table(), MOST)?;
        let text = String::from_utf8(bytes.unwrap_or_default());
        text.map_err(|_| ReadError::NotText(path_of_table()))
    }

    /// Whether mount and umount find what is meant: they go by name, so nobody but root may be able to exchange a folder
    /// on the way to the mount point, or to what is shown there.
    ///
    /// # Errors
    /// Where somebody can.
    pub(crate) fn stands_fast(&self, mount: &Mount) -> Result<(), EnactError> {
        let device = mount.line().map(|entry| entry.device.parse::<AbsPath>());
        for path in std::iter::once(&mount.point).chain(device.iter().flatten()) {
            let Some(parent) = path.parent() else {
                continue;
            };
            let reached = self.root().folder(&parent)?;
            if reached.folder.trust() != Trust::Closed {
                return Err(EnactError::Shaky {
                    path: path.to_string(),
                    folder: reached.folder.at.display().to_string(),
                });
            }
            let known = mount.is_bind() && reached.missing.is_empty();
            let entry = match known {
                true => reached.folder.entry(path.name().as_ref())?,
                false => None,
            };
            if entry.is_some_and(|entry| entry.what == What::Link) {
                return Err(EnactError::Unfit(format!(
                    "{path} is a link; name what it leads to"
                )));
            }
        }
        Ok(())
    }

    /// The point as the kernel names it, which has followed the links on the way.
    fn really(&self, point: &AbsPath) -> AbsPath {
        let real = || {
            let parent = point.parent()?;
            let reached = self.root().folder(&parent).ok()?;
            reached.elsewhere(&parent)?.real.join(point.name()).ok()
        };
        real().unwrap_or_else(|| point.clone())
    }

    fn live(&self, mount: &Mount, listed: &Mount) -> Result<Live, ReadError> {
        if !self.root().is_machine() {
            return Ok(Live::Unjudged);
        }
        let list = mounts()?;
        Ok(
            on_top(&list, &self.really(&mount.point)).map_or(Live::No, |one| Live::Yes {
                same: is_meant(mount, &one),
                listed: listed.entry.is_some() && is_meant(listed, &one),
                device: one.device,
                fstype: one.fstype,
                flags: one.flags,
            }),
        )
    }
}

/// What is mounted at a point: what was mounted last lies on top.
fn on_top(list: &str, point: &AbsPath) -> Option<Mounted> {
    let mut here = list.lines().filter_map(Mounted::parse).rev();
    here.find(|one| one.point == point.as_str())
}

/// Where the table is.
pub(crate) fn path_of_table() -> AbsPath {
    FSTAB.parse().expect("a literal path")
}

/// The table with this in it; owner and mode stay as they are.
pub(crate) fn file_of_table(table: String) -> File {
    File {
        path: path_of_table(),
        state: Presence::Present,
        content: Some(Content::Text(table.into_bytes())),
        attributes: Attributes::default(),
        validate: None,
        sensitive: false,
        create_only: false,
    }
}

fn mounts() -> Result<String, SysError> {
    let read = std::fs::read(MOUNTS).map_err(SysError::of_io("reading", MOUNTS))?;
    Ok(String::from_utf8_lossy(&read).into_owned())
}

/// One line of the kernel's list.
struct Mounted {
    point: String,
    flags: Vec<String>,
    fstype: String,
    device: String,
}

impl Mounted {
    fn parse(line: &str) -> Option<Self> {
        let (mount, file_system) = line.split_once(" - ")?;
        let mut mount = mount.split(' ').skip(4);
        let point = fstab::plain(mount.next()?);
        let flags = mount.next()?.split(',').map(str::to_owned).collect();
        let mut file_system = file_system.split(' ');
        Some(Self {
            point,
            flags,
            fstype: file_system.next()?.to_owned(),
            device: fstab::plain(file_system.next()?),
        })
    }
}

/// Whether what is mounted is what the role's line names.
fn is_meant(mount: &Mount, live: &Mounted) -> bool {
    let Some(entry) = &mount.entry else {
        return true;
    };
    let device = entry.device.as_str();
    if mount.is_bind() {
        return is_one(Path::new(device), Path::new(&live.point));
    }
    let wanted = match device.split_once('=') {
        Some((tag, value)) => by_tag(tag, value),
        None => PathBuf::from(device),
    };
    let real = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let wanted = real(&wanted);
    let is = Path::new(&live.device);
    wanted == is || wanted == real(is) || behind(is).is_some_and(|file| file == wanted)
}

/// `UUID=…` and its like, as udev links them.
fn by_tag(tag: &str, value: &str) -> PathBuf {
    let tag = tag.to_ascii_lowercase();
    let value = value.trim_matches('"').replace(' ', "\\x20");
    PathBuf::from(format!("/dev/disk/by-{tag}/{value}"))
}

/// The file that a loop device shows.
fn behind(device: &Path) -> Option<PathBuf> {
    let name = device.strip_prefix("/dev").ok()?.to_str()?;
    let file = format!("/sys/block/{name}/loop/backing_file");
    let text = std::fs::read_to_string(file).ok()?;
    Some(PathBuf::from(text.trim_end_matches('\n')))
}

/// Whether two paths lead to one thing.
fn is_one(one: &Path, other: &Path) -> bool {
    let number = |path: &Path| {
        let seen = path.metadata().ok()?;
        Some((seen.dev(), seen.ino()))
    };
    number(one).is_some_and(|one| number(other) == Some(one))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_the_kernels_list() {
        let line =
            "36 35 98:0 /mnt1 /mnt\\040two rw,noatime master:1 - ext3 /dev/root rw,errors=continue";
        let mounted = Mounted::parse(line).unwrap();
        assert_eq!(mounted.point, "/mnt two");
        assert_eq!(mounted.flags, ["rw", "noatime"]);
        assert_eq!((&*mounted.fstype, &*mounted.device), ("ext3", "/dev/root"));
        assert!(Mounted::parse("nonsense").is_none());
    }

    #[test]
    fn what_lies_on_top_at_a_point_to_which_links_lead() {
        let tree = tempfile::tempdir().unwrap();
        std::fs::create_dir(tree.path().join("srv")).unwrap();
        std::os::unix::fs::symlink("srv", tree.path().join("linked")).unwrap();
        let machine = Machine::new(&super::super::Root::open(tree.path()).unwrap());
        let list = "\
1 0 8:1 / / rw - ext4 /dev/sda1 rw
2 1 0:9 / /srv/data rw - tmpfs below rw
3 2 8:1 /srv/one /srv/data rw - ext4 /dev/sda1 rw
4 1 0:9 / /srv/data/deeper rw - tmpfs none rw
";
        for (point, device) in [
            ("/srv/data", Some("/dev/sda1")),
            ("/linked/data", Some("/dev/sda1")),
            ("/linked/data/deeper", Some("none")),
            ("/linked/other", None),
        ] {
            let real = machine.really(&point.parse().unwrap());
            let top = on_top(list, &real).map(|top| top.device);
            assert_eq!(top.as_deref(), device, "{point}");
        }
    }
}
