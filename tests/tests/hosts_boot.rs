//! The harness itself: a blank host boots as a cloud machine does, and has what later tests count on.

use std::time::{Duration, Instant};

use anyhow::Result;
use cfg_tests::{Sandbox, becomes, eventually};

#[test]
fn a_blank_host_boots_with_cloud_init() -> Result<()> {
    Sandbox::run(|sandbox| {
        let host = sandbox.host("vm-1", "10.77.0.11")?;
        host.boot_with_user_data("#cloud-config\nwrite_files:\n- { path: /etc/made, content: by cloud-init }\nruncmd:\n- [ sh, -c, 'cat /etc/made >/ran' ]\n")?;
        sandbox.step("booted");

        assert_eq!(host.read_file("/ran")?, "by cloud-init");
        assert_eq!(host.run(["hostname"])?.trim(), "vm-1");
        assert!(
            host.sh("cat /proc/self/cgroup")?.contains("0::/init.scope"),
            "commands belong to it"
        );
        assert_eq!(
            host.exec(["which", "curl"])?.status,
            1,
            "a cloud image has no curl"
        );
        assert!(
            host.exec(["apt-get", "install", "-y", "hello"])?
                .stderr
                .contains("Unable to locate package"),
            "it has no package source"
        );

        let started = Instant::now();
        for _ in 0..20 {
            host.run(["true"])?;
        }
        sandbox.step(&format!("a command takes {:?}", started.elapsed() / 20));
        Ok(())
    })
}

#[test]
fn packages_come_from_the_signed_repository() -> Result<()> {
    Sandbox::run(|sandbox| {
        let host = sandbox.host("vm-1", "10.77.0.11")?;
        host.boot()?;
        sandbox.step("booted");

        let source = format!(
            "deb [signed-by=/etc/apt/keyrings/tests.asc] {} bookworm main\n",
            Sandbox::REPOSITORY
        );
        host.write_file("/etc/apt/sources.list", &source)?;
        let unsigned = host.exec(["apt-get", "update"])?;
        assert_eq!(
            unsigned.status, 100,
            "without its key the repository is refused: {unsigned}"
        );
        host.write_file(
            "/etc/apt/keyrings/tests.asc",
            std::fs::read(sandbox.repository_key()?)?,
        )?;
        host.run(["apt-get", "update"])?;
        assert!(
            sandbox
                .repository()
                .requests()
                .contains(&"/debian/dists/bookworm/InRelease".to_owned())
        );
        sandbox.step("apt-get update");

        host.run([
            "apt-get",
            "install",
            "-y",
            "--no-install-recommends",
            "zookeeperd",
            "netcat-openbsd",
        ])?;
        sandbox.step("zookeeperd installed");
        becomes("ZooKeeper serves", Duration::from_secs(60), true, || {
            Ok(host
                .sh("printf srvr | nc -w 2 127.0.0.1 2181")?
                .contains("Mode: standalone"))
        })?;
        sandbox.step("ZooKeeper serves");
        Ok(())
    })
}

#[test]
fn the_probe_daemon_behaves_as_debian_s_packages_do() -> Result<()> {
    Sandbox::run(|sandbox| {
        let host = sandbox.host("vm-1", "10.77.0.11")?;
        host.use_local_repository()?;
        host.boot()?;
        host.run(["apt-get", "update"])?;
        sandbox.step("booted, updated");

        host.run(["apt-get", "install", "-y", "probe-daemon=1.0"])?;
        let starts = || -> Result<Vec<String>> {
            let log = host.read_file("/var/log/probe-daemon.starts")?;
            Ok(log
                .lines()
                .filter_map(|line| line.split_once(' '))
                .map(|(_, rest)| rest.to_owned())
                .collect())
        };
        becomes(
            "it was started without a value",
            Duration::from_secs(10),
            vec!["1.0 refused "],
            starts,
        )?;
        assert_eq!(
            host.run(["systemctl", "is-enabled", "probe-daemon"])?
                .trim(),
            "enabled"
        );

        host.write_file("/etc/probe-daemon/probe.conf", "value=one\n")?;
        host.run(["systemctl", "start", "probe-daemon"])?;
        becomes(
            "it runs",
            Duration::from_secs(10),
            "1.0 one".to_owned(),
            || {
                Ok(host
                    .run(["bash", "-c", "cat </dev/tcp/127.0.0.1/7070"])?
                    .trim()
                    .to_owned())
            },
        )?;
        host.run(["apt-get", "install", "-y", "probe-daemon=1.1"])?;
        becomes(
            "the upgrade restarts it",
            Duration::from_secs(10),
            vec!["1.0 refused ", "1.0 started one", "1.1 started one"],
            starts,
        )
    })
}

