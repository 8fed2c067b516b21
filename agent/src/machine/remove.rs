//! Removing: one thing by its name, through its folder, on its own mount.

use super::below::mount_of;
use super::directory::in_the_way;
use super::error::{EnactError, SysError};
use super::hands::{Hands, Spot};
use super::spared::spared;
use super::temporary::sync;
use super::walk::{Entry, Folder, What};
use cfg_catalog::path::AbsPath;
use cfg_catalog::resource::directory::NEVER_PURGED;
use rustix::fs::{AtFlags, unlinkat};
use rustix::io::Errno;
use std::ffi::{OsStr, OsString};

impl Hands<'_> {
    /// Removes what a resource of this type says must not be there: a thing of that type, or a link.
    pub(crate) fn remove(&self, path: &AbsPath, kind: What) -> Result<(), EnactError> {
        let Some(spot) = self.spot_if_there(path)? else {
            return Ok(());
        };
        let Some(entry) = &spot.entry else {
            return Ok(());
        };
        match entry.what {
            What::Link => {}
            What::Directory if kind == What::Directory => {
                let entry = spot.folder.entry(&spot.name)?;
                if let Some(entry) = entry.filter(|entry| entry.what == What::Directory) {
                    let inner = spot.folder.below(self.machine().root(), &spot.name, entry);
                    self.may_empty(&inner)?;
                    self.swept().sweep(&inner);
                }
            }
            what if what == kind => {}
            what => return Err(in_the_way(&spot, what.words())),
        }
        unlink(&spot.folder, &spot.name, entry)
    }

    /// Removes what a directory's purge named, each that can be removed.
    pub(crate) fn purge(&self, top: &AbsPath, victims: &[AbsPath]) -> Result<(), EnactError> {
        let mut left: Vec<&AbsPath> = Vec::new();
        let mut why: Vec<EnactError> = Vec::new();
        for victim in victims {
            // What holds something that is left stays with it, and that is said of the one alone.
            if left.iter().any(|left| left.is_within(victim)) {
                continue;
            }
            if let Err(error) = self.remove_victim(top, victim) {
                left.push(victim);
                why.push(error);
            }
        }
        match why.pop() {
            None => Ok(()),
            Some(error) if why.is_empty() => Err(error),
            Some(last) => {
                let all = why.iter().chain([&last]);
                Err(EnactError::Purge {
                    left: all.map(|error| cfg_catalog::chain(error)).collect(),
                })
            }
        }
    }

    /// Removes one thing that a directory's purge named.
    pub(crate) fn remove_victim(&self, top: &AbsPath, path: &AbsPath) -> Result<(), EnactError> {
        if NEVER_PURGED.contains(&top.as_str()) {
            return Err(EnactError::Sacred {
                path: top.to_string(),
            });
        }
        if path == top || !path.is_within(top) {
            return Err(EnactError::Unfit(format!("{path} is not below {top}")));
        }
        let Some(spot) = self.spot_if_there(top)? else {
            return Ok(());
        };
        let mount = match &spot.entry {
            None => return Ok(()),
            Some(entry) => mount_of(&entry.fd, top.as_str())?,
        };
        let Some(mut folder) = self.inner(spot)? else {
            return Ok(());
        };
        self.may_empty(&folder)?;
        let mut below: Vec<&str> = path.components().skip(top.components().count()).collect();
        let name = below.pop().unwrap_or_default();
        // From here on nothing is followed: what the purge saw was seen so too.
        for part in below {
            let Some(entry) = folder.entry(OsStr::new(part))? else {
                return Ok(());
            };
            let spot = Spot {
                folder,
                name: OsString::from(part),
                entry: Some(entry),
            };
            let Some(inner) = self.inner(spot)? else {
                return Ok(());
            };
            folder = inner;
        }
        let Some(entry) = folder.entry(OsStr::new(name))? else {
            return Ok(());
        };
        if mount_of(&entry.fd, path.as_str())? != mount {
            return Err(EnactError::OtherMount {
                path: path.to_string(),
            });
        }
        unlink(&folder, OsStr::new(name), &entry)
    }

    /// Refuses what is everybody's.
    fn may_empty(&self, folder: &Folder) -> Result<(), EnactError> {
        match spared(self.machine().root(), folder)? {
            None => Ok(()),
            Some(_) => Err(EnactError::Sacred {
                path: folder.at.display().to_string(),
            }),
        }
    }

    /// The directory at a spot; none where something else is there by now.
    fn inner(&self, spot: Spot) -> Result<Option<Folder>, EnactError> {
        let Spot {
            folder,
            name,
            entry,
        } = spot;
        Ok(entry
            .filter(|entry| entry.what == What::Directory)
            .map(|entry| folder.below(self.machine().root(), &name, entry)))
    }
}

fn unlink(folder: &Folder, name: &OsStr, entry: &Entry) -> Result<(), EnactError> {
    let flags = match entry.what {
        What::Directory => AtFlags::REMOVEDIR,
        What::File | What::Link | What::Special => AtFlags::empty(),
    };
    match unlinkat(folder, name, flags) {
        Ok(()) | Err(Errno::NOENT) => sync(folder).map_err(EnactError::from),
        Err(Errno::NOTEMPTY | Errno::EXIST) => Err(EnactError::InTheWay {
            path: folder.shown(name),
            what: "a directory with content",
        }),
        Err(errno) => Err(SysError::at("removing", folder.shown(name))(errno).into()),
    }
}
