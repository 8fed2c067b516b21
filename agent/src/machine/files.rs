//! Many files at once: written each beside its place, synced together, then put in place one after the other.
//!
//! A file that lasts costs a wait for the disk. Waits that overlap cost little more than one.

use super::error::EnactError;
use super::file::{Draft, Placed};
use super::hands::{Hands, Spot};
use super::temporary::sync;
use cfg_catalog::resource::Presence;
use cfg_catalog::resource::file::File;
use std::collections::BTreeMap;
use std::sync::Mutex;
use std::thread::Builder;

/// So many waits for the disk at a time.
const TOGETHER: usize = 16;

/// How far one file has come.
enum Stage<'s> {
    /// Its new content lies beside its place.
    Drafted(Draft<'s>),
    /// It stands in a folder that is not synced yet.
    Placed(&'s Spot),
    /// It goes alone when its turn comes: it must go, or has no place.
    Alone,
    /// It is as it must be.
    Done,
}

type Outcome<T> = Result<T, EnactError>;

impl Hands<'_> {
    /// Brings files about that do not depend on one another, and that nothing must judge first; one outcome each. Any of
    /// them is at every moment the old one or the new one, and they take their places in their order.
    pub fn files(&self, files: &[File]) -> Vec<Outcome<()>> {
        let spot = |file: &File| match file.state {
            Presence::Present => self.spot_of(file).ok(),
            Presence::Absent => None,
        };
        let spots: Vec<Option<Spot>> = files.iter().map(spot).collect();
        let drafted = files.iter().zip(&spots).map(|(file, spot)| match spot {
            Some(spot) => Ok(self.draft(file, spot)?.map_or(Stage::Done, Stage::Drafted)),
            None => Ok(Stage::Alone),
        });
        let mut stages: Vec<Outcome<Stage<'_>>> = drafted.collect();
        sync_all(&mut stages);
        let placed = files.iter().zip(&spots).zip(stages);
        let placed: Vec<Outcome<Stage<'_>>> = placed
            .map(|((file, spot), stage)| match (stage?, spot) {
                (Stage::Drafted(draft), Some(spot)) => match draft.place()? {
                    Placed::There => Ok(Stage::Placed(spot)),
                    Placed::Moved => self.file(file).map(|()| Stage::Done),
                },
                (Stage::Alone, _) => self.file(file).map(|()| Stage::Done),
                (stage, _) => Ok(stage),
            })
            .collect();
        let mut synced = BTreeMap::new();
        placed
            .into_iter()
            .map(|stage| lasting(stage?, &mut synced))
            .collect()
    }
}

/// Makes the contents of all drafts last: in this thread, and in as many more as there may be.
fn sync_all(stages: &mut [Outcome<Stage<'_>>]) {
    let more = stages.len().min(TOGETHER).saturating_sub(1);
    let left = Mutex::new(stages.iter_mut());
    let next = || {
        let mut left = left.lock().unwrap_or_else(|broken| broken.into_inner());
        left.next()
    };
    let work = || {
        while let Some(stage) = next() {
            if let Ok(Stage::Drafted(draft)) = stage
                && let Err(error) = draft.sync()
            {
                *stage = Err(error);
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..more {
            if Builder::new().spawn_scoped(scope, work).is_err() {
                break;
            }
        }
        work();
    });
}

/// Makes a name last; each folder is synced once, and tells for all that stand in it.
fn lasting(stage: Stage<'_>, synced: &mut BTreeMap<(u64, u64), bool>) -> Outcome<()> {
    let Stage::Placed(Spot { folder, .. }) = stage else {
        return Ok(());
    };
    let id = (folder.stat().st_dev, folder.stat().st_ino);
    if synced.get(&id) == Some(&true) {
        return Ok(());
    }
    let outcome = sync(folder);
    synced.insert(id, outcome.is_ok());
    outcome.map_err(EnactError::from)
}
