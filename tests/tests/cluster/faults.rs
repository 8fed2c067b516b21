//! What the scripts got wrong that the roles stand for: for each fault the case in which they failed. The faults 1 and 5 to 7 are
//! looked at in `one_pass.rs` and in `catalog/tests/text/cluster.rs` too.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::{Result, ensure};
use cfg_tests::{Host, Sandbox, becomes, eventually};
use serde_json::Value;

use crate::clock::now;
use crate::machines::{Cluster, apply, id, nothing_to_do};
use crate::masters::Watch;
use crate::one_pass::{ZOOKEEPER, one_leader, starts};

const MINUTES: Duration = Duration::from_secs(240);
const SOON: Duration = Duration::from_secs(60);
/// What neither is of the base image nor was asked for by a role, but comes with Docker.
const OF_DOCKER: [&str; 2] = ["containerd.service", "docker.socket"];

#[test]
fn what_the_scripts_got_wrong() -> Result<()> {
    Sandbox::run(|sandbox| {
        let values = "mesos_version = \"1.11.0-*\"\nmesos_attributes = { rack = \"r1\" }\n";
        let cluster = Cluster::boot(sandbox, values)?;
        cluster.converge(MINUTES)?;
        sandbox.step("converged");
        files_of_the_right_daemon(&cluster)?;
        numbers_that_are_given(&cluster)?;
        nothing_that_nobody_configured(&cluster)?;
        sandbox.step("1, 5, 7: the right files, ids that are given, no other services");
        addresses_that_are_not_pristine(sandbox, &cluster)?;
        a_start_that_loads_nothing(sandbox, &cluster)?;
        an_upgrade_that_enables_the_agent(sandbox, &cluster)?;
        restarts_without_a_reason(sandbox, &cluster)?;
        for host in cluster.hosts() {
            nothing_to_do(host)?;
        }
        Ok(())
    })
}

/// 1. Agents wrote their address to `/etc/mesos-master/`.
fn files_of_the_right_daemon(cluster: &Cluster) -> Result<()> {
    for host in &cluster.agents {
        for name in ["ip", "hostname"] {
            let own = host.read_file(&format!("/etc/mesos-slave/{name}"))?;
            assert_eq!(own.trim(), host.address());
            ensure!(!host.exists(&format!("/etc/mesos-master/{name}"))?);
        }
    }
    Ok(())
}

/// 5. `myid` was the position in a listing, by name or by address.
pub fn numbers_that_are_given(cluster: &Cluster) -> Result<()> {
    for host in &cluster.masters {
        let id = id(host)?;
        assert_eq!(
            host.read_file("/etc/zookeeper/conf/myid")?.trim(),
            id.to_string()
        );
        let own = format!("server.{id}={}:2888:3888\n", host.address());
        for other in &cluster.masters {
            let config = other.read_file("/etc/zookeeper/conf/zoo.cfg")?;
            ensure!(config.contains(&own), "{config}");
        }
    }
    Ok(())
}

/// 7. The metapackage brought services that nobody configured, and they were enabled.
fn nothing_that_nobody_configured(cluster: &Cluster) -> Result<()> {
    let of_roles: [(&[Host], &[&str]); 2] = [
        (
            &cluster.masters,
            &["marathon.service", "mesos-master.service"],
        ),
        (&cluster.agents, &["docker.service", "mesos-slave.service"]),
    ];
    let base = "cfg-agent.service cloud- e2scrub getty@ systemd- apt- dpkg- fstrim remote-fs dbus";
    for (hosts, wanted) in of_roles {
        for host in hosts {
            let list = [
                "systemctl",
                "list-unit-files",
                "--state=enabled",
                "--plain",
                "--no-legend",
            ];
            let enabled = host.run(list)?;
            let names = enabled
                .lines()
                .filter_map(|line| line.split_whitespace().next());
            let brought =
                names.filter(|name| !base.split(' ').any(|known| name.starts_with(known)));
            let brought: Vec<&str> = brought.filter(|name| !OF_DOCKER.contains(name)).collect();
            assert_eq!(brought, wanted, "{}", host.name());
        }
    }
    Ok(())
}

