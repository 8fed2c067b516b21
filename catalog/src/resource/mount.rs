//! A file system: its line in /etc/fstab, and whether it is mounted.

use super::file::in_the_way;
use super::fstab::{self, Entry, Place};
use super::{Obstacle, PathState, Resource};
use crate::path::AbsPath;
use crate::plan::turn::Found;
use crate::plan::{Action, Change};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// A file system and what must be so of it.
#[derive(Clone, Debug, PartialEq, Hash)]
pub struct Mount {
    /// Where it is mounted.
    pub point: AbsPath,
    /// Whether it must be in the table, and mounted.
    pub state: MountPresence,
    /// Its line; none only when absent.
    pub entry: Option<Entry>,
    /// How the table was, where it is brought back to that.
    pub former: Option<Former>,
}

/// What a table had of a mount point before cfg.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Former {
    /// Its line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<Place>,
    /// There was no table at all.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub bare: bool,
    /// Its last line had no end.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub open: bool,
}

/// Whether a file system must be in the table, and mounted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub enum MountPresence {
    /// Both.
    #[default]
    Mounted,
    /// In the table; whether it is mounted now is not managed.
    Present,
    /// In the table, and not mounted.
    Unmounted,
    /// Neither.
    Absent,
}

impl MountPresence {
    /// Whether it must be mounted; none leaves that alone.
    pub fn mounted(self) -> Option<bool> {
        match self {
            MountPresence::Mounted => Some(true),
            MountPresence::Present => None,
            MountPresence::Unmounted | MountPresence::Absent => Some(false),
        }
    }
}

impl Mount {
    /// The line that must be in the table.
    pub fn line(&self) -> Option<&Entry> {
        self.entry
            .as_ref()
            .filter(|_| self.state != MountPresence::Absent)
    }

    /// The table as it must be; none where there must be none, since cfg alone had one.
    pub fn table(&self, now: &str) -> Option<String> {
        let former = self.former.as_ref();
        let place = former.and_then(|former| former.place.as_ref());
        let new = match (self.line(), place) {
            (Some(_), Some(place)) => fstab::back(now, &self.point, place),
            (None, _) if former.is_some_and(|former| former.open) => {
                fstab::without(now, &self.point)
            }
            (line, _) => fstab::with(now, &self.point, line),
        };
        let bare = former.is_some_and(|former| former.bare);
        Some(new).filter(|new| !(bare && new.is_empty()))
    }

    /// Whether it shows a folder at another place.
    pub fn is_bind(&self) -> bool {
        let options = self.entry.as_ref().map_or("", |entry| &entry.options);
        options
            .split(',')
            .any(|option| matches!(option, "bind" | "rbind"))
    }
}

/// What is seen of a mount point.
#[derive(Clone, Debug, PartialEq)]
pub struct MountState {
    /// What stands at it.
    pub point: PathState,
    /// The table itself.
    pub table: PathState,
    /// What the table says of it.
    pub entries: Vec<Entry>,
    /// And how.
    pub place: Option<Place>,
    /// The table's last line has no end.
    pub open: bool,
    /// What is mounted there.
    pub live: Live,
}

/// What is mounted at a mount point.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Live {
    /// Below a root that is not the machine's nobody asks.
    Unjudged,
    /// Nothing.
    No,
    /// This, on top of whatever lies below.
    Yes {
        /// As the kernel names it.
        device: String,
        /// Its type.
        fstype: String,
        /// Its flags: `ro`, `nosuid` and so on.
        flags: Vec<String>,
        /// Whether it is the device that the role means.
        same: bool,
        /// Whether it is the one that the table names.
        listed: bool,
    },
}

/// What is done to a file system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// It is mounted.
    Mount,
    /// It stays, with other options.
    Remount,
    /// It makes way for another one.
    Replace,
    /// It is unmounted.
    Unmount,
}

impl Step {
    fn words(self) -> &'static str {
        match self {
            Step::Mount => "mount",
            Step::Remount => "remount",
            Step::Replace => "unmount, then mount",
            Step::Unmount => "unmount",
        }
    }
}

/// What has to be done for a file system to be mounted as it must; none where it is.
pub fn step(mount: &Mount, state: &MountState) -> Option<Step> {
    let wanted = mount.state.mounted()?;
    let (fstype, flags, same) = match &state.live {
        Live::Unjudged => return None,
        Live::No => return wanted.then_some(Step::Mount),
        Live::Yes { .. } if !wanted => return Some(Step::Unmount),
        Live::Yes {
            fstype,
            flags,
            same,
            ..
        } => (fstype, flags, *same),
    };
    let entry = mount.entry.as_ref()?;
    // Of what a program serves the kernel knows no more than that: ntfs-3g is fuseblk.
    let nameless = matches!(fstype.as_str(), "fuse" | "fuseblk");
    let served = nameless || is_fuse(fstype) && !is_fuse(&entry.fstype);
    // The kernel says nfs4 of nfs.
    let any = served || mount.is_bind() || matches!(entry.fstype.as_str(), "auto" | "none");
    let of_type = any || fstype.strip_prefix(entry.fstype.as_str()).is_some();
    if !same || !of_type {
        return Some(Step::Replace);
    }
    let before = state.entries.first().map(|old| &old.options);
    let changed = before.is_some_and(|old| *old != entry.options);
    (changed || !flagged(&entry.options, flags)).then_some(Step::Remount)
}

fn is_fuse(fstype: &str) -> bool {
    matches!(fstype, "fuse" | "fuseblk") || fstype.starts_with("fuse.")
}

