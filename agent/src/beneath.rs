//! Folders of a root that the kernel resolves below it, whatever links say.

use rustix::fs::{Mode, OFlags, ResolveFlags, mkdirat, open, openat2};
use rustix::io::Errno;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

/// Opens a folder of this root; `path` without a slash at its beginning.
///
/// # Errors
/// Where it is not there or leaves the root.
pub fn folder(root: &Path, path: &str) -> io::Result<OwnedFd> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let root = open(root, flags, Mode::empty())?;
    Ok(below(&root, path)?)
}

/// The same, made with its parents where it is not there.
///
/// # Errors
/// Where it cannot be made or leaves the root.
pub fn made_folder(root: &Path, path: &str) -> io::Result<OwnedFd> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let root = open(root, flags, Mode::empty())?;
    let mut whole = String::new();
    let mut parent = below(&root, ".")?;
    for part in path.split('/') {
        match mkdirat(&parent, part, Mode::from_raw_mode(0o755)) {
            Ok(()) | Err(Errno::EXIST) => {}
            Err(error) => return Err(error.into()),
        }
        whole.push_str(part);
        parent = below(&root, &whole)?;
        whole.push('/');
    }
    Ok(parent)
}

fn below(root: impl AsFd, path: &str) -> rustix::io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    openat2(root, path, flags, Mode::empty(), ResolveFlags::IN_ROOT)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn links_stay_below() {
        let root = tempfile::tempdir().unwrap();
        let root = root.path();
        std::fs::create_dir_all(root.join("etc")).unwrap();
        symlink("/data/system", root.join("etc/systemd")).unwrap();
        assert!(
            folder(root, "etc/systemd").is_err(),
            "its target is not there"
        );
        std::fs::create_dir_all(root.join("data/system")).unwrap();
        assert!(folder(root, "etc/systemd").is_ok());
        made_folder(root, "etc/systemd/a/b").unwrap();
        assert!(root.join("data/system/a/b").is_dir());
        assert!(
            folder(root, "../../etc").is_ok(),
            "above the root is the root"
        );
    }
}
