//! Packages and their daemons, on a real host with real apt and systemd.

use std::time::Duration;

use anyhow::{Result, ensure};
use cfg_tests::{Host, Local, Sandbox, becomes, eventually};

mod accounts;
mod choices;
mod made;
mod sources;

/// The role of these tests: the probe daemon with its configuration.
fn probe(version: &str, value: &str) -> String {
    format!(
        r#"
[package]
probe-daemon = "{version}"

[file."/etc/probe-daemon/probe.conf"]
content = "value={value}\n"

[service.probe-daemon]
state = "running"
enabled = true
restart_on = ["file:/etc/probe-daemon/*"]
"#
    )
}

/// What the daemon noted of its starts: `VERSION EVENT VALUE`.
fn starts(host: &Host) -> Result<Vec<String>> {
    if !host.exists("/var/log/probe-daemon.starts")? {
        return Ok(Vec::new());
    }
    let log = host.read_file("/var/log/probe-daemon.starts")?;
    let word = |line: &str| line.split_once(' ').map(|(_, rest)| rest.to_owned());
    Ok(log.lines().filter_map(word).collect())
}

fn answer(host: &Host) -> Result<String> {
    let said = host.run(["bash", "-c", "cat </dev/tcp/127.0.0.1/7070"])?;
    Ok(said.trim().to_owned())
}

fn blank<'a>(host: &'a Host) -> Result<Local<'a>> {
    host.use_local_repository()?;
    host.boot()?;
    Local::on(host)
}

#[test]
fn a_daemon_first_starts_with_its_configuration_and_restarts_when_upgraded() -> Result<()> {
    Sandbox::run(|sandbox| {
        let host = sandbox.host("vm-1", "10.77.0.11")?;
        let local = blank(&host)?;
        local.write("probe/role.toml", probe("1.0", "one"))?;
        let changes = local.converge("probe")?;
        sandbox.step("installed");
        assert_eq!(
            changes,
            [
                "package:probe-daemon install",
                "directory:/etc/probe-daemon create",
                "file:/etc/probe-daemon/probe.conf create",
                "service:probe-daemon enable",
                "service:probe-daemon start",
            ]
        );
        assert_eq!(starts(&host)?, ["1.0 started one"]);
        ensure!(
            !host.exists("/usr/sbin/policy-rc.d")?,
            "a policy-rc.d was left"
        );

        local.write("probe/role.toml", probe("1.1", "one"))?;
        let changes = local.converge("probe")?;
        sandbox.step("upgraded");
        assert_eq!(
            changes,
            [
                "package:probe-daemon upgrade",
                "service:probe-daemon restart"
            ]
        );
        assert_eq!(starts(&host)?, ["1.0 started one", "1.1 started one"]);
        assert_eq!(answer(&host)?, "1.1 one");

        local.write("probe/role.toml", probe("1.0", "two"))?;
        let changes = local.converge("probe")?;
        sandbox.step("downgraded to its pin, with another value");
        assert_eq!(
            changes,
            [
                "package:probe-daemon downgrade",
                "file:/etc/probe-daemon/probe.conf update",
                "service:probe-daemon restart"
            ]
        );
        assert_eq!(
            starts(&host)?,
            ["1.0 started one", "1.1 started one", "1.0 started two"]
        );
        Ok(())
    })
}

#[test]
fn a_daemon_that_no_role_names_is_restarted_by_its_own_package() -> Result<()> {
    Sandbox::run(|sandbox| {
        let host = sandbox.host("vm-1", "10.77.0.11")?;
        let local = blank(&host)?;
        host.run(["apt-get", "update"])?;
        host.write_file("/etc/probe-daemon/probe.conf", "value=mine\n")?;
        host.sh("apt-get install -y -o Dpkg::Options::=--force-confold probe-daemon=1.0")?;
        becomes(
            "it runs",
            Duration::from_secs(10),
            "1.0 mine".to_owned(),
            || answer(&host),
        )?;
        local.write("probe/role.toml", "[package]\nprobe-daemon = \"1.1\"\n")?;
        assert_eq!(local.converge("probe")?, ["package:probe-daemon upgrade"]);
        assert_eq!(starts(&host)?, ["1.0 started mine", "1.1 started mine"]);
        becomes(
            "the new binary runs",
            Duration::from_secs(10),
            "1.1 mine".to_owned(),
            || answer(&host),
        )
    })
}

#[test]
fn a_foreign_policy_is_asked_and_left_as_it_was() -> Result<()> {
    Sandbox::run(|sandbox| {
        let host = sandbox.host("vm-1", "10.77.0.11")?;
        let local = blank(&host)?;
        let policy = "#!/bin/sh\necho \"$@\" >>/root/asked\nexit 101\n";
        host.write_file("/usr/sbin/policy-rc.d", policy)?;
        host.run(["chmod", "0750", "/usr/sbin/policy-rc.d"])?;
        let stat = || host.run(["stat", "-c", "%i %a %U %Y %s", "/usr/sbin/policy-rc.d"]);
        let before = stat()?;

        local.write("probe/role.toml", probe("1.0", "one"))?;
        local.converge("probe")?;
        assert_eq!(starts(&host)?, ["1.0 started one"]);
        assert_eq!(stat()?, before);
        assert_eq!(host.read_file("/usr/sbin/policy-rc.d")?, policy);

        // Not named by the role: the foreign policy has the word, and forbids the start.
        host.sh("apt-get purge -y probe-daemon && rm -f /var/log/probe-daemon.starts /root/asked")?;
        local.write("bare/role.toml", "[package]\nprobe-daemon = \"1.1\"\n")?;
        local.apply("bare")?.expect(0)?;
        assert_eq!(starts(&host)?, Vec::<String>::new());
        assert_eq!(stat()?, before);
        Ok(())
    })
}

