//! From the store to the state.

use super::{Entry, LogError, Snapshot, entry_path, sealed, snapshot_path};
use crate::state::State;
use crate::store::Store;
use cfg_catalog::digest::Digest;
use futures::TryStreamExt;
use tracing::warn;

/// How far the log is read, and what it says up to there.
#[derive(Clone, Debug, Default)]
pub(super) struct Position {
    /// The last entry's number; 0 before the first.
    pub number: u64,
    /// Its digest.
    pub digest: Option<Digest>,
    /// All entries folded.
    pub state: State,
}

/// An entry that was read and follows.
pub(super) struct Next {
    path: String,
    digest: Digest,
    entry: Entry,
}

/// Everything in the store.
pub(super) async fn all(store: &Store) -> Result<Position, LogError> {
    let mut position = newest_snapshot(store).await?;
    while let Some(next) = position.next(store).await? {
        position = position.after(next)?;
    }
    refuse_gap(store, position.number).await?;
    Ok(position)
}

impl Position {
    /// The next entry, if it is there and follows this position.
    pub(super) async fn next(&self, store: &Store) -> Result<Option<Next>, LogError> {
        let path = entry_path(self.number + 1);
        let Some(bytes) = store.read(&path).await? else {
            return Ok(None);
        };
        let (digest, entry) = sealed::open::<Entry>(&path, &bytes)?;
        if entry.number != self.number + 1 || entry.previous != self.digest {
            return Err(LogError::Damaged {
                path,
                why: "it does not follow the entry before; two logs were mixed".into(),
            });
        }
        Ok(Some(Next {
            path,
            digest,
            entry,
        }))
    }

    /// This position with the next entry folded in.
    pub(super) fn after(mut self, next: Next) -> Result<Self, LogError> {
        for record in &next.entry.records {
            let misfit = |source| LogError::Misfit {
                path: next.path.clone(),
                source,
            };
            self.state.fold(record).map_err(misfit)?;
        }
        self.number = next.entry.number;
        self.digest = Some(next.digest);
        Ok(self)
    }

    /// The snapshot's bytes at this position.
    pub(super) fn snapshot(&self) -> Result<Option<bytes::Bytes>, LogError> {
        let Some(digest) = self.digest else {
            return Ok(None);
        };
        let snapshot = Snapshot {
            format: sealed::FORMAT,
            number: self.number,
            digest,
            state: self.state.clone(),
        };
        sealed::seal(&snapshot).map(|(_, bytes)| Some(bytes))
    }
}

/// The newest snapshot that is whole; the beginning where there is none. Nothing hangs on one: the entries
/// are all there.
async fn newest_snapshot(store: &Store) -> Result<Position, LogError> {
    for number in snapshots(store).await?.into_iter().rev() {
        let path = snapshot_path(number);
        let Some(bytes) = store.read(&path).await? else {
            continue;
        };
        match sealed::open::<Snapshot>(&path, &bytes) {
            Ok((_, snapshot)) if snapshot.number == number => {
                return Ok(Position {
                    number,
                    digest: Some(snapshot.digest),
                    state: snapshot.state,
                });
            }
            Ok(_) => warn!("{path} is of another entry; an earlier snapshot is read"),
            Err(error @ LogError::Newer { .. }) => return Err(error),
            Err(error) => warn!("{error}; an earlier snapshot is read"),
        }
    }
    Ok(Position::default())
}

/// The numbers of all snapshots, ascending.
pub(super) async fn snapshots(store: &Store) -> Result<Vec<u64>, LogError> {
    let mut numbers: Vec<u64> = store
        .list("snapshot")
        .try_filter_map(|found| std::future::ready(Ok(number(&found.path))))
        .try_collect()
        .await?;
    numbers.sort_unstable();
    Ok(numbers)
}

/// That no entry lies beyond the first that is missing.
async fn refuse_gap(store: &Store, last: u64) -> Result<(), LogError> {
    let mut later = store.list_after("log", &entry_path(last));
    while let Some(found) = later.try_next().await? {
        // The next one may have been written since it was looked for; a second one shows a hole.
        if number(&found.path).is_some_and(|number| number > last + 1)
            && store.size(&entry_path(last + 1)).await?.is_none()
        {
            let path = entry_path(last + 1);
            return Err(LogError::Missing { path });
        }
    }
    Ok(())
}

fn number(path: &str) -> Option<u64> {
    path.rsplit('/').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::super::Log;
    use super::*;
    use crate::state::event::Event;
    use object_store::memory::InMemory;
    use serde_json::{Value, json};
    use std::sync::Arc;

    /// What happened, as servers of format 1 wrote it; slots had a time then.
    fn records() -> Value {
        let digest = Digest::of(b"x").to_string();
        let about = json!({"address": "10.0.0.1", "os": "debian", "arch": "amd64", "cpus": 1, "memory_mb": 1});
        json!([
            {"at": 1, "by": "a", "event": "initialised", "fleet": "f", "ca": digest},
            {"at": 1, "by": "a", "event": "token_created", "hash": digest, "purpose": {"role": "zk"}, "uses": 1,
             "expires": 99},
            {"at": 1, "by": "a", "event": "node_enrolled", "name": "zk-1", "role": "zk", "id": 1, "generation": 1,
             "key": digest, "token": digest, "about": about},
            {"at": 1, "by": "a", "event": "slot_taken", "name": "zk-1", "fence": 4, "until": 61},
            {"at": 1, "by": "a", "event": "slot_kept", "name": "zk-1", "until": 81},
        ])
    }

    async fn write(store: &Store, path: &str, document: Value) -> Digest {
        let (digest, bytes) = sealed::seal(&document).unwrap();
        store.write(path, bytes).await.unwrap();
        digest
    }

    #[tokio::test]
    async fn what_older_servers_wrote_is_read_and_what_is_written_is_not_for_them() {
        let store = Store::of(Arc::new(InMemory::new()));
        let first =
            json!({"format": 1, "number": 1, "previous": null, "nonce": "", "records": records()});
        let digest = write(&store, &entry_path(1), first).await;
        let log = Log::open(store.clone()).await.unwrap();
        let state = log.state();
        assert_eq!(state.slots["zk-1"].fence, 4);

        let mut older = serde_json::to_value(&*state).unwrap();
        older["slots"]["zk-1"] = json!({"fence": 9, "until": 81});
        let snapshot = json!({"format": 1, "number": 1, "digest": digest, "state": older});
        write(&store, &snapshot_path(1), snapshot).await;
        let log = Log::open(store.clone()).await.unwrap();
        assert_eq!(log.state().slots["zk-1"].fence, 9, "the snapshot counts");

        let name = "zk-1".to_owned();
        let kept = Event::SlotKept { name };
        log.commit("a", move |_| Ok((vec![kept.clone()], ())))
            .await
            .unwrap();
        let bytes = store.read(&entry_path(2)).await.unwrap().unwrap();
        let entry: Value = serde_json::from_slice(&bytes[65..]).unwrap();
        assert_eq!(
            entry["format"],
            sealed::FORMAT,
            "which a server of format 1 refuses as newer"
        );
    }
}
