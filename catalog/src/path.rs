//! Absolute paths in one spelling.

use serde::{Deserialize, Serialize};
use std::borrow::Borrow;
use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

/// An absolute path on a machine, in UTF-8, with single slashes, none at the end, and no `.` or `..`.
///
/// Two resources that mean one path compare equal however the operator wrote it. Copies share one text.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct AbsPath(Arc<str>);

/// Why a text is not an [`AbsPath`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadPath {
    /// Does not begin with `/`.
    #[error("the path is not absolute")]
    Relative,
    /// Has `.` or `..` as a component.
    #[error("the path has a component \"{0}\"")]
    Dots(String),
    /// Has a NUL or another control character.
    #[error("the path has a control character")]
    Control,
    /// Longer than Linux' PATH_MAX of 4,096 bytes, or a component longer than 255.
    #[error("the path is too long")]
    Long,
}

impl AbsPath {
    /// `/`.
    pub fn root() -> Self {
        Self("/".into())
    }

    /// As text; `/` for the root, else without a slash at the end.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The components, outermost first; none for the root.
    pub fn components(&self) -> impl DoubleEndedIterator<Item = &str> {
        self.0.split('/').filter(|part| !part.is_empty())
    }

    /// The folder this lies in; none for the root.
    pub fn parent(&self) -> Option<AbsPath> {
        parent(&self.0).map(|parent| Self(parent.into()))
    }

    /// All folders above, the nearest first, ending with the root.
    pub fn ancestors(&self) -> impl Iterator<Item = AbsPath> {
        self.above().map(|above| Self(above.into()))
    }

    /// The same as text, for who only looks them up.
    pub fn above(&self) -> impl Iterator<Item = &str> {
        std::iter::successors(parent(&self.0), |path| parent(path))
    }

    /// The last component; empty for the root.
    pub fn name(&self) -> &str {
        self.0.rsplit('/').next().unwrap_or_default()
    }

    /// A path below this one.
    ///
    /// # Errors
    /// Where `below` has dots, control characters or is too long.
    pub fn join(&self, below: &str) -> Result<AbsPath, BadPath> {
        format!("{}/{below}", self.0).parse()
    }

    /// Whether this is `folder` or lies anywhere below it.
    pub fn is_within(&self, folder: &AbsPath) -> bool {
        &*folder.0 == "/"
            || self.0 == folder.0
            || self
                .0
                .strip_prefix(&*folder.0)
                .is_some_and(|rest| rest.starts_with('/'))
    }
}

/// Finds what some folders have to say of all that lies in them. Of paths of one folder that come one after the other it
/// is looked for once.
pub struct Nearest<'a, T> {
    folders: BTreeMap<&'a str, T>,
    last: Option<(&'a str, Option<T>)>,
}

impl<'a, T: Copy> Nearest<'a, T> {
    /// By the paths of the folders.
    pub fn of(folders: BTreeMap<&'a str, T>) -> Self {
        Self {
            folders,
            last: None,
        }
    }

    /// What the nearest folder above this path says.
    pub fn above(&mut self, path: &'a AbsPath) -> Option<T> {
        let folder = parent(&path.0)?;
        match self.last {
            Some((last, found)) if last == folder => found,
            _ => {
                let found = path
                    .above()
                    .find_map(|above| self.folders.get(above).copied());
                self.last = Some((folder, found));
                found
            }
        }
    }
}

/// The folder that a path lies in.
fn parent(path: &str) -> Option<&str> {
    match path.rsplit_once('/')? {
        (_, "") => None,
        ("", _) => Some("/"),
        (parent, _) => Some(parent),
    }
}

/// Whether a text is a path in the one spelling that nothing needs to be thought of: as most are. Of what it says no to
/// nothing is known.
fn is_plainly_one(text: &str) -> bool {
    let bytes = text.as_bytes();
    let is_name = |name: &[u8]| !matches!(name, b"" | b"." | b"..") && name.len() <= 255;
    if bytes.first() != Some(&b'/') || bytes.len() >= 4096 {
        return false;
    }
    let mut begun = 1;
    for (at, byte) in bytes.iter().enumerate().skip(1) {
        match byte {
            b'/' if !is_name(&bytes[begun..at]) => return false,
            b'/' => begun = at + 1,
            b' '..=b'~' => {}
            _ => return false,
        }
    }
    is_name(&bytes[begun..])
}

