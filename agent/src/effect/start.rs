//! Starting `cfg effect FOLDER` outside the agent's cgroup, session and sandbox.

use super::{Manner, Program, Task};
use anyhow::{Context as _, bail};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Duration;

/// Starts the effect and waits for its end.
pub fn start(folder: &Path, task: &Task, manner: Manner, program: &Program) -> anyhow::Result<()> {
    match manner {
        Manner::Unit => unit(folder, task, program),
        Manner::Session => session(folder, program),
    }
}

fn unit(folder: &Path, task: &Task, program: &Program) -> anyhow::Result<()> {
    let name = folder.file_name().unwrap_or_default().to_string_lossy();
    let unit = format!("{name}.service");
    let output = systemd_run(folder, task, program, &unit, Some("--wait"))?;
    // The effect itself always ends well: how its child ended is in the folder.
    if output.status.success() || folder.join(super::OUTCOME).exists() {
        return Ok(());
    }
    if folder.join(super::LOCK).exists() {
        // Started, and killed, or systemd-run lost sight of it: the lock tells.
        return Ok(());
    }
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    if !told.starts_with(NO_BUS) {
        bail!("systemd-run: {}", told.trim());
    }
    // systemd itself is still there for root; only waiting takes the bus.
    let output = systemd_run(folder, task, program, &unit, None)?;
    if !output.status.success() {
        bail!(
            "systemd-run: {}",
            String::from_utf8_lossy(&output.stderr).trim()
        );
    }
    await_end(folder, &unit)
}

/// How systemd-run begins where D-Bus does not answer.
const NO_BUS: &str = "Failed to connect to bus";

/// Waits until the unit has ended, by asking.
fn await_end(folder: &Path, unit: &str) -> anyhow::Result<()> {
    let mut pause = Duration::from_millis(20);
    while !folder.join(super::OUTCOME).exists() {
        let output = Command::new("systemctl")
            .args(["show", "--property=ActiveState", "--value", "--", unit])
            .stdin(Stdio::null())
            .output()
            .context("cannot run systemctl")?;
        let state = String::from_utf8_lossy(&output.stdout);
        // It was collected when it ended.
        if !output.status.success() || ["inactive", "failed"].contains(&state.trim()) {
            break;
        }
        std::thread::sleep(pause);
        pause = (pause * 2).min(Duration::from_millis(500));
    }
    Ok(())
}

fn systemd_run(
    folder: &Path,
    task: &Task,
    program: &Program,
    unit: &str,
    wait: Option<&str>,
) -> anyhow::Result<Output> {
    Command::new("systemd-run")
        .args(["--quiet", "--collect", "--no-ask-password"])
        .args(wait)
        .arg("--service-type=exec")
        .arg(format!("--unit={unit}"))
        .arg(format!("--description=cfg: {}", task.what))
        .args(["--property=OOMPolicy=continue", "--"])
        .arg(path_for_others(program)?)
        .arg("effect")
        .arg(folder)
        .stdin(Stdio::null())
        .output()
        .context("cannot run systemd-run")
}

fn session(folder: &Path, program: &Program) -> anyhow::Result<()> {
    // The effect makes a session for itself; that needs no code between fork and exec.
    let path = match program {
        Program::Own => PathBuf::from("/proc/self/exe"),
        Program::At(path) => path.clone(),
    };
    Command::new(path)
        .arg("effect")
        .arg(folder)
        .env_clear()
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .context("cannot start cfg itself")?
        .wait()
        .context("cannot wait for an effect")?;
    Ok(())
}

/// The program's path as systemd can use it; after an upgrade of cfg its own file has no name any more.
fn path_for_others(program: &Program) -> anyhow::Result<PathBuf> {
    match program {
        Program::At(path) => Ok(path.clone()),
        Program::Own => match std::env::current_exe() {
            Ok(path) if path.exists() => Ok(path),
            _ => Ok(PathBuf::from(format!("/proc/{}/exe", std::process::id()))),
        },
    }
}
