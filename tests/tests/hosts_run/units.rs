//! Units on a real systemd: every combination of what a role can say of one, templates, masks, [Install] sections, and
//! why a service died.

use anyhow::{Result, ensure};
use cfg_tests::{Host, Local, Run, Sandbox};

pub const UNIT: &str = "[Service]\nExecStart=/bin/sleep infinity\nExecReload=/bin/true\n\n[Install]\nWantedBy=multi-user.target\n";
const ENABLED: &str = "/etc/systemd/system/multi-user.target.wants";

pub fn host(sandbox: &Sandbox) -> Result<Host> {
    let host = sandbox.host("vm-1", "10.77.0.11")?;
    host.boot()?;
    Ok(host)
}

/// systemd's word, which is no failure where it is no.
pub fn word(host: &Host, verb: &str, unit: &str) -> Result<String> {
    Ok(host
        .exec(["systemctl", verb, unit])?
        .stdout
        .trim()
        .to_owned())
}

/// A dry run, the run that did just that, and a dry run that finds nothing.
pub fn settle(local: &Local<'_>, role: &str) -> Result<Vec<String>> {
    let foretold = local.dry_run(role)?;
    let run = local.apply(role)?.expect(0)?;
    ensure!(
        foretold.document["changes"] == run.document["changes"],
        "foretold {:#}\ndone {:#}",
        foretold.document,
        run.document
    );
    ensure!(run.document["unforeseen"].is_null(), "{:#}", run.document);
    let again = local.dry_run(role)?.expect(0)?;
    ensure!(again.changes().is_empty(), "{:#}", again.document);
    Ok(run.changes())
}

/// A failure that the dry run has too, with nothing done.
fn refused(local: &Local<'_>, role: &str) -> Result<String> {
    let foretold = local.dry_run(role)?.expect(1)?;
    let run = local.apply(role)?.expect(1)?;
    let message = |run: &Run| run.document["failures"][0]["message"].clone();
    ensure!(message(&foretold) == message(&run), "{:#}", run.document);
    ensure!(run.changes().is_empty(), "{:#}", run.document);
    Ok(message(&run).as_str().unwrap_or_default().to_owned())
}

/// What a role says of the unit.
#[derive(Clone, Copy, Debug)]
struct Said {
    running: Option<bool>,
    enabled: Option<bool>,
    masked: Option<bool>,
}

impl Said {
    /// All that is no contradiction.
    fn all(own: bool) -> Vec<Said> {
        let words = [None, Some(true), Some(false)];
        let mut all = Vec::new();
        for masked in words {
            for enabled in words {
                for running in words {
                    let yes = [running, enabled].contains(&Some(true));
                    if masked != Some(true) || !(yes || own) {
                        all.push(Said {
                            running,
                            enabled,
                            masked,
                        });
                    }
                }
            }
        }
        all
    }

    fn role(self, own: bool) -> String {
        let mut role = "[service.app]\n".to_owned();
        if own {
            role += "unit = \"app.service\"\n";
        }
        if let Some(running) = self.running {
            let state = if running { "running" } else { "stopped" };
            role += &format!("state = \"{state}\"\n");
        }
        for (key, value) in [("enabled", self.enabled), ("masked", self.masked)] {
            role += &value.map_or(String::new(), |value| format!("{key} = {value}\n"));
        }
        role
    }

    /// Brings a host to it, and looks whether it is so.
    fn holds(self, host: &Host, local: &Local<'_>, own: bool) -> Result<()> {
        local.write("app/role.toml", self.role(own))?;
        let was_masked = word(host, "is-enabled", "app")? == "masked";
        if was_masked && self.masked.is_none() && [self.running, self.enabled].contains(&Some(true))
        {
            let why = refused(local, "app")?;
            ensure!(why.contains("masked = false"), "{why}");
            return Ok(());
        }
        settle(local, "app")?;
        let (boot, active) = (
            word(host, "is-enabled", "app")?,
            word(host, "is-active", "app")?,
        );
        let is = |wanted: Option<bool>, is: bool| wanted.is_none_or(|wanted| wanted == is);
        ensure!(is(self.masked, boot == "masked"), "{self:?}: {boot}");
        ensure!(
            boot == "masked" || is(self.enabled, boot == "enabled"),
            "{self:?}: {boot}"
        );
        ensure!(is(self.running, active == "active"), "{self:?}: {active}");
        Ok(())
    }
}

