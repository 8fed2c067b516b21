//! Whole trees, looked through and removed: nothing is followed, and no mount is crossed.

use super::below::mount_of;
use super::error::SysError;
use super::walk::{DEEPEST, Folder};
use rustix::fs::{AtFlags, Mode, OFlags, Stat, fstat, openat, unlinkat};
use rustix::io::Errno;
use std::ffi::{OsStr, OsString};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStringExt as _;

/// Refuses a tree in which something is mounted.
pub(crate) fn holds_no_mount(folder: &Folder, name: &OsStr) -> Result<(), SysError> {
    each_below(folder, name, None, &mut |_, _, _| Ok(()))
}

/// Removes a tree, folder by folder, following nothing and crossing no mount.
pub(crate) fn remove_tree(folder: &Folder, name: &OsStr) -> Result<(), SysError> {
    remove(folder, name, None)
}

/// Removes a tree that this process made, from a folder too in which others can exchange it: never another one.
pub(crate) fn remove_own_tree(folder: &Folder, name: &OsStr, made: &Stat) -> Result<(), SysError> {
    remove(folder, name, Some(made))
}

fn remove(folder: &Folder, name: &OsStr, made: Option<&Stat>) -> Result<(), SysError> {
    let mut remove = |above: &OwnedFd, name: &OsStr, is_folder: bool| {
        let flags = match is_folder {
            true => AtFlags::REMOVEDIR,
            false => AtFlags::empty(),
        };
        unlinkat(above, name, flags)
    };
    each_below(folder, name, made, &mut remove)?;
    let at = SysError::at("removing", folder.shown(name));
    unlinkat(folder, name, AtFlags::REMOVEDIR).map_err(at)
}

type Found<'f> = dyn FnMut(&OwnedFd, &OsStr, bool) -> rustix::io::Result<()> + 'f;

/// Calls `found` with everything below a directory, what lies deeper first; with `made`, only if it is that one.
fn each_below(
    folder: &Folder,
    name: &OsStr,
    made: Option<&Stat>,
    found: &mut Found<'_>,
) -> Result<(), SysError> {
    let shown = folder.shown(name);
    let at = |doing| SysError::at(doing, shown.clone());
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let top = openat(folder, name, flags, Mode::empty()).map_err(at("opening"))?;
    if let Some(made) = made {
        let stat = fstat(&top).map_err(at("looking at"))?;
        if (stat.st_dev, stat.st_ino) != (made.st_dev, made.st_ino) {
            return Err(at("removing")(Errno::STALE));
        }
    }
    let mount = mount_of(&top, &shown)?;
    let mut way = vec![(top, OsString::new(), None::<Vec<OsString>>)];
    loop {
        let depth = way.len();
        let Some((here, own, names)) = way.last_mut() else {
            return Ok(());
        };
        let names = match names {
            Some(names) => names,
            None => {
                let listed = list(here).map_err(at("listing"))?;
                names.insert(listed)
            }
        };
        let Some(next) = names.pop() else {
            let own = std::mem::take(own);
            way.pop();
            if let Some((above, _, _)) = way.last() {
                found(above, &own, true).map_err(at("removing"))?;
            }
            continue;
        };
        match openat(&*here, &next, flags, Mode::empty()) {
            Ok(inner) if mount_of(&inner, &shown)? != mount => {
                return Err(at("removing")(Errno::BUSY));
            }
            Ok(_) if depth > DEEPEST => return Err(at("removing")(Errno::LOOP)),
            Ok(inner) => way.push((inner, next, None)),
            Err(Errno::NOENT) => {}
            Err(_) => found(here, &next, false).map_err(at("removing"))?,
        }
    }
}

fn list(folder: &OwnedFd) -> rustix::io::Result<Vec<OsString>> {
    let mut names = Vec::new();
    for entry in rustix::fs::Dir::read_from(folder)? {
        let name = entry?.file_name().to_bytes().to_vec();
        if name != b"." && name != b".." {
            names.push(OsString::from_vec(name));
        }
    }
    Ok(names)
}
