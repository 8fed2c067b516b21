//! Sockets and their services on a real systemd.

use anyhow::Result;
use cfg_tests::{Local, Sandbox};

use super::units::{UNIT, host, settle, word};

#[test]
fn a_socket_and_its_service_are_brought_up_and_down() -> Result<()> {
    Sandbox::run(|sandbox| {
        let host = host(sandbox)?;
        let local = Local::on(&host)?;
        let socket = "[Socket]\nListenStream=/run/so.sock\n\n[Install]\nWantedBy=sockets.target\n";
        let role = |state: &str, socket: &str| {
            format!(
                "[service.so]\nunit = \"so.service\"\nstate = \"{state}\"\n\
                 [service.\"so.socket\"]\nunit = \"so.socket\"\nstate = \"{socket}\"\nenabled = true\n"
            )
        };
        local.write("app/so.service", UNIT)?;
        local.write("app/so.socket", socket)?;
        local.write("app/role.toml", role("running", "running"))?;
        assert_eq!(
            settle(&local, "app")?,
            [
                "service:so.socket create",
                "service:so create",
                "service:so.socket enable",
                "service:so.socket start",
                "service:so start",
            ]
        );
        let pid = host.run(["systemctl", "show", "-P", "MainPID", "so"])?;

        // systemd would refuse to start a socket under a service that runs.
        local.write("app/so.socket", socket.replace("so.sock", "other.sock"))?;
        assert_eq!(
            settle(&local, "app")?,
            [
                "service:so.socket update",
                "service:so.socket restart",
                "service:so restart",
            ]
        );
        assert_eq!(
            word(&host, "is-active", "so")?,
            "active",
            "taken down and up again"
        );
        assert_ne!(pid, host.run(["systemctl", "show", "-P", "MainPID", "so"])?);
        host.run(["systemctl", "stop", "so.socket"])?;
        assert_eq!(
            settle(&local, "app")?,
            ["service:so.socket start", "service:so restart"]
        );
        // Both at once: each is restarted once.
        local.write("app/so.socket", socket)?;
        local.write("app/so.service", UNIT.replace("infinity", "2000000"))?;
        assert_eq!(
            settle(&local, "app")?,
            [
                "service:so.socket update",
                "service:so update",
                "service:so.socket restart",
                "service:so restart",
            ]
        );
        sandbox.step("restarted");

        local.write("app/role.toml", role("stopped", "running"))?;
        let foretold = local.dry_run("app")?.expect(2)?;
        let woken_by = &foretold.document["changes"][0]["after"]["woken_by"];
        assert_eq!(
            woken_by,
            &serde_json::json!(["so.socket"]),
            "it can come again"
        );
        let shown = host.exec(local.words("app", &["--dry-run"]))?.stdout;
        assert!(shown.contains("so.socket can start it again"), "{shown}");
        assert_eq!(settle(&local, "app")?, ["service:so stop"]);
        local.write("app/role.toml", role("stopped", "stopped"))?;
        assert_eq!(settle(&local, "app")?, ["service:so.socket stop"]);

        // What the role does not run goes down and up with its socket, which says so; systemd has yet to load that.
        for (said, told) in [
            ("[service.so]\n", "restarts so.service"),
            ("[service.so]\nenabled = true\n", "restarts so.service"),
            ("", "restarts so.service"),
            (
                "[service.so]\nstate = \"running\"\n",
                "because of service:so.socket",
            ),
        ] {
            host.sh("systemctl disable -q --now so.socket so; systemctl daemon-reload")?;
            host.sh("systemctl enable -q --now so.service")?;
            let socket = "[service.\"so.socket\"]\nstate = \"running\"\n";
            local.write("app/role.toml", format!("{said}{socket}"))?;
            let shown = host.exec(local.words("app", &["--dry-run"]))?.stdout;
            assert!(shown.contains(told), "{said}: {shown}");
            settle(&local, "app")?;
            assert_eq!(word(&host, "is-active", "so")?, "active", "{said}");
        }
        Ok(())
    })
}
