//! What is not looked at yet, since it reads the members of a role that are not all there.

use crate::fleet::Incomplete;
use crate::id::{Kind, ResourceId};
use crate::path::AbsPath;
use crate::render::references::fits;
use std::collections::BTreeMap;

/// What of a role waits, and for whom.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Waiting {
    /// By its name: what could not be rendered, and what names such a thing.
    resources: BTreeMap<ResourceId, Incomplete>,
    /// What has no name yet.
    nameless: Vec<(NamePattern, Incomplete)>,
    /// Paths that these are about, beside their names.
    paths: Vec<AbsPath>,
}

/// A name that an expression gives: its literal pieces.
#[derive(Clone, Debug, PartialEq)]
pub struct NamePattern {
    /// Of this kind.
    pub kind: Kind,
    /// As it is written, for a person.
    pub written: String,
    /// None where anything may stand.
    pub pieces: Vec<Option<String>>,
}

impl NamePattern {
    /// As a resource that has no name yet is shown.
    pub fn shown(&self) -> ResourceId {
        ResourceId::new(self.kind, self.written.clone())
    }

    /// What all such names begin with.
    pub fn begins(&self) -> &str {
        match self.pieces.first() {
            Some(Some(literal)) => literal,
            _ => "",
        }
    }
}

impl Waiting {
    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.resources.is_empty() && self.nameless.is_empty()
    }

    /// This one waits.
    pub fn add(&mut self, id: ResourceId, incomplete: Incomplete) {
        self.resources.entry(id).or_insert(incomplete);
    }

    /// What has no name yet waits.
    pub fn add_nameless(&mut self, pattern: NamePattern, incomplete: Incomplete) {
        self.nameless.push((pattern, incomplete));
    }

    /// One that waits is about this path.
    pub fn add_path(&mut self, path: AbsPath) {
        self.paths.push(path);
    }

    /// Whom this one waits for.
    pub fn of(&self, id: &ResourceId) -> Option<&Incomplete> {
        self.resources.get(id)
    }

    /// The same for one that may have been meant by what has no name yet.
    pub fn perhaps(&self, id: &ResourceId) -> Option<&Incomplete> {
        let named =
            |pattern: &NamePattern| pattern.kind == id.kind && fits(&pattern.pieces, &id.name);
        let nameless = self.nameless.iter().find(|(pattern, _)| named(pattern));
        self.of(id).or(nameless.map(|(_, incomplete)| incomplete))
    }

    /// All by name.
    pub fn named(&self) -> impl Iterator<Item = (&ResourceId, &Incomplete)> {
        self.resources.iter()
    }

    /// All, as a person reads them: what has no name yet as it is written.
    pub fn all(&self) -> impl Iterator<Item = (ResourceId, &Incomplete)> {
        let nameless = self.nameless();
        let nameless = nameless.map(|(pattern, incomplete)| (pattern.shown(), incomplete));
        let named = self.resources.iter();
        named
            .map(|(id, incomplete)| (id.clone(), incomplete))
            .chain(nameless)
    }

    /// All that have no name yet.
    pub fn nameless(&self) -> impl Iterator<Item = (&NamePattern, &Incomplete)> {
        self.nameless
            .iter()
            .map(|(pattern, incomplete)| (pattern, incomplete))
    }

    /// The paths of those that have a name.
    pub fn paths(&self) -> impl Iterator<Item = AbsPath> {
        let named = self.resources.keys().filter_map(path_of);
        named.chain(self.paths.iter().cloned())
    }

    /// Whether something without a name may come to stand at this path, below or above it.
    pub fn may_stand(&self, path: &AbsPath) -> bool {
        let path = path.as_str();
        self.nameless.iter().any(|(pattern, _)| {
            let begins = pattern.begins();
            let leads = || {
                begins
                    .strip_prefix(path)
                    .is_some_and(|rest| rest.starts_with('/'))
            };
            is_path(pattern.kind) && (path.starts_with(begins) || leads())
        })
    }
}

/// Whether names of this kind are paths.
fn is_path(kind: Kind) -> bool {
    matches!(
        kind,
        Kind::File | Kind::Directory | Kind::Link | Kind::Edit | Kind::Archive
    )
}

fn path_of(id: &ResourceId) -> Option<AbsPath> {
    is_path(id.kind).then(|| id.name.parse().ok())?
}
