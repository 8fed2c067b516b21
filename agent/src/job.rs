//! One role on this machine: rendered, then planned or applied.

use crate::apt::Settings;
use crate::client::assignment::Assignment;
use crate::contents::Contents;
use crate::error::Error;
use crate::machine::Root;
use crate::only::Only;
use crate::run::slot::Asks;
use crate::run::{self, Context, RunError, StateDir};
use cfg_catalog::digest::Digest;
use cfg_catalog::facts::Facts;
use cfg_catalog::fleet::{FleetView, Me};
use cfg_catalog::id::ResourceId;
pub use cfg_catalog::plan::document::Document;
use cfg_catalog::plan::document::{DryRun, Head};
use cfg_catalog::release::part::Part;
use cfg_catalog::resource::Desired;
use cfg_catalog::{Inputs, Secrets, render};
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// All that a role is rendered from.
#[derive(Clone, Debug, PartialEq)]
pub struct Role {
    /// The role's part.
    pub part: Part,
    /// This node's own layer.
    pub leaf: Option<Vec<u8>>,
    /// The other machines.
    pub fleet: FleetView,
    /// Which of them this is.
    pub me: Option<Me>,
    /// What this machine is called among them.
    pub node: String,
    /// What the agent found out about this machine.
    pub facts: Facts,
    /// `--set`.
    pub set: BTreeMap<String, String>,
    /// `--secrets`.
    pub secrets: Secrets,
    /// The release, where a server gave it.
    pub release: Option<Digest>,
}

/// One run, or one plan.
pub struct Job {
    /// What this machine must be.
    pub role: Arc<Role>,
    /// What that came to when it was last rendered.
    pub rendered: Arc<Rendered>,
    /// Contents of its files.
    pub contents: Contents,
    /// What is taken for `/`.
    pub root: PathBuf,
    /// Where the agent keeps what it knows of this root.
    pub state: PathBuf,
    /// What else is the agent's own: where it lies below this root, it goes by no purge.
    pub own: Vec<PathBuf>,
    /// Only these; all where empty.
    pub only: Vec<Only>,
    /// What left the role is brought back to what was there before cfg.
    pub prune: bool,
    /// Who is asked before a run disrupts what the machine does.
    pub asks: Asks,
    /// How old apt's lists may be.
    pub index_max_age: Duration,
    /// How long a run may wait for others that use apt or dpkg.
    pub lock_timeout: Duration,
    /// Hears what is waited for.
    pub told: &'static (dyn Fn(&str) + Sync),
}

/// The last rendering of a role, for as long as everything that it was made from is the same: a role is a function of
/// that, its files' contents among it by their digests.
#[derive(Debug, Default)]
pub struct Rendered(Mutex<Option<(Arc<Role>, Arc<Desired>)>>);

impl Rendered {
    /// Of this role it is known already.
    pub fn known(role: &Arc<Role>, desired: Option<Desired>) -> Self {
        let known = desired.map(|desired| (Arc::clone(role), Arc::new(desired)));
        Self(Mutex::new(known))
    }

    /// Whether there is one. Does not wait for one that is being made.
    pub fn is_known(&self) -> bool {
        self.0.try_lock().is_ok_and(|last| last.is_some())
    }

    /// What it came to.
    pub fn last(&self) -> Option<Arc<Desired>> {
        let last = self.0.lock().unwrap_or_else(|broken| broken.into_inner());
        last.as_ref().map(|(_, desired)| Arc::clone(desired))
    }

    /// What this machine must be.
    fn of(&self, role: &Arc<Role>, contents: &Contents) -> Result<Arc<Desired>, Error> {
        let mut last = self.0.lock().unwrap_or_else(|broken| broken.into_inner());
        if let Some((same, desired)) = &*last
            && (Arc::ptr_eq(same, role) || same == role)
        {
            return Ok(Arc::clone(desired));
        }
        let desired = Arc::new(role.render(contents)?);
        *last = Some((Arc::clone(role), Arc::clone(&desired)));
        Ok(desired)
    }
}

impl Role {
    /// Of a release, with the facts of this machine.
    pub fn of(assignment: Assignment, facts: Facts) -> Self {
        Self {
            release: Some(assignment.envelope.release),
            part: assignment.part,
            leaf: assignment.leaf,
            fleet: assignment.view,
            node: assignment.me.name.clone(),
            me: Some(assignment.me),
            facts,
            set: BTreeMap::new(),
            secrets: Secrets::default(),
        }
    }

