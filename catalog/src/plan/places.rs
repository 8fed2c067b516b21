//! Where on a machine a path really lies: links of the machine's own lead elsewhere than a role can know.

use crate::path::AbsPath;
use crate::resource::through::Links;
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

/// Folders that a walk came to through links, as they were written, with where they really are.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Places(BTreeMap<AbsPath, Place>);

/// Where a walk through links ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// Where the folder is.
    pub real: AbsPath,
    /// Where the links that were followed really lie.
    pub links: Vec<AbsPath>,
}

impl Places {
    /// A walk to this folder ended there.
    pub fn note(&mut self, folder: AbsPath, place: Place) {
        self.0.insert(folder, place);
    }

    /// Whether a walk to this folder is known.
    pub fn has(&self, folder: &AbsPath) -> bool {
        self.0.contains_key(folder)
    }

    /// What others have found too.
    pub fn add(&mut self, others: Places) {
        self.0.extend(others.0);
    }

    /// The same without what leads through these paths, which are asked for where there are any.
    pub(crate) fn without<'p>(&self, closing: impl FnOnce() -> BTreeSet<&'p str>) -> Places {
        if self.0.is_empty() {
            return Places::default();
        }
        let closing = closing();
        let links = closing.iter().filter_map(|link| link.parse().ok());
        let links: BTreeSet<AbsPath> = links.map(|link| self.real(&link).into_owned()).collect();
        let closed = |folder: &AbsPath, place: &Place| {
            let mut ways = std::iter::once(folder.as_str()).chain(folder.above());
            let mut followed = place.links.iter();
            ways.any(|way| closing.contains(way)) || followed.any(|link| links.contains(link))
        };
        let open = self.0.iter();
        let open = open.filter(|(folder, place)| !closed(folder, place));
        Places(
            open.map(|(folder, place)| (folder.clone(), place.clone()))
                .collect(),
        )
    }

    /// Whether all is where it is written to be.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Where something really lies, whose last component is not followed. Of what nobody walked to it is known only as
    /// far as somebody walked.
    pub fn real<'a>(&self, path: &'a AbsPath) -> Cow<'a, AbsPath> {
        if self.0.is_empty() {
            return Cow::Borrowed(path);
        }
        let found = path.above().find_map(|above| {
            let real = &self.0.get(above)?.real;
            let rest = path.as_str().strip_prefix(above)?;
            real.join(rest.trim_start_matches('/')).ok()
        });
        found.map_or(Cow::Borrowed(path), Cow::Owned)
    }

    /// The same, by what links of a role above it lead to.
    pub(crate) fn led(&self, path: &AbsPath, links: &Links<'_>) -> AbsPath {
        let led = links.lead(path).map(|led| led.path);
        self.real(led.as_ref().unwrap_or(path)).into_owned()
    }

    /// What something is called, and where it really lies.
    pub(crate) fn both(&self, path: &AbsPath) -> [AbsPath; 2] {
        [path.clone(), self.real(path).into_owned()]
    }

    /// Where the links really lie that lead to the folder of something.
    pub fn links(&self, path: &AbsPath) -> &[AbsPath] {
        if self.0.is_empty() {
            return &[];
        }
        let found = path.above().find_map(|above| self.0.get(above));
        found.map_or(&[], |place| &place.links)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_lies_where_the_nearest_folder_above_it_is() {
        let path = |text: &str| text.parse::<AbsPath>().unwrap();
        let mut places = Places::default();
        for (folder, real) in [
            ("/bin", "/usr/bin"),
            ("/a/b", "/c"),
            ("/a/b/d", "/e"),
            ("/up", "/"),
        ] {
            let (real, links) = (path(real), vec![path(folder)]);
            places.note(path(folder), Place { real, links });
        }
        for (written, real) in [
            ("/bin/foo", "/usr/bin/foo"),
            ("/bin/x/y", "/usr/bin/x/y"),
            // The link itself is not followed.
            ("/bin", "/bin"),
            ("/binary/foo", "/binary/foo"),
            ("/a/b/f", "/c/f"),
            ("/a/b/d", "/c/d"),
            ("/a/b/d/f", "/e/f"),
            ("/a/f", "/a/f"),
            ("/up/f", "/f"),
            ("/", "/"),
        ] {
            assert_eq!(places.real(&path(written)).as_str(), real, "{written}");
        }
        assert_eq!(places.links(&path("/a/b/d/f")), [path("/a/b/d")]);
        assert_eq!(places.links(&path("/bin")), []);
    }
}
