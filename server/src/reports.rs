//! What machines reported. It lies beside the log: none of it decides anything.

use crate::refusal::Refusal;
use crate::state::State;
use crate::store::{Store, StoreError};
use bytes::Bytes;
use cfg_catalog::digest::Digest;
use cfg_catalog::fleet::is_plain;
use cfg_catalog::plan::show::escape;
use futures::{StreamExt, TryStreamExt};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::fmt;
use std::num::ParseIntError;
use std::str::FromStr;
use tokio::sync::Mutex;

/// The largest report; a run's diffs are cut before that.
const LARGEST: usize = 4 * 1024 * 1024;
/// Runs that changed something, kept a machine.
const KEPT: usize = 50;
/// Characters of a line that a machine says.
const LINE: usize = 200;
/// Reads from the store at a time.
const AT_ONCE: usize = 32;

/// The last report of a machine, in short.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary {
    /// When it came, milliseconds since 1970.
    pub received_ms: u64,
    /// Of which enrolment of the name it is.
    pub generation: u32,
    /// The run's result word.
    pub result: String,
    /// The release it ran, hexadecimal; empty for none.
    pub release: String,
    /// Why it failed, why it does not take its server's word, or what it waits for, in a line; empty for nothing.
    pub why: String,
    /// Why it took no slot, where a person said so.
    pub without_slot: Option<String>,
}

/// What is read of a document.
#[derive(Deserialize)]
struct Head {
    result: String,
    #[serde(default)]
    release: Option<String>,
    #[serde(default)]
    without_slot: Option<String>,
    #[serde(default)]
    rejected: Option<String>,
    #[serde(default)]
    failures: Vec<Failure>,
    #[serde(default)]
    held: Vec<Held>,
}

#[derive(Deserialize)]
struct Failure {
    message: String,
}

#[derive(Deserialize)]
struct Held {
    detail: String,
}

/// All reports of a store.
#[derive(Debug)]
pub struct Reports {
    store: Store,
    /// By machine, with the version of what was read.
    known: Mutex<BTreeMap<String, (String, Summary)>>,
}

impl Reports {
    /// Of this store.
    pub fn new(store: Store) -> Self {
        Self {
            store,
            known: Mutex::default(),
        }
    }

    /// Keeps a report: as the machine's last, and, if the run did or found anything, among its runs. What it says in short.
    ///
    /// # Errors
    /// Where it is no report, or the store does not answer.
    pub async fn add(
        &self,
        (node, generation): (&str, u32),
        document: Vec<u8>,
        now_ms: u64,
    ) -> Result<Summary, Refusal> {
        if document.len() > LARGEST {
            return Err(Refusal::Invalid("a report may have 4 MiB".into()));
        }
        let received = Received {
            at_ms: now_ms,
            generation,
        };
        let summary = summary(&document, received).map_err(Refusal::Invalid)?;
        let mut bytes = received.to_string().into_bytes();
        bytes.extend_from_slice(&document);
        let bytes = Bytes::from(bytes);
        if summary.result != "converged" {
            // A spool empties faster than one a millisecond.
            let digest = Digest::of(&document).to_string();
            let path = format!("{}/{now_ms:020}-{}", runs(node), &digest[..8]);
            self.store.write(&path, bytes.clone()).await?;
            self.forget_old(node).await?;
        }
        self.store.write(&last(node), bytes).await?;
        Ok(summary)
    }

    /// The last report of every machine of this state; one that another machine of its name has handed in before is none of its.
    ///
    /// # Errors
    /// Where the store does not answer.
    pub async fn all(&self, state: &State) -> Result<BTreeMap<String, Summary>, Refusal> {
        // Other servers write reports too: what changed since the last look is read.
        let listed: Vec<(String, String)> = self
            .store
            .list("last")
            .map_ok(|found| (found.path, found.version))
            .try_collect()
            .await?;
        let mut known = self.known.lock().await;
        let mut fresh = BTreeMap::new();
        let mut changed = Vec::new();
        for (path, version) in listed {
            let Some(node) = path.rsplit('/').next().map(str::to_owned) else {
                continue;
            };
            match known.remove(&node) {
                Some(entry) if entry.0 == version => {
                    fresh.insert(node, entry);
                }
                _ => changed.push((node, version)),
            }
        }
        let read = changed.into_iter().map(|(node, version)| async {
            let summary = self.read(&node).await?;
            Ok::<_, StoreError>((node, version, summary))
        });
        let read: Vec<_> = futures::stream::iter(read)
            .buffer_unordered(AT_ONCE)
            .try_collect()
            .await?;
        for (node, version, summary) in read {
            if let Some(summary) = summary {
                fresh.insert(node, (version, summary));
            }
        }
        *known = fresh;
        let short = known.iter().filter_map(|(name, (_, summary))| {
            let node = state.nodes.get(name)?;
            let own = node.generation == summary.generation;
            own.then(|| (name.clone(), summary.clone()))
        });
        Ok(short.collect())
    }