/// A text in the right spelling finds its path.
impl Borrow<str> for AbsPath {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl FromStr for AbsPath {
    type Err = BadPath;

    fn from_str(text: &str) -> Result<Self, BadPath> {
        if is_plainly_one(text) {
            return Ok(Self(text.into()));
        }
        if !text.starts_with('/') {
            return Err(BadPath::Relative);
        }
        if text.chars().any(char::is_control) {
            return Err(BadPath::Control);
        }
        let mut path = String::with_capacity(text.len());
        for part in text.split('/').filter(|part| !part.is_empty()) {
            if part == "." || part == ".." {
                return Err(BadPath::Dots(part.into()));
            }
            if part.len() > 255 {
                return Err(BadPath::Long);
            }
            path.push('/');
            path.push_str(part);
        }
        if path.is_empty() {
            path.push('/');
        }
        if path.len() >= 4096 {
            return Err(BadPath::Long);
        }
        Ok(Self(path.into()))
    }
}

impl TryFrom<String> for AbsPath {
    type Error = BadPath;

    fn try_from(text: String) -> Result<Self, BadPath> {
        text.parse()
    }
}

impl From<AbsPath> for String {
    fn from(path: AbsPath) -> Self {
        path.0.as_ref().into()
    }
}

impl fmt::Display for AbsPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for AbsPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_spelling() {
        for (written, meant) in [
            ("/etc//hosts", "/etc/hosts"),
            ("/etc/x/", "/etc/x"),
            ("//", "/"),
            ("/a?b", "/a?b"),
            ("/", "/"),
            ("/a/.b", "/a/.b"),
            ("/ä", "/ä"),
        ] {
            assert_eq!(written.parse::<AbsPath>().unwrap().as_str(), meant);
        }
    }

    #[test]
    fn refused() {
        for (written, why) in [
            ("etc/hosts", BadPath::Relative),
            ("", BadPath::Relative),
            ("/etc/../root", BadPath::Dots("..".into())),
            ("/etc/./x", BadPath::Dots(".".into())),
            ("/etc/..", BadPath::Dots("..".into())),
            ("/\u{85}", BadPath::Control),
            ("/\u{7f}", BadPath::Control),
            ("/etc/\0", BadPath::Control),
            ("/etc/a\nb", BadPath::Control),
        ] {
            assert_eq!(written.parse::<AbsPath>().unwrap_err(), why, "{written:?}");
        }
        assert_eq!(
            format!("/{}", "a".repeat(256))
                .parse::<AbsPath>()
                .unwrap_err(),
            BadPath::Long
        );
        let deep = "/a".repeat(2048);
        assert_eq!(deep.parse::<AbsPath>().unwrap_err(), BadPath::Long);
    }

    #[test]
    fn the_nearest_folder_has_the_word() {
        let folders = [("/a", 1), ("/a/b", 2), ("/", 0)];
        let mut nearest = Nearest::of(folders.into());
        let paths = [
            ("/a/b/c", Some(2)),
            ("/a/b/d", Some(2)),
            ("/a/b", Some(1)),
            ("/x", Some(0)),
            ("/a/bc/d", Some(1)),
            ("/", None),
        ]
        .map(|(path, found)| (path.parse::<AbsPath>().unwrap(), found));
        for (path, found) in &paths {
            assert_eq!(nearest.above(path), *found, "{path}");
        }
    }

    #[test]
    fn family() {
        let path: AbsPath = "/etc/apt/keys".parse().unwrap();
        let above: Vec<_> = path.ancestors().map(|a| a.to_string()).collect();
        assert_eq!(above, ["/etc/apt", "/etc", "/"]);
        assert!(path.above().eq(above.iter().map(String::as_str)));
        assert_eq!(AbsPath::root().above().count(), 0);
        assert!(path.is_within(&"/etc".parse().unwrap()));
        assert!(!path.is_within(&"/et".parse().unwrap()));
        assert!(path.is_within(&AbsPath::root()));
    }
}
