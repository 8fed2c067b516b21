//! How many machines one server holds: starts the real program, built beforehand and lying beside this one, on a store of
//! its own, enrols as many machines as the call says, has each watch over a connection of its own with mutual TLS,
//! publishes, and has each fetch what is new as an agent does. All on loopback; it ends by itself, and leaves nothing.
//!
//! `tests/watchers 10000` builds and runs it.

#[path = "../tests/suite/channel.rs"]
mod channel;
#[path = "../tests/suite/papers.rs"]
mod papers;
#[expect(dead_code, reason = "tests make more kinds of releases")]
#[path = "../tests/suite/release.rs"]
mod release;

use anyhow::{Context, Result, ensure};
use cfg_catalog::digest::Digest;
use cfg_server::config::Config;
use cfg_server::founding;
use cfg_wire::agents_client::AgentsClient;
use cfg_wire::enrolment_client::EnrolmentClient;
use cfg_wire::operators_client::OperatorsClient;
use cfg_wire::*;
use channel::Identity;
use futures::StreamExt;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use rcgen::KeyPair;
use release::Release;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use tokio::sync::{Semaphore, watch};
use tonic::Streaming;
use tonic::transport::Channel;

/// Machines, where the call does not say how many; and the most.
const USUAL: usize = 1000;
const MOST: usize = 20_000;
/// It never takes longer.
const LIMIT: Duration = Duration::from_secs(15 * 60);
/// Handshakes at a time: the server lets no more than 512 of one address stand at the door.
const AT_ONCE: usize = 256;
/// Enrolments at a time, each on a connection of its own.
const ENROLLING: usize = 32;
/// How long all are left alone, to see what ticks cost: two of them.
const REST: Duration = Duration::from_secs(30);

fn main() -> Result<()> {
    let count = std::env::args().find_map(|word| word.parse().ok());
    let count = count.unwrap_or(USUAL);
    ensure!((1..=MOST).contains(&count), "from 1 to {MOST} machines");
    let (_, most) = getrlimit(Resource::RLIMIT_NOFILE)?;
    setrlimit(Resource::RLIMIT_NOFILE, most, most)?;
    ensure!(
        most > count as u64 + 500,
        "{most} files may be open here: too few for {count} machines"
    );
    let runtime = tokio::runtime::Runtime::new()?;
    runtime.block_on(async { tokio::time::timeout(LIMIT, measure(count)).await? })
}

async fn measure(count: usize) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let config = config(folder.path())?;
    let founded = founding::found(&config, "bench").await?;
    let ca = founded.ca.pem().to_owned();
    let server = Serving::start(folder.path(), &config).await?;
    let fleet = Fleet { config, ca };
    let mut desk = fleet.desk(founded.token.text()).await?;
    publish(&mut desk, 1).await?;
    println!(
        "{count} machines, {} cores",
        std::thread::available_parallelism()?
    );

    let begun = server.now()?;
    let identities = fleet.enrol(&mut desk, count).await?;
    server.tell("all have enrolled", &begun)?;

    let begun = server.now()?;
    let (heard, fetched) = (Counter::default(), Counter::default());
    let machines = fleet.watch_all(identities, &heard, &fetched).await?;
    server.tell("all watch", &begun)?;

    let begun = server.now()?;
    tokio::time::sleep(REST).await;
    server.tell("half a minute of rest", &begun)?;

    let begun = server.now()?;
    publish(&mut desk, 2).await?;
    server.tell("a release is published", &begun)?;
    heard.reaches(count).await?;
    server.tell("the last has heard of it", &begun)?;
    fetched.reaches(count).await?;
    server.tell("the last has its part and file", &begun)?;
    println!(
        "the most that was resident: {:.1} MiB",
        server.resident("VmHWM")?
    );
    drop(machines);
    Ok(())
}

/// Ports that are free, and a store below a folder.
fn config(folder: &Path) -> Result<Config> {
    let free = || -> Result<SocketAddr> { Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?) };
    let text = format!(
        "data = {:?}\nlisten = \"{}\"\nenrol_listen = \"{}\"\nnames = [\"127.0.0.1\"]\naddresses = [\"10.0.0.0/8\"]\n",
        folder.join("data"),
        free()?,
        free()?
    );
    std::fs::write(folder.join("server.toml"), &text)?;
    Config::parse(&text)
}

