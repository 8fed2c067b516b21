//! Edits of files that packages own.

use anyhow::Result;
use cfg_tests::Sandbox;

use crate::machine::{CONF, Machine};

const EDITS: &str = r#"
[params]
value = { type = "string", default = "one" }

[package]
probe-daemon = "1.0"

[edit."what the probe is told"]
path = "/etc/probe-daemon/probe.conf"
format = "env"
set = { value = "{{ params.value }}" }

[edit."/etc/systemd/journald.conf"]
format = "ini"
set = { Journal = { SystemMaxUse = "16M" } }

[edit."/etc/cloud/cloud.cfg"]
format = "yaml"
set = { preserve_hostname = true }

[service.probe-daemon]
state = "running"
restart_on = ["edit:what the probe*"]
"#;

#[test]
fn what_a_package_ships_is_edited_and_its_daemon_restarted() -> Result<()> {
    Sandbox::run(|sandbox| {
        let machine = Machine::boot(sandbox, EDITS)?;
        let host = &machine.host;
        let shipped = ["/etc/systemd/journald.conf", "/etc/cloud/cloud.cfg"];
        let before = shipped.map(|path| host.read_file(path));
        let made = machine.converge(&[])?;
        assert_eq!(made[0], "install package:probe-daemon");
        assert_eq!(machine.starts()?, ["1.0 started one"]);
        let after = shipped.map(|path| host.read_file(path));
        for (before, after) in before.into_iter().zip(after) {
            let (before, after) = (before?, after?);
            let rest = |text: &str| -> Vec<String> {
                let lines = text.lines().filter(|line| {
                    !line.starts_with("SystemMaxUse") && !line.starts_with("preserve_hostname")
                });
                lines.map(str::to_owned).collect()
            };
            assert_ne!(before, after);
            assert_eq!(rest(&before), rest(&after));
        }
        let read = host.run(["systemd-analyze", "cat-config", "systemd/journald.conf"])?;
        let read = read.replace(' ', "");
        assert!(read.contains("\nSystemMaxUse=16M\n"), "{read}");
        sandbox.step("edited");

        // What somebody else writes into the file stays.
        let text = host.read_file(CONF)?;
        host.write_file(CONF, format!("{text}# by hand\n"))?;
        let made = machine.converge(&["--set", "value=two"])?;
        assert_eq!(
            made,
            [
                "update edit:what the probe is told",
                "restart service:probe-daemon"
            ]
        );
        assert_eq!(machine.starts()?[1..], ["1.0 started two"]);
        let text = host.read_file(CONF)?;
        assert!(text.starts_with("# The daemon refuses"), "{text}");
        assert!(text.ends_with("\nvalue=two\n# by hand\n"), "{text}");
        Ok(())
    })
}
