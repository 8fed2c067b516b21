//! File systems: mounted and unmounted by the system's own tools, and their lines in /etc/fstab.

use crate::effect::{Effects, Task};
use crate::guard;
use crate::machine::{Hands, Machine};
use crate::resource::command::last_lines;
use anyhow::{Context as _, bail};
use cfg_catalog::path::AbsPath;
use cfg_catalog::resource::fstab;
use cfg_catalog::resource::mount::{Live, Mount, MountPresence, Step, step};
use std::path::Path;

/// How long mount or umount may take: a server that is away is waited for by itself.
const PATIENCE_S: u64 = 120;

/// More file systems on top of each other than anybody mounts.
const MOST_STACKED: usize = 16;

/// How many of those who hold a mount point a failure names.
const HOLDERS: usize = 5;

/// Brings a file system to what it must be. The line is written last, so that what cannot be mounted does not stop the
/// next boot.
///
/// # Errors
/// The tool's own words; of a file system that is in use, by whom.
pub fn enact(
    machine: &Machine,
    hands: &Hands<'_>,
    effects: &Effects,
    mount: &Mount,
    run: &str,
) -> anyhow::Result<()> {
    if mount.state != MountPresence::Absent {
        hands.make_parent(&mount.point)?;
    }
    let tools = Tools {
        machine,
        effects,
        mount,
        run,
    };
    let state = machine.mount(mount)?;
    match step(mount, &state) {
        None => {}
        Some(Step::Mount) => tools.mount("")?,
        Some(Step::Remount) => tools.mount("remount,")?,
        Some(Step::Replace) => {
            tools.unmount()?;
            tools.mount("")?;
        }
        Some(Step::Unmount) => tools.unmount()?,
    }
    if state.entries.first() != mount.line() {
        let table = machine.fstab()?;
        hands.fstab(fstab::with(&table, &mount.point, mount.line()))?;
    }
    Ok(())
}

struct Tools<'a> {
    machine: &'a Machine,
    effects: &'a Effects,
    mount: &'a Mount,
    run: &'a str,
}

impl Tools<'_> {
    fn mount(&self, how: &str) -> anyhow::Result<()> {
        let entry = self.mount.line().context("it has no line to mount")?;
        let options = format!("{how}{}", entry.options);
        let argv = [
            "mount",
            "-t",
            &entry.fstype,
            "-o",
            &options,
            "--",
            &entry.device,
            self.mount.point.as_str(),
        ];
        self.call(&argv)
    }

    /// Unmounts all that is mounted there.
    fn unmount(&self) -> anyhow::Result<()> {
        for _layer in 0..MOST_STACKED {
            let live = self.machine.mount(self.mount)?.live;
            if !matches!(live, Live::Yes { .. }) {
                return Ok(());
            }
            if let Err(error) = self.call(&["umount", "--", self.mount.point.as_str()]) {
                let holders = holders(&self.mount.point);
                if holders.is_empty() {
                    return Err(error);
                }
                bail!("{error}; it is held by {}", holders.join(", "));
            }
        }
        bail!("more than {MOST_STACKED} file systems are mounted there")
    }

    fn call(&self, argv: &[&str]) -> anyhow::Result<()> {
        let mut env = guard::environment();
        env.insert("CFG_RUN".into(), self.run.to_owned());
        let task = Task {
            what: argv[0].to_owned(),
            argv: argv.iter().map(|word| (*word).to_owned()).collect(),
            env,
            stdin: None,
            user: None,
            cwd: "/".into(),
            root: self.machine.root().path().to_owned(),
            timeout_s: PATIENCE_S,
            settles: None,
        };
        let ended = self.effects.run(&task)?;
        match (ended.outcome, last_lines(&ended.output)) {
            (outcome, _) if outcome.is_success() => Ok(()),
            (outcome, told) if told.is_empty() => bail!("{}: {outcome}", argv[0]),
            (_, told) => bail!("{told}"),
        }
    }
}

/// Processes that work in a mount point or have something of it open, as `name (number)`.
fn holders(point: &AbsPath) -> Vec<String> {
    let Ok(processes) = std::fs::read_dir("/proc") else {
        return Vec::new();
    };
    let mut holders: Vec<String> = Vec::new();
    for process in processes.flatten() {
        let name = process.file_name();
        let number = name.to_string_lossy();
        let own = number.chars().all(|c| c.is_ascii_digit());
        if own && holds(&process.path(), Path::new(point.as_str())) {
            let word = std::fs::read_to_string(process.path().join("comm")).unwrap_or_default();
            holders.push(format!("{} ({number})", word.trim()));
        }
        if holders.len() == HOLDERS {
            break;
        }
    }
    holders
}

fn holds(process: &Path, point: &Path) -> bool {
    let leads = |link: &Path| std::fs::read_link(link).is_ok_and(|to| to.starts_with(point));
    let open = std::fs::read_dir(process.join("fd"));
    leads(&process.join("cwd"))
        || leads(&process.join("root"))
        || open.is_ok_and(|open| open.flatten().any(|fd| leads(&fd.path())))
}
