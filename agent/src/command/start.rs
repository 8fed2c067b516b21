//! Installing the agent as a systemd unit.

use super::output;
use crate::error::Error;
use anyhow::Context as _;
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

/// The unit as it is shipped.
const UNIT: &str = include_str!("../../systemd/cfg-agent.service");

/// Where an administrator's units stand.
const PATH: &str = "/etc/systemd/system/cfg-agent.service";

/// What the shipped unit runs.
const SHIPPED: &str = "/usr/bin/cfg agent";

/// Writes the unit, and has systemd start it now and at every boot.
pub fn install_and_start(config: Option<&Path>) -> Result<(), Error> {
    let program = std::env::current_exe().context("where this program lies")?;
    let unit = unit(&program, config).map_err(Error::Usage)?;
    if !Path::new("/run/systemd/system").is_dir() {
        return Err(Error::Failed(anyhow::anyhow!(
            "this machine does not run systemd: start `cfg agent` by other means"
        )));
    }
    let installed = std::fs::read_to_string(PATH).unwrap_or_default();
    if installed != unit {
        crate::durable::write(Path::new(PATH), unit.as_bytes())
            .and_then(|()| std::fs::set_permissions(PATH, Permissions::from_mode(0o644)))
            .context(PATH)?;
        systemctl(&["daemon-reload"])?;
    }
    // Not waited for: cloud-init runs this from a unit of its own, which the agent may be ordered behind.
    systemctl(&["enable", "cfg-agent.service"])?;
    systemctl(&["restart", "--no-block", "cfg-agent.service"])?;
    output::note("cfg-agent.service is enabled and starts now");
    Ok(())
}

/// The shipped unit, for a program and a configuration that lie elsewhere.
fn unit(program: &Path, config: Option<&Path>) -> anyhow::Result<String> {
    let mut line = plain(program)?;
    if let Some(config) = config {
        let config = std::path::absolute(config).context("the configuration's path")?;
        line.push_str(&format!(" --config {}", plain(&config)?));
    }
    line.push_str(" agent");
    Ok(UNIT.replace(SHIPPED, &line))
}

/// A path that systemd takes as it stands.
fn plain(path: &Path) -> anyhow::Result<String> {
    let text = path.to_str().filter(|text| {
        text.chars()
            .all(|c| c.is_alphanumeric() || matches!(c, '/' | '.' | '-' | '_' | '+'))
    });
    text.map(String::from).with_context(|| {
        format!(
            "a unit file cannot name {} without quoting: put it elsewhere",
            path.display()
        )
    })
}

fn systemctl(arguments: &[&str]) -> anyhow::Result<()> {
    let asked = format!("systemctl {}", arguments.join(" "));
    let output = Command::new("systemctl")
        .args(arguments)
        .stdin(std::process::Stdio::null())
        .output()
        .context(asked.clone())?;
    anyhow::ensure!(
        output.status.success(),
        "{asked}: {}",
        String::from_utf8_lossy(&output.stderr).trim()
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_unit_leaves_the_agent_what_its_kinds_need() {
        let bound = UNIT
            .lines()
            .find_map(|line| line.strip_prefix("CapabilityBoundingSet="));
        let bound: Vec<&str> = bound.unwrap().split(' ').collect();
        for (capability, why) in [
            ("CAP_SYS_ADMIN", "mount"),
            ("CAP_CHOWN", "owners"),
            ("CAP_NET_ADMIN", "sysctl net.*"),
            (
                "CAP_SYS_PTRACE",
                "sysctl kernel.yama.*, and who holds a mount",
            ),
            ("CAP_SYS_RAWIO", "sysctl vm.mmap_min_addr"),
        ] {
            assert!(bound.contains(&capability), "{capability}: {why}");
        }
    }

    #[test]
    fn the_unit_runs_this_program() {
        let shipped = unit(Path::new("/usr/bin/cfg"), None).unwrap();
        assert_eq!(shipped, UNIT);
        assert!(UNIT.contains(&format!("\nExecStart={SHIPPED}\n")));
        let foreign = "Documentation=man:systemd";
        assert!(!UNIT.contains(foreign), "that page says nothing of cfg");
        let own = unit(
            Path::new("/usr/local/bin/cfg"),
            Some(Path::new("/srv/agent.toml")),
        )
        .unwrap();
        assert!(own.contains("\nExecStart=/usr/local/bin/cfg --config /srv/agent.toml agent\n"));
        assert!(unit(Path::new("/opt/my programs/cfg"), None).is_err());
        assert!(unit(Path::new("/opt/100%/cfg"), None).is_err());
    }
}
