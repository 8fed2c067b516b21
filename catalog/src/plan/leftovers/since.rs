//! Whether somebody has changed what cfg made: it is neither what cfg made of it nor what was there before.

use super::Entry;
use super::before::Before;
use super::made::Made;
use crate::resource::Observed;
use crate::resource::account::{Present, User, UserState};
use crate::resource::service::{Active, Enabled, Load, ServiceState};
use crate::resource::sysctl::KernelValue;

impl Entry {
    /// Whether somebody else has had a hand in it. What takes several effects may be cfg's in one part only, and as it was in
    /// the rest, where one of them failed.
    pub(super) fn is_changed(&self, made: &Made, seen: &Observed) -> bool {
        let Some(before) = &self.before else {
            return false;
        };
        if made.stands(seen) || !self.pending {
            return !made.stands(seen);
        }
        match (made, before, seen) {
            (made @ Made::Service { .. }, before, Observed::Service(state)) => {
                !is_partly(made, before, state)
            }
            (
                Made::User(said),
                Before::User { was: Some(old), .. },
                Observed::User(UserState::Present(now)),
            ) => !as_said_or_before(said, old, now),
            // The kernel is as it was, and its file as a resource of that path had it.
            (Made::Sysctl(_), Before::Sysctl { value, .. }, Observed::Sysctl(now)) => {
                let file = Observed::Path(now.file.clone());
                let had = self.was.iter().any(|was| was.stands(&file));
                !(had && matches!(&now.kernel, KernelValue::Is(now) if value.as_ref() == Some(now)))
            }
            _ => true,
        }
    }
}

/// Whether each part of a service is as cfg made it, or as it was.
fn is_partly(made: &Made, before: &Before, now: &ServiceState) -> bool {
    let (
        Made::Service {
            running: ran,
            enabled: started,
            masked: hidden,
            unit: wrote,
        },
        Before::Service {
            running,
            enabled,
            masked,
            unit,
            ..
        },
    ) = (made, before)
    else {
        return false;
    };
    let runs = (now.active == Active::Running) == *running || now.active == Active::Unjudged;
    let starts = (now.enabled == Enabled::Yes) == *enabled;
    let hides = (now.load == Load::Masked) == *masked;
    let file = match (unit, &now.unit_file) {
        (Some(old), Some(now)) => old.is_there(now),
        _ => false,
    };
    let as_before = Made::Service {
        running: ran.filter(|_| !runs),
        enabled: started.filter(|_| !starts),
        masked: hidden.filter(|_| !hides),
        unit: wrote.filter(|_| !file),
    };
    as_before.stands(&Observed::Service(now.clone()))
}

/// Whether all that a role said of a user is so, or was so before.
fn as_said_or_before(said: &User, old: &Present, now: &Present) -> bool {
    let mut left = said.clone();
    if now.uid == old.uid {
        left.uid = None;
    }
    if now.gid == old.gid {
        left.gid = None;
    }
    if now.shell == old.shell {
        left.shell = None;
    }
    if now.home == old.home {
        left.home = None;
    }
    if now.groups == old.groups {
        left.groups.clear();
    }
    if now.authorized_keys == old.authorized_keys {
        left.authorized_keys = None;
    }
    if now.password_hash == old.password_hash {
        left.password_hash = None;
    }
    Made::User(Box::new(left)).stands(&Observed::User(UserState::Present(now.clone())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resource::fstab::Entry as Line;
    use crate::resource::mount::{Live, MountPresence, MountState};
    use crate::resource::{Attributes, FileState, Mode, Ownership, PathState};

    fn line(device: &str) -> Line {
        Line {
            device: device.into(),
            fstype: "tmpfs".into(),
            options: "defaults".into(),
            dump: 0,
            pass: 0,
        }
    }

    /// Its change to another device failed: what is mounted is what the table has, and is cfg's still.
    #[test]
    fn a_mount_stands_by_its_own_device() {
        let nothing = || PathState::Absent {
            missing_parents: Vec::new(),
            parent_changed_us: 0,
        };
        for (listed, device, stands) in [
            (true, "UUID=1", true),
            (true, "UUID=2", false),
            (false, "UUID=1", false),
        ] {
            let seen = Observed::Mount(MountState {
                point: nothing(),
                table: nothing(),
                entries: vec![line("UUID=1")],
                place: None,
                open: false,
                live: Live::Yes {
                    device: "/dev/sda1".into(),
                    fstype: "ext4".into(),
                    flags: Vec::new(),
                    same: false,
                    listed,
                },
            });
            let made = Made::Mount {
                line: Some(line(device)),
                state: MountPresence::Mounted,
            };
            assert_eq!(made.stands(&seen), stands, "{listed} {device}");
        }
    }

    #[test]
    fn what_is_of_nobody_any_more_was_given_away_by_nobody() {
        let owned_by = |owner: &str| {
            let ownership = Ownership {
                mode: Mode(0o644),
                owner: owner.into(),
                group: "root".into(),
            };
            Observed::Path(PathState::File(FileState {
                ownership,
                size: 0,
                digest: None,
                content: None,
                changed_us: 0,
            }))
        };
        let made = Made::File {
            sha256: None,
            attributes: Attributes {
                owner: Some("app".into()),
                ..Attributes::default()
            },
        };
        for (owner, stands) in [("app", true), ("5000", true), ("ada", false)] {
            assert_eq!(made.stands(&owned_by(owner)), stands, "{owner}");
        }
    }
}
