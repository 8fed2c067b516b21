//! Whether this machine is healthy, for the server: by the role that was rendered last, beside a run as well.

use crate::apt;
use crate::effect::Effects;
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
    /// The last run failed, be it of this daemon or one before.
    failed: AtomicBool,
    /// This daemon has come to the end of a run.
    ran: AtomicBool,
    /// A run was cut short while it moved packages, and none has been since that came to its end.
    halfway: AtomicBool,
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
            halfway: moves_packages(&state).into(),
            state,
            failed: failed.into(),
            ran: false.into(),
        }
    }

    /// A run is over.
    pub fn ran(&self, failed: bool) {
        self.failed.store(failed, Ordering::Relaxed);
        self.halfway
            .store(moves_packages(&self.state), Ordering::Relaxed);
        self.ran.store(true, Ordering::Relaxed);
    }

    /// Asks the role's health, once; by the last run where the role has none, or there is no role. None where nothing
    /// is known in time, or it cannot be asked.
    pub async fn ask(self: Arc<Self>) -> Option<bool> {
        if self.halfway.load(Ordering::Relaxed) {
            return Some(false);
        }
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
        // Others may not count on this machine then, even where the run has no slot, or has it no more.
        if self.state.is_disrupted() {
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

/// Whether effects on packages are under way, or were when their agent was killed.
fn moves_packages(state: &StateDir) -> bool {
    match Effects::new(state.effects()).unsettled() {
        Ok(tasks) => tasks.iter().any(apt::moves),
        Err(error) => {
            tracing::warn!("{error:#}");
            true
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::effect::Task;
    use std::collections::BTreeMap;
    use std::path::Path;

    /// A machine without a role, whose last run was well.
    fn standing(folder: &Path) -> Arc<Standing> {
        let paths = (folder.to_owned(), StateDir::new(folder));
        let standing = Standing::new(Arc::default(), paths, Where::Open, false);
        standing.ran.store(true, Ordering::Relaxed);
        Arc::new(standing)
    }

    fn leave(folder: &Path, argv: &[&str]) {
        let task = Task {
            what: argv.join(" "),
            argv: argv.iter().map(|word| (*word).to_owned()).collect(),
            env: BTreeMap::new(),
            stdin: None,
            user: None,
            cwd: "/".into(),
            root: "/".into(),
            timeout_s: 1,
            settles: None,
        };
        let effect = folder.join("effects/cfg-effect-x");
        std::fs::create_dir_all(&effect).unwrap();
        let text = serde_json::to_vec(&task).unwrap();
        std::fs::write(effect.join("task.json"), text).unwrap();
    }

    #[tokio::test]
    async fn nobody_is_healthy_while_a_run_of_any_process_may_disrupt() {
        let folder = tempfile::tempdir().unwrap();
        let standing = standing(folder.path());
        let run = StateDir::new(folder.path()).disrupt().unwrap();
        assert_eq!(Arc::clone(&standing).ask().await, Some(false));
        assert_eq!(Arc::clone(&standing).ask().await, Some(false));
        drop(run);
        assert_eq!(Arc::clone(&standing).ask().await, Some(true));
        let again = StateDir::new(folder.path()).disrupt().unwrap();
        assert_eq!(standing.ask().await, Some(false));
        drop(again);
    }

    #[tokio::test]
    async fn who_was_cut_short_while_it_moved_packages_is_not_healthy_until_its_next_run_is_over() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(standing(folder.path()).ask().await, Some(true));
        for harmless in [
            &["apt-get", "-y", "update"][..],
            &["apt-get", "--download-only", "-y", "install", "--", "x"],
            &["/bin/sh", "-c", "apt-get install x"],
        ] {
            leave(folder.path(), harmless);
            assert_eq!(standing(folder.path()).ask().await, Some(true));
        }
        leave(folder.path(), &["apt-get", "-y", "install", "--", "x"]);
        let standing = standing(folder.path());
        assert_eq!(Arc::clone(&standing).ask().await, Some(false));
        // A run that did not come so far.
        standing.ran(false);
        assert_eq!(Arc::clone(&standing).ask().await, Some(false));
        // The run settles what was left, and goes on.
        std::fs::remove_dir_all(folder.path().join("effects/cfg-effect-x")).unwrap();
        assert_eq!(Arc::clone(&standing).ask().await, Some(false));
        standing.ran(false);
        assert_eq!(standing.ask().await, Some(true));
    }
}
