//! `facts.local`: what the operators of a machine say of it, in `facts.d/*.toml`.

use super::{FactError, bad, text};
use serde_json::Value;
use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

/// The most that one file may hold.
const LIMIT: u64 = 1 << 20;

/// Each file as a table under its name without the ending. A folder that is not there has none.
pub fn read(folder: &Path) -> Result<BTreeMap<String, Value>, FactError> {
    let mut facts = BTreeMap::new();
    for path in files(folder)? {
        let name = path.file_stem().and_then(|name| name.to_str());
        let name = name.ok_or_else(|| bad(&path, "its name is not UTF-8"))?;
        let meta = std::fs::metadata(&path).map_err(|source| FactError::Read {
            path: path.clone(),
            source,
        })?;
        if !meta.is_file() || meta.len() > LIMIT {
            return Err(bad(&path, "it is not a regular file of at most 1 MiB"));
        }
        if meta.mode() & 0o002 != 0 {
            return Err(bad(&path, "anybody may write to it, so it is not believed"));
        }
        let table: toml::Table = toml::from_str(&text(&path)?)
            .map_err(|error| bad(&path, error.to_string().trim_end()))?;
        let table = table
            .into_iter()
            .map(|(key, value)| Ok((key, json(value)?)))
            .collect::<Result<_, &str>>()
            .map_err(|why| bad(&path, why))?;
        facts.insert(name.to_string(), Value::Object(table));
    }
    Ok(facts)
}

fn files(folder: &Path) -> Result<Vec<PathBuf>, FactError> {
    let failed = |source| FactError::Read {
        path: folder.to_path_buf(),
        source,
    };
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(failed(error)),
    };
    let mut files = entries
        .map(|entry| Ok(entry.map_err(failed)?.path()))
        .collect::<Result<Vec<_>, FactError>>()?;
    files.retain(|path| {
        let hidden = path
            .file_name()
            .is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
        !hidden && path.extension().is_some_and(|ending| ending == "toml")
    });
    files.sort();
    Ok(files)
}

fn json(value: toml::Value) -> Result<Value, &'static str> {
    Ok(match value {
        toml::Value::String(text) => text.into(),
        toml::Value::Integer(number) => number.into(),
        toml::Value::Float(number) => serde_json::Number::from_f64(number)
            .ok_or("inf and nan are no facts")?
            .into(),
        toml::Value::Boolean(truth) => truth.into(),
        toml::Value::Datetime(time) => time.to_string().into(),
        toml::Value::Array(items) => items.into_iter().map(json).collect::<Result<_, _>>()?,
        toml::Value::Table(table) => Value::Object(
            table
                .into_iter()
                .map(|(key, value)| Ok((key, json(value)?)))
                .collect::<Result<_, &str>>()?,
        ),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn files_become_tables() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(
            folder.path().join("site.toml"),
            "rack = 3\nwhen = 2026-01-02\n[a]\nb = [1.5]",
        )
        .unwrap();
        fs::write(folder.path().join(".hidden.toml"), "x = ").unwrap();
        fs::write(folder.path().join("readme.txt"), "x = ").unwrap();
        let facts = read(folder.path()).unwrap();
        assert_eq!(
            serde_json::to_value(&facts).unwrap(),
            serde_json::json!({"site": {"rack": 3, "when": "2026-01-02", "a": {"b": [1.5]}}})
        );
        assert!(read(&folder.path().join("none")).unwrap().is_empty());
    }

    #[test]
    fn refused_by_name() {
        for (content, mode, word) in [
            ("x = ", 0o644, "site.toml"),
            ("x = nan", 0o644, "nan"),
            ("x = 1", 0o666, "anybody"),
        ] {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("site.toml");
            fs::write(&path, content).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            let why = read(folder.path()).unwrap_err().to_string();
            assert!(why.contains(word), "{content}: {why}");
        }
    }
}
