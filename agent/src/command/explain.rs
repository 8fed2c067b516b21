//! `cfg explain`

use super::explained::{Explained, declares};
use super::left::Left;
use super::place::Place;
use super::{Call, apply, is_root, local, output, runtime};
use crate::client::record::Record;
use crate::client::session::Session;
use crate::config::Config;
use crate::contents::Contents;
use crate::error::{Error, Exit};
use crate::job::{Job, Role};
use crate::only::Only;
use crate::run::StateDir;
use crate::run::slot::Asks;
use cfg_catalog::id::{Kind, ResourceId};
use cfg_catalog::plan::document::DryRun;
use cfg_catalog::release::part::Declared;
use cfg_catalog::resource::Desired;
use cfg_catalog::text::near::nearest;
use clap::Args;
use serde_json::Value;
use std::path::PathBuf;
use std::str::FromStr as _;
use std::sync::Arc;

/// So many names are listed for a glob.
const MOST: usize = 5;

#[derive(Args, Debug)]
pub struct Explain {
    /// Which, as in file:/etc/hosts.
    #[arg(value_name = "RESOURCE")]
    resource: ResourceId,
    /// As one JSON document.
    #[arg(long)]
    json: bool,
    /// Take this folder for `/`.
    #[arg(long, value_name = "DIR")]
    root: Option<PathBuf>,
    /// Without a server: the catalog.
    #[arg(long, value_name = "DIR", requires = "role")]
    catalog: Option<PathBuf>,
    #[command(flatten)]
    choice: local::Choice,
}

impl Explain {
    pub fn run(self, call: &Call) -> Result<Exit, Error> {
        let config = call.config()?;
        let place = Place::of(&config, self.root.as_deref())?;
        let (role, contents) = match &self.catalog {
            Some(catalog) => {
                let taken = runtime()?.block_on(self.choice.role(catalog, &config, None))?;
                (taken.role, taken.contents)
            }
            None => {
                let (role, contents) = runtime()?.block_on(enrolled(&config, &place))?;
                (Arc::new(role), contents)
            }
        };
        let job = Job {
            role,
            contents,
            root: place.root,
            state: place.state,
            own: config.own(),
            // All of it: what others do first has a say in what is left to do here.
            only: Vec::new(),
            prune: false,
            asks: Asks::Nobody,
            index_max_age: config.index_max_age,
            lock_timeout: config.lock_timeout,
            told: &output::note,
            rendered: Default::default(),
        };
        let desired = job.desired()?;
        if let Some(why) = several(&self.resource, &desired) {
            return Err(Error::usage(why));
        }
        if let Some(left) = self.left(&job, &desired)? {
            let job = Job { prune: true, ..job };
            let left = left.with(job.dry_run()?);
            return self.show(|| Ok(left.json()), || left.text());
        }
        let id = self.known(&job.role, &desired)?;
        let plan = job.dry_run()?;
        let Some(explained) = Explained::of(&id, &desired, &job.role.part, plan) else {
            return Err(Error::usage(format!("{id} {}", missing(&id, &desired))));
        };
        self.show(|| Ok(explained.json()), || explained.text())
    }

    fn show(
        &self,
        json: impl FnOnce() -> Result<Value, Error>,
        text: impl FnOnce() -> Result<String, Error>,
    ) -> Result<Exit, Error> {
        match self.json {
            true => output::print_json(&json()?)?,
            false => output::print(&text()?)?,
        }
        Ok(Exit::Done)
    }

    /// What is left over by this name: the role does not have it, and the record does.
    fn left(&self, job: &Job, desired: &Desired) -> Result<Option<Left>, Error> {
        let id = self.resource.in_one_spelling().map_err(Error::usage)?;
        if desired.get(&id).is_some() {
            return Ok(None);
        }
        let managed = match StateDir::new(&job.state).managed() {
            Ok(managed) => managed,
            // It is for root alone.
            Err(_) if !is_root() => return Ok(None),
            Err(error) => return Err(Error::of_files(error)),
        };
        Ok(managed.tell(&id, desired).map(|told| Left::of(&id, told)))
    }

