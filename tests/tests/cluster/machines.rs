//! Six hosts, each with nothing but the user-data of its role.

use std::collections::BTreeSet;
use std::hash::{BuildHasher, RandomState};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use cfg_tests::{Catalog, Host, Installation, Run, Sandbox, dry_run, eventually, status};

/// Three masters and three agents, their server, and the roles that it gives them.
pub struct Cluster {
    pub installation: Installation,
    pub catalog: Catalog,
    pub masters: Vec<Host>,
    pub agents: Vec<Host>,
    /// When all of them were switched on.
    pub booted: Instant,
    /// Addresses that nobody has yet.
    spare: Vec<String>,
}

impl Cluster {
    /// Switches all six on at once.
    pub fn boot(sandbox: &Sandbox, values: &str) -> Result<Cluster> {
        Cluster::boot_with(sandbox, values, |_| Ok(()))
    }

    /// The same with roles that this has changed.
    pub fn boot_with(
        sandbox: &Sandbox,
        values: &str,
        change: impl FnOnce(&Catalog) -> Result<()>,
    ) -> Result<Cluster> {
        let mut cluster = Cluster::off_with(sandbox, values, change)?;
        cluster.booted = Instant::now();
        for host in cluster.hosts() {
            host.start()?;
        }
        Ok(cluster)
    }

    /// Six hosts at random addresses, and a release that has these lines more in `fleet.toml`.
    pub fn off(sandbox: &Sandbox, values: &str) -> Result<Cluster> {
        Cluster::off_with(sandbox, values, |_| Ok(()))
    }

    fn off_with(
        sandbox: &Sandbox,
        values: &str,
        change: impl FnOnce(&Catalog) -> Result<()>,
    ) -> Result<Cluster> {
        let installation = Installation::start(sandbox)?;
        let catalog = Catalog::shipped(sandbox)?;
        change(&catalog)?;
        let given = catalog.read("fleet.toml")?;
        catalog.write("fleet.toml", format!("{given}{values}"))?;
        installation.publish(catalog.dir())?;
        let mut cluster = Cluster {
            installation,
            catalog,
            masters: Vec::new(),
            agents: Vec::new(),
            booted: Instant::now(),
            spare: addresses(9),
        };
        for kind in ["master", "agent"] {
            let role = if kind == "master" {
                "zk-master"
            } else {
                "mesos-agent"
            };
            let user_data = cluster.user_data(role, 3)?;
            for number in 1..=3 {
                let host = cluster.machine(sandbox, &format!("{kind}-{number}"), &user_data)?;
                match kind {
                    "master" => cluster.masters.push(host),
                    _ => cluster.agents.push(host),
                }
            }
        }
        Ok(cluster)
    }

    /// The user-data with which so many machines of a role boot.
    pub fn user_data(&self, role: &str, count: u32) -> Result<String> {
        let count = count.to_string();
        self.installation
            .server(&["cloud-init", "--role", role, "--uses", &count])
    }

    /// A machine at an address of its own that will boot with this.
    pub fn machine(&mut self, sandbox: &Sandbox, name: &str, user_data: &str) -> Result<Host> {
        let address = self.spare.pop().context("an address")?;
        let host = sandbox.host(name, &address)?;
        host.set_user_data(user_data)?;
        as_an_image_of_a_cloud(&host)?;
        sandbox.step(&format!("{name} is {address}"));
        Ok(host)
    }

    /// All six.
    pub fn hosts(&self) -> impl Iterator<Item = &Host> {
        self.masters.iter().chain(&self.agents)
    }

    /// Waits until each has done all of its role, as its own daemon says.
    pub fn converge(&self, within: Duration) -> Result<()> {
        for host in self.hosts() {
            let left = within.saturating_sub(self.booted.elapsed());
            eventually(&format!("{} converges", host.name()), left, || {
                let status = status(host)?;
                let result = &status["last_run"]["result"];
                ensure!(result == "converged" || result == "applied", "{status:#}");
                Ok(())
            })?;
        }
        Ok(())
    }

    /// Publishes the catalog with this in `fleet.toml` in place of that.
    pub fn publish_with(&self, this: &str, in_place_of: &str) -> Result<()> {
        let values = self.catalog.read("fleet.toml")?;
        ensure!(values.contains(in_place_of), "{values}");
        self.catalog
            .write("fleet.toml", values.replace(in_place_of, this))?;
        self.installation.publish(self.catalog.dir())
    }

    /// `ip1:2181,ip2:2181,ip3:2181`, by the masters' ids.
    pub fn peers(&self) -> Result<String> {
        let mut peers = Vec::new();
        for host in &self.masters {
            peers.push((id(host)?, format!("{}:2181", host.address())));
        }
        peers.sort();
        let peers: Vec<String> = peers.into_iter().map(|(_, peer)| peer).collect();
        Ok(peers.join(","))
    }
}

/// The id that the server gave a machine.
pub fn id(host: &Host) -> Result<u64> {
    let status = status(host)?;
    let id = &status["id"];
    id.as_u64().with_context(|| format!("{status:#}"))
}

/// A run of its own, after those of the daemon that are under way; gives its changes.
pub fn apply(host: &Host) -> Result<Vec<String>> {
    eventually("no other run is under way", Duration::from_secs(60), || {
        let run = Run::of(&host.exec([cfg_tests::CFG, "apply", "--json"])?)?;
        Ok(run.expect(0)?.changes())
    })
}

/// A second run has nothing to do.
pub fn nothing_to_do(host: &Host) -> Result<()> {
    let again = dry_run(host)?.expect(0)?;
    ensure!(
        again.changes().is_empty(),
        "{} would change {:?}",
        host.name(),
        again.changes()
    );
    Ok(())
}

/// Debian's own images let cloud-init give the machine's name to 127.0.1.1 at each boot.
pub fn as_an_image_of_a_cloud(host: &Host) -> Result<()> {
    let path = "/etc/cloud/cloud.cfg.d/01_debian_cloud.cfg";
    host.write_file(path, "manage_etc_hosts: true\n")
}

/// So many addresses of the sandbox's network, none twice.
fn addresses(count: usize) -> Vec<String> {
    let random = RandomState::new();
    let mut seen = BTreeSet::new();
    let mut addresses = Vec::new();
    let mut draw = 0_u32;
    while addresses.len() < count {
        let last = 10 + random.hash_one(draw) % 240;
        draw += 1;
        if seen.insert(last) {
            addresses.push(format!("10.77.0.{last}"));
        }
    }
    addresses
}
