//! The tree of node layers: one root in a role's part, one leaf a node, and a proof for each.
//!
//! A node is given its own leaf alone, and with it a proof that the leaf, or its absence, is what the
//! operator published: a server cannot hold a layer back or hand out another's. The tree is binary
//! over the bits of SHA-256(node name); a subtree of one leaf is that leaf's hash, one of none is zeros.
//! A proof shows hashes of other nodes' names and layers, never the layers: secrets do not belong there.

use crate::digest::Digest;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The hash of a subtree without leaves.
const EMPTY: [u8; 32] = [0; 32];
/// First byte of what is hashed, so that a leaf can never pass for a branch.
const LEAF: u8 = 0;
const BRANCH: u8 = 1;
/// Bits of a key, and so the deepest that a tree can be.
const BITS: usize = 256;

/// The root of the tree over these leaves, by node name.
pub fn root(leaves: &BTreeMap<String, Vec<u8>>) -> Digest {
    Tree::new(leaves).root()
}

/// The proof for this name, there or not. For more than one, build a [`Tree`] once.
pub fn prove(leaves: &BTreeMap<String, Vec<u8>>, name: &str) -> Proof {
    Tree::new(leaves).prove(name)
}

/// A tree, built once, that answers for any name.
#[derive(Clone, Debug)]
pub struct Tree(Subtree);

#[derive(Clone, Debug)]
enum Subtree {
    Empty,
    Leaf(Entry),
    Branch {
        hash: Digest,
        children: Box<[Subtree; 2]>,
    },
}

impl Tree {
    /// The tree over these leaves, by node name.
    pub fn new(leaves: &BTreeMap<String, Vec<u8>>) -> Self {
        let mut entries: Vec<Entry> = leaves
            .iter()
            .map(|(name, leaf)| Entry {
                key: Digest::of(name.as_bytes()),
                value: Digest::of(leaf),
            })
            .collect();
        entries.sort_by_key(|entry| entry.key);
        Self(Subtree::new(&entries, 0))
    }

    /// Its root.
    pub fn root(&self) -> Digest {
        self.0.hash()
    }

    /// The proof for this name, there or not.
    pub fn prove(&self, name: &str) -> Proof {
        let key = Digest::of(name.as_bytes());
        let mut siblings = Vec::new();
        let mut at = &self.0;
        while let Subtree::Branch { children, .. } = at {
            let turn = bit(&key, siblings.len());
            siblings.push(children[1 - turn].hash());
            at = &children[turn];
        }
        let neighbour = match at {
            Subtree::Leaf(entry) if entry.key != key => Some(*entry),
            _ => None,
        };
        Proof {
            siblings,
            neighbour,
        }
    }
}

impl Subtree {
    /// Over entries sorted by key that agree in the bits before `depth`.
    fn new(entries: &[Entry], depth: usize) -> Self {
        match entries {
            [] => Self::Empty,
            [entry] => Self::Leaf(*entry),
            _ => {
                let split = entries.partition_point(|entry| bit(&entry.key, depth) == 0);
                let (left, right) = entries.split_at(split);
                let children = [Self::new(left, depth + 1), Self::new(right, depth + 1)];
                Self::Branch {
                    hash: branch(&children[0].hash(), &children[1].hash()),
                    children: Box::new(children),
                }
            }
        }
    }

    fn hash(&self) -> Digest {
        match self {
            Self::Empty => Digest::from(EMPTY),
            Self::Leaf(entry) => entry.hash(),
            Self::Branch { hash, .. } => *hash,
        }
    }
}

/// A leaf as the tree sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Entry {
    /// SHA-256 of the node's name.
    key: Digest,
    /// SHA-256 of the leaf's bytes.
    value: Digest,
}

impl Entry {
    fn hash(&self) -> Digest {
        joined(LEAF, &self.key, &self.value)
    }
}

/// That a leaf, or that none, stands in a tree under a name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Proof {
    /// The hashes beside the path, from the root down.
    siblings: Vec<Digest>,
    /// Where the path of an absent name ends at another's leaf: that leaf.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    neighbour: Option<Entry>,
}

impl Proof {
    /// Whether the tree with this root holds just this under the name; `None`: holds nothing.
    pub fn verify(&self, root: &Digest, name: &str, leaf: Option<&[u8]>) -> bool {
        let depth = self.siblings.len();
        if depth > BITS {
            return false;
        }
        let key = Digest::of(name.as_bytes());
        let end = match (leaf, &self.neighbour) {
            (Some(leaf), None) => {
                let value = Digest::of(leaf);
                Entry { key, value }.hash()
            }
            (None, None) => Digest::from(EMPTY),
            (None, Some(other)) if other.key != key && agree(&other.key, &key, depth) => {
                other.hash()
            }
            _ => return false,
        };
        let top = self
            .siblings
            .iter()
            .enumerate()
            .rev()
            .fold(end, |below, (depth, beside)| match bit(&key, depth) {
                0 => branch(&below, beside),
                _ => branch(beside, &below),
            });
        top == *root
    }
}

/// Bit `depth` of a key, the most significant first; 0 beyond the last.
fn bit(key: &Digest, depth: usize) -> usize {
    let byte = key.as_bytes().get(depth / 8).copied().unwrap_or_default();
    usize::from(byte >> (7 - depth % 8) & 1)
}