/// 2. `sed` put addresses into files as the package brings them, and did nothing to files in which others stood.
fn addresses_that_are_not_pristine(sandbox: &Sandbox, cluster: &Cluster) -> Result<()> {
    let peers = cluster.peers()?;
    let (master, agent) = (&cluster.masters[0], &cluster.agents[0]);
    for host in [master, agent] {
        host.write_file(
            "/etc/mesos/zk",
            "zk://10.77.0.254:2181,10.77.0.253:2181/mesos\n",
        )?;
    }
    let config = master.read_file(ZOOKEEPER)?;
    let other = config.replace(&format!("{}:2888", master.address()), "10.77.0.254:2888");
    ensure!(other != config, "{config}");
    master.write_file(ZOOKEEPER, &other)?;
    for host in [master, agent] {
        apply(host)?;
        becomes(
            "the file has the masters again",
            SOON,
            format!("zk://{peers}/mesos\n"),
            || host.read_file("/etc/mesos/zk"),
        )?;
    }
    becomes("so has zoo.cfg", SOON, config, || {
        master.read_file(ZOOKEEPER)
    })?;
    sandbox.step("2: files with other addresses are put right");
    Ok(())
}

/// 3. `start mesos-slave` loads nothing while it runs; and an agent with other attributes does not start at all.
fn a_start_that_loads_nothing(sandbox: &Sandbox, cluster: &Cluster) -> Result<()> {
    let registered = |host: &Host| host.run(["readlink", "/var/lib/mesos/meta/slaves/latest"]);
    let before = cluster
        .agents
        .iter()
        .map(registered)
        .collect::<Result<Vec<_>>>()?;
    let counts = cluster
        .agents
        .iter()
        .map(|host| Ok(starts(host, "mesos-slave")?.len()));
    let counts = counts.collect::<Result<Vec<_>>>()?;
    let masters = starts(&cluster.masters[1], "mesos-master")?;
    cluster.publish_with("{ rack = \"r2\" }", "{ rack = \"r1\" }")?;
    for ((host, before), count) in cluster.agents.iter().zip(before).zip(counts) {
        // One at a time.
        eventually("the agent runs with what is there now", MINUTES, || {
            let starts = starts(host, "mesos-slave")?;
            let last = starts.last().map_or("", String::as_str);
            ensure!(
                last.starts_with("started --attributes=rack:r2 "),
                "{starts:#?}"
            );
            Ok(())
        })?;
        assert_eq!(
            starts(host, "mesos-slave")?.len(),
            count + 1,
            "it refused no start"
        );
        ensure!(registered(host)? != before, "it has forgotten who it was");
    }
    assert_eq!(starts(&cluster.masters[1], "mesos-master")?, masters);
    sandbox.step("3: other attributes are loaded, and accepted");

    let host = &cluster.agents[1];
    let run = apply(host)?;
    assert_eq!(run, Vec::<String>::new(), "the daemon has done all of it");
    // A flag that nobody declares goes, and its service is restarted as for a change.
    host.write_file("/etc/mesos-slave/?no-switch_user", "")?;
    host.run(["systemctl", "restart", "mesos-slave"])?;
    let flag = " --no-switch_user ";
    let has_flag = || {
        let starts = starts(host, "mesos-slave")?;
        Ok(starts.last().is_some_and(|last| last.contains(flag)))
    };
    becomes("started with the flag", SOON, true, has_flag)?;
    assert_eq!(
        apply(host)?,
        [
            "file:/etc/mesos-slave/?no-switch_user remove",
            "service:mesos-slave restart"
        ]
    );
    becomes("started without it", SOON, false, has_flag)?;
    ensure!(!host.exists("/etc/mesos-slave/?no-switch_user")?);
    Ok(())
}

