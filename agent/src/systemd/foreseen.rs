//! What will stand in the way of a unit's links, and what comes to light when its file goes. Only looks.

use super::offline::{self, FOLDERS, OWN, file, is_masked};
use super::sysv;
use cfg_catalog::resource::install::Install;
use cfg_catalog::resource::service::template_of;
use std::path::Path;

/// Whether a unit has a file beside the machine's own, which comes to light once that is gone.
pub fn is_beneath(root: &Path, unit: &str) -> bool {
    let mut names = [Some(unit.to_owned()), template_of(unit)]
        .into_iter()
        .flatten();
    let there = |name: String| {
        let shipped = FOLDERS.iter().filter(|folder| **folder != OWN);
        shipped
            .map(|folder| root.join(folder).join(&name))
            .any(|path| path.symlink_metadata().is_ok())
    };
    names.any(there) || sysv::starts_at_boot(root, unit).is_some()
}

/// What stands where the mask of a unit would, and is none.
pub fn over_mask(root: &Path, unit: &str) -> Option<String> {
    let path = root.join(OWN).join(unit);
    let stands = std::fs::symlink_metadata(&path).ok()?;
    if is_masked(root, unit) {
        return None;
    }
    let what = match stands.file_type() {
        kind if kind.is_file() => "a unit file of its own",
        kind if kind.is_symlink() => "a link",
        kind if kind.is_dir() => "a directory",
        _ => "something else",
    };
    Some(format!(
        "/{OWN}/{unit} is {what}, and a mask would stand in its place"
    ))
}

/// The links, by path below `/etc/systemd/system`, that are to be made for a unit to be enabled; `text` is its file.
pub fn to_make(root: &Path, unit: &str, text: Option<&[u8]>) -> Vec<String> {
    let install = match text {
        Some(text) => Install::parse(&String::from_utf8_lossy(text)),
        None => match file(root, unit).map(|file| offline::text(&file)) {
            Some(Ok(text)) => Install::parse(&text),
            _ => return Vec::new(),
        },
    };
    let links = install.links(unit).map(|links| links.must);
    let mut links: Vec<String> = links.into_iter().flatten().collect();
    links.retain(|link| root.join(OWN).join(link).read_link().is_err());
    links
}
