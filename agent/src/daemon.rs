//! `cfg agent`: watches the server, runs on news and at every interval, and goes on alone while the server is away.

mod anew;
mod health;
mod host;
mod line;
mod program;
mod tell;

use crate::client::assignment::Assignment;
use crate::client::backoff::{Backoff, random, splayed};
use crate::client::record::{Contact, Record, Standing};
use crate::client::report;
use crate::client::session::Session;
use crate::client::slot::Slots;
use crate::client::sync::{self, SyncError};
use crate::client::watch::Line;
use crate::clock;
use crate::config::{Config, Mode};
use crate::contents::Contents;
use crate::error::Error;
use crate::guard::Where;
use crate::job::{Document, Job, Rendered, Role};
use crate::run::slot::Asks;
use crate::run::{Lock, StateDir};
use cfg_catalog::chain;
use cfg_catalog::plan::document::DryRun;
use cfg_wire::News;
use host::{notify, status, stop_signal};
use line::Follower;
use program::Program;
use sd_notify::NotifyState;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tell::{Waits, waits_for_slot};
use tokio::sync::watch;
use tokio::time::Instant;
use tracing::{debug, info, warn};

/// Between two tries of what did not work, at first.
const FIRST_RETRY: Duration = Duration::from_secs(2);

/// How long a run of somebody else is waited for before the next try.
const BUSY_RETRY: Duration = Duration::from_secs(10);

/// Who was refused a slot asks again after this time at the latest, and half of it at the earliest.
const SLOT_RETRY: Duration = Duration::from_secs(10);

/// Runs until SIGTERM or SIGINT; a run that is under way is finished first.
///
/// # Errors
/// [`Error::Away`] where the machine is not enrolled; where its identity or state cannot be used, or another daemon runs with them.
pub async fn run(config: Config, root: PathBuf, state: PathBuf) -> Result<(), Error> {
    let stop = stop_signal()?;
    let mut daemon = Daemon::new(config, root, &state, stop)?;
    let _only = alone(&StateDir::new(&state))?;
    notify(&[NotifyState::Ready, NotifyState::Status("starting")]);
    info!(
        "watching {} as {} of fleet {}",
        daemon.session.url(),
        daemon.session.identity.name,
        daemon.session.identity.fleet
    );
    daemon.work().await;
    notify(&[NotifyState::Stopping]);
    info!("stopped");
    Ok(())
}

/// That no other daemon runs with this state. One that cannot know goes on: a full disk keeps none from its work.
fn alone(state: &StateDir) -> Result<Option<Lock>, Error> {
    match state.watch() {
        Ok(Some(lock)) => Ok(Some(lock)),
        Ok(None) => Err(Error::Busy(anyhow::anyhow!(
            "another cfg agent runs with the state folder {}",
            state.path().display()
        ))),
        Err(error) => {
            warn!("whether another cfg agent runs is not known: {error:#}");
            Ok(None)
        }
    }
}

struct Daemon {
    config: Config,
    root: PathBuf,
    session: Session,
    record: Record,
    stop: watch::Receiver<bool>,
    heard: watch::Receiver<Line>,
    follower: Option<Follower>,
    /// How often the line was broken.
    breaks: Arc<AtomicU64>,
    /// How often it was when the server was last asked: on a line that was made since another server may speak, or one that was
    /// restored.
    asked: u64,
    /// The news that were dealt with.
    handled: Option<News>,
    retry: Backoff,
    /// What the present run is made of.
    running: News,
    /// What this machine has made of itself, where the server was not told yet.
    untold: Option<News>,
    /// What it was told last.
    told: Option<News>,
    /// The contact of the last asking, where the line broke since.
    answered: Option<Contact>,
    /// The last warning about the server.
    said: Option<String>,
    /// What it said of runs that only wait.
    waits: Waits,
    /// What the server hears of the machine's health.
    health: Arc<health::Standing>,
    program: Option<Program>,
    rendered: Arc<Rendered>,
    /// What the last run brought about, where all of it was so in the end, or waits for a slot: while the line says
    /// nothing new, that is the role.
    converged: Option<Arc<Role>>,
}

/// Why it is time to do something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reason {
    /// The interval is over, or it is the first time.
    Interval,
    /// The server has something new.
    News,
}

/// What came of it: when to look again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    /// At the next interval.
    Interval,
    /// After this time.
    After(Duration),
    /// Never: it is time to end.
    Stop,
}

