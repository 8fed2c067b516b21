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
    /// The links that were followed, in turn.
    pub links: Vec<Followed>,
}

/// A link on the way to a folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Followed {
    /// Where the link really lies.
    pub at: AbsPath,
    /// Where the folder would be if the link were one; none where nobody can tell.
    pub unled: Option<AbsPath>,
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

    /// The same where these links, which are asked for where there are any, lead nowhere any more: what led to one ends there.
    pub(crate) fn without<'p>(&self, closing: impl FnOnce() -> Vec<&'p AbsPath>) -> Places {
        if self.0.is_empty() {
            return Places::default();
        }
        let closing = closing().into_iter();
        let closing: BTreeSet<AbsPath> = closing.map(|link| self.real(link).into_owned()).collect();
        let open = self.0.iter().filter_map(|(folder, place)| {
            let mut links = place.links.iter();
            let Some(ends) = links.position(|link| closing.contains(&link.at)) else {
                return Some((folder.clone(), place.clone()));
            };
            let real = place.links[ends].unled.clone()?;
            let links = place.links[..ends].to_vec();
            (real != *folder).then(|| (folder.clone(), Place { real, links }))
        });
        Places(open.collect())
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
    pub fn links(&self, path: &AbsPath) -> impl Iterator<Item = &AbsPath> {
        let found = match self.0.is_empty() {
            true => None,
            false => path.above().find_map(|above| self.0.get(above)),
        };
        let links = found.map_or(&[][..], |place| &place.links);
        links.iter().map(|link| &link.at)
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
            let (at, unled) = (path(folder), Some(path(folder)));
            let (real, links) = (path(real), vec![Followed { at, unled }]);
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
        let links = |of| {
            places
                .links(&path(of))
                .map(AbsPath::as_str)
                .collect::<Vec<_>>()
        };
        assert_eq!(links("/a/b/d/f"), ["/a/b/d"]);
        assert_eq!(links("/bin"), [""; 0]);
    }

    #[test]
    fn what_leads_to_a_link_that_leads_nowhere_ends_there() {
        let path = |text: &str| text.parse::<AbsPath>().unwrap();
        let followed = |at| Followed {
            at: path(at),
            unled: Some(path(at)),
        };
        let mut places = Places::default();
        for (folder, links) in [("/b", vec!["/b"]), ("/c", vec!["/c", "/b"])] {
            let links = links.into_iter().map(followed).collect();
            let real = path("/t");
            places.note(path(folder), Place { real, links });
        }
        for (closing, written, real, links) in [
            ("/b", "/b/x", "/b/x", vec![]),
            ("/b", "/c/x", "/b/x", vec!["/c"]),
            ("/c", "/b/x", "/t/x", vec!["/b"]),
            ("/c", "/c/x", "/c/x", vec![]),
        ] {
            let (closing, written) = (path(closing), path(written));
            let then = places.without(|| vec![&closing]);
            assert_eq!(then.real(&written).as_str(), real, "{closing}, {written}");
            let left: Vec<&str> = then.links(&written).map(AbsPath::as_str).collect();
            assert_eq!(left, links, "{closing}, {written}");
        }
    }
}
