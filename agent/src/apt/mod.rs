//! Debian packages: what dpkg has, what the index offers, and changes through as few calls of apt-get as can be.

pub mod along;
pub mod available;
pub mod debconf;
pub mod get;
pub mod index;
pub mod needed;
pub mod policy;
pub mod refused;
pub mod sources;
pub mod status;
pub mod words;

mod transaction;
mod unheld;

pub use transaction::Failed;

use crate::effect::{Effects, Ended, Task};
use anyhow::{Context as _, bail};
use get::Install;
use index::{Index, Stale};
use status::Status;
use std::cell::Cell;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

/// How long apt and dpkg may take in all; a package whose script hangs must not hang the machine's agent for ever.
const PATIENCE_S: u64 = 2 * 60 * 60;

/// How apt is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// How old the index may be.
    pub index_max_age: Duration,
    /// How long a run may wait for others that use apt or dpkg, in all.
    pub lock_timeout: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            index_max_age: Duration::from_secs(24 * 60 * 60),
            lock_timeout: Duration::from_secs(5 * 60),
        }
    }
}

/// Between two attempts to get a lock.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// How long a run may still wait for others that use apt or dpkg, whatever it calls.
#[derive(Debug)]
pub struct Patience(Cell<Duration>);

impl Patience {
    /// All of it.
    pub fn new(settings: Settings) -> Self {
        Self(Cell::new(settings.lock_timeout))
    }

    /// Waits so long, or as long as may be; says whether there was time left.
    fn wait(&self, time: Duration) -> bool {
        let left = self.0.get();
        let time = time.min(left);
        std::thread::sleep(time);
        self.0.set(left - time);
        !time.is_zero()
    }
}

/// apt and dpkg of one root, for one run.
pub struct Apt<'a> {
    /// The root.
    pub root: PathBuf,
    /// Where cfg keeps what it must remember of apt.
    pub state: PathBuf,
    /// What runs them.
    pub effects: &'a Effects,
    /// How.
    pub settings: Settings,
    /// How long it may still wait for others.
    pub patience: &'a Patience,
    /// Hears what is waited for.
    pub told: &'a dyn Fn(&str),
    /// The name of the run; children carry it as `CFG_RUN`.
    pub run: String,
}

/// Whether a call of these tools changes what is installed, or how.
pub fn moves(task: &Task) -> bool {
    let is = |words: &[&str], word: &String| words.contains(&word.as_str());
    let mut argv = task.argv.iter();
    argv.next()
        .is_some_and(|program| is(&["apt-get", "dpkg", "dpkg-reconfigure"], program))
        && !argv.any(|word| is(&["--simulate", "--download-only", "update"], word))
}