impl Daemon {
    fn new(
        config: Config,
        root: PathBuf,
        state: &Path,
        stop: watch::Receiver<bool>,
    ) -> Result<Self, Error> {
        let session = Session::open(&config, state)?;
        let record = Record::load(state).map_err(|error| Error::of_files(error.into()))?;
        let (_, heard) = watch::channel(Line::Dialling);
        let rendered: Arc<Rendered> = Arc::default();
        let place = match config.mode {
            Mode::Observe => Where::ShutIn,
            Mode::Enforce => Where::Open,
        };
        let failed = record.last.as_ref();
        let failed = failed.is_some_and(|last| last["result"] == "failed");
        let paths = (root.clone(), StateDir::new(&session.state));
        let health = health::Standing::new(rendered.clone(), paths, place, failed);
        Ok(Self {
            retry: Backoff::new(FIRST_RETRY, config.interval),
            config,
            root,
            session,
            record,
            stop,
            heard,
            follower: None,
            breaks: Arc::default(),
            asked: 0,
            handled: None,
            running: News::default(),
            untold: None,
            told: None,
            answered: None,
            said: None,
            waits: Waits::default(),
            health: Arc::new(health),
            program: Program::now(),
            rendered,
            converged: None,
        })
    }

    async fn work(&mut self) {
        let mut reason = Reason::Interval;
        loop {
            let due = match self.cycle(reason).await {
                Next::Stop => break,
                Next::After(wait) => Instant::now() + wait,
                Next::Interval => {
                    self.retry.reset();
                    let Config {
                        interval, splay, ..
                    } = self.config;
                    Instant::now() + splayed(interval, splay, random())
                }
            };
            match self.wait(due).await {
                Some(why) => reason = why,
                None => break,
            }
        }
        self.follower = None;
    }

    /// Until it is time, there is news, or the end has come.
    async fn wait(&mut self, due: Instant) -> Option<Reason> {
        let mut fresh = self.heard.has_changed().unwrap_or(false);
        loop {
            let line = self.heard.borrow_and_update().clone();
            match line {
                Line::Hears(news) if self.handled != Some(news) => return Some(Reason::News),
                Line::Hears(_) => {
                    // Who left something undone may have been mended by hand meanwhile, and others wait to hear of it.
                    if self.note_mended() && self.converged.is_none() {
                        return Some(Reason::Interval);
                    }
                    let mut stop = self.stop.clone();
                    tokio::select! {
                        biased;
                        _ = stop.wait_for(|stop| *stop) => return None,
                        () = self.send_waiting() => {}
                    }
                }
                Line::Broken { why, standing } if fresh => {
                    if self.begin_anew() {
                        return Some(Reason::Interval);
                    }
                    self.note_broken(standing, &why);
                }
                Line::Broken { .. } | Line::Dialling => {}
            }
            tokio::select! {
                biased;
                _ = self.stop.wait_for(|stop| *stop) => return None,
                changed = self.heard.changed() => match changed {
                    Ok(()) => fresh = true,
                    Err(_) => {
                        // The line's task is gone, which only a bug can do: the next cycle begins another.
                        self.follower = None;
                        tokio::time::sleep(FIRST_RETRY).await;
                        return Some(Reason::Interval);
                    }
                },
                () = tokio::time::sleep_until(due) => return Some(Reason::Interval),
            }
        }
    }

    async fn cycle(&mut self, reason: Reason) -> Next {
        let mut stop = self.stop.clone();
        let prepared = tokio::select! {
            biased;
            _ = stop.wait_for(|stop| *stop) => return Next::Stop,
            prepared = self.prepare(reason) => prepared,
        };
        let job = match prepared {
            Ok(job) => job,
            Err(next) => return next,
        };
        let document = match self.perform(job).await {
            Ok(document) => document,
            Err(next) => return next,
        };
        self.tell(&document).await;
        if *self.stop.borrow() {
            return Next::Stop;
        }
        if Program::now().is_some_and(|now| self.program != Some(now)) {
            info!("cfg itself was replaced: starting again as the new one");
            return Next::Stop;
        }
        if waits_for_slot(&document) {
            self.retry.reset();
            let most = SLOT_RETRY.min(self.config.interval);
            return Next::After(Backoff::new(most, most).wait(random()));
        }
        Next::Interval
    }

