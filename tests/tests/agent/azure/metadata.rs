//! A stand-in of Azure's instance metadata, at the address that it has there.

use std::io::{Read as _, Write as _};
use std::net::{IpAddr, TcpListener, TcpStream};
use std::process::Command;
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result};
use cfg_tests::{Host, output};

const ADDRESS: &str = "169.254.169.254";

/// As Azure says it, in short.
pub const INSTANCE: &str = r#"{
"compute": {"location": "westeurope", "name": "vm-1", "zone": "2", "plan": {"name": "", "product": ""}, "tagsList": [],
  "userData": "Y2ZnLXNlY3JldA==", "virtualMachineScaleSet": null, "vmSize": "Standard_D2s_v5"},
"network": {"interface": [{"ipv4": {"ipAddress": [{"privateIpAddress": "10.1.0.4", "publicIpAddress": ""}],
  "subnet": [{"address": "10.1.0.0", "prefix": "24"}]}, "macAddress": "0022480A1B2C"}]}
}"#;

/// What it answers.
#[derive(Clone, Debug)]
pub enum Says {
    This(Vec<u8>),
    /// More and more of it.
    Endless,
    /// A letter now and then.
    Slowly,
    Nothing,
}

impl Says {
    /// This status, with headers after it or none, and this document.
    pub fn this(status: &str, document: &str) -> Says {
        let head = "Content-Type: application/json; charset=utf-8\r\nServer: IMDS/150.870.65.1324";
        Says::This(format!("HTTP/1.0 {status}\r\n{head}\r\n\r\n{document}").into_bytes())
    }
}

/// It answers for as long as the sandbox is there.
#[derive(Debug)]
pub struct Metadata {
    shared: Arc<Mutex<Shared>>,
}

#[derive(Debug)]
struct Shared {
    says: Says,
    /// Who connected, and what he said.
    asked: Vec<(IpAddr, String)>,
}

impl Metadata {
    pub fn start() -> Result<Metadata> {
        address("add")?;
        let listener = TcpListener::bind((ADDRESS, 80)).context("the metadata service")?;
        let shared = Arc::new(Mutex::new(Shared {
            says: Says::Nothing,
            asked: Vec::new(),
        }));
        let metadata = Metadata {
            shared: shared.clone(),
        };
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let shared = shared.clone();
                // A client that breaks off is its own affair.
                thread::spawn(move || answer(stream, &shared));
            }
        });
        Ok(metadata)
    }

    /// What it answers from now on.
    pub fn says(&self, says: Says) {
        lock(&self.shared).says = says;
    }

    /// Whether that host has connected so far.
    pub fn was_asked_by(&self, host: &Host) -> bool {
        let shared = lock(&self.shared);
        let asked = |(who, _): &(IpAddr, String)| who.to_string() == host.address();
        shared.asked.iter().any(asked)
    }

    /// What was said to it last.
    pub fn last_request(&self) -> String {
        let shared = lock(&self.shared);
        shared
            .asked
            .last()
            .map(|(_, said)| said.clone())
            .unwrap_or_default()
    }

    /// Nobody has its address any more.
    pub fn is_gone(&self) -> Result<()> {
        address("del")
    }

    /// It has it again.
    pub fn is_there(&self) -> Result<()> {
        address("add")
    }
}

fn address(verb: &str) -> Result<()> {
    let address = format!("{ADDRESS}/32");
    output(Command::new("ip").args(["address", verb, &address, "dev", "br0"]))?
        .success()
        .map(drop)
}

fn lock(shared: &Mutex<Shared>) -> MutexGuard<'_, Shared> {
    shared
        .lock()
        .unwrap_or_else(|poisoned| poisoned.into_inner())
}

fn answer(mut stream: TcpStream, shared: &Mutex<Shared>) -> std::io::Result<()> {
    let who = stream.peer_addr()?.ip();
    let at = {
        let mut shared = lock(shared);
        shared.asked.push((who, String::new()));
        shared.asked.len() - 1
    };
    let mut asked = Vec::new();
    let mut buffer = [0; 1024];
    while !asked.ends_with(b"\r\n\r\n") {
        match stream.read(&mut buffer)? {
            0 => return Ok(()),
            read => asked.extend_from_slice(&buffer[..read]),
        }
    }
    let says = {
        let mut shared = lock(shared);
        shared.asked[at].1 = String::from_utf8_lossy(&asked).into_owned();
        shared.says.clone()
    };
    let (piece, pause): (&[u8], _) = match &says {
        Says::This(answer) => return stream.write_all(answer),
        Says::Endless => (&[b' '; 64 * 1024], Duration::ZERO),
        Says::Slowly => (b"x", Duration::from_millis(100)),
        Says::Nothing => (b"", Duration::from_secs(1)),
    };
    loop {
        stream.write_all(piece)?;
        thread::sleep(pause);
    }
}