/// The program, until dropped.
struct Serving(Child);

/// A moment, with the processor time that the server had used.
struct Moment {
    at: Instant,
    used: f64,
}

impl Serving {
    async fn start(folder: &Path, config: &Config) -> Result<Self> {
        // target/PROFILE/examples/watchers, target/PROFILE/cfg-server.
        let own = std::env::current_exe()?;
        let target = own.ancestors().nth(2).context("this program's folder")?;
        let child = Command::new(target.join("cfg-server"))
            .arg("--config")
            .arg(folder.join("server.toml"))
            .arg("run")
            .env("CFG_LOG", "error")
            .stdout(Stdio::null())
            .spawn()
            .context("the server")?;
        let serving = Self(child);
        for _ in 0..100 {
            if tokio::net::TcpStream::connect(config.listen).await.is_ok() {
                return Ok(serving);
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        anyhow::bail!("the server does not listen")
    }

    fn now(&self) -> Result<Moment> {
        let path = format!("/proc/{}/stat", self.0.id());
        let stat = std::fs::read_to_string(path)?;
        // After the name, which may hold anything, utime and stime are the 12th and 13th; in hundredths of a second.
        let (_, rest) = stat.rsplit_once(')').context("stat")?;
        let ticks: Vec<u64> = rest
            .split_whitespace()
            .skip(11)
            .take(2)
            .filter_map(|number| number.parse().ok())
            .collect();
        Ok(Moment {
            at: Instant::now(),
            used: ticks.iter().sum::<u64>() as f64 / 100.0,
        })
    }

    fn tell(&self, what: &str, since: &Moment) -> Result<()> {
        let now = self.now()?;
        println!(
            "{what:32} after {:6.2} s; the server used {:6.2} s of processor, {:7.1} MiB are resident",
            now.at.duration_since(since.at).as_secs_f64(),
            now.used - since.used,
            self.resident("VmRSS")?
        );
        Ok(())
    }

    /// MiB.
    fn resident(&self, key: &str) -> Result<f64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.0.id()))?;
        let line = status.lines().find(|line| line.starts_with(key));
        let number = line.and_then(|line| line.split_whitespace().nth(1));
        Ok(number.context("the memory")?.parse::<f64>()? / 1024.0)
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        // It may have ended by itself; then that was the failure.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

struct Fleet {
    config: Config,
    ca: String,
}

impl Fleet {
    fn guest(&self) -> EnrolmentClient<Channel> {
        let tls = channel::tls(&self.ca, None);
        EnrolmentClient::new(channel::open(self.config.enrol_listen, tls))
    }

    fn member(&self, identity: &Identity) -> Channel {
        channel::open(self.config.listen, channel::tls(&self.ca, Some(identity)))
    }

    async fn desk(&self, token: &str) -> Result<OperatorsClient<Channel>> {
        let key = KeyPair::generate()?;
        let request = EnrollOperatorRequest {
            token: token.to_owned(),
            name: "bench".into(),
            csr: papers::csr("bench", &key),
        };
        let certificate = self.guest().enroll_operator(request).await?.into_inner();
        let identity = Identity {
            certificate: certificate.certificate,
            key: key.serialize_pem(),
        };
        Ok(OperatorsClient::new(self.member(&identity)))
    }

    async fn enrol(
        &self,
        desk: &mut OperatorsClient<Channel>,
        count: usize,
    ) -> Result<Vec<Identity>> {
        let request = CreateTokenRequest {
            role: "web".into(),
            uses: u32::try_from(count)?,
            ttl_seconds: 3600,
        };
        let token = desk.create_token(request).await?.into_inner().token;
        // One key for all: that makes the machines' part of the work smaller, and not the server's.
        let key = Arc::new(KeyPair::generate()?);
        let share = count.div_ceil(ENROLLING);
        let groups = (0..ENROLLING).map(|group| {
            let (mut guest, key, token) = (self.guest(), key.clone(), token.clone());
            async move {
                let mut identities = Vec::new();
                for at in group * share..count.min((group + 1) * share) {
                    let name = format!("vm-{at}");
                    let request = EnrollRequest {
                        token: token.clone(),
                        csr: papers::csr(&name, &key),
                        facts: papers::facts(&address(at)),
                        name,
                    };
                    identities.push(Identity {
                        certificate: guest.enroll(request).await?.into_inner().certificate,
                        key: key.serialize_pem(),
                    });
                }
                Ok::<_, anyhow::Error>(identities)
            }
        });
        let groups = futures::future::try_join_all(groups).await?;
        Ok(groups.into_iter().flatten().collect())
    }

