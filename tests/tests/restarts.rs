//! A restart is a state: owed when what a service started with is not what is there now, whoever changed it and whatever died.

use std::time::Duration;

use anyhow::{Result, ensure};
use cfg_tests::{Host, Local, Sandbox, eventually};

/// A service of its own that notes each start.
const UNIT: &str = "[Unit]\nDescription=Notes its starts\n\n[Service]\nExecStart=/bin/sh -c 'cat /etc/noted.conf >>/var/log/noted; exec sleep infinity'\n\n[Install]\nWantedBy=multi-user.target\n";

fn role(value: &str) -> String {
    format!(
        r#"
[file."/etc/noted.conf"]
content = "{value}\n"

[service.noted]
state = "running"
enabled = true
unit = "noted.service"
restart_on = ["file:/etc/noted.conf"]
"#
    )
}

fn noted(host: &Host) -> Result<Vec<String>> {
    Ok(host
        .read_file("/var/log/noted")?
        .lines()
        .map(str::to_owned)
        .collect())
}

fn running<'a>(host: &'a Host) -> Result<Local<'a>> {
    host.boot()?;
    let local = Local::on(host)?;
    local.write("noted/noted.service", UNIT)?;
    local.write("noted/role.toml", role("one"))?;
    local.converge("noted")?;
    assert_eq!(noted(host)?, ["one"]);
    Ok(local)
}

#[test]
fn what_is_owed_depends_on_what_was_read_at_the_start() -> Result<()> {
    Sandbox::run(|sandbox| {
        let host = sandbox.host("vm-1", "10.77.0.11")?;
        let local = running(&host)?;

        local.write("noted/role.toml", role("two"))?;
        assert_eq!(
            local.converge("noted")?,
            ["file:/etc/noted.conf update", "service:noted restart"]
        );
        assert_eq!(noted(&host)?, ["one", "two"]);
        sandbox.step("a change restarts once");

        // By hand to what the role is about to say, and restarted by hand: nothing is owed.
        host.write_file("/etc/noted.conf", "three\n")?;
        host.sh("sleep 0.1; systemctl restart noted")?;
        local.write("noted/role.toml", role("three"))?;
        let run = local.apply("noted")?.expect(0)?;
        assert_eq!(run.changes(), Vec::<String>::new());
        assert_eq!(noted(&host)?, ["one", "two", "three"]);
        sandbox.step("restarted by hand owes nothing");

        // By hand, and not restarted: one restart is owed, though the file is in sync.
        host.write_file("/etc/noted.conf", "four\n")?;
        local.write("noted/role.toml", role("four"))?;
        assert_eq!(local.converge("noted")?, ["service:noted restart"]);
        assert_eq!(noted(&host)?, ["one", "two", "three", "four"]);
        sandbox.step("not restarted owes one");

        // Broken and mended between two runs, without a start: it runs with what is there.
        host.write_file("/etc/noted.conf", "broken\n")?;
        assert_eq!(local.converge("noted")?, ["file:/etc/noted.conf update"]);
        // Broken, and restarted with what was broken: the mended file is not what it read.
        host.write_file("/etc/noted.conf", "broken\n")?;
        host.sh("sleep 0.1; systemctl restart noted")?;
        assert_eq!(
            local.converge("noted")?,
            ["file:/etc/noted.conf update", "service:noted restart"]
        );
        assert_eq!(
            noted(&host)?,
            ["one", "two", "three", "four", "broken", "four"]
        );
        sandbox.step("a start with a broken file owes one");

        // Stopped by hand; killed.
        host.run(["systemctl", "stop", "noted"])?;
        assert_eq!(local.converge("noted")?, ["service:noted start"]);
        host.run(["systemctl", "kill", "--signal=KILL", "noted"])?;
        host.sh("sleep 0.2")?;
        assert_eq!(local.converge("noted")?, ["service:noted start"]);

        // A new unit file: read by systemd, and the service runs by it.
        local.write("noted/noted.service", UNIT.replace("its starts", "them"))?;
        assert_eq!(
            local.converge("noted")?,
            ["service:noted update", "service:noted restart"]
        );
        assert_eq!(
            host.run(["systemctl", "show", "-P", "Description", "noted"])?
                .trim(),
            "Notes them"
        );
        Ok(())
    })
}

#[test]
fn an_agent_killed_between_the_change_and_the_restart_still_owes_it() -> Result<()> {
    Sandbox::run(|sandbox| {
        let host = sandbox.host("vm-1", "10.77.0.11")?;
        let local = running(&host)?;
        let pause = "\n[command.pause]\nrun = \"sleep 6\"\non = [\"file:/etc/noted.conf\"]\n";
        local.write("noted/role.toml", format!("{}{pause}", role("two")))?;
        let run = host.spawn(local.words("noted", &["--json"]))?;
        eventually("the file is changed", Duration::from_secs(20), || {
            ensure!(host.read_file("/etc/noted.conf")? == "two\n");
            ensure!(
                host.exec(["pgrep", "-x", "sleep", "-a"])?
                    .stdout
                    .contains("sleep 6")
            );
            Ok(())
        })?;
        host.sh("pkill -KILL -x cfg")?;
        run.wait(Duration::from_secs(10))?;
        assert_eq!(noted(&host)?, ["one"]);
        sandbox.step("killed between change and restart");

        let next = local.apply("noted")?.expect(0)?;
        ensure!(
            next.changes().contains(&"service:noted restart".to_owned()),
            "{:?}",
            next.changes()
        );
        assert_eq!(noted(&host)?, ["one", "two"]);
        local.dry_run("noted")?.expect(0)?;
        assert_eq!(noted(&host)?, ["one", "two"]);
        Ok(())
    })
}
