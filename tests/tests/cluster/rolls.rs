//! A cluster that serves a client while it is changed, with its masters under watch.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use cfg_tests::{Catalog, Host, Sandbox, eventually, status};
use serde_json::Value;

use crate::client::Client;
use crate::clock::{Span, now};
use crate::machines::{Cluster, nothing_to_do};
use crate::masters::{Watch, leader};
use crate::one_pass::{ZOOKEEPER, one_leader};

pub const MINUTES: Duration = Duration::from_secs(240);
/// By how much one election may be longer than another.
pub const TIMES: u32 = 2;
/// Longer than a master takes to restart.
pub const A_WHILE: Duration = Duration::from_secs(15);
/// What makes a master say that it is not healthy, and well again, where [`asks_whether_it_is_unwell`].
pub const UNWELL: &str = "touch /run/unwell";
pub const WELL: &str = "rm /run/unwell";

/// Six machines that have converged, a client of the ensemble, and who looks on.
pub struct Rolls {
    pub cluster: Cluster,
    pub client: Client,
    pub watch: Watch,
    /// How many connections of one client the present `zoo.cfg` allows: what the tests change.
    connections: u32,
}

impl Rolls {
    /// Boots it, and waits until all is as it shall be.
    pub fn begin(sandbox: &Sandbox) -> Result<Rolls> {
        Rolls::begin_with(sandbox, |_| Ok(()))
    }

    /// The same with roles that this has changed.
    pub fn begin_with(
        sandbox: &Sandbox,
        change: impl FnOnce(&Catalog) -> Result<()>,
    ) -> Result<Rolls> {
        let cluster = Cluster::boot_with(sandbox, "max_client_connections = 50\n", change)?;
        cluster.converge(MINUTES)?;
        one_leader(&cluster)?;
        let client = Client::start(sandbox, &cluster.masters)?;
        let watch = Watch::of(&cluster.masters);
        sandbox.step("converged, and a client writes and reads");
        Ok(Rolls {
            cluster,
            client,
            watch,
            connections: 50,
        })
    }

    /// Publishes another zoo.cfg; gives when.
    pub fn change(&mut self) -> Result<f64> {
        let line = |count| format!("max_client_connections = {count}\n");
        let (old, new) = (line(self.connections), line(self.connections + 1));
        let began = now();
        self.cluster.publish_with(&new, &old)?;
        self.connections += 1;
        Ok(began)
    }

    /// Whether a master has the last change in its zoo.cfg.
    pub fn has_the_change(&self, host: &Host) -> Result<bool> {
        let line = format!("maxClientCnxns={}\n", self.connections);
        Ok(host.read_file(ZOOKEEPER)?.contains(&line))
    }

    /// Waits until all have done all of what was published last, and each ZooKeeper runs with its zoo.cfg.
    pub fn all_follow(&self, within: Duration) -> Result<()> {
        let fleet = self.fleet()?;
        let begin = now();
        for host in self.cluster.hosts() {
            let left = within.saturating_sub(Duration::from_secs_f64(now() - begin));
            eventually(&format!("{} follows", host.name()), left, || {
                let status = status(host)?;
                let last = &status["last_run"];
                let done = last["result"] == "converged" || last["result"] == "applied";
                ensure!(done && last["release"] == fleet["release"], "{last:#}");
                nothing_to_do(host)
            })?;
        }
        for host in &self.cluster.masters {
            ensure!(self.has_the_change(host)?, "{}", host.read_file(ZOOKEEPER)?);
            runs_what_is_there(host)?;
        }
        one_leader(&self.cluster)?;
        self.client.is_served()
    }

    /// Waits until a master's ZooKeeper goes down, and gives that master.
    pub fn first_down(&self, since: f64) -> Result<&Host> {
        eventually("a master goes down", MINUTES, || {
            let order = self.watch.order(since);
            let first = order.first().context("none yet")?;
            self.master(first)
        })
    }

    pub fn master(&self, name: &str) -> Result<&Host> {
        let mut masters = self.cluster.masters.iter();
        masters
            .find(|host| host.name() == name)
            .with_context(|| format!("no master {name}"))
    }

    /// All masters but this one.
    pub fn others(&self, than: &Host) -> Vec<&Host> {
        let masters = self.cluster.masters.iter();
        masters.filter(|host| host.name() != than.name()).collect()
    }

