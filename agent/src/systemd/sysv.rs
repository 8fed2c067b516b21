//! SysV init scripts, whose boot links systemd does not count as enabling.

use std::path::Path;

/// Whether rc links start this unit at boot; none where it has no init script.
pub fn starts_at_boot(root: &Path, unit: &str) -> Option<bool> {
    let name = unit.strip_suffix(".service")?;
    if name.contains('/') || !root.join("etc/init.d").join(name).is_file() {
        return None;
    }
    let linked = ["2", "3", "4", "5"].iter().any(|level| {
        let folder = root.join(format!("etc/rc{level}.d"));
        let Ok(listing) = std::fs::read_dir(folder) else {
            return false;
        };
        listing
            .flatten()
            .any(|entry| is_start_link(&entry.file_name().to_string_lossy(), name))
    });
    Some(linked)
}

/// `S01NAME`.
fn is_start_link(link: &str, name: &str) -> bool {
    link.strip_prefix('S')
        .and_then(|rest| rest.strip_prefix(|c: char| c.is_ascii_digit()))
        .and_then(|rest| rest.strip_prefix(|c: char| c.is_ascii_digit()))
        == Some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links() {
        let root = tempfile::tempdir().unwrap();
        let root = root.path();
        std::fs::create_dir_all(root.join("etc/init.d")).unwrap();
        std::fs::create_dir_all(root.join("etc/rc3.d")).unwrap();
        assert_eq!(starts_at_boot(root, "zk.service"), None);
        std::fs::write(root.join("etc/init.d/zk"), "").unwrap();
        assert_eq!(starts_at_boot(root, "zk.service"), Some(false));
        for other in ["K01zk", "S01zkx", "S1zk", "S01xzk"] {
            std::fs::write(root.join("etc/rc3.d").join(other), "").unwrap();
        }
        assert_eq!(starts_at_boot(root, "zk.service"), Some(false));
        std::fs::write(root.join("etc/rc3.d/S03zk"), "").unwrap();
        assert_eq!(starts_at_boot(root, "zk.service"), Some(true));
        assert_eq!(starts_at_boot(root, "zk.socket"), None);
    }
}
