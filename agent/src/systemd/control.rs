//! systemctl.

use super::properties::{Properties, ServiceProperties, tasks};
use crate::effect::{Outcome, Printed, wait_for};
use anyhow::{Context as _, bail};
use cfg_catalog::resource::service::Trigger;
use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::process::CommandExt as _;
use std::process::{Command, Stdio};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A unit's own timeouts are shorter, unless it has none.
const PATIENCE: Duration = Duration::from_secs(15 * 60);

const ASKED: &str = "Id,Names,WantedBy,RequiredBy,TriggeredBy,Triggers,LoadState,ActiveState,SubState,UnitFileState,FragmentPath,SourcePath,\
InvocationID,InactiveExitTimestampMonotonic,NeedDaemonReload,CanReload,Type,MainPID,RemainAfterExit,TasksCurrent,ControlGroup";

fn systemctl(arguments: &[&str]) -> Command {
    let mut command = Command::new("systemctl");
    command
        .args(["--system", "--no-ask-password", "--no-pager"])
        .args(arguments)
        .env("LC_ALL", "C.UTF-8")
        .env("SYSTEMD_COLORS", "0")
        .stdin(Stdio::null());
    command
}

/// Runs systemctl to its end.
///
/// # Errors
/// Its own words.
pub fn run(arguments: &[&str]) -> anyhow::Result<()> {
    let printed = Printed::new()?;
    let mut child = systemctl(arguments)
        .stdout(printed.share()?)
        .stderr(printed.share()?)
        .process_group(0)
        .spawn()
        .context("cannot run systemctl")?;
    let outcome = wait_for(&mut child, PATIENCE, &printed).context("cannot wait for systemctl")?;
    if outcome.is_success() {
        return Ok(());
    }
    let told = printed.end()?;
    let told = String::from_utf8_lossy(&told);
    let told = told.trim();
    match outcome {
        Outcome::Exited(_) if !told.is_empty() => bail!("{told}"),
        outcome => bail!("systemctl {}: {outcome} {told}", arguments.join(" ")),
    }
}