/// 6 and 7. Versions were not pinned; and the package enables the agent on masters at each upgrade.
fn an_upgrade_that_enables_the_agent(sandbox: &Sandbox, cluster: &Cluster) -> Result<()> {
    let version = |host: &Host| host.run(["dpkg-query", "-Wf${Version}", "mesos"]);
    for host in cluster.hosts() {
        host.run(["apt-get", "-y", "-qq", "upgrade"])?;
        assert_eq!(version(host)?, "1.11.0-1", "apt by itself moves nothing");
    }
    let watch = Watch::of(&cluster.masters);
    let before = cluster.installation.records()?.len();
    let began = now();
    cluster.publish_with("\"1.11.1-*\"", "\"1.11.0-*\"")?;
    for host in cluster.hosts() {
        becomes("upgraded", MINUTES, "1.11.1-1".to_owned(), || version(host))?;
    }
    for host in cluster.hosts() {
        eventually("it has done all", MINUTES, || nothing_to_do(host))?;
        keeps_the_conffile_of_the_role(host)?;
    }
    watch.never_two_down(began)?;
    sandbox.step(&format!("upgraded; down were {:?}", watch.downs(began)));
    one_slot_at_a_time(cluster, &cluster.installation.records()?[before..])?;
    for host in &cluster.masters {
        eventually("the master runs, the agent does not", MINUTES, || {
            nothing_to_do(host)?;
            let enabled = host.exec(["systemctl", "is-enabled", "mesos-slave"])?;
            ensure!(enabled.stdout.trim() == "masked", "{enabled}");
            Ok(())
        })?;
        assert_eq!(starts(host, "mesos-slave")?, Vec::<String>::new());
    }
    sandbox.step("6: apt moves nothing; 7: after an upgrade the agent is masked on masters");
    Ok(())
}

/// The package brings another `/etc/mesos/zk` than before, which the role has written: dpkg keeps that one, lays its own beside it,
/// and asks nobody.
fn keeps_the_conffile_of_the_role(host: &Host) -> Result<()> {
    let brought = host.read_file("/etc/mesos/zk.dpkg-dist")?;
    assert_eq!(brought, "zk://127.0.0.1:2181/mesos\n");
    ensure!(
        !host.exists("/etc/mesos/zk.dpkg-old")?,
        "{}: dpkg has overwritten the file of the role",
        host.name()
    );
    Ok(())
}

/// Each machine had a slot, and no two of a role had theirs at once, by what the server keeps.
fn one_slot_at_a_time(cluster: &Cluster, records: &[Value]) -> Result<()> {
    for hosts in [&cluster.masters, &cluster.agents] {
        let names: Vec<&str> = hosts.iter().map(Host::name).collect();
        let (mut held, mut had) = (None, BTreeSet::new());
        for record in records {
            let name = names.iter().find(|name| record["name"] == **name);
            match (record["event"].as_str(), name) {
                (Some("slot_taken"), Some(name)) => {
                    ensure!(held.is_none_or(|held| held == name), "{records:#?}");
                    held = Some(name);
                    had.insert(*name);
                }
                (Some("slot_given"), Some(_)) => held = None,
                _ => {}
            }
        }
        ensure!(had.len() == names.len(), "{had:?} had one: {records:#?}");
    }
    Ok(())
}

/// 4. ZooKeeper was restarted by every run of the script, on every master.
fn restarts_without_a_reason(sandbox: &Sandbox, cluster: &Cluster) -> Result<()> {
    // All of the above has changed nothing of the ZooKeeper of these two.
    for host in &cluster.masters[1..] {
        let journal = ["journalctl", "--no-pager", "-o", "cat", "-u", "zookeeper"];
        let told = host.run(journal)?;
        let started = told.lines().filter(|line| line.starts_with("Starting"));
        assert_eq!(started.count(), 1, "{}: {told}", host.name());
    }
    one_leader(cluster)?;
    sandbox.step("4: no ZooKeeper was restarted without a reason");
    Ok(())
}
