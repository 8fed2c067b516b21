//! What a text says, as far as two readings of it are compared.

/// Tables by key, and everything else by a text that stands for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Tree {
    /// Keys in any order; one may be there twice.
    Table(Vec<(String, Tree)>),
    /// Anything else.
    Leaf(String),
}

impl Tree {
    /// What stands at a path; what is there twice has no one value.
    pub fn at(&self, path: &[String]) -> Option<&Tree> {
        let Some((first, rest)) = path.split_first() else {
            return Some(self);
        };
        match self {
            Tree::Table(entries) => {
                let (_, inner) = entries.iter().rev().find(|(key, _)| key == first)?;
                inner.at(rest)
            }
            Tree::Leaf(_) => None,
        }
    }

    /// All but what is at the path; tables on the way that are left empty do not count.
    pub fn without(self, path: &[String]) -> Option<Tree> {
        let (first, rest) = path.split_first()?;
        let Tree::Table(entries) = self else {
            return Some(self);
        };
        let mut kept: Vec<(String, Tree)> = Vec::with_capacity(entries.len());
        for (key, tree) in entries {
            let tree = match key == *first {
                true => tree.without(rest),
                false => Some(tree),
            };
            kept.extend(tree.map(|tree| (key, tree)));
        }
        kept.sort_by(|a, b| a.0.cmp(&b.0));
        (!kept.is_empty()).then_some(Tree::Table(kept))
    }
}

impl From<&serde_json::Value> for Tree {
    fn from(value: &serde_json::Value) -> Self {
        match value {
            serde_json::Value::Object(table) => Tree::Table(
                table
                    .iter()
                    .map(|(key, value)| (key.clone(), Tree::from(value)))
                    .collect(),
            ),
            other => Tree::Leaf(other.to_string()),
        }
    }
}
