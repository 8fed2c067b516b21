//! Commands of a role that hang or refuse, and units that die.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use cfg_tests::{Host, Local, Sandbox};

use crate::machine::{Failed, boot, is_tidy};

/// Children in its own group, in a session of their own, and one that ignores a soft end.
const HANGS: &str = r#"
[command.hangs]
run = """
echo waiting for the database
sleep 7771 &
setsid sleep 7772 &
sh -c 'trap "" TERM; sleep 7773; sleep 7774' &
sleep 7775
"""
creates = "/srv/never"
timeout = "2s"

[file."/srv/beside"]
content = ""

[command.after]
run = "touch /srv/after"
creates = "/srv/after"
after = ["command:hangs"]
"#;

fn hangs(host: &Host, local: &Local<'_>) -> Result<()> {
    local.write("hangs/role.toml", HANGS)?;
    let began = Instant::now();
    let failed = Failed::of(local, host, "hangs", &["command:hangs"])?;
    let took = began.elapsed();
    ensure!(took < Duration::from_secs(40), "two runs took {took:?}");
    failed.says(
        "command:hangs",
        &["took too long and was killed", "waiting for the database"],
    )?;
    failed.advises("`timeout`")?;
    failed.made(&["file:/srv/beside create"])?;
    failed.skipped("command:hangs", &["command:after"])?;
    let left = host.exec(["pgrep", "-af", "sleep 777"])?;
    ensure!(left.status == 1, "still there: {left}");
    Ok(())
}

const REFUSES: &str = r#"
[file."/etc/app.conf"]
content = "new\n"
validate = "echo 'line 1: no such word' >&2; grep -q old %s"

[file."/etc/beside"]
content = ""

[service.app]
unit = "app.service"
state = "running"
restart_on = ["file:/etc/app.conf"]

[service.other]
unit = "app.service"
state = "running"
"#;

fn refuses(host: &Host, local: &Local<'_>) -> Result<()> {
    host.write_file("/etc/app.conf", "old\n")?;
    local.write(
        "refuses/app.service",
        "[Service]\nExecStart=/bin/sleep infinity\n",
    )?;
    local.write("refuses/role.toml", REFUSES)?;
    let failed = Failed::of(local, host, "refuses", &["file:/etc/app.conf"])?;
    failed.says(
        "file:/etc/app.conf",
        &[
            "/etc/app.conf is left as it was",
            "exit code 1",
            "line 1: no such word",
        ],
    )?;
    failed.advises("correct what the role writes")?;
    // A restart hangs on the file; so the service waits, and the other one does not.
    failed.skipped("file:/etc/app.conf", &["service:app"])?;
    ensure!(
        failed
            .run
            .changes()
            .contains(&"service:other start".to_owned()),
        "{:#}",
        failed.run.document
    );
    assert_eq!(host.read_file("/etc/app.conf")?, "old\n");
    is_tidy(host, "/etc")
}

const DIES: &str = r#"
[service.dies]
unit = "dies.service"
state = "running"
enabled = true

[service.lives]
unit = "lives.service"
state = "running"

[file."/etc/needs-it"]
content = ""
after = ["service:dies"]
"#;

fn dies(host: &Host, local: &Local<'_>) -> Result<()> {
    local.write("dies/dies.service", "[Service]\nExecStart=/bin/sh -c 'sleep 1; echo no licence; exit 4'\n[Install]\nWantedBy=multi-user.target\n")?;
    local.write(
        "dies/lives.service",
        "[Service]\nExecStart=/bin/sleep infinity\n",
    )?;
    local.write("dies/role.toml", DIES)?;
    let failed = Failed::of(local, host, "dies", &["service:dies"])?;
    failed.says(
        "service:dies",
        &[
            "it was started, and failed within 2 s: exit status 4",
            "no licence",
        ],
    )?;
    failed.advises("journalctl -b -u dies")?;
    failed.skipped("service:dies", &["file:/etc/needs-it"])?;
    let lives = host.run(["systemctl", "is-active", "lives"])?;
    assert_eq!(lives.trim(), "active");
    ensure!(!host.exists("/etc/needs-it")?);
    Ok(())
}

#[test]
fn what_hangs_refuses_or_dies_is_told_and_the_rest_comes() -> Result<()> {
    Sandbox::run(|sandbox| {
        let host = boot(sandbox)?;
        let local = Local::on(&host)?;
        hangs(&host, &local)?;
        sandbox.step("a command that hangs");
        // As in a container: nobody makes units, so nobody ends one with all that is in it.
        host.sh("mv /run/systemd/system /run/systemd/hidden && rm /srv/beside")?;
        hangs(&host, &local)?;
        host.sh("mv /run/systemd/hidden /run/systemd/system")?;
        sandbox.step("the same without systemd");
        refuses(&host, &local)?;
        sandbox.step("a validate that fails");
        dies(&host, &local)?;
        sandbox.step("a unit that dies");
        Ok(())
    })
}

/// A tool that writes its own configuration when it is set up, over the role's.
const SPOILS: &str = r#"
[command.setup]
run = "echo its >/etc/tool.conf; touch /srv/set-up"
creates = "/srv/set-up"

[file."/etc/tool.conf"]
content = "ours\n"
after = ["command:setup"]
"#;

#[test]
fn what_a_command_spoils_is_put_right_by_what_comes_after_it() -> Result<()> {
    Sandbox::run(|sandbox| {
        let host = boot(sandbox)?;
        let local = Local::on(&host)?;
        local.write("spoils/role.toml", SPOILS)?;
        host.write_file("/etc/tool.conf", "ours\n")?;
        let run = local.apply("spoils")?.expect(0)?;
        let made = ["command:setup run", "file:/etc/tool.conf update"];
        assert_eq!(run.changes(), made, "{:#}", run.document);
        let causes = &run.document["changes"][1]["causes"];
        assert_eq!(*causes, serde_json::json!(["command:setup"]));
        ensure!(run.document["unforeseen"].is_null(), "{:#}", run.document);
        assert_eq!(host.read_file("/etc/tool.conf")?, "ours\n");
        local.dry_run("spoils")?.expect(0)?;
        Ok(())
    })
}
