//! `facts.local`: what the operators of a machine say of it, in `facts.d/*.toml`.

use super::FactError;
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
        let meta = std::fs::metadata(&path).map_err(|error| unreadable(&path, error))?;
        if !meta.is_file() || meta.len() > LIMIT {
            return Err(bad(&path, "it is not a regular file of at most 1 MiB"));
        }
        if meta.mode() & 0o002 != 0 {
            return Err(bad(&path, "anybody may write to it, so it is not believed"));
        }
        let text = std::fs::read_to_string(&path).map_err(|error| unreadable(&path, error))?;
        let table = table(&text).map_err(|why| bad(&path, why.trim_end()))?;
        facts.insert(name.to_string(), table);
    }
    Ok(facts)
}

fn bad(path: &Path, why: impl Into<String>) -> FactError {
    FactError::Local {
        path: path.to_path_buf(),
        why: why.into(),
    }
}

/// What this caller may not read may be good.
fn unreadable(path: &Path, source: std::io::Error) -> FactError {
    match source.kind() {
        std::io::ErrorKind::PermissionDenied => FactError::Read {
            path: path.to_path_buf(),
            source,
        },
        std::io::ErrorKind::InvalidData => bad(path, "it is not UTF-8"),
        _ => bad(path, source.to_string()),
    }
}

fn table(text: &str) -> Result<Value, String> {
    let table: BTreeMap<String, toml::Spanned<toml::Value>> =
        toml::from_str(text).map_err(|error| error.to_string())?;
    let entry = |(key, value): (String, toml::Spanned<toml::Value>)| {
        let start = value.span().start;
        let value =
            json(value.into_inner()).map_err(|why| format!("{}: {why}", at(text, start)))?;
        Ok((key, value))
    };
    table.into_iter().map(entry).collect()
}

/// Where a byte of a text stands.
fn at(text: &str, byte: usize) -> String {
    let before = text.get(..byte).unwrap_or_default();
    let line = before.rsplit('\n').next().unwrap_or_default();
    format!(
        "line {}, column {}",
        before.matches('\n').count() + 1,
        line.chars().count() + 1
    )
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
        let cases: [(&[u8], u32, &str); 6] = [
            (
                b"x = ",
                0o644,
                "site.toml: TOML parse error at line 1, column 5",
            ),
            (
                b"x = 1\ny = nan",
                0o644,
                "site.toml: line 2, column 5: inf and nan",
            ),
            (b"x = 1\nx = 2", 0o644, "line 2, column 1"),
            (b"x = 'caf\xe9'", 0o644, "not UTF-8"),
            (b"x = 1", 0o666, "anybody"),
            (&[b'#'; (LIMIT + 1) as usize], 0o644, "1 MiB"),
        ];
        for (content, mode, word) in cases {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("site.toml");
            fs::write(&path, content).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            let why = read(folder.path()).unwrap_err();
            assert!(matches!(why, FactError::Local { .. }), "{why:?}");
            assert!(why.to_string().contains(word), "{why}");
        }
        let folder = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink("none", folder.path().join("site.toml")).unwrap();
        let why = read(folder.path()).unwrap_err();
        assert!(matches!(why, FactError::Local { .. }), "{why:?}");
    }
}
