//! `cfg apply --catalog` on one host: a catalog that a test writes, and what a run did.

use std::path::Path;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::{Host, Output, agent_binary};

/// Where a host's agent lies.
pub const CFG: &str = "/usr/bin/cfg";
const CATALOG: &str = "/root/roles";

/// A host that has the agent's program and a catalog of its own, and no server.
#[derive(Debug)]
pub struct Local<'a> {
    host: &'a Host,
}

/// The JSON document of a run or a dry run, with its exit code.
#[derive(Debug, Clone)]
pub struct Run {
    /// cfg's exit code.
    pub status: i32,
    /// What it printed with `--json`.
    pub document: Value,
}

impl Run {
    /// Reads what a command with `--json` left.
    pub fn of(output: &Output) -> Result<Run> {
        let document = serde_json::from_str(&output.stdout).with_context(|| output.to_string())?;
        Ok(Run {
            status: output.status,
            document,
        })
    }

    /// Each change as `resource action`, in order.
    pub fn changes(&self) -> Vec<String> {
        let changes = self.document["changes"].as_array();
        changes
            .into_iter()
            .flatten()
            .map(|change| {
                let word = |key: &str| change[key].as_str().unwrap_or("?").to_owned();
                format!("{} {}", word("resource"), word("action"))
            })
            .collect()
    }

    /// This run, or an error that shows all of it if it did not end with this code.
    pub fn expect(self, status: i32) -> Result<Run> {
        ensure!(
            self.status == status,
            "wanted exit code {status}, got {}: {:#}",
            self.status,
            self.document
        );
        Ok(self)
    }
}

impl<'a> Local<'a> {
    /// Puts the agent's program on a host that is on.
    pub fn on(host: &'a Host) -> Result<Local<'a>> {
        host.copy_in(&agent_binary()?, CFG)?;
        Ok(Local { host })
    }

    /// Makes this file of the catalog: `probe/role.toml`.
    pub fn write(&self, path: &str, content: impl AsRef<[u8]>) -> Result<()> {
        let path = Path::new(CATALOG).join(path);
        self.host.write_file(&path.display().to_string(), content)
    }

    /// The words of `cfg apply` for this role, with these added.
    pub fn words<'w>(&self, role: &'w str, more: &[&'w str]) -> Vec<&'w str> {
        let mut words = vec![CFG, "apply", "--catalog", CATALOG, "--role", role];
        words.extend(more);
        words
    }

    /// A dry run.
    pub fn dry_run(&self, role: &str) -> Result<Run> {
        Run::of(&self.host.exec(self.words(role, &["--dry-run", "--json"]))?)
    }

    /// A run.
    pub fn apply(&self, role: &str) -> Result<Run> {
        Run::of(&self.host.exec(self.words(role, &["--json"]))?)
    }

    /// A dry run, the run that it foretold, and a dry run that finds nothing: gives the changes.
    pub fn converge(&self, role: &str) -> Result<Vec<String>> {
        let foretold = self.dry_run(role)?.expect(2)?;
        let run = self.apply(role)?.expect(0)?;
        ensure!(
            run.document["unforeseen"]
                .as_array()
                .is_none_or(Vec::is_empty),
            "an effect that was not in the plan: {:#}",
            run.document
        );
        ensure!(
            foretold.changes() == run.changes(),
            "the dry run said {:#?}\nthe run did {:#?}",
            foretold.changes(),
            run.changes()
        );
        let again = self.dry_run(role)?.expect(0)?;
        ensure!(
            again.changes().is_empty(),
            "a second run would change {:#?}",
            again.changes()
        );
        Ok(run.changes())
    }
}
