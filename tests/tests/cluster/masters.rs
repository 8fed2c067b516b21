//! What the masters do, as others see it: each is asked ten times a second whether its ZooKeeper and its Mesos master serve.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard, Weak};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use cfg_tests::Host;

use crate::clock::{Span, now};
use crate::samples::{Sample, Seen, Stretch, stretches};

const PACE: Duration = Duration::from_millis(100);
const PATIENCE: Duration = Duration::from_secs(1);

/// The masters under watch, until it is dropped.
pub struct Watch {
    seats: Vec<Arc<Mutex<Seat>>>,
}

/// A member of the cluster, which may be one machine after another.
struct Seat {
    name: String,
    address: String,
    samples: Vec<Sample>,
}

/// A time in which a member was down, or at least one of its services.
#[derive(Clone, Debug)]
pub struct Down {
    pub name: String,
    pub span: Span,
}

impl Watch {
    /// Watches these.
    pub fn of(masters: &[Host]) -> Watch {
        let mut watch = Watch { seats: Vec::new() };
        for host in masters {
            watch.add(host);
        }
        watch
    }

    /// Watches one more. Until it serves for the first time it is not down, but not there yet.
    pub fn add(&mut self, host: &Host) {
        let seat = Arc::new(Mutex::new(Seat {
            name: host.name().to_owned(),
            address: host.address().to_owned(),
            samples: Vec::new(),
        }));
        let watched = Arc::downgrade(&seat);
        thread::spawn(move || sample(&watched));
        self.seats.push(seat);
    }

    /// Another machine has the place of one that is gone: the member is down until this one serves.
    pub fn replaced(&self, gone: &Host, by: &Host) -> Result<()> {
        let mut seats = self.seats.iter().map(lock);
        let mut seat = seats
            .find(|seat| seat.name == gone.name())
            .with_context(|| format!("{} is not watched", gone.name()))?;
        by.name().clone_into(&mut seat.name);
        by.address().clone_into(&mut seat.address);
        Ok(())
    }

    /// When members were down, as far as it was seen, by when that began.
    pub fn downs(&self, since: f64) -> Vec<Down> {
        self.spans(since, &[|sample| sample.zookeeper, |sample| sample.mesos])
    }

    /// When ZooKeepers went down and came back, by when that began.
    pub fn restarts(&self, since: f64) -> Vec<Down> {
        self.spans(since, &[|sample| sample.zookeeper])
    }

    /// Who went down, one after another.
    pub fn order(&self, since: f64) -> Vec<String> {
        let restarts = self.restarts(since).into_iter();
        restarts.map(|down| down.name).collect()
    }

    /// At no instant since then were two members down.
    pub fn never_two_down(&self, since: f64) -> Result<()> {
        let downs = self.downs(since);
        for (number, one) in downs.iter().enumerate() {
            for other in &downs[number + 1..] {
                ensure!(
                    one.name == other.name || !one.span.overlaps(&other.span),
                    "two were down at once, {} and {}: {downs:#?}",
                    one.name,
                    other.name
                );
            }
        }
        Ok(())
    }

    fn spans(&self, since: f64, services: &[fn(&Sample) -> Seen]) -> Vec<Down> {
        let mut downs = Vec::new();
        for seat in &self.seats {
            let seat = lock(seat);
            for service in services {
                let seen = seat
                    .samples
                    .iter()
                    .map(|sample| (sample.at, service(sample)));
                let found = stretches(seen).into_iter();
                downs.extend(found.map(|Stretch { from, to }| Down {
                    name: seat.name.clone(),
                    span: Span { from, to },
                }));
            }
        }
        downs.retain(|down| down.span.to >= since);
        downs.sort_by(|a, b| a.span.from.total_cmp(&b.span.from));
        downs
    }
}

/// Whether a master's ZooKeeper leads, follows or serves nobody now: `leader`, `follower`.
pub fn mode(host: &Host) -> Result<String> {
    let address = host.address();
    let told = ask(address, 2181, "srvr").with_context(|| format!("ZooKeeper of {address}"))?;
    let mode = told.lines().find_map(|line| line.strip_prefix("Mode: "));
    Ok(mode
        .with_context(|| format!("{}: {told}", host.name()))?
        .to_owned())
}

/// The master whose ZooKeeper leads.
pub fn leader(masters: &[Host]) -> Result<&Host> {
    let mut of_mode = masters
        .iter()
        .filter(|host| mode(host).is_ok_and(|mode| mode == "leader"));
    of_mode.next().context("no master leads")
}

/// One whose ZooKeeper follows.
pub fn follower(masters: &[Host]) -> Result<&Host> {
    let mut of_mode = masters
        .iter()
        .filter(|host| mode(host).is_ok_and(|mode| mode == "follower"));
    of_mode.next().context("no master follows")
}

/// Takes one sample after another for as long as somebody watches.
fn sample(seat: &Weak<Mutex<Seat>>) {
    loop {
        let Some(address) = seat.upgrade().map(|seat| lock(&seat).address.clone()) else {
            return;
        };
        let zookeeper = seen(ask(&address, 2181, "srvr"), "Mode: ");
        let mesos = seen(ask(&address, 5050, "GET /health HTTP/1.0\r\n\r\n"), " 200 ");
        let Some(seat) = seat.upgrade() else { return };
        let mut seat = lock(&seat);
        // It may have moved meanwhile.
        if seat.address == address {
            seat.samples.push(Sample {
                at: now(),
                zookeeper,
                mesos,
            });
        }
        drop(seat);
        thread::sleep(PACE);
    }
}

fn seen(answer: std::io::Result<String>, word: &str) -> Seen {
    match answer {
        Ok(text) if text.contains(word) => Seen::Serves,
        Err(error) if error.kind() == ErrorKind::ConnectionRefused => Seen::Off,
        _ => Seen::Silent,
    }
}

fn ask(address: &str, port: u16, what: &str) -> std::io::Result<String> {
    let ip = address.parse().map_err(std::io::Error::other)?;
    let mut stream = TcpStream::connect_timeout(&SocketAddr::new(ip, port), PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.write_all(what.as_bytes())?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}

fn lock(seat: &Arc<Mutex<Seat>>) -> MutexGuard<'_, Seat> {
    seat.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}
