//! One pass: all six boot at once, and stay as they are.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use cfg_tests::{Host, Sandbox, becomes, eventually};

use crate::machines::{Cluster, apply, id, nothing_to_do};

pub const ZOOKEEPER: &str = "/etc/zookeeper/conf/zoo.cfg";
const MINUTES: Duration = Duration::from_secs(240);
/// What a daemon of the stand-ins was started with, one start a line.
const STARTS: [(&str, &str); 3] = [
    ("mesos-master", "/var/log/mesos/mesos-master.starts"),
    ("mesos-slave", "/var/log/mesos/mesos-slave.starts"),
    ("marathon", "/var/log/marathon.starts"),
];

#[test]
fn six_machines_boot_and_are_a_cluster() -> Result<()> {
    Sandbox::run(|sandbox| {
        let cluster = Cluster::boot(sandbox, "")?;
        cluster.converge(MINUTES)?;
        let took = cluster.booted.elapsed();
        sandbox.step(&format!(
            "converged, {:.1} s after the boot",
            took.as_secs_f64()
        ));

        let peers = cluster.peers()?;
        for host in &cluster.masters {
            is_a_master(host, &peers, "2")?;
        }
        one_leader(&cluster)?;
        for host in &cluster.agents {
            is_an_agent(host, &peers)?;
        }
        for host in cluster.hosts() {
            knows_itself(host)?;
        }
        sandbox.step("all is as the roles say");

        for host in cluster.hosts() {
            nothing_to_do(host)?;
            assert_eq!(apply(host)?, Vec::<String>::new(), "{}", host.name());
        }
        for host in &cluster.masters {
            assert_eq!(starts(host, "mesos-master")?.len(), 1);
            assert_eq!(starts(host, "marathon")?.len(), 1);
        }
        sandbox.step("every second run is empty, and has started nothing");

        for host in cluster.hosts() {
            host.power_cut()?;
        }
        let apt = apt_alone(sandbox)?;
        println!(
            "six machines, from their boot to a cluster: {:.1} s; six that boot and install the same packages by apt-get: {:.1} s",
            took.as_secs_f64(),
            apt.as_secs_f64()
        );
        Ok(())
    })
}

/// Six machines boot, and apt-get installs on each what the roles bring; nothing is configured, and nothing started.
fn apt_alone(sandbox: &Sandbox) -> Result<Duration> {
    let script = format!(
        "printf '#!/bin/sh\\nexit 101\\n' >/usr/sbin/policy-rc.d && chmod 755 /usr/sbin/policy-rc.d &&
         echo 'deb [signed-by=/srv/repository/key.asc] {} bookworm main' >/etc/apt/sources.list &&
         apt-get update -qq && apt-get install -y -qq --no-install-recommends",
        Sandbox::REPOSITORY
    );
    let all = [
        "zookeeperd netcat-openbsd mesos marathon",
        "docker.io netcat-openbsd mesos",
    ];
    let mut hosts = Vec::new();
    for number in 0..6 {
        let address = format!("10.77.0.{}", 2 + number);
        let host = sandbox.host(&format!("apt-{number}"), &address)?;
        host.set_user_data("#cloud-config\n{}\n")?;
        hosts.push(host);
    }
    let began = Instant::now();
    for host in &hosts {
        host.start()?;
    }
    let mut running = Vec::new();
    for (number, host) in hosts.iter().enumerate() {
        host.wait_until_booted()?;
        let script = format!("{script} {}", all[usize::from(number >= 3)]);
        running.push(host.spawn(["sh", "-c", &script])?);
    }
    for apt in running {
        apt.wait(MINUTES)?.success()?;
    }
    Ok(began.elapsed())
}

/// One ZooKeeper leads and all others follow.
pub fn one_leader(cluster: &Cluster) -> Result<()> {
    eventually("one leader", Duration::from_secs(60), || {
        let mode = |host: &Host| host.sh("printf srvr | nc -w 2 127.0.0.1 2181 | grep Mode");
        let mut modes = cluster
            .masters
            .iter()
            .map(mode)
            .collect::<Result<Vec<_>>>()?;
        modes.sort();
        let mut wanted = vec!["Mode: follower\n"; modes.len()];
        wanted.pop();
        wanted.push("Mode: leader\n");
        ensure!(modes == wanted, "{modes:?}");
        Ok(())
    })
}

