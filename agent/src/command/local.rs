//! A catalog in a folder: read, checked, and one of its roles taken for this machine.

use super::{others, output};
use crate::client::session;
use crate::compiled;
use crate::config::Config;
use crate::contents::Contents;
use crate::error::Error;
use crate::folder::read_catalog;
use crate::job::{Rendered, Role};
use crate::secrets;
use anyhow::Context as _;
use cfg_catalog::facts::Facts;
use cfg_catalog::fleet::{FleetView, Me};
use cfg_catalog::release::part::Part;
use cfg_catalog::resource::Desired;
use cfg_catalog::{Catalog, Diagnostics, Secrets};
use clap::Args;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Which role of a folder, and with which values.
#[derive(Args, Debug)]
pub struct Choice {
    /// The role.
    #[arg(long, value_name = "NAME", requires = "catalog")]
    role: Option<String>,
    /// A param's value, over all others; may be given more than once.
    #[arg(long, value_name = "KEY=VALUE", requires = "catalog", value_parser = pair)]
    set: Vec<(String, String)>,
    /// The other machines, as TOML or JSON.
    #[arg(long, value_name = "FILE", requires = "catalog")]
    fleet: Option<PathBuf>,
    /// The values of secret params, as TOML: NAME = "value". Nobody but its owner may read it.
    #[arg(long, value_name = "FILE", requires = "catalog")]
    secrets: Option<PathBuf>,
}

/// One role of a catalog, on this machine.
pub struct Local {
    /// The role.
    pub role: Arc<Role>,
    /// What it comes to, where that is known already.
    pub rendered: Arc<Rendered>,
    /// Contents of its files.
    pub contents: Contents,
    /// Where the role may be kept for the next run.
    pub keep: Option<compiled::Place>,
}

/// A role of a catalog before it is rendered.
struct Read {
    part: Part,
    leaf: Option<Vec<u8>>,
    contents: Contents,
    /// What this machine must be, where the role does not hang on it.
    desired: Option<Desired>,
    keep: Option<compiled::Place>,
}

fn pair(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.into(), value.into())),
        _ => Err("KEY=VALUE is wanted".into()),
    }
}

impl Choice {
    /// `--set`, each param once.
    pub fn set(&self) -> Result<BTreeMap<String, String>, Error> {
        let mut set = BTreeMap::new();
        for (key, value) in &self.set {
            if set.insert(key.clone(), value.clone()).is_some() {
                return Err(Error::usage(format!("--set {key} is given twice")));
            }
        }
        Ok(set)
    }

    /// The role of this catalog, with this machine's facts; where it is kept in `state` and nothing has changed since, without reading
    /// the catalog again.
    pub async fn role(
        &self,
        catalog: &Path,
        config: &Config,
        state: Option<&Path>,
    ) -> Result<Local, Error> {
        let set = self.set()?;
        let secrets = match &self.secrets {
            Some(path) => secrets::read(path)?,
            None => Secrets::default(),
        };
        let fleet = match &self.fleet {
            Some(path) => others::read(path)?,
            None => FleetView::default(),
        };
        let facts = session::facts_of(config).await?;
        let node = config.node.as_ref().unwrap_or(&facts.hostname).clone();
        let read = self.read(catalog, (&node, &facts), &set, state)?;
        let name = self.name();
        let mut members = fleet.roles.get(name).into_iter().flatten();
        let me = members.find(|member| member.name == node).map(|member| Me {
            name: member.name.clone(),
            id: member.id,
            admitted: true,
            joining: false,
        });
        let role = Role {
            me,
            node,
            part: read.part,
            leaf: read.leaf,
            fleet,
            facts,
            set,
            secrets,
            release: None,
        };
        let role = Arc::new(role);
        // Where a value of `--set` does not fit, rendering tells.
        let desired = read.desired.filter(|_| role.set.is_empty());
        Ok(Local {
            rendered: Arc::new(Rendered::known(&role, desired)),
            role,
            contents: read.contents,
            keep: read.keep,
        })
    }

    fn name(&self) -> &str {
        self.role.as_deref().unwrap_or_default()
    }

    fn read(
        &self,
        folder: &Path,
        (node, facts): (&str, &Facts),
        set: &BTreeMap<String, String>,
        state: Option<&Path>,
    ) -> Result<Read, Error> {
        let name = self.name();
        let place = state.and_then(|state| compiled::Place::of(state, folder, (name, node), set));
        if let Some((part, leaf)) = place.as_ref().and_then(compiled::Place::load) {
            let files = part.files.iter();
            let files = files.map(|(path, blob)| (blob.digest, path.as_str()));
            return Ok(Read {
                contents: Contents::folder(folder, files),
                part,
                leaf,
                desired: None,
                keep: None,
            });
        }
        let (catalog, warned) = checked(folder, set)?;
        if catalog.part(name).is_none() {
            let known = roles(&catalog).join(", ");
            let message = match catalog.is_partial(name) {
                true => format!(
                    "the role \"{name}\" is partial: no machine has it as its own; there are {known}"
                ),
                false => format!("there is no role \"{name}\"; there are {known}"),
            };
            return Err(Error::usage(message));
        }
        let leaves = catalog.leaves(name);
        let leaf = leaves.and_then(|leaves| leaves.get(node).cloned());
        let taken = catalog.take(name, facts).context("the role was there")?;
        Ok(Read {
            part: taken.part,
            leaf,
            contents: Contents::read(folder, taken.files),
            desired: taken.desired,
            // What is warned of is to be said each time.
            keep: place.filter(|_| warned.is_empty()),
        })
    }
}

/// Reads and checks a catalog; warnings go to stderr.
pub fn load(folder: &Path, set: &BTreeMap<String, String>) -> Result<Catalog, Error> {
    checked(folder, set).map(|(catalog, _)| catalog)
}

/// The same with these warnings.
pub fn checked(
    folder: &Path,
    set: &BTreeMap<String, String>,
) -> Result<(Catalog, Diagnostics), Error> {
    let files = read_catalog(folder).map_err(Error::of_diagnostics)?;
    let (catalog, warnings) = Catalog::load_with(files, set).map_err(Error::of_diagnostics)?;
    if !warnings.is_empty() {
        output::note(warnings.coloured().trim_end());
    }
    Ok((catalog, warnings))
}

/// The names of the roles that machines can have.
pub fn roles(catalog: &Catalog) -> Vec<&str> {
    catalog.roles().map(|(name, _)| name).collect()
}
