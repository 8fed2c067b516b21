//! An agent that is killed, and the run after.

use anyhow::Result;
use cfg_tests::{Sandbox, becomes};

use crate::machine::{Machine, PROBE, SOON, words};

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
