//! Whether this machine is healthy, for the server: by the role that was rendered last, beside a run as well.

use crate::guard::Where;
use crate::job::Rendered;
use crate::run::StateDir;
use crate::run::health;
use crate::run::site::Healthy;
use cfg_catalog::resource::Health;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::time::Instant;

/// So long the answer may take; and so long it is waited for a role after the daemon began.
const PATIENCE: Duration = Duration::from_secs(10);

/// Between two looks whether there is a role by now.
const PAUSE: Duration = Duration::from_millis(100);

/// What is known of it.
pub struct Standing {
    rendered: Arc<Rendered>,
    root: PathBuf,
    place: Where,
    /// What is known of this machine's root.
    state: StateDir,
    /// A run may disrupt what this machine does, or goes on though it may no more.
    disrupting: Arc<AtomicBool>,
    /// The last run failed, be it of this daemon or one before.
    failed: AtomicBool,
    /// This daemon has come to the end of a run.
    ran: AtomicBool,
}

impl Standing {
    /// Of a machine whose last run, before this daemon began, has failed or not.
    pub fn new(
        rendered: Arc<Rendered>,
        (root, state): (PathBuf, StateDir),
        place: Where,
        failed: bool,
    ) -> Self {
        Self {
            rendered,
            root,
            place,
            state,
            disrupting: Arc::default(),
            failed: failed.into(),
            ran: false.into(),
        }
    }

    /// Set while a run has a slot, until it is over: others may not count on this machine then, even where the slot ended before it.
    pub fn disrupting(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.disrupting)
    }

    /// A run is over.
    pub fn ran(&self, failed: bool) {
        self.failed.store(failed, Ordering::Relaxed);
        self.ran.store(true, Ordering::Relaxed);
    }

    /// Asks the role's health, once; by the last run where the role has none, or there is no role. None where nothing
    /// is known in time, or it cannot be asked.
    pub async fn ask(self: Arc<Self>) -> Option<bool> {
        let deadline = Instant::now() + PATIENCE;
        while !self.rendered.is_known() && !self.ran.load(Ordering::Relaxed) {
            if Instant::now() >= deadline {
                return None;
            }
            tokio::time::sleep(PAUSE).await;
        }
        let healthy = tokio::task::spawn_blocking(move || self.is_healthy()).await;
        healthy.ok().flatten()
    }

    fn is_healthy(&self) -> Option<bool> {
        if self.disrupting.load(Ordering::Relaxed) {
            return Some(false);
        }
        let desired = self.rendered.last();
        let Some(asked) = desired.as_ref().and_then(|desired| desired.health.as_ref()) else {
            return Some(!self.failed.load(Ordering::Relaxed));
        };
        let passes = |asked: &Health| match health::ask(&self.root, asked, self.place, PATIENCE) {
            Healthy::Yes => Some(true),
            Healthy::No(_) => Some(false),
            Healthy::Unknown(why) => {
                tracing::debug!("whether this machine is healthy: {why}");
                None
            }
        };
        let now = passes(asked);
        if now == Some(true) {
            return now;
        }
        // What still runs as a former release made it can be healthy by the former health alone.
        match health::former(asked, self.state.health().ok().flatten()) {
            Some(former) => passes(&former).filter(|former| *former || now.is_some()),
            None => now,
        }
    }
}
