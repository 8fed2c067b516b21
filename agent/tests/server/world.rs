//! A daemon as a process, on a scratch root, beside the scripted server.

use crate::enrolled;
use crate::peer::Peer;
use cfg_catalog::digest::Digest;
use cfg_catalog::fleet::Me;
use cfg_catalog::release::{Envelope, FORMAT, nodes};
use cfg_catalog::{Catalog, CatalogFiles};
use cfg_wire::{AssignmentReply, News};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::{Duration, Instant};
use tokio::process::{Child, Command};

/// How long something that should happen at once may take on a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// Role `web` with one file of this content, as release number `sequence`.
pub fn role(sequence: u64, content: &str) -> AssignmentReply {
    let text = format!("[file.\"/etc/motd\"]\ncontent = \"{content}\\n\"\n");
    role_of(sequence, text)
}

/// Role `web` with this text.
pub fn role_of(sequence: u64, text: String) -> AssignmentReply {
    let files = CatalogFiles::from_iter([("web/role.toml".to_string(), text.into_bytes())]);
    let (catalog, _) = Catalog::load(&files).unwrap();
    let release = catalog.release();
    let part = release.parts.into_values().next().unwrap();
    AssignmentReply {
        view: b"{\"number\": 1}".to_vec(),
        ..assignment(sequence, release.manifest, part)
    }
}

/// `vm-1`'s assignment of a role `web` without layers, as release number `sequence`.
pub fn assignment(sequence: u64, manifest: Vec<u8>, part: Vec<u8>) -> AssignmentReply {
    let envelope = Envelope {
        format: FORMAT,
        fleet: "fleet".into(),
        release: Digest::of(&manifest),
        sequence,
        previous: None,
    };
    let me = Me {
        name: "vm-1".into(),
        id: 1,
        admitted: true,
        joining: false,
    };
    AssignmentReply {
        envelope: serde_json::to_vec(&envelope).unwrap(),
        part,
        manifest,
        leaf: Vec::new(),
        proof: serde_json::to_vec(&nodes::prove(&BTreeMap::new(), "vm-1")).unwrap(),
        view: b"{}".to_vec(),
        me: serde_json::to_vec(&me).unwrap(),
        role: "web".into(),
    }
}

pub struct World {
    pub peer: Peer,
    pub folder: tempfile::TempDir,
}

impl World {
    /// An enrolled machine; `keys` go into its agent.toml.
    pub async fn new(keys: &str) -> Self {
        let peer = Peer::start().await;
        let folder = tempfile::tempdir().unwrap();
        enrolled(&peer, &folder.path().join("identity")).await;
        let path = folder.path().display();
        let splay = if keys.contains("splay") {
            ""
        } else {
            "splay = \"0s\"\n"
        };
        let config = format!("identity = \"{path}/identity\"\nstate = \"/state\"\n{splay}{keys}\n");
        std::fs::write(folder.path().join("agent.toml"), config).unwrap();
        std::fs::create_dir_all(folder.path().join("root/etc")).unwrap();
        Self { peer, folder }
    }

    pub fn offer(&self, sequence: u64, content: &str) {
        *self.peer.script.assignment.lock().unwrap() = Ok(role(sequence, content));
        self.peer.script.news.send_replace(News {
            sequence,
            view: 1,
            probe: 0,
        });
    }

    pub fn cfg(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_cfg"));
        command
            .args(arguments)
            .arg("--root")
            .arg(self.folder.path().join("root"))
            .env("CFG_CONFIG", self.folder.path().join("agent.toml"))
            .env_remove("NOTIFY_SOCKET")
            .stdin(Stdio::null())
            .kill_on_drop(true);
        command
    }

    pub fn agent(&self) -> Child {
        self.cfg(&["agent"]).spawn().unwrap()
    }

    pub fn motd(&self) -> PathBuf {
        self.folder.path().join("root/etc/motd")
    }

    pub async fn wait_for_motd(&self, content: &str) {
        let path = self.motd();
        until(content, || {
            std::fs::read_to_string(&path).is_ok_and(|text| text.trim() == content)
        })
        .await;
    }

    /// The results that were reported, each with whether it was a dry run.
    pub fn reported(&self) -> Vec<(String, bool)> {
        let reports = self.peer.script.reports.lock().unwrap();
        reports
            .iter()
            .map(|report| serde_json::from_slice::<Value>(report).unwrap())
            .map(|report| {
                let result = report["result"].as_str().unwrap().to_string();
                (result, report["dry_run"] == true)
            })
            .collect()
    }

    pub async fn status(&self) -> Value {
        let output = self.cfg(&["status", "--json"]).output().await.unwrap();
        let status: Value = serde_json::from_slice(&output.stdout).unwrap();
        for time in ["/reached", "/contact/at", "/changed", "/certificate_until"] {
            let time = status.pointer(time).and_then(Value::as_str);
            let whole = |time: &str| time.len() == "2026-01-01T00:00:00Z".len();
            assert!(time.is_none_or(whole), "whole seconds: {status}");
        }
        status
    }
}

pub async fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < PATIENCE, "waited in vain: {what}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

impl World {
    /// Waits until `cfg status` tells this of the server.
    pub async fn wait_for_contact(&self, standing: &str, why: &str) {
        let begun = Instant::now();
        loop {
            let status = self.status().await;
            let contact = &status["contact"];
            let said = contact["why"].as_str().unwrap_or_default();
            if contact["standing"] == standing && said.contains(why) {
                return;
            }
            assert!(begun.elapsed() < PATIENCE, "not {standing}: {contact}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// The line breaks, and is answered so from now on.
    pub fn refuse(&self, status: Option<tonic::Status>) {
        *self.peer.script.refuses_watch.lock().unwrap() = status;
        self.peer.script.news.send_modify(|_| ());
    }
}

pub async fn stop(mut agent: Child) {
    let pid = nix::unistd::Pid::from_raw(agent.id().unwrap().cast_signed());
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGTERM).unwrap();
    let ended = tokio::time::timeout(PATIENCE, agent.wait()).await;
    assert!(ended.expect("it does not end").unwrap().success());
}