    /// The resource, if the role has it on this machine.
    fn known(&self, role: &Role, desired: &Desired) -> Result<ResourceId, Error> {
        let id = self.resource.in_one_spelling().map_err(Error::usage)?;
        let waiting = &desired.waiting;
        if desired.get(&id).is_some() || waiting.all().any(|(other, _)| other == id) {
            return Ok(id);
        }
        let mut declared = role.part.resources.iter();
        let declared = declared.find(|declared| declares(declared, &id));
        let why = match declared {
            Some(declared) => absent(declared, desired),
            None => stands_for(&id, desired).unwrap_or_else(|| missing(&id, desired)),
        };
        Err(Error::usage(format!("{id} {why}")))
    }
}

/// Why what is declared so is none of this machine's resources.
fn absent(declared: &Declared, desired: &Desired) -> String {
    let place = format!("({}:{})", declared.place.file, declared.place.line);
    let of_it = desired.resources.iter();
    let of_it = of_it.filter(|resource| resource.place == declared.place);
    let names: Vec<String> = of_it.map(|resource| resource.id.to_string()).collect();
    let (one, all) = (names.first(), names.len());
    match (one, declared.keys.contains_key("when")) {
        (Some(one), _) if all == 1 => format!("is {one} on this machine {place}"),
        (Some(one), _) => format!("is {all} of them on this machine, the first {one} {place}"),
        (None, true) => format!("is not for this machine: its `when` is false here {place}"),
        (None, false) => format!("is nothing on this machine: its `each` is empty here {place}"),
    }
}

/// What a folder is there for that no role names.
fn stands_for(id: &ResourceId, desired: &Desired) -> Option<String> {
    let below = format!("{}/", id.name);
    let mut resources = desired.resources.iter().map(|resource| &resource.id);
    let first = resources.find(|other| other.name.starts_with(&below))?;
    let role = &desired.role;
    (id.kind == Kind::Directory).then(|| {
        format!("is not in the role {role}: it is made where it is missing, since {first} is to stand in it")
    })
}

/// What is wrong with a glob where one name is wanted.
fn several(id: &ResourceId, desired: &Desired) -> Option<String> {
    let exact = id.in_one_spelling().ok();
    if id.name.contains("{{")
        || !id.name.contains(['*', '?', '[', '{'])
        || exact.is_some_and(|id| desired.get(&id).is_some())
    {
        return None;
    }
    let any = desired.resources.iter().map(|resource| &resource.id);
    // A `*` is meant for all there is.
    let all = Only::from_str(&id.to_string().replace("**", "*").replace('*', "**")).ok()?;
    let named = any.filter(|id| all.names(id));
    let names: Vec<String> = named.map(ResourceId::to_string).collect();
    let there = match names.len() {
        0 => "none of that name on this machine".to_owned(),
        n if n > MOST => format!("{} and {} more", names[..MOST].join(", "), n - MOST),
        _ => names.join(", "),
    };
    let role = &desired.role;
    Some(format!(
        "{id} is a glob, and one resource is explained at a time; role {role} has {there}"
    ))
}

fn missing(id: &ResourceId, desired: &Desired) -> String {
    let names: Vec<String> = desired.resources.iter().map(|r| r.id.to_string()).collect();
    let near = nearest(&id.to_string(), names.iter().map(String::as_str));
    let meant = near.map_or(String::new(), |name| format!("; did you mean {name}?"));
    format!(
        "is nothing that role {} has on this machine{meant}",
        desired.role
    )
}

/// The role that the server has for this machine, or that was kept.
async fn enrolled(config: &Config, place: &Place) -> Result<(Role, Contents), Error> {
    let session = Session::open(config, &place.state)?;
    let mut record = Record::load(&place.state).map_err(|e| Error::of_files(e.into()))?;
    let (assignment, memory) = apply::fetch(&session, &mut record, DryRun::Yes).await?;
    let role = Role::of(assignment, session.facts().await?);
    Ok((role, Contents::kept(session.kept.clone(), memory)))
}
