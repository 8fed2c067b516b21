//! Roles with what they include become parts: checked whole, ready to be given to machines.

mod check;
mod cohort;
mod expressions;
pub mod files;
mod forms;
mod include;
mod layers;
mod merge;
mod part;
mod quorum;
pub(crate) mod sample;
mod templates;
mod unheld;

use crate::digest::Digest;
use crate::facts::Facts;
use crate::release::part::Part;
use crate::resource::Desired;
use crate::text::declared::RoleText;
use crate::text::diagnostic::{Diagnostic, Diagnostics, Spot};
use crate::text::fleet::FleetText;
use crate::text::near::nearest;
use crate::text::source::Source;
use crate::text::{CatalogFiles, declare, fleet, names, tree};
use files::Files;
use include::{Includes, Roles};
use merge::MergedRole;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// A catalog without errors.
#[derive(Debug)]
pub struct Catalog {
    parts: BTreeMap<String, Part>,
    leaves: BTreeMap<String, BTreeMap<String, Vec<u8>>>,
    descriptions: BTreeMap<String, String>,
    partial: BTreeSet<String>,
    constant: BTreeMap<String, Desired>,
    files: Files,
}

/// What a run from a catalog takes of it.
#[derive(Debug)]
pub struct Taken {
    /// The role's part.
    pub part: Part,
    /// The bytes of the catalog's files: the part names those that it may read.
    pub files: BTreeMap<Digest, Vec<u8>>,
    /// What this machine must be, where nothing in the role hangs on the machine: the check has rendered it then.
    pub desired: Option<Desired>,
}

impl Catalog {
    /// Everything that `cfg check` does, the rendering of every role with made-up facts among it.
    /// Beside the catalog, its warnings.
    ///
    /// # Errors
    /// All that is wrong with it, and the warnings.
    pub fn load(files: &CatalogFiles) -> Result<(Catalog, Diagnostics), Diagnostics> {
        Self::load_with(files.clone(), &BTreeMap::new())
    }

    /// The same, for a local run with values of `--set`: a param that has no other value is not missed then.
    ///
    /// # Errors
    /// All that is wrong with it, and the warnings.
    pub fn load_with(
        files: CatalogFiles,
        set: &BTreeMap<String, String>,
    ) -> Result<(Catalog, Diagnostics), Diagnostics> {
        let mut wrong = Diagnostics::new();
        let texts = Texts::read(files, &mut wrong);
        let includes = Includes::follow(&texts.roles, &mut wrong);
        let mut merged = texts.merge(&includes, &mut wrong);
        layers::check_names(&texts.fleet, &mut merged, &mut wrong);
        idle(&merged, &includes, &mut wrong);
        for role in merged.values().filter(|role| role.own.partial) {
            counts_nowhere(role, &mut wrong);
        }
        let mut catalog = Catalog {
            parts: BTreeMap::new(),
            leaves: BTreeMap::new(),
            descriptions: BTreeMap::new(),
            partial: BTreeSet::new(),
            constant: BTreeMap::new(),
            files: Files::default(),
        };
        for role in merged.values().filter(|role| !role.own.partial) {
            let built = part::build(role, &texts, &includes, set, &mut wrong);
            let name = role.own.name.clone();
            catalog.parts.insert(name.clone(), built.part);
            catalog.leaves.insert(name.clone(), built.leaves);
            if let Some(desired) = built.constant {
                catalog.constant.insert(name.clone(), desired);
            }
            if let Some(description) = &role.own.description {
                catalog.descriptions.insert(name, description.clone());
            }
        }
        let partial = merged.values().filter(|role| role.own.partial);
        catalog.partial = partial.map(|role| role.own.name.clone()).collect();
        let parts = catalog.parts.values();
        let cohorts: BTreeSet<&String> = parts.flat_map(|part| part.wait_for.keys()).collect();
        for role in cohorts.into_iter().filter_map(|name| merged.get(name)) {
            unheld::check(role, &mut wrong);
        }
        let wrong = wrong.finish(|spot| texts.filled(spot));
        if wrong.has_errors() {
            return Err(wrong);
        }
        catalog.files = texts.files;
        Ok((catalog, wrong))
    }