impl Apt<'_> {
    /// Runs a call to its end, and again while another apt or dpkg holds a lock.
    fn call(&self, argv: Vec<String>) -> anyhow::Result<Ended> {
        self.call_task(&self.task(argv))
    }

    fn call_task(&self, task: &Task) -> anyhow::Result<Ended> {
        let mut pause = Duration::from_millis(500);
        let mut waits_for = None;
        loop {
            let ended = self.effects.run(task)?;
            if ended.outcome.is_success() {
                return Ok(ended);
            }
            let Some(holder) = words::locked(&ended.output) else {
                return Ok(ended);
            };
            if waits_for.as_ref() != Some(&holder) {
                (self.told)(&format!("waiting for another apt or dpkg: {holder}"));
                waits_for = Some(holder);
            }
            if !self.patience.wait(pause) {
                return Ok(ended);
            }
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    fn task(&self, argv: Vec<String>) -> Task {
        let mut env = get::environment();
        // apt's own configuration goes before these.
        env.extend(crate::proxy::variables());
        env.insert("CFG_RUN".into(), self.run.clone());
        let program = argv.first().cloned().unwrap_or_default();
        let told = [
            "--download-only",
            "install",
            "purge",
            "update",
            "--configure",
        ];
        let verb = argv.iter().find(|word| told.contains(&word.as_str()));
        Task {
            what: match verb {
                Some(verb) => format!("{program} {verb}"),
                None => program,
            },
            argv,
            env,
            stdin: None,
            user: None,
            cwd: "/".into(),
            root: self.root.clone(),
            timeout_s: PATIENCE_S,
            settles: None,
        }
    }

    /// A call that must succeed.
    fn must(&self, argv: Vec<String>) -> anyhow::Result<()> {
        let words = argv.join(" ");
        let ended = self.call(argv)?;
        if ended.outcome.is_success() {
            return Ok(());
        }
        let told = words::complaint(&ended.output);
        if told.is_empty() {
            bail!("{words}: {}", ended.outcome);
        }
        bail!("{told}")
    }

    /// The index of this root.
    pub fn index(&self) -> Index<'_> {
        Index::of(&self.root, &self.state)
    }

    /// Refreshes the index where it is stale or lacks what is `missing`. Gives apt's complaint where it could not be refreshed
    /// whole: what there is may still do.
    ///
    /// # Errors
    /// Where the sources cannot be read or apt cannot be run.
    pub fn refresh(&self, missing: Missing) -> anyhow::Result<Option<String>> {
        let stale = self
            .index()
            .stale(self.settings.index_max_age, SystemTime::now())?;
        let due = match missing {
            Missing::Nothing => stale.is_some(),
            Missing::Source => matches!(stale, Some(Stale::Missing | Stale::Sources)),
            Missing::Version => true,
        };
        if !due {
            return Ok(None);
        }
        tracing::info!("refreshing apt's index");
        let ended = self.call(get::refresh())?;
        if ended.outcome.is_success() {
            self.index().refreshed_now()?;
            return Ok(None);
        }
        Ok(Some(words::unfetched(&ended.output)))
    }

    /// Ends what an interrupted dpkg left behind. Gives its complaint where it could not.
    ///
    /// # Errors
    /// Where dpkg's database cannot be read or dpkg cannot be run.
    pub fn repair(&self) -> anyhow::Result<Option<String>> {
        if !Status::read(&self.root)?.is_interrupted() {
            return Ok(None);
        }
        tracing::warn!("dpkg was interrupted; ending what it left");
        let ended = self.call(get::configure())?;
        if ended.outcome.is_success() && !Status::read(&self.root)?.is_interrupted() {
            return Ok(None);
        }
        if self.unpack_again()? {
            return Ok(None);
        }
        let fixed = self.call(get::fix())?;
        if fixed.outcome.is_success() {
            return Ok(None);
        }
        Ok(Some(words::complaint(&fixed.output)))
    }

    /// Unpacks again what was being unpacked when dpkg was interrupted: together, since one may need another; singly where
    /// one of them stands in the way of all. Says whether nothing is left halfway.
    fn unpack_again(&self) -> anyhow::Result<bool> {
        let half: Vec<Install> = Status::read(&self.root)?
            .half_unpacked()
            .map(|entry| Install {
                name: entry.named(),
                version: Some(entry.version.clone()).filter(|version| !version.is_empty()),
            })
            .collect();
        let alone = half.iter().map(std::slice::from_ref);
        for packages in std::iter::once(half.as_slice()).chain(alone) {
            if packages.is_empty() {
                continue;
            }
            self.call(get::reinstall(packages))?;
            if !Status::read(&self.root)?.is_interrupted() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Marks packages: `hold`, `unhold`, `manual`.
    ///
    /// # Errors
    /// apt-mark's own words.
    pub fn mark(&self, word: &str, packages: &[String]) -> anyhow::Result<()> {
        if packages.is_empty() {
            return Ok(());
        }
        self.must(get::mark(word, packages))
            .with_context(|| format!("apt-mark {word}"))
    }
}

/// Whether the index lacks something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Missing {
    /// Everything wanted is in it.
    Nothing,
    /// All that matters is that every source is in it.
    Source,
    /// A wanted version is not in it.
    Version,
}
