//! Whether this machine is the one that enrolled, or a copy of it: a copy is another machine.

use cfg_catalog::digest::Digest;
use std::path::Path;

/// Where systemd keeps what is each machine's own, see machine-id(5).
const MACHINE_ID: &str = "/etc/machine-id";

/// This machine, as an identity notes it. The id itself is confidential, by machine-id(5): only a digest of it is kept. None
/// where the machine has none yet.
pub fn this() -> Option<Digest> {
    of(Path::new(MACHINE_ID))
}

fn of(path: &Path) -> Option<Digest> {
    let id = std::fs::read_to_string(path).ok()?;
    let id = id.trim();
    let whole = id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit());
    whole.then(|| Digest::of(format!("cfg identity {id}").as_bytes()))
}

/// Whether one that enrolled on `noted` is used on `this`; not judged where one of them is not known.
pub fn is_copy(noted: Option<Digest>, this: Option<Digest>) -> bool {
    matches!((noted, this), (Some(noted), Some(this)) if noted != this)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_whole_or_none() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let mut seen = Vec::new();
        for (text, some) in [
            ("0123456789abcdef0123456789abcdef\n", true),
            ("fedcba9876543210fedcba9876543210", true),
            ("uninitialized\n", false),
            ("", false),
            ("0123456789abcdef0123456789abcdeg\n", false),
        ] {
            std::fs::write(file.path(), text).unwrap();
            let found = of(file.path());
            assert_eq!(found.is_some(), some, "{text:?}");
            seen.extend(found);
        }
        assert!(is_copy(Some(seen[0]), Some(seen[1])));
        assert!(!is_copy(Some(seen[0]), Some(seen[0])));
        assert!(!is_copy(None, Some(seen[0])) && !is_copy(Some(seen[0]), None));
        assert_eq!(of(Path::new("/nonexistent")), None);
    }
}
