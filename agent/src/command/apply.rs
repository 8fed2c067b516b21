//! `cfg apply`

use super::place::Place;
use super::{Call, is_root, local, output, runtime};
use crate::client::record::{Record, Standing};
use crate::client::report;
use crate::client::session::Session;
use crate::client::slot::Slots;
use crate::client::sync::{self, SyncError};
use crate::clock;
use crate::config::Config;
use crate::contents::Contents;
use crate::error::{Error, Exit};
use crate::job::{Document, Job, Role};
use crate::only::Only;
use crate::run::slot::Asks;
use cfg_catalog::chain;
use cfg_catalog::plan::document::DryRun;
use clap::Args;
use std::path::{Path, PathBuf};
use std::sync::Arc;

#[derive(Args, Debug)]
pub struct Apply {
    /// Show what would change, and change nothing.
    #[arg(long)]
    dry_run: bool,
    /// The plan or the run as one JSON document.
    #[arg(long)]
    json: bool,
    /// Only these resources, with what they must come after.
    #[arg(long, value_name = "KIND:GLOB")]
    only: Vec<Only>,
    /// Take this folder for `/`.
    #[arg(long, value_name = "DIR")]
    root: Option<PathBuf>,
    /// Without a server: the catalog.
    #[arg(long, value_name = "DIR", requires = "role")]
    catalog: Option<PathBuf>,
    #[command(flatten)]
    choice: local::Choice,
    /// Bring what has left the role back to what was there before cfg.
    #[arg(long, conflicts_with = "only")]
    prune: bool,
    /// Do not wait until this machine may disrupt what it does; --why goes into the records.
    #[arg(long, requires = "why", conflicts_with_all = ["catalog", "dry_run"])]
    without_slot: bool,
    /// Why that is right now, in a line.
    #[arg(long, value_name = "TEXT", requires = "without_slot", value_parser = reason)]
    why: Option<String>,
    #[arg(long, hide = true, value_name = "FILE")]
    plan: Option<PathBuf>,
    #[arg(long, hide = true, value_name = "FILE")]
    save_plan: Option<PathBuf>,
}

impl Apply {
    pub fn run(self, call: &Call) -> Result<Exit, Error> {
        for (given, what) in [
            (self.plan.is_some(), "`cfg apply --plan`"),
            (self.save_plan.is_some(), "`cfg apply --save-plan`"),
        ] {
            if given {
                return Err(Error::later(what));
            }
        }
        self.choice.set()?;
        let config = call.config()?;
        let place = Place::of(&config, self.root.as_deref())?;
        if !self.dry_run && place.is_machine && !is_root() {
            return Err(Error::NeedsRoot(anyhow::anyhow!(
                "changing this machine takes root; --dry-run shows what would change, --root DIR changes a folder"
            )));
        }
        match &self.catalog {
            Some(catalog) => self.local(&config, &place, catalog),
            None => runtime()?.block_on(self.enrolled(&config, &place)),
        }
    }

    fn local(&self, config: &Config, place: &Place, catalog: &Path) -> Result<Exit, Error> {
        if !self.dry_run
            && place.is_machine
            && crate::client::identity::Identity::exists(&config.identity)
        {
            return Err(Error::usage(
                "this machine is enrolled and gets its role from the server; a run from a folder needs `cfg pause`, \
                 which is not in this version (--dry-run and --root DIR work)",
            ));
        }
        let role = self.choice.role(catalog, config, Some(&place.state));
        let taken = runtime()?.block_on(role)?;
        let job = Job {
            rendered: taken.rendered,
            ..self.job(config, place, taken.role, taken.contents)
        };
        let document = perform(&job, self.manner())?;
        if let (Some(place), false) = (&taken.keep, self.dry_run) {
            place.keep(&job.role.part, job.role.leaf.as_deref());
        }
        // The process ends: of a large role it takes a while to give back all that it is made of, piece by piece.
        std::mem::forget(job);
        self.show(&document)
    }