    /// A report that cannot be read is none: the next one replaces it.
    async fn read(&self, node: &str) -> Result<Option<Summary>, StoreError> {
        let bytes = self.store.read(&last(node)).await?;
        Ok(bytes.and_then(|bytes| {
            let line = bytes.iter().position(|byte| *byte == b'\n')?;
            let received = std::str::from_utf8(&bytes[..line]).ok()?.parse().ok()?;
            summary(&bytes[line + 1..], received).ok()
        }))
    }

    async fn forget_old(&self, node: &str) -> Result<(), StoreError> {
        let listed = self.store.list(&runs(node)).map_ok(|found| found.path);
        let mut paths: Vec<String> = listed.try_collect().await?;
        paths.sort_unstable();
        for old in paths.iter().rev().skip(KEPT) {
            self.store.remove(old).await?;
        }
        Ok(())
    }
}

/// The line before a document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Received {
    at_ms: u64,
    generation: u32,
}

impl fmt::Display for Received {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} {}", self.at_ms, self.generation)
    }
}

impl FromStr for Received {
    type Err = ParseIntError;

    fn from_str(line: &str) -> Result<Self, ParseIntError> {
        // The generation was not always there.
        let (at_ms, generation) = line.split_once(' ').unwrap_or((line, "1"));
        Ok(Self {
            at_ms: at_ms.parse()?,
            generation: generation.parse()?,
        })
    }
}

fn last(node: &str) -> String {
    format!("last/{node}")
}

fn runs(node: &str) -> String {
    format!("runs/{node}")
}

fn summary(document: &[u8], received: Received) -> Result<Summary, String> {
    let head: Head =
        serde_json::from_slice(document).map_err(|error| format!("the report: {error}"))?;
    let release = head.release.unwrap_or_default();
    // Both are shown on an operator's terminal.
    let plain = |text: &str| text.len() <= 64 && is_plain(text);
    if !plain(&head.result) || !plain(&release) {
        return Err("the report: its result or its release is no plain word".into());
    }
    let failed = head.failures.first().map(|failure| &failure.message);
    let failed = failed.or(head.rejected.as_ref());
    let why = failed.or(head.held.first().map(|held| &held.detail));
    Ok(Summary {
        received_ms: received.at_ms,
        generation: received.generation,
        result: head.result,
        release,
        why: why.map(|text| line(text)).unwrap_or_default(),
        without_slot: head.without_slot.map(|text| line(&text)),
    })
}

/// The first line of what a machine says, as far as it can stand in a table or a log.
fn line(text: &str) -> String {
    let first = text.lines().next().unwrap_or_default();
    // Of a long one no more is looked at than could be kept.
    let first: String = first.chars().take(LINE).collect();
    escape(&first).chars().take(LINE).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIFTH: Received = Received {
        at_ms: 5,
        generation: 2,
    };

    #[test]
    fn what_stands_before_a_document_is_read_also_as_it_was() {
        assert_eq!(FIFTH.to_string(), "5 2\n");
        assert_eq!("5 2".parse(), Ok(FIFTH));
        let before = "5".parse::<Received>().unwrap();
        assert_eq!((before.at_ms, before.generation), (5, 1));
        assert!("5 x".parse::<Received>().is_err());
    }

    #[test]
    fn summaries() {
        let good = br#"{"version": 1, "result": "applied", "release": null, "changes": []}"#;
        let short = summary(good, FIFTH).unwrap();
        assert_eq!(
            (short.result.as_str(), short.release.as_str()),
            ("applied", "")
        );
        assert_eq!((short.why.as_str(), short.without_slot), ("", None));
        let waits = br#"{"result": "waiting", "without_slot": "a\u001bb", "held": [{"detail": "zk-2 is not healthy\nmore"}]}"#;
        let short = summary(waits, FIFTH).unwrap();
        assert_eq!(short.why, "zk-2 is not healthy");
        assert_eq!(short.without_slot.as_deref(), Some("a\\u{1b}b"));
        let turned = r#"{"result": "failed", "failures": [{"message": "\u202egpj.exe\u2066\u200b\u061c\u00ad\udb40\udc41"}]}"#;
        assert_eq!(
            summary(turned.as_bytes(), FIFTH).unwrap().why,
            "\\u{202e}gpj.exe\\u{2066}\\u{200b}\\u{61c}\\u{ad}\\u{e0041}"
        );
        assert_eq!(line(&"\u{1b}".repeat(1000)).chars().count(), LINE);
        let went_back = br#"{"result": "waiting", "rejected": "no", "held": [{"detail": "x"}]}"#;
        assert_eq!(summary(went_back, FIFTH).unwrap().why, "no");
        let fails =
            br#"{"result": "failed", "failures": [{"message": "no"}], "held": [{"detail": "x"}]}"#;
        assert_eq!(summary(fails, FIFTH).unwrap().why, "no");
        for bad in [
            &b""[..],
            b"[]",
            b"{}",
            b"{\"result\": \"\\u001b[2J\"}",
            b"{\"result\": \"ok\", \"release\": \"a b\"}",
        ] {
            assert!(summary(bad, FIFTH).is_err());
        }
    }
}