    /// What is wrong with files of a catalog that could not be read, and beside it with the texts that could, each by
    /// itself: whatever reads other files is not looked at.
    pub fn with_texts(files: &CatalogFiles, mut wrong: Diagnostics) -> Diagnostics {
        let texts = Texts::declared(files, &mut wrong);
        wrong.finish(|spot| texts.filled(spot))
    }

    /// The roles that machines can have, with what each is described as.
    pub fn roles(&self) -> impl Iterator<Item = (&str, Option<&str>)> {
        self.parts.keys().map(|name| {
            let description = self.descriptions.get(name).map(String::as_str);
            (name.as_str(), description)
        })
    }

    /// Whether a role is only included, and given to no machine.
    pub fn is_partial(&self, role: &str) -> bool {
        self.partial.contains(role)
    }

    /// A role's part.
    pub fn part(&self, role: &str) -> Option<&Part> {
        self.parts.get(role)
    }

    /// One role, for who wants nothing else of the catalog: a machine with these facts.
    pub fn take(mut self, role: &str, facts: &Facts) -> Option<Taken> {
        let part = self.parts.remove(role)?;
        // Names of packages are told apart by the architecture.
        let same = facts.arch == sample::facts().arch;
        let desired = self.constant.remove(role).filter(|_| same);
        Some(Taken {
            part,
            files: self.files.into_bytes(),
            desired,
        })
    }

    /// All parts, by role.
    pub fn parts(&self) -> &BTreeMap<String, Part> {
        &self.parts
    }

    /// The node layers of a role: by node, the leaf's bytes.
    pub fn leaves(&self, role: &str) -> Option<&BTreeMap<String, Vec<u8>>> {
        self.leaves.get(role)
    }

    /// The files of the catalog, by digest, for rendering.
    pub fn files(&self) -> &Files {
        &self.files
    }
}

/// A partial role is checked within its includers: without any it is not.
fn idle(merged: &BTreeMap<String, MergedRole<'_>>, includes: &Includes, wrong: &mut Diagnostics) {
    if merged.values().any(|role| role.unclear.all) {
        return;
    }
    for (name, role) in merged.iter().filter(|(_, role)| role.own.partial) {
        if !merged.keys().any(|other| includes.includes(other, name)) {
            let start = role.own.source.place(&(0..0));
            let message = format!("no role includes the partial role {name}: it is not checked");
            wrong.push(Diagnostic::warning(&start, message));
        }
    }
}

/// `[fleet]` is that of a machine's own role, which a partial one never is.
fn counts_nowhere(role: &MergedRole<'_>, wrong: &mut Diagnostics) {
    for (name, key) in &role.own.fleet {
        let message = format!("`{name}` counts nowhere: no machine has a partial role as its own");
        let warning = Diagnostic::warning(key.name_spot(), message);
        wrong.push(warning.help("write it into [fleet] of the roles that include this one"));
    }
}

/// The texts of a catalog, read.
pub(crate) struct Texts {
    pub roles: Roles,
    pub fleet: FleetText,
    pub files: Files,
}

impl Texts {
    fn read(catalog: CatalogFiles, wrong: &mut Diagnostics) -> Self {
        let mut texts = Self::declared(&catalog, wrong);
        texts.strangers(&catalog, wrong);
        texts.files = Files::of(catalog);
        texts
    }

    /// The texts alone.
    fn declared(catalog: &CatalogFiles, wrong: &mut Diagnostics) -> Self {
        let mut texts = Self {
            roles: Roles::new(),
            fleet: FleetText::default(),
            files: Files::default(),
        };
        for (path, bytes) in &catalog.bytes {
            if path == "fleet.toml" {
                match tree::text_of("", path, bytes) {
                    Ok(source) => texts.fleet = fleet::fleet(source, wrong),
                    Err(bad) => {
                        wrong.extend(bad);
                        texts.fleet.unclear = true;
                    }
                }
            } else if let Some(name) = path.strip_suffix("/role.toml")
                && !name.contains('/')
            {
                texts.role(name, path, bytes, wrong);
            }
        }
        texts
    }

