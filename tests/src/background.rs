//! A command in a host that runs beside the test.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use crate::command::{code, shown, signal};
use crate::{Output, eventually};

/// A command in a host that was started and not waited for. It goes on when this value is dropped.
#[derive(Debug)]
pub struct Background {
    command: String,
    child: Child,
    stdout: PathBuf,
    stderr: PathBuf,
}

impl Background {
    pub(crate) fn start<S: AsRef<OsStr>>(
        dir: &Path,
        enter: &[String],
        argv: impl IntoIterator<Item = S>,
    ) -> Result<Background> {
        static COUNT: AtomicU32 = AtomicU32::new(1);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let (stdout, stderr) = (
            dir.join(format!("command-{count}.stdout")),
            dir.join(format!("command-{count}.stderr")),
        );
        let argv: Vec<S> = argv.into_iter().collect();
        let shown = shown(&argv);
        let file = |path: &Path| {
            File::create(path).with_context(|| format!("cannot make {}", path.display()))
        };
        // nsenter forks, so a group of its own is what can be killed.
        let child = Command::new(&enter[0])
            .args(&enter[1..])
            .args(argv)
            .process_group(0)
            .stdin(Stdio::null())
            .stdout(file(&stdout)?)
            .stderr(file(&stderr)?)
            .spawn()
            .with_context(|| format!("cannot start `{shown}`"))?;
        Ok(Background {
            command: shown,
            child,
            stdout,
            stderr,
        })
    }

    /// What it has printed so far.
    pub fn stdout(&self) -> String {
        read(&self.stdout)
    }

    /// What it has complained of so far.
    pub fn stderr(&self) -> String {
        read(&self.stderr)
    }

    /// Whether it has not ended.
    pub fn is_running(&mut self) -> Result<bool> {
        Ok(self
            .child
            .try_wait()
            .with_context(|| format!("wait for `{}`", self.command))?
            .is_none())
    }

    /// Sends a signal (`TERM`, `KILL`, …) to it and to its children that left its process group to nobody.
    pub fn signal(&self, name: &str) -> Result<()> {
        signal(name, -i64::from(self.child.id()))
    }

    /// Waits for its end.
    pub fn wait(mut self, within: Duration) -> Result<Output> {
        let what = format!("`{}` ends", self.command);
        let status = eventually(&what, within, || {
            let ended = self.child.try_wait().context("wait")?;
            ensure!(
                ended.is_some(),
                "so far: {}{}",
                read(&self.stdout),
                read(&self.stderr)
            );
            ended.context("no status")
        })?;
        Ok(Output {
            status: code(status),
            stdout: self.stdout(),
            stderr: self.stderr(),
            command: self.command,
        })
    }
}

fn read(path: &Path) -> String {
    fs::read(path)
        .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
        .unwrap_or_default()
}