#[test]
fn every_combination_of_state_enabled_and_masked_holds() -> Result<()> {
    Sandbox::run(|sandbox| {
        let host = host(sandbox)?;
        let local = Local::on(&host)?;
        local.write("app/app.service", UNIT)?;
        for own in [true, false] {
            if !own {
                // As a package has it.
                host.sh("systemctl disable --now app; rm /etc/systemd/system/app.service")?;
                host.write_file("/lib/systemd/system/app.service", UNIT)?;
                host.run(["systemctl", "daemon-reload"])?;
            }
            let all = Said::all(own);
            // There and back, so that each is come to from two sides.
            for said in all.iter().chain(all.iter().rev()) {
                said.holds(&host, &local, own)?;
            }
            sandbox.step(if own {
                "of a unit of the role"
            } else {
                "of a package's"
            });
        }
        Ok(())
    })
}

#[test]
fn a_file_of_the_role_comes_over_a_mask() -> Result<()> {
    Sandbox::run(|sandbox| {
        let host = host(sandbox)?;
        let local = Local::on(&host)?;
        let role = format!(
            "[file.\"/etc/systemd/system/app.service\"]\ncontent = {UNIT:?}\n\
             [service.app]\nstate = \"running\"\nenabled = true\n"
        );
        local.write("app/role.toml", role)?;
        for mask in [
            "systemctl mask --runtime app",
            "ln -s /dev/null /etc/systemd/system/app.service",
        ] {
            host.sh(&format!("{mask}; systemctl daemon-reload"))?;
            let done = settle(&local, "app")?;
            assert_eq!(done[1..], ["service:app enable", "service:app start"]);
            host.sh("systemctl disable --now app; rm /etc/systemd/system/app.service")?;
        }
        Ok(())
    })
}

#[test]
fn what_a_mask_hides_is_foretold() -> Result<()> {
    Sandbox::run(|sandbox| {
        let host = host(sandbox)?;
        let local = Local::on(&host)?;
        host.write_file("/lib/systemd/system/app.service", UNIT)?;
        host.run(["systemctl", "daemon-reload"])?;
        for (before, enabled, expected) in [
            ("enable", true, &["service:app unmask"][..]),
            (
                "enable",
                false,
                &["service:app unmask", "service:app disable"],
            ),
            (
                "disable",
                true,
                &["service:app unmask", "service:app enable"],
            ),
            ("disable", false, &["service:app unmask"]),
            (
                "enable --runtime",
                false,
                &["service:app unmask", "service:app disable"],
            ),
        ] {
            host.sh(&format!("systemctl {before} app"))?;
            host.run(["systemctl", "mask", "app"])?;
            let said = format!("[service.app]\nmasked = false\nenabled = {enabled}\n");
            local.write("app/role.toml", said)?;
            assert_eq!(settle(&local, "app")?, expected, "{before} {enabled}");
        }
        // Nothing at all.
        host.run(["systemctl", "mask", "none"])?;
        let said = "[service.none]\nmasked = false\nstate = \"running\"\n";
        local.write("app/role.toml", said)?;
        for run in [local.dry_run("app")?, local.apply("app")?] {
            let run = run.expect(1)?;
            let message = &run.document["failures"][0]["message"];
            assert_eq!(message, "there is no unit none.service");
        }
        Ok(())
    })
}

