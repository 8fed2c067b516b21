//! A host with cfg and a catalog of one role, and what a test asks of it.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use cfg_tests::{Host, Sandbox, agent_binary, becomes};
use serde_json::Value;

pub const SOON: Duration = Duration::from_secs(30);
const STARTS: &str = "/var/log/probe-daemon.starts";
pub const CONF: &str = "/etc/probe-daemon/probe.conf";

pub const PROBE: &str = r#"
[params]
version = { type = "string", default = "1.0" }
value = { type = "string", default = "one" }

[package]
probe-daemon = "{{ params.version }}"

[file."/etc/probe-daemon/probe.conf"]
content = "value={{ params.value }}\n"

[service.probe-daemon]
state = "running"
enabled = true
restart_on = ["file:/etc/probe-daemon/*"]
"#;

/// A host with cfg, the tests' packages, and a catalog with one role.
pub struct Machine {
    pub host: Host,
}

impl Machine {
    pub fn boot(sandbox: &Sandbox, role: &str) -> Result<Self> {
        let host = sandbox.host("vm-1", "10.77.0.11")?;
        host.use_local_repository()?;
        host.copy_in(&agent_binary()?, "/usr/local/bin/cfg")?;
        host.write_file("/srv/roles/probe/role.toml", role)?;
        host.boot()?;
        sandbox.step("booted");
        Ok(Self { host })
    }

    pub fn role(&self, text: &str) -> Result<()> {
        self.host.write_file("/srv/roles/probe/role.toml", text)
    }

    pub fn apply(&self, more: &[&str]) -> Result<(i32, Value)> {
        let mut argv = vec!["cfg", "apply", "--catalog", "/srv/roles", "--role", "probe"];
        argv.push("--json");
        argv.extend(more);
        let output = self.host.exec(argv)?;
        let document = serde_json::from_str(&output.stdout)
            .with_context(|| format!("no document: {output}"))?;
        Ok((output.status, document))
    }

    /// A dry run and then a run, which must do just what was shown; gives that in words.
    pub fn converge(&self, more: &[&str]) -> Result<Vec<String>> {
        let dry = [&["--dry-run"], more].concat();
        let (code, shown) = self.apply(&dry)?;
        let (ran, done) = self.apply(more)?;
        ensure!(ran == 0, "it failed: {done:#}");
        ensure!(
            shown["changes"] == done["changes"],
            "shown {:#}, done {:#}",
            shown["changes"],
            done["changes"]
        );
        ensure!(done["unforeseen"].is_null(), "{done:#}");
        let words = words(&done);
        ensure!(
            code == if words.is_empty() { 0 } else { 2 },
            "exit code {code}"
        );
        let (code, again) = self.apply(&dry)?;
        ensure!(code == 0, "it did not converge: {again:#}");
        Ok(words)
    }

    /// What the daemon noted of its starts, without the times.
    pub fn starts(&self) -> Result<Vec<String>> {
        if !self.host.exists(STARTS)? {
            return Ok(Vec::new());
        }
        let log = self.host.read_file(STARTS)?;
        let note = |line: &str| line.split_once(' ').map(|(_, note)| note.to_owned());
        Ok(log.lines().filter_map(note).collect())
    }

    /// Starts a run as a unit of its own, as the agent is one.
    pub fn apply_as_unit(&self) -> Result<()> {
        self.host.run([
            "systemd-run",
            "--unit=agent",
            "--collect",
            "cfg",
            "apply",
            "--catalog",
            "/srv/roles",
            "--role",
            "probe",
        ])?;
        Ok(())
    }

    pub fn kill_unit(&self) -> Result<()> {
        self.host
            .run(["systemctl", "kill", "--signal=KILL", "agent.service"])?;
        becomes("the agent is dead", SOON, true, || {
            let state = self
                .host
                .exec(["systemctl", "is-active", "agent.service"])?;
            Ok(state.stdout.trim() != "active")
        })
    }
}

pub fn words(document: &Value) -> Vec<String> {
    let word = |change: &Value| {
        let text = |key: &str| change[key].as_str().unwrap_or_default().to_owned();
        format!("{} {}", text("action"), text("resource"))
    };
    document["changes"]
        .as_array()
        .map(|changes| changes.iter().map(word).collect())
        .unwrap_or_default()
}