#[test]
fn apt_can_be_killed_in_the_middle() -> Result<()> {
    Sandbox::run(|sandbox| {
        let host = sandbox.host("vm-1", "10.77.0.11")?;
        host.use_local_repository()?;
        host.boot()?;
        host.run(["apt-get", "update"])?;
        let apt = host.spawn(["apt-get", "install", "-y", "slow-postinst"])?;
        eventually("the postinst runs", Duration::from_secs(20), || {
            host.read_file("/var/log/slow-postinst")
        })?;
        apt.signal("KILL")?;
        assert_eq!(apt.wait(Duration::from_secs(5))?.status, 137);
        assert!(
            host.run([
                "dpkg-query",
                "-W",
                "-f",
                "${db:Status-Status}",
                "slow-postinst"
            ])?
            .starts_with("half-configured")
        );
        Ok(())
    })
}

#[test]
fn a_host_survives_a_power_cut_a_reboot_and_a_pulled_cable() -> Result<()> {
    Sandbox::run(|sandbox| {
        let host = sandbox.host("vm-1", "10.77.0.11")?;
        let other = sandbox.host("vm-2", "10.77.0.12")?;
        host.start()?;
        other.start()?;
        host.wait_until_up()?;
        other.wait_until_up()?;
        sandbox.step("two booted");

        host.write_file("/kept", "yes")?;
        host.power_cut()?;
        assert!(!host.is_on());
        assert_eq!(host.read_file("/kept")?, "yes");
        assert_eq!(
            host.read_file("/etc/debian_version")?.split('.').next(),
            Some("12")
        );
        host.write_file("/root/placed", "while it was off")?;
        host.boot()?;
        sandbox.step("booted after a power cut");
        assert_eq!(host.read_file("/root/placed")?, "while it was off");
        assert_eq!(host.run(["stat", "-c", "%a", "/root"])?.trim(), "700");

        let before = host.read_file("/proc/sys/kernel/random/boot_id")?;
        assert!(!before.is_empty());
        let ping = || {
            host.run([
                "bash",
                "-c",
                "timeout 1 bash -c 'cat </dev/tcp/10.77.0.12/22' 2>&1 || true",
            ])
        };
        assert!(ping()?.contains("refused"), "the other host is there");
        other.link_down()?;
        assert!(!ping()?.contains("refused"), "its cable is out");
        other.link_up()?;
        eventually("the cable is in again", Duration::from_secs(10), || {
            anyhow::ensure!(ping()?.contains("refused"));
            Ok(())
        })?;
        host.reboot()?;
        sandbox.step("rebooted");
        assert_eq!(host.read_file("/kept")?, "yes");
        host.stop()?;
        sandbox.step("powered off");
        host.copy_in("/usr/bin/env".as_ref(), "/usr/local/bin/copied-off")?;
        host.boot()?;
        sandbox.step("booted again");
        host.copy_in("/usr/bin/env".as_ref(), "/usr/local/bin/copied-on")?;
        host.run(["copied-off", "copied-on", "true"])?;
        Ok(())
    })
}