#[test]
fn templates_have_files_and_their_instances_run() -> Result<()> {
    Sandbox::run(|sandbox| {
        let host = host(sandbox)?;
        let local = Local::on(&host)?;
        let role = r#"
[service."tp@"]
unit = "tp.service"
[service."tp@a"]
state = "running"
enabled = true
[service."tp@b.service"]
state = "running"
[service."getty@"]
masked = true
"#;
        local.write("app/tp.service", UNIT)?;
        local.write("app/role.toml", role)?;
        assert_eq!(
            settle(&local, "app")?,
            [
                "service:getty@ mask",
                "service:tp@ create",
                "service:tp@a enable",
                "service:tp@a start",
                "service:tp@b start",
            ]
        );
        assert_eq!(word(&host, "is-enabled", "getty@tty2")?, "masked");
        assert_eq!(word(&host, "is-enabled", "tp@a")?, "enabled");
        host.run(["systemctl", "restart", "tp@b"])?;
        sandbox.step("a template and its instances");

        // A new file of the template, that starts them elsewhere at boot.
        let changed = UNIT
            .replace("multi-user", "graphical")
            .replace("infinity", "2000000");
        local.write("app/tp.service", changed)?;
        local.write(
            "app/role.toml",
            role.replace("masked = true", "masked = false"),
        )?;
        assert_eq!(
            settle(&local, "app")?,
            [
                "service:getty@ unmask",
                "service:tp@ update",
                "service:tp@a enable",
                "service:tp@a restart",
                "service:tp@b restart",
            ]
        );
        assert!(!host.exists(&format!("{ENABLED}/tp@a.service"))?, "stale");
        host.run([
            "test",
            "-L",
            "/etc/systemd/system/graphical.target.wants/tp@a.service",
        ])?;
        sandbox.step("restarted by the template's new file");

        // An instance of a template that nobody declares, with a file of its own.
        local.write(
            "app/role.toml",
            "[service.\"tp@c\"]\nunit = \"tp.service\"\nstate = \"running\"\n",
        )?;
        assert_eq!(
            settle(&local, "app")?,
            ["service:tp@c create", "service:tp@c start"]
        );
        assert!(host.exists("/etc/systemd/system/tp@c.service")?);
        Ok(())
    })
}

#[test]
fn a_unit_is_enabled_as_its_install_section_says_now() -> Result<()> {
    Sandbox::run(|sandbox| {
        let host = host(sandbox)?;
        let local = Local::on(&host)?;
        local.write("app/app.service", UNIT)?;
        local.write(
            "app/role.toml",
            "[service.app]\nunit = \"app.service\"\nenabled = true\n",
        )?;
        settle(&local, "app")?;
        local.write(
            "app/app.service",
            UNIT.replace("multi-user.target", "graphical.target\nAlias=other.service"),
        )?;
        assert_eq!(
            settle(&local, "app")?,
            ["service:app update", "service:app enable"]
        );
        assert!(
            !host.exists(&format!("{ENABLED}/app.service"))?,
            "the stale link is gone"
        );
        assert_eq!(word(&host, "is-enabled", "app")?, "enabled");
        // A stale link alone, as of a run that was killed in between.
        host.run(["systemctl", "add-wants", "multi-user.target", "app.service"])?;
        assert_eq!(settle(&local, "app")?, ["service:app enable"]);
        sandbox.step("enabled anew");

        // By another of its names.
        local.write("other/role.toml", "[service.other]\nenabled = false\n")?;
        assert_eq!(settle(&local, "other")?, ["service:other disable"]);
        assert_eq!(word(&host, "is-enabled", "app")?, "disabled");
        // Until the next boot is not at boot.
        host.run(["systemctl", "enable", "--runtime", "app"])?;
        assert_eq!(settle(&local, "app")?, ["service:app enable"]);
        local.write("app/role.toml", "[service.app]\nenabled = false\n")?;
        assert_eq!(settle(&local, "app")?, ["service:app disable"]);
        assert_eq!(word(&host, "is-enabled", "app")?, "disabled");
        sandbox.step("aliases, and for now");

        // Nothing to enable: in sync where something starts it, else no role can make it so.
        local.write(
            "app/role.toml",
            "[service.systemd-journald]\nenabled = true\n",
        )?;
        assert_eq!(settle(&local, "app")?, [] as [&str; 0]);
        let fixed = "[Service]\nExecStart=/bin/sleep infinity\n";
        host.write_file("/lib/systemd/system/job.service", fixed)?;
        host.write_file(
            "/lib/systemd/system/job.timer",
            "[Timer]\nOnBootSec=1d\n[Install]\nWantedBy=timers.target\n",
        )?;
        host.run(["systemctl", "daemon-reload"])?;
        local.write("app/role.toml", "[service.job]\nenabled = true\n")?;
        let why = refused(&local, "app")?;
        assert!(why.contains("no [Install] section"), "{why}");
        local.write(
            "app/role.toml",
            "[service.\"job.timer\"]\nenabled = true\nstate = \"running\"\n",
        )?;
        assert_eq!(
            settle(&local, "app")?,
            ["service:job.timer enable", "service:job.timer start"]
        );
        local.write("app/role.toml", "[service.job]\nenabled = true\n")?;
        let why = refused(&local, "app")?;
        assert!(why.contains("enable job.timer"), "{why}");
        Ok(())
    })
}

