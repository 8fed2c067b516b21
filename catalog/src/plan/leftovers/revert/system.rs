//! File systems and settings of the kernel.

use super::super::before::{Before, Stood};
use super::super::made::Made;
use super::super::stand_in::{path_of, resource};
use super::{Entry, Fate, Judge, UNKNOWN};
use crate::id::ResourceId;
use crate::resource::mount::{Live, Mount, MountPresence, MountState};
use crate::resource::sysctl::{Sysctl, SysctlState};
use crate::resource::{Body, Presence};

impl Judge<'_> {
    /// The kernel's value, and the file that set it at boot.
    pub(super) fn sysctl(
        &self,
        id: &ResourceId,
        entry: &Entry,
        (value, file): (&Option<String>, Option<&Stood>),
        (made, seen): (&Made, &SysctlState),
    ) -> Fate {
        let mut was = Sysctl {
            name: id.name.to_string(),
            state: Presence::Absent,
            value: value.clone(),
            spares: false,
        };
        let path = was.file();
        let claimed = path.as_ref().is_ok_and(|path| self.claims.needs(path));
        was.spares = claimed || file != Some(&Stood::Nothing);
        let part = match path {
            Ok(path) if file.is_some() && was.spares => {
                self.own(path.as_str(), entry, file, Some(&seen.file))
            }
            _ => Ok(None),
        };
        match part {
            Ok(part) => {
                // A role that took the file away left the kernel alone.
                let kernel =
                    (*made != Made::Gone).then(|| resource(id, &entry.role, Body::Sysctl(was)));
                Fate::Back(kernel.into_iter().chain(part).collect(), None)
            }
            Err(why) => Fate::Stays(why),
        }
    }

    pub(super) fn mount(
        &self,
        id: &ResourceId,
        entry: &Entry,
        before: &Before,
        seen: &MountState,
    ) -> Fate {
        let (
            Some(point),
            Before::Mount {
                line,
                former,
                mounted,
            },
        ) = (path_of(id), before)
        else {
            return Fate::Stays(UNKNOWN.into());
        };
        let inside = self.desired.resources.iter().find(|resource| {
            let path = path_of(&resource.id);
            path.is_some_and(|path| path.is_within(&point))
        });
        if let Some(inside) = inside {
            return Fate::Stays(format!("{} of the role stands in it", inside.id));
        }
        let lives = !matches!(seen.live, Live::No);
        let state = match (line, mounted) {
            (None, false) => MountPresence::Absent,
            (None, true) if lives => {
                return Fate::Told("it was mounted before, without a line in /etc/fstab".into());
            }
            (None, true) => MountPresence::Absent,
            (Some(_), true) => MountPresence::Mounted,
            (Some(_), false) => MountPresence::Unmounted,
        };
        let body = Body::Mount(Mount {
            point,
            state,
            entry: line.clone(),
            former: Some(former.clone()),
        });
        Fate::back(resource(id, &entry.role, body))
    }
}