/// What a daemon of the stand-ins noted of its starts: each without time and version.
pub fn starts(host: &Host, daemon: &str) -> Result<Vec<String>> {
    let path = STARTS.iter().find(|(name, _)| *name == daemon);
    let path = path.map_or("", |(_, path)| path);
    if !host.exists(path)? {
        return Ok(Vec::new());
    }
    let told = host.read_file(path)?;
    let noted = |line: &str| line.splitn(3, ' ').nth(2).unwrap_or(line).to_owned();
    Ok(told.lines().map(noted).collect())
}

fn state(host: &Host, unit: &str) -> Result<(String, String)> {
    let word = |verb| -> Result<String> {
        Ok(host
            .exec(["systemctl", verb, unit])?
            .stdout
            .trim()
            .to_owned())
    };
    Ok((word("is-active")?, word("is-enabled")?))
}

fn states(host: &Host, wanted: &[(&str, &str, &str)]) -> Result<()> {
    for (unit, active, enabled) in wanted {
        let (is_active, is_enabled) = state(host, unit)?;
        ensure!(
            (is_active.as_str(), is_enabled.as_str()) == (*active, *enabled),
            "{unit} of {} is {is_active}, {is_enabled}",
            host.name()
        );
    }
    Ok(())
}

fn is_a_master(host: &Host, peers: &str, quorum: &str) -> Result<()> {
    let me = host.address();
    let enabled = host.sh("ls /etc/rc2.d")?;
    ensure!(enabled.contains("zookeeper"), "{enabled}");
    states(
        host,
        &[
            ("mesos-master", "active", "enabled"),
            ("marathon", "active", "enabled"),
            ("mesos-slave", "inactive", "masked"),
        ],
    )?;
    assert_eq!(
        starts(host, "mesos-master")?,
        [format!(
            "started --cluster=mesos --hostname={me} --ip={me} --log_dir=/var/log/mesos --port=5050 --quorum={quorum} \
             --work_dir=/var/lib/mesos --zk=zk://{peers}/mesos"
        )],
        "the only start of {}",
        host.name()
    );
    assert_eq!(
        starts(host, "marathon")?,
        [format!(
            "started MARATHON_HOSTNAME={me} MARATHON_MASTER=zk://{peers}/mesos MARATHON_ZK=zk://{peers}/marathon"
        )]
    );
    assert_eq!(starts(host, "mesos-slave")?, Vec::<String>::new());
    ensure!(
        !host.exists("/tmp/zookeeper")?,
        "ZooKeeper never ran as the package configures it"
    );
    let id = id(host)?;
    assert_eq!(
        host.read_file("/etc/zookeeper/conf/myid")?,
        format!("{id}\n")
    );
    assert_eq!(
        host.run(["apt-mark", "showhold"])?,
        "marathon\nmesos\nzookeeperd\n"
    );
    Ok(())
}

fn is_an_agent(host: &Host, peers: &str) -> Result<()> {
    let me = host.address();
    states(
        host,
        &[
            ("docker", "active", "enabled"),
            ("mesos-slave", "active", "enabled"),
            ("mesos-master", "inactive", "masked"),
            ("zookeeper", "inactive", "masked"),
        ],
    )?;
    assert_eq!(
        starts(host, "mesos-slave")?,
        [format!(
            "started --containerizers=docker,mesos --executor_registration_timeout=5mins --hostname={me} --ip={me} \
             --log_dir=/var/log/mesos --master=zk://{peers}/mesos --work_dir=/var/lib/mesos"
        )],
        "the only start of {}",
        host.name()
    );
    assert_eq!(starts(host, "mesos-master")?, Vec::<String>::new());
    assert_eq!(host.run(["apt-mark", "showhold"])?, "docker.io\nmesos\n");
    Ok(())
}

fn knows_itself(host: &Host) -> Result<()> {
    becomes(
        "its own name is its address",
        MINUTES,
        host.address().to_owned(),
        || {
            let told = host.run(["getent", "ahostsv4", host.name()])?;
            Ok(told
                .split_whitespace()
                .next()
                .unwrap_or_default()
                .to_owned())
        },
    )
}
