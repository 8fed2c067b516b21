//! What a run takes for `/`, and where its state lies.

use crate::config::Config;
use crate::error::Error;
use std::io;
use std::path::{Path, PathBuf};

/// Where a run takes place.
pub struct Place {
    /// What it takes for `/`.
    pub root: PathBuf,
    /// What cfg keeps of that root: below it, as the machine's own lies below `/`.
    pub state: PathBuf,
    /// Whether it is the machine itself.
    pub is_machine: bool,
}

impl Place {
    /// The machine, or the folder of `--root`.
    pub fn of(config: &Config, root: Option<&Path>) -> Result<Self, Error> {
        let Some(root) = root else {
            return Ok(Self {
                root: "/".into(),
                state: config.state.clone(),
                is_machine: true,
            });
        };
        let root = std::fs::canonicalize(root).map_err(|error| {
            let remedy = match error.kind() {
                io::ErrorKind::NotFound => "; make that folder first",
                _ => "",
            };
            Error::usage(format!("--root {}: {error}{remedy}", root.display()))
        })?;
        if !root.is_dir() {
            return Err(Error::usage(format!(
                "--root {}: not a folder",
                root.display()
            )));
        }
        let below = config.state.strip_prefix("/").unwrap_or(&config.state);
        Ok(Self {
            state: root.join(below),
            is_machine: root == Path::new("/"),
            root,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn state_lies_below_the_root_and_the_identity_does_not() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("agent.toml"), "").unwrap();
        let config = Config::load(Some(&folder.path().join("agent.toml"))).unwrap();
        let place = Place::of(&config, Some(folder.path())).unwrap();
        let root = folder.path().canonicalize().unwrap();
        assert_eq!(place.state, root.join("var/lib/cfg"));
        assert!(!place.is_machine);
        assert_eq!(config.identity, Path::new("/var/lib/cfg/identity"));
        let machine = Place::of(&config, Some(Path::new("/"))).unwrap();
        assert!(machine.is_machine);
        assert_eq!(machine.state, config.state);
        let missing = Place::of(&config, Some(&root.join("none")));
        let Err(Error::Usage(missing)) = missing else {
            panic!("it is not there");
        };
        assert!(missing.to_string().ends_with("; make that folder first"));
    }
}
