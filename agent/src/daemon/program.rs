//! Whether the program was replaced since it started.

/// Which file this program is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Program {
    device: u64,
    inode: u64,
    changed: (i64, i64),
}

impl Program {
    /// The file at the path that this process was started from; none while it is not there.
    pub fn now() -> Option<Self> {
        use std::os::unix::fs::MetadataExt as _;
        let path = std::env::current_exe().ok()?;
        // The kernel marks the path of a file that was replaced.
        let text = path.to_str()?;
        let path = text.strip_suffix(" (deleted)").unwrap_or(text);
        let meta = std::fs::metadata(path).ok()?;
        Some(Self {
            device: meta.dev(),
            inode: meta.ino(),
            changed: (meta.mtime(), meta.mtime_nsec()),
        })
    }
}