#[test]
fn what_apt_refuses_is_told_before_and_removes_nothing_and_the_rest_comes() -> Result<()> {
    Sandbox::run(|sandbox| {
        let host = sandbox.host("vm-1", "10.77.0.11")?;
        let local = blank(&host)?;
        // Never fetched: apt refuses them before.
        let stanza = |name: &str, words: &str| {
            format!(
                "Package: {name}\nVersion: 1\nArchitecture: all\nMaintainer: m\n{words}\n\
                 Filename: ./{name}.deb\nSize: 1\nSHA256: {:064}\nDescription: d\n\n",
                0
            )
        };
        let index = [
            stanza("rival", "Conflicts: probe-daemon"),
            stanza("needy", "Depends: nowhere"),
        ];
        host.write_file("/srv/more/Packages", index.concat())?;
        host.write_file(
            "/etc/apt/sources.list.d/more.list",
            "deb [trusted=yes] file:/srv/more ./\n",
        )?;
        local.write("probe/role.toml", probe("1.0", "one"))?;
        local.converge("probe")?;

        let refused = "\n[package]\nprobe-daemon = '1.0'\nhello = '*'\nrival = '*'\nneedy = '*'\n\
                       [package.perl]\nstate = 'absent'\n\
                       [file.'/etc/rival']\ncontent = ''\nafter = ['package:rival']\n";
        local.write("probe/role.toml", refused)?;
        for run in [local.dry_run("probe")?, local.apply("probe")?] {
            let run = run.expect(1)?;
            assert_eq!(run.changes(), ["package:hello install"]);
            let failures = run.document["failures"].as_array();
            let told: Vec<String> = failures
                .into_iter()
                .flatten()
                .map(|failure| format!("{}: {}", failure["resource"], failure["message"]))
                .collect();
            for (told, (resource, why)) in told.iter().zip([
                (
                    "needy",
                    "needy : Depends: nowhere but it is not installable",
                ),
                ("perl", "probe-daemon, "),
                ("rival", "probe-daemon"),
            ]) {
                let named = told.starts_with(&format!("\"package:{resource}\": "));
                ensure!(named && told.contains(why), "{told}");
            }
            ensure!(told.len() == 3, "{told:?}");
            let skipped = failures.into_iter().flatten().map(|f| f["skipped"].clone());
            let skipped: Vec<String> = skipped.map(|skipped| skipped.to_string()).collect();
            assert_eq!(skipped, ["[]", "[]", "[\"file:/etc/rival\"]"]);
        }
        assert_eq!(answer(&host)?, "1.0 one");
        Ok(())
    })
}

#[test]
fn what_was_interrupted_while_it_was_unpacked_is_unpacked_again() -> Result<()> {
    Sandbox::run(|sandbox| {
        let host = sandbox.host("vm-1", "10.77.0.11")?;
        let local = blank(&host)?;
        local.write("probe/role.toml", probe("1.0", "one"))?;
        local.converge("probe")?;
        host.sh(
            "systemctl stop probe-daemon && rm $(dpkg -L probe-daemon | grep probe-daemon.service)",
        )?;
        // As dpkg leaves it when the power fails.
        let torn = "s/^Status: .*/Status: install reinstreq half-installed/";
        let stanza = "/^Package: probe-daemon$/,/^$/";
        host.sh(&format!("sed -i '{stanza} {torn}' /var/lib/dpkg/status"))?;
        let changes = local.converge("probe")?;
        ensure!(
            changes.contains(&"package:probe-daemon install".to_owned()),
            "{changes:?}"
        );
        assert_eq!(answer(&host)?, "1.0 one");
        Ok(())
    })
}

#[test]
fn an_agent_killed_in_the_middle_of_apt_loses_nothing() -> Result<()> {
    Sandbox::run(|sandbox| {
        let host = sandbox.host("vm-1", "10.77.0.11")?;
        let local = blank(&host)?;
        local.write("probe/role.toml", probe("1.0", "one"))?;
        local.apply("probe")?.expect(0)?;
        sandbox.step("the probe runs");

        let role = format!("{}\n[package.slow-postinst]\n", probe("1.0", "two"));
        local.write("probe/role.toml", role)?;
        let run = host.spawn(local.words("probe", &["--json"]))?;
        eventually("the postinst runs", Duration::from_secs(60), || {
            let status = host.run([
                "dpkg-query",
                "-W",
                "-f",
                "${db:Status-Status}",
                "slow-postinst",
            ])?;
            ensure!(status == "half-configured", "{status}");
            Ok(())
        })?;
        host.sh("pkill -KILL -x cfg")?;
        run.wait(Duration::from_secs(10))?;
        sandbox.step("killed while dpkg configures");
        ensure!(
            host.exec(["pgrep", "dpkg"])?.status == 0,
            "apt must outlive the agent"
        );

        let next = local.apply("probe")?.expect(0)?;
        sandbox.step("the next run is done");
        assert_eq!(
            starts(&host)?,
            ["1.0 started one", "1.0 started two"],
            "{:#}",
            next.document
        );
        assert_eq!(
            host.run([
                "dpkg-query",
                "-W",
                "-f",
                "${db:Status-Status}",
                "slow-postinst"
            ])?,
            "installed"
        );
        ensure!(
            !host.exists("/usr/sbin/policy-rc.d")?,
            "a policy-rc.d was left"
        );
        local.dry_run("probe")?.expect(0)?;
        Ok(())
    })
}
