//! Extended attributes and access lists of a file that is replaced go over to the new one.

use super::attributes::Numbers;
use super::error::SysError;
use super::root::Root;
use rustix::fs::{Stat, XattrFlags, fgetxattr, flistxattr, fremovexattr, fsetxattr};
use rustix::io::Errno;
use std::fs::File;

/// The access list; Linux keeps it as an extended attribute.
const ACCESS_LIST: &str = "system.posix_acl_access";
/// Bound to the content, and so wrong for another one.
const OF_CONTENT: [&str; 2] = ["security.ima", "security.evm"];
/// More than any file system keeps of one file.
const MOST: usize = 1 << 20;

/// Whether what a file carries was put there by somebody who may say so for the new one too.
pub(crate) fn counts(root: &Root, old: &Stat, new: &Numbers) -> bool {
    root.trusts(old.st_uid) || new.uid == Some(old.st_uid)
}

/// Copies all that `old` carries to `new`. To be done after the owner and before the mode is set.
pub(crate) fn carry_over(old: &File, new: &File, shown: &str) -> Result<(), SysError> {
    let at = |doing| SysError::at(doing, shown);
    let names = names_of(old).map_err(at("reading the extended attributes of"))?;
    for name in names
        .iter()
        .filter(|name| !OF_CONTENT.contains(&name.as_str()))
    {
        let value = value_of(old, name).map_err(at("reading the extended attributes of"))?;
        match fsetxattr(new, name.as_str(), &value, XattrFlags::empty()) {
            Ok(()) => {}
            // Names that only the kernel or root sets.
            Err(Errno::PERM | Errno::ACCESS | Errno::OPNOTSUPP) if !is_essential(name) => {}
            Err(errno) => return Err(at("setting the extended attributes of")(errno)),
        }
    }
    if !names.iter().any(|name| name == ACCESS_LIST) {
        // The folder's default list gave the new one a list that the old one had not.
        match fremovexattr(new, ACCESS_LIST) {
            Ok(()) | Err(Errno::NODATA | Errno::OPNOTSUPP) => {}
            Err(errno) => return Err(at("setting the access list of")(errno)),
        }
    }
    Ok(())
}

fn is_essential(name: &str) -> bool {
    name == ACCESS_LIST || name.starts_with("user.")
}

fn names_of(file: &File) -> Result<Vec<String>, Errno> {
    let mut names = vec![0; 64 * 1024];
    let count = match flistxattr(file, &mut names) {
        Err(Errno::OPNOTSUPP) => 0,
        count => count?,
    };
    let names = names[..count].split(|byte| *byte == 0);
    Ok(names
        .filter_map(|name| std::str::from_utf8(name).ok())
        .filter(|name| !name.is_empty())
        .map(Into::into)
        .collect())
}

fn value_of(file: &File, name: &str) -> Result<Vec<u8>, Errno> {
    let mut size = 4096;
    loop {
        let mut value = vec![0; size];
        match fgetxattr(file, name, &mut value) {
            Ok(count) => {
                value.truncate(count);
                return Ok(value);
            }
            Err(Errno::RANGE) if size < MOST => size *= 4,
            Err(errno) => return Err(errno),
        }
    }
}