/// Whether two keys agree in their first `depth` bits.
fn agree(one: &Digest, other: &Digest, depth: usize) -> bool {
    (0..depth).all(|at| bit(one, at) == bit(other, at))
}

fn branch(left: &Digest, right: &Digest) -> Digest {
    joined(BRANCH, left, right)
}

fn joined(tag: u8, first: &Digest, second: &Digest) -> Digest {
    let mut bytes = [tag; 65];
    bytes[1..33].copy_from_slice(first.as_bytes());
    bytes[33..].copy_from_slice(second.as_bytes());
    Digest::of(&bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn leaves(names: &[&str]) -> BTreeMap<String, Vec<u8>> {
        let leaf = |name: &&str| ((*name).to_owned(), format!("leaf of {name}").into_bytes());
        names.iter().map(leaf).collect()
    }

    #[test]
    fn roots_of_the_format() {
        // The format is what agents verify: these may change only together with FORMAT.
        for (names, wanted) in [
            (&[][..], "0".repeat(64)),
            (
                &["vm-1"],
                "7df7f6f5cd2bae2805841d3b3f03afa8d65510674177d35e3bda8eb4e1514a5c".into(),
            ),
            (
                &["vm-1", "vm-2", "vm-3"],
                "7763585fd5f3567f02057064beb5145de15097c218af579496be04835acd9354".into(),
            ),
        ] {
            assert_eq!(root(&leaves(names)).to_string(), wanted, "{names:?}");
        }
    }

    #[test]
    fn one_leaf_is_the_root() {
        let tree = leaves(&["vm-1"]);
        let proof = prove(&tree, "vm-1");
        assert!(proof.siblings.is_empty());
        assert!(proof.verify(&root(&tree), "vm-1", Some(b"leaf of vm-1")));
        let absent = prove(&tree, "vm-2");
        assert!(absent.neighbour.is_some());
        assert!(absent.verify(&root(&tree), "vm-2", None));
    }

    #[test]
    fn a_neighbour_off_the_path_proves_nothing() {
        // The root's one leaf, claimed to end the path of a name that parts from it before.
        let tree = leaves(&["a", "b", "c", "d", "e", "f", "g", "h"]);
        let top = root(&tree);
        for name in tree.keys() {
            let own = prove(&tree, name);
            let entry = Entry {
                key: Digest::of(name.as_bytes()),
                value: Digest::of(&tree[name]),
            };
            let forged = Proof {
                neighbour: Some(entry),
                ..own
            };
            for victim in tree.keys() {
                assert!(!forged.verify(&top, victim, None), "{name} hides {victim}");
            }
        }
    }

    #[test]
    fn too_deep_is_refused() {
        let proof = Proof {
            siblings: vec![Digest::from(EMPTY); BITS + 1],
            neighbour: None,
        };
        assert!(!proof.verify(&Digest::from(EMPTY), "vm-1", None));
    }

    #[test]
    fn proof_survives_json() {
        let tree = leaves(&["a", "b", "c"]);
        for name in ["a", "b", "nobody"] {
            let proof = prove(&tree, name);
            let json = serde_json::to_vec(&proof).unwrap();
            assert_eq!(serde_json::from_slice::<Proof>(&json).unwrap(), proof);
        }
    }

    fn any_leaves() -> impl Strategy<Value = BTreeMap<String, Vec<u8>>> {
        proptest::collection::btree_map(
            "[a-d]{1,3}",
            proptest::collection::vec(0..4u8, 0..3),
            0..40,
        )
    }

    proptest! {
        #[test]
        fn proves_what_is_and_nothing_else(
            tree in any_leaves(),
            name in "[a-d]{1,3}",
            other in proptest::collection::vec(0..4u8, 0..3),
        ) {
            let top = root(&tree);
            let proof = prove(&tree, &name);
            let there = tree.get(&name).map(Vec::as_slice);
            prop_assert!(proof.verify(&top, &name, there));
            if there != Some(&other[..]) {
                prop_assert!(!proof.verify(&top, &name, Some(&other)));
            }
            if there.is_some() {
                prop_assert!(!proof.verify(&top, &name, None));
            }
        }

        #[test]
        fn no_proof_of_one_name_serves_another(tree in any_leaves(), from in "[a-d]{1,3}", to in "[a-d]{1,3}") {
            let top = root(&tree);
            let proof = prove(&tree, &from);
            let truth = tree.get(&to).map(Vec::as_slice);
            // Whatever a borrowed proof shows, it is never other than the truth.
            for claim in tree.values().map(|leaf| Some(leaf.as_slice())).chain([None]) {
                if claim != truth {
                    prop_assert!(!proof.verify(&top, &to, claim));
                }
            }
        }

        #[test]
        fn every_change_moves_the_root(tree in any_leaves(), name in "[a-d]{1,3}", leaf in proptest::collection::vec(0..4u8, 0..3)) {
            let mut changed = tree.clone();
            changed.insert(name, leaf);
            prop_assert_eq!(root(&changed) == root(&tree), changed == tree);
        }
    }
}
