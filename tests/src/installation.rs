//! A server, an operator's desk, and the machines that they have: cfg as its users run it.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::Value;

use crate::command::{output, signal};
use crate::{Host, Output, Run, Sandbox, agent_binary, eventually, server_binary};

/// A server on the sandbox's own address, with an operator enrolled.
#[derive(Debug)]
pub struct Installation {
    dir: PathBuf,
    ca: String,
    server: Mutex<Option<Child>>,
}

impl Installation {
    /// Where agents find the server.
    pub const URL: &str = "https://10.77.0.1:7443";

    /// Makes a server with a local store, starts it, and enrols the desk.
    pub fn start(sandbox: &Sandbox) -> Result<Installation> {
        let dir = sandbox.dir().join("installation");
        fs::create_dir_all(&dir).context("installation")?;
        let config = format!(
            "data = \"{dir}/server\"\nnames = [\"{address}\"]\nurl = \"{url}\"\nagent_binary = \"{agent}\"\n",
            dir = dir.display(),
            address = Sandbox::ADDRESS,
            url = Self::URL,
            agent = agent_binary()?.display(),
        );
        fs::write(dir.join("server.toml"), config).context("server.toml")?;
        let mut installation = Installation {
            dir,
            ca: String::new(),
            server: Mutex::new(None),
        };
        let init = installation.server(&["init", "--fleet", "tests"])?;
        let word = |key: &str| {
            let line = init.lines().find_map(|line| line.strip_prefix(key));
            line.map(|rest| rest.trim().to_owned())
                .with_context(|| format!("no {key} in: {init}"))
        };
        installation.ca = word("ca-sha256:")?;
        let token = word("operator-token:")?;
        installation.start_server()?;
        installation
            .desk(&[
                "operator",
                "init",
                "--name",
                "ops",
                "--server",
                Self::URL,
                "--token",
                &token,
                "--ca-sha256",
                &installation.ca,
            ])?
            .success()?;
        Ok(installation)
    }

    /// The SHA-256 of the CA's certificate.
    pub fn ca(&self) -> &str {
        &self.ca
    }

    /// Starts the server, and waits until it answers.
    pub fn start_server(&self) -> Result<()> {
        let log = File::options()
            .create(true)
            .append(true)
            .open(self.log_path())
            .context("server.log")?;
        let child = Command::new(server_binary()?)
            .args(["run", "--config"])
            .arg(self.dir.join("server.toml"))
            .stdin(Stdio::null())
            .stdout(log.try_clone().context("server.log")?)
            .stderr(log)
            .spawn()
            .context("cannot start cfg-server")?;
        *self.lock() = Some(child);
        eventually("the server listens", Duration::from_secs(20), || {
            std::net::TcpStream::connect((Sandbox::ADDRESS, 7443)).with_context(|| self.log())?;
            Ok(())
        })
    }

    /// Stops it in order.
    pub fn stop_server(&self) -> Result<()> {
        let mut child = self.lock().take().context("the server is not on")?;
        signal("TERM", i64::from(child.id()))?;
        child.wait().context("wait for cfg-server")?;
        Ok(())
    }

    /// Runs `cfg-server` with these words, which must succeed, and gives what it printed.
    pub fn server(&self, words: &[&str]) -> Result<String> {
        output(
            Command::new(server_binary()?)
                .args(words)
                .arg("--config")
                .arg(self.dir.join("server.toml")),
        )?
        .success()
    }

    /// Runs `cfg` at the operator's desk.
    pub fn desk(&self, words: &[&str]) -> Result<Output> {
        output(
            Command::new(agent_binary()?)
                .args(words)
                .env("HOME", &self.dir)
                .env("XDG_CONFIG_HOME", self.dir.join("desk")),
        )
    }

    /// Publishes this catalog.
    pub fn publish(&self, catalog: &Path) -> Result<()> {
        let catalog = catalog.display().to_string();
        self.desk(&["publish", &catalog])?.success().map(drop)
    }

    /// A token for one machine of this role.
    pub fn token(&self, role: &str) -> Result<String> {
        let printed = self
            .desk(&[
                "token", "create", "--role", role, "--uses", "1", "--ttl", "1h",
            ])?
            .success()?;
        let token = printed
            .split_whitespace()
            .find(|word| word.starts_with("cfg-"));
        Ok(token.with_context(|| printed.clone())?.to_owned())
    }

    /// The documents that the server keeps of a node's runs, as text.
    pub fn reports(&self, node: &str) -> Result<String> {
        let folder = self.dir.join("server/store/runs").join(node);
        output(Command::new("grep").args(["-rh", ""]).arg(folder))?.success()
    }

