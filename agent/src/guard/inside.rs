//! `cfg guard`: asks a guard where it cannot write, or becomes any question below another root.

use super::{NOT_SHUT_IN, TOO_LONG, mounts};
use crate::effect::{Outcome, Printed, orphans, wait_for};
use crate::run_as;
use anyhow::{Context as _, bail};
use nix::sched::{CloneFlags, unshare};
use rustix::mount::{MountPropagationFlags, mount_change};
use rustix::process::{getpid, kill_process};
use rustix::thread::{CapabilitySet, remove_capability_from_bounding_set};
use std::collections::BTreeMap;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// Runs `cfg guard` with these arguments. Where nothing need be shut in it becomes the command; else gives the exit code.
pub fn run(arguments: &[String]) -> u8 {
    let failure = match Guard::parse(arguments) {
        Ok(guard) => match guard.ask() {
            Ok(code) => return code,
            Err(error) => error,
        },
        Err(error) => error,
    };
    eprintln!("{:#}", failure.why);
    failure.code
}

struct Failure {
    code: u8,
    why: anyhow::Error,
}

struct Guard {
    shut_in: bool,
    root: PathBuf,
    cwd: String,
    user: Option<String>,
    timeout: Duration,
    argv: Vec<String>,
}

impl Guard {
    fn parse(arguments: &[String]) -> Result<Self, Failure> {
        let usage = || Failure {
            code: 64,
            why: anyhow::anyhow!("cfg guard is for cfg itself"),
        };
        let mut guard = Guard {
            shut_in: true,
            root: "/".into(),
            cwd: "/".into(),
            user: None,
            timeout: Duration::from_secs(60),
            argv: Vec::new(),
        };
        let mut words = arguments.iter().cloned();
        while let Some(word) = words.next() {
            match word.as_str() {
                "--shut-in" => guard.shut_in = true,
                "--open" => guard.shut_in = false,
                "--root" => guard.root = words.next().ok_or_else(usage)?.into(),
                "--cwd" => guard.cwd = words.next().ok_or_else(usage)?,
                "--timeout" => {
                    let seconds = words.next().and_then(|text| text.parse().ok());
                    guard.timeout = Duration::from_secs(seconds.ok_or_else(usage)?);
                }
                "--user" => guard.user = Some(words.next().ok_or_else(usage)?),
                "--" => {
                    guard.argv = words.collect();
                    break;
                }
                _ => return Err(usage()),
            }
        }
        if guard.argv.is_empty() {
            return Err(usage());
        }
        Ok(guard)
    }

    fn ask(self) -> Result<u8, Failure> {
        let unasked = |why| Failure {
            code: NOT_SHUT_IN,
            why,
        };
        if self.shut_in {
            shut_in(&self.root).map_err(unasked)?;
        }
        self.enter().map_err(unasked)?;
        let mut env: BTreeMap<String, String> = std::env::vars().collect();
        let argv = match &self.user {
            Some(user) => run_as::argv(&self.argv, user, &mut env).map_err(unasked)?,
            None => self.argv.clone(),
        };
        let Some((program, arguments)) = argv.split_first() else {
            return Err(unasked(anyhow::anyhow!("the command is empty")));
        };
        let mut command = Command::new(program);
        command.args(arguments).envs(env);
        let failed = |error| Failure {
            code: 127,
            why: run_as::cannot_run(program, error),
        };
        if !self.shut_in {
            return Err(failed(command.exec()));
        }
        // What it leaves running would outlive a dry run.
        orphans::adopt();
        let mut child = command.process_group(0).spawn().map_err(failed)?;
        let outcome = Printed::new().and_then(|nothing| {
            let ended = wait_for(&mut child, self.timeout, &nothing);
            ended.context("cannot wait for it")
        });
        orphans::kill();
        match outcome.map_err(unasked)? {
            Outcome::Exited(code) => Ok(u8::try_from(code).unwrap_or(NOT_SHUT_IN)),
            // As a shell has it.
            Outcome::Signal(signal) => Ok(u8::try_from(128 + signal).unwrap_or(NOT_SHUT_IN)),
            Outcome::TimedOut | Outcome::NotStarted | Outcome::Lost => {
                let _ = kill_process(getpid(), TOO_LONG);
                Err(unasked(anyhow::anyhow!("it took too long")))
            }
        }
    }

    fn enter(&self) -> anyhow::Result<()> {
        if self.root != Path::new("/") {
            rustix::process::chroot(&self.root)
                .with_context(|| format!("cannot change the root to {}", self.root.display()))?;
        }
        rustix::process::chdir(&*self.cwd)
            .with_context(|| format!("cannot change the directory to {}", self.cwd))
    }
}

/// Moves this process into a mount namespace of its own in which everything is read-only, for good, and away from the
/// queues and memory that the machine's processes share.
fn shut_in(root: &Path) -> anyhow::Result<()> {
    if !rustix::process::geteuid().is_root() {
        own_users()?;
    }
    unshare(CloneFlags::CLONE_NEWNS).context("no mount namespace of one's own")?;
    unshare(CloneFlags::CLONE_NEWIPC).context("no IPC namespace of one's own")?;
    mount_change(
        "/",
        MountPropagationFlags::PRIVATE | MountPropagationFlags::REC,
    )
    .context("mounts cannot be made private")?;
    mounts::make_harmless(root)?;
    // Whoever keeps these could undo it, or reach around it.
    for capability in [
        CapabilitySet::SYS_ADMIN,
        CapabilitySet::SYS_PTRACE,
        CapabilitySet::SYS_MODULE,
        CapabilitySet::SYS_RAWIO,
        CapabilitySet::SYS_BOOT,
        CapabilitySet::SYS_TIME,
        CapabilitySet::MKNOD,
        CapabilitySet::BPF,
        CapabilitySet::PERFMON,
    ] {
        match remove_capability_from_bounding_set(capability) {
            // A kernel that does not know one has nothing to take away.
            Ok(()) | Err(rustix::io::Errno::INVAL) => {}
            Err(error) => return Err(error).context("capabilities cannot be dropped"),
        }
    }
    Ok(())
}

/// An ordinary user gets mounts of his own only together with a user namespace, in which he is himself.
fn own_users() -> anyhow::Result<()> {
    let uid = rustix::process::geteuid().as_raw();
    let gid = rustix::process::getegid().as_raw();
    unshare(CloneFlags::CLONE_NEWUSER).context("no user namespace of one's own")?;
    let write = |file: &str, text: String| {
        std::fs::write(format!("/proc/self/{file}"), text)
            .with_context(|| format!("cannot write {file}"))
    };
    write("setgroups", "deny".into())?;
    write("uid_map", format!("{uid} {uid} 1"))?;
    write("gid_map", format!("{gid} {gid} 1"))?;
    if rustix::process::geteuid().as_raw() != uid {
        bail!("the user namespace has another user");
    }
    Ok(())
}
