//! The role's own judge of a new file, before it takes its place.

use super::error::EnactError;
use super::root::{Caller, Root};
use super::tool;
use super::walk::{Folder, Trust};
use cfg_catalog::digest::Digest;
use cfg_catalog::resource::Shell;
use cfg_catalog::resource::file::File;
use rustix::fs::Stat;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::Path;
use std::time::Duration;

/// More time than a check of one file takes.
const LIMIT: Duration = Duration::from_secs(120);

/// Whether what a validate command prints may be shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Saying {
    Shown,
    /// It may quote the file.
    Secret,
}

/// Asks whether the file under `name` in this folder will do.
pub(crate) fn judge(
    root: &Root,
    folder: &Folder,
    name: &OsStr,
    command: &Shell,
    saying: Saying,
) -> Result<(), String> {
    let inside = folder.at.join(name);
    let chrooted = !root.is_machine() && root.caller() == Caller::Superuser;
    let file = if root.is_machine() || chrooted {
        inside
    } else {
        let below = inside.strip_prefix("/").unwrap_or(&inside);
        root.path().join(below)
    };
    let mut argv: Vec<OsString> = Vec::new();
    if chrooted {
        argv.extend(["chroot".into(), root.path().into()]);
    }
    match command {
        Shell::Argv(words) => argv.extend(words.iter().map(|word| filled(word, file.as_os_str()))),
        Shell::Line(line) => {
            let line = filled(line, &quoted(&file));
            argv.extend(["/bin/sh".into(), "-c".into(), line]);
        }
    }
    let ended =
        tool::run(&argv, None, LIMIT).map_err(|error| format!("could not be started: {error}"))?;
    match saying {
        _ if ended.succeeded() => Ok(()),
        Saying::Shown => Err(ended.told()),
        Saying::Secret => Err(ended.verdict()),
    }
}

/// Whether the new file is what it was before it was judged: what a judge has changed nobody has judged.
pub(crate) fn unchanged(
    folder: &Folder,
    name: &OsStr,
    before: &Stat,
    digest: &Digest,
) -> Result<(), String> {
    let changed = |what: &str| {
        Err(format!(
            "changed {what} of the new file, which it must only read"
        ))
    };
    let entry = folder.entry(name).map_err(|error| error.to_string())?;
    let Some(entry) = entry.filter(|entry| entry.is_same(before)) else {
        return Err(
            "put something else in the place of the new file, which it must only read".into(),
        );
    };
    let now = &entry.stat;
    if (now.st_uid, now.st_gid) != (before.st_uid, before.st_gid) {
        return changed("the owner");
    }
    if now.st_mode != before.st_mode {
        return changed("the mode");
    }
    let held = folder
        .held(name, &entry)
        .map_err(|error| error.to_string())?;
    match held {
        Some(held) if held.digest == *digest => Ok(()),
        _ => changed("the content"),
    }
}

/// The word with the file's path for each `%s`.
fn filled(word: &str, file: &OsStr) -> OsString {
    let mut bytes = Vec::new();
    for (count, part) in word.split("%s").enumerate() {
        if count > 0 {
            bytes.extend_from_slice(file.as_bytes());
        }
        bytes.extend_from_slice(part.as_bytes());
    }
    OsString::from_vec(bytes)
}

/// A path for a shell, safe whether the line has it bare or within quotes: every character that could mean
/// something to a shell has a backslash before it.
fn quoted(path: &Path) -> OsString {
    let mut bytes = Vec::new();
    for byte in path.as_os_str().as_bytes() {
        if byte.is_ascii() && !byte.is_ascii_alphanumeric() && !b"/._-+,:=@%".contains(byte) {
            bytes.push(b'\\');
        }
        bytes.push(*byte);
    }
    OsString::from_vec(bytes)
}

impl Saying {
    /// A sensitive file is not quoted, and nothing from a folder where somebody could exchange the new file for
    /// a link to one.
    pub(crate) fn of(file: &File, folder: &Folder) -> Self {
        if file.sensitive || folder.trust() != Trust::Closed {
            Saying::Secret
        } else {
            Saying::Shown
        }
    }
}

/// The refusal as the failure of the resource.
pub(crate) fn refused(shown: String, new: bool) -> impl FnOnce(String) -> EnactError {
    move |said| EnactError::Invalid {
        path: shown,
        new,
        said,
    }
}
