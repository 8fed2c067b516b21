//! The program with a configuration of its own, as an operator runs it.

use std::io::{BufRead, BufReader};
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use tempfile::TempDir;

/// A folder with a server.toml for free ports, and an agent's program.
pub struct Home {
    folder: TempDir,
    pub port: u16,
    pub enrol_port: u16,
    variables: Vec<(String, String)>,
}

impl Home {
    /// With the store that is there without a word of it.
    pub fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let [port, enrol_port] = [free_port(), free_port()];
        let at = |name: &str| folder.path().join(name).display().to_string();
        let toml = format!(
            "data = {:?}\nlisten = \"127.0.0.1:{port}\"\nenrol_listen = \"127.0.0.1:{enrol_port}\"\n\
             names = [\"127.0.0.1\"]\nagent_binary = {:?}\n",
            at("data"),
            at("cfg")
        );
        std::fs::write(at("server.toml"), toml).expect("written");
        std::fs::write(at("cfg"), b"#!/bin/sh\necho agent \"$@\"\n".repeat(10_000))
            .expect("written");
        Self {
            folder,
            port,
            enrol_port,
            variables: Vec::new(),
        }
    }

    /// With these lines at the end of its server.toml.
    pub fn with(self, lines: &str) -> Self {
        let path = self.path().join("server.toml");
        let toml = std::fs::read_to_string(&path).expect("it is there");
        std::fs::write(&path, toml + lines).expect("written");
        self
    }

    /// With this in the environment of every call from now on.
    pub fn set(&mut self, name: &str, value: &str) {
        self.variables.push((name.to_owned(), value.to_owned()));
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    pub fn call(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().expect("it runs")
    }

    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_cfg-server"));
        command.args(self.words(arguments)).envs(self.variables());
        command
    }

    /// The words after the program's name.
    pub fn words(&self, arguments: &[&str]) -> Vec<String> {
        let config = self.path().join("server.toml").display().to_string();
        let words = ["--config", &config].into_iter();
        words
            .chain(arguments.iter().copied())
            .map(str::to_owned)
            .collect()
    }

    /// Runs the server until the child is dropped.
    pub fn serve(&self) -> Serving {
        Serving::start(&mut self.command(&["run"]))
    }

    /// For machines and operators.
    pub fn address(&self) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], self.port))
    }

    /// For enrolment.
    pub fn enrol_address(&self) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], self.enrol_port))
    }

    /// The fleet's CA, PEM.
    pub fn ca(&self) -> String {
        std::fs::read_to_string(self.path().join("data/pki/ca.pem")).expect("the CA")
    }

    fn variables(&self) -> impl Iterator<Item = (&str, &str)> {
        let pairs = self.variables.iter();
        pairs.map(|(name, value)| (name.as_str(), value.as_str()))
    }
}

/// A server that runs.
pub struct Serving {
    child: Child,
    log: Arc<Mutex<String>>,
}

impl Serving {
    /// Runs it, and waits until it serves.
    pub fn start(command: &mut Command) -> Self {
        let mut child = command.stderr(Stdio::piped()).spawn().expect("it runs");
        let mut lines = BufReader::new(child.stderr.take().expect("piped")).lines();
        let log = Arc::new(Mutex::new(String::new()));
        let mut kept = String::new();
        for line in &mut lines {
            let line = line.expect("it logs");
            kept += &format!("{line}\n");
            if line.contains("machines and operators at") {
                let into = Arc::clone(&log);
                into.lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .push_str(&kept);
                // Somebody must read on, or its log would block.
                std::thread::spawn(move || {
                    for line in lines.map_while(Result::ok) {
                        let mut log = into.lock().unwrap_or_else(PoisonError::into_inner);
                        log.push_str(&format!("{line}\n"));
                    }
                });
                return Self { child, log };
            }
        }
        panic!("it does not serve: {:?}\n{kept}", child.wait());
    }

    /// What it has logged.
    pub fn log(&self) -> String {
        self.log
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        self.child.kill().expect("it runs");
        self.child.wait().expect("it ended");
    }
}

/// A port at which nobody listens, and that is given to nobody else before somebody does: not to another test, nor to a connection
/// on its way out, as one that the kernel chooses (above 32,767, `ip_local_port_range` in ip(7)) may be.
pub fn free_port() -> u16 {
    const PORTS: std::ops::Range<u16> = 16_384..32_768;
    static NEXT: AtomicU16 = AtomicU16::new(0);
    // Two runs of these tests at a time begin at different ones.
    let first = std::process::id() % u32::from(PORTS.end - PORTS.start);
    let first = u16::try_from(first).expect("below the number of ports");
    loop {
        let next =
            first.wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed)) % (PORTS.end - PORTS.start);
        let port = PORTS.start + next;
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

#[test]
fn a_free_port_is_given_once_and_to_no_connection() {
    let taken = TcpListener::bind(("127.0.0.1", free_port())).expect("it is free");
    let taken = taken.local_addr().expect("its address").port();
    let given: std::collections::BTreeSet<u16> = (0..100).map(|_| free_port()).collect();
    assert_eq!(given.len(), 100);
    assert!(!given.contains(&taken));
    let range = std::fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").expect("Linux");
    let lowest: u16 = range
        .split_whitespace()
        .next()
        .and_then(|lowest| lowest.parse().ok())
        .expect("a port");
    assert!(given.iter().all(|port| *port < lowest), "{range} {given:?}");
}

pub fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
