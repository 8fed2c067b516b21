//! Settings of the kernel: of a host's own network, which is all that it has of its own.

use anyhow::{Context as _, Result, ensure};
use cfg_tests::{Local, Sandbox};

const ROLE: &str = r#"
[sysctl]
net.ipv4.ip_forward = 1
net.ipv4.tcp_rmem = "4096 131072 4194304"
"#;

const FILE: &str = "/etc/sysctl.d/90-cfg-net.ipv4.ip_forward.conf";

#[test]
fn a_setting_is_put_right_now_and_for_the_next_boot() -> Result<()> {
    Sandbox::run(|sandbox| {
        let host = sandbox.host("vm-1", "10.77.0.11")?;
        host.boot()?;
        let local = Local::on(&host)?;
        host.sh("echo 0 >/proc/sys/net/ipv4/ip_forward")?;
        local.write("router/role.toml", ROLE)?;
        let all = [
            "sysctl:net.ipv4.ip_forward create",
            "sysctl:net.ipv4.tcp_rmem create",
        ];
        assert_eq!(local.converge("router")?, all);
        assert_eq!(
            host.run(["cat", "/proc/sys/net/ipv4/ip_forward"])?.trim(),
            "1"
        );
        assert_eq!(
            host.run(["cat", "/proc/sys/net/ipv4/tcp_rmem"])?.trim(),
            "4096\t131072\t4194304"
        );
        assert_eq!(host.read_file(FILE)?, "net.ipv4.ip_forward = 1\n");
        sandbox.step("set");

        // Each drifts by itself, and is mended by itself.
        host.sh("echo 0 >/proc/sys/net/ipv4/ip_forward")?;
        assert_eq!(
            local.converge("router")?,
            ["sysctl:net.ipv4.ip_forward update"]
        );
        host.run(["rm", FILE])?;
        assert_eq!(
            local.converge("router")?,
            ["sysctl:net.ipv4.ip_forward create"]
        );
        host.reboot()?;
        let set = host.run(["cat", "/proc/sys/net/ipv4/ip_forward"])?;
        assert_eq!(set.trim(), "1", "not set at boot");
        sandbox.step("drifted, mended, and kept through a boot");

        // What the kernel has not, and what it does not take.
        local.write("router/role.toml", "[sysctl]\nnet.ipv4.ip_foward = 1\n")?;
        let run = local.dry_run("router")?.expect(1)?;
        let told = run.document["failures"][0]["message"]
            .as_str()
            .context("no failure")?;
        ensure!(
            told.contains("the kernel has no net.ipv4.ip_foward"),
            "{told}"
        );
        local.write(
            "router/role.toml",
            "[sysctl]\nnet.ipv4.ip_forward = \"never\"\n",
        )?;
        let run = local.apply("router")?.expect(1)?;
        let told = run.document["failures"][0]["message"]
            .as_str()
            .context("no failure")?;
        ensure!(
            told.contains("does not take net.ipv4.ip_forward = never"),
            "{told}"
        );
        assert_eq!(
            host.read_file(FILE)?,
            "net.ipv4.ip_forward = 1\n",
            "it is said at boot"
        );
        Ok(())
    })
}