    fn role(&mut self, name: &str, path: &str, bytes: &[u8], wrong: &mut Diagnostics) {
        if !names::is_word(name) {
            let start = Source::new(name, path, "").place(&(0..0));
            wrong.push(
                Diagnostic::error(&start, format!("{name:?} cannot be the name of a role"))
                    .help("letters, digits, `-` and `_`, 64 at most; no `-` at the beginning"),
            );
        }
        match tree::text_of(name, path, bytes) {
            Ok(source) => {
                let role = declare::role(name, source, wrong);
                self.roles.insert(name.to_owned(), role);
            }
            Err(bad) => {
                wrong.extend(bad);
                let unread = RoleText::unread(name, Source::new(name, path, ""));
                self.roles.insert(name.to_owned(), unread);
            }
        }
    }

    /// Folders without a role.toml are hardly meant.
    fn strangers(&self, catalog: &CatalogFiles, wrong: &mut Diagnostics) {
        let mut folders: Vec<&str> = catalog
            .bytes
            .keys()
            .filter_map(|path| Some(path.split_once('/')?.0))
            .collect();
        folders.dedup();
        let folders: BTreeSet<&str> = folders
            .into_iter()
            .filter(|folder| !catalog.bytes.contains_key(&format!("{folder}/role.toml")))
            .collect();
        for folder in folders {
            let mut warning = no_role(folder, catalog);
            warning.severity = crate::text::diagnostic::Severity::Warning;
            wrong.push(warning);
        }
        if self.roles.is_empty() && !wrong.has_errors() {
            let deeper = catalog.bytes.keys().find_map(|path| {
                let (folder, role) = path.strip_suffix("/role.toml")?.rsplit_once('/')?;
                Some(format!("the role {role} is in {folder}: give that folder"))
            });
            let help = match catalog.bytes.contains_key("role.toml") {
                true => "this is the folder of one role: give the one above it".to_owned(),
                false => deeper.unwrap_or_else(|| {
                    "a role is a folder with a role.toml: roles/NAME/role.toml".to_owned()
                }),
            };
            wrong.push(Diagnostic::bare("no role in the catalog").help(help));
        }
    }

    fn merge<'a>(
        &'a self,
        includes: &'a Includes,
        wrong: &mut Diagnostics,
    ) -> BTreeMap<String, MergedRole<'a>> {
        let mut merged = BTreeMap::new();
        for role in self.roles.values() {
            let mut found = Diagnostics::new();
            let one = merge::merge(role, &self.roles, includes, &self.files, &mut found);
            // What a partial role's members differ in, its includers may settle.
            if !role.partial {
                wrong.extend(found);
            }
            merged.insert(role.name.clone(), one);
        }
        merged
    }

    /// The spot with its source line.
    fn filled(&self, spot: &Spot) -> Spot {
        let file = &spot.place.file;
        let role = self.roles.values().map(|role| &role.source);
        let known: Option<&Arc<Source>> = role
            .chain(&self.fleet.source)
            // Of a text that could not be read there is none to show.
            .find(|source| source.file == *file && !source.text.is_empty());
        match (known, self.files.text(file)) {
            (Some(source), _) => source.filled(spot),
            (None, Some(text)) => {
                Source::new(spot.place.role.clone(), file.clone(), text).filled(spot)
            }
            (None, None) => spot.clone(),
        }
    }
}

/// What a folder has in the place of a role.toml.
fn no_role(folder: &str, catalog: &CatalogFiles) -> Diagnostic {
    let prefix = format!("{folder}/");
    let below = catalog
        .bytes
        .keys()
        .filter_map(|path| path.strip_prefix(&prefix));
    let mut names = below.filter(|path| !path.contains('/'));
    let mut inner = catalog.bytes.keys();
    if inner.any(|path| path.starts_with(&format!("{prefix}role.toml/"))) {
        let message = format!("{prefix}role.toml is a folder, and no role: a file is wanted there");
        return Diagnostic::bare(message);
    }
    let wrong = Diagnostic::bare(format!("the folder {folder} has no role.toml"));
    let alike = |name: &&str| nearest("role.toml", [*name]).is_some();
    match names.find(alike) {
        Some(name) => wrong.help(format!("is {name} meant? it is called role.toml")),
        None => wrong,
    }
}
