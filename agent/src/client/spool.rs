//! Reports that the server could not take yet: bounded, in order, and still there after a restart.

use crate::durable;
use std::io;
use std::path::{Path, PathBuf};

/// The most reports that wait; the oldest give way.
const MOST: usize = 100;

/// The most bytes of one report: the server takes no more in one message.
pub const REPORT_LIMIT: usize = 3 << 20;

/// The folder of waiting reports.
#[derive(Clone, Debug)]
pub struct Spool {
    folder: PathBuf,
}

/// A report that waits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waiting {
    place: Place,
    /// The report.
    pub document: Vec<u8>,
}

/// Whether a report tells of something. Also the ending of its file's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Weight {
    /// Nothing was changed and nothing failed.
    Quiet,
    /// Something happened.
    Telling,
}

/// Where a report stands in the queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    number: u64,
    weight: Weight,
}

impl Place {
    fn file(self) -> String {
        let ending = match self.weight {
            Weight::Quiet => "quiet",
            Weight::Telling => "telling",
        };
        format!("{:020}.{ending}", self.number)
    }

    fn of(file: &str) -> Option<Self> {
        let (number, ending) = file.split_once('.')?;
        let weight = match ending {
            "quiet" => Weight::Quiet,
            "telling" => Weight::Telling,
            _ => return None,
        };
        let number = number.parse().ok()?;
        Some(Self { number, weight })
    }
}

impl Spool {
    /// Below this state folder; nothing is made yet.
    pub fn new(state: &Path) -> Self {
        Self {
            folder: state.join("spool"),
        }
    }

    /// How many reports wait.
    ///
    /// # Errors
    /// Of the file system.
    pub fn len(&self) -> io::Result<usize> {
        Ok(self.places()?.len())
    }

    /// Whether none waits.
    ///
    /// # Errors
    /// Of the file system.
    pub fn is_empty(&self) -> io::Result<bool> {
        Ok(self.places()?.is_empty())
    }

    /// Oldest first.
    fn places(&self) -> io::Result<Vec<Place>> {
        let entries = match std::fs::read_dir(&self.folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        let mut places = Vec::new();
        for entry in entries {
            places.extend(entry?.file_name().to_str().and_then(Place::of));
        }
        places.sort_unstable();
        Ok(places)
    }

    /// Puts a report at the end. A quiet one takes the place of a quiet one before it; beyond the bound the oldest goes.
    ///
    /// # Errors
    /// Of the file system.
    pub fn push(&self, document: &[u8], weight: Weight) -> io::Result<()> {
        durable::private_folder(&self.folder)?;
        let mut places = self.places()?;
        let place = match places.last() {
            Some(last) if last.weight == Weight::Quiet && weight == Weight::Quiet => *last,
            last => Place {
                number: last.map_or(1, |last| last.number.saturating_add(1)),
                weight,
            },
        };
        durable::write(&self.folder.join(place.file()), document)?;
        places.retain(|other| *other != place);
        for oldest in places.iter().take((places.len() + 1).saturating_sub(MOST)) {
            durable::remove(&self.folder.join(oldest.file()))?;
        }
        Ok(())
    }

    /// The oldest report that waits.
    ///
    /// # Errors
    /// Of the file system.
    pub fn first(&self) -> io::Result<Option<Waiting>> {
        for place in self.places()? {
            if let Some(document) = durable::read(&self.folder.join(place.file()))? {
                return Ok(Some(Waiting { place, document }));
            }
        }
        Ok(None)
    }

    /// The server has it, or will never take it.
    ///
    /// # Errors
    /// Of the file system.
    pub fn done(&self, waiting: &Waiting) -> io::Result<()> {
        durable::remove(&self.folder.join(waiting.place.file()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(spool: &Spool) -> Vec<String> {
        let mut found = Vec::new();
        while let Some(waiting) = spool.first().unwrap() {
            found.push(String::from_utf8(waiting.document.clone()).unwrap());
            spool.done(&waiting).unwrap();
        }
        found
    }

    #[test]
    fn in_order_and_quiet_ones_once() {
        let folder = tempfile::tempdir().unwrap();
        let spool = Spool::new(folder.path());
        assert_eq!(spool.first().unwrap(), None);
        for (document, weight) in [
            ("q1", Weight::Quiet),
            ("q2", Weight::Quiet),
            ("t1", Weight::Telling),
            ("t2", Weight::Telling),
            ("q3", Weight::Quiet),
            ("q4", Weight::Quiet),
        ] {
            spool.push(document.as_bytes(), weight).unwrap();
        }
        assert_eq!(all(&spool), ["q2", "t1", "t2", "q4"]);
        assert!(spool.is_empty().unwrap());
        spool.push(b"t3", Weight::Telling).unwrap();
        spool.push(b"q5", Weight::Quiet).unwrap();
        assert_eq!(spool.len().unwrap(), 2);
        assert_eq!(all(&spool), ["t3", "q5"]);
    }

    #[test]
    fn bounded() {
        let folder = tempfile::tempdir().unwrap();
        let spool = Spool::new(folder.path());
        for number in 0..MOST + 5 {
            spool
                .push(number.to_string().as_bytes(), Weight::Telling)
                .unwrap();
        }
        let found = all(&spool);
        assert_eq!(found.len(), MOST);
        assert_eq!(found[0], "5");
        assert_eq!(found[MOST - 1], (MOST + 4).to_string());
    }
}
