//! Runs without a server on real hosts: packages and their daemons, restarts as a state, and an agent that is killed.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use cfg_tests::{Host, Sandbox, agent_binary, becomes};
use serde_json::{Value, json};

const SOON: Duration = Duration::from_secs(30);
const STARTS: &str = "/var/log/probe-daemon.starts";
const CONF: &str = "/etc/probe-daemon/probe.conf";

const PROBE: &str = r#"
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
struct Machine {
    host: Host,
}

impl Machine {
    fn boot(sandbox: &Sandbox, role: &str) -> Result<Self> {
        let host = sandbox.host("vm-1", "10.77.0.11")?;
        host.use_local_repository()?;
        host.copy_in(&agent_binary()?, "/usr/local/bin/cfg")?;
        host.write_file("/srv/roles/probe/role.toml", role)?;
        host.boot()?;
        sandbox.step("booted");
        Ok(Self { host })
    }

    fn role(&self, text: &str) -> Result<()> {
        self.host.write_file("/srv/roles/probe/role.toml", text)
    }

    fn apply(&self, more: &[&str]) -> Result<(i32, Value)> {
        let mut argv = vec!["cfg", "apply", "--catalog", "/srv/roles", "--role", "probe"];
        argv.push("--json");
        argv.extend(more);
        let output = self.host.exec(argv)?;
        let document = serde_json::from_str(&output.stdout)
            .with_context(|| format!("no document: {output}"))?;
        Ok((output.status, document))
    }

