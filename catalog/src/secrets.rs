//! Secrets by name, as a run is given them: never written anywhere from here.

use std::collections::BTreeMap;
use std::fmt;

/// Values that a catalog only names.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Secrets {
    source: Option<String>,
    values: BTreeMap<String, String>,
}

impl Secrets {
    /// These values; `source` is what a person calls the place they come from: `--secrets FILE`.
    pub fn new(source: impl Into<String>, values: BTreeMap<String, String>) -> Self {
        Self {
            source: Some(source.into()),
            values,
        }
    }

    /// Where they come from; none where nobody gave any.
    pub fn source(&self) -> Option<&str> {
        self.source.as_deref()
    }

    /// The secret of this name.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.values.get(name).map(String::as_str)
    }
}

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.values.keys()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn their_names_alone_are_shown() {
        let secrets = Secrets::new("x", [("db".to_owned(), "hunter2".to_owned())].into());
        assert_eq!(format!("{secrets:?}"), r#"{"db"}"#);
        assert_eq!(secrets.get("db"), Some("hunter2"));
    }
}