    /// The number of its view of the fleet, where a server gave it.
    fn view(&self) -> Option<u64> {
        self.release.map(|_| self.fleet.number)
    }

    /// The same with these facts.
    pub fn with(self: &Arc<Self>, facts: Facts) -> Arc<Self> {
        match self.facts == facts {
            true => Arc::clone(self),
            false => Arc::new(Self {
                facts,
                ..Self::clone(self)
            }),
        }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.part.role
    }

    /// What this machine must be.
    ///
    /// # Errors
    /// [`Error::Catalog`] where the role does not fit this machine, [`Error::Usage`] where a value of `--set` does not
    /// fit the role, [`Error::Config`] where a secret is not at hand.
    pub fn render(&self, contents: &Contents) -> Result<Desired, Error> {
        let inputs = Inputs {
            facts: &self.facts,
            fleet: &self.fleet,
            me: self.me.as_ref(),
            node: &self.node,
            leaf: self.leaf.as_deref(),
            set: &self.set,
            secrets: &self.secrets,
        };
        render(&self.part, &inputs, contents).map_err(Error::of_diagnostics)
    }
}

impl Job {
    /// What would change. Nothing is written. Not to be called where asynchronous tasks run.
    ///
    /// # Errors
    /// Where the role does not fit this machine, or `only` names nothing.
    pub fn dry_run(&self) -> Result<Document, Error> {
        self.with(run::dry_run)
    }

    /// Changes it. Not to be called where asynchronous tasks run.
    ///
    /// # Errors
    /// As above; [`Error::Busy`] where another run is under way.
    pub fn apply(&self) -> Result<Document, Error> {
        self.with(run::apply)
    }

    /// What the machine must be; rendered once.
    ///
    /// # Errors
    /// As [`Role::render`].
    pub fn desired(&self) -> Result<Arc<Desired>, Error> {
        self.rendered.of(&self.role, &self.contents)
    }

    fn with(&self, act: fn(&Context<'_>) -> Result<Document, RunError>) -> Result<Document, Error> {
        let desired = self.desired()?;
        let only = self.chosen(&desired)?;
        let root = Root::open(&self.root).map_err(|error| Error::of_files(error.into()))?;
        let context = Context {
            root: &root,
            state: &StateDir::new(&self.state),
            own: &self.own,
            desired: &desired,
            blobs: &self.contents,
            host: self.host(),
            release: self.role.release,
            view: self.role.view(),
            only: only.as_ref(),
            prune: self.prune,
            asks: &self.asks,
            apt: Settings {
                index_max_age: self.index_max_age,
                lock_timeout: self.lock_timeout,
            },
            told: self.told,
        };
        act(&context).map_err(|error| match error {
            RunError::Busy => Error::Busy(error.into()),
            RunError::NeedsRoot => Error::NeedsRoot(error.into()),
            RunError::Cycle(_) => Error::Catalog(error.into()),
            RunError::Other(error) => Error::of_files(error),
        })
    }

    /// The machine's name among others: the node's, else the host's.
    fn host(&self) -> &str {
        let me = self.role.me.as_ref();
        me.map_or(&self.role.facts.hostname, |me| &me.name)
    }

    /// The document of a run that could not begin.
    pub fn failed(&self, error: &Error, dry_run: DryRun) -> Document {
        let head = Head {
            host: self.host().into(),
            role: Some(self.role.name().into()),
            release: self.role.release,
            view: self.role.view(),
            without_slot: self.asks.without().map(str::to_owned),
            started: crate::clock::now().to_string(),
            ..Head::default()
        };
        Document::of_error(head, dry_run, error.to_string())
    }

    /// The resources that `only` names; none where it names none, which means all.
    fn chosen(&self, desired: &Desired) -> Result<Option<BTreeSet<ResourceId>>, Error> {
        if self.only.is_empty() {
            return Ok(None);
        }
        let mut chosen = BTreeSet::new();
        let waiting = desired.waiting.named().map(|(id, _)| id);
        let all = desired.resources.iter().map(|r| &r.id).chain(waiting);
        let all: Vec<&ResourceId> = all.collect();
        for only in &self.only {
            let before = chosen.len();
            let named = all.iter().copied().filter(|id| only.names(id));
            chosen.extend(named.cloned());
            // One that an earlier pattern has named already is named all the same.
            if chosen.len() == before && !chosen.iter().any(|id| only.names(id)) {
                return Err(Error::usage(format!(
                    "--only {}: role {} has no such resource on this machine{}",
                    only.text(),
                    desired.role,
                    only.meant(&all)
                )));
            }
        }
        Ok(Some(chosen))
    }
}