fn ask(arguments: &[&str]) -> anyhow::Result<String> {
    let output = systemctl(arguments)
        .output()
        .context("cannot run systemctl")?;
    if !output.status.success() {
        bail!(
            "systemctl: {}",
            String::from_utf8_lossy(&output.stderr).trim()
        );
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Units that run.
pub fn active() -> anyhow::Result<Vec<String>> {
    let told = ask(&[
        "list-units",
        "--plain",
        "--no-legend",
        "--full",
        "--state=active,reloading,activating",
    ])?;
    Ok(told
        .lines()
        .filter_map(|line| line.split_ascii_whitespace().next())
        .map(str::to_owned)
        .collect())
}

/// The properties of these units from one call.
pub fn properties(units: &[&str]) -> anyhow::Result<BTreeMap<String, Properties>> {
    let told = show(ASKED, units)?;
    let boot_us = boot_us()?;
    let mut found: BTreeMap<String, Properties> = told
        .iter()
        .map(|(unit, block)| (unit.clone(), parse(unit, block, boot_us)))
        .collect();
    let triggers: BTreeSet<String> = found
        .values()
        .flat_map(|one| one.triggered_by.iter().chain(&one.triggers))
        .map(|trigger| trigger.unit.clone())
        .collect();
    if !triggers.is_empty() {
        let units: Vec<&str> = triggers.iter().map(String::as_str).collect();
        let told = show("ActiveState", &units)?;
        let all = found.values_mut();
        for trigger in all.flat_map(|one| one.triggered_by.iter_mut().chain(&mut one.triggers)) {
            trigger.active = told
                .get(&trigger.unit)
                .is_some_and(|s| s == "ActiveState=active");
        }
    }
    Ok(found)
}

/// What `systemctl show` says of each of these units.
pub fn show(asked: &str, units: &[&str]) -> anyhow::Result<BTreeMap<String, String>> {
    let asked = format!("--property={asked}");
    let mut arguments = vec!["show", &*asked, "--"];
    arguments.extend(units);
    let told = ask(&arguments)?;
    let blocks: Vec<&str> = told.trim_end().split("\n\n").collect();
    if blocks.len() != units.len() {
        bail!(
            "systemctl show spoke of {} units, not {}",
            blocks.len(),
            units.len()
        );
    }
    let blocks = blocks.into_iter().map(|block| block.trim().to_owned());
    Ok(units
        .iter()
        .map(|unit| (*unit).to_owned())
        .zip(blocks)
        .collect())
}

/// When the machine booted, in µs since 1970.
fn boot_us() -> anyhow::Result<u64> {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .context("the clock stands before 1970")?;
    let uptime = std::fs::read_to_string("/proc/uptime").context("cannot read /proc/uptime")?;
    let up = uptime
        .split_ascii_whitespace()
        .next()
        .and_then(|seconds| seconds.parse::<f64>().ok())
        .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
        .context("/proc/uptime does not begin with seconds")?;
    u64::try_from(now.saturating_sub(up).as_micros()).context("the clock is out of range")
}

fn parse(unit: &str, block: &str, boot_us: u64) -> Properties {
    let fields: BTreeMap<&str, &str> = block
        .lines()
        .filter_map(|line| line.split_once('='))
        .collect();
    let text = |name: &str| fields.get(name).copied().unwrap_or_default().to_owned();
    let number = |name: &str| fields.get(name).and_then(|value| value.parse::<u64>().ok());
    let flag = |name: &str| fields.get(name).copied() == Some("yes");
    let words = |name: &str| -> Vec<String> {
        let text = text(name);
        text.split_ascii_whitespace().map(str::to_owned).collect()
    };
    let trigger = |unit| Trigger {
        unit,
        active: false,
    };
    Properties {
        id: text("Id"),
        names: words("Names"),
        wanted_by: ["WantedBy", "RequiredBy"].map(words).concat(),
        triggered_by: words("TriggeredBy").into_iter().map(trigger).collect(),
        triggers: match unit.ends_with(".socket") {
            true => words("Triggers").into_iter().map(trigger).collect(),
            false => Vec::new(),
        },
        load_state: text("LoadState"),
        active_state: text("ActiveState"),
        sub_state: text("SubState"),
        unit_file_state: text("UnitFileState"),
        fragment_path: text("FragmentPath"),
        source_path: text("SourcePath"),
        invocation: text("InvocationID"),
        inactive_exit_us: number("InactiveExitTimestampMonotonic")
            .filter(|at| *at > 0)
            .map_or(0, |at| boot_us + at),
        need_daemon_reload: flag("NeedDaemonReload"),
        can_reload: flag("CanReload"),
        service: unit.ends_with(".service").then(|| ServiceProperties {
            kind: text("Type"),
            main_pid: number("MainPID")
                .and_then(|pid| u32::try_from(pid).ok())
                .unwrap_or(0),
            remain_after_exit: flag("RemainAfterExit"),
            tasks: tasks(number("TasksCurrent"), &text("ControlGroup")),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_show() {
        let block = "Type=forking\nMainPID=0\nRemainAfterExit=yes\nTasksCurrent=[not set]\nNames=a.service b.service\n\
LoadState=loaded\nActiveState=active\nSubState=exited\nUnitFileState=generated\n\
FragmentPath=/run/systemd/generator.late/a.service\nSourcePath=/etc/init.d/a\nWantedBy=m.target n.target\nTriggeredBy=a.socket\nInvocationID=0123\n\
InactiveExitTimestampMonotonic=500\nNeedDaemonReload=no\nCanReload=yes";
        let properties = parse("a.service", block, 1000);
        assert_eq!(properties.names, ["a.service", "b.service"]);
        assert_eq!(properties.inactive_exit_us, 1500);
        assert_eq!(properties.source().as_deref(), Some("/etc/init.d/a"));
        assert_eq!(properties.wanted_by, ["m.target", "n.target"]);
        assert_eq!(properties.triggered_by[0].unit, "a.socket");
        assert!(properties.can_reload && !properties.need_daemon_reload);
        let service = properties.service.unwrap();
        assert_eq!((&*service.kind, service.tasks), ("forking", None));
        assert!(parse("a.socket", block, 0).service.is_none());
    }
}