/// Whether the flags are as far as the options name them; what they do not name is the kernel's to choose.
fn flagged(options: &str, flags: &[String]) -> bool {
    let has = |flag: &str| flags.iter().any(|seen| seen == flag);
    options.split(',').all(|option| match option {
        "ro" | "rw" | "nosuid" | "nodev" | "noexec" | "noatime" | "nodiratime" | "relatime" => {
            has(option)
        }
        "suid" | "dev" | "exec" => !has(&format!("no{option}")),
        _ => true,
    })
}

/// What would bring the file system about: one change, be it of the line, of what is mounted, or of both.
pub(crate) fn diff(
    resource: &Resource,
    mount: &Mount,
    state: &MountState,
) -> Result<Found, Obstacle> {
    match &state.table {
        PathState::Absent { .. } | PathState::File(_) => {}
        other => return Err(Obstacle(format!("/etc/fstab: {}", in_the_way(other).0))),
    }
    if state.entries.len() > 1 {
        return Err(Obstacle(format!(
            "/etc/fstab has {} lines for {}: leave one",
            state.entries.len(),
            mount.point
        )));
    }
    let old = state.entries.first();
    let (mut before, mut after) = lines(old, mount.line());
    let step = step(mount, state);
    if let Some(step) = step {
        let device = match &state.live {
            Live::Yes { device, .. } => device.as_str().into(),
            Live::No | Live::Unjudged => Value::Null,
        };
        before.insert("mounted".into(), device);
        let device = mount.line().filter(|_| step != Step::Unmount);
        let device = device.map(|entry| entry.device.clone());
        after.insert("mounted".into(), device.into());
        after.insert("by".into(), step.words().into());
    }
    if before.is_empty() && after.is_empty() {
        return Ok(Found::default());
    }
    if mount.state != MountPresence::Absent {
        stands_at(&state.point)?;
    }
    let action = match (old, mount.line()) {
        (None, Some(_)) => Action::Create,
        (_, None) => Action::Remove,
        (Some(_), Some(_)) => Action::Update,
    };
    Ok(vec![Change::new(&resource.id, action).showing(before.into(), after.into())].into())
}

/// Whether a planned change leaves something else at the mount point than was seen there.
pub(crate) fn renews(change: &Change) -> bool {
    let by = change.after.get("by");
    by.is_some_and(|by| by != Step::Remount.words())
}

/// Whether a planned change takes from a machine what is mounted.
pub(crate) fn takes_away(change: &Change) -> bool {
    let steps = [Step::Unmount, Step::Replace].map(Step::words);
    let by = change.after.get("by");
    by.is_some_and(|by| steps.iter().any(|step| by == step))
}

/// Whether something can be mounted on what stands there, or on what will be made there.
fn stands_at(point: &PathState) -> Result<(), Obstacle> {
    match point {
        PathState::Absent { .. } | PathState::Directory(_) => Ok(()),
        PathState::Link(link) => Err(Obstacle(format!(
            "it is a link to {}; the kernel would mount there, so name that",
            link.target
        ))),
        other => Err(in_the_way(other)),
    }
}

/// The fields in which two lines differ.
fn lines(old: Option<&Entry>, new: Option<&Entry>) -> (Map<String, Value>, Map<String, Value>) {
    let fields = |entry: &Entry| -> [(&str, Value); 5] {
        [
            ("device", entry.device.as_str().into()),
            ("fstype", entry.fstype.as_str().into()),
            ("options", entry.options.as_str().into()),
            ("dump", entry.dump.into()),
            ("pass", entry.pass.into()),
        ]
    };
    let (old, new) = (old.map(fields), new.map(fields));
    let differing = |of: &Option<[(&str, Value); 5]>, other: &Option<[(&str, Value); 5]>| {
        let all = of.iter().flatten();
        let differs = |(key, value): &&(&str, Value)| {
            // A number that is as usual is not worth a word where the whole line comes or goes.
            let usual = other.is_none() && *value == 0;
            let same = |(name, other): &(&str, Value)| name == key && other == value;
            !usual && !other.iter().flatten().any(same)
        };
        all.filter(differs)
            .map(|(key, value)| ((*key).to_owned(), value.clone()))
            .collect()
    };
    (differing(&old, &new), differing(&new, &old))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_mounted_is_told_by_its_type_where_the_kernel_knows_it() {
        use Step::Replace;
        for (wanted, live, due) in [
            ("ext4", "ext4", None),
            ("ext4", "xfs", Some(Replace)),
            ("nfs", "nfs4", None),
            ("auto", "xfs", None),
            ("ntfs-3g", "fuseblk", None),
            ("glusterfs", "fuse.glusterfs", None),
            ("sshfs", "fuse", None),
            ("fuse.ntfs-3g", "fuseblk", None),
            ("fuse.sshfs", "fuse.sshfs", None),
            ("fuse", "fuse.sshfs", None),
            ("fuse.sshfs", "fuse.other", Some(Replace)),
            ("fuse.sshfs", "ext4", Some(Replace)),
            ("ext4", "fusectl", Some(Replace)),
        ] {
            let entry = Entry {
                device: "x".into(),
                fstype: wanted.into(),
                options: "defaults".into(),
                dump: 0,
                pass: 0,
            };
            let mount = Mount {
                point: "/srv".parse().unwrap(),
                state: MountPresence::Mounted,
                entry: Some(entry.clone()),
                former: None,
            };
            let state = MountState {
                point: PathState::Unreadable { why: "?".into() },
                table: PathState::Unreadable { why: "?".into() },
                entries: vec![entry],
                place: None,
                open: false,
                live: Live::Yes {
                    device: "x".into(),
                    fstype: live.into(),
                    flags: Vec::new(),
                    same: true,
                    listed: true,
                },
            };
            assert_eq!(step(&mount, &state), due, "{wanted} {live}");
        }
    }
}
