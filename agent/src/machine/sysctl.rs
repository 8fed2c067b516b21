//! A setting of the kernel: its file, and what the kernel has.

use super::Machine;
use super::error::EnactError;
use super::hands::Hands;
use super::repository::for_everybody;
use super::walk::What;
use cfg_catalog::digest::Digest;
use cfg_catalog::path::AbsPath;
use cfg_catalog::resource::file::{Content, File};
use cfg_catalog::resource::sysctl::{KernelValue, Sysctl, SysctlState, plain};
use cfg_catalog::resource::{Obstacle, PathState, Presence};
use std::io::Write as _;

/// No value of the kernel is longer.
const MOST: u64 = 64 * 1024;

impl Machine {
    /// What is seen of a setting.
    pub(crate) fn sysctl(&self, sysctl: &Sysctl) -> SysctlState {
        let file = match sysctl.file() {
            Ok(path) => self.own_file(&path, Digest::of(&sysctl.line())),
            Err(Obstacle(why)) => PathState::Unreadable { why },
        };
        SysctlState {
            file,
            kernel: self.kernel(sysctl),
        }
    }

    fn kernel(&self, sysctl: &Sysctl) -> KernelValue {
        if !self.root().is_machine() {
            return KernelValue::Unjudged;
        }
        let path = match sysctl.kernel() {
            Ok(path) => path,
            Err(Obstacle(why)) => return KernelValue::Unread { why },
        };
        match self.root().read(&path, MOST) {
            Ok(Some(bytes)) => KernelValue::Is(plain(&String::from_utf8_lossy(&bytes))),
            Ok(None) => KernelValue::Missing,
            Err(error) => KernelValue::Unread {
                why: error.to_string(),
            },
        }
    }
}

impl Hands<'_> {
    /// Gives the kernel the value, and then the file: what the kernel refuses is not said at every boot.
    ///
    /// # Errors
    /// Where the kernel refuses it, or the file could not be written.
    pub(crate) fn sysctl(&self, sysctl: &Sysctl) -> Result<(), EnactError> {
        let path = sysctl.file().map_err(unfit)?;
        if let Some(value) = &sysctl.value {
            match self.machine().kernel(sysctl) {
                KernelValue::Is(now) if now == *value => {}
                KernelValue::Unjudged => {}
                // A setting that went with its module has no value to be given back.
                KernelValue::Missing if sysctl.state == Presence::Absent => {}
                _ => set(sysctl, value)?,
            }
        }
        match file_of(sysctl, &path)? {
            Some(file) => self.file(&file),
            None if sysctl.spares => Ok(()),
            None => self.remove(&path, What::File),
        }
    }
}

/// A setting's file; none where there must be none.
pub(crate) fn file_of(sysctl: &Sysctl, path: &AbsPath) -> Result<Option<File>, EnactError> {
    if sysctl.state == Presence::Absent || sysctl.value.is_none() {
        return Ok(None);
    }
    let content = Content::Text(sysctl.line());
    for_everybody(path.as_str(), content).map(Some)
}

fn set(sysctl: &Sysctl, value: &str) -> Result<(), EnactError> {
    let path = sysctl.kernel().map_err(unfit)?;
    let write = || -> std::io::Result<()> {
        let mut file = std::fs::OpenOptions::new()
            .write(true)
            .open(path.as_str())?;
        // The kernel takes a value whole.
        file.write_all(format!("{value}\n").as_bytes())
    };
    write().map_err(|error| {
        let name = &sysctl.name;
        EnactError::Unfit(format!(
            "the kernel does not take {name} = {value}: {error}"
        ))
    })
}

fn unfit(Obstacle(why): Obstacle) -> EnactError {
    EnactError::Unfit(why)
}
