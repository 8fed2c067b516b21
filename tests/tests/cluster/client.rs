//! A client of the ensemble on the test's own side, which writes and reads all the time and knows when it could.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use cfg_tests::{Host, Sandbox, eventually};

use crate::clock::{Span, now};

/// What has kazoo: Debian's own.
const PYTHON: &str = "/usr/bin/python3";
const SOON: Duration = Duration::from_secs(60);

/// `client.py`, until it is dropped.
pub struct Client {
    child: Child,
    hosts: Option<ChildStdin>,
    said: PathBuf,
    troubles: PathBuf,
}

impl Client {
    /// Connects it to these masters, and waits until it has written and read.
    pub fn start(sandbox: &Sandbox, masters: &[Host]) -> Result<Client> {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cluster/client.py");
        let said = sandbox.dir().join("client.said");
        let troubles = sandbox.dir().join("client.troubles");
        let mut child = Command::new(PYTHON)
            .arg(path)
            .arg(hosts(masters))
            .stdin(Stdio::piped())
            .stdout(File::create(&said).context("client.said")?)
            .stderr(File::create(&troubles).context("client.troubles")?)
            .spawn()
            .context("cannot start client.py")?;
        let hosts = child.stdin.take();
        let client = Client {
            child,
            hosts,
            said,
            troubles,
        };
        client.is_served()?;
        Ok(client)
    }

    /// Tells it where the masters are from now on.
    pub fn connect(&mut self, masters: &[Host]) -> Result<()> {
        let pipe = self.hosts.as_mut().context("the client has ended")?;
        writeln!(pipe, "{}", hosts(masters)).context("client.py hears nothing")
    }

    /// Waits until it has written and read once more.
    pub fn is_served(&self) -> Result<()> {
        let begin = now();
        eventually("a client writes and reads", SOON, || {
            let told = self.told()?;
            for kind in ["write", "read"] {
                ensure!(
                    told.successes(kind).any(|at| at > begin),
                    "no {kind}: {}",
                    fs::read_to_string(&self.troubles).unwrap_or_default()
                );
            }
            Ok(())
        })
    }

    /// The longest time within this span in which it could not write, or could not read.
    pub fn longest_gap(&self, span: Span) -> Result<Duration> {
        let told = self.told()?;
        let gaps = ["write", "read"].map(|kind| told.longest_gap(kind, span));
        Ok(gaps.into_iter().max().unwrap_or_default())
    }

    /// It can write and read still, and has never lost what was acknowledged: then it ends. Gives how often it has written.
    pub fn end(mut self) -> Result<usize> {
        self.is_served()?;
        drop(self.hosts.take());
        let ended = self.child.wait().context("wait for client.py")?;
        ensure!(
            ended.success(),
            "client.py: {}",
            fs::read_to_string(&self.troubles).unwrap_or_default()
        );
        Ok(self.told()?.successes("write").count())
    }

    /// What it has said so far; a write that was lost is an error.
    fn told(&self) -> Result<Told> {
        let text = fs::read_to_string(&self.said).context("client.said")?;
        let told = Told::of(&text);
        let lost: Vec<&String> = told.lost.iter().collect();
        ensure!(lost.is_empty(), "a write was lost: {lost:#?}");
        Ok(told)
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        // It is a child of this test and goes with its sandbox in any case.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

fn hosts(masters: &[Host]) -> String {
    let hosts: Vec<String> = masters
        .iter()
        .map(|host| format!("{}:2181", host.address()))
        .collect();
    hosts.join(",")
}

/// The lines of `client.py`.
struct Told {
    successes: Vec<(f64, String)>,
    lost: Vec<String>,
}

impl Told {
    fn of(text: &str) -> Told {
        let mut told = Told {
            successes: Vec::new(),
            lost: Vec::new(),
        };
        // The last line may not be whole yet.
        let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
        for line in whole.lines() {
            let mut words = line.splitn(3, ' ');
            let at = words.next().and_then(|word| word.parse().ok());
            match (at, words.next()) {
                (_, Some("lost")) => told.lost.push(line.to_owned()),
                (Some(at), Some(kind @ ("write" | "read"))) => {
                    told.successes.push((at, kind.to_owned()));
                }
                _ => {}
            }
        }
        told
    }

    fn successes(&self, kind: &str) -> impl Iterator<Item = f64> {
        let of_kind = self.successes.iter().filter(move |(_, word)| word == kind);
        of_kind.map(|(at, _)| *at)
    }

    /// From one success to the next, where both or the time between them lies in the span; its ends count as successes.
    fn longest_gap(&self, kind: &str, span: Span) -> Duration {
        let within = self.successes(kind).filter(|at| span.contains(*at));
        let mut last = span.from;
        let mut longest = 0.0_f64;
        for at in within.chain([span.to]) {
            longest = longest.max(at - last);
            last = at;
        }
        Duration::from_secs_f64(longest)
    }
}

#[test]
fn a_gap_is_between_two_successes_of_a_kind() {
    let text = "10.0 write 1\n10.1 read 1\n10.2 write 2\n10.9 read 2\n11.0 trouble ConnectionLoss\n11.5 write 3\n11.6 rea";
    let told = Told::of(text);
    let gap = |kind, from, to| told.longest_gap(kind, Span { from, to }).as_secs_f64();
    assert!((gap("write", 10.0, 11.5) - 1.3).abs() < 1e-6);
    assert!((gap("read", 10.0, 11.5) - 0.8).abs() < 1e-6);
    assert!((gap("write", 11.4, 13.5) - 2.0).abs() < 1e-6);
    assert!(told.lost.is_empty());
    assert_eq!(
        Told::of("1.0 lost version 3 comes after version 4\n")
            .lost
            .len(),
        1
    );
}