    /// Each on a connection and a task of its own, which it drops with its end.
    async fn watch_all(
        &self,
        identities: Vec<Identity>,
        heard: &Counter,
        fetched: &Counter,
    ) -> Result<tokio::task::JoinSet<()>> {
        let door = Semaphore::new(AT_ONCE);
        let door = &door;
        let watching = identities
            .iter()
            .enumerate()
            .map(|(at, identity)| async move {
                let _turn = door.acquire().await?;
                let mut agents = AgentsClient::new(self.member(identity));
                let facts = papers::facts(&address(at));
                let stream = agents.watch(WatchRequest { facts }).await?;
                let mut stream = stream.into_inner();
                let first = stream.message().await?.context("no news")?;
                ensure!(first.sequence == 1, "{first:?}");
                Ok((agents, stream))
            });
        let mut all = futures::stream::iter(watching).buffer_unordered(AT_ONCE);
        let mut tasks = tokio::task::JoinSet::new();
        while let Some(machine) = all.next().await {
            let (agents, stream) = machine?;
            let (heard, fetched) = (heard.clone(), fetched.clone());
            tasks.spawn(async move {
                if let Err(error) = follow(agents, stream, heard, fetched).await {
                    eprintln!("a machine: {error:#}");
                }
            });
        }
        Ok(tasks)
    }
}

/// What an agent does: hears of a release, asks for its part of it, fetches the file that it lacks.
async fn follow(
    mut agents: AgentsClient<Channel>,
    mut stream: Streaming<News>,
    heard: Counter,
    fetched: Counter,
) -> Result<()> {
    while let Some(news) = stream.message().await? {
        if news.sequence < 2 {
            continue;
        }
        heard.count();
        let format = cfg_catalog::release::FORMAT;
        let request = AssignmentRequest { format };
        let assigned = agents.assignment(request).await?.into_inner();
        let part: cfg_catalog::release::part::Part = serde_json::from_slice(&assigned.part)?;
        for digest in part.blobs() {
            let request = FetchRequest {
                digest: digest.to_string(),
            };
            let mut chunks = agents.fetch(request).await?.into_inner();
            let mut bytes = Vec::new();
            while let Some(chunk) = chunks.message().await? {
                bytes.extend(chunk.data);
            }
            ensure!(Digest::of(&bytes) == digest, "other bytes");
        }
        fetched.count();
        break;
    }
    // The line is kept, as an agent keeps it.
    while stream.message().await?.is_some() {}
    Ok(())
}

async fn publish(desk: &mut OperatorsClient<Channel>, version: u32) -> Result<()> {
    let mut release = Release::of(&["web"], version);
    let role = release.roles.get_mut("web").context("the role")?;
    // With its members in it, each enrolment would be news to all; see what a publish costs.
    role.reads.clear();
    role.files
        .insert("file", format!("{version}\n").repeat(4096).into_bytes());
    let sent = release.sent();
    for blob in sent.blobs {
        let chunk = UploadRequest {
            digest: Digest::of(&blob).to_string(),
            data: blob,
        };
        desk.upload(tokio_stream::iter([chunk])).await?;
    }
    desk.publish(sent.request).await?;
    Ok(())
}

/// Counts, and tells who waits.
#[derive(Clone)]
struct Counter(Arc<AtomicUsize>, watch::Sender<usize>);

impl Default for Counter {
    fn default() -> Self {
        Self(Arc::default(), watch::Sender::new(0))
    }
}

impl Counter {
    fn count(&self) {
        let count = self.0.fetch_add(1, Ordering::Relaxed) + 1;
        self.1.send_replace(count);
    }

    async fn reaches(&self, count: usize) -> Result<()> {
        let mut counted = self.1.subscribe();
        counted
            .wait_for(|_| self.0.load(Ordering::Relaxed) >= count)
            .await?;
        Ok(())
    }
}

/// Each has an address of its own, as the server wants it.
fn address(at: usize) -> String {
    let [_, a, b, c] = u32::try_from(at).unwrap_or_default().to_be_bytes();
    format!("10.{a}.{b}.{c}")
}
