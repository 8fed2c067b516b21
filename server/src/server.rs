//! A whole server: opened from its configuration, started on its two ports.

use crate::clock;
use crate::config::Config;
use crate::listen::Port;
use crate::listen::tls::{self, Door, Tls};
use crate::log::Log;
use crate::pki::ca::Ca;
use crate::release::Releases;
use crate::reports::Reports;
use crate::service::held::Held;
use crate::service::leaders::Leaders;
use crate::service::leases::Leases;
use crate::service::pace::Pace;
use crate::service::probes::Probes;
use crate::service::unseen;
use crate::state::Fleet;
use crate::store::Store;
use crate::told::Told;
use anyhow::{Context, bail};
use ipnet::IpNet;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tracing::{info, warn};

const DAY_S: u64 = 24 * 3600;
/// So long before the CA's end an operator is warned at each start.
const CA_NEAR_ITS_END_S: u64 = 366 * DAY_S;
/// Uploads that are in memory at a time.
const UPLOADS: usize = 8;
/// An agent has one stream; a second while the first is not known to be dead; more is a fault.
const STREAMS: usize = 4;
/// An agent and people at the same machine; no member uses up the server's descriptors or memory.
const CONNECTIONS: usize = 8;

/// A run takes one slot and gives it back when the machine is healthy again; more in a minute is a fault.
const SLOTS_A_MINUTE: usize = 6;

/// What the services share.
pub struct Server {
    /// Whom this server serves.
    pub fleet: Fleet,
    /// What it knows.
    pub log: Log,
    /// Where everything lies.
    pub store: Store,
    /// What signs.
    pub ca: Arc<Ca>,
    /// How long a machine's certificate lasts.
    pub certificate_life: Duration,
    /// Releases that are in use.
    pub releases: Releases,
    /// Networks out of which a machine may say an address that it does not call from.
    pub addresses: Vec<IpNet>,
    /// What machines reported.
    pub reports: Reports,
    /// Who watches.
    pub watching: Held,
    /// What machines are asked of their health.
    pub probes: Probes,
    /// How old slots are.
    pub leases: Leases,
    /// Who says that it leads.
    pub leaders: Leaders,
    /// How often a member takes a slot.
    pub takes: Pace,
    /// How often one does without.
    pub waivers: Pace,
    /// And says the same of it: a report may come twice.
    pub same_waivers: Pace,
    /// Who is connected.
    pub connections: Held,
    /// What the log is told of callers.
    pub told: Told,
    /// Turns at uploading.
    pub uploads: Semaphore,
    /// The agent's program, for downloads.
    pub agent: PathBuf,
}

impl Server {
    /// Opens store and log, and sees that the CA is theirs.
    ///
    /// # Errors
    /// Where one of them cannot be opened, or `cfg-server init` was never run.
    pub async fn open(config: &Config) -> anyhow::Result<Self> {
        let store = Store::open(&config.store).await.context("the store")?;
        let log = Log::open(store.clone()).await.context("the log")?;
        let Some(fleet) = log.state().fleet.clone() else {
            bail!(
                "there is no fleet in {}: run cfg-server init first",
                store.name()
            );
        };
        let ca = Ca::load(&config.data).context("the CA")?;
        still_lasts(&ca)?;
        if ca.digest() != fleet.ca {
            bail!(
                "the store {} is of a fleet with another CA than {}",
                store.name(),
                config.data.display()
            );
        }
        Ok(Self {
            fleet,
            log,
            addresses: config.addresses.clone(),
            releases: Releases::new(store.clone()),
            reports: Reports::new(store.clone()),
            store,
            ca: Arc::new(ca),
            certificate_life: Duration::from_secs(u64::from(config.certificate_days) * DAY_S),
            watching: Held::new("streams", STREAMS),
            probes: Probes::default(),
            leases: Leases::default(),
            leaders: Leaders::default(),
            takes: Pace::new(SLOTS_A_MINUTE),
            waivers: Pace::new(SLOTS_A_MINUTE),
            same_waivers: Pace::new(1),
            connections: Held::new("connections", CONNECTIONS),
            told: Told::default(),
            uploads: Semaphore::new(UPLOADS),
            agent: config.agent(),
        })
    }
}

/// That the CA has not run out, with a warning in its last year: then every machine wants a new one.
fn still_lasts(ca: &Ca) -> anyhow::Result<()> {
    let (now, end) = (clock::now(), ca.expires());
    let day = i64::try_from(end)
        .ok()
        .and_then(|end| jiff::Timestamp::from_second(end).ok())
        .unwrap_or_default();
    if end <= now {
        bail!(
            "the fleet's CA ran out on {day}: no certificate of it counts any more; found a new fleet \
             (cfg-server init with another data and store) and enrol the machines there"
        );
    }
    if end - now < CA_NEAR_ITS_END_S {
        warn!(
            "the fleet's CA runs out on {day}, and no certificate of it lasts longer: before that, found a new \
             fleet and enrol the machines there"
        );
    }
    Ok(())
}

/// A server on its ports. Dropping it stops it.
pub struct Running {
    /// Where machines and operators reach it.
    pub address: SocketAddr,
    /// Where enrolment reaches it.
    pub enrol_address: SocketAddr,
    /// What is behind the ports.
    pub server: Arc<Server>,
    tasks: JoinSet<()>,
}

impl Running {
    /// Opens and starts a server. When this returns, both ports accept.
    ///
    /// # Errors
    /// Where it cannot be opened, or a port cannot be had.
    pub async fn start(config: &Config) -> anyhow::Result<Self> {
        let server = Server::open(config).await?;
        Self::start_with(server, config, tls::LIFE).await
    }

    /// The same with an open server, whose own certificate lasts so long.
    ///
    /// # Errors
    /// As above.
    pub async fn start_with(
        server: Server,
        config: &Config,
        life: Duration,
    ) -> anyhow::Result<Self> {
        let server = Arc::new(server);
        let tls = Tls::new(server.ca.clone(), config.certificate_names(), life)
            .context("the server's certificate")?;
        let tls = Arc::new(tls);
        let members = listen(config.listen).await?;
        let guests = listen(config.enrol_listen).await?;
        let (address, enrol_address) = (members.local_addr()?, guests.local_addr()?);
        let mut tasks = JoinSet::new();
        for (listener, door) in [(members, Door::Members), (guests, Door::Guests)] {
            let port = Port {
                listener,
                door,
                tls: tls.clone(),
                server: server.clone(),
            };
            tasks.spawn(port.serve());
        }
        tasks.spawn(async move { tls.keep_fresh().await });
        tasks.spawn(server.told.clone().sum_up());
        tasks.spawn(unseen::watch(server.clone()));
        tasks.spawn(server.leases.clone().listen(server.log.subscribe()));
        let (fleet, store) = (&server.fleet, server.store.name());
        info!("fleet {} from {store}, CA {}", fleet.name, fleet.ca);
        info!("machines and operators at {address}, enrolment at {enrol_address}");
        if !server.agent.is_file() {
            let path = server.agent.display();
            warn!("{path} is not there: cloud-init cannot fetch the agent from here");
        }
        Ok(Self {
            address,
            enrol_address,
            server,
            tasks,
        })
    }

    /// Waits for ever; returns only if a part of the server ended, which it should not.
    pub async fn ended(&mut self) {
        self.tasks.join_next().await;
    }
}

async fn listen(address: SocketAddr) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address)
        .await
        .with_context(|| format!("cannot listen at {address}"))
}
