//! A machine whose systemd cannot be reached over D-Bus.

use anyhow::{Result, ensure};
use cfg_tests::{Local, Sandbox};

use crate::machine::{Failed, boot};

const ROLE: &str = r#"
[package]
hello = "*"

[file."/etc/app.conf"]
content = "one\n"

[service.app]
unit = "app.service"
state = "running"
enabled = true
restart_on = ["file:/etc/app.conf"]

[command.once]
run = "cat /proc/self/cgroup >/srv/once"
creates = "/srv/once"

[command.fails]
run = "echo on purpose; exit 3"
creates = "/srv/never"
"#;

#[test]
fn without_a_bus_everything_goes_by_systemctl() -> Result<()> {
    Sandbox::run(|sandbox| {
        let host = boot(sandbox)?;
        let local = Local::on(&host)?;
        host.sh(
            "systemctl mask --now dbus.socket dbus.service; rm -f /run/dbus/system_bus_socket",
        )?;
        ensure!(host.exec(["busctl", "list"])?.status != 0, "there is a bus");
        let unit =
            "[Service]\nExecStart=/bin/sleep infinity\n[Install]\nWantedBy=multi-user.target\n";
        local.write("app/app.service", unit)?;
        local.write("app/role.toml", ROLE)?;
        let failed = Failed::of(&local, &host, "app", &["command:fails"])?;
        failed.says("command:fails", &["it exited with 3: on purpose"])?;
        failed.made(&[
            "package:hello install",
            "file:/etc/app.conf create",
            "command:once run",
            "service:app create",
            "service:app enable",
            "service:app start",
        ])?;
        // Apart from the agent all the same.
        let cgroup = host.read_file("/srv/once")?;
        ensure!(cgroup.contains("cfg-effect-command-once"), "{cgroup}");
        sandbox.step("installed, ran, started");

        local.write("app/role.toml", ROLE.replace("one\\n", "two\\n"))?;
        let failed = Failed::of(&local, &host, "app", &["command:fails"])?;
        failed.made(&["file:/etc/app.conf update", "service:app restart"])?;
        let left =
            host.sh("ls -A /var/lib/cfg/effects; systemctl list-units --no-legend 'cfg-effect*'")?;
        ensure!(left.is_empty(), "left: {left}");
        Ok(())
    })
}
