//! Packages, their daemons and their marks.

use anyhow::{Context, Result};
use cfg_tests::{Sandbox, becomes};

use crate::machine::{CONF, Machine, PROBE, SOON, words};

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
        assert!(told.starts_with("needed by perl, "), "{told}");
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
        Ok(())
    })
}

#[test]
fn another_apt_is_waited_for_and_a_dead_source_stops_nothing() -> Result<()> {
    Sandbox::run(|sandbox| {
        let machine = Machine::boot(sandbox, "[package]\nhello = \"*\"\n")?;
        let host = &machine.host;
        // Another apt at work is waited for, be it at the lists or at dpkg.
        for lock in ["/var/lib/apt/lists/lock", "/var/lib/dpkg/lock-frontend"] {
            host.sh("find /var/lib/apt/lists -name '*_*' -type f -delete; dpkg --purge hello")?;
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
