//! Packages that are unheld for one transaction: on disk, so that a kill does not lose the hold of an administrator.

use anyhow::Context as _;
use std::path::{Path, PathBuf};

fn file(state: &Path) -> PathBuf {
    state.join("unheld.json")
}

/// Writes down, before they are unheld, that these must be held again.
pub fn remember(state: &Path, packages: &[String]) -> anyhow::Result<()> {
    if packages.is_empty() {
        return Ok(());
    }
    let mut all = remembered(state)?;
    all.extend_from_slice(packages);
    all.sort();
    all.dedup();
    crate::durable::write(&file(state), &serde_json::to_vec(&all)?)
        .context("cannot write down which packages are held")
}

/// What must be held again.
pub fn remembered(state: &Path) -> anyhow::Result<Vec<String>> {
    match std::fs::read(file(state)) {
        Ok(text) => serde_json::from_slice(&text)
            .with_context(|| format!("{} is not a list of packages", file(state).display())),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(error).context("cannot read which packages are held"),
    }
}

/// They are held again.
pub fn forget(state: &Path) -> anyhow::Result<()> {
    match std::fs::remove_file(file(state)) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).context("cannot forget which packages were held")
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn remembers_over_a_crash() {
        let state = tempfile::tempdir().unwrap();
        let state = state.path();
        assert!(remembered(state).unwrap().is_empty());
        remember(state, &["b".into()]).unwrap();
        remember(state, &["a".into(), "b".into()]).unwrap();
        remember(state, &[]).unwrap();
        assert_eq!(remembered(state).unwrap(), ["a", "b"]);
        forget(state).unwrap();
        forget(state).unwrap();
        assert!(remembered(state).unwrap().is_empty());
    }
}