    /// The document of a node's last run.
    pub fn last_report(&self, node: &str) -> Result<String> {
        let path = self.dir.join("server/store/last").join(node);
        let text = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
        // The first line is the time at which it came.
        let (_, document) = text.split_once('\n').context("no document")?;
        Ok(document.to_owned())
    }

    /// What happened, as the server keeps it for good: each record as JSON, in order.
    pub fn records(&self) -> Result<Vec<Value>> {
        let folder = self.dir.join("server/store/log");
        let entries = fs::read_dir(&folder).with_context(|| folder.display().to_string())?;
        let mut paths: Vec<PathBuf> = entries
            .map(|entry| Ok(entry?.path()))
            .collect::<Result<_>>()?;
        paths.sort();
        let mut records = Vec::new();
        for path in paths {
            let text = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
            // The first line is the digest of the rest.
            let (_, entry) = text.split_once('\n').with_context(|| text.clone())?;
            let entry: Value = serde_json::from_str(entry).with_context(|| text.clone())?;
            records.extend(entry["records"].as_array().cloned().unwrap_or_default());
        }
        Ok(records)
    }

    /// Each file that the server keeps, with its digest.
    pub fn kept(&self) -> Result<String> {
        let find = "find . -type f -exec sha256sum {} + | sort -k 2";
        let mut command = Command::new("sh");
        command
            .args(["-c", find])
            .current_dir(self.dir.join("server/store"));
        output(&mut command)?.success()
    }

    /// Enrols a host that has the program already, without starting its agent.
    pub fn enroll(&self, host: &Host, role: &str) -> Result<()> {
        self.enroll_with(host, role, &[])
    }

    /// The same with these words more: `--start`.
    pub fn enroll_with(&self, host: &Host, role: &str, more: &[&str]) -> Result<()> {
        host.copy_in(&agent_binary()?, crate::CFG)?;
        let token = self.token(role)?;
        let words = [
            crate::CFG,
            "enroll",
            "--server",
            Self::URL,
            "--token",
            &token,
            "--ca-sha256",
            &self.ca,
        ];
        host.run(words.iter().chain(more)).map(drop)
    }

    /// What the server has logged.
    pub fn log(&self) -> String {
        fs::read_to_string(self.log_path()).unwrap_or_default()
    }

    fn log_path(&self) -> PathBuf {
        self.dir.join("server.log")
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Child>> {
        self.server
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

impl Drop for Installation {
    fn drop(&mut self) {
        if let Some(mut child) = self.lock().take() {
            // It is a child of this test and goes with its sandbox in any case.
            child.kill().ok();
            child.wait().ok();
        }
    }
}

/// A copy of the shipped roles, for a test to change.
#[derive(Debug)]
pub struct Catalog {
    dir: PathBuf,
}

impl Catalog {
    /// Copies the shipped roles into the sandbox, with its package repository in their `fleet.toml`.
    pub fn shipped(sandbox: &Sandbox) -> Result<Catalog> {
        let dir = sandbox.dir().join("roles");
        let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("../roles");
        output(Command::new("cp").arg("-r").arg(&shipped).arg(&dir))?.success()?;
        let catalog = Catalog { dir };
        let fingerprint = sandbox.repository_fingerprint()?;
        let key = fs::read(sandbox.repository_key()?).context("key")?;
        for role in ["base", "mesos"] {
            catalog.write(&format!("{role}/keys/{fingerprint}.asc"), &key)?;
        }
        catalog.write(
            "fleet.toml",
            format!(
                "[params]\napt_uri = \"{debian}\"\napt_suite = \"bookworm\"\napt_key = \"{fingerprint}\"\n\
                 mesos_repository = \"{mesos}\"\nmesos_key = \"{fingerprint}\"\n",
                debian = Sandbox::REPOSITORY,
                mesos = Sandbox::MESOS_REPOSITORY,
            ),
        )?;
        Ok(catalog)
    }

    /// Where it is.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// A file's content.
    pub fn read(&self, path: &str) -> Result<String> {
        fs::read_to_string(self.dir.join(path)).with_context(|| path.to_owned())
    }

    /// Writes a file.
    pub fn write(&self, path: &str, content: impl AsRef<[u8]>) -> Result<()> {
        let path = self.dir.join(path);
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
        }
        fs::write(&path, content).with_context(|| path.display().to_string())
    }
}

/// The last run that `cfg status --json` of a host tells.
pub fn status(host: &Host) -> Result<Value> {
    let said = host.exec([crate::CFG, "status", "--json"])?;
    serde_json::from_str(&said.stdout).with_context(|| said.to_string())
}

/// A dry run on an enrolled host.
pub fn dry_run(host: &Host) -> Result<Run> {
    Run::of(&host.exec([crate::CFG, "apply", "--dry-run", "--json"])?)
}
