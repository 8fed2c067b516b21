//! Folders that are everybody's: found by what they are, not by what a path calls them.

use super::error::SysError;
use super::root::Root;
use super::walk::{Folder, Reached};
use cfg_catalog::path::AbsPath;
use cfg_catalog::resource::directory::NEVER_PURGED;

/// Which folder that is never purged this one is, or has below it; none where it is free.
pub(crate) fn spared(root: &Root, folder: &Folder) -> Result<Option<AbsPath>, SysError> {
    for name in NEVER_PURGED {
        let path: AbsPath = name.parse().expect("the table has whole paths");
        // Where a walk to it fails, this folder was not reached that way either.
        let Ok(Reached {
            folder: known,
            missing,
            ..
        }) = root.folder(&path)
        else {
            continue;
        };
        // A bind mount is another name without a link, so the path alone would not tell.
        let same = known.is_same(folder);
        let below = known.at != folder.at && known.at.starts_with(&folder.at);
        if missing.is_empty() && (same || below) {
            return Ok(Some(path));
        }
    }
    Ok(None)
}
