//! What of a role could not be understood, and is told of where it stands: nothing is said of what only follows from it.

use crate::id::ResourceId;
use crate::resource::Place;
use std::collections::BTreeSet;

/// What may be there without being known.
#[derive(Clone, Debug, Default)]
pub struct Unclear {
    /// Anything: a text could not be read, or a role that is included is not there.
    pub all: bool,
    /// Any param: it is not known which there are.
    pub any_param: bool,
    /// Params whose declaration is wrong.
    pub params: BTreeSet<String>,
    /// Names that were given a value and are no param's, or not of that value.
    pub values: BTreeSet<String>,
    /// Resources that were refused, by name.
    pub resources: BTreeSet<String>,
    /// Where resources stand that have keys which are none.
    pub keys: BTreeSet<Place>,
    /// Where those of them stand whose `when` or `each` such a key may be.
    pub guards: BTreeSet<Place>,
    /// Whether `[fleet]` has such a key.
    pub fleet: bool,
    /// Whether the role may be partial; then what it is made of lies with those that include it.
    pub partial: bool,
}

impl Unclear {
    /// With what is unclear elsewhere.
    pub fn extend(&mut self, other: &Unclear) {
        self.all |= other.all;
        self.any_param |= other.any_param;
        self.params.extend(other.params.iter().cloned());
        self.values.extend(other.values.iter().cloned());
        self.resources.extend(other.resources.iter().cloned());
        self.keys.extend(other.keys.iter().cloned());
        self.guards.extend(other.guards.iter().cloned());
    }

    /// Whether there may be a param of this name.
    pub fn has_param(&self, name: &str) -> bool {
        self.all || self.any_param || self.params.contains(name)
    }

    /// Whether a param of this name may have a value.
    pub fn has_value(&self, name: &str) -> bool {
        let meant = |written: &String| super::near::nearest(written, [name]).is_some();
        self.has_param(name) || self.values.iter().any(meant)
    }

    /// Whether there may be this resource.
    pub fn has_resource(&self, id: &ResourceId) -> bool {
        let meant = |name: &String| match name.split_once("{{") {
            Some((begins, _)) => id.name.starts_with(begins),
            None => *name == *id.name,
        };
        self.all || self.resources.iter().any(meant)
    }

    /// Whether there may be any resources that are not known.
    pub fn has_resources(&self) -> bool {
        self.all || !self.resources.is_empty()
    }

    /// Whether nothing is unclear of what there is.
    pub fn is_clear(&self) -> bool {
        !self.has_resources() && self.keys.is_empty()
    }

    /// Whether a resource that stands there may have more keys.
    pub fn has_keys(&self, at: &Place) -> bool {
        self.all || self.keys.contains(at)
    }
}
