//! The agent's own periodic runs: a server, a desk and an enrolled agent, all of them on this machine.

use super::measure::{Sample, measured};
use super::tools::Tool;
use super::tree::Tree;
use super::{Call, show};
use anyhow::{Context as _, Result, ensure};
use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, SysconfVar, sysconf};
use std::collections::BTreeSet;
use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// How long anything here may take.
const PATIENCE: Duration = Duration::from_secs(120);

/// What was started is stopped, whatever comes.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let pid = i32::try_from(self.0.id()).unwrap_or_default();
        // One that has ended by itself is as good.
        let _ = kill(Pid::from_raw(pid), Signal::SIGTERM);
        let _ = self.0.wait();
    }
}

struct World<'a> {
    call: &'a Call,
    folder: PathBuf,
}

impl World<'_> {
    fn path(&self, name: &str) -> String {
        self.folder.join(name).display().to_string()
    }

    fn run(&self, mut command: Command) -> Result<String> {
        let output = command
            .env("XDG_CONFIG_HOME", self.folder.join("desk"))
            .stdin(Stdio::null())
            .stderr(Stdio::piped())
            .output()?;
        let told = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "{command:?}: {told}");
        Ok(String::from_utf8(output.stdout)?)
    }

    fn cfg(&self, words: &[&str]) -> Result<String> {
        let mut command = Command::new(&self.call.cfg);
        command
            .args(["--config", &self.path("agent.toml")])
            .args(words);
        self.run(command)
    }

    /// Starts a server, publishes the catalog, and enrols this machine.
    fn set_up(&self, tree: &Tree) -> Result<Running> {
        fs::create_dir_all(&self.folder)?;
        let port = free_port()?;
        let enrol = port + 1;
        let server = format!(
            "data = {:?}\nlisten = \"127.0.0.1:{port}\"\nenrol_listen = \"127.0.0.1:{enrol}\"\nnames = [\"127.0.0.1\"]\n\
             url = \"https://127.0.0.1:{port}\"\n",
            self.path("data")
        );
        fs::write(self.folder.join("server.toml"), server)?;
        let agent = format!(
            "node = \"bench\"\nstate = {:?}\ninterval = \"1s\"\nsplay = \"0s\"\n",
            self.path("state")
        );
        fs::write(self.folder.join("agent.toml"), agent)?;
        let program = cfg_tests::server_binary()?;
        let config = self.path("server.toml");
        let mut init = Command::new(&program);
        init.args(["init", "--config", &config, "--fleet", "bench"]);
        let told = self.run(init)?;
        let field = |name: &str| {
            let line = told.lines().find_map(|line| line.strip_prefix(name));
            line.with_context(|| format!("no {name} in {told}"))
        };
        let (ca, token) = (field("ca-sha256: ")?, field("operator-token: ")?);
        let server = Command::new(&program)
            .args(["run", "--config", &config])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        let server = Running(server);
        until("a server", || {
            std::net::TcpStream::connect(("127.0.0.1", port)).is_ok()
        })?;
        let url = format!("https://127.0.0.1:{port}");
        let of_server = ["--server", &url, "--ca-sha256", ca, "--token"];
        let operator = ["operator", "init", "--name", "bench"];
        self.cfg(&[&operator[..], &of_server, &[token]].concat())?;
        self.cfg(&["publish", &tree.folder.join("roles").display().to_string()])?;
        let token = self.cfg(&[
            "token", "create", "--role", "bench", "--uses", "1", "--ttl", "1h",
        ])?;
        self.cfg(&[&["enroll"], &of_server[..], &[token.trim()]].concat())?;
        Ok(server)
    }

    /// The names of the runs that are on record.
    fn runs(&self) -> BTreeSet<String> {
        let listing = fs::read_dir(self.folder.join("state/runs"));
        let names = listing.into_iter().flatten().flatten();
        names
            .map(|entry| entry.file_name().to_string_lossy().into_owned())
            .collect()
    }
}

/// Measures so many periodic runs, each beside a look of the limit's.
pub fn periodic(call: &Call, tree: &Tree, limit: &Tool) -> Result<()> {
    tree.write_all()?;
    let folder = tree.folder.join("daemon");
    let world = World { call, folder };
    let _server = world.set_up(tree)?;
    let agent = Command::new(&call.cfg)
        .args(["--config", &world.path("agent.toml"), "agent"])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()?;
    let agent = Running(agent);
    // The first takes the role from the server.
    until("two runs", || world.runs().len() >= 2)?;
    let mut seen = world.runs();
    let (busy, mut since) = (busy(agent.0.id())?, Instant::now());
    let (mut limits, mut runs, mut waited) = (Vec::new(), 0, Duration::ZERO);
    while runs < call.rounds.max(20) {
        until("a run", || world.runs().difference(&seen).next().is_some())?;
        waited += since.elapsed();
        runs += world.runs().difference(&seen).count();
        seen.extend(world.runs());
        limits.push(measured(&limit.observe)?);
        since = Instant::now();
    }
    let busy = (self::busy(agent.0.id())? - busy) / u32::try_from(runs)?;
    let last = seen.last().context("a run")?;
    let document = fs::read(world.folder.join("state/runs").join(last))?;
    let document: serde_json::Value = serde_json::from_slice(&document)?;
    ensure!(document["result"] == "converged", "{document}");
    let sample = Sample {
        // Most of the time between two runs it waits; a run itself says how long it took.
        time: Duration::from_millis(document["took_ms"].as_u64().context("took_ms")?),
        busy,
        peak_kib: memory(agent.0.id(), "VmHWM")?,
    };
    let daemon = Tool {
        name: "cfg agent".into(),
        rounds: call.rounds,
        observe: limit.observe.clone(),
        enact: None,
        first: None,
    };
    show("a periodic run", &[limit, &daemon], &[limits, vec![sample]]);
    let resident = memory(agent.0.id(), "VmRSS")? as f64 / 1024.0;
    println!("cfg agent between two runs, one of them a second: {resident:.1} MiB resident");
    Ok(())
}

/// A port that is free, and so is the one after it, where machines enrol.
fn free_port() -> Result<u16> {
    loop {
        let port = TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port();
        if port < u16::MAX && TcpListener::bind(("127.0.0.1", port + 1)).is_ok() {
            return Ok(port);
        }
    }
}

fn until(what: &str, mut is_so: impl FnMut() -> bool) -> Result<()> {
    let since = Instant::now();
    while !is_so() {
        ensure!(since.elapsed() < PATIENCE, "{what} did not come");
        std::thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}

/// Processor time of a process, with its threads that have ended.
fn busy(pid: u32) -> Result<Duration> {
    let stat = fs::read_to_string(Path::new("/proc").join(pid.to_string()).join("stat"))?;
    let (_, after) = stat.rsplit_once(')').context("no stat")?;
    let field = |at: usize| -> Result<u64> {
        let field = after.split_ascii_whitespace().nth(at);
        Ok(field.context("no such field")?.parse()?)
    };
    let ticks = field(11)? + field(12)?;
    let second = sysconf(SysconfVar::CLK_TCK)?.context("no ticks")?;
    Ok(Duration::from_secs(ticks) / u32::try_from(second)?)
}

/// A line of a process' memory, in KiB.
fn memory(pid: u32, line: &str) -> Result<u64> {
    let status = fs::read_to_string(Path::new("/proc").join(pid.to_string()).join("status"))?;
    let found = status.lines().find_map(|text| text.strip_prefix(line));
    let number = found.and_then(|rest| rest.split_ascii_whitespace().nth(1));
    Ok(number.with_context(|| format!("no {line}"))?.parse()?)
}
