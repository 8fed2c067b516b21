//! `cfg effect FOLDER`: what runs in the effect's own unit or session.

use super::{LOCK, OUTCOME, OUTPUT, Outcome, Printed, TASK, Task, orphans, wait_for};
use crate::run_as;
use anyhow::Context as _;
use rustix::fs::{AtFlags, FlockOperation, Mode, OFlags, flock, fsync, openat, renameat, statat};
use std::fs::File;
use std::io::{Read as _, Write as _};
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

/// Runs the task in this folder and writes down how it ended.
///
/// # Errors
/// Where the folder is not that of an effect or cannot be written.
pub fn run(folder: &Path) -> anyhow::Result<()> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let folder = rustix::fs::open(folder, flags, Mode::empty())
        .with_context(|| format!("cannot open {}", folder.display()))?;
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::CLOEXEC;
    let lock = openat(&folder, LOCK, flags, Mode::from_raw_mode(0o600))
        .context("cannot open the effect's lock")?;
    // Whoever has the lock thinks that this never started; so it must not.
    flock(&lock, FlockOperation::NonBlockingLockExclusive)
        .context("the effect belongs to somebody else")?;
    let done = statat(&folder, OUTCOME, AtFlags::empty()).is_ok();
    let Some(task) = task(&folder)?.filter(|_| !done) else {
        return Ok(());
    };
    // Already the leader of its unit's session where systemd started it.
    let _ = rustix::process::setsid();
    rustix::process::umask(Mode::from_raw_mode(0o022));
    let output = openat(
        &folder,
        OUTPUT,
        OFlags::WRONLY | OFlags::CREATE | OFlags::TRUNC | OFlags::CLOEXEC,
        Mode::from_raw_mode(0o600),
    )
    .context("cannot make the effect's output")?;
    let mut output = File::from(output);
    let (outcome, told) = match perform(&task) {
        Ok(ended) => ended,
        Err(error) => (Outcome::NotStarted, format!("{error:#}\n").into_bytes()),
    };
    // How it ended is worth more than what it said.
    let said = output.write_all(&told);
    write_down(&folder, outcome).context("cannot write how the effect ended")?;
    drop(lock);
    said.context("cannot write the effect's output")
}

fn task(folder: &OwnedFd) -> anyhow::Result<Option<Task>> {
    let flags = OFlags::RDONLY | OFlags::CLOEXEC;
    let file = match openat(folder, TASK, flags, Mode::empty()) {
        Ok(file) => file,
        Err(rustix::io::Errno::NOENT) => return Ok(None),
        Err(error) => return Err(error).context("cannot open the task"),
    };
    let mut text = Vec::new();
    File::from(file)
        .read_to_end(&mut text)
        .context("cannot read the task")?;
    serde_json::from_slice(&text)
        .map(Some)
        .context("the task is not one")
}

/// How it ended, and the end of what it printed.
fn perform(task: &Task) -> anyhow::Result<(Outcome, Vec<u8>)> {
    // A root that holds a few programs alone has none.
    let null = File::open("/dev/null").context("cannot open /dev/null")?;
    if task.root != Path::new("/") {
        rustix::process::chroot(&task.root)
            .with_context(|| format!("cannot change the root to {}", task.root.display()))?;
    }
    rustix::process::chdir(&*task.cwd)
        .with_context(|| format!("cannot change the directory to {}", task.cwd))?;
    let mut env = task.env.clone();
    let argv = match &task.user {
        Some(user) => run_as::argv(&task.argv, user, &mut env)?,
        None => task.argv.clone(),
    };
    let (program, arguments) = argv.split_first().context("the command is empty")?;
    let printed = Printed::new()?;
    orphans::adopt();
    let mut child = Command::new(program)
        .args(arguments)
        .env_clear()
        .envs(env)
        .stdin(match &task.stdin {
            Some(_) => Stdio::piped(),
            None => null.into(),
        })
        .stdout(printed.share()?)
        .stderr(printed.share()?)
        .process_group(0)
        .spawn()
        .map_err(|error| run_as::cannot_run(program, error))?;
    if let (Some(mut pipe), Some(text)) = (child.stdin.take(), &task.stdin) {
        // Who does not read to the end says why by how it ends.
        let _unread = pipe.write_all(text.as_bytes());
    }
    let outcome = wait_for(&mut child, Duration::from_secs(task.timeout_s), &printed)?;
    if outcome == Outcome::TimedOut {
        orphans::kill();
    }
    Ok((outcome, printed.end()?))
}

fn write_down(folder: &OwnedFd, outcome: Outcome) -> anyhow::Result<()> {
    const DRAFT: &str = "outcome.new";
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::TRUNC | OFlags::CLOEXEC;
    let mut draft = File::from(openat(folder, DRAFT, flags, Mode::from_raw_mode(0o600))?);
    draft.write_all(&serde_json::to_vec(&outcome)?)?;
    draft.sync_all()?;
    renameat(folder, DRAFT, folder, OUTCOME)?;
    fsync(folder)?;
    Ok(())
}
