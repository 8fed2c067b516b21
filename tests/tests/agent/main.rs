//! The agent as the unit that it is on a real host: what its sandbox keeps from it and what it leaves, observing, being revoked, and
//! what it is told by the cloud.

mod azure;
mod sandboxed;

use std::time::Duration;

use anyhow::{Result, ensure};
use cfg_tests::{Catalog, Host, Installation, Sandbox, becomes, eventually, status};

const SOON: Duration = Duration::from_secs(20);
/// Two intervals and more.
const A_WHILE: &str = "7";

/// What only the agent's own process does, not a unit of an effect: settings, files, owners, modes; and a mount.
const ROLE: &str = r##"
[params]
word = { type = "string", default = "one" }

[sysctl]
net.ipv4.ip_forward = 1

[mount."/srv/data"]
device = "tmpfs"
fstype = "tmpfs"
options = "size=1m"

[file."/srv/data/word"]
content = "{{ params.word }}\n"

[user.worker]
system = true

[file."/usr/local/bin/as-root"]
content = "#!/bin/sh\n"
mode = "4755"
owner = "worker"

[command.note]
run = "echo done >/root/note"
creates = "/root/note"
user = "root"
"##;

const WORD: &str = "/srv/data/word";

#[test]
fn the_unit_of_the_agent() -> Result<()> {
    Sandbox::run(|sandbox| {
        let installation = Installation::start(sandbox)?;
        let catalog = Catalog::shipped(sandbox)?;
        catalog.write("site/role.toml", ROLE)?;
        installation.publish(catalog.dir())?;
        let host = sandbox.host("vm-1", "10.77.0.11")?;
        host.boot()?;
        settings(&host, "enforce")?;
        host.sh("echo 0 >/proc/sys/net/ipv4/ip_forward")?;
        installation.enroll_with(&host, "site", &["--start"])?;
        // A command comes last of all.
        becomes("the command ran", SOON, "done\n".to_owned(), || {
            host.read_file("/root/note")
        })?;
        reads(&host, "one")?;
        sandbox.step("enrolled and converged by its daemon");
        sandboxed::does_its_work(&host)?;
        sandboxed::is_what_systemd_was_told(&host)?;
        sandboxed::keeps_the_rest_from_it(sandbox, &host)?;
        observes(sandbox, &installation, &catalog, &host)?;
        is_revoked(sandbox, &installation, &host)
    })
}

fn settings(host: &Host, mode: &str) -> Result<()> {
    let text = format!("interval = \"3s\"\nsplay = \"0s\"\nmode = \"{mode}\"\n");
    host.write_file("/etc/cfg/agent.toml", text)
}

/// The file of the role comes to have this word.
fn reads(host: &Host, word: &str) -> Result<()> {
    becomes("the file", SOON, format!("{word}\n"), || {
        host.read_file(WORD)
    })
}

/// What the server says of the machine's last run.
fn last_report(installation: &Installation) -> Result<serde_json::Value> {
    let reports = installation.last_report("vm-1")?;
    Ok(serde_json::from_str(&reports)?)
}

/// In observe mode the plan is made and handed in, of news and of drift alike, and nothing is done; afterwards it is.
fn observes(
    sandbox: &Sandbox,
    installation: &Installation,
    catalog: &Catalog,
    host: &Host,
) -> Result<()> {
    settings(host, "observe")?;
    host.run(["systemctl", "restart", "cfg-agent"])?;
    let values = catalog.read("fleet.toml")?;
    catalog.write(
        "fleet.toml",
        format!("{values}\n[role.site]\nword = \"two\"\n"),
    )?;
    installation.publish(catalog.dir())?;
    host.sh("umount /srv/data && echo 0 >/proc/sys/net/ipv4/ip_forward")?;
    eventually("the plan is handed in", SOON, || {
        let report = last_report(installation)?;
        let changes = report["changes"].to_string();
        let all = ["mount:/srv/data", "sysctl:net.ipv4.ip_forward", "+two"];
        let told = all.iter().all(|word| changes.contains(word));
        ensure!(report["dry_run"] == true && told, "{report:#}");
        Ok(())
    })?;
    host.run(["sleep", A_WHILE])?;
    ensure!(!host.exists(WORD)?, "it was mounted and written");
    let setting = host.read_file("/proc/sys/net/ipv4/ip_forward")?;
    ensure!(setting == "0\n", "it was set: {setting}");
    ensure!(status(host)?["mode"] == "observe", "{:#}", status(host)?);
    let journal = host.run(["journalctl", "--no-pager", "-u", "cfg-agent"])?;
    ensure!(journal.contains("would change"), "{journal}");
    sandbox.step("observed: the plan was handed in, nothing was done");

    settings(host, "enforce")?;
    host.run(["systemctl", "restart", "cfg-agent"])?;
    reads(host, "two")?;
    eventually("it says so", SOON, || {
        let report = last_report(installation)?;
        ensure!(report["dry_run"] == false, "{report:#}");
        Ok(())
    })?;
    let setting = host.read_file("/proc/sys/net/ipv4/ip_forward")?;
    ensure!(setting == "1\n", "{setting}");
    sandbox.step("enforced again, and enacted");
    Ok(())
}

/// With its stream open it hears of it at once; it keeps to the role that it has, and takes no other.
fn is_revoked(sandbox: &Sandbox, installation: &Installation, host: &Host) -> Result<()> {
    let connected = installation.desk(&["fleet"])?.success()?;
    ensure!(connected.contains("connected"), "{connected}");
    // So long that only the open stream can tell it.
    host.sh("sed -i 's/^interval.*/interval = \"1h\"/' /etc/cfg/agent.toml && systemctl restart cfg-agent")?;
    eventually("it watches", SOON, || {
        ensure!(status(host)?["contact"]["standing"] == "current");
        let fleet = installation.desk(&["fleet"])?.success()?;
        ensure!(fleet.contains("connected"), "{fleet}");
        Ok(())
    })?;
    installation.desk(&["node", "revoke", "vm-1"])?.success()?;
    let refused = "node vm-1 is revoked";
    eventually("it is refused", Duration::from_secs(5), || {
        let status = status(host)?;
        ensure!(status["contact"]["standing"] == "refused", "{status:#}");
        ensure!(
            status["contact"]["why"].to_string().contains(refused),
            "{status:#}"
        );
        Ok(())
    })?;
    let shown = host.run([cfg_tests::CFG, "status"])?;
    ensure!(shown.contains(refused), "{shown}");
    let journal = host.run(["journalctl", "--no-pager", "-u", "cfg-agent"])?;
    ensure!(
        journal.contains(&format!("the server refuses: {refused}")),
        "{journal}"
    );
    let log = installation.log();
    let told = |line: &str| line.contains("WARN") && line.contains(refused);
    ensure!(log.lines().any(told), "{log}");
    sandbox.step("revoked, with its stream open");

    settings(host, "enforce")?;
    host.run(["systemctl", "restart", "cfg-agent"])?;
    host.write_file(WORD, "broken\n")?;
    reads(host, "two")?;
    let status = status(host)?;
    ensure!(
        status["sequence"] == 2 && status["contact"]["standing"] == "refused",
        "{status:#}"
    );
    let fleet = installation.desk(&["fleet"])?.success()?;
    ensure!(fleet.contains("revoked"), "{fleet}");
    sandbox.step("it keeps to its last role");
    Ok(())
}
