//! `--secrets FILE`: names and values in TOML, which nobody but its owner may read. Nothing of a value is said here.

use crate::error::Error;
use anyhow::{Context as _, bail, ensure};
use cfg_catalog::Secrets;
use std::collections::BTreeMap;
use std::fs::{File, Metadata};
use std::io::Read as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

/// More than any secrets take, in bytes.
const MOST: u64 = 1 << 20;

/// The secrets of this file.
///
/// # Errors
/// [`Error::Usage`] where there is no such file to be read, [`Error::Config`] where others may read it too, or it is not names and texts.
pub fn read(path: &Path) -> Result<Secrets, Error> {
    let source = format!("--secrets {}", path.display());
    let file = open(path).with_context(|| source.clone());
    let (file, metadata) = file.map_err(Error::Usage)?;
    let values = values(path, file, &metadata).with_context(|| source.clone());
    Ok(Secrets::new(source, values.map_err(Error::Config)?))
}

fn open(path: &Path) -> anyhow::Result<(File, Metadata)> {
    let file = File::open(path)?;
    let metadata = file.metadata()?;
    ensure!(!metadata.is_dir(), "it is a directory");
    Ok((file, metadata))
}

fn values(
    path: &Path,
    file: File,
    metadata: &Metadata,
) -> anyhow::Result<BTreeMap<String, String>> {
    let mode = metadata.mode() & 0o7777;
    ensure!(
        mode & 0o077 == 0,
        "others than its owner may read or write it (mode {mode:04o}): chmod 600 {}",
        path.display()
    );
    let mut text = String::new();
    let read = file.take(MOST + 1).read_to_string(&mut text);
    // What a failure to decode says may quote what was read.
    read.map_err(|error| match error.kind() {
        std::io::ErrorKind::InvalidData => anyhow::anyhow!("it is not UTF-8"),
        _ => error.into(),
    })?;
    ensure!(text.len() as u64 <= MOST, "it is larger than 1 MiB");
    parse(&text)
}

fn parse(text: &str) -> anyhow::Result<BTreeMap<String, String>> {
    let table: toml::Table = match toml::from_str(text) {
        Ok(table) => table,
        // The parser's own words quote the line.
        Err(error) => {
            let before = error.span().and_then(|span| text.get(..span.start));
            let line = before.unwrap_or_default().matches('\n').count() + 1;
            ensure!(
                error.message() != "duplicate key",
                "line {line} gives a second value to a name: leave one of them"
            );
            bail!("line {line} is not TOML: NAME = \"value\" is wanted, one a line");
        }
    };
    let value = |(name, value)| match value {
        toml::Value::String(text) => Ok((name, text)),
        toml::Value::Table(_) => {
            bail!("{name} is a table: names of secrets stand in none, and one with dots in quotes")
        }
        other => bail!(
            "the value of {name} is of the type {}; a secret is a string in quotes",
            other.type_str()
        ),
    };
    table.into_iter().map(value).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::{Permissions, set_permissions};
    use std::os::unix::fs::PermissionsExt as _;

    fn file(text: &[u8], mode: u32) -> tempfile::NamedTempFile {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        set_permissions(file.path(), Permissions::from_mode(mode)).unwrap();
        file
    }

    #[test]
    fn names_and_texts() {
        let file = file(b"db = \"hunter2\"\n\"web-key\" = '''a\nb'''\n", 0o600);
        let secrets = read(file.path()).unwrap();
        assert_eq!(secrets.get("db"), Some("hunter2"));
        assert_eq!(secrets.get("web-key"), Some("a\nb"));
        assert_eq!(secrets.get("other"), None);
        assert!(secrets.source().unwrap().starts_with("--secrets /"));
    }

    #[test]
    fn a_file_that_others_may_read_is_refused() {
        for mode in [0o640, 0o604, 0o620, 0o644] {
            let file = file(b"db = 'x'", mode);
            let error = read(file.path()).unwrap_err();
            assert_eq!(error.exit() as u8, 78);
            assert!(error.to_string().contains("chmod 600"), "{error}");
        }
        assert!(read(file(b"", 0o400).path()).is_ok());
    }

    #[test]
    fn nothing_of_a_value_is_said() {
        for (text, told) in [
            (&b"a = 'x'\ndb = hunter2\n"[..], "line 2 is not TOML"),
            (b"db = \"hunter2", "line 1 is not TOML"),
            (b"hunter2", "line 1 is not TOML"),
            (b"db = ['hunter2']", "the value of db is of the type array"),
            (b"[db]\nx = 'hunter2'", "db is a table"),
            (
                b"db = 'hunter2'\ndb = 'hunter2'",
                "line 2 gives a second value to a name",
            ),
            (b"a.b = 'hunter2'", "one with dots in quotes"),
            (b"db = 'hunter2\xff'", "not UTF-8"),
        ] {
            let error = read(file(text, 0o600).path()).unwrap_err().to_string();
            assert!(error.contains(told), "{error}");
            assert!(!error.contains("hunter2"), "{error}");
        }
        for none in ["/nonexistent", "/"] {
            let error = read(Path::new(none)).unwrap_err();
            assert_eq!(error.exit() as u8, 64, "{error}");
        }
    }
}
