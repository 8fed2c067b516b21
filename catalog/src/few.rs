//! A few things by name. It is read as a `BTreeMap` is, whose smallest piece has room for eleven: of the keys of
//! resources, which are one or two, ten thousand such maps were most of what a run held in memory.

use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::marker::PhantomData;
use std::ops::Index;

/// Values by name, sorted by it, each name once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Few<V>(Vec<(String, V)>);

impl<V> Few<V> {
    /// None.
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    fn position(&self, name: &str) -> Result<usize, usize> {
        self.0
            .binary_search_by(|(known, _)| known.as_str().cmp(name))
    }

    /// The value of this name.
    pub fn get(&self, name: &str) -> Option<&V> {
        let at = self.position(name).ok()?;
        Some(&self.0[at].1)
    }

    /// Whether there is one of this name.
    pub fn contains_key(&self, name: &str) -> bool {
        self.position(name).is_ok()
    }

    /// Whether there is none at all.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Puts a value under a name, in the place of one that was there.
    pub fn insert(&mut self, name: String, value: V) {
        match self.position(&name) {
            Ok(at) => self.0[at].1 = value,
            Err(at) => self.0.insert(at, (name, value)),
        }
    }

    /// Takes a name out.
    pub fn remove(&mut self, name: &str) {
        if let Ok(at) = self.position(name) {
            self.0.remove(at);
        }
    }

    /// All, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&String, &V)> {
        self.0.iter().map(|(name, value)| (name, value))
    }

    /// All values, by name.
    pub fn values(&self) -> impl Iterator<Item = &V> {
        self.0.iter().map(|(_, value)| value)
    }

    /// All values, by name, to be changed.
    pub fn values_mut(&mut self) -> impl Iterator<Item = &mut V> {
        self.0.iter_mut().map(|(_, value)| value)
    }
}

impl<V> Default for Few<V> {
    fn default() -> Self {
        Self::new()
    }
}

impl<V> Index<&str> for Few<V> {
    type Output = V;

    /// As of a map: it is there.
    fn index(&self, name: &str) -> &V {
        self.get(name).expect("no value of this name")
    }
}

impl<V> FromIterator<(String, V)> for Few<V> {
    fn from_iter<I: IntoIterator<Item = (String, V)>>(all: I) -> Self {
        let mut few = Self::new();
        for (name, value) in all {
            few.insert(name, value);
        }
        few.0.shrink_to_fit();
        few
    }
}

impl<V: Serialize> Serialize for Few<V> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.iter())
    }
}

impl<'de, V: Deserialize<'de>> Deserialize<'de> for Few<V> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Map<V>(PhantomData<V>);
        impl<'de, V: Deserialize<'de>> Visitor<'de> for Map<V> {
            type Value = Few<V>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a map")
            }

            fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Few<V>, M::Error> {
                let mut few = Few::new();
                while let Some((name, value)) = map.next_entry()? {
                    few.insert(name, value);
                }
                few.0.shrink_to_fit();
                Ok(few)
            }
        }
        deserializer.deserialize_map(Map(PhantomData))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    #[test]
    fn reads_and_writes_as_a_map_does() {
        let pairs = [("b", 1), ("a", 2), ("b", 3), ("c", 4)];
        let pairs = || {
            pairs
                .iter()
                .map(|(name, value)| ((*name).to_owned(), *value))
        };
        let (mut few, mut map): (Few<i32>, BTreeMap<String, i32>) =
            (pairs().collect(), pairs().collect());
        for gone in ["c", "none"] {
            few.remove(gone);
            map.remove(gone);
        }
        assert!(few.iter().eq(map.iter()));
        assert_eq!((few.get("b"), few.get("c")), (Some(&3), None));
        assert_eq!(few["a"], 2);
        let text = serde_json::to_string(&few).unwrap();
        assert_eq!(text, serde_json::to_string(&map).unwrap());
        assert_eq!(serde_json::from_str::<Few<i32>>(&text).unwrap(), few);
    }
}