    /// All that comes before a run; or when to try again.
    async fn prepare(&mut self, reason: Reason) -> Result<Job, Next> {
        self.begin_anew();
        let facts = match self.session.facts().await {
            Ok(facts) => facts,
            Err(error) => {
                warn!("{error}");
                status(&error.to_string());
                return Err(Next::After(self.retry.wait(random())));
            }
        };
        match self.session.renew_when_due().await {
            Ok(false) => {}
            Ok(true) => {
                info!("the certificate is renewed");
                self.follower = None;
            }
            Err(error) => warn!("the certificate is not renewed: {}", chain(&error)),
        }
        self.follow(report::value(&facts.for_server()).to_string().into_bytes());
        let heard = match &*self.heard.borrow() {
            Line::Hears(news) => Some(*news),
            _ => None,
        };
        if let Some(role) = self.standing(reason, heard) {
            return Ok(self.job(role.with(facts)));
        }
        self.asked = self.breaks.load(Ordering::Relaxed);
        let asked = sync::update(
            &self.session.server,
            self.session.whose(),
            &self.session.kept,
        )
        .await;
        // The answer is newer than a break of the line that nobody has looked at yet.
        self.heard.mark_unchanged();
        self.note_contact(&asked);
        let assignment = match asked {
            Ok(assignment) => {
                self.handled = heard.or(Some(assignment.news()));
                assignment
            }
            Err(error) => {
                // Not at once again: newer news come at once anyway, and else it is tried after a while.
                self.handled = heard;
                if error.is_passing() && reason == Reason::News {
                    return Err(Next::After(self.retry.wait(random())));
                }
                self.last_good(&error)?
            }
        };
        self.running = assignment.news();
        Ok(self.job(Arc::new(Role::of(assignment, facts))))
    }

    /// The role of the last run, where the server need not be asked for it: the line stands since it was asked and says nothing new,
    /// and nothing of what is kept was found to be missing.
    fn standing(&mut self, reason: Reason, heard: Option<News>) -> Option<Arc<Role>> {
        let role = self.converged.take()?;
        let same = heard.is_some() && heard == self.handled && reason == Reason::Interval;
        let same = same && self.asked == self.breaks.load(Ordering::Relaxed);
        let current = |contact: &Contact| contact.standing == Standing::Current;
        if !same || !self.record.contact.as_ref().is_some_and(current) {
            return None;
        }
        // Such a line is an answer.
        self.record
            .asked(clock::now(), Ok::<_, &SyncError>(()), self.session.peer());
        Some(role)
    }

    /// The role as it was kept; or when to ask again.
    fn last_good(&mut self, error: &SyncError) -> Result<Assignment, Next> {
        let wait = |daemon: &mut Self| {
            if error.is_passing() {
                Next::After(daemon.retry.wait(random()))
            } else {
                Next::Interval
            }
        };
        match self.session.kept.load(self.session.whose()) {
            Ok(Some(assignment)) => Ok(assignment),
            Ok(None) => {
                status(&format!("no role yet: {error}"));
                Err(wait(self))
            }
            Err(kept) => {
                warn!("{}", chain(&kept));
                Err(wait(self))
            }
        }
    }

    fn job(&self, role: Arc<Role>) -> Job {
        Job {
            role,
            rendered: Arc::clone(&self.rendered),
            contents: Contents::kept(self.session.kept.clone(), Default::default()),
            root: self.root.clone(),
            state: self.session.state.clone(),
            own: self.config.own(),
            only: Vec::new(),
            prune: false,
            asks: Asks::First(Arc::new(Slots::of(&self.session.server, self.running))),
            index_max_age: self.config.index_max_age,
            lock_timeout: self.config.lock_timeout,
            told: &|text| info!("{text}"),
        }
    }

    /// The run itself, which nothing cuts short; or when to try again.
    async fn perform(&mut self, job: Job) -> Result<Document, Next> {
        status(&format!("running role {}", job.role.name()));
        let dry_run = match self.config.mode {
            Mode::Observe => DryRun::Yes,
            Mode::Enforce => DryRun::No,
        };
        let role = Arc::clone(&job.role);
        let run = tokio::task::spawn_blocking(move || {
            let document = match dry_run {
                DryRun::Yes => job.dry_run(),
                DryRun::No => job.apply(),
            };
            document.or_else(|error| match error {
                Error::Busy(_) => Err(error),
                error => Ok(job.failed(&error, dry_run)),
            })
        });
        match run.await {
            Ok(Ok(mut document)) => {
                document.rejected = self.record.rejected();
                let rests = document.exit_code() == 0 || waits_for_slot(&document);
                self.converged = rests.then_some(role);
                Ok(document)
            }
            Ok(Err(busy)) => {
                debug!("{busy}");
                status("another run is under way");
                Err(Next::After(BUSY_RETRY))
            }
            Err(error) => {
                warn!("the run ended by itself: {error}");
                Err(Next::After(self.retry.wait(random())))
            }
        }
    }
}
