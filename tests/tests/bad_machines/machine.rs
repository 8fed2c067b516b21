//! A host, a role, and what a run says of what failed.

use anyhow::{Context as _, Result, ensure};
use cfg_tests::{Host, Local, Run, Sandbox};
use serde_json::Value;

/// A host that is on, with packages from a folder and cfg.
pub fn boot(sandbox: &Sandbox) -> Result<Host> {
    let host = sandbox.host("vm-1", "10.77.0.11")?;
    host.use_local_repository()?;
    host.boot()?;
    Local::on(&host)?;
    sandbox.step("booted");
    Ok(host)
}

/// A run of which one part fails.
pub struct Failed {
    pub run: Run,
    /// What it says to a person.
    pub told: String,
}

impl Failed {
    /// A run of this role, which must end with exit code 1 and name just these resources as failed.
    pub fn of(local: &Local<'_>, host: &Host, role: &str, failed: &[&str]) -> Result<Failed> {
        let it = Failed::any(local, host, role)?;
        let run = &it.run;
        let names: Vec<&str> = failures(run)
            .filter_map(|failure| failure["resource"].as_str())
            .collect();
        ensure!(
            names == failed,
            "wanted {failed:?} to fail, not {names:?}: {:#}",
            run.document
        );
        Ok(it)
    }

    /// A run of this role of which something fails.
    pub fn any(local: &Local<'_>, host: &Host, role: &str) -> Result<Failed> {
        let run = local.apply(role)?.expect(1)?;
        ensure!(run.document["unforeseen"].is_null(), "{:#}", run.document);
        // The same run once more, for a person; it meets the same.
        let told = host.exec(local.words(role, &[]))?;
        ensure!(told.status == 1, "{told}");
        Ok(Failed {
            run,
            told: told.stdout,
        })
    }

    /// The same, where the dry run before it foretells just this.
    pub fn foretold(local: &Local<'_>, host: &Host, role: &str) -> Result<Failed> {
        let dry = local.dry_run(role)?.expect(1)?.document;
        let it = Failed::any(local, host, role)?;
        for key in ["changes", "failures", "counts"] {
            let (told, met) = (&dry[key], &it.run.document[key]);
            ensure!(told == met, "{key}: foretold {told:#}, not {met:#}");
        }
        Ok(it)
    }

    /// What is said of a resource has all of these words, and so has what a person is told.
    pub fn says(&self, resource: &str, words: &[&str]) -> Result<&Self> {
        let failure = failures(&self.run).find(|failure| failure["resource"] == resource);
        let message = failure
            .and_then(|failure| failure["message"].as_str())
            .context("no such failure")?;
        for word in words {
            ensure!(
                message.contains(word),
                "{resource} does not say {word:?}: {message}"
            );
        }
        Ok(self)
    }

    /// A person is told to do this.
    pub fn advises(&self, words: &str) -> Result<&Self> {
        ensure!(
            self.told.contains("to do: ") && self.told.contains(words),
            "no {words:?} in: {}",
            self.told
        );
        Ok(self)
    }

    /// These changes and no others were made.
    pub fn made(&self, changes: &[&str]) -> Result<&Self> {
        let made = self.run.changes();
        ensure!(
            made == changes,
            "wanted {changes:?}, not {made:?}: {:#}",
            self.run.document
        );
        Ok(self)
    }

    /// These were skipped because of that failure.
    pub fn skipped(&self, resource: &str, skipped: &[&str]) -> Result<&Self> {
        let failure = failures(&self.run).find(|failure| failure["resource"] == resource);
        let names: Vec<&str> = failure
            .and_then(|failure| failure["skipped"].as_array())
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .collect();
        ensure!(names == skipped, "{names:?}");
        Ok(self)
    }
}

fn failures(run: &Run) -> impl Iterator<Item = &Value> {
    run.document["failures"].as_array().into_iter().flatten()
}

/// Nothing of cfg's own lies below this folder.
pub fn is_tidy(host: &Host, folder: &str) -> Result<()> {
    let left = host.sh(&format!("find {folder} -name '.cfg-tmp-*'"))?;
    ensure!(left.is_empty(), "left: {left}");
    Ok(())
}
