//! `cfg guard`: becomes a guard that cannot write, or any question below another root.

use super::{NOT_SHUT_IN, mounts};
use crate::run_as;
use anyhow::{Context as _, bail};
use nix::sched::{CloneFlags, unshare};
use rustix::mount::{MountPropagationFlags, mount_change};
use rustix::thread::{CapabilitySet, remove_capability_from_bounding_set};
use std::collections::BTreeMap;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Runs `cfg guard` with these arguments; comes back only when that fails, with the exit code.
pub fn run(arguments: &[String]) -> u8 {
    let failure = match Guard::parse(arguments) {
        Ok(guard) => match guard.become_it() {
            Ok(never) => match never {},
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
    argv: Vec<String>,
}

enum Never {}

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
            argv: Vec::new(),
        };
        let mut words = arguments.iter().cloned();
        while let Some(word) = words.next() {
            match word.as_str() {
                "--shut-in" => guard.shut_in = true,
                "--open" => guard.shut_in = false,
                "--root" => guard.root = words.next().ok_or_else(usage)?.into(),
                "--cwd" => guard.cwd = words.next().ok_or_else(usage)?,
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

    fn become_it(self) -> Result<Never, Failure> {
        let unasked = |why| Failure {
            code: NOT_SHUT_IN,
            why,
        };
        if self.shut_in {
            shut_in().map_err(unasked)?;
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
        let error = Command::new(program).args(arguments).envs(env).exec();
        Err(Failure {
            code: 127,
            why: run_as::cannot_run(program, error),
        })
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

/// Moves this process into a mount namespace of its own in which everything is read-only, for good.
fn shut_in() -> anyhow::Result<()> {
    if !rustix::process::geteuid().is_root() {
        own_users()?;
    }
    unshare(CloneFlags::CLONE_NEWNS).context("no mount namespace of one's own")?;
    mount_change(
        "/",
        MountPropagationFlags::PRIVATE | MountPropagationFlags::REC,
    )
    .context("mounts cannot be made private")?;
    mounts::make_read_only()?;
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
