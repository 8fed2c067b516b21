//! The documents of the last runs, a file each.

use super::StateDir;
use crate::durable;
use anyhow::Context as _;
use cfg_catalog::plan::document::Document;
use std::path::PathBuf;
use std::time::SystemTime;

/// How many runs are remembered.
const RUNS: usize = 100;

impl StateDir {
    /// Where they are.
    pub(super) fn runs(&self) -> PathBuf {
        self.path().join("runs")
    }

    /// Keeps the document of a run, and forgets the oldest.
    ///
    /// # Errors
    /// Where it cannot be written.
    pub fn keep_run(&self, run: &str, document: &Document) -> anyhow::Result<()> {
        let path = self.runs().join(format!("{run}.json"));
        let text = serde_json::to_vec(document).context("a run does not go into JSON")?;
        durable::replace(&path, &text)
            .with_context(|| format!("cannot write {}", path.display()))?;
        let mut names = self.run_names()?;
        let surplus = names.len().saturating_sub(RUNS);
        for name in names.drain(..surplus) {
            let path = self.runs().join(format!("{name}.json"));
            std::fs::remove_file(&path)
                .with_context(|| format!("cannot remove {}", path.display()))?;
        }
        Ok(())
    }

    /// The names of the runs that are remembered, the oldest first.
    ///
    /// # Errors
    /// Where they cannot be listed.
    pub fn run_names(&self) -> anyhow::Result<Vec<String>> {
        let listing = match std::fs::read_dir(self.runs()) {
            Ok(listing) => listing,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(error).context("cannot list the runs"),
        };
        let mut names: Vec<String> = listing
            .flatten()
            .filter_map(|entry| {
                let name = entry.file_name();
                Some(name.to_str()?.strip_suffix(".json")?.to_owned())
            })
            .collect();
        names.sort();
        // A name begins with the second in which its run began, and goes on at random.
        let second = |name: &str| name.split('-').next().map(str::to_owned);
        let of_one = names.chunk_by_mut(|one, next| second(one) == second(next));
        for several in of_one.filter(|names| names.len() > 1) {
            several.sort_by_cached_key(|name| self.kept_at(name));
        }
        Ok(names)
    }

    /// When a run's document was kept.
    fn kept_at(&self, run: &str) -> Option<SystemTime> {
        let about = std::fs::metadata(self.runs().join(format!("{run}.json")));
        about.and_then(|about| about.modified()).ok()
    }

    /// The document of a run.
    ///
    /// # Errors
    /// Where it is not there or cannot be read.
    pub fn run(&self, name: &str) -> anyhow::Result<Document> {
        let path = self.runs().join(format!("{name}.json"));
        let text =
            std::fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
        serde_json::from_slice(&text).with_context(|| format!("{} is damaged", path.display()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use cfg_catalog::plan::document::{DryRun, Head};
    use std::time::Duration;

    #[test]
    fn the_last_hundred_runs_are_kept() {
        let folder = tempfile::tempdir().unwrap();
        let state = StateDir::new(folder.path());
        state.make().unwrap();
        let document = Document::of_error(Head::default(), DryRun::No, "x");
        for run in 0..105 {
            state.keep_run(&format!("{run:03}"), &document).unwrap();
        }
        let names = state.run_names().unwrap();
        assert_eq!(names.len(), 100);
        assert_eq!(names[0], "005");
        assert_eq!(state.run("104").unwrap(), document);
        assert!(state.run("004").is_err());
    }

    #[test]
    fn runs_of_one_second_come_as_they_ended() {
        let folder = tempfile::tempdir().unwrap();
        let state = StateDir::new(folder.path());
        state.make().unwrap();
        let document = Document::of_error(Head::default(), DryRun::No, "x");
        let names = ["01Z-c", "01Z-a", "01Z-b", "00Z-z"];
        for (run, at) in names.iter().zip(1..) {
            state.keep_run(run, &document).unwrap();
            let path = state.runs().join(format!("{run}.json"));
            let file = std::fs::File::options().write(true).open(path).unwrap();
            file.set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(at))
                .unwrap();
        }
        assert_eq!(
            state.run_names().unwrap(),
            ["00Z-z", "01Z-c", "01Z-a", "01Z-b"]
        );
    }
}
