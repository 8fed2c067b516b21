//! Daemons at their start, and restarts as a state.

use anyhow::Result;
use cfg_tests::{Local, Sandbox, becomes};
use serde_json::json;

use crate::machine::{CONF, Machine, PROBE, SOON};

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

        let starts = machine.starts()?;
        assert!(
            !starts.iter().any(|start| start.contains("refused")),
            "{starts:?}"
        );
        Ok(())
    })
}

#[test]
fn what_is_done_by_hand_is_put_right_with_no_restart_too_many() -> Result<()> {
    Sandbox::run(|sandbox| {
        let machine = Machine::boot(sandbox, PROBE)?;
        let host = &machine.host;
        let now = ["--set", "version=1.1", "--set", "value=two"];
        machine.converge(&now)?;

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
        Ok(())
    })
}

#[test]
fn a_sysv_daemon_that_died_unseen_is_started_again() -> Result<()> {
    Sandbox::run(|sandbox| {
        let role = r#"
[fleet]
health = "printf srvr | nc -w 2 127.0.0.1 2181 | grep -q Mode"

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

#[test]
fn a_daemon_is_reloaded_and_one_that_dies_is_a_failure() -> Result<()> {
    Sandbox::run(|sandbox| {
        let machine = Machine::boot(sandbox, PROBE)?;
        let host = &machine.host;
        machine.converge(&["--set", "version=1.1"])?;

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
fn what_systemd_starts_again_and_again_is_not_well_in_the_next_run() -> Result<()> {
    Sandbox::run(|sandbox| {
        let host = sandbox.host("vm-1", "10.77.0.11")?;
        host.boot()?;
        let local = Local::on(&host)?;
        let unit = "[Unit]\nStartLimitBurst=1000\n[Service]\nRestart=always\nRestartSec=100ms\n\
                    ExecStart=/bin/sh -c 'test -e /etc/well && sleep 1000; sleep 0.4; exit 5'\n";
        local.write("app/app.service", unit)?;
        local.write(
            "app/role.toml",
            "[service.app]\nunit = \"app.service\"\nstate = \"running\"\n",
        )?;
        for again in 0..3 {
            let run = local.apply("app")?.expect(1)?;
            let told = run.document["failures"][0]["message"].to_string();
            assert!(told.contains("within 2 s"), "{again}: {told}");
        }
        let told = || -> Result<bool> {
            let shown = host.exec(local.words("app", &["--dry-run"]))?;
            Ok(shown.stderr.contains("was not well"))
        };
        becomes("told of while it runs", SOON, true, told)?;
        host.write_file("/etc/well", "")?;
        becomes("well", SOON, true, || {
            let children = host.exec(["pgrep", "-f", "^sleep 1000"])?;
            Ok(children.status == 0)
        })?;
        for _again in 0..2 {
            assert_eq!(local.apply("app")?.expect(0)?.changes(), [] as [&str; 0]);
        }
        assert!(!told()?, "it is well");
        Ok(())
    })
}
