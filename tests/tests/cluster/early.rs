//! A machine that waits for its cohort and is rebooted meanwhile: its packages have enabled daemons that have no configuration yet.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use cfg_tests::{CFG, Host, Sandbox, becomes, eventually, status};

use crate::machines::{Cluster, nothing_to_do};
use crate::one_pass::{one_leader, starts};

const MINUTES: Duration = Duration::from_secs(240);

#[test]
fn a_reboot_while_it_waits_starts_nothing() -> Result<()> {
    Sandbox::run(|sandbox| {
        let mut cluster = Cluster::off(sandbox, "")?;
        let first = &cluster.masters[0];
        first.boot()?;
        waits(first)?;
        is_asleep(first)?;
        sandbox.step("one of three masters: it has its packages, and waits");
        first.reboot()?;
        waits(first)?;
        // By now systemd has started all that it would start.
        is_asleep(first)?;
        sandbox.step("rebooted: nothing has started");
        let second = &cluster.masters[1];
        second.boot()?;
        for host in [first, second] {
            says_for_whom(host)?;
            is_asleep(host)?;
        }
        sandbox.step("two of three: both say for whom they wait");

        cluster.booted = Instant::now();
        for host in cluster.hosts().skip(2) {
            host.start()?;
        }
        cluster.converge(MINUTES)?;
        one_leader(&cluster)?;
        let first = &cluster.masters[0];
        let started = starts(first, "mesos-master")?;
        ensure!(
            started.len() == 1 && started[0].contains(" --quorum=2 "),
            "{started:#?}"
        );
        for unit in ["mesos-master", "marathon"] {
            let enabled = first.exec(["systemctl", "is-enabled", unit])?;
            assert_eq!(enabled.stdout.trim(), "enabled", "{unit}");
        }
        nothing_to_do(first)?;
        sandbox.step("the cohort is complete: started once, with its configuration");

        first.reboot()?;
        eventually("all start at the next boot", MINUTES, || {
            assert_eq!(starts(first, "mesos-master")?.len(), 2);
            one_leader(&cluster)
        })
    })
}

fn waits(host: &Host) -> Result<()> {
    becomes("it waits", MINUTES, "waiting", || {
        let status = status(host)?;
        Ok(status["last_run"]["result"]
            .as_str()
            .unwrap_or_default()
            .to_owned())
    })
}

/// A run of its own ends as one that waits, and a person is told for whom.
fn says_for_whom(host: &Host) -> Result<()> {
    let why = "waiting for zk-master: 2 of 3";
    eventually("two of three are there", MINUTES, || {
        let run = host.exec([CFG, "apply"])?;
        ensure!(run.status == 3 && run.stdout.contains(why), "{run}");
        Ok(())
    })?;
    let status = host.exec([CFG, "status"])?;
    ensure!(status.status == 3, "{status}");
    let told = status.stdout;
    for what in ["file:/etc/zookeeper/conf/zoo.cfg", "service:zookeeper"] {
        let line = format!("waiting   {what}: {why}\n");
        ensure!(told.contains(&line), "{line}{told}");
    }
    Ok(())
}

/// What would start with a configuration that is not there yet has not, and cannot.
fn is_asleep(host: &Host) -> Result<()> {
    for unit in ["zookeeper", "mesos-master", "marathon"] {
        let enabled = host.exec(["systemctl", "is-enabled", unit])?;
        assert_eq!(enabled.stdout.trim(), "masked", "{unit}");
        let active = host.exec(["systemctl", "is-active", unit])?;
        assert_eq!(active.stdout.trim(), "inactive", "{unit}");
    }
    for daemon in ["mesos-master", "mesos-slave", "marathon"] {
        assert_eq!(starts(host, daemon)?, Vec::<String>::new());
    }
    ensure!(!host.exists("/tmp/zookeeper")?, "ZooKeeper has run");
    ensure!(host.exists("/etc/mesos-master")?, "the packages are there");
    Ok(())
}
