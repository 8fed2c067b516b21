//! What a role says of few of the paths of a machine.

use crate::ground::{PATHS, TARGETS, content};
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::fmt::Write as _;

#[derive(Clone, Debug)]
enum Resource {
    File(Option<&'static str>, Option<&'static str>),
    CreateOnly,
    Directory(Option<&'static str>, Means),
    Link(&'static str),
    Edit(bool, bool),
    Absent(&'static str),
}

/// What a directory is given beside its attributes.
#[derive(Clone, Debug)]
enum Means {
    Nothing,
    Purge,
    Tree,
}

/// Of each path one resource at most.
#[derive(Clone, Debug)]
pub struct Role(BTreeMap<&'static str, Resource>);

pub fn role() -> impl Strategy<Value = Role> {
    let path = prop::sample::select(PATHS.to_vec());
    prop::collection::btree_map(path, resource(), 1..5).prop_map(Role)
}

fn resource() -> impl Strategy<Value = Resource> {
    let mode = || prop::option::of(prop::sample::select(vec!["0640", "0755", "0711"]));
    let means = prop_oneof![
        3 => Just(Means::Nothing),
        1 => Just(Means::Purge),
        1 => Just(Means::Tree),
    ];
    prop_oneof![
        3 => (prop::option::of(content()), mode()).prop_filter("it says something", |(content, mode)| {
            content.is_some() || mode.is_some()
        }).prop_map(|(content, mode)| Resource::File(content, mode)),
        1 => Just(Resource::CreateOnly),
        3 => (mode(), means).prop_map(|(mode, means)| Resource::Directory(mode, means)),
        2 => prop::sample::select(TARGETS.to_vec()).prop_map(Resource::Link),
        2 => any::<(bool, bool)>().prop_map(|(create, more)| Resource::Edit(create, more)),
        2 => prop::sample::select(vec!["file", "directory", "link"]).prop_map(Resource::Absent),
    ]
}

impl Role {
    /// As it stands in a `role.toml`.
    pub fn text(&self) -> String {
        let mut text = String::new();
        for (path, resource) in &self.0 {
            writeln!(text, "{}", resource.text(path)).unwrap();
        }
        text
    }

    /// Whether something is removed that nobody brings back.
    pub fn purges(&self) -> bool {
        let purges = |resource: &Resource| matches!(resource, Resource::Directory(_, Means::Purge));
        self.0.values().any(purges)
    }
}

impl Resource {
    fn text(&self, path: &str) -> String {
        let mode =
            |mode: &Option<&str>| mode.map_or(String::new(), |mode| format!("mode = {mode:?}\n"));
        match self {
            Self::File(content, with) => {
                let content = content.map_or(String::new(), |text| format!("content = {text:?}\n"));
                format!("[file.{path:?}]\n{content}{}", mode(with))
            }
            Self::CreateOnly => {
                format!("[file.{path:?}]\ncontent = \"once\\n\"\ncreate_only = true\n")
            }
            Self::Directory(with, means) => {
                let means = match means {
                    Means::Nothing => "",
                    Means::Purge => "purge = true\n",
                    Means::Tree => "source = \"tree\"\n",
                };
                format!("[directory.{path:?}]\n{means}{}", mode(with))
            }
            Self::Link(target) => format!("[link.{path:?}]\ntarget = {target:?}\n"),
            Self::Edit(create, more) => {
                let set = if *more {
                    "{ A = \"3\", B = \"4\" }"
                } else {
                    "{ A = \"3\" }"
                };
                format!("[edit.{path:?}]\nformat = \"env\"\ncreate = {create}\nset = {set}\n")
            }
            Self::Absent(kind) => format!("[{kind}.{path:?}]\nstate = \"absent\"\n"),
        }
    }
}