    /// A dry run and then a run, which must do just what was shown; gives that in words.
    fn converge(&self, more: &[&str]) -> Result<Vec<String>> {
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
    fn starts(&self) -> Result<Vec<String>> {
        if !self.host.exists(STARTS)? {
            return Ok(Vec::new());
        }
        let log = self.host.read_file(STARTS)?;
        let note = |line: &str| line.split_once(' ').map(|(_, note)| note.to_owned());
        Ok(log.lines().filter_map(note).collect())
    }

    /// Starts a run as a unit of its own, as the agent is one.
    fn apply_as_unit(&self) -> Result<()> {
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

    fn kill_unit(&self) -> Result<()> {
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

fn words(document: &Value) -> Vec<String> {
    let word = |change: &Value| {
        let text = |key: &str| change[key].as_str().unwrap_or_default().to_owned();
        format!("{} {}", text("action"), text("resource"))
    };
    document["changes"]
        .as_array()
        .map(|changes| changes.iter().map(word).collect())
        .unwrap_or_default()
}

#[test]
fn a_daemon_starts_once_with_its_configuration_and_restarts_when_it_must() -> Result<()> {
    Sandbox::run(|sandbox| {
        let machine = Machine::boot(sandbox, PROBE)?;
        let host = &machine.host;
        let made = machine.converge(&[])?;
        assert_eq!(made[0], "install package:probe-daemon");
        assert_eq!(
            made.last().map(String::as_str),
            Some("start service:probe-daemon")
        );
        assert_eq!(
            machine.starts()?,
            ["1.0 started one"],
            "not before its configuration"
        );
        assert!(!host.exists("/usr/sbin/policy-rc.d")?);
        sandbox.step("installed, configured, started");

        // A new package alone: its new binary runs, after one restart.
        let made = machine.converge(&["--set", "version=1.1"])?;
        assert_eq!(
            made,
            [
                "upgrade package:probe-daemon",
                "restart service:probe-daemon"
            ]
        );
        assert_eq!(machine.starts()?[1..], ["1.1 started one"]);
        sandbox.step("upgraded");

        let now = ["--set", "version=1.1", "--set", "value=two"];
        let made = machine.converge(&now)?;
        assert_eq!(
            made,
            [
                format!("update file:{CONF}"),
                "restart service:probe-daemon".into()
            ]
        );
        assert_eq!(machine.starts()?[2..], ["1.1 started two"]);

        // Changed by hand and not restarted: put back, and nothing read it, so nothing is owed.
        host.write_file(CONF, "value=three\n")?;
        assert_eq!(machine.converge(&now)?, [format!("update file:{CONF}")]);
        // Changed and restarted by hand: put back, and restarted once.
        host.write_file(CONF, "value=three\n")?;
        host.run(["systemctl", "restart", "probe-daemon"])?;
        let made = machine.converge(&now)?;
        assert_eq!(
            made,
            [
                format!("update file:{CONF}"),
                "restart service:probe-daemon".into()
            ]
        );
        // Restarted by hand under what the role says: nothing is owed.
        host.run(["systemctl", "restart", "probe-daemon"])?;
        assert!(machine.converge(&now)?.is_empty());
        host.run(["systemctl", "stop", "probe-daemon"])?;
        assert_eq!(machine.converge(&now)?, ["start service:probe-daemon"]);
        sandbox.step("disturbed by hand, and put right");

        let starts = machine.starts()?;
        assert!(
            !starts.iter().any(|start| start.contains("refused")),
            "{starts:?}"
        );
        machine.role(&PROBE.replace("restart_on", "reload_on"))?;
        let now = ["--set", "version=1.1", "--set", "value=four"];
        let made = machine.converge(&now)?;
        assert_eq!(
            made,
            [
                format!("update file:{CONF}"),
                "reload service:probe-daemon".into()
            ]
        );
        assert_eq!(
            machine.starts()?.last().map(String::as_str),
            Some("1.1 reloaded four")
        );

        // What dies at its start is a failure that says so.
        let (code, document) = machine.apply(&["--set", "version=1.1", "--set", "value="])?;
        assert_eq!(code, 0, "a reload proves nothing: {document:#}");
        host.run(["systemctl", "stop", "probe-daemon"])?;
        let (code, document) = machine.apply(&["--set", "version=1.1", "--set", "value="])?;
        assert_eq!(code, 1, "{document:#}");
        assert_eq!(
            document["failures"][0]["resource"],
            json!("service:probe-daemon")
        );
        Ok(())
    })
}

#[test]
fn packages_start_only_what_ran_before_and_the_role_leaves_alone() -> Result<()> {
    Sandbox::run(|sandbox| {
        let role = "[package]\nprobe-daemon = \"1.0\"\n";
        let machine = Machine::boot(sandbox, role)?;
        let host = &machine.host;
        let foreign = "#!/bin/sh\n# somebody's own\nexit 0\n";
        host.write_file("/usr/sbin/policy-rc.d", foreign)?;
        host.run(["chmod", "755", "/usr/sbin/policy-rc.d"])?;
        host.write_file(CONF, "value=own\n")?;
        machine.converge(&[])?;
        assert!(machine.starts()?.is_empty(), "it did not run before");
        assert_eq!(
            host.read_file(CONF)?,
            "value=own\n",
            "dpkg overwrote a conffile"
        );

        host.run(["systemctl", "start", "probe-daemon"])?;
        machine.role("[package]\nprobe-daemon = \"1.1\"\n")?;
        machine.converge(&[])?;
        assert_eq!(machine.starts()?, ["1.0 started own", "1.1 started own"]);
        assert_eq!(host.read_file("/usr/sbin/policy-rc.d")?, foreign);
        assert_eq!(
            host.sh("ls /usr/sbin/*policy*")?.trim(),
            "/usr/sbin/policy-rc.d"
        );

        // Masked before it is there at all.
        machine.role("[package]\nprobe-daemon = { state = \"purged\" }\n")?;
        machine.converge(&[])?;
        assert!(!host.exists("/etc/probe-daemon")?);
        machine.role(
            "[package]\nprobe-daemon = \"*\"\n[service.probe-daemon]\nmasked = true\nstate = \"stopped\"\n",
        )?;
        let made = machine.converge(&[])?;
        assert_eq!(
            made,
            ["mask service:probe-daemon", "install package:probe-daemon"]
        );
        let state = host.exec(["systemctl", "is-enabled", "probe-daemon"])?;
        assert_eq!(state.stdout.trim(), "masked");
        machine.role(
            "[package]\nprobe-daemon = \"*\"\n[file.\"/etc/probe-daemon/probe.conf\"]\ncontent = \"value=1\\n\"\n\
             [service.probe-daemon]\nmasked = false\nstate = \"running\"\nenabled = true\n",
        )?;
        let made = machine.converge(&[])?;
        assert!(
            made.contains(&"unmask service:probe-daemon".to_owned()),
            "{made:?}"
        );
        assert_eq!(
            host.run(["systemctl", "is-active", "probe-daemon"])?.trim(),
            "active"
        );
        Ok(())
    })
}

#[test]
fn apt_outlives_an_agent_that_is_killed_and_the_next_run_waits() -> Result<()> {
    Sandbox::run(|sandbox| {
        let role = PROBE.replace("[package]", "[package]\nslow-postinst = \"*\"");
        let machine = Machine::boot(sandbox, &role)?;
        let host = &machine.host;
        machine.apply_as_unit()?;
        becomes("the slow package's script runs", SOON, true, || {
            host.exists("/var/log/slow-postinst")
        })?;
        machine.kill_unit()?;
        sandbox.step("killed");
        assert!(!host.read_file("/var/log/slow-postinst")?.contains("ended"));

        let (code, document) = machine.apply(&[])?;
        assert_eq!(code, 0, "{document:#}");
        sandbox.step("the next run is done");
        let log = host.read_file("/var/log/slow-postinst")?;
        assert_eq!(log.matches("began").count(), 1, "{log}");
        assert_eq!(log.matches("ended").count(), 1, "{log}");
        assert_eq!(machine.starts()?, ["1.0 started one"]);
        assert!(!host.exists("/usr/sbin/policy-rc.d")?);
        assert!(machine.converge(&[])?.is_empty());

        // dpkg itself is killed: the next run repairs what it left.
        host.run(["apt-get", "purge", "-y", "slow-postinst"])?;
        host.run(["rm", "/var/log/slow-postinst"])?;
        machine.apply_as_unit()?;
        becomes("the slow package's script runs again", SOON, true, || {
            host.exists("/var/log/slow-postinst")
        })?;
        host.sh("systemctl kill --signal=KILL agent.service 'cfg-effect-*'")?;
        becomes("apt is dead", SOON, true, || {
            Ok(host.exec(["pgrep", "-x", "apt-get"])?.status == 1)
        })?;
        let status = host.run(["dpkg-query", "-f", "${Status}", "-W", "slow-postinst"])?;
        assert_eq!(status, "install ok half-configured");
        assert_eq!(machine.converge(&[])?, ["install package:slow-postinst"]);
        Ok(())
    })
}

#[test]
fn killed_between_a_change_and_its_restart_the_next_run_restarts_once() -> Result<()> {
    Sandbox::run(|sandbox| {
        let role = format!(
            "{PROBE}\n[command.slowly]\nrun = \"echo began >>/var/log/slowly; sleep 5; echo ended >>/var/log/slowly\"\n\
             on = [\"file:/etc/probe-daemon/probe.conf\"]\n"
        );
        let machine = Machine::boot(sandbox, &role)?;
        let host = &machine.host;
        machine.converge(&[])?;
        host.run(["rm", "/var/log/slowly"])?;
        sandbox.step("converged");

        machine.role(&role.replace("\"one\"", "\"two\""))?;
        machine.apply_as_unit()?;
        becomes("the file is changed", SOON, true, || {
            host.exists("/var/log/slowly")
        })?;
        machine.kill_unit()?;
        assert_eq!(machine.starts()?, ["1.0 started one"]);

        let (code, document) = machine.apply(&[])?;
        assert_eq!(code, 0, "{document:#}");
        assert_eq!(words(&document), ["restart service:probe-daemon"]);
        assert_eq!(
            host.read_file("/var/log/slowly")?,
            "began\nended\n",
            "it was waited for"
        );
        assert_eq!(machine.starts()?, ["1.0 started one", "1.0 started two"]);
        assert!(machine.converge(&[])?.is_empty());
        Ok(())
    })
}

#[test]
fn what_apt_says_is_what_the_failure_says() -> Result<()> {
    Sandbox::run(|sandbox| {
        let role = "[package]\nhello = \"*\"\nno-such-package = \"*\"\nprobe-daemon = \"7.*\"\n";
        let machine = Machine::boot(sandbox, role)?;
        let (code, document) = machine.apply(&[])?;
        assert_eq!(code, 1);
        assert_eq!(words(&document), ["install package:hello"], "{document:#}");
        let failures: Vec<String> = document["failures"]
            .as_array()
            .context("no failures")?
            .iter()
            .map(|failure| failure["message"].as_str().unwrap_or_default().to_owned())
            .collect();
        assert!(
            failures.iter().any(|told| told.contains("no-such-package")),
            "{failures:?}"
        );
        assert!(
            failures
                .iter()
                .any(|told| told.contains("1.1") && told.contains("7.*")),
            "{failures:?}"
        );

        // Nothing goes that the plan does not list.
        let needed = "[package]\nperl-base = { state = \"absent\" }\n";
        machine.role(needed)?;
        let (code, document) = machine.apply(&[])?;
        assert_eq!(code, 1);
        let told = document["failures"][0]["message"]
            .as_str()
            .unwrap_or_default();
        assert!(
            told.contains("would also remove") || told.contains("E: "),
            "{told}"
        );
        assert_eq!(machine.host.exec(["perl", "-e", "1"])?.status, 0);
        Ok(())
    })
}

#[test]
fn packages_move_both_ways_and_keep_their_marks() -> Result<()> {
    Sandbox::run(|sandbox| {
        let machine = Machine::boot(sandbox, PROBE)?;
        let host = &machine.host;
        let newer = ["--set", "version=1.1"];
        machine.converge(&newer)?;
        sandbox.step("1.1 runs");

        // An administrator's hold is lifted for this change alone.
        host.run(["apt-mark", "hold", "probe-daemon"])?;
        let made = machine.converge(&[])?;
        assert_eq!(
            made,
            [
                "downgrade package:probe-daemon",
                "restart service:probe-daemon"
            ]
        );
        assert_eq!(host.run(["apt-mark", "showhold"])?.trim(), "probe-daemon");
        assert_eq!(machine.starts()?, ["1.1 started one", "1.0 started one"]);

        host.run(["apt-mark", "auto", "probe-daemon"])?;
        assert_eq!(machine.converge(&[])?, ["update package:probe-daemon"]);
        assert_eq!(host.run(["apt-mark", "showauto", "probe-daemon"])?, "");
        sandbox.step("marks");

        // Another apt at work is waited for, be it at the lists or at dpkg.
        for lock in ["/var/lib/apt/lists/lock", "/var/lib/dpkg/lock-frontend"] {
            host.sh(
                "find /var/lib/apt/lists -name '*_*' -type f -delete; apt-get purge -qq hello",
            )?;
            machine.role("[package]\nhello = \"*\"\n")?;
            let script = format!(
                "import fcntl, time\nf = open('{lock}', 'w')\nfcntl.lockf(f, fcntl.LOCK_EX)\nopen('/locked', 'w')\ntime.sleep(4)\n"
            );
            let _other = host.spawn(["python3", "-c", &script])?;
            becomes("the other apt works", SOON, true, || host.exists("/locked"))?;
            let (code, document) = machine.apply(&[])?;
            assert_eq!(code, 0, "{lock}: {document:#}");
            host.run(["rm", "/locked"])?;
        }
        sandbox.step("locks");

        // A source that cannot be reached does not stop what the others have, and is told of where it matters.
        host.write_file(
            "/etc/apt/sources.list.d/gone.list",
            "deb [trusted=yes] http://10.77.0.1:9/debian gone main\n",
        )?;
        host.run(["apt-get", "purge", "-qq", "hello"])?;
        machine.role("[package]\nhello = \"*\"\nonly-there = \"*\"\n")?;
        let (code, document) = machine.apply(&[])?;
        assert_eq!(code, 1);
        assert_eq!(words(&document), ["install package:hello"]);
        let told = document["failures"][0]["message"]
            .as_str()
            .unwrap_or_default();
        assert!(
            told.contains("only-there") && told.contains("10.77.0.1"),
            "{told}"
        );
        Ok(())
    })
}

#[test]
fn a_sysv_daemon_that_died_unseen_is_started_again() -> Result<()> {
    Sandbox::run(|sandbox| {
        let role = r#"
[fleet]
health = "echo srvr | nc -w 2 127.0.0.1 2181 | grep -q Mode"

[package]
zookeeperd = "*"
netcat-openbsd = "*"

[service.zookeeper]
state = "running"
enabled = true
"#;
        let machine = Machine::boot(sandbox, role)?;
        let host = &machine.host;
        machine.converge(&[])?;
        sandbox.step("it runs");
        host.run(["pkill", "-KILL", "java"])?;
        becomes("java is dead", SOON, true, || {
            Ok(host.exec(["pgrep", "java"])?.status == 1)
        })?;
        let word = host.run(["systemctl", "is-active", "zookeeper"])?;
        assert_eq!(word.trim(), "active", "systemd does not know");
        assert_eq!(machine.converge(&[])?, ["start service:zookeeper"]);

        // Without a bus, systemctl tells the same.
        let argv = "DBUS_SYSTEM_BUS_ADDRESS=unix:path=/none cfg apply --catalog /srv/roles --role probe --dry-run";
        host.sh(argv)?;
        Ok(())
    })
}