#[test]
fn a_service_that_dies_says_why() -> Result<()> {
    Sandbox::run(|sandbox| {
        let host = host(sandbox)?;
        let local = Local::on(&host)?;
        let role = "[service.app]\nunit = \"app.service\"\nstate = \"running\"\n";
        local.write("app/role.toml", role)?;
        let dies = |line: &str, more: &str| {
            let unit = format!("[Service]\n{more}\nExecStart={line}\n");
            local.write("app/app.service", unit)?;
            let run = local.apply("app")?.expect(1)?;
            let message = run.document["failures"][0]["message"]
                .as_str()
                .unwrap_or_default();
            host.run(["systemctl", "stop", "app"])?;
            anyhow::Ok(message.to_owned())
        };
        let told = dies("/bin/sh -c 'printf \"bad \\033[2Jconf\\n\"; exit 3'", "")?;
        assert!(
            told.starts_with("it was started, and failed within 2 s: exit status 3\n"),
            "{told}"
        );
        assert!(
            told.contains("bad") && told.contains("conf") && !told.contains('\u{1b}'),
            "{told}"
        );
        let told = dies("/bin/sh -c 'sleep 1; echo later; kill -9 $$$$'", "")?;
        assert!(
            told.contains("signal 9\n") && told.contains("later"),
            "{told}"
        );
        let told = dies("/usr/bin/none-of-that", "")?;
        assert!(
            told.contains("exit status 203") && told.contains("none-of-that"),
            "{told}"
        );
        let told = dies(
            "/bin/sleep 99",
            "ExecStartPre=/bin/sh -c 'echo not ready; exit 5'",
        )?;
        assert!(
            told.contains("not ready") && told.contains("status=5"),
            "{told}"
        );
        let told = dies("/bin/true", "Type=oneshot")?;
        assert!(told.contains("RemainAfterExit=yes"), "{told}");
        let told = dies(
            "/bin/sh -c 'echo again and again; exit 1'",
            "Restart=always\nRestartSec=100ms",
        )?;
        assert!(told.contains("again and again"), "{told}");
        let told = dies("/bin/sleep 99\n[Unit]\nConditionPathExists=/none", "")?;
        assert!(told.contains("ConditionPathExists=/none"), "{told}");
        sandbox.step("each with its reason");

        // What it prints may be what nobody may see.
        local.write(
            "app/role.toml",
            format!("{role}restart_on = [\"file:/etc/key\"]\n[file.\"/etc/key\"]\ncontent = \"hush\"\nsensitive = true\n"),
        )?;
        let told = dies("/bin/sh -c 'cat /etc/key; exit 3'", "")?;
        assert!(
            told.contains("exit status 3") && !told.contains("hush"),
            "{told}"
        );
        Ok(())
    })
}