    /// The longest time for which the ensemble serves nobody when the one that leads is killed.
    pub fn gap_of_a_killed_leader(&self) -> Result<Duration> {
        let victim = leader(&self.cluster.masters)?;
        let began = now();
        // It starts again at once, as one that is restarted does: on few cores an election takes longer beside that.
        victim.sh("systemctl kill --signal=KILL zookeeper && systemctl restart zookeeper")?;
        one_leader(&self.cluster)?;
        self.client.is_served()?;
        self.client.longest_gap(Span::since(began))
    }

    /// A client that waited for this long did so for no longer than [`TIMES`] as long as when a leader is killed, before or now,
    /// and for as long as other tests may add.
    pub fn is_as_a_kill(
        &self,
        gap: Duration,
        of_a_kill: &mut Duration,
        of_others: Duration,
    ) -> Result<()> {
        *of_a_kill = self.gap_of_a_killed_leader()?.max(*of_a_kill);
        ensure!(
            gap <= TIMES * *of_a_kill + of_others,
            "a client waited for {gap:?}, and for {of_a_kill:?} when a leader was killed"
        );
        Ok(())
    }

    /// What `cfg fleet --json` says.
    pub fn fleet(&self) -> Result<Value> {
        self.cluster.installation.desk(&["fleet", "--json"])?.json()
    }

    /// What it says of one machine.
    pub fn in_fleet(&self, host: &Host) -> Result<Value> {
        let fleet = self.fleet()?;
        let mut nodes = fleet["nodes"].as_array().into_iter().flatten();
        let node = nodes.find(|node| node["name"] == host.name());
        node.cloned().with_context(|| format!("{fleet:#}"))
    }
}

/// The ZooKeeper of this machine started after its zoo.cfg was written.
pub fn runs_what_is_there(host: &Host) -> Result<()> {
    let script = format!(
        "since=$(systemctl show --property=ActiveEnterTimestamp --value --timestamp=us+utc zookeeper) &&
         echo $(($(date -d \"$since\" +%s%N) - $(date -r {ZOOKEEPER} +%s%N)))"
    );
    let later = host.sh(&script)?;
    let later: i64 = later.trim().parse().with_context(|| later.clone())?;
    ensure!(
        later > 0,
        "{}: its ZooKeeper is {later} ns older than its zoo.cfg",
        host.name()
    );
    Ok(())
}

/// Which start of its ZooKeeper a machine runs.
pub fn start_of_zookeeper(host: &Host) -> Result<String> {
    host.run(["systemctl", "show", "--property=InvocationID", "zookeeper"])
}

/// That the last run of a machine waits for its slot, and why.
pub fn waits_for_its_slot(host: &Host) -> Result<String> {
    let status = status(host)?;
    let last = &status["last_run"];
    ensure!(last["result"] == "waiting", "{}: {last:#}", host.name());
    let mut held = last["held"].as_array().into_iter().flatten();
    let held = held.find(|held| held["why"] == "slot");
    let detail = held.and_then(|held| held["detail"].as_str());
    Ok(detail.with_context(|| format!("{last:#}"))?.to_owned())
}

/// Waits until a machine waits for its slot, for this reason.
pub fn waits_for(host: &Host, why: &str) -> Result<()> {
    eventually(&format!("{} waits: {why}", host.name()), MINUTES, || {
        let detail = waits_for_its_slot(host)?;
        ensure!(detail.contains(why), "{detail}");
        Ok(())
    })
}

pub fn starts_of(hosts: &[&Host]) -> Result<Vec<String>> {
    hosts.iter().map(|host| start_of_zookeeper(host)).collect()
}

/// Has a master's health ask for one thing more, so that a test decides how long a slot is held.
pub fn asks_whether_it_is_unwell(roles: &Catalog) -> Result<()> {
    let begin = "health = \"\"\"\n";
    of_masters(roles, begin, &format!("{begin}test ! -e /run/unwell &&\n"))
}

/// Has a run give up sooner, or later, on what does not come up.
pub fn in_health_timeout(roles: &Catalog, time: &str) -> Result<()> {
    let line = format!("health_timeout = \"{time}\"");
    of_masters(roles, "health_timeout = \"2m\"", &line)
}

fn of_masters(roles: &Catalog, old: &str, new: &str) -> Result<()> {
    let path = "zk-master/role.toml";
    let role = roles.read(path)?;
    ensure!(role.contains(old), "{role}");
    roles.write(path, role.replace(old, new))
}