    async fn enrolled(&self, config: &Config, place: &Place) -> Result<Exit, Error> {
        let mut session = Session::open(config, &place.state)?;
        let mut record = Record::load(&place.state).map_err(|e| Error::of_files(e.into()))?;
        let (assignment, memory) = fetch(&session, &mut record, self.manner()).await?;
        let contact = record.contact.as_ref();
        let reached = contact.is_some_and(|contact| contact.standing == Standing::Current);
        // A machine without the daemon has nobody else who would.
        if reached
            && !self.dry_run
            && let Err(error) = session.renew_when_due().await
        {
            let why = chain(&error);
            output::note(&format!("warning: the certificate is not renewed: {why}"));
        }
        let news = assignment.news();
        let role = Arc::new(Role::of(assignment, session.facts().await?));
        let contents = Contents::kept(session.kept.clone(), memory);
        let asks = match &self.why {
            Some(why) => Asks::Not(why.clone()),
            None => Asks::First(Arc::new(Slots::of(&session.server, news))),
        };
        let job = Job {
            asks,
            ..self.job(config, place, role, contents)
        };
        let manner = self.manner();
        // On a thread of its own, so that the connection to the server lives on meanwhile.
        let mut document = tokio::task::spawn_blocking(move || perform(&job, manner))
            .await
            .map_err(|error| Error::Failed(error.into()))??;
        document.rejected = record.rejected();
        if self.dry_run {
            return self.show(&document);
        }
        let value = report::value(&document);
        record.ran(clock::now(), &value);
        let mut handed = match report::keep(&session.spool, &value) {
            Ok(()) => report::flush(&session.server, &session.spool).await,
            Err(error) => Err(error),
        };
        if reached && document.is_settled() && handed.is_ok() {
            handed = session.server.settle(news).await.map_err(Into::into);
        }
        if let Err(error) = handed {
            output::note(&format!("warning: {}", chain(error.as_ref())));
        }
        record
            .store(&place.state)
            .map_err(|error| Error::of_files(error.into()))?;
        self.show(&document)
    }

    fn manner(&self) -> DryRun {
        if self.dry_run {
            DryRun::Yes
        } else {
            DryRun::No
        }
    }

    fn job(&self, config: &Config, place: &Place, role: Arc<Role>, contents: Contents) -> Job {
        Job {
            role,
            rendered: Default::default(),
            contents,
            root: place.root.clone(),
            state: place.state.clone(),
            own: config.own(),
            only: self.only.clone(),
            prune: self.prune,
            asks: Asks::Nobody,
            index_max_age: config.index_max_age,
            lock_timeout: config.lock_timeout,
            told: &output::note,
        }
    }

    fn show(&self, document: &Document) -> Result<Exit, Error> {
        if self.json {
            output::print_json(document)?;
        } else {
            output::print(&output::run(document))?;
        }
        Ok(output::exit(document))
    }
}

/// The most characters of a reason.
const MOST_WHY: usize = 200;

fn reason(text: &str) -> Result<String, String> {
    let text = text.trim();
    if text.is_empty() || text.chars().any(char::is_control) {
        return Err("a line of text is wanted".into());
    }
    if text.chars().count() > MOST_WHY {
        return Err(format!("more than {MOST_WHY} characters"));
    }
    Ok(text.to_owned())
}

fn perform(job: &Job, dry_run: DryRun) -> Result<Document, Error> {
    match dry_run {
        DryRun::Yes => job.dry_run(),
        DryRun::No => job.apply(),
    }
}

/// The role as the server has it; as it was kept, where the server is away.
pub(super) async fn fetch(
    session: &Session,
    record: &mut Record,
    dry_run: DryRun,
) -> Result<
    (
        crate::client::assignment::Assignment,
        crate::contents::Memory,
    ),
    Error,
> {
    let whose = session.whose();
    let asked = if dry_run == DryRun::Yes {
        sync::look(&session.server, whose, &session.kept).await
    } else {
        let updated = sync::update(&session.server, whose, &session.kept).await;
        updated.map(|assignment| (assignment, Default::default()))
    };
    record.asked(clock::now(), asked.as_ref().map(|_| ()), session.peer());
    let error = match asked {
        Ok(fetched) => return Ok(fetched),
        Err(SyncError::Kept(error)) => return Err(Error::of_files(error.into())),
        Err(error) => anyhow::Error::new(error),
    };
    match session.kept.load(whose) {
        Ok(Some(assignment)) => {
            output::note(&format!(
                "warning: {}; going on with release {} as it was kept",
                chain(error.as_ref()),
                assignment.envelope.sequence
            ));
            Ok((assignment, Default::default()))
        }
        Ok(None) => Err(Error::Away(error.context("no role is kept, and none came"))),
        Err(kept) => Err(Error::Away(error.context(chain(&kept)))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_is_a_line_that_says_something() {
        assert_eq!(reason(" the site is down ").unwrap(), "the site is down");
        assert!(reason(&"x".repeat(MOST_WHY)).is_ok());
        for wrong in [
            "",
            "  ",
            "two\nlines",
            "\u{1b}[31m",
            &"x".repeat(MOST_WHY + 1),
        ] {
            assert!(reason(wrong).is_err(), "{wrong:?}");
        }
    }
}
