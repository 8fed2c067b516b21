//! What leaves a role, on a real host: shown while it is there, and left as it is.

use anyhow::{Result, ensure};
use cfg_tests::Sandbox;
use serde_json::Value;

use super::machine::{Machine, PROBE};

const MORE: &str = r#"
[group.ops]
[user.deploy]
system = true
[service.own]
unit = "own.service"
state = "running"
[link."/srv/current"]
target = "app"
[command.once]
run = "cp /var/lib/cfg/managed.json /srv/once"
creates = "/srv/once"
"#;

fn leftovers(document: &Value) -> Vec<&str> {
    let all = document["leftovers"].as_array().into_iter().flatten();
    all.filter_map(|left| left["resource"].as_str()).collect()
}

#[test]
fn what_leaves_a_role_is_shown_until_it_is_gone() -> Result<()> {
    Sandbox::run(|sandbox| {
        let machine = Machine::boot(sandbox, &format!("{PROBE}{MORE}"))?;
        let host = &machine.host;
        host.write_file(
            "/srv/roles/probe/own.service",
            "[Service]\nExecStart=/bin/sleep infinity\n",
        )?;
        machine.converge(&[])?;
        // Commands come before services, whose record was there then.
        let record = host.read_file("/srv/once")?;
        ensure!(record.contains("service:own"), "{record}");

        machine.role("[file.\"/srv/new\"]\ncontent = \"x\"\n")?;
        let all = [
            "group:ops",
            "user:deploy",
            "package:probe-daemon",
            "file:/etc/probe-daemon/probe.conf",
            "link:/srv/current",
            "service:own",
            "service:probe-daemon",
        ];
        for more in [&["--dry-run"][..], &[], &[]] {
            let (_, document) = machine.apply(more)?;
            ensure!(leftovers(&document) == all, "{document:#}");
        }
        ensure!(
            host.sh("systemctl is-active probe-daemon own")?
                .lines()
                .count()
                == 2
        );

        host.sh("systemctl disable --now probe-daemon; systemctl stop own; userdel deploy; rm /srv/current")?;
        let (_, document) = machine.apply(&[])?;
        let left = [
            "group:ops",
            "package:probe-daemon",
            "file:/etc/probe-daemon/probe.conf",
            "service:own",
        ];
        ensure!(leftovers(&document) == left, "{document:#}");
        host.sh("rm /etc/systemd/system/own.service; systemctl daemon-reload; apt-get -y purge probe-daemon; groupdel ops")?;
        let (code, document) = machine.apply(&[])?;
        ensure!(code == 0 && leftovers(&document).is_empty(), "{document:#}");
        Ok(())
    })
}
